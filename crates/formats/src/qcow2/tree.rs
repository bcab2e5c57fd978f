//! Writes one qcow2 file that holds several states of a disk: internal snapshots and, last, the active state. A state names
//! the state that it was made from; clusters and second-level tables in which it does not differ are shared. Snapshot
//! tables, reference counts and last the header are written by `finish`: until then the file is no disk.

use std::fs::File;

use super::clusters::{Clusters, Packing};
use super::codec::Method;
use super::counts::{
    Back, CLUSTER, CLUSTER_BITS, COMPRESSED, COPIED, OFFSET, TABLE_ENTRIES, Top, check_size, write_counts,
};
use super::header::NewHeader;
use super::snapshots::Snapshot;
use crate::disk::write::{Appender, DiskWriteError, Order};

/// QEMU keeps no more of an id and a name.
const MAX_ID: usize = 127;
const MAX_NAME: usize = 255;

/// A state that was begun in a [`TreeWriter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateId(usize);

/// What is said of an internal snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSnapshot {
    /// Id, unique in the file; at most 127 bytes are kept.
    pub id: String,
    /// Name; at most 255 bytes are kept.
    pub name: String,
    /// Date: seconds since 1970-01-01 UTC, and nanoseconds.
    pub date: (u32, u32),
}

/// A state that is complete but for the header.
struct Done {
    size: u64,
    top: Top,
    snapshot: Option<NewSnapshot>,
}

/// The state that is being written.
pub(super) struct Open {
    pub(super) l1: Vec<u64>,
    /// The second-level table in memory, its number, and whether it must be written.
    pub(super) table: Vec<u64>,
    pub(super) index: Option<u64>,
    pub(super) touched: bool,
    pub(super) order: Order,
    size: u64,
    snapshot: Option<NewSnapshot>,
}

impl Open {
    pub(super) fn new(size: u64, mut l1: Vec<u64>, snapshot: Option<NewSnapshot>) -> Self {
        l1.resize(size.div_ceil(CLUSTER * TABLE_ENTRIES) as usize, 0);
        let table = vec![0; TABLE_ENTRIES as usize];
        Open { l1, table, index: None, touched: false, order: Order::new(size), size, snapshot }
    }

    /// Clusters and tables of the active state belong to nobody else; those of a snapshot have no flag.
    fn flag(&self) -> u64 {
        if self.snapshot.is_none() { COPIED } else { 0 }
    }

    /// Brings the second-level table of a cluster into memory, and the one that was there into the file.
    fn turn_to(&mut self, index: u64, out: &mut Appender, back: &Back) -> Result<(), DiskWriteError> {
        if self.index == Some(index) {
            return Ok(());
        }
        self.put_table(out)?;
        let place = self.l1.get(index as usize).copied().unwrap_or(0) & OFFSET;
        if place == 0 {
            self.table.fill(0);
        } else {
            self.table = back.entries(place, TABLE_ENTRIES as usize)?;
        }
        self.index = Some(index);
        Ok(())
    }

    fn put_table(&mut self, out: &mut Appender) -> Result<(), DiskWriteError> {
        let flag = self.flag();
        if let Some(entry) = self.index.and_then(|index| self.l1.get_mut(index as usize)).filter(|_| self.touched) {
            let bytes: Vec<u8> = self.table.iter().flat_map(|entry| entry.to_be_bytes()).collect();
            if bytes.iter().all(|byte| *byte == 0) {
                *entry = 0;
            } else {
                out.fill_to(out.position().next_multiple_of(CLUSTER))?;
                *entry = out.position() | flag;
                out.append(&bytes)?;
            }
        }
        self.touched = false;
        Ok(())
    }

    pub(super) fn note(&mut self, cluster: u64, entry: u64) {
        let flag = if entry & COMPRESSED == 0 { self.flag() } else { 0 };
        if let Some(place) = self.table.get_mut((cluster % TABLE_ENTRIES) as usize) {
            *place = entry | flag;
            self.touched = true;
        }
    }

    fn zero(&mut self, offset: u64, len: u64, out: &mut Appender, back: &Back) -> Result<(), DiskWriteError> {
        let (mut cluster, end) = (offset / CLUSTER, (offset + len).div_ceil(CLUSTER));
        while cluster < end {
            let index = cluster / TABLE_ENTRIES;
            let next = end.min((index + 1) * TABLE_ENTRIES);
            if self.index == Some(index) || self.l1.get(index as usize).is_some_and(|entry| *entry != 0) {
                self.turn_to(index, out, back)?;
                self.clear(cluster % TABLE_ENTRIES, next - index * TABLE_ENTRIES);
            }
            cluster = next;
        }
        Ok(())
    }

    fn clear(&mut self, from: u64, to: u64) {
        if let Some(places) = self.table.get_mut(from as usize..to as usize) {
            self.touched |= places.iter().any(|place| *place != 0);
            places.fill(0);
        }
    }
}

/// Writes a qcow2 file with internal snapshots.
pub struct TreeWriter {
    out: Appender,
    back: Back,
    clusters: Clusters,
    packing: Packing,
    done: Vec<Done>,
    open: Option<Open>,
}

impl TreeWriter {
    /// Begins a file without any state; a file with content is emptied. It is opened for reading and writing.
    pub fn new(file: File, packing: Packing) -> Result<Self, DiskWriteError> {
        Self::resume(file, packing, CLUSTER, None)
    }

