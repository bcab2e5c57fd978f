//! The step that defines a machine around its disks.
//!
//! The machine is made under the safe name of its folder, so that Hyper-V's own folders lie in it whatever the operators
//! called the machine, and it is found again by that folder: names need not be unique. It gets its name afterwards.

use hvm_model::names::{ByteSize, CheckpointId, TemplateId};
use hvm_model::network::PortSettings;
use hvm_model::owner;
use hvm_model::role::{PlacedDisk, Role, RoleCheckpoint, RoleMachine};
use hvm_model::vm::{
    AdapterKind, BootDevice, Connection, Controller, IntegrationService, Media, StartAction, StopAction, VmAdapter,
};

use crate::error::DestinationError;
use crate::hyperv::adapters::with_vlan;
use crate::hyperv::cmdlet::{Arg, Call, StepScript};
use crate::hyperv::registered;
use crate::hyperv::release::Release;

/// The calls for one machine.
pub(crate) fn script(release: &Release, role: &Role, machine: &RoleMachine) -> Result<StepScript, DestinationError> {
    check(release, machine)?;
    if let Some(files) = machine.registration() {
        return Ok(registered::script(release, role, machine, files));
    }
    let folder = machine.folder.as_str();
    let (mut perform, last) = match (&machine.current_checkpoint, machine.checkpoints.last()) {
        (Some(current), Some(last)) => (vec![opened(release, machine, current)], Some(last)),
        _ => (vec![Call::new("Remove-KitHalfMachine").text("Folder", folder), made(release, machine)], None),
    };
    configure(release, role, machine, &mut perform);
    tpm(release, machine, &mut perform);
    clear_ports(
        release,
        machine.ports_to_clear(&machine.configuration, machine.current_checkpoint.as_ref()),
        &mut perform,
    );
    let Some(last) = last else {
        return Ok(StepScript {
            test: vec![Call::new("Test-KitMachine").text("Folder", folder)],
            perform,
            undo: vec![Call::new("Remove-KitMachine").text("Folder", folder)],
            ..StepScript::default()
        });
    };
    let id = machine.id.as_str();
    perform.push(Call::new("Save-KitPresent").variable("Machine", "machine").text("Id", id));
    let undo = Call::new("Remove-KitPresent").text("Folder", folder).text("Id", id).text("Before", last.id.as_str());
    Ok(StepScript {
        test: vec![Call::new("Test-KitPresent").text("Folder", folder).text("Id", id)],
        perform,
        undo: vec![undo],
        ..StepScript::default()
    })
}

/// The calls for one checkpoint of a machine, whose parents are there already. The first one makes the machine.
pub(crate) fn checkpoint_script(
    release: &Release,
    role: &Role,
    (machine, checkpoint): (&RoleMachine, &RoleCheckpoint),
) -> Result<StepScript, DestinationError> {
    check(release, machine)?;
    let folder = machine.folder.as_str();
    let (id, name) = (checkpoint.id.as_str(), checkpoint.name.as_str());
    let state = machine.as_of(checkpoint);
    let of = |cmdlet: &str| Call::new(cmdlet).text("Folder", folder).text("Id", id);
    let before = machine.checkpoints.iter().take_while(|other| other.id != checkpoint.id).last();
    let (mut perform, undo) = match (&checkpoint.parent, before) {
        (Some(parent), Some(before)) => {
            (vec![opened(release, machine, parent)], of("Remove-KitCheckpoint").text("Before", before.id.as_str()))
        }
        _ => {
            let half = Call::new("Remove-KitHalfMachine").text("Folder", folder);
            (vec![half, made(release, &state)], Call::new("Remove-KitMachine").text("Folder", folder))
        }
    };
    configure(release, role, &state, &mut perform);
    tpm(release, &state, &mut perform);
    clear_ports(release, machine.ports_to_clear(&checkpoint.configuration, checkpoint.parent.as_ref()), &mut perform);
    let save = Call::new("Save-KitCheckpoint").variable("Machine", "machine").text("Folder", folder);
    perform.push(save.text("Id", id).text("Name", name));
    Ok(StepScript {
        test: vec![of("Test-KitCheckpoint")],
        unless: Some(of("Complete-KitCheckpoint").text("Name", name)),
        perform,
        undo: vec![undo],
    })
}

