//! Memory of all machines together, and of the host, against that of the destination.

use hvm_model::finding::{Level, Subject};
use hvm_model::names::ByteSize;
use hvm_model::vm::Machine;

use crate::case::{Case, of_machine};
use crate::decision::Decision;
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

/// What Windows Server 2012 itself needs at least (its system requirements: 512 MB).
const HOST: ByteSize = ByteSize::from_mib(512);

pub(super) const RULES: &[Rule] = &[Rule {
    id: "destination.memory-sum",
    level: Level::Warns,
    under_extended: Level::Warns,
    clause: "prepare.destination.memory",
    title: "The machines together need more memory than the destination has.",
    answers: &[],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let Some(memory) = case.destination.and_then(|destination| destination.memory) else {
        return Vec::new();
    };
    let parts: Vec<ByteSize> = case.machines().filter_map(|machine| wanted(case, machine)).collect();
    let sum = parts.iter().fold(0u64, |sum, part| sum.saturating_add(part.0));
    if parts.len() < 2 || sum.saturating_add(HOST.0) <= memory.0 {
        return Vec::new();
    }
    let message = format!(
        "The {} machines that could run need {} of memory together and the host at least {HOST}; the destination has \
         {memory}. They cannot all run at the same time.",
        parts.len(),
        ByteSize(sum)
    );
    vec![Seen::new(Subject::Destination, message)]
}

/// Memory of a machine after the answers; `None` for one that alone is too large and waits for an answer.
fn wanted(case: &Case<'_>, machine: &Machine) -> Option<ByteSize> {
    let configured = ByteSize::from_mib(machine.configuration.memory.startup_mib);
    let limit = case.memory_limit()?;
    match case.decision("machine.memory-exceeds", &of_machine(machine)) {
        Some(Decision::ReduceMemory(size)) if configured > limit && size <= limit => Some(size),
        _ => (configured <= limit).then_some(configured),
    }
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "destination.memory-sum",
    fires: |sample| {
        sample.add_machine("Mail").configuration.memory.startup_mib = 15 * 1024;
    },
    quiet: |sample| {
        sample.add_machine("Mail").configuration.memory.startup_mib = 13 * 1024;
    },
}];

#[cfg(test)]
mod tests {
    use crate::tests_support::Sample;

    #[test]
    fn machines_that_wait_or_are_left_out_do_not_count() {
        let mut sample = Sample::new();
        sample.add_machine("Huge").configuration.memory.startup_mib = 64 * 1024;
        assert!(sample.found("destination.memory-sum").is_empty());
        sample.answer("machine.memory-exceeds@Huge=reduce:15GiB");
        assert_eq!(sample.found("destination.memory-sum").len(), 1);
        sample.answer("machine.memory-exceeds@Huge=exclude");
        assert!(sample.found("destination.memory-sum").is_empty());
    }
}
