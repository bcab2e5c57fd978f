//! What is in the switched-off machines: their volumes, what starts them, and whether their system expects new hardware.

use hvm_model::capabilities::{Capabilities, DiskFormat};
use hvm_model::finding::Level;
use hvm_model::found::{Found, Place};
use hvm_model::guest::{BootMode, DriverStart, Guest, GuestDisk, GuestFamily, GuestSystem, GuestVolume, Holds};
use hvm_model::names::VmId;
use hvm_model::vm::{Controller, Machine, MachineState, Media};

use crate::case::{Case, of_disk, of_machine};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

const fn rule(
    id: &'static str,
    level: Level,
    (clause, title): (&'static str, &'static str),
    check: fn(&Case<'_>) -> Vec<Seen>,
) -> Rule {
    Rule { id, level, under_extended: level, clause, title, answers: &[], check }
}

pub(super) const RULES: &[Rule] = &[
    rule(
        "guest.boot-mode",
        Level::Warns,
        ("beyond.guests.boot", "The disk of a machine was made for another firmware than the machine has."),
        boot_mode,
    ),
    rule(
        "guest.boot-driver",
        Level::Warns,
        ("beyond.guests.boot", "A guest may not have the driver for the controller that its disk gets on KVM."),
        boot_driver,
    ),
    rule(
        "guest.root-device",
        Level::Warns,
        ("beyond.guests.boot", "A guest finds its root file system by a name that may change."),
        root_device,
    ),
    rule(
        "guest.sector-size",
        Level::Warns,
        ("beyond.guests.sectors", "A disk has sectors of 4096 bytes, and the destination's disks have 512."),
        sector_size,
    ),
    rule(
        "guest.partition-unaligned",
        Level::Warns,
        ("beyond.guests.alignment", "A partition does not begin where blocks of the storage begin."),
        partition_unaligned,
    ),
    rule(
        "guest.partition-table",
        Level::Warns,
        ("beyond.guests.volumes", "Something is wrong with the partition table of a disk."),
        partition_table,
    ),
    rule(
        "guest.volume-dirty",
        Level::Warns,
        ("beyond.guests.volumes", "A volume was not left in order by its system."),
        volume_dirty,
    ),
    rule(
        "guest.bitlocker",
        Level::Manual,
        ("beyond.guests.volumes", "A volume is encrypted by BitLocker."),
        bitlocker,
    ),
    rule(
        "guest.dynamic-disk",
        Level::Notes,
        ("beyond.guests.volumes", "A disk is a Windows dynamic disk."),
        dynamic_disk,
    ),
    rule(
        "guest.not-read",
        Level::Notes,
        ("beyond.guests.volumes", "What is in a machine could not be told, because a volume or disk is not read."),
        not_read,
    ),
    rule(
        "guest.activation",
        Level::Notes,
        ("beyond.guests.activation", "A Windows guest may have to be activated again."),
        activation,
    ),
];

/// Machines that are not left out, with what is in them.
pub(super) fn guests<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Machine, &'a Guest)> {
    let by_machine: std::collections::HashMap<&'a VmId, &'a Guest> =
        case.inventory.guests.iter().map(|guest| (&guest.machine, guest)).collect();
    let machines: Vec<&'a Machine> = case.machines().collect();
    machines.into_iter().filter_map(move |machine| Some((machine, *by_machine.get(&machine.id)?)))
}

/// Those whose operating system is known.
pub(super) fn systems<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Machine, &'a GuestSystem, Place)> {
    guests(case).filter_map(|(machine, guest)| {
        let system = guest.system.value()?;
        Some((machine, system, guest.system.place().cloned().unwrap_or_default()))
    })
}

/// `Windows Server 2008 R2 Standard`, or a word where it has no name.
pub(super) fn name(system: &GuestSystem) -> &str {
    system.name.as_deref().unwrap_or(match system.family {
        GuestFamily::Windows => "Windows",
        GuestFamily::Linux => "Linux",
    })
}

fn boot_mode(case: &Case<'_>) -> Vec<Seen> {
    let seen = guests(case).filter_map(|(machine, guest)| {
        let Found::Inferred { value, reason, place } = &guest.boot else { return None };
        let firmware = if machine.generation == 2 { BootMode::Uefi } else { BootMode::Bios };
        let message = format!(
            "The virtual machine '{}' is of generation {} and starts by {firmware}, but its first disk was made to be started by \
             {value}: {reason} It probably starts from something else, or not at all; look at it on the source.",
            machine.name, machine.generation
        );
        (firmware != *value).then(|| Seen::new(of_machine(machine), message).at(place))
    });
    seen.collect()
}

