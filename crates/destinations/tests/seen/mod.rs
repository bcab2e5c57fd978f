//! What is on the host of a test, as settings: written for these tests alone, from the state of the model.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;

use hvm_model::owner;
use hvm_model::role::Role;
use hvm_testkit::hyperv_host::{Adapter, Data, DriveKind, Host, Interface, Machine, State, Vlan};

use crate::on_host::KIT;

pub const SWITCH_KEY: &str = r"HKLM:\SYSTEM\CURRENTCONTROLSET\SERVICES\VMSMP\PARAMETERS";
pub const HYPER_V_KEY: &str = r"HKLM:\SOFTWARE\MICROSOFT\WINDOWS NT\CURRENTVERSION\VIRTUALIZATION";

pub type Found = BTreeMap<(String, String), String>;

pub fn hyphens(mac: &str) -> String {
    mac.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect::<Vec<_>>().join("-")
}

pub fn vlan(vlan: &Vlan) -> String {
    match vlan {
        Vlan::Untagged => "untagged".to_owned(),
        Vlan::Access(id) => format!("access {id}"),
        Vlan::Trunk { native, allowed } => {
            let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            format!("trunk native {native} allowed {}", allowed.join(","))
        }
    }
}

pub fn relative(path: &str) -> String {
    path.strip_prefix(&format!("{KIT}\\")).unwrap_or(path).replace('\\', "/")
}

pub fn switch_name<'s>(state: &'s State, adapter: &Adapter) -> Option<&'s str> {
    let id = adapter.switch.as_ref()?;
    state.switches.iter().find(|switch| switch.id == *id).map(|switch| switch.name.as_str())
}

pub fn observed(host: &Host, role: &Role) -> Found {
    let mut found = Found::new();
    host_settings(host, &mut |item, value| found.insert(("host".to_owned(), item.to_owned()), value));
    let state = &host.state;
    for switch in state.switches.iter().filter(|switch| switch.notes.starts_with("hvmigrate:")) {
        let subject = format!("switch {}", switch.name);
        found.insert((subject.clone(), "kind".to_owned()), switch.kind.to_lowercase());
        if let Some(uplink) = &switch.uplink {
            found.insert((subject, "adapter".to_owned()), uplink.clone());
        }
    }
    for adapter in &state.management {
        let switch = state.switches.iter().find(|switch| Some(&switch.id) == adapter.switch.as_ref()).unwrap();
        let ours =
            role.management_adapters.iter().any(|own| own.name == adapter.name && own.switch_name == switch.name);
        if ours {
            let interface = state.interfaces.iter().find(|interface| interface.id == adapter.interface).unwrap();
            let subject = format!("management adapter {}", adapter.name);
            management(state, adapter, interface, &mut |item, value| {
                found.insert((subject.clone(), item.to_owned()), value)
            });
        }
    }
    for machine in &state.machines {
        let folder = machine.location.strip_prefix(&format!("{KIT}\\machines\\"));
        if let Some(planned) = role.machines.iter().find(|planned| Some(planned.folder.as_str()) == folder) {
            let subject = format!("machine {}", planned.id);
            machine_settings(state, machine, &mut |item, value| found.insert((subject.clone(), item), value));
        }
    }
    found
}

pub fn host_settings(host: &Host, add: &mut dyn FnMut(&str, String) -> Option<String>) {
    let settings = &host.state.settings;
    add("mac-range.minimum", hyphens(&settings.mac_minimum));
    add("mac-range.maximum", hyphens(&settings.mac_maximum));
    add("virtual-hard-disk-path", settings.disk_path.clone());
    add("virtual-machine-path", settings.machine_path.clone());
    add("numa-spanning", settings.numa_spanning.to_string());
    let value = |key: &str, name: &str| match host.state.registry.get(key)?.get(name)? {
        Data::Number(number) => Some(number.to_string()),
        Data::Text(text) => Some(text.clone()),
        Data::Bytes(_) => None,
    };
    if let Some(value) = value(SWITCH_KEY, "TenGigVmqEnabled") {
        add("vmq.ten-gigabit", value);
    }
    if let Some(value) = value(SWITCH_KEY, "BelowTenGigVmqEnabled") {
        add("vmq.below-ten-gigabit", value);
    }
    for sid in host.state.groups.get("S-1-5-32-578").into_iter().flatten() {
        add(&format!("hyper-v-administrator.{sid}"), "member".to_owned());
    }
    // The store in force is a copy of the kit's one.
    let store = value(HYPER_V_KEY, "StoreLocation").and_then(|store| store.strip_prefix("msxml://").map(str::to_owned));
    let copied = store.and_then(|path| host.files.read(&path));
    if copied.is_some() && copied == host.files.read(&format!("{KIT}\\authorization\\InitialStore.xml")) {
        add("authorization-store", "authorization/InitialStore.xml".to_owned());
    }
}

