//! Rights on the WMI namespaces, which no registry hive holds.

use hvm_model::finding::Level;
use hvm_model::found::Found;
#[cfg(test)]
use hvm_model::host::AccessEntry;
use hvm_model::host::{NamespaceEntry, NamespaceRights};

use crate::case::{Case, of_setting};
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "remote.wmi-unknown",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "guide.manual.remote",
        title: "Rights for remote administration cannot be read from this source.",
        answers: &[],
        check: unknown,
    },
    Rule {
        id: "remote.wmi-changed",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "guide.manual.remote",
        title: "Rights on the WMI namespaces were given.",
        answers: &[Offer::new("leave", "The rights stay as the destination has them, and are not compared.")],
        check: changed,
    },
];

fn unknown(case: &Case<'_>) -> Vec<Seen> {
    let remote = &case.inventory.host.remote_administration;
    let mut unknown = Vec::new();
    if let Found::Unknown { reason } = &remote.wmi_namespaces {
        unknown.push(format!("The rights on the WMI namespaces root\\CIMV2 and root\\virtualization are not known. \
                              {reason}"));
    }
    if let Found::Unknown { reason } = &remote.dcom_users {
        unknown.push(format!("The members of Distributed COM Users are not known. {reason}"));
    }
    if unknown.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "{} If accounts outside Administrators manage Hyper-V from elsewhere, give them the same rights on the \
         destination.",
        unknown.join(" ")
    );
    vec![without_counterpart(case, Seen::new(of_setting("WMI namespace rights"), message))]
}

const MERGE: &str = "Add the same entries on the destination, those of root\\virtualization to root\\virtualization\\v2, and remove none of \
                     its own.";
const ON_KVM: &str = "KVM has no counterpart; give whoever managed machines from elsewhere the rights that libvirt needs.";

/// KVM has no such namespaces: there is nothing to repeat, only something to know.
fn without_counterpart(case: &Case<'_>, seen: Seen) -> Seen {
    if case.is_kvm() { seen.level(Level::Notes) } else { seen }
}

fn changed(case: &Case<'_>) -> Vec<Seen> {
    let found = &case.inventory.host.remote_administration.wmi_namespaces;
    let Some(rights) = found.written().filter(|rights| !rights.is_empty()) else {
        return Vec::new();
    };
    let rights = rights.iter().map(told).collect::<Vec<_>>().join("; ");
    let message = format!(
        "Rights on the WMI namespaces were given on the source: {rights}. {}",
        if case.is_kvm() { ON_KVM } else { MERGE }
    );
    vec![without_counterpart(case, Seen::new(of_setting("WMI namespace rights"), message).at_all(found.place()))]
}

/// Rights by their names in the dialogue of WMI Control.
const NAMES: [(u32, &str); 8] = [
    (1, "Enable Account"),
    (2, "Execute Methods"),
    (4, "Full Write"),
    (8, "Partial Write"),
    (0x10, "Provider Write"),
    (0x20, "Remote Enable"),
    (0x2_0000, "Read Security"),
    (0x4_0000, "Edit Security"),
];

fn told(rights: &NamespaceRights) -> String {
    let entry = |NamespaceEntry { entry, subnamespaces }: &NamespaceEntry| {
        let who = entry.name.as_ref().map_or(entry.sid.clone(), |name| format!("{name} ({})", entry.sid));
        let mut what: Vec<String> =
            NAMES.iter().filter(|(bit, _)| entry.mask & bit != 0).map(|(_, name)| (*name).to_owned()).collect();
        let rest = entry.mask & !NAMES.iter().fold(0, |all, (bit, _)| all | bit);
        if rest != 0 {
            what.push(format!("{rest:#x}"));
        }
        let below = if *subnamespaces { ", subnamespaces too" } else { "" };
        format!("{} {who}: {}{below}", entry.effect, what.join(", "))
    };
    let entries: Vec<String> = rights.added.iter().map(entry).collect();
    format!("{} ({})", rights.namespace, entries.join("; "))
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "remote.wmi-unknown",
        fires: |sample| {
            let reason = "They are in the WMI repository, which is not read.";
            sample.inventory.host.remote_administration.wmi_namespaces = Found::unknown(reason);
        },
        quiet: |sample| sample.inventory.host.remote_administration.wmi_namespaces = read(Vec::new()),
    },
    Example {
        rule: "remote.wmi-changed",
        fires: |sample| {
            let entry = AccessEntry {
                sid: "S-1-5-21-1-2-3-1107".to_owned(),
                name: None,
                effect: "allow".to_owned(),
                mask: 0x21,
            };
            let added = vec![NamespaceEntry { entry, subnamespaces: true }];
            let rights = vec![NamespaceRights { namespace: r"root\virtualization".to_owned(), added }];
            sample.inventory.host.remote_administration.wmi_namespaces = read(rights);
        },
        quiet: |sample| sample.inventory.host.remote_administration.wmi_namespaces = read(Vec::new()),
    },
];
