#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]
//! Sharing extents with the source on real XFS and btrfs volumes: every format to every format, chains, what cannot be
//! shared, and conversions that were cut off. That it is shared is told by filefrag and by the free space.

mod share_support;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hvm_formats::disk::child::{NewParent, create_child};
use hvm_formats::disk::write::{NewDisk, TargetFormat, create_with};
use hvm_formats::disk::{
    self, DiskError, Extent, GateError, Layer, NoParents, ParentGate, ParentRequest, SharedDisk, StoredRun, VirtualDisk,
};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::capabilities::DiskFormat;
use hvm_testkit::vhd::{Blocks, ContentModel, Stride, VhdKind, VhdSpec};
use hvm_transfer::{
    Cancel, Check, CopyJob, Durability, Manifest, Reflink, Silent, StreamOutcome, TransferError, Watch, partial_path,
    stream, verify,
};
use share_support::{Volume, qemu_compare, shared_bytes, tool};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 15 * MIB + 5 * 512;
const FORMATS: [(DiskFormat, &str); 6] = [
    (DiskFormat::Raw, "raw"),
    (DiskFormat::Vhd, "vpc"),
    (DiskFormat::VhdFixed, "vpc"),
    (DiskFormat::Vhdx, "vhdx"),
    (DiskFormat::VhdxFixed, "vhdx"),
    (DiskFormat::Qcow2, "qcow2"),
];
/// Data of [`content`] in stretches of whole blocks that are long enough to be shared.
const LONG: u64 = 4 * MIB + 640 * 1024;

fn noise(bytes: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for chunk in bytes.chunks_mut(8) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        chunk.copy_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()[..chunk.len()]);
    }
}

/// Long and short stretches of data, zeros between them, and a tail that is no whole block.
fn content() -> Vec<u8> {
    let mut bytes = vec![0; SIZE as usize];
    let stretches =
        [(0, 4096), (MIB, 4 * MIB), (7 * MIB + 65536, 640 * 1024), (10 * MIB + 512, 1024), (15 * MIB, 2560)];
    for (seed, (start, len)) in (1..).zip(stretches) {
        noise(&mut bytes[start as usize..(start + len) as usize], seed);
    }
    bytes
}

fn local(path: &Path) -> SharedFile {
    Arc::new(LocalFile::open(path, path.display().to_string()).unwrap())
}

/// Finds parents beside the child.
struct Beside(PathBuf);

impl ParentGate for Beside {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        Ok(vec![local(&self.0.join(&request.name))])
    }
}

fn open(path: &Path) -> SharedDisk {
    disk::open(local(path), &Beside(path.parent().unwrap().to_owned())).unwrap()
}

fn bytes_of(disk: &dyn VirtualDisk) -> Vec<u8> {
    let mut bytes = vec![0; disk.size() as usize];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

fn convert(
    disk: SharedDisk,
    target: &Path,
    format: DiskFormat,
    reflink: Reflink,
) -> Result<StreamOutcome, TransferError> {
    let cancel = Cancel::new();
    let job = CopyJob { disk, source: "fingerprint", target, format, id: [9; 16], manifest: None, reflink };
    stream(&job, Durability::Kill, &Watch { progress: &Silent, cancel: &cancel, rate: None })
}

/// A source file of each format in `folder`.
fn sources(folder: &Path, bytes: &[u8]) -> Vec<(PathBuf, &'static str)> {
    std::fs::create_dir_all(folder).unwrap();
    let raw = folder.join("model.raw");
    std::fs::write(&raw, bytes).unwrap();
    let mut made = vec![];
    for (format, name) in FORMATS {
        let path = folder.join(format!("{format}.{}", if name == "vpc" { "vhd" } else { name }));
        convert(open(&raw), &path, format, Reflink::Never).unwrap();
        made.push((path, name));
    }
    made
}

/// Names, bytes and times of what lies in a folder.
fn state(folder: &Path) -> Vec<(PathBuf, [u8; 32], [i64; 6])> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let m = std::fs::metadata(&path).unwrap();
            let times = [m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec(), m.atime(), m.atime_nsec()];
            (path.clone(), *blake3::hash(&std::fs::read(&path).unwrap()).as_bytes(), times)
        })
        .collect();
    found.sort();
    found
}

