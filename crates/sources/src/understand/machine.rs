//! One configuration file: a machine, or a checkpoint with what says whose it is.

use hvm_formats::vmxml::Node;
use hvm_model::found::{Found, Place};
use hvm_model::names::{VmId, WindowsPath};
use hvm_model::vm::{Machine, MachineConfiguration, MachineState};

use super::vmfile::{Trouble, VmFile};
use super::{Reading, configuration, devices, known, state, switches::Networks};

/// Most GUID-valued leaves of one file that are looked at.
const MAX_NAMED: usize = 10_000;

/// A leaf outside of device sections whose text is a GUID.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// Path without the root.
    pub(super) path: String,
    pub(super) id: VmId,
    pub(super) place: Place,
}

/// A machine with what the files say of its checkpoints.
pub(super) struct MachineFile {
    pub(super) machine: Machine,
    /// Name of the file without extension, when it is a GUID.
    pub(super) file_id: Option<VmId>,
    pub(super) named: Vec<Named>,
    /// Folders that may hold its checkpoints.
    pub(super) snapshot_folders: Vec<WindowsPath>,
    pub(super) trouble: Vec<Trouble>,
}

/// A checkpoint of some machine.
pub(super) struct CheckpointFile {
    /// GUID of the checkpoint: the name of its file, else `global_id`.
    pub(super) id: VmId,
    pub(super) name: String,
    pub(super) created: Option<String>,
    pub(super) has_saved_state: bool,
    pub(super) configuration: MachineConfiguration,
    pub(super) logical_id: Option<VmId>,
    pub(super) named: Vec<Named>,
    pub(super) place: Place,
    pub(super) trouble: Vec<Trouble>,
}

/// Reads a machine; `entry` is its place in `Virtual Machines`.
pub(super) fn machine(
    reading: &Reading<'_>,
    networks: &Networks,
    entry: &WindowsPath,
) -> Result<MachineFile, (String, Place)> {
    let file = open(reading, entry)?;
    let file_id: Option<VmId> = entry.file_stem().parse().ok();
    let written = file.text("properties/global_id");
    let id = written.as_deref().and_then(|id| id.parse().ok()).or_else(|| file_id.clone());
    let id: VmId = id.ok_or_else(|| {
        let found = written.map_or("nothing".to_owned(), |text| format!("'{text}'"));
        let place = file.place("properties/global_id");
        (format!("{place}: the id of the machine, a GUID, was expected, found {found}."), place)
    })?;
    let folder = file.path.parent().unwrap_or_else(|| file.path.clone());
    let machine = Machine {
        name: name(&file, id.as_str()),
        notes: file.text("properties/notes").unwrap_or_default(),
        version: file.sized::<u32>("properties/version").map(version),
        generation: if file.number("properties/subtype") == Some(1) { 2 } else { 1 },
        registered_by: (file.path != *entry).then(|| entry.clone()),
        state: state::read(reading, &file, &folder.join(id.as_str())),
        configuration: configuration::read(&file, &reading.variables, networks),
        checkpoints: Vec::new(),
        current_checkpoint: Found::unknown("The machine has no checkpoints."),
        owner: file.text("global_settings/owner/sid").filter(|sid| !sid.is_empty()),
        highly_available: file.flag("properties/highly_available").unwrap_or(false),
        by_hand: configuration::by_hand(&file),
        unknown_nodes: known::unknown(&file),
        place: file.place("properties/name"),
        configuration_file: file.path.clone(),
        id,
    };
    Ok(MachineFile {
        snapshot_folders: snapshot_folders(reading, &file, &folder),
        named: named(&file),
        trouble: file.take_trouble(),
        machine,
        file_id,
    })
}

