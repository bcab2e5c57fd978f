//! Reads a content in blocks on all cores, hashes and zero-tests each, and hands them to one sink in order. At most
//! `BUFFERS` blocks are in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::content::Content;
use crate::digest::{Digest, block_value};
use crate::error::TransferError;
use crate::progress::Cancel;

/// Bytes of a block: the unit of manifests. A power of two of BLAKE3 chunks, so that a block is a subtree.
pub const BLOCK: u64 = 1 << 20;

/// Bytes of a unit: the granularity in which zeros are found and left out.
pub(crate) const UNIT: usize = 64 << 10;

const BUFFERS: usize = 32;

static ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];

/// One block, as the sink gets it.
pub(crate) struct Block<'a> {
    pub(crate) offset: u64,
    pub(crate) digest: Digest,
    /// Bit i is set when unit i of the block holds a byte that is not zero.
    pub(crate) mask: u16,
    pub(crate) bytes: &'a [u8],
    /// Bytes that had to be read: 0 for a hole.
    pub(crate) read: u64,
}

struct Ready {
    digest: Digest,
    mask: u16,
    read: u64,
    buffer: Vec<u8>,
}

type Message = (u64, Result<Ready, TransferError>);

struct Shared<'a> {
    content: &'a dyn Content,
    next: AtomicU64,
    blocks: u64,
    cancel: &'a Cancel,
    pool: Mutex<Receiver<Vec<u8>>>,
}

/// Number of blocks of a content of `len` bytes.
pub(crate) fn block_count(len: u64) -> u64 {
    len.div_ceil(BLOCK)
}

/// Runs over all blocks from number `from`; the sink is called in order on this thread. The first error ends the run.
pub(crate) fn run(
    content: &dyn Content,
    from: u64,
    cancel: &Cancel,
    sink: &mut dyn FnMut(Block<'_>) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    let blocks = block_count(content.len());
    let (free, pool) = channel();
    let (results, ready) = channel();
    let shared = Shared { content, next: AtomicU64::new(from), blocks, cancel, pool: Mutex::new(pool) };
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get()).min(BUFFERS / 2);
    let threads = threads.min(usize::try_from(blocks.saturating_sub(from)).unwrap_or(threads));
    for _ in 0..BUFFERS.min(threads * 8) {
        let _ = free.send(Vec::new());
    }
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let results = results.clone();
            let shared = &shared;
            scope.spawn(move || work(shared, &results));
        }
        drop(results);
        // `free` and `ready` are dropped when the sink stops, which ends the workers.
        in_order(&shared, from, ready, free, sink)
    })
}

fn in_order(
    shared: &Shared<'_>,
    from: u64,
    ready: Receiver<Message>,
    free: Sender<Vec<u8>>,
    sink: &mut dyn FnMut(Block<'_>) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    let mut waiting: BTreeMap<u64, Ready> = BTreeMap::new();
    for index in from..shared.blocks {
        while !waiting.contains_key(&index) {
            let (number, block) = ready.recv().map_err(|_| TransferError::Cancelled)?;
            waiting.insert(number, block?);
        }
        if shared.cancel.is_cancelled() {
            return Err(TransferError::Cancelled);
        }
        let Some(block) = waiting.remove(&index) else { continue };
        let len = block_len(shared.content.len(), index);
        let bytes = if block.read == 0 { ZEROS.get(..len) } else { block.buffer.get(..len) };
        let bytes = bytes.expect("a block that was read fills its buffer");
        let Ready { digest, mask, read, .. } = block;
        sink(Block { offset: index * BLOCK, digest, mask, bytes, read })?;
        let _ = free.send(block.buffer);
    }
    Ok(())
}

fn block_len(total: u64, index: u64) -> usize {
    total.saturating_sub(index * BLOCK).min(BLOCK) as usize
}

/// A buffer is taken before the number of a block, so that the block which is next in order always has one.
fn work(shared: &Shared<'_>, results: &Sender<Message>) {
    loop {
        let buffer = shared.pool.lock().ok().and_then(|pool| pool.recv().ok());
        let Some(buffer) = buffer else { return };
        let index = shared.next.fetch_add(1, Ordering::Relaxed);
        if index >= shared.blocks || shared.cancel.is_cancelled() {
            return;
        }
        if results.send((index, block(shared.content, index, buffer))).is_err() {
            return;
        }
    }
}

fn block(content: &dyn Content, index: u64, mut buffer: Vec<u8>) -> Result<Ready, TransferError> {
    let total = content.len();
    let offset = index * BLOCK;
    let len = block_len(total, index);
    if content.is_hole(offset, len as u64)? {
        let digest = block_value(total, offset, &ZEROS[..len]);
        return Ok(Ready { digest, mask: 0, read: 0, buffer });
    }
    buffer.resize(BLOCK as usize, 0);
    let bytes = &mut buffer[..len];
    content.read(offset, bytes)?;
    let mask = mask_of(bytes);
    Ok(Ready { digest: block_value(total, offset, bytes), mask, read: len as u64, buffer })
}

/// Bit i is set when unit i of a block holds a byte that is not zero.
pub(crate) fn mask_of(bytes: &[u8]) -> u16 {
    let mut mask = 0;
    for (i, unit) in bytes.chunks(UNIT).enumerate() {
        if ZEROS[..unit.len()] != *unit {
            mask |= 1 << i;
        }
    }
    mask
}

/// The runs of set bits of a mask, as (first unit, number of units).
pub(crate) fn runs(mask: u16) -> impl Iterator<Item = (usize, usize)> {
    let mut unit = 0;
    std::iter::from_fn(move || {
        let rest = u32::from(mask) >> unit;
        if rest == 0 {
            return None;
        }
        let first = unit + rest.trailing_zeros() as usize;
        let count = (u32::from(mask) >> first).trailing_ones() as usize;
        unit = first + count;
        Some((first, count))
    })
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn runs_of_a_mask() {
        assert_eq!(runs(0).count(), 0);
        assert_eq!(runs(0xFFFF).collect::<Vec<_>>(), [(0, 16)]);
        assert_eq!(runs(0b1000_0000_0110_0101).collect::<Vec<_>>(), [(0, 1), (2, 1), (5, 2), (15, 1)]);
    }
}
