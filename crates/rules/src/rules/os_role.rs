//! There must be a Hyper-V role to migrate.

use hvm_model::finding::{Level, Subject};

use crate::case::Case;
use crate::rule::{ACCEPT_BEYOND, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "os.role-missing",
    level: Level::Blocks,
    under_extended: Level::Blocks,
    clause: "guide.scenarios.earlier-to-2012",
    title: "The Hyper-V role is not installed on the source.",
    answers: &[ACCEPT_BEYOND],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let installed = &case.inventory.host.hyper_v_installed;
    let message = "The Hyper-V role is not installed on the source (there is no service 'vmms'). Check that the \
                   folders are those of the Hyper-V host.";
    let seen = Seen::new(Subject::Host, message).at_all(installed.place());
    if installed.value() == Some(&false) { vec![seen] } else { Vec::new() }
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "os.role-missing",
    fires: |sample| sample.inventory.host.hyper_v_installed = read(false),
    quiet: |sample| sample.inventory.host.hyper_v_installed = read(true),
}];
