//! Windows, by its registry hives `SOFTWARE` and `SYSTEM` with their transaction logs.

use super::cells::{CellHive, Node};
use super::{GuestSystem, SystemKind, drivers, network};
use crate::guestfs::ntfs::Ntfs;
use crate::io::{ReadAt, SharedFile, read_whole};
use crate::regf::{self, Hive, HiveState, RegValue, RegValueKind, current_control_set};

/// A larger hive is read cell by cell instead of whole, and a larger log is not used: a hive is held twice while its logs
/// are replayed.
const MAX_WHOLE: u64 = 8 << 20;
/// Folders of the hives; the second is that of Windows 2000 and earlier, and of what was made from them.
const CONFIGS: [&str; 2] = [r"Windows\System32\config", r"WINNT\system32\config"];
/// First build of Windows 11, which calls itself Windows 10 in its hives.
const BUILD_11: u32 = 22000;

/// A hive, in memory or in its file.
enum Registry {
    Whole(Box<Hive>),
    Cells(CellHive),
}

/// The system of this volume; `None` when there are no hives.
pub(super) fn find(volume: &Ntfs) -> Option<GuestSystem> {
    let mut system = GuestSystem::new(SystemKind::Windows);
    let [usual, old] = CONFIGS;
    let is_old = absent(volume, usual) && !absent(volume, old);
    let config = if is_old { old } else { usual };
    let software = hive(volume, config, "SOFTWARE", &mut system);
    if let Some(hive) = &software {
        of_software(hive, &mut system);
    }
    drop(software);
    if let Some(hive) = hive(volume, config, "SYSTEM", &mut system) {
        of_system(&hive, &mut system);
    } else if system.name.is_empty() && system.remarks.is_empty() {
        return None;
    }
    Some(system)
}

/// Whether a folder has neither of the hives for sure.
fn absent(volume: &Ntfs, config: &str) -> bool {
    ["SOFTWARE", "SYSTEM"].iter().all(|name| matches!(volume.find(&format!("{config}\\{name}")), Ok(None)))
}

/// How hives are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HiveReading {
    /// Whole, as those of most systems.
    Whole,
    /// Cell by cell, as those that are too large for that.
    Cells,
}

/// Windows by its hives `SOFTWARE` and `SYSTEM` alone, without their logs.
pub fn windows_by_hives(software: &SharedFile, hive_system: &SharedFile, reading: HiveReading) -> GuestSystem {
    let mut system = GuestSystem::new(SystemKind::Windows);
    let open = |file: &SharedFile| {
        let opened = match reading {
            HiveReading::Cells => CellHive::open(file.clone()).map(Registry::Cells).map_err(|error| error.to_string()),
            HiveReading::Whole => alone(&**file),
        };
        opened.map_err(|reason| format!("The hive {} could not be read: {reason}", file.name()))
    };
    let (software, hive_system) = (open(software), open(hive_system));
    match software {
        Ok(hive) => of_software(&hive, &mut system),
        Err(remark) => system.remarks.push(remark),
    }
    match hive_system {
        Ok(hive) => of_system(&hive, &mut system),
        Err(remark) => system.remarks.push(remark),
    }
    system
}

fn alone(file: &dyn ReadAt) -> Result<Registry, String> {
    let bytes = read_whole(file, MAX_WHOLE).map_err(|error| error.to_string())?;
    let hive = Hive::open(bytes, &[], file.name()).map_err(|error| error.to_string())?;
    Ok(Registry::Whole(Box::new(hive)))
}

/// A hive with its logs; why it cannot be read becomes a remark, that there is none does not.
fn hive(volume: &Ntfs, config: &str, name: &str, system: &mut GuestSystem) -> Option<Registry> {
    let path = format!("{config}\\{name}");
    let opened = file(volume, &path).and_then(|file| match file {
        None => Ok(None),
        Some(file) if file.len() > MAX_WHOLE => large(file, &path, system).map(Some),
        Some(file) => whole(volume, &*file, (name, &path), system).map(Some),
    });
    opened.unwrap_or_else(|reason| {
        system.remarks.push(format!("The hive {path} could not be read: {reason}"));
        None
    })
}

