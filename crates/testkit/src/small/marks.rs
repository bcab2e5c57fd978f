//! Volumes of which only the first sectors are looked at: encrypted ones, members of LVM and RAID, and file systems that are named and not
//! read. Written from the documents and headers of each.

use crate::bytes::{put16, put32, put64};

/// What a volume is marked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// BitLocker.
    Bitlocker,
    /// BitLocker To Go over a FAT boot sector.
    BitlockerToGo,
    /// LUKS.
    Luks,
    /// A physical volume of LVM2.
    Lvm,
    /// Linux RAID with its superblock at the start (1.1).
    RaidFirst,
    /// Linux RAID with its superblock at the end (1.0).
    RaidLast,
    /// Linux RAID of the old form (0.90).
    RaidOld,
    /// Swap space.
    Swap,
    /// exFAT.
    Exfat,
    /// ReFS.
    Refs,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// ISO 9660.
    Iso,
}

impl Mark {
    /// All.
    pub const ALL: [Mark; 13] = [
        Mark::Bitlocker,
        Mark::BitlockerToGo,
        Mark::Luks,
        Mark::Lvm,
        Mark::RaidFirst,
        Mark::RaidLast,
        Mark::RaidOld,
        Mark::Swap,
        Mark::Exfat,
        Mark::Refs,
        Mark::Xfs,
        Mark::Btrfs,
        Mark::Iso,
    ];
}

const LEN: usize = 128 << 10;

/// A volume of 128 KiB with this mark.
#[must_use]
pub fn mark(mark: Mark) -> Vec<u8> {
    if mark == Mark::BitlockerToGo {
        let mut bytes = super::fat(super::FatBits::Twelve);
        bytes[0x1A8..0x1B8].copy_from_slice(b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01");
        return bytes;
    }
    let mut bytes = vec![0; LEN];
    let mut put = |at: usize, text: &[u8]| bytes[at..at + text.len()].copy_from_slice(text);
    match mark {
        Mark::Bitlocker => put(0, b"\xEB\x58\x90-FVE-FS-\0\x02"),
        Mark::BitlockerToGo => {}
        Mark::Luks => {
            put(0, b"LUKS\xBA\xBE\0\x02");
            put(168, b"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed");
        }
        Mark::Lvm => {
            put(512, b"LABELONE");
            put(536, b"LVM2 001");
            put(532, &32u32.to_le_bytes());
            put(544, b"AbCdEf0123456789AbCdEf0123456789");
            put(576, &(LEN as u64).to_le_bytes());
        }
        Mark::RaidFirst => raid(&mut bytes, 0),
        Mark::RaidLast => raid(&mut bytes, LEN - 8192),
        Mark::RaidOld => put(LEN - 65536, &0xA92B_4EFC_u32.to_le_bytes()),
        Mark::Swap => {
            put(4086, b"SWAPSPACE2");
            put(1024, &[1, 0, 0, 0, 31, 0, 0, 0]);
            put(1036, &[0x77; 16]);
            put(1052, b"swap");
        }
        Mark::Exfat => {
            put(0, b"\xEB\x76\x90EXFAT   ");
            put(72, &256u64.to_le_bytes());
            put(100, &[1, 2, 3, 4]);
            put(108, &[9]);
        }
        Mark::Refs => {
            put(3, b"ReFS\0\0\0\0");
            put(24, &256u64.to_le_bytes());
            put(32, &512u32.to_le_bytes());
        }
        Mark::Xfs => {
            put(0, b"XFSB\0\0\x10\0\0\0\0\0\0\0\0\x20");
            put(108, b"data");
        }
        Mark::Btrfs => {
            put(0x1_0040, b"_BHRfS_M");
            put(0x1_0070, &(LEN as u64).to_le_bytes());
            put(0x1_012B, b"pool");
        }
        Mark::Iso => {
            put(0x8000, b"\x01CD001\x01");
            put(0x8028, b"CDROM");
            put(0x8050, &64u32.to_le_bytes());
            put(0x8080, &2048u16.to_le_bytes());
        }
    }
    bytes
}

/// A superblock of version 1.
fn raid(bytes: &mut [u8], at: usize) {
    put32(bytes, at, 0xA92B_4EFC);
    put32(bytes, at + 4, 1);
    bytes[at + 16..at + 32].copy_from_slice(&[0x33; 16]);
    bytes[at + 32..at + 38].copy_from_slice(b"host:0");
    put64(bytes, at + 80, 200);
    put16(bytes, at + 92, 2);
}
