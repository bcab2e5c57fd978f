//! Machine configurations that hold more, or are newer, than what hvmigrate understands.

use hvm_model::finding::Level;

use crate::case::{Case, of_machine};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "machine.unknown-nodes",
        level: Level::Notes,
        under_extended: Level::Notes,
        clause: "beyond.machines.unknown-nodes",
        title: "A machine's configuration holds settings that are not known.",
        answers: &[],
        check: unknown_nodes,
    },
    Rule {
        id: "machine.configuration-version",
        level: Level::Warns,
        under_extended: Level::Warns,
        clause: "beyond.machines.configuration-version",
        title: "A machine's configuration has a version that is not known.",
        answers: &[],
        check: version,
    },
];

/// Versions of configurations that are XML: 1.0 of Windows Server 2008 to 5.0 of 2012 R2.
const XML_VERSIONS: std::ops::RangeInclusive<(u16, u16)> = (1, 0)..=(5, 0);
/// Versions of configurations that are binary (`.vmcx`): 6.2 to 12.0 of Windows Server 2025.
const BINARY_VERSIONS: std::ops::RangeInclusive<(u16, u16)> = (6, 2)..=(12, 0);

fn unknown_nodes(case: &Case<'_>) -> Vec<Seen> {
    let machines = case.inventory.machines.iter().filter(|machine| !machine.unknown_nodes.is_empty());
    let seen = machines.map(|machine| {
        let some: Vec<&str> = machine.unknown_nodes.iter().take(8).map(String::as_str).collect();
        let more = machine.unknown_nodes.len() - some.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!(
            "The configuration of the virtual machine '{}' holds settings that hvmigrate does not know: {}{more}. \
             They are not set on the destination; the configuration file itself is copied as it is.",
            machine.name,
            some.join(", ")
        );
        Seen::new(of_machine(machine), message).at(&machine.place)
    });
    seen.collect()
}

fn version(case: &Case<'_>) -> Vec<Seen> {
    let seen = case.inventory.machines.iter().filter_map(|machine| {
        let version = machine.version?;
        let known = XML_VERSIONS.contains(&version) || BINARY_VERSIONS.contains(&version);
        let message = format!(
            "The configuration of the virtual machine '{}' has version {}.{}, which is not known; settings may mean \
             something else in it. Compare the settings in the report with those on the source.",
            machine.name, version.0, version.1
        );
        (!known).then(|| Seen::new(of_machine(machine), message).at(&machine.place))
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.unknown-nodes",
        fires: |sample| sample.inventory.machines[0].unknown_nodes.push("properties/new".to_owned()),
        quiet: |sample| sample.inventory.machines[0].unknown_nodes.clear(),
    },
    Example {
        rule: "machine.configuration-version",
        fires: |sample| sample.inventory.machines[0].version = Some((13, 0)),
        quiet: |sample| sample.inventory.machines[0].version = Some((3, 0)),
    },
];
