//! A role as a flat list of settings, so that what was planned and what is there can be compared item by item.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::CheckpointId;
use crate::network::Vlan;
use crate::role::{Role, RoleMachine, RoleSettings};
use crate::vm::{BootDevice, Connection, MachineConfiguration, Media};

/// One setting: `machine <id>` / `processors.count` = `2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// What it belongs to: `host`, `switch <name>`, `management adapter <name>`, `machine <id>`, `checkpoint <id>`,
    /// `DCOM restriction <name>`, `DCOM users`, `WMI namespace <name>`, `firewall rule <id>`.
    pub subject: String,
    /// Stable name of the item, dotted.
    pub item: String,
    /// Value as text.
    pub value: String,
}

impl Setting {
    /// A setting.
    pub fn new(subject: impl Into<String>, item: impl Into<String>, value: impl ToString) -> Self {
        Setting { subject: subject.into(), item: item.into(), value: value.to_string() }
    }
}

/// Whether a kind of destination can hold a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "carried", rename_all = "kebab-case")]
pub enum Carry {
    /// It is put back and compared.
    Carried,
    /// It has no counterpart there; the report lists it.
    NotCarried {
        /// Why.
        reason: String,
    },
}

/// All settings of a role, sorted.
pub fn settings_of(role: &Role) -> Vec<Setting> {
    let mut all = host_settings(role);
    for switch in &role.switches {
        let subject = format!("switch {}", switch.name);
        all.push(Setting::new(&subject, "kind", switch.kind));
        if let Some(adapter) = &switch.adapter {
            all.push(Setting::new(&subject, "adapter", adapter));
        }
    }
    for adapter in &role.management_adapters {
        let subject = format!("management adapter {}", adapter.name);
        all.push(Setting::new(&subject, "switch", &adapter.switch_name));
        if let Some(mac) = adapter.mac {
            all.push(Setting::new(&subject, "mac", mac));
        }
        if let Some(vlan) = &adapter.vlan {
            all.push(Setting::new(&subject, "vlan", vlan_text(vlan)));
        }
        all.push(Setting::new(&subject, "ip.dhcp", adapter.ip.dhcp));
        all.push(Setting::new(&subject, "ip.addresses", adapter.ip.addresses.join(" ")));
        all.push(Setting::new(&subject, "ip.gateways", adapter.ip.gateways.join(" ")));
        all.push(Setting::new(&subject, "ip.dns", adapter.ip.dns_servers.join(" ")));
    }
    for machine in &role.machines {
        machine_settings(machine, &mut all);
        checkpoint_settings(machine, &mut all);
    }
    all.sort();
    all
}

/// The checkpoints that are built again: the tree, and of each the disks, the pipes, and what the machine had of memory and processors.
fn checkpoint_settings(machine: &RoleMachine, all: &mut Vec<Setting>) {
    if let Some(current) = &machine.current_checkpoint {
        let subject = format!("machine {}", machine.id);
        let mut add = |item: &str, value: String| all.push(Setting::new(&subject, item, value));
        add("current-checkpoint", current.to_string());
        cleared_ports(machine, &machine.configuration, Some(current), &mut add);
    }
    for checkpoint in &machine.checkpoints {
        let subject = format!("checkpoint {}", checkpoint.id);
        let mut add = |item: &str, value: String| all.push(Setting::new(&subject, item, value));
        add("name", checkpoint.name.clone());
        add("parent", checkpoint.parent.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string));
        add("memory.startup-mib", checkpoint.configuration.memory.startup_mib.to_string());
        add("processors.count", checkpoint.configuration.processors.count.to_string());
        let state = machine.as_of(checkpoint);
        drive_settings(&state, &mut add);
        port_settings(&state, &mut add);
        cleared_ports(machine, &checkpoint.configuration, checkpoint.parent.as_ref(), &mut add);
    }
}

/// The entries of DCOM restrictions, sorted: `DCOM restriction <name>` / `<SID>.<effect>` = `<mask>`, and the members of Distributed
/// COM Users: `DCOM users` / `<SID or name>` = `member`. They are merged on the
/// destination host itself, so only what was seen there tells whether they are in force.
pub fn dcom_settings(role: &Role) -> Vec<Setting> {
    let mut all = Vec::new();
    for restriction in &role.dcom {
        let subject = format!("DCOM restriction {}", restriction.name);
        let merged =
            restriction.wanted().into_iter().filter(|entry| ["allow", "deny"].contains(&entry.effect.as_str()));
        all.extend(merged.map(|entry| {
            Setting::new(&subject, format!("{}.{}", entry.sid, entry.effect), format!("{:#x}", entry.mask))
        }));
    }
    all.extend(role.dcom_users.iter().map(|member| Setting::new("DCOM users", member.item(), "member")));
    all.sort();
    all
}

