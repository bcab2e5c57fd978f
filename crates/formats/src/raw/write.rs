//! Writes plain sectors: every range at its own offset, the length at the end.

use std::fs::File;

use crate::disk::write::{Appender, DiskWriteError, DiskWriter, FINE_GRANULE, Filling, GRANULE, NewDisk, Order};

/// Writes a raw disk.
pub struct RawWriter {
    out: Appender,
    order: Order,
    disk: NewDisk,
}

impl RawWriter {
    /// Begins the disk or goes on with it after the pieces in `written`.
    pub fn new(file: File, disk: &NewDisk, written: &mut dyn Iterator<Item = u64>) -> Result<Self, DiskWriteError> {
        let mut order = Order::fine(disk.size);
        let mut end = 0;
        for offset in written {
            end = offset + order.take_piece(offset)?;
        }
        // Only a part of the last piece may have been written.
        Ok(RawWriter { out: Appender::resume_behind_hole(file, end, 0, GRANULE)?, order, disk: *disk })
    }

    fn go_to(&mut self, offset: u64) -> Result<(), DiskWriteError> {
        match self.disk.filling {
            Filling::Full => self.out.fill_to(offset),
            Filling::Sparse => {
                self.out.skip_to(offset);
                Ok(())
            }
        }
    }
}

impl DiskWriter for RawWriter {
    fn granule(&self) -> u64 {
        FINE_GRANULE
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError> {
        if data.is_empty() {
            return Ok(());
        }
        self.order.take(offset, data.len() as u64)?;
        self.go_to(offset)?;
        self.out.append(data)
    }

    fn sync(&mut self) -> Result<(), DiskWriteError> {
        self.out.sync()
    }

    fn finish(mut self: Box<Self>) -> Result<(), DiskWriteError> {
        self.go_to(self.disk.size)?;
        self.out.set_len(self.disk.size)?;
        self.out.sync_all()
    }
}
