//! Virtual machines and the settings of Hyper-V itself.

use std::collections::BTreeMap;

use super::state::*;
use super::{Host, Release, parts};
use crate::powershell::{Call, Object, Run, Value, thrown};

/// Integration services by class, with their English names.
pub(super) const SERVICES: [(&str, &str); 6] = [
    ("2497F4DE-E9FA-4204-80E4-4B75C46419C0", "Time Synchronization"),
    ("84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47", "Heartbeat"),
    ("2A34B1C2-FD73-4043-8A5B-DD2159BC743F", "Key-Value Pair Exchange"),
    ("9F8233AC-BE49-4C79-8EE3-E7E1985B2077", "Shutdown"),
    ("5CED1297-4598-4915-A5FC-AD21BB4D02A4", "VSS"),
    ("6C09BB55-D683-4DA0-8931-C9BF705F6480", "Guest Service Interface"),
];

/// Properties of `Msvm_VirtualSystemSettingData` that tell what the guest sees of its computer.
pub(super) const IDENTITY: [&str; 5] =
    ["BIOSGUID", "BIOSSerialNumber", "BaseBoardSerialNumber", "ChassisSerialNumber", "ChassisAssetTag"];

impl Host {
    /// The ids of the machines that a call means: by object, or by name, which may mean several.
    pub(super) fn machines_of(&self, call: &Call) -> Run<Vec<String>> {
        if let Some(objects) = call.objects("VM") {
            let there = |id: &String| self.state.machines.iter().any(|machine| machine.id == *id);
            return match objects.iter().find(|(_, id)| !there(id)) {
                Some((_, id)) => thrown(format!("The virtual machine {id} is not there any more.")),
                None => Ok(objects.into_iter().map(|(_, id)| id).collect()),
            };
        }
        let names = call.texts("VMName").or_else(|| call.texts("Name")).unwrap_or_default();
        let mut ids = Vec::new();
        for name in &names {
            let called = |machine: &&Machine| !machine.planned && machine.name.eq_ignore_ascii_case(name);
            let found = self.state.machines.iter().filter(called);
            let before = ids.len();
            ids.extend(found.map(|machine| machine.id.clone()));
            if ids.len() == before {
                return thrown(format!("Hyper-V was unable to find a virtual machine with name {name}."));
            }
        }
        Ok(ids)
    }

    /// The one machine that a call means.
    pub(super) fn machine_of(&self, call: &Call) -> Run<String> {
        match self.machines_of(call)?.as_slice() {
            [one] => Ok(one.clone()),
            // Cmdlets take several; a script of a kit never means more than one.
            _ => thrown(format!("{} means more or less than one virtual machine.", call.name)),
        }
    }

    /// The one machine that a call means, turned off.
    pub(super) fn machine_off(&mut self, call: &Call) -> Run<&mut Machine> {
        let id = self.machine_of(call)?;
        let machine = self.machine(&id)?;
        if machine.state != "Off" {
            return thrown(format!("{} cannot be done while the virtual machine is {}.", call.name, machine.state));
        }
        Ok(machine)
    }

    pub(super) fn get_vm(&mut self, call: &Call) -> Run<Vec<Value>> {
        let wanted = if call.has("Name") { Some(self.machines_of(call)?) } else { None };
        let id = call.text("Id");
        let fits = |machine: &&Machine| {
            !machine.planned
                && wanted.as_ref().is_none_or(|ids| ids.contains(&machine.id))
                && id.as_ref().is_none_or(|id| id.eq_ignore_ascii_case(&machine.id))
        };
        Ok(self.state.machines.iter().filter(fits).map(|machine| self.machine_object(machine)).collect())
    }

