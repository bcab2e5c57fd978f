//! What shall be on the destination: the inventory, changed by the operator's answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hvm_destinations::destination::Destination;
use hvm_formats::disk::{Layer, LayerFormat, SharedDisk};
use hvm_model::capabilities::{Capabilities, DestinationKind, DiskFormat};
use hvm_model::finding::{Finding, Subject};
use hvm_model::found::Found;
use hvm_model::host::{DcomRestriction, FirewallChange, GroupMember, NamespaceRights};
use hvm_model::inventory::Inventory;
use hvm_model::names::{ByteSize, MacAddress, SwitchId, VmId, WindowsPath, folded};
use hvm_model::network::{SwitchKind, VirtualSwitch, Vlan};
use hvm_model::role::{
    PhysicalDisk, PlacedDisk, PlacedFile, PlacedParent, PutBack, Role, RoleCheckpoint, RoleMachine,
    RoleManagementAdapter, RoleMember, RoleSettings, RoleSwitch,
};
use hvm_model::vm::{Checkpoint, Connection, Drive, Machine, MachineConfiguration, Media, StartAction};
use hvm_rules::{Decision, owner_subject};
use hvm_sources::error::SourceError;
use hvm_sources::source::Source;
use hvm_sources::{ChainOptions, open_disk_file};

use crate::error::EngineError;
use crate::images::Images;
use crate::placing::Placing;
use crate::put_back;

/// What a role is built from.
pub(crate) struct RoleInput<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) destination: &'a dyn Destination,
    pub(crate) inventory: &'a Inventory,
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) findings: &'a [Finding],
}

/// The role, and the files that are copied but belong to no machine's definition.
pub(crate) struct Built {
    pub(crate) role: Role,
    /// Configuration files of checkpoints, with their machine.
    pub(crate) checkpoint_files: Vec<(VmId, PlacedFile)>,
}

/// Builds the role for the machines that are migrated.
pub(crate) fn build(input: &RoleInput<'_>, machines: &[&Machine]) -> Result<Built, EngineError> {
    let mut placing = Placing::new(input.destination);
    let switches: Vec<RoleSwitch> = input.inventory.switches.iter().map(|switch| role_switch(input, switch)).collect();
    let management_adapters = management_adapters(input, &switches);
    let mut built = Built { role: Role::default(), checkpoint_files: Vec::new() };
    built.role.settings = settings(input, &switches, &mut placing);
    let named = machines.iter().map(|machine| &machine.name).chain(&input.capabilities.machines);
    let mut taken: BTreeSet<String> = named.map(|name| folded(name)).collect();
    for machine in machines {
        built.role.machines.extend(role_machines(input, machine, &switches, &mut placing, &mut taken)?);
        for checkpoint in &machine.checkpoints {
            let path = WindowsPath::new(&checkpoint.place.file);
            if let Some(file) = copied_file(input.source, &path, || {
                placing.fixed("source-configuration", checkpoint.id.as_str(), &ending(&path))
            }) {
                built.checkpoint_files.push((machine.id.clone(), file));
            }
        }
    }
    built.role.switches = switches;
    built.role.management_adapters = management_adapters;
    let host = &input.inventory.host;
    let left = |subject: Subject| is_left(input, &subject);
    let rules = host.firewall.changes.iter();
    let wanted = |change: &&FirewallChange| !left(Subject::FirewallRule { id: change.id.clone() });
    built.role.firewall = rules.filter(wanted).cloned().collect();
    let restrictions = host.remote_administration.dcom.iter();
    let wanted = |entry: &&DcomRestriction| {
        (!entry.added.is_empty() || !entry.removed.is_empty()) && !left(Subject::Setting { name: entry.name.clone() })
    };
    built.role.dcom = restrictions.filter(wanted).cloned().collect();
    built.role.dcom_users = members(input.inventory);
    if !left(Subject::Setting { name: "WMI namespace rights".to_owned() }) {
        built.role.wmi_namespaces = role_namespaces(host.remote_administration.wmi_namespaces.written());
    }
    Ok(built)
}

/// Whether what differs on the source is not repeated, by the operator's answer.
fn is_left(input: &RoleInput<'_>, subject: &Subject) -> bool {
    decisions(input.findings, |other| other == subject).any(|(_, decision)| decision == Decision::Leave)
}

