//! What of the disks is not read, and how it is told: what may hold files of the host is a problem, what every disk has beside them is
//! told only where a drive is missed, and the rest is listed as not known.

use hvm_formats::disk::{DiskError, detect};
use hvm_formats::guestfs::{Finding, FsKind, GuestFsError, Partition, PartitionTable, TableKind, recognise};
use hvm_formats::io::{ReadAt, SharedFile};
use hvm_model::found::Unknown;

use super::{Disks, problem};

/// How much of a partition's start is looked at for whether anything was ever written there, bytes.
const START: u64 = 64 << 10;

/// What partition types are called whose partitions hold no files of the host.
const HOUSEKEEPING: [&str; 7] = [
    "EFI system",
    "Microsoft reserved",
    "Windows recovery",
    "vendor diagnostics",
    "hidden FAT",
    "BIOS boot",
    "GPT protection",
];
/// What the types of partitions for volumes of Windows are called.
const OF_WINDOWS: [&str; 3] = ["NTFS, exFAT or ReFS", "hidden NTFS", "Windows basic data"];

/// Marks at the start of images that are not read, and what they are.
const FORMATS: [(&[u8], &str, &str); 5] = [
    (b"KDMV", "a VMDK image of VMware", "vmdk"),
    (b"COWD", "a VMDK image of VMware", "vmdk"),
    (b"# Disk DescriptorFile", "the description of a VMDK image of VMware", "vmdk"),
    (b"<<< ", "a VDI image of VirtualBox", "vdi"),
    (b"EVF\x09\x0d\x0a\xff\x00", "an image of EnCase (E01)", ""),
];

/// Tells what is wrong with the table of a disk.
pub(super) fn table(disks: &mut Disks, name: &str, table: &PartitionTable) {
    let is_lost = |finding: &Finding| match finding {
        Finding::BadGpt { .. } => !matches!(table.table, TableKind::Gpt { .. }),
        Finding::Unreadable { .. }
        | Finding::NoGpt
        | Finding::NoExtendedMark { .. }
        | Finding::Chain { .. }
        | Finding::EntryRange { .. }
        | Finding::EmptyRange { .. }
        | Finding::PastEnd { .. }
        | Finding::Overlap { .. } => true,
        _ => false,
    };
    let (lost, others): (Vec<&Finding>, Vec<&Finding>) = table.findings.iter().partition(|finding| is_lost(finding));
    if !lost.is_empty() {
        let message: Vec<String> = lost.iter().map(ToString::to_string).collect();
        let hint = "Partitions may be missing, and drives with them. Copy the disk again; where it is the disk itself that is damaged, \
                    mend its table on a copy, or copy the files of its volumes to a folder.";
        disks.problems.push(problem("disk.table-damaged", name, &message.join(" "), hint));
    }
    disks.unknowns.extend(others.into_iter().map(|finding| Unknown {
        item: format!("Partition table of '{name}'"),
        reason: finding.to_string(),
        how_to_learn: format!("hvmigrate disk info '{name}' lists the partitions that are used."),
    }));
}

/// Tells of a partition that is not NTFS, and returns what is in it.
pub(super) fn partition(
    disks: &mut Disks,
    bytes: &SharedFile,
    partition: &Partition,
    error: &GuestFsError,
) -> &'static str {
    let kind = recognise(&**bytes).kind;
    let name = bytes.name();
    let is_one_of = |types: &[&str]| types.contains(&partition.type_name);
    let is_dynamic = partition.type_name.contains("(LDM)");
    let lost = match kind {
        FsKind::Ntfs => Some((error.to_string(), "Copy the disk again, or let Windows check the volume.")),
        FsKind::Bitlocker => Some((
            "It is encrypted by BitLocker.".to_owned(),
            "If the source needs it, unlock it on a Windows (manage-bde -unlock, then -off), or read a copy.",
        )),
        FsKind::Refs => Some(("It is a ReFS volume, which is not read.".to_owned(), "Copy its files to a folder.")),
        _ if is_dynamic => Some((
            "It is part of a dynamic disk, which is not read.".to_owned(),
            "Copy the files of its volumes to a folder.",
        )),
        FsKind::Unknown if is_one_of(&OF_WINDOWS) && !is_blank(bytes) => Some((
            "Its type is that of a volume of Windows, and nothing that is known is in it: it is damaged, or encrypted by a program \
             of its own."
                .to_owned(),
            "Copy the disk again, or let Windows check the volume (chkdsk). If the host needs nothing of it, accept this.",
        )),
        _ => None,
    };
    let is_nothing = is_one_of(&HOUSEKEEPING) || partition.index == 0 || (kind == FsKind::Unknown && is_blank(bytes));
    match lost {
        Some((message, hint)) => disks.problems.push(problem("volume.unreadable", name, &message, hint)),
        None if is_nothing => {}
        None => disks.unknowns.push(Unknown {
            item: format!("Files of '{name}'"),
            reason: format!("It holds {}, and of a disk only NTFS is read.", kind.name()),
            how_to_learn: "If files of the host are there, copy them to a folder and read its volumes as 'folder:'."
                .to_owned(),
        }),
    }
    if is_dynamic && kind == FsKind::Unknown { FsKind::DynamicDisk.name() } else { kind.name() }
}

/// Tells of a disk that was named and of which nothing is read.
pub(super) fn disk(disks: &mut Disks, bytes: &SharedFile) {
    let name = bytes.name();
    let start = start(&**bytes, 32);
    let (message, hint) = match (FORMATS.iter().find(|(mark, ..)| start.starts_with(mark)), detect(&**bytes)) {
        (Some((_, format, word)), _) => (
            format!("It is {format}, which is not read."),
            match word.is_empty() {
                true => "Make an image of plain sectors of it with the program that made it.".to_owned(),
                false => format!("Make one that is: qemu-img convert -f {word} -O raw '{name}' disk.img"),
            },
        ),
        (None, Err(DiskError::Foreign { format, .. })) => (
            format!("It is {format}, which is not read."),
            "Unpack it, or make an image of plain sectors of it with the program that made it.".to_owned(),
        ),
        (None, _) => (
            "No volume on it can be read.".to_owned(),
            format!(
                "'hvmigrate disk info {name}' tells what is on it. If the host needs nothing of it, leave it away."
            ),
        ),
    };
    disks.problems.push(problem("disk.not-read", name, &message, &hint));
}

fn is_blank(bytes: &SharedFile) -> bool {
    start(&**bytes, START).iter().all(|byte| *byte == 0)
}

fn start(bytes: &dyn ReadAt, len: u64) -> Vec<u8> {
    let mut start = vec![0; usize::try_from(bytes.len().min(len)).unwrap_or_default()];
    if bytes.read_exact_at(&mut start, 0).is_err() {
        // What cannot be read is not blank.
        start = vec![0xFF];
    }
    start
}
