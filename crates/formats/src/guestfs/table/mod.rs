//! Partition tables: MBR with extended partitions, and GPT with both headers. Damage is reported beside what could still be
//! read, never fatal. Specification: UEFI 2.10, chapter 5; extended boot records as every system writes them.

mod finding;
mod gpt;
mod mbr;
mod types;

use serde::Serialize;

pub use finding::Finding;

use super::bytes::read_some;
use super::recognise;
use crate::io::ReadAt;

/// What kind of table the disk has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum TableKind {
    /// No table: empty, or one file system over the whole disk.
    None,
    /// Master boot record.
    Mbr {
        /// Disk signature (offset 440), by which Windows knows the disk.
        signature: u32,
    },
    /// GUID partition table.
    Gpt {
        /// Disk GUID.
        disk: String,
    },
}

/// The partitions of a disk.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionTable {
    /// The kind of table.
    #[serde(flatten)]
    pub table: TableKind,
    /// Bytes of the sectors in which the table counts: 512 or 4096.
    pub sector_size: u32,
    /// The partitions in the order of the table.
    pub partitions: Vec<Partition>,
    /// What is wrong with the table.
    pub findings: Vec<Finding>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// Number as systems count: entry of the table from 1; logical partitions from 5.
    pub index: u32,
    /// First byte on the disk.
    pub start: u64,
    /// Length in bytes.
    pub size: u64,
    /// Type as written: `0x07`, or a GUID.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the type means; empty when it is not known.
    pub type_name: &'static str,
    /// Name (GPT only).
    pub name: String,
    /// Unique GUID of the partition (GPT only).
    pub id: String,
    /// GPT attributes; of an MBR the status byte: 0x80 active.
    pub attributes: u64,
}

impl Partition {
    /// A partition over all of a disk that has no table.
    pub fn whole(size: u64) -> Partition {
        Partition {
            index: 0,
            start: 0,
            size,
            kind: String::new(),
            type_name: "",
            name: String::new(),
            id: String::new(),
            attributes: 0,
        }
    }

    /// First byte behind the partition.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }
}

/// Reads the table of `disk`, whose logical sectors have `sector_size` bytes.
pub fn read_table(disk: &dyn ReadAt, sector_size: u32) -> PartitionTable {
    let mut table =
        PartitionTable { table: TableKind::None, sector_size, partitions: Vec::new(), findings: Vec::new() };
    let first = match read_some(disk, 0, 512) {
        Ok(first) => first,
        Err(error) => {
            table.findings.push(Finding::Unreadable { offset: 0, reason: error.to_string() });
            return table;
        }
    };
    let entries = mbr::entries(&first);
    if recognise::is_raid_member(disk) {
        if entries.iter().flatten().any(|entry| entry.kind != 0) {
            table.findings.push(Finding::RaidMember);
        }
        return table;
    }
    let protective = entries.iter().flatten().any(|entry| entry.kind == 0xEE);
    let names_others = entries.iter().flatten().any(|entry| entry.kind != 0xEE && entry.is_partition());
    if names_others && !protective && !mbr::is_volume(disk, &first) {
        // Windows and Linux take a GPT only where the MBR protects it; one that is left over from before is none.
        if gpt::read(disk, &mut table.clone(), false) {
            table.findings.push(Finding::LeftOver);
        }
        by_content(disk, &mut table, &first);
    } else if gpt::read(disk, &mut table, protective) {
        if entries.iter().flatten().any(|entry| entry.kind != 0xEE && entry.kind != 0) && protective {
            table.findings.push(Finding::Hybrid);
        }
    } else if protective {
        table.findings.push(Finding::NoGpt);
        mbr::read(disk, &mut table, &first);
    } else if entries.is_some() && !mbr::is_volume(disk, &first) {
        by_content(disk, &mut table, &first);
    } else if names_others && entries.is_some_and(|entries| mbr::is_sound(&entries, disk.len(), sector_size)) {
        table.findings.push(Finding::VolumeAndTable);
    }
    check(disk.len(), &mut table);
    table
}

/// Reads the MBR, which does not say how large its sectors are: where nothing that is known begins at any place that it names, and
/// something does with the other sectors, it counts in those.
fn by_content(disk: &dyn ReadAt, table: &mut PartitionTable, first: &[u8]) {
    let begun = table.clone();
    mbr::read(disk, table, first);
    let is_right = |table: &PartitionTable| table.partitions.iter().any(|one| recognise::begins(disk, one.start));
    if table.partitions.is_empty() || is_right(table) {
        return;
    }
    let expected = table.sector_size;
    let found = if expected == 512 { 4096 } else { 512 };
    let mut other = PartitionTable { sector_size: found, ..begun };
    mbr::read(disk, &mut other, first);
    if is_right(&other) {
        other.findings.push(Finding::SectorSize { expected, found });
        *table = other;
    }
}

/// Reports partitions past the end of the disk and those that overlap.
fn check(len: u64, table: &mut PartitionTable) {
    let mut order: Vec<(u64, u64, u32)> = Vec::new();
    for partition in &table.partitions {
        order.push((partition.start, partition.end(), partition.index));
        if partition.end() > len {
            let (index, end) = (partition.index, partition.end());
            table.findings.push(Finding::PastEnd { index, end, len });
        }
    }
    order.sort_unstable();
    for pair in order.windows(2) {
        if let [(_, end, first), (start, _, second)] = pair
            && start < end
        {
            table.findings.push(Finding::Overlap { first: *first, second: *second, start: *start });
        }
    }
}