/// Members of Distributed COM Users.
fn members(inventory: &Inventory) -> Vec<RoleMember> {
    let host = inventory.host.computer_name.value().map_or("", String::as_str);
    let found = inventory.host.remote_administration.dcom_users.written().into_iter().flatten();
    let member = |account: &GroupMember| RoleMember {
        local: !account.name.is_empty() && account.domain.eq_ignore_ascii_case(host),
        account: account.clone(),
    };
    found.map(member).collect()
}

/// Hyper-V's classes are in the second namespace from Windows Server 2012 on, and what one was allowed in the first one belongs there.
fn role_namespaces(found: Option<&Vec<NamespaceRights>>) -> Vec<NamespaceRights> {
    let mut all: Vec<NamespaceRights> = Vec::new();
    for rights in found.into_iter().flatten() {
        let is_first = rights.namespace.eq_ignore_ascii_case(r"root\virtualization");
        let namespace = if is_first { r"root\virtualization\v2" } else { &rights.namespace };
        match all.iter_mut().find(|known| known.namespace.eq_ignore_ascii_case(namespace)) {
            Some(known) => known.added.extend(rights.added.iter().cloned()),
            None => all.push(NamespaceRights { namespace: namespace.to_owned(), added: rights.added.clone() }),
        }
    }
    all
}

fn decisions<'a>(
    findings: &'a [Finding],
    fits: impl Fn(&Subject) -> bool + 'a,
) -> impl Iterator<Item = (&'a Finding, Decision)> {
    findings
        .iter()
        .filter(move |finding| fits(&finding.subject))
        .filter_map(|finding| Decision::of(finding).map(|decision| (finding, decision)))
}

fn role_switch(input: &RoleInput<'_>, switch: &VirtualSwitch) -> RoleSwitch {
    let (mut answered, mut adapter) = (None, None);
    let about = |subject: &Subject| matches!(subject, Subject::Switch { id, .. } if *id == switch.id);
    for (_, decision) in decisions(input.findings, about) {
        match decision {
            Decision::Kind(kind) => answered = Some(kind),
            Decision::Adapter(name) => adapter = Some(name),
            _ => {}
        }
    }
    let fallback = if adapter.is_some() { SwitchKind::External } else { SwitchKind::Private };
    let source_kind = switch.kind.value().copied().or(answered).unwrap_or(fallback);
    let external = source_kind == SwitchKind::External;
    let adapter = adapter.filter(|_| external);
    let kind = if external && adapter.is_none() { SwitchKind::Internal } else { source_kind };
    let management = &input.inventory.management_adapters;
    RoleSwitch {
        id: switch.id.clone(),
        name: switch.name.clone(),
        source_kind,
        kind,
        reconnect: external && adapter.is_none(),
        adapter,
        management_os: management.iter().any(|adapter| adapter.switch.value() == Some(&switch.id)),
    }
}

fn management_adapters(input: &RoleInput<'_>, switches: &[RoleSwitch]) -> Vec<RoleManagementAdapter> {
    let mut adapters = Vec::new();
    for adapter in &input.inventory.management_adapters {
        let switch = adapter.switch.value().and_then(|id| switches.iter().find(|switch| switch.id == *id));
        let Some(switch) = switch else { continue };
        let about = |subject: &Subject| matches!(subject, Subject::Adapter { id, .. } if *id == adapter.id);
        let vlan = decisions(input.findings, about).find_map(|(_, decision)| vlan_of(decision));
        adapters.push(RoleManagementAdapter {
            name: adapter.connection.clone(),
            switch: switch.id.clone(),
            switch_name: switch.name.clone(),
            mac: adapter.mac.written().copied().filter(|mac| *mac != MacAddress::UNASSIGNED),
            vlan: vlan.or_else(|| adapter.vlan.value().cloned()),
            ip: adapter.ip.clone(),
            bindings: adapter.bindings.clone(),
        });
    }
    adapters
}

fn vlan_of(decision: Decision) -> Option<Vlan> {
    match decision {
        Decision::Vlan(vlan) => Some(vlan),
        _ => None,
    }
}

