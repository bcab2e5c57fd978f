//! Remote access through DCOM that was changed, and who was let in.

use hvm_model::finding::Level;
use hvm_model::host::AccessEntry;

use crate::case::{Case, of_setting};
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, dcom_restriction, read};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "remote.dcom-widened",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "guide.manual.remote",
        title: "A machine-wide DCOM restriction differs from the default.",
        answers: &[Offer::new("leave", "The restriction stays as the destination has it, and is not compared.")],
        check: widened,
    },
    Rule {
        id: "remote.dcom-users",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "prepare.record.remote-accounts",
        title: "The group Distributed COM Users has members.",
        answers: &[],
        check: users,
    },
];

const MERGE: &str = "Merge the same entries into the value of the destination; never replace it, because newer \
                     releases have entries of their own.";
const ON_KVM: &str = "KVM has no counterpart; give whoever managed machines from elsewhere the rights that libvirt \
                      needs.";

/// On KVM there is nothing to repeat, only something to know.
fn without_counterpart(case: &Case<'_>, seen: Seen) -> Seen {
    if case.is_kvm() { seen.level(Level::Notes) } else { seen }
}

fn widened(case: &Case<'_>) -> Vec<Seen> {
    let restrictions = case.inventory.host.remote_administration.dcom.iter();
    let changed = restrictions.filter(|restriction| !restriction.added.is_empty() || !restriction.removed.is_empty());
    let seen = changed.map(|restriction| {
        let mut parts = Vec::new();
        if !restriction.added.is_empty() {
            parts.push(format!("added: {}", entries(&restriction.added)));
        }
        if !restriction.removed.is_empty() {
            parts.push(format!("missing or narrower: {}", entries(&restriction.removed)));
        }
        let message = format!(
            "'{}' of the source differs from the default ({}). {}",
            restriction.name,
            parts.join("; "),
            if case.is_kvm() { ON_KVM } else { MERGE }
        );
        without_counterpart(case, Seen::new(of_setting(&restriction.name), message).at(&restriction.place))
    });
    seen.collect()
}

fn entries(entries: &[AccessEntry]) -> String {
    let one = |entry: &AccessEntry| {
        let who = entry.name.as_ref().map_or(entry.sid.clone(), |name| format!("{name} ({})", entry.sid));
        format!("{} {who} {:#x}", entry.effect, entry.mask)
    };
    entries.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn users(case: &Case<'_>) -> Vec<Seen> {
    let found = &case.inventory.host.remote_administration.dcom_users;
    let Some(members) = found.written().filter(|members| !members.is_empty()) else {
        return Vec::new();
    };
    let message = format!(
        "The local group Distributed COM Users of the source has members: {}. {}",
        members.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        if case.is_kvm() {
            ON_KVM
        } else {
            "Merge-DcomRestriction.ps1 makes the same accounts members on the destination, its own accounts of the same name in \
             the place of the source's own, and names those that it does not know."
        }
    );
    vec![without_counterpart(case, Seen::new(of_setting("Distributed COM Users"), message).at_all(found.place()))]
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "remote.dcom-widened",
        fires: |sample| sample.inventory.host.remote_administration.dcom.push(dcom_restriction(&["S-1-5-7"])),
        quiet: |sample| sample.inventory.host.remote_administration.dcom.push(dcom_restriction(&[])),
    },
    Example {
        rule: "remote.dcom-users",
        fires: |sample| {
            sample.inventory.host.remote_administration.dcom_users = read(vec![hvm_model::host::GroupMember {
                    sid: Some("S-1-5-21-1-2-3-1107".to_owned()),
                    ..Default::default()
                }]);
        },
        quiet: |sample| sample.inventory.host.remote_administration.dcom_users = read(Vec::new()),
    },
];
