//! The free ranges of a whole disk, in ascending order and bounded in number: where a volume is scattered into more than
//! can be kept, the shortest are forgotten, which copies more and loses nothing.

use std::ops::Range;

/// Most ranges that are kept: 8 MiB of memory.
const MAX_RANGES: usize = 1 << 19;

/// Collects ranges.
pub(super) struct Ranges {
    kept: Vec<Range<u64>>,
    limit: usize,
    shortest: u64,
}

impl Ranges {
    pub(super) fn new() -> Self {
        Self::with_limit(MAX_RANGES)
    }

    fn with_limit(limit: usize) -> Self {
        Ranges { kept: Vec::new(), limit, shortest: 1 }
    }

    /// Adds a range behind all others; neighbours are joined.
    pub(super) fn push(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        if let Some(last) = self.kept.last_mut().filter(|last| last.end == range.start) {
            last.end = range.end;
            return;
        }
        if self.kept.len() >= self.limit {
            self.forget_half();
        }
        // The last one may be joined with what comes next, so that it is judged when the next one comes.
        if self.kept.last().is_some_and(|last| last.end - last.start < self.shortest) {
            self.kept.pop();
        }
        self.kept.push(range);
    }

    /// Keeps the longer half, and from now on only what is as long.
    fn forget_half(&mut self) {
        let mut lengths: Vec<u64> = self.kept.iter().map(|range| range.end - range.start).collect();
        let middle = lengths.len() / 2;
        self.shortest = *lengths.select_nth_unstable(middle).1;
        let shortest = self.shortest;
        let longer = lengths.iter().filter(|len| **len > shortest).count();
        // Of those with just this length as many stay as the half has room for.
        let mut room = middle.saturating_sub(longer);
        self.kept.retain(|range| {
            let len = range.end - range.start;
            let stays = len > shortest || len == shortest && room > 0;
            room -= usize::from(stays && len == shortest);
            stays
        });
    }

    pub(super) fn finish(self) -> Vec<Range<u64>> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    #[test]
    fn neighbours_are_joined() {
        let mut ranges = Ranges::new();
        [0..4, 4..8, 10..12, 12..12, 12..13].into_iter().for_each(|range| ranges.push(range));
        assert_eq!(ranges.finish(), [0..8, 10..13]);
    }

    #[test]
    fn too_many_lose_the_shortest() {
        let mut ranges = Ranges::with_limit(8);
        for number in 0..1000_u64 {
            let len = if number % 100 == 50 { 64 } else { 1 + number % 3 };
            ranges.push(number * 100..number * 100 + len);
        }
        let kept = ranges.finish();
        assert!((4..=8).contains(&kept.len()) && kept.is_sorted_by_key(|range| range.start), "{kept:?}");
        // The last one was not judged yet.
        assert!(kept.iter().rev().skip(1).all(|range| range.end - range.start == 64), "{kept:?}");
    }
}