fn settings(input: &RoleInput<'_>, switches: &[RoleSwitch], placing: &mut Placing<'_>) -> RoleSettings {
    let settings = &input.inventory.host.settings;
    let store = settings.authorization.file.as_ref();
    let store =
        store.and_then(|path| copied_file(input.source, path, || placing.fixed("settings", "InitialStore", "xml")));
    let set = |value: &Found<u32>| value.written().copied().filter(|value| *value != 0);
    RoleSettings {
        mac_range: settings.mac_range.written().copied().flatten(),
        virtual_hard_disk_path: settings.virtual_hard_disk_path.written().cloned(),
        virtual_machine_path: settings.virtual_machine_path.written().cloned(),
        numa_spanning: settings.numa_spanning.written().copied(),
        authorization_store: store,
        role_assignments: settings.authorization.assignments.clone(),
        vmq_ten_gigabit: set(&settings.vmq_ten_gigabit),
        vmq_below_ten_gigabit: set(&settings.vmq_below_ten_gigabit),
        vmq_keywords: vmq_keywords(input.inventory, switches),
    }
}

/// Queue keywords follow an adapter only where the operator said which adapter of the destination takes its place.
fn vmq_keywords(inventory: &Inventory, switches: &[RoleSwitch]) -> BTreeMap<String, BTreeMap<String, String>> {
    let uplink = |id: &SwitchId| inventory.switch(id).and_then(|switch| switch.uplink.value());
    let mut keywords = BTreeMap::new();
    for switch in switches {
        let Some((name, id)) = switch.adapter.as_ref().zip(uplink(&switch.id)) else { continue };
        let adapter = inventory.adapters.iter().find(|adapter| adapter.id == *id);
        if let Some(adapter) = adapter.filter(|adapter| !adapter.queue_keywords.is_empty()) {
            keywords.insert(name.clone(), adapter.queue_keywords.clone());
        }
    }
    keywords
}

/// What becomes of the checkpoints of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checkpoints {
    Tree,
    Disks,
    Machines,
    LeftOut,
}

/// A machine, and its checkpoints where they become machines too.
fn role_machines(
    input: &RoleInput<'_>,
    machine: &Machine,
    switches: &[RoleSwitch],
    placing: &mut Placing<'_>,
    taken: &mut BTreeSet<String>,
) -> Result<Vec<RoleMachine>, EngineError> {
    let mut role = bare_machine(input, machine);
    let tree = input.capabilities.keeps_checkpoints && machine.tree_obstacle().is_none();
    let mut checkpoints = if tree { Checkpoints::Tree } else { Checkpoints::Disks };
    let mut wants_new = false;
    for (finding, decision) in decisions(input.findings, |subject| subject.machine() == Some(&machine.id)) {
        match decision {
            Decision::MakeAnew => wants_new = true,
            Decision::Rename(name) => role.name = name,
            Decision::CurrentOnly => checkpoints = Checkpoints::LeftOut,
            Decision::CheckpointMachines => checkpoints = Checkpoints::Machines,
            Decision::CheckpointDisks => checkpoints = Checkpoints::Disks,
            decision => apply(&mut role.configuration, &finding.subject, decision),
        }
    }
    role.folder = placing.machine_folder(&role.name);
    connect(&mut role.configuration, switches);
    let mut images = Images::default();
    match checkpoints {
        Checkpoints::Tree => place_tree(input, (machine, switches), (&mut role, &mut images), placing)?,
        _ => place_disks(input, machine, &mut role, placing, None)?,
    }
    physical_disks(input, &mut role, placing)?;
    for checkpoint in machine.checkpoints.iter().filter(|_| checkpoints == Checkpoints::Disks) {
        place_disks(input, machine, &mut role, placing, Some(checkpoint))?;
    }
    role.images = images.place(input.source, &role.folder, &mut role.configuration, placing);
    role.pass_through = pass_through(&role);
    role.original_configuration = copied_file(input.source, &machine.configuration_file, || {
        placing.fixed("source-configuration", machine.id.as_str(), &ending(&machine.configuration_file))
    });
    role.put_back = put_back::way(input, machine, (role.original_configuration.as_ref(), wants_new), placing);
    if role.registration().is_some() {
        (role.secure_boot_template, role.nested_virtualization) = (None, false);
        role.owner = machine.notes_and_owner().1.map(str::to_owned);
    }
    taken.insert(folded(&role.name));
    let named = role.name.clone();
    let mut all = vec![role];
    for checkpoint in machine.checkpoints.iter().filter(|_| checkpoints == Checkpoints::Machines) {
        let name = free_name((&named, &checkpoint.name), taken);
        all.extend(checkpoint_machine(input, (machine, checkpoint), name, placing)?);
    }
    Ok(all)
}

