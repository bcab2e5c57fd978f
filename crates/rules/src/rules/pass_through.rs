//! Drives of the host that a machine uses directly.

use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::Level;
use hvm_model::names::WindowsPath;
use hvm_model::vm::Media;

use crate::case::{Case, of_disk};
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

const DISK: Offer = Offer::new(
    "disk:IDENTITY",
    "The disk of the destination with this signature, GPT id or serial number is attached to the machine.",
);
const IMAGE: Offer = Offer::new(
    "image:PATH",
    "The disk, or an image of it, that is at PATH on this computer is copied into a virtual disk.",
);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "machine.pass-through",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "guide.manual.pass-through",
        title: "A machine uses a physical disk of the host.",
        answers: &[DISK, IMAGE],
        check: pass_through,
    },
    Rule {
        id: "machine.physical-dvd",
        level: Level::Notes,
        under_extended: Level::Notes,
        clause: "beyond.drives.physical-dvd",
        title: "A machine uses the host's own DVD drive.",
        answers: &[],
        check: physical_dvd,
    },
];

fn pass_through(case: &Case<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    // libvirt wants the path of the device, which only that host knows.
    let attaches = case.destination.is_none_or(|destination| destination.kind != DestinationKind::Libvirt);
    for machine in &case.inventory.machines {
        for drive in &machine.configuration.drives {
            if let Media::PassThrough { kind, identity } = &drive.media {
                let path = if identity.is_empty() { drive.slot_name() } else { identity.clone() };
                let message = format!(
                    "The drive {} of the virtual machine '{}' is no file but a disk of the host (type '{kind}', \
                     '{identity}'). Its content is not migrated: connect the disk to the destination, take it \
                     offline there, and attach it to the machine after it is registered, or say which disk it is, by \
                     what does not change with the host, and it is attached; or have it copied into a virtual disk.",
                    drive.slot_name(),
                    machine.name
                );
                let finding = Seen::new(of_disk(machine, &WindowsPath::new(&path)), message).at(&drive.place);
                seen.push(if attaches { finding } else { finding.only(&["image:PATH"]) });
            }
        }
    }
    seen
}

fn physical_dvd(case: &Case<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for machine in &case.inventory.machines {
        for drive in &machine.configuration.drives {
            if let Media::PhysicalDvd { path } = &drive.media {
                let message = format!(
                    "The DVD drive {} of the virtual machine '{}' is connected to the host's own drive ('{path}'); \
                     it is empty on the destination.",
                    drive.slot_name(),
                    machine.name
                );
                seen.push(Seen::new(of_disk(machine, &WindowsPath::new(path)), message).at(&drive.place));
            }
        }
    }
    seen
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.pass-through",
        fires: |sample| {
            let identity = r"Microsoft:GUID\1\0\0\D".to_owned();
            sample.add_drive(Media::PassThrough { kind: "PhysicalDisk".to_owned(), identity });
        },
        quiet: |sample| sample.add_drive(Media::EmptyDvd),
    },
    Example {
        rule: "machine.physical-dvd",
        fires: |sample| sample.add_drive(Media::PhysicalDvd { path: "CdRom0".to_owned() }),
        quiet: |sample| sample.add_drive(Media::EmptyDvd),
    },
];