/// What a disk is attached to on KVM, with the drivers of Windows and of Linux for it.
struct Bus {
    name: &'static str,
    services: &'static [&'static str],
    modules: &'static [&'static str],
}

const IDE: Bus = Bus { name: "IDE", services: &["intelide", "pciide"], modules: &["ata_piix"] };
const SATA: Bus = Bus { name: "SATA (AHCI)", services: &["storahci", "msahci", "iastorv"], modules: &["ahci"] };

/// The bus of the first disk, as the libvirt destination attaches it.
fn bus(machine: &Machine) -> Option<&'static Bus> {
    let mut drives = machine.configuration.drives.iter();
    let first = drives.find(|drive| matches!(drive.media, Media::VirtualDisk { .. }))?;
    Some(if first.controller == Controller::Ide { &IDE } else { &SATA })
}

fn boot_driver(case: &Case<'_>) -> Vec<Seen> {
    if !case.is_kvm() {
        return Vec::new();
    }
    let seen = systems(case).filter_map(|(machine, system, place)| {
        system.drivers.value()?;
        let bus = bus(machine)?;
        let names = if system.family == GuestFamily::Windows { bus.services } else { bus.modules };
        let (found, todo) = match (system.family, system.driver(names)) {
            (GuestFamily::Windows, Some(driver)) if driver.start == DriverStart::Boot => return None,
            (GuestFamily::Linux, Some(_)) => return None,
            (GuestFamily::Windows, Some(driver)) => (
                format!("its driver '{}' is there, but is not started by the boot loader", driver.name),
                "Before the last shutdown on the source set the driver's Start to 0 and remove its key StartOverride, or start \
                 Windows once in safe mode on KVM: then it starts all such drivers.",
            ),
            (GuestFamily::Windows, None) => (
                format!("none of the drivers {} is there", names.join(", ")),
                "Install the driver on the source, and try the machine before the source is taken down.",
            ),
            (GuestFamily::Linux, None) => (
                format!("no kernel of it has the module {}", names.join(", ")),
                "Install a kernel that has it, and try the machine before the source is taken down.",
            ),
        };
        let message = format!(
            "On KVM the virtual machine '{}' ({}) starts from a disk on {}, and {found}: it may not start there. {todo}",
            machine.name,
            name(system),
            bus.name
        );
        Some(Seen::new(of_machine(machine), message).at(&place))
    });
    seen.collect()
}

fn root_device(case: &Case<'_>) -> Vec<Seen> {
    if !case.is_kvm() {
        return Vec::new();
    }
    let by_name = |device: &str| ["/dev/sd", "/dev/hd", "/dev/vd", "/dev/xvd"].iter().any(|begin| device.starts_with(begin));
    let seen = systems(case).filter_map(|(machine, system, place)| {
        let root = system.root_device.as_deref().filter(|device| by_name(device))?;
        let message = format!(
            "The Linux in the virtual machine '{}' mounts '{root}' as its root (/etc/fstab). Such names follow the order and the \
             kind of the disks, and KVM has other controllers. Name it by UUID=… (see blkid) before the move, there and in the \
             boot loader.",
            machine.name
        );
        Some(Seen::new(of_machine(machine), message).at(&place))
    });
    seen.collect()
}

/// A finding for each disk of a machine for which `what` says something.
fn disks(case: &Case<'_>, what: impl Fn(&Machine, &GuestDisk) -> Option<String>) -> Vec<Seen> {
    let seen = guests(case).flat_map(|(machine, guest)| {
        let told = guest.disks.iter().filter_map(|disk| Some((disk, what(machine, disk)?)));
        let seen = |(disk, message): (&GuestDisk, String)| {
            Seen::new(of_disk(machine, &disk.path), message).at(&Place::new(disk.path.as_str(), ""))
        };
        told.map(seen).collect::<Vec<_>>()
    });
    seen.collect()
}

