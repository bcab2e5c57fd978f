//! Writes a virtual disk as a new file without hashing it: as fast as bytes can be moved. Each worker reads a block,
//! finds its zeros, waits for its turn and writes it while the block is still in the cache of its core; runs of zeros are
//! never touched. The file grows under a hidden name and gets its final name when it is complete and flushed.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hvm_formats::disk::write::DiskWriter;
use hvm_formats::disk::{ExtentKind, SharedDisk};

use crate::copy::{CopyJob, Outcome, Watch, key, partial_path, publish, sidecar_path};
use crate::error::TransferError;
use crate::io::{beside, remove_if_there, sync_folder};
use crate::pipeline::{BLOCK, UNIT, block_count, mask_of, runs};
use crate::progress::{Cancel, Stage};
use crate::streamlog::{Entry, StreamLog, boot_id};
use crate::target;
use crate::throttle::Throttle;

/// What was written is noted after so many bytes, or after [`NOTE_TIME`].
const NOTE_BYTES: u64 = 256 << 20;
const NOTE_TIME: Duration = Duration::from_secs(2);
/// How often the progress is told.
const TICK: Duration = Duration::from_millis(100);
/// More workers bring nothing: the writes to one file wait for each other.
const MOST_WORKERS: usize = 4;

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
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamOutcome {
    /// Bytes read from the source by this run.
    pub bytes_read: u64,
    /// Bytes of content written by this run.
    pub bytes_written: u64,
    /// Seconds that this run took.
    pub seconds: f64,
    /// Virtual offset from which this run went on; 0 for a conversion from the start.
    pub resumed_from: u64,
}

/// The name of the list of written blocks of an unfinished conversion.
pub fn stream_log_path(target: &Path) -> std::path::PathBuf {
    beside(target, ".partial.written")
}

/// Writes the disk of `job` as a new file; nothing may have its name yet. No manifest is made.
pub fn stream(job: &CopyJob<'_>, durability: Durability, watch: &Watch<'_>) -> Result<StreamOutcome, TransferError> {
    let started = Instant::now();
    if job.target.symlink_metadata().is_ok() {
        let reason = "a conversion never replaces a file".to_owned();
        return Err(TransferError::Exists { path: job.target.to_owned(), reason });
    }
    let durability = if boot_id().is_none() { Durability::PowerLoss } else { durability };
    let partial = partial_path(job.target);
    let (log, writer, from) = begin(job, durability, &partial)?;
    let sink = Sink { writer, log, durability, partial: &partial };
    let (outcome, writer) = move_all(&job.disk, from, sink, watch)?;
    writer.finish().map_err(target::failed(&partial))?;
    watch.progress.finished();
    publish(&partial, job.target)?;
    Ok(StreamOutcome {
        bytes_read: outcome.read,
        bytes_written: outcome.written,
        seconds: started.elapsed().as_secs_f64(),
        resumed_from: outcome.resumed_from,
    })
}

type Begun = (StreamLog, Box<dyn DiskWriter>, u64);

/// Takes up an unfinished conversion of the same job, or begins one.
fn begin(job: &CopyJob<'_>, durability: Durability, partial: &Path) -> Result<Begun, TransferError> {
    let path = stream_log_path(job.target);
    let boot = if durability == Durability::Kill { boot_id() } else { None };
    let key = key(job, boot.as_deref().unwrap_or("stream"));
    let disk = target::new_disk(&job.disk, job.format, job.id);
    if partial.exists()
        && let Some((log, entries)) = StreamLog::open(&path, key, block_count(job.disk.size()))?
        && let Ok(writer) = target::writer_behind(partial, &disk, entries.iter().map(|entry| (entry.block, entry.mask)))
    {
        let from = entries.last().map_or(0, |entry| (entry.block + 1) * BLOCK).min(job.disk.size());
        return Ok((log, writer, from));
    }
    // A list of the other way of copying would be taken for one of the file that is begun now.
    remove_if_there(&sidecar_path(job.target))?;
    remove_if_there(partial)?;
    let log = StreamLog::create(&path, key)?;
    let writer = target::writer_behind(partial, &disk, std::iter::empty())?;
    sync_folder(partial)?;
    Ok((log, writer, 0))
}

/// Where the blocks go, one after the other.
struct Sink<'a> {
    writer: Box<dyn DiskWriter>,
    log: StreamLog,
    durability: Durability,
    partial: &'a Path,
}

/// What the workers share.
struct Workers<'a> {
    disk: &'a SharedDisk,
    cancel: &'a Cancel,
    cursor: Mutex<Cursor>,
    ordered: Mutex<Ordered<'a>>,
    /// Signalled when a block was written or a worker ended.
    turn: Condvar,
    /// Virtual offset up to which blocks were given out.
    passed: AtomicU64,
}

/// Which block comes next.
struct Cursor {
    offset: u64,
    ticket: u64,
    /// End of the run of data that holds `offset`.
    data_until: u64,
}

/// A block of data to be moved.
struct Item {
    ticket: u64,
    offset: u64,
    len: usize,
}

/// What happens in the order of the disk.
struct Ordered<'a> {
    sink: Sink<'a>,
    turn: u64,
    outcome: Outcome,
    throttle: Throttle,
    since: u64,
    noted: Instant,
    error: Option<TransferError>,
    /// Workers that have not ended.
    left: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves everything from the offset `from` on; tells the progress on this thread.
