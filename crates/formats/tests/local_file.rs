//! Files of this computer as the readers see them: holes, and what becomes of a file that changes while it is read.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use hvm_formats::disk::write::{NewDisk, TargetFormat, create_with};
use hvm_formats::disk::{ExtentKind, NoParents, open};
use hvm_formats::io::{LocalFile, ReadAt as _};

const LEN: u64 = 1 << 20;

#[test]
fn a_hole_is_known_without_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    File::create(&path).unwrap().set_len(LEN).unwrap();
    let file = LocalFile::open(&path, "sparse").unwrap();
    let (data, end) = file.run(0);
    // Not every file system tells of its holes.
    assert!(data || end == LEN);
    file.read_exact_at(&mut [0; 512], LEN - 512).unwrap();
}

#[test]
fn a_file_that_was_cut_is_no_hole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    std::fs::write(&path, vec![7; LEN as usize]).unwrap();
    let file = LocalFile::open(&path, "cut").unwrap();
    File::options().write(true).open(&path).unwrap().set_len(LEN / 2).unwrap();
    assert_eq!(file.len(), LEN);
    let (mut data, mut at) = (true, 0);
    while data && at < LEN {
        (data, at) = file.run(at);
    }
    assert!(data, "what was cut off counts as data, so that it is read");
    let error = file.read_exact_at(&mut [0; 512], LEN / 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn holes_and_data_are_told_in_any_order() {
    const PIECE: u64 = 64 << 10;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("comb");
    let file = File::create(&path).unwrap();
    file.set_len(100 * PIECE).unwrap();
    for piece in (0..100).step_by(2) {
        file.write_all_at(&[1; PIECE as usize], piece * PIECE).unwrap();
    }
    let file = LocalFile::open(&path, "comb").unwrap();
    let tells_holes = !file.run(PIECE).0;
    // More runs than are remembered, backwards and again.
    for piece in (0..100).rev().chain(0..100) {
        let at = piece * PIECE + 4096;
        let (data, end) = file.run(at);
        assert!(data || piece % 2 == 1, "piece {piece} is no hole");
        assert!(!tells_holes || (data, end) == (piece % 2 == 0, (piece + 1) * PIECE), "piece {piece}: {data}, {end}");
    }
}

#[test]
fn a_hole_in_a_block_of_a_dynamic_vhd_is_known_without_reading() {
    const MIB: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let (full, sparse) = (folder.path().join("full.vhd"), folder.path().join("sparse.vhd"));
    let content: Vec<u8> = [3, 0, 5, 7].iter().flat_map(|byte| vec![*byte; MIB]).collect();
    let disk = NewDisk::new(content.len() as u64, TargetFormat::VhdDynamic, [9; 16]);
    let file = File::options().read(true).write(true).create_new(true).open(&full).unwrap();
    let mut writer = create_with(file, &disk).unwrap();
    // The zeros are stored as well.
    writer.write(0, &content).unwrap();
    writer.finish().unwrap();

    let bytes = std::fs::read(&full).unwrap();
    let copy = File::create(&sparse).unwrap();
    copy.set_len(bytes.len() as u64).unwrap();
    for (number, page) in (0..).zip(bytes.chunks(4096)).filter(|(_, page)| page.iter().any(|byte| *byte != 0)) {
        copy.write_all_at(page, number * 4096).unwrap();
    }
    let tells_holes = !LocalFile::open(&sparse, "sparse").unwrap().run(3 * MIB as u64 / 2).0;
    for (path, holes) in [(&full, false), (&sparse, tells_holes)] {
        let disk = open(Arc::new(LocalFile::open(path, "disk").unwrap()), &NoParents).unwrap();
        let mut read = vec![1; content.len()];
        disk.read_at(0, &mut read).unwrap();
        assert!(read == content, "{path:?}");
        let extent = disk.extent(3 * MIB as u64 / 2).unwrap();
        assert_eq!(extent.kind, if holes { ExtentKind::Zero } else { ExtentKind::Data }, "{path:?}");
        assert!(!holes || extent.start + extent.len == 2 * MIB as u64, "{extent:?}");
    }
}
