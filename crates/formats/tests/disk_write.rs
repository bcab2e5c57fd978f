//! What is written: read back by this crate and by QEMU, the same for every way of cutting the ranges, complete after
//! every interruption, and no image before `finish`.
#![allow(clippy::unwrap_used, missing_docs)]

mod disk_support;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use disk_support::{Random, content, extents, qemu_compare, qemu_img};
use hvm_formats::disk::write::{
    DiskWriteError, Filling, NewDisk, TargetFormat, create, create_with, resume, resume_with,
};
use hvm_formats::disk::{DiskError, Format, LayerFormat, NoParents, SharedDisk, VirtualDisk, open, open_as};
use hvm_formats::io::LocalFile;

const PIECE: u64 = 65536;
const FORMATS: [TargetFormat; 7] = [
    TargetFormat::Raw,
    TargetFormat::VhdFixed,
    TargetFormat::VhdDynamic,
    TargetFormat::VhdxFixed,
    TargetFormat::Vhdx,
    TargetFormat::Qcow2,
    TargetFormat::Qcow2Zstd,
];
const ID: [u8; 16] = *b"0123456789abcdef";

/// A disk of `size` bytes of which a part of the 64 KiB pieces was written.
struct Sample {
    bytes: Vec<u8>,
    /// Virtual offsets of the written pieces.
    pieces: Vec<u64>,
}

impl Sample {
    fn new(seed: u64, size: u64) -> Self {
        let mut random = Random::new(seed);
        let mut sample = Sample { bytes: vec![0; size as usize], pieces: Vec::new() };
        let mut at = random.below(4) * PIECE;
        while at < size {
            for _ in 0..1 + random.below(24) {
                if at < size {
                    let end = (at + PIECE).min(size);
                    random.fill(&mut sample.bytes[at as usize..end as usize]);
                    sample.pieces.push(at);
                    at = end.next_multiple_of(PIECE);
                }
            }
            at += (1 + random.below(60)) * PIECE;
        }
        sample
    }

    fn piece(&self, offset: u64) -> &[u8] {
        &self.bytes[offset as usize..((offset + PIECE) as usize).min(self.bytes.len())]
    }

    /// The written ranges, neighbours joined up to a random length.
    fn ranges(&self, seed: u64) -> Vec<(u64, &[u8])> {
        let mut random = Random::new(seed);
        let mut ranges: Vec<(u64, usize)> = Vec::new();
        for &piece in &self.pieces {
            let len = self.piece(piece).len();
            match ranges.last_mut() {
                Some((start, have)) if *start + *have as u64 == piece && random.below(8) > 0 => *have += len,
                _ => ranges.push((piece, len)),
            }
        }
        ranges.into_iter().map(|(start, len)| (start, &self.bytes[start as usize..][..len])).collect()
    }
}

