//! A piece of the source could not be read: what it touches waits until the operator accepts it by name.

use hvm_model::finding::{Level, Subject};
use hvm_model::found::Problem;

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
        Offer::new("accept", "The migration goes on with what could be read, without that disk or adapter."),
    ],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let problems = case.inventory.problems.iter().filter(|problem| !OF_OTHER_RULES.contains(&problem.kind.as_str()));
    let seen = problems.map(|problem| {
        let message = format!("{} [{}] {}", problem.message, problem.kind, problem.hint);
        Seen::new(problem.subject.clone(), message.trim_end()).at(&problem.place).only(offered(problem))
    });
    seen.collect()
}

/// Kinds of problems that have rules of their own, because more can be said of them.
const OF_OTHER_RULES: [&str; 3] = ["machine.saved-state-unreadable", "disk.shared", "disk.vhd-set"];

/// Kinds of problems after which a machine is still known well enough to be migrated, when the operator says so. After
/// all others, such as two machines with one id, it can only be left out.
const BEARABLE: [&str; 4] =
    ["machine.setting-unreadable", "machine.id-mismatch", "checkpoint.duplicate-id", "checkpoint.parent-conflict"];

fn offered(problem: &Problem) -> &'static [&'static str] {
    match &problem.subject {
        Subject::Machine { .. } if !BEARABLE.contains(&problem.kind.as_str()) => &["exclude"],
        Subject::Machine { .. } | Subject::Disk { .. } | Subject::MachineAdapter { .. } => &["exclude", "accept"],
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
    fn a_machine_that_is_known_well_enough_can_be_accepted() {
        let answers = |kind: &str| {
            let mut sample = Sample::new();
            let subject = of_machine(&sample.inventory.machines[0]);
            sample.inventory.problems.push(Problem { kind: kind.to_owned(), ..problem(subject) });
            sample.one("source.problem").answers.len()
        };
        assert_eq!((answers("machine.setting-unreadable"), answers("machine.duplicate-id")), (2, 1));
    }

    #[test]
    fn what_has_a_rule_of_its_own_is_said_there_once() {
        for kind in OF_OTHER_RULES {
            let mut sample = Sample::new();
            sample.machine_problem(kind);
            let findings = sample.assess();
            assert!(findings.len() == 1 && findings[0].rule != "source.problem" && findings[0].is_open(), "{kind}: {findings:?}");
        }
    }

    #[test]
    fn the_message_holds_kind_and_hint() {
        let mut sample = Sample::new();
        sample.inventory.problems.push(problem(Subject::Host));
        let message = sample.one("source.problem").message;
        assert!(message.contains("[hive.damaged]") && message.contains("Copy the hive again."), "{message}");
    }
}
