//! Writes plain sectors: every range at its own offset, the length at the end.

use std::fs::File;

use crate::disk::ahead::Leftovers;
use crate::disk::placing::{self, Placing, Room};
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
        let leftovers = Leftovers::of(&file);
        for offset in written {
            let len = order.take_piece(offset)?;
            if disk.filling == Filling::Sparse {
                leftovers.give_back(end, offset).map_err(|source| DiskWriteError::Io { offset: end, source })?;
            }
            end = offset + len;
        }
        // Only a part of the last piece may have been written.
        Ok(RawWriter { out: Appender::resume_behind_hole(file, end, 0, GRANULE)?, order, disk: *disk })
    }

    fn reach(&mut self, offset: u64) -> Result<(), DiskWriteError> {
        match self.disk.filling {
            Filling::Full => self.out.fill_to(offset),
            Filling::Sparse => {
                self.out.skip_to(offset);
                Ok(())
            }
        }
    }
}

impl Placing for RawWriter {
    fn parts(&mut self) -> (&mut Order, &mut Appender) {
        (&mut self.order, &mut self.out)
    }

    fn go_to(&mut self, offset: u64, len: u64) -> Result<u64, DiskWriteError> {
        self.reach(offset)?;
        Ok(len)
    }
}

impl DiskWriter for RawWriter {
    fn granule(&self) -> u64 {
        FINE_GRANULE
    }

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
        self.reach(self.disk.size)?;
        self.out.set_len(self.disk.size)?;
        self.out.sync_all()
    }
}
