//! Runs of free units out of a bitmap (a set bit is in use, lowest bit first), as NTFS and ext keep it.

use std::ops::Range;

use super::{GuestFsError, bytes};
use crate::io::SharedFile;

/// Bytes of the bitmap that are read at once.
const PIECE: usize = 1 << 16;

/// Iterates over the free runs of a bitmap; an error ends it.
pub struct FreeRuns {
    bits: SharedFile,
    count: u64,
    at: u64,
    piece: Vec<u8>,
    piece_start: u64,
}

impl FreeRuns {
    /// Over the first `count` bits of `bits`.
    pub(super) fn new(bits: SharedFile, count: u64) -> Self {
        let count = count.min(bits.len().saturating_mul(8));
        FreeRuns { bits, count, at: 0, piece: Vec::new(), piece_start: 0 }
    }

    /// The end of the run of equal bits from `at`, and whether they are set.
    fn run(&mut self, at: u64) -> Result<(bool, u64), GuestFsError> {
        let first = self.byte(at / 8)? >> (at % 8) & 1;
        let whole = if first == 1 { 0xFF } else { 0 };
        let mut end = at;
        while end < self.count {
            let byte = self.byte(end / 8)?;
            if byte == whole && end.is_multiple_of(8) {
                end += 8;
            } else if byte >> (end % 8) & 1 == first {
                end += 1;
            } else {
                break;
            }
        }
        Ok((first == 1, end.min(self.count)))
    }

    fn byte(&mut self, at: u64) -> Result<u8, GuestFsError> {
        let inside = at.wrapping_sub(self.piece_start);
        if let Some(byte) = usize::try_from(inside).ok().and_then(|inside| self.piece.get(inside)) {
            return Ok(*byte);
        }
        let start = at - at % PIECE as u64;
        self.piece = bytes::read_some(&*self.bits, start, PIECE)?;
        self.piece_start = start;
        Ok(self.piece.get((at - start) as usize).copied().unwrap_or(0xFF))
    }

    fn step(&mut self) -> Result<Option<Range<u64>>, GuestFsError> {
        while self.at < self.count {
            let start = self.at;
            let (used, end) = self.run(start)?;
            self.at = end;
            if !used {
                return Ok(Some(start..end));
            }
        }
        Ok(None)
    }
}

impl Iterator for FreeRuns {
    type Item = Result<Range<u64>, GuestFsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.at = self.count;
        }
        step.transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::io::MemoryFile;

    #[test]
    fn runs_cross_bytes_and_pieces() {
        let mut bits = vec![0; 3 * PIECE];
        bits[0] = 0b1110_0001;
        bits[2 * PIECE] = 0b0000_0100;
        let runs = FreeRuns::new(Arc::new(MemoryFile::new("bits", bits)), 16 * PIECE as u64 + 20);
        let runs: Vec<Range<u64>> = runs.map(Result::unwrap).collect();
        let third = 16 * PIECE as u64;
        assert_eq!(runs, [1..5, 8..third + 2, third + 3..third + 20]);
    }
}
