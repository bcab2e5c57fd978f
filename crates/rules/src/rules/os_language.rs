//! Source and destination must have the same system UI language. KVM has none, so nothing is compared there.

use hvm_model::capabilities::{Capabilities, DestinationKind};
use hvm_model::finding::{Level, Subject};

use crate::case::Case;
use crate::language::{language, same_language};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "os.language-differs",
        level: Level::Blocks,
        under_extended: Level::Warns,
        clause: "guide.systems.language",
        title: "Source and destination have different system UI languages.",
        answers: &[],
        check: differs,
    },
    Rule {
        id: "os.language-unknown",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "guide.systems.language",
        title: "The system UI languages cannot be compared because one is not known.",
        answers: &[],
        check: unknown,
    },
];

fn windows<'a>(case: &Case<'a>) -> Option<&'a Capabilities> {
    case.destination.filter(|destination| matches!(destination.kind, DestinationKind::HyperV { .. }))
}

fn differs(case: &Case<'_>) -> Vec<Seen> {
    let found = &case.inventory.host.system.ui_language;
    let there = windows(case).and_then(|destination| destination.ui_language.as_deref());
    let (Some(here), Some(there)) = (found.value(), there) else {
        return Vec::new();
    };
    if same_language(here, there) {
        return Vec::new();
    }
    let message = format!(
        "The system UI language of the source is {} and that of the destination is {}. Names of built-in groups and of \
         firewall groups differ; hvmigrate works with identifiers, but scripts of your own may not.",
        language(here),
        language(there)
    );
    vec![Seen::new(Subject::Host, message).at_all(found.place())]
}

fn unknown(case: &Case<'_>) -> Vec<Seen> {
    let Some(destination) = windows(case) else {
        return Vec::new();
    };
    let found = &case.inventory.host.system.ui_language;
    let message = match (found.value(), destination.ui_language.as_deref()) {
        (Some(_), Some(_)) => return Vec::new(),
        (Some(here), None) => format!(
            "The system UI language of the source is {}; that of the destination is not known. Check that it is the \
             same ('dism /online /get-intl' on the destination).",
            language(here)
        ),
        (None, _) => "The system UI language of the source could not be read. Check that the destination has the same \
                      ('dism /online /get-intl' on both)."
            .to_owned(),
    };
    vec![Seen::new(Subject::Host, message).at_all(found.place())]
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "os.language-differs",
        fires: |sample| sample.destination().ui_language = Some("040c".to_owned()),
        quiet: |sample| sample.destination().ui_language = Some("0407".to_owned()),
    },
    Example {
        rule: "os.language-unknown",
        fires: |sample| sample.destination().ui_language = None,
        quiet: |sample| {
            sample.destination().ui_language = None;
            sample.kvm();
        },
    },
];