/// What a machine consists of.
fn configure(release: &Release, role: &Role, machine: &RoleMachine, calls: &mut Vec<Call>) {
    frame(machine, calls);
    memory_and_processors(release, machine, calls);
    firmware(release, machine, calls);
    drives(machine, calls);
    if machine.generation == 2 {
        boot_disk(machine, calls);
    }
    for adapter in &machine.configuration.adapters {
        network_adapter(role, adapter, calls);
    }
    services(release, machine, calls);
    ports(machine, calls);
}

fn check(release: &Release, machine: &RoleMachine) -> Result<(), DestinationError> {
    if machine.generation == 1 || (machine.generation == 2 && release.has_generation_2()) {
        return Ok(());
    }
    Err(DestinationError::Impossible {
        what: format!("The virtual machine '{}'", machine.name),
        destination: release.windows.to_string(),
        reason: format!("it is of generation {}, which that release does not know", machine.generation),
    })
}

pub(super) fn on_machine(cmdlet: &str) -> Call {
    Call::new(cmdlet).variable("VM", "machine")
}

/// A new machine.
fn made(release: &Release, machine: &RoleMachine) -> Call {
    let startup = ByteSize::from_mib(machine.configuration.memory.startup_mib).0;
    let new = Call::new("New-VM").text("Name", &machine.folder).number("MemoryStartupBytes", startup);
    // On 2012 there is no parameter for the one generation that it has.
    let new = if release.has_generation_2() { new.number("Generation", machine.generation) } else { new };
    new.switch("NoVHD").variable("Path", "KitMachines").into_variable("machine")
}

/// The machine that is there already, bare, as one that derives from a checkpoint.
fn opened(release: &Release, machine: &RoleMachine, parent: &CheckpointId) -> Call {
    let open = Call::new("Open-KitMachine").text("Folder", &machine.folder).number("Generation", machine.generation);
    let mut open = open.text("Parent", parent.as_str());
    if let Some(template) = template(release, machine) {
        open = open.text("SecureBootTemplateId", template.as_str());
    }
    open.into_variable("machine")
}

fn frame(machine: &RoleMachine, calls: &mut Vec<Call>) {
    let configuration = &machine.configuration;
    let disks = machine.disks_of(None).map(|disk| (disk.controller, disk.number));
    let disks = disks.chain(machine.physical.iter().map(|physical| (physical.controller, physical.number)));
    let scsi = disks.filter(|(controller, _)| *controller == Controller::Scsi).map(|(_, number)| number + 1);
    let controllers = scsi.max().unwrap_or(0).max(configuration.scsi_controllers);
    let bare = Call::new("Initialize-KitMachine").variable("Machine", "machine");
    calls.push(bare.text("SourceId", machine.id.as_str()).number("ScsiControllers", controllers));
    named(machine, calls);
}

/// Its name, its notes with whose it is, and what it does when the host starts and stops.
pub(super) fn named(machine: &RoleMachine, calls: &mut Vec<Call>) {
    let actions = &machine.configuration.actions;
    let notes = owner::join(&machine.notes, machine.owner.as_deref(), owner::WINDOWS_NEWLINE);
    let mut set = on_machine("Set-VM").text("NewVMName", &machine.name).text("Notes", &notes);
    set = set.word("AutomaticStartAction", start_word(actions.start));
    if let Some(delay) = actions.start_delay_seconds {
        set = set.number("AutomaticStartDelay", delay);
    }
    calls.push(set.word("AutomaticStopAction", stop_word(actions.stop)));
}

/// Hyper-V's word for what a machine does when the host starts.
pub(crate) fn start_word(action: StartAction) -> &'static str {
    match action {
        StartAction::Nothing => "Nothing",
        StartAction::StartIfRunning => "StartIfRunning",
        StartAction::Start => "Start",
    }
}

fn stop_word(action: StopAction) -> &'static str {
    match action {
        StopAction::TurnOff => "TurnOff",
        StopAction::Save => "Save",
        StopAction::ShutDown => "ShutDown",
    }
}

