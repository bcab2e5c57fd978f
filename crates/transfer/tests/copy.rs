#![allow(clippy::unwrap_used, missing_docs)]
//! Copies into every format, stopped anywhere, resumed, checked, damaged.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hvm_formats::disk::{self, DiskError, Extent, Layer, NoParents, SharedDisk, VirtualDisk};
use hvm_formats::io::{LocalFile, MemoryFile};
use hvm_model::capabilities::DiskFormat;
use hvm_testkit::tree;
use hvm_transfer::{
    Cancel, Check, CopyJob, CopyOutcome, Manifest, MismatchKind, Progress, Reflink, Silent, Stage, TransferError,
    Watch, copy, hash, leftovers, partial_path, tree_hash, verify,
};

const MIB: usize = 1 << 20;
const FORMATS: [DiskFormat; 5] =
    [DiskFormat::Raw, DiskFormat::VhdFixed, DiskFormat::Vhd, DiskFormat::Qcow2, DiskFormat::Qcow2Zstd];
const ID: [u8; 16] = [9; 16];

/// Data, holes of many sizes, and an end that is no whole block.
fn sample() -> Vec<u8> {
    let mut bytes = vec![0u8; 9 * MIB + 5 * 512];
    let mut state = 12345u64;
    for start in [0, 70_000, MIB - 512, 3 * MIB + 64 * 1024, 4 * MIB, 6 * MIB + 700_000, 9 * MIB] {
        let end = (start + 90_000).min(bytes.len());
        for byte in &mut bytes[start..end] {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *byte = (state >> 33) as u8;
        }
    }
    bytes
}

fn disk_of(bytes: &[u8]) -> SharedDisk {
    disk::open_as(Arc::new(MemoryFile::new("source.raw", bytes.to_vec())), &NoParents, disk::Format::Raw).unwrap()
}

fn opened(path: &Path, format: DiskFormat) -> SharedDisk {
    let file = Arc::new(LocalFile::open(path, "copy").unwrap());
    let format = match format {
        DiskFormat::Raw => disk::Format::Raw,
        DiskFormat::Qcow2 | DiskFormat::Qcow2Zstd => disk::Format::Qcow2,
        _ => disk::Format::Vhd,
    };
    disk::open_as(file, &NoParents, format).unwrap()
}

/// A disk that stops the job after so many reads.
struct StopAfter {
    disk: SharedDisk,
    left: AtomicU64,
    cancel: Arc<Cancel>,
}

impl VirtualDisk for StopAfter {
    fn size(&self) -> u64 {
        self.disk.size()
    }
    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }
    fn extent(&self, offset: u64) -> Result<Extent, DiskError> {
        self.disk.extent(offset)
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.cancel.cancel();
        }
        self.disk.read_at(offset, buf)
    }
    fn layers(&self) -> &[Layer] {
        self.disk.layers()
    }
}

/// Stops the job when it begins to read the finished file.
struct StopReadingBack {
    wanted: bool,
    cancel: Arc<Cancel>,
}

impl Progress for StopReadingBack {
    fn started(&self, stage: Stage, _total: u64) {
        if self.wanted && stage == Stage::ReadingBack {
            self.cancel.cancel();
        }
    }
    fn advanced(&self, _bytes: u64) {}
    fn finished(&self) {}
}

/// More reads than a copy of the sample has: stops when the finished file is read.
const READ_BACK: u64 = 1000;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap() }
    }
    fn target(&self) -> PathBuf {
        self.folder.path().join("disk of Jürgen & 社.bin")
    }
    fn manifest(&self) -> PathBuf {
        self.folder.path().join("manifest.json")
    }
    fn copy(&self, bytes: &[u8], format: DiskFormat, blocks: Option<u64>) -> Result<CopyOutcome, TransferError> {
        let cancel = Arc::new(Cancel::new());
        let left = AtomicU64::new(blocks.unwrap_or(u64::MAX));
        let stop = StopReadingBack { wanted: blocks == Some(READ_BACK), cancel: cancel.clone() };
        let job = CopyJob {
            disk: Arc::new(StopAfter { disk: disk_of(bytes), left, cancel: cancel.clone() }),
            source: "fingerprint",
            target: &self.target(),
            format,
            id: ID,
            manifest: Some(&self.manifest()),
            reflink: Reflink::Never,
        };
        copy(&job, &Watch { progress: &stop, cancel: &cancel, rate: None })
    }
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn silent(cancel: &Cancel) -> Watch<'_> {
    Watch { progress: &Silent, cancel, rate: None }
}

