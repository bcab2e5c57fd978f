//! Data runs: which clusters of the volume hold which clusters of an attribute.

use super::record::Segment;

/// More runs than this are refused: 32 MiB of memory; Windows stops earlier.
const MAX_RUNS: usize = 1 << 21;
const HOLE: u64 = u64::MAX;

/// The runs of one attribute in the order of its clusters.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs {
    /// First cluster of the attribute and of the volume.
    starts: Vec<(u64, u64)>,
    /// Clusters mapped so far.
    end: u64,
}

/// Where a cluster of an attribute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// At this cluster of the volume; so many clusters follow each other from there.
    At(u64, u64),
    /// In a hole of so many clusters.
    Hole(u64),
}

impl Spot {
    pub(super) fn clusters(self) -> u64 {
        match self {
            Spot::At(_, clusters) | Spot::Hole(clusters) => clusters,
        }
    }
}

/// Why runs were refused: what is wrong, and what would be right.
pub(super) type Wrong = (String, String);

impl Runs {
    /// Clusters of the attribute that are mapped.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Appends the runs of the next piece of the attribute; `clusters` are those of the volume.
    pub(super) fn append(&mut self, segment: &Segment<'_>, clusters: u64) -> Result<(), Wrong> {
        if segment.lowest != self.end {
            return Err((format!("go on at cluster {}", segment.lowest), format!("cluster {}", self.end)));
        }
        let mut rest = segment.pairs;
        let mut place = 0_u64;
        while let Some((&head, after)) = rest.split_first().filter(|(head, _)| **head != 0) {
            let (len_bytes, place_bytes) = (usize::from(head & 15), usize::from(head >> 4));
            let cut = || ("are cut".to_owned(), "an end mark".to_owned());
            let len = number(after, len_bytes).ok_or_else(cut)?;
            let after = after.get(len_bytes..).ok_or_else(cut)?;
            let step = number(after, place_bytes).ok_or_else(cut)?;
            rest = after.get(place_bytes..).ok_or_else(cut)?;
            let start = if place_bytes == 0 {
                HOLE
            } else {
                place = place.wrapping_add_signed(step);
                place
            };
            self.push(len, start, clusters)?;
        }
        let expected = segment.highest.wrapping_add(1);
        if self.end != expected {
            return Err((format!("end before cluster {}", self.end), format!("cluster {expected}")));
        }
        Ok(())
    }

    fn push(&mut self, len: i64, start: u64, clusters: u64) -> Result<(), Wrong> {
        let right = || format!("a run within the {clusters} clusters of the volume");
        let len = u64::try_from(len)
            .ok()
            .filter(|len| *len > 0)
            .ok_or_else(|| (format!("have a run of {len} clusters"), right()))?;
        if start != HOLE && start.checked_add(len).is_none_or(|end| end > clusters) {
            return Err((format!("have {len} clusters at cluster {start}"), right()));
        }
        let end = self.end.checked_add(len).filter(|end| *end < 1 << 54);
        let end = end.ok_or_else(|| (format!("have a run of {len} clusters"), right()))?;
        if self.starts.len() >= MAX_RUNS {
            return Err((format!("are more than {MAX_RUNS}"), "fewer".to_owned()));
        }
        self.starts.push((self.end, start));
        self.end = end;
        Ok(())
    }

    /// The runs that lie on the volume: first cluster and clusters.
    pub(super) fn stored(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let ends = self.starts.iter().skip(1).map(|(first, _)| *first).chain([self.end]);
        let runs = self.starts.iter().zip(ends);
        runs.filter(|((_, start), _)| *start != HOLE).map(|((first, start), end)| (*start, end - first))
    }

    /// Where the cluster `at` of the attribute is; `None` past the end.
    pub(super) fn locate(&self, at: u64) -> Option<Spot> {
        let next = self.starts.partition_point(|(first, _)| *first <= at);
        let (first, start) = *self.starts.get(next.checked_sub(1)?)?;
        let end = self.starts.get(next).map_or(self.end, |(first, _)| *first);
        let left = end.checked_sub(at).filter(|left| *left > 0)?;
        Some(if start == HOLE { Spot::Hole(left) } else { Spot::At(start + (at - first), left) })
    }
}

/// A signed little-endian number of up to 8 bytes; none is 0.
fn number(bytes: &[u8], len: usize) -> Option<i64> {
    let bytes = bytes.get(..len).filter(|_| len <= 8)?;
    let Some(last) = bytes.last() else { return Some(0) };
    let mut all = [if last & 0x80 == 0 { 0 } else { 0xFF }; 8];
    all.get_mut(..len)?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(highest: u64, pairs: &[u8]) -> Segment<'_> {
        Segment { lowest: 0, highest, unit: 0, size: 0, initialized: 0, pairs }
    }

    #[test]
    fn runs_go_forward_backward_and_over_holes() {
        let mut runs = Runs::default();
        // 0x18 clusters at 0x5634, 4 of a hole, 2 at 0x5634 - 0x10.
        runs.append(&segment(0x1D, &[0x21, 0x18, 0x34, 0x56, 0x01, 0x04, 0x11, 0x02, 0xF0, 0]), 0x6000).unwrap();
        assert_eq!(runs.locate(0), Some(Spot::At(0x5634, 0x18)));
        assert_eq!(runs.locate(0x17), Some(Spot::At(0x564B, 1)));
        assert_eq!(runs.locate(0x1A), Some(Spot::Hole(2)));
        assert_eq!(runs.locate(0x1C), Some(Spot::At(0x5624, 2)));
        assert_eq!(runs.locate(0x1E), None);
    }

    #[test]
    fn wrong_runs_are_refused() {
        let over = |pairs: &[u8], highest| Runs::default().append(&segment(highest, pairs), 100).unwrap_err();
        assert!(over(&[0x11, 0x02, 0x63, 0], 1).0.contains("2 clusters at cluster 99"));
        assert!(over(&[0x11, 0x02, 0xF0, 0], 1).1.contains("within the 100 clusters"));
        assert!(over(&[0x11, 0x00, 0x01, 0], 1).0.contains("a run of 0 clusters"));
        assert!(over(&[0x11, 0x80, 0x01, 0], 1).0.contains("a run of -128 clusters"));
        assert!(over(&[0x21, 0x02, 0x01], 1).0.contains("are cut"));
        assert!(over(&[0x11, 0x02, 0x01, 0], 5).1.contains("cluster 6"));
    }
}
