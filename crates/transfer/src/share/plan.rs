//! Which parts of a range of the disk can be shared with the files that hold them, and which must be copied.

use hvm_formats::disk::{DiskError, ExtentKind, SharedDisk, Stored};
use hvm_formats::io::SharedFile;

use crate::pipeline::BLOCK;

/// Shorter parts are copied: a call for each costs more than their bytes, and the new file would lie in crumbs.
pub(super) const LEAST: u64 = 64 << 10;

/// A part of a range of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// First virtual byte.
    pub(crate) start: u64,
    /// Length in bytes.
    pub(crate) len: u64,
    /// Where its bytes lie, when they can be shared from there.
    pub(crate) from: Option<Stored>,
}

impl Part {
    /// What of it lies in `start .. end`.
    pub(super) fn within(self, start: u64, end: u64) -> Option<Part> {
        let (from, to) = (self.start.max(start), (self.start + self.len).min(end));
        let skip = from - self.start;
        let stored = self.from.map(|stored| Stored { at: stored.at + skip, ..stored });
        // Made only where there is something of it: before that, `to` may lie before `from`.
        (from < to).then(|| Part { start: from, len: to - from, from: stored })
    }
}

/// What is known of the source and of the new file.
pub(super) struct Planner {
    pub disk: SharedDisk,
    /// The files of the layers that can share.
    pub files: Vec<Option<SharedFile>>,
    /// Extents begin and end at multiples of this in every file.
    pub block: u64,
}

/// What became of the bytes that a plan was made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// They can be shared.
    pub shared: u64,
    /// They lie in a file that could share them, but not at the same distance from a multiple of a block as in the new file.
    pub askew: u64,
}

impl Planner {
    /// Divides `len` bytes from `start` on, a multiple of a block; each byte is in one part. Holes of a file are never shared:
    /// whether the new file may have some is for its writer to say.
    pub(super) fn plan(&self, start: u64, len: u64, tally: &mut Tally) -> Result<Vec<Part>, DiskError> {
        let (mut parts, mut at, end) = (Vec::new(), start, start + len);
        while at < end {
            let run = self.disk.stored(at, end - at)?;
            let file = run.place.and_then(|place| self.files.get(place.layer)?.as_ref());
            let (Some(place), Some(file)) = (run.place, file) else {
                push(&mut parts, Part { start: at, len: run.len, from: None });
                at += run.len;
                continue;
            };
            let (data, until) = file.run(place.at);
            let len = run.len.min(until.saturating_sub(place.at).max(1));
            let askew = place.at % self.block != at % self.block;
            if data && askew {
                tally.askew += len;
            }
            let first = at.next_multiple_of(self.block);
            let last = (at + len) / self.block * self.block;
            if data && !askew && last.saturating_sub(first) >= LEAST {
                push(&mut parts, Part { start: at, len: first - at, from: None });
                let from = Some(Stored { at: place.at + (first - at), ..place });
                push(&mut parts, Part { start: first, len: last - first, from });
                push(&mut parts, Part { start: last, len: at + len - last, from: None });
                tally.shared += last - first;
            } else {
                push(&mut parts, Part { start: at, len, from: None });
            }
            at += len;
        }
        Ok(parts)
    }

    /// Looks at all data until something can be shared: what there is instead, when nothing can although there are data.
    pub(super) fn nothing_fits(&self) -> Result<Option<Tally>, DiskError> {
        let (mut tally, mut at, mut data) = (Tally::default(), 0, false);
        while at < self.disk.size() {
            let run = self.disk.extent(at)?;
            let (mut start, end) = (run.start, run.start.saturating_add(run.len));
            while run.kind == ExtentKind::Data && start < end {
                // As the disk is divided when it is moved.
                let next = ((start / BLOCK + 1) * BLOCK).min(self.disk.size());
                let first = start / BLOCK * BLOCK;
                self.plan(first, next - first, &mut tally)?;
                (data, start) = (true, next);
                if tally.shared > 0 {
                    return Ok(None);
                }
            }
            at = end;
        }
        Ok(data.then_some(tally))
    }
}

/// Adds a part, joined with the last one where both are to be copied.
fn push(parts: &mut Vec<Part>, part: Part) {
    match parts.last_mut() {
        _ if part.len == 0 => {}
        Some(last) if last.from.is_none() && part.from.is_none() => last.len += part.len,
        _ => parts.push(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_outside_a_range_has_nothing_in_it() {
        let part = Part { start: 4096, len: 4096, from: Some(Stored { layer: 0, at: 100 }) };
        assert_eq!(part.within(0, 4096), None);
        assert_eq!(part.within(0, 1024), None);
        assert_eq!(part.within(8192, 12288), None);
        assert_eq!(part.within(16384, 20480), None);
        let half = Part { start: 6144, len: 2048, from: Some(Stored { layer: 0, at: 2148 }) };
        assert_eq!(part.within(6144, 9000), Some(half));
    }
}
