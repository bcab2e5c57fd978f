//! Whose the machines are: a line of their notes tells it, where they are made anew.
//!
//! No cmdlet of any release sets the owner. In WMI, `Msvm_ComputerSystem.PrimaryOwnerName` is documented as read-only and always null,
//! and `Msvm_VirtualSystemSettingData`, with which a machine is defined, has no such property.

use std::collections::BTreeMap;

use hvm_model::finding::{Level, Subject};

use super::put_back::keeps_its_devices;
use crate::case::Case;
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "machine.owner",
    level: Level::Notes,
    under_extended: Level::Notes,
    clause: "beyond.machines.owner",
    title: "Machines belong to an account other than Administrator.",
    answers: &[Offer::new("leave", "Their notes stay as they are; nothing on the destination tells the owner.")],
    check,
}];

/// What the finding for the owner of machines is about.
pub fn owner_subject(owner: &str) -> Subject {
    Subject::Setting { name: format!("owner {owner}") }
}

fn check(case: &Case<'_>) -> Vec<Seen> {
    let mut owners: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for machine in case.machines().filter(|machine| !keeps_its_devices(case, machine)) {
        if let Some(owner) = machine.foreign_owner() {
            owners.entry(owner).or_default().push(format!("'{}'", machine.name));
        }
    }
    let seen = owners.into_iter().filter(|_| case.destination.is_some()).map(|(owner, machines)| {
        let message = format!(
            "The account {owner} is the owner of {}. Nothing sets the owner of a machine that is made anew, so the last line of its \
             notes will tell it: 'Owner: {owner}'. Give the account on the destination what it needs of them.",
            machines.join(", ")
        );
        Seen::new(owner_subject(owner), message)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[Example {
    rule: "machine.owner",
    fires: |sample| sample.inventory.machines[0].owner = Some("S-1-5-21-1-2-3-1105".to_owned()),
    quiet: |sample| sample.inventory.machines[0].owner = Some("S-1-5-21-1-2-3-500".to_owned()),
}];

#[cfg(test)]
mod tests {
    use crate::tests_support::Sample;

    #[test]
    fn machines_of_one_owner_are_told_at_once() {
        let mut sample = Sample::new();
        let mut other = sample.inventory.machines[0].clone();
        other.name = "Other".to_owned();
        other.id = "1B6E3A10-7C2D-4F5A-8E10-A1B2C3D40099".parse().unwrap();
        sample.inventory.machines.push(other);
        for machine in &mut sample.inventory.machines {
            machine.owner = Some("S-1-5-21-1-2-3-1105".to_owned());
        }
        let message = sample.one("machine.owner").message;
        let names = sample.inventory.machines.iter().map(|machine| format!("'{}'", machine.name));
        assert!(message.contains(&format!("is the owner of {}.", names.collect::<Vec<_>>().join(", "))), "{message}");
    }
}