    pub(super) fn new_vm(&mut self, call: &Call) -> Run<Vec<Value>> {
        let name = call.text("Name").unwrap_or_else(|| "New Virtual Machine".to_owned());
        let generation = call.number("Generation").unwrap_or(1);
        if ![1, 2].contains(&generation) {
            return thrown(format!("New-VM -Generation {generation}: there are the generations 1 and 2."));
        }
        if name.is_empty() || name.contains(['\\', '/', ':', '*', '?', '"', '<', '>', '|']) {
            return thrown(format!("New-VM -Name '{name}': the folder of the machine cannot have this name."));
        }
        if call.has("BootDevice") {
            return crate::powershell::fault("New-VM -BootDevice");
        }
        let path = call.text("Path").unwrap_or_else(|| self.state.settings.machine_path.clone());
        if !self.files.has_folder(&path) {
            return thrown(format!("New-VM -Path '{path}': the folder is not there."));
        }
        let startup = call.number("MemoryStartupBytes").unwrap_or(if generation == 1 { 512 << 20 } else { 1 << 30 });
        check_memory_size("MemoryStartupBytes", startup)?;
        let switch = match call.text("SwitchName") {
            Some(name) => Some(self.switch_named(&name)?),
            None => None,
        };
        self.change()?;
        let id = self.new_id();
        let adapter = Adapter {
            id: format!("{id}\\{}", self.new_id()),
            name: "Network Adapter".to_owned(),
            switch,
            ..Adapter::default()
        };
        let mut machine = new_machine(self.release, (id, name, generation), startup);
        machine.place(&format!("{}\\{}", path.trim_end_matches('\\'), machine.name));
        machine.adapters = vec![Adapter { vmq_weight: 100, ipsec_limit: 512, ..adapter }];
        self.files.create_folder(&machine.location);
        if let Some(path) = call.text("VHDPath") {
            if self.files.read(&path).is_none() {
                return thrown(format!("New-VM -VHDPath '{path}': the file is not there."));
            }
            let controller = if generation == 1 { "IDE" } else { "SCSI" };
            let disk = Drive {
                controller: controller.to_owned(),
                number: 0,
                location: 0,
                kind: DriveKind::Disk,
                path: Some(path),
                disk: None,
            };
            machine.drives.push(disk);
        }
        let object = self.machine_object(&machine);
        self.state.machines.push(machine);
        Ok(vec![object])
    }

    pub(super) fn set_vm(&mut self, call: &Call) -> Run<Vec<Value>> {
        if let Some(delay) = call.number("AutomaticStartDelay").filter(|delay| *delay < 0) {
            return thrown(format!("Set-VM -AutomaticStartDelay {delay}: a number from 0 on is wanted."));
        }
        if call.text("NewVMName").is_some_and(|name| name.is_empty()) {
            return thrown("Set-VM -NewVMName: the name is empty.");
        }
        for parameter in ["SnapshotFileLocation", "SmartPagingFilePath"] {
            if let Some(path) = call.text(parameter).filter(|path| !self.files.has_folder(path)) {
                return thrown(format!("Set-VM -{parameter} '{path}': the folder is not there."));
            }
        }
        let id = self.machine_of(call)?;
        self.change()?;
        let machine = self.machine(&id)?;
        let texts = [
            ("NewVMName", &mut machine.name),
            ("Notes", &mut machine.notes),
            ("AutomaticStartAction", &mut machine.start_action),
            ("AutomaticStopAction", &mut machine.stop_action),
            ("CheckpointType", &mut machine.checkpoint_type),
            ("SnapshotFileLocation", &mut machine.snapshot_location),
            ("SmartPagingFilePath", &mut machine.paging_location),
        ];
        for (parameter, place) in texts {
            if let Some(text) = call.text(parameter) {
                *place = text;
            }
        }
        if let Some(delay) = call.number("AutomaticStartDelay") {
            machine.start_delay = delay;
        }
        if let Some(on) = call.boolean("AutomaticCheckpointsEnabled") {
            machine.automatic_checkpoints = on;
        }
        let machine = machine.clone();
        Ok(if call.has("Passthru") { vec![self.machine_object(&machine)] } else { Vec::new() })
    }

    pub(super) fn remove_vm(&mut self, call: &Call) -> Run<Vec<Value>> {
        let machine = self.machine_off(call)?.clone();
        self.change()?;
        self.state.machines.retain(|other| other.id != machine.id);
        self.remove_configuration(&machine);
        self.merge(&machine);
        Ok(Vec::new())
    }

    pub(super) fn start_vm(&mut self, call: &Call) -> Run<Vec<Value>> {
        let id = self.machine_of(call)?;
        self.change()?;
        self.machine(&id)?.state = "Running".to_owned();
        Ok(Vec::new())
    }

    pub(super) fn get_vm_host(&mut self, _: &Call) -> Run<Vec<Value>> {
        let settings = &self.state.settings;
        let mut object = Object::new("VMHost", "")
            .with("Name", "HV-NEW-01")
            .with("LogicalProcessorCount", self.hardware.processors)
            .with("MemoryCapacity", Value::Long(self.hardware.memory))
            .with("MacAddressMinimum", &settings.mac_minimum)
            .with("MacAddressMaximum", &settings.mac_maximum)
            .with("VirtualHardDiskPath", &settings.disk_path)
            .with("VirtualMachinePath", &settings.machine_path)
            .with("NumaSpanningEnabled", settings.numa_spanning);
        if self.release >= Release::Server2012R2 {
            object = object.with("EnableEnhancedSessionMode", settings.enhanced_session);
        }
        Ok(vec![object.value()])
    }