/// What kind of configuration it is: `xml`, `vmcx`, `exp`.
fn ending(path: &WindowsPath) -> String {
    let named = path.file_name().rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    named.filter(|ending| ["vmcx", "exp"].contains(&ending.as_str())).unwrap_or_else(|| "xml".to_owned())
}

fn bare_machine(input: &RoleInput<'_>, machine: &Machine) -> RoleMachine {
    let (notes, told) = machine.notes_and_owner();
    let owner = machine.foreign_owner().filter(|owner| !is_left(input, &owner_subject(owner)));
    RoleMachine {
        id: machine.id.clone(),
        checkpoint_of: None,
        name: machine.name.clone(),
        notes: notes.to_owned(),
        generation: machine.generation,
        configuration: machine.configuration.clone(),
        secure_boot_template: machine.secure_boot_template(),
        nested_virtualization: machine.nested_virtualization(),
        owner: owner.or(told).map(str::to_owned),
        folder: String::new(),
        disks: Vec::new(),
        images: Vec::new(),
        original_configuration: None,
        put_back: None,
        pass_through: Vec::new(),
        physical: Vec::new(),
        checkpoints: Vec::new(),
        current_checkpoint: None,
    }
}

/// Pass-through disks for which the operator said what becomes of them.
fn physical_disks(input: &RoleInput<'_>, role: &mut RoleMachine, placing: &mut Placing<'_>) -> Result<(), EngineError> {
    let mut drives = std::mem::take(&mut role.configuration.drives);
    for drive in &mut drives {
        let Media::PassThrough { identity, .. } = &drive.media else { continue };
        // As the rule names it.
        let name = if identity.is_empty() { drive.slot_name() } else { identity.clone() };
        let name = WindowsPath::new(&name);
        let about = |subject: &Subject| matches!(subject, Subject::Disk { machine, path, .. } if *machine == role.id && *path == name);
        let decision = decisions(input.findings, about).map(|(_, decision)| decision).last();
        match decision {
            Some(Decision::PhysicalDisk(disk)) => {
                let (controller, number, slot) = (drive.controller, drive.number, drive.slot);
                role.physical.push(PhysicalDisk { controller, number, slot, disk });
            }
            Some(Decision::Image(path)) => {
                let path = std::path::absolute(&path).map_err(EngineError::io("made absolute", Path::new(&path)))?;
                let disk = open_disk_file(&path, &ChainOptions::default())?;
                let format = match input.capabilities.kind {
                    DestinationKind::Libvirt => input.capabilities.disk_format,
                    DestinationKind::HyperV { .. } => DiskFormat::Vhdx,
                };
                let stem = format!("physical disk {}", drive.slot_name());
                let target = placing.disk(&role.folder, &stem, format.extension());
                let local = Some(path.display().to_string());
                role.disks.push(PlacedDisk { target, local, ..placed_disk(format, &disk, drive, &name, None) });
                drive.media = Media::VirtualDisk { path: name };
            }
            _ => {}
        }
    }
    role.configuration.drives = drives;
    Ok(())
}

/// The disk that is copied.
pub(crate) fn open_placed(source: &dyn Source, disk: &PlacedDisk) -> Result<SharedDisk, SourceError> {
    match &disk.local {
        Some(path) => open_disk_file(Path::new(path), &ChainOptions::default()),
        None => source.open_disk(&disk.source),
    }
}

