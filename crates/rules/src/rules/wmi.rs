//! Rights on the WMI namespaces, which no registry hive holds.

use hvm_model::finding::Level;
use hvm_model::found::Found;

use crate::case::{Case, of_setting};
use crate::rule::{Rule, Seen};
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
        answers: &[],
        check: changed,
    },
];

fn unknown(case: &Case<'_>) -> Vec<Seen> {
    let remote = &case.inventory.host.remote_administration;
    let reason = |found: &Found<Vec<String>>| match found {
        Found::Unknown { reason } => Some(reason.clone()),
        _ => None,
    };
    let mut unknown = Vec::new();
    if let Some(reason) = reason(&remote.wmi_namespaces) {
        unknown.push(format!("The rights on the WMI namespaces root\\CIMV2 and root\\virtualization are not known. \
                              {reason}"));
    }
    if let Some(reason) = reason(&remote.dcom_users) {
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

/// KVM has no such namespaces: there is nothing to repeat, only something to know.
fn without_counterpart(case: &Case<'_>, seen: Seen) -> Seen {
    if case.is_kvm() { seen.level(Level::Notes) } else { seen }
}

fn changed(case: &Case<'_>) -> Vec<Seen> {
    let found = &case.inventory.host.remote_administration.wmi_namespaces;
    let Some(rights) = found.written().filter(|rights| !rights.is_empty()) else {
        return Vec::new();
    };
    let message = format!(
        "Rights on the WMI namespaces were given on the source: {}. Give the same ones on the destination \
         (root\\CIMV2 and root\\virtualization\\v2).",
        rights.join(", ")
    );
    vec![without_counterpart(case, Seen::new(of_setting("WMI namespace rights"), message).at_all(found.place()))]
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
            let rights = vec!["S-1-5-21-1-2-3-1107 RemoteAccess".to_owned()];
            sample.inventory.host.remote_administration.wmi_namespaces = read(rights);
        },
        quiet: |sample| sample.inventory.host.remote_administration.wmi_namespaces = read(Vec::new()),
    },
];
