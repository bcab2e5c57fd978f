//! All machines that are registered on the host, and all checkpoints that lie where checkpoints lie. A file that cannot be
//! read is a problem of its own; the others are read.

use std::collections::{HashMap, HashSet};

use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use hvm_model::names::{VmId, WindowsPath};
use hvm_model::vm::Machine;

use super::Reading;
use super::exported;
use super::machine::{self, CheckpointFile, MachineFile, Named};
use super::registered;
use super::switches::Networks;
use super::vmfile::{Concern, INTERIX_LINK, Trouble};
use crate::error::MAY_NOT_READ;
use crate::reach::EntryKind;

/// Most configuration files of one folder that are read.
pub(super) const MAX_FILES: usize = 50_000;

/// Machines by name, and checkpoints that wait for their machine.
pub(super) struct Machines {
    pub(super) machines: Vec<Machine>,
    /// GUIDs that each machine's file names, in the order of `machines`.
    pub(super) named: Vec<Vec<Named>>,
    pub(super) checkpoints: Vec<CheckpointFile>,
}

pub(super) fn read(reading: &Reading<'_>, networks: &Networks) -> Machines {
    let mut files = Vec::new();
    for entry in registered::entries(reading) {
        let read = if exported::is_exported(&entry) { exported::machine } else { machine::machine };
        match read(reading, networks, &entry) {
            Ok(file) => files.push((entry, file)),
            Err((message, place)) => unreadable(reading, "machine.unreadable", &entry, (message, place)),
        }
    }
    let files = without_duplicates(reading, files);
    let mut folders: Vec<WindowsPath> = reading.roots.iter().map(|root| root.join("Snapshots")).collect();
    folders.extend(files.iter().flat_map(|file| file.snapshot_folders.iter().cloned()));
    let own: HashSet<String> = files.iter().map(|file| file.machine.configuration_file.key()).collect();
    let checkpoints = checkpoints(reading, networks, folders, own);
    let mut machines = Machines { machines: Vec::new(), named: Vec::new(), checkpoints };
    for file in files {
        report(reading, &file);
        machines.machines.push(file.machine);
        machines.named.push(file.named);
    }
    machines
}

/// Whether a folder that is not there is worth telling.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    IsAProblem,
    IsNormal,
}

/// The `*.xml`, `*.exp` and `*.vmcx` entries of a folder.
pub(super) fn configurations(reading: &Reading<'_>, folder: &WindowsPath, missing: Missing) -> Vec<WindowsPath> {
    let entries = match reading.tree.read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            if missing == Missing::IsAProblem || error.is_denied() {
                let place = Place::new(folder.as_str(), "");
                unreadable(reading, "machine.folder-unreadable", folder, (error.to_string(), place));
            }
            return Vec::new();
        }
    };
    let is_one = |name: &str| [".xml", ".exp", ".vmcx"].iter().any(|end| name.to_ascii_lowercase().ends_with(end));
    let files = entries.iter().filter(|entry| entry.kind != EntryKind::Folder && is_one(&entry.name));
    let files: Vec<WindowsPath> = files.map(|entry| folder.join(&entry.name)).collect();
    if files.len() > MAX_FILES {
        let message =
            format!("'{folder}' holds {} configuration files; only the first {MAX_FILES} are read.", files.len());
        unreadable(reading, "machine.too-many", folder, (message, Place::new(folder.as_str(), "")));
    }
    files.into_iter().take(MAX_FILES).collect()
}

fn unreadable(reading: &Reading<'_>, kind: &str, path: &WindowsPath, (message, place): (String, Place)) {
    let hint = if message.contains("is not mapped") {
        "Map the drive, then read the source again.".to_owned()
    } else if message.contains(INTERIX_LINK) {
        "Make the link anew on a Windows (mklink), or put the file itself in its place, then read the source again."
            .to_owned()
    } else if reading.is_denied(path) {
        MAY_NOT_READ.to_owned()
    } else if let Some(copy) = registered::copy_of(reading, path) {
        format!(
            "Copy the file again from the source host, or go on without what it describes. Hyper-V kept a copy of the \
             configuration, which may be older: '{copy}'."
        )
    } else if reading.is_live() {
        "Mend on the host what keeps it from being read, then read the source again, or go on without what it describes."
            .to_owned()
    } else {
        "Copy the file again from the source host, or go on without what it describes.".to_owned()
    };
    reading.problem(Problem {
        kind: kind.to_owned(),
        subject: Subject::File { path: path.to_string() },
        message,
        place,
        hint,
    });
}