/// A checkpoint as a machine of its own. The guest in it has the names and addresses of the machine that it is a checkpoint of,
/// so it is connected to nothing, starts with no host, and its network cards get addresses of the new host.
fn checkpoint_machine(
    input: &RoleInput<'_>,
    (machine, checkpoint): (&Machine, &Checkpoint),
    name: String,
    placing: &mut Placing<'_>,
) -> Result<Option<RoleMachine>, EngineError> {
    // The id of a checkpoint is a GUID as well.
    let Ok(id) = checkpoint.id.as_str().parse() else { return Ok(None) };
    let mut role = RoleMachine {
        id,
        checkpoint_of: Some(machine.id.clone()),
        name,
        configuration: checkpoint.configuration.clone(),
        ..bare_machine(input, machine)
    };
    for (finding, decision) in decisions(input.findings, |subject| subject.machine() == Some(&machine.id)) {
        apply(&mut role.configuration, &finding.subject, decision);
    }
    let configuration = &mut role.configuration;
    configuration.actions.start = StartAction::Nothing;
    configuration.com_ports = [None, None];
    // libvirt knows machines by it.
    if input.capabilities.kind == DestinationKind::Libvirt {
        configuration.firmware.bios_guid = None;
    }
    configuration.drives.retain(|drive| !matches!(drive.media, Media::PassThrough { .. }));
    for adapter in &mut configuration.adapters {
        adapter.connection = Connection::None;
        adapter.mac = MacAddress::UNASSIGNED;
        adapter.mac_is_static = false;
    }
    role.folder = placing.machine_folder(&role.name);
    place_disks(input, machine, &mut role, placing, None)?;
    role.images = Images::default().place(input.source, &role.folder, &mut role.configuration, placing);
    if let DestinationKind::HyperV { .. } = input.capabilities.kind {
        role.put_back = Some(PutBack::Anew { reason: "It is a checkpoint of another machine.".to_owned() });
    }
    Ok(Some(role))
}

/// Most characters of the name of a machine (`New-VM -Name`).
const LONGEST_NAME: usize = 100;

/// A name `MACHINE - CHECKPOINT` that no other machine has.
fn free_name((machine, checkpoint): (&str, &str), taken: &mut BTreeSet<String>) -> String {
    let mut number = 1;
    loop {
        let name = joined(machine, checkpoint, number);
        if taken.insert(folded(&name)) {
            return name;
        }
        number += 1;
    }
}

/// Both names, cut where they are too long for one, and a number behind them from 2 on.
fn joined(machine: &str, checkpoint: &str, number: u32) -> String {
    let end = if number == 1 { String::new() } else { format!(" ({number})") };
    let checkpoint: String = checkpoint.chars().take(LONGEST_NAME / 2).collect();
    let room = LONGEST_NAME.saturating_sub(checkpoint.chars().count() + end.len() + 3);
    let machine: String = machine.chars().take(room).collect();
    format!("{} - {}{end}", machine.trim_end(), checkpoint.trim())
}

fn apply(configuration: &mut MachineConfiguration, subject: &Subject, decision: Decision) {
    match decision {
        Decision::ReduceProcessors(count) => {
            configuration.processors.count = configuration.processors.count.min(count);
        }
        Decision::ReduceMemory(size) => {
            let most = size.0 / ByteSize::MIB;
            let memory = &mut configuration.memory;
            memory.startup_mib = memory.startup_mib.min(most);
            memory.minimum_mib = memory.minimum_mib.min(most);
            memory.maximum_mib = memory.maximum_mib.min(most);
        }
        Decision::Vlan(vlan) => {
            let Subject::MachineAdapter { adapter: name, .. } = subject else { return };
            let fits = |name: &str, mac: &MacAddress, wanted: &str| format!("{name} {mac}") == wanted;
            for adapter in configuration.adapters.iter_mut().filter(|one| fits(&one.name, &one.mac, name)) {
                let place = adapter.place.clone();
                adapter.vlan =
                    Found::Inferred { value: vlan.clone(), reason: "The operator's answer.".to_owned(), place };
            }
        }
        _ => {}
    }
}

/// Writes the names of the virtual networks into the connections, which may hold only ids; a network that is not there
/// leaves the adapter unconnected.
fn connect(configuration: &mut MachineConfiguration, switches: &[RoleSwitch]) {
    for adapter in &mut configuration.adapters {
        let Connection::Switch { switch, name, .. } = &mut adapter.connection else { continue };
        let bare = switch.trim().trim_start_matches('{').trim_end_matches('}');
        match switches.iter().find(|known| known.id.as_str().eq_ignore_ascii_case(bare)) {
            Some(known) => *name = Some(known.name.clone()),
            None => adapter.connection = Connection::None,
        }
    }
}

