//! Writes dynamic VHDs as Windows Server 2012 does: blocks of 2 MiB whose data begins at a multiple of 4 KiB, the
//! bitmap in the sector before it. Blocks are written in full, as Hyper-V refuses sparse files.

use std::fs::File;

use super::header::encode;
use super::write_fixed::{check_disk, new_footer};
use crate::disk::placing::{self, Placing, Room};
use crate::disk::write::{Appender, DiskWriteError, DiskWriter, NewDisk, Order};

/// Guest data in a block.
const BLOCK: u64 = 2 << 20;
/// From one bitmap to the next: the bitmap, the data, and seven sectors that bring the next data to 4 KiB.
const STRIDE: u64 = 4104 * 512;
/// Where the block table begins: behind the footer copy and the dynamic header.
const TABLE: u64 = 512 + 1024;

/// Writes a dynamic VHD.
pub struct VhdDynamicWriter {
    out: Appender,
    order: Order,
    disk: NewDisk,
    layout: Layout,
    /// Numbers of the blocks in the order in which they lie in the file.
    blocks: Vec<u32>,
}

/// Where things lie in the file.
#[derive(Debug, Clone, Copy)]
struct Layout {
    entries: u32,
    table_len: u64,
    /// Offset of the first bitmap.
    first: u64,
}

impl Layout {
    fn new(size: u64) -> Self {
        let entries = size.div_ceil(BLOCK);
        let table_len = (entries * 4).next_multiple_of(512);
        // The sector before a multiple of 4 KiB.
        let first = (TABLE + table_len + 512).next_multiple_of(4096) - 512;
        // 2040 GiB are about a million blocks.
        Layout { entries: entries as u32, table_len, first }
    }

    /// Offset of the bitmap of the block that was allocated as number `index`.
    fn bitmap(&self, index: u64) -> u64 {
        self.first + index * STRIDE
    }
}

impl VhdDynamicWriter {
    /// Begins the disk or goes on with it after the pieces in `written`.
    pub fn new(file: File, disk: &NewDisk, written: &mut dyn Iterator<Item = u64>) -> Result<Self, DiskWriteError> {
        check_disk(disk)?;
        let layout = Layout::new(disk.size);
        let mut order = Order::new(disk.size);
        let mut blocks: Vec<u32> = Vec::new();
        let mut position = layout.first;
        for offset in written {
            let len = order.take_piece(offset)?;
            let block = (offset / BLOCK) as u32;
            if blocks.last() != Some(&block) {
                blocks.push(block);
            }
            position = layout.bitmap(blocks.len() as u64 - 1) + 512 + offset % BLOCK + len;
        }
        let out = Appender::resume(file, position, layout.first)?;
        Ok(VhdDynamicWriter { out, order, disk: *disk, layout, blocks })
    }

    /// Offset at which the data of the newest block begins; begins the block when it is new.
    fn data_of(&mut self, block: u32) -> Result<u64, DiskWriteError> {
        if self.blocks.last() != Some(&block) {
            self.blocks.push(block);
            self.out.fill_to(self.layout.bitmap(self.blocks.len() as u64 - 1))?;
            self.out.append(&[0xFF; 512])?;
        }
        Ok(self.layout.bitmap(self.blocks.len() as u64 - 1) + 512)
    }

    fn table(&self) -> Vec<u8> {
        let mut table = vec![0xFF; self.layout.table_len as usize];
        let entries = table.as_chunks_mut::<4>().0;
        for (index, &block) in (0u64..).zip(&self.blocks) {
            let sector = (self.layout.bitmap(index) / 512) as u32;
            entries[block as usize] = sector.to_be_bytes();
        }
        table
    }
}

impl Placing for VhdDynamicWriter {
    fn parts(&mut self) -> (&mut Order, &mut Appender) {
        (&mut self.order, &mut self.out)
    }

    fn go_to(&mut self, offset: u64, len: u64) -> Result<u64, DiskWriteError> {
        let within = offset % BLOCK;
        let start = self.data_of((offset / BLOCK) as u32)?;
        self.out.fill_to(start + within)?;
        Ok(len.min(BLOCK - within))
    }
}

impl DiskWriter for VhdDynamicWriter {
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
        if let Some(last) = self.blocks.len().checked_sub(1) {
            self.out.fill_to(self.layout.bitmap(last as u64) + 512 + BLOCK)?;
        } else {
            self.out.fill_to(self.layout.first)?;
        }
        self.out.put_at(TABLE, &self.table())?;
        self.out.put_at(512, &encode(TABLE, self.layout.entries, BLOCK as u32))?;
        self.out.sync()?;
        // The footers come last: without them nothing takes the file for a disk.
        let footer = new_footer(&self.disk, 3, 512).encode();
        self.out.append(&footer)?;
        self.out.put_at(0, &footer)?;
        self.out.sync_all()
    }
}
