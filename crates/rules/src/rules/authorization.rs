//! Who may do what with Hyper-V beyond the administrators: the assignments and scopes of the authorization store.

use hvm_model::capabilities::DestinationKind;
use hvm_model::finding::Level;
use hvm_model::host::{RoleAssignment, WindowsRelease};

use crate::case::{Case, of_setting};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, assignment};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "settings.authorization-extra",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "guide.automatic.settings",
        title: "The authorization store gives rights to more than the administrators.",
        answers: &[],
        check: extra,
    },
    Rule {
        id: "settings.authorization-scopes",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "prepare.record.authorization",
        title: "The authorization store has scopes of its own.",
        answers: &[],
        check: scopes,
    },
];

fn extra(case: &Case<'_>) -> Vec<Seen> {
    let assignments = case.inventory.host.settings.authorization.assignments.iter();
    let seen = assignments.filter(|assignment| !assignment.is_default).map(|assignment| {
        let scope = assignment.scope.as_ref().map_or(String::new(), |scope| format!(" in the scope '{scope}'"));
        let (level, what) = carried(case, assignment);
        let message = format!(
            "The role '{}' of the authorization store{scope} is given to {}. {what}",
            assignment.role,
            assignment.members.join(", ")
        );
        Seen::new(of_setting(&assignment.role), message).at(&assignment.place).level(level)
    });
    seen.collect()
}

/// Whether a person has to do something, and what. Identifiers that begin with `S-1-5-21-` belong to a domain or to one
/// computer; which of the two cannot be told from the store.
fn carried(case: &Case<'_>, assignment: &RoleAssignment) -> (Level, &'static str) {
    let accounts = assignment.members.iter().any(|member| member.to_uppercase().starts_with("S-1-5-21-"));
    match case.destination.map(|destination| destination.kind) {
        Some(DestinationKind::Libvirt) => (Level::Manual, "KVM knows no such roles: give the rights there by hand."),
        Some(DestinationKind::HyperV { release }) if release > WindowsRelease::Server2012 => as_members(assignment, accounts),
        _ if accounts => (
            Level::Manual,
            "The store is migrated. Check that each of these accounts belongs to a domain: an account of the source \
             computer itself means nothing on the destination and must be created and added there.",
        ),
        _ => (Level::Notes, "The store is migrated, and these identifiers are the same on every computer."),
    }
}

/// Later releases have a local group instead of the store, and nothing that is less than all rights.
fn as_members(assignment: &RoleAssignment, accounts: bool) -> (Level, &'static str) {
    if assignment.role != "Administrator" || assignment.scope.is_some() {
        return (
            Level::Manual,
            "From Windows Server 2012 R2 on the store is not honoured, and this assignment has no counterpart: who shall \
             have all rights is added to the local group Hyper-V Administrators (S-1-5-32-578) by hand.",
        );
    }
    if accounts {
        return (
            Level::Manual,
            "They become members of the local group Hyper-V Administrators, which takes the place of the store from Windows \
             Server 2012 R2 on. Check that each of these accounts belongs to a domain: an account of the source computer \
             itself means nothing on the destination.",
        );
    }
    (
        Level::Notes,
        "They become members of the local group Hyper-V Administrators, which takes the place of the store from Windows \
         Server 2012 R2 on.",
    )
}

fn scopes(case: &Case<'_>) -> Vec<Seen> {
    let scopes = case.inventory.host.settings.authorization.scopes.iter();
    let seen = scopes.map(|scope| {
        let message = format!(
            "The authorization store has the scope '{scope}'. Record which machines belong to it, and check on the \
             destination that the same ones do."
        );
        Seen::new(of_setting(scope), message)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "settings.authorization-extra",
        fires: |sample| {
            let assignment = assignment("Administrator", &["S-1-5-32-544", "S-1-5-21-1-2-3-1105"]);
            sample.inventory.host.settings.authorization.assignments.push(assignment);
        },
        quiet: |sample| {
            let mut assignment = assignment("Administrator", &["S-1-5-32-544"]);
            assignment.is_default = true;
            sample.inventory.host.settings.authorization.assignments.push(assignment);
        },
    },
    Example {
        rule: "settings.authorization-scopes",
        fires: |sample| sample.inventory.host.settings.authorization.scopes.push("Test machines".to_owned()),
        quiet: |sample| sample.inventory.host.settings.authorization.scopes.clear(),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;

    fn level(member: &str, change: fn(&mut Sample)) -> Level {
        let mut sample = Sample::new();
        sample.inventory.host.settings.authorization.assignments.push(assignment("Operator", &[member]));
        change(&mut sample);
        sample.one("settings.authorization-extra").level
    }

    #[test]
    fn a_person_is_needed_for_accounts_and_where_the_store_is_not_honoured() {
        assert_eq!(level("S-1-5-21-1-2-3-1105", |_| {}), Level::Manual);
        assert_eq!(level("S-1-5-11", |_| {}), Level::Notes);
        assert_eq!(level("S-1-5-11", |sample| sample.kvm()), Level::Manual);
        let newer = |sample: &mut Sample| {
            sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2012R2 };
        };
        assert_eq!(level("S-1-5-11", newer), Level::Manual);
    }

    #[test]
    fn administrators_become_members_of_the_group_where_the_store_is_not_honoured() {
        let told = |member: &str, scope: Option<&str>| {
            let mut sample = Sample::new();
            let mut given = assignment("Administrator", &[member]);
            given.scope = scope.map(str::to_owned);
            sample.inventory.host.settings.authorization.assignments.push(given);
            sample.destination().kind = DestinationKind::HyperV { release: WindowsRelease::Server2019 };
            let found = sample.one("settings.authorization-extra");
            (found.level, found.message.contains("They become members"))
        };
        assert_eq!(told("S-1-5-11", None), (Level::Notes, true));
        assert_eq!(told("S-1-5-21-1-2-3-1105", None), (Level::Manual, true));
        assert_eq!(told("S-1-5-11", Some("Test machines")), (Level::Manual, false));
    }
}
