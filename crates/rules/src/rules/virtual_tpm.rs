//! A virtual TPM: what is in it belongs to its host, and does not travel.

use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::Level;
use hvm_model::host::WindowsRelease;

use crate::case::{Case, of_machine};
use crate::rule::{EXCLUDE, Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "machine.virtual-tpm",
    level: Level::Blocks,
    under_extended: Level::Blocks,
    clause: "beyond.machines.virtual-tpm",
    title: "A machine has a virtual TPM, whose content does not travel.",
    answers: &[
        Offer::new("accept", "The machine is migrated without what its TPM holds; have the recovery keys of its disks at hand."),
        EXCLUDE,
    ],
    check,
}];

fn check(case: &Case<'_>) -> Vec<Seen> {
    let there = match case.destination.map(|destination| destination.kind) {
        None => "On the destination it is empty, or there is none",
        Some(DestinationKind::HyperV { release }) if release >= WindowsRelease::Server2016 => {
            "On the destination the machine gets an empty one (from Windows Server 2016 on)"
        }
        Some(DestinationKind::HyperV { .. }) => "The destination has none: Windows Server 2016 is the first",
        Some(DestinationKind::Libvirt) => "On KVM there is none, unless somebody adds one to the domain",
    };
    let machines = case.inventory.machines.iter().filter(|machine| machine.configuration.firmware.tpm == Some(true));
    let seen = machines.map(|machine| {
        let message = format!(
            "The virtual machine '{}' has a virtual TPM. What that holds lies encrypted for this host in its guest state (.vmgs) and is \
             not carried. {there}. A guest whose disks are encrypted (BitLocker) asks for its recovery key there: note the keys in the \
             guest (manage-bde -protectors -get C:), or suspend BitLocker before its last shutdown (Suspend-BitLocker -MountPoint C: \
             -RebootCount 0).",
            machine.name
        );
        Seen::new(of_machine(machine), message).at(&machine.place)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "machine.virtual-tpm",
    fires: |sample| sample.inventory.machines[0].configuration.firmware.tpm = Some(true),
    quiet: |sample| sample.inventory.machines[0].configuration.firmware.tpm = Some(false),
}];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;

    #[test]
    fn what_it_becomes_depends_on_the_destination() {
        let mut sample = Sample::new();
        sample.inventory.machines[0].configuration.firmware.tpm = Some(true);
        let told = |sample: &Sample| sample.one("machine.virtual-tpm").message;
        assert!(told(&sample).contains("Windows Server 2016 is the first"), "2012 is the sample's");
        sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2016 };
        assert!(told(&sample).contains("gets an empty one"));
        sample.kvm();
        assert!(told(&sample).contains("On KVM there is none"));
        sample.there = None;
        assert!(told(&sample).contains("or there is none"));
        sample.answer("machine.virtual-tpm@Web=accept");
        assert!(!sample.one("machine.virtual-tpm").is_open());
    }
}
