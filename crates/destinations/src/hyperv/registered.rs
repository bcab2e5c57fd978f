//! The step that registers a machine from its own configuration, in place.
//!
//! Hyper-V makes a planned machine of the configuration first (`Compare-VM -Register`). What refers to the old host is taken out of
//! it or set right, it is compared again and then imported; the rest is set as for a machine that was made anew. The original file
//! of the kit stays: a copy of it in the machine's folder is what is registered, since Hyper-V removes that with the machine.

use hvm_model::role::{PlacedDisk, PlacedFile, PlacedImage, Role, RoleMachine};
use hvm_model::vm::{AdapterKind, Connection, Controller, Media, VmAdapter};

use crate::hyperv::cmdlet::{Arg, Call, StepScript};
use crate::hyperv::machines::{
    at, connected, controller_word, firmware, memory_and_processors, named, new_disk, on_adapter, on_machine,
    physical_disks, ported, ports, services, tpm,
};
use crate::hyperv::release::Release;

/// The calls for one machine whose configuration is `file`, with what lies `beside` it.
pub(super) fn script(
    release: &Release,
    role: &Role,
    machine: &RoleMachine,
    (file, beside): (&PlacedFile, &[PlacedFile]),
) -> StepScript {
    let of = |cmdlet: &str| Call::new(cmdlet).text("Folder", &machine.folder).text("Id", machine.id.as_str());
    let compare = of("Compare-KitMachine").text("Name", &machine.name).number("Generation", machine.generation);
    let mut compare = compare.with("Configuration", Arg::KitPath(file.target.clone()));
    for other in beside {
        let parameter = if other.target.ends_with(".vmgs") { "GuestState" } else { "RuntimeState" };
        compare = compare.with(parameter, Arg::KitPath(other.target.clone()));
    }
    let mut perform = vec![of("Remove-KitHalfRegistered"), compare.into_variable("report")];
    perform.push(Call::new("Get-KitPlannedMachine").variable("Report", "report").into_variable("machine"));
    planned(release, machine, &mut perform);
    let import = of("Import-KitMachine").text("Name", &machine.name).variable("Report", "report");
    perform.push(import.into_variable("machine"));
    imported(release, role, machine, &mut perform);
    StepScript {
        test: vec![of("Test-KitRegistered")],
        perform,
        undo: vec![of("Remove-KitRegistered")],
        ..StepScript::default()
    }
}

/// A disk that takes the place of one that the configuration has; an imaged physical disk is a new drive.
fn is_its_own(disk: &&PlacedDisk) -> bool {
    disk.local.is_none()
}

/// What has to be right before Hyper-V imports the machine.
fn planned(release: &Release, machine: &RoleMachine, calls: &mut Vec<Call>) {
    memory_and_processors(release, machine, calls);
    let place = |disk: &PlacedDisk| format!("{}{}-{}", controller_word(disk.controller), disk.number, disk.slot);
    let kept: Vec<String> = machine.disks_of(None).filter(is_its_own).map(place).collect();
    let mut clear = Call::new("Clear-KitPlannedMachine").variable("Report", "report").variable("Machine", "machine");
    for (parameter, texts) in [("Disks", kept), ("Media", filled(machine)), ("Adapters", networked(machine))] {
        if !texts.is_empty() {
            clear = clear.with(parameter, Arg::Texts(texts));
        }
    }
    calls.push(clear);
    for disk in machine.disks_of(None).filter(is_its_own) {
        let set = Call::new("Set-KitDisk").variable("Machine", "machine");
        let set = at(set.text("ControllerType", controller_word(disk.controller)), disk.number, disk.slot);
        calls.push(set.with("Path", Arg::KitPath(disk.target.clone())));
    }
}

/// Places of discs that get one again, or for which a line of their own says why not.
fn filled(machine: &RoleMachine) -> Vec<String> {
    let place = |controller: Controller, number: u8, slot: u8| match controller {
        Controller::Floppy => "floppy".to_owned(),
        _ => format!("{}{number}-{slot}", controller_word(controller)),
    };
    let images = machine.images.iter().map(|image| place(image.controller, image.number, image.slot));
    let told = machine.configuration.drives.iter();
    let told = told.filter(|drive| matches!(drive.media, Media::PhysicalDvd { .. } | Media::Iso { .. }));
    let mut all: Vec<String> =
        images.chain(told.map(|drive| place(drive.controller, drive.number, drive.slot))).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Devices of the adapters that are connected again.
fn networked(machine: &RoleMachine) -> Vec<String> {
    let adapters = machine.configuration.adapters.iter();
    adapters.filter(|adapter| adapter.connection != Connection::None).map(|adapter| adapter.id.clone()).collect()
}

/// What is set in the machine when it is there.
fn imported(release: &Release, role: &Role, machine: &RoleMachine, calls: &mut Vec<Call>) {
    named(machine, calls);
    firmware(release, machine, calls);
    tpm(release, machine, calls);
    calls.extend(machine.disks_of(None).filter(|disk| !is_its_own(disk)).map(new_disk));
    physical_disks(machine, calls);
    media(machine, calls);
    for adapter in &machine.configuration.adapters {
        network_adapter(role, adapter, calls);
    }
    services(release, machine, calls);
    ports(machine, calls);
}

fn media(machine: &RoleMachine, calls: &mut Vec<Call>) {
    let dvd = |cmdlet: &str, number: u8, slot: u8| at(Call::new(cmdlet).variable("Machine", "machine"), number, slot);
    for image in &machine.images {
        let path = Arg::KitPath(image.file.target.clone());
        calls.push(match image.controller {
            Controller::Floppy => on_machine("Set-VMFloppyDiskDrive").with("Path", path),
            _ => dvd("Set-KitDvd", image.number, image.slot).with("Path", path),
        });
    }
    for drive in &machine.configuration.drives {
        let is_here = |image: &&PlacedImage| {
            (image.controller, image.number, image.slot) == (drive.controller, drive.number, drive.slot)
        };
        let was = match &drive.media {
            Media::EmptyDvd => {
                calls.push(dvd("Set-KitDvd", drive.number, drive.slot));
                continue;
            }
            Media::PhysicalDvd { path } => path.as_str(),
            Media::Iso { path } if !machine.images.iter().any(|image| is_here(&image)) => path.as_str(),
            _ => continue,
        };
        calls.push(dvd("Set-KitEmptyDvd", drive.number, drive.slot).text("Was", was));
    }
}

/// The adapter that the configuration has: it keeps its id.
fn network_adapter(role: &Role, adapter: &VmAdapter, calls: &mut Vec<Call>) {
    let get = Call::new("Get-KitAdapter").variable("Machine", "machine").text("DeviceId", &adapter.id);
    let get = get.text("Name", &adapter.name).boolean("IsLegacy", adapter.kind == AdapterKind::Legacy);
    calls.push(get.into_variable("adapter"));
    let set = on_adapter("Set-VMNetworkAdapter");
    let set = if adapter.mac_is_static {
        set.text("StaticMacAddress", &adapter.mac.plain())
    } else {
        set.switch("DynamicMacAddress")
    };
    connected(role, adapter, calls);
    ported(adapter, set, calls);
}