#[test]
fn every_format_holds_the_same_content_and_hash() {
    let bytes = sample();
    let (expected, plain) = (tree::tree_hash(&bytes), blake3::hash(&bytes).to_hex().to_string());
    let cancel = Cancel::new();
    assert_eq!(hash(disk_of(&bytes), &silent(&cancel)).unwrap().to_string(), plain);
    assert_eq!(tree_hash(disk_of(&bytes), &silent(&cancel)).unwrap().to_string(), expected);
    for format in FORMATS {
        let place = Place::new();
        let outcome = place.copy(&bytes, format, None).unwrap();
        assert_eq!(outcome.manifest.content.to_string(), expected, "{format}");
        assert!(outcome.bytes_written < 2 * MIB as u64, "zeros are not written: {}", outcome.bytes_written);
        let copied = opened(&place.target(), format);
        assert_eq!(hash(copied, &silent(&cancel)).unwrap().to_string(), plain, "{format}");
        let file = blake3::hash(&std::fs::read(place.target()).unwrap()).to_hex().to_string();
        assert_eq!(outcome.manifest.file.as_ref().unwrap().blake3.to_string(), file, "{format}");
        assert_eq!(Manifest::load(&place.manifest()).unwrap(), outcome.manifest);
        assert_eq!(place.names().len(), 2, "nothing is left over: {:?}", place.names());
        let check = Check { manifest: &outcome.manifest, file: &place.target(), source: Some(disk_of(&bytes)) };
        assert_eq!(verify(&check, &silent(&cancel)).unwrap(), []);
    }
}

#[test]
fn stopped_after_any_block_and_resumed_gives_the_same_bytes() {
    let bytes = sample();
    for format in FORMATS {
        let whole = Place::new();
        whole.copy(&bytes, format, None).unwrap();
        let (expected, manifest) = (std::fs::read(whole.target()).unwrap(), Manifest::load(&whole.manifest()).unwrap());
        let mut resumed = 0;
        for blocks in (0..8).chain([READ_BACK]) {
            let place = Place::new();
            let error = place.copy(&bytes, format, Some(blocks)).unwrap_err();
            assert!(matches!(error, TransferError::Cancelled), "{error}");
            assert!(!place.target().exists(), "never under the final name before it is complete");
            let outcome = place.copy(&bytes, format, None).unwrap();
            resumed = resumed.max(outcome.resumed_from);
            assert!(std::fs::read(place.target()).unwrap() == expected, "{format} stopped after {blocks} blocks");
            assert_eq!(Manifest::load(&place.manifest()).unwrap(), manifest);
            assert_eq!(place.names().len(), 2);
        }
        assert_eq!(resumed, bytes.len() as u64, "{format}: also a copy of which only the end was missing goes on");
    }
}

/// What a loss of power or kill -9 leaves: data behind the last flush, a torn record, a finished file not yet renamed.
#[test]
fn debris_behind_the_last_flush_does_no_harm() {
    let bytes = sample();
    for format in FORMATS {
        let whole = Place::new();
        whole.copy(&bytes, format, None).unwrap();
        let expected = std::fs::read(whole.target()).unwrap();
        for blocks in [1, 4, 5, 6, READ_BACK] {
            for torn in [1, 49, 75] {
                let place = Place::new();
                place.copy(&bytes, format, Some(blocks)).unwrap_err();
                let [partial, sidecar] = leftovers(&place.target());
                let list = std::fs::read(&sidecar).unwrap();
                std::fs::write(&sidecar, &list[..list.len().saturating_sub(torn)]).unwrap();
                let mut debris = std::fs::read(&partial).unwrap();
                // What comes next never begins within a piece of which only the start was written.
                if format != DiskFormat::VhdFixed && format != DiskFormat::Vhd {
                    debris.resize(debris.len().next_multiple_of(64 << 10), 0);
                }
                debris.extend_from_slice(&[0xEE; 300_000]);
                std::fs::write(&partial, debris).unwrap();
                place.copy(&bytes, format, None).unwrap();
                assert!(std::fs::read(place.target()).unwrap() == expected, "{format} {blocks} {torn}");
            }
        }
    }
}

#[test]
fn an_unfinished_copy_of_another_source_is_begun_anew() {
    let bytes = sample();
    let place = Place::new();
    place.copy(&bytes, DiskFormat::Raw, Some(5)).unwrap_err();
    let cancel = Cancel::new();
    let mut other = bytes.clone();
    other[10] ^= 1;
    let job = CopyJob {
        disk: disk_of(&other),
        source: "another fingerprint",
        target: &place.target(),
        format: DiskFormat::Raw,
        id: ID,
        manifest: Some(&place.manifest()),
        reflink: Reflink::Never,
    };
    let outcome = copy(&job, &silent(&cancel)).unwrap();
    assert_eq!(outcome.resumed_from, 0);
    assert!(std::fs::read(place.target()).unwrap() == other);
}

#[test]
fn a_file_that_is_there_is_taken_only_when_it_is_the_copy() {
    let bytes = sample();
    let place = Place::new();
    std::fs::write(place.target(), b"somebody's file").unwrap();
    assert!(matches!(place.copy(&bytes, DiskFormat::Qcow2, None), Err(TransferError::Exists { .. })));
    assert_eq!(std::fs::read(place.target()).unwrap(), b"somebody's file");
    std::fs::remove_file(place.target()).unwrap();
    place.copy(&bytes, DiskFormat::Qcow2, None).unwrap();
    let again = place.copy(&bytes, DiskFormat::Qcow2, None).unwrap();
    assert_eq!((again.bytes_read, again.bytes_written), (0, 0));
    let mut changed = std::fs::read(place.target()).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(place.target(), &changed).unwrap();
    assert!(matches!(place.copy(&bytes, DiskFormat::Qcow2, None), Err(TransferError::Exists { .. })));
    assert!(std::fs::read(place.target()).unwrap() == changed, "it is not touched");
    assert!(!leftovers(&place.target()).iter().any(|path| path.exists()) && !partial_path(&place.target()).exists());
}

