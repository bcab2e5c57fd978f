//! Machines and checkpoints out of objects of Hyper-V's first WMI classes, as the `.exp` files of exports of Windows Server 2008 and
//! 2008 R2 hold them. The objects are documented, what stands around them is not: every object counts, wherever it is, and belongs
//! to the machine or checkpoint whose GUID its `InstanceID` begins with.

mod hardware;

use hvm_formats::cim::{self, Object};
use hvm_formats::io::read_whole;
use hvm_formats::vmxml::MAX_FILE;
use hvm_model::found::{Found, Place};
use hvm_model::names::{VmId, WindowsPath};
use hvm_model::vm::{
    AutomaticActions, BootDevice, Firmware, Machine, MachineConfiguration, MachineState, Memory, Numa, Processors,
    StartAction, StopAction,
};

use super::machine::{CheckpointFile, MachineFile, Named};
use super::vmfile::{Concern, Trouble};
use super::{Reading, state, switches::Networks};

const SETTINGS: &str = "Msvm_VirtualSystemSettingData";
const GLOBAL: &str = "Msvm_VirtualSystemGlobalSettingData";

/// The objects of one machine or checkpoint.
struct Exported {
    /// The file after links.
    path: WindowsPath,
    /// GUID of the machine or the checkpoint.
    id: VmId,
    settings: Object,
    global: Option<Object>,
    /// All that belongs to it.
    own: Vec<Object>,
    trouble: Vec<Trouble>,
}

/// True for the name of a file with objects.
pub(super) fn is_exported(entry: &WindowsPath) -> bool {
    entry.file_name().to_ascii_lowercase().ends_with(".exp")
}

/// Reads a machine.
pub(super) fn machine(
    reading: &Reading<'_>,
    networks: &Networks,
    entry: &WindowsPath,
) -> Result<MachineFile, (String, Place)> {
    let mut file = open(reading, entry)?;
    let id = file.machine();
    let folder = file.path.parent().unwrap_or_else(|| file.path.clone());
    let machine = Machine {
        name: file.name(),
        notes: file.settings.text("Notes").unwrap_or_default().to_owned(),
        version: file.global.as_ref().and_then(|global| version(global.text("Version")?)),
        generation: 1,
        registered_by: None,
        state: state_beside(reading, &folder.join(id.as_str())),
        configuration: file.configuration(reading, networks),
        checkpoints: Vec::new(),
        current_checkpoint: Found::unknown("The machine has no checkpoints."),
        owner: None,
        highly_available: false,
        by_hand: Vec::new(),
        unknown_nodes: Vec::new(),
        place: file.place(SETTINGS, "ElementName"),
        configuration_file: file.path.clone(),
        id: id.clone(),
    };
    Ok(MachineFile {
        named: file.parents(),
        snapshot_folders: folder.parent().map(|root| root.join("Snapshots")).into_iter().collect(),
        trouble: file.trouble,
        machine,
        file_id: entry.file_stem().parse().ok(),
    })
}

/// Reads a checkpoint.
pub(super) fn checkpoint(
    reading: &Reading<'_>,
    networks: &Networks,
    entry: &WindowsPath,
) -> Result<CheckpointFile, (String, Place)> {
    let mut file = open(reading, entry)?;
    let folder = file.path.parent().unwrap_or_else(|| file.path.clone());
    Ok(CheckpointFile {
        name: file.name(),
        created: file.settings.text("CreationTime").and_then(rfc3339),
        has_saved_state: state_beside(reading, &folder.join(file.id.as_str())) != MachineState::Off,
        configuration: file.configuration(reading, networks),
        logical_id: Some(file.machine()),
        named: file.parents(),
        place: file.place(SETTINGS, "ElementName"),
        trouble: file.trouble,
        id: file.id,
    })
}

