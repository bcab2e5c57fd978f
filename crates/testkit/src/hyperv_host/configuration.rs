//! A machine as its configuration says it is. The files are read by the product's own readers; what the keys mean is written here
//! again, from what the three real files of version 5.0 and the published description of `.vmcx` show.

use std::collections::BTreeMap;

use hvm_formats::hvs::{HvsFile, Wanted};
use hvm_formats::io::MemoryFile;
use hvm_formats::vmxml::Document;

use super::machines::new_machine;
use super::{Adapter, Drive, DriveKind, Machine, Memory, Processors, Release};

const BIOS: &str = "_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_";
const IDE: &str = "83f8638b-8dca-4152-9eda-2ca8b33039b4";
const SCSI: &str = "d422512d-2bf2-4752-809d-7b82b5fcb1b4";
const FLOPPY: &str = "_8f0d2762-0b00-4e04-af4f-19010527cb93_";
const SERIAL: &str = "_8e3a359f-559a-4b6a-98a9-1690a6100ed7_";
const TPM: &str = "736e6aa9-a3f8-49c0-9550-a963214d259a";

/// The number of a physical disk that this host does not have.
pub(super) const NOT_HERE: i64 = -1;

/// What a configuration says.
pub(super) struct Configuration(Document);

/// A device of the manifest.
struct Device {
    class: String,
    instance: String,
    name: String,
}

impl Configuration {
    /// Reads a file by its ending.
    pub(super) fn read(path: &str, bytes: &[u8]) -> Result<Configuration, String> {
        let document = if path.to_lowercase().ends_with(".vmcx") {
            let file = MemoryFile::new(path, bytes.to_vec());
            let file = HvsFile::open(&file, Wanted::Everything).map_err(|error| error.to_string())?;
            file.into_document("configuration").ok_or("It holds no configuration.")?
        } else {
            Document::parse(bytes, path).map_err(|error| error.to_string())?
        };
        Ok(Configuration(document))
    }

    fn text(&self, path: &str) -> String {
        self.0.str(&format!("/configuration/{path}")).ok().flatten().unwrap_or_default().to_owned()
    }

    fn number(&self, path: &str) -> Option<i64> {
        self.0.i64(&format!("/configuration/{path}")).ok().flatten()
    }

    fn flag(&self, path: &str) -> Option<bool> {
        self.0.bool(&format!("/configuration/{path}")).ok().flatten()
    }

    pub(super) fn version(&self) -> i64 {
        self.number("properties/version").unwrap_or_default()
    }

    pub(super) fn id(&self) -> String {
        self.text("properties/global_id").to_uppercase()
    }

    /// How many checkpoints the machine has.
    pub(super) fn checkpoints(&self) -> i64 {
        self.number("global_settings/snapshots/list/size").unwrap_or_default()
    }

    /// Files of its saved state, memory first.
    pub(super) fn saved(&self) -> Vec<String> {
        let files = ["savedstate/memlocation", "savedstate/vsvlocation"].map(|path| self.text(path));
        files.into_iter().filter(|path| !path.is_empty()).collect()
    }

    fn devices(&self) -> Vec<Device> {
        let of = |name: &str, leaf: &str| self.text(&format!("manifest/{name}/{leaf}"));
        let vdevs = self.0.children("/configuration/manifest").iter().filter(|node| node.name().starts_with("vdev"));
        let device = |node: &hvm_formats::vmxml::Node| Device {
            class: of(node.name(), "device").to_lowercase(),
            instance: of(node.name(), "instance"),
            name: of(node.name(), "name"),
        };
        vdevs.map(device).collect()
    }

    /// The machine in a folder, on a host of a release.
    pub(super) fn machine(&self, release: Release, folder: &str) -> Machine {
        let generation = self.number("properties/subtype").unwrap_or_default() + 1;
        let startup = self.number("settings/memory/bank/size").unwrap_or(512) << 20;
        let mut machine = new_machine(release, (self.id(), self.text("properties/name"), generation), startup);
        machine.place(folder);
        for (path, place) in [
            ("global_settings/snapshots/data_root", &mut machine.snapshot_location),
            ("global_settings/slp_data_root", &mut machine.paging_location),
        ] {
            *place = Some(self.text(path)).filter(|path| !path.is_empty()).unwrap_or_else(|| place.clone());
        }
        machine.notes = self.text("properties/notes");
        machine.memory = self.memory(&machine.memory);
        machine.processors = self.processors(&machine.processors);
        self.actions(&mut machine);
        self.firmware(&mut machine);
        self.devices_of(&mut machine);
        machine.planned = true;
        machine
    }

    fn memory(&self, new: &Memory) -> Memory {
        let bank = |name: &str| self.number(&format!("settings/memory/bank/{name}"));
        Memory {
            dynamic: self.flag("settings/memory/bank/dynamic_memory_enabled").unwrap_or(false),
            startup: new.startup,
            minimum: bank("reservation").map_or(new.minimum, |mib| mib << 20),
            maximum: bank("limit").map_or(new.maximum, |mib| mib << 20),
            buffer: bank("target_memory_buffer").unwrap_or(new.buffer),
            priority: bank("priority").map_or(new.priority, |weight| weight / 100),
            per_node: self.number("settings/memory/vnuma/max_size_per_node").map_or(new.per_node, |mib| mib << 20),
        }
    }

