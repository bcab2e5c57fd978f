//! Little-endian fields at fixed places, and reads that say what they wanted when the file ends before.

use super::HvsError;
use crate::io::ReadAt;

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    field(bytes, at).map_or(0, u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    field(bytes, at).map_or(0, u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    field(bytes, at).map_or(0, u64::from_le_bytes)
}

/// The callers read whole structures, so a field that is not there does not happen; it would be zero.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// `len` bytes at `offset`; whoever calls has bounded `len`.
pub(super) fn read(file: &dyn ReadAt, offset: u64, len: usize, what: &'static str) -> Result<Vec<u8>, HvsError> {
    let outside =
        || HvsError::PastEnd { file: file.name().to_owned(), offset, what, expected: len as u64, found: file.len() };
    offset.checked_add(len as u64).filter(|end| *end <= file.len()).ok_or_else(outside)?;
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, offset).map_err(|error| HvsError::Read {
        file: file.name().to_owned(),
        offset,
        reason: error.to_string(),
    })?;
    Ok(bytes)
}
