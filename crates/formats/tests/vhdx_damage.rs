//! Damaged and hostile VHDX files: flipped bytes of every structure, every length, and the faults that other readers
//! fell for. Nothing may panic or hang; the content is right or there is an error that names file and offset.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;
mod vhdx_support;

use std::time::Instant;

use hvm_formats::disk::write::{DiskWriteError, NewDisk, Sectors, TargetFormat, create, create_with};
use hvm_formats::disk::{DiskError, ExtentKind, Format, NoParents, ParentGate, detect, open, open_as};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_formats::vhdx::VhdxError;
use hvm_testkit::vhdx::{BlockState, Dice, Dirt, Kind, LayerContent, ParentSpec, SparseImage, VhdxSpec, leave_dirty};
use vhdx_support::{Gate, file};

const MIB: u64 = 1 << 20;

/// Opens and reads everything, at most 16 MiB.
fn try_all(image: SparseImage, gate: &dyn ParentGate) -> Result<Vec<u8>, DiskError> {
    let disk = open(file("disk.vhdx", image), gate)?;
    let mut bytes = vec![0; disk.size().min(16 * MIB) as usize];
    disk.read_at(0, &mut bytes)?;
    let mut at = 0;
    while at < disk.size() {
        let extent = disk.extent(at)?;
        assert!(extent.start == at && extent.len > 0 && at + extent.len <= disk.size());
        at += extent.len;
    }
    Ok(bytes)
}

fn error_of(image: &SparseImage) -> DiskError {
    try_all(image.clone(), &NoParents).err().unwrap()
}

fn flip(image: &SparseImage, at: u64, mask: u8) -> SparseImage {
    let mut broken = image.clone();
    broken.put(at, &[image.get(at, 1)[0] ^ mask]);
    broken
}

/// A dynamic disk of three blocks, all full; the log lies at 1 MiB, the metadata at 2, the table at 3.
fn dynamic() -> (SparseImage, Vec<u8>) {
    let mut content = LayerContent::new(3 * MIB, MIB, 512);
    content.scatter(&mut Dice::new(3), &[BlockState::Full]);
    let image = (0..).map(|seed| VhdxSpec { seed, ..VhdxSpec::new(Kind::Dynamic, 1) }.image(&content));
    let image = image.into_iter().find(has_log_first).unwrap();
    (image, content.over(Vec::new()))
}

/// True when log, metadata and table lie in this order.
fn has_log_first(image: &SparseImage) -> bool {
    image.get(65536 + 72, 8) == MIB.to_le_bytes()
}

/// Puts a value into a metadata item: `first` are the first bytes of its GUID as stored.
fn set_item(image: &mut SparseImage, first: [u8; 4], skip: u64, value: &[u8]) {
    let entry = (0..8).map(|index| 2 * MIB + 32 + index * 32).find(|at| image.get(*at, 4) == first).unwrap();
    let place = u32::from_le_bytes(image.get(entry + 16, 4).try_into().unwrap());
    image.put(2 * MIB + u64::from(place) + skip, value);
}

const PARAMETERS: [u8; 4] = [0x37, 0x67, 0xA1, 0xCA];
const SIZE: [u8; 4] = [0x24, 0x42, 0xA5, 0x2F];
const LOGICAL: [u8; 4] = [0x1D, 0xBF, 0x41, 0x81];

#[test]
fn each_flipped_byte_of_a_structure_with_a_checksum_is_noticed_or_harmless() {
    let (image, expected) = dynamic();
    let places = (0..520).chain(65536..65536 + 96).chain(131_072..131_072 + 96).chain(196_608..196_608 + 96);
    for at in places.chain(262_144..262_144 + 96).chain([65536 + 4095, 196_608 + 65535]) {
        for mask in [1, 0x80, 0xFF] {
            match try_all(flip(&image, at, mask), &NoParents) {
                Ok(found) => assert!(found == expected, "byte {at} ^ {mask:#x}: other content"),
                Err(error) => {
                    assert!(at < 8 && error.to_string().contains("disk.vhdx"), "{at}: {error}");
                }
            }
        }
    }
    for (first, second) in [(65536, 131_072), (196_608, 262_144)] {
        let error = error_of(&flip(&flip(&image, first + 20, 1), second + 20, 1));
        let expected = matches!(error, DiskError::Vhdx(VhdxError::NoHeader { .. } | VhdxError::NoRegionTable { .. }));
        assert!(expected, "{error}");
    }
}

