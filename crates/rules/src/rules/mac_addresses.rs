//! MAC addresses that two adapters would have.

use std::collections::BTreeMap;

use hvm_model::finding::Level;
use hvm_model::names::MacAddress;
use hvm_model::vm::{Machine, VmAdapter};

use crate::case::{Case, of_adapter};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "machine.static-mac-duplicate",
    level: Level::Warns,
    under_extended: Level::Warns,
    clause: "beyond.networks.mac-unique",
    title: "Two adapters would have the same MAC address.",
    answers: &[],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let adapters = case.machines().flat_map(|machine| {
        machine.configuration.adapters.iter().map(move |adapter| (machine, adapter))
    });
    let mut by_mac: BTreeMap<MacAddress, Vec<(&Machine, &VmAdapter)>> = BTreeMap::new();
    for (machine, adapter) in adapters.filter(|(_, adapter)| adapter.mac != MacAddress::UNASSIGNED) {
        by_mac.entry(adapter.mac).or_default().push((machine, adapter));
    }
    let there = case.destination.map_or(&[][..], |destination| &destination.mac_addresses);
    let mut seen = Vec::new();
    for (mac, holders) in by_mac {
        let Some((machine, adapter)) = holders.first() else { continue };
        let mut owners: Vec<String> = holders.iter().map(|(machine, _)| format!("'{}'", machine.name)).collect();
        if there.contains(&mac) {
            owners.push("an adapter that is on the destination already".to_owned());
        }
        if owners.len() > 1 {
            let message = format!(
                "The MAC address {mac} belongs to more than one: {}. They cannot be on the same network at the same \
                 time.",
                owners.join(", ")
            );
            let places = holders.iter().map(|(_, one)| &one.place);
            seen.push(Seen::new(of_adapter(machine, adapter), message).at_all(places));
        }
    }
    seen
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "machine.static-mac-duplicate",
    fires: |sample| {
        let mac = sample.inventory.machines[0].configuration.adapters[0].mac;
        sample.add_machine("Twin").configuration.adapters[0].mac = mac;
    },
    quiet: |sample| {
        sample.inventory.machines[0].configuration.adapters[0].mac = MacAddress::UNASSIGNED;
        sample.add_machine("Twin").configuration.adapters[0].mac = MacAddress::UNASSIGNED;
    },
}];

#[cfg(test)]
mod tests {
    use crate::tests_support::Sample;

    #[test]
    fn addresses_of_the_destination_count() {
        let mut sample = Sample::new();
        let mac = sample.inventory.machines[0].configuration.adapters[0].mac;
        sample.destination().mac_addresses.push(mac);
        assert!(sample.one("machine.static-mac-duplicate").message.contains("on the destination already"));
    }
}
