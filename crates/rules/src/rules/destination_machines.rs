//! A destination that already has machines: several instances of Hyper-V would become one.

use hvm_model::finding::{Level, Subject};

use crate::case::Case;
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "destination.consolidation",
    level: Level::Blocks,
    under_extended: Level::Warns,
    clause: "guide.not-supported.consolidation-hosts",
    title: "The destination already has virtual machines.",
    answers: &[],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let machines = case.destination.map_or(&[][..], |destination| &destination.machines);
    if machines.is_empty() {
        return Vec::new();
    }
    let names: Vec<String> = machines.iter().take(10).map(|name| format!("'{name}'")).collect();
    let more = if machines.len() > names.len() { ", ..." } else { "" };
    let message = format!(
        "The destination already has {} virtual machines ({}{more}); bringing several Hyper-V hosts together on one is \
         outside the guide. Settings of the host as a whole, such as the range of MAC addresses, apply to all of them.",
        machines.len(),
        names.join(", ")
    );
    vec![Seen::new(Subject::Destination, message)]
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "destination.consolidation",
    fires: |sample| sample.destination().machines.push("Older".to_owned()),
    quiet: |sample| sample.destination().machines.clear(),
}];
