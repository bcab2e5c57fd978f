//! The check of whole files: clean ones of many makers, each kind of damage, and qemu-img's check of qcow2 beside ours.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use disk_support::{Random, Vhd, memory, qemu_img, seal};
use hvm_formats::check::{Findings, Report, Weight, check};
use hvm_formats::disk::DiskError;
use hvm_formats::disk::write::{TargetFormat, create};
use hvm_formats::io::{ReadAt, SharedFile};
use hvm_testkit::vhd::{BitmapFill, BlockOrder, Blocks, ContentModel, FooterLength, Stride, VhdKind, VhdSpec};

fn checked(name: &str, bytes: Vec<u8>) -> Report {
    check(&memory(name, bytes), None).unwrap()
}

fn faults(findings: &Findings) -> Vec<(u64, String)> {
    let faults = findings.list.iter().filter(|finding| finding.weight == Weight::Fault);
    faults.map(|finding| (finding.offset, finding.text.clone())).collect()
}

fn is_clean(name: &str, bytes: Vec<u8>) {
    let report = checked(name, bytes);
    assert!(report.findings.is_clean() && report.unreadable.is_none(), "{name}: {report:?}");
}

fn dynamic() -> Vhd {
    let mut disk = Vhd::new(3, 1 << 20, 1);
    disk.scatter(&mut Random::new(3), 30);
    disk
}

#[test]
fn good_disks_of_every_shape_are_clean() {
    let mut child = dynamic().child(2, "base.vhd");
    child.scatter(&mut Random::new(4), 9);
    is_clean("child.avhd", child.bytes());
    is_clean("fixed.vhd", Vhd::new(2, 1 << 20, 1).bytes());
    is_clean("dynamic.vhd", dynamic().bytes());
    let mut content = ContentModel::new(9 << 20);
    content.fill(100, 9000, 1);
    // The disk ends in the middle of its last block, which is stored whole.
    content.fill(18000, 400, 2);
    for stride in [Stride::Packed, Stride::Aligned] {
        for size in [4096, 512 << 10, 2 << 20] {
            for footer in [FooterLength::Full, FooterLength::Short] {
                for order in [BlockOrder::Ascending, BlockOrder::Shuffled(5)] {
                    let blocks = Blocks { size, stride, order, bitmap: BitmapFill::WrittenSectors };
                    let mut spec = VhdSpec::new(VhdKind::Dynamic(blocks), [3; 16]);
                    spec.footer = footer;
                    is_clean("testkit.vhd", spec.image(&content).to_vec());
                }
            }
        }
    }
}

/// A disk with one thing changed, the offset at which it must be found, and a part of what is said.
type Damage = (&'static str, fn(&mut Vec<u8>), u64, &'static str);

const END: u64 = u64::MAX;
/// The table lies at 1536, its first entries are used.
const DAMAGES: [Damage; 15] = [
    (
        "footer checksum",
        |b| {
            let n = b.len() - 512 + 64;
            b[n] ^= 1
        },
        END,
        "footer has the checksum",
    ),
    ("copy checksum", |b| b[65] ^= 1, 64, "copy of the footer has the checksum"),
    ("copy missing", |b| b[..512].fill(0), 0, "no copy of the footer"),
    (
        "footer missing",
        |b| {
            let n = b.len() - 512;
            b.truncate(n)
        },
        END,
        "no footer",
    ),
    (
        "copy of another time",
        |b| {
            b[27] ^= 1;
            seal(&mut b[..512], 64)
        },
        27,
        "differs from the footer from byte 27",
    ),
    ("header checksum", |b| b[512 + 37] ^= 1, 512, "dynamic header at offset 512 has the checksum"),
    ("header cookie", |b| b[512] = b'x', 512, "no dynamic header"),
    ("entry outside", |b| b[1536] = 0x7F, 1536, "block 0"),
    ("entry in headers", |b| b[1536..1540].copy_from_slice(&[0, 0, 0, 1]), 1536, "there are headers"),
    ("two entries at one place", |b| b.copy_within(1540..1544, 1536), END, "lies over the block"),
    ("entry lost", |b| b[1536..1540].fill(0xFF), END, "room for 1 orphaned blocks"),
    (
        "bytes before the footer",
        |b| {
            let n = b.len() - 512;
            b.splice(n..n, vec![7; 70_000]);
        },
        END,
        "from here on",
    ),
    (
        "table in no sector",
        |b| {
            b[512 + 23] = 4;
            seal(&mut b[512..1536], 36)
        },
        512 + 16,
        "begins in no sector",
    ),
    (
        "a locator without parent",
        |b| {
            b[512 + 576] = b'W';
            seal(&mut b[512..1536], 36)
        },
        512 + 576,
        "has no parent",
    ),
    (
        "version",
        |b| {
            b[512 + 25] = 9;
            seal(&mut b[512..1536], 36)
        },
        512,
        "version",
    ),
];

