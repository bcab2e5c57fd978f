//! The file as it would be after the log was replayed. Nothing is ever written: the changes of the log are laid over
//! every read.

use crate::disk::{DiskError, read};
use crate::io::SharedFile;

use super::overlay::{Overlay, PAGE, Source};

/// A file with the changes of its log.
pub(super) struct View {
    file: SharedFile,
    overlay: Overlay,
    len: u64,
}

impl View {
    /// `len` is the length that the file would have: replaying may lengthen it, then zeros follow.
    pub(super) fn new(file: SharedFile, overlay: Overlay, len: u64) -> Self {
        let len = len.max(file.len());
        View { file, overlay, len }
    }

    pub(super) fn name(&self) -> &str {
        self.file.name()
    }

    pub(super) fn file_len(&self) -> u64 {
        self.file.len()
    }

    /// Length after the replay.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// As [`ReadAt::run`].
    pub(super) fn run(&self, offset: u64) -> (bool, u64) {
        if self.overlay.is_empty() && self.len == self.file.len() { self.file.run(offset) } else { (true, self.len) }
    }

    pub(super) fn file(&self) -> &SharedFile {
        &self.file
    }

    /// Whether the bytes from `offset` on are those of the file, without changes of the log, and for how many, at most `max`.
    pub(super) fn verbatim(&self, offset: u64, max: u64) -> (bool, u64) {
        let there = self.file.len().saturating_sub(offset).min(max);
        if there == 0 {
            return (false, max);
        }
        match self.overlay.touching(offset, offset + there).next() {
            Some((start, end, _)) if start <= offset => (false, (end - offset).min(max)),
            Some((start, _, _)) => (true, start - offset),
            None => (true, there),
        }
    }

    /// Fills `buffer` from `offset`.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let end = offset.saturating_add(buffer.len() as u64);
        if end <= self.file.len() || end > self.len {
            read(&*self.file, offset, buffer)?;
        } else {
            let have = self.file.len().saturating_sub(offset).min(buffer.len() as u64) as usize;
            let (stored, beyond) = buffer.split_at_mut(have);
            if have > 0 {
                read(&*self.file, offset, stored)?;
            }
            beyond.fill(0);
        }
        for (start, stop, source) in self.overlay.touching(offset, end) {
            let (from, to) = (start.max(offset), stop.min(end));
            let Some(part) = buffer.get_mut((from - offset) as usize..(to - offset) as usize) else { continue };
            match source {
                Source::Zeros => part.fill(0),
                Source::Page { at, leading, trailing } => {
                    let page = self.page(at, leading, trailing)?;
                    let skip = (from - start) as usize;
                    part.copy_from_slice(page.get(skip..skip + part.len()).unwrap_or_default());
                }
            }
        }
        Ok(())
    }

    fn page(&self, at: u64, leading: [u8; 8], trailing: [u8; 4]) -> Result<[u8; PAGE as usize], DiskError> {
        let mut page = [0; PAGE as usize];
        read(&*self.file, at, &mut page)?;
        page[..8].copy_from_slice(&leading);
        page[4092..].copy_from_slice(&trailing);
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::io::MemoryFile;

    #[test]
    fn only_what_no_log_changes_is_verbatim() {
        let bytes: Vec<u8> = (0..40_000u32).map(|at| (at % 251) as u8 + 1).collect();
        let mut overlay = Overlay::default();
        overlay.put(8192, 12_288, Source::Page { at: 0, leading: [0; 8], trailing: [0; 4] });
        overlay.put(12_288, 16_384, Source::Zeros);
        // The log lengthens the file.
        let view = View::new(Arc::new(MemoryFile::new("disk.vhdx", bytes.clone())), overlay, 65_536);
        let (mut at, mut found) = (0, Vec::new());
        while at < view.len() {
            let (verbatim, len) = view.verbatim(at, view.len() - at);
            let mut read = vec![0; len as usize];
            view.read(at, &mut read).unwrap();
            assert_eq!(verbatim, bytes.get(at as usize..(at + len) as usize) == Some(&read), "{len} bytes at {at}");
            found.push((at, verbatim));
            at += len;
        }
        assert_eq!(found, [(0, true), (8192, false), (12_288, false), (16_384, true), (40_000, false)]);
        assert_eq!((view.verbatim(8000, 100), view.verbatim(8000, 500)), ((true, 100), (true, 192)));
        assert_eq!(view.verbatim(9000, 10), (false, 10));
    }
}