fn large(file: SharedFile, path: &str, system: &mut GuestSystem) -> Result<Registry, String> {
    let len = file.len();
    let hive = CellHive::open(file).map_err(|error| error.to_string())?;
    if !hive.is_settled() {
        system.remarks.push(format!(
            "The hive {path} was being written to. Of its {len} bytes only what is needed was read, without its logs; values \
             that were changed last may be old."
        ));
    }
    Ok(Registry::Cells(hive))
}

fn whole(
    volume: &Ntfs,
    content: &dyn ReadAt,
    (name, path): (&str, &str),
    system: &mut GuestSystem,
) -> Result<Registry, String> {
    let bytes = read_whole(content, MAX_WHOLE).map_err(|error| error.to_string())?;
    let log = |end: &&str| {
        let content = file(volume, &format!("{path}{end}")).ok()??;
        Some((format!("{name}{end}"), read_whole(&*content, MAX_WHOLE).ok()?))
    };
    let logs: Vec<(String, Vec<u8>)> = [".LOG", ".LOG1", ".LOG2"].iter().filter_map(log).collect();
    let logs: Vec<(&str, &[u8])> = logs.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let hive = Hive::open(bytes, &logs, path).map_err(|error| error.to_string())?;
    if matches!(hive.state(), HiveState::Stale) {
        let text = format!("The hive {path} was being written to and no log fits; its values may be old.");
        system.remarks.push(text);
    }
    Ok(Registry::Whole(Box::new(hive)))
}

fn file(volume: &Ntfs, path: &str) -> Result<Option<SharedFile>, String> {
    let Some(entry) = volume.find(path).map_err(|error| error.to_string())? else { return Ok(None) };
    volume.open_file(entry.reference, "").map(Some).map_err(|error| error.to_string())
}

/// A key of a hive in memory or in its file.
pub(super) enum Key<'h> {
    Whole(regf::Key<'h>),
    Cells(&'h CellHive, Node),
}

impl Registry {
    fn key(&self, path: &str) -> Result<Option<Key<'_>>, String> {
        match self {
            Registry::Whole(hive) => hive.key(path).map(|key| key.map(Key::Whole)).map_err(|error| error.to_string()),
            Registry::Cells(hive) => {
                hive.at(path).map(|node| node.map(|node| Key::Cells(hive, node))).map_err(|error| error.to_string())
            }
        }
    }

    /// Name of the control set that the system starts with.
    fn control_set(&self) -> Result<String, String> {
        match self {
            Registry::Whole(hive) => current_control_set(hive).map_err(|error| error.to_string()),
            Registry::Cells(_) => {
                let number = self.key("Select")?.map(|key| key.texts("Current")).transpose()?.unwrap_or_default();
                let number = number.first().and_then(|number| number.parse::<u32>().ok());
                let number = number.ok_or("The hive SYSTEM has no number 'Current' in \\Select.")?;
                Ok(format!("ControlSet{number:03}"))
            }
        }
    }
}

impl<'h> Key<'h> {
    /// The texts of a value, or its number as text; none when there is no such value.
    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let texts = |value: RegValue<'_>| match value.kind() {
            RegValueKind::Dword => value.as_dword().map(|number| vec![number.to_string()]),
            RegValueKind::MultiSz => value.as_multi_string(),
            _ => value.as_string().map(|text| vec![text]),
        };
        match self {
            Key::Whole(key) => {
                let found = key.value(name).and_then(|value| value.map(texts).transpose());
                found.map(Option::unwrap_or_default).map_err(|error| error.to_string())
            }
            Key::Cells(hive, node) => hive.texts(node, name).map_err(|error| error.to_string()),
        }
    }

    fn names(&self) -> Result<Vec<String>, String> {
        match self {
            Key::Whole(key) => {
                let names = key.subkeys().map(|key| key.map(|key| key.name().to_owned()));
                names.collect::<Result<_, _>>().map_err(|error| error.to_string())
            }
            Key::Cells(hive, node) => hive.names(node).map_err(|error| error.to_string()),
        }
    }

    fn below(&self, name: &str) -> Result<Option<Key<'h>>, String> {
        match self {
            Key::Whole(key) => key.subkey(name).map(|key| key.map(Key::Whole)).map_err(|error| error.to_string()),
            Key::Cells(hive, node) => hive
                .subkey(node, name)
                .map(|node| node.map(|node| Key::Cells(hive, node)))
                .map_err(|error| error.to_string()),
        }
    }
}