    pub(super) fn set_vm_host(&mut self, call: &Call) -> Run<Vec<Value>> {
        let mut settings = self.state.settings.clone();
        for (parameter, place) in
            [("VirtualHardDiskPath", &mut settings.disk_path), ("VirtualMachinePath", &mut settings.machine_path)]
        {
            if let Some(path) = call.text(parameter) {
                // Whether Hyper-V makes the folder is not said; a script should not count on it.
                if !self.files.has_folder(&path) {
                    return thrown(format!("Set-VMHost -{parameter} '{path}': the folder is not there."));
                }
                *place = path;
            }
        }
        for (parameter, place) in
            [("MacAddressMinimum", &mut settings.mac_minimum), ("MacAddressMaximum", &mut settings.mac_maximum)]
        {
            if let Some(text) = call.text(parameter) {
                *place = super::adapters::mac(&text)?;
            }
        }
        if settings.mac_minimum > settings.mac_maximum {
            return thrown("Set-VMHost: the first address of the range lies behind the last one.");
        }
        settings.numa_spanning = call.boolean("NumaSpanningEnabled").unwrap_or(settings.numa_spanning);
        settings.enhanced_session = call.boolean("EnableEnhancedSessionMode").unwrap_or(settings.enhanced_session);
        self.change()?;
        self.state.settings = settings;
        Ok(Vec::new())
    }
}

/// A size of memory: 32 MiB and more, in steps of 2 MiB.
pub(super) fn check_memory_size(parameter: &str, bytes: i64) -> Run<()> {
    if bytes < 32 << 20 || bytes % (2 << 20) != 0 {
        return thrown(format!("-{parameter} {bytes}: 32 MiB or more in steps of 2 MiB are wanted."));
    }
    Ok(())
}

/// A machine as Hyper-V makes it. Generation 1 has a DVD drive, a floppy drive and a SCSI controller; generation 2 has a SCSI
/// controller.
pub(super) fn new_machine(release: Release, (id, name, generation): (String, String, i64), startup: i64) -> Machine {
    let first = generation == 1;
    let known = if release == Release::Server2012 { 5 } else { 6 };
    let services =
        SERVICES.iter().take(known).map(|(class, name)| (class.to_string(), *name != "Guest Service Interface"));
    let dvd =
        Drive { controller: "IDE".to_owned(), number: 1, location: 0, kind: DriveKind::Dvd, path: None, disk: None };
    let identity = IDENTITY.map(|property| (property.to_owned(), format!("made-{property}-{id}")));
    let mut identity = BTreeMap::from(identity);
    identity.insert("BIOSGUID".to_owned(), format!("{{{id}}}"));
    identity.insert("ChassisAssetTag".to_owned(), "made-tag".to_owned());
    Machine {
        notes: String::new(),
        generation,
        location: String::new(),
        snapshot_location: String::new(),
        paging_location: String::new(),
        planned: false,
        state: "Off".to_owned(),
        start_action: "StartIfRunning".to_owned(),
        start_delay: 0,
        stop_action: "Save".to_owned(),
        checkpoint_type: "Production".to_owned(),
        automatic_checkpoints: false,
        memory: Memory {
            dynamic: false,
            startup,
            minimum: 512 << 20,
            maximum: 1 << 40,
            buffer: 20,
            priority: 50,
            per_node: 16 << 30,
        },
        processors: Processors {
            count: 1,
            maximum: 100,
            reserve: 0,
            weight: 100,
            migration: false,
            older: false,
            nested: false,
            per_node: 8,
            nodes_per_socket: 1,
        },
        boot_order: ["CD", "IDE", "LegacyNetworkAdapter", "Floppy"].map(str::to_owned).to_vec(),
        num_lock: false,
        secure_boot: !first,
        key_protector: false,
        tpm: false,
        secure_boot_template: parts::WINDOWS_TEMPLATE.to_owned(),
        firmware_order: Vec::new(),
        identity,
        scsi_controllers: 1,
        drives: if first { vec![dvd] } else { Vec::new() },
        floppy: None,
        adapters: Vec::new(),
        com_ports: [String::new(), String::new()],
        services: services.collect(),
        snapshots: Vec::new(),
        parent: None,
        id,
        name,
    }
}