pub(super) fn memory_and_processors(release: &Release, machine: &RoleMachine, calls: &mut Vec<Call>) {
    let memory = &machine.configuration.memory;
    let bytes = |mib: u64| ByteSize::from_mib(mib).0;
    let mut set = on_machine("Set-VMMemory").boolean("DynamicMemoryEnabled", memory.dynamic);
    if memory.dynamic {
        set = set.number("MinimumBytes", bytes(memory.minimum_mib));
    }
    set = set.number("StartupBytes", bytes(memory.startup_mib));
    if memory.dynamic {
        set = set.number("MaximumBytes", bytes(memory.maximum_mib)).number("Buffer", memory.buffer_percent);
    }
    let numa = &machine.configuration.numa;
    if let Some(mib) = numa.mib_per_node {
        // Memory is given in steps of 2 MiB.
        set = set.number("MaximumAmountPerNumaNodeBytes", bytes(mib / 2 * 2));
    }
    // The cmdlet counts the weight from 0 to 100, the configuration from 0 to 10000.
    calls.push(set.number("Priority", memory.weight / 100));
    let processors = &machine.configuration.processors;
    let set = on_machine("Set-VMProcessor").number("Count", processors.count);
    // Percent in the cmdlet, thousandths of a percent in the configuration.
    let set = set.number("Maximum", processors.limit / 1000).number("Reserve", processors.reserve / 1000);
    let mut set = set.number("RelativeWeight", processors.weight);
    let limits =
        [("MaximumCountPerNumaNode", numa.processors_per_node), ("MaximumCountPerNumaSocket", numa.nodes_per_socket)];
    for (parameter, limit) in limits {
        if let Some(limit) = limit {
            set = set.number(parameter, limit);
        }
    }
    let set = set.boolean("CompatibilityForMigrationEnabled", processors.compatibility_for_migration);
    let older = processors.compatibility_for_older_systems;
    let mut set = set.boolean("CompatibilityForOlderOperatingSystemsEnabled", older);
    if machine.nested_virtualization && release.has_nested_virtualization() {
        set = set.boolean("ExposeVirtualizationExtensions", true);
    }
    calls.push(set);
}

/// Hyper-V's word for a kind of device to boot from.
pub(crate) fn device_word(device: &BootDevice) -> Option<&'static str> {
    match device {
        BootDevice::Floppy => Some("Floppy"),
        BootDevice::Optical => Some("CD"),
        BootDevice::HardDrive => Some("IDE"),
        BootDevice::Network => Some("LegacyNetworkAdapter"),
        BootDevice::Other(_) => None,
    }
}

/// The order of all four devices: the known ones as they are, then the missing ones, since the cmdlet wants each once.
fn startup_order(order: &[BootDevice]) -> Vec<String> {
    let mut words: Vec<&str> = Vec::new();
    for word in order.iter().filter_map(device_word).chain(["CD", "IDE", "LegacyNetworkAdapter", "Floppy"]) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.into_iter().map(str::to_owned).collect()
}

pub(super) fn firmware(release: &Release, machine: &RoleMachine, calls: &mut Vec<Call>) {
    let firmware = &machine.configuration.firmware;
    if machine.generation == 1 && (!firmware.boot_order.is_empty() || firmware.num_lock.is_some()) {
        let mut set = on_machine("Set-VMBios");
        if !firmware.boot_order.is_empty() {
            set = set.with("StartupOrder", Arg::Words(startup_order(&firmware.boot_order)));
        }
        if let Some(on) = firmware.num_lock {
            set = set.switch(if on { "EnableNumLock" } else { "DisableNumLock" });
        }
        calls.push(set);
    }
    if machine.generation == 2 {
        secure_boot(release, machine, calls);
    }
    let texts = [
        ("BiosGuid", &firmware.bios_guid),
        ("BiosSerialNumber", &firmware.bios_serial_number),
        ("BaseBoardSerialNumber", &firmware.base_board_serial_number),
        ("ChassisSerialNumber", &firmware.chassis_serial_number),
        ("ChassisAssetTag", &firmware.chassis_asset_tag),
    ];
    let mut identity = Call::new("Set-KitFirmware").variable("Machine", "machine");
    for (parameter, text) in texts {
        if let Some(text) = text {
            identity = identity.text(parameter, text);
        }
    }
    if identity.parameters.len() > 1 {
        calls.push(identity);
    }
}

/// Secure Boot and its template, by the id: a name has only what Hyper-V brings along. A state that derives from another one has the
/// template of that; a machine whose virtual TPM is in use takes none any more, not even the same.
fn secure_boot(release: &Release, machine: &RoleMachine, calls: &mut Vec<Call>) {
    let is_opened = calls.iter().any(|call| call.name == "Open-KitMachine");
    let mut set = on_machine("Set-VMFirmware");
    if let Some(on) = machine.configuration.firmware.secure_boot {
        set = set.word("EnableSecureBoot", on_off(on));
    }
    if let Some(template) = template(release, machine).filter(|_| !is_opened) {
        set = set.text("SecureBootTemplateId", template.as_str());
    }
    if set.parameters.len() > 1 {
        calls.push(set);
    }
}

