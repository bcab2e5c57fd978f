//! Writing disks. A writer gets ranges in ascending order and appends; everything that makes the file a valid image
//! (header, tables, footer) is written by `finish` alone, so that a killed run leaves nothing that could be taken for a
//! disk. Where each range goes depends only on the order of the ranges: a run that was killed is taken up again from
//! the list of the ranges that it had written.

use std::fs::File;
use std::io;

pub(crate) use super::append::Appender;
pub use super::placing::Room;
use crate::qcow2::{PackedWriter, Qcow2Writer};
use crate::raw::RawWriter;
use crate::vhd::{VhdDynamicWriter, VhdFixedWriter};
use crate::vhdx::{VhdxDynamicWriter, VhdxFixedWriter};

/// A piece: the unit in which a run that goes on is told what was written.
pub const GRANULE: u64 = 64 << 10;

/// The smallest granule of any writer: ranges that begin and end at multiples of it leave out the most zeros.
pub const FINE_GRANULE: u64 = 4 << 10;

/// Takes the content of a disk in ascending order.
pub trait DiskWriter: Send {
    /// Every range starts at a multiple of this, and its length is one too except at the end of the disk: 4 KiB where the
    /// file may have holes, else 64 KiB.
    fn granule(&self) -> u64 {
        GRANULE
    }
    /// Writes `data` at the virtual `offset`: a multiple of the granule, behind everything written so far; the length is a
    /// multiple of it unless it ends at the end of the disk. What is never written reads as zeros.
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError>;
    /// Takes a range like [`DiskWriter::write`] but leaves its bytes to the caller: where they belong in the file, in the order
    /// of the disk. The caller puts them there before [`DiskWriter::finish`], or before the range is named to [`resume`].
    fn reserve(&mut self, offset: u64, len: u64) -> Result<Vec<Room>, DiskWriteError>;
    /// Makes the data written so far durable; the file is no valid image yet.
    fn sync(&mut self) -> Result<(), DiskWriteError>;
    /// Completes the image (tables, header, footer) and makes it durable.
    fn finish(self: Box<Self>) -> Result<(), DiskWriteError>;
}

/// The formats that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetFormat {
    /// Plain sectors.
    Raw,
    /// VHD with all sectors in order.
    VhdFixed,
    /// VHD with blocks as needed.
    VhdDynamic,
    /// VHDX with all blocks in order.
    VhdxFixed,
    /// VHDX with blocks as needed.
    Vhdx,
    /// QCOW2 version 3.
    Qcow2,
    /// QCOW2 version 3 with clusters packed with zstd.
    Qcow2Zstd,
}

impl TargetFormat {
    /// The name for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            TargetFormat::Raw => "raw disk",
            TargetFormat::VhdFixed | TargetFormat::VhdDynamic => "VHD",
            TargetFormat::VhdxFixed | TargetFormat::Vhdx => "VHDX",
            TargetFormat::Qcow2 | TargetFormat::Qcow2Zstd => "qcow2 disk",
        }
    }
}

/// What becomes of ranges that are never written. Only raw leaves the choice: Hyper-V refuses sparse files, so that VHDs
/// and VHDX are always written in full, and qcow2 has no such ranges in its file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Filling {
    /// Holes of the file.
    #[default]
    Sparse,
    /// Zeros, really written.
    Full,
}

/// Sector sizes that the guest is told. Only VHDX can say them; VHD always means 512.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sectors {
    /// Logical sector size in bytes: 512 or 4096. It must be that of the source, or the guest cannot read its disk.
    pub logical: u32,
    /// Physical sector size in bytes: 512 or 4096.
    pub physical: u32,
}

impl Default for Sectors {
    fn default() -> Self {
        Sectors { logical: 512, physical: 512 }
    }
}

/// A disk to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewDisk {
    /// Virtual size in bytes; VHD wants a multiple of 512 up to 2040 GiB, qcow2 one up to 2 PiB, VHDX one of the sector size up to
    /// 64 TiB.
    pub size: u64,
    /// Format of the file.
    pub format: TargetFormat,
    /// Unique id of a VHD, virtual disk id of a VHDX, in the order of their text; raw and qcow2 have none.
    pub id: [u8; 16],
    /// Time stamp of a VHD in seconds since 2000-01-01 00:00:00 UTC; raw and qcow2 have none.
    pub timestamp: u32,
    /// What becomes of ranges that are never written to a raw disk.
    pub filling: Filling,
    /// Sector sizes of a VHDX.
    pub sectors: Sectors,
}

