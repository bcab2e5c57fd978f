//! How much room the migrated data takes on the destination, at least.

use std::collections::BTreeSet;

use hvm_model::capabilities::{Capabilities, DestinationKind, DiskFormat};
use hvm_model::names::{ByteSize, WindowsPath};
use hvm_model::vm::{Machine, MachineConfiguration, Media};

use crate::case::{Case, of_machine};
use crate::decision::Decision;

/// Bytes for all machines that are not left out: their disks (each checkpoint a flattened disk of its own) and their
/// images.
pub(crate) fn needed(case: &Case<'_>, destination: &Capabilities) -> ByteSize {
    let mut total = 0u64;
    let mut images: BTreeSet<WindowsPath> = BTreeSet::new();
    for machine in case.machines() {
        let mut add = |configuration: &MachineConfiguration| {
            for drive in &configuration.drives {
                match &drive.media {
                    Media::VirtualDisk { path } => total = total.saturating_add(disk(case, destination, path)),
                    Media::Iso { path } | Media::Floppy { path } => {
                        images.insert(path.clone());
                    }
                    _ => {}
                }
            }
        };
        add(&machine.configuration);
        if carries_checkpoints(case, machine) {
            machine.checkpoints.iter().for_each(|checkpoint| add(&checkpoint.configuration));
        }
    }
    let media = case.inventory.media.iter().filter(|file| images.contains(&file.path));
    let media: u64 = media.filter_map(|file| file.size).fold(0, |sum, size| sum.saturating_add(size.0));
    ByteSize(total.saturating_add(media))
}

fn carries_checkpoints(case: &Case<'_>, machine: &Machine) -> bool {
    case.decision("machine.checkpoints", &of_machine(machine)) != Some(Decision::CurrentOnly)
}

fn disk(case: &Case<'_>, destination: &Capabilities, leaf: &WindowsPath) -> u64 {
    let chain = case.inventory.chain(leaf);
    let size = chain.first().map_or(0, |disk| disk.virtual_size.0);
    let stored = chain.iter().fold(0u64, |sum, disk| sum.saturating_add(disk.allocated.0));
    // A fixed disk without checkpoints stays fixed on Hyper-V.
    let hyper_v = matches!(destination.kind, DestinationKind::HyperV { .. });
    let stays_fixed = hyper_v && chain.len() == 1 && chain.iter().all(|disk| disk.format == "vhd-fixed");
    match destination.disk_format {
        DiskFormat::VhdFixed | DiskFormat::VhdxFixed => size,
        _ if stays_fixed => size,
        DiskFormat::Raw | DiskFormat::Vhd | DiskFormat::Vhdx | DiskFormat::Qcow2 | DiskFormat::Qcow2Zstd => {
            size.min(stored)
        }
    }
}
