//! Damaged and hostile files: every flipped header byte, every length, and the faults that other readers fell for.
//! Nothing may panic or hang; the content is right or there is an error that names file and offset.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;

use std::fs::OpenOptions;

use disk_support::{Files, Random, Vhd, content, extents, memory, seal};
use hvm_formats::disk::write::{TargetFormat, create};
use hvm_formats::disk::{DiskError, Format, NoParents, ParentGate, VirtualDisk, headers, open, open_as};
use hvm_formats::qcow2::Qcow2Error;
use hvm_formats::vhd::VhdError;

/// Opens and reads everything, at most 16 MiB; the content, or the first error.
fn try_all(name: &str, bytes: Vec<u8>, gate: &dyn ParentGate) -> Result<Vec<u8>, DiskError> {
    let disk = open(memory(name, bytes), gate)?;
    assert!(disk.size() <= 1 << 30, "a size of {} was believed", disk.size());
    read_all(&*disk)
}

fn read_all(disk: &dyn VirtualDisk) -> Result<Vec<u8>, DiskError> {
    let mut bytes = vec![0; disk.size().min(16 << 20) as usize];
    disk.read_at(0, &mut bytes)?;
    let mut at = 0;
    while at < disk.size() {
        let extent = disk.extent(at)?;
        assert!(extent.start == at && extent.len > 0 && at + extent.len <= disk.size());
        at += extent.len;
    }
    Ok(bytes)
}

/// Names the file, as every error must.
fn check_error(error: &DiskError, name: &str) {
    assert!(error.to_string().contains(name), "{error}");
    assert!(!error.file().is_empty());
}

fn dynamic() -> Vhd {
    let mut disk = Vhd::new(3, 8 * 65536, 1);
    let mut random = Random::new(4);
    for sector in 0..3 * 128 {
        let mut data = [0; 512];
        random.fill(&mut data);
        disk.set_sector(sector, &data);
    }
    disk
}

fn pair() -> (Vhd, Files) {
    let base = dynamic();
    let mut child = base.child(2, "base.vhd");
    child.parent.locators.push((*b"W2ku", "C:\\x\\base.vhd".to_owned()));
    child.scatter(&mut Random::new(5), 30);
    let mut files = Files::default();
    files.add("base.vhd", base.bytes());
    (child, files)
}

const FLIPS: [u8; 4] = [0x01, 0x10, 0x80, 0xFF];

#[test]
fn each_flipped_byte_of_the_headers_of_a_dynamic_disk_is_noticed_or_harmless() {
    let disk = dynamic();
    let (bytes, expected) = (disk.bytes(), disk.overlay(Vec::new()));
    let end = bytes.len();
    // Footer copy, header and table; the trailing footer. The table has no checksum: see the next test.
    for at in (0..1536).chain(end - 512..end) {
        for flip in FLIPS {
            let mut broken = bytes.clone();
            broken[at] ^= flip;
            match try_all("disk.vhd", broken, &NoParents) {
                Ok(found) => assert!(found == expected, "byte {at} ^ {flip:#x}: other content"),
                Err(error) => check_error(&error, "disk.vhd"),
            }
        }
    }
    // One damaged footer never costs the content.
    for at in (0..512).chain(end - 512..end) {
        let mut broken = bytes.clone();
        broken[at] ^= 0x40;
        assert!(try_all("disk.vhd", broken, &NoParents).is_ok_and(|found| found == expected), "byte {at}");
    }
}

#[test]
fn each_flipped_byte_of_the_table_is_an_error_where_the_file_has_no_free_room() {
    let disk = dynamic();
    let bytes = disk.bytes();
    for at in 1536..1536 + 8 * 4 {
        for flip in FLIPS {
            let mut broken = bytes.clone();
            broken[at] ^= flip;
            let block = (at - 1536) / 4;
            let error = try_all("disk.vhd", broken.clone(), &NoParents).err();
            let error = error.unwrap_or_else(|| panic!("entry {block} byte {at} ^ {flip:#x} was believed"));
            check_error(&error, "disk.vhd");
            // What does not depend on the entry stays readable.
            let opened = open(memory("disk.vhd", broken), &NoParents).unwrap();
            assert!(opened.layers()[0].remarks.iter().any(|remark| remark.contains("cannot be read")));
            let readable = (0..8).filter(|n| opened.read_at(n * 65536, &mut [0; 65536]).is_ok()).count();
            // At worst the entry was moved across both of the other blocks.
            assert!(readable >= 5, "{readable}");
        }
    }
}

