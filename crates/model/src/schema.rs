//! The JSON schema of the documents.

use schemars::schema_for;
use serde_json::{Value, json};

/// Schemas of all documents, by name.
pub fn all() -> Value {
    json!({
        "schema": crate::inventory::SCHEMA_VERSION,
        "inventory": schema_for!(crate::inventory::Inventory),
        "findings": schema_for!(Vec<crate::finding::Finding>),
        "plan": schema_for!(crate::plan::Plan),
        "record": schema_for!(crate::record::Record),
        "report": schema_for!(crate::report::Report),
    })
}
