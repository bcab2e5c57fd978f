#![allow(clippy::unwrap_used, missing_docs)]
//! Conversions without hashes: every format, cut off at every read, taken up again, and mixed with hashed copies.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hvm_formats::disk::{self, DiskError, Extent, ExtentKind, Layer, NoParents, SharedDisk, VirtualDisk};
use hvm_formats::io::LocalFile;
use hvm_model::capabilities::DiskFormat;
use hvm_transfer::{
    Cancel, Check, CopyJob, Durability, Manifest, Reflink, Silent, StreamOutcome, TransferError, Watch, copy, hash,
    partial_path, stream, stream_log_path, verify,
};

const MIB: usize = 1 << 20;
const SIZE: usize = 13 * MIB + 5 * 512;
const FORMATS: [(DiskFormat, disk::Format); 7] = [
    (DiskFormat::Raw, disk::Format::Raw),
    (DiskFormat::Vhd, disk::Format::Vhd),
    (DiskFormat::VhdFixed, disk::Format::Vhd),
    (DiskFormat::Vhdx, disk::Format::Vhdx),
    (DiskFormat::VhdxFixed, disk::Format::Vhdx),
    (DiskFormat::Qcow2, disk::Format::Qcow2),
    (DiskFormat::Qcow2Zstd, disk::Format::Qcow2),
];

/// A disk in memory whose runs of zeros begin and end anywhere, and that may not be readable from some block on.
struct Sample {
    bytes: Vec<u8>,
    data: Vec<(usize, usize)>,
    layers: Vec<Layer>,
    reads: AtomicU64,
    /// The first block of 1 MiB that cannot be read.
    fails_at: u64,
}

impl Sample {
    fn new(fails_at: u64) -> Self {
        let data = [(0, 700), (90_112, 70_000), (MIB - 512, 1024), (3 * MIB + 512, 200_000), (5 * MIB, 2 * MIB)];
        let data = [data.as_slice(), &[(9 * MIB + 4096, 512), (12 * MIB, MIB), (SIZE - 512, 512)]].concat();
        let (mut bytes, mut state) = (vec![0; SIZE], 99u64);
        for (start, len) in &data {
            for byte in &mut bytes[*start..start + len] {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                *byte = (state >> 33) as u8;
            }
        }
        // A unit of zeros inside a run that is said to hold data.
        bytes[6 * MIB..6 * MIB + 131_072].fill(0);
        let file = Arc::new(hvm_formats::io::MemoryFile::new("sample.raw", vec![0; SIZE]));
        let layers = disk::open_as(file, &NoParents, disk::Format::Raw).unwrap().layers().to_vec();
        Sample { bytes, data, layers, reads: AtomicU64::new(0), fails_at }
    }
}

impl VirtualDisk for Sample {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn sector_size(&self) -> u32 {
        512
    }
    fn extent(&self, offset: u64) -> Result<Extent, DiskError> {
        let at = offset as usize;
        let inside = self.data.iter().find(|(start, len)| at >= *start && at < start + len);
        let next = self.data.iter().map(|(start, _)| *start).find(|start| *start > at).unwrap_or(SIZE);
        let (kind, end) = match inside {
            Some((start, len)) => (ExtentKind::Data, start + len),
            None => (ExtentKind::Zero, next),
        };
        Ok(Extent { kind, start: offset, len: (end - at) as u64 })
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if offset / MIB as u64 >= self.fails_at {
            let (file, len) = ("sample.raw".to_owned(), buf.len() as u64);
            return Err(DiskError::Read { file, offset, len, source: std::io::Error::other("bad sector") });
        }
        buf.copy_from_slice(&self.bytes[offset as usize..][..buf.len()]);
        Ok(())
    }
    fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }
    fn target(&self) -> PathBuf {
        self.0.path().join("disk of Jürgen & 社.bin")
    }
    fn names(&self) -> usize {
        std::fs::read_dir(self.0.path()).unwrap().count()
    }
    fn stream(&self, disk: Sample, format: DiskFormat, durability: Durability) -> Result<StreamOutcome, TransferError> {
        let (cancel, target) = (Cancel::new(), self.target());
        stream(&job(Arc::new(disk), format, &target), durability, &silent(&cancel))
    }
}