#[test]
fn a_flipped_byte_anywhere_is_found_and_placed() {
    let bytes = sample();
    let cancel = Cancel::new();
    for format in FORMATS {
        let place = Place::new();
        let manifest = place.copy(&bytes, format, None).unwrap().manifest;
        let whole = std::fs::read(place.target()).unwrap();
        let step = (whole.len() / 10).max(1);
        for at in (0..whole.len()).step_by(step).chain([whole.len() - 1, whole.len() - 400]) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            std::fs::write(place.target(), &flipped).unwrap();
            let check = Check { manifest: &manifest, file: &place.target(), source: Some(disk_of(&bytes)) };
            let wrong = verify(&check, &silent(&cancel)).unwrap();
            let file: Vec<_> = wrong.iter().filter(|found| found.kind == MismatchKind::File).collect();
            assert_eq!(file.len(), 1, "{format} byte {at}: {wrong:?}");
            let range = file[0].first_offset..file[0].first_offset + file[0].len;
            assert!(range.contains(&(at as u64)), "{format} byte {at}: {wrong:?}");
        }
        if format == DiskFormat::Raw {
            let mut flipped = whole.clone();
            flipped[4 * MIB + 77] ^= 1;
            std::fs::write(place.target(), &flipped).unwrap();
            let check = Check { manifest: &manifest, file: &place.target(), source: Some(disk_of(&bytes)) };
            let wrong = verify(&check, &silent(&cancel)).unwrap();
            let content: Vec<_> = wrong.iter().filter(|found| found.kind == MismatchKind::Content).collect();
            assert_eq!(content.len(), 1);
            assert_eq!(content[0].first_offset, 4 * MIB as u64 + 77);
        }
    }
}

#[test]
fn a_cut_or_missing_file_is_a_mismatch_and_no_crash() {
    let bytes = sample();
    let cancel = Cancel::new();
    for format in FORMATS {
        let place = Place::new();
        let manifest = place.copy(&bytes, format, None).unwrap().manifest;
        let whole = std::fs::read(place.target()).unwrap();
        for len in [0, 1, 511, 4096, whole.len() / 2, whole.len() - 1] {
            std::fs::write(place.target(), &whole[..len]).unwrap();
            let check = Check { manifest: &manifest, file: &place.target(), source: None };
            assert!(!verify(&check, &silent(&cancel)).unwrap().is_empty(), "{format} cut to {len}");
        }
        std::fs::remove_file(place.target()).unwrap();
        let check = Check { manifest: &manifest, file: &place.target(), source: None };
        assert_eq!(verify(&check, &silent(&cancel)).unwrap().len(), 1);
    }
}

#[test]
fn a_manifest_that_was_changed_is_refused() {
    let bytes = sample();
    let place = Place::new();
    let manifest = place.copy(&bytes, DiskFormat::Vhd, None).unwrap().manifest;
    let text = std::fs::read_to_string(place.manifest()).unwrap();
    let [block, other] = [3, 4].map(|index| manifest.blocks.get(index).unwrap().to_string());
    std::fs::write(place.manifest(), text.replacen(&block, &other, 1)).unwrap();
    let error = Manifest::load(&place.manifest()).unwrap_err().to_string();
    assert!(error.contains("was changed"), "{error}");
}

#[test]
fn small_disks_and_files() {
    let cancel = Cancel::new();
    for len in [512usize, 4096, 65536, 65536 + 512, MIB, MIB + 512] {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        for format in FORMATS {
            let place = Place::new();
            let outcome = place.copy(&bytes, format, None).unwrap();
            assert_eq!(outcome.manifest.content.to_string(), tree::tree_hash(&bytes));
            let copied = opened(&place.target(), format);
            let mut back = vec![0; len];
            copied.read_at(0, &mut back).unwrap();
            assert!(back == bytes, "{format} {len}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    for len in [0usize, 1, 100_000, 3 * MIB + 1] {
        let bytes: Vec<u8> = (0..len).map(|i| (i / 70_000 % 2) as u8).collect();
        let target = folder.path().join(format!("file {len}"));
        let source = Arc::new(MemoryFile::new("image.iso", bytes.clone()));
        let outcome = hvm_transfer::copy_file(source.clone(), &target, &silent(&cancel)).unwrap();
        assert_eq!(outcome.blake3.to_string(), blake3::hash(&bytes).to_hex().to_string());
        assert!(std::fs::read(&target).unwrap() == bytes);
        assert_eq!(hvm_transfer::copy_file(source, &target, &silent(&cancel)).unwrap().bytes_written, 0);
        std::fs::write(&target, b"other").unwrap();
        let source = Arc::new(MemoryFile::new("image.iso", bytes));
        assert!(hvm_transfer::copy_file(source, &target, &silent(&cancel)).is_err());
    }
}
