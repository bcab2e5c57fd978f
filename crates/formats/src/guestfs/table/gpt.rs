//! The GUID partition table: a header in the second sector and its copy in the last one, each with its own entries.

use super::types::gpt_type;
use super::{Finding, Partition, PartitionTable, TableKind};
use crate::disk::fields::{bytes_at, guid_le, le32, le64};
use crate::guestfs::bytes::{read_some, read_vec, utf16};
use crate::guestfs::crc::crc32;
use crate::io::ReadAt;

/// Bytes of entries that are read: 64 times the usual 16 KiB.
const MAX_ENTRIES: u64 = 1 << 20;

struct Header {
    /// Offset 32: the sector of the other header.
    other: u64,
    /// Offsets 40 and 48: usable sectors.
    usable: (u64, u64),
    /// Offset 56.
    disk: [u8; 16],
    /// Offset 84.
    entry_size: usize,
    entries: Vec<u8>,
}

/// Fills `table` from the GPT; false when there is none.
pub(super) fn read(disk: &dyn ReadAt, table: &mut PartitionTable, protective: bool) -> bool {
    let wanted = table.sector_size;
    for sector in [wanted, if wanted == 512 { 4096 } else { 512 }] {
        let (header, mut findings) = best(disk, sector.into(), protective && sector == wanted);
        let Some(header) = header else {
            // The reasons of the sectors that the disk has; those of the others say nothing.
            if sector == wanted {
                table.findings.append(&mut findings);
            }
            continue;
        };
        if sector != wanted {
            findings.push(Finding::SectorSize { expected: wanted, found: sector });
        }
        if !protective {
            findings.push(Finding::NotProtected);
        }
        table.sector_size = sector;
        table.findings.append(&mut findings);
        table.table = TableKind::Gpt { disk: guid_le(&header.disk) };
        partitions(&header, table);
        return true;
    }
    false
}

/// The primary header, or the backup where the primary cannot be used.
fn best(disk: &dyn ReadAt, sector: u64, protective: bool) -> (Option<Header>, Vec<Finding>) {
    let mut findings = Vec::new();
    let Some(last) = (disk.len() / sector).checked_sub(1).filter(|last| *last > 1) else { return (None, findings) };
    let mut get = |which, at: u64| {
        let bad = |reason| Finding::BadGpt { which, offset: at.saturating_mul(sector), reason };
        header(disk, sector, at).map_err(|reason| findings.push(bad(reason))).ok().flatten()
    };
    let primary = get("primary", 1);
    let place = primary.as_ref().map_or(last, |primary| primary.other);
    // Without any mark the last sector counts only when the MBR promises a table.
    let backup = if primary.is_some() || protective { get("backup", place) } else { None };
    if place != last {
        findings.push(Finding::BackupPlace { expected: last * sector, found: place.saturating_mul(sector) });
    }
    let missing = |which, at: u64| Finding::BadGpt {
        which,
        offset: at.saturating_mul(sector),
        reason: "no mark 'EFI PART'".into(),
    };
    match (primary, backup) {
        (Some(primary), Some(backup)) => {
            if primary.entries != backup.entries || primary.disk != backup.disk {
                findings.push(Finding::CopiesDiffer);
            }
            (Some(primary), findings)
        }
        (Some(primary), None) => {
            if !findings.iter().any(|finding| matches!(finding, Finding::BadGpt { which: "backup", .. })) {
                findings.push(missing("backup", place));
            }
            (Some(primary), findings)
        }
        (None, Some(backup)) => {
            if !findings.iter().any(|finding| matches!(finding, Finding::BadGpt { which: "primary", .. })) {
                findings.push(missing("primary", 1));
            }
            (Some(backup), findings)
        }
        (None, None) => (None, findings),
    }
}

/// The header in sector `at` with its entries; `None` without the mark, an error when it is not right.
fn header(disk: &dyn ReadAt, sector: u64, at: u64) -> Result<Option<Header>, String> {
    let offset = at.checked_mul(sector).ok_or("it would lie behind every disk")?;
    let bytes = read_some(disk, offset, sector as usize).map_err(|error| error.to_string())?;
    if !bytes.starts_with(b"EFI PART") {
        return Ok(None);
    }
    let size = le32(&bytes, 12) as usize;
    let (Some(head), Some(tail), true) = (bytes.get(..16), bytes.get(20..size), size >= 92) else {
        return Err(format!("header size {size} at offset 12, expected 92 to {sector}"));
    };
    let (expected, found) = (le32(&bytes, 16), crc32(&[head, &[0; 4], tail]));
    if expected != found {
        return Err(format!("header checksum {expected:#010x} at offset 16, the bytes give {found:#010x}"));
    }
    if le64(&bytes, 24) != at {
        return Err(format!("it says at offset 24 that it is sector {}", le64(&bytes, 24)));
    }
    let (count, entry_size) = (u64::from(le32(&bytes, 80)), u64::from(le32(&bytes, 84)));
    let len = count * entry_size;
    if len > MAX_ENTRIES || entry_size < 128 || !entry_size.is_power_of_two() {
        return Err(format!(
            "{count} entries of {entry_size} bytes at offset 80, expected at most {MAX_ENTRIES} bytes in all"
        ));
    }
    let start = le64(&bytes, 72).checked_mul(sector).ok_or("its entries would lie behind every disk")?;
    let entries = read_vec(disk, start, len as usize).map_err(|error| error.to_string())?;
    let (expected, found) = (le32(&bytes, 88), crc32(&[&entries]));
    if expected != found {
        return Err(format!("checksum of the entries {expected:#010x} at offset 88, the bytes give {found:#010x}"));
    }
    Ok(Some(Header {
        other: le64(&bytes, 32),
        usable: (le64(&bytes, 40), le64(&bytes, 48)),
        disk: bytes_at(&bytes, 56),
        entry_size: entry_size as usize,
        entries,
    }))
}

fn partitions(header: &Header, table: &mut PartitionTable) {
    let sector = u64::from(table.sector_size);
    let (usable_first, usable_last) = header.usable;
    for (index, entry) in (1..).zip(header.entries.chunks_exact(header.entry_size)) {
        let kind = bytes_at::<16>(entry, 0);
        if kind == [0; 16] {
            continue;
        }
        let (first, last) = (le64(entry, 32), le64(entry, 40));
        if first > last || first < usable_first || last > usable_last {
            table.findings.push(Finding::EntryRange { index, first, last, usable_first, usable_last });
        }
        let count = last.wrapping_sub(first).wrapping_add(1);
        let (Some(start), Some(size)) = (first.checked_mul(sector), count.checked_mul(sector)) else { continue };
        if first > last || start.checked_add(size).is_none() {
            continue;
        }
        let kind = guid_le(&kind);
        table.partitions.push(Partition {
            index,
            start,
            size,
            type_name: gpt_type(&kind),
            kind,
            name: utf16(entry.get(56..128).unwrap_or_default()),
            id: guid_le(&bytes_at(entry, 16)),
            attributes: le64(entry, 48),
        });
    }
}
