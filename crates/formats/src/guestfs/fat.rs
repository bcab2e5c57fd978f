//! FAT12, FAT16 and FAT32 as far as a copy needs them: their kind, and how much of them is in use.
//! Specification: Microsoft, "FAT: General Overview of On-Disk Format" 1.03.

use super::recognise::FsKind;
use super::{GuestFsError, bytes};
use crate::disk::fields::{le16, le32};
use crate::io::ReadAt;

/// Bytes of the table that are read at once; a multiple of 3 for FAT12.
const PIECE: usize = 3 << 15;
/// Clusters of FAT32 at most: the four highest bits of an entry are reserved, and the highest values mean something else.
const MAX_CLUSTERS: u64 = 0x0FFF_FFF5;

/// The sizes in a boot sector that fit together.
#[derive(Debug, Clone)]
pub(super) struct Geometry {
    pub(super) kind: FsKind,
    /// Bytes a sector.
    sector: u64,
    /// Sectors a cluster.
    per_cluster: u64,
    /// Sectors before the first table.
    reserved: u64,
    sectors: u64,
    clusters: u64,
}

impl Geometry {
    /// Offsets: 11 bytes a sector, 13 sectors a cluster, 14 reserved sectors, 16 tables, 17 entries of the root directory,
    /// 19 and 32 sectors, 21 medium, 22 and 36 sectors a table.
    pub(super) fn parse(head: &[u8]) -> Option<Geometry> {
        let sector = u64::from(le16(head, 11));
        let per_cluster = u64::from(*head.get(13)?);
        let (reserved, tables) = (u64::from(le16(head, 14)), u64::from(*head.get(16)?));
        let jump = matches!(head.get(..3)?, [0xEB, _, 0x90] | [0xE9, _, _]);
        let sizes = sector.is_power_of_two() && (512..=4096).contains(&sector) && per_cluster.is_power_of_two();
        let marks = head.get(510..512) == Some(&[0x55, 0xAA]) && *head.get(21)? >= 0xF0;
        if !(jump && sizes && marks) || reserved == 0 || !(1..=2).contains(&tables) {
            return None;
        }
        let sectors = if le16(head, 19) == 0 { u64::from(le32(head, 32)) } else { le16(head, 19).into() };
        let table = if le16(head, 22) == 0 { u64::from(le32(head, 36)) } else { le16(head, 22).into() };
        let root = (u64::from(le16(head, 17)) * 32).div_ceil(sector);
        let data = sectors.checked_sub(reserved + tables * table + root).filter(|_| table > 0)?;
        let clusters = data / per_cluster;
        let kind = match clusters {
            _ if le16(head, 22) == 0 => FsKind::Fat32,
            0..4085 => FsKind::Fat12,
            _ => FsKind::Fat16,
        };
        let bits = match kind {
            FsKind::Fat12 => 12,
            FsKind::Fat16 => 16,
            _ => 32,
        };
        if clusters == 0 || clusters > MAX_CLUSTERS || (clusters + 2) * bits > table * sector * 8 {
            return None;
        }
        Some(Geometry { kind, sector, per_cluster, reserved, sectors, clusters })
    }

    /// Bytes of the volume.
    pub(super) fn size(&self) -> u64 {
        self.sectors * self.sector
    }
}

/// How much of a FAT volume is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FatUsage {
    /// Bytes a cluster.
    pub cluster: u64,
    /// Free clusters.
    pub free: u64,
    /// Clusters in all.
    pub clusters: u64,
    /// The volume was put away in order and without errors (FAT12 does not keep that: `true`).
    pub clean: bool,
}

/// Counts the free entries of the first table; `None` when the volume is not FAT.
pub fn fat_usage(volume: &dyn ReadAt) -> Result<Option<FatUsage>, GuestFsError> {
    let head = bytes::read_some(volume, 0, 512)?;
    let Some(geometry) = Geometry::parse(&head) else { return Ok(None) };
    let start = geometry.reserved * geometry.sector;
    let bits = match geometry.kind {
        FsKind::Fat12 => 12,
        FsKind::Fat16 => 16,
        _ => 32,
    };
    let len = ((geometry.clusters + 2) * bits).div_ceil(8);
    let (mut free, mut index, mut clean) = (0, 0_u64, true);
    let mut at = 0;
    while at < len {
        let piece = bytes::read_vec(volume, start + at, (len - at).min(PIECE as u64) as usize)?;
        let mut each = |entry: u32| {
            if index >= 2 && index < geometry.clusters + 2 && entry == 0 {
                free += 1;
            }
            if index == 1 {
                clean = match bits {
                    16 => entry & 0xC000 == 0xC000,
                    32 => entry & 0x0C00_0000 == 0x0C00_0000,
                    _ => true,
                };
            }
            index += 1;
        };
        entries(&piece, bits, &mut each);
        at += piece.len() as u64;
    }
    let cluster = geometry.per_cluster * geometry.sector;
    Ok(Some(FatUsage { cluster, free, clusters: geometry.clusters, clean }))
}

fn entries(piece: &[u8], bits: u64, each: &mut dyn FnMut(u32)) {
    match bits {
        12 => {
            for three in piece.chunks(3) {
                let word = three.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
                each(word & 0xFFF);
                if three.len() == 3 {
                    each(word >> 12);
                }
            }
        }
        16 => piece.as_chunks::<2>().0.iter().for_each(|pair| each(u16::from_le_bytes(*pair).into())),
        // The highest four bits are reserved and not part of the value.
        _ => piece.as_chunks::<4>().0.iter().for_each(|four| each(u32::from_le_bytes(*four) & 0x0FFF_FFFF)),
    }
}
