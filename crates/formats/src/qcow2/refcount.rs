//! The stored reference counts of a qcow2 file: a table of blocks, in which each cluster of the file has a number of 1 to
//! 64 bits.

use std::cell::RefCell;

use super::check::Leaks;
use super::header::Header;
use crate::check::Findings;
use crate::disk::fields::{be32, be64};
use crate::disk::{DiskError, read};
use crate::io::ReadAt;

/// QEMU's own bound.
const MAX_TABLE: u64 = 8 << 20;

/// The stored counts.
pub(super) struct Refcounts<'a> {
    file: &'a dyn ReadAt,
    cluster: u64,
    /// A count has 2^order bits.
    order: u32,
    /// Where the table lies, and its length.
    place: (u64, u64),
    /// Offsets of the blocks; 0 where all counts are 0.
    blocks: Vec<u64>,
    /// The block that was read last.
    last: RefCell<Option<(u64, Vec<u8>)>>,
}

impl<'a> Refcounts<'a> {
    /// Reads and checks the table.
    pub(super) fn read(
        file: &'a dyn ReadAt,
        header: &Header,
        raw: &[u8; 104],
        findings: &mut Findings,
    ) -> Result<Self, DiskError> {
        let cluster = header.cluster_size();
        let order = if header.version == 3 { be32(raw, 96) } else { 4 };
        let (start, len) = (be64(raw, 48), u64::from(be32(raw, 56)) * cluster);
        let mut counts = Refcounts {
            file,
            cluster,
            order: order.min(6),
            place: (start, 0),
            blocks: Vec::new(),
            last: RefCell::default(),
        };
        if order > 6 {
            findings.fault(96, format!("Reference counts of 2^{order} bits, expected at most 2^6."));
        }
        let inside = start.checked_add(len).is_some_and(|end| end <= file.len());
        if len == 0 || len > MAX_TABLE || !inside || !start.is_multiple_of(cluster) {
            findings.fault(48, format!("The reference count table of {len} bytes at {start} cannot be right."));
            return Ok(counts);
        }
        counts.place = (start, len);
        let mut bytes = vec![0; len as usize];
        read(file, start, &mut bytes)?;
        for (entry, offset) in bytes.as_chunks::<8>().0.iter().zip((start..).step_by(8)) {
            let block = u64::from_be_bytes(*entry);
            let good = block.is_multiple_of(cluster) && block.checked_add(cluster).is_some_and(|end| end <= file.len());
            if !good {
                findings.fault(offset, format!("A block of reference counts cannot lie at {block}."));
            }
            counts.blocks.push(if good { block } else { 0 });
        }
        Ok(counts)
    }

    /// The ranges that the counts themselves take.
    pub(super) fn own(&self) -> Vec<(u64, u64)> {
        let blocks = self.blocks.iter().filter(|block| **block != 0).map(|block| (*block, self.cluster));
        std::iter::once(self.place).chain(blocks).collect()
    }

    /// The stored count of a cluster.
    pub(super) fn get(&self, number: u64) -> Result<u64, DiskError> {
        let per_block = (self.cluster * 8) >> self.order;
        let block = usize::try_from(number / per_block).ok().and_then(|at| self.blocks.get(at)).copied().unwrap_or(0);
        if block == 0 {
            return Ok(0);
        }
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(offset, _)| *offset != block) {
            let mut bytes = vec![0; self.cluster as usize];
            read(self.file, block, &mut bytes)?;
            *last = Some((block, bytes));
        }
        let bytes = last.as_ref().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
        let bit = (number % per_block) << self.order;
        Ok(match self.order {
            // Counts of less than a byte begin at the lowest bit.
            0..=2 => {
                let byte = bytes.get((bit / 8) as usize).copied().unwrap_or(0);
                u64::from(byte >> (bit % 8)) & ((1 << (1 << self.order)) - 1)
            }
            _ => {
                let len = 1usize << (self.order - 3);
                let at = (bit / 8) as usize;
                let part = bytes.get(at..at + len).unwrap_or_default();
                part.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
            }
        })
    }

    /// Compares the stored counts with what a walk has seen of the clusters from `first` on.
    pub(super) fn compare(
        &self,
        (first, seen): (u64, &[u16]),
        leaks: Leaks,
        findings: &mut Findings,
    ) -> Result<(), DiskError> {
        let mut leak = (0, 0);
        for (number, &seen) in (first..).zip(seen) {
            let stored = self.get(number)?;
            let offset = number * self.cluster;
            if stored > u64::from(seen) && seen < u16::MAX && leaks == Leaks::Known {
                if seen == 0 {
                    findings.unreferenced += self.cluster;
                }
                leak = if leak.1 == 0 { (offset, 1) } else { (leak.0, leak.1 + 1) };
                continue;
            }
            report_leak(&mut leak, findings);
            if stored < u64::from(seen) {
                findings.fault(offset, format!(
                    "{seen} references lead to the cluster here, its reference count is {stored}: it may be overwritten."
                ));
            }
        }
        report_leak(&mut leak, findings);
        Ok(())
    }
}

fn report_leak(leak: &mut (u64, u64), findings: &mut Findings) {
    let (offset, count) = std::mem::take(leak);
    if count > 0 {
        findings
            .fault(offset, format!("{count} clusters from here on are counted as in use more often than they are."));
    }
}
