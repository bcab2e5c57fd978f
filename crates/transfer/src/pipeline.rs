//! Goes over a content on all cores: each worker reads a block, finds its zeros, hashes it, waits for its turn and hands it
//! to the sink while it is still in the cache of its core. The sink sees everything in order; runs of zeros that are known
//! as such are neither read nor, in the tree of manifests, hashed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::content::Content;
use crate::copy::Watch;
use crate::digest::Digest;
use crate::error::TransferError;
use crate::mask::Mask;
use crate::progress::{Cancel, Stage};
use crate::throttle::Throttle;
use crate::tree::Tree;

/// Bytes of a block: what is read at once, and the smallest unit of manifests. A power of two of BLAKE3 chunks, so that a
/// block is a subtree.
pub const BLOCK: u64 = 1 << 20;

pub(crate) static ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];

/// More workers bring nothing: they wait for each other's turn.
const MOST_WORKERS: usize = 8;
/// What direct I/O wants buffers, offsets and lengths to be multiples of.
pub(crate) const ALIGNED: usize = 4096;
/// How often the progress is told.
const TICK: Duration = Duration::from_millis(100);

/// What the sink gets.
pub(crate) enum Piece<'a> {
    /// One block.
    Block(Block<'a>),
    /// So many whole blocks of zeros.
    Zeros(u64),
}

/// One block.
pub(crate) struct Block<'a> {
    pub(crate) index: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) mask: Mask,
    /// The value in the tree; none when nothing is hashed.
    pub(crate) value: Option<Digest>,
    /// Bytes that had to be read: 0 for a hole.
    pub(crate) read: u64,
}

/// Takes all pieces, in order.
pub(crate) trait Sink: Send {
    /// Takes a piece; what of its bytes the worker shall put away afterwards, when others already have their turn.
    fn take(&mut self, piece: &Piece<'_>) -> Result<Vec<Fill>, TransferError>;

    /// Whether [`Sink::settle`] is due before the next piece.
    fn is_due(&self) -> bool {
        false
    }

    /// Everything that was taken so far has been put away.
    fn settle(&mut self) -> Result<(), TransferError> {
        Ok(())
    }

    /// Something that was taken could not be put away.
    fn lost(&mut self) {}
}

impl<F: FnMut(&Piece<'_>) -> Result<(), TransferError> + Send> Sink for F {
    fn take(&mut self, piece: &Piece<'_>) -> Result<Vec<Fill>, TransferError> {
        self(piece).map(|()| Vec::new())
    }
}

/// Bytes of a block that a worker puts away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fill {
    /// Where they begin in the block, and how many they are.
    pub(crate) start: usize,
    pub(crate) len: usize,
    /// Where they belong in the file.
    pub(crate) offset: u64,
}

/// Puts bytes away at an offset of the file.
pub(crate) type Filler<'a> = dyn Fn(&[u8], u64) -> Result<(), TransferError> + Sync + 'a;

/// Number of blocks of a content of `len` bytes.
pub(crate) fn block_count(len: u64) -> u64 {
    len.div_ceil(BLOCK)
}

/// Length of block number `index` of a content of `total` bytes.
pub(crate) fn block_len(total: u64, index: u64) -> usize {
    total.saturating_sub(index * BLOCK).min(BLOCK) as usize
}

/// What the workers share.
struct Workers<'a> {
    content: &'a dyn Content,
    filler: Option<&'a Filler<'a>>,
    tree: Option<Tree>,
    cancel: &'a Cancel,
    cursor: Mutex<Cursor>,
    ordered: Mutex<Ordered<'a>>,
    /// Signalled when a piece was handed over or put away, or a worker ended.
    turn: Condvar,
    /// Signalled when a worker ended.
    ended: Condvar,
    /// Bytes that were dealt with.
    passed: AtomicU64,
}

/// Which block comes next.
struct Cursor {
    index: u64,
    ticket: u64,
    /// Whether the run around the next block is known to be zeros, and its end.
    run: (bool, u64),
}