#[test]
fn each_damage_is_found_at_its_place() {
    let whole = dynamic().bytes();
    assert!(whole[1536..1544].chunks(4).all(|entry| entry != [0xFF; 4]), "the first blocks are used");
    for (name, damage, offset, text) in DAMAGES {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        let report = checked("damaged.vhd", bytes);
        let found = faults(&report.findings);
        let fits = |(at, said): &(u64, String)| said.contains(text) && (offset == END || *at == offset);
        assert!(found.iter().any(fits), "{name}: {found:#?}");
    }
    let mut fixed = Vhd::new(2, 1 << 20, 1).bytes();
    let at = fixed.len() - 512;
    fixed.splice(at..at, [1; 512]);
    let report = checked("fixed.vhd", fixed);
    assert_eq!((faults(&report.findings)[0].0, report.findings.unreferenced), (1 << 20, 512));
}

#[test]
fn what_cannot_be_opened_is_said_and_a_missing_parent_is_no_fault_of_the_file() {
    let mut torn = dynamic().bytes();
    torn[512] = 0;
    assert!(checked("torn.vhd", torn).unreadable.is_some());
    assert!(checked("child.avhd", dynamic().child(2, "base.vhd").bytes()).unreadable.is_none());
    let odd = checked("odd.img", vec![0; 1000]);
    assert_eq!(faults(&odd.findings).len(), 1);
    let wrong = check(&memory("wrong.vhd", vec![1; 4096]), None);
    assert!(matches!(wrong, Err(DiskError::NotRecognised { .. })));
}

#[test]
fn any_byte_of_the_structures_may_be_wrong_without_a_panic() {
    let mut child = dynamic().child(2, "base.vhd");
    child.set_sector(3, &[1; 512]);
    for whole in [dynamic().bytes(), child.bytes()] {
        for at in (0..2600).chain(whole.len() - 512..whole.len()) {
            for value in [0, 0xFF, whole[at] ^ 0x10] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                // Only the mark may be lost so that nothing is recognised.
                let _ = check(&memory("any.vhd", bytes), None);
            }
        }
    }
}

#[test]
fn disks_of_qemu_img_are_clean() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, args) in [
        ("a.vhd", ["-f", "vpc", "-o", "subformat=dynamic,force_size=on"]),
        ("b.vhd", ["-f", "vpc", "-o", "subformat=fixed,force_size=on"]),
        ("c.qcow2", ["-f", "qcow2", "-o", "preallocation=metadata"]),
        ("d.qcow2", ["-f", "qcow2", "-o", "cluster_size=512,refcount_bits=1"]),
        ("e.qcow2", ["-f", "qcow2", "-o", "compat=0.10"]),
        ("f.qcow2", ["-f", "qcow2", "-o", "cluster_size=2M,refcount_bits=64"]),
    ] {
        let Some((made, said)) = qemu_img(&[&["create", "-q"], args.as_slice(), &[&path(name), "9M"]].concat()) else {
            return;
        };
        assert!(made, "{said}");
        is_clean(name, std::fs::read(path(name)).unwrap());
    }
}

/// A qcow2 file of qemu-img with data, compressed clusters and a snapshot.
fn qcow2(folder: &Path, bits: &str) -> Option<Vec<u8>> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut content = vec![0; 6 << 20];
    Random::new(1).fill(&mut content[1 << 20..2 << 20]);
    content[4 << 20..5 << 20].fill(7);
    std::fs::write(path("raw"), &content).unwrap();
    let refcount = format!("refcount_bits={bits}");
    let args = ["convert", "-c", "-f", "raw", "-O", "qcow2", "-o", &refcount, &path("raw"), &path("q")];
    assert!(qemu_img(&args)?.0);
    if bits != "1" {
        assert!(qemu_img(&["snapshot", "-c", "one", &path("q")])?.0);
    }
    Some(std::fs::read(path("q")).unwrap())
}

/// Leaks and corruptions by qemu-img's own check.
fn theirs(folder: &Path, bytes: &[u8]) -> (bool, bool) {
    let path = folder.join("checked");
    std::fs::write(&path, bytes).unwrap();
    let (_, said) = qemu_img(&["check", "-f", "qcow2", "--output=json", path.to_str().unwrap()]).unwrap();
    (said.contains("\"leaks\": "), said.contains("\"corruptions\": "))
}

