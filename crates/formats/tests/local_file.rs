//! Files of this computer as the readers see them: holes, and what becomes of a file that changes while it is read.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs::File;
use std::io::ErrorKind;

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