fn template<'m>(release: &Release, machine: &'m RoleMachine) -> Option<&'m TemplateId> {
    machine.secure_boot_template.as_ref().filter(|_| machine.generation == 2 && release.has_secure_boot_templates())
}

/// A virtual TPM, which is empty, and a key of this host that protects it. A state that derives from one with a TPM has it already;
/// a key that is made once more would not open it.
pub(super) fn tpm(release: &Release, machine: &RoleMachine, calls: &mut Vec<Call>) {
    let wanted = machine.configuration.firmware.tpm.filter(|_| machine.generation == 2 && release.has_virtual_tpm());
    let is_new = calls.iter().any(|call| call.name == "New-VM");
    match wanted {
        Some(true) if is_new => {
            calls.push(on_machine("Set-VMKeyProtector").switch("NewLocalKeyProtector"));
            calls.push(on_machine("Enable-VMTPM"));
        }
        Some(true) => calls.push(on_machine("Enable-VMTPM")),
        Some(false) => calls.push(on_machine("Disable-VMTPM")),
        None => {}
    }
}

/// The firmware of generation 2 starts what it was told; a new machine was told of the network only.
fn boot_disk(machine: &RoleMachine, calls: &mut Vec<Call>) {
    let Some(first) = machine.disks_of(None).min_by_key(|disk| (disk.number, disk.slot)) else { return };
    calls.push(at(on_machine("Get-VMHardDiskDrive"), first.number, first.slot).into_variable("disk"));
    calls.push(on_machine("Set-VMFirmware").variable("FirstBootDevice", "disk"));
}

pub(super) fn at(call: Call, number: u8, slot: u8) -> Call {
    call.number("ControllerNumber", number).number("ControllerLocation", slot)
}

fn drives(machine: &RoleMachine, calls: &mut Vec<Call>) {
    calls.extend(machine.disks_of(None).map(new_disk));
    physical_disks(machine, calls);
    for image in &machine.images {
        let path = Arg::KitPath(image.file.target.clone());
        calls.push(match image.controller {
            Controller::Floppy => on_machine("Set-VMFloppyDiskDrive").with("Path", path),
            _ => at(on_machine("Add-VMDvdDrive"), image.number, image.slot).with("Path", path),
        });
    }
    for drive in &machine.configuration.drives {
        let placed = machine
            .images
            .iter()
            .any(|image| (image.controller, image.number, image.slot) == (drive.controller, drive.number, drive.slot));
        match &drive.media {
            Media::EmptyDvd => calls.push(at(on_machine("Add-VMDvdDrive"), drive.number, drive.slot)),
            Media::PhysicalDvd { path } => calls.push(empty_drive(drive.number, drive.slot, path)),
            Media::Iso { path } if !placed => calls.push(empty_drive(drive.number, drive.slot, path.as_str())),
            _ => {}
        }
    }
}

/// Hyper-V's word for a controller of hard disks.
pub(super) fn controller_word(controller: Controller) -> &'static str {
    if controller == Controller::Scsi { "SCSI" } else { "IDE" }
}

/// A new drive with a disk of the kit.
pub(super) fn new_disk(disk: &PlacedDisk) -> Call {
    let add = on_machine("Add-VMHardDiskDrive").word("ControllerType", controller_word(disk.controller));
    at(add, disk.number, disk.slot).with("Path", Arg::KitPath(disk.target.clone()))
}

pub(super) fn physical_disks(machine: &RoleMachine, calls: &mut Vec<Call>) {
    for physical in &machine.physical {
        let kind = controller_word(physical.controller);
        let add = Call::new("Add-KitPhysicalDisk").variable("Machine", "machine").text("ControllerType", kind);
        let add = at(add, physical.number, physical.slot).text("By", physical.disk.by.word());
        calls.push(add.text("Value", &physical.disk.value));
    }
}

/// A DVD drive whose disc stays behind: the drive is there, and a line says what was in it.
fn empty_drive(number: u8, slot: u8, was: &str) -> Call {
    at(Call::new("Add-KitEmptyDvd").variable("Machine", "machine"), number, slot).text("Was", was)
}

