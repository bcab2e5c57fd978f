//! The two things that are moved, seen alike: virtual disks and plain files.

use hvm_formats::disk::{ExtentKind, SharedDisk};
use hvm_formats::io::SharedFile;

use crate::error::TransferError;
use crate::mask::Mask;

/// Bytes with a length, of which some runs are known to be zero without reading.
pub(crate) trait Content: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;
    /// Whether the bytes from `offset` on are known to be zero, and up to where that holds; never `offset` itself.
    fn run(&self, offset: u64) -> Result<(bool, u64), TransferError>;
    /// Fills `buffer` from `offset`.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TransferError>;
    /// Fills `buffer` from `offset`, where a block begins, as far as it has to be read: where it holds something, and how many
    /// bytes were read.
    fn block(&self, offset: u64, buffer: &mut [u8]) -> Result<(Mask, u64), TransferError> {
        self.read(offset, buffer)?;
        Ok((Mask::of(buffer), buffer.len() as u64))
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
