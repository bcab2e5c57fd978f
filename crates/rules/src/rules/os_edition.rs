//! Edition of the source: Standard, Enterprise or Datacenter; not the stand-alone Hyper-V Server.

use hvm_model::finding::{Level, Subject};
use hvm_model::host::Edition;

use crate::case::Case;
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "os.hyper-v-server",
        level: Level::Blocks,
        under_extended: Level::Notes,
        clause: "guide.systems.hyper-v-server",
        title: "The source is the stand-alone product Microsoft Hyper-V Server.",
        answers: &[],
        check: hyper_v_server,
    },
    Rule {
        id: "os.edition-unsupported",
        level: Level::Blocks,
        under_extended: Level::Warns,
        clause: "guide.systems.editions",
        title: "The source's edition is not Standard, Enterprise or Datacenter.",
        answers: &[],
        check: other_edition,
    },
];

fn hyper_v_server(case: &Case<'_>) -> Vec<Seen> {
    let edition = &case.inventory.host.system.edition;
    if edition.value() != Some(&Edition::HyperVServer) {
        return Vec::new();
    }
    let message = "The source is the stand-alone product Microsoft Hyper-V Server. Its Hyper-V keeps its data as \
                   that of Windows Server does.";
    vec![Seen::new(Subject::Host, message).at_all(edition.place())]
}

fn other_edition(case: &Case<'_>) -> Vec<Seen> {
    let edition = &case.inventory.host.system.edition;
    let Some(Edition::Other(name)) = edition.value() else {
        return Vec::new();
    };
    let message = format!("The source's edition is '{name}'; supported are Standard, Enterprise and Datacenter.");
    vec![Seen::new(Subject::Host, message).at_all(edition.place())]
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "os.hyper-v-server",
        fires: |sample| sample.inventory.host.system.edition = read(Edition::HyperVServer),
        quiet: |sample| sample.inventory.host.system.edition = read(Edition::Standard),
    },
    Example {
        rule: "os.edition-unsupported",
        fires: |sample| sample.inventory.host.system.edition = read(Edition::Other("ServerWeb".to_owned())),
        quiet: |sample| sample.inventory.host.system.edition = read(Edition::HyperVServer),
    },
];
