//! Machines that were exported give what they gave on their host, without the host; what was not exported is told.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use hvm_formats::io::read_whole;
use hvm_model::found::Found;
use hvm_model::inventory::Inventory;
use hvm_model::names::WindowsPath;
use hvm_model::vm::{
    AdapterKind, BootDevice, Connection, Controller, IntegrationService, Machine, MachineConfiguration, Media,
    StartAction, StopAction,
};
use hvm_sources::Source;
use hvm_testkit::sample::{self, SampleHost, Variant, ids};

struct Exported {
    _folder: tempfile::TempDir,
    path: PathBuf,
    host: SampleHost,
    before: Inventory,
}

/// What Hyper-V's export of these machines leaves: configurations and disks, each below the folder of its machine.
fn exported(machines: &[(&str, &str)]) -> Exported {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let host = sample::write(&source, Variant::Default).unwrap();
    let from = hvm_sources::open(&format!("folder:{}", source.display())).unwrap();
    let before = from.inventory().unwrap();
    let path = folder.path().join("my exports?");
    for (id, name) in machines {
        let machine = before.machine(&id.parse().unwrap()).unwrap();
        export(&*from, &before, machine, &path.join(name.replace(['&', '"', '<', '>'], "_")));
    }
    Exported { path, host, before, _folder: folder }
}

fn export(from: &dyn Source, inventory: &Inventory, machine: &Machine, to: &Path) {
    let copy = |path: &WindowsPath, folder: &str| {
        let bytes = read_whole(&*from.open_file(path).unwrap(), 1 << 28).unwrap();
        fs::create_dir_all(to.join(folder)).unwrap();
        fs::write(to.join(folder).join(path.file_name()), bytes).unwrap();
    };
    copy(&machine.configuration_file, "Virtual Machines");
    for checkpoint in &machine.checkpoints {
        copy(&WindowsPath::new(&checkpoint.place.file), "Snapshots");
    }
    let states = machine.checkpoints.iter().map(|checkpoint| &checkpoint.configuration);
    for drive in states.chain([&machine.configuration]).flat_map(|state| &state.drives) {
        if let Media::VirtualDisk { path } = &drive.media {
            for file in inventory.chain(path) {
                copy(&file.path, "Virtual Hard Disks");
            }
        }
    }
}

impl Exported {
    fn uri(&self) -> String {
        format!("export:{}", self.path.display().to_string().replace('?', "%3F"))
    }
}

/// A machine without where its files lie.
fn lasting(machine: &Machine) -> Machine {
    let mut machine = machine.clone();
    machine.configuration_file = WindowsPath::new("");
    machine.registered_by = None;
    machine
}

/// As JSON without places and folders.
fn json(machine: &Machine) -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                map.remove("place");
                // Where a file lies now is another place; its name stays.
                if let Some(serde_json::Value::String(path)) = map.get_mut("path") {
                    *path = WindowsPath::new(path).file_name().to_owned();
                }
                map.values_mut().for_each(strip);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(lasting(machine)).unwrap();
    strip(&mut value);
    value
}

#[test]
fn exported_machines_are_read_with_their_disks_and_checkpoints() {
    let exported = exported(&[ids::TREE, ids::BOOT]);
    let source = hvm_sources::open(&exported.uri()).unwrap();
    let described = source.describe();
    assert_eq!((described.reach.as_str(), described.layout.as_str()), ("folder", "export"));
    let inventory = source.inventory().unwrap();
    assert_eq!(inventory.problems, []);
    assert_eq!(inventory.machines.len(), 2);
    for machine in &inventory.machines {
        let before = exported.before.machine(&machine.id).unwrap();
        let (mut found, mut wanted) = (json(machine), json(before));
        // What a connection is called on the host only its registry says.
        for value in [&mut found, &mut wanted] {
            for state in value["checkpoints"].as_array_mut().unwrap().iter_mut().map(|one| &mut one["configuration"]) {
                state["adapters"].take();
            }
            value["configuration"]["adapters"].take();
        }
        assert_eq!(found, wanted, "{}", machine.name);
    }
    let mut compared = 0;
    for disk in exported.host.disks.iter().filter(|disk| [ids::TREE.0, ids::BOOT.0].contains(&disk.machine.as_str())) {
        let opened = source.open_disk(&WindowsPath::new(&disk.windows_path)).unwrap();
        let mut bytes = vec![0; opened.size() as usize];
        opened.read_at(0, &mut bytes).unwrap();
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), disk.blake3, "{}", disk.windows_path);
        compared += 1;
    }
    assert!(compared >= 5, "{compared}");
    // The host is not there, and that is said.
    assert!(matches!(&inventory.host.computer_name, Found::Unknown { reason } if reason.contains("export")));
    for item in ["Virtual networks", "Firewall rules", "Network adapters"] {
        let unknown = inventory.unknowns.iter().find(|unknown| unknown.item == item).unwrap();
        assert!(unknown.reason.contains("does not hold the hive"), "{}", unknown.reason);
    }
    let numa = inventory.unknowns.iter().find(|unknown| unknown.item == "NUMA spanning").unwrap();
    assert!(numa.reason.contains("An export of machines") && !numa.reason.contains(":\\"), "{}", numa.reason);
    assert_eq!(source.fingerprint(&inventory).unwrap(), source.fingerprint(&inventory).unwrap());
}

