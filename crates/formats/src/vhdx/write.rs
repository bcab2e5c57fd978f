//! Writes VHDX files: dynamic ones with the blocks that hold something, in the order of writing, and fixed ones with all
//! blocks. Blocks are written in full, as Hyper-V refuses sparse files. Headers and tables come at the end: until then the
//! start of the file is zero.

use std::fs::File;

use super::write_layout::{Kind, Layout};
use crate::disk::placing::{self, Placing, Room};
use crate::disk::write::{Appender, DiskWriteError, DiskWriter, NewDisk, Order};

/// Writes a dynamic VHDX.
pub struct VhdxDynamicWriter {
    out: Appender,
    order: Order,
    disk: NewDisk,
    layout: Layout,
    /// Numbers of the blocks in the order in which they lie in the file.
    blocks: Vec<u32>,
}

impl VhdxDynamicWriter {
    /// Begins the disk or goes on with it after the pieces in `written`.
    pub fn new(file: File, disk: &NewDisk, written: &mut dyn Iterator<Item = u64>) -> Result<Self, DiskWriteError> {
        let layout = Layout::new(disk, Kind::Dynamic)?;
        let mut order = Order::new(disk.size);
        let mut blocks: Vec<u32> = Vec::new();
        let mut position = layout.first();
        for offset in written {
            let len = order.take_piece(offset)?;
            let block = (offset / layout.block) as u32;
            if blocks.last() != Some(&block) {
                blocks.push(block);
            }
            position = layout.place(blocks.len() as u64 - 1) + offset % layout.block + len;
        }
        let out = Appender::resume(file, position, layout.first())?;
        Ok(VhdxDynamicWriter { out, order, disk: *disk, layout, blocks })
    }

    /// Offset of the newest block; begins the block when it is new.
    fn place_of(&mut self, block: u32) -> u64 {
        if self.blocks.last() != Some(&block) {
            self.blocks.push(block);
        }
        self.layout.place(self.blocks.len() as u64 - 1)
    }
}

impl Placing for VhdxDynamicWriter {
    fn parts(&mut self) -> (&mut Order, &mut Appender) {
        (&mut self.order, &mut self.out)
    }

    fn go_to(&mut self, offset: u64, len: u64) -> Result<u64, DiskWriteError> {
        let within = offset % self.layout.block;
        // At most 2 Mi blocks.
        let start = self.place_of((offset / self.layout.block) as u32);
        self.out.fill_to(start + within)?;
        Ok(len.min(self.layout.block - within))
    }
}

impl DiskWriter for VhdxDynamicWriter {
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
        self.out.fill_to(self.layout.place(self.blocks.len() as u64))?;
        self.layout.finish(&mut self.out, &self.disk, self.blocks.iter().map(|&block| u64::from(block)))
    }
}

/// Writes a fixed VHDX.
pub struct VhdxFixedWriter {
    out: Appender,
    order: Order,
    disk: NewDisk,
    layout: Layout,
}

impl VhdxFixedWriter {
    /// Begins the disk or goes on with it after the pieces in `written`.
    pub fn new(file: File, disk: &NewDisk, written: &mut dyn Iterator<Item = u64>) -> Result<Self, DiskWriteError> {
        let layout = Layout::new(disk, Kind::Fixed)?;
        let mut order = Order::new(disk.size);
        let mut end = 0;
        for offset in written {
            end = offset + order.take_piece(offset)?;
        }
        let out = Appender::resume(file, layout.first() + end, layout.first())?;
        Ok(VhdxFixedWriter { out, order, disk: *disk, layout })
    }
}

impl Placing for VhdxFixedWriter {
    fn parts(&mut self) -> (&mut Order, &mut Appender) {
        (&mut self.order, &mut self.out)
    }

    fn go_to(&mut self, offset: u64, len: u64) -> Result<u64, DiskWriteError> {
        self.out.fill_to(self.layout.first() + offset)?;
        Ok(len)
    }
}

impl DiskWriter for VhdxFixedWriter {
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
        self.out.fill_to(self.layout.place(self.layout.blocks()))?;
        self.layout.finish(&mut self.out, &self.disk, 0..self.layout.blocks())
    }
}
