//! Copies one virtual disk into a file of another format. The file grows under a hidden name and gets its final name
//! only when it is complete, flushed and read back; a copy that was cut off goes on behind its last flush.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hvm_formats::disk::SharedDisk;
use hvm_formats::disk::write::DiskWriter;
use hvm_formats::io::LocalFile;
use hvm_model::capabilities::DiskFormat;

use crate::content::{Content, DiskContent, FileContent};
use crate::digest::{Digest, root};
use crate::error::TransferError;
use crate::hash::block_values;
use crate::io::{beside, remove_if_there, sync_folder};
use crate::manifest::{FileManifest, LayerNote, MANIFEST_VERSION, Manifest};
use crate::pipeline::{self, BLOCK, Block, UNIT, block_count, runs};
use crate::progress::{Cancel, Progress, Stage};
use crate::sidecar::{Piece, Sidecar};
use crate::stream::stream_log_path;
use crate::target;
use crate::throttle::Throttle;
use crate::verify::{Check, verify};

/// The copy is flushed after so many bytes at the latest, or after [`FLUSH_TIME`].
const FLUSH_BYTES: u64 = 64 << 20;
const FLUSH_TIME: Duration = Duration::from_secs(2);

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
}

/// The hidden name of an unfinished copy.
pub fn partial_path(target: &Path) -> PathBuf {
    beside(target, ".partial")
}

/// The name of the list of finished blocks of an unfinished copy.
pub fn sidecar_path(target: &Path) -> PathBuf {
    beside(target, ".partial.progress")
}

/// The names that an unfinished copy of `target` may leave beside it.
pub fn leftovers(target: &Path) -> [PathBuf; 2] {
    [partial_path(target), sidecar_path(target)]
}

/// Copies a disk. A file that has the final name already is accepted only with its manifest, made of the same source
/// for the same job, and after every byte was checked.
pub fn copy(job: &CopyJob<'_>, watch: &Watch<'_>) -> Result<CopyOutcome, TransferError> {
    let started = Instant::now();
    if job.target.symlink_metadata().is_ok() {
        return adopt(job, watch, started);
    }
    let mut outcome = Outcome::default();
    let (blocks, partial) = write_partial(job, watch, &mut outcome)?;
    let file = read_back(&partial, watch)?;
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        tool: concat!("hvmigrate ", env!("CARGO_PKG_VERSION")).to_owned(),
        source: job.source.to_owned(),
        layers: job.disk.layers().iter().map(LayerNote::of).collect(),
        format: Some(job.format),
        id: hex(&job.id),
        size: job.disk.size(),
        block_size: BLOCK,
        content: root(&blocks),
        blocks,
        file,
        public_key: None,
        signature: None,
    };
    if let Some(path) = job.manifest {
        manifest.save(path)?;
    }
    publish(&partial, job.target)?;
    Ok(CopyOutcome {
        manifest,
        bytes_read: outcome.read,
        bytes_written: outcome.written,
        seconds: started.elapsed().as_secs_f64(),
        resumed_from: outcome.resumed_from,
    })
}

/// Gives a finished file its name, and removes the list of its blocks after that.
pub(crate) fn publish(partial: &Path, target: &Path) -> Result<(), TransferError> {
    std::fs::rename(partial, target).map_err(TransferError::io("renamed into place", target))?;
    sync_folder(target)?;
    remove_if_there(&sidecar_path(target))?;
    remove_if_there(&stream_log_path(target))?;
    sync_folder(target)
}

/// What one run did.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) resumed_from: u64,
}

fn adopt(job: &CopyJob<'_>, watch: &Watch<'_>, started: Instant) -> Result<CopyOutcome, TransferError> {
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
    } else {
        None
    }
}