pub fn management(
    state: &State,
    adapter: &Adapter,
    interface: &Interface,
    add: &mut dyn FnMut(&str, String) -> Option<String>,
) {
    add("switch", switch_name(state, adapter).unwrap().to_owned());
    add("vlan", vlan(&adapter.vlan));
    if let Some(mac) = &adapter.mac {
        add("mac", hyphens(mac));
    }
    add("ip.dhcp", interface.dhcp.to_string());
    let addresses: Vec<String> = interface.addresses.iter().map(|(ip, length)| format!("{ip}/{length}")).collect();
    add("ip.addresses", addresses.join(" "));
    let hops: Vec<&str> = interface.routes.iter().map(|(_, hop)| hop.as_str()).collect();
    add("ip.gateways", hops.join(" "));
    add("ip.dns", interface.dns.join(" "));
}

pub fn machine_settings(state: &State, machine: &Machine, add: &mut dyn FnMut(String, String) -> Option<String>) {
    let mut all = |item: &str, value: String| add(item.to_owned(), value);
    all("name", machine.name.clone());
    let (notes, owner) = owner::split(&machine.notes, owner::WINDOWS_NEWLINE);
    all("notes", notes.to_owned());
    if let Some(owner) = owner {
        all("owner", owner.to_owned());
    }
    all("generation", machine.generation.to_string());
    let memory = &machine.memory;
    all("memory.startup-mib", (memory.startup >> 20).to_string());
    all("memory.dynamic", memory.dynamic.to_string());
    all("memory.minimum-mib", (memory.minimum >> 20).to_string());
    all("memory.maximum-mib", (memory.maximum >> 20).to_string());
    all("memory.buffer-percent", memory.buffer.to_string());
    all("memory.weight", (memory.priority * 100).to_string());
    let processors = &machine.processors;
    all("processors.count", processors.count.to_string());
    all("processors.limit", (processors.maximum * 1000).to_string());
    all("processors.reserve", (processors.reserve * 1000).to_string());
    all("processors.weight", processors.weight.to_string());
    all("processors.compatibility-for-migration", processors.migration.to_string());
    all("processors.compatibility-for-older-systems", processors.older.to_string());
    all("processors.nested-virtualization", processors.nested.to_string());
    for (property, item) in [
        ("BIOSGUID", "firmware.bios-guid"),
        ("BIOSSerialNumber", "firmware.bios-serial-number"),
        ("BaseBoardSerialNumber", "firmware.base-board-serial-number"),
        ("ChassisSerialNumber", "firmware.chassis-serial-number"),
        ("ChassisAssetTag", "firmware.chassis-asset-tag"),
    ] {
        all(item, machine.identity[property].trim_matches(['{', '}']).to_owned());
    }
    all("numa.processors-per-node", processors.per_node.to_string());
    all("numa.nodes-per-socket", processors.nodes_per_socket.to_string());
    all("numa.mib-per-node", (memory.per_node >> 20).to_string());
    let words = [("Floppy", "floppy"), ("CD", "optical"), ("IDE", "hard-drive"), ("LegacyNetworkAdapter", "network")];
    let word = |device: &String| words.iter().find(|(word, _)| word == device).unwrap().1;
    if machine.generation == 1 {
        all("firmware.boot-order", machine.boot_order.iter().map(word).collect::<Vec<_>>().join(" "));
    } else {
        all("firmware.secure-boot", machine.secure_boot.to_string());
        all("firmware.tpm", machine.tpm.to_string());
        all("firmware.secure-boot-template", machine.secure_boot_template.clone());
    }
    all("action.start", machine.start_action.clone());
    all("action.stop", machine.stop_action.clone());
    all("action.start-delay", machine.start_delay.to_string());
    device_settings(state, machine, add);
}

