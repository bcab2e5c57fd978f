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

type Sink<'a> = dyn FnMut(Piece<'_>) -> Result<(), TransferError> + Send + 'a;

/// Number of blocks of a content of `len` bytes.
pub(crate) fn block_count(len: u64) -> u64 {
    len.div_ceil(BLOCK)
}

/// Length of block number `index` of a content of `total` bytes.
pub(crate) fn block_len(total: u64, index: u64) -> usize {
    total.saturating_sub(index * BLOCK).min(BLOCK) as usize
}

/// What the workers share.
struct Workers<'a, 'b> {
    content: &'a dyn Content,
    tree: Option<Tree>,
    cancel: &'a Cancel,
    cursor: Mutex<Cursor>,
    ordered: Mutex<Ordered<'a, 'b>>,
    /// Signalled when a piece was handed over or a worker ended.
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
struct Ordered<'a, 'b> {
    sink: &'a mut Sink<'b>,
    turn: u64,
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
    sink: &mut Sink<'_>,
) -> Result<(), TransferError> {
    let start = (from * BLOCK).min(content.len());
    watch.progress.started(stage, content.len());
    watch.progress.advanced(start);
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get()).min(MOST_WORKERS);
    let throttle = Throttle::new(watch.rate);
    let workers = Workers {
        content,
        tree,
        cancel: watch.cancel,
        cursor: Mutex::new(Cursor { index: from, ticket: 0, run: (false, start) }),
        ordered: Mutex::new(Ordered { sink, turn: 0, throttle, error: None, left: threads }),
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

impl Workers<'_, '_> {
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
        let mut buffer = Vec::new();
        while let Some(item) = self.next()? {
            // A block that cannot be read still waits for its turn, so that all before it are handed over.
            let piece = self.piece(&item, &mut buffer);
            let mut ordered = lock(&self.ordered);
            while ordered.turn != item.ticket && ordered.error.is_none() {
                ordered = self.turn.wait(ordered).unwrap_or_else(PoisonError::into_inner);
            }
            if ordered.error.is_some() {
                break;
            }
            let piece = piece?;
            let (all, read) = match &piece {
                Piece::Block(block) => (block.bytes.len() as u64, block.read),
                Piece::Zeros(count) => (count * BLOCK, 0),
            };
            (ordered.sink)(piece)?;
            ordered.turn += 1;
            let early = ordered.throttle.pass(read);
            drop(ordered);
            self.turn.notify_all();
            self.passed.fetch_add(all, Ordering::Relaxed);
            self.pause(early);
        }
        Ok(())
    }

    /// Waits, but not longer than nobody asks to stop.
    fn pause(&self, mut rest: Duration) {
        while !rest.is_zero() && !self.cancel.is_cancelled() {
            let part = rest.min(TICK);
            std::thread::sleep(part);
            rest -= part;
        }
    }

    fn piece<'b>(&self, item: &Item, buffer: &'b mut Vec<u8>) -> Result<Piece<'b>, TransferError> {
        let (index, total) = (item.index, self.content.len());
        let len = block_len(total, index);
        let offset = index * BLOCK;
        let (bytes, mask, read) = match item.kind {
            Kind::Zeros(count) => return Ok(Piece::Zeros(count)),
            Kind::Hole => (ZEROS.get(..len).unwrap_or_default(), Mask::default(), 0),
            Kind::Data => {
                buffer.resize(BLOCK as usize, 0);
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