#[test]
fn each_flipped_byte_of_a_differencing_disk_is_noticed_or_harmless() {
    let (child, files) = pair();
    let bytes = child.bytes();
    let expected = child.overlay(dynamic().overlay(Vec::new()));
    let (end, locators) = (bytes.len(), 2048..2048 + 1024);
    for at in (0..1536).chain(locators).chain(end - 512..end) {
        for flip in FLIPS {
            let mut broken = bytes.clone();
            broken[at] ^= flip;
            match try_all("child.avhd", broken, &files) {
                Ok(found) => assert!(found == expected, "byte {at} ^ {flip:#x}: other content"),
                Err(error) => check_error(&error, "child.avhd"),
            }
        }
    }
}

#[test]
fn each_flipped_byte_of_a_fixed_footer_is_an_error() {
    let mut disk = Vhd::new(2, 65536, 1);
    disk.scatter(&mut Random::new(1), 5);
    let bytes = disk.bytes();
    for at in 65536..65536 + 512 {
        let mut broken = bytes.clone();
        broken[at] ^= 0x04;
        let error = try_all("disk.vhd", broken, &NoParents).unwrap_err();
        check_error(&error, "disk.vhd");
    }
}

#[test]
fn sealed_nonsense_in_each_field_never_panics() {
    let (child, files) = pair();
    let bytes = child.bytes();
    let end = bytes.len();
    let values: [u64; 9] = [0, 1, 511, 512, 0x7FFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF, 0x0001_0000, 1 << 40];
    for at in (0..1536).step_by(4) {
        for value in values {
            for width in [4, 8] {
                let mut broken = bytes.clone();
                let raw = value.to_be_bytes();
                broken[at..at + width].copy_from_slice(&raw[8 - width..]);
                seal(&mut broken[..512], 64);
                seal(&mut broken[512..1536], 36);
                broken.copy_within(0..512, end - 512);
                if let Ok(disk) = open(memory("child.avhd", broken), &files) {
                    let len = disk.size().min(70_000) as usize;
                    let _ = disk.read_at(0, &mut vec![0; len]);
                    let _ = disk.read_at(disk.size() - len as u64, &mut vec![0; len]);
                    let _ = disk.extent(0);
                    let _ = disk.extent(disk.size() - 1);
                }
            }
        }
    }
}

#[test]
fn each_length_of_a_cut_file_is_an_error_or_the_right_content() {
    let disk = dynamic();
    let (bytes, expected) = (disk.bytes(), disk.overlay(Vec::new()));
    let mut lengths: Vec<usize> = (0..2100).chain(bytes.len() - 1030..bytes.len()).collect();
    lengths.extend((2100..bytes.len()).step_by(4093));
    for len in lengths {
        match try_all("disk.vhd", bytes[..len].to_vec(), &NoParents) {
            Ok(found) => assert!(found == expected, "cut to {len}"),
            Err(error) => check_error(&error, "disk.vhd"),
        }
    }
    // Without the footer, or with half of it, everything is still there.
    for len in [bytes.len() - 512, bytes.len() - 100] {
        let opened = open(memory("disk.vhd", bytes[..len].to_vec()), &NoParents).unwrap();
        assert!(content(&*opened) == expected);
        assert!(opened.layers()[0].remarks[0].contains("copy at offset 0"), "{:?}", opened.layers()[0].remarks);
    }
}

type Change = fn(&mut Vec<u8>);
type Expected = fn(&DiskError) -> bool;

/// Changes a dynamic disk, writes the checksums anew, and looks at the error of opening or reading it.
fn case(what: &str, change: Change, expected: Expected) {
    let mut bytes = dynamic().bytes();
    change(&mut bytes);
    let end = bytes.len();
    if end > 2048 {
        seal(&mut bytes[..512], 64);
        if &bytes[512..520] == b"cxsparse" {
            seal(&mut bytes[512..1536], 36);
        }
        bytes.copy_within(0..512, end - 512);
    }
    let error = try_all("disk.vhd", bytes, &NoParents).err().unwrap_or_else(|| panic!("{what}: no error"));
    check_error(&error, "disk.vhd");
    assert!(expected(&error), "{what}: {error:?}");
}

