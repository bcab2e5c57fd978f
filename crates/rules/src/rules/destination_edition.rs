//! Edition of the destination.

use hvm_model::finding::{Level, Subject};

use crate::case::Case;
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "destination.edition",
    level: Level::Blocks,
    under_extended: Level::Notes,
    clause: "guide.systems.editions",
    title: "The destination's edition is not Standard, Enterprise or Datacenter.",
    answers: &[],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let edition = case.destination.and_then(|destination| destination.edition.as_deref());
    let supported = ["standard", "enterprise", "datacenter"];
    match edition {
        Some(edition) if !supported.contains(&edition.to_lowercase().as_str()) => {
            let message = format!(
                "The destination's edition is '{edition}'; the guide supports Standard, Enterprise and Datacenter, \
                 and not the stand-alone Hyper-V Server."
            );
            vec![Seen::new(Subject::Destination, message)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "destination.edition",
    fires: |sample| sample.destination().edition = Some("hyper-v-server".to_owned()),
    quiet: |sample| sample.destination().edition = Some("Standard".to_owned()),
}];
