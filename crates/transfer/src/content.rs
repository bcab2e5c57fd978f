//! The two things that are moved, seen alike: virtual disks and plain files.

use std::ops::Range;

use hvm_formats::disk::{ExtentKind, SharedDisk};
use hvm_formats::io::SharedFile;

use crate::error::TransferError;
use crate::mask::{Mask, PAGE};

/// Smaller holes within a block are read: to ask for the bytes behind them would cost more.
const LEAST_HOLE: usize = 16 << 10;

/// Bytes with a length, of which some runs are known to be zero without reading.
pub(crate) trait Content: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;
    /// Whether the bytes from `offset` on are known to be zero, and up to where that holds; never `offset` itself.
    fn run(&self, offset: u64) -> Result<(bool, u64), TransferError>;
    /// Fills `buffer` from `offset`.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TransferError>;
    /// Fills `buffer` from `offset`, where a block begins, as far as it has to be read: where it holds something, and how many
    /// bytes were read. Up to `data` the bytes are known to be no zeros that are known without reading.
    fn block(&self, (offset, data): (u64, u64), buffer: &mut [u8]) -> Result<(Mask, u64), TransferError> {
        let (mut mask, mut read) = (Mask::default(), 0);
        let len = buffer.len();
        let within = |end: u64| end.saturating_sub(offset).min(len as u64) as usize;
        let (mut start, mut at) = (0, within(data));
        while at < len {
            let (zero, end) = self.run(offset + at as u64)?;
            let end = within(end);
            // The last page of a disk may be cut.
            let hole = at.next_multiple_of(PAGE)..if end == len { len } else { end / PAGE * PAGE };
            at = end;
            if zero && hole.start + LEAST_HOLE <= hole.end {
                read += self.look(offset, start..hole.start, buffer, &mut mask)?;
                start = hole.end;
                buffer.get_mut(hole).unwrap_or_default().fill(0);
            }
        }
        read += self.look(offset, start..len, buffer, &mut mask)?;
        Ok((mask, read))
    }

    /// Reads a part of a block, which begins at `offset`, and looks where it holds something; how many bytes were read.
    fn look(&self, offset: u64, part: Range<usize>, buffer: &mut [u8], mask: &mut Mask) -> Result<u64, TransferError> {
        let start = part.start;
        let part = buffer.get_mut(part).unwrap_or_default();
        if !part.is_empty() {
            self.read(offset + start as u64, part)?;
            mask.look(start, part);
        }
        Ok(part.len() as u64)
    }
}

/// A virtual disk.
pub(crate) struct DiskContent(pub(crate) SharedDisk);

impl Content for DiskContent {
    fn len(&self) -> u64 {
        self.0.size()
    }

    fn run(&self, offset: u64) -> Result<(bool, u64), TransferError> {
        let run = self.0.extent(offset)?;
        Ok((run.kind == ExtentKind::Zero, run.start.saturating_add(run.len).max(offset + 1)))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TransferError> {
        Ok(self.0.read_at(offset, buffer)?)
    }
}

/// A file, taken to have `len` bytes: past its real end it reads as zeros, so that a cut file can be compared too.
pub(crate) struct FileContent {
    file: SharedFile,
    len: u64,
}

impl FileContent {
    pub(crate) fn new(file: SharedFile) -> Self {
        FileContent { len: file.len(), file }
    }

    pub(crate) fn with_len(file: SharedFile, len: u64) -> Self {
        FileContent { file, len }
    }
}

impl Content for FileContent {
    fn len(&self) -> u64 {
        self.len
    }

    fn run(&self, offset: u64) -> Result<(bool, u64), TransferError> {
        if offset >= self.file.len() {
            return Ok((true, self.len.max(offset + 1)));
        }
        let (data, end) = self.file.run(offset);
        Ok((!data, end.max(offset + 1)))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TransferError> {
        let there = self.file.len().saturating_sub(offset).min(buffer.len() as u64) as usize;
        let (have, past) = buffer.split_at_mut(there);
        past.fill(0);
        self.file.read_exact_at(have, offset).map_err(|source| TransferError::Read {
            file: self.file.name().to_owned(),
            offset,
            len: there as u64,
            source,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    type Ranges<'a> = &'a [Range<u64>];

    /// Ones with holes; which parts were read.
    struct Holes(u64, Vec<Range<u64>>, Mutex<Vec<Range<u64>>>);

    impl Content for Holes {
        fn len(&self) -> u64 {
            self.0
        }

        fn run(&self, offset: u64) -> Result<(bool, u64), TransferError> {
            let hole = self.1.iter().find(|hole| hole.contains(&offset));
            let next = self.1.iter().map(|hole| hole.start).find(|start| *start > offset);
            Ok(hole.map_or((false, next.unwrap_or(self.0)), |hole| (true, hole.end)))
        }

        fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TransferError> {
            self.2.lock().unwrap().push(offset..offset + buffer.len() as u64);
            for (at, byte) in (offset..).zip(buffer) {
                *byte = u8::from(!self.1.iter().any(|hole| hole.contains(&at)));
            }
            Ok(())
        }
    }

    #[test]
    fn holes_in_a_block_are_not_read_and_come_as_zeros() {
        let (page, least, block) = (PAGE as u64, LEAST_HOLE as u64, 1u64 << 20);
        let end = 2 * block - 1000;
        // Holes, and what is read of the second of two blocks; everything from its start.
        let cases: [(Ranges<'_>, Ranges<'_>); 10] = [
            (&[], &[0..end - block]),
            (&[block..block + least], &[least..end - block]),
            (&[block + page..block + page + least - 1], &[0..end - block]),
            // As it is in a VHD whose blocks are behind one sector of bitmap: only the whole pages are left out.
            (&[block + 512..block + 2 * page + least + 512], &[0..page, 2 * page + least..end - block]),
            (&[block + 3 * page..end], &[0..3 * page]),
            (&[block - 9 * page..block + 9 * page], &[9 * page..end - block]),
            (&[block - 9 * page..end + page], &[]),
            (&[end - least..end], &[0..end - block]),
            (&[end - least - page..end], &[0..251 * page]),
            (
                &[block + page..block + 9 * page, block + 10 * page..block + 20 * page],
                &[0..page, 9 * page..10 * page, 20 * page..end - block],
            ),
        ];
        for (holes, read) in cases {
            let content = Holes(end, holes.to_vec(), Mutex::default());
            let known = content.run(block).unwrap();
            for data in [block, if known.0 { block } else { known.1 }] {
                content.2.lock().unwrap().clear();
                let mut bytes = vec![7; (end - block) as usize];
                let (mask, count) = content.block((block, data), &mut bytes).unwrap();
                let found: Vec<_> =
                    content.2.lock().unwrap().iter().map(|part| part.start - block..part.end - block).collect();
                assert_eq!(found, read, "{holes:?}");
                assert_eq!(count, read.iter().map(|part| part.end - part.start).sum::<u64>());
                let mut expected = vec![0; bytes.len()];
                content.read(block, &mut expected).unwrap();
                assert!(bytes == expected, "{holes:?}");
                assert_eq!(mask, Mask::of(&expected), "{holes:?}");
            }
        }
    }
}
