//! A machine that nothing speaks against can still be left out: the answer itself makes the finding.

use hvm_model::finding::Level;

use crate::case::{Case, of_machine};
use crate::rule::{EXCLUDE, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "machine.left-out",
    level: Level::Notes,
    under_extended: Level::Notes,
    clause: "beyond.machines.left-out",
    title: "The operator leaves out a machine ('machine.left-out@NAME=exclude').",
    answers: &[EXCLUDE],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let machines = case.inventory.machines.iter();
    let named = machines.filter(|machine| case.choices.answer("machine.left-out", &of_machine(machine)).is_some());
    let seen = named.map(|machine| {
        let message = format!("The virtual machine '{}' is left out because the operator said so.", machine.name);
        Seen::new(of_machine(machine), message).at(&machine.place)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "machine.left-out",
    fires: |sample| sample.answer("machine.left-out@Web=exclude"),
    quiet: |sample| sample.answer("machine.left-out@Nobody=exclude"),
}];
