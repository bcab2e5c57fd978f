//! Where other people's programs are wrong: each test shows their answer beside the right one, and that this crate gives the
//! right one. What is right comes from the testkit's models. The answers of peers are only asserted for the versions in
//! which they were seen.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;
mod peers_support;

use std::path::Path;
use std::sync::Arc;

use disk_support::content;
use hvm_formats::disk::{GateError, ParentGate, ParentRequest, open};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_testkit::vhd::{
    BitmapFill, BlockOrder, Blocks, ContentModel, Creator, Geometry, Locator, Parent, Stride, VhdKind, VhdSpec,
};
use hvm_testkit::vhdx::{BlockState, Dice, Dirt, Kind, LayerContent, VhdxSpec, leave_dirty};
use peers_support::{Answer, dissect, libvhdi, qemu, qemu_version};

struct Beside<'a>(&'a Path);

impl ParentGate for Beside<'_> {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        Ok(vec![file(&self.0.join(&request.name))])
    }
}

fn file(path: &Path) -> SharedFile {
    Arc::new(LocalFile::open(path, path.display().to_string()).unwrap())
}

/// What this crate reads, through the parents beside the file.
fn ours(path: &Path) -> Vec<u8> {
    content(&*open(file(path), &Beside(path.parent().unwrap())).unwrap())
}

/// Prints the answers of all; they are compared by the caller.
fn show(what: &str, right: &[u8], answers: &[(&str, &Answer)]) {
    println!("{what}: hvmigrate right");
    for (who, answer) in answers {
        println!("{what}: {who} {}", answer.against(right));
    }
}

/// Fails when a program that is known to be wrong in this is right, or silent about it.
fn is_wrong(answer: &Answer, right: &[u8]) -> bool {
    matches!(answer, Answer::Content(found) if found != right)
}

fn is_qemu_7_2() -> bool {
    qemu_version().is_some_and(|version| version.starts_with("7.2"))
}

fn blocks() -> Blocks {
    Blocks { size: 65536, order: BlockOrder::Ascending, stride: Stride::Packed, bitmap: BitmapFill::WrittenSectors }
}

#[test]
fn a_differencing_vhd_and_mixed_bytes_of_its_bitmap() {
    let folder = tempfile::tempdir().unwrap();
    let size = 4 << 20;
    let mut below = ContentModel::new(size);
    below.fill(0, 2000, 1);
    let base = VhdSpec::new(VhdKind::Dynamic(blocks()), [1; 16]);
    base.image(&below).write_to(&folder.path().join("base.vhd")).unwrap();
    // Runs that begin and end inside a byte of the bitmap, as every real checkpoint has them.
    let mut own = ContentModel::new(size);
    for first in [3, 100, 777, 1500] {
        own.fill(first, 5, 2);
    }
    let (unique_id, timestamp) = (base.unique_id, base.timestamp);
    let locators = vec![Locator::new(b"W2ru", ".\\base.vhd")];
    let parent = Parent { unique_id, timestamp, name: "base.vhd".to_owned(), locators, stale: None };
    let child = VhdSpec::new(VhdKind::Differencing(blocks(), parent), [2; 16]);
    let path = folder.path().join("child.vhd");
    child.image(&own).write_to(&path).unwrap();
    let right = own.over(&below).to_vec();
    assert!(ours(&path) == right);
    let (qemu, libvhdi, dissect) = (qemu("vpc", &path, None), libvhdi(&path), dissect("vhd", &path, None));
    show("differencing VHD", &right, &[("qemu-img", &qemu), ("libvhdi", &libvhdi), ("dissect", &dissect)]);
    // qemu-img and dissect take it for a dynamic disk; libvhdi takes whole bytes of the bitmap for stored.
    assert!(qemu == Answer::Missing || !is_qemu_7_2() || is_wrong(&qemu, &right));
    assert!(libvhdi == Answer::Missing || is_wrong(&libvhdi, &right), "libvhdi 20210425 is wrong here");
}

#[test]
fn a_vhdx_whose_log_was_not_applied() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(12);
    let mut layer = LayerContent::new(6 << 20, 1 << 20, 512);
    layer.scatter(&mut dice, &[BlockState::Full]);
    let right = layer.over(Vec::new());
    let spec = VhdxSpec::new(Kind::Dynamic, 3);
    let mut image = spec.image(&layer);
    let clean = folder.path().join("clean.vhdx");
    image.write_to(&clean).unwrap();
    leave_dirty(&mut image, Dirt::Plain, &mut dice);
    let path = folder.path().join("dirty.vhdx");
    image.write_to(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(ours(&path) == right && ours(&clean) == right);
    let (qemu, libvhdi, dissect) = (qemu("vhdx", &path, None), libvhdi(&path), dissect("vhdx", &path, None));
    show("dirty VHDX", &right, &[("qemu-img", &qemu), ("libvhdi", &libvhdi), ("dissect", &dissect)]);
    // Nobody replays the log of a file that it may not write to: qemu-img refuses, the others do not look at it.
    for (who, answer) in [("qemu-img", &qemu), ("libvhdi", &libvhdi), ("dissect", &dissect)] {
        assert!(!matches!(answer, Answer::Content(found) if *found == right), "{who} was right for once");
    }
    assert!(std::fs::read(&path).unwrap() == before, "no reader may change the file");
}

#[test]
fn a_vhd_whose_geometry_is_not_its_size() {
    let folder = tempfile::tempdir().unwrap();
    // Made by a program that qemu-img takes for Virtual PC, and as large as no geometry is.
    let size = (64 << 20) + 512 * 13;
    let mut model = ContentModel::new(size);
    model.fill(0, 10, 4);
    model.fill(size / 512 - 20, 20, 5);
    for kind in [VhdKind::Fixed, VhdKind::Dynamic(blocks())] {
        let mut spec = VhdSpec::new(kind, [7; 16]);
        spec.creator = Creator::VIRTUAL_PC;
        spec.geometry = Some(Geometry::of(size));
        let path = folder.path().join("vpc.vhd");
        spec.image(&model).write_to(&path).unwrap();
        let right = model.to_vec();
        let layer = hvm_formats::disk::headers(&file(&path)).unwrap();
        assert!(layer.geometry_size.is_some_and(|found| found < size), "the geometry is said to differ");
        assert!(ours(&path) == right);
        let (qemu, libvhdi, dissect) = (qemu("vpc", &path, None), libvhdi(&path), dissect("vhd", &path, None));
        show("CHS", &right, &[("qemu-img", &qemu), ("libvhdi", &libvhdi), ("dissect", &dissect)]);
        // qemu-img cuts the disk where its cylinders end.
        assert!(qemu == Answer::Missing || !is_qemu_7_2() || is_wrong(&qemu, &right));
    }
}