/// A disk with a signature is known by that in the plan, one without by its id.
fn physical(state: &State, number: i64) -> String {
    let disk = state.disks.iter().find(|disk| disk.number == number).unwrap();
    match disk.signature {
        Some(signature) => format!("physical disk signature {signature:08X}"),
        None => format!("physical disk gpt-id {}", disk.guid.trim_matches(['{', '}'])),
    }
}

pub fn device_settings(state: &State, machine: &Machine, add: &mut dyn FnMut(String, String) -> Option<String>) {
    for drive in &machine.drives {
        let value = match (drive.kind, &drive.path) {
            (DriveKind::Disk, Some(path)) => format!("disk {}", relative(path)),
            (DriveKind::Disk, None) => physical(state, drive.disk.unwrap()),
            (DriveKind::Dvd, Some(path)) => format!("image {}", relative(path)),
            (DriveKind::Dvd, None) => "empty dvd".to_owned(),
        };
        add(format!("drive.{}{}-{}", drive.controller.to_lowercase(), drive.number, drive.location), value);
    }
    if let Some(path) = &machine.floppy {
        add("drive.floppy0-0".to_owned(), format!("image {}", relative(path)));
    }
    for (index, adapter) in machine.adapters.iter().enumerate() {
        let mut all = |item: &str, value: String| add(format!("adapter{index}.{item}"), value);
        all("name", adapter.name.clone());
        all("kind", if adapter.legacy { "Legacy" } else { "Synthetic" }.to_owned());
        all("mac-is-static", adapter.mac.is_some().to_string());
        all("vlan", vlan(&adapter.vlan));
        all("mac-spoofing", adapter.spoofing.to_string());
        all("dhcp-guard", adapter.dhcp_guard.to_string());
        all("router-guard", adapter.router_guard.to_string());
        all("teaming", adapter.teaming.to_string());
        all("priority-tag", adapter.priority_tag.to_string());
        all("vmq-weight", adapter.vmq_weight.to_string());
        all("iov-weight", adapter.iov_weight.to_string());
        all("ipsec-offload-limit", adapter.ipsec_limit.to_string());
        if let Some(bandwidth) = &adapter.bandwidth {
            all("minimum-bandwidth", bandwidth.absolute.to_string());
            all("minimum-bandwidth-weight", bandwidth.weight.to_string());
            all("maximum-bandwidth", bandwidth.maximum.to_string());
        }
        if let Some(mac) = &adapter.mac {
            all("mac", hyphens(mac));
        }
        if let Some(name) = switch_name(state, adapter) {
            all("switch", name.to_owned());
        }
    }
    for (index, pipe) in machine.com_ports.iter().enumerate() {
        add(format!("com{}", index + 1), if pipe.is_empty() { "none".to_owned() } else { pipe.clone() });
    }
    let services = [
        ("84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47", "Heartbeat"),
        ("2A34B1C2-FD73-4043-8A5B-DD2159BC743F", "KeyValuePairExchange"),
        ("9F8233AC-BE49-4C79-8EE3-E7E1985B2077", "Shutdown"),
        ("2497F4DE-E9FA-4204-80E4-4B75C46419C0", "TimeSynchronization"),
        ("5CED1297-4598-4915-A5FC-AD21BB4D02A4", "Vss"),
        ("6C09BB55-D683-4DA0-8931-C9BF705F6480", "GuestServices"),
    ];
    for (class, name) in services {
        let state = match machine.services.get(class) {
            Some(false) => "disabled",
            Some(true) if name == "GuestServices" => "enabled",
            _ => continue,
        };
        add(format!("integration-service.{name}"), state.to_owned());
    }
}
