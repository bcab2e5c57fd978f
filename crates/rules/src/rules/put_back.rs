//! How Hyper-V gets a machine back: from its own configuration, or made anew, by the operator's choice where both go.

use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::Level;

use crate::case::{Case, of_machine};
use crate::registration::registration_obstacle;
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "machine.configuration",
    level: Level::Notes,
    under_extended: Level::Notes,
    clause: "beyond.machines.put-back",
    title: "The destination imports a machine's own configuration, so that the machine keeps its id.",
    answers: &[
        Offer::new("register", "Its configuration is registered in place, and what the plan changes is set in it (the default)."),
        Offer::new("new", "The machine is made anew around its disks and gets a new id."),
    ],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let Some(DestinationKind::HyperV { release }) = case.destination.map(|destination| destination.kind) else {
        return Vec::new();
    };
    let machines = case.machines().filter(|machine| registration_obstacle(machine, release).is_none());
    let seen = machines.map(|machine| {
        let (major, minor) = machine.version.unwrap_or_default();
        let message = format!(
            "{release} imports the configuration of the virtual machine '{}' (version {major}.{minor}): it is registered in place, and \
             the machine keeps its id {} and those of its devices. Files, networks and answers of this plan are set in it before and \
             after.",
            machine.name, machine.id
        );
        Seen::new(of_machine(machine), message).at(&machine.place)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "machine.configuration",
    fires: |sample| {
        sample.destination().kind = DestinationKind::HyperV { release: hvm_model::host::WindowsRelease::Server2016 };
        sample.inventory.machines[0].version = Some((5, 0));
    },
    quiet: |_| {},
}];
