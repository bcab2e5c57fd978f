//! Disks of about 1 MiB with a partition table. Written from the UEFI specification and from what MBR partitioners write.

use super::{ExtLayout, FatBits, Mark, ext, fat, mark};
use crate::bytes::{put32, put64, utf16le};
use crate::hvs::crc32;

/// Bytes of a sector.
pub const SECTOR: usize = 512;
const SECTORS: usize = 2400;
/// Entries of the GUID partition table; room is kept for 128.
const ENTRIES: usize = 16;

/// A disk, and where its table lies.
#[derive(Debug, Clone)]
pub struct TableDisk {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Offset and length of the boot records, the headers and the entries in use.
    pub structures: Vec<(u64, u64)>,
    /// Offset, length and place of each CRC-32 of a GUID partition table: of the entries before those of the headers.
    pub sums: Vec<(u64, usize, u64)>,
}

fn put(bytes: &mut [u8], sector: usize, content: &[u8]) -> u32 {
    bytes[sector * SECTOR..][..content.len()].copy_from_slice(content);
    content.len().div_ceil(SECTOR) as u32
}

fn entry(bytes: &mut [u8], at: usize, (status, kind): (u8, u8), (start, count): (u32, u32)) {
    bytes[at] = status;
    bytes[at + 4] = kind;
    put32(bytes, at + 8, start);
    put32(bytes, at + 12, count);
    let record = at / SECTOR * SECTOR;
    bytes[record + 510..record + 512].copy_from_slice(&[0x55, 0xAA]);
}

/// A master boot record: FAT12, ext4, and an extended partition with LVM, swap and a member of a RAID.
#[must_use]
pub fn mbr() -> TableDisk {
    let mut bytes = vec![0; SECTORS * SECTOR];
    put32(&mut bytes, 440, 0x1A2B_3C4D);
    let boot = put(&mut bytes, 64, &fat(FatBits::Twelve));
    entry(&mut bytes, 446, (0x80, 0x01), (64, boot));
    let root = put(&mut bytes, 512, &ext(ExtLayout::Extents).bytes);
    entry(&mut bytes, 462, (0, 0x83), (512, root));
    let (first, len) = (1024, (SECTORS - 1024) as u32);
    entry(&mut bytes, 478, (0, 0x05), (first as u32, len));
    let mut structures = vec![(440, 72)];
    let logical = [(1024, 0x8E, Mark::Lvm), (1424, 0x82, Mark::Swap), (1824, 0xFD, Mark::RaidLast)];
    for (number, (record, kind, what)) in logical.into_iter().enumerate() {
        let count = put(&mut bytes, record + 8, &mark(what));
        entry(&mut bytes, record * SECTOR + 446, (0, kind), (8, count));
        if let Some((next, ..)) = logical.get(number + 1) {
            entry(&mut bytes, record * SECTOR + 462, (0, 0x05), ((next - first) as u32, 400));
        }
        structures.push(((record * SECTOR + 446) as u64, 66));
    }
    TableDisk { bytes, structures, sums: Vec::new() }
}

/// A GUID partition table: FAT12, ext2, a volume under BitLocker and one under LUKS.
#[must_use]
pub fn gpt() -> TableDisk {
    let mut bytes = vec![0; SECTORS * SECTOR];
    entry(&mut bytes, 446, (0, 0xEE), (1, SECTORS as u32 - 1));
    let mut entries = vec![0; ENTRIES * 128];
    let volumes = [
        (64, fat(FatBits::Twelve), "EFI"),
        (512, ext(ExtLayout::Blocks).bytes, "root"),
        (1024, mark(Mark::Bitlocker), "Daten äöü"),
        (1536, mark(Mark::Luks), ""),
    ];
    for (number, (start, content, name)) in volumes.into_iter().enumerate() {
        let count = put(&mut bytes, start, &content);
        let at = number * 128;
        entries[at..at + 16].copy_from_slice(b"\xA2\xA0\xD0\xEB\xE5\xB9\x33\x44\x87\xC0\x68\xB6\xB7\x26\x99\xC7");
        entries[at + 16..at + 32].fill(number as u8 + 1);
        put64(&mut entries, at + 32, start as u64);
        put64(&mut entries, at + 40, start as u64 + u64::from(count) - 1);
        let name = utf16le(name);
        entries[at + 56..at + 56 + name.len()].copy_from_slice(&name);
    }
    let last = SECTORS - 1;
    let (mut structures, mut sums) = (vec![(440, 72)], Vec::new());
    for (own, other, list) in [(1, last, 2), (last, 1, last - 32)] {
        put(&mut bytes, list, &entries);
        let header = header(own, other, list, &entries);
        put(&mut bytes, own, &header);
        let (own, list) = ((own * SECTOR) as u64, (list * SECTOR) as u64);
        structures.extend([(own, 92), (list, 4 * 128)]);
        sums.extend([(list, entries.len(), own + 88), (own, 92, own + 16)]);
    }
    TableDisk { bytes, structures, sums }
}

fn header(own: usize, other: usize, list: usize, entries: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 92];
    header[..8].copy_from_slice(b"EFI PART");
    for (at, value) in [(8, 0x1_0000), (12, 92), (80, ENTRIES as u32), (84, 128), (88, crc32(entries))] {
        put32(&mut header, at, value);
    }
    let last = (SECTORS - 34) as u64;
    for (at, value) in [(24, own as u64), (32, other as u64), (40, 34), (48, last), (72, list as u64)] {
        put64(&mut header, at, value);
    }
    header[56..72].fill(0x44);
    let sum = crc32(&header);
    put32(&mut header, 16, sum);
    header
}
