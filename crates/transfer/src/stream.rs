//! Writes a virtual disk as a new file: as fast as bytes can be moved. The file grows under a hidden name and gets its final
//! name when it is complete and flushed; a list beside it says which blocks are in it, for a run that goes on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hvm_formats::disk::write::DiskWriter;

use crate::blocks::{Blocks, Builder};
use crate::copy::{CopyJob, Watch, key, partial_path, publish, written_manifest};
use crate::digest::Digest;
use crate::error::TransferError;
use crate::io::{beside, remove_if_there, sync_folder};
use crate::pipeline::{self, BLOCK, Block, Piece, block_count};
use crate::progress::Stage;
use crate::share::{Sharing, Way};
use crate::streamlog::{Entry, StreamLog, boot_id};
use crate::target;
use crate::tree::Tree;

/// What was written is noted after so many bytes, or after [`NOTE_TIME`].
const NOTE_BYTES: u64 = 256 << 20;
const NOTE_TIME: Duration = Duration::from_secs(2);

/// What a conversion survives before it is finished. When it is finished it survives everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// A killed program: the next run goes on. After a loss of power it begins anew.
    #[default]
    Kill,
    /// A loss of power too: what was written is flushed to the medium all along.
    PowerLoss,
}

/// A finished conversion.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamOutcome {
    /// The value that manifests give the content; none when nothing was hashed.
    pub content: Option<Digest>,
    /// Bytes read from the source by this run.
    pub bytes_read: u64,
    /// Bytes of content written by this run.
    pub bytes_written: u64,
    /// Seconds that this run took.
    pub seconds: f64,
    /// Virtual offset from which this run went on; 0 for a conversion from the start.
    pub resumed_from: u64,
    /// What was shared with the source instead.
    pub way: Way,
}

/// The name of the list of written blocks of an unfinished copy.
pub fn stream_log_path(target: &Path) -> PathBuf {
    beside(target, ".partial.written")
}

/// Writes the disk of `job` as a new file; nothing may have its name yet. With a name for a manifest its content is hashed
/// on the way; the manifest is of the content alone, and is there before the file gets its name.
pub fn stream(job: &CopyJob<'_>, durability: Durability, watch: &Watch<'_>) -> Result<StreamOutcome, TransferError> {
    let started = Instant::now();
    if job.target.symlink_metadata().is_ok() {
        let reason = "a conversion never replaces a file".to_owned();
        return Err(TransferError::Exists { path: job.target.to_owned(), reason });
    }
    let written = write_partial(job, (durability, job.manifest.is_some()), watch)?;
    let content = written.hashes.as_ref().map(|(_, content)| *content);
    if let (Some(hashes), Some(path)) = (written.hashes, job.manifest) {
        written_manifest(job, hashes, None).save(path)?;
    }
    publish(&partial_path(job.target), job.target)?;
    Ok(StreamOutcome {
        content,
        bytes_read: written.read,
        bytes_written: written.written,
        seconds: started.elapsed().as_secs_f64(),
        resumed_from: written.resumed_from,
        way: written.way,
    })
}

/// What one run did to a file that is complete now, but still has its hidden name.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) resumed_from: u64,
    /// The values of all blocks and of the content, when it was hashed.
    pub(crate) hashes: Option<(Blocks, Digest)>,
    pub(crate) way: Way,
}

/// Writes the whole file under its hidden name and flushes it.
pub(crate) fn write_partial(
    job: &CopyJob<'_>,
    (durability, hash): (Durability, bool),
    watch: &Watch<'_>,
) -> Result<Written, TransferError> {
    let partial = partial_path(job.target);
    let durability = if boot_id().is_none() { Durability::PowerLoss } else { durability };
    let candidate = Sharing::find(job, hash)?;
    let mut sink = begin(job, (durability, hash), &partial)?;
    let sharing = candidate.with(&partial)?;
    let content = sharing.content(&job.disk);
    let from = sink.next;
    let tree = hash.then_some(Tree::Manifest);
    let moved = pipeline::run(&content, (tree, Stage::Copying), from, watch, &mut |piece| sink.take(&piece, &sharing));
    // Keeps what was written for the next run; the error that ended this one is the one to tell.
    let noted = sink.note(&sharing);
    moved.and(noted)?;
    sink.writer.finish().map_err(target::failed(&partial))?;
    let resumed_from = (from * BLOCK).min(job.disk.size());
    let hashes = sink.hashes.map(|builder| builder.finish(job.disk.size()));
    let (way, copied) = sharing.outcome();
    Ok(Written { resumed_from, hashes, way, read: sink.read + copied, written: sink.written + copied })
}

