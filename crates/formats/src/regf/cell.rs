//! Cells: the only way to any record. Every offset and size from the file is checked here.

use super::base::{BINS_START, show, u16_at, u32_at};
use super::{Hive, RegfError};

/// "No cell" in a reference.
pub(super) const NONE: u32 = u32::MAX;

/// The content of a cell in use.
#[derive(Clone, Copy)]
pub(super) struct Cell<'h> {
    pub(super) hive: &'h Hive,
    pub(super) what: &'static str,
    /// File offset of the cell's size field.
    pub(super) offset: u64,
    /// Everything behind the size field.
    pub(super) data: &'h [u8],
}

impl Hive {
    /// The cell at `reference`, an offset from the start of the hive bins; `what` is what should be in it.
    pub(super) fn cell(&self, reference: u32, what: &'static str) -> Result<Cell<'_>, RegfError> {
        let bins = self.bins();
        let offset = file_offset(reference);
        let past_end = |expected: u64| RegfError::PastEnd {
            file: self.file().to_owned(),
            offset,
            what,
            expected,
            found: (BINS_START + bins.len()) as u64,
        };
        let rest = usize::try_from(reference).ok().and_then(|at| bins.get(at..)).ok_or_else(|| past_end(4))?;
        let size = i64::from(u32_at(rest, 0).ok_or_else(|| past_end(4))?.cast_signed());
        if size > 0 {
            return Err(RegfError::FreeCell { file: self.file().to_owned(), offset, what, found: size });
        }
        let len = usize::try_from(-size).unwrap_or(0);
        if len < 8 || !len.is_multiple_of(8) || !reference.is_multiple_of(8) {
            return Err(RegfError::CellSize { file: self.file().to_owned(), offset, what, found: size });
        }
        let data = rest.get(4..len).ok_or_else(|| past_end(len as u64))?;
        Ok(Cell { hive: self, what, offset, data })
    }
}

impl<'h> Cell<'h> {
    pub(super) fn u16(&self, at: usize) -> Result<u16, RegfError> {
        u16_at(self.data, at).ok_or_else(|| self.short(at + 2))
    }

    pub(super) fn u32(&self, at: usize) -> Result<u32, RegfError> {
        u32_at(self.data, at).ok_or_else(|| self.short(at + 4))
    }

    pub(super) fn bytes(&self, at: usize, len: usize) -> Result<&'h [u8], RegfError> {
        let end = at.checked_add(len);
        end.and_then(|end| self.data.get(at..end)).ok_or_else(|| self.short(end.unwrap_or(usize::MAX)))
    }

    pub(super) fn expect_signature(&self, expected: &'static str) -> Result<(), RegfError> {
        if self.data.starts_with(expected.as_bytes()) { Ok(()) } else { Err(self.wrong_signature(expected)) }
    }

    pub(super) fn wrong_signature(&self, expected: &'static str) -> RegfError {
        RegfError::Signature {
            file: self.hive.file().to_owned(),
            offset: self.offset,
            what: self.what,
            expected,
            found: show(self.data.get(..2).unwrap_or_default()),
        }
    }

    pub(super) fn short(&self, needed: usize) -> RegfError {
        RegfError::CellShort {
            file: self.hive.file().to_owned(),
            offset: self.offset,
            what: self.what,
            expected: needed as u64,
            found: self.data.len() as u64,
        }
    }
}

/// Where a reference lies in the file.
pub(super) fn file_offset(reference: u32) -> u64 {
    BINS_START as u64 + u64::from(reference)
}
