//! Writing qcow2 version 3 with clusters of 64 KiB: data clusters in the order of the ranges, then, by `finish`, the
//! second-level tables, the first-level table, the reference counts and last the header.

use std::fs::File;

use super::codec::Method;
use super::counts::check_size;
use super::header::NewHeader;
use crate::disk::placing::{self, Placing, Room};
use crate::disk::write::{Appender, DiskWriteError, DiskWriter, FINE_GRANULE, GRANULE, NewDisk, Order};

const CLUSTER: u64 = GRANULE;
const CLUSTER_BITS: u32 = 16;
/// Entries of 8 bytes in a table of one cluster.
const TABLE_ENTRIES: u64 = CLUSTER / 8;
/// Reference counts of 2 bytes in a block of one cluster.
const COUNTS: u64 = CLUSTER / 2;
/// "Referenced exactly once": set for every entry, as nothing is shared.
const COPIED: u64 = 1 << 63;

/// Clusters that lie one after the other both on the disk and in the file.
#[derive(Debug, Clone, Copy)]
struct Run {
    guest: u64,
    host: u64,
    len: u64,
}

/// Writes a qcow2 disk.
pub struct Qcow2Writer {
    out: Appender,
    order: Order,
    size: u64,
    runs: Vec<Run>,
    /// The first cluster of the file that is free.
    next: u64,
}

/// Notes `len` clusters from `guest` on, stored from `host` on.
fn note(runs: &mut Vec<Run>, guest: u64, host: u64, len: u64) {
    match runs.last_mut() {
        Some(last) if last.guest + last.len == guest => last.len += len,
        _ => runs.push(Run { guest, host, len }),
    }
}

impl Qcow2Writer {
    /// Begins the disk or goes on with it after the pieces in `written`.
    pub fn new(file: File, disk: &NewDisk, written: &mut dyn Iterator<Item = u64>) -> Result<Self, DiskWriteError> {
        check_size(disk.size)?;
        let mut order = Order::fine(disk.size);
        let mut runs = Vec::new();
        // Cluster 0 is the header's.
        let mut next = 1;
        for offset in written {
            order.take_piece(offset)?;
            note(&mut runs, offset / CLUSTER, next, 1);
            next += 1;
        }
        // Only a part of the last cluster may have been written.
        let out = Appender::resume_behind_hole(file, next * CLUSTER, CLUSTER, CLUSTER)?;
        Ok(Qcow2Writer { out, order, size: disk.size, runs, next })
    }

    /// Appends the second-level tables; the first-level table that points to them.
    fn write_l2(&mut self) -> Result<Vec<u8>, DiskWriteError> {
        let mut l1 = vec![0; self.size.div_ceil(CLUSTER * TABLE_ENTRIES) as usize * 8];
        let mut table = vec![0; CLUSTER as usize];
        let mut current = None;
        for run in std::mem::take(&mut self.runs) {
            for (guest, host) in (run.guest..run.guest + run.len).zip(run.host..) {
                let index = guest / TABLE_ENTRIES;
                if current.is_some_and(|current| current != index) {
                    self.out.append(&table)?;
                    table.fill(0);
                }
                if current != Some(index) {
                    current = Some(index);
                    put_entry(&mut l1, index, self.out.position());
                }
                put_entry(&mut table, guest % TABLE_ENTRIES, host * CLUSTER);
            }
        }
        if current.is_some() {
            self.out.append(&table)?;
        }
        Ok(l1)
    }

    /// Appends reference counts of one for every cluster, their own included; offset and clusters of their table.
    fn write_counts(&mut self) -> Result<(u64, u64), DiskWriteError> {
        let others = self.out.position() / CLUSTER;
        let (mut blocks, mut tables) = (1, 1);
        while blocks * COUNTS < others + blocks + tables {
            blocks = (others + blocks + tables).div_ceil(COUNTS);
            tables = blocks.div_ceil(TABLE_ENTRIES);
        }
        let total = others + blocks + tables;
        let mut table = vec![0; (tables * CLUSTER) as usize];
        for index in 0..blocks {
            put_offset(&mut table, index, self.out.position());
            let used = total.saturating_sub(index * COUNTS).min(COUNTS);
            let mut block = vec![0; CLUSTER as usize];
            for count in block.as_chunks_mut::<2>().0.iter_mut().take(used as usize) {
                *count = 1u16.to_be_bytes();
            }
            self.out.append(&block)?;
        }
        let place = self.out.position();
        self.out.append(&table)?;
        Ok((place, tables))
    }
}

fn put_entry(table: &mut [u8], index: u64, offset: u64) {
    put_offset(table, index, offset | COPIED);
}

fn put_offset(table: &mut [u8], index: u64, value: u64) {
    if let Some(entry) = table.as_chunks_mut::<8>().0.get_mut(index as usize) {
        *entry = value.to_be_bytes();
    }
}

impl Placing for Qcow2Writer {
    fn parts(&mut self) -> (&mut Order, &mut Appender) {
        (&mut self.order, &mut self.out)
    }

    fn go_to(&mut self, offset: u64, len: u64) -> Result<u64, DiskWriteError> {
        let (mut first, within) = (offset / CLUSTER, offset % CLUSTER);
        let end = (offset + len).div_ceil(CLUSTER);
        // The first cluster may have been begun by the range before.
        let begun = self.runs.last().is_some_and(|run| run.guest + run.len == first + 1);
        let host = self.next - u64::from(begun);
        self.out.skip_to(host * CLUSTER + within);
        first += u64::from(begun);
        if first < end {
            note(&mut self.runs, first, self.next, end - first);
            self.next += end - first;
        }
        Ok(len)
    }
}

impl DiskWriter for Qcow2Writer {
    fn granule(&self) -> u64 {
        FINE_GRANULE
    }

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
        self.out.skip_to(self.next * CLUSTER);
        let l1 = self.write_l2()?;
        let l1_offset = self.out.position();
        self.out.append(&l1)?;
        self.out.fill_to(self.out.position().next_multiple_of(CLUSTER))?;
        let (refcount_offset, refcount_clusters) = self.write_counts()?;
        self.out.sync()?;
        let header = NewHeader {
            cluster_bits: CLUSTER_BITS,
            size: self.size,
            // A table of 2^32 entries would be for 2^61 bytes; no file of the data could be that long.
            l1_size: (l1.len() / 8) as u32,
            l1_offset,
            refcount_offset,
            refcount_clusters: refcount_clusters as u32,
            snapshots: (0, 0),
            method: Method::Deflate,
        };
        self.out.put_at(0, &header.encode())?;
        self.out.sync_all()
    }
}
