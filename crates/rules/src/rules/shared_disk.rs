//! Disks that several machines use at once: a shared VHDX (2012 R2) is read as a disk, a VHD set (2016 and later) is not.

use hvm_model::finding::{Level, Subject};

use crate::case::Case;
use crate::rule::{EXCLUDE, Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "machine.shared-disk",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "beyond.disks.shared",
        title: "A machine shares a disk with other machines.",
        answers: &[
            Offer::new(
                "accept",
                "The machine gets a copy of its own, which is not shared: share it by hand after the migration, or it stays apart.",
            ),
            EXCLUDE,
        ],
        check: shared,
    },
    Rule {
        id: "machine.vhd-set",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "beyond.disks.shared",
        title: "A machine uses a VHD set, whose disk is not read.",
        answers: &[Offer::new("accept", "The machine is migrated without that disk."), EXCLUDE],
        check: set,
    },
];

fn shared(case: &Case<'_>) -> Vec<Seen> {
    told(case, "disk.shared")
}

fn set(case: &Case<'_>) -> Vec<Seen> {
    told(case, "disk.vhd-set")
}

/// The problems of a kind, as findings of a rule of their own.
pub(super) fn told(case: &Case<'_>, kind: &str) -> Vec<Seen> {
    let problems = case.inventory.problems.iter().filter(|problem| problem.kind == kind);
    let seen = problems.map(|problem| {
        let message = format!("{} {}", problem.message, problem.hint);
        let seen = Seen::new(problem.subject.clone(), message.trim_end()).at(&problem.place);
        // A file that belongs to no machine cannot be left out with one.
        match &problem.subject {
            Subject::Machine { .. } | Subject::Disk { .. } => seen,
            _ => seen.only(&["accept", "discard"]),
        }
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.shared-disk",
        fires: |sample| sample.disk_problem("disk.shared"),
        quiet: |sample| sample.disk_problem("disk.missing"),
    },
    Example {
        rule: "machine.vhd-set",
        fires: |sample| sample.disk_problem("disk.vhd-set"),
        quiet: |sample| sample.disk_problem("disk.shared"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::{Sample, problem};
    use hvm_model::found::Problem;

    #[test]
    fn each_is_one_finding_with_what_to_do() {
        for (kind, rule) in [("disk.shared", "machine.shared-disk"), ("disk.vhd-set", "machine.vhd-set")] {
            let mut sample = Sample::new();
            sample.disk_problem(kind);
            let finding = sample.one(rule);
            assert!(finding.message.contains("Copy the hive again.") && !finding.message.contains('['), "{finding:?}");
            assert_eq!(sample.assess().len(), 1, "the general rule says it again");
            sample.answer(&format!("{rule}@Web=accept"));
            assert!(!sample.one(rule).is_open());
        }
    }

    #[test]
    fn of_a_checkpoint_without_a_machine_nothing_can_be_left_out() {
        let mut sample = Sample::new();
        let subject = Subject::File { path: r"D:\VMs\Snapshots\x.xml".to_owned() };
        sample.inventory.problems.push(Problem { kind: "disk.shared".to_owned(), ..problem(subject) });
        let values: Vec<String> = sample.one("machine.shared-disk").answers.into_iter().map(|offer| offer.value).collect();
        assert_eq!(values, ["accept"]);
    }
}
