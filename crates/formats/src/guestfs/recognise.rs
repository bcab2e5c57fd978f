//! Which file system, or what else, the bytes of a partition hold, by marks and plausible fields. Marks that a later
//! `mkfs` leaves standing further back count only when no earlier one fits.

use serde::Serialize;

use super::bytes::{read_some, text};
use crate::disk::fields::{be16, be32, be64, bytes_at, guid, le16, le32, le64};
use crate::io::ReadAt;

/// What a volume holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FsKind {
    /// NTFS.
    Ntfs,
    /// ReFS.
    Refs,
    /// exFAT.
    Exfat,
    /// FAT with 12 bits an entry.
    Fat12,
    /// FAT with 16 bits an entry.
    Fat16,
    /// FAT with 32 bits an entry.
    Fat32,
    /// ext without journal.
    Ext2,
    /// ext with journal.
    Ext3,
    /// ext with extents or other features of ext4.
    Ext4,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// ISO 9660.
    Iso9660,
    /// Linux swap space.
    Swap,
    /// Physical volume of LVM2.
    Lvm2,
    /// Member of a Linux software RAID.
    LinuxRaid,
    /// Encrypted by BitLocker.
    Bitlocker,
    /// Encrypted by LUKS.
    Luks,
    /// Part of a Windows dynamic disk: volumes lie in it by a database of their own.
    DynamicDisk,
    /// Nothing that is known.
    Unknown,
}

impl FsKind {
    /// The name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            FsKind::Ntfs => "NTFS",
            FsKind::Refs => "ReFS",
            FsKind::Exfat => "exFAT",
            FsKind::Fat12 => "FAT12",
            FsKind::Fat16 => "FAT16",
            FsKind::Fat32 => "FAT32",
            FsKind::Ext2 => "ext2",
            FsKind::Ext3 => "ext3",
            FsKind::Ext4 => "ext4",
            FsKind::Xfs => "XFS",
            FsKind::Btrfs => "Btrfs",
            FsKind::Iso9660 => "ISO 9660",
            FsKind::Swap => "Linux swap",
            FsKind::Lvm2 => "LVM2",
            FsKind::LinuxRaid => "Linux RAID",
            FsKind::Bitlocker => "BitLocker",
            FsKind::Luks => "LUKS",
            FsKind::DynamicDisk => "Windows dynamic disk",
            FsKind::Unknown => "nothing that is known",
        }
    }

    /// The end of a sentence that begins with the volume's name.
    pub(super) fn holds(self) -> String {
        match self {
            FsKind::Bitlocker | FsKind::Luks => format!("is encrypted ({})", self.name()),
            FsKind::Lvm2 => "is a physical volume of LVM2, and the volumes in it are not read".to_owned(),
            FsKind::LinuxRaid => "is a member of a Linux RAID".to_owned(),
            FsKind::DynamicDisk => "is a part of a Windows dynamic disk".to_owned(),
            FsKind::Unknown => "holds no file system that is known".to_owned(),
            _ => format!("holds {}", self.name()),
        }
    }
}

/// What could be told of a volume without reading its tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileSystem {
    /// What it is.
    pub kind: FsKind,
    /// Label as the first sectors have it; empty when they have none.
    pub label: String,
    /// Serial number or UUID as its own tools write it.
    pub id: String,
    /// Size in bytes by its own fields, where they say it.
    pub size: Option<u64>,
}

impl FileSystem {
    pub(super) fn new(kind: FsKind) -> Self {
        FileSystem { kind, label: String::new(), id: String::new(), size: None }
    }
}

/// Recognises what `volume` holds. Parts that cannot be read count as not recognised.
pub fn recognise(volume: &dyn ReadAt) -> FileSystem {
    all(volume).into_iter().next().unwrap_or_else(|| FileSystem::new(FsKind::Unknown))
}

/// All that `volume` has marks of, what counts first: a RAID with its superblock 4 KiB behind the start came after what the first
/// sector says, since it leaves that alone.
pub(super) fn all(volume: &dyn ReadAt) -> Vec<FileSystem> {
    let head = head(volume, 0);
    let first = [raid_at_start(&head), boot_sector(&head), raid_at_end(volume)];
    first.into_iter().chain(further(&head)).flatten().collect()
}

/// Whether something that is known begins at a place of a disk.
pub(super) fn begins(disk: &dyn ReadAt, at: u64) -> bool {
    let head = head(disk, at);
    [raid_at_start(&head), boot_sector(&head)].into_iter().chain(further(&head)).any(|found| found.is_some())
}