/// The id of the switch of the role that a connection means.
pub(crate) fn switch_id(role: &Role, switch: &str, name: Option<&str>) -> Option<String> {
    let by_id = role
        .switches
        .iter()
        .find(|found| found.id.as_str().eq_ignore_ascii_case(switch.trim_start_matches('{').trim_end_matches('}')));
    let by_name = || role.switches.iter().find(|found| Some(found.name.as_str()) == name);
    by_id.or_else(by_name).map(|found| found.id.to_string())
}

fn network_adapter(role: &Role, adapter: &VmAdapter, calls: &mut Vec<Call>) {
    let add = on_machine("Add-VMNetworkAdapter").text("Name", &adapter.name);
    let add = add.boolean("IsLegacy", adapter.kind == AdapterKind::Legacy);
    let add = if adapter.mac_is_static {
        add.text("StaticMacAddress", &adapter.mac.plain())
    } else {
        add.switch("DynamicMacAddress")
    };
    calls.push(add.switch("Passthru").into_variable("adapter"));
    connected(role, adapter, calls);
    ported(adapter, on_adapter("Set-VMNetworkAdapter"), calls);
}

/// A call for the adapter at hand.
pub(super) fn on_adapter(cmdlet: &str) -> Call {
    Call::new(cmdlet).variable("VMNetworkAdapter", "adapter")
}

/// Connects the adapter at hand to its network.
pub(super) fn connected(role: &Role, adapter: &VmAdapter, calls: &mut Vec<Call>) {
    if let Connection::Switch { switch, name, .. } = &adapter.connection {
        let id = switch_id(role, switch, name.as_deref()).unwrap_or_default();
        let connect = Call::new("Connect-KitAdapter").variable("Adapter", "adapter").text("SwitchId", &id);
        calls.push(match name {
            Some(name) => connect.text("SwitchName", name),
            None => connect,
        });
    }
}

/// The VLAN of the adapter at hand and what else its port has, which `set` takes.
pub(super) fn ported(adapter: &VmAdapter, mut set: Call, calls: &mut Vec<Call>) {
    if let Some(vlan) = adapter.vlan.value() {
        calls.extend(with_vlan(on_adapter("Set-VMNetworkAdapterVlan"), vlan));
    }
    if let Some(spoofing) = adapter.mac_spoofing.value() {
        set = set.word("MacAddressSpoofing", on_off(*spoofing));
    }
    if let Some(port) = adapter.settable_port() {
        set = port_settings(set, &port);
    }
    if set.parameters.len() > 1 {
        calls.push(set);
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "On" } else { "Off" }
}

/// What else the port of an adapter has.
fn port_settings(mut set: Call, port: &PortSettings) -> Call {
    for (parameter, value) in port_flags(port) {
        if let Some(on) = value {
            set = set.word(parameter, on_off(on));
        }
    }
    for (parameter, value) in port_numbers(port) {
        if let Some(number) = value {
            set = set.number(parameter, number);
        }
    }
    set
}

