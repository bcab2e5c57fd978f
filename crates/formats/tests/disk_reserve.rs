//! Room that a writer reserves for others to fill: the file is byte for byte that of one who writes, whatever the mixture, and
//! also when it was cut off and taken up again.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use disk_support::Random;
use hvm_formats::disk::write::{DiskWriteError, DiskWriter, TargetFormat, create, resume};

const PIECE: u64 = 65536;
const SIZE: u64 = (11 << 20) + 512 * 5;
const FORMATS: [TargetFormat; 6] = [
    TargetFormat::Raw,
    TargetFormat::VhdFixed,
    TargetFormat::VhdDynamic,
    TargetFormat::VhdxFixed,
    TargetFormat::Vhdx,
    TargetFormat::Qcow2,
];

fn file(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

/// Ranges in ascending order, the last one cut by the end of the disk.
fn ranges(seed: u64) -> Vec<(u64, Vec<u8>)> {
    let (mut random, mut ranges, mut at) = (Random::new(seed), Vec::new(), 0);
    while at < SIZE {
        let len = ((1 + random.below(40)) * PIECE).min(SIZE - at);
        if random.below(3) > 0 || at + len == SIZE {
            let mut bytes = vec![0; len as usize];
            random.fill(&mut bytes);
            ranges.push((at, bytes));
        }
        at += len;
    }
    ranges
}

fn fill(writer: &mut dyn DiskWriter, target: &File, offset: u64, bytes: &[u8], alignment: u64) {
    let mut rest = bytes;
    for room in writer.reserve(offset, bytes.len() as u64).unwrap() {
        assert!(room.offset.is_multiple_of(alignment) && room.len > 0, "{room:?}");
        let (part, after) = rest.split_at(room.len as usize);
        target.write_all_at(part, room.offset).unwrap();
        rest = after;
    }
    assert!(rest.is_empty());
}

#[test]
fn filled_rooms_give_the_same_file_as_writing() {
    let folder = tempfile::tempdir().unwrap();
    for (seed, format) in (0..36).zip(FORMATS.into_iter().cycle()) {
        let (written, filled) = (folder.path().join("written"), folder.path().join("filled"));
        let ranges = ranges(seed);
        let mut writer = create(file(&written), SIZE, format, [7; 16]).unwrap();
        for (offset, bytes) in &ranges {
            writer.write(*offset, bytes).unwrap();
        }
        writer.finish().unwrap();

        let target = file(&filled);
        let (mut random, alignment) = (Random::new(seed + 1000), format.alignment().unwrap());
        let mut writer = create(file(&filled), SIZE, format, [7; 16]).unwrap();
        let mut done = Vec::new();
        for (offset, bytes) in &ranges {
            if random.below(4) == 0 {
                drop(writer);
                writer = resume(file(&filled), SIZE, format, [7; 16], &mut done.iter().copied()).unwrap();
            }
            match random.below(3) {
                0 => writer.write(*offset, bytes).unwrap(),
                _ => fill(&mut *writer, &target, *offset, bytes, alignment),
            }
            done.extend((*offset..offset + bytes.len() as u64).step_by(PIECE as usize));
        }
        writer.finish().unwrap();
        assert!(std::fs::read(&written).unwrap() == std::fs::read(&filled).unwrap(), "{format:?}, seed {seed}");
        for path in [written, filled] {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn rooms_follow_the_rules_of_writing_and_packing_has_none() {
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let mut writer = create(file(&folder.path().join("disk")), SIZE, format, [7; 16]).unwrap();
        assert!(matches!(writer.reserve(512, PIECE), Err(DiskWriteError::NotAligned { .. })));
        assert!(matches!(writer.reserve(11 << 20, PIECE), Err(DiskWriteError::PastEnd { .. })));
        assert!(writer.reserve(0, 0).unwrap().is_empty());
        writer.reserve(PIECE, PIECE).unwrap();
        assert!(matches!(writer.reserve(PIECE, PIECE), Err(DiskWriteError::OutOfOrder { .. })));
    }
    let mut packed = create(file(&folder.path().join("packed")), SIZE, TargetFormat::Qcow2Zstd, [7; 16]).unwrap();
    assert!(matches!(packed.reserve(0, PIECE), Err(DiskWriteError::Packs { .. })));
    assert_eq!(TargetFormat::Qcow2Zstd.alignment(), None);
}
