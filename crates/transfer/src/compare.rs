//! Compares two virtual disks, whatever their formats: the ranges in which their contents differ, by sectors.

use hvm_formats::disk::{Extent, ExtentKind, SharedDisk, VirtualDisk};

use crate::copy::Watch;
use crate::error::TransferError;
use crate::progress::Stage;

const STEP: u64 = 1 << 20;
const SECTOR: usize = 512;
/// Ranges that are listed; further ones are counted.
const LISTED: usize = 10_000;

/// How far is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// To the first range that differs.
    First,
    /// To the end.
    End,
}

/// What came of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Size of the first disk, bytes.
    pub first_size: u64,
    /// Size of the second disk, bytes.
    pub second_size: u64,
    /// The ranges that differ: offset and length, whole sectors, in order. What only one disk has belongs to them.
    pub ranges: Vec<(u64, u64)>,
    /// Ranges that were found but are not listed, because there are too many.
    pub unlisted: u64,
    /// Bytes in all ranges.
    pub bytes: u64,
    /// The first differing byte: its offset, and the values in both disks; `None` when only the sizes differ.
    pub first: Option<(u64, u8, u8)>,
}

impl Comparison {
    /// True when nothing differs.
    pub fn is_same(&self) -> bool {
        self.bytes == 0
    }

    /// Adds a range; one that follows the last is joined to it.
    fn add(&mut self, offset: u64, len: u64) {
        self.bytes += len;
        let room = self.ranges.len() < LISTED;
        match self.ranges.last_mut() {
            Some((start, run)) if *start + *run == offset && self.unlisted == 0 => *run += len,
            _ if room => self.ranges.push((offset, len)),
            _ => self.unlisted += 1,
        }
    }
}

/// Compares two disks.
pub fn compare(
    first: &SharedDisk,
    second: &SharedDisk,
    until: Until,
    watch: &Watch<'_>,
) -> Result<Comparison, TransferError> {
    let common = first.size().min(second.size());
    let mut found = Comparison { first_size: first.size(), second_size: second.size(), ..Comparison::default() };
    let mut sides = (Side::new(first), Side::new(second));
    watch.progress.started(Stage::Checking, common);
    let mut offset = 0;
    while offset < common {
        if watch.cancel.is_cancelled() {
            return Err(TransferError::Cancelled);
        }
        let zeros = sides.0.zeros(offset)?.min(sides.1.zeros(offset)?).min(common - offset);
        let len = if zeros > 0 { zeros } else { STEP.min(common - offset) };
        if zeros == 0 {
            let (ours, theirs) = (sides.0.read(offset, len)?, sides.1.read(offset, len)?);
            differences(&mut found, offset, (ours, theirs));
        }
        offset += len;
        watch.progress.advanced(len);
        // A range that reaches the end of the step may go on behind it.
        let ended = found.ranges.first().is_some_and(|(start, run)| start + run < offset);
        if until == Until::First && ended {
            found.ranges.truncate(1);
            found.bytes = found.ranges.iter().map(|(_, len)| len).sum();
            watch.progress.finished();
            return Ok(found);
        }
    }
    let longest = first.size().max(second.size());
    if longest > common && (until == Until::End || found.is_same()) {
        found.add(common, longest - common);
    }
    watch.progress.finished();
    Ok(found)
}

fn differences(found: &mut Comparison, offset: u64, (ours, theirs): (&[u8], &[u8])) {
    if ours == theirs {
        return;
    }
    for (index, (one, other)) in ours.chunks(SECTOR).zip(theirs.chunks(SECTOR)).enumerate() {
        if one == other {
            continue;
        }
        let start = offset + (index * SECTOR) as u64;
        if found.first.is_none() {
            let pair = one.iter().zip(other).enumerate().find(|(_, (a, b))| a != b);
            found.first = pair.map(|(at, (a, b))| (start + at as u64, *a, *b));
        }
        found.add(start, one.len() as u64);
    }
}

/// One of the disks, with a buffer and the last run.
struct Side<'a> {
    disk: &'a dyn VirtualDisk,
    buffer: Vec<u8>,
    last: Option<Extent>,
}

impl<'a> Side<'a> {
    fn new(disk: &'a SharedDisk) -> Self {
        Side { disk: &**disk, buffer: Vec::new(), last: None }
    }

    /// How many bytes from `offset` on are known to be zeros.
    fn zeros(&mut self, offset: u64) -> Result<u64, TransferError> {
        let run = match self.last.filter(|run| offset >= run.start && offset - run.start < run.len) {
            Some(run) => run,
            None => self.disk.extent(offset)?,
        };
        self.last = Some(run);
        Ok(if run.kind == ExtentKind::Zero { run.start.saturating_add(run.len) - offset } else { 0 })
    }

    fn read(&mut self, offset: u64, len: u64) -> Result<&[u8], TransferError> {
        // At most a step.
        self.buffer.resize(len as usize, 0);
        self.disk.read_at(offset, &mut self.buffer)?;
        Ok(&self.buffer)
    }
}
