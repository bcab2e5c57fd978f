//! The two things that are moved, seen alike: virtual disks and plain files.

use std::sync::Mutex;

use hvm_formats::disk::{Extent, ExtentKind, SharedDisk};
use hvm_formats::io::SharedFile;

use crate::error::TransferError;

/// Bytes with a length, of which some runs are known to be zero without reading.
pub(crate) trait Content: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;
    /// True when all of `offset .. offset + len` is known to be zero.
    fn is_hole(&self, offset: u64, len: u64) -> Result<bool, TransferError>;
    /// Fills `buffer` from `offset`.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TransferError>;
}

/// A virtual disk. The last run is kept, because asking for the run of an empty disk may walk its whole table.
pub(crate) struct DiskContent {
    disk: SharedDisk,
    last: Mutex<Option<Extent>>,
}

impl DiskContent {
    pub(crate) fn new(disk: SharedDisk) -> Self {
        DiskContent { disk, last: Mutex::new(None) }
    }

    fn run_at(&self, offset: u64) -> Result<Extent, TransferError> {
        let inside = |run: &Extent| offset >= run.start && offset - run.start < run.len;
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(run) = last.filter(inside) {
            return Ok(run);
        }
        let run = self.disk.extent(offset)?;
        *last = Some(run);
        Ok(run)
    }
}

impl Content for DiskContent {
    fn len(&self) -> u64 {
        self.disk.size()
    }

    fn is_hole(&self, offset: u64, len: u64) -> Result<bool, TransferError> {
        let run = self.run_at(offset)?;
        Ok(run.kind == ExtentKind::Zero && run.start.saturating_add(run.len) >= offset.saturating_add(len))
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), TransferError> {
        Ok(self.disk.read_at(offset, buffer)?)
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

    fn is_hole(&self, offset: u64, len: u64) -> Result<bool, TransferError> {
        if offset >= self.file.len() {
            return Ok(true);
        }
        let (data, end) = self.file.run(offset);
        Ok(!data && end >= offset.saturating_add(len).min(self.file.len()))
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