fn every_format_to_every_format(volume: &Volume, name: &str) {
    let (bytes, folder) = (content(), volume.path().join("source"));
    let sources = sources(&folder, &bytes);
    // The first look may set the access times.
    state(&folder);
    let before = state(&folder);
    for (source, source_is) in &sources {
        for (format, target_is) in FORMATS {
            let target = volume.path().join(format!("copy.{}", if target_is == "vpc" { "vhd" } else { target_is }));
            let free = volume.free();
            let outcome = convert(open(source), &target, format, Reflink::Always).unwrap();
            let what = format!("{} to {format} on {name}: {outcome:?}", source.display());
            assert_eq!((outcome.way.file_system, &outcome.way.reason), (Some(name), &None), "{what}");
            // A source with its own zeros between the data shares those, too.
            assert!(outcome.way.shared >= LONG, "{what}");
            assert!(outcome.bytes_read <= SIZE - outcome.way.shared && outcome.bytes_written < 2 * MIB, "{what}");
            if let Some(shared) = shared_bytes(&target) {
                assert_eq!(shared, outcome.way.shared, "{what}");
            }
            let length = std::fs::metadata(&target).unwrap();
            let (own, took) = (length.blocks() * 512 - outcome.way.shared, free.saturating_sub(volume.free()));
            assert!(took < own + MIB, "{what}: {took} bytes of the volume for {own} that are not shared");
            if target_is != "raw" && target_is != "qcow2" {
                assert!(length.blocks() * 512 >= length.len() / 4096 * 4096, "{what}: it has holes");
            }
            assert!(bytes_of(&*open(&target)) == bytes, "{what}");
            qemu_compare((&target, target_is), (source, source_is));
            std::fs::remove_file(&target).unwrap();
        }
    }
    assert!(state(&folder) == before, "the source was touched");
}

#[test]
fn xfs_shares_every_format_with_every_format() {
    let Some(volume) = Volume::xfs() else { return };
    every_format_to_every_format(&volume, "XFS");
}

#[test]
fn btrfs_shares_every_format_with_every_format() {
    let Some(volume) = Volume::btrfs() else { return };
    every_format_to_every_format(&volume, "btrfs");
}

#[test]
fn what_is_hashed_is_shared_too_and_zeros_are_left_out() {
    let Some(volume) = Volume::xfs() else { return };
    let (bytes, manifest) = (content(), volume.path().join("manifest"));
    let source = volume.path().join("model.raw");
    std::fs::write(&source, &bytes).unwrap();
    for (number, (format, _)) in FORMATS.into_iter().enumerate() {
        let target = volume.path().join(format!("copy{number}"));
        let (cancel, disk) = (Cancel::new(), open(&source));
        let reflink = Reflink::Always;
        let manifest = manifest.with_extension(number.to_string());
        let job =
            CopyJob { disk, source: "f", target: &target, format, id: [9; 16], manifest: Some(&manifest), reflink };
        let watch = Watch { progress: &Silent, cancel: &cancel, rate: None };
        let outcome = stream(&job, Durability::Kill, &watch).unwrap();
        assert!(outcome.bytes_read == SIZE && outcome.content.is_some(), "{outcome:?}");
        // Zeros were found by reading: not more is shared than there are data.
        assert!(outcome.way.shared >= LONG && outcome.way.shared <= LONG + MIB, "{format} {outcome:?}");
        if let Some(shared) = shared_bytes(&target) {
            assert_eq!(shared, outcome.way.shared, "{format}");
        }
        let made = Manifest::load(&manifest).unwrap();
        assert_eq!(verify(&Check { manifest: &made, file: &target, source: None }, &watch).unwrap(), []);
        let unshared = volume.path().join("unshared");
        let copied = convert(open(&source), &unshared, format, Reflink::Never).unwrap();
        assert_eq!(copied.bytes_written, outcome.bytes_written + outcome.way.shared, "{format}");
        assert!(std::fs::read(&target).unwrap() == std::fs::read(&unshared).unwrap(), "{format}");
        std::fs::remove_file(&unshared).unwrap();
    }
}

/// A base and a child that holds a stretch of its own and one sector, and what both together are.
fn chain(folder: &Path, format: TargetFormat, extension: &str) -> (PathBuf, Vec<u8>) {
    let mut bytes = content();
    let create = |name: String| {
        let path = folder.join(name);
        (std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap(), path)
    };
    let base = NewDisk { timestamp: 5, ..NewDisk::new(SIZE, format, [1; 16]) };
    let (file, _) = create(format!("base.{extension}"));
    let mut writer = create_with(file, &base).unwrap();
    let whole = SIZE / 65536 * 65536;
    writer.write(0, &bytes[..whole as usize]).unwrap();
    writer.write(whole, &bytes[whole as usize..]).unwrap();
    writer.finish().unwrap();
    let (file, path) = create(format!("child.{extension}"));
    let parent = NewParent { id: [1; 16], timestamp: 5, relative: format!(".\\base.{extension}"), absolute: None };
    let child = NewDisk { timestamp: 6, ..NewDisk::new(SIZE, format, [2; 16]) };
    let mut writer = create_child(file, &child, &parent).unwrap();
    for (seed, (start, len)) in (50..).zip([(2 * MIB, MIB), (9 * MIB + 1024, 512)]) {
        let part = &mut bytes[start as usize..(start + len) as usize];
        noise(part, seed);
        writer.write(start, part).unwrap();
    }
    writer.finish().unwrap();
    (path, bytes)
}

