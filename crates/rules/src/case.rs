//! The facts that rules look at, with what follows from the answers.

use std::collections::BTreeSet;

use hvm_model::capabilities::{Capabilities, DestinationKind};
use hvm_model::choices::{Choices, Policy};
use hvm_model::finding::Subject;
use hvm_model::inventory::Inventory;
use hvm_model::names::{ByteSize, VmId, WindowsPath};
use hvm_model::network::VirtualSwitch;
use hvm_model::vm::{Machine, VmAdapter};

use crate::decision::Decision;

/// Everything that is judged.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What was read of the source.
    pub inventory: &'a Inventory,
    /// What the destination is; without one the rules about it are silent.
    pub destination: Option<&'a Capabilities>,
    /// Policy and answers.
    pub choices: &'a Choices,
}

/// Facts together with the machines that the operator left out.
#[derive(Debug, Clone)]
pub(crate) struct Case<'a> {
    pub inventory: &'a Inventory,
    pub destination: Option<&'a Capabilities>,
    pub choices: &'a Choices,
    pub excluded: BTreeSet<VmId>,
}

impl<'a> Case<'a> {
    pub fn new(facts: &Facts<'a>) -> Case<'a> {
        Case {
            inventory: facts.inventory,
            destination: facts.destination,
            choices: facts.choices,
            excluded: BTreeSet::new(),
        }
    }

    pub fn policy(&self) -> Policy {
        self.choices.policy
    }

    /// True when the destination is no Hyper-V, so that settings of Hyper-V's host have no counterpart there.
    pub fn is_kvm(&self) -> bool {
        self.destination.is_some_and(|destination| destination.kind == DestinationKind::Libvirt)
    }

    /// What the operator decided, where the answer can be read.
    pub fn decision(&self, rule: &str, subject: &Subject) -> Option<Decision> {
        Decision::parse(rule, self.choices.answer(rule, subject)?).ok()
    }

    /// The machines that are not left out.
    pub fn machines(&self) -> impl Iterator<Item = &'a Machine> {
        self.inventory.machines.iter().filter(|machine| !self.excluded.contains(&machine.id))
    }

    /// Most virtual processors that a machine can have on the destination.
    pub fn processor_limit(&self) -> Option<u32> {
        let destination = self.destination?;
        let logical = destination.logical_processors.unwrap_or(u32::MAX);
        Some(logical.min(destination.max_processors))
    }

    /// Most memory that a machine can have on the destination.
    pub fn memory_limit(&self) -> Option<ByteSize> {
        let destination = self.destination?;
        let memory = destination.memory.unwrap_or(ByteSize(u64::MAX));
        Some(memory.min(destination.max_memory))
    }
}

/// A machine as a subject.
pub(crate) fn of_machine(machine: &Machine) -> Subject {
    Subject::Machine { id: machine.id.clone(), name: machine.name.clone() }
}

/// A drive or file of a machine as a subject.
pub(crate) fn of_disk(machine: &Machine, path: &WindowsPath) -> Subject {
    Subject::Disk { machine: machine.id.clone(), machine_name: machine.name.clone(), path: path.clone() }
}

/// An adapter of a machine as a subject; its address tells adapters of one name apart.
pub(crate) fn of_adapter(machine: &Machine, adapter: &VmAdapter) -> Subject {
    Subject::MachineAdapter {
        machine: machine.id.clone(),
        machine_name: machine.name.clone(),
        adapter: format!("{} {}", adapter.name, adapter.mac),
    }
}

/// A virtual network as a subject.
pub(crate) fn of_switch(switch: &VirtualSwitch) -> Subject {
    Subject::Switch { id: switch.id.clone(), name: switch.name.clone() }
}

/// A named setting as a subject.
pub(crate) fn of_setting(name: impl Into<String>) -> Subject {
    Subject::Setting { name: name.into() }
}