fn open(reading: &Reading<'_>, entry: &WindowsPath) -> Result<Exported, (String, Place)> {
    let failed = |message: String| (message, Place::new(entry.as_str(), ""));
    let file = reading.tree.open(entry).map_err(|error| failed(error.to_string()))?;
    let path = WindowsPath::new(file.name());
    let bytes =
        read_whole(&*file, MAX_FILE as u64).map_err(|error| failed(format!("'{path}' could not be read: {error}.")))?;
    let found = cim::read(&bytes, path.as_str()).map_err(|error| failed(error.to_string()))?;
    let of_file: Option<VmId> = entry.file_stem().parse().ok();
    let settings: Vec<&Object> = found.objects.iter().filter(|object| object.is(SETTINGS)).collect();
    let called = settings.iter().find(|object| of_file.is_some() && guid_of(object) == of_file);
    let only = if let [one] = settings[..] { Some(one) } else { None };
    let settings = called.copied().or(only).cloned().ok_or_else(|| {
        failed(format!(
            "'{path}' holds {} objects, of which {} are of the class {SETTINGS}; the one of the machine or checkpoint that the \
             file is called by was expected.",
            found.objects.len(),
            settings.len()
        ))
    })?;
    let id = guid_of(&settings).or(of_file).ok_or_else(|| {
        failed(format!("'{path}': neither the name of the file nor the InstanceID of its {SETTINGS} has a GUID."))
    })?;
    let trouble = |message: &String| Trouble {
        concern: Concern::Setting,
        message: format!("'{path}': {message}"),
        place: Place::new(path.as_str(), ""),
    };
    Ok(Exported {
        trouble: found.unknown.iter().map(trouble).collect(),
        global: found.objects.iter().find(|object| object.is(GLOBAL)).cloned(),
        own: found.objects.into_iter().filter(|object| guid_of(object).as_ref() == Some(&id)).collect(),
        path,
        id,
        settings,
    })
}

/// The GUID in `Microsoft:GUID` and `Microsoft:GUID\…`.
fn guid_of(object: &Object) -> Option<VmId> {
    let rest = object.text("InstanceID")?.strip_prefix("Microsoft:")?;
    rest.split('\\').next()?.parse().ok()
}

impl Exported {
    /// The machine that it is, or is a checkpoint of.
    fn machine(&self) -> VmId {
        self.settings.text("SystemName").and_then(|name| name.parse().ok()).unwrap_or_else(|| self.id.clone())
    }

    fn place(&self, class: &str, property: &str) -> Place {
        Place::new(self.path.as_str(), format!("{class}: {property}"))
    }

    fn note(&mut self, class: &str, property: &str, what: &str) {
        let place = self.place(class, property);
        self.trouble.push(Trouble { concern: Concern::Setting, message: format!("{place}: {what}"), place });
    }

    fn name(&mut self) -> String {
        match self.settings.text("ElementName") {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => {
                self.note(SETTINGS, "ElementName", "there is no name; the id is taken instead.");
                self.id.to_string()
            }
        }
    }

    /// The checkpoint that it derives from.
    fn parents(&self) -> Vec<Named> {
        let parent = self.settings.reference("Parent");
        let id = parent.as_ref().and_then(|parent| parent.key("InstanceID")?.strip_prefix("Microsoft:")?.parse().ok());
        let named = id.map(|id| Named { path: "Parent".to_owned(), id, place: self.place(SETTINGS, "Parent") });
        named.into_iter().collect()
    }

    fn configuration(&mut self, reading: &Reading<'_>, networks: &Networks) -> MachineConfiguration {
        let hardware = hardware::read(&self.own, &self.path, &reading.variables, networks);
        for class in ["Msvm_MemorySettingData", "Msvm_ProcessorSettingData"] {
            if !self.own.iter().any(|object| object.is(class)) {
                self.note(
                    class,
                    "VirtualQuantity",
                    "the object is missing, so that the amount is not known; 1 is taken.",
                );
            }
        }
        MachineConfiguration {
            memory: memory(&self.own),
            processors: processors(&self.own),
            numa: Numa::default(),
            firmware: firmware(&self.settings),
            drives: hardware.drives,
            scsi_controllers: hardware.scsi_controllers,
            adapters: hardware.adapters,
            com_ports: hardware.com_ports,
            disabled_integration_services: hardware.disabled_services,
            guest_services: false,
            actions: actions(self.global.as_ref()),
        }
    }
}

fn state_beside(reading: &Reading<'_>, folder: &WindowsPath) -> MachineState {
    let (memory_file, state_file) = state::files(reading, folder);
    match memory_file.clone().or_else(|| state_file.clone()) {
        Some(found) => MachineState::Saved { memory_file, state_file, place: Place::new(found.as_str(), "") },
        None => MachineState::Off,
    }
}

fn number(object: Option<&Object>, name: &str) -> Option<u64> {
    object.and_then(|object| object.number(name))
}

fn small(object: Option<&Object>, name: &str) -> Option<u32> {
    number(object, name).and_then(|number| u32::try_from(number).ok())
}

fn memory(own: &[Object]) -> Memory {
    let object = own.iter().find(|object| object.is("Msvm_MemorySettingData"));
    let startup_mib = number(object, "VirtualQuantity").unwrap_or(1);
    Memory {
        startup_mib,
        dynamic: object.and_then(|object| object.flag("DynamicMemoryEnabled")).unwrap_or(false),
        minimum_mib: number(object, "Reservation").unwrap_or(startup_mib),
        maximum_mib: number(object, "Limit").unwrap_or(startup_mib),
        buffer_percent: small(object, "TargetMemoryBuffer").unwrap_or(20),
        weight: small(object, "Weight").unwrap_or(5000),
    }
}

