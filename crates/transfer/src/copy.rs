//! Copies one virtual disk into a file of another format. The file grows under a hidden name and gets its final name
//! only when it is complete, flushed and read back; a copy that was cut off goes on behind its last flush.

use std::path::{Path, PathBuf};
use std::time::Instant;

use hvm_formats::disk::SharedDisk;
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::capabilities::DiskFormat;

use crate::blocks::{Blocks, block_size};
use crate::describe::file_manifest;
use crate::digest::Digest;
use crate::error::TransferError;
use crate::io::{beside, remove_if_there, sync_folder};
use crate::manifest::{FileManifest, LayerNote, MANIFEST_VERSION, Manifest};
use crate::progress::{Cancel, Progress, Stage};
use crate::share::{Reflink, Way};
use crate::stream::{Durability, stream_log_path, write_partial};
use crate::verify::{Check, verify};

/// One disk to copy.
pub struct CopyJob<'a> {
    /// The disk, its chain resolved.
    pub disk: SharedDisk,
    /// What the source is (a fingerprint): a copy that was begun of another source is begun anew.
    pub source: &'a str,
    /// Final name of the copy; its folder must be there.
    pub target: &'a Path,
    /// Format of the copy.
    pub format: DiskFormat,
    /// Unique id of the copy where the format has one.
    pub id: [u8; 16],
    /// Where the manifest goes; it is there before the copy gets its final name. Without one, a file that has the
    /// final name already is never accepted.
    pub manifest: Option<&'a Path>,
    /// Whether the copy may share extents with the files of the source.
    pub reflink: Reflink,
}

/// Who watches a job, and how fast it may be.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Hears how far it is.
    pub progress: &'a dyn Progress,
    /// Stops it.
    pub cancel: &'a Cancel,
    /// Most bytes per second that are read or skipped; `None` for no limit.
    pub rate: Option<u64>,
}

/// A finished copy.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyOutcome {
    /// What it consists of.
    pub manifest: Manifest,
    /// Bytes read from the source by this run.
    pub bytes_read: u64,
    /// Bytes of content written by this run.
    pub bytes_written: u64,
    /// Seconds that this run took.
    pub seconds: f64,
    /// Virtual offset from which this run went on; 0 for a copy from the start, the size when nothing was left to do.
    pub resumed_from: u64,
    /// What was shared with the source instead of being written.
    pub way: Way,
}

/// The hidden name of an unfinished copy.
pub fn partial_path(target: &Path) -> PathBuf {
    beside(target, ".partial")
}

/// The names that an unfinished copy of `target` may leave beside it.
pub fn leftovers(target: &Path) -> [PathBuf; 2] {
    [partial_path(target), stream_log_path(target)]
}

/// Copies a disk. A file that has the final name already is accepted only with its manifest, made of the same source
/// for the same job, and after every byte was checked.
pub fn copy(job: &CopyJob<'_>, watch: &Watch<'_>) -> Result<CopyOutcome, TransferError> {
    let started = Instant::now();
    if job.target.symlink_metadata().is_ok() {
        return adopt(job, watch, started);
    }
    let mut written = write_partial(job, (Durability::PowerLoss, true), watch)?;
    let partial = partial_path(job.target);
    let file = read_back(&partial, watch)?;
    let hashes = written.hashes.take().unwrap_or_default();
    let manifest = written_manifest(job, hashes, Some(file));
    if let Some(path) = job.manifest {
        manifest.save(path)?;
    }
    publish(&partial, job.target)?;
    Ok(CopyOutcome {
        manifest,
        bytes_read: written.read,
        bytes_written: written.written,
        seconds: started.elapsed().as_secs_f64(),
        resumed_from: written.resumed_from,
        way: written.way,
    })
}

/// The manifest of a file that was written for a job.
pub(crate) fn written_manifest(
    job: &CopyJob<'_>,
    (blocks, content): (Blocks, Digest),
    file: Option<FileManifest>,
) -> Manifest {
    Manifest {
        version: MANIFEST_VERSION,
        tool: concat!("hvmigrate ", env!("CARGO_PKG_VERSION")).to_owned(),
        source: job.source.to_owned(),
        layers: job.disk.layers().iter().map(LayerNote::of).collect(),
        format: Some(job.format),
        id: hex(&job.id),
        size: job.disk.size(),
        block_size: block_size(job.disk.size()),
        content,
        blocks,
        file,
        public_key: None,
        signature: None,
    }
}

/// Gives a finished file its name, and removes the list of its blocks after that.
pub(crate) fn publish(partial: &Path, target: &Path) -> Result<(), TransferError> {
    std::fs::rename(partial, target).map_err(TransferError::io("renamed into place", target))?;
    sync_folder(target)?;
    remove_if_there(&stream_log_path(target))?;
    sync_folder(target)
}

pub(crate) fn adopt(job: &CopyJob<'_>, watch: &Watch<'_>, started: Instant) -> Result<CopyOutcome, TransferError> {
    let exists = |reason: String| TransferError::Exists { path: job.target.to_owned(), reason };
    let Some(path) = job.manifest.filter(|path| path.exists()) else {
        return Err(exists("there is no manifest for it".to_owned()));
    };
    let manifest = Manifest::load(path)?;
    if let Some(reason) = other_job(&manifest, job) {
        return Err(exists(reason));
    }
    let wrong = verify(&Check { manifest: &manifest, file: job.target, source: None }, watch)?;
    if let Some(first) = wrong.first() {
        return Err(exists(first.to_string().trim_end_matches('.').to_owned()));
    }
    for path in leftovers(job.target) {
        remove_if_there(&path)?;
    }
    let size = manifest.size;
    Ok(CopyOutcome {
        manifest,
        bytes_read: 0,
        bytes_written: 0,
        seconds: started.elapsed().as_secs_f64(),
        resumed_from: size,
        way: Way::default(),
    })
}

/// Why a manifest does not belong to a job.
fn other_job(manifest: &Manifest, job: &CopyJob<'_>) -> Option<String> {
    let layers: Vec<LayerNote> = job.disk.layers().iter().map(LayerNote::of).collect();
    if manifest.source != job.source || manifest.layers != layers {
        Some("its manifest was made from another state of the source".to_owned())
    } else if manifest.size != job.disk.size() {
        Some(format!("its manifest names a disk of {} bytes, not {}", manifest.size, job.disk.size()))
    } else if manifest.format != Some(job.format) || manifest.id != hex(&job.id) {
        Some("its manifest names another format or disk id".to_owned())
    } else if manifest.file.is_none() {
        Some("its manifest describes no file".to_owned())
    } else {
        None
    }
}

/// Everything that decides about the bytes of a copy, hashed: a list of finished blocks belongs to one key.
/// `way` sets apart the lists of different ways of copying.
pub(crate) fn key(job: &CopyJob<'_>, way: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut add = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    };
    add(job.source);
    add(&job.disk.size().to_string());
    add(&job.format.to_string());
    add(&hex(&job.id));
    add(way);
    for layer in job.disk.layers() {
        add(&layer.name);
        add(&layer.unique_id);
        add(&format!("{} {}", layer.file_size, layer.timestamp));
    }
    *hasher.finalize().as_bytes()
}

/// Reads the finished file from the start: its hashes, and the proof that it can be read.
pub(crate) fn read_back(path: &Path, watch: &Watch<'_>) -> Result<FileManifest, TransferError> {
    let file = LocalFile::open(path, path.display().to_string()).map_err(TransferError::io("opened", path))?;
    file_manifest(&(std::sync::Arc::new(file) as SharedFile), Stage::ReadingBack, watch)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
