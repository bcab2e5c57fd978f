//! Virtual networks whose kind cannot be concluded from the source.

use hvm_model::finding::Level;
use hvm_model::found::Found;
#[cfg(test)]
use hvm_model::network::SwitchKind;

use crate::case::{Case, of_switch};
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "switch.kind-unknown",
    level: Level::Manual,
    under_extended: Level::Manual,
    clause: "beyond.networks.kind",
    title: "It cannot be read whether a virtual network is external, internal or private.",
    answers: &[
        Offer::new("external", "It is external: created as internal, and a person reconnects it."),
        Offer::new("internal", "It is internal."),
        Offer::new("private", "It is private."),
        Offer::new("adapter:NAME", "It is external and created on the adapter NAME of the destination."),
    ],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let seen = case.inventory.switches.iter().filter_map(|switch| match &switch.kind {
        Found::Unknown { reason } => {
            let message = format!(
                "It is not known whether the virtual network '{}' is external, internal or private. {reason} \
                 Without an answer it is created as private, so that no machine reaches a network by mistake.",
                switch.name
            );
            Some(Seen::new(of_switch(switch), message).at(&switch.place))
        }
        _ => None,
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "switch.kind-unknown",
    fires: |sample| sample.inventory.switches[0].kind = Found::unknown("Two networks fit."),
    quiet: |sample| sample.inventory.switches[0].kind = read(SwitchKind::Internal),
}];
