//! Reference counts of a file that is being completed: every first-level table is walked, and each cluster counts once for
//! every way that leads to it. Only a window of the file's clusters is in memory at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::packed_place;
use crate::disk::write::{Appender, DiskWriteError, GRANULE};

pub(super) const CLUSTER: u64 = GRANULE;
pub(super) const CLUSTER_BITS: u32 = 16;
/// Entries of 8 bytes in a table of one cluster.
pub(super) const TABLE_ENTRIES: u64 = CLUSTER / 8;
/// "Referenced exactly once".
pub(super) const COPIED: u64 = 1 << 63;
pub(super) const COMPRESSED: u64 = 1 << 62;
/// The offset in an entry.
pub(super) const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// QEMU takes a size in whole sectors and leaves the rest away.
const SECTOR: u32 = 512;
/// QEMU reads first-level tables of up to 32 MiB.
const MAX_SIZE: u64 = (32 << 20) / 8 * TABLE_ENTRIES * CLUSTER;
/// Reference counts of 2 bytes in a block of one cluster.
const COUNTS: u64 = CLUSTER / 2;
/// Clusters that are counted in one walk: 16 MiB of memory.
const WINDOW: u64 = 8 << 20;

/// The written part of a file, for reading.
pub(super) struct Back(pub File);

impl Back {
    /// Entries of a table that lies at `offset`.
    pub(super) fn entries(&self, offset: u64, count: usize) -> Result<Vec<u64>, DiskWriteError> {
        let mut bytes = vec![0; count * 8];
        self.read(offset, &mut bytes)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|entry| u64::from_be_bytes(*entry)).collect())
    }

    /// Writing goes by positions, so that the file's own position is free for this.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskWriteError> {
        let mut file = &self.0;
        let found = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(buffer));
        found.map_err(|source| DiskWriteError::Io { offset, source })
    }
}

/// Refuses a disk whose first-level table nobody would read; a sparse raw file can claim any size.
pub(super) fn check_size(size: u64) -> Result<(), DiskWriteError> {
    match size {
        0 => Err(DiskWriteError::Empty),
        _ if !size.is_multiple_of(u64::from(SECTOR)) => {
            Err(DiskWriteError::SizeNotSectors { format: "qcow2 disk", size, sector: SECTOR })
        }
        1..=MAX_SIZE => Ok(()),
        _ => Err(DiskWriteError::SizeTooLarge { format: "qcow2 disk", size, limit: MAX_SIZE }),
    }
}

/// A first-level table: where it lies, and its entries.
pub(super) type Top = (u64, u64);

/// Appends the counts, their own clusters included; offset and clusters of their table. `owned` are ranges of the file that
/// no table leads to.
pub(super) fn write_counts(
    out: &mut Appender,
    back: &Back,
    tops: &[Top],
    owned: &[(u64, u64)],
) -> Result<(u64, u64), DiskWriteError> {
    let others = out.position() / CLUSTER;
    let (mut blocks, mut tables) = (1, 1);
    while blocks * COUNTS < others + blocks + tables {
        blocks = (others + blocks + tables).div_ceil(COUNTS);
        tables = blocks.div_ceil(TABLE_ENTRIES);
    }
    let total = others + blocks + tables;
    let mut table = Vec::new();
    for first in (0..total).step_by(WINDOW as usize) {
        let mut window = Window { first, seen: vec![0; (total - first).min(WINDOW) as usize] };
        window.refer(others * CLUSTER, (blocks + tables) * CLUSTER);
        for &(start, len) in owned {
            window.refer(start, len);
        }
        for top in tops {
            window.walk(back, *top)?;
        }
        for counts in window.seen.chunks(COUNTS as usize) {
            table.extend_from_slice(&out.position().to_be_bytes());
            let mut block: Vec<u8> = counts.iter().flat_map(|count| count.to_be_bytes()).collect();
            block.resize(CLUSTER as usize, 0);
            out.append(&block)?;
        }
    }
    let place = out.position();
    table.resize((tables * CLUSTER) as usize, 0);
    out.append(&table)?;
    Ok((place, tables))
}

/// Some clusters of the file and how many ways lead to each.
struct Window {
    first: u64,
    seen: Vec<u16>,
}

impl Window {
    fn refer(&mut self, start: u64, len: u64) {
        let from = (start / CLUSTER).max(self.first);
        let to = (start + len).div_ceil(CLUSTER).min(self.first + self.seen.len() as u64);
        for number in from..to {
            if let Some(seen) = self.seen.get_mut((number - self.first) as usize) {
                *seen = seen.saturating_add(1);
            }
        }
    }

    fn walk(&mut self, back: &Back, (start, entries): Top) -> Result<(), DiskWriteError> {
        self.refer(start, entries * 8);
        for first in (0..entries).step_by(TABLE_ENTRIES as usize) {
            let count = (entries - first).min(TABLE_ENTRIES) as usize;
            for second in back.entries(start + first * 8, count)? {
                if second & OFFSET != 0 {
                    self.refer(second & OFFSET, CLUSTER);
                    for entry in back.entries(second & OFFSET, TABLE_ENTRIES as usize)? {
                        self.data(entry);
                    }
                }
            }
        }
        Ok(())
    }

    fn data(&mut self, entry: u64) {
        if entry & COMPRESSED != 0 {
            let (start, len) = packed_place(entry, CLUSTER_BITS);
            self.refer(start, len);
        } else if entry & OFFSET != 0 {
            self.refer(entry & OFFSET, CLUSTER);
        }
    }
}
