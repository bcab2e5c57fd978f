//! Who may reach the host from elsewhere, as data for the fixed scripts: entries of the DCOM restrictions and of WMI namespaces
//! that are merged on the destination.

use hvm_model::host::{AccessEntry, NamespaceEntry};
use hvm_model::role::{Role, RoleMember};
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Restriction<'a> {
    name: &'a str,
    added: Vec<Added>,
    removed: &'a [AccessEntry],
}

#[derive(Debug, Serialize)]
struct Rights<'a> {
    namespace: &'a str,
    added: Vec<Added>,
}

/// PowerShell's strict mode wants each property to be there.
#[derive(Debug, Serialize)]
struct Added {
    #[serde(flatten)]
    entry: AccessEntry,
    subnamespaces: bool,
}

/// A member of Distributed COM Users.
#[derive(Debug, Serialize)]
struct Member<'a> {
    item: String,
    shown: String,
    sid: &'a str,
    /// Name of the destination's own account; empty for accounts of a domain.
    local_name: &'a str,
}

fn member(member: &RoleMember) -> Member<'_> {
    Member {
        item: member.item(),
        shown: member.account.to_string(),
        sid: member.account.sid.as_deref().filter(|_| !member.local).unwrap_or_default(),
        local_name: if member.local { &member.account.name } else { "" },
    }
}

/// The document `dcom.json`.
pub(crate) fn restrictions(role: &Role) -> Vec<u8> {
    let added = |entry| Added { entry, subnamespaces: false };
    let all: Vec<Restriction<'_>> = role
        .dcom
        .iter()
        .map(|found| Restriction {
            name: &found.name,
            added: found.wanted().into_iter().map(added).collect(),
            removed: &found.removed,
        })
        .collect();
    let members: Vec<Member<'_>> = role.dcom_users.iter().map(member).collect();
    // An object, since PowerShell 3 reads a list at the top as one single value.
    super::json(&serde_json::json!({ "schema": 1, "restrictions": all, "members": members }))
}

/// The document `wmi.json`.
pub(crate) fn namespaces(role: &Role) -> Vec<u8> {
    let added = |entry: NamespaceEntry| Added { entry: entry.entry, subnamespaces: entry.subnamespaces };
    let all: Vec<Rights<'_>> = role
        .wmi_namespaces
        .iter()
        .map(|rights| Rights { namespace: &rights.namespace, added: rights.wanted().into_iter().map(added).collect() })
        .collect();
    super::json(&serde_json::json!({ "schema": 1, "namespaces": all }))
}
