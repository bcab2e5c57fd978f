//! Names and ids under libvirt: names are unique there, and neither `/` nor control characters may occur.

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

/// UUID of a domain. The guest sees it as the id of its computer, so it is the BIOS GUID of the source where that is one and
/// no other machine has it; else the id of the machine.
pub(crate) fn uuid(role: &Role, machine: &RoleMachine) -> String {
    let guid = |machine: &RoleMachine| {
        let text = machine.configuration.firmware.bios_guid.as_deref()?;
        text.parse::<hvm_model::names::VmId>().ok().map(|id| id.to_string())
    };
    let own = guid(machine);
    let taken = role
        .machines
        .iter()
        .filter(|other| other.id != machine.id)
        .any(|other| guid(other) == own || own.as_deref() == Some(other.id.as_str()));
    match own {
        Some(guid) if !taken => guid.to_lowercase(),
        _ => machine.id.as_str().to_lowercase(),
    }
}

/// Name of the bridge that libvirt makes for a network: at most 15 bytes.
pub(crate) fn bridge(switch: &RoleSwitch) -> String {
    let hash = blake3::hash(switch.id.as_str().as_bytes()).to_hex();
    format!("hvm{}", hash.get(..8).unwrap_or_default())
}
