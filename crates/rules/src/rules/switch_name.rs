//! Virtual networks whose name the destination has already.

use hvm_model::finding::Level;

use crate::case::{Case, of_switch};
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "switch.name-taken",
    level: Level::Blocks,
    under_extended: Level::Blocks,
    clause: "beyond.networks.names",
    title: "The destination already has a virtual network of the same name.",
    answers: &[Offer::new("accept", "The machines are connected to the network that is there; none is created.")],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let there = case.destination.map_or(&[][..], |destination| &destination.switches);
    let taken = |name: &str| there.iter().any(|other| other.to_lowercase() == name.to_lowercase());
    let switches = case.inventory.switches.iter().filter(|switch| taken(&switch.name));
    let seen = switches.map(|switch| {
        let message = format!(
            "The destination already has a virtual network named '{}'. Rename it there, or accept that it is used.",
            switch.name
        );
        Seen::new(of_switch(switch), message).at(&switch.place)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "switch.name-taken",
    fires: |sample| sample.destination().switches.push("lan".to_owned()),
    quiet: |sample| sample.destination().switches.push("WAN".to_owned()),
}];
