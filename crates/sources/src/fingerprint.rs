//! A number that changes when the source was used meanwhile: BLAKE3 over names, sizes and modification times of the files
//! that an inventory rests on, and over the names in the folders in which machines are registered.

use std::collections::BTreeMap;

use hvm_model::inventory::Inventory;
use hvm_model::names::WindowsPath;
use hvm_model::vm::MachineState;

use crate::reach::ReadOnlyTree;

/// What a layout uses besides the things that the inventory names.
#[derive(Debug)]
pub(crate) struct Own {
    /// Files, there or not.
    pub(crate) files: Vec<WindowsPath>,
    /// Folders whose entries count by name.
    pub(crate) folders: Vec<WindowsPath>,
}

/// The fingerprint as lower-case hex.
pub(crate) fn of(tree: &dyn ReadOnlyTree, own: &Own, inventory: &Inventory) -> String {
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    for path in own.files.iter().cloned().chain(used(inventory)) {
        let line = match tree.metadata(&path) {
            // Times as exactly as NTFS has them, so that each system that the volume is read on tells the same.
            Ok(metadata) => format!("{} {}", metadata.size, metadata.modified.div_euclid(100)),
            Err(_) => "absent".to_owned(),
        };
        lines.insert(path.key(), line);
    }
    for folder in &own.folders {
        for entry in tree.read_dir(folder).unwrap_or_default() {
            lines.entry(folder.join(&entry.name).key()).or_insert_with(|| "listed".to_owned());
        }
    }
    let mut hasher = blake3::Hasher::new();
    for (path, line) in lines {
        hasher.update(format!("{path}\0{line}\n").as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn used(inventory: &Inventory) -> Vec<WindowsPath> {
    let mut paths: Vec<WindowsPath> = inventory.host.settings.authorization.file.iter().cloned().collect();
    for machine in &inventory.machines {
        paths.push(machine.configuration_file.clone());
        if let MachineState::Saved { memory_file, state_file, .. } = &machine.state {
            paths.extend(memory_file.iter().chain(state_file).cloned());
        }
        paths.extend(machine.checkpoints.iter().map(|checkpoint| WindowsPath::new(&checkpoint.place.file)));
    }
    paths.extend(inventory.disks.iter().map(|disk| disk.path.clone()));
    paths.extend(inventory.media.iter().map(|media| media.path.clone()));
    paths
}
