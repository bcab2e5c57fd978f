//! What is in the machines: each present disk is opened through the source's gate and looked into, read-only. Nothing of it is an
//! error: what cannot be read is said in the guest. Bytes of a disk and time of a host are bounded, so that a host with many or
//! large disks is judged soon.

mod adapters;
mod system;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hvm_formats::disk::SharedDisk;
use hvm_formats::guestfs::{DiskBytes, DiskContents, FsKind, GuestSystem, PartitionContents, TableKind, inspect_bytes};
use hvm_formats::io::ReadAt;
use hvm_model::found::{Found, Place};
use hvm_model::guest::{BootMode, Guest, GuestDisk, GuestVolume, Holds};
use hvm_model::inventory::Inventory;
use hvm_model::names::{ByteSize, WindowsPath};
use hvm_model::vm::Machine;

use crate::error::SourceError;

/// Bytes of one disk that are read: the bitmaps of 8 TiB in clusters of 4 KiB, or two hundred of the largest hives.
const MOST_BYTES: u64 = 256 << 20;
/// How long the machines of a host are looked into.
const MOST_TIME: Duration = Duration::from_secs(180);
/// Volumes of one disk, and sentences of one thing, that are kept.
const MOST: usize = 128;
/// Characters of one text that are kept.
const MOST_CHARACTERS: usize = 512;

/// How a disk is opened.
type Open<'a> = &'a dyn Fn(&WindowsPath) -> Result<SharedDisk, SourceError>;

/// Looks into all machines.
pub(crate) fn read(inventory: &Inventory, open: Open<'_>) -> Vec<Guest> {
    read_until(inventory, open, Instant::now() + MOST_TIME)
}

fn read_until(inventory: &Inventory, open: Open<'_>, end: Instant) -> Vec<Guest> {
    let one = |machine| match Instant::now() < end {
        true => guest(inventory, machine, open),
        false => too_late(machine),
    };
    inventory.machines.iter().map(one).collect()
}

fn too_late(machine: &Machine) -> Guest {
    let reason = format!(
        "Looking into the machines of this host took more than {} s, and this one was left out; 'hvmigrate disk info FILE' \
         looks into a disk.",
        MOST_TIME.as_secs()
    );
    Guest {
        machine: machine.id.clone(),
        system: Found::unknown(&*reason),
        boot: Found::unknown(reason),
        disks: Vec::new(),
        remarks: Vec::new(),
    }
}

fn guest(inventory: &Inventory, machine: &Machine, open: Open<'_>) -> Guest {
    let (mut disks, mut systems, mut boot) = (Vec::new(), Vec::new(), None);
    for path in inventory.leaf_disks(machine) {
        let looked = match open(path) {
            Ok(opened) => Ok(look(opened)),
            Err(error) => Err(error.to_string()),
        };
        match looked {
            Ok((sector_size, contents)) => {
                boot.get_or_insert_with(|| boot_mode(path, &contents));
                disks.push(disk(path, sector_size, &contents));
                systems.extend(contents.guests.into_iter().map(|system| (path.clone(), system)));
            }
            Err(reason) => {
                boot.get_or_insert_with(|| Found::unknown("The disk that it starts from could not be opened."));
                disks.push(unreadable(path, &reason));
            }
        }
    }
    let mut remarks = Vec::new();
    let mut systems = systems.into_iter();
    let found = match systems.next() {
        Some((path, system)) => known(machine, &path, system, &mut remarks),
        None => Found::unknown(why_none(&disks)),
    };
    remarks.extend(systems.map(|(path, other)| {
        format!("There is another operating system on '{path}', partition {}: {}.", other.partition, text(&other.name))
    }));
    let boot = boot.unwrap_or_else(|| Found::unknown("The machine has no virtual disk."));
    Guest { machine: machine.id.clone(), system: found, boot, disks, remarks: kept(remarks) }
}

