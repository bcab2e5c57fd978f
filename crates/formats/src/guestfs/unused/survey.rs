//! Which ranges of a disk are free, volume by volume. What is not fully understood refuses the disk, but for what is
//! certain to be safe when it is copied as it is: FAT, swap space, boot partitions without file system, and
//! partitions that the disk does not store at all.

use std::ops::Range;
use std::sync::Arc;

use super::marks;
use super::ranges::Ranges;
use super::{FreeSpaceError, UnusedError, UsedVolume};
use crate::disk::{ExtentKind, SharedDisk};
use crate::guestfs::recognise::{FsKind, recognise};
use crate::guestfs::table::{Finding, Partition, TableKind, read_table};
use crate::guestfs::{DiskBytes, FreeSpace, volume};
use crate::io::SharedFile;

/// The free ranges of the disk and what they are of.
pub(super) type Survey = (Vec<Range<u64>>, Vec<UsedVolume>);

/// Looks at every partition of `disk`.
pub(super) fn survey(disk: &SharedDisk) -> Result<Survey, UnusedError> {
    let bytes: SharedFile = Arc::new(DiskBytes::new(disk.clone()));
    let table = read_table(&*bytes, disk.sector_size());
    let findings: Vec<String> =
        table.findings.iter().filter(|finding| endangers(finding)).map(ToString::to_string).collect();
    if !findings.is_empty() {
        return Err(UnusedError::Table { file: bytes.name().to_owned(), findings });
    }
    let mut partitions = table.partitions;
    if table.table == TableKind::None {
        if recognise(&*bytes).kind == FsKind::Unknown {
            return Err(UnusedError::Nothing { file: bytes.name().to_owned() });
        }
        partitions.push(Partition::whole(bytes.len()));
    }
    if partitions.is_empty() {
        return Err(UnusedError::Nothing { file: bytes.name().to_owned() });
    }
    partitions.sort_by_key(|partition| partition.start);
    let dynamic = partitions.iter().find(|partition| partition.type_name.contains("(LDM)"));
    if let Some(partition) = dynamic {
        let file = volume(&bytes, partition).name().to_owned();
        return Err(FreeSpaceError::Unknown { file, kind: FsKind::DynamicDisk }.into());
    }
    let (mut ranges, mut volumes) = (Ranges::new(), Vec::new());
    for partition in &partitions {
        volumes.push(of_partition(disk, volume(&bytes, partition), partition, &mut ranges)?);
    }
    Ok((ranges.finish(), volumes))
}

/// A backup table that is missing or elsewhere is left behind when a disk is enlarged; the primary one has checksums of
/// its own. Everything else may mean that the partitions are not where the guest sees them.
fn endangers(finding: &Finding) -> bool {
    !matches!(finding, Finding::BadGpt { which: "backup", .. } | Finding::BackupPlace { .. })
}

fn of_partition(
    disk: &SharedDisk,
    bytes: SharedFile,
    partition: &Partition,
    ranges: &mut Ranges,
) -> Result<UsedVolume, UnusedError> {
    let found = recognise(&*bytes);
    let mut volume = UsedVolume {
        partition: partition.index,
        start: partition.start,
        size: partition.size,
        kind: found.kind,
        label: found.label,
        cluster: 0,
        free: 0,
        left_out: 0,
        copied_whole: None,
    };
    volume.copied_whole = match found.kind {
        FsKind::Fat12 | FsKind::Fat16 | FsKind::Fat32 => Some("the free space of FAT is not left out"),
        FsKind::Swap => Some("swap space has no free space that is marked"),
        FsKind::Unknown if is_raw(partition) => Some("it is a partition without a file system"),
        FsKind::Unknown if is_empty(disk, partition)? => Some("the disk stores nothing of it"),
        _ => None,
    };
    if volume.copied_whole.is_some() {
        return Ok(volume);
    }
    let others = marks::others(&*bytes, found.kind);
    let is_read = matches!(found.kind, FsKind::Ntfs | FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4);
    if is_read && !others.is_empty() {
        let file = bytes.name().to_owned();
        return Err(FreeSpaceError::Marks { file, kind: found.kind.name(), others: others.join(", ") }.into());
    }
    let free = FreeSpace::open(bytes)?;
    (volume.cluster, volume.label) = (free.unit(), free.label().to_owned());
    for run in free {
        let run = run.map_err(FreeSpaceError::Damaged)?;
        // The volume ends at the end of its partition at the latest: its boot sector or superblock was checked.
        let end = run.end.min(partition.size);
        let run = partition.start.saturating_add(run.start)..partition.start.saturating_add(end);
        volume.free += run.end.saturating_sub(run.start);
        ranges.push(run);
    }
    Ok(volume)
}

/// Partitions that are meant to hold something else than a file system.
fn is_raw(partition: &Partition) -> bool {
    matches!(partition.type_name, "Microsoft reserved" | "BIOS boot")
}

fn is_empty(disk: &SharedDisk, partition: &Partition) -> Result<bool, UnusedError> {
    let run = disk.extent(partition.start)?;
    Ok(run.kind == ExtentKind::Zero && run.start.saturating_add(run.len) >= partition.end())
}