macro_rules! vhd {
    ($pattern:pat) => {
        |error| matches!(error, DiskError::Vhd($pattern))
    };
}

#[test]
fn each_check_of_a_dynamic_disk_has_its_error() {
    case("version 2", |b| b[13] = 2, vhd!(VhdError::FileVersion { offset: 12.., .. }));
    case("type 0", |b| b[63] = 0, vhd!(VhdError::DiskType { found: 0, .. }));
    case("type 5", |b| b[63] = 5, vhd!(VhdError::DiskType { found: 5, .. }));
    case("size 0", |b| b[48..56].fill(0), |error| matches!(error, DiskError::EmptyDisk { .. }));
    case("size 3 TB", |b| b[50] = 3, vhd!(VhdError::SizeTooLarge { .. }));
    case("size odd", |b| b[55] = 1, vhd!(VhdError::SizeNotSectors { .. }));
    case("size beyond table", |b| b[52] = 1, vhd!(VhdError::TableTooSmall { found: 8, .. }));
    case("header at 0", |b| b[16..24].fill(0), vhd!(VhdError::HeaderOutside { header: 0, .. }));
    case("header far", |b| b[16..24].fill(0xFF), vhd!(VhdError::HeaderOutside { .. }));
    case("header elsewhere", |b| b[22] = 8, vhd!(VhdError::HeaderCookie { offset: 2048, .. }));
    case("header version", |b| b[512 + 25] = 2, vhd!(VhdError::HeaderVersion { offset: 536, .. }));
    case("block 0", |b| b[512 + 32..512 + 36].fill(0), vhd!(VhdError::BlockSize { found: 0, .. }));
    case("block 3", |b| b[512 + 35] = 3, vhd!(VhdError::BlockSize { .. }));
    case("block 256", |b| b[512 + 32..512 + 36].copy_from_slice(&[0, 0, 1, 0]), vhd!(VhdError::BlockSize { .. }));
    case("block 512 MiB", |b| b[512 + 32..512 + 36].copy_from_slice(&[32, 0, 0, 0]), vhd!(VhdError::BlockSize { .. }));
    case("table too small", |b| b[512 + 31] = 7, vhd!(VhdError::TableTooSmall { expected: 8, found: 7, .. }));
    case("table huge", |b| b[512 + 28] = 0x40, vhd!(VhdError::TableOutside { entries: 0x4000_0008, .. }));
    case("table far", |b| b[512 + 16..512 + 24].fill(0xFF), vhd!(VhdError::TableOutside { .. }));
    case("table at 0", |b| b[512 + 22] = 0, vhd!(VhdError::TableOverlap { table: 0, .. }));
    case("table in header", |b| b[512 + 22] = 2, vhd!(VhdError::TableOverlap { table: 512, .. }));
    case("block at 0", |b| b[1536..1540].fill(0), vhd!(VhdError::BlockInHeaders { block: 0, offset: 1536, .. }));
    case(
        "block at table",
        |b| b[1540..1544].copy_from_slice(&[0, 0, 0, 3]),
        vhd!(VhdError::BlockInHeaders { block: 1, offset: 1540, .. }),
    );
    case("block far", |b| b[1544] = 0x7F, vhd!(VhdError::BlockOutside { block: 2, offset: 1544, .. }));
    case("block twice", |b| b.copy_within(1536..1540, 1556), vhd!(VhdError::BlocksOverlap { .. }));
}

#[test]
fn footers_that_disagree_are_not_chosen_between() {
    let bytes = dynamic().bytes();
    let end = bytes.len();
    for (at, field) in [(54usize, "current size"), (70, "unique id")] {
        let mut broken = bytes.clone();
        broken[end - 512 + at] ^= 2;
        seal(&mut broken[end - 512..], 64);
        let error = try_all("disk.vhd", broken, &NoParents).unwrap_err();
        assert!(matches!(error, DiskError::Vhd(VhdError::FootersDisagree { .. })), "{error}");
        assert!(error.to_string().contains(field), "{error}");
    }
    let mut stamped = bytes.clone();
    stamped[end - 512 + 27] ^= 1;
    stamped[end - 512 + 84] = 1;
    seal(&mut stamped[end - 512..], 64);
    let layer = headers(&memory("disk.vhd", stamped)).unwrap();
    assert!(layer.remarks.iter().any(|remark| remark.contains("saved state")), "{:?}", layer.remarks);
    assert_eq!(layer.remarks.len(), 2);
}

