//! Virtual adapters of the management operating system whose virtual network is not known.

use hvm_model::finding::{Level, Subject};
use hvm_model::found::Found;

use crate::case::Case;
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "management-adapter.network-unknown",
    level: Level::Manual,
    under_extended: Level::Manual,
    clause: "guide.automatic.management-adapter",
    title: "It cannot be read to which virtual network an adapter of the management operating system belongs.",
    answers: &[],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let seen = case.inventory.management_adapters.iter().filter_map(|adapter| match &adapter.switch {
        Found::Unknown { reason } => {
            let subject = Subject::Adapter { id: adapter.id.clone(), name: adapter.connection.clone() };
            let message = format!(
                "It is not known to which virtual network the adapter '{}' of the management operating system \
                 belongs. {reason} Its addresses ({}) are in the report; set them by hand on the adapter that takes \
                 its place.",
                adapter.connection,
                if adapter.ip.addresses.is_empty() { "none static".to_owned() } else { adapter.ip.addresses.join(", ") }
            );
            Some(Seen::new(subject, message).at(&adapter.place))
        }
        _ => None,
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "management-adapter.network-unknown",
    fires: |sample| sample.add_management_adapter().switch = Found::unknown("Its name fits no network."),
    quiet: |sample| {
        let switch = sample.inventory.switches[0].id.clone();
        sample.add_management_adapter().switch = read(switch);
    },
}];