/// Reads a checkpoint.
pub(super) fn checkpoint(
    reading: &Reading<'_>,
    networks: &Networks,
    entry: &WindowsPath,
) -> Result<CheckpointFile, (String, Place)> {
    let file = open(reading, entry)?;
    let id_of = |path: &str| file.text(path).and_then(|id| id.parse::<VmId>().ok());
    let id = entry.file_stem().parse().ok().or_else(|| id_of("properties/global_id"));
    let id: VmId = id.ok_or_else(|| {
        let place = file.place("properties/global_id");
        (format!("{place}: neither the name of the file nor this leaf is the GUID of a checkpoint."), place)
    })?;
    let folder = file.path.parent().unwrap_or_else(|| file.path.clone());
    Ok(CheckpointFile {
        name: name(&file, id.as_str()),
        created: file.bytes("properties/creation_time").and_then(|bytes| rfc3339(&bytes)),
        has_saved_state: state::read(reading, &file, &folder.join(id.as_str())) != MachineState::Off,
        configuration: configuration::read(&file, &reading.variables, networks),
        logical_id: id_of("settings/global/logical_id"),
        named: named(&file),
        place: file.place("properties/name"),
        trouble: file.take_trouble(),
        id,
    })
}

fn open(reading: &Reading<'_>, entry: &WindowsPath) -> Result<VmFile, (String, Place)> {
    VmFile::open(reading.tree, entry).map_err(|(message, at)| (message, Place::new(entry.as_str(), at)))
}

fn name(file: &VmFile, id: &str) -> String {
    match file.text("properties/name") {
        Some(name) if !name.is_empty() => name,
        _ => {
            let place = file.place("properties/name");
            file.note(format!("{place}: there is no name; the id is taken instead."), place);
            id.to_owned()
        }
    }
}

/// Major and minor number.
fn version(number: u32) -> (u16, u16) {
    let major = u16::try_from(number >> 8).unwrap_or(u16::MAX);
    (major, u16::try_from(number & 0xff).unwrap_or(0))
}

/// Where checkpoints of this machine may lie: beside its configuration, and in the roots that it names.
fn snapshot_folders(reading: &Reading<'_>, file: &VmFile, folder: &WindowsPath) -> Vec<WindowsPath> {
    let mut folders = Vec::new();
    folders.extend(folder.parent().map(|root| root.join("Snapshots")));
    for name in ["global_settings/snapshots/data_root", "global_settings/data_root"] {
        if let Some(root) = file.text(name).filter(|root| !root.is_empty()) {
            let root = reading.variables.path(&root);
            folders.push(root.join("Snapshots"));
            folders.push(root);
        }
    }
    folders
}

fn named(file: &VmFile) -> Vec<Named> {
    let mut found = Vec::new();
    for (path, node, value) in file.document().leaves() {
        let Some(path) = path.strip_prefix("/configuration/") else { continue };
        let head = path.split('/').next().unwrap_or(path);
        // Devices and metrics are full of GUIDs that name devices.
        if devices::section_guid(head).is_some() || head == "manifest" || path.starts_with("global_settings/metrics/") {
            continue;
        }
        if let Ok(id) = value.as_str().parse()
            && found.len() < MAX_NAMED
        {
            found.push(Named { path: path.to_owned(), id, place: place(file, path, node) });
        }
    }
    found
}

fn place(file: &VmFile, path: &str, node: &Node) -> Place {
    Place::new(file.path.as_str(), format!("/configuration/{path} ({})", node.position()))
}

/// A FILETIME (100 ns since 1601-01-01 UTC, little endian) as RFC 3339; zero is no time.
fn rfc3339(bytes: &[u8]) -> Option<String> {
    let ticks = u64::from_le_bytes(bytes.try_into().ok()?);
    if ticks == 0 {
        return None;
    }
    let seconds = ticks / 10_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(i64::try_from(days).ok()? - 134_774);
    if year > 9999 {
        return None;
    }
    Some(format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60))
}

/// Year, month and day of a number of days since 1970-01-01 (Gregorian calendar, years of 400 in March order).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_times_become_dates() {
        // Base64 `j3iz2977zwE=` of a real file: 2014-11-09 05:34:40 UTC.
        let bytes = [0x8f, 0x78, 0xb3, 0xdb, 0xde, 0xfb, 0xcf, 0x01];
        assert_eq!(rfc3339(&bytes).unwrap(), "2014-11-09T05:34:40Z");
        assert_eq!(rfc3339(&[0; 8]), None);
        assert_eq!(rfc3339(&[0xff; 8]), None);
        assert_eq!(rfc3339(&[1, 2]), None);
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
    }

    #[test]
    fn versions_are_two_bytes() {
        assert_eq!(version(768), (3, 0));
        assert_eq!(version(1538), (6, 2));
    }
}