fn move_all(
    disk: &SharedDisk,
    from: u64,
    sink: Sink<'_>,
    watch: &Watch<'_>,
) -> Result<(Outcome, Box<dyn DiskWriter>), TransferError> {
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get()).min(MOST_WORKERS);
    let ordered = Ordered {
        sink,
        turn: 0,
        outcome: Outcome { resumed_from: from, ..Outcome::default() },
        throttle: Throttle::new(watch.rate),
        since: 0,
        noted: Instant::now(),
        error: None,
        left: threads,
    };
    let workers = Workers {
        disk,
        cancel: watch.cancel,
        cursor: Mutex::new(Cursor { offset: from, ticket: 0, data_until: from }),
        ordered: Mutex::new(ordered),
        turn: Condvar::new(),
        passed: AtomicU64::new(from),
    };
    watch.progress.started(Stage::Copying, disk.size());
    let mut told = 0;
    let mut tell = || {
        let passed = workers.passed.load(Ordering::Relaxed);
        watch.progress.advanced(passed - told);
        told = passed;
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| workers.run());
        }
        let mut ordered = lock(&workers.ordered);
        while ordered.left > 0 {
            tell();
            ordered = workers.turn.wait_timeout(ordered, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    });
    tell();
    let mut ordered = workers.ordered.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Keeps what was written for the next run; the error that ended this one is the one to tell.
    let noted = ordered.note();
    match ordered.error {
        Some(error) => Err(error),
        None => noted.map(|()| (ordered.outcome, ordered.sink.writer)),
    }
}

impl Workers<'_> {
    fn run(&self) {
        let result = self.work();
        let mut ordered = lock(&self.ordered);
        if let Err(error) = result {
            ordered.error.get_or_insert(error);
        }
        ordered.left -= 1;
        drop(ordered);
        self.turn.notify_all();
    }

    /// Moves one block after the other, until there is none or somebody failed.
    fn work(&self) -> Result<(), TransferError> {
        let mut buffer = vec![0; BLOCK as usize];
        while let Some(item) = self.next()? {
            let bytes = &mut buffer[..item.len];
            // A block that cannot be read still waits for its turn, so that all before it are written.
            let read = self.disk.read_at(item.offset, bytes).map(|()| mask_of(bytes));
            let mut ordered = lock(&self.ordered);
            while ordered.turn != item.ticket && ordered.error.is_none() {
                ordered = self.turn.wait(ordered).unwrap_or_else(PoisonError::into_inner);
            }
            if ordered.error.is_some() {
                break;
            }
            ordered.write(&item, bytes, read?)?;
            ordered.turn += 1;
            drop(ordered);
            self.turn.notify_all();
        }
        Ok(())
    }

    /// The next block that may hold data; none at the end.
    fn next(&self) -> Result<Option<Item>, TransferError> {
        let mut cursor = lock(&self.cursor);
        let size = self.disk.size();
        while cursor.offset < size {
            if self.cancel.is_cancelled() {
                return Err(TransferError::Cancelled);
            }
            if cursor.offset >= cursor.data_until {
                let run = self.disk.extent(cursor.offset)?;
                let end = run.start.saturating_add(run.len);
                if run.kind == ExtentKind::Zero {
                    // The block that the run ends in holds data too.
                    let next = if end >= size { size } else { (end / BLOCK * BLOCK).max(cursor.offset) };
                    self.passed.fetch_add(next - cursor.offset, Ordering::Relaxed);
                    cursor.offset = next;
                    cursor.data_until = if next < size { next + 1 } else { size };
                    continue;
                }
                cursor.data_until = end;
            }
            let len = BLOCK.min(size - cursor.offset);
            let item = Item { ticket: cursor.ticket, offset: cursor.offset, len: len as usize };
            cursor.ticket += 1;
            cursor.offset += len;
            self.passed.fetch_add(len, Ordering::Relaxed);
            return Ok(Some(item));
        }
        Ok(None)
    }
}

impl Ordered<'_> {
    fn write(&mut self, item: &Item, bytes: &[u8], mask: u16) -> Result<(), TransferError> {
        let mut written = 0;
        for (first, count) in runs(mask) {
            let start = first * UNIT;
            let part = bytes.get(start..((first + count) * UNIT).min(bytes.len())).unwrap_or_default();
            let put = self.sink.writer.write(item.offset + start as u64, part);
            put.map_err(target::failed(self.sink.partial))?;
            written += part.len() as u64;
        }
        self.outcome.read += bytes.len() as u64;
        self.outcome.written += written;
        self.since += written;
        self.sink.log.push(Entry { block: item.offset / BLOCK, mask });
        if self.since >= NOTE_BYTES || self.noted.elapsed() >= NOTE_TIME {
            self.note()?;
        }
        self.throttle.pass(bytes.len() as u64);
        Ok(())
    }

    /// Notes what was written, for the run that goes on.
    fn note(&mut self) -> Result<(), TransferError> {
        if self.sink.durability == Durability::PowerLoss {
            self.sink.writer.sync().map_err(target::failed(self.sink.partial))?;
        }
        (self.since, self.noted) = (0, Instant::now());
        self.sink.log.flush(self.sink.durability)
    }
}
