//! Who may use whom: the walls between reading, judging and writing, checked over `cargo metadata`.

use std::path::Path;

use serde_json::Value;

use crate::run::output;

/// Each crate with the crates of the house that it may use; dev-dependencies are free.
const TABLE: &[(&str, &[&str])] = &[
    ("hvm-model", &[]),
    ("hvm-formats", &[]),
    ("hvm-rules", &["hvm-model"]),
    ("hvm-login", &[]),
    ("hvm-winrm", &["hvm-login"]),
    ("hvm-smb", &["hvm-login"]),
    ("hvm-sources", &["hvm-formats", "hvm-model", "hvm-smb", "hvm-winrm"]),
    ("hvm-destinations", &["hvm-formats", "hvm-model", "hvm-winrm"]),
    ("hvm-transfer", &["hvm-formats", "hvm-model"]),
    (
        "hvm-engine",
        &["hvm-destinations", "hvm-formats", "hvm-model", "hvm-rules", "hvm-sources", "hvm-transfer", "hvm-winrm"],
    ),
    (
        "hvm-testkit",
        &["hvm-destinations", "hvm-engine", "hvm-formats", "hvm-model", "hvm-rules", "hvm-sources", "hvm-transfer"],
    ),
    // The sample host of the demo comes from testkit, behind the feature `demo`.
    ("hvmigrate", &["hvm-engine", "hvm-model", "hvm-testkit"]),
    // The table of docs/peers.md is measured on testkit's chains.
    ("xtask", &["hvm-testkit"]),
];

/// Checks the table.
pub fn check(_root: &Path) -> Result<(), String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let text = output(&cargo, &["metadata", "--no-deps", "--format-version", "1", "--offline"])?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
    let wrong = violations(&metadata);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ")) }
}

fn violations(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, may)) = TABLE.iter().find(|(known, _)| *known == name) else {
            wrong.push(format!("{name} is not in the table of crates"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            let is_dev = dependency["kind"].as_str() == Some("dev");
            if !is_dev && names.contains(&used) && !may.contains(&used) {
                wrong.push(format!("{name} uses {used}, which the table of crates does not allow"));
            }
            if name == "hvmigrate" && used == "hvm-testkit" && !is_dev && dependency["optional"] != true {
                wrong.push("hvmigrate may use hvm-testkit only behind a feature".to_owned());
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_wall_that_is_broken_is_named() {
        let metadata = json!({"packages": [
            {"name": "hvm-rules", "dependencies": [{"name": "hvm-sources", "kind": null}, {"name": "hvm-testkit", "kind": "dev"}]},
            {"name": "hvm-sources", "dependencies": [{"name": "hvm-model", "kind": null}, {"name": "serde", "kind": null}]},
            {"name": "hvm-model", "dependencies": []},
            {"name": "hvm-testkit", "dependencies": []},
            {"name": "hvm-new", "dependencies": []},
        ]});
        let expected = [
            "hvm-rules uses hvm-sources, which the table of crates does not allow",
            "hvm-new is not in the table of crates",
        ];
        assert_eq!(violations(&metadata), expected);
    }
}
