//! What the replayed log lays over the file: pages of 4 KiB and ranges of zeros, by file offset. Only places are kept;
//! the bytes of a page stay in the log, where they are read when they are wanted.

use std::collections::BTreeMap;

/// Length of a page.
pub(super) const PAGE: u64 = 4096;

/// What lies over a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Zeros,
    /// A page whose data sector lies at `at`; the log keeps its first 8 and last 4 bytes apart from the rest.
    Page {
        at: u64,
        leading: [u8; 8],
        trailing: [u8; 4],
    },
}

/// Ranges that do not overlap. All begin and end at multiples of 4 KiB, so that pages are never cut.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// By start: end and source.
    pieces: BTreeMap<u64, (u64, Source)>,
}

impl Overlay {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Lays `source` over `start..end` and whatever was there.
    pub(super) fn put(&mut self, start: u64, end: u64, source: Source) {
        if start >= end {
            return;
        }
        if let Some((&before, &(reach, old))) = self.pieces.range(..start).next_back()
            && reach > start
        {
            self.pieces.insert(before, (start, old));
            self.pieces.insert(start, (reach, old));
        }
        while let Some((&next, &(reach, old))) = self.pieces.range(start..end).next() {
            self.pieces.remove(&next);
            if reach > end {
                self.pieces.insert(end, (reach, old));
            }
        }
        self.pieces.insert(start, (end, source));
    }

    /// The pieces that touch `start..end`, in ascending order.
    pub(super) fn touching(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, u64, Source)> {
        let first = self.pieces.range(..start).next_back().filter(|(_, (reach, _))| *reach > start);
        let rest = self.pieces.range(start..end.max(start));
        first.into_iter().chain(rest).map(|(start, (end, source))| (*start, *end, *source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_pieces_cover_earlier_ones() {
        let page = |at| Source::Page { at, leading: [0; 8], trailing: [0; 4] };
        let mut overlay = Overlay::default();
        let mut model = [None; 64];
        let mut state = 1u64;
        for step in 0..500 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let start = state >> 33 & 63;
            let end = if step % 2 == 0 { start + 1 } else { (start + (state >> 50 & 31)).min(64) };
            let source = if step % 2 == 0 { page(step) } else { Source::Zeros };
            overlay.put(start * PAGE, end * PAGE, source);
            model[start as usize..end as usize].fill(Some(source));
            for (index, expected) in (0u64..).zip(model) {
                let found: Vec<_> = overlay.touching(index * PAGE + 5, index * PAGE + 6).collect();
                assert_eq!(found.first().map(|piece| piece.2), expected);
                assert!(found.len() <= 1);
            }
        }
        assert_eq!(
            overlay.touching(0, 64 * PAGE).map(|(start, end, _)| end - start).max().map(|len| len >= PAGE),
            Some(true)
        );
    }
}