fn head(disk: &dyn ReadAt, at: u64) -> Vec<u8> {
    read_some(disk, at, 0x1_2000).or_else(|_| read_some(disk, at, 4096)).unwrap_or_default()
}

fn further(head: &[u8]) -> [Option<FileSystem>; 7] {
    [xfs(head), luks(head), ext(head), btrfs(head), lvm(head), swap(head), iso(head)]
}

/// Whether the disk is a member of a Linux RAID as a whole, by the superblock near its start; the table in its first sector is one of
/// an earlier life then.
pub(super) fn is_raid_member(disk: &dyn ReadAt) -> bool {
    raid_at_start(&read_some(disk, 0, 8192).unwrap_or_default()).is_some()
}

/// File systems whose mark is in the boot sector.
pub(super) fn boot_sector(head: &[u8]) -> Option<FileSystem> {
    let mark = bytes_at::<8>(head, 3);
    let sector = u64::from(le16(head, 11));
    let (kind, id, size) = match &mark {
        b"NTFS    " => (FsKind::Ntfs, format!("{:016X}", le64(head, 72)), le64(head, 40).checked_mul(sector)),
        b"ReFS\0\0\0\0" => (FsKind::Refs, format!("{:016X}", le64(head, 56)), refs_size(head)),
        b"EXFAT   " => (FsKind::Exfat, serial(le32(head, 100)), exfat_size(head)),
        b"-FVE-FS-" => (FsKind::Bitlocker, String::new(), None),
        _ => return fat(head),
    };
    Some(FileSystem { id, size: size.filter(|size| *size > 0), ..FileSystem::new(kind) })
}

/// ReFS: sectors at offset 24, bytes a sector at 32.
fn refs_size(head: &[u8]) -> Option<u64> {
    le64(head, 24).checked_mul(le32(head, 32).into())
}

/// exFAT: sectors at offset 72, their size as a power of two at 108.
fn exfat_size(head: &[u8]) -> Option<u64> {
    let shift = head.get(108).copied().filter(|shift| (9..=12).contains(shift))?;
    le64(head, 72).checked_mul(1 << shift)
}

fn serial(value: u32) -> String {
    format!("{:04X}-{:04X}", value >> 16, value & 0xFFFF)
}

/// FAT has no reliable mark: its fields must fit together. The number of clusters decides between the kinds.
fn fat(head: &[u8]) -> Option<FileSystem> {
    let geometry = super::fat::Geometry::parse(head)?;
    let at = if geometry.kind == FsKind::Fat32 { 64 } else { 36 };
    // Offset 2 of the extended part: mark 0x28 or 0x29, serial number, label (0x29 only).
    let (id, label) = match head.get(at + 2)? {
        0x29 => (serial(le32(head, at + 3)), text(head.get(at + 7..at + 18)?)),
        0x28 => (serial(le32(head, at + 3)), String::new()),
        _ => Default::default(),
    };
    // BitLocker To Go keeps a FAT boot sector with its own GUID.
    if head.get(0x1A8..0x1B8) == Some(b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01") {
        return Some(FileSystem::new(FsKind::Bitlocker));
    }
    let label = if label == "NO NAME" { String::new() } else { label };
    Some(FileSystem { kind: geometry.kind, label, id, size: Some(geometry.size()) })
}

fn label(head: &[u8], at: usize, len: usize) -> String {
    text(head.get(at..at + len).unwrap_or_default())
}

fn xfs(head: &[u8]) -> Option<FileSystem> {
    let size = be64(head, 8).checked_mul(be32(head, 4).into());
    let id = guid(&bytes_at(head, 32));
    head.starts_with(b"XFSB").then(|| FileSystem { kind: FsKind::Xfs, label: label(head, 108, 12), id, size })
}

fn luks(head: &[u8]) -> Option<FileSystem> {
    // Version 1 (offset 6) has the name of its cipher where version 2 has a label.
    let name = if be16(head, 6) == 2 { label(head, 24, 48) } else { String::new() };
    let id = label(head, 168, 40);
    head.starts_with(b"LUKS\xba\xbe").then(|| FileSystem { label: name, id, ..FileSystem::new(FsKind::Luks) })
}

fn ext(head: &[u8]) -> Option<FileSystem> {
    let superblock = super::ext::Superblock::parse(head)?;
    let size = superblock.blocks.checked_mul(superblock.block);
    Some(FileSystem { kind: superblock.kind, label: superblock.label, id: superblock.uuid, size })
}

