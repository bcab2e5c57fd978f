//! Saved state of a machine or a checkpoint: a node of the configuration, or files beside it.

use hvm_model::found::Place;
use hvm_model::names::WindowsPath;
use hvm_model::vm::MachineState;

use super::Reading;
use super::vmfile::VmFile;

/// Off or saved. `folder` is where the files of the machine lie: `Virtual Machines\<GUID>`.
pub(super) fn read(reading: &Reading<'_>, file: &VmFile, folder: &WindowsPath) -> MachineState {
    let (memory, state) = files(reading, folder);
    let named = |name: &str| {
        let text = file.text(&format!("savedstate/{name}")).filter(|text| !text.is_empty());
        text.map(|text| reading.variables.path(&text))
    };
    if file.has("savedstate") {
        return MachineState::Saved {
            memory_file: named("memlocation").or(memory),
            state_file: named("vsvlocation").or(state),
            place: file.place("savedstate"),
        };
    }
    match memory.clone().or_else(|| state.clone()) {
        Some(found) => {
            MachineState::Saved { memory_file: memory, state_file: state, place: Place::new(found.as_str(), "") }
        }
        None => MachineState::Off,
    }
}

/// The `.bin` and `.vsv` file of a folder.
pub(super) fn files(reading: &Reading<'_>, folder: &WindowsPath) -> (Option<WindowsPath>, Option<WindowsPath>) {
    let entries = reading.tree.read_dir(folder).unwrap_or_default();
    let find = |extension: &str| {
        let entry = entries.iter().find(|entry| entry.name.to_ascii_lowercase().ends_with(extension))?;
        Some(folder.join(&entry.name))
    };
    (find(".bin"), find(".vsv"))
}