fn file(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

fn write(path: &Path, sample: &Sample, format: TargetFormat, seed: u64) -> Vec<u8> {
    let mut writer = create(file(path), sample.bytes.len() as u64, format, ID).unwrap();
    for (offset, data) in sample.ranges(seed) {
        writer.write(offset, data).unwrap();
    }
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

fn read(path: &Path) -> SharedDisk {
    let name = path.file_name().unwrap().to_str().unwrap();
    open(Arc::new(LocalFile::open(path, name).unwrap()), &NoParents).unwrap()
}

fn extension(format: TargetFormat) -> &'static str {
    match format {
        TargetFormat::Raw => "raw",
        TargetFormat::Qcow2 | TargetFormat::Qcow2Zstd => "qcow2",
        TargetFormat::Vhdx | TargetFormat::VhdxFixed => "vhdx",
        TargetFormat::VhdFixed | TargetFormat::VhdDynamic => "vhd",
    }
}

#[test]
fn every_format_reads_back_here_and_in_qemu_and_depends_only_on_the_content() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [512, PIECE, 2 << 20, (9 << 20) + 512 * 77, 20 << 20];
    for (seed, size) in (0..).zip(sizes) {
        let sample = Sample::new(seed, size);
        let raw = folder.path().join("model");
        std::fs::write(&raw, &sample.bytes).unwrap();
        for format in FORMATS {
            let path = folder.path().join(format!("disk-{format:?}-{seed}.{}", extension(format)));
            let bytes = write(&path, &sample, format, seed);
            let again = folder.path().join("again");
            assert!(write(&again, &sample, format, seed + 100) == bytes, "{format:?} {size}: not deterministic");
            std::fs::remove_file(again).unwrap();

            let disk = read(&path);
            assert_eq!(disk.size(), size);
            assert!(content(&*disk) == sample.bytes, "{format:?} {size}");
            check_layout(&*disk, &bytes, &sample, format);
            match format {
                TargetFormat::Raw => qemu_compare("raw", &path, &raw),
                TargetFormat::VhdFixed | TargetFormat::VhdDynamic => qemu_compare("vpc", &path, &raw),
                TargetFormat::VhdxFixed | TargetFormat::Vhdx => {
                    qemu_compare("vhdx", &path, &raw);
                    if let Some((fine, text)) = qemu_img(&["check", "-f", "vhdx", path.to_str().unwrap()]) {
                        assert!(fine && text.contains("No errors"), "{text}");
                    }
                }
                TargetFormat::Qcow2 | TargetFormat::Qcow2Zstd => {
                    qemu_compare("qcow2", &path, &raw);
                    if let Some((fine, text)) = qemu_img(&["check", "-f", "qcow2", path.to_str().unwrap()]) {
                        assert!(fine && text.contains("No errors"), "{text}");
                    }
                }
            }
        }
    }
}

fn check_layout(disk: &dyn VirtualDisk, bytes: &[u8], sample: &Sample, format: TargetFormat) {
    let layer = &disk.layers()[0];
    assert_eq!(layer.remarks, Vec::<String>::new());
    let found = extents(disk, &sample.bytes);
    match format {
        TargetFormat::Raw => assert_eq!(layer.format, LayerFormat::Raw),
        TargetFormat::VhdFixed => assert_eq!(layer.format, LayerFormat::VhdFixed),
        TargetFormat::Qcow2 | TargetFormat::Qcow2Zstd => {
            let data: u64 = found
                .iter()
                .filter(|extent| extent.kind == hvm_formats::disk::ExtentKind::Data)
                .map(|extent| extent.len.next_multiple_of(PIECE))
                .sum();
            assert_eq!(data, sample.pieces.len() as u64 * PIECE);
        }
        TargetFormat::VhdxFixed => {
            assert_eq!((layer.format, layer.allocated), (LayerFormat::VhdxFixed, bytes.len() as u64 - (4 << 20)));
        }
        TargetFormat::Vhdx => {
            assert_eq!((layer.format, layer.block_size), (LayerFormat::VhdxDynamic, 1 << 20));
            assert_eq!(layer.disk_id, "30313233-3435-3637-3839-616263646566");
            let mut blocks: Vec<u64> = sample.pieces.iter().map(|piece| piece / (1 << 20)).collect();
            blocks.dedup();
            assert_eq!(
                bytes.len() as u64,
                (4 << 20) + blocks.len() as u64 * (1 << 20),
                "no byte more than blocks and 4 MiB"
            );
            assert_eq!(layer.allocated, blocks.len() as u64 * (1 << 20));
        }
        TargetFormat::VhdDynamic => {
            assert_eq!(layer.unique_id, "30313233-3435-3637-3839-616263646566");
            let table = bytes[1536..].chunks(4).take(disk.size().div_ceil(2 << 20) as usize);
            let mut sectors: Vec<u64> = table
                .map(|e| u64::from(u32::from_be_bytes(e.try_into().unwrap())))
                .filter(|&s| s != 0xFFFF_FFFF)
                .collect();
            sectors.sort_unstable();
            for (index, sector) in sectors.iter().enumerate() {
                assert_eq!((sector + 1) % 8, 0, "data begins at 4 KiB");
                assert_eq!(*sector, sectors[0] + 4104 * index as u64);
                assert!(bytes[*sector as usize * 512..][..512].iter().all(|&byte| byte == 0xFF));
            }
        }
    }
}

