//! Devices of a machine as objects: a medium lies in a drive, which hangs on a controller, each named by the `Parent` of the one
//! before. The numbers of resource types are those of real objects; Microsoft's page of the class has them wrong from 15 on.

use std::collections::HashMap;

use hvm_formats::cim::{Object, Reference};
use hvm_model::found::{Found, Place};
use hvm_model::names::{MacAddress, WindowsPath};
use hvm_model::vm::{AdapterKind, Connection, Controller, Drive, IntegrationService, Media, VmAdapter};

use super::super::switches::Networks;
use crate::reach::variables::Variables;

/// `ResourceType`.
const IDE_CONTROLLER: u64 = 5;
const SCSI_CONTROLLER: u64 = 6;
const DISKETTE_DRIVE: u64 = 14;
const DVD_DRIVE: u64 = 16;
const MEDIUM: u64 = 21;
const DISK_DRIVE: u64 = 22;

const SERIAL_PORT: &str = "Microsoft Serial Port";

/// Class and service of the integration components.
const SERVICES: [(&str, IntegrationService); 5] = [
    ("Msvm_HeartbeatComponentSettingData", IntegrationService::Heartbeat),
    ("Msvm_KvpExchangeComponentSettingData", IntegrationService::KeyValuePairExchange),
    ("Msvm_ShutdownComponentSettingData", IntegrationService::Shutdown),
    ("Msvm_TimeSyncComponentSettingData", IntegrationService::TimeSynchronization),
    ("Msvm_VssComponentSettingData", IntegrationService::Vss),
];
/// `EnabledState` of one that is switched off.
const DISABLED: u64 = 3;

const ADAPTERS: [(&str, AdapterKind); 2] = [
    ("Msvm_SyntheticEthernetPortSettingData", AdapterKind::Synthetic),
    ("Msvm_EmulatedEthernetPortSettingData", AdapterKind::Legacy),
];

/// The devices that the model has a place for.
pub(super) struct Hardware {
    pub(super) drives: Vec<Drive>,
    pub(super) scsi_controllers: u8,
    pub(super) adapters: Vec<VmAdapter>,
    pub(super) com_ports: [Option<String>; 2],
    pub(super) disabled_services: Vec<IntegrationService>,
}

pub(super) fn read(own: &[Object], path: &WindowsPath, variables: &Variables, networks: &Networks) -> Hardware {
    let devices = Devices::of(own, path, variables);
    let adapters = ADAPTERS
        .iter()
        .flat_map(|(class, kind)| own.iter().filter(move |object| object.is(class)).map(move |object| (object, *kind)));
    let disabled =
        |class: &str| own.iter().any(|object| object.is(class) && object.number("EnabledState") == Some(DISABLED));
    Hardware {
        drives: devices.drives(),
        scsi_controllers: u8::try_from(devices.scsi.len()).unwrap_or(u8::MAX),
        adapters: adapters.map(|(object, kind)| adapter(object, kind, path, networks)).collect(),
        com_ports: com_ports(own),
        disabled_services: SERVICES.iter().filter(|(class, _)| disabled(class)).map(|(_, service)| *service).collect(),
    }
}

/// The part of an `InstanceID` that its references are compared by.
fn key(id: &str) -> String {
    id.to_lowercase()
}

struct Devices<'a> {
    own: &'a [Object],
    by_id: HashMap<String, &'a Object>,
    /// SCSI controllers in their order.
    scsi: Vec<&'a Object>,
    path: &'a WindowsPath,
    variables: &'a Variables,
}

impl<'a> Devices<'a> {
    fn of(own: &'a [Object], path: &'a WindowsPath, variables: &'a Variables) -> Self {
        let by_id = own.iter().filter_map(|object| Some((key(object.text("InstanceID")?), object))).collect();
        let scsi = own.iter().filter(|object| object.number("ResourceType") == Some(SCSI_CONTROLLER)).collect();
        Devices { own, by_id, scsi, path, variables }
    }

