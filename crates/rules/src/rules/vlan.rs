//! VLANs of adapters. On 2008 and 2008 R2 the switch port holds them under names that nobody documents; where a port
//! holds such values, a person has to say what they mean.

use hvm_model::finding::Level;
use hvm_model::network::SwitchPort;
use hvm_model::vm::{Connection, VmAdapter};

use super::network_missing::same_switch;
use crate::case::{Case, of_adapter};
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "machine.vlan-unknown",
    level: Level::Manual,
    under_extended: Level::Manual,
    clause: "beyond.networks.vlan",
    title: "The VLAN of an adapter cannot be read.",
    answers: &[
        Offer::new("untagged", "The adapter has no VLAN."),
        Offer::new("access:ID", "The adapter is in the VLAN ID, 1 to 4094."),
        Offer::new("trunk:NATIVE,ID,ID", "The adapter is a trunk: the native VLAN, then all VLANs that pass."),
    ],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for machine in &case.inventory.machines {
        for adapter in machine.configuration.adapters.iter().filter(|adapter| adapter.vlan.value().is_none()) {
            let Some(port) = port(case, adapter).filter(|port| !port.other.is_empty()) else { continue };
            let values: Vec<String> = port.other.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let message = format!(
                "The switch port of the network adapter '{}' ({}) of the virtual machine '{}' holds values whose \
                 meaning is not documented: {}. They may set a VLAN. Look at the machine's settings on the source, \
                 or ask the network's owner, and answer; without an answer the adapter is untagged.",
                adapter.name,
                adapter.mac,
                machine.name,
                values.join(", ")
            );
            seen.push(Seen::new(of_adapter(machine, adapter), message).at(&port.place).at(&adapter.place));
        }
    }
    seen
}

fn port<'a>(case: &Case<'a>, adapter: &VmAdapter) -> Option<&'a SwitchPort> {
    let Connection::Switch { switch, port, .. } = &adapter.connection else {
        return None;
    };
    let switch = case.inventory.switches.iter().find(|known| same_switch(known.id.as_str(), switch))?;
    switch.ports.iter().find(|known| same_switch(&known.id, port))
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "machine.vlan-unknown",
    fires: |sample| {
        sample.inventory.switches[0].ports[0].other.insert("VlanProperties".to_owned(), "00 0C".to_owned());
    },
    quiet: |sample| {
        sample.inventory.switches[0].ports[0].other.insert("VlanProperties".to_owned(), "00 0C".to_owned());
        sample.inventory.machines[0].configuration.adapters[0].vlan = read(hvm_model::network::Vlan::Untagged);
    },
}];