fn job(disk: SharedDisk, format: DiskFormat, target: &Path) -> CopyJob<'_> {
    CopyJob { disk, source: "fingerprint", target, format, id: [9; 16], manifest: None, reflink: Reflink::Auto }
}

fn silent(cancel: &Cancel) -> Watch<'_> {
    Watch { progress: &Silent, cancel, rate: None }
}

fn content(path: &Path, format: disk::Format) -> Vec<u8> {
    let file = Arc::new(LocalFile::open(path, "copy").unwrap());
    let copy = disk::open_as(file, &NoParents, format).unwrap();
    let mut bytes = vec![0; copy.size() as usize];
    copy.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_file_is_byte_for_byte_that_of_a_hashed_copy() {
    for (format, _) in FORMATS {
        let (plain, hashed) = (Place::new(), Place::new());
        let outcome = plain.stream(Sample::new(u64::MAX), format, Durability::Kill).unwrap();
        let (cancel, target) = (Cancel::new(), hashed.target());
        let manifest = target.with_extension("json");
        let mut copied = job(Arc::new(Sample::new(u64::MAX)), format, &target);
        copied.manifest = Some(&manifest);
        let copied = copy(&copied, &silent(&cancel)).unwrap();
        assert!(std::fs::read(plain.target()).unwrap() == std::fs::read(&target).unwrap(), "{format}");
        assert_eq!(outcome.bytes_written, copied.bytes_written, "{format}");
        assert_eq!(plain.names(), 1, "{format}");
    }
}

/// The manifest is made on the way, of the content alone, and a run that goes on makes the same one.
#[test]
fn a_manifest_made_on_the_way_is_that_of_the_content() {
    let expected = Sample::new(u64::MAX).bytes;
    for (format, kind) in FORMATS {
        for fails_at in [u64::MAX, 1, 3] {
            let place = Place::new();
            let (cancel, target, manifest) = (Cancel::new(), place.target(), place.0.path().join("manifest"));
            let outcome = (1..30).find_map(|run| {
                let job = job(Arc::new(Sample::new(fails_at.saturating_mul(run))), format, &target);
                stream(&CopyJob { manifest: Some(&manifest), ..job }, Durability::Kill, &silent(&cancel)).ok()
            });
            let made = Manifest::load(&manifest).unwrap();
            assert_eq!(outcome.unwrap().content, Some(made.content));
            assert_eq!(made.content.to_string(), hvm_testkit::tree::tree_hash(&expected), "{format}");
            assert!(made.file.is_none() && made.blocks.len() == 14);
            assert_eq!(verify(&Check { manifest: &made, file: &target, source: None }, &silent(&cancel)).unwrap(), []);
            assert!(content(&target, kind) == expected, "{format}");
            assert_eq!(place.names(), 2);
        }
    }
}

#[test]
fn cut_off_at_any_read_it_goes_on_to_the_same_file() {
    let expected = Sample::new(u64::MAX).bytes;
    for (format, kind) in FORMATS {
        let undisturbed = Place::new();
        undisturbed.stream(Sample::new(u64::MAX), format, Durability::Kill).unwrap();
        let whole = std::fs::read(undisturbed.target()).unwrap();
        for durability in [Durability::Kill, Durability::PowerLoss] {
            let (place, mut from, mut runs) = (Place::new(), 0, 0);
            // Each run can read one block more than the one before.
            let outcome = loop {
                match place.stream(Sample::new(runs), format, durability) {
                    Ok(outcome) => break outcome,
                    Err(error) => {
                        assert!(error.to_string().contains("bad sector"), "{error}");
                        assert!(!place.target().exists() && partial_path(&place.target()).exists());
                        assert!(stream_log_path(&place.target()).exists());
                    }
                }
                runs += 1;
                assert!(runs < 15, "{format}: no way forward");
            };
            assert!(runs > 3 && outcome.resumed_from > from, "{format} {runs}");
            from = outcome.resumed_from;
            assert!(from > 8 << 20, "{from}");
            assert!(std::fs::read(place.target()).unwrap() == whole, "{format}");
            assert!(content(&place.target(), kind) == expected, "{format}");
            assert_eq!(place.names(), 1);
        }
    }
}

#[test]
fn one_way_never_goes_on_with_a_file_of_the_other() {
    let place = Place::new();
    let (cancel, target) = (Cancel::new(), place.target());
    let hashed = |fails_at| copy(&job(Arc::new(Sample::new(fails_at)), DiskFormat::Qcow2, &target), &silent(&cancel));
    place.stream(Sample::new(4), DiskFormat::Qcow2, Durability::Kill).unwrap_err();
    hashed(4).unwrap_err();
    assert!(stream_log_path(&target).exists());
    let outcome = place.stream(Sample::new(u64::MAX), DiskFormat::Qcow2, Durability::Kill).unwrap();
    assert_eq!((outcome.resumed_from, place.names()), (0, 1));
    assert!(content(&target, disk::Format::Qcow2) == Sample::new(u64::MAX).bytes);
    let error = place.stream(Sample::new(u64::MAX), DiskFormat::Qcow2, Durability::Kill).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
}

#[test]
fn a_stopped_run_says_so_and_zeros_are_never_read() {
    let (place, cancel) = (Place::new(), Cancel::new());
    cancel.cancel();
    let disk = Arc::new(Sample::new(u64::MAX));
    let target = place.target();
    let stopped = stream(&job(disk.clone(), DiskFormat::Raw, &target), Durability::Kill, &silent(&cancel));
    assert!(matches!(stopped, Err(TransferError::Cancelled)));
    let cancel = Cancel::new();
    let outcome = stream(&job(disk.clone(), DiskFormat::Raw, &target), Durability::Kill, &silent(&cancel)).unwrap();
    // Of 14 blocks, 2, 4, 7, 8, 10 and 11 hold nothing and 5, 6 and 12 are full. Of the others so many whole pages are read: three
    // runs of block 0, then those of 1, 3, 9 (where one page of zeros before the data is less than it is worth) and the last one.
    let pages = (1 + 18 + 1) + 1 + 49 + 2;
    let (reads, bytes) = (disk.reads.load(Ordering::Relaxed), outcome.bytes_read);
    assert_eq!((reads, bytes), (10, 3 * MIB as u64 + pages * 4096 + 5 * 512));
    let read_back = disk::open_as(Arc::new(LocalFile::open(&target, "copy").unwrap()), &NoParents, disk::Format::Raw);
    let digest = hash(read_back.unwrap(), &silent(&cancel)).unwrap();
    assert_eq!(digest.to_string(), blake3::hash(&disk.bytes).to_hex().to_string());
}

/// A disk to whose file somebody writes during the first read.
struct Changing {
    disk: SharedDisk,
    path: PathBuf,
    reads: AtomicU64,
}

impl VirtualDisk for Changing {
    fn size(&self) -> u64 {
        self.disk.size()
    }
    fn sector_size(&self) -> u32 {
        512
    }
    fn extent(&self, offset: u64) -> Result<Extent, DiskError> {
        self.disk.extent(offset)
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        if self.reads.fetch_add(1, Ordering::Relaxed) == 0 {
            let file = std::fs::File::options().write(true).open(&self.path).unwrap();
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
            file.set_modified(later).unwrap();
        }
        self.disk.read_at(offset, buf)
    }
    fn layers(&self) -> &[Layer] {
        self.disk.layers()
    }
    fn file(&self, layer: usize) -> Option<hvm_formats::io::SharedFile> {
        self.disk.file(layer)
    }
}

#[cfg(unix)]
#[test]
fn a_source_that_is_written_to_meanwhile_gives_no_copy() {
    let place = Place::new();
    let path = place.0.path().join("running.raw");
    std::fs::write(&path, Sample::new(u64::MAX).bytes).unwrap();
    let open = || {
        let file = Arc::new(LocalFile::open(&path, "running.raw").unwrap());
        disk::open_as(file, &NoParents, disk::Format::Raw).unwrap()
    };
    let (cancel, target) = (Cancel::new(), place.target());
    for durability in [Durability::Kill, Durability::PowerLoss] {
        let disk = Arc::new(Changing { disk: open(), path: path.clone(), reads: AtomicU64::new(0) });
        let error = stream(&job(disk, DiskFormat::Vhdx, &target), durability, &silent(&cancel)).unwrap_err();
        assert!(error.to_string().contains("'running.raw' was written to while it was copied"), "{error}");
        assert!(!target.exists());
    }
    let outcome = stream(&job(open(), DiskFormat::Vhdx, &target), Durability::Kill, &silent(&cancel)).unwrap();
    assert_eq!((outcome.resumed_from, place.names()), (0, 2));
}
