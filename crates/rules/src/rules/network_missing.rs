//! Adapters that are connected to a virtual network that is not there.

use hvm_model::finding::Level;
use hvm_model::vm::Connection;

use crate::case::{Case, of_adapter};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "machine.network-missing",
    level: Level::Manual,
    under_extended: Level::Manual,
    clause: "beyond.networks.missing",
    title: "An adapter is connected to a virtual network that is not there.",
    answers: &[],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for machine in &case.inventory.machines {
        for adapter in &machine.configuration.adapters {
            let Connection::Switch { switch, name, .. } = &adapter.connection else { continue };
            if case.inventory.switches.iter().any(|known| same_switch(known.id.as_str(), switch)) {
                continue;
            }
            let name = name.as_deref().unwrap_or(switch);
            let message = format!(
                "The network adapter '{}' ({}) of the virtual machine '{}' is connected to the virtual network \
                 '{name}', which the source does not have (any more). It is not connected on the destination; \
                 connect it by hand where that is wanted.",
                adapter.name, adapter.mac, machine.name
            );
            seen.push(Seen::new(of_adapter(machine, adapter), message).at(&adapter.place));
        }
    }
    seen
}

/// Configurations write the id with or without braces.
pub(super) fn same_switch(id: &str, written: &str) -> bool {
    written.trim().trim_start_matches('{').trim_end_matches('}').eq_ignore_ascii_case(id)
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "machine.network-missing",
    fires: |sample| sample.inventory.switches.clear(),
    quiet: |sample| {
        sample.inventory.switches.clear();
        sample.inventory.machines[0].configuration.adapters[0].connection = Connection::None;
    },
}];
