//! Machines of generation 2 need firmware that the destination may not have.

use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::Level;
use hvm_model::host::WindowsRelease;

use crate::case::{Case, of_machine};
use crate::rule::{EXCLUDE, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "machine.generation",
    level: Level::Blocks,
    under_extended: Level::Blocks,
    clause: "beyond.machines.generation",
    title: "A machine of generation 2 cannot run on the destination.",
    answers: &[EXCLUDE],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let Some(kind) = case.destination.map(|destination| destination.kind) else {
        return Vec::new();
    };
    let why = match kind {
        DestinationKind::HyperV { release } if release >= WindowsRelease::Server2012R2 => return Vec::new(),
        DestinationKind::HyperV { .. } => "Windows Server 2012 R2 is the first that has it",
        DestinationKind::Libvirt => "machines for KVM are defined with a BIOS only",
    };
    let machines = case.inventory.machines.iter().filter(|machine| machine.generation >= 2);
    let seen = machines.map(|machine| {
        let message = format!(
            "The virtual machine '{}' is of generation {}, which starts from UEFI; the destination is {kind}, and \
             {why}.",
            machine.name, machine.generation
        );
        Seen::new(of_machine(machine), message).at(&machine.place)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "machine.generation",
    fires: |sample| sample.inventory.machines[0].generation = 2,
    quiet: |sample| {
        sample.inventory.machines[0].generation = 2;
        sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2012R2 };
    },
}];