fn ours(bytes: Vec<u8>) -> (bool, bool) {
    let findings = checked("q.qcow2", bytes).findings;
    let is_leak = |text: &str| text.contains("more often than they are");
    let found = faults(&findings);
    (found.iter().any(|(_, text)| is_leak(text)), found.iter().any(|(_, text)| !is_leak(text)))
}

#[test]
fn leaks_and_corruptions_of_qcow2_are_those_that_qemu_img_finds() {
    let folder = tempfile::tempdir().unwrap();
    let (mut leaks, mut corruptions) = (0, 0);
    for bits in ["1", "8", "16", "64"] {
        let Some(whole) = qcow2(folder.path(), bits) else { return };
        assert_eq!((ours(whole.clone()), theirs(folder.path(), &whole)), ((false, false), (false, false)), "{bits}");
        let be64 = |at: usize| u64::from_be_bytes(whole[at..at + 8].try_into().unwrap()) as usize;
        let counts = be64(be64(48));
        let width = bits.parse::<usize>().unwrap().div_ceil(8);
        for cluster in 0..24 {
            for value in [0, 3] {
                let mut bytes = whole.clone();
                let low = counts + cluster * width + width - 1;
                bytes[low] = value;
                let found = ours(bytes.clone());
                assert_eq!(found, theirs(folder.path(), &bytes), "{bits} bits, count {cluster} set to {value}");
                leaks += u32::from(found.0);
                corruptions += u32::from(found.1);
            }
        }
    }
    assert!(leaks > 20 && corruptions > 20, "{leaks} {corruptions}");
}

/// A file that counts the bytes that are read of it.
struct Counted(SharedFile, AtomicU64);

impl ReadAt for Counted {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.1.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.0.read_exact_at(buf, offset)
    }
}

#[test]
fn a_table_that_is_named_a_million_times_is_walked_once() {
    const ENTRIES: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q");
    let out = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let mut writer = create(out, 1 << 20, TargetFormat::Qcow2, [0; 16]).unwrap();
    writer.write(0, &[1; 65536]).unwrap();
    writer.finish().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let be64 = |bytes: &[u8], at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    let second = bytes[be64(&bytes, 40) as usize..][..8].to_vec();
    // Another first-level table behind everything, each entry of which names the one second-level table.
    let first = bytes.len().next_multiple_of(65536);
    bytes.resize(first, 0);
    bytes.extend(second.repeat(ENTRIES));
    bytes[36..40].copy_from_slice(&(ENTRIES as u32).to_be_bytes());
    bytes[40..48].copy_from_slice(&(first as u64).to_be_bytes());
    let file = Arc::new(Counted(memory("million.qcow2", bytes), AtomicU64::new(0)));
    let shared: SharedFile = file.clone();
    let report = check(&shared, None).unwrap();
    let found = faults(&report.findings);
    assert!(found.iter().any(|(_, text)| text.contains("belongs to another entry already")), "{found:?}");
    let read = file.1.load(Ordering::Relaxed);
    assert!(read < 8 * shared.len(), "{read} bytes were read of {}", shared.len());
}

#[test]
fn any_byte_of_the_tables_of_qcow2_may_be_wrong_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let Some(whole) = qcow2(folder.path(), "16") else { return };
    let be64 = |at: usize| u64::from_be_bytes(whole[at..at + 8].try_into().unwrap()) as usize;
    let tables = [be64(40), be64(48), be64(64), be64(be64(40)) & 0xFF_FFFF];
    for at in (0..112).chain(tables.into_iter().flat_map(|table| table..table + 48)) {
        for value in [0, 0xFF, whole[at] ^ 0x21] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let _ = check(&memory("any.qcow2", bytes), None);
        }
    }
}

#[test]
fn the_samples_are_clean_but_for_the_checksums_that_a_program_left_behind() {
    for name in ["dynamic.vhd.gz", "fixed.vhd.gz"] {
        if let Some(bytes) = disk_support::sample(name) {
            is_clean(name.trim_end_matches(".gz"), bytes);
        }
    }
    if let Some(bytes) = disk_support::sample("image.vhd.xz") {
        let found = faults(&checked("image.vhd", bytes).findings);
        assert!(found.iter().any(|(at, text)| *at == 64 && text.contains("has the checksum 0xfffff683")), "{found:?}");
    }
}