/// `partition 2 ('Data', 40 GiB)` and so on of the volumes that fit; `None` where none does.
fn named(disk: &GuestDisk, fits: impl Fn(&GuestVolume) -> bool) -> Option<String> {
    let one = |volume: &GuestVolume| {
        let place = match volume.partition {
            0 => "the whole disk".to_owned(),
            number => format!("partition {number}"),
        };
        let label = if volume.label.is_empty() { String::new() } else { format!("'{}', ", volume.label) };
        format!("{place} ({label}{})", volume.size)
    };
    let all: Vec<String> = disk.volumes.iter().filter(|volume| fits(volume)).map(one).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn sector_size(case: &Case<'_>) -> Vec<Seen> {
    let keeps = |destination: &Capabilities| matches!(destination.disk_format, DiskFormat::Vhdx | DiskFormat::VhdxFixed);
    if case.destination.is_none_or(keeps) {
        return Vec::new();
    }
    disks(case, |machine, disk| {
        (disk.sector_size == Some(4096)).then(|| {
            format!(
                "The disk '{}' of the virtual machine '{}' has logical sectors of 4096 bytes; disks on the destination have 512, \
                 and its partition table is not found there. Copy the files of the guest to a disk with sectors of 512 bytes, or \
                 tell the destination's machine the sector size by hand.",
                disk.path, machine.name
            )
        })
    })
}

/// Bytes of a physical sector of storage of today.
const PHYSICAL_SECTOR: u64 = 4096;
/// Where systems begin their partitions since Windows Server 2008: a multiple of every usual sector, cluster and stripe.
const USUAL_START: u64 = 1 << 20;

/// Partitions that hold nothing known are left alone: Microsoft's reserved one and the BIOS boot partition begin anywhere.
fn partition_unaligned(case: &Case<'_>) -> Vec<Seen> {
    let seen = guests(case).flat_map(|(machine, guest)| guest.disks.iter().filter_map(move |disk| unaligned(machine, disk)));
    seen.collect()
}

fn unaligned(machine: &Machine, disk: &GuestDisk) -> Option<Seen> {
    let known = || disk.volumes.iter().filter(|volume| volume.holds != Holds::Unknown && volume.start != 0);
    let worst = match known().any(|volume| !volume.start.is_multiple_of(PHYSICAL_SECTOR)) {
        true => PHYSICAL_SECTOR,
        false => USUAL_START,
    };
    let starts: Vec<String> = known()
        .filter(|volume| !volume.start.is_multiple_of(worst))
        .map(|volume| format!("partition {} ({}) at byte {}", volume.partition, volume.kind, volume.start))
        .collect();
    if starts.is_empty() {
        return None;
    }
    let (level, why) = match worst {
        PHYSICAL_SECTOR => (
            Level::Warns,
            "no multiple of 4096: on storage with physical sectors of 4 KiB each small write becomes a read and two writes. It is copied \
             as it is. To mend it, make a new partition in the guest, which begins at 1 MiB, and move the files there",
        ),
        _ => (
            Level::Notes,
            "a multiple of 4096 but not of 1 MiB: clusters of the guest may lie across two stripes of the storage. It is copied as it is",
        ),
    };
    let message = format!(
        "Partitions of '{}' of the virtual machine '{}' do not begin at a multiple of 1 MiB, as they do since Windows Server 2008: {}. That \
         is {why}.",
        disk.path,
        machine.name,
        starts.join(", ")
    );
    Some(Seen::new(of_disk(machine, &disk.path), message).level(level).at(&Place::new(disk.path.as_str(), "partition table")))
}

fn partition_table(case: &Case<'_>) -> Vec<Seen> {
    disks(case, |machine, disk| {
        let findings = disk.findings.join(" ");
        (!findings.is_empty()).then(|| {
            format!(
                "The partition table of the disk '{}' of the virtual machine '{}' is not in order: {findings} It is copied as it \
                 is; see 'hvmigrate disk info'.",
                disk.path, machine.name
            )
        })
    })
}

fn volume_dirty(case: &Case<'_>) -> Vec<Seen> {
    disks(case, |machine, disk| {
        let volumes = named(disk, |volume| volume.clean == Some(false))?;
        let why = match machine.state {
            MachineState::Saved { .. } => "The machine is saved: what it had not written yet is in its saved state only.",
            MachineState::Off => "The machine was turned off without a shutdown, hibernated, or copied while it ran.",
        };
        Some(format!(
            "On the disk '{}' of the virtual machine '{}' these volumes were not left in order: {volumes}. {why} Start it on the \
             source and shut it down, or expect that its system checks the volumes when it starts next.",
            disk.path, machine.name
        ))
    })
}

fn bitlocker(case: &Case<'_>) -> Vec<Seen> {
    disks(case, |machine, disk| {
        let volumes = named(disk, |volume| volume.holds == Holds::BitLocker)?;
        Some(format!(
            "On the disk '{}' of the virtual machine '{}' BitLocker encrypts {volumes}. It is copied as it is. On new hardware \
             BitLocker may ask for the recovery key: have it at hand, or suspend the protection before the last shutdown \
             (manage-bde -protectors -disable).",
            disk.path, machine.name
        ))
    })
}

fn dynamic_disk(case: &Case<'_>) -> Vec<Seen> {
    disks(case, |machine, disk| {
        let volumes = named(disk, |volume| volume.holds == Holds::DynamicDisk)?;
        Some(format!(
            "The disk '{}' of the virtual machine '{}' is a Windows dynamic disk: {volumes}. Its volumes may lie on several disks, \
             which have to be moved together; what is in them was not read. If Windows shows it as foreign or offline afterwards, \
             import it there, or bring it online.",
            disk.path, machine.name
        ))
    })
}

fn not_read(case: &Case<'_>) -> Vec<Seen> {
    disks(case, |machine, disk| {
        let kept = |volume: &&GuestVolume| {
            matches!(volume.holds, Holds::Lvm | Holds::Raid | Holds::Luks | Holds::OtherFileSystem)
        };
        let mut kinds: Vec<&str> = disk.volumes.iter().filter(kept).map(|volume| volume.kind.as_str()).collect();
        kinds.dedup();
        (!kinds.is_empty()).then(|| {
            format!(
                "The disk '{}' of the virtual machine '{}' holds {}, which is copied as it is but not looked into: the rules about \
                 guests do not see what is in it.",
                disk.path,
                machine.name,
                kinds.join(", ")
            )
        })
    })
}

fn activation(case: &Case<'_>) -> Vec<Seen> {
    if case.destination.is_none() {
        return Vec::new();
    }
    let seen = systems(case).filter(|(_, system, _)| system.family == GuestFamily::Windows).map(|(machine, system, place)| {
        let more = if case.is_kvm() { " Automatic activation by the host (AVMA) exists on Hyper-V only." } else { "" };
        let message = format!(
            "{} in the virtual machine '{}' gets new hardware and may have to be activated again. Which kind of licence it has was \
             not read.{more} Have the product key or the KMS host at hand.",
            name(system),
            machine.name
        );
        Seen::new(of_machine(machine), message).at(&place)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "guest.boot-mode",
        fires: |sample| {
            let place = Place::new("Web.vhd", "");
            let reason = "It has an EFI system partition.".to_owned();
            sample.guest(GuestFamily::Windows).boot = Found::Inferred { value: BootMode::Uefi, reason, place };
        },
        quiet: |sample| _ = sample.guest(GuestFamily::Windows),
    },
    Example {
        rule: "guest.boot-driver",
        fires: |sample| {
            sample.kvm();
            sample.guest(GuestFamily::Windows);
            sample.drivers(&[("storvsc", DriverStart::Boot), ("intelide", DriverStart::Disabled)]);
        },
        quiet: |sample| {
            sample.kvm();
            sample.guest(GuestFamily::Windows);
            sample.drivers(&[("intelide", DriverStart::Boot)]);
        },
    },
    Example {
        rule: "guest.root-device",
        fires: |sample| {
            sample.kvm();
            sample.guest(GuestFamily::Linux);
            sample.system().root_device = Some("/dev/sda1".to_owned());
        },
        quiet: |sample| {
            sample.kvm();
            sample.guest(GuestFamily::Linux);
            sample.system().root_device = Some("UUID=6b".to_owned());
        },
    },
    Example {
        rule: "guest.sector-size",
        fires: |sample| sample.guest(GuestFamily::Windows).disks[0].sector_size = Some(4096),
        quiet: |sample| _ = sample.guest(GuestFamily::Windows),
    },
    Example {
        rule: "guest.partition-unaligned",
        // Where Windows Server 2003 begins the first partition: behind one track of 63 sectors.
        fires: |sample| sample.guest(GuestFamily::Windows).disks[0].volumes[0].start = 63 * 512,
        quiet: |sample| {
            let volume = &mut sample.guest(GuestFamily::Windows).disks[0].volumes[0];
            (volume.start, volume.holds) = (34 * 512, Holds::Unknown);
        },
    },
    Example {
        rule: "guest.partition-table",
        fires: |sample| sample.guest(GuestFamily::Windows).disks[0].findings.push("Partitions 1 and 2 overlap.".to_owned()),
        quiet: |sample| _ = sample.guest(GuestFamily::Windows),
    },
    Example {
        rule: "guest.volume-dirty",
        fires: |sample| sample.guest(GuestFamily::Windows).disks[0].volumes[0].clean = Some(false),
        quiet: |sample| sample.guest(GuestFamily::Windows).disks[0].volumes[0].clean = None,
    },
    Example {
        rule: "guest.bitlocker",
        fires: |sample| sample.guest(GuestFamily::Windows).disks[0].volumes[0].holds = Holds::BitLocker,
        quiet: |sample| sample.guest(GuestFamily::Windows).disks[0].volumes[0].holds = Holds::Luks,
    },
    Example {
        rule: "guest.dynamic-disk",
        fires: |sample| sample.guest(GuestFamily::Windows).disks[0].volumes[0].holds = Holds::DynamicDisk,
        quiet: |sample| _ = sample.guest(GuestFamily::Windows),
    },
    Example {
        rule: "guest.not-read",
        fires: |sample| sample.guest(GuestFamily::Linux).disks[0].volumes[0].holds = Holds::Lvm,
        quiet: |sample| sample.guest(GuestFamily::Linux).disks[0].volumes[0].holds = Holds::Unknown,
    },
    Example {
        rule: "guest.activation",
        fires: |sample| _ = sample.guest(GuestFamily::Windows),
        quiet: |sample| _ = sample.guest(GuestFamily::Linux),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;

    #[test]
    fn the_driver_that_counts_is_that_of_the_controller_on_kvm() {
        let fires = |family, controller, drivers: &[(&str, DriverStart)]| {
            let mut sample = Sample::new();
            sample.kvm();
            sample.inventory.machines[0].configuration.drives[0].controller = controller;
            sample.guest(family);
            sample.drivers(drivers);
            sample.found("guest.boot-driver").pop().map(|finding| finding.message).unwrap_or_default()
        };
        let (windows, linux) = (GuestFamily::Windows, GuestFamily::Linux);
        let (boot, demand) = (DriverStart::Boot, DriverStart::Demand);
        assert_eq!(fires(windows, Controller::Scsi, &[("intelide", demand), ("storahci", boot)]), "");
        let told = fires(windows, Controller::Scsi, &[("intelide", boot), ("storahci", demand)]);
        assert!(told.contains("'storahci' is there, but is not started by the boot loader"), "{told}");
        let told = fires(windows, Controller::Ide, &[("viostor", boot)]);
        assert!(told.contains("none of the drivers intelide, pciide is there"), "{told}");
        assert_eq!(fires(linux, Controller::Scsi, &[("ahci", DriverStart::Module)]), "");
        assert!(fires(linux, Controller::Scsi, &[("ata_piix", DriverStart::BuiltIn)]).contains("module ahci"));
    }

    #[test]
    fn drivers_that_nobody_could_look_up_are_not_missing() {
        let mut sample = Sample::new();
        sample.kvm();
        sample.guest(GuestFamily::Windows);
        assert!(sample.found("guest.boot-driver").is_empty());
    }

    #[test]
    fn sectors_of_4096_bytes_stay_so_in_vhdx() {
        let mut sample = Sample::new();
        sample.guest(GuestFamily::Windows).disks[0].sector_size = Some(4096);
        sample.destination().disk_format = DiskFormat::Vhdx;
        assert!(sample.found("guest.sector-size").is_empty());
    }

    #[test]
    fn how_serious_a_start_is_depends_on_what_it_is_a_multiple_of() {
        let of = |start: u64| {
            let mut sample = Sample::new();
            sample.guest(GuestFamily::Windows).disks[0].volumes[0].start = start;
            sample.found("guest.partition-unaligned").pop().map(|finding| finding.level)
        };
        assert_eq!((of(0), of(1 << 20), of(40 << 30)), (None, None, None));
        assert_eq!((of(63 * 512), of(513)), (Some(Level::Warns), Some(Level::Warns)));
        assert_eq!((of(64 << 10), of((1 << 20) + 4096)), (Some(Level::Notes), Some(Level::Notes)));
    }

    #[test]
    fn a_machine_that_is_left_out_is_not_judged() {
        let mut sample = Sample::new();
        sample.guest(GuestFamily::Windows).disks[0].volumes[0].holds = Holds::BitLocker;
        sample.save_state();
        sample.answer("machine.saved-state@Web=exclude");
        assert!(sample.found("guest.bitlocker").is_empty());
    }
}
