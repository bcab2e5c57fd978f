//! The check of a qcow2 file: every table of the current state and of all internal snapshots, the count of references to
//! each cluster against the stored one, the "copied" flags, and clusters that are counted but used by nothing.

use std::collections::HashSet;

use super::header::Header;
use super::refcount::Refcounts;
use super::{Qcow2Error, packed_place};
use crate::check::Findings;
use crate::disk::fields::{be16, be32, be64};
use crate::disk::{DiskError, read};
use crate::io::{ReadAt, SharedFile};

const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
const READS_ZERO: u64 = 1;
const L1_RESERVED: u64 = 0x7f00_0000_0000_01ff;
const L2_RESERVED: u64 = 0x3f00_0000_0000_01fe;
/// Clusters that are counted in one walk: 16 MiB of memory.
const WINDOW: u64 = 8 << 20;
/// A file of more windows is taken for one that was made to keep us busy.
const MAX_WINDOWS: u64 = 64;
/// Second-level tables that one walk visits; snapshots of a hostile file may share theirs without end.
const MAX_TABLES: u64 = 1 << 20;
/// Bounds of QEMU for snapshots and their first-level tables.
const MAX_SNAPSHOTS: u32 = 65536;
const MAX_L1: u32 = 4 << 20;

/// Checks the file.
pub(crate) fn check(file: &SharedFile, findings: &mut Findings) -> Result<(), DiskError> {
    let file = &**file;
    let header = match Header::read(file) {
        Ok(header) => header,
        Err(error @ DiskError::Read { .. }) => return Err(error),
        Err(error) => {
            findings.fault(0, error.to_string());
            return Ok(());
        }
    };
    for remark in &header.remarks {
        findings.note(0, remark.clone());
    }
    let mut raw = [0; 104];
    read(file, 0, raw.get_mut(..if header.version == 3 { 104 } else { 72 }).unwrap_or_default())?;
    let counts = Refcounts::read(file, &header, &raw, findings)?;
    let clusters = file.len().div_ceil(header.cluster_size());
    let windows = clusters.div_ceil(WINDOW);
    if windows > MAX_WINDOWS {
        findings.fault(0, format!("The file has {clusters} clusters; its reference counts were not checked."));
        return Ok(());
    }
    // Bitmaps and encryption headers lie in extensions that nothing here reads: their clusters would look lost.
    let leaks = if header.version == 3 && be64(&raw, 88) & 1 != 0 { Leaks::Unknown } else { Leaks::Known };
    if leaks == Leaks::Unknown {
        findings.note(88, "The file holds bitmaps of changes; lost clusters cannot be told from theirs.");
    }
    for window in 0..windows {
        let first = window * WINDOW;
        let len = (clusters - first).min(WINDOW) as usize;
        let mut walk = Walk {
            file,
            header: &header,
            counts: &counts,
            findings,
            first,
            seen: vec![0; len],
            tables: 0,
            walked: HashSet::new(),
            reporting: if window == 0 { Reporting::On } else { Reporting::Off },
        };
        walk.all(&raw)?;
        let seen = walk.seen;
        counts.compare((first, &seen), leaks, findings)?;
    }
    Ok(())
}

/// Whether a counted cluster without a reference is known to be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaks {
    Known,
    Unknown,
}

/// The first walk reports what is wrong with the tables; those for further windows only count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reporting {
    On,
    Off,
}

/// Whose tables are walked: the "copied" flags count only in those of the current state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Current,
    Snapshot,
}

struct Walk<'a> {
    file: &'a dyn ReadAt,
    header: &'a Header,
    counts: &'a Refcounts<'a>,
    findings: &'a mut Findings,
    /// First cluster of the window.
    first: u64,
    /// References to each cluster of the window, saturating.
    seen: Vec<u16>,
    tables: u64,
    /// Clusters of the second-level tables of one first-level table that were visited.
    walked: HashSet<u64>,
    reporting: Reporting,
}

