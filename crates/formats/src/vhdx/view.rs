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