/// The rights on WMI namespaces, sorted: `WMI namespace <name>` / `<SID>.<effect>` = `<mask>`, merged and seen like those.
pub fn namespace_settings(role: &Role) -> Vec<Setting> {
    let mut all = Vec::new();
    for rights in &role.wmi_namespaces {
        let subject = format!("WMI namespace {}", rights.namespace);
        let merged = rights.wanted().into_iter().map(|added| added.entry);
        let merged = merged.filter(|entry| ["allow", "deny"].contains(&entry.effect.as_str()));
        all.extend(merged.map(|entry| {
            Setting::new(&subject, format!("{}.{}", entry.sid, entry.effect), format!("{:#x}", entry.mask))
        }));
    }
    all.sort();
    all
}

fn host_settings(role: &Role) -> Vec<Setting> {
    let settings = &role.settings;
    let mut all = Vec::new();
    let mut add = |item: &str, value: Option<String>| {
        if let Some(value) = value {
            all.push(Setting::new("host", item, value));
        }
    };
    add("mac-range.minimum", settings.mac_range.map(|range| range.minimum.to_string()));
    add("mac-range.maximum", settings.mac_range.map(|range| range.maximum.to_string()));
    add("virtual-hard-disk-path", settings.virtual_hard_disk_path.as_ref().map(ToString::to_string));
    add("virtual-machine-path", settings.virtual_machine_path.as_ref().map(ToString::to_string));
    add("numa-spanning", settings.numa_spanning.map(|on| on.to_string()));
    add("vmq.ten-gigabit", settings.vmq_ten_gigabit.map(|value| value.to_string()));
    add("vmq.below-ten-gigabit", settings.vmq_below_ten_gigabit.map(|value| value.to_string()));
    add("authorization-store", settings.authorization_store.as_ref().map(|file| file.target.clone()));
    for sid in administrators(settings) {
        add(&format!("hyper-v-administrator.{sid}"), Some("member".to_owned()));
    }
    all
}

/// Who has the role Administrator for the whole host by the authorization store, beside the group Administrators: security
/// identifiers, each once.
pub fn administrators(settings: &RoleSettings) -> BTreeSet<&str> {
    let whole = settings.role_assignments.iter().filter(|found| found.scope.is_none() && found.role == "Administrator");
    let members = whole.flat_map(|assignment| assignment.members.iter().map(String::as_str));
    members.filter(|sid| !sid.eq_ignore_ascii_case("S-1-5-32-544")).collect()
}

/// VLAN as text: `untagged`, `access 12`, `trunk native 1 allowed 2,3`.
pub fn vlan_text(vlan: &Vlan) -> String {
    match vlan {
        Vlan::Untagged => "untagged".to_owned(),
        Vlan::Access { id } => format!("access {id}"),
        Vlan::Trunk { native, allowed } => {
            let ids: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            format!("trunk native {native} allowed {}", ids.join(","))
        }
    }
}

fn machine_settings(machine: &RoleMachine, all: &mut Vec<Setting>) {
    let subject = format!("machine {}", machine.id);
    let configuration = &machine.configuration;
    let mut add = |item: &str, value: String| all.push(Setting::new(&subject, item, value));
    add("name", machine.name.clone());
    add("notes", machine.notes.clone());
    add("generation", machine.generation.to_string());
    if let Some(owner) = &machine.owner {
        add("owner", owner.clone());
    }
    let memory = &configuration.memory;
    add("memory.startup-mib", memory.startup_mib.to_string());
    add("memory.dynamic", memory.dynamic.to_string());
    if memory.dynamic {
        add("memory.minimum-mib", memory.minimum_mib.to_string());
        add("memory.maximum-mib", memory.maximum_mib.to_string());
        add("memory.buffer-percent", memory.buffer_percent.to_string());
    }
    add("memory.weight", memory.weight.to_string());
    let processors = &configuration.processors;
    add("processors.count", processors.count.to_string());
    add("processors.limit", processors.limit.to_string());
    add("processors.reserve", processors.reserve.to_string());
    add("processors.weight", processors.weight.to_string());
    add("processors.compatibility-for-migration", processors.compatibility_for_migration.to_string());
    add("processors.compatibility-for-older-systems", processors.compatibility_for_older_systems.to_string());
    if machine.nested_virtualization {
        add("processors.nested-virtualization", "true".to_owned());
    }
    let numa = &configuration.numa;
    let limits = [
        ("numa.processors-per-node", numa.processors_per_node.map(u64::from)),
        ("numa.nodes-per-socket", numa.nodes_per_socket.map(u64::from)),
        ("numa.mib-per-node", numa.mib_per_node),
    ];
    for (item, limit) in limits {
        if let Some(limit) = limit {
            add(item, limit.to_string());
        }
    }
    firmware_settings(machine, &mut add);
    drive_settings(machine, &mut add);
    adapter_settings(machine, &mut add);
    port_settings(machine, &mut add);
    for service in &configuration.disabled_integration_services {
        add(&format!("integration-service.{service:?}"), "disabled".to_owned());
    }
    if configuration.guest_services {
        add("integration-service.GuestServices", "enabled".to_owned());
    }
    add("action.start", format!("{:?}", configuration.actions.start));
    add("action.stop", format!("{:?}", configuration.actions.stop));
    if let Some(delay) = configuration.actions.start_delay_seconds {
        add("action.start-delay", delay.to_string());
    }
}