impl Walk<'_> {
    fn fault(&mut self, offset: u64, text: impl FnOnce() -> String) {
        if self.reporting == Reporting::On {
            self.findings.fault(offset, text());
        }
    }

    /// Counts a reference to each cluster that a range touches.
    fn refer(&mut self, start: u64, len: u64) {
        let cluster = self.header.cluster_size();
        let end = start.saturating_add(len).div_ceil(cluster);
        let from = (start / cluster).max(self.first);
        let to = end.min(self.first + self.seen.len() as u64);
        for number in from..to {
            if let Some(seen) = self.seen.get_mut((number - self.first) as usize) {
                *seen = seen.saturating_add(1);
            }
        }
    }

    /// True when a structure of `len` bytes is aligned and inside the file.
    fn is_inside(&mut self, (field, name): (u64, &str), start: u64, len: u64) -> bool {
        let limit = self.file.len();
        if start.is_multiple_of(self.header.cluster_size()) && start.checked_add(len).is_some_and(|end| end <= limit) {
            return true;
        }
        self.fault(field, || {
            format!("The {name} of {len} bytes at {start} is not aligned to a cluster or ends past the file's end at {limit}.")
        });
        false
    }

    fn all(&mut self, raw: &[u8; 104]) -> Result<(), DiskError> {
        self.refer(0, 1);
        for (start, len) in self.counts.own() {
            self.refer(start, len);
        }
        self.table((40, State::Current), self.header.l1_offset, self.header.l1_size)?;
        self.snapshots(be32(raw, 60), be64(raw, 64))
    }

    fn snapshots(&mut self, count: u32, start: u64) -> Result<(), DiskError> {
        if count == 0 {
            return Ok(());
        }
        if count > MAX_SNAPSHOTS || !self.is_inside((64, "table of snapshots"), start, 40) {
            self.fault(60, || format!("The file claims {count} snapshots, at most {MAX_SNAPSHOTS} are possible."));
            return Ok(());
        }
        let mut at = start;
        for _ in 0..count {
            let mut entry = [0; 40];
            if at.saturating_add(40) > self.file.len() {
                self.fault(at, || "The table of snapshots ends past the end of the file.".to_owned());
                break;
            }
            read(self.file, at, &mut entry)?;
            // Offsets 0 and 8: the first-level table; 12 and 14: lengths of id and name; 36: length of the extra data.
            self.table((at, State::Snapshot), be64(&entry, 0), be32(&entry, 8))?;
            let texts = u64::from(be16(&entry, 12)) + u64::from(be16(&entry, 14));
            at = (at + 40 + u64::from(be32(&entry, 36)) + texts).next_multiple_of(8);
        }
        self.refer(start, at - start);
        Ok(())
    }

    /// A first-level table, whose offset stands at `field`.
    fn table(&mut self, (field, state): (u64, State), start: u64, entries: u32) -> Result<(), DiskError> {
        let len = u64::from(entries) * 8;
        if entries > MAX_L1 || !self.is_inside((field, "first-level table"), start, len) {
            return Ok(());
        }
        self.refer(start, len);
        self.walked.clear();
        let step = self.header.cluster_size().max(4096);
        let mut at = 0;
        while at < len {
            let part = self.entries(start + at, (len - at).min(step))?;
            for (entry, offset) in part.into_iter().zip((start + at..).step_by(8)) {
                self.second(entry, offset, state)?;
            }
            at += step;
        }
        Ok(())
    }

    fn entries(&self, offset: u64, len: u64) -> Result<Vec<u64>, DiskError> {
        // At most a cluster, which has at most 2 MiB.
        let mut bytes = vec![0; len as usize];
        read(self.file, offset, &mut bytes)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|entry| u64::from_be_bytes(*entry)).collect())
    }

    /// An entry of a first-level table at `offset`.
    fn second(&mut self, entry: u64, offset: u64, state: State) -> Result<(), DiskError> {
        let start = entry & OFFSET;
        if entry & L1_RESERVED != 0 {
            let file = self.file.name().to_owned();
            self.fault(offset, || Qcow2Error::Reserved { file, offset, entry }.to_string());
        }
        let cluster = self.header.cluster_size();
        if start == 0 || !self.is_inside((offset, "second-level table"), start, cluster) {
            return Ok(());
        }
        self.tables += 1;
        if self.tables > MAX_TABLES {
            if self.tables == MAX_TABLES + 1 {
                self.fault(offset, || format!("More than {MAX_TABLES} tables; the rest was not checked."));
            }
            return Ok(());
        }
        self.refer(start, cluster);
        self.flag(entry, (start, offset), state)?;
        // A hostile table may name one second-level table a million times.
        if !self.walked.insert(start / cluster) {
            self.fault(offset, || format!("The second-level table at {start} belongs to another entry already."));
            return Ok(());
        }
        for (entry, offset) in self.entries(start, cluster)?.into_iter().zip((start..).step_by(8)) {
            if entry != 0 {
                self.data(entry, offset, state)?;
            }
        }
        Ok(())
    }

    /// An entry of a second-level table at `offset`.
    fn data(&mut self, entry: u64, offset: u64, state: State) -> Result<(), DiskError> {
        if entry & COMPRESSED != 0 {
            return self.compressed(entry, offset);
        }
        let reserved = if self.header.version == 2 { L2_RESERVED | READS_ZERO } else { L2_RESERVED };
        if entry & reserved != 0 {
            let file = self.file.name().to_owned();
            self.fault(offset, || Qcow2Error::Reserved { file, offset, entry }.to_string());
        }
        let (start, cluster) = (entry & OFFSET, self.header.cluster_size());
        // The last cluster of a file may be cut where the disk ends.
        if start == 0 || !self.is_inside((offset, "cluster"), start, 1) {
            return Ok(());
        }
        self.refer(start, cluster);
        self.flag(entry, (start, offset), state)
    }

    fn compressed(&mut self, entry: u64, offset: u64) -> Result<(), DiskError> {
        let (start, len) = packed_place(entry, self.header.cluster_bits);
        if start >= self.file.len() {
            self.fault(offset, || format!("A compressed cluster lies at {start}, past the end of the file."));
            return Ok(());
        }
        if entry & COPIED != 0 {
            self.fault(offset, || "A compressed cluster has the flag 'copied'.".to_owned());
        }
        self.refer(start, len);
        Ok(())
    }

    /// The flag says that exactly one refers to the cluster, so that it may be written in place.
    fn flag(&mut self, entry: u64, (start, offset): (u64, u64), state: State) -> Result<(), DiskError> {
        if state == State::Snapshot || self.reporting == Reporting::Off {
            return Ok(());
        }
        let count = self.counts.get(start / self.header.cluster_size())?;
        if (entry & COPIED != 0) != (count == 1) {
            let flag = if entry & COPIED != 0 { "has" } else { "lacks" };
            self.fault(offset, || {
                format!(
                    "The entry for the cluster at {start} {flag} the flag 'copied', its reference count is {count}."
                )
            });
        }
        Ok(())
    }
}
