//! Firewall rules of Hyper-V that are not as installed.

use hvm_model::finding::{Level, Subject};
use hvm_model::host::FirewallChange;

use crate::case::Case;
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, firewall_change};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "firewall.changed",
    level: Level::Manual,
    under_extended: Level::Manual,
    clause: "guide.manual.firewall",
    title: "A firewall rule of Hyper-V differs from what is installed.",
    answers: &[Offer::new("leave", "The rule stays as the destination has it, and is not compared.")],
    check,
}];

const ON_HYPER_V: &str = "The destination has the rules as Hyper-V installs them; make the same change there, by \
                          hand or with the script that comes with the migrated data.";
const ON_KVM: &str = "KVM has no such rule; look whether its purpose needs one in the firewall of the destination.";

/// What differs; of a rule that a person made, what it lets through.
fn shown(change: &FirewallChange) -> String {
    let telling = |(key, _): &&(String, String)| ["Action", "Dir", "Protocol", "LPort", "App"].contains(&key.as_str());
    let texts: Vec<String> = if change.user_made {
        change.fields.iter().filter(telling).map(|(key, value)| format!("{key}={value}")).collect()
    } else {
        change.differences.clone()
    };
    if texts.is_empty() { String::new() } else { format!(" ({})", texts.join(", ")) }
}

fn check(case: &Case<'_>) -> Vec<Seen> {
    let seen = case.inventory.host.firewall.changes.iter().map(|change| {
        let what = if change.user_made {
            format!("The firewall rule '{}' was made by a person for Hyper-V", change.id)
        } else {
            format!("The firewall rule '{}' of Hyper-V was changed", change.id)
        };
        let differences = shown(change);
        let seen = |then: &str| {
            let subject = Subject::FirewallRule { id: change.id.clone() };
            Seen::new(subject, format!("{what}{differences}. {then}")).at(&change.place)
        };
        if case.is_kvm() { seen(ON_KVM).level(Level::Notes) } else { seen(ON_HYPER_V) }
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "firewall.changed",
    fires: |sample| sample.inventory.host.firewall.changes.push(firewall_change("VIRT-VMMS-RPC-In-NoScope")),
    quiet: |sample| sample.inventory.host.firewall.changes.clear(),
}];
