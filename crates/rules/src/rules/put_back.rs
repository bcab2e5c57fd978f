//! How Hyper-V gets a machine back: from its own configuration, or made anew, by the operator's choice where both go. Only one
//! machine of a host can have an id.

use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::Level;
use hvm_model::host::WindowsRelease;
use hvm_model::vm::Machine;

use crate::case::{Case, of_machine};
use crate::decision::Decision;
use crate::registration::registration_obstacle;
use crate::rule::{EXCLUDE, Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[CONFIGURATION, ID_TAKEN];

const CONFIGURATION: Rule = Rule {
    id: "machine.configuration",
    level: Level::Notes,
    under_extended: Level::Notes,
    clause: "beyond.machines.put-back",
    title: "The destination imports a machine's own configuration, so that the machine keeps its id.",
    answers: &[
        Offer::new("register", "Its configuration is registered in place, and what the plan changes is set in it (the default)."),
        Offer::new("new", "The machine is made anew around its disks and gets a new id."),
    ],
    check: registered,
};

const ID_TAKEN: Rule = Rule {
    id: "machine.id-taken",
    level: Level::Blocks,
    under_extended: Level::Blocks,
    clause: "beyond.machines.put-back",
    title: "The destination already has a machine with the id that a machine would keep.",
    answers: &[EXCLUDE],
    check: taken,
};

/// The release of the destination, where that is Hyper-V and the machine can be registered there.
fn registrable(case: &Case<'_>, machine: &Machine) -> Option<WindowsRelease> {
    let DestinationKind::HyperV { release } = case.destination?.kind else { return None };
    registration_obstacle(machine, release).is_none().then_some(release)
}

/// Whether a machine is registered from its own configuration, so that its guest sees the devices that it had.
pub(super) fn keeps_its_devices(case: &Case<'_>, machine: &Machine) -> bool {
    let anew = case.decision(CONFIGURATION.id, &of_machine(machine)) == Some(Decision::MakeAnew);
    !anew && registrable(case, machine).is_some()
}

fn registered(case: &Case<'_>) -> Vec<Seen> {
    let seen = case.machines().filter_map(|machine| {
        let release = registrable(case, machine)?;
        let (major, minor) = machine.version.unwrap_or_default();
        let message = format!(
            "{release} imports the configuration of the virtual machine '{}' (version {major}.{minor}): it is registered in place, and \
             the machine keeps its id {} and those of its devices. Files, networks and answers of this plan are set in it before and \
             after.",
            machine.name, machine.id
        );
        Some(Seen::new(of_machine(machine), message).at(&machine.place))
    });
    seen.collect()
}

fn taken(case: &Case<'_>) -> Vec<Seen> {
    let ids = case.destination.map_or(&[][..], |destination| &destination.machine_ids);
    let kept = |machine: &&Machine| ids.contains(&machine.id) && keeps_its_devices(case, machine);
    let seen = case.machines().filter(kept).map(|machine| {
        let message = format!(
            "The destination already has a machine with the id {}, under which the virtual machine '{}' would be registered. Remove that \
             one when it is an earlier copy, or have this one made anew with the answer 'machine.configuration@{}=new'.",
            machine.id, machine.name, machine.id
        );
        Seen::new(of_machine(machine), message).at(&machine.place)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example { rule: "machine.configuration", fires: imported, quiet: |_| {} },
    Example {
        rule: "machine.id-taken",
        fires: |sample| {
            imported(sample);
            let id = sample.inventory.machines[0].id.clone();
            sample.destination().machine_ids.push(id);
        },
        quiet: |sample| {
            imported(sample);
            let id = sample.inventory.machines[0].id.clone();
            sample.destination().machine_ids.push(id);
            sample.answer("machine.configuration@Web=new");
        },
    },
];

/// A machine that the destination can register.
#[cfg(test)]
fn imported(sample: &mut crate::tests_support::Sample) {
    sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2016 };
    sample.inventory.machines[0].version = Some((5, 0));
}