/// Takes up an unfinished copy of the same job, or begins one.
fn begin<'a>(
    job: &CopyJob<'_>,
    (durability, hash): (Durability, bool),
    partial: &'a Path,
) -> Result<Sink<'a>, TransferError> {
    let path = stream_log_path(job.target);
    let boot = if durability == Durability::Kill { boot_id() } else { None };
    let way = format!("{} {}", boot.unwrap_or_default(), if hash { "hashed" } else { "" });
    let key = key(job, &way);
    let disk = target::new_disk(&job.disk, job.format, job.id);
    let size = job.disk.size();
    let sink = |writer, log, hashes| Sink {
        writer,
        log,
        durability,
        partial,
        hashes,
        next: 0,
        read: 0,
        written: 0,
        since: 0,
        noted: Instant::now(),
    };
    let (mut hashes, mut next) = (Builder::new(Tree::Manifest, size), 0);
    let mut take = |entry: Entry| {
        hashes.push_zeros(entry.block - hashes.count());
        hashes.push(entry.value, 1);
        next = entry.block + 1;
    };
    if partial.exists()
        && let Some(log) = StreamLog::open(&path, key, block_count(size), &mut take)?
        && let Ok(writer) = target::writer(partial, &disk, log.again(&path)?)
    {
        return Ok(Sink { next, ..sink(writer, log, hash.then_some(hashes)) });
    }
    remove_if_there(partial)?;
    let log = StreamLog::create(&path, key)?;
    let writer = target::writer(partial, &disk, std::iter::empty())?;
    sync_folder(partial)?;
    Ok(sink(writer, log, hash.then(|| Builder::new(Tree::Manifest, size))))
}

/// Where the blocks go, one after the other.
struct Sink<'a> {
    writer: Box<dyn DiskWriter>,
    log: StreamLog,
    durability: Durability,
    partial: &'a Path,
    hashes: Option<Builder>,
    /// The first block that was not dealt with when this run began.
    next: u64,
    read: u64,
    written: u64,
    /// Bytes written since the last note, and its time.
    since: u64,
    noted: Instant,
}

impl Sink<'_> {
    fn take(&mut self, piece: &Piece<'_>, sharing: &Sharing) -> Result<(), TransferError> {
        if let Piece::Block(block) = piece {
            self.write(block, sharing)?;
        }
        if let Some(hashes) = &mut self.hashes {
            hashes.take(piece);
        }
        Ok(())
    }

    fn write(&mut self, block: &Block<'_>, sharing: &Sharing) -> Result<(), TransferError> {
        let granule = self.writer.granule() as usize;
        let mut written = 0;
        for (start, len) in block.mask.runs(granule, block.bytes.len()) {
            let part = block.bytes.get(start..start + len).unwrap_or_default();
            let place = (block.index * BLOCK, start as u64);
            written += sharing.write(&mut *self.writer, place, part, self.partial)?;
        }
        sharing.done(block.index * BLOCK);
        self.read += block.read;
        self.written += written;
        self.since += written;
        let value = block.value.unwrap_or_default();
        self.log.push(Entry { block: block.index, units: block.mask.units(), value });
        if self.since >= NOTE_BYTES || self.noted.elapsed() >= NOTE_TIME {
            self.note(sharing)?;
        }
        Ok(())
    }

    /// Notes what was written, for the run that goes on.
    fn note(&mut self, sharing: &Sharing) -> Result<(), TransferError> {
        sharing.settle(self.partial)?;
        if self.durability == Durability::PowerLoss {
            self.writer.sync().map_err(target::failed(self.partial))?;
        }
        (self.since, self.noted) = (0, Instant::now());
        self.log.flush(self.durability)
    }
}
