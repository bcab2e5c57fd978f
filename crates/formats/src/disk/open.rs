//! Recognises a disk file by its content and opens it. The name only decides whether a file without any known mark may
//! be taken for plain sectors: a `.vhd` that lost its footer must not silently become a raw disk.

use std::sync::Arc;

use super::{DiskError, Layer, ParentGate, SharedDisk};
use crate::io::{ReadAt, SharedFile};
use crate::{qcow2, raw, vhd};

/// A container format that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain sectors.
    Raw,
    /// VHD of any kind.
    Vhd,
    /// QCOW2 version 2 or 3.
    Qcow2,
}

/// What to do when a parent's time stamp is not the one that its child recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ParentTime {
    /// Refuse the chain: the parent may have been written to after the child was made.
    #[default]
    Strict,
    /// Take the parent if its unique id fits, and say so in a remark.
    Accept,
}

/// How a disk is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions {
    /// The format, when it shall not be recognised by content.
    pub format: Option<Format>,
    /// How strictly parents are checked.
    pub parent_time: ParentTime,
}

/// Opens a disk and its parents; the format is recognised by content.
pub fn open(file: SharedFile, gate: &dyn ParentGate) -> Result<SharedDisk, DiskError> {
    open_with(file, gate, &OpenOptions::default())
}

/// Opens a disk and its parents as `format`, whatever the content looks like.
pub fn open_as(file: SharedFile, gate: &dyn ParentGate, format: Format) -> Result<SharedDisk, DiskError> {
    open_with(file, gate, &OpenOptions { format: Some(format), ..OpenOptions::default() })
}

/// Opens a disk and its parents with `options`.
pub fn open_with(file: SharedFile, gate: &dyn ParentGate, options: &OpenOptions) -> Result<SharedDisk, DiskError> {
    let format = match options.format {
        Some(format) => format,
        None => detect(&*file)?,
    };
    Ok(match format {
        Format::Raw => Arc::new(raw::RawDisk::open(file)?),
        Format::Vhd => Arc::new(vhd::VhdDisk::open(file, gate, options.parent_time)?),
        Format::Qcow2 => Arc::new(qcow2::Qcow2Disk::open(file)?),
    })
}

/// Reads the headers of one file without looking for parents.
pub fn headers(file: &SharedFile) -> Result<Layer, DiskError> {
    match detect(&**file)? {
        Format::Raw => Ok(raw::layer(&**file)),
        Format::Vhd => vhd::layer(file),
        Format::Qcow2 => qcow2::layer(file),
    }
}

/// Recognises the format by content.
pub fn detect(file: &dyn ReadAt) -> Result<Format, DiskError> {
    if vhd::has_mark(file)? {
        return Ok(Format::Vhd);
    }
    let mut start = [0; 8];
    let have = file.len().min(8) as usize;
    read(file, 0, &mut start[..have])?;
    if start.starts_with(&qcow2::MAGIC) {
        return Ok(Format::Qcow2);
    }
    if &start == b"vhdxfile" {
        return Err(DiskError::NotYetRead { file: file.name().to_owned(), format: "VHDX" });
    }
    let name = file.name().to_ascii_lowercase();
    match [".vhd", ".avhd", ".vhdx", ".avhdx", ".qcow2"].into_iter().find(|end| name.ends_with(end)) {
        None => Ok(Format::Raw),
        Some(extension) => Err(DiskError::NotRecognised { file: file.name().to_owned(), extension, len: file.len() }),
    }
}

/// Reads and turns an error of the system into one that names file and place.
pub(crate) fn read(file: &dyn ReadAt, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
    file.read_exact_at(buffer, offset).map_err(|source| DiskError::Read {
        file: file.name().to_owned(),
        offset,
        len: buffer.len() as u64,
        source,
    })
}

/// Refuses a range that does not lie inside the disk.
pub(crate) fn check_range(file: &str, offset: u64, len: u64, size: u64) -> Result<(), DiskError> {
    match offset.checked_add(len) {
        Some(end) if end <= size => Ok(()),
        _ => Err(DiskError::OutOfRange { file: file.to_owned(), offset, len, size }),
    }
}