/// Of several files with one id the one that is called by the id stays, else the first; sorted by name.
fn without_duplicates(reading: &Reading<'_>, files: Vec<(WindowsPath, MachineFile)>) -> Vec<MachineFile> {
    let mut of_id: HashMap<VmId, Vec<(WindowsPath, MachineFile)>> = HashMap::new();
    for (entry, file) in files {
        of_id.entry(file.machine.id.clone()).or_default().push((entry, file));
    }
    let mut kept = Vec::new();
    for (id, mut same) in of_id {
        same.sort_by_key(|(entry, file)| (file.file_id.as_ref() != Some(&id), entry.key()));
        let mut same = same.into_iter();
        let Some((first_entry, first)) = same.next() else { continue };
        for (entry, other) in same {
            duplicate(reading, (&first_entry, &first.machine), (&entry, &other.machine));
        }
        kept.push(first);
    }
    kept.sort_by(|a, b| a.machine.name.cmp(&b.machine.name).then_with(|| a.machine.id.cmp(&b.machine.id)));
    kept
}

fn duplicate(reading: &Reading<'_>, kept: (&WindowsPath, &Machine), other: (&WindowsPath, &Machine)) {
    reading.problem(Problem {
        kind: "machine.duplicate-id".to_owned(),
        subject: Subject::Machine { id: kept.1.id.clone(), name: kept.1.name.clone() },
        message: format!(
            "Two configurations have the id {}: '{}' (virtual machine '{}') and '{}' (virtual machine '{}'). Only the \
             first is read.",
            kept.1.id, kept.0, kept.1.name, other.0, other.1.name
        ),
        place: Place::new(other.0.as_str(), other.1.place.at.clone()),
        hint: "Find out on the source host which of them is registered, and remove the other file from the copy."
            .to_owned(),
    });
}

fn report(reading: &Reading<'_>, file: &MachineFile) {
    let machine = &file.machine;
    let subject = Subject::Machine { id: machine.id.clone(), name: machine.name.clone() };
    if let Some(file_id) = file.file_id.as_ref().filter(|file_id| **file_id != machine.id) {
        let path = machine.registered_by.as_ref().unwrap_or(&machine.configuration_file);
        reading.problem(Problem {
            kind: "machine.id-mismatch".to_owned(),
            subject: subject.clone(),
            message: format!(
                "'{path}' is called by the id {file_id}, but its global_id is {}; the latter is taken.",
                machine.id
            ),
            place: Place::new(machine.configuration_file.as_str(), "/configuration/properties/global_id"),
            hint: "Find out on the source host which id the machine has; the file may be a renamed copy.".to_owned(),
        });
    }
    tell(reading, &subject, &file.trouble);
}

fn tell(reading: &Reading<'_>, subject: &Subject, trouble: &[Trouble]) {
    for trouble in trouble {
        let subject = match (&trouble.concern, subject) {
            (Concern::SharedDisk(path), Subject::Machine { id, name }) => {
                Subject::Disk { machine: id.clone(), machine_name: name.clone(), path: path.clone() }
            }
            _ => subject.clone(),
        };
        reading.problem(Problem {
            kind: trouble.concern.kind().to_owned(),
            subject,
            message: trouble.message.clone(),
            place: trouble.place.clone(),
            hint: trouble.concern.hint().to_owned(),
        });
    }
}

/// `seen_files` are the configurations that are machines.
fn checkpoints(
    reading: &Reading<'_>,
    networks: &Networks,
    folders: Vec<WindowsPath>,
    mut seen_files: HashSet<String>,
) -> Vec<CheckpointFile> {
    let mut seen_folders = HashSet::new();
    let mut found: Vec<CheckpointFile> = Vec::new();
    for folder in folders {
        let real = reading.tree.metadata(&folder).map(|metadata| metadata.real_path.key());
        if !real.is_ok_and(|real| seen_folders.insert(real)) {
            continue;
        }
        // A root that a machine names may hold other XML as well; only files called by a GUID are checkpoints.
        let files = configurations(reading, &folder, Missing::IsNormal);
        for entry in files.into_iter().filter(|entry| entry.file_stem().parse::<VmId>().is_ok()) {
            let read = if exported::is_exported(&entry) { exported::checkpoint } else { machine::checkpoint };
            match read(reading, networks, &entry) {
                Ok(file) => {
                    if seen_files.insert(WindowsPath::new(&file.place.file).key()) {
                        found.push(file);
                    }
                }
                Err((message, place)) => unreadable(reading, "checkpoint.unreadable", &entry, (message, place)),
            }
        }
    }
    for file in &found {
        let subject = Subject::File { path: file.place.file.clone() };
        tell(reading, &subject, &file.trouble);
    }
    found
}