impl NewDisk {
    /// A disk with the time stamp 0, sectors of 512 bytes and, for raw, holes.
    pub fn new(size: u64, format: TargetFormat, id: [u8; 16]) -> Self {
        NewDisk { size, format, id, timestamp: 0, filling: Filling::Sparse, sectors: Sectors::default() }
    }
}

/// Begins a disk in an empty `file`.
pub fn create(
    file: File,
    size: u64,
    format: TargetFormat,
    id: [u8; 16],
) -> Result<Box<dyn DiskWriter>, DiskWriteError> {
    create_with(file, &NewDisk::new(size, format, id))
}

/// Begins a disk in an empty `file`; a file with content is emptied.
pub fn create_with(file: File, disk: &NewDisk) -> Result<Box<dyn DiskWriter>, DiskWriteError> {
    resume_with(file, disk, &mut std::iter::empty())
}

/// Goes on with a disk that was begun by [`create`] with the same arguments. `written` gives, in ascending order, the
/// virtual offset of every 64 KiB piece in which something was written and made durable; anything else in the file is cut
/// off.
pub fn resume(
    file: File,
    size: u64,
    format: TargetFormat,
    id: [u8; 16],
    written: &mut dyn Iterator<Item = u64>,
) -> Result<Box<dyn DiskWriter>, DiskWriteError> {
    resume_with(file, &NewDisk::new(size, format, id), written)
}

/// Goes on with a disk that was begun by [`create_with`] with the same `disk`; see [`resume`].
pub fn resume_with(
    file: File,
    disk: &NewDisk,
    written: &mut dyn Iterator<Item = u64>,
) -> Result<Box<dyn DiskWriter>, DiskWriteError> {
    if disk.size == 0 {
        return Err(DiskWriteError::Empty);
    }
    Ok(match disk.format {
        TargetFormat::Raw => Box::new(RawWriter::new(file, disk, written)?),
        TargetFormat::VhdFixed => Box::new(VhdFixedWriter::new(file, disk, written)?),
        TargetFormat::VhdDynamic => Box::new(VhdDynamicWriter::new(file, disk, written)?),
        TargetFormat::VhdxFixed => Box::new(VhdxFixedWriter::new(file, disk, written)?),
        TargetFormat::Vhdx => Box::new(VhdxDynamicWriter::new(file, disk, written)?),
        TargetFormat::Qcow2 => Box::new(Qcow2Writer::new(file, disk, written)?),
        TargetFormat::Qcow2Zstd => Box::new(PackedWriter::new(file, disk, written)?),
    })
}