/// Writes the whole copy under its hidden name; the values of all blocks and that name.
fn write_partial(
    job: &CopyJob<'_>,
    watch: &Watch<'_>,
    outcome: &mut Outcome,
) -> Result<(Vec<Digest>, PathBuf), TransferError> {
    let partial = partial_path(job.target);
    let content = DiskContent::new(job.disk.clone());
    let (mut sidecar, mut writer) = begin(job, &partial)?;
    let from = sidecar.pieces().len() as u64;
    outcome.resumed_from = (from * BLOCK).min(content.len());
    watch.progress.started(Stage::Copying, content.len());
    watch.progress.advanced(outcome.resumed_from);
    let mut throttle = Throttle::new(watch.rate);
    let mut flush = Flush::new();
    let result = pipeline::run(&content, from, watch.cancel, &mut |block| {
        outcome.read += block.read;
        outcome.written += write_block(&mut *writer, &block, &partial)?;
        sidecar.push(Piece { digest: block.digest, mask: block.mask });
        if flush.is_due(block.bytes.len() as u64) {
            writer.sync().map_err(target::failed(&partial))?;
            sidecar.flush()?;
        }
        watch.progress.advanced(block.bytes.len() as u64);
        throttle.pass(block.bytes.len() as u64);
        Ok(())
    });
    if let Err(error) = result {
        // Keeps what was copied for the next run; the error that ended this one is the one to tell.
        let _ = writer.sync().map_err(target::failed(&partial)).and_then(|()| sidecar.flush());
        return Err(error);
    }
    writer.sync().map_err(target::failed(&partial))?;
    sidecar.flush()?;
    writer.finish().map_err(target::failed(&partial))?;
    watch.progress.finished();
    Ok((sidecar.pieces().iter().map(|piece| piece.digest).collect(), partial))
}

/// Takes up an unfinished copy of the same job, or begins one.
fn begin(job: &CopyJob<'_>, partial: &Path) -> Result<(Sidecar, Box<dyn DiskWriter>), TransferError> {
    let path = sidecar_path(job.target);
    let disk = target::new_disk(&job.disk, job.format, job.id);
    let key = key(job, "");
    if partial.exists()
        && let Some(sidecar) = Sidecar::open(&path, key, block_count(job.disk.size()))?
        && let Ok(writer) = target::writer(partial, &disk, sidecar.pieces())
    {
        return Ok((sidecar, writer));
    }
    // A list of the other way of copying would be taken for one of the file that is begun now.
    remove_if_there(&stream_log_path(job.target))?;
    remove_if_there(partial)?;
    let sidecar = Sidecar::create(&path, key)?;
    let writer = target::writer(partial, &disk, &[])?;
    sync_folder(partial)?;
    Ok((sidecar, writer))
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
    if !way.is_empty() {
        add(way);
    }
    for layer in job.disk.layers() {
        add(&layer.name);
        add(&layer.unique_id);
        add(&format!("{} {}", layer.file_size, layer.timestamp));
    }
    *hasher.finalize().as_bytes()
}

fn write_block(writer: &mut dyn DiskWriter, block: &Block<'_>, path: &Path) -> Result<u64, TransferError> {
    let mut written = 0;
    for (first, count) in runs(block.mask) {
        let start = first * UNIT;
        let end = ((first + count) * UNIT).min(block.bytes.len());
        let bytes = block.bytes.get(start..end).unwrap_or_default();
        writer.write(block.offset + start as u64, bytes).map_err(target::failed(path))?;
        written += bytes.len() as u64;
    }
    Ok(written)
}

/// Reads the finished file from the start: its hashes, and the proof that it can be read.
fn read_back(path: &Path, watch: &Watch<'_>) -> Result<FileManifest, TransferError> {
    let file = LocalFile::open(path, path.display().to_string()).map_err(TransferError::io("opened", path))?;
    let content = FileContent::new(std::sync::Arc::new(file));
    let blocks = block_values(&content, Stage::ReadingBack, watch.progress, watch.cancel)?;
    Ok(FileManifest { size: content.len(), blake3: root(&blocks), blocks })
}

struct Flush {
    bytes: u64,
    last: Instant,
}

impl Flush {
    fn new() -> Self {
        Flush { bytes: 0, last: Instant::now() }
    }

    fn is_due(&mut self, bytes: u64) -> bool {
        self.bytes += bytes;
        let due = self.bytes >= FLUSH_BYTES || self.last.elapsed() >= FLUSH_TIME;
        if due {
            *self = Flush::new();
        }
        due
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