#[test]
fn an_empty_disk_of_each_format_is_complete_and_zero() {
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let path = folder.path().join(format!("empty-{format:?}.{}", extension(format)));
        create(file(&path), 3 << 20, format, ID).unwrap().finish().unwrap();
        let disk = read(&path);
        assert!(content(&*disk).iter().all(|&byte| byte == 0));
        let extent = disk.extent(0).unwrap();
        assert_eq!(extent.len, 3 << 20, "{format:?}");
    }
}

#[test]
fn the_largest_vhd_and_a_large_qcow2_keep_their_size() {
    let folder = tempfile::tempdir().unwrap();
    for (format, size) in [(TargetFormat::VhdDynamic, 2040u64 << 30), (TargetFormat::Qcow2, 64 << 40)] {
        let path = folder.path().join(format!("large.{}", extension(format)));
        let mut writer = create(file(&path), size, format, ID).unwrap();
        writer.write(size - PIECE, &[5; 65536]).unwrap();
        writer.finish().unwrap();
        let disk = read(&path);
        assert_eq!(disk.size(), size);
        let empty = disk.extent(0).unwrap();
        assert!(empty.len >= size - (2 << 20), "{empty:?}");
        let mut end = [0; 512];
        disk.read_at(size - 512, &mut end).unwrap();
        assert_eq!(end, [5; 512]);
        let (kind, path) = (if format == TargetFormat::Qcow2 { "qcow2" } else { "vpc" }, path.to_str().unwrap());
        if let Some((fine, text)) = qemu_img(&["info", "-f", kind, path]) {
            assert!(fine && text.contains(&format!("({size} bytes)")), "{text}");
        }
    }
    for format in [TargetFormat::VhdDynamic, TargetFormat::VhdFixed] {
        let path = folder.path().join("too-large.vhd");
        let error = create(file(&path), (2040 << 30) + 512, format, ID).err().unwrap();
        assert!(matches!(error, DiskWriteError::SizeTooLarge { .. }), "{error}");
    }
    for format in FORMATS.into_iter().filter(|format| *format != TargetFormat::Raw) {
        let error = create(file(&folder.path().join("half-a-sector")), 1000, format, ID).err().unwrap();
        assert!(matches!(error, DiskWriteError::SizeNotSectors { size: 1000, .. }), "{format:?}: {error}");
    }
}

#[test]
fn after_any_cut_the_disk_becomes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::new(11, (7 << 20) + 1024);
    for format in FORMATS {
        let whole = write(&folder.path().join(format!("whole-{format:?}")), &sample, format, 1);
        let path = folder.path().join(format!("cut-{format:?}.vhd"));
        for cut in 0..=sample.pieces.len() {
            let _ = std::fs::remove_file(&path);
            let mut writer = create(file(&path), sample.bytes.len() as u64, format, ID).unwrap();
            for &piece in &sample.pieces[..cut] {
                writer.write(piece, sample.piece(piece)).unwrap();
            }
            writer.sync().unwrap();
            drop(writer);
            assert_is_no_image(&path, format);
            // The journal may be behind the file, and what lies behind the journal may be anything.
            let end = std::fs::metadata(&path).unwrap().len();
            file(&path).write_all_at(&vec![0x5A; cut * 1777 % 70_000], end).unwrap();
            let known = cut - cut.min(cut % 4);
            finish_from(&path, &sample, format, known);
            assert!(std::fs::read(&path).unwrap() == whole, "{format:?}: cut after {cut} pieces, {known} known");
        }
        // Killed in or after `finish`, but before that was noted.
        for known in [0, 3, sample.pieces.len()] {
            finish_from(&path, &sample, format, known);
            assert!(std::fs::read(&path).unwrap() == whole, "{format:?}: finished twice, {known} known");
        }
    }
}