#[test]
fn one_machine_alone_and_what_is_missing_or_of_another_release() {
    let exported = exported(&[ids::BOOT]);
    let alone = fs::read_dir(&exported.path).unwrap().next().unwrap().unwrap().path();
    fs::write(alone.join("Virtual Machines/AAAAAAAA-0000-4000-8000-000000000009.vmcx"), "").unwrap();
    fs::write(alone.join("Virtual Machines/AAAAAAAA-0000-4000-8000-000000000008.exp"), "<DECLARATIONS/>").unwrap();
    let uri = format!("export:{}", alone.display().to_string().replace('?', "%3F"));
    let inventory = hvm_sources::open(&uri).unwrap().inventory().unwrap();
    assert_eq!(inventory.machines.len(), 1);
    let kinds: Vec<&str> = inventory.problems.iter().map(|problem| problem.kind.as_str()).collect();
    assert_eq!(kinds, ["machine.unreadable", "machine.unreadable"]);
    assert!(inventory.problems[0].message.contains("holds 0 objects"), "{}", inventory.problems[0].message);
    fs::remove_dir_all(alone.join("Virtual Hard Disks")).unwrap();
    let inventory = hvm_sources::open(&uri).unwrap().inventory().unwrap();
    assert!(inventory.problems.iter().any(|problem| problem.kind == "disk.missing"), "{:#?}", inventory.problems);
    let told = |uri: &str| hvm_sources::open(uri).err().unwrap().to_string();
    assert!(
        told(&format!("export:{}", alone.join("Virtual Machines").display().to_string().replace('?', "%3F")))
            .contains("holds no exported machine")
    );
    assert!(told("export:").contains("names no folder"));
    assert!(told("export:/x?c=1").contains("%3F"));
    assert!(told("export:/nowhere").contains("/nowhere"));
}

/// Drives and folders are kept on other volumes, and links stand in their places.
#[cfg(unix)]
#[test]
fn links_are_taken_for_what_they_lead_to_and_others_are_told() {
    use std::os::unix::fs::symlink;
    let exported = exported(&[ids::BOOT]);
    let alone = fs::read_dir(&exported.path).unwrap().next().unwrap().unwrap().path();
    let (disks, pool) = (alone.join("Virtual Hard Disks"), exported.path.join("pool"));
    fs::rename(&disks, &pool).unwrap();
    fs::create_dir(&disks).unwrap();
    let names: Vec<_> = fs::read_dir(&pool).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for name in &names {
        symlink(Path::new("../../pool").join(name), disks.join(name)).unwrap();
    }
    let uri = |path: &Path| format!("export:{}", path.display().to_string().replace('?', "%3F"));
    let read = |path: &Path| hvm_sources::open(&uri(path)).unwrap().inventory().unwrap();
    let inventory = read(&exported.path);
    assert_eq!((inventory.machines.len(), inventory.problems), (1, vec![]));
    // Outside of the folder that was named.
    let problems = read(&alone).problems;
    assert_eq!(problems.len(), names.len(), "{problems:#?}");
    for problem in &problems {
        assert_eq!(problem.kind, "disk.unreachable");
        assert!(problem.message.contains("outside of the exported folder; put what it leads to"), "{problem:?}");
    }
    // The folder of a machine: one by two names, one that leads in a circle, one that leads nowhere.
    let kept = exported.path.join("kept");
    fs::create_dir(&kept).unwrap();
    fs::rename(&alone, kept.join("machine")).unwrap();
    fs::remove_dir_all(kept.join("machine/Virtual Hard Disks")).unwrap();
    fs::rename(&pool, kept.join("machine/Virtual Hard Disks")).unwrap();
    for (target, name) in [("kept/machine", "one"), ("one", "two"), (".", "self")] {
        symlink(target, exported.path.join(name)).unwrap();
    }
    let inventory = read(&exported.path);
    assert_eq!((inventory.machines.len(), inventory.problems), (1, vec![]));
    for (target, name) in [("away", "nowhere"), ("circle", "circle")] {
        symlink(target, exported.path.join(name)).unwrap();
    }
    let inventory = read(&exported.path);
    let told: Vec<_> = inventory.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!((inventory.machines.len(), told.len()), (1, 2), "{told:?}");
    assert!(told[0].contains("circle") && told[0].contains("more than 40 symbolic links"), "{told:?}");
    assert!(told[1].contains(r"\nowhere' does not exist: there is no 'away'"), "{told:?}");
    assert!(inventory.problems.iter().all(|problem| problem.kind == "machine.folder-unreadable"));
    // Alone it is no export, and why is said.
    let links = exported.path.join("links");
    fs::create_dir(&links).unwrap();
    symlink(kept.join("machine"), links.join("machine")).unwrap();
    let told = hvm_sources::open(&uri(&links)).err().unwrap().to_string();
    assert!(told.contains("holds no exported machine") && told.contains("outside of the exported folder"), "{told}");
}

