//! The master boot record and the chain of extended boot records.

use std::collections::HashSet;

use super::types::mbr_type;
use super::{Finding, Partition, PartitionTable, TableKind};
use crate::disk::fields::le32;
use crate::guestfs::bytes::read_some;
use crate::guestfs::recognise;
use crate::io::ReadAt;

/// More logical partitions than this are not followed; Windows shows far fewer.
const MAX_LOGICAL: u32 = 256;

/// One of the four entries of a boot record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Offset 0.
    status: u8,
    /// Offset 4.
    pub(super) kind: u8,
    /// Offset 8: first sector.
    start: u64,
    /// Offset 12: sectors.
    count: u64,
}

impl Entry {
    /// Whether it is one of a disk without GPT: nothing that begins where a GPT would lie.
    pub(super) fn is_partition(self) -> bool {
        self.kind != 0 && self.start > 1 && self.count != 0
    }

    fn extended(self) -> bool {
        matches!(self.kind, 0x05 | 0x0F | 0x85)
    }
}

/// The four entries of a boot record; `None` without the mark 55 AA.
pub(super) fn entries(sector: &[u8]) -> Option<[Entry; 4]> {
    if sector.get(510..512) != Some(&[0x55, 0xAA]) {
        return None;
    }
    Some([446, 462, 478, 494].map(|at| Entry {
        status: sector.get(at).copied().unwrap_or_default(),
        kind: sector.get(at + 4).copied().unwrap_or_default(),
        start: le32(sector, at + 8).into(),
        count: le32(sector, at + 12).into(),
    }))
}

/// Whether all entries are as tools write them: boot code in their place is not.
pub(super) fn is_sound(entries: &[Entry; 4], len: u64, sector_size: u32) -> bool {
    let is_empty = |entry: &Entry| (entry.status, entry.kind, entry.start, entry.count) == (0, 0, 0, 0);
    let fits = |entry: &Entry| (entry.start + entry.count) * u64::from(sector_size) <= len;
    entries.iter().all(|entry| is_empty(entry) || entry.status & 0x7F == 0 && entry.is_partition() && fits(entry))
}

/// True when the first sector belongs to a file system over the whole disk, which also ends in 55 AA: by the sector itself, or,
/// where that is boot code without one partition, by what follows it.
pub(super) fn is_volume(disk: &dyn ReadAt, sector: &[u8]) -> bool {
    let is_empty = sector.get(446..510).is_some_and(|entries| entries.iter().all(|byte| *byte == 0));
    recognise::boot_sector(sector).is_some()
        || is_empty && recognise::recognise(disk).kind != recognise::FsKind::Unknown
}

/// Reads the entries of the first sector and of the extended boot records.
pub(super) fn read(disk: &dyn ReadAt, table: &mut PartitionTable, first: &[u8]) {
    let Some(entries) = entries(first) else { return };
    table.table = TableKind::Mbr { signature: le32(first, 440) };
    for (index, entry) in (1..).zip(entries) {
        if entry.kind == 0 && entry.count == 0 {
            continue;
        }
        if entry.status & 0x7F != 0 {
            table.findings.push(Finding::Status { index, found: entry.status });
        }
        push(table, index, entry, 0);
    }
    let extended: Vec<Entry> = entries.into_iter().filter(|entry| entry.extended()).collect();
    let mut index = 5;
    for entry in extended {
        logical(disk, table, entry, &mut index);
    }
}

fn push(table: &mut PartitionTable, index: u32, entry: Entry, base: u64) {
    if entry.start == 0 || entry.count == 0 || entry.kind == 0 {
        let (kind, start, count) = (entry.kind, entry.start, entry.count);
        table.findings.push(Finding::EmptyRange { index, kind, start, count });
        return;
    }
    // The container is no place for a file system, its logical partitions follow.
    if entry.extended() {
        return;
    }
    let sector = u64::from(table.sector_size);
    table.partitions.push(Partition {
        index,
        start: (base + entry.start) * sector,
        size: entry.count * sector,
        kind: format!("{:#04x}", entry.kind),
        type_name: mbr_type(entry.kind),
        name: String::new(),
        id: String::new(),
        attributes: entry.status.into(),
    });
}

/// Follows one chain: the first entry counts from its own record, the second from the start of the extended partition.
fn logical(disk: &dyn ReadAt, table: &mut PartitionTable, extended: Entry, index: &mut u32) {
    let sector = u64::from(table.sector_size);
    let mut record = extended.start;
    let mut seen = HashSet::new();
    loop {
        let offset = record * sector;
        let reason = if !seen.insert(record) {
            Some("a second time")
        } else if record < extended.start || record >= extended.start + extended.count {
            Some("outside of the extended partition")
        } else if *index >= 5 + MAX_LOGICAL {
            Some("after too many partitions")
        } else {
            None
        };
        if let Some(reason) = reason {
            table.findings.push(Finding::Chain { offset, reason });
            return;
        }
        let bytes = match read_some(disk, offset, 512) {
            Ok(bytes) => bytes,
            Err(error) => {
                table.findings.push(Finding::Unreadable { offset, reason: error.to_string() });
                return;
            }
        };
        let Some([first, next, ..]) = entries(&bytes) else {
            table.findings.push(Finding::NoExtendedMark { offset });
            return;
        };
        if first.kind != 0 {
            push(table, *index, first, record);
            *index += 1;
        }
        if next.kind == 0 || next.count == 0 {
            return;
        }
        record = extended.start + next.start;
    }
}
