//! Big disk files hold what the sparse file beside them holds, for the reference readers and for qemu-img.
#![allow(clippy::unwrap_used, clippy::single_range_in_vec_init, missing_docs)]

use std::fs::File;
use std::path::Path;
use std::process::Command;

use hvm_testkit::bulk::{self, Files, RawDisk, Room};
use hvm_testkit::guid::plain_bytes;
use hvm_testkit::vhd::{BlockOrder, Blocks, Locator, Parent, Stride, VhdKind, VhdSpec, reference};
use hvm_testkit::vhdx::{Dice, Kind, SparseImage, VhdxSpec};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 40 * MIB;
const IDS: [&str; 2] = ["11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-666666666666"];

/// The bytes of a partition: files at some places, zeros between them.
fn partition(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(SIZE - MIB).unwrap()];
    for (file, at) in Files::new(1).zip([0, 5_000_000, 5_600_000, 20 * 1024 * 1024, 33_333_248]) {
        bytes[at..at + file.len].copy_from_slice(&file.content());
    }
    let mut dice = Dice::new(seed);
    for _ in 0..seed {
        let at = usize::try_from(dice.below(38 * MIB)).unwrap();
        bytes[at..at + 700].copy_from_slice(&dice.bytes(700));
    }
    bytes
}

fn disk(folder: &Path, seed: u64) -> (RawDisk, Vec<u8>) {
    let path = folder.join(format!("{seed}.part"));
    std::fs::write(&path, partition(seed)).unwrap();
    let disk = RawDisk::with_partition(SIZE, MIB, File::open(&path).unwrap(), &[0..SIZE - MIB]);
    let mut bytes = vec![0; usize::try_from(SIZE).unwrap()];
    disk.read(0, &mut bytes).unwrap();
    assert!(bytes[510..512] == [0x55, 0xAA] && bytes[usize::try_from(MIB).unwrap()..] == partition(seed));
    (disk, bytes)
}

fn blocks(stride: Stride) -> Blocks {
    Blocks { order: BlockOrder::Shuffled(3), stride, ..Blocks::default() }
}

#[test]
fn vhd_files_hold_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, bytes) = disk(folder.path(), 9);
    let path = folder.path().join("disk.vhd");
    let spec = |kind| VhdSpec::new(kind, plain_bytes(IDS[0]));
    for (stride, room) in [(Stride::Packed, Room::Dense), (Stride::Aligned, Room::Sparse)] {
        let count = bulk::write_vhd(&spec(VhdKind::Dynamic(blocks(stride))), &disk, &path, room).unwrap();
        assert_eq!(count, disk.blocks(2 * MIB).unwrap().len() as u64);
        assert!(count < SIZE / MIB / 2 && reference::read_chain(&[&path]).unwrap() == bytes);
    }
    bulk::write_vhd_fixed(&spec(VhdKind::Fixed), &disk, &path).unwrap();
    assert!(reference::read_chain(&[&path]).unwrap() == bytes);
}

#[test]
fn children_hold_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let ((old, _), (new, bytes)) = (disk(folder.path(), 9), disk(folder.path(), 30));
    let paths = [folder.path().join("child.avhd"), folder.path().join("base.vhd")];
    let base = VhdSpec::new(VhdKind::Dynamic(blocks(Stride::Packed)), plain_bytes(IDS[0]));
    bulk::write_vhd(&base, &old, &paths[1], Room::Dense).unwrap();
    let parent = Parent {
        unique_id: base.unique_id,
        timestamp: base.timestamp,
        name: "base.vhd".to_owned(),
        locators: vec![Locator::new(b"W2ru", ".\\base.vhd")],
        stale: None,
    };
    let child = VhdSpec::new(VhdKind::Differencing(blocks(Stride::Packed), parent), plain_bytes(IDS[1]));
    let (blocks, sectors) = bulk::write_vhd_child(&child, &old, &new, &paths[0]).unwrap();
    assert!((1..=20).contains(&blocks) && (30..200).contains(&sectors), "{blocks} blocks, {sectors} sectors");
    assert!(reference::read_chain(&paths).unwrap() == bytes);
}

#[test]
fn vhdx_files_hold_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, bytes) = disk(folder.path(), 9);
    let path = folder.path().join("disk.vhdx");
    for id in [1, 2] {
        let spec = VhdxSpec::new(Kind::Dynamic, id);
        assert_eq!(bulk::write_vhdx(&spec, &disk, 8 * MIB, (&path, Room::Sparse)).unwrap(), 5);
        let file = std::fs::read(&path).unwrap();
        let read = hvm_testkit::vhdx::reference::read_chain(&[&SparseImage::from(file.as_slice())]).unwrap();
        assert!(read == bytes, "id {id}");
    }
    let raw = folder.path().join("disk.raw");
    std::fs::write(&raw, &bytes).unwrap();
    match Command::new("qemu-img").args(["compare", "-f", "vhdx", "-F", "raw"]).arg(&path).arg(&raw).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => eprintln!("SKIPPED: qemu-img cannot be run here: {error}"),
    }
}

#[test]
fn runs_are_shuffled_and_complete() {
    let blocks: Vec<u64> = (0..1000).map(|number| number * 3).collect();
    let mut shuffled = bulk::shuffled_runs(&blocks, 7);
    let breaks = shuffled.windows(2).filter(|pair| pair[1] != pair[0] + 3).count();
    assert!((15..100).contains(&breaks), "{breaks}");
    shuffled.sort_unstable();
    assert_eq!(shuffled, blocks);
}
