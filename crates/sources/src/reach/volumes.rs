//! The volumes on the disks of a dead host: devices and images, their partition tables, and the NTFS volumes in them. What
//! cannot be read is told and the rest goes on.

mod unused;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hvm_formats::disk::DiskError;
use hvm_formats::guestfs::{DiskBytes, Ntfs, Partition, PartitionTable, TableKind, read_table, volume};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem, Unknown};

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
    /// The file or device of the disk, without links.
    file: PathBuf,
}

/// A partition that is not read.
#[derive(Debug, Clone)]
pub(crate) struct Other {
    id: VolumeId,
    /// What messages call it.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) found: &'static str,
}

/// A volume as messages and the URI name it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) name: String,
    /// `DISK:PARTITION`.
    pub(crate) place: String,
}

/// What was found on the disks.
#[derive(Default)]
pub(crate) struct Disks {
    pub(crate) volumes: Vec<Volume>,
    pub(crate) problems: Vec<Problem>,
    /// What else there is, where that is no fault.
    pub(crate) unknowns: Vec<Unknown>,
    others: Vec<Other>,
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

    /// The partitions that are not read, for people; empty when there are none.
    pub(crate) fn list_others(&self) -> String {
        let others = self.others.iter().map(|other| format!("'{}' holds {}", other.name, other.found));
        others.collect::<Vec<_>>().join(", ")
    }

    /// A partition that is not read and has this id.
    pub(crate) fn other(&self, id: &VolumeId) -> Option<&Other> {
        self.others.iter().find(|other| other.id == *id && other.id != VolumeId::None)
    }

    /// The volumes with an id; of a disk that was named twice the first.
    pub(crate) fn by_id(&self, id: &VolumeId) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for volume in (0..self.volumes.len()).filter(|volume| self.is(*volume, id)) {
            if !found.iter().any(|known| self.are_one(*known, volume)) {
                found.push(volume);
            }
        }
        found
    }

    /// Whether a volume has this id.
    pub(crate) fn is(&self, volume: usize, id: &VolumeId) -> bool {
        *id != VolumeId::None && self.volumes.get(volume).is_some_and(|volume| volume.id == *id)
    }

    /// Whether two are the same partition of the same file: a disk may be named twice.
    pub(crate) fn are_one(&self, one: usize, other: usize) -> bool {
        let key = |volume: usize| self.volumes.get(volume).map(|volume| (&volume.file, volume.partition));
        key(one) == key(other)
    }

    /// A volume as messages and the URI name it.
    pub(crate) fn told(&self, volume: usize) -> Told {
        let told = |volume: &Volume| Told {
            name: volume.name.clone(),
            place: format!("{}:{}", volume.disk, volume.partition),
        };
        self.volumes.get(volume).map(told).unwrap_or_default()
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
        let (volumes, problems) = (disks.volumes.len(), disks.problems.len());
        let file = Path::new(path).canonicalize().unwrap_or_else(|_| path.into());
        let (bytes, table) = disk(Path::new(path))?;
        unused::table(&mut disks, bytes.name(), &table);
        let mut partitions = table.partitions.clone();
        if partitions.is_empty() && table.table == TableKind::None {
            partitions.push(Partition::whole(bytes.len()));
        }
        for partition in &partitions {
            look(&mut disks, (number, &file), (&bytes, &table, partition));
        }
        if (disks.volumes.len(), disks.problems.len()) == (volumes, problems) {
            unused::disk(&mut disks, &bytes);
        }
    }
    if disks.volumes.is_empty() {
        let mut found = if disks.others.is_empty() { "there is none".to_owned() } else { disks.list_others() };
        for problem in &disks.problems {
            found = format!("{found}. {}. {}", problem.message.trim_end_matches('.'), problem.hint);
        }
        let found = found.trim_end_matches('.').to_owned();
        return Err(SourceError::NoVolumes { disks: paths.join(", "), found });
    }
    Ok(disks)
}

/// The bytes of a disk and its partition table. A file that is no virtual disk is taken for plain sectors: the operator said
/// that it is a disk. No volume is found in one of another program, which is told then.
fn disk(path: &Path) -> Result<(SharedFile, PartitionTable), SourceError> {
    let opened = match open_disk_file(path, &ChainOptions::default()) {
        Err(SourceError::Disk(DiskError::NotRecognised { .. } | DiskError::Foreign { .. })) => None,
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
    let is_whole = |table: &PartitionTable| {
        matches!(table.table, TableKind::Gpt { .. }) || table.findings.is_empty() && !table.partitions.is_empty()
    };
    tables.find(is_whole).unwrap_or(first)
}

fn look(
    disks: &mut Disks,
    (number, file): (usize, &Path),
    (disk, table, partition): (&SharedFile, &PartitionTable, &Partition),
) {
    let bytes = volume(disk, partition);
    let name = bytes.name().to_owned();
    let id = match &table.table {
        TableKind::Mbr { signature } => VolumeId::Mbr { signature: *signature, start: partition.start },
        TableKind::Gpt { .. } => VolumeId::Gpt { partition: partition.id.to_ascii_lowercase() },
        TableKind::None => VolumeId::None,
    };
    match Ntfs::open(bytes.clone()) {
        Ok(ntfs) => {
            let doubts = ntfs.doubts().unwrap_or_else(|error| vec![error.to_string()]);
            let is_cut = ntfs.size() > bytes.len();
            let remarks =
                ntfs.remarks().iter().map(|remark| if is_cut { cut(&name, remark) } else { doubtful(&name, remark) });
            disks.problems.extend(remarks);
            disks.problems.extend(doubts.iter().map(|remark| doubtful(&name, remark)));
            let (partition, file) = (partition.index, file.to_owned());
            disks.volumes.push(Volume { disk: number, partition, id, ntfs, name, file });
        }
        Err(error) => {
            let found = unused::partition(disks, &bytes, partition, &error);
            disks.others.push(Other { id, name, found });
        }
    }
}

fn doubtful(name: &str, remark: &str) -> Problem {
    let hint = "What Windows wrote last may be missing. If the disk still runs somewhere, shut that Windows down in order and \
                read it again.";
    problem("volume.unclean", name, remark, hint)
}

fn cut(name: &str, remark: &str) -> Problem {
    let hint = "The end of the volume is missing: copy the disk again, all of it, and compare the length of the copy with that of the \
                disk.";
    problem("volume.cut", name, remark, hint)
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
