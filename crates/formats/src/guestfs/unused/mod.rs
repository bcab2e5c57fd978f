//! A disk without the free space of its volumes: a view of another disk in which the clusters that a clean NTFS or ext
//! volume marks as free read as zeros that nothing stores. Everything else, the space outside the partitions
//! included, stays as it is bit by bit. A disk with a volume in doubt is refused as a whole.

mod error;
mod marks;
mod ranges;
mod survey;
mod volume;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

pub use error::{FreeSpaceError, UnusedError};
pub use volume::FreeSpace;

use super::FsKind;
use crate::disk::{DiskError, Extent, ExtentKind, Layer, SharedDisk, StoredRun, VirtualDisk, check_range};
use crate::io::SharedFile;

/// Free ranges below this are read with their neighbours, because a call costs more than their bytes.
const BRIDGE: u64 = 16 << 10;

/// A disk whose free space reads as zeros.
pub struct UsedDisk {
    inner: SharedDisk,
    /// In ascending order, never touching each other.
    free: Vec<Range<u64>>,
    layers: Vec<Layer>,
    volumes: Vec<UsedVolume>,
    /// The run of the inner disk that was asked for last: a scattered volume asks for the same one many times.
    last: Mutex<Option<Extent>>,
}

/// One volume and what is left out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsedVolume {
    /// Number of the partition; 0 when the disk has no table.
    pub partition: u32,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes of the partition.
    pub size: u64,
    /// What it holds.
    pub kind: FsKind,
    /// Its label.
    pub label: String,
    /// Bytes of a cluster; 0 where it is not read.
    pub cluster: u64,
    /// Bytes that it marks as free.
    pub free: u64,
    /// Those of them that the disk stores and that are left out.
    pub left_out: u64,
    /// Why all of it is copied, where that is so.
    pub copied_whole: Option<&'static str>,
}

impl UsedDisk {
    /// Finds the free space of every volume on `disk`.
    pub fn new(disk: SharedDisk) -> Result<UsedDisk, UnusedError> {
        let (free, volumes) = survey::survey(&disk)?;
        let layers = disk.layers().to_vec();
        let mut used = UsedDisk { inner: disk, free, layers, volumes, last: Mutex::new(None) };
        used.count_stored()?;
        let (bytes, ranges) = (used.free_bytes(), used.free.len());
        if let Some(leaf) = used.layers.first_mut() {
            leaf.remarks.push(format!("Free space is left out: {bytes} bytes in {ranges} ranges read as zeros."));
        }
        Ok(used)
    }

    /// The volumes in the order of the disk.
    pub fn volumes(&self) -> &[UsedVolume] {
        &self.volumes
    }

    /// The ranges that read as zeros, in bytes of the disk.
    pub fn free(&self) -> &[Range<u64>] {
        &self.free
    }

    /// Bytes in all these ranges.
    pub fn free_bytes(&self) -> u64 {
        self.free.iter().map(|range| range.end - range.start).sum()
    }

    /// Counts, for each volume, the bytes of its free ranges that the disk stores.
    fn count_stored(&mut self) -> Result<(), DiskError> {
        let mut stored = vec![0; self.volumes.len()];
        for range in &self.free {
            let after = self.volumes.partition_point(|volume| volume.start <= range.start);
            let Some(sum) = after.checked_sub(1).and_then(|index| stored.get_mut(index)) else { continue };
            let mut at = range.start;
            while at < range.end {
                let run = self.inner_run(at)?;
                let end = run.start.saturating_add(run.len).min(range.end);
                if run.kind == ExtentKind::Data {
                    *sum += end - at;
                }
                at = end;
            }
        }
        self.volumes.iter_mut().zip(stored).for_each(|(volume, stored)| volume.left_out = stored);
        Ok(())
    }

