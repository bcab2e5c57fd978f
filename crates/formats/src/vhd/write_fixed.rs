//! Writes fixed VHDs: all sectors in order, really written (Hyper-V refuses sparse files), then the footer.

use std::fs::File;

use super::footer::{Footer, Geometry, MAX_SIZE};
use crate::disk::placing::{self, Placing, Room};
use crate::disk::write::{Appender, DiskWriteError, DiskWriter, NewDisk, Order};

/// Hyper-V's own code. QEMU trusts the current size of a footer only for creators that it knows, for every other one it
/// takes the (rounded) geometry: a made-up code would cut the disk there.
const CREATOR: [u8; 4] = *b"win ";
/// Version 6.2, Windows Server 2012.
const CREATOR_VERSION: u32 = 0x0006_0002;

/// The footer of a new disk.
pub(super) fn new_footer(disk: &NewDisk, disk_type: u32, data_offset: u64) -> Footer {
    Footer {
        features: 2,
        version: 0x0001_0000,
        data_offset,
        timestamp: disk.timestamp,
        creator: CREATOR,
        creator_version: CREATOR_VERSION,
        creator_os: *b"Wi2k",
        original_size: disk.size,
        current_size: disk.size,
        geometry: Geometry::of_size(disk.size),
        disk_type,
        unique_id: disk.id,
        saved_state: 0,
    }
}

/// Refuses sizes and sectors that a VHD cannot have: a guest that wrote its partitions for sectors of 4096 bytes does not
/// find them with sectors of 512.
pub(super) fn check_disk(disk: &NewDisk) -> Result<(), DiskWriteError> {
    let size = disk.size;
    if disk.sectors.logical != 512 {
        return Err(DiskWriteError::SectorSize { format: "VHD", sector: disk.sectors.logical });
    }
    if size > MAX_SIZE {
        return Err(DiskWriteError::SizeTooLarge { format: "VHD", size, limit: MAX_SIZE });
    }
    if !size.is_multiple_of(512) {
        return Err(DiskWriteError::SizeNotSectors { format: "VHD", size, sector: 512 });
    }
    Ok(())
}

/// Writes a fixed VHD.
pub struct VhdFixedWriter {
    out: Appender,
    order: Order,
    disk: NewDisk,
}

impl VhdFixedWriter {
    /// Begins the disk or goes on with it after the pieces in `written`.
    pub fn new(file: File, disk: &NewDisk, written: &mut dyn Iterator<Item = u64>) -> Result<Self, DiskWriteError> {
        check_disk(disk)?;
        let mut order = Order::new(disk.size);
        let mut end = 0;
        for offset in written {
            end = offset + order.take_piece(offset)?;
        }
        Ok(VhdFixedWriter { out: Appender::resume(file, end, 0)?, order, disk: *disk })
    }
}

impl Placing for VhdFixedWriter {
    fn parts(&mut self) -> (&mut Order, &mut Appender) {
        (&mut self.order, &mut self.out)
    }

    fn go_to(&mut self, offset: u64, len: u64) -> Result<u64, DiskWriteError> {
        self.out.fill_to(offset)?;
        Ok(len)
    }
}

impl DiskWriter for VhdFixedWriter {
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError> {
        placing::write(self, offset, data)
    }

    fn reserve(&mut self, offset: u64, len: u64) -> Result<Vec<Room>, DiskWriteError> {
        placing::reserve(self, offset, len)
    }

    fn sync(&mut self) -> Result<(), DiskWriteError> {
        self.out.sync()
    }

    fn finish(mut self: Box<Self>) -> Result<(), DiskWriteError> {
        self.out.fill_to(self.disk.size)?;
        self.out.sync()?;
        self.out.append(&new_footer(&self.disk, 2, u64::MAX).encode())?;
        self.out.sync_all()
    }
}
