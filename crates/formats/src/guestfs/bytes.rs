//! A virtual disk, and a part of one, as read-only bytes for the readers of partitions and file systems.

use std::io;
use std::sync::Arc;

use super::GuestFsError;
use crate::disk::{ExtentKind, SharedDisk};
use crate::io::{ReadAt, SharedFile};

/// A virtual disk with its chain resolved, as bytes.
pub struct DiskBytes {
    disk: SharedDisk,
    name: String,
}

impl DiskBytes {
    /// The bytes of `disk`, called like the leaf of its chain.
    pub fn new(disk: SharedDisk) -> Self {
        let name = disk.layers().first().map(|layer| layer.name.clone()).unwrap_or_default();
        DiskBytes { disk, name }
    }
}

impl ReadAt for DiskBytes {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.disk.size()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        within(buf, offset, self.len())?;
        self.disk.read_at(offset, buf).map_err(io::Error::other)
    }

    fn run(&self, offset: u64) -> (bool, u64) {
        match self.disk.extent(offset) {
            Ok(extent) => (extent.kind == ExtentKind::Data, extent.start.saturating_add(extent.len)),
            Err(_) => (true, self.len()),
        }
    }
}

/// A range of other bytes, such as one partition.
pub struct Slice {
    inner: SharedFile,
    name: String,
    start: u64,
    len: u64,
}

impl Slice {
    /// `len` bytes of `inner` from `start`, or what there is of them; `name` is what messages call them.
    pub fn new(inner: SharedFile, start: u64, len: u64, name: impl Into<String>) -> Self {
        let len = len.min(inner.len().saturating_sub(start));
        Slice { inner, name: name.into(), start, len }
    }
}

impl ReadAt for Slice {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        within(buf, offset, self.len)?;
        self.inner.read_exact_at(buf, self.start.saturating_add(offset))
    }

    fn run(&self, offset: u64) -> (bool, u64) {
        let (data, end) = self.inner.run(self.start.saturating_add(offset));
        (data, end.saturating_sub(self.start).min(self.len))
    }
}

fn within(buf: &[u8], offset: u64, len: u64) -> io::Result<()> {
    match offset.checked_add(buf.len() as u64) {
        Some(end) if end <= len => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Fills `buf` from `offset`.
pub(super) fn read(file: &dyn ReadAt, offset: u64, buf: &mut [u8]) -> Result<(), GuestFsError> {
    file.read_exact_at(buf, offset).map_err(|source| GuestFsError::Read {
        file: file.name().to_owned(),
        offset,
        len: buf.len() as u64,
        source: Arc::new(source),
    })
}

/// `len` bytes from `offset`; callers bound `len` by a constant.
pub(super) fn read_vec(file: &dyn ReadAt, offset: u64, len: usize) -> Result<Vec<u8>, GuestFsError> {
    let mut bytes = vec![0; len];
    read(file, offset, &mut bytes)?;
    Ok(bytes)
}

/// Up to `len` bytes from `offset`; fewer when the end comes first.
pub(super) fn read_some(file: &dyn ReadAt, offset: u64, len: usize) -> Result<Vec<u8>, GuestFsError> {
    let there = file.len().saturating_sub(offset).min(len as u64);
    read_vec(file, offset, there as usize)
}

/// UTF-16LE bytes up to the first NUL as text; what is not UTF-16 becomes a replacement character.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).take_while(|unit| *unit != 0);
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// The texts of a list of UTF-16 that ends with an empty one.
pub(super) fn utf16_texts(bytes: &[u8]) -> Vec<String> {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    units.split(|unit| *unit == 0).take_while(|text| !text.is_empty()).map(String::from_utf16_lossy).collect()
}

/// Bytes up to the first NUL as text without spaces at its end; what is not UTF-8 becomes a replacement character.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).trim_end().to_owned()
}
