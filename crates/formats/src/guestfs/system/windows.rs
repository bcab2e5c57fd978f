//! Windows, by its registry hives `SOFTWARE` and `SYSTEM` with their transaction logs.

use super::{GuestSystem, SystemKind};
use crate::guestfs::ntfs::Ntfs;
use crate::io::read_whole;
use crate::regf::{Hive, HiveState, RegValue, RegValueKind, current_control_set};

/// Windows keeps SOFTWARE far below; a larger one is not read into memory.
const MAX_HIVE: u64 = 512 << 20;
const CONFIG: &str = r"Windows\System32\config";

/// The system of this volume; `None` when there are no hives.
pub(super) fn find(volume: &Ntfs) -> Option<GuestSystem> {
    let mut system = GuestSystem::new(SystemKind::Windows);
    let software = hive(volume, "SOFTWARE", &mut system);
    if let Some(hive) = &software {
        of_software(hive, &mut system);
    }
    drop(software);
    if let Some(hive) = hive(volume, "SYSTEM", &mut system) {
        of_system(&hive, &mut system);
    } else if system.name.is_empty() && system.remarks.is_empty() {
        return None;
    }
    Some(system)
}

/// A hive with its logs; why it cannot be read becomes a remark, that there is none does not.
fn hive(volume: &Ntfs, name: &str, system: &mut GuestSystem) -> Option<Hive> {
    let path = format!("{CONFIG}\\{name}");
    let bytes = match file(volume, &path) {
        Ok(bytes) => bytes?,
        Err(reason) => {
            system.remarks.push(format!("The hive {path} could not be read: {reason}"));
            return None;
        }
    };
    let logs: Vec<(String, Vec<u8>)> = [".LOG", ".LOG1", ".LOG2"]
        .iter()
        .filter_map(|end| Some((format!("{name}{end}"), file(volume, &format!("{path}{end}")).ok()??)))
        .collect();
    let logs: Vec<(&str, &[u8])> = logs.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    match Hive::open(bytes, &logs, &path) {
        Ok(hive) => {
            if matches!(hive.state(), HiveState::Stale) {
                system
                    .remarks
                    .push(format!("The hive {path} was being written to and no log fits; its values may be old."));
            }
            Some(hive)
        }
        Err(error) => {
            system.remarks.push(format!("The hive {path} could not be read: {error}"));
            None
        }
    }
}

fn file(volume: &Ntfs, path: &str) -> Result<Option<Vec<u8>>, String> {
    let Some(entry) = volume.find(path).map_err(|error| error.to_string())? else { return Ok(None) };
    let content = volume.open_file(entry.reference, "").map_err(|error| error.to_string())?;
    read_whole(&*content, MAX_HIVE).map(Some).map_err(|error| error.to_string())
}

/// Reads values of one hive and keeps what could not be read.
struct Values<'h, 's> {
    hive: &'h Hive,
    remarks: &'s mut Vec<String>,
}

impl Values<'_, '_> {
    /// A text or number as text; empty when there is none.
    fn text(&mut self, key: &str, name: &str) -> String {
        let text = |value: RegValue<'_>| match value.kind() {
            RegValueKind::Dword => value.as_dword().map(|number| number.to_string()),
            _ => value.as_string(),
        };
        match self.hive.value(key, name).and_then(|value| value.map(text).transpose()) {
            Ok(value) => value.unwrap_or_default(),
            Err(error) => {
                self.remarks.push(error.to_string());
                String::new()
            }
        }
    }
}

fn of_software(hive: &Hive, system: &mut GuestSystem) {
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
    let revision = text("UBR");
    if !revision.is_empty() {
        system.build = format!("{}.{revision}", system.build);
    }
    system.service_pack = text("CSDVersion");
    system.edition = text("EditionID");
    system.installation = text("InstallationType");
}

fn of_system(hive: &Hive, system: &mut GuestSystem) {
    let set = match current_control_set(hive) {
        Ok(set) => set,
        Err(error) => {
            system.remarks.push(error.to_string());
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
}