#[test]
fn old_footers_of_511_bytes_and_sizes_beside_the_geometry_are_read() {
    for kind in [2, 3] {
        let mut disk = Vhd::new(kind, 65536 * 3, 1);
        disk.scatter(&mut Random::new(8), 9);
        let mut bytes = disk.bytes();
        assert_eq!(bytes.pop(), Some(0));
        let opened = open(memory("disk.vhd", bytes), &NoParents).unwrap();
        assert!(content(&*opened) == disk.overlay(Vec::new()));
        assert_eq!(opened.layers()[0].geometry_size, Some(0));
    }
}

#[test]
fn a_fixed_disk_may_not_miss_data_and_its_first_sector_is_never_a_footer() {
    let mut disk = Vhd::new(2, 1 << 20, 1);
    // The guest of a fixed disk writes what looks like a footer copy of a child of some other disk.
    let trap = Vhd::new(4, 1 << 20, 9).footer(512);
    disk.set_sector(0, &trap);
    let bytes = disk.bytes();
    let opened = open(memory("disk.vhd", bytes.clone()), &NoParents).unwrap();
    assert!(content(&*opened) == disk.overlay(Vec::new()));

    let mut torn = bytes.clone();
    torn[(1 << 20) + 100] ^= 1;
    let error = try_all("disk.vhd", torn, &NoParents).unwrap_err();
    assert!(matches!(error, DiskError::Vhd(VhdError::FooterChecksum { offset: 0x0010_0000, .. })), "{error}");

    let short = bytes[512..].to_vec();
    let error = try_all("disk.vhd", short, &NoParents).unwrap_err();
    assert!(matches!(error, DiskError::Vhd(VhdError::DataMissing { expected: 0x0010_0000, .. })), "{error}");
}

/// What a VHD set holds is documented nowhere: not even the mark of a VHDX in it makes a disk of it.
#[test]
fn a_vhd_set_is_no_disk_whatever_is_in_it() {
    let mut bytes = vec![0x55; 4096];
    for mark in [&b"UUUUUUUU"[..], b"vhdxfile", b"conectix", b"QFI\xfb\0\0\0\x03"] {
        bytes[..8].copy_from_slice(mark);
        for name in ["Shared.vhds", "SHARED.VHDS"] {
            let error = open(memory(name, bytes.clone()), &NoParents).err().unwrap();
            assert!(matches!(error, DiskError::VhdSet { .. }) && error.file() == name, "{error}");
            assert!(matches!(headers(&memory(name, bytes.clone())), Err(DiskError::VhdSet { .. })));
        }
    }
    assert!(open_as(memory("Shared.vhds", bytes), &NoParents, Format::Raw).is_ok(), "the operator said what it is");
}

/// Taken for plain sectors they would be another disk.
#[test]
fn disks_in_formats_that_are_not_read_are_told_by_their_marks() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.img");
    std::fs::write(&plain, [0x55; 1 << 16]).unwrap();
    for (format, options, what) in [
        ("vmdk", "subformat=monolithicSparse", "VMDK"),
        ("vmdk", "subformat=streamOptimized", "VMDK"),
        ("vmdk", "subformat=monolithicFlat", "VMDK"),
        ("vdi", "static=off", "VirtualBox"),
        ("qed", "cluster_size=65536", "QED"),
        ("parallels", "cluster_size=1048576", "Parallels"),
    ] {
        let made = folder.path().join("disk.img");
        let output = std::process::Command::new("qemu-img")
            .args(["convert", "-O", format, "-o", options])
            .args([&plain, &made])
            .output();
        let Ok(output) = output else {
            println!("SKIPPED: qemu-img is not installed");
            return;
        };
        assert!(output.status.success(), "{format}: {output:?}");
        let bytes = std::fs::read(&made).unwrap();
        let error = open(memory("disk.img", bytes.clone()), &NoParents).err().unwrap();
        assert!(matches!(&error, DiskError::Foreign { format, .. } if format.contains(what)), "{format}: {error}");
        assert!(matches!(headers(&memory("disk.vhd", bytes.clone())), Err(DiskError::Foreign { .. })));
        assert!(content(&*open(memory("disk.raw", bytes.clone()), &NoParents).unwrap()) == bytes, "by its name");
        assert!(open_as(memory("disk.img", bytes), &NoParents, Format::Raw).is_ok(), "by the operator's word");
    }
    let compressed: [&[u8]; 3] = [&[0x1F, 0x8B, 8, 0], &[0xFD, b'7', b'z', b'X', b'Z', 0], &[0x28, 0xB5, 0x2F, 0xFD]];
    for start in compressed {
        let mut bytes = vec![0x55; 4096];
        bytes[..start.len()].copy_from_slice(start);
        let error = open(memory("disk.img.gz", bytes), &NoParents).err().unwrap();
        assert!(error.to_string().contains("compressed"), "{error}");
    }
}

