//! A piece of the source could not be read: what it touches waits until the operator accepts it by name.

use hvm_model::finding::{Level, Subject};

use crate::case::Case;
use crate::rule::{EXCLUDE, Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, problem};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "source.problem",
    level: Level::Blocks,
    under_extended: Level::Blocks,
    clause: "beyond.source.readable",
    title: "A piece of the source could not be read.",
    answers: &[
        EXCLUDE,
        Offer::new("accept", "The migration goes on without what could not be read; a machine goes without that \
                              disk or adapter."),
    ],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let seen = case.inventory.problems.iter().map(|problem| {
        let message = format!("{} [{}] {}", problem.message, problem.kind, problem.hint);
        Seen::new(problem.subject.clone(), message.trim_end()).at(&problem.place).only(offered(&problem.subject))
    });
    seen.collect()
}

/// A machine whose own configuration is damaged cannot go without it; one without a disk can, when the operator says
/// so.
fn offered(subject: &Subject) -> &'static [&'static str] {
    match subject {
        Subject::Machine { .. } => &["exclude"],
        Subject::Disk { .. } | Subject::MachineAdapter { .. } => &["exclude", "accept"],
        _ => &["accept"],
    }
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "source.problem",
    fires: |sample| sample.inventory.problems.push(problem(Subject::Host)),
    quiet: |sample| sample.inventory.problems.clear(),
}];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{of_disk, of_machine};
    use crate::tests_support::Sample;

    #[test]
    fn what_can_be_answered_depends_on_what_is_damaged() {
        let answers = |subject: Subject| {
            let mut sample = Sample::new();
            sample.inventory.problems.push(problem(subject));
            let finding = sample.one("source.problem");
            finding.answers.into_iter().map(|offer| offer.value).collect::<Vec<_>>()
        };
        let machine = Sample::new().inventory.machines[0].clone();
        let path = hvm_model::names::WindowsPath::new(r"D:\VMs\Web.vhd");
        assert_eq!(answers(of_machine(&machine)), ["exclude"]);
        assert_eq!(answers(of_disk(&machine, &path)), ["exclude", "accept"]);
        assert_eq!(answers(Subject::Host), ["accept"]);
    }

    #[test]
    fn the_message_holds_kind_and_hint() {
        let mut sample = Sample::new();
        sample.inventory.problems.push(problem(Subject::Host));
        let message = sample.one("source.problem").message;
        assert!(message.contains("[hive.damaged]") && message.contains("Copy the hive again."), "{message}");
    }
}
