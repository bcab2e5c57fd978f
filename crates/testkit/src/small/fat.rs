//! FAT volumes with sectors of 512 bytes and clusters of one. Written from Microsoft, "FAT: General Overview of On-Disk Format" 1.03.

use crate::bytes::{put16, put32};

/// Bits of an entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FatBits {
    /// FAT12: 300 clusters.
    Twelve,
    /// FAT16: 4200 clusters.
    Sixteen,
    /// FAT32: 500 clusters, fewer than a real one has.
    ThirtyTwo,
}

const SECTOR: usize = 512;

/// A volume with three clusters in use.
#[must_use]
pub fn fat(bits: FatBits) -> Vec<u8> {
    let (clusters, width, root) = match bits {
        FatBits::Twelve => (300_usize, 12, 16_usize),
        FatBits::Sixteen => (4200, 16, 16),
        FatBits::ThirtyTwo => (500, 32, 0),
    };
    let reserved = if bits == FatBits::ThirtyTwo { 32 } else { 1 };
    let table = ((clusters + 2) * width).div_ceil(8 * SECTOR);
    let sectors = reserved + 2 * table + root * 32 / SECTOR + clusters;
    let mut bytes = vec![0; sectors * SECTOR];
    bytes[..11].copy_from_slice(b"\xEB\x3C\x90MSDOS5.0");
    put16(&mut bytes, 11, SECTOR as u16);
    bytes[13] = 1;
    put16(&mut bytes, 14, reserved as u16);
    bytes[16] = 2;
    put16(&mut bytes, 17, root as u16);
    put16(&mut bytes, 19, sectors as u16);
    bytes[21] = 0xF8;
    let extended = if bits == FatBits::ThirtyTwo {
        put32(&mut bytes, 36, table as u32);
        put32(&mut bytes, 44, 2);
        64
    } else {
        put16(&mut bytes, 22, table as u16);
        36
    };
    bytes[extended + 2] = 0x29;
    put32(&mut bytes, extended + 3, 0x1234_ABCD);
    bytes[extended + 7..extended + 18].copy_from_slice(b"BOOT       ");
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    // Two entries of the table itself, and a chain of three clusters.
    let entries: &[u8] = match bits {
        FatBits::Twelve => &[0xF8, 0xFF, 0xFF, 0x03, 0x40, 0x00, 0xFF, 0x0F],
        FatBits::Sixteen => &[0xF8, 0xFF, 0xFF, 0xFF, 3, 0, 4, 0, 0xFF, 0xFF],
        FatBits::ThirtyTwo => {
            &[0xF8, 0xFF, 0xFF, 0x0F, 0xFF, 0xFF, 0xFF, 0x0F, 3, 0, 0, 0, 4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x0F]
        }
    };
    for copy in 0..2 {
        let at = (reserved + copy * table) * SECTOR;
        bytes[at..at + entries.len()].copy_from_slice(entries);
    }
    if root > 0 {
        let at = (reserved + 2 * table) * SECTOR;
        bytes[at..at + 12].copy_from_slice(b"FILE    BIN\x20");
        put16(&mut bytes, at + 26, 2);
        put32(&mut bytes, at + 28, 3 * SECTOR as u32);
        bytes[at + 32..at + 44].copy_from_slice(b"BOOT       \x08");
    }
    bytes
}
