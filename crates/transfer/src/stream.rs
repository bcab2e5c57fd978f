//! Writes a virtual disk as a new file: as fast as bytes can be moved. The file grows under a hidden name and gets its final
//! name when it is complete and flushed; a list beside it says which blocks are in it, for a run that goes on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hvm_formats::disk::write::{DiskWriteError, DiskWriter};

use crate::blocks::{Blocks, Builder};
use crate::copy::{CopyJob, Watch, key, partial_path, publish, written_manifest};
use crate::digest::Digest;
use crate::direct::Direct;
use crate::error::TransferError;
use crate::io::{beside, remove_if_there, sync_folder};
use crate::pipeline::{self, BLOCK, Block, Fill, Piece, Sink as _, block_count};
use crate::progress::Stage;
use crate::share::{Sharing, Way};
use crate::stamps::Stamps;
use crate::streamlog::{Entry, StreamLog, boot_id};
use crate::target;
use crate::tree::Tree;

/// What a conversion survives before it is finished. When it is finished it survives everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// A killed program: the next run goes on. After a loss of power it begins anew.
    #[default]
    Kill,
    /// A loss of power too: what was written is flushed to the medium all along.
    PowerLoss,
}

impl Durability {
    /// What was written is noted after so many bytes or so long: rarely where the medium has to be flushed for it.
    fn interval(self) -> (u64, Duration) {
        match self {
            Durability::Kill => (256 << 20, Duration::from_secs(2)),
            Durability::PowerLoss => (1 << 30, Duration::from_secs(5)),
        }
    }
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
    let stamps = Stamps::of(&job.disk);
    let candidate = Sharing::find(job, hash)?;
    let sink = begin(job, (durability, hash), &partial)?;
    let sharing = candidate.with(&partial)?;
    let content = sharing.content(&job.disk);
    let from = sink.next;
    let tree = hash.then_some(Tree::Manifest);
    let places = target::new_disk(&job.disk, job.format, job.id).format.alignment().is_some();
    let direct = (places && !sharing.is_on()).then(|| Direct::open(&partial)).flatten();
    let mut run = Run { sink, sharing: &sharing, leaves: direct.is_some(), lost: false };
    let put = direct.as_ref().map(|direct| |bytes: &[u8], offset: u64| direct.put(bytes, offset));
    let filler = put.as_ref().map(|put| put as &pipeline::Filler<'_>);
    let moved = pipeline::run_filling((&content, filler), (tree, Stage::Copying), from, watch, &mut run);
    // Keeps what was written for the next run; the error that ended this one is the one to tell.
    let noted = if run.lost { Ok(()) } else { run.settle() };
    moved.and(noted)?;
    if let Err(changed) = stamps.hold(&job.disk) {
        // What is old and what is new in the file cannot be told apart: it is never gone on with.
        remove_if_there(&stream_log_path(job.target))?;
        return Err(changed);
    }
    let sink = run.sink;
    drop(content);
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
    {
        match target::writer(partial, &disk, log.again(&path)?) {
            Ok(writer) => return Ok(Sink { next, ..sink(writer, log, hash.then_some(hashes)) }),
            // Only a file that is not what the list says is begun anew: what the system refuses now may go well later.
            Err(TransferError::Target { source, .. }) if !matches!(source, DiskWriteError::Io { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    remove_if_there(partial)?;
    let log = StreamLog::create(&path, key)?;
    let writer = match target::writer(partial, &disk, std::iter::empty()) {
        Err(TransferError::Target { source, .. }) if !matches!(source, DiskWriteError::Io { .. }) => {
            // The format does not hold this disk: there is nothing to go on with.
            remove_if_there(partial)?;
            remove_if_there(&path)?;
            return Err(target::failed(partial)(source));
        }
        writer => writer?,
    };
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

/// A sink at work.
struct Run<'a, 'p> {
    sink: Sink<'p>,
    sharing: &'a Sharing,
    /// Whether the writing is left to the workers.
    leaves: bool,
    /// Something that is in the list is not in the file: the list cannot be written down any more.
    lost: bool,
}

impl pipeline::Sink for Run<'_, '_> {
    fn take(&mut self, piece: &Piece<'_>) -> Result<Vec<Fill>, TransferError> {
        let mut fills = Vec::new();
        if let Piece::Block(block) = piece {
            let written = if self.leaves { self.sink.reserve(block, &mut fills)? } else { self.write(block)? };
            self.sink.note(block, written);
        }
        if let Some(hashes) = &mut self.sink.hashes {
            hashes.take(piece);
        }
        Ok(fills)
    }

    fn is_due(&self) -> bool {
        let (bytes, time) = self.sink.durability.interval();
        self.sink.since >= bytes || self.sink.noted.elapsed() >= time
    }

    /// Writes down what was written, for the run that goes on.
    fn settle(&mut self) -> Result<(), TransferError> {
        self.sharing.settle(self.sink.partial)?;
        self.sink.flush()
    }

    fn lost(&mut self) {
        self.lost = true;
    }
}

impl Run<'_, '_> {
    fn write(&mut self, block: &Block<'_>) -> Result<u64, TransferError> {
        let mut written = 0;
        for (start, len) in self.sink.parts(block) {
            let part = block.bytes.get(start..start + len).unwrap_or_default();
            let place = (block.index * BLOCK, start as u64);
            written += self.sharing.write(&mut *self.sink.writer, place, part, self.sink.partial)?;
        }
        self.sharing.done(block.index * BLOCK);
        Ok(written)
    }
}

impl Sink<'_> {
    /// The parts of a block that are written.
    fn parts(&self, block: &Block<'_>) -> impl Iterator<Item = (usize, usize)> + use<> {
        block.mask.runs(self.writer.granule() as usize, block.bytes.len())
    }

    /// Gives each part of a block its place in the file; how many bytes they have.
    fn reserve(&mut self, block: &Block<'_>, fills: &mut Vec<Fill>) -> Result<u64, TransferError> {
        let mut reserved = 0;
        for (mut start, len) in self.parts(block) {
            let rooms = self.writer.reserve(block.index * BLOCK + start as u64, len as u64);
            for room in rooms.map_err(target::failed(self.partial))? {
                fills.push(Fill { start, len: room.len as usize, offset: room.offset });
                start += room.len as usize;
            }
            reserved += len as u64;
        }
        Ok(reserved)
    }

    /// Notes a block in the list; it counts only after [`Sink::flush`].
    fn note(&mut self, block: &Block<'_>, written: u64) {
        self.read += block.read;
        self.written += written;
        self.since += written;
        let value = block.value.unwrap_or_default();
        self.log.push(Entry { block: block.index, units: block.mask.units(), value });
    }

    fn flush(&mut self) -> Result<(), TransferError> {
        if self.durability == Durability::PowerLoss {
            self.writer.sync().map_err(target::failed(self.partial))?;
        }
        (self.since, self.noted) = (0, Instant::now());
        self.log.flush(self.durability)
    }
}
