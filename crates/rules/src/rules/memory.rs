//! Memory of each machine against that of the destination. What a machine needs to start counts: the most of dynamic
//! memory is a wish, and its default is more than most hosts have.

use hvm_model::finding::{Level, Subject};
use hvm_model::names::ByteSize;

use crate::case::{Case, of_machine};
use crate::rule::{EXCLUDE, Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "machine.memory-exceeds",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "guide.not-supported.memory",
        title: "A machine has more memory than the destination can give.",
        answers: &[Offer::new("reduce:SIZE", "The machine gets SIZE of memory, e.g. 'reduce:4GiB'."), EXCLUDE],
        check: exceeds,
    },
    Rule {
        id: "destination.memory-unknown",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "prepare.destination.memory",
        title: "The memory of the destination is not known.",
        answers: &[],
        check: unknown,
    },
];

fn exceeds(case: &Case<'_>) -> Vec<Seen> {
    let Some((destination, limit)) = case.destination.zip(case.memory_limit()) else {
        return Vec::new();
    };
    let size = |mib: u64| ByteSize::from_mib(mib);
    let machines = case.inventory.machines.iter();
    let seen = machines.filter(|machine| size(machine.configuration.memory.startup_mib) > limit).map(|machine| {
        let why = match destination.memory {
            Some(memory) if memory <= destination.max_memory => format!("the destination has {memory}"),
            _ => format!("{} gives a machine at most {limit}", destination.kind),
        };
        let wanted = size(machine.configuration.memory.startup_mib);
        let message = format!("The virtual machine '{}' has {wanted} of memory; {why}.", machine.name);
        Seen::new(of_machine(machine), message).at(&machine.place)
    });
    seen.collect()
}

fn unknown(case: &Case<'_>) -> Vec<Seen> {
    let unknown = case.destination.is_some_and(|destination| destination.memory.is_none());
    let sum = case.machines().fold(0u64, |sum, machine| sum.saturating_add(machine.configuration.memory.startup_mib));
    if !unknown || sum == 0 {
        return Vec::new();
    }
    let message = format!(
        "The memory of the destination is not known. Check that it has enough for all machines that run at the same \
         time ({} if all of them do) and for the host itself.",
        ByteSize::from_mib(sum)
    );
    vec![Seen::new(Subject::Destination, message)]
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.memory-exceeds",
        fires: |sample| sample.inventory.machines[0].configuration.memory.startup_mib = 32 * 1024,
        quiet: |sample| {
            let memory = &mut sample.inventory.machines[0].configuration.memory;
            (memory.dynamic, memory.maximum_mib) = (true, 64 * 1024);
        },
    },
    Example {
        rule: "destination.memory-unknown",
        fires: |sample| sample.destination().memory = None,
        quiet: |sample| {
            sample.destination().memory = None;
            sample.inventory.machines.clear();
        },
    },
];

#[cfg(test)]
mod tests {
    use crate::tests_support::Sample;

    #[test]
    fn a_reduction_must_fit_and_is_then_the_answer() {
        let mut sample = Sample::new();
        sample.inventory.machines[0].configuration.memory.startup_mib = 32 * 1024;
        sample.answer("machine.memory-exceeds=reduce:17GiB");
        assert!(sample.one("answer.invalid").message.contains("16 GiB"));
        sample.answer("machine.memory-exceeds=reduce:8GiB");
        assert!(!sample.one("machine.memory-exceeds").is_open());
    }
}