    /// Goes on at `position` with a state.
    pub(super) fn resume(
        file: File,
        packing: Packing,
        position: u64,
        open: Option<Open>,
    ) -> Result<Self, DiskWriteError> {
        let back = Back(file.try_clone().map_err(|source| DiskWriteError::Io { offset: 0, source })?);
        let out = Appender::resume(file, position, CLUSTER)?;
        Ok(TreeWriter { out, back, clusters: Clusters::new(packing)?, packing, done: Vec::new(), open })
    }

    /// Begins a state of `size` bytes that has the content of `parent` until something is written, and ends the one before.
    /// `None` for `snapshot` is the active state, which is the last one.
    pub fn begin(
        &mut self,
        parent: Option<StateId>,
        size: u64,
        snapshot: Option<NewSnapshot>,
    ) -> Result<StateId, DiskWriteError> {
        self.end()?;
        let ended = self.done.last().is_some_and(|last| last.snapshot.is_none());
        let parent = parent.map(|parent| self.done.get(parent.0).ok_or(DiskWriteError::StateOrder)).transpose()?;
        if ended {
            return Err(DiskWriteError::StateOrder);
        }
        check_size(size)?;
        let mut l1 = Vec::new();
        if let Some(parent) = parent {
            if size < parent.size {
                return Err(DiskWriteError::ChildSmaller { size, parent: parent.size });
            }
            l1 = self.back.entries(parent.top.0, parent.top.1 as usize)?;
        }
        self.open = Some(Open::new(size, l1, snapshot));
        Ok(StateId(self.done.len()))
    }

    /// Writes into the state that was begun last: ranges as for a [`DiskWriter`](crate::disk::write::DiskWriter).
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError> {
        if data.is_empty() {
            return Ok(());
        }
        let TreeWriter { out, back, clusters, open, .. } = self;
        let open = open.as_mut().ok_or(DiskWriteError::StateOrder)?;
        open.order.take(offset, data.len() as u64)?;
        let first = offset / CLUSTER;
        // Both closures work on the state, one after the other.
        let open = std::cell::RefCell::new(open);
        clusters.put(
            out,
            data,
            &mut |out, number| open.borrow_mut().turn_to((first + number as u64) / TABLE_ENTRIES, out, back),
            &mut |number, entry| open.borrow_mut().note(first + number as u64, entry),
        )
    }

    /// Makes a range of the state that was begun last read as zeros, whatever its parent holds; a range as for
    /// [`TreeWriter::write`].
    pub fn zero(&mut self, offset: u64, len: u64) -> Result<(), DiskWriteError> {
        let open = self.open.as_mut().ok_or(DiskWriteError::StateOrder)?;
        open.order.take(offset, len)?;
        open.zero(offset, len, &mut self.out, &self.back)
    }

    /// Makes what was written so far durable; the file is no disk yet.
    pub fn sync(&mut self) -> Result<(), DiskWriteError> {
        self.out.sync()
    }

    /// Ends the open state: its last table and its first-level table.
    fn end(&mut self) -> Result<(), DiskWriteError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.put_table(&mut self.out)?;
        self.align()?;
        let top = (self.out.position(), open.l1.len() as u64);
        for part in open.l1.chunks(TABLE_ENTRIES as usize) {
            let bytes: Vec<u8> = part.iter().flat_map(|entry| entry.to_be_bytes()).collect();
            self.out.append(&bytes)?;
        }
        self.align()?;
        self.done.push(Done { size: open.size, top, snapshot: open.snapshot });
        Ok(())
    }

    fn align(&mut self) -> Result<(), DiskWriteError> {
        self.out.fill_to(self.out.position().next_multiple_of(CLUSTER))
    }

    /// Completes the file and makes it durable. Where no active state was begun, it is the same as the last snapshot.
    pub fn finish(mut self) -> Result<(), DiskWriteError> {
        self.end()?;
        let last = self.done.last().ok_or(DiskWriteError::StateOrder)?;
        if last.snapshot.is_some() {
            self.begin(Some(StateId(self.done.len() - 1)), last.size, None)?;
            self.end()?;
        }
        let table = self.snapshot_table();
        let place = self.out.position();
        self.out.append(&table)?;
        self.align()?;
        let tops: Vec<Top> = self.done.iter().map(|state| state.top).collect();
        let owned = [(0, CLUSTER), (place, table.len() as u64)];
        let (refcount_offset, clusters) = write_counts(&mut self.out, &self.back, &tops, &owned)?;
        self.out.sync()?;
        let active = self.done.last().ok_or(DiskWriteError::StateOrder)?;
        let snapshots = self.done.len() as u32 - 1;
        let header = NewHeader {
            cluster_bits: CLUSTER_BITS,
            size: active.size,
            l1_size: active.top.1 as u32,
            l1_offset: active.top.0,
            refcount_offset,
            refcount_clusters: clusters as u32,
            snapshots: (snapshots, if snapshots > 0 { place } else { 0 }),
            method: if self.packing == Packing::Zstd { Method::Zstd } else { Method::Deflate },
        };
        self.out.put_at(0, &header.encode())?;
        self.out.sync_all()
    }

    fn snapshot_table(&self) -> Vec<u8> {
        let entry = |state: &Done| {
            let NewSnapshot { id, name, date } = state.snapshot.as_ref()?;
            let (id, name) = (cut(id, MAX_ID), cut(name, MAX_NAME));
            let l1 = (state.top.0, state.top.1 as u32);
            Some(Snapshot { id, name, date: *date, vm_state: 0, size: state.size, l1 }.encode())
        };
        self.done.iter().filter_map(entry).flatten().collect()
    }
}

/// At most `len` bytes of a text, whole characters.
fn cut(text: &str, len: usize) -> String {
    let end = (0..=len.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}
