//! Objects as the commands give them out. They show what was there when they were made.

use super::state::*;
use super::{Host, parts};
use crate::powershell::{Object, Value};

/// `On` or `Off`.
pub(super) fn on_off(on: bool) -> Value {
    Value::word("OnOffState", if on { "On" } else { "Off" }, i64::from(!on))
}

/// A GUID: an object with a text.
pub(super) fn guid(id: &str) -> Value {
    Object { text: Some(id.to_lowercase()), ..Object::new("System.Guid", id) }.value()
}

fn word(kind: &str, name: &str) -> Value {
    let words = super::signature::words(kind).unwrap_or_default();
    let number = words.iter().find(|(known, _)| *known == name).map_or(0, |(_, number)| *number);
    Value::word(kind, name, number)
}

fn bandwidth(bandwidth: &Bandwidth) -> Value {
    Object::new("VMNetworkAdapterBandwidthSetting", "")
        .with("MinimumBandwidthAbsolute", Value::Long(bandwidth.absolute))
        .with("MinimumBandwidthWeight", bandwidth.weight)
        .with("MaximumBandwidth", Value::Long(bandwidth.maximum))
        .value()
}

impl Host {
    pub(super) fn machine_object(&self, machine: &Machine) -> Value {
        let mut object = Object::new("VirtualMachine", &machine.id)
            .with("Name", &machine.name)
            .with("VMName", &machine.name)
            .with("Id", guid(&machine.id))
            .with("VMId", guid(&machine.id))
            .with("Notes", &machine.notes)
            .with("State", Value::word("VMState", &machine.state, if machine.state == "Off" { 3 } else { 2 }))
            .with("Path", &machine.location)
            .with("ConfigurationLocation", &machine.location)
            .with("AutomaticStartAction", word("StartAction", &machine.start_action))
            .with("AutomaticStartDelay", machine.start_delay)
            .with("AutomaticStopAction", word("StopAction", &machine.stop_action))
            .with("ProcessorCount", machine.processors.count)
            .with("MemoryStartup", Value::Long(machine.memory.startup))
            .with("ParentSnapshotId", machine.parent.as_ref().map_or(Value::Null, |id| guid(id)));
        if self.release >= super::Release::Server2012R2 {
            object = object.with("Generation", machine.generation);
        }
        if self.release >= super::Release::Server2016 {
            object = object
                .with("CheckpointType", word("CheckpointType", &machine.checkpoint_type))
                .with("AutomaticCheckpointsEnabled", machine.automatic_checkpoints);
        }
        object.value()
    }

    pub(super) fn switch_object(&self, switch: &Switch) -> Value {
        let uplink = self.state.interfaces.iter().find(|interface| Some(&interface.name) == switch.uplink.as_ref());
        let shared = self.state.management.iter().any(|adapter| adapter.switch.as_ref() == Some(&switch.id));
        Object::new("VMSwitch", &switch.id)
            .with("Name", &switch.name)
            .with("Id", guid(&switch.id))
            .with("Notes", &switch.notes)
            // By its ports: an internal network without any of the management operating system is a private one.
            .with(
                "SwitchType",
                word("VMSwitchType", if switch.kind == "Internal" && !shared { "Private" } else { &switch.kind }),
            )
            .with("AllowManagementOS", shared)
            .with(
                "NetAdapterInterfaceDescription",
                uplink.map_or(Value::Null, |interface| Value::from(&interface.description)),
            )
            .value()
    }

    pub(super) fn adapter_object(&self, adapter: &Adapter, machine: Option<&Machine>) -> Value {
        let class = if machine.is_some() { "VMNetworkAdapter" } else { "VMInternalNetworkAdapter" };
        let switch = adapter.switch.as_ref().and_then(|id| self.switch(id));
        let mut object = Object::new(class, &adapter.id)
            .with("Name", &adapter.name)
            .with("Id", format!("Microsoft:{}", adapter.id))
            .with("IsLegacy", adapter.legacy)
            .with("IsManagementOs", machine.is_none())
            .with("SwitchName", switch.map_or("", |switch| switch.name.as_str()))
            .with("SwitchId", switch.map_or(Value::Null, |switch| guid(&switch.id)))
            .with("Connected", switch.is_some())
            .with("MacAddress", adapter.mac.as_deref().unwrap_or("000000000000"))
            .with("DynamicMacAddressEnabled", adapter.mac.is_none())
            .with("MacAddressSpoofing", on_off(adapter.spoofing))
            .with("DhcpGuard", on_off(adapter.dhcp_guard))
            .with("RouterGuard", on_off(adapter.router_guard))
            .with("AllowTeaming", on_off(adapter.teaming))
            .with("IeeePriorityTag", on_off(adapter.priority_tag))
            .with("IovWeight", adapter.iov_weight)
            .with("IPsecOffloadMaxSA", adapter.ipsec_limit)
            .with("BandwidthSetting", adapter.bandwidth.as_ref().map_or(Value::Null, bandwidth))
            .with("VmqWeight", adapter.vmq_weight);
        object = match machine {
            Some(machine) => object.with("VMName", &machine.name).with("VMId", guid(&machine.id)),
            None => object.with("DeviceId", &adapter.interface),
        };
        object.value()
    }