/// Writes text of a configuration anew.
fn change(path: &Path, from: &str, to: &str) {
    let bytes = fs::read(path).unwrap();
    let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text = String::from_utf16(&units).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to).encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
}

fn configuration(machine: &Path) -> PathBuf {
    fs::read_dir(machine.join("Virtual Machines")).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_file_that_may_be_another_disk_is_taken_for_none() {
    let exported = exported(&[ids::BOOT]);
    let first = fs::read_dir(&exported.path).unwrap().next().unwrap().unwrap().path();
    let disks: Vec<&str> = exported
        .host
        .disks
        .iter()
        .filter(|disk| disk.machine == ids::BOOT.0)
        .map(|disk| disk.windows_path.as_str())
        .collect();
    assert_eq!(disks.len(), 2);
    let kinds = |inventory: &Inventory| {
        inventory.problems.iter().map(|problem| problem.kind.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    // A machine of another host has its disks under the same paths.
    let second = exported.path.join("of another host");
    for folder in ["Virtual Machines", "Virtual Hard Disks"] {
        fs::create_dir_all(second.join(folder)).unwrap();
        for entry in fs::read_dir(first.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().replace(ids::BOOT.0, &other());
            fs::copy(&path, second.join(folder).join(name)).unwrap();
        }
    }
    change(&configuration(&second), ids::BOOT.0, &other());
    let source = hvm_sources::open(&exported.uri()).unwrap();
    let inventory = source.inventory().unwrap();
    assert_eq!(inventory.machines.len(), 2, "{:#?}", inventory.problems);
    assert!(kinds(&inventory).is_superset(&["disk.export-many-files", "disk.missing"].map(str::to_owned).into()));
    assert!(disks.iter().all(|disk| source.open_disk(&WindowsPath::new(disk)).is_err()));
    // Each alone is as it was.
    let uri = format!("export:{}", first.display().to_string().replace('?', "%3F"));
    assert_eq!(hvm_sources::open(&uri).unwrap().inventory().unwrap().problems, []);
    // A disk that lay on a share of another server was exported like all.
    let elsewhere = format!(r"\\fs01\vms\{}", WindowsPath::new(disks[0]).file_name());
    change(&configuration(&first), disks[0], &elsewhere);
    let source = hvm_sources::open(&uri).unwrap();
    assert_eq!(source.inventory().unwrap().problems, []);
    assert!(source.open_disk(&WindowsPath::new(&elsewhere)).is_ok());
    change(&configuration(&first), &elsewhere, disks[0]);
    // Two disks of one name in two folders: the export has one file.
    let name = |path: &str| WindowsPath::new(path).file_name().to_owned();
    change(&configuration(&first), disks[1], &format!(r"E:\other\{}", name(disks[0])));
    let source = hvm_sources::open(&uri).unwrap();
    assert!(kinds(&source.inventory().unwrap()).contains("disk.export-one-file"));
    assert!(source.open_disk(&WindowsPath::new(disks[0])).is_err());
}

fn other() -> String {
    ids::BOOT.0.replace(&ids::BOOT.0[..4], "0BAD")
}

/// Objects of one machine or checkpoint as WMI of Windows Server 2008 R2 has them, in a wrapper that no reader may depend on.
struct Objects {
    id: String,
    text: String,
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn property(name: &str, value: impl ToString) -> String {
    format!("<PROPERTY NAME=\"{name}\" TYPE=\"string\"><VALUE>{}</VALUE></PROPERTY>", escape(&value.to_string()))
}

fn array(name: &str, values: &[String]) -> String {
    let values: String = values.iter().map(|value| format!("<VALUE>{}</VALUE>", escape(value))).collect();
    format!("<PROPERTY.ARRAY NAME=\"{name}\" TYPE=\"string\"><VALUE.ARRAY>{values}</VALUE.ARRAY></PROPERTY.ARRAY>")
}

fn path_of(class: &str, id: &str) -> String {
    format!(r#"\\HOST\root\virtualization:{class}.InstanceID="{}""#, id.replace('\\', r"\\"))
}

const RASD: &str = "Msvm_ResourceAllocationSettingData";
const IDE: &str = "83F8638B-8DCA-4152-9EDA-2CA8B33039B4";

impl Objects {
    fn object(&mut self, class: &str, id: &str, properties: &[String]) {
        let id = property("InstanceID", id);
        self.text.push_str(&format!("<INSTANCE CLASSNAME=\"{class}\">{id}{}</INSTANCE>", properties.concat()));
    }

    fn of(machine: &str, (id, name, parent): (&str, &str, Option<&str>), has: &MachineConfiguration) -> Self {
        let mut all = Objects { id: format!("Microsoft:{id}"), text: String::new() };
        let own = all.id.clone();
        let parent = parent
            .map(|parent| property("Parent", path_of("Msvm_VirtualSystemSettingData", &format!("Microsoft:{parent}"))));
        let firmware = &has.firmware;
        let text =
            |name: &str, value: &Option<String>| value.as_ref().map(|value| property(name, value)).unwrap_or_default();
        let order = |device: &BootDevice| match device {
            BootDevice::Floppy => "0".to_owned(),
            BootDevice::Optical => "1".to_owned(),
            BootDevice::HardDrive => "2".to_owned(),
            BootDevice::Network => "3".to_owned(),
            BootDevice::Other(word) => word.clone(),
        };
        all.object(
            "Msvm_VirtualSystemSettingData",
            &own,
            &[
                property("ElementName", name),
                property("SystemName", machine),
                parent.unwrap_or_default(),
                text("BIOSGUID", &firmware.bios_guid.as_ref().map(|guid| format!("{{{guid}}}"))),
                text("BIOSSerialNumber", &firmware.bios_serial_number),
                text("BaseBoardSerialNumber", &firmware.base_board_serial_number),
                text("ChassisSerialNumber", &firmware.chassis_serial_number),
                text("ChassisAssetTag", &firmware.chassis_asset_tag),
                firmware
                    .num_lock
                    .map(|on| property("BIOSNumLock", if on { "TRUE" } else { "FALSE" }))
                    .unwrap_or_default(),
                array("BootOrder", &firmware.boot_order.iter().map(order).collect::<Vec<_>>()),
            ],
        );
        all.amounts(has);
        all.drives(has);
        all.adapters(has);
        all
    }

    fn amounts(&mut self, has: &MachineConfiguration) {
        let flag = |on: bool| if on { "TRUE" } else { "FALSE" };
        let (memory, processors, own) = (&has.memory, &has.processors, self.id.clone());
        self.object(
            "Msvm_MemorySettingData",
            &format!("{own}\\4764334d"),
            &[
                property("VirtualQuantity", memory.startup_mib),
                property("Reservation", memory.minimum_mib),
                property("Limit", memory.maximum_mib),
                property("DynamicMemoryEnabled", flag(memory.dynamic)),
                property("TargetMemoryBuffer", memory.buffer_percent),
                property("Weight", memory.weight),
            ],
        );
        self.object(
            "Msvm_ProcessorSettingData",
            &format!("{own}\\b637f346\\0"),
            &[
                property("VirtualQuantity", processors.count),
                property("Reservation", processors.reserve),
                property("Limit", processors.limit),
                property("Weight", processors.weight),
                property("LimitProcessorFeatures", flag(processors.compatibility_for_migration)),
                property("LimitCPUID", flag(processors.compatibility_for_older_systems)),
            ],
        );
        let stop = match has.actions.stop {
            StopAction::TurnOff => 0,
            StopAction::Save => 1,
            StopAction::ShutDown => 2,
        };
        let start = match has.actions.start {
            StartAction::Nothing => 0,
            StartAction::StartIfRunning => 1,
            StartAction::Start => 2,
        };
        self.object(
            "Msvm_VirtualSystemGlobalSettingData",
            &format!("{own}\\Global"),
            &[
                property("AutomaticStartupAction", start),
                property("AutomaticShutdownAction", stop),
                property("AutomaticRecoveryAction", has.actions.recovery),
                property("Version", "3.0"),
            ],
        );
        for (service, class) in [
            (IntegrationService::Heartbeat, "Msvm_HeartbeatComponentSettingData"),
            (IntegrationService::KeyValuePairExchange, "Msvm_KvpExchangeComponentSettingData"),
            (IntegrationService::Shutdown, "Msvm_ShutdownComponentSettingData"),
            (IntegrationService::TimeSynchronization, "Msvm_TimeSyncComponentSettingData"),
            (IntegrationService::Vss, "Msvm_VssComponentSettingData"),
        ] {
            let state = if has.disabled_integration_services.contains(&service) { 3 } else { 2 };
            self.object(class, &format!("{own}\\{class}"), &[property("EnabledState", state)]);
        }
        for (number, pipe) in has.com_ports.iter().enumerate() {
            let pipe = pipe.clone().unwrap_or_default();
            let given = [property("ResourceSubType", "Microsoft Serial Port"), array("Connection", &[pipe])];
            self.object(RASD, &format!("{own}\\8e3a359f\\{number}"), &given);
        }
    }

    fn drives(&mut self, has: &MachineConfiguration) {
        let own = self.id.clone();
        let scsi = |number: u8| format!("{own}\\0000000{number}-AAAA-4000-8000-000000000000\\0");
        for number in 0..2 {
            let given = [property("ResourceType", 5), property("Address", number)];
            self.object(RASD, &format!("{own}\\{IDE}\\{number}"), &given);
        }
        for number in 0..has.scsi_controllers {
            self.object(RASD, &scsi(number), &[property("ResourceType", 6)]);
        }
        for drive in &has.drives {
            let controller = match drive.controller {
                Controller::Ide => format!("{own}\\{IDE}\\{}", drive.number),
                Controller::Scsi => scsi(drive.number),
                Controller::Floppy => format!("{own}\\FLOPPY\\0"),
            };
            let (kind, subtype, file, host) = match &drive.media {
                Media::VirtualDisk { path } => (22, "Microsoft Synthetic Disk Drive", Some(path.to_string()), ""),
                Media::Iso { path } => (16, "Microsoft Synthetic DVD Drive", Some(path.to_string()), ""),
                Media::Floppy { path } => (14, "Microsoft Synthetic Diskette Drive", Some(path.to_string()), ""),
                Media::EmptyDvd => (16, "Microsoft Synthetic DVD Drive", None, ""),
                Media::PhysicalDvd { path } => (16, "Microsoft Physical DVD Drive", None, path.as_str()),
                Media::PassThrough { identity, .. } => (22, "Microsoft Physical Disk Drive", None, identity.as_str()),
            };
            let id = format!("{controller}\\{}\\D", drive.slot);
            self.object(
                RASD,
                &id,
                &[
                    property("ResourceType", kind),
                    property("ResourceSubType", subtype),
                    property("Address", drive.slot),
                    property("Parent", path_of(RASD, &controller)),
                    array("HostResource", &[host.to_owned()]),
                ],
            );
            if let Some(file) = file {
                let given = [
                    property("ResourceType", 21),
                    property("Parent", path_of(RASD, &id)),
                    array("Connection", &[file]),
                ];
                self.object(RASD, &format!("{controller}\\{}\\L", drive.slot), &given);
            }
        }
    }

    fn adapters(&mut self, has: &MachineConfiguration) {
        let own = self.id.clone();
        for adapter in &has.adapters {
            let class = match adapter.kind {
                AdapterKind::Synthetic => "Msvm_SyntheticEthernetPortSettingData",
                AdapterKind::Legacy => "Msvm_EmulatedEthernetPortSettingData",
            };
            let port = match &adapter.connection {
                Connection::None => String::new(),
                Connection::Switch { switch, port, .. } => {
                    format!(r#"\\HOST\root\virtualization:Msvm_SwitchPort.Name="{port}",SystemName="{{{switch}}}""#)
                }
            };
            self.object(
                class,
                &format!("{own}\\{}", adapter.id),
                &[
                    property("ElementName", &adapter.name),
                    property("Address", adapter.mac.plain()),
                    property("StaticMacAddress", if adapter.mac_is_static { "TRUE" } else { "FALSE" }),
                    array("Connection", &[port]),
                ],
            );
        }
    }

    fn write(&self, path: &Path) {
        let text = format!("<?xml version=\"1.0\"?><DECLARATIONS><DECLGROUP>{}</DECLGROUP></DECLARATIONS>", self.text);
        fs::write(path, hvm_testkit::sample::answers::utf16(&text)).unwrap();
    }
}

/// A configuration as JSON without places, and without what an export as objects does not tell.
fn told(configuration: &MachineConfiguration) -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                for name in ["place", "vlan", "mac_spoofing", "port_settings"] {
                    map.remove(name);
                }
                // Where a file lies now is another place; its name stays.
                if let Some(serde_json::Value::String(path)) = map.get_mut("path") {
                    *path = WindowsPath::new(path).file_name().to_owned();
                }
                if map.get("connected").is_some() {
                    map.remove("name");
                }
                if map.get("media").is_some_and(|media| media == "pass-through") {
                    map.remove("kind");
                }
                map.values_mut().for_each(strip);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(configuration).unwrap();
    strip(&mut value);
    value
}

#[test]
fn machines_exported_as_objects_are_read_as_they_were_on_their_host() {
    let machines = [ids::TREE, ids::BOOT, ids::FILES, ids::MEDIA];
    let exported = exported(&machines);
    for (id, name) in machines {
        let folder = exported.path.join(name.replace(['&', '"', '<', '>'], "_"));
        let machine = exported.before.machine(&id.parse().unwrap()).unwrap();
        for below in ["Virtual Machines", "Snapshots"] {
            for entry in fs::read_dir(folder.join(below)).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|end| end == "xml") {
                    fs::remove_file(path).unwrap();
                }
            }
        }
        let current = machine.current_checkpoint.value().map(|id| id.to_string());
        let objects = Objects::of(id, (id, &machine.name, current.as_deref()), &machine.configuration);
        objects.write(&folder.join(format!("Virtual Machines/{id}.exp")));
        for checkpoint in &machine.checkpoints {
            let own = checkpoint.id.to_string();
            let parent = checkpoint.parent.value().cloned().flatten().map(|id| id.to_string());
            let objects = Objects::of(id, (&own, &checkpoint.name, parent.as_deref()), &checkpoint.configuration);
            objects.write(&folder.join(format!("Snapshots/{own}.exp")));
        }
    }
    let source = hvm_sources::open(&exported.uri()).unwrap();
    let inventory = source.inventory().unwrap();
    assert_eq!(inventory.machines.len(), machines.len(), "{:#?}", inventory.problems);
    for machine in &inventory.machines {
        let before = exported.before.machine(&machine.id).unwrap();
        assert_eq!((&machine.name, machine.generation, machine.version), (&before.name, 1, Some((3, 0))));
        assert_eq!(told(&machine.configuration), told(&before.configuration), "{}", machine.name);
        assert_eq!(machine.current_checkpoint.value(), before.current_checkpoint.value());
        assert_eq!(machine.checkpoints.len(), before.checkpoints.len());
        for (found, wanted) in machine.checkpoints.iter().zip(&before.checkpoints) {
            assert_eq!((&found.id, &found.name), (&wanted.id, &wanted.name));
            assert_eq!(found.parent.value(), wanted.parent.value(), "{}", found.name);
            assert_eq!(told(&found.configuration), told(&wanted.configuration), "{}", found.name);
        }
    }
    let disk = exported.host.disks.iter().find(|disk| disk.machine == ids::TREE.0).unwrap();
    let opened = source.open_disk(&WindowsPath::new(&disk.windows_path)).unwrap();
    let mut bytes = vec![0; opened.size() as usize];
    opened.read_at(0, &mut bytes).unwrap();
    assert_eq!(blake3::hash(&bytes).to_hex().as_str(), disk.blake3);
}
