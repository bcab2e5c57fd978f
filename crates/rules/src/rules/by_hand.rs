//! Settings of 2016 and later, where the destination does not have them. Elsewhere steps set them, or the configuration that is
//! registered has them.

use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::Level;
use hvm_model::host::WindowsRelease;
use hvm_model::vm::{Machine, SettingByHand};

use super::put_back::keeps_its_devices;
use crate::case::{Case, of_machine};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "machine.nested-virtualization",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "beyond.machines.by-hand",
        title: "The guest of a machine is a host of virtual machines itself.",
        answers: &[],
        check: nested,
    },
    Rule {
        id: "machine.secure-boot-template",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "beyond.machines.by-hand",
        title: "Secure Boot of a machine trusts other keys than those of Windows.",
        answers: &[],
        check: template,
    },
];

/// What the destination is, where it does not have these settings: an older Hyper-V, or KVM.
fn without(case: &Case<'_>, on_kvm: &'static str) -> Option<&'static str> {
    match case.destination?.kind {
        DestinationKind::HyperV { release } if release < WindowsRelease::Server2016 => {
            Some("The destination has no such setting: Windows Server 2016 is the first.")
        }
        DestinationKind::HyperV { .. } => None,
        DestinationKind::Libvirt => Some(on_kvm),
    }
}

/// The machines but those that are registered from their own configuration, which has these settings.
fn made_anew<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a Machine> {
    case.machines().filter(|machine| !keeps_its_devices(case, machine))
}

fn nested(case: &Case<'_>) -> Vec<Seen> {
    let on_kvm = "On KVM load kvm_intel or kvm_amd with nested=1 and give the domain <cpu mode='host-passthrough'/>.";
    let Some(todo) = without(case, on_kvm) else { return Vec::new() };
    let seen = made_anew(case).flat_map(|machine| {
        machine.by_hand.iter().filter_map(move |setting| match setting {
            SettingByHand::NestedVirtualization { place } => {
                let message = format!(
                    "The guest of the virtual machine '{}' sees the virtualization extensions of the processor, as a host of virtual \
                     machines needs; that is not carried. {todo}",
                    machine.name
                );
                Some(Seen::new(of_machine(machine), message).at(place))
            }
            SettingByHand::SecureBootTemplate { .. } => None,
        })
    });
    seen.collect()
}

/// The template for all that Microsoft's authority for UEFI signed, as Linux needs it (`Get-VMHost`: SecureBootTemplates).
const AUTHORITY: &str = "272e7447-90a4-4563-a4b9-8e4ab00526ce";

fn template(case: &Case<'_>) -> Vec<Seen> {
    let lacks = without(case, "On KVM the keys are those of the firmware that the domain is given.");
    let mut seen = Vec::new();
    for machine in made_anew(case).filter(|machine| machine.generation == 2) {
        for setting in &machine.by_hand {
            let SettingByHand::SecureBootTemplate { id, place } = setting else { continue };
            let todo = match lacks {
                Some(todo) => todo,
                None if case.destination.is_none() || machine.secure_boot_template().is_some() => continue,
                None => {
                    "Hyper-V knows templates by GUIDs, and this is none. On the destination, before the first start: \
                     Set-VMFirmware -VMName NAME -SecureBootTemplate TEMPLATE."
                }
            };
            let which = if id == AUTHORITY { " (MicrosoftUEFICertificateAuthority)" } else { "" };
            let message = format!(
                "Secure Boot of the virtual machine '{}' has the template {id}{which}, and a new machine that of Windows: with that the \
                 guest may not start. The template is not carried. {todo}",
                machine.name
            );
            seen.push(Seen::new(of_machine(machine), message).at(place));
        }
    }
    seen
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.nested-virtualization",
        fires: |sample| sample.by_hand(nested_sample()),
        quiet: |sample| {
            sample.by_hand(nested_sample());
            sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2016 };
        },
    },
    Example {
        rule: "machine.secure-boot-template",
        fires: |sample| template_sample(sample, AUTHORITY),
        quiet: |sample| {
            template_sample(sample, AUTHORITY);
            sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2016 };
        },
    },
];

#[cfg(test)]
fn nested_sample() -> SettingByHand {
    SettingByHand::NestedVirtualization { place: crate::tests_support::place("Web.vmcx") }
}

#[cfg(test)]
fn template_sample(sample: &mut crate::tests_support::Sample, id: &str) {
    sample.inventory.machines[0].generation = 2;
    sample.by_hand(SettingByHand::SecureBootTemplate { id: id.to_owned(), place: crate::tests_support::place("Web.vmcx") });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;

    const BOTH: [&str; 2] = ["machine.nested-virtualization", "machine.secure-boot-template"];

    fn sample() -> Sample {
        let mut sample = Sample::new();
        sample.by_hand(nested_sample());
        template_sample(&mut sample, AUTHORITY);
        sample
    }

    #[test]
    fn they_are_named_where_the_destination_does_not_have_them() {
        let mut sample = sample();
        let told = |sample: &Sample| BOTH.map(|rule| sample.one(rule).message);
        for release in [WindowsRelease::Server2012, WindowsRelease::Server2012R2] {
            sample.destination().kind = DestinationKind::HyperV { release };
            assert!(told(&sample).iter().all(|message| message.contains("2016 is the first")), "{release}");
        }
        sample.kvm();
        let [nested, template] = told(&sample);
        assert!(nested.contains("nested=1") && template.contains("of the firmware that the domain is given"), "{template}");
        assert!(template.contains("(MicrosoftUEFICertificateAuthority)"), "{template}");
    }

    #[test]
    fn where_they_are_carried_nothing_is_asked_for() {
        let mut sample = sample();
        let quiet = |sample: &Sample| BOTH.iter().all(|rule| sample.found(rule).is_empty());
        for release in [WindowsRelease::Server2016, WindowsRelease::Server2025] {
            sample.destination().kind = DestinationKind::HyperV { release };
            assert!(quiet(&sample), "{release}");
        }
        // What was registered from its own configuration has them, and so has what is made anew.
        sample.inventory.machines[0].version = Some((9, 0));
        sample.inventory.machines[0].configuration_file = hvm_model::names::WindowsPath::new(r"D:\Web.vmcx");
        assert!(quiet(&sample));
        sample.answer("machine.configuration@Web=new");
        assert!(quiet(&sample));
    }

    #[test]
    fn a_template_that_is_no_guid_cannot_be_set() {
        let mut sample = Sample::new();
        sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2022 };
        template_sample(&mut sample, "Linux");
        let told = sample.one(BOTH[1]).message;
        assert!(told.contains("this is none") && told.contains("-SecureBootTemplate TEMPLATE"), "{told}");
    }
}