#[test]
fn flipped_bytes_of_metadata_table_and_bitmap_never_panic_and_errors_name_the_file() {
    let (image, _) = dynamic();
    let metadata = (2 * MIB..2 * MIB + 192).chain(2 * MIB + 65536..2 * MIB + 65536 + 64);
    for at in metadata.chain(3 * MIB..3 * MIB + 24) {
        for mask in [1, 4, 0x10, 0x80, 0xFF] {
            if let Err(error) = try_all(flip(&image, at, mask), &NoParents) {
                assert!(error.to_string().contains("disk.vhdx"), "{error}");
            }
        }
    }
}

#[test]
fn each_flipped_byte_of_the_log_is_noticed_or_harmless() {
    let (clean, expected) = dynamic();
    for (dirt, seed) in [(Dirt::Plain, 1), (Dirt::Crowded, 2)] {
        let mut image = clean.clone();
        leave_dirty(&mut image, dirt, &mut Dice::new(seed));
        assert!(try_all(image.clone(), &NoParents).unwrap() == expected);
        let pages = image.pages().into_iter().filter(|at| (MIB..2 * MIB).contains(at));
        for at in pages.flat_map(|page| (page..page + 160).step_by(3).chain([page + 2000, page + 4093])) {
            let broken = flip(&image, at, 0x41);
            match try_all(broken.clone(), &NoParents) {
                Ok(found) if found == expected => {}
                // Without its last entry a log tells of an earlier state, as after an earlier crash; what lies in the file by
                // then is spoilt here. It is said, unless the flip took away what makes it an entry of this log.
                Ok(_) => {
                    let disk = open(file("disk.vhdx", broken), &NoParents).unwrap();
                    let said = disk.layers()[0].remarks.iter().any(|remark| remark.contains("is not whole"));
                    let names = [0..4, 16..24, 32..48].iter().any(|field| field.contains(&(at % 4096)));
                    assert!(said || names, "{dirt:?}, byte {at}: {:?}", disk.layers()[0].remarks);
                }
                Err(error) => assert!(error.to_string().contains("disk.vhdx"), "{error}"),
            }
        }
    }
}

#[test]
fn every_cut_is_an_error_or_leaves_the_content() {
    let (image, expected) = dynamic();
    let mut dirty = image.clone();
    leave_dirty(&mut dirty, Dirt::Crowded, &mut Dice::new(9));
    for whole in [&image, &dirty] {
        let full = whole.len;
        for len in (0..full).step_by(37 << 10).chain([full - 1, full - 4096]) {
            let mut cut = whole.clone();
            cut.set_len(len);
            match try_all(cut, &NoParents) {
                Ok(found) => assert!(found == expected, "cut at {len}"),
                Err(error) => assert!(error.to_string().contains("disk.vhdx"), "{error}"),
            }
        }
        let mut cut = dirty.clone();
        cut.set_len(full - 1);
        assert!(matches!(error_of(&cut), DiskError::Vhdx(VhdxError::FileCut { .. })));
    }
}

#[test]
fn sizes_that_no_disk_has_are_refused_with_their_place() {
    let (image, _) = dynamic();
    let with = |first, skip, value: &[u8]| {
        let mut broken = image.clone();
        set_item(&mut broken, first, skip, value);
        error_of(&broken)
    };
    for block in [0u32, 1, 512 << 10, 3 << 20, 512 << 20, u32::MAX] {
        let error = with(PARAMETERS, 0, &block.to_le_bytes());
        assert!(matches!(error, DiskError::Vhdx(VhdxError::BlockSize { found, .. }) if found == block), "{error}");
    }
    for sector in [0u32, 1, 520, 2048, 8192, u32::MAX] {
        let error = with(LOGICAL, 0, &sector.to_le_bytes());
        assert!(matches!(error, DiskError::Vhdx(VhdxError::SectorSize { found, .. }) if found == sector), "{error}");
    }
    assert!(matches!(with(SIZE, 0, &[0; 8]), DiskError::EmptyDisk { .. }));
    for size in [(64u64 << 40) + 512, 1 << 63, u64::MAX] {
        let error = with(SIZE, 0, &size.to_le_bytes());
        assert!(matches!(error, DiskError::Vhdx(VhdxError::SizeTooLarge { .. })), "{error}");
    }
    let error = with(SIZE, 0, &1000u64.to_le_bytes());
    assert!(matches!(error, DiskError::Vhdx(VhdxError::SizeNotSectors { size: 1000, sector: 512, .. })), "{error}");
    // The table has room for 131072 entries.
    let error = with(SIZE, 0, &(1u64 << 40).to_le_bytes());
    assert!(matches!(error, DiskError::Vhdx(VhdxError::TableTooSmall { found: 131_072, .. })), "{error}");
    // A differencing disk without a locator.
    let error = with(PARAMETERS, 4, &[2, 0, 0, 0]);
    assert!(matches!(error, DiskError::Vhdx(VhdxError::ItemMissing { item: "parent locator", .. })), "{error}");
}