fn processors(own: &[Object]) -> Processors {
    let object = own.iter().find(|object| object.is("Msvm_ProcessorSettingData"));
    let flag = |name: &str| object.and_then(|object| object.flag(name)).unwrap_or(false);
    Processors {
        count: small(object, "VirtualQuantity").unwrap_or(1),
        limit: small(object, "Limit").unwrap_or(100_000),
        reserve: small(object, "Reservation").unwrap_or(0),
        weight: small(object, "Weight").unwrap_or(100),
        compatibility_for_migration: flag("LimitProcessorFeatures"),
        compatibility_for_older_systems: flag("LimitCPUID"),
    }
}

fn firmware(settings: &Object) -> Firmware {
    let text = |name: &str| settings.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let device = |word: &str| match word {
        "0" => BootDevice::Floppy,
        "1" => BootDevice::Optical,
        "2" => BootDevice::HardDrive,
        "3" => BootDevice::Network,
        other => BootDevice::Other(other.to_owned()),
    };
    Firmware {
        bios_guid: text("BIOSGUID").map(|guid| guid.trim_matches(['{', '}']).to_ascii_uppercase()),
        bios_serial_number: text("BIOSSerialNumber"),
        base_board_serial_number: text("BaseBoardSerialNumber"),
        chassis_serial_number: text("ChassisSerialNumber"),
        chassis_asset_tag: text("ChassisAssetTag"),
        boot_order: settings.texts("BootOrder").into_iter().map(device).collect(),
        num_lock: settings.flag("BIOSNumLock"),
        secure_boot: None,
        tpm: None,
    }
}

/// Values that are not written, or not known, are those of a new machine.
fn actions(global: Option<&Object>) -> AutomaticActions {
    let action = |name: &str| number(global, name);
    AutomaticActions {
        start: match action("AutomaticStartupAction") {
            Some(0) => StartAction::Nothing,
            Some(2) => StartAction::Start,
            _ => StartAction::StartIfRunning,
        },
        start_delay_seconds: global.and_then(|global| interval(global.text("AutomaticStartupActionDelay")?)),
        stop: match action("AutomaticShutdownAction") {
            Some(0) => StopAction::TurnOff,
            Some(2) => StopAction::ShutDown,
            _ => StopAction::Save,
        },
        recovery: small(global, "AutomaticRecoveryAction").unwrap_or(1),
    }
}

/// `ddddddddHHMMSS.mmmmmm:000` in seconds.
fn interval(text: &str) -> Option<u32> {
    let digits = text.split('.').next().filter(|digits| digits.len() == 14 && text.ends_with(":000"))?;
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<u32>().ok();
    let (days, hours, minutes, seconds) = (part(0, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?);
    days.checked_mul(86_400)?.checked_add(hours * 3600 + minutes * 60 + seconds)
}

/// `yyyymmddHHMMSS.mmmmmm+UUU` with no distance to UTC as RFC 3339; Hyper-V's times have none.
fn rfc3339(text: &str) -> Option<String> {
    let (digits, rest) = text.split_once('.')?;
    let is_plain = digits.len() == 14 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let part = |from: usize, to: usize| digits.get(from..to);
    let zone = rest.get(6..)?;
    if !is_plain || !matches!(zone, "+000" | "-000") {
        return None;
    }
    let (date, time) = ([part(0, 4)?, part(4, 6)?, part(6, 8)?], [part(8, 10)?, part(10, 12)?, part(12, 14)?]);
    Some(format!("{}T{}Z", date.join("-"), time.join(":")))
}

/// `3.0`, or one number whose bytes they are.
fn version(text: &str) -> Option<(u16, u16)> {
    match text.split_once('.') {
        Some((major, minor)) => Some((major.trim().parse().ok()?, minor.trim().parse().ok()?)),
        None => {
            let number: u16 = text.trim().parse().ok()?;
            Some((number >> 8, number & 0xff))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_intervals_and_versions_are_read() {
        assert_eq!(interval("00000000000130.000000:000"), Some(90));
        assert_eq!(interval("00000001010000.000000:000"), Some(90_000));
        assert_eq!(
            (interval("x"), interval("00000000000130.000000+000"), interval("99999999000000.000000:000")),
            (None, None, None)
        );
        assert_eq!(rfc3339("20101124101259.123456-000").as_deref(), Some("2010-11-24T10:12:59Z"));
        assert_eq!(
            (rfc3339("20101124101259.123456+060"), rfc3339("2010"), rfc3339("20101124101259.")),
            (None, None, None)
        );
        assert_eq!((version("3.0"), version("768"), version("x")), (Some((3, 0)), Some((3, 0)), None));
    }
}
