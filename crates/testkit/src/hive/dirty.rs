//! A dirty hive as a copy of a running 2008 R2 host is: the primary file is behind, and the log in the old format
//! (`DIRT`, Windows before 8.1) holds the pages that bring it up to date.

use super::HiveKey;
use super::write::{HiveStamp, hive_bytes, seal};
use crate::bytes::put32;

/// Size of the base block before the hive bins.
const BASE: usize = 4096;
/// Unit of the log's bitmap.
const SECTOR: usize = 512;
/// Windows marks whole memory pages as dirty.
const PAGE: usize = 4096;

/// A primary file and its log.
#[derive(Debug, Clone)]
pub struct DirtyPair {
    /// The stale primary file (`SYSTEM`): its base block is the new one with unequal sequence numbers, its bins old.
    pub primary: Vec<u8>,
    /// The log (`SYSTEM.LOG1`).
    pub log: Vec<u8>,
    /// What replaying must give, apart from the second sequence number and the checksum of the base block.
    pub replayed: Vec<u8>,
}

/// Makes a pair in which the primary file still holds `old` and the log turns it into `new`.
///
/// Panics when `new` needs fewer pages than `old`, because a hive never shrinks while it is mounted.
#[must_use]
pub fn dirty_pair(old: &HiveKey, new: &HiveKey, stamp: &HiveStamp) -> DirtyPair {
    let before = hive_bytes(old, stamp);
    let after = hive_bytes(new, &HiveStamp { sequence: stamp.sequence + 1, ..stamp.clone() });
    assert!(after.len() >= before.len(), "the new hive must not be smaller than the old one");
    let mut primary = before;
    primary.resize(after.len(), 0);
    let dirty: Vec<usize> =
        (BASE..after.len()).step_by(PAGE).filter(|at| primary[*at..at + PAGE] != after[*at..at + PAGE]).collect();
    primary[..BASE].copy_from_slice(&after[..BASE]);
    put32(&mut primary, 8, stamp.sequence);
    seal(&mut primary[..BASE]);
    let log = old_format_log(&after, &dirty);
    DirtyPair { primary, log, replayed: after }
}

/// Sector 0: copy of the base block with file type 1. Then `DIRT`, the bitmap (bit 0 of byte 0 = first sector of the
/// bins) up to a sector border, and the dirty sectors one after the other.
fn old_format_log(after: &[u8], dirty_pages: &[usize]) -> Vec<u8> {
    let mut log = after[..SECTOR].to_vec();
    put32(&mut log, 28, 1);
    seal(&mut log);
    let mut bitmap = vec![0u8; (after.len() - BASE).div_ceil(SECTOR * 8)];
    for page in dirty_pages {
        for sector in (page - BASE) / SECTOR..(page - BASE + PAGE) / SECTOR {
            bitmap[sector / 8] |= 1 << (sector % 8);
        }
    }
    log.extend(b"DIRT");
    log.extend(bitmap);
    log.resize(log.len().next_multiple_of(SECTOR), 0);
    dirty_pages.iter().for_each(|page| log.extend(&after[*page..page + PAGE]));
    log
}
