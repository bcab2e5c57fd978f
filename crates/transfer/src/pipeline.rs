//! Goes over a content on all cores: workers read blocks, find their zeros and hash them. Whoever finds the next block in the
//! order ready takes the pen and hands the sink everything that is ready, while the others read on: the system takes one
//! write to a file at a time, so one worker writes without pause. The sink sees everything in order; runs of zeros that are
//! known as such are neither read nor, in the tree of manifests, hashed.

mod buffer;
mod item;
mod state;
mod workers;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::sync::PoisonError;

pub(crate) use buffer::ALIGNED;
use buffer::Memory;

use crate::content::Content;
use crate::copy::Watch;
use crate::digest::Digest;
use crate::error::TransferError;
use crate::mask::Mask;
use crate::progress::Stage;
use crate::tree::Tree;
use workers::Workers;

/// Bytes of a block: what is read at once, and the smallest unit of manifests. A power of two of BLAKE3 chunks, so that a
/// block is a subtree.
pub const BLOCK: u64 = 1 << 20;

pub(crate) static ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];

/// Blocks with data that may wait for the one that writes: while it is busy with them the others read on.
const AHEAD: usize = 12;

/// The same where the workers put away what it hands out: they have blocks enough themselves.
const AHEAD_OF_WRITERS: usize = 4;

/// Blocks that may wait for it at all; those that turned out to be zeros need no memory.
const FARTHEST: usize = 64;

/// More workers bring nothing: they wait for the one that writes.
const MOST_WORKERS: usize = 8;

/// A worker that puts away waits for the medium and not for a core, so that there are more of them.
const WRITERS: usize = 16;

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
    /// Takes a piece; what of its bytes the workers shall put away afterwards, in any order.
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
    let (threads, ahead) =
        if filler.is_some() { (WRITERS, AHEAD_OF_WRITERS) } else { (cores.min(MOST_WORKERS), AHEAD) };
    let mut memory = Memory::new(threads + ahead);
    let workers = Workers::new((content, filler, tree), from, watch, (threads, sink, memory.buffers()));
    let mut told = start;
    let mut tell = || {
        let passed = workers.passed();
        watch.progress.advanced(passed - told);
        told = passed;
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| workers.run());
        }
        while workers.are_at_work() {
            tell();
        }
    });
    tell();
    let mut state = workers.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let (true, Some(pen)) = (state.lost, &mut state.pen) {
        pen.sink.lost();
    }
    match state.error {
        Some(error) => Err(error),
        None => {
            watch.progress.finished();
            Ok(())
        }
    }
}
