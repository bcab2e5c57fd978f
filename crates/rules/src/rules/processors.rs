//! Virtual processors against the logical processors of the destination.

use hvm_model::finding::{Level, Subject};

use crate::case::{Case, of_machine};
use crate::rule::{EXCLUDE, Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "machine.processors-exceed",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "guide.not-supported.processors",
        title: "A machine has more virtual processors than the destination can give.",
        answers: &[Offer::new("reduce:N", "The machine gets N virtual processors."), EXCLUDE],
        check: exceed,
    },
    Rule {
        id: "destination.processors-unknown",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "prepare.destination.processors",
        title: "The number of logical processors of the destination is not known.",
        answers: &[],
        check: unknown,
    },
];

fn exceed(case: &Case<'_>) -> Vec<Seen> {
    let Some((destination, limit)) = case.destination.zip(case.processor_limit()) else {
        return Vec::new();
    };
    let machines = case.inventory.machines.iter().filter(|machine| machine.configuration.processors.count > limit);
    let seen = machines.map(|machine| {
        let why = match destination.logical_processors {
            Some(logical) if logical <= destination.max_processors => {
                format!("the destination has {logical} logical processors")
            }
            _ => format!("{} gives a machine at most {limit}", destination.kind),
        };
        let message = format!(
            "The virtual machine '{}' has {} virtual processors; {why}.",
            machine.name, machine.configuration.processors.count
        );
        Seen::new(of_machine(machine), message).at(&machine.place)
    });
    seen.collect()
}

fn unknown(case: &Case<'_>) -> Vec<Seen> {
    let largest = case.machines().map(|machine| machine.configuration.processors.count).max();
    let unknown = case.destination.is_some_and(|destination| destination.logical_processors.is_none());
    match largest {
        Some(largest) if unknown => {
            let message = format!(
                "The number of logical processors of the destination is not known. Check that it has at least \
                 {largest}, as many as the largest machine has virtual ones."
            );
            vec![Seen::new(Subject::Destination, message)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.processors-exceed",
        fires: |sample| sample.inventory.machines[0].configuration.processors.count = 9,
        quiet: |sample| sample.inventory.machines[0].configuration.processors.count = 8,
    },
    Example {
        rule: "destination.processors-unknown",
        fires: |sample| sample.destination().logical_processors = None,
        quiet: |sample| {
            sample.destination().logical_processors = None;
            sample.inventory.machines.clear();
        },
    },
];

#[cfg(test)]
mod tests {
    use crate::tests_support::Sample;

    #[test]
    fn the_limit_of_the_kind_counts_when_the_host_is_unknown() {
        let mut sample = Sample::new();
        sample.destination().logical_processors = None;
        sample.inventory.machines[0].configuration.processors.count = 65;
        assert!(sample.one("machine.processors-exceed").message.contains("at most 64"));
    }

    #[test]
    fn a_reduction_must_fit() {
        let mut sample = Sample::new();
        sample.inventory.machines[0].configuration.processors.count = 16;
        sample.answer("machine.processors-exceed@Web=reduce:9");
        assert!(sample.one("machine.processors-exceed").is_open());
        assert!(sample.one("answer.invalid").message.contains("more than the destination can give: 8"));
        sample.answer("machine.processors-exceed@Web=reduce:4");
        assert_eq!(sample.one("machine.processors-exceed").answer.as_deref(), Some("reduce:4"));
        assert!(sample.found("answer.invalid").is_empty());
    }
}
