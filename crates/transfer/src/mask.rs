//! Which parts of a block hold something else than zeros, to 4 KiB.

use crate::pipeline::{BLOCK, ZEROS};

/// Bytes of a page: the granularity in which zeros are found.
pub(crate) const PAGE: usize = 4 << 10;
/// Bytes of a unit: the granularity in which lists of finished blocks note what was written.
pub(crate) const UNIT: usize = 64 << 10;

/// Bit i is set when page i of a block holds a byte that is not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mask([u64; BLOCK as usize / PAGE / 64]);

impl Mask {
    /// Looks at every byte of a block.
    #[cfg(test)]
    pub(crate) fn of(bytes: &[u8]) -> Mask {
        let mut mask = Mask::default();
        mask.look(0, bytes);
        mask
    }

    /// Looks at every byte of a part of a block that begins at `start`, a whole page.
    pub(crate) fn look(&mut self, start: usize, bytes: &[u8]) {
        for (i, page) in (start / PAGE..).zip(bytes.chunks(PAGE)) {
            if ZEROS.get(..page.len()) != Some(page) {
                self.set(i);
            }
        }
    }

    /// Takes a part of whole pages for data without looking at it.
    pub(crate) fn fill(&mut self, start: usize, len: usize) {
        (start / PAGE..(start + len).div_ceil(PAGE)).for_each(|page| self.set(page));
    }

    fn set(&mut self, page: usize) {
        if let Some(word) = self.0.get_mut(page / 64) {
            *word |= 1 << (page % 64);
        }
    }

    fn has(self, page: usize) -> bool {
        self.0.get(page / 64).is_some_and(|word| word >> (page % 64) & 1 == 1)
    }

    /// True when all pages are zeros.
    pub(crate) fn is_empty(self) -> bool {
        self == Mask::default()
    }

    /// True when the pages of `at .. at + len` are zeros.
    pub(crate) fn is_zero(self, at: usize, len: usize) -> bool {
        !(at / PAGE..(at + len).div_ceil(PAGE)).any(|page| self.has(page))
    }

    /// The runs of granules (bytes; whole pages) that hold something, as (start, length) in a block of `len` bytes.
    pub(crate) fn runs(self, granule: usize, len: usize) -> impl Iterator<Item = (usize, usize)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < len && self.is_zero(at, granule) {
                at += granule;
            }
            let start = at;
            while at < len && !self.is_zero(at, granule) {
                at += granule;
            }
            (start < len).then(|| (start, at.min(len) - start))
        })
    }

    /// Bit i is set when unit i holds something.
    pub(crate) fn units(self) -> u16 {
        (0..16).fold(0, |units, unit| units | u16::from(!self.is_zero(unit * UNIT, UNIT)) << unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_pages_with_something_in_them() {
        let len = BLOCK as usize - 1000;
        let mut bytes = vec![0; len];
        for at in [0, 4096, 3 * 4096 + 17, UNIT - 1, UNIT, 5 * UNIT + 9, len - 1] {
            bytes[at] = 1;
        }
        let mask = Mask::of(&bytes);
        let fine: Vec<_> = mask.runs(PAGE, len).collect();
        let last = len / PAGE * PAGE;
        assert_eq!(fine, [(0, 8192), (12288, 4096), (UNIT - 4096, 8192), (5 * UNIT, 4096), (last, len - last)]);
        let coarse: Vec<_> = mask.runs(UNIT, len).collect();
        assert_eq!(coarse, [(0, 2 * UNIT), (5 * UNIT, UNIT), (15 * UNIT, len - 15 * UNIT)]);
        assert_eq!(mask.units(), 1 << 15 | 1 << 5 | 3);
        assert_eq!(Mask::of(&ZEROS).runs(PAGE, len).count(), 0);
        assert_eq!(Mask::of(&[1; BLOCK as usize]).units(), u16::MAX);
    }
}