/// What one worker does next.
struct Item {
    ticket: u64,
    index: u64,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A block that must be read.
    Data,
    /// A block that is known to be zeros, but has a value of its own.
    Hole,
    /// So many whole blocks that are known to be zeros.
    Zeros(u64),
}

/// What happens in the order of the content.
struct Ordered<'a> {
    sink: &'a mut dyn Sink,
    turn: u64,
    /// Workers that put bytes away.
    filling: usize,
    throttle: Throttle,
    error: Option<TransferError>,
    /// Workers that have not ended.
    left: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Goes over all blocks from number `from` on, of which nothing is read that is known to be zeros. The first error ends it;
/// everything before the block that could not be read has been handed over then.
pub(crate) fn run(
    content: &dyn Content,
    (tree, stage): (Option<Tree>, Stage),
    from: u64,
    watch: &Watch<'_>,
    sink: &mut dyn Sink,
) -> Result<(), TransferError> {
    run_filling((content, None), (tree, stage), from, watch, sink)
}

/// Like [`run`], with somebody who puts away what the sink leaves to the workers.
pub(crate) fn run_filling(
    (content, filler): (&dyn Content, Option<&Filler<'_>>),
    (tree, stage): (Option<Tree>, Stage),
    from: u64,
    watch: &Watch<'_>,
    sink: &mut dyn Sink,
) -> Result<(), TransferError> {
    let start = (from * BLOCK).min(content.len());
    watch.progress.started(stage, content.len());
    watch.progress.advanced(start);
    let cores = std::thread::available_parallelism().map_or(2, |n| n.get());
    // A worker that puts away waits for the medium and not for a core.
    let threads = if filler.is_some() { MOST_WORKERS } else { cores.min(MOST_WORKERS) };
    let throttle = Throttle::new(watch.rate);
    let workers = Workers {
        content,
        filler,
        tree,
        cancel: watch.cancel,
        cursor: Mutex::new(Cursor { index: from, ticket: 0, run: (false, start) }),
        ordered: Mutex::new(Ordered { sink, turn: 0, filling: 0, throttle, error: None, left: threads }),
        turn: Condvar::new(),
        ended: Condvar::new(),
        passed: AtomicU64::new(start),
    };
    let mut told = start;
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
            ordered = workers.ended.wait_timeout(ordered, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    });
    tell();
    match workers.ordered.into_inner().unwrap_or_else(PoisonError::into_inner).error {
        Some(error) => Err(error),
        None => {
            watch.progress.finished();
            Ok(())
        }
    }
}

impl<'a> Workers<'a> {
    fn run(&self) {
        let result = self.work();
        let mut ordered = lock(&self.ordered);
        if let Err(error) = result {
            ordered.error.get_or_insert(error);
        }
        ordered.left -= 1;
        drop(ordered);
        self.turn.notify_all();
        self.ended.notify_all();
    }

    /// Takes one item after the other, until there is none or somebody failed.
    fn work(&self) -> Result<(), TransferError> {
        // Aligned, so that it can be written past the page cache.
        let mut memory = vec![0; BLOCK as usize + ALIGNED];
        let start = memory.as_ptr().align_offset(ALIGNED);
        let buffer = memory.get_mut(start..).unwrap_or_default();
        while let Some(item) = self.next()? {
            // A block that cannot be read still waits for its turn, so that all before it are handed over.
            let piece = self.piece(&item, buffer);
            let mut ordered = self.wait(|ordered| ordered.turn == item.ticket);
            if ordered.error.is_none() && ordered.sink.is_due() {
                drop(ordered);
                ordered = self.wait(|ordered| ordered.filling == 0);
                if ordered.error.is_none() {
                    ordered.sink.settle()?;
                }
            }
            if ordered.error.is_some() {
                break;
            }
            let piece = piece?;
            let (all, read) = match &piece {
                Piece::Block(block) => (block.bytes.len() as u64, block.read),
                Piece::Zeros(count) => (count * BLOCK, 0),
            };
            let fills = ordered.sink.take(&piece)?;
            ordered.turn += 1;
            ordered.filling += usize::from(!fills.is_empty());
            let early = ordered.throttle.pass(read);
            drop(ordered);
            self.turn.notify_all();
            self.fill(&piece, &fills)?;
            self.passed.fetch_add(all, Ordering::Relaxed);
            self.pause(early);
        }
        Ok(())
    }

