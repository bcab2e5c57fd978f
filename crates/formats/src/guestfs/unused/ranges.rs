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
        while self.kept.len() >= self.limit {
            self.shortest = self.shortest.saturating_mul(2);
            let shortest = self.shortest;
            self.kept.retain(|range| range.end - range.start >= shortest);
        }
        // The last one may be joined with what comes next, so that it is judged when the next one comes.
        if self.kept.last().is_some_and(|last| last.end - last.start < self.shortest) {
            self.kept.pop();
        }
        self.kept.push(range);
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
        assert!(kept.len() <= 8 && kept.is_sorted_by_key(|range| range.start), "{kept:?}");
        assert!(kept.iter().filter(|range| range.end - range.start == 64).count() >= 7, "{kept:?}");
    }
}
