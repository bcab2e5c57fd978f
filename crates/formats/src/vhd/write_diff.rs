//! Writes differencing VHDs: blocks of 2 MiB as the dynamic writer lays them out, with a bit for each sector that is the
//! child's own. Two parent locators: `W2ru`, the path from the child's folder, and `W2ku`, where the absolute path is known.

use std::fs::File;

use super::footer::checksum;
use super::header::encode;
use super::write_fixed::{check_disk, new_footer};
use crate::disk::child::{ChildWriter, NewParent, SectorOrder};
use crate::disk::fields::put;
use crate::disk::write::{Appender, DiskWriteError, NewDisk};

/// Guest data in a block.
const BLOCK: u64 = 2 << 20;
/// From one bitmap to the next: bitmap, data, and seven sectors that bring the next data to 4 KiB.
const STRIDE: u64 = 4104 * 512;
/// Where the block table begins: behind the footer copy and the dynamic header.
const TABLE: u64 = 512 + 1024;
/// The name in the header has 256 units of two bytes.
const MAX_NAME: usize = 256;
/// More is no path of Windows.
const MAX_PATH: usize = 32767;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Writes a differencing VHD.
pub struct VhdChildWriter {
    out: Appender,
    order: SectorOrder,
    disk: NewDisk,
    parent: NewParent,
    /// The locators: code, path in UTF-16LE, offset.
    locators: Vec<([u8; 4], Vec<u8>, u64)>,
    table_len: u64,
    /// Offset of the first bitmap.
    first: u64,
    /// Numbers of the blocks in the order in which they lie in the file.
    blocks: Vec<u32>,
    /// Of the newest block.
    bitmap: [u8; 512],
}

impl VhdChildWriter {
    /// Begins the disk.
    pub fn new(file: File, disk: &NewDisk, parent: &NewParent) -> Result<Self, DiskWriteError> {
        check_disk(disk)?;
        if parent.name().encode_utf16().count() > MAX_NAME {
            return Err(DiskWriteError::ParentPath { path: parent.relative.clone(), limit: MAX_NAME });
        }
        let table_len = (disk.size.div_ceil(BLOCK) * 4).next_multiple_of(512);
        let mut end = TABLE + table_len;
        let mut locators = Vec::new();
        let paths = [(*b"W2ku", parent.absolute.as_ref()), (*b"W2ru", Some(&parent.relative))];
        for (code, path) in paths.into_iter().filter_map(|(code, path)| Some((code, path?))) {
            let bytes: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
            if bytes.len() > MAX_PATH * 2 {
                return Err(DiskWriteError::ParentPath { path: path.clone(), limit: MAX_PATH });
            }
            let place = end;
            end += (bytes.len() as u64).next_multiple_of(512);
            locators.push((code, bytes, place));
        }
        // The sector before a multiple of 4 KiB.
        let first = (end + 512).next_multiple_of(4096) - 512;
        let (order, parent) = (SectorOrder::new(disk.size, 512), parent.clone());
        let out = Appender::resume(file, 0, first)?;
        let (blocks, bitmap) = (Vec::new(), [0; 512]);
        Ok(VhdChildWriter { out, order, disk: *disk, parent, locators, table_len, first, blocks, bitmap })
    }

    fn place(&self, index: u64) -> u64 {
        self.first + index * STRIDE
    }

    /// Ends the newest block: its data in full, and its bitmap.
    fn end_block(&mut self) -> Result<(), DiskWriteError> {
        let Some(last) = self.blocks.len().checked_sub(1) else { return Ok(()) };
        let place = self.place(last as u64);
        self.out.fill_to(place + 512 + BLOCK)?;
        self.out.put_at(place, &self.bitmap)
    }

    fn put(&mut self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError> {
        let (mut offset, mut rest) = (offset, data);
        while !rest.is_empty() {
            let (block, within) = ((offset / BLOCK) as u32, offset % BLOCK);
            if self.blocks.last() != Some(&block) {
                self.end_block()?;
                self.blocks.push(block);
                self.bitmap = [0; 512];
            }
            let len = (BLOCK - within).min(rest.len() as u64);
            let (part, after) = rest.split_at(len as usize);
            self.out.fill_to(self.place(self.blocks.len() as u64 - 1) + 512 + within)?;
            self.out.append(part)?;
            for sector in (within / 512) as usize..((within + len) / 512) as usize {
                self.bitmap[sector / 8] |= 0x80 >> (sector % 8);
            }
            offset += len;
            rest = after;
        }
        Ok(())
    }

    fn header(&self) -> [u8; 1024] {
        // 2040 GiB are about a million blocks.
        let mut bytes = encode(TABLE, self.disk.size.div_ceil(BLOCK) as u32, BLOCK as u32);
        put(&mut bytes, 40, &self.parent.id);
        put(&mut bytes, 56, &self.parent.timestamp.to_be_bytes());
        let name: Vec<u8> = self.parent.name().encode_utf16().flat_map(u16::to_be_bytes).collect();
        put(&mut bytes, 64, &name);
        for (at, (code, path, place)) in (576..).step_by(24).zip(&self.locators) {
            put(&mut bytes, at, code);
            // The space in bytes, as Windows counts it.
            put(&mut bytes, at + 4, &(path.len() as u32).next_multiple_of(512).to_be_bytes());
            put(&mut bytes, at + 8, &(path.len() as u32).to_be_bytes());
            put(&mut bytes, at + 16, &place.to_be_bytes());
        }
        put(&mut bytes, 36, &[0; 4]);
        let sum = checksum(&bytes, 36);
        put(&mut bytes, 36, &sum.to_be_bytes());
        bytes
    }

    fn table(&self) -> Vec<u8> {
        let mut table = vec![0xFF; self.table_len as usize];
        for (index, &block) in (0u64..).zip(&self.blocks) {
            put(&mut table, block as usize * 4, &((self.place(index) / 512) as u32).to_be_bytes());
        }
        table
    }
}

impl ChildWriter for VhdChildWriter {
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError> {
        self.order.take(offset, data.len() as u64)?;
        self.put(offset, data)
    }

    /// A VHD knows no zeros but stored ones.
    fn zero(&mut self, offset: u64, len: u64) -> Result<(), DiskWriteError> {
        self.order.take(offset, len)?;
        for at in (offset..offset + len).step_by(ZEROS.len()) {
            self.put(at, &ZEROS[..(offset + len - at).min(ZEROS.len() as u64) as usize])?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskWriteError> {
        self.out.sync()
    }

    fn finish(mut self: Box<Self>) -> Result<(), DiskWriteError> {
        self.end_block()?;
        self.out.put_at(TABLE, &self.table())?;
        for (_, path, place) in &self.locators {
            self.out.put_at(*place, path)?;
        }
        self.out.put_at(512, &self.header())?;
        self.out.sync()?;
        // The footers come last: without them nothing takes the file for a disk.
        let footer = new_footer(&self.disk, 4, 512).encode();
        self.out.append(&footer)?;
        self.out.put_at(0, &footer)?;
        self.out.sync_all()
    }
}
