//! Sector bitmaps: one bit for each sector of a block, the first sector in bit 7 of byte 0. A set bit: the sector lies
//! in this file; a clear bit: it belongs to the parent, or is zero where there is none.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bitmaps that are neither full nor empty, kept for the next read. A bitmap of the usual block has 512 bytes.
const KEPT: usize = 64;

const UNKNOWN: u8 = 0;
const FULL: u8 = 1;
const EMPTY: u8 = 2;
const MIXED: u8 = 3;

/// What the bitmap of one block says.
#[derive(Debug, Clone)]
pub(super) enum Bitmap {
    /// All sectors lie in the file.
    Full,
    /// None does.
    Empty,
    /// Some do.
    Mixed(Arc<[u8]>),
}

impl Bitmap {
    fn of(bytes: Vec<u8>) -> Self {
        if bytes.iter().all(|&byte| byte == 0xFF) {
            Bitmap::Full
        } else if bytes.iter().all(|&byte| byte == 0) {
            Bitmap::Empty
        } else {
            Bitmap::Mixed(bytes.into())
        }
    }
}

/// The bitmaps of one file as far as they were read.
pub(super) struct BitmapCache {
    states: Vec<AtomicU8>,
    mixed: Mutex<VecDeque<(u32, Arc<[u8]>)>>,
}

impl BitmapCache {
    pub(super) fn new(blocks: usize) -> Self {
        let mut states = Vec::new();
        states.resize_with(blocks, AtomicU8::default);
        BitmapCache { states, mixed: Mutex::default() }
    }

    /// The bitmap of `block`; `read` fetches its used bytes when they are not known yet.
    pub(super) fn get<E>(&self, block: u32, read: impl FnOnce() -> Result<Vec<u8>, E>) -> Result<Bitmap, E> {
        let state = self.states.get(block as usize);
        match state.map_or(UNKNOWN, |state| state.load(Ordering::Relaxed)) {
            FULL => return Ok(Bitmap::Full),
            EMPTY => return Ok(Bitmap::Empty),
            MIXED => {
                let kept = self.mixed.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((_, bytes)) = kept.iter().rev().find(|(number, _)| *number == block) {
                    return Ok(Bitmap::Mixed(Arc::clone(bytes)));
                }
            }
            _ => {}
        }
        let bitmap = Bitmap::of(read()?);
        let code = match &bitmap {
            Bitmap::Full => FULL,
            Bitmap::Empty => EMPTY,
            Bitmap::Mixed(bytes) => {
                let mut kept = self.mixed.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back((block, Arc::clone(bytes)));
                MIXED
            }
        };
        if let Some(state) = state {
            state.store(code, Ordering::Relaxed);
        }
        Ok(bitmap)
    }
}

/// Whether the bit of `sector` is set, and how many sectors from there on, at most `limit`, have the same bit.
pub(super) fn run(bitmap: &[u8], sector: u64, limit: u64) -> (bool, u64) {
    let bit = |sector: u64| {
        let byte = usize::try_from(sector / 8).ok().and_then(|at| bitmap.get(at)).copied().unwrap_or(0);
        byte & (0x80 >> (sector % 8)) != 0
    };
    let value = bit(sector);
    let whole = if value { 0xFF } else { 0 };
    let mut len = 1;
    while len < limit {
        let next = sector + len;
        if next.is_multiple_of(8) && bitmap.get((next / 8) as usize) == Some(&whole) {
            len += 8;
        } else if bit(next) == value {
            len += 1;
        } else {
            break;
        }
    }
    (value, len.min(limit.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sector_is_the_highest_bit_and_clear_bits_stay_clear() {
        // 1000_0001 1111_1111 0000_0000 0100_0000
        let bitmap = [0x81, 0xFF, 0x00, 0x40];
        assert_eq!(run(&bitmap, 0, 32), (true, 1));
        assert_eq!(run(&bitmap, 1, 32), (false, 6));
        assert_eq!(run(&bitmap, 7, 25), (true, 9));
        assert_eq!(run(&bitmap, 16, 16), (false, 9));
        assert_eq!(run(&bitmap, 25, 7), (true, 1));
        assert_eq!(run(&bitmap, 26, 6), (false, 6));
        assert_eq!(run(&bitmap, 8, 3), (true, 3));
    }

    #[test]
    fn runs_agree_with_single_bits() {
        let bitmap: Vec<u8> = (0u32..64).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let bit = |n: u64| bitmap[(n / 8) as usize] >> (7 - n % 8) & 1 == 1;
        let mut at = 0;
        while at < 512 {
            let (value, len) = run(&bitmap, at, 512 - at);
            assert!((at..at + len).all(|n| bit(n) == value));
            assert!(at + len == 512 || bit(at + len) != value);
            at += len;
        }
    }

    #[test]
    fn mixed_bitmaps_are_read_again_when_they_were_dropped() {
        let cache = BitmapCache::new(200);
        let mut reads = 0;
        for round in 0..2 {
            for block in 0..100u32 {
                let found = cache.get(block, || {
                    reads += 1;
                    Ok::<_, ()>(vec![block as u8 + 1, 0])
                });
                assert!(matches!(found, Ok(Bitmap::Mixed(bytes)) if bytes[0] == block as u8 + 1), "round {round}");
            }
        }
        assert_eq!(reads, 200);
    }
}
