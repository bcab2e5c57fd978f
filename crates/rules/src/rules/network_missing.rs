//! Adapters that are connected to a virtual network that is not there.

use hvm_model::finding::Level;
use hvm_model::found::VIRTUAL_NETWORKS;
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
    title: "An adapter is connected to a virtual network that is not there, or that nothing is known of.",
    answers: &[],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    let unknown = case.inventory.unknowns.iter().find(|unknown| unknown.item == VIRTUAL_NETWORKS);
    for machine in &case.inventory.machines {
        for adapter in &machine.configuration.adapters {
            let Connection::Switch { switch, name, .. } = &adapter.connection else { continue };
            if case.inventory.switches.iter().any(|known| same_switch(known.id.as_str(), switch)) {
                continue;
            }
            let name = name.as_deref().unwrap_or(switch);
            let what = match unknown {
                Some(unknown) => format!(
                    "; which virtual networks the host has is not known, so that nothing is known of this one ({})",
                    unknown.reason.trim_end_matches('.')
                ),
                None => ", which the source does not have (any more)".to_owned(),
            };
            let message = format!(
                "The network adapter '{}' ({}) of the virtual machine '{}' is connected to the virtual network \
                 '{name}'{what}. It is not connected on the destination; connect it by hand where that is wanted.",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;
    use hvm_model::found::Unknown;

    #[test]
    fn a_network_is_gone_only_where_the_list_is_known() {
        let message = |sample: &mut Sample| {
            sample.inventory.switches.clear();
            let found = sample.assess();
            let found: Vec<String> = found
                .into_iter()
                .filter(|finding| finding.rule == "machine.network-missing")
                .map(|finding| finding.message)
                .collect();
            found.join("\n")
        };
        let mut sample = Sample::new();
        assert!(message(&mut sample).contains("which the source does not have"));
        let how_to_learn = "On the host.".to_owned();
        let reason = "The hive is cut.".to_owned();
        sample.inventory.unknowns.push(Unknown { item: VIRTUAL_NETWORKS.to_owned(), reason, how_to_learn });
        let told = message(&mut sample);
        assert!(told.contains("is not known, so that nothing is known of this one (The hive is cut). It is not connected"), "{told}");
        assert!(!told.contains("does not have"), "{told}");
    }
}