    /// The run of the inner disk that holds `offset`.
    fn inner_run(&self, offset: u64) -> Result<Extent, DiskError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = last.filter(|run| run.start <= offset && offset - run.start < run.len) {
            return Ok(run);
        }
        let run = self.inner.extent(offset)?;
        *last = Some(run);
        Ok(run)
    }

    /// Index of the first free range that ends behind `offset`.
    fn next_free(&self, offset: u64) -> usize {
        self.free.partition_point(|range| range.end <= offset)
    }

    fn start_of(&self, index: usize) -> u64 {
        self.free.get(index).map_or(u64::MAX, |range| range.start)
    }

    /// Where the next free range begins that is worth a call of its own; `end` at the latest.
    fn used_until(&self, index: usize, end: u64) -> u64 {
        let ranges = self.free.get(index..).unwrap_or_default().iter().take_while(|range| range.start < end);
        let worth = ranges.into_iter().find(|range| range.end - range.start >= BRIDGE);
        worth.map_or(end, |range| range.start)
    }

    /// Reads a stretch with the short free ranges in it, from `index` on, and blanks those.
    fn read_used(&self, at: u64, index: usize, part: &mut [u8]) -> Result<(), DiskError> {
        self.inner.read_at(at, part)?;
        let (len, end) = (part.len() as u64, at.saturating_add(part.len() as u64));
        let place = |offset: u64| offset.saturating_sub(at).min(len) as usize;
        for range in self.free.get(index..).unwrap_or_default().iter().take_while(|range| range.start < end) {
            if let Some(free) = part.get_mut(place(range.start)..place(range.end)) {
                free.fill(0);
            }
        }
        Ok(())
    }

    /// The end of the zeros from `offset`; `offset` itself when there are none.
    fn zeros(&self, offset: u64) -> Result<u64, DiskError> {
        let (mut end, mut index) = (offset, self.next_free(offset));
        while end < self.size() {
            match self.free.get(index) {
                Some(range) if range.start <= end => {
                    end = end.max(range.end);
                    index += 1;
                }
                _ => {
                    let run = self.inner_run(end)?;
                    if run.kind == ExtentKind::Data {
                        break;
                    }
                    end = run.start.saturating_add(run.len);
                    // One run of zeros may hold many ranges.
                    index = self.next_free(end);
                }
            }
        }
        Ok(end.min(self.size()))
    }
}

impl VirtualDisk for UsedDisk {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn sector_size(&self) -> u32 {
        self.inner.sector_size()
    }

    fn extent(&self, offset: u64) -> Result<Extent, DiskError> {
        let name = self.layers.first().map_or("", |leaf| &leaf.name);
        check_range(name, offset, 1, self.size())?;
        let zeros = self.zeros(offset)?;
        if zeros > offset {
            return Ok(Extent { kind: ExtentKind::Zero, start: offset, len: zeros - offset });
        }
        let run = self.inner_run(offset)?;
        let end = run.start.saturating_add(run.len).min(self.start_of(self.next_free(offset)));
        Ok(Extent { kind: ExtentKind::Data, start: offset, len: end - offset })
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        let name = self.layers.first().map_or("", |leaf| &leaf.name);
        check_range(name, offset, buf.len() as u64, self.size())?;
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let end = at.saturating_add(rest.len() as u64);
            let index = self.next_free(at);
            let free = self.free.get(index).filter(|range| range.start <= at);
            let until = free.map_or_else(|| self.used_until(index, end), |range| range.end.min(end));
            let (part, after) = rest.split_at_mut((until - at) as usize);
            match free {
                Some(_) => part.fill(0),
                None => self.read_used(at, index, part)?,
            }
            (at, rest) = (until, after);
        }
        Ok(())
    }

    fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn stored(&self, offset: u64, max: u64) -> Result<StoredRun, DiskError> {
        let name = self.layers.first().map_or("", |leaf| &leaf.name);
        check_range(name, offset, max, self.size())?;
        match self.free.get(self.next_free(offset)) {
            Some(range) if range.start <= offset => Ok(StoredRun { place: None, len: (range.end - offset).min(max) }),
            Some(range) => self.inner.stored(offset, (range.start - offset).min(max)),
            None => self.inner.stored(offset, max),
        }
    }

    fn file(&self, layer: usize) -> Option<SharedFile> {
        self.inner.file(layer)
    }
}
