//! Which files are the machines of the host. Up to 2012 R2 every file in `Virtual Machines` is one, or a link to one; from 2016 on
//! `data.vmcx` lists the paths of the binary ones. Where that list is missing or damaged, the files of the usual folders are taken.

use std::collections::HashSet;

use hvm_formats::hvs::{HvsFile, Wanted};
use hvm_formats::vmxml::{Document, Node};
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use hvm_model::names::WindowsPath;

use super::Reading;
use super::devices::section_guid;
use super::hyperv::{MACHINE_PATH, VIRTUALIZATION};
use super::machines::{MAX_FILES, Missing, configurations};
use crate::error::MAY_NOT_READ;

/// The root of the list.
const ROOT: &str = "Configurations";
const MACHINES: &str = "/Configurations/VirtualMachines";
const CACHE: &str = "/Configurations/VirtualMachinesCache";
/// Folder of Hyper-V's copies of configurations.
const CACHE_FOLDER: &str = "Virtual Machines Cache";

/// The list of a host.
enum List {
    /// The source has none, as an export, or a host up to 2012 R2.
    None,
    /// It is there, and cannot be read.
    Unreadable,
    /// The paths that it holds.
    Read(Vec<WindowsPath>),
}

/// True for the name of a configuration of 2016 or later.
pub(super) fn is_binary(path: &WindowsPath) -> bool {
    path.file_name().to_ascii_lowercase().ends_with(".vmcx")
}

/// The configurations of all machines.
pub(super) fn entries(reading: &Reading<'_>) -> Vec<WindowsPath> {
    let list = list(reading);
    // A host whose machines all lie elsewhere has nothing to miss in the usual folder.
    let missing = if matches!(list, List::Read(_)) { Missing::IsNormal } else { Missing::IsAProblem };
    let folders: Vec<WindowsPath> = reading.roots.iter().map(|root| root.join("Virtual Machines")).collect();
    let found: Vec<WindowsPath> = folders.iter().flat_map(|folder| configurations(reading, folder, missing)).collect();
    match list {
        List::Read(listed) => listed_ones(reading, listed, found),
        List::None if reading.list.is_none() => found,
        List::None => {
            if let Some(first) = found.iter().find(|path| is_binary(path)) {
                no_list(reading, first);
                return with_usual_folder(reading, found);
            }
            found
        }
        List::Unreadable => with_usual_folder(reading, found),
    }
}

fn list(reading: &Reading<'_>) -> List {
    let Some(path) = reading.list.as_ref().filter(|path| reading.tree.exists(path)) else { return List::None };
    let unreadable = |message: String| {
        reading.problem(Problem {
            kind: "machine.list-unreadable".to_owned(),
            subject: Subject::File { path: path.to_string() },
            message: format!(
                "{message} It lists the machines of the host; now those are read that lie in the usual folders, and others are not known."
            ),
            place: Place::new(path.as_str(), ""),
            hint: match reading.is_denied(path) {
                true => MAY_NOT_READ.to_owned(),
                false => "Copy the file again from the source host, or compare the list of machines with Hyper-V Manager.".to_owned(),
            },
        });
        List::Unreadable
    };
    let document = match read(reading, path) {
        Ok(document) => document,
        Err(message) => return unreadable(message),
    };
    if document.get(MACHINES).is_none() {
        return unreadable(format!("'{path}' has no key '{MACHINES}'."));
    }
    let machines = document.children(MACHINES);
    List::Read(machines.iter().filter_map(|node| listed(reading, path, node)).take(MAX_FILES).collect())
}

fn read(reading: &Reading<'_>, path: &WindowsPath) -> Result<Document, String> {
    let file = reading.tree.open(path).map_err(|error| error.to_string())?;
    let file = HvsFile::open(&*file, Wanted::Everything).map_err(|error| error.to_string())?;
    file.into_document(ROOT).ok_or_else(|| format!("'{path}' is no list of machines: it has no key '{ROOT}'."))
}