#[test]
fn a_raw_disk_that_is_gone_on_with_keeps_its_holes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.raw");
    let (size, pieces) = (64 << 20, [0, 1 << 20, 40 << 20]);
    let mut writer = create(file(&path), size, TargetFormat::Raw, ID).unwrap();
    for piece in pieces {
        for room in writer.reserve(piece, PIECE).unwrap() {
            file(&path).write_all_at(&[7; PIECE as usize], room.offset).unwrap();
        }
    }
    // Killed: nothing of the room that it was given is given back.
    drop(writer);
    resume(file(&path), size, TargetFormat::Raw, ID, &mut pieces.into_iter()).unwrap().finish().unwrap();
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(metadata.len(), size);
    assert!(metadata.blocks() * 512 < 2 << 20, "{} bytes are taken", metadata.blocks() * 512);
    let bytes = std::fs::read(&path).unwrap();
    for (offset, piece) in (0..).step_by(PIECE as usize).zip(bytes.chunks(PIECE as usize)) {
        let value = if pieces.contains(&offset) { 7 } else { 0 };
        assert!(piece.iter().all(|byte| *byte == value), "{offset}");
    }
}

fn finish_from(path: &Path, sample: &Sample, format: TargetFormat, known: usize) {
    let mut written = sample.pieces[..known].iter().copied();
    let mut writer = resume(file(path), sample.bytes.len() as u64, format, ID, &mut written).unwrap();
    if format != TargetFormat::Raw {
        assert_is_no_image(path, format);
    }
    for &piece in &sample.pieces[known..] {
        writer.write(piece, sample.piece(piece)).unwrap();
    }
    writer.finish().unwrap();
}

fn assert_is_no_image(path: &Path, format: TargetFormat) {
    let file: hvm_formats::io::SharedFile = Arc::new(LocalFile::open(path, "disk.vhd").unwrap());
    let found = open(file, &NoParents);
    assert!(matches!(found, Err(DiskError::NotRecognised { .. })), "{format:?}");
}

#[test]
fn an_unfinished_file_that_lost_data_is_not_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::new(3, 4 << 20);
    for format in FORMATS {
        let path = folder.path().join(format!("{format:?}"));
        let mut writer = create(file(&path), sample.bytes.len() as u64, format, ID).unwrap();
        for &piece in &sample.pieces[..2] {
            writer.write(piece, sample.piece(piece)).unwrap();
        }
        // Where holes are allowed the last piece may be one to its end.
        let lost = if writer.granule() < PIECE { PIECE + 1 } else { 1 };
        drop(writer);
        file(&path).set_len(std::fs::metadata(&path).unwrap().len() - lost).unwrap();
        let mut written = sample.pieces[..2].iter().copied();
        let error = resume(file(&path), sample.bytes.len() as u64, format, ID, &mut written).err().unwrap();
        assert!(matches!(error, DiskWriteError::ResumeTooShort { .. }), "{format:?}: {error}");
    }
}

#[test]
fn ranges_out_of_order_or_place_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        let size = 3 * PIECE + 512;
        let mut writer = create(file(&folder.path().join(format!("{format:?}"))), size, format, ID).unwrap();
        let piece = vec![1; PIECE as usize];
        assert!(matches!(writer.write(512, &piece), Err(DiskWriteError::NotAligned { .. })));
        assert!(matches!(writer.write(0, &piece[..512]), Err(DiskWriteError::NotAligned { .. })));
        assert!(matches!(writer.write(3 * PIECE, &piece), Err(DiskWriteError::PastEnd { .. })));
        assert!(matches!(writer.write(u64::MAX - 65535, &piece), Err(DiskWriteError::PastEnd { .. })));
        writer.write(PIECE, &piece).unwrap();
        for offset in [0, PIECE] {
            assert!(matches!(writer.write(offset, &piece), Err(DiskWriteError::OutOfOrder { .. })));
        }
        writer.write(3 * PIECE, &piece[..512]).unwrap();
        writer.finish().unwrap();
        let path = folder.path().join("resumed");
        let error = resume(file(&path), size, format, ID, &mut [PIECE, 0].into_iter()).err().unwrap();
        assert!(matches!(error, DiskWriteError::OutOfOrder { .. }));
        assert!(matches!(create(file(&path), 0, format, ID), Err(DiskWriteError::Empty)));
    }
}