    /// Waits until it is so, or somebody failed.
    fn wait(&self, so: impl Fn(&Ordered<'a>) -> bool) -> MutexGuard<'_, Ordered<'a>> {
        let mut ordered = lock(&self.ordered);
        while !so(&ordered) && ordered.error.is_none() {
            ordered = self.turn.wait(ordered).unwrap_or_else(PoisonError::into_inner);
        }
        ordered
    }

    /// Puts away what the sink left to this worker.
    fn fill(&self, piece: &Piece<'_>, fills: &[Fill]) -> Result<(), TransferError> {
        let (Piece::Block(block), Some(filler), false) = (piece, self.filler, fills.is_empty()) else { return Ok(()) };
        let put = fills.iter().try_for_each(|fill| {
            let bytes = block.bytes.get(fill.start..fill.start + fill.len).unwrap_or_default();
            filler(bytes, fill.offset)
        });
        let mut ordered = lock(&self.ordered);
        ordered.filling -= 1;
        if put.is_err() {
            ordered.sink.lost();
        }
        drop(ordered);
        self.turn.notify_all();
        put
    }

    /// Waits, but not longer than nobody asks to stop.
    fn pause(&self, mut rest: Duration) {
        while !rest.is_zero() && !self.cancel.is_cancelled() {
            let part = rest.min(TICK);
            std::thread::sleep(part);
            rest -= part;
        }
    }

    fn piece<'b>(&self, item: &Item, buffer: &'b mut [u8]) -> Result<Piece<'b>, TransferError> {
        let (index, total) = (item.index, self.content.len());
        let len = block_len(total, index);
        let offset = index * BLOCK;
        let (bytes, mask, read) = match item.kind {
            Kind::Zeros(count) => return Ok(Piece::Zeros(count)),
            Kind::Hole => (ZEROS.get(..len).unwrap_or_default(), Mask::default(), 0),
            Kind::Data => {
                let bytes = buffer.get_mut(..len).unwrap_or_default();
                let (mask, read) = self.content.block(offset, bytes)?;
                (&*bytes, mask, read)
            }
        };
        let value = self.tree.map(|tree| tree.block(total, offset, bytes, mask));
        Ok(Piece::Block(Block { index, bytes, mask, value, read }))
    }

    /// The next item; none at the end.
    fn next(&self) -> Result<Option<Item>, TransferError> {
        let mut cursor = lock(&self.cursor);
        let total = self.content.len();
        let offset = cursor.index.saturating_mul(BLOCK);
        if offset >= total {
            return Ok(None);
        }
        if self.cancel.is_cancelled() {
            return Err(TransferError::Cancelled);
        }
        if offset >= cursor.run.1 {
            cursor.run = self.content.run(offset)?;
        }
        let (zero, end) = cursor.run;
        let whole = (end.min(total) / BLOCK).saturating_sub(cursor.index);
        let kind = match (zero, whole) {
            (true, 1..) if self.tree == Some(Tree::Plain) => Kind::Hole,
            (true, 1..) => Kind::Zeros(whole),
            (true, 0) if end >= total => Kind::Hole,
            _ => Kind::Data,
        };
        let item = Item { ticket: cursor.ticket, index: cursor.index, kind };
        cursor.ticket += 1;
        cursor.index += if let Kind::Zeros(count) = kind { count } else { 1 };
        Ok(Some(item))
    }
}
