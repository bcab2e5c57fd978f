//! How checkpoints are carried on a destination that does not take them as they are.

use hvm_model::finding::Level;

use crate::case::{Case, of_machine};
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "machine.checkpoints",
    level: Level::Notes,
    under_extended: Level::Notes,
    clause: "beyond.checkpoints.as-disks",
    title: "A machine has checkpoints; each becomes a disk or a machine of its own.",
    answers: &[
        Offer::new("disks", "Each checkpoint becomes a complete disk of its own beside the present one (the default)."),
        Offer::new(
            "machines",
            "Each checkpoint becomes a machine of its own, that starts with no host and is connected to no network.",
        ),
        Offer::new("current-only", "Only the present state is migrated."),
    ],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    if case.destination.is_some_and(|destination| destination.keeps_checkpoints) {
        return Vec::new();
    }
    let machines = case.inventory.machines.iter().filter(|machine| !machine.checkpoints.is_empty());
    let seen = machines.map(|machine| {
        let checkpoints = machine.checkpoints.iter();
        let names: Vec<String> = checkpoints.map(|checkpoint| format!("'{}'", checkpoint.name)).collect();
        let message = format!(
            "The virtual machine '{}' has {} checkpoints ({}). Its present disk is complete without them. Each \
             checkpoint is carried as a complete disk of its own beside it, with its name; the tree itself is not \
             rebuilt.",
            machine.name,
            names.len(),
            names.join(", ")
        );
        Seen::new(of_machine(machine), message).at_all(machine.checkpoints.iter().map(|checkpoint| &checkpoint.place))
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "machine.checkpoints",
    fires: |sample| {
        sample.add_checkpoint();
    },
    quiet: |sample| {
        sample.add_checkpoint();
        sample.destination().keeps_checkpoints = true;
    },
}];