    /// What the `Parent` of an object leads to.
    fn parent(&self, object: &Object) -> Option<&'a Object> {
        let parent: Reference = object.reference("Parent")?;
        self.by_id.get(&key(parent.key("InstanceID")?)).copied()
    }

    fn drives(&self) -> Vec<Drive> {
        let mut drives: Vec<Drive> = self.own.iter().filter_map(|object| self.drive(object)).collect();
        drives.sort_by_key(|drive| (drive.controller, drive.number, drive.slot));
        drives
    }

    fn drive(&self, object: &'a Object) -> Option<Drive> {
        let kind = object.number("ResourceType")?;
        if !matches!(kind, DISKETTE_DRIVE | DVD_DRIVE | DISK_DRIVE) {
            return None;
        }
        let slot = object.number("Address").and_then(|slot| u8::try_from(slot).ok()).unwrap_or(0);
        let (controller, number) =
            if kind == DISKETTE_DRIVE { (Controller::Floppy, 0) } else { self.controller(object)? };
        let media = self.media(object, kind)?;
        let id = object.text("InstanceID").unwrap_or_default();
        let place = Place::new(self.path.as_str(), format!("Msvm_ResourceAllocationSettingData.InstanceID=\"{id}\""));
        Some(Drive { controller, number, slot, media, place })
    }

    /// Kind and number of the controller of a drive.
    fn controller(&self, drive: &Object) -> Option<(Controller, u8)> {
        let controller = self.parent(drive)?;
        match controller.number("ResourceType")? {
            IDE_CONTROLLER => Some((Controller::Ide, u8::try_from(controller.number("Address")?).ok()?)),
            SCSI_CONTROLLER => {
                let number = self.scsi.iter().position(|known| std::ptr::eq(*known, controller))?;
                Some((Controller::Scsi, u8::try_from(number).ok()?))
            }
            _ => None,
        }
    }

    fn media(&self, drive: &'a Object, kind: u64) -> Option<Media> {
        let subtype = drive.text("ResourceSubType").unwrap_or_default();
        let host = || drive.text("HostResource").unwrap_or_default().to_owned();
        if subtype.contains("Physical Disk") {
            return Some(Media::PassThrough { kind: subtype.to_owned(), identity: host() });
        }
        if subtype.contains("Physical DVD") {
            return Some(Media::PhysicalDvd { path: host() });
        }
        let is_in = |medium: &&Object| {
            medium.number("ResourceType") == Some(MEDIUM)
                && self.parent(medium).is_some_and(|parent| std::ptr::eq(parent, drive))
        };
        let file =
            self.own.iter().find(is_in).and_then(|medium| medium.text("Connection")).filter(|file| !file.is_empty());
        let path = file.map(|file| self.variables.path(file));
        match (kind, path) {
            (DISK_DRIVE, Some(path)) => Some(Media::VirtualDisk { path }),
            (DVD_DRIVE, Some(path)) => Some(Media::Iso { path }),
            (DISKETTE_DRIVE, Some(path)) => Some(Media::Floppy { path }),
            (DVD_DRIVE, None) => Some(Media::EmptyDvd),
            _ => None,
        }
    }
}

fn adapter(object: &Object, kind: AdapterKind, path: &WindowsPath, networks: &Networks) -> VmAdapter {
    let id = object.text("InstanceID").unwrap_or_default();
    let device = id.split('\\').nth(1).unwrap_or(id);
    let unknown = |what: &str| {
        format!("{what} is a property of the switch port, which stays on the host when a machine is exported.")
    };
    let connection = match object.reference("Connection") {
        Some(port) => {
            let switch = port.key("SystemName").unwrap_or_default().trim_matches(['{', '}']).to_owned();
            let name = networks.switch(&switch).map(|known| known.name.clone());
            Connection::Switch { switch, name, port: port.key("Name").unwrap_or_default().to_owned() }
        }
        // Whatever else stands there can only be a name.
        None => match object.text("Connection").filter(|text| !text.is_empty()) {
            Some(name) => {
                Connection::Switch { switch: String::new(), name: Some(name.to_owned()), port: String::new() }
            }
            None => Connection::None,
        },
    };
    VmAdapter {
        id: device.to_ascii_uppercase(),
        name: object.text("ElementName").unwrap_or_default().to_owned(),
        kind,
        mac: object.text("Address").and_then(|text| text.parse().ok()).unwrap_or(MacAddress::UNASSIGNED),
        mac_is_static: object.flag("StaticMacAddress").unwrap_or(false),
        connection,
        vlan: Found::unknown(unknown("The VLAN")),
        mac_spoofing: Found::unknown(unknown("MAC address spoofing")),
        port_settings: Found::unknown(unknown("What else is set there")),
        place: Place::new(path.as_str(), format!("{}.InstanceID=\"{id}\"", object.class)),
    }
}

/// Pipes of the first two serial ports, by the order of their ids.
fn com_ports(own: &[Object]) -> [Option<String>; 2] {
    let mut ports: Vec<&Object> =
        own.iter().filter(|object| object.text("ResourceSubType") == Some(SERIAL_PORT)).collect();
    ports.sort_by_key(|port| port.text("InstanceID").map(key));
    [0, 1].map(|number| {
        let pipe = ports.get(number).and_then(|port| port.text("Connection")).filter(|pipe| !pipe.is_empty());
        pipe.map(str::to_owned)
    })
}
