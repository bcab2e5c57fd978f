//! Settings of later releases that are read and that no step sets.

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

/// What can be done on the destination: on a Hyper-V that has the setting, on an older one, or on KVM.
fn todo(case: &Case<'_>, command: &str, on_kvm: &str) -> String {
    match case.destination.map(|destination| destination.kind) {
        Some(DestinationKind::HyperV { release }) if release < WindowsRelease::Server2016 => {
            "The destination has no such setting: Windows Server 2016 is the first.".to_owned()
        }
        Some(DestinationKind::Libvirt) => on_kvm.to_owned(),
        _ => format!("On the destination, before the first start: {command}."),
    }
}

/// The machines but those that are registered from their own configuration, which has these settings.
fn made_anew<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a Machine> {
    case.machines().filter(|machine| !keeps_its_devices(case, machine))
}

fn nested(case: &Case<'_>) -> Vec<Seen> {
    let todo = todo(
        case,
        "Set-VMProcessor -VMName NAME -ExposeVirtualizationExtensions $true",
        "On KVM load kvm_intel or kvm_amd with nested=1 and give the domain <cpu mode='host-passthrough'/>.",
    );
    let seen = made_anew(case).flat_map(|machine| {
        machine.by_hand.iter().filter_map(|setting| match setting {
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
    let mut seen = Vec::new();
    for machine in made_anew(case) {
        for setting in &machine.by_hand {
            let SettingByHand::SecureBootTemplate { id, place } = setting else { continue };
            let (which, command) = match id.as_str() {
                AUTHORITY => {
                    (" (MicrosoftUEFICertificateAuthority)", "-SecureBootTemplate MicrosoftUEFICertificateAuthority".to_owned())
                }
                _ => ("", format!("-SecureBootTemplateId {id}")),
            };
            let todo = todo(
                case,
                &format!("Set-VMFirmware -VMName NAME {command}"),
                "On KVM the keys are those of the firmware that the domain is given.",
            );
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
        quiet: |sample| sample.by_hand(template_sample("x")),
    },
    Example {
        rule: "machine.secure-boot-template",
        fires: |sample| sample.by_hand(template_sample("x")),
        quiet: |sample| sample.by_hand(nested_sample()),
    },
];

#[cfg(test)]
fn nested_sample() -> SettingByHand {
    SettingByHand::NestedVirtualization { place: crate::tests_support::place("Web.vmcx") }
}

#[cfg(test)]
fn template_sample(id: &str) -> SettingByHand {
    SettingByHand::SecureBootTemplate { id: id.to_owned(), place: crate::tests_support::place("Web.vmcx") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;

    #[test]
    fn what_is_to_be_done_depends_on_the_destination() {
        let mut sample = Sample::new();
        sample.by_hand(nested_sample());
        sample.by_hand(template_sample(AUTHORITY));
        let told = |sample: &Sample| {
            ["machine.nested-virtualization", "machine.secure-boot-template"].map(|rule| sample.one(rule).message)
        };
        assert!(told(&sample).iter().all(|message| message.contains("2016 is the first")), "2012 is the sample's");
        sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2022 };
        let [nested, template] = told(&sample);
        assert!(nested.contains("-ExposeVirtualizationExtensions $true"), "{nested}");
        assert!(template.contains("-SecureBootTemplate MicrosoftUEFICertificateAuthority"), "{template}");
        sample.inventory.machines[0].version = Some((9, 0));
        sample.inventory.machines[0].configuration_file = hvm_model::names::WindowsPath::new(r"D:\Web.vmcx");
        assert!(sample.found("machine.nested-virtualization").is_empty(), "its own configuration has the setting");
        sample.answer("machine.configuration@Web=new");
        assert_eq!(told(&sample)[0], nested);
        sample.kvm();
        let [nested, template] = told(&sample);
        assert!(nested.contains("nested=1") && template.contains("of the firmware that the domain is given"), "{template}");
    }
}