fn place_disks(
    input: &RoleInput<'_>,
    machine: &Machine,
    role: &mut RoleMachine,
    placing: &mut Placing<'_>,
    checkpoint: Option<&Checkpoint>,
) -> Result<(), EngineError> {
    let drives = checkpoint.map_or(&role.configuration, |checkpoint| &checkpoint.configuration).drives.clone();
    for drive in drives {
        let Media::VirtualDisk { path } = &drive.media else { continue };
        let disk = match input.source.open_disk(path) {
            Ok(disk) => disk,
            Err(_) if goes_without_a_disk(input.findings, &machine.id) => {
                if checkpoint.is_none() {
                    role.configuration.drives.retain(|other| other.slot_name() != drive.slot_name());
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let format = format(input.capabilities, machine.generation, &disk);
        let placed = placed_disk(format, &disk, &drive, path, checkpoint);
        let stem = root_stem(input.inventory, path);
        let extension = placed.format.extension();
        let target = match checkpoint {
            None => placing.disk(&role.folder, &stem, extension),
            Some(checkpoint) => placing.checkpoint_disk(&role.folder, &checkpoint.name, &stem, extension),
        };
        role.disks.push(PlacedDisk { target, ..placed });
    }
    Ok(())
}

/// The present state and all checkpoints with their layers as they are: each file is copied once, and the parent of a disk is the
/// copy of the nearest file below it that another state ends with. Parents lie beside their children.
fn place_tree(
    input: &RoleInput<'_>,
    (machine, switches): (&Machine, &[RoleSwitch]),
    (role, images): (&mut RoleMachine, &mut Images),
    placing: &mut Placing<'_>,
) -> Result<(), EngineError> {
    for checkpoint in &machine.checkpoints {
        let mut configuration = checkpoint.configuration.clone();
        for (finding, decision) in decisions(input.findings, |subject| subject.machine() == Some(&machine.id)) {
            apply(&mut configuration, &finding.subject, decision);
        }
        connect(&mut configuration, switches);
        place_layers(input, (machine, Some(checkpoint)), (&mut configuration, role), placing)?;
        let placed = images.place(input.source, &role.folder, &mut configuration, placing);
        role.checkpoints.push(RoleCheckpoint {
            id: checkpoint.id.clone(),
            name: checkpoint.name.clone(),
            created: checkpoint.created.clone(),
            parent: checkpoint.parent.value().cloned().flatten(),
            configuration,
            images: placed,
        });
    }
    let mut configuration = role.configuration.clone();
    place_layers(input, (machine, None), (&mut configuration, role), placing)?;
    role.configuration = configuration;
    role.current_checkpoint = machine.current_checkpoint.value().cloned();
    Ok(())
}

fn place_layers(
    input: &RoleInput<'_>,
    (machine, checkpoint): (&Machine, Option<&Checkpoint>),
    (configuration, role): (&mut MachineConfiguration, &mut RoleMachine),
    placing: &mut Placing<'_>,
) -> Result<(), EngineError> {
    for drive in configuration.drives.clone() {
        let Media::VirtualDisk { path } = &drive.media else { continue };
        let disk = match input.source.open_disk(path) {
            Ok(disk) => disk,
            Err(_) if goes_without_a_disk(input.findings, &machine.id) => {
                configuration.drives.retain(|other| other.slot_name() != drive.slot_name());
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let chain = input.inventory.chain(path);
        let below = chain.iter().enumerate().skip(1).find_map(|(above, file)| {
            let placed = role.disks.iter().find(|placed| placed.source == file.path)?;
            Some((above, placed.clone()))
        });
        let own = format(input.capabilities, machine.generation, &disk);
        let mut placed = placed_disk(own, &disk, &drive, path, checkpoint);
        if let Some((above, below)) = &below {
            let stored = disk.layers().iter().take(*above).fold(0u64, |sum, layer| sum.saturating_add(layer.allocated));
            placed.stored = ByteSize(stored.min(disk.size()));
            placed.format = match below.format {
                DiskFormat::Vhd | DiskFormat::VhdFixed => DiskFormat::Vhd,
                _ => DiskFormat::Vhdx,
            };
            placed.parent = Some(PlacedParent { source: below.source.clone(), target: below.target.clone() });
        }
        placed.target = match &placed.parent {
            None => placing.disk(&role.folder, &root_stem(input.inventory, path), placed.format.extension()),
            Some(_) => placing.disk(&role.folder, path.file_stem(), &format!("a{}", placed.format.extension())),
        };
        role.disks.push(placed);
    }
    Ok(())
}

fn placed_disk(
    format: DiskFormat,
    disk: &SharedDisk,
    drive: &Drive,
    path: &WindowsPath,
    checkpoint: Option<&Checkpoint>,
) -> PlacedDisk {
    let stored: u64 = disk.layers().iter().fold(0, |sum, layer| sum.saturating_add(layer.allocated));
    PlacedDisk {
        controller: drive.controller,
        number: drive.number,
        slot: drive.slot,
        source: path.clone(),
        local: None,
        target: String::new(),
        format,
        size: ByteSize(disk.size()),
        stored: ByteSize(stored.min(disk.size())),
        parent: None,
        checkpoint: checkpoint.map(|checkpoint| checkpoint.id.clone()),
        checkpoint_name: checkpoint.map(|checkpoint| checkpoint.name.clone()),
    }
}

/// What a VHD can hold at most: 2040 GiB (Virtual Hard Disk Image Format Specification; Hyper-V's own limit).
const LARGEST_VHD: u64 = 2040 << 30;

/// On Hyper-V a disk stays VHD or VHDX, fixed or not, as it is; it becomes VHDX where a VHD cannot hold it, and for
/// machines of generation 2, which start from nothing else. Elsewhere the destination says what it wants.
fn format(capabilities: &Capabilities, generation: u8, disk: &SharedDisk) -> DiskFormat {
    if capabilities.kind == DestinationKind::Libvirt {
        return capabilities.disk_format;
    }
    let layers = disk.layers();
    let is_vhdx = |layer: &Layer| {
        matches!(layer.format, LayerFormat::VhdxFixed | LayerFormat::VhdxDynamic | LayerFormat::VhdxDifferencing)
    };
    let is_fixed = |layer: &Layer| matches!(layer.format, LayerFormat::VhdFixed | LayerFormat::VhdxFixed);
    let vhdx = generation == 2 || disk.size() > LARGEST_VHD || layers.iter().any(is_vhdx);
    match (vhdx, layers.len() == 1 && layers.iter().all(is_fixed)) {
        (false, false) => DiskFormat::Vhd,
        (false, true) => DiskFormat::VhdFixed,
        (true, false) => DiskFormat::Vhdx,
        (true, true) => DiskFormat::VhdxFixed,
    }
}

/// The name that people know a disk by is that of the file at the end of its chain, not of the checkpoint's `.avhd`.
fn root_stem(inventory: &Inventory, leaf: &WindowsPath) -> String {
    let chain = inventory.chain(leaf);
    chain.last().map_or_else(|| leaf.file_stem().to_owned(), |root| root.path.file_stem().to_owned())
}

/// Rules for disks that cannot be read, which can be accepted.
const NOT_READ: [&str; 2] = ["source.problem", "machine.vhd-set"];

/// The operator accepted that a disk of this machine cannot be read.
pub(crate) fn goes_without_a_disk(findings: &[Finding], machine: &VmId) -> bool {
    let about = |subject: &Subject| matches!(subject, Subject::Disk { machine: id, .. } if id == machine);
    decisions(findings, about)
        .any(|(finding, decision)| NOT_READ.contains(&finding.rule.as_str()) && decision == Decision::Accept)
}

/// Slots of the pass-through disks that nobody said anything about.
fn pass_through(role: &RoleMachine) -> Vec<String> {
    let attached = |drive: &Drive| {
        let place = (drive.controller, drive.number, drive.slot);
        role.physical.iter().any(|physical| (physical.controller, physical.number, physical.slot) == place)
    };
    let drives = role.configuration.drives.iter();
    let left = drives.filter(|drive| matches!(drive.media, Media::PassThrough { .. }) && !attached(drive));
    left.map(Drive::slot_name).collect()
}

/// A file that is copied as it is; `None` when the source does not have it, which the inventory reports.
pub(crate) fn copied_file(
    source: &dyn Source,
    path: &WindowsPath,
    target: impl FnOnce() -> String,
) -> Option<PlacedFile> {
    let file = source.open_file(path).ok()?;
    Some(PlacedFile { source: path.clone(), target: target(), size: ByteSize(file.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_get_names_that_are_free_and_fit() {
        let mut taken = BTreeSet::from([folded("web - before")]);
        assert_eq!(free_name(("Web", "Before"), &mut taken), "Web - Before (2)");
        assert_eq!(free_name(("Web", "Before"), &mut taken), "Web - Before (3)");
        let long = "ä".repeat(200);
        for _ in 0..3 {
            assert!(free_name((&long, &long), &mut taken).chars().count() <= LONGEST_NAME);
        }
    }
}