/// Reads values of one hive and keeps what could not be read.
pub(super) struct Values<'h, 's> {
    hive: &'h Registry,
    pub(super) remarks: &'s mut Vec<String>,
}

impl<'h> Values<'h, '_> {
    fn keep<T>(&mut self, found: Result<T, String>) -> Option<T> {
        found.map_err(|error| self.remarks.push(error)).ok()
    }

    pub(super) fn key(&mut self, path: &str) -> Option<Key<'h>> {
        let found = self.hive.key(path);
        self.keep(found).flatten()
    }

    pub(super) fn below(&mut self, key: &Key<'h>, name: &str) -> Option<Key<'h>> {
        self.keep(key.below(name)).flatten()
    }

    /// Names of the keys below one.
    pub(super) fn names(&mut self, key: &Key<'_>) -> Vec<String> {
        self.keep(key.names()).unwrap_or_default()
    }

    pub(super) fn texts(&mut self, key: &Key<'_>, name: &str) -> Vec<String> {
        self.keep(key.texts(name)).unwrap_or_default()
    }

    /// The first text of a value; empty when there is none.
    pub(super) fn one(&mut self, key: &Key<'_>, name: &str) -> String {
        self.texts(key, name).into_iter().next().unwrap_or_default()
    }

    /// The same of a key that is looked for first.
    fn text(&mut self, path: &str, name: &str) -> String {
        self.key(path).map(|key| self.one(&key, name)).unwrap_or_default()
    }
}

fn of_software(hive: &Registry, system: &mut GuestSystem) {
    let mut values = Values { hive, remarks: &mut system.remarks };
    let mut text = |name| values.text(r"Microsoft\Windows NT\CurrentVersion", name);
    system.name = text("ProductName");
    // From Windows 10 on, `CurrentVersion` stays at 6.3 and two numbers say the version.
    let (major, minor) = (text("CurrentMajorVersionNumber"), text("CurrentMinorVersionNumber"));
    system.version = if major.is_empty() { text("CurrentVersion") } else { format!("{major}.{minor}") };
    system.build = match text("CurrentBuildNumber") {
        build if build.is_empty() => text("CurrentBuild"),
        build => build,
    };
    let (number, revision) = (system.build.parse(), text("UBR"));
    if !revision.is_empty() {
        system.build = format!("{}.{revision}", system.build);
    }
    system.service_pack = text("CSDVersion");
    system.edition = text("EditionID");
    system.installation = text("InstallationType");
    if system.installation == "Client"
        && number.is_ok_and(|number: u32| number >= BUILD_11)
        && let Some(rest) = system.name.strip_prefix("Windows 10")
    {
        system.name = format!("Windows 11{rest}");
    }
}

fn of_system(hive: &Registry, system: &mut GuestSystem) {
    let set = match hive.control_set() {
        Ok(set) => set,
        Err(error) => {
            system.remarks.push(error);
            return;
        }
    };
    let mut values = Values { hive, remarks: &mut system.remarks };
    let mut text = |key: &str, name| values.text(&format!("{set}\\{key}"), name);
    let tcpip = r"Services\Tcpip\Parameters";
    system.host_name = match text(tcpip, "Hostname") {
        name if name.is_empty() => text(r"Control\ComputerName\ComputerName", "ComputerName"),
        name => name,
    };
    system.domain = text(tcpip, "Domain");
    system.language = text(r"Control\Nls\Language", "InstallLanguage");
    system.architecture = text(r"Control\Session Manager\Environment", "PROCESSOR_ARCHITECTURE");
    system.time_zone = match text(r"Control\TimeZoneInformation", "TimeZoneKeyName") {
        zone if zone.is_empty() => text(r"Control\TimeZoneInformation", "StandardName"),
        zone => zone,
    };
    system.adapters = network::windows::adapters(&mut values, &set);
    system.drivers = drivers::of_windows(&mut values, &set);
}