#[test]
fn each_part_of_a_chain_is_shared_with_the_layer_that_holds_it() {
    let Some(volume) = Volume::xfs() else { return };
    for (format, extension) in [(TargetFormat::VhdDynamic, "vhd"), (TargetFormat::Vhdx, "vhdx")] {
        let (leaf, bytes) = chain(&volume.path(), format, extension);
        let target = volume.path().join(format!("flat.{extension}.raw"));
        let outcome = convert(open(&leaf), &target, DiskFormat::Raw, Reflink::Always).unwrap();
        assert!(bytes_of(&*open(&target)) == bytes);
        assert_eq!((outcome.way.reason, outcome.way.file_system), (None, Some("XFS")), "{extension}");
        assert!(outcome.way.shared > 4 * MIB, "{extension} {}", outcome.way.shared);
        if let Some(shared) = shared_bytes(&target) {
            assert_eq!(shared, outcome.way.shared);
        }
    }
}

#[test]
fn a_layer_on_another_file_system_is_copied_and_named() {
    let (Some(volume), Some(other)) = (Volume::xfs(), Volume::xfs()) else { return };
    let (leaf, bytes) = chain(&volume.path(), TargetFormat::VhdDynamic, "vhd");
    std::fs::copy(volume.path().join("base.vhd"), other.path().join("base.vhd")).unwrap();
    let disk = disk::open(local(&leaf), &Beside(other.path())).unwrap();
    let target = volume.path().join("flat.raw");
    let outcome = convert(disk.clone(), &target, DiskFormat::Raw, Reflink::Auto).unwrap();
    assert!(bytes_of(&*open(&target)) == bytes);
    assert_eq!(outcome.way.shared, MIB);
    let reason = outcome.way.reason.unwrap();
    assert!(reason.contains("base.vhd") && reason.contains("another file system"), "{reason}");
    drop(disk);
}

