//! What a disk contains: its table, each partition's file system with its use and state, and the operating systems.
//! Nothing of this is fatal: what cannot be read becomes a remark of its partition.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use super::ext::Ext;
use super::fat::fat_usage;
use super::ntfs::Ntfs;
use super::recognise::{FileSystem, FsKind, is_hibernated, recognise};
use super::system::{GuestSystem, on_ext, on_ntfs};
use super::table::{Finding, Partition, TableKind, read_table};
use super::{DiskBytes, GuestFsError, Slice};
use crate::disk::SharedDisk;
use crate::io::SharedFile;

/// More partitions than this are not looked into: a table has room for some thousand, and each may hold a system.
const MOST_VOLUMES: usize = 128;

/// What was found on a disk.
#[derive(Debug, Clone, Serialize)]
pub struct DiskContents {
    /// Kind of the partition table.
    pub table: TableKind,
    /// Bytes of the sectors in which the table counts.
    pub sector_size: u32,
    /// What is wrong with the table.
    pub findings: Vec<Finding>,
    /// The partitions; of a disk without table one with number 0 over all of it, when something is in it.
    pub partitions: Vec<PartitionContents>,
    /// The operating systems.
    pub guests: Vec<GuestSystem>,
}

impl DiskContents {
    /// The first operating system.
    pub fn guest(&self) -> Option<&GuestSystem> {
        self.guests.first()
    }
}

/// One partition and what it holds.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionContents {
    /// The entry of the table.
    #[serde(flatten)]
    pub partition: Partition,
    /// What is in it.
    pub file_system: FileSystem,
    /// Bytes of a cluster or block; `None` when the file system is not read.
    pub cluster: Option<u64>,
    /// Bytes in use; `None` when the file system is not read, or damaged.
    pub used: Option<u64>,
    /// Bytes free.
    pub free: Option<u64>,
    /// Whether its last system left it in order; `None` when that is not known.
    pub clean: Option<bool>,
    /// What the operator should know, as whole sentences.
    pub remarks: Vec<String>,
}

impl PartitionContents {
    fn new(partition: Partition, file_system: FileSystem) -> Self {
        let (cluster, used, free, clean) = (None, None, None, None);
        PartitionContents { partition, file_system, cluster, used, free, clean, remarks: Vec::new() }
    }
}

/// Looks into a disk.
pub fn inspect(disk: SharedDisk) -> DiskContents {
    let sector_size = disk.sector_size();
    inspect_bytes(Arc::new(DiskBytes::new(disk)), sector_size)
}

/// Looks into the bytes of a disk with logical sectors of `sector_size` bytes.
pub fn inspect_bytes(disk: SharedFile, sector_size: u32) -> DiskContents {
    let table = read_table(&*disk, sector_size);
    let mut partitions = table.partitions;
    if partitions.is_empty() && table.table == TableKind::None && recognise(&*disk).kind != FsKind::Unknown {
        partitions.push(Partition::whole(disk.len()));
    }
    let mut guests = Vec::new();
    let mut places = HashSet::new();
    let look = |partition: Partition| {
        let is_new = places.len() < MOST_VOLUMES && places.insert(partition.start);
        if is_new { contents(&disk, partition, &mut guests) } else { unseen(partition) }
    };
    let partitions = partitions.into_iter().map(look).collect();
    DiskContents { table: table.table, sector_size: table.sector_size, findings: table.findings, partitions, guests }
}

/// The bytes of a partition.
pub fn volume(disk: &SharedFile, partition: &Partition) -> SharedFile {
    let name = match partition.index {
        0 => disk.name().to_owned(),
        index => format!("{}, partition {index}", disk.name()),
    };
    Arc::new(Slice::new(disk.clone(), partition.start, partition.size, name))
}

fn unseen(partition: Partition) -> PartitionContents {
    let remark = format!(
        "The partition was not looked into: of a disk the first {MOST_VOLUMES} are, and of those that begin at one place one."
    );
    PartitionContents { remarks: vec![remark], ..PartitionContents::new(partition, FileSystem::new(FsKind::Unknown)) }
}