fn look(disk: SharedDisk) -> (u32, DiskContents) {
    let sector_size = disk.sector_size();
    let metered = Metered { disk: DiskBytes::new(disk), left: AtomicU64::new(MOST_BYTES) };
    (sector_size, inspect_bytes(Arc::new(metered), sector_size))
}

fn known(
    machine: &Machine,
    path: &WindowsPath,
    system: GuestSystem,
    remarks: &mut Vec<String>,
) -> Found<hvm_model::guest::GuestSystem> {
    remarks.extend(system.remarks.iter().map(|remark| text(remark)));
    let place = match system.partition {
        0 => String::new(),
        number => format!("partition {number}"),
    };
    let place = Place::new(path.as_str(), place);
    Found::Read { value: system::system(machine, system, &place), place }
}

/// Why no system was found, as a whole sentence.
fn why_none(disks: &[GuestDisk]) -> String {
    if disks.is_empty() {
        return "The machine has no virtual disk.".to_owned();
    }
    if let Some(disk) = disks.iter().find(|disk| disk.unreadable.is_some()) {
        return format!("The disk '{}' could not be looked into.", disk.path);
    }
    let volumes = || disks.iter().flat_map(|disk| disk.volumes.iter().map(move |volume| (disk, volume)));
    let opaque = |holds| !matches!(holds, Holds::FileSystem | Holds::Swap | Holds::Unknown);
    if let Some((disk, volume)) = volumes().find(|(_, volume)| opaque(volume.holds)) {
        return format!("A volume of '{}' is not read: {}.", disk.path, volume.kind);
    }
    let damaged = |volume: &GuestVolume| volume.holds == Holds::FileSystem && !volume.remarks.is_empty();
    match volumes().find(|(_, volume)| damaged(volume)) {
        Some((disk, _)) => format!("No operating system was found, and a volume of '{}' is damaged.", disk.path),
        None => "No operating system was found on its disks.".to_owned(),
    }
}

fn unreadable(path: &WindowsPath, reason: &str) -> GuestDisk {
    GuestDisk {
        path: path.clone(),
        sector_size: None,
        findings: Vec::new(),
        volumes: Vec::new(),
        unreadable: Some(text(reason)),
    }
}

fn disk(path: &WindowsPath, sector_size: u32, contents: &DiskContents) -> GuestDisk {
    GuestDisk {
        path: path.clone(),
        sector_size: Some(sector_size),
        findings: kept(contents.findings.iter().map(|finding| text(&finding.to_string()))),
        volumes: contents.partitions.iter().take(MOST).map(volume).collect(),
        unreadable: None,
    }
}

fn volume(found: &PartitionContents) -> GuestVolume {
    GuestVolume {
        partition: found.partition.index,
        start: found.partition.start,
        size: ByteSize(found.partition.size),
        holds: holds(found.file_system.kind),
        kind: found.file_system.kind.name().to_owned(),
        label: text(&found.file_system.label),
        used: found.used.map(ByteSize),
        free: found.free.map(ByteSize),
        clean: found.clean,
        remarks: kept(found.remarks.iter().map(|remark| text(remark))),
    }
}

fn holds(kind: FsKind) -> Holds {
    match kind {
        FsKind::Ntfs | FsKind::Fat12 | FsKind::Fat16 | FsKind::Fat32 | FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4 => {
            Holds::FileSystem
        }
        FsKind::Refs | FsKind::Exfat | FsKind::Xfs | FsKind::Btrfs | FsKind::Iso9660 => Holds::OtherFileSystem,
        FsKind::Swap => Holds::Swap,
        FsKind::Bitlocker => Holds::BitLocker,
        FsKind::Luks => Holds::Luks,
        FsKind::DynamicDisk => Holds::DynamicDisk,
        FsKind::Lvm2 => Holds::Lvm,
        FsKind::LinuxRaid => Holds::Raid,
        FsKind::Unknown => Holds::Unknown,
    }
}

