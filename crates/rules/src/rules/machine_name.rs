//! Names of machines: those that the destination has already, and those that two machines of the source share.

use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::Level;

use crate::case::{Case, of_machine};
use crate::rule::{EXCLUDE, Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

const RENAME: Offer = Offer::new("rename:NAME", "The machine gets the name NAME on the destination.");

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "machine.name-taken",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "beyond.machines.names",
        title: "The destination already has a machine of the same name.",
        answers: &[RENAME, EXCLUDE],
        check: taken,
    },
    Rule {
        id: "machine.name-twice",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "beyond.machines.names",
        title: "Two machines of the source have the same name, and the destination needs different ones.",
        answers: &[RENAME, EXCLUDE],
        check: twice,
    },
];

fn taken(case: &Case<'_>) -> Vec<Seen> {
    let there = case.destination.map_or(&[][..], |destination| &destination.machines);
    let machines = case.inventory.machines.iter();
    let same = |name: &str| there.iter().any(|other| other.to_lowercase() == name.to_lowercase());
    let seen = machines.filter(|machine| same(&machine.name)).map(|machine| {
        let message = format!("The destination already has a machine named '{}'.", machine.name);
        Seen::new(of_machine(machine), message).at(&machine.place)
    });
    seen.collect()
}

/// Hyper-V tells machines apart by their ids; libvirt by their names.
fn twice(case: &Case<'_>) -> Vec<Seen> {
    let by_name = case.destination.is_some_and(|destination| destination.kind == DestinationKind::Libvirt);
    if !by_name {
        return Vec::new();
    }
    let mut seen = Vec::new();
    for (index, machine) in case.inventory.machines.iter().enumerate() {
        let earlier = case.inventory.machines.iter().take(index);
        let mut earlier = earlier.filter(|other| !case.excluded.contains(&other.id));
        if let Some(other) = earlier.find(|other| other.name == machine.name) {
            let message = format!(
                "The virtual machines {} and {} are both named '{}'; under libvirt names must differ. This is the \
                 second one.",
                other.id, machine.id, machine.name
            );
            seen.push(Seen::new(of_machine(machine), message).at(&machine.place));
        }
    }
    seen
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.name-taken",
        fires: |sample| sample.destination().machines.push("web".to_owned()),
        quiet: |sample| sample.destination().machines.push("web2".to_owned()),
    },
    Example {
        rule: "machine.name-twice",
        fires: |sample| {
            sample.add_machine("Web");
            sample.kvm();
        },
        quiet: |sample| {
            sample.add_machine("Web");
        },
    },
];

#[cfg(test)]
mod tests {
    use crate::tests_support::Sample;

    #[test]
    fn a_new_name_must_be_free() {
        let mut sample = Sample::new();
        sample.add_machine("Mail");
        sample.destination().machines.push("Web".to_owned());
        sample.answer("machine.name-taken@Web=rename:mail");
        assert!(sample.one("answer.invalid").message.contains("taken by another machine"));
        sample.answer("machine.name-taken@Web=rename:Web 2");
        assert!(sample.found("answer.invalid").is_empty());
    }
}