fn btrfs(head: &[u8]) -> Option<FileSystem> {
    let (id, size) = (guid(&bytes_at(head, 0x1_0020)), Some(le64(head, 0x1_0070)));
    let is_there = head.get(0x1_0040..0x1_0048) == Some(b"_BHRfS_M");
    is_there.then(|| FileSystem { kind: FsKind::Btrfs, label: label(head, 0x1_012B, 256), id, size })
}

/// The label of a physical volume is in one of the first four sectors and says where its header is.
fn lvm(head: &[u8]) -> Option<FileSystem> {
    let at = [0, 512, 1024, 1536]
        .into_iter()
        .find(|at| head.get(*at..at + 8) == Some(b"LABELONE") && head.get(at + 24..at + 32) == Some(b"LVM2 001"))?;
    let header = at + le32(head, at + 20).min(512) as usize;
    let id = grouped(&text(head.get(header..header + 32)?));
    Some(FileSystem { id, size: Some(le64(head, header + 32)), ..FileSystem::new(FsKind::Lvm2) })
}

/// An id of LVM2 as its tools show it, `6-4-4-4-4-4-6` characters; one that does not have them stays as it is.
fn grouped(id: &str) -> String {
    let group = |(from, to)| id.get(from..to);
    let groups = [(0, 6), (6, 10), (10, 14), (14, 18), (18, 22), (22, 26), (26, 32)].map(group);
    match groups.into_iter().collect::<Option<Vec<_>>>() {
        Some(groups) => groups.join("-"),
        None => id.to_owned(),
    }
}

/// The mark of a member of a Linux RAID.
const RAID: [u8; 4] = 0xA92B_4EFC_u32.to_le_bytes();

/// What a superblock of a RAID says.
fn raid(block: &[u8]) -> FileSystem {
    let (label, id) = match le32(block, 4) == 1 {
        true => (text(block.get(32..64).unwrap_or_default()), guid(&bytes_at(block, 16))),
        false => Default::default(),
    };
    FileSystem { label, id, ..FileSystem::new(FsKind::LinuxRaid) }
}

/// Versions 1.1 and 1.2.
fn raid_at_start(head: &[u8]) -> Option<FileSystem> {
    let mut blocks = [0, 4096].into_iter().filter_map(|at| head.get(at..));
    blocks.find(|block| block.starts_with(&RAID)).map(raid)
}

/// Versions 1.0 and 0.90.
fn raid_at_end(volume: &dyn ReadAt) -> Option<FileSystem> {
    let old = (volume.len() & !0xFFFF).checked_sub(0x1_0000);
    let new = (volume.len() / 512).checked_sub(16).map(|sector| (sector & !7) * 512);
    let block = |at: Option<u64>| read_some(volume, at?, 64).ok().filter(|block| block.starts_with(&RAID));
    Some(raid(&block(new).or_else(|| block(old))?))
}

/// Marks of swap space in the place of the usual one while it holds the memory of a hibernated system: of the kernel and of
/// uswsusp.
const HIBERNATED: [&[u8]; 3] = [b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0"];

/// The mark at the end of the first page, whose size depends on the machine, and that size.
fn swap_mark(head: &[u8]) -> Option<(&[u8], usize)> {
    let marks = [4096_usize, 8192, 16384, 65536].map(|page| (head.get(page - 10..page).unwrap_or_default(), page));
    let is_known = |mark: &[u8]| matches!(mark, b"SWAPSPACE2" | b"SWAP-SPACE") || HIBERNATED.contains(&mark);
    marks.into_iter().find(|(mark, _)| is_known(mark))
}

fn swap(head: &[u8]) -> Option<FileSystem> {
    let (_, page) = swap_mark(head)?;
    let size = (u64::from(le32(head, 1028)) + 1).checked_mul(page as u64);
    let label = text(head.get(1052..1068)?);
    Some(FileSystem { kind: FsKind::Swap, label, id: guid(&bytes_at(head, 1036)), size })
}

/// Whether swap space holds the memory of a hibernated system.
pub(super) fn is_hibernated(swap: &dyn ReadAt) -> bool {
    let head = read_some(swap, 0, 0x1_0000).or_else(|_| read_some(swap, 0, 4096)).unwrap_or_default();
    swap_mark(&head).is_some_and(|(mark, _)| HIBERNATED.contains(&mark))
}

fn iso(head: &[u8]) -> Option<FileSystem> {
    if head.get(0x8001..0x8006) != Some(b"CD001") {
        return None;
    }
    let size = u64::from(le32(head, 0x8050)).checked_mul(le16(head, 0x8080).into());
    Some(FileSystem { label: text(head.get(0x8028..0x8048)?), size, ..FileSystem::new(FsKind::Iso9660) })
}