#[cfg(unix)]
#[test]
fn vhds_are_never_sparse_and_raw_only_when_asked() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let on_disk = |path: &Path| std::fs::metadata(path).unwrap().blocks() * 512;
    let size = 8 << 20;
    let sample = Sample { bytes: vec![0; size as usize], pieces: vec![5 * PIECE, 100 * PIECE] };
    for format in [TargetFormat::VhdFixed, TargetFormat::VhdDynamic, TargetFormat::VhdxFixed, TargetFormat::Vhdx] {
        let path = folder.path().join(format!("{format:?}"));
        let bytes = write(&path, &sample, format, 0);
        assert!(on_disk(&path) >= bytes.len() as u64, "{format:?} has holes");
    }
    for (filling, timestamp) in [(Filling::Full, 0), (Filling::Sparse, 9)] {
        let path = folder.path().join(format!("{filling:?}"));
        let disk = NewDisk { filling, timestamp, ..NewDisk::new(size, TargetFormat::Raw, ID) };
        let mut writer = create_with(file(&path), &disk).unwrap();
        writer.write(5 * PIECE, &[3; 65536]).unwrap();
        drop(writer);
        let mut writer = resume_with(file(&path), &disk, &mut [5 * PIECE].into_iter()).unwrap();
        writer.write(100 * PIECE, &[4; 65536]).unwrap();
        writer.finish().unwrap();
        assert_eq!(on_disk(&path) >= size, filling == Filling::Full);
        let disk = read(&path);
        assert_eq!(disk.extent(100 * PIECE).unwrap().kind, hvm_formats::disk::ExtentKind::Data);
    }
}

#[test]
fn the_time_stamp_is_written_as_given() {
    let folder = tempfile::tempdir().unwrap();
    for format in [TargetFormat::VhdFixed, TargetFormat::VhdDynamic] {
        let path = folder.path().join(format!("{format:?}.vhd"));
        let disk = NewDisk { timestamp: 638_382_933, ..NewDisk::new(1 << 20, format, ID) };
        create_with(file(&path), &disk).unwrap().finish().unwrap();
        assert_eq!(read(&path).layers()[0].timestamp, 638_382_933);
    }
}

#[test]
fn disks_that_qemu_wrote_read_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::new(21, (6 << 20) + 512 * 9);
    let raw = folder.path().join("model");
    std::fs::write(&raw, &sample.bytes).unwrap();
    let cases = [
        ("vpc", "subformat=dynamic,force_size=on", Format::Vhd),
        ("vpc", "subformat=fixed,force_size=on", Format::Vhd),
        ("qcow2", "compat=0.10", Format::Qcow2),
        ("qcow2", "compat=1.1,cluster_size=4096", Format::Qcow2),
        ("qcow2", "compat=1.1,cluster_size=2M,lazy_refcounts=on", Format::Qcow2),
        ("qcow2", "preallocation=metadata", Format::Qcow2),
    ];
    for (format, options, ours) in cases {
        let path = folder.path().join("qemu.img");
        let (from, to) = (raw.to_str().unwrap(), path.to_str().unwrap());
        let Some((fine, text)) = qemu_img(&["convert", "-f", "raw", "-O", format, "-o", options, from, to]) else {
            return;
        };
        assert!(fine, "{text}");
        let file = Arc::new(LocalFile::open(&path, "qemu.img").unwrap());
        for disk in [open(file.clone(), &NoParents).unwrap(), open_as(file, &NoParents, ours).unwrap()] {
            let found = content(&*disk);
            assert!(found == sample.bytes, "{format} {options}");
            extents(&*disk, &found);
        }
    }
}
