//! Writing the upper layers of a chain: differencing disks that hold some sectors and leave all others to a parent. Like
//! every writer here, nothing that could be taken for a disk is in the file before `finish`.

use std::fs::File;

use super::write::{DiskWriteError, NewDisk, TargetFormat};
use crate::vhd::VhdChildWriter;
use crate::vhdx::VhdxChildWriter;

/// The parent of a new differencing disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewParent {
    /// [`NewDisk::id`] with which the parent was written.
    pub id: [u8; 16],
    /// [`NewDisk::timestamp`] with which the parent was written; VHDX has none.
    pub timestamp: u32,
    /// Path from the child's folder as Windows writes it: `.\name.vhd`.
    pub relative: String,
    /// Path on the host where the chain will lie, when it is known: `D:\disks\name.vhd`.
    pub absolute: Option<String>,
}

impl NewParent {
    /// The file name alone.
    pub fn name(&self) -> &str {
        self.relative.rsplit(['\\', '/']).next().unwrap_or_default()
    }
}

/// Takes the sectors that a layer itself holds, in ascending order; what it never gets is the parent's.
pub trait ChildWriter: Send {
    /// Stores `data` from `offset` on; both are whole logical sectors.
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError>;
    /// Makes a range of whole logical sectors zero, whatever the parent holds.
    fn zero(&mut self, offset: u64, len: u64) -> Result<(), DiskWriteError>;
    /// Makes the data written so far durable; the file is no disk yet.
    fn sync(&mut self) -> Result<(), DiskWriteError>;
    /// Completes the disk and makes it durable.
    fn finish(self: Box<Self>) -> Result<(), DiskWriteError>;
}

/// Begins a differencing disk in `file`, which is emptied: a VHD for the VHD formats, else a VHDX.
pub fn create_child(file: File, disk: &NewDisk, parent: &NewParent) -> Result<Box<dyn ChildWriter>, DiskWriteError> {
    if disk.size == 0 {
        return Err(DiskWriteError::Empty);
    }
    match disk.format {
        TargetFormat::VhdFixed | TargetFormat::VhdDynamic => Ok(Box::new(VhdChildWriter::new(file, disk, parent)?)),
        TargetFormat::VhdxFixed | TargetFormat::Vhdx => Ok(Box::new(VhdxChildWriter::new(file, disk, parent)?)),
        TargetFormat::Raw | TargetFormat::Qcow2 | TargetFormat::Qcow2Zstd => {
            Err(DiskWriteError::NoChild { format: disk.format.name() })
        }
    }
}

/// The order of the ranges of a child, checked; whole sectors.
pub(crate) struct SectorOrder {
    sector: u64,
    size: u64,
    next: u64,
}

impl SectorOrder {
    pub(crate) fn new(size: u64, sector: u32) -> Self {
        SectorOrder { sector: u64::from(sector), size, next: 0 }
    }

    pub(crate) fn take(&mut self, offset: u64, len: u64) -> Result<(), DiskWriteError> {
        let (size, sector) = (self.size, self.sector);
        let end = offset.checked_add(len).filter(|end| *end <= size);
        let end = end.ok_or(DiskWriteError::PastEnd { offset, len, size })?;
        if !offset.is_multiple_of(sector) || !len.is_multiple_of(sector) {
            return Err(DiskWriteError::NotSectors { offset, len, sector });
        }
        if offset < self.next {
            return Err(DiskWriteError::OutOfOrder { offset, next: self.next });
        }
        self.next = end;
        Ok(())
    }
}