#[test]
fn files_without_a_mark_are_raw_only_when_their_name_does_not_promise_more() {
    let bytes = vec![0x55; 4096];
    for name in ["disk.vhd", "DISK.VHD", "disk.avhd", "disk.vhdx", "disk.avhdx", "disk.qcow2"] {
        let error = open(memory(name, bytes.clone()), &NoParents).err().unwrap();
        assert!(matches!(error, DiskError::NotRecognised { .. }), "{error}");
        assert!(matches!(headers(&memory(name, bytes.clone())), Err(DiskError::NotRecognised { .. })));
        let disk = open_as(memory(name, bytes.clone()), &NoParents, Format::Raw).unwrap();
        assert!(content(&*disk) == bytes);
        assert!(open_as(memory(name, bytes.clone()), &NoParents, Format::Vhd).is_err());
        assert!(open_as(memory(name, bytes.clone()), &NoParents, Format::Qcow2).is_err());
    }
    let disk = open(memory("disk.img", bytes.clone()), &NoParents).unwrap();
    assert!(content(&*disk) == bytes);
    assert!(matches!(disk.read_at(4095, &mut [0; 2]), Err(DiskError::OutOfRange { .. })));
    assert!(matches!(disk.read_at(u64::MAX, &mut [0; 2]), Err(DiskError::OutOfRange { .. })));
    assert!(matches!(disk.extent(4096), Err(DiskError::OutOfRange { .. })));
    assert!(matches!(open(memory("disk.img", Vec::new()), &NoParents), Err(DiskError::EmptyDisk { .. })));
}

fn qcow2() -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.qcow2");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    let mut model = vec![0; 20 * 65536 + 512];
    Random::new(2).fill(&mut model[3 * 65536..7 * 65536]);
    Random::new(3).fill(&mut model[20 * 65536..]);
    let mut writer = create(file, model.len() as u64, TargetFormat::Qcow2, [0; 16]).unwrap();
    writer.write(3 * 65536, &model[3 * 65536..7 * 65536]).unwrap();
    writer.write(20 * 65536, &model[20 * 65536..]).unwrap();
    writer.finish().unwrap();
    (std::fs::read(path).unwrap(), model)
}

#[test]
fn each_flipped_byte_of_a_qcow2_header_is_noticed_or_harmless() {
    let (bytes, expected) = qcow2();
    for at in 0..112 {
        for flip in FLIPS {
            let mut broken = bytes.clone();
            broken[at] ^= flip;
            match try_all("disk.qcow2", broken, &NoParents) {
                Ok(found) if found.len() != expected.len() => {
                    // The size has no checksum: a size that the tables cover is another disk, not a broken one.
                    assert!((24..32).contains(&at), "byte {at} ^ {flip:#x}");
                    let common = found.len().min(expected.len());
                    assert!(found[..common] == expected[..common]);
                }
                Ok(found) => {
                    // The place of the table has no checksum either; another cluster may look like an empty table.
                    assert!(found == expected || (40..48).contains(&at), "byte {at} ^ {flip:#x}: other content");
                }
                Err(error) => check_error(&error, "disk.qcow2"),
            }
        }
    }
}

