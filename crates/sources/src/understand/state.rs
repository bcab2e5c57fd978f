//! Saved state of a machine or a checkpoint: a node of the configuration, or files beside it. From 2016 on there is one file, which
//! machines that are off have, too: it holds a saved state when it has a key for one.

use hvm_formats::hvs::{HvsFile, Wanted};
use hvm_model::found::Place;
use hvm_model::names::WindowsPath;
use hvm_model::vm::MachineState;

use super::Reading;
use super::registered::is_binary;
use super::vmfile::{Concern, VmFile};

/// The key of a saved state in a `.vmrs` file.
const SAVED: &str = "savedstate";

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
    if is_binary(&file.path)
        && let Some(place) = runtime(reading, file)
    {
        return MachineState::Saved { memory_file: None, state_file: Some(WindowsPath::new(&place.file)), place };
    }
    match memory.clone().or_else(|| state.clone()) {
        Some(found) => {
            MachineState::Saved { memory_file: memory, state_file: state, place: Place::new(found.as_str(), "") }
        }
        None => MachineState::Off,
    }
}

/// Where the `.vmrs` file beside a configuration holds a saved state. What of it cannot be read is noted.
fn runtime(reading: &Reading<'_>, file: &VmFile) -> Option<Place> {
    let path = beside(&file.path, "vmrs");
    if !reading.tree.exists(&path) {
        return None;
    }
    let read = || {
        let file = reading.tree.open(&path).map_err(|error| error.to_string())?;
        HvsFile::open(&*file, Wanted::Top).map_err(|error| error.to_string())
    };
    match read() {
        Ok(read) => {
            let node = read.root(SAVED)?;
            Some(Place::new(path.as_str(), format!("/{SAVED} ({})", node.position())))
        }
        Err(message) => {
            let message = format!("{message} Whether there is a saved state is not known; off is taken.");
            file.note_as(Concern::SavedState, message, Place::new(path.as_str(), ""));
            None
        }
    }
}

/// The file of the same name with another extension.
fn beside(path: &WindowsPath, extension: &str) -> WindowsPath {
    let folder = path.parent().unwrap_or_else(|| path.clone());
    folder.join(&format!("{}.{extension}", path.file_stem()))
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
