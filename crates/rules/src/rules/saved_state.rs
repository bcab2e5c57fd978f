//! Saved states are not supported: of machines, and of checkpoints that were made while the machine ran.

use hvm_model::finding::Level;
use hvm_model::vm::MachineState;

use crate::case::{Case, of_machine};
use super::shared_disk::told;
use crate::rule::{EXCLUDE, Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "machine.saved-state",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "guide.not-supported.saved-state",
        title: "A machine is in the saved state.",
        answers: &[
            Offer::new("discard", "The saved state is dropped: the machine starts as after a power cut."),
            EXCLUDE,
        ],
        check: machine,
    },
    Rule {
        id: "machine.checkpoint-saved-state",
        level: Level::Warns,
        under_extended: Level::Warns,
        clause: "guide.not-supported.saved-state",
        title: "A checkpoint was made while the machine ran; its memory is not carried.",
        answers: &[],
        check: checkpoint,
    },
    Rule {
        id: "machine.saved-state-unknown",
        level: Level::Blocks,
        under_extended: Level::Blocks,
        clause: "guide.not-supported.saved-state",
        title: "Whether a machine or a checkpoint has a saved state could not be read.",
        answers: &[
            Offer::new("discard", "It is taken as off; a saved state that is there all the same is dropped, as after a power cut."),
            EXCLUDE,
        ],
        check: unknown,
    },
];

fn machine(case: &Case<'_>) -> Vec<Seen> {
    let seen = case.inventory.machines.iter().filter_map(|machine| match &machine.state {
        MachineState::Off => None,
        MachineState::Saved { place, .. } => {
            let message = format!(
                "The virtual machine '{}' is in the saved state, which cannot be migrated. To keep what it was \
                 doing, start it on the source, shut it down there, and assess again.",
                machine.name
            );
            Some(Seen::new(of_machine(machine), message).at(place))
        }
    });
    seen.collect()
}

fn checkpoint(case: &Case<'_>) -> Vec<Seen> {
    let seen = case.inventory.machines.iter().filter_map(|machine| {
        let saved: Vec<_> = machine.checkpoints.iter().filter(|checkpoint| checkpoint.has_saved_state).collect();
        if saved.is_empty() {
            return None;
        }
        let names: Vec<String> = saved.iter().map(|checkpoint| format!("'{}'", checkpoint.name)).collect();
        let message = format!(
            "Checkpoints of the virtual machine '{}' were made while it ran: {}. Their memory is not carried; their \
             disks are as after a power cut at that moment.",
            machine.name,
            names.join(", ")
        );
        Some(Seen::new(of_machine(machine), message).at_all(saved.iter().map(|checkpoint| &checkpoint.place)))
    });
    seen.collect()
}

fn unknown(case: &Case<'_>) -> Vec<Seen> {
    told(case, "machine.saved-state-unreadable")
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.saved-state",
        fires: |sample| sample.save_state(),
        quiet: |sample| sample.inventory.machines[0].state = MachineState::Off,
    },
    Example {
        rule: "machine.checkpoint-saved-state",
        fires: |sample| sample.add_checkpoint().has_saved_state = true,
        quiet: |sample| sample.add_checkpoint().has_saved_state = false,
    },
    Example {
        rule: "machine.saved-state-unknown",
        fires: |sample| sample.machine_problem("machine.saved-state-unreadable"),
        quiet: |sample| sample.machine_problem("machine.setting-unreadable"),
    },
];
