//! Sizes of virtual disks: what the destination's format can hold, and what other tools would take for the size.

use hvm_model::finding::Level;
use hvm_model::names::{ByteSize, WindowsPath};
use hvm_model::vm::{Machine, Media};

use crate::case::{Case, of_disk};
use crate::rule::{EXCLUDE, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "machine.disk-too-large",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "beyond.disks.size",
        title: "A disk is larger than the destination's format can hold.",
        answers: &[EXCLUDE],
        check: too_large,
    },
    Rule {
        id: "machine.disk-geometry",
        level: Level::Notes,
        under_extended: Level::Notes,
        clause: "beyond.disks.geometry",
        title: "A disk's geometry names another size than its header.",
        answers: &[],
        check: geometry,
    },
];

/// One cylinder of the largest geometry, 16 heads of 255 sectors: rounding to whole cylinders explains a difference up
/// to it.
const CYLINDER: u64 = 16 * 255 * 512;
/// The largest size that a geometry can name (65535 cylinders); every larger disk names this one.
const LARGEST_GEOMETRY: u64 = 65_535 * CYLINDER;

fn leaves<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Machine, &'a WindowsPath)> {
    case.inventory.machines.iter().flat_map(|machine| {
        machine.configuration.drives.iter().filter_map(move |drive| match &drive.media {
            Media::VirtualDisk { path } => Some((machine, path)),
            _ => None,
        })
    })
}

fn too_large(case: &Case<'_>) -> Vec<Seen> {
    let Some(destination) = case.destination else {
        return Vec::new();
    };
    let seen = leaves(case).filter_map(|(machine, path)| {
        let disk = case.inventory.disk(path)?;
        let message = format!(
            "The disk '{path}' of the virtual machine '{}' has {}; the destination's disks hold at most {}.",
            machine.name, disk.virtual_size, destination.max_disk_size
        );
        let seen = Seen::new(of_disk(machine, path), message).at(&disk.place);
        (disk.virtual_size > destination.max_disk_size).then_some(seen)
    });
    seen.collect()
}

fn geometry(case: &Case<'_>) -> Vec<Seen> {
    let seen = leaves(case).filter_map(|(machine, path)| {
        let disk = case.inventory.disk(path)?;
        let by_geometry = disk.geometry_size.filter(|size| is_odd(disk.virtual_size, *size))?;
        let message = format!(
            "The geometry of the disk '{path}' of the virtual machine '{}' names {by_geometry}, its header {}. \
             Hyper-V and hvmigrate go by the header; some other tools go by the geometry and cut or lengthen such a \
             disk.",
            machine.name, disk.virtual_size
        );
        Some(Seen::new(of_disk(machine, path), message).at(&disk.place))
    });
    seen.collect()
}

fn is_odd(size: ByteSize, by_geometry: ByteSize) -> bool {
    size.0.min(LARGEST_GEOMETRY).abs_diff(by_geometry.0) > CYLINDER
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.disk-too-large",
        fires: |sample| sample.inventory.disks[0].virtual_size = ByteSize(2049 << 30),
        quiet: |sample| sample.inventory.disks[0].virtual_size = ByteSize(2040 << 30),
    },
    Example {
        rule: "machine.disk-geometry",
        fires: |sample| sample.inventory.disks[0].geometry_size = Some(ByteSize(20 << 30)),
        quiet: |sample| sample.inventory.disks[0].geometry_size = Some(ByteSize((40 << 30) - 63 * 512)),
    },
];