    pub(super) fn drive_object(&self, machine: &Machine, drive: &Drive) -> Value {
        let class = if drive.kind == DriveKind::Disk { "HardDiskDrive" } else { "DvdDrive" };
        let place = format!("{}|{}|{}|{}", machine.id, drive.controller, drive.number, drive.location);
        Object::new(class, &place)
            .with("VMName", &machine.name)
            .with("Path", drive.path.as_deref().map_or(Value::Null, Value::from))
            .with("DiskNumber", drive.disk.map_or(Value::Null, Value::number))
            .with("ControllerType", word("ControllerType", &drive.controller))
            .with("ControllerNumber", drive.number)
            .with("ControllerLocation", drive.location)
            .value()
    }

    /// An `MSFT_Disk`.
    pub(super) fn disk_object(&self, disk: &Disk) -> Value {
        Object::new("MSFT_Disk", &disk.number.to_string())
            .with("Number", disk.number)
            .with("Signature", disk.signature.map_or(Value::Null, |signature| Value::number(signature.into())))
            .with("Guid", if disk.guid.is_empty() { Value::Null } else { Value::from(disk.guid.as_str()) })
            .with("SerialNumber", disk.serial.as_str())
            .with("IsOffline", disk.is_offline)
            .value()
    }

    pub(super) fn floppy_object(&self, machine: &Machine) -> Value {
        Object::new("VMFloppyDiskDrive", &machine.id)
            .with("VMName", &machine.name)
            .with("Path", machine.floppy.as_deref().map_or(Value::Null, Value::from))
            .value()
    }

    pub(super) fn controller_object(&self, machine: &Machine, kind: &str, number: i64) -> Value {
        let class = if kind == "SCSI" { "VMScsiController" } else { "VMIdeController" };
        Object::new(class, &format!("{}|{number}", machine.id))
            .with("VMName", &machine.name)
            .with("ControllerNumber", number)
            .value()
    }

    pub(super) fn memory_object(&self, machine: &Machine) -> Value {
        let memory = &machine.memory;
        Object::new("VMMemory", &machine.id)
            .with("VMName", &machine.name)
            .with("DynamicMemoryEnabled", memory.dynamic)
            .with("Startup", Value::Long(memory.startup))
            .with("Minimum", Value::Long(memory.minimum))
            .with("Maximum", Value::Long(memory.maximum))
            .with("Buffer", memory.buffer)
            .with("Priority", memory.priority)
            // The one size of the object that is in MiB.
            .with("MaximumPerNumaNode", Value::Long(memory.per_node >> 20))
            .value()
    }

    pub(super) fn processor_object(&self, machine: &Machine) -> Value {
        let processors = &machine.processors;
        let mut object = Object::new("VMProcessor", &machine.id)
            .with("VMName", &machine.name)
            .with("Count", processors.count)
            .with("Maximum", processors.maximum)
            .with("Reserve", processors.reserve)
            .with("RelativeWeight", processors.weight)
            .with("MaximumCountPerNumaNode", processors.per_node)
            .with("MaximumCountPerNumaSocket", processors.nodes_per_socket)
            .with("CompatibilityForMigrationEnabled", processors.migration)
            .with("CompatibilityForOlderOperatingSystemsEnabled", processors.older);
        if self.release >= super::Release::Server2016 {
            object = object.with("ExposeVirtualizationExtensions", processors.nested);
        }
        object.value()
    }

    pub(super) fn bios_object(&self, machine: &Machine) -> Value {
        let order = machine.boot_order.iter().map(|device| word("BootDevice", device)).collect();
        Object::new("VMBios", &machine.id)
            .with("VMName", &machine.name)
            .with("StartupOrder", Value::array(order))
            .with("NumLockEnabled", machine.num_lock)
            .value()
    }

    pub(super) fn firmware_object(&self, machine: &Machine) -> Value {
        let mut object = Object::new("VMFirmware", &machine.id)
            .with("VMName", &machine.name)
            .with("SecureBoot", on_off(machine.secure_boot))
            .with("BootOrder", Value::array(self.boot_sources(machine)));
        if self.release >= super::Release::Server2016 {
            let template = &machine.secure_boot_template;
            object = object.with("SecureBootTemplate", parts::template_name(template));
            object = object.with("SecureBootTemplateId", guid(template));
        }
        object.value()
    }

    /// What a machine of generation 2 boots from, in order.
    fn boot_sources(&self, machine: &Machine) -> Vec<Value> {
        let source = |id: &String| {
            let adapter = machine.adapters.iter().find(|adapter| adapter.id == *id);
            let drive = machine.drives.iter().find(|drive| parts::drive_id(machine, drive) == *id);
            let (kind, device) = match (adapter, drive) {
                (Some(adapter), _) => ("Network", self.adapter_object(adapter, Some(machine))),
                (None, Some(drive)) => ("Drive", self.drive_object(machine, drive)),
                (None, None) => return None,
            };
            let object = Object::new("VMBootSource", id).with("BootType", kind).with("Device", device);
            Some(object.value())
        };
        machine.firmware_order.iter().filter_map(source).collect()
    }

    pub(super) fn com_port_object(&self, machine: &Machine, number: usize) -> Value {
        Object::new("VMComPort", &format!("{}|{number}", machine.id))
            .with("VMName", &machine.name)
            .with("Name", format!("COM {number}"))
            .with("Id", format!("Microsoft:{}\\8E3A359F-559A-4B6A-98A9-1690A6100ED7\\{}", machine.id, number - 1))
            .with("Path", machine.com_ports.get(number - 1).map_or("", String::as_str))
            .value()
    }
}