#[test]
fn each_flipped_byte_of_the_qcow2_tables_never_panics() {
    let (bytes, expected) = qcow2();
    // Header, five data clusters, the second-level table, the first-level table.
    let (l2, l1) = (6 * 65536, 7 * 65536);
    for at in (l2..l2 + 21 * 8).chain(l1..l1 + 8) {
        for flip in FLIPS {
            let mut broken = bytes.clone();
            broken[at] ^= flip;
            match try_all("disk.qcow2", broken, &NoParents) {
                Ok(found) => assert_eq!(found.len(), expected.len()),
                Err(error) => check_error(&error, "disk.qcow2"),
            }
        }
    }
    for len in (0..bytes.len()).step_by(1021) {
        if let Ok(found) = try_all("disk.qcow2", bytes[..len].to_vec(), &NoParents) {
            assert!(found == expected, "cut to {len}");
        }
    }
}

#[test]
fn each_check_of_a_qcow2_disk_has_its_error() {
    type Check = fn(&Qcow2Error) -> bool;
    let cases: [(&str, Change, Check); 13] = [
        ("version", |b| b[7] = 4, |e| matches!(e, Qcow2Error::Version { found: 4, .. })),
        ("backing", |b| b[15] = 104, |e| matches!(e, Qcow2Error::Backing { found: 104, .. })),
        ("cluster", |b| b[23] = 63, |e| matches!(e, Qcow2Error::ClusterBits { found: 63, .. })),
        ("encrypted", |b| b[35] = 2, |e| matches!(e, Qcow2Error::Encrypted { found: 2, .. })),
        ("corrupt", |b| b[79] = 2, |e| matches!(e, Qcow2Error::MarkedCorrupt { .. })),
        ("external data", |b| b[79] = 4, |e| matches!(e, Qcow2Error::Features { found: 4, .. })),
        ("header length", |b| b[103] = 100, |e| matches!(e, Qcow2Error::HeaderLength { found: 100, .. })),
        ("size", |b| b[25] = 0x40, |e| matches!(e, Qcow2Error::TableTooSmall { found: 1, .. })),
        ("table size", |b| b[36] = 0xFF, |e| matches!(e, Qcow2Error::TableTooLarge { .. })),
        ("table place", |b| b[41] = 1, |e| matches!(e, Qcow2Error::TableOutside { offset: 40, .. })),
        ("reserved", |b| b[7 * 65536 + 7] = 1, |e| matches!(e, Qcow2Error::Reserved { offset: 458_752, .. })),
        ("compressed", |b| b[6 * 65536 + 24] |= 0x40, |e| matches!(e, Qcow2Error::Unpack { expected: 65_536, .. })),
        (
            "cluster place",
            |b| b[6 * 65536 + 26] = 1,
            |e| matches!(e, Qcow2Error::ClusterOutside { offset: 393_240, virtual_offset: 196_608, .. }),
        ),
    ];
    for (what, change, check) in cases {
        let (mut bytes, _) = qcow2();
        change(&mut bytes);
        match try_all("disk.qcow2", bytes, &NoParents) {
            Err(DiskError::Qcow2(error)) => assert!(check(&error), "{what}: {error:?}"),
            other => panic!("{what}: {:?}", other.map(|found| found.len())),
        }
    }
}

#[test]
fn bad_locators_are_left_out_and_said() {
    let (child, files) = pair();
    let mut bytes = child.bytes();
    let end = bytes.len();
    // The first one too long for a path, the second one outside, a third of an unknown kind.
    bytes[512 + 576 + 8..512 + 576 + 12].copy_from_slice(&[1, 0, 0, 0]);
    bytes[512 + 600 + 16] = 0x70;
    bytes[512 + 624..512 + 628].copy_from_slice(b"Quux");
    seal(&mut bytes[512..1536], 36);
    assert_eq!(end, bytes.len());
    let disk = open(memory("child.avhd", bytes), &files).unwrap();
    let layer = &disk.layers()[0];
    assert_eq!(layer.remarks.len(), 3, "{:?}", layer.remarks);
    assert_eq!(layer.parent.as_ref().unwrap().locators, []);
    let found = content(&*disk);
    assert!(found == child.overlay(dynamic().overlay(Vec::new())));
    extents(&*disk, &found);
}