#[test]
fn blocks_where_none_can_be_are_errors_only_when_they_are_read() {
    let (image, expected) = dynamic();
    let entry = |block: u64| u64::from_le_bytes(image.get(3 * MIB + block * 8, 8).try_into().unwrap());
    let cases = [
        (6, "headers"),
        (2 * MIB + 6, "headers"),
        (3 * MIB + 6, "headers"),
        ((1 << 50) + 6, "ends at"),
        (u64::MAX - 1, "ends at"),
        (entry(1), "another block"),
        (entry(0) & !7 | 4, "state 4"),
        (entry(0) & !7 | 7, "state 7"),
    ];
    for (value, text) in cases {
        let mut broken = image.clone();
        broken.put(3 * MIB, &u64::to_le_bytes(value));
        let disk = open(file("disk.vhdx", broken), &NoParents).unwrap();
        assert!(disk.layers()[0].remarks.iter().any(|remark| remark.contains(text)), "{:?}", disk.layers()[0].remarks);
        let mut block = vec![0; MIB as usize];
        let error = disk.read_at(0, &mut block).unwrap_err();
        assert!(error.to_string().contains(text) && error.to_string().contains("3145728"), "{error}");
        disk.read_at(2 * MIB, &mut block).unwrap();
        assert!(block == expected[2 * MIB as usize..]);
        assert_eq!(disk.read_at(MIB, &mut block).is_err(), text == "another block");
        assert_eq!(disk.extent(0).unwrap().kind, ExtentKind::Data, "the error comes up when it is read");
    }
}

#[test]
fn a_partial_block_without_a_bitmap_is_not_taken_for_the_parents() {
    let mut child = LayerContent::new(MIB, MIB, 512);
    child.states.insert(0, BlockState::Partial);
    child.sectors.insert(1, vec![5; 512]);
    let base = VhdxSpec::new(Kind::Dynamic, 1);
    let spec = VhdxSpec::new(Kind::Differencing(ParentSpec::new(&base.data_write, "base.vhdx")), 2);
    let mut gate = Gate::default();
    gate.add("base.vhdx", base.image(&LayerContent::new(MIB, MIB, 512)));
    let mut image = spec.image(&child);
    let table = if has_log_first(&image) { 3 * MIB } else { MIB };
    // 4096 blocks of 1 MiB in a chunk, then the entry of its bitmap.
    image.put(table + 4096 * 8, &[0; 8]);
    let error = try_all(image, &gate).err().unwrap();
    assert!(matches!(error, DiskError::Vhdx(VhdxError::BitmapMissing { found: 0, .. })), "{error}");
}

#[test]
fn hostile_logs_are_refused() {
    let (clean, _) = dynamic();
    let mut image = clean.clone();
    leave_dirty(&mut image, Dirt::Plain, &mut Dice::new(4));
    let mut empty = image.clone();
    for page in image.pages().into_iter().filter(|at| (MIB..2 * MIB).contains(at)) {
        empty.put(page, &[0; 4096]);
    }
    assert!(matches!(error_of(&empty), DiskError::Vhdx(VhdxError::LogEmpty { .. })));
    // Each sector claims to be an entry of the whole log with as many descriptors as a number can say.
    let mut forest = empty.clone();
    for sector in 0..256u64 {
        let mut bytes = vec![0xFF; 64];
        bytes[..4].copy_from_slice(b"loge");
        bytes[8..12].copy_from_slice(&(1u32 << 20).to_le_bytes());
        bytes[12..16].fill(0);
        bytes[32..48].fill(0x4C);
        forest.put(MIB + sector * 4096, &bytes);
    }
    let begun = Instant::now();
    assert!(matches!(error_of(&forest), DiskError::Vhdx(VhdxError::LogEmpty { .. })));
    assert!(begun.elapsed().as_secs() < 5);
}

