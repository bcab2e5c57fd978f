//! Writes differencing VHDX files. A block is not there (the parent's), zero, fully there, or partly there; then the sector
//! bitmap of its chunk, a block of 1 MiB behind the last block of the chunk, says which sectors are the child's own.

use std::fs::File;

use super::MIB;
use super::bat::{PARTIAL, PRESENT, ZERO};
use super::write_layout::{Kind, Layout, TABLE, locator};
use crate::disk::child::{ChildWriter, NewParent, SectorOrder};
use crate::disk::fields::put;
use crate::disk::write::{Appender, DiskWriteError, NewDisk};

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Writes a differencing VHDX.
pub struct VhdxChildWriter {
    out: Appender,
    order: SectorOrder,
    disk: NewDisk,
    layout: Layout,
    locator: Vec<u8>,
    sector: u64,
    /// Entries of the block table.
    table: Vec<u64>,
    /// The newest block: number, offset in the file, sectors that were written.
    block: Option<(u64, u64, u64)>,
    /// The bitmap of the chunk of that block, and whether a block of the chunk is partly there.
    bitmap: Vec<u8>,
    needed: bool,
}

impl VhdxChildWriter {
    /// Begins the disk.
    pub fn new(file: File, disk: &NewDisk, parent: &NewParent) -> Result<Self, DiskWriteError> {
        let layout = Layout::new(disk, Kind::Differencing)?;
        let locator = locator(parent)?;
        let out = Appender::resume(file, 0, layout.first())?;
        Ok(VhdxChildWriter {
            out,
            order: SectorOrder::new(disk.size, disk.sectors.logical),
            disk: *disk,
            table: vec![0; (layout.chunks() * (layout.ratio + 1)) as usize],
            layout,
            locator,
            sector: u64::from(disk.sectors.logical),
            block: None,
            bitmap: vec![0; MIB as usize],
            needed: false,
        })
    }

    fn enter(&mut self, block: u64, entry: u64) {
        if let Some(place) = self.table.get_mut((block + block / self.layout.ratio) as usize) {
            *place = entry;
        }
    }

    /// Makes `block` the newest one.
    fn turn_to(&mut self, block: u64) -> Result<(), DiskWriteError> {
        let old = self.block.map(|(number, _, _)| number);
        if old == Some(block) {
            return Ok(());
        }
        self.end_block()?;
        if old.is_some_and(|old| old / self.layout.ratio != block / self.layout.ratio) {
            self.end_chunk(old)?;
        }
        self.block = Some((block, self.out.position(), 0));
        Ok(())
    }

    /// Fills the newest block up and enters it.
    fn end_block(&mut self) -> Result<(), DiskWriteError> {
        let Some((number, place, sectors)) = self.block else { return Ok(()) };
        self.out.fill_to(place + self.layout.block)?;
        let own = (self.disk.size - number * self.layout.block).min(self.layout.block) / self.sector;
        let state = if sectors == own { PRESENT } else { PARTIAL };
        self.needed |= state == PARTIAL;
        self.enter(number, place | u64::from(state));
        Ok(())
    }

    /// Appends the bitmap of the chunk of block `last`.
    fn end_chunk(&mut self, last: Option<u64>) -> Result<(), DiskWriteError> {
        if let Some(last) = last.filter(|_| self.needed) {
            let ratio = self.layout.ratio;
            let place = self.out.position();
            self.out.append(&self.bitmap)?;
            if let Some(entry) = self.table.get_mut((last / ratio * (ratio + 1) + ratio) as usize) {
                *entry = place | u64::from(PRESENT);
            }
        }
        self.bitmap.fill(0);
        self.needed = false;
        Ok(())
    }

    fn put(&mut self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError> {
        let (mut offset, mut rest) = (offset, data);
        while !rest.is_empty() {
            let (block, within) = (offset / self.layout.block, offset % self.layout.block);
            self.turn_to(block)?;
            let len = (self.layout.block - within).min(rest.len() as u64);
            let (part, after) = rest.split_at(len as usize);
            if let Some((_, place, sectors)) = &mut self.block {
                *sectors += len / self.sector;
                self.out.fill_to(*place + within)?;
                self.out.append(part)?;
            }
            let first = (block % self.layout.ratio * self.layout.block + within) / self.sector;
            for sector in first..first + len / self.sector {
                if let Some(byte) = self.bitmap.get_mut((sector / 8) as usize) {
                    *byte |= 1 << (sector % 8);
                }
            }
            offset += len;
            rest = after;
        }
        Ok(())
    }

    fn put_zeros(&mut self, offset: u64, end: u64) -> Result<(), DiskWriteError> {
        for at in (offset..end).step_by(ZEROS.len()) {
            self.put(at, &ZEROS[..(end - at).min(ZEROS.len() as u64) as usize])?;
        }
        Ok(())
    }
}

impl ChildWriter for VhdxChildWriter {
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError> {
        self.order.take(offset, data.len() as u64)?;
        self.put(offset, data)
    }

    /// Whole blocks become zero without taking room; the rest is stored.
    fn zero(&mut self, offset: u64, len: u64) -> Result<(), DiskWriteError> {
        self.order.take(offset, len)?;
        let (block, size) = (self.layout.block, self.disk.size);
        let (mut at, end) = (offset, offset + len);
        while at < end {
            let next = ((at / block + 1) * block).min(size);
            if at.is_multiple_of(block) && next <= end {
                self.enter(at / block, u64::from(ZERO));
            } else {
                self.put_zeros(at, next.min(end))?;
            }
            at = next;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskWriteError> {
        self.out.sync()
    }

    fn finish(mut self: Box<Self>) -> Result<(), DiskWriteError> {
        self.end_block()?;
        self.end_chunk(self.block.map(|(number, _, _)| number))?;
        let mut bytes = vec![0; self.layout.table_len as usize];
        for (at, entry) in (0..).step_by(8).zip(&self.table) {
            put(&mut bytes, at, &entry.to_le_bytes());
        }
        self.out.put_at(TABLE, &bytes)?;
        self.layout.finish_start(&mut self.out, &self.disk, &self.locator)
    }
}