fn port_settings(machine: &RoleMachine, add: &mut dyn FnMut(&str, String)) {
    for (index, pipe) in machine.configuration.com_ports.iter().enumerate() {
        if let Some(pipe) = pipe {
            add(&format!("com{}", index + 1), pipe.clone());
        }
    }
}

/// Ports without a pipe where the state would have one from the checkpoint that it derives from.
fn cleared_ports(
    machine: &RoleMachine,
    state: &MachineConfiguration,
    parent: Option<&CheckpointId>,
    add: &mut dyn FnMut(&str, String),
) {
    for number in machine.ports_to_clear(state, parent) {
        add(&format!("com{number}"), "none".to_owned());
    }
}

/// One word for a boot device.
pub fn boot_word(device: &BootDevice) -> &str {
    match device {
        BootDevice::Floppy => "floppy",
        BootDevice::Optical => "optical",
        BootDevice::HardDrive => "hard-drive",
        BootDevice::Network => "network",
        BootDevice::Other(word) => word,
    }
}

fn firmware_settings(machine: &RoleMachine, add: &mut dyn FnMut(&str, String)) {
    let firmware = &machine.configuration.firmware;
    let texts = [
        ("firmware.bios-guid", &firmware.bios_guid),
        ("firmware.bios-serial-number", &firmware.bios_serial_number),
        ("firmware.base-board-serial-number", &firmware.base_board_serial_number),
        ("firmware.chassis-serial-number", &firmware.chassis_serial_number),
        ("firmware.chassis-asset-tag", &firmware.chassis_asset_tag),
    ];
    for (item, text) in texts {
        if let Some(text) = text {
            add(item, text.clone());
        }
    }
    if let Some(on) = firmware.secure_boot.filter(|_| machine.generation == 2) {
        add("firmware.secure-boot", on.to_string());
    }
    if let Some(template) = machine.secure_boot_template.as_ref().filter(|_| machine.generation == 2) {
        add("firmware.secure-boot-template", template.to_string());
    }
    if let Some(on) = firmware.tpm.filter(|_| machine.generation == 2) {
        add("firmware.tpm", on.to_string());
    }
    let order: Vec<&str> = firmware.boot_order.iter().map(boot_word).collect();
    if !order.is_empty() {
        add("firmware.boot-order", order.join(" "));
    }
}

fn drive_settings(machine: &RoleMachine, add: &mut dyn FnMut(&str, String)) {
    for disk in machine.disks.iter().filter(|disk| disk.checkpoint.is_none()) {
        let item = format!("drive.{}{}-{}", disk.controller, disk.number, disk.slot);
        add(&item, format!("disk {}", disk.target));
    }
    for image in &machine.images {
        let item = format!("drive.{}{}-{}", image.controller, image.number, image.slot);
        add(&item, format!("image {}", image.file.target));
    }
    for physical in &machine.physical {
        let item = format!("drive.{}{}-{}", physical.controller, physical.number, physical.slot);
        add(&item, format!("physical disk {}", physical.disk));
    }
    for drive in &machine.configuration.drives {
        if matches!(drive.media, Media::EmptyDvd) {
            add(&format!("drive.{}", drive.slot_name()), "empty dvd".to_owned());
        }
    }
}

fn adapter_settings(machine: &RoleMachine, add: &mut dyn FnMut(&str, String)) {
    for (index, adapter) in machine.configuration.adapters.iter().enumerate() {
        add(&format!("adapter{index}.name"), adapter.name.clone());
        add(&format!("adapter{index}.kind"), format!("{:?}", adapter.kind));
        add(&format!("adapter{index}.mac-is-static"), adapter.mac_is_static.to_string());
        if adapter.mac_is_static {
            add(&format!("adapter{index}.mac"), adapter.mac.to_string());
        }
        if let Connection::Switch { name: Some(name), .. } = &adapter.connection {
            add(&format!("adapter{index}.switch"), name.clone());
        }
        if let Some(vlan) = adapter.vlan.value() {
            add(&format!("adapter{index}.vlan"), vlan_text(vlan));
        }
        if let Some(spoofing) = adapter.mac_spoofing.value() {
            add(&format!("adapter{index}.mac-spoofing"), spoofing.to_string());
        }
        for (item, value) in adapter.settable_port().map(|port| port.items()).unwrap_or_default() {
            add(&format!("adapter{index}.{item}"), value);
        }
    }
}