    fn processors(&self, new: &Processors) -> Processors {
        let of = |name: &str| self.number(&format!("settings/processors/{name}"));
        Processors {
            count: of("count").unwrap_or(new.count),
            maximum: of("limit").map_or(new.maximum, |limit| limit / 1000),
            reserve: of("reservation").map_or(new.reserve, |reserve| reserve / 1000),
            weight: of("weight").unwrap_or(new.weight),
            migration: self.flag("settings/processors/features/limit").unwrap_or(false),
            older: self.flag("settings/processors/limit_cpuid").unwrap_or(false),
            nested: self.flag("settings/processors/nested_virtualization/enabled").unwrap_or(false),
            per_node: of("vnuma/count_per_node/max").unwrap_or(new.per_node),
            nodes_per_socket: of("vnuma/node_per_socket/max").unwrap_or(new.nodes_per_socket),
        }
    }

    fn actions(&self, machine: &mut Machine) {
        let word = |path: &str, words: [&str; 3], new: &str| {
            let number = self.number(&format!("global_settings/power/{path}/action"));
            let number = number.and_then(|number| usize::try_from(number).ok());
            number.and_then(|number| words.get(number).copied()).unwrap_or(new).to_owned()
        };
        machine.start_action = word("host_startup", ["Nothing", "StartIfRunning", "Start"], &machine.start_action);
        machine.stop_action = word("host_shutdown", ["TurnOff", "Save", "ShutDown"], &machine.stop_action);
        if !self.saved().is_empty() {
            machine.state = "Saved".to_owned();
        }
    }

    fn firmware(&self, machine: &mut Machine) {
        let of = |name: &str| self.text(&format!("{BIOS}/{name}"));
        for (property, leaf) in [
            ("BIOSGUID", "bios_guid"),
            ("BIOSSerialNumber", "bios_serial_number"),
            ("BaseBoardSerialNumber", "base_board/serial_number"),
            ("ChassisSerialNumber", "chassis/serial_number"),
            ("ChassisAssetTag", "chassis/asset_tag"),
        ] {
            machine.identity.insert(property.to_owned(), of(leaf));
        }
        if let Some(guid) = machine.identity.get_mut("BIOSGUID") {
            *guid = guid.to_uppercase();
        }
        let words =
            [("Optical", "CD"), ("HardDrive", "IDE"), ("Network", "LegacyNetworkAdapter"), ("Floppy", "Floppy")];
        let order = (0..4).map(|number| of(&format!("boot/device{number}")));
        let order = order.filter_map(|word| words.iter().find(|(known, _)| *known == word));
        let order: Vec<String> = order.map(|(_, word)| (*word).to_owned()).collect();
        if order.len() == words.len() {
            machine.boot_order = order;
        }
        machine.num_lock = self.flag(&format!("{BIOS}/num_lock")).unwrap_or(false);
        machine.secure_boot = self.flag(&format!("{BIOS}/secure_boot_enabled")).unwrap_or(false);
        let template = of("secure_boot_template_id").trim_matches(['{', '}']).to_uppercase();
        if !template.is_empty() {
            machine.secure_boot_template = template;
        }
    }

    fn devices_of(&self, machine: &mut Machine) {
        let devices = self.devices();
        machine.drives.clear();
        let mut sections = BTreeMap::new();
        let mut count = 0;
        for device in &devices {
            let section = format!("_{}_", device.instance.to_lowercase());
            match device.class.as_str() {
                IDE => (0..2).for_each(|number| drop(sections.insert(("IDE", number), (section.clone(), number)))),
                SCSI => {
                    sections.insert(("SCSI", count), (section, 0));
                    count += 1;
                }
                TPM => (machine.tpm, machine.key_protector) = (true, true),
                _ if device.name.contains("Ethernet Port") => machine.adapters.push(self.adapter(machine, device)),
                _ => {}
            }
            let class = device.class.to_uppercase();
            if let (Some(on), Some(enabled)) =
                (machine.services.get_mut(&class), self.flag(&format!("_{}_/Enabled", device.class)))
            {
                *on = enabled;
            }
        }
        machine.scsi_controllers = count;
        for ((kind, number), (section, place)) in sections {
            self.drives(machine, (kind, number), &format!("{section}/controller{place}"));
        }
        machine.floppy =
            Some(self.text(&format!("{FLOPPY}/controller0/drive0/pathname"))).filter(|path| !path.is_empty());
        machine.com_ports = ["port0", "port1"].map(|port| self.text(&format!("{SERIAL}/{port}/connection")));
    }

    fn drives(&self, machine: &mut Machine, (controller, number): (&str, i64), section: &str) {
        for node in self.0.children(&format!("/configuration/{section}")) {
            let Some(location) = node.name().strip_prefix("drive").and_then(|place| place.parse().ok()) else {
                continue;
            };
            let of = |leaf: &str| self.text(&format!("{section}/{}/{leaf}", node.name()));
            let path = Some(of("pathname")).filter(|path| !path.is_empty());
            let (kind, path, disk) = match of("type").as_str() {
                "NONE" => continue,
                "VHD" => (DriveKind::Disk, path, None),
                "ISO" => (DriveKind::Dvd, path, None),
                _ => (DriveKind::Disk, None, Some(NOT_HERE)),
            };
            machine.drives.push(Drive { controller: controller.to_owned(), number, location, kind, path, disk });
        }
    }

    fn adapter(&self, machine: &Machine, device: &Device) -> Adapter {
        let of = |leaf: &str| format!("_{}_/{leaf}", device.instance.to_lowercase());
        let is_static = self.flag(&of("MacAddressIsStatic")).unwrap_or(false);
        let switch = self.text(&of("SwitchName")).to_uppercase();
        Adapter {
            id: format!("{}\\{}", machine.id, device.instance.to_uppercase()),
            name: self.text(&of("FriendlyName")),
            legacy: device.name.contains("Emulated"),
            mac: is_static.then(|| self.text(&of("MacAddress")).replace('-', "")),
            switch: Some(switch).filter(|switch| !switch.is_empty()),
            vmq_weight: 100,
            ipsec_limit: 512,
            ..Adapter::default()
        }
    }
}
