//! The entries of the DCOM restrictions that are merged on the destination, as data for the fixed script.

use hvm_model::role::Role;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Restriction<'a> {
    name: &'a str,
    added: Vec<hvm_model::host::AccessEntry>,
    removed: &'a [hvm_model::host::AccessEntry],
}

/// The document `dcom.json`.
pub(crate) fn document(role: &Role) -> Vec<u8> {
    let all: Vec<Restriction> = role
        .dcom
        .iter()
        .map(|found| Restriction { name: &found.name, added: found.wanted(), removed: &found.removed })
        .collect();
    // An object, since PowerShell 3 reads a list at the top as one single value.
    super::json(&serde_json::json!({ "schema": 1, "restrictions": all }))
}