/// Converts with each wish: copied with that reason, or refused with it and nothing left behind.
fn is_copied(disk: &SharedDisk, folder: &Path, format: DiskFormat, reason: &str) {
    let target = folder.join("copied.bin");
    let entries = std::fs::read_dir(folder).unwrap().count();
    let error = convert(disk.clone(), &target, format, Reflink::Always).unwrap_err();
    assert!(matches!(&error, TransferError::NotShared { reason: found, .. } if found.contains(reason)), "{error}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), entries, "{error}");
    let outcome = convert(disk.clone(), &target, format, Reflink::Auto).unwrap();
    let found = outcome.way.reason.unwrap();
    assert!(outcome.way.shared == 0 && found.contains(reason), "{found}");
    assert_eq!(outcome.way.file_system, None);
    let copy = disk::open_as(local(&target), &NoParents, kind(format)).unwrap();
    assert!(bytes_of(&*copy) == bytes_of(&**disk));
    assert_eq!(shared_bytes(&target).unwrap_or_default(), 0);
    std::fs::remove_file(&target).unwrap();
    let outcome = convert(disk.clone(), &target, format, Reflink::Never).unwrap();
    assert_eq!(outcome.way, hvm_transfer::Way::default());
    assert_eq!(shared_bytes(&target).unwrap_or_default(), 0);
    std::fs::remove_file(&target).unwrap();
}

fn kind(format: DiskFormat) -> disk::Format {
    match format {
        DiskFormat::Qcow2 | DiskFormat::Qcow2Zstd => disk::Format::Qcow2,
        _ => disk::Format::Raw,
    }
}

#[test]
fn what_cannot_be_shared_is_copied_and_says_why() {
    let Some(xfs) = Volume::xfs() else { return };
    let raw = xfs.path().join("model.raw");
    std::fs::write(&raw, content()).unwrap();
    is_copied(&open(&raw), &xfs.path(), DiskFormat::Qcow2Zstd, "packs what it stores");
    if let Some(ext4) = Volume::new("mkfs.ext4", &["-q", "-F"]) {
        is_copied(&open(&raw), &ext4.path(), DiskFormat::Raw, "ext4 cannot share");
        let there = ext4.path().join("model.raw");
        std::fs::write(&there, content()).unwrap();
        is_copied(&open(&there), &xfs.path(), DiskFormat::Raw, "another file system");
        is_copied(&open(&there), &ext4.path(), DiskFormat::Raw, "ext4 cannot share");
    }
    if let Some(plain) = Volume::new("mkfs.xfs", &["-q", "-m", "reflink=0"]) {
        let there = plain.path().join("model.raw");
        std::fs::write(&there, content()).unwrap();
        is_copied(&open(&there), &plain.path(), DiskFormat::Raw, "made without shared extents");
    }
    if let Some(btrfs) = Volume::btrfs() {
        let folder = btrfs.path().join("no checksums");
        std::fs::create_dir(&folder).unwrap();
        tool("chattr", &["+C", folder.to_str().unwrap()]).unwrap();
        std::fs::write(folder.join("model.raw"), content()).unwrap();
        is_copied(&open(&folder.join("model.raw")), &btrfs.path(), DiskFormat::Qcow2, "chattr +C");
    }
}

#[test]
fn data_that_lie_askew_are_copied() {
    let Some(volume) = Volume::xfs() else { return };
    let spec = |stride| {
        let kind = VhdKind::Dynamic(Blocks { size: 2 << 20, stride, ..Blocks::default() });
        VhdSpec::new(kind, [3; 16])
    };
    // With one sector for each bitmap, only each eighth block of an old VHD lies at a multiple of 4 KiB.
    for (blocks, shares) in [(3, false), (10, true)] {
        let mut model = ContentModel::new(blocks << 21);
        model.fill(0, (blocks << 21) / 512, 77);
        let path = volume.path().join(format!("old{blocks}.vhd"));
        std::fs::write(&path, spec(Stride::Packed).image(&model).to_vec()).unwrap();
        if shares {
            let target = volume.path().join("some.raw");
            let outcome = convert(open(&path), &target, DiskFormat::Raw, Reflink::Auto).unwrap();
            assert!((2 * MIB..=4 * MIB).contains(&outcome.way.shared), "{outcome:?}");
            assert!(bytes_of(&*open(&target)) == model.to_vec());
        } else {
            is_copied(&open(&path), &volume.path(), DiskFormat::Raw, "before Windows Server 2012");
        }
    }
}

/// A disk of which nobody says where things from an offset on lie.
struct Fails {
    inner: SharedDisk,
    from: u64,
}

impl VirtualDisk for Fails {
    fn size(&self) -> u64 {
        self.inner.size()
    }
    fn sector_size(&self) -> u32 {
        self.inner.sector_size()
    }
    fn extent(&self, offset: u64) -> Result<Extent, DiskError> {
        self.inner.extent(offset)
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.inner.read_at(offset, buf)
    }
    fn layers(&self) -> &[Layer] {
        self.inner.layers()
    }
    fn stored(&self, offset: u64, max: u64) -> Result<StoredRun, DiskError> {
        if offset >= self.from {
            let source = std::io::Error::other("bad sector");
            return Err(DiskError::Read { file: "disk".to_owned(), offset, len: max, source });
        }
        self.inner.stored(offset, max)
    }
    fn file(&self, layer: usize) -> Option<SharedFile> {
        self.inner.file(layer)
    }
}

#[test]
fn cut_off_anywhere_it_goes_on_to_the_same_file() {
    for volume in [Volume::xfs(), Volume::btrfs()].into_iter().flatten() {
        let bytes = content();
        let sources = sources(&volume.path().join("source"), &bytes);
        let (source, _) = &sources[3];
        for (format, _) in FORMATS {
            let (whole, target) = (volume.path().join("whole"), volume.path().join("cut"));
            convert(open(source), &whole, format, Reflink::Auto).unwrap();
            for from in [MIB, 3 * MIB, 4 * MIB, 10 * MIB] {
                let disk = Arc::new(Fails { inner: open(source), from });
                let error = convert(disk, &target, format, Reflink::Auto).unwrap_err();
                assert!(error.to_string().contains("bad sector"), "{error}");
                assert!(!target.exists() && partial_path(&target).exists());
            }
            let outcome = convert(open(source), &target, format, Reflink::Auto).unwrap();
            assert!(outcome.resumed_from >= 8 * MIB && outcome.resumed_from <= 10 * MIB, "{format}: {outcome:?}");
            let shared = shared_bytes(&target);
            assert!(std::fs::read(&whole).unwrap() == std::fs::read(&target).unwrap(), "{format}");
            assert!(shared.is_none_or(|shared| shared >= LONG), "{format}: {shared:?}");
            for path in [whole, target] {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}
