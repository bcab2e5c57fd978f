//! Answers that cannot be taken, and answers that fit nothing. What they find depends on all other findings, so
//! `assess` makes them; here is what they are.

use hvm_model::finding::Level;

use crate::rule::{EXCLUDE, Rule};
#[cfg(test)]
use crate::tests_support::Example;

/// An answer that its rule does not take here.
pub(crate) const INVALID: Rule = Rule {
    id: "answer.invalid",
    level: Level::Blocks,
    under_extended: Level::Blocks,
    clause: "beyond.answers.valid",
    title: "An answer cannot be taken.",
    answers: &[EXCLUDE],
    check: |_| Vec::new(),
};

/// An answer that fits no finding.
pub(crate) const UNUSED: Rule = Rule {
    id: "answer.unused",
    level: Level::Warns,
    under_extended: Level::Warns,
    clause: "beyond.answers.used",
    title: "An answer fits no finding and does nothing.",
    answers: &[],
    check: |_| Vec::new(),
};

pub(super) const RULES: &[Rule] = &[INVALID, UNUSED];

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "answer.invalid",
        fires: |sample| {
            sample.save_state();
            sample.answer("machine.saved-state@Web=keep");
        },
        quiet: |sample| {
            sample.save_state();
            sample.answer("machine.saved-state@Web=discard");
        },
    },
    Example {
        rule: "answer.unused",
        fires: |sample| {
            sample.save_state();
            sample.answer("machine.saved-state@Wbe=discard");
        },
        quiet: |sample| {
            sample.save_state();
            sample.answer("machine.saved-state@WEB=discard");
        },
    },
];
