//! Names and ids under libvirt: names are unique there, and neither `/` nor control characters may occur.

use hvm_model::names::VmId;
use hvm_model::role::{Role, RoleMachine, RoleSwitch};

use crate::names;

/// Longest name that is taken over as it is: libvirt makes file names of it.
const MOST_BYTES: usize = 100;

fn is_valid(name: &str) -> bool {
    let plain =
        !name.chars().any(|character| character == '/' || character.is_control() || !super::xml::is_xml(character));
    plain && name == name.trim() && !matches!(name, "" | "." | "..") && name.len() <= MOST_BYTES
}

/// Name of a domain: the machine's own one where libvirt takes it, else that of its folder, which is safe and unique.
pub(crate) fn domain(role: &Role, machine: &RoleMachine) -> String {
    let same = role.machines.iter().filter(|other| other.name == machine.name).count();
    let folder = role.machines.iter().any(|other| other.id != machine.id && other.folder == machine.name);
    if is_valid(&machine.name) && same <= 1 && !folder { machine.name.clone() } else { machine.folder.clone() }
}

/// Name of a network: its own one where libvirt takes it, else a safe one with the beginning of its id.
pub(crate) fn network(role: &Role, switch: &RoleSwitch) -> String {
    let same = role.switches.iter().filter(|other| other.name == switch.name).count();
    if is_valid(&switch.name) && same <= 1 { switch.name.clone() } else { with_id(switch) }
}

fn with_id(switch: &RoleSwitch) -> String {
    let id: String = switch.id.as_str().chars().take(8).collect();
    format!("{}-{id}", names::safe(&switch.name))
}

/// File of a network below the root.
pub(crate) fn network_file(role: &Role, switch: &RoleSwitch) -> String {
    let key = |switch: &RoleSwitch| names::safe(&switch.name).to_lowercase();
    let same = role.switches.iter().filter(|other| key(other) == key(switch)).count();
    let stem = if same <= 1 { names::safe(&switch.name) } else { with_id(switch) };
    format!("networks/{stem}.xml")
}

/// File of a machine below the root.
pub(crate) fn machine_file(machine: &RoleMachine) -> String {
    format!("machines/{}.xml", machine.folder)
}

fn bios_guid(machine: &RoleMachine) -> Option<VmId> {
    machine.configuration.firmware.bios_guid.as_ref()?.parse().ok()
}

/// True when the UUID of the domain is the BIOS GUID: it is one, and no other machine has it.
pub(crate) fn keeps_bios_guid(role: &Role, machine: &RoleMachine) -> bool {
    let mut others = role.machines.iter().filter(|other| other.id != machine.id);
    let own = bios_guid(machine);
    own.is_some() && !others.any(|other| bios_guid(other) == own || Some(&other.id) == own.as_ref())
}

/// UUID of a domain. The guest sees it as the id of its computer, so it is the BIOS GUID of the source where it can be; else
/// the id of the machine.
pub(crate) fn uuid(role: &Role, machine: &RoleMachine) -> String {
    let guid = bios_guid(machine).filter(|_| keeps_bios_guid(role, machine));
    guid.unwrap_or_else(|| machine.id.clone()).as_str().to_lowercase()
}

/// Name of the bridge that libvirt makes for a network: at most 15 bytes.
pub(crate) fn bridge(switch: &RoleSwitch) -> String {
    let hash = blake3::hash(switch.id.as_str().as_bytes()).to_hex();
    format!("hvm{}", hash.get(..8).unwrap_or_default())
}