/// A disk could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DiskWriteError {
    /// The system refused.
    #[error("The disk could not be written at offset {offset} of the file: {source}.")]
    Io {
        /// Offset in the file.
        offset: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// A disk of size zero.
    #[error("A disk of 0 bytes cannot be written.")]
    Empty,
    /// A disk with half a sector.
    #[error("A {format} of {size} bytes cannot be written: the size must be a multiple of {sector}.")]
    SizeNotSectors {
        /// The format.
        format: &'static str,
        /// Wanted size.
        size: u64,
        /// Sector size in bytes.
        sector: u32,
    },
    /// A disk beyond the format's bound.
    #[error("A {format} of {size} bytes cannot be written: the format ends at {limit} bytes. Choose another format.")]
    SizeTooLarge {
        /// The format.
        format: &'static str,
        /// Wanted size.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// A sector size that the format does not have.
    #[error(
        "A {format} with sectors of {sector} bytes cannot be written. Choose VHDX for 4096, raw or qcow2 for others."
    )]
    SectorSize {
        /// The format.
        format: &'static str,
        /// Wanted sector size in bytes.
        sector: u32,
    },
    /// A range that does not begin or end at a granule.
    #[error(
        "The range of {len} bytes at offset {offset} does not begin and end at a multiple of {granule} or the end of the disk."
    )]
    NotAligned {
        /// Virtual offset.
        offset: u64,
        /// Length in bytes.
        len: u64,
        /// The granule of the writer.
        granule: u64,
    },
    /// A range before one that was written already.
    #[error("The range at offset {offset} comes too late: everything before {next} was written already.")]
    OutOfOrder {
        /// Virtual offset.
        offset: u64,
        /// First offset that is still allowed.
        next: u64,
    },
    /// A range past the end of the disk.
    #[error("The range of {len} bytes at offset {offset} goes past the end of the disk at {size}.")]
    PastEnd {
        /// Virtual offset.
        offset: u64,
        /// Length in bytes.
        len: u64,
        /// Virtual size.
        size: u64,
    },
    /// A range that is not whole sectors.
    #[error("The range of {len} bytes at offset {offset} does not consist of whole sectors of {sector} bytes.")]
    NotSectors {
        /// Virtual offset.
        offset: u64,
        /// Length in bytes.
        len: u64,
        /// Sector size in bytes.
        sector: u64,
    },
    /// A format without parents.
    #[error("A {format} cannot leave sectors to a parent. Choose VHD or VHDX, or flatten the chain.")]
    NoChild {
        /// The format.
        format: &'static str,
    },
    /// A format in which bytes have no place of their own.
    #[error(
        "No room can be reserved in a {format} that packs its content. Write the bytes, or choose a format without packing."
    )]
    Packs {
        /// The format.
        format: &'static str,
    },
    /// A path that the child cannot record.
    #[error(
        "The parent's path '{path}' is too long: at most {limit} UTF-16 units can be recorded. Choose a shorter name."
    )]
    ParentPath {
        /// The path.
        path: String,
        /// The bound.
        limit: usize,
    },
    /// States of a disk in an order that makes no sense.
    #[error("A state of the disk must come after its parent, and none may come after the active state.")]
    StateOrder,
    /// A state that is smaller than the one that it was made from.
    #[error(
        "A state of {size} bytes cannot be kept over its parent of {parent} bytes. Flatten the chain, or choose VHD or VHDX."
    )]
    ChildSmaller {
        /// Virtual size of the state.
        size: u64,
        /// Virtual size of its parent.
        parent: u64,
    },
    /// The unfinished file lacks data that should be there.
    #[error("The unfinished disk has {found} bytes, the ranges written so far need {expected}: begin it anew.")]
    ResumeTooShort {
        /// Bytes that the ranges need.
        expected: u64,
        /// Length of the file.
        found: u64,
    },
}

/// The order of the ranges, checked.
pub(crate) struct Order {
    size: u64,
    granule: u64,
    next: u64,
}

impl Order {
    pub(crate) fn new(size: u64) -> Self {
        Order { size, granule: GRANULE, next: 0 }
    }

    /// Of ranges that may begin and end at each [`FINE_GRANULE`].
    pub(crate) fn fine(size: u64) -> Self {
        Order { granule: FINE_GRANULE, ..Order::new(size) }
    }

    /// Bytes of the disk.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Takes a range of `len` bytes, at least one, at `offset`.
    pub(crate) fn take(&mut self, offset: u64, len: u64) -> Result<(), DiskWriteError> {
        let size = self.size;
        let end = offset.checked_add(len).filter(|end| *end <= size);
        let end = end.ok_or(DiskWriteError::PastEnd { offset, len, size })?;
        let granule = self.granule;
        if !offset.is_multiple_of(granule) || !(len.is_multiple_of(granule) || end == size) {
            return Err(DiskWriteError::NotAligned { offset, len, granule });
        }
        if offset < self.next {
            return Err(DiskWriteError::OutOfOrder { offset, next: self.next });
        }
        self.next = end;
        Ok(())
    }

    /// Takes the piece of 64 KiB at `offset` that an earlier run wrote; its length.
    pub(crate) fn take_piece(&mut self, offset: u64) -> Result<u64, DiskWriteError> {
        let len = self.size.saturating_sub(offset).clamp(1, GRANULE);
        self.take(offset, len)?;
        Ok(len)
    }
}
