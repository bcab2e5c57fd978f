//! The volumes on the disks of a dead host: devices and images, their partition tables, and the NTFS volumes in them. What
//! cannot be read is told and the rest goes on.

use std::path::Path;
use std::sync::Arc;

use hvm_formats::disk::DiskError;
use hvm_formats::guestfs::{
    DiskBytes, FsKind, Ntfs, Partition, PartitionTable, TableKind, read_table, recognise, volume,
};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};

use crate::error::{ReachError, SourceError};
use crate::single::{ChainOptions, open_disk_file};

/// Bytes of the sectors of disks that say nothing of them, in the order in which they are tried.
const SECTORS: [u32; 2] = [512, 4096];

/// By what Windows knows a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VolumeId {
    /// Signature of the disk and first byte of the partition.
    Mbr { signature: u32, start: u64 },
    /// GUID of the partition, in small letters.
    Gpt { partition: String },
    /// A volume over a whole disk.
    None,
}

/// An NTFS volume.
pub(crate) struct Volume {
    /// Number of its disk, from 1 in the order of the URI.
    pub(crate) disk: usize,
    /// Number of its partition; 0 for a volume over the whole disk.
    pub(crate) partition: u32,
    pub(crate) id: VolumeId,
    pub(crate) ntfs: Ntfs,
    /// What messages call it.
    pub(crate) name: String,
}

/// What was found on the disks.
#[derive(Default)]
pub(crate) struct Disks {
    pub(crate) volumes: Vec<Volume>,
    pub(crate) problems: Vec<Problem>,
    /// What else there is, for people.
    others: Vec<String>,
}

impl std::fmt::Debug for Disks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.list())
    }
}

impl Disks {
    /// All volumes as the URI and people name them.
    pub(crate) fn list(&self) -> String {
        let volumes =
            self.volumes.iter().map(|volume| format!("{}:{} ({})", volume.disk, volume.partition, volume.name));
        volumes.collect::<Vec<_>>().join(", ")
    }

    /// The place of a volume in the list.
    pub(crate) fn find(&self, disk: usize, partition: u32) -> Option<usize> {
        self.volumes.iter().position(|volume| (volume.disk, volume.partition) == (disk, partition))
    }
}

/// Opens the disks and all NTFS volumes on them.
pub(crate) fn open(paths: &[String]) -> Result<Disks, SourceError> {
    let mut disks = Disks::default();
    for (number, path) in (1..).zip(paths) {
        let (bytes, table) = disk(Path::new(path))?;
        let mut partitions = table.partitions.clone();
        if partitions.is_empty() && table.table == TableKind::None {
            partitions.push(Partition::whole(bytes.len()));
        }
        for partition in &partitions {
            look(&mut disks, number, (&bytes, &table, partition));
        }
    }
    if disks.volumes.is_empty() {
        let found = if disks.others.is_empty() { "there is none".to_owned() } else { disks.others.join(", ") };
        return Err(SourceError::NoVolumes { disks: paths.join(", "), found });
    }
    Ok(disks)
}

/// The bytes of a disk and its partition table. A file that is no virtual disk is taken for plain sectors: the operator said
/// that it is a disk.
fn disk(path: &Path) -> Result<(SharedFile, PartitionTable), SourceError> {
    let opened = match open_disk_file(path, &ChainOptions::default()) {
        Err(SourceError::Disk(DiskError::NotRecognised { .. })) => None,
        other => Some(other?),
    };
    if let Some(disk) = opened {
        let sector = disk.sector_size();
        let bytes: SharedFile = Arc::new(DiskBytes::new(disk));
        let table = table(&bytes, &[sector, SECTORS[1]]);
        return Ok((bytes, table));
    }
    let error = |source| ReachError::Io { path: path.display().to_string(), source };
    let bytes: SharedFile = Arc::new(LocalFile::open(path, path.display().to_string()).map_err(error)?);
    let table = table(&bytes, &SECTORS);
    Ok((bytes, table))
}

/// The table by the first sector size for which it is whole: an image of a disk does not say how large its sectors are.
fn table(bytes: &SharedFile, sectors: &[u32]) -> PartitionTable {
    let mut tables = sectors.iter().map(|sector| read_table(&**bytes, *sector));
    let first = tables.next().unwrap_or_else(|| read_table(&**bytes, SECTORS[0]));
    if first.findings.is_empty() {
        return first;
    }
    tables.find(|table| matches!(table.table, TableKind::Gpt { .. })).unwrap_or(first)
}

fn look(disks: &mut Disks, number: usize, (disk, table, partition): (&SharedFile, &PartitionTable, &Partition)) {
    let bytes = volume(disk, partition);
    let name = bytes.name().to_owned();
    match Ntfs::open(bytes.clone()) {
        Ok(ntfs) => {
            let doubts = ntfs.doubts().unwrap_or_else(|error| vec![error.to_string()]);
            let remarks = ntfs.remarks().iter().cloned().chain(doubts);
            disks.problems.extend(remarks.map(|remark| doubtful(&name, &remark)));
            let id = match &table.table {
                TableKind::Mbr { signature } => VolumeId::Mbr { signature: *signature, start: partition.start },
                TableKind::Gpt { .. } => VolumeId::Gpt { partition: partition.id.to_ascii_lowercase() },
                TableKind::None => VolumeId::None,
            };
            disks.volumes.push(Volume { disk: number, partition: partition.index, id, ntfs, name });
        }
        Err(error) => {
            let kind = recognise(&*bytes).kind;
            let lost = match kind {
                FsKind::Ntfs => Some((error.to_string(), "Copy the disk again, or let Windows check the volume.")),
                FsKind::Bitlocker => Some((
                    "It is encrypted by BitLocker.".to_owned(),
                    "If the source needs it, unlock it on a Windows (manage-bde -unlock, then -off), or read a copy.",
                )),
                FsKind::Refs => {
                    Some(("It is a ReFS volume, which is not read.".to_owned(), "Copy its files to a folder."))
                }
                _ if partition.type_name.contains("(LDM)") => Some((
                    "It is part of a dynamic disk, which is not read.".to_owned(),
                    "Copy the files of its volumes to a folder.",
                )),
                _ => None,
            };
            if let Some((message, hint)) = lost {
                disks.problems.push(problem("volume.unreadable", &name, &message, hint));
            }
            disks.others.push(format!("{name} holds {}", kind.name()));
        }
    }
}

fn doubtful(name: &str, remark: &str) -> Problem {
    let hint = "What Windows wrote last may be missing. If the disk still runs somewhere, shut that Windows down in order and \
                read it again.";
    problem("volume.unclean", name, remark, hint)
}

fn problem(kind: &str, name: &str, message: &str, hint: &str) -> Problem {
    Problem {
        kind: kind.to_owned(),
        subject: Subject::File { path: name.to_owned() },
        message: format!("'{name}': {message}"),
        place: Place::new(name, ""),
        hint: hint.to_owned(),
    }
}