fn port_flags(port: &PortSettings) -> [(&'static str, Option<bool>); 4] {
    [
        ("DhcpGuard", port.dhcp_guard),
        ("RouterGuard", port.router_guard),
        ("AllowTeaming", port.teaming),
        ("IeeePriorityTag", port.priority_tag),
    ]
}

fn port_numbers(port: &PortSettings) -> [(&'static str, Option<u64>); 6] {
    [
        ("VmqWeight", port.vmq_weight.map(u64::from)),
        ("IovWeight", port.iov_weight.map(u64::from)),
        ("IPsecOffloadMaximumSecurityAssociation", port.ipsec_offload_limit.map(u64::from)),
        ("MinimumBandwidthAbsolute", port.minimum_bandwidth),
        ("MinimumBandwidthWeight", port.minimum_bandwidth_weight.map(u64::from)),
        ("MaximumBandwidth", port.maximum_bandwidth),
    ]
}

/// Class GUIDs of the integration services: their names are translated with Windows, these are not.
pub(crate) const SERVICES: [(IntegrationService, &str); 6] = [
    (IntegrationService::GuestServices, "6C09BB55-D683-4DA0-8931-C9BF705F6480"),
    (IntegrationService::Heartbeat, "84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47"),
    (IntegrationService::KeyValuePairExchange, "2A34B1C2-FD73-4043-8A5B-DD2159BC743F"),
    (IntegrationService::Shutdown, "9F8233AC-BE49-4C79-8EE3-E7E1985B2077"),
    (IntegrationService::TimeSynchronization, "2497F4DE-E9FA-4204-80E4-4B75C46419C0"),
    (IntegrationService::Vss, "5CED1297-4598-4915-A5FC-AD21BB4D02A4"),
];

/// Serial ports that have a pipe.
pub(super) fn ports(machine: &RoleMachine, calls: &mut Vec<Call>) {
    for (number, pipe) in (1u8..).zip(&machine.configuration.com_ports) {
        if let Some(pipe) = pipe {
            calls.push(on_machine("Set-VMComPort").number("Number", number).text("Path", pipe));
        }
    }
}

/// Serial ports whose pipe was there only before.
fn clear_ports(release: &Release, numbers: Vec<u8>, calls: &mut Vec<Call>) {
    let clear = |number| {
        let call = Call::new("Clear-KitComPort").variable("Machine", "machine").number("Number", number);
        call.text("Class", release.serial_port_class())
    };
    calls.extend(numbers.into_iter().map(clear));
}

pub(super) fn services(release: &Release, machine: &RoleMachine, calls: &mut Vec<Call>) {
    let configuration = &machine.configuration;
    let off = configuration.disabled_integration_services.iter().map(|service| (*service, "Off"));
    let on = configuration.guest_services.then_some((IntegrationService::GuestServices, "On"));
    let known = |service| service != IntegrationService::GuestServices || release.has_guest_services();
    for (service, state) in off.chain(on).filter(|(service, _)| known(*service)) {
        for (_, class) in SERVICES.iter().filter(|(known, _)| *known == service) {
            let call = Call::new("Set-KitService").variable("Machine", "machine").text("ClassId", class);
            calls.push(call.text("State", state));
        }
    }
}

/// What is left for a person on a machine, as sentences for the README.
pub(crate) fn remaining(release: &Release, machine: &RoleMachine) -> Vec<String> {
    let mut all = Vec::new();
    for slot in &machine.pass_through {
        all.push(format!(
            "'{}': the drive {slot} was a physical disk of the old host (pass-through). Connect the disk to this host, set it \
             offline, and add it with Add-VMHardDiskDrive -VMName ... -ControllerType ... -ControllerNumber ... \
             -ControllerLocation ... -DiskNumber ...",
            machine.name
        ));
    }
    for drive in &machine.configuration.drives {
        if let Media::PhysicalDvd { path } = &drive.media {
            all.push(format!(
                "'{}': the drive {} was the DVD drive '{path}' of the old host; the machine has an empty DVD drive there.",
                machine.name,
                drive.slot_name()
            ));
        }
    }
    for checkpoint in &machine.checkpoints {
        let created = checkpoint.created.as_deref().unwrap_or("a time that is not written");
        all.push(format!(
            "'{}': the checkpoint '{}' of {created} is built again; its creation time is that of the import.",
            machine.name, checkpoint.name
        ));
    }
    all.extend(of_later_releases(release, machine));
    if machine.configuration.firmware.tpm == Some(true) {
        all.push(format!(
            "'{}': its virtual TPM was not carried, and it gets an empty one where this release has that. A guest with BitLocker asks \
             for its recovery key; have it at hand, or suspend BitLocker in the guest before.",
            machine.name
        ));
    }
    for disk in machine.disks.iter().filter(|_| machine.checkpoints.is_empty()) {
        if let Some(name) = &disk.checkpoint_name {
            all.push(format!(
                "'{}': the state of the checkpoint '{name}' for the drive {}{}-{} lies in '{}'. It is not connected to the machine.",
                machine.name, disk.controller, disk.number, disk.slot, disk.target
            ));
        }
    }
    all
}

/// A machine of 2016 and later whose checkpoints get what only its present state tells of them.
fn of_later_releases(release: &Release, machine: &RoleMachine) -> Option<String> {
    let settings = [
        ("the template of Secure Boot", machine.secure_boot_template.is_some() && release.has_secure_boot_templates()),
        ("nested virtualization", machine.nested_virtualization && release.has_nested_virtualization()),
    ];
    let settings: Vec<&str> = settings.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    if settings.is_empty() || (machine.checkpoints.is_empty() && machine.checkpoint_of.is_none()) {
        return None;
    }
    let whose = if machine.checkpoint_of.is_some() { "it has" } else { "its checkpoints get" };
    Some(format!(
        "'{}': {whose} {} as the present state of the old machine had it.",
        machine.name,
        settings.join(" and ")
    ))
}