/// `_GUID_` and a path.
fn listed(reading: &Reading<'_>, list: &WindowsPath, node: &Node) -> Option<WindowsPath> {
    let text = node.value().map(|value| value.as_str()).unwrap_or_default();
    let path = reading.variables.path(text);
    if section_guid(node.name()).is_some() && path.drive().is_some() {
        return Some(path);
    }
    let place = Place::new(list.as_str(), format!("{MACHINES}/{} ({})", node.name(), node.position()));
    reading.problem(Problem {
        kind: "machine.list-entry".to_owned(),
        subject: Subject::File { path: list.to_string() },
        message: format!("{place}: a GUID with the path of a configuration was expected, found '{text}'."),
        place,
        hint: "Look on the source host in Hyper-V Manager which machine it is.".to_owned(),
    });
    None
}

/// What is listed, and configurations in XML, which are registered by being there. A binary one that is not listed is no machine of the
/// host.
fn listed_ones(reading: &Reading<'_>, listed: Vec<WindowsPath>, found: Vec<WindowsPath>) -> Vec<WindowsPath> {
    let known: HashSet<String> = listed.iter().map(WindowsPath::key).collect();
    let mut entries = listed;
    for path in found.into_iter().filter(|path| !known.contains(&path.key())) {
        if !is_binary(&path) {
            entries.push(path);
            continue;
        }
        reading.problem(Problem {
            kind: "machine.unregistered".to_owned(),
            subject: Subject::File { path: path.to_string() },
            message: format!(
                "'{path}' is the configuration of a machine that the host's list does not hold. It is not read."
            ),
            place: Place::new(path.as_str(), ""),
            hint:
                "It may be left over from a machine that was removed. Register it on the source host if it is needed."
                    .to_owned(),
        });
    }
    entries
}

fn no_list(reading: &Reading<'_>, first: &WindowsPath) {
    let Some(list) = &reading.list else { return };
    reading.problem(Problem {
        kind: "machine.list-missing".to_owned(),
        subject: Subject::File { path: list.to_string() },
        message: format!(
            "'{list}' is missing, which lists the machines of a host with configurations such as '{first}'. Machines that lie in other \
             folders than the usual ones are not known."
        ),
        place: Place::new(list.as_str(), ""),
        hint: "Copy the file from the source host, or compare the list of machines with Hyper-V Manager.".to_owned(),
    });
}

/// With what lies where the host puts new machines.
fn with_usual_folder(reading: &Reading<'_>, mut found: Vec<WindowsPath>) -> Vec<WindowsPath> {
    if let Some(root) = reading.software.text(VIRTUALIZATION, MACHINE_PATH).into_value() {
        let folder = reading.variables.path(&root).join("Virtual Machines");
        let known: HashSet<String> = found.iter().map(WindowsPath::key).collect();
        let others = configurations(reading, &folder, Missing::IsNormal);
        found.extend(others.into_iter().filter(|path| !known.contains(&path.key())));
    }
    found
}

/// What to do about a machine whose configuration cannot be read: Hyper-V may have kept a copy.
pub(super) fn copy_of(reading: &Reading<'_>, path: &WindowsPath) -> Option<WindowsPath> {
    if !is_binary(path) {
        return None;
    }
    let listed = || {
        let document = read(reading, reading.list.as_ref()?).ok()?;
        let of_machine =
            |node: &&Node| section_guid(node.name()).is_some_and(|guid| path.file_stem().eq_ignore_ascii_case(&guid));
        let node = document.children(CACHE).iter().find(of_machine)?;
        Some(reading.variables.path(node.value()?.as_str()))
    };
    let usual = || Some(reading.roots.first()?.join(CACHE_FOLDER).join(path.file_name()));
    [listed(), usual()].into_iter().flatten().find(|copy| *copy != *path && reading.tree.exists(copy))
}
