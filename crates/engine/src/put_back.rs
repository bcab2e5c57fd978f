//! How Hyper-V gets a machine back: registered from its own configuration where the release imports it, else made anew with a reason.

use hvm_model::capabilities::DestinationKind;
use hvm_model::names::WindowsPath;
use hvm_model::role::{PlacedFile, PutBack};
use hvm_model::vm::Machine;
use hvm_rules::registration_obstacle;

use crate::placing::Placing;
use crate::role::{RoleInput, copied_file};

/// What lies beside a `.vmcx` under the same name and belongs to it: the runtime state, and the firmware's variables of generation 2.
const BESIDE: [&str; 2] = ["vmrs", "vmgs"];

/// The reason for a machine that the operator wants to be made anew.
const WANTED: &str = "The operator chose it (machine.configuration=new).";

/// The way for a machine whose configuration file is copied as `original`; `None` on other destinations.
pub(crate) fn way(
    input: &RoleInput<'_>,
    machine: &Machine,
    (original, wants_new): (Option<&PlacedFile>, bool),
    placing: &mut Placing<'_>,
) -> Option<PutBack> {
    let DestinationKind::HyperV { release } = input.capabilities.kind else { return None };
    let anew = |reason: String| Some(PutBack::Anew { reason });
    if let Some(obstacle) = registration_obstacle(machine, release) {
        return anew(obstacle);
    }
    let (Some(version), Some(_)) = (machine.version, original) else {
        return anew("Its configuration file could not be read.".to_owned());
    };
    if wants_new {
        return anew(WANTED.to_owned());
    }
    Some(PutBack::Registered { version, beside: beside(input, machine, placing) })
}

fn beside(input: &RoleInput<'_>, machine: &Machine, placing: &mut Placing<'_>) -> Vec<PlacedFile> {
    let configuration = &machine.configuration_file;
    if !configuration.file_name().to_ascii_lowercase().ends_with(".vmcx") {
        return Vec::new();
    }
    let folder = configuration.parent().unwrap_or_else(|| WindowsPath::new(""));
    let file = |ending: &str| {
        let path = folder.join(&format!("{}.{ending}", configuration.file_stem()));
        copied_file(input.source, &path, || placing.fixed("source-configuration", machine.id.as_str(), ending))
    };
    BESIDE.into_iter().filter_map(file).collect()
}