/// What the first disk was made to be started by. Where its table names both ways or none, nothing is concluded.
fn boot_mode(path: &WindowsPath, contents: &DiskContents) -> Found<BootMode> {
    let has = |kind: &str| contents.partitions.iter().any(|part| part.partition.type_name == kind);
    let mbr = matches!(contents.table, TableKind::Mbr { .. });
    let active = mbr && contents.partitions.iter().any(|part| part.partition.attributes == 0x80);
    let (value, reason) = match (has("EFI system"), active || has("BIOS boot")) {
        (true, false) => (BootMode::Uefi, "It has an EFI system partition."),
        (false, true) if active => (BootMode::Bios, "Its MBR has an active partition."),
        (false, true) => (BootMode::Bios, "It has a BIOS boot partition."),
        (true, true) => return Found::unknown("The first disk has what a BIOS and what UEFI starts."),
        (false, false) => return Found::unknown("The table of the first disk names nothing to start from."),
    };
    Found::Inferred { value, reason: reason.to_owned(), place: Place::new(path.as_str(), "partition table") }
}

/// A text of a guest, cut where it is longer than any that people write.
fn text(text: &str) -> String {
    text.chars().take(MOST_CHARACTERS).collect()
}

fn kept(sentences: impl IntoIterator<Item = String>) -> Vec<String> {
    sentences.into_iter().take(MOST).collect()
}

/// A disk of which only so much is read.
struct Metered {
    disk: DiskBytes,
    left: AtomicU64,
}

impl ReadAt for Metered {
    fn name(&self) -> &str {
        self.disk.name()
    }

    fn len(&self) -> u64 {
        self.disk.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let wanted = buf.len() as u64;
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(wanted));
        if taken.is_err() {
            let text = format!(
                "more than {} would have to be read; 'hvmigrate disk info FILE' reads all",
                ByteSize(MOST_BYTES)
            );
            return Err(io::Error::other(text));
        }
        self.disk.read_exact_at(buf, offset)
    }

    fn run(&self, offset: u64) -> (bool, u64) {
        self.disk.run(offset)
    }
}

#[cfg(test)]
mod tests {
    use hvm_formats::disk::{NoParents, open};
    use hvm_formats::io::MemoryFile;
    use hvm_testkit::sample::{self, Variant};

    use super::*;

    #[test]
    fn when_the_time_is_over_the_other_machines_are_left_out_and_no_disk_is_opened() {
        let folder = tempfile::tempdir().expect("a folder for tests can be made");
        sample::write(folder.path(), Variant::Default).expect("the sample can be written");
        let source = crate::select::open(&format!("folder:{}", folder.path().display())).expect("it can be opened");
        let inventory = source.inventory().expect("it can be read");
        let guests = read_until(&inventory, &|path| panic!("{path} is opened"), Instant::now());
        assert_eq!(guests.len(), inventory.machines.len());
        for guest in guests {
            let Found::Unknown { reason } = &guest.system else { panic!("{guest:?}") };
            assert!(reason.contains("took more than 180 s") && guest.disks.is_empty(), "{reason}");
        }
    }

    #[test]
    fn no_more_than_is_allowed_is_read_of_a_disk() {
        let bytes = Arc::new(MemoryFile::new("disk.raw", vec![1; 8192]));
        let disk = open(bytes, &NoParents).expect("anything is a raw disk");
        let metered = Metered { disk: DiskBytes::new(disk), left: AtomicU64::new(1000) };
        let mut buffer = [0; 600];
        assert!(metered.read_exact_at(&mut buffer, 0).is_ok());
        let error = metered.read_exact_at(&mut buffer, 600).expect_err("1200 bytes are more than 1000");
        assert!(error.to_string().contains("would have to be read"), "{error}");
        assert!(metered.read_exact_at(&mut buffer[..400], 600).is_ok());
    }
}