#[test]
fn marks_of_two_formats_are_told_apart_by_the_name_alone() {
    let (mut image, _) = dynamic();
    let footer = disk_support::Vhd::new(2, image.len - 512, 1).footer(512);
    let len = image.len;
    image.put(len - 512, &footer);
    for (name, format) in [("a.vhdx", Format::Vhdx), ("a.avhdx", Format::Vhdx), ("a.vhd", Format::Vhd)] {
        assert_eq!(detect(&*file(name, image.clone())).unwrap(), format);
    }
    for name in ["disk", "disk.img", "disk.qcow2"] {
        let error = detect(&*file(name, image.clone())).unwrap_err();
        assert!(matches!(error, DiskError::Ambiguous { .. }), "{error}");
    }
    open_as(file("disk", image), &NoParents, Format::Vhdx).unwrap();
}

fn new_file(folder: &tempfile::TempDir, name: &str) -> (std::path::PathBuf, std::fs::File) {
    let path = folder.path().join(name);
    let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    (path, file)
}

#[test]
fn the_largest_disks_open_and_answer_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let size = 64u64 << 40;
    let (path, out) = new_file(&folder, "large.vhdx");
    let begun = Instant::now();
    let mut writer = create(out, size, TargetFormat::Vhdx, [1; 16]).unwrap();
    writer.write(size - 65536, &[5; 65536]).unwrap();
    writer.finish().unwrap();
    let disk = open(std::sync::Arc::new(LocalFile::open(&path, "large.vhdx").unwrap()), &NoParents).unwrap();
    assert_eq!((disk.size(), disk.layers()[0].block_size), (size, 32 << 20));
    let empty = disk.extent(0).unwrap();
    // The last block is stored; some file systems know which part of it was never written.
    assert!(empty.kind == ExtentKind::Zero && (size - (32 << 20)..=size - 65536).contains(&empty.len), "{empty:?}");
    let mut end = [0; 512];
    disk.read_at(size - 512, &mut end).unwrap();
    assert_eq!(end, [5; 512]);
    println!("64 TiB written, opened and walked in {:?}", begun.elapsed());
    assert!(begun.elapsed().as_secs() < 20);

    // The worst that the format allows: 64 TiB in blocks of 1 MiB have a table of 513 MiB.
    let image = LayerContent::new(size, MIB, 512);
    let image = VhdxSpec::new(Kind::Dynamic, 1).image(&image);
    let (path, _) = new_file(&folder, "blocks-of-1-MiB.vhdx");
    image.write_to(&path).unwrap();
    let begun = Instant::now();
    let disk = open(std::sync::Arc::new(LocalFile::open(&path, "large.vhdx").unwrap()), &NoParents).unwrap();
    assert_eq!(disk.extent(0).unwrap().len, size);
    println!("64 TiB in blocks of 1 MiB opened and walked in {:?}", begun.elapsed());
    assert!(begun.elapsed().as_secs() < 5);
}

#[test]
fn sector_sizes_are_kept_and_a_vhd_cannot_have_others_than_512() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = new_file(&folder, "large-sectors.vhdx");
    let sectors = Sectors { logical: 4096, physical: 4096 };
    let disk = NewDisk { sectors, ..NewDisk::new(3 * MIB, TargetFormat::Vhdx, [1; 16]) };
    create_with(out, &disk).unwrap().finish().unwrap();
    let file: SharedFile = std::sync::Arc::new(LocalFile::open(&path, "large-sectors.vhdx").unwrap());
    let found = open(file, &NoParents).unwrap();
    assert_eq!((found.sector_size(), found.layers()[0].physical_sector_size), (4096, 4096));
    for (format, name) in [(TargetFormat::VhdDynamic, "a.vhd"), (TargetFormat::VhdFixed, "b.vhd")] {
        let error = create_with(new_file(&folder, name).1, &NewDisk { format, ..disk }).err().unwrap();
        assert!(matches!(error, DiskWriteError::SectorSize { format: "VHD", sector: 4096 }), "{error}");
    }
    for (size, format) in [((64u64 << 40) + 4096, "a"), (4096 * 3 + 512, "b")] {
        let disk = NewDisk { size, ..disk };
        let error = create_with(new_file(&folder, format).1, &disk).err().unwrap();
        let named = matches!(error, DiskWriteError::SizeTooLarge { .. } | DiskWriteError::SizeNotSectors { .. });
        assert!(named, "{error}");
    }
}