fn contents(disk: &SharedFile, partition: Partition, guests: &mut Vec<GuestSystem>) -> PartitionContents {
    let bytes = volume(disk, &partition);
    let mut file_system = recognise(&*bytes);
    let dynamic = partition.type_name.contains("(LDM)");
    if dynamic && file_system.kind == FsKind::Unknown {
        file_system.kind = FsKind::DynamicDisk;
    }
    let mut found = PartitionContents::new(partition, file_system);
    let guest = match found.file_system.kind {
        FsKind::Ntfs => of_ntfs(bytes, &mut found),
        // The first sector of an NTFS volume may be damaged; its copy is in the last one.
        FsKind::Unknown if Ntfs::open(bytes.clone()).is_ok() => of_ntfs(bytes, &mut found),
        FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4 => of_ext(bytes, &mut found),
        FsKind::Fat12 | FsKind::Fat16 | FsKind::Fat32 => of_fat(&bytes, &mut found),
        FsKind::Swap if is_hibernated(&*bytes) => {
            found.clean = Some(false);
            found.remarks.push("A hibernated Linux has its memory in this swap space.".to_owned());
            Ok(None)
        }
        _ => Ok(None),
    };
    match guest {
        Ok(guest) => {
            guests.extend(guest.map(|guest| GuestSystem { partition: found.partition.index, ..guest }));
        }
        Err(error) => found.remarks.push(error.to_string()),
    }
    found
}

fn of_ntfs(bytes: SharedFile, found: &mut PartitionContents) -> Result<Option<GuestSystem>, GuestFsError> {
    let ntfs = Ntfs::open(bytes)?;
    found.remarks.extend_from_slice(ntfs.remarks());
    found.file_system.kind = FsKind::Ntfs;
    found.file_system.id = format!("{:016X}", ntfs.serial());
    found.file_system.size = Some(ntfs.size());
    found.cluster = Some(ntfs.cluster_size());
    let guest = on_ntfs(&ntfs);
    let doubts = ntfs.doubts();
    match (ntfs.volume(), &doubts) {
        (Ok(info), _) => found.file_system.label = info.label,
        (Err(error), Ok(_)) => found.remarks.push(error.to_string()),
        (Err(_), Err(_)) => {}
    }
    match doubts {
        Ok(doubts) => {
            found.clean = Some(doubts.is_empty());
            found.remarks.extend(doubts);
        }
        Err(error) => found.remarks.push(error.to_string()),
    }
    match ntfs.shadow_copies() {
        Ok(0) => {}
        Ok(copies) => found.remarks.push(format!("It holds {copies} shadow copies (previous versions).")),
        Err(error) => found.remarks.push(error.to_string()),
    }
    match ntfs.bitmap().and_then(|bitmap| bitmap.free()) {
        Ok(free) => {
            found.free = Some(free * ntfs.cluster_size());
            found.used = Some((ntfs.clusters() - free) * ntfs.cluster_size());
        }
        Err(error) => found.remarks.push(error.to_string()),
    }
    Ok(guest)
}

fn of_ext(bytes: SharedFile, found: &mut PartitionContents) -> Result<Option<GuestSystem>, GuestFsError> {
    let ext = Ext::open(bytes)?;
    let doubts = ext.doubts();
    found.clean = Some(doubts.is_empty());
    found.remarks.extend(doubts);
    found.remarks.extend(ext.excess());
    found.cluster = Some(ext.block_size());
    found.free = ext.free().checked_mul(ext.block_size());
    found.used = (ext.blocks() - ext.free()).checked_mul(ext.block_size());
    let guest = on_ext(&ext);
    found.remarks.extend(ext.remark());
    // Why no file can be read was said already.
    if ext.is_unreadable() { Ok(guest.unwrap_or_default()) } else { guest }
}

fn of_fat(bytes: &SharedFile, found: &mut PartitionContents) -> Result<Option<GuestSystem>, GuestFsError> {
    if let Some(usage) = fat_usage(&**bytes)? {
        found.clean = Some(usage.clean);
        found.cluster = Some(usage.cluster);
        found.free = Some(usage.free * usage.cluster);
        found.used = Some((usage.clusters - usage.free) * usage.cluster);
    }
    Ok(None)
}
