//! Devices of a machine: the manifest names class and instance, the section `_instance_` holds the settings. Sections of
//! devices that every machine has once are found without the manifest too, and network adapters by their keys.

use std::collections::HashSet;

use hvm_formats::vmxml::Node;
use hvm_model::found::Found;
use hvm_model::names::{MacAddress, WindowsPath};
use hvm_model::network::SwitchPort;
use hvm_model::vm::{AdapterKind, Connection, Controller, Drive, IntegrationService, Media, VmAdapter};

use super::live::Vlans;
use super::switches::Networks;
use super::vmfile::{Concern, VmFile};
use crate::reach::variables::Variables;

pub(super) const IDE: &str = "83f8638b-8dca-4152-9eda-2ca8b33039b4";
pub(super) const SCSI: &str = "d422512d-2bf2-4752-809d-7b82b5fcb1b4";
pub(super) const SYNTHETIC_NIC: &str = "2fc216b0-d2e2-4967-9b6d-b8a5c9ca2778";
pub(super) const FLOPPY: &str = "8f0d2762-0b00-4e04-af4f-19010527cb93";
pub(super) const SERIAL: &str = "8e3a359f-559a-4b6a-98a9-1690a6100ed7";

/// What keeps variables of the firmware and the content of a virtual TPM (2016 and later).
pub(super) const GUEST_STATE: &str = "917bd8cb-3bb6-4124-9383-b7d21ac07f79";
/// How a VHD set is called.
pub(super) const SET: &str = ".vhds";
/// Virtual TPM (2016 and later).
const TPM: &str = "736e6aa9-a3f8-49c0-9550-a963214d259a";

/// Class and service of the integration components.
const SERVICES: [(&str, IntegrationService); 6] = [
    ("84eaae65-2f2e-45f5-9bb5-0e857dc8eb47", IntegrationService::Heartbeat),
    ("2a34b1c2-fd73-4043-8a5b-dd2159bc743f", IntegrationService::KeyValuePairExchange),
    ("9f8233ac-be49-4c79-8ee3-e7e1985b2077", IntegrationService::Shutdown),
    ("2497f4de-e9fa-4204-80e4-4b75c46419c0", IntegrationService::TimeSynchronization),
    ("5ced1297-4598-4915-a5fc-ad21bb4d02a4", IntegrationService::Vss),
    ("6c09bb55-d683-4da0-8931-c9bf705f6480", IntegrationService::GuestServices),
];

/// The devices that the model has a place for.
pub(super) struct Devices {
    pub(super) drives: Vec<Drive>,
    pub(super) scsi_controllers: u8,
    pub(super) adapters: Vec<VmAdapter>,
    pub(super) com_ports: [Option<String>; 2],
    pub(super) disabled_services: Vec<IntegrationService>,
    /// Whether guest services are on.
    pub(super) guest_services: bool,
}

/// A device of the manifest; GUIDs in lower case.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) class: String,
    pub(super) instance: String,
    pub(super) name: String,
}

/// The devices of the manifest in its order.
pub(super) fn manifest(file: &VmFile) -> Vec<Device> {
    let entries = file.children("manifest").iter().filter(|node| node.name().starts_with("vdev"));
    let text = |node: &Node, name: &str| {
        node.child(name).and_then(Node::value).map(|value| value.as_str().to_owned()).unwrap_or_default()
    };
    let guid = |text: String| text.trim().trim_matches(['{', '}']).to_ascii_lowercase();
    entries
        .map(|node| Device {
            class: guid(text(node, "device")),
            instance: guid(text(node, "instance")),
            name: text(node, "name"),
        })
        .collect()
}

pub(super) fn read(file: &VmFile, variables: &Variables, networks: &Networks) -> Devices {
    let manifest = manifest(file);
    let mut drives = Vec::new();
    let reader = DriveReader { file, variables };
    reader.controllers(&section(IDE), Controller::Ide, None, &mut drives);
    let scsi = scsi_instances(file, &manifest);
    for (number, instance) in (0u8..=255).zip(&scsi) {
        reader.controllers(&section(instance), Controller::Scsi, Some(number), &mut drives);
    }
    reader.controllers(&section(FLOPPY), Controller::Floppy, None, &mut drives);
    drives.sort_by_key(|drive| (drive.controller, drive.number, drive.slot));
    let port = |number: u8| file.text(&format!("{}/port{number}/connection", section(SERIAL)));
    let enabled = |class: &str| file.flag(&format!("{}/Enabled", section(class)));
    let services =
        |on: bool| SERVICES.iter().filter(move |(class, _)| enabled(class) == Some(on)).map(|(_, service)| *service);
    Devices {
        drives,
        scsi_controllers: u8::try_from(scsi.len()).unwrap_or(u8::MAX),
        adapters: adapters(file, &manifest, networks),
        com_ports: [0, 1].map(|number| port(number).filter(|pipe| !pipe.is_empty())),
        disabled_services: services(false).collect(),
        guest_services: services(true).any(|service| service == IntegrationService::GuestServices),
    }
}

/// Name of the section of an instance.
fn section(instance: &str) -> String {
    format!("_{instance}_")
}

/// The GUID of a section, in lower case.
pub(super) fn section_guid(name: &str) -> Option<String> {
    let inner = name.strip_prefix('_')?.strip_suffix('_')?;
    inner.parse::<hvm_model::names::VmId>().ok()?;
    Some(inner.to_ascii_lowercase())
}

/// Sections in the order of the file that the manifest does not name.
fn unlisted<'a>(file: &'a VmFile, manifest: &[Device]) -> Vec<(String, &'a Node)> {
    let listed: HashSet<&str> = manifest.iter().map(|device| device.instance.as_str()).collect();
    let sections = file.document().root().children().iter().filter_map(|node| Some((section_guid(node.name())?, node)));
    sections.filter(|(guid, _)| !listed.contains(guid.as_str())).collect()
}

fn scsi_instances(file: &VmFile, manifest: &[Device]) -> Vec<String> {
    let listed = manifest.iter().filter(|device| device.class == SCSI).map(|device| device.instance.clone());
    let is_scsi = |node: &Node| node.child("ChannelInstanceGuid").is_some() && node.child("controller0").is_some();
    let others = unlisted(file, manifest);
    let others = others.into_iter().filter(|(guid, node)| guid != IDE && guid != FLOPPY && is_scsi(node));
    listed.chain(others.map(|(guid, _)| guid)).collect()
}

struct DriveReader<'a> {
    file: &'a VmFile,
    variables: &'a Variables,
}

impl DriveReader<'_> {
    /// All drives of a section; `number` replaces the number of the controller in the section.
    fn controllers(&self, section: &str, kind: Controller, number: Option<u8>, into: &mut Vec<Drive>) {
        for controller in self.file.children(section) {
            let Some(own) = numbered(controller.name(), "controller") else { continue };
            for drive in controller.children() {
                let Some(slot) = numbered(drive.name(), "drive") else { continue };
                let path = format!("{section}/{}/{}", controller.name(), drive.name());
                if let Some(media) = self.media(&path) {
                    self.shared(&path, &media);
                    let place = self.file.place(&path);
                    into.push(Drive { controller: kind, number: number.unwrap_or(own), slot, media, place });
                }
            }
        }
    }

    /// A disk that several machines use at once is no disk of one of them.
    fn shared(&self, path: &str, media: &Media) {
        let Media::VirtualDisk { path: disk } = media else { return };
        let place = self.file.place(path);
        // A set is a problem of its own, whatever its drive says.
        if !is_set(disk) && self.file.flag(&format!("{path}/persistent_reservations_supported")) == Some(true) {
            let message = format!(
                "{place}: '{disk}' is shared with other machines (persistent reservations are on); it is carried as a disk of \
                 this one alone."
            );
            self.file.note_as(Concern::SharedDisk(disk.clone()), message, place);
        }
    }

    fn media(&self, path: &str) -> Option<Media> {
        let text = |name: &str| self.file.text(&format!("{path}/{name}")).unwrap_or_default();
        let (kind, name) = (text("type"), text("pathname"));
        let target = || self.variables.path(&name);
        let empty = name.is_empty();
        match kind.to_ascii_uppercase().as_str() {
            "NONE" => None,
            "VHD" | "VFD" if empty => None,
            "VHD" => Some(Media::VirtualDisk { path: target() }),
            "VFD" => Some(Media::Floppy { path: target() }),
            "ISO" if empty => Some(Media::EmptyDvd),
            "ISO" if is_host_drive(&name) => Some(Media::PhysicalDvd { path: name }),
            "ISO" => Some(Media::Iso { path: target() }),
            "" if empty => None,
            "" => Some(by_extension(&name, &target)),
            _ => Some(Media::PassThrough { kind, identity: name }),
        }
    }
}

fn by_extension(name: &str, target: &dyn Fn() -> WindowsPath) -> Media {
    let lower = name.to_ascii_lowercase();
    match lower.rsplit_once('.').map(|(_, extension)| extension) {
        Some("vhd" | "avhd" | "vhdx" | "avhdx" | "vhds") => Media::VirtualDisk { path: target() },
        Some("iso") => Media::Iso { path: target() },
        _ => Media::PassThrough { kind: String::new(), identity: name.to_owned() },
    }
}

/// A VHD set (2016 and later): its disk lies in other files, and how it names them is not documented.
pub(super) fn is_set(path: &WindowsPath) -> bool {
    path.file_name().to_ascii_lowercase().ends_with(SET)
}

/// A drive of the host rather than a file: `D:`, `D:\`, `\\.\CDROM0`.
fn is_host_drive(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    upper.starts_with(r"\\.\") || upper.contains("CDROM") && !upper.contains(":\\") || {
        let path = WindowsPath::new(name);
        path.drive().is_some() && path.components().next().is_none()
    }
}

fn numbered(name: &str, prefix: &str) -> Option<u8> {
    name.strip_prefix(prefix)?.parse().ok()
}

/// True when the machine has a virtual TPM.
pub(super) fn has_tpm(file: &VmFile) -> bool {
    file.has(&section(TPM)) || manifest(file).iter().any(|device| device.class == TPM)
}

fn adapters(file: &VmFile, manifest: &[Device], networks: &Networks) -> Vec<VmAdapter> {
    let mut adapters = Vec::new();
    for device in manifest {
        let name = device.name.to_lowercase();
        let legacy = name.contains("emulated ethernet") || name.contains("legacy network");
        let kind = match () {
            () if device.class == SYNTHETIC_NIC => Some(AdapterKind::Synthetic),
            () if legacy => Some(AdapterKind::Legacy),
            () => kind_of_keys(file, &device.instance),
        };
        if let Some(kind) = kind {
            adapters.push(adapter(file, &device.instance, kind, networks));
        }
    }
    for (guid, _) in unlisted(file, manifest) {
        if let Some(kind) = kind_of_keys(file, &guid) {
            adapters.push(adapter(file, &guid, kind, networks));
        }
    }
    adapters
}

/// A section with the keys of an adapter is one; only synthetic adapters have a channel of the VMBus.
pub(super) fn kind_of_keys(file: &VmFile, guid: &str) -> Option<AdapterKind> {
    let has = |name: &str| file.has(&format!("{}/{name}", section(guid)));
    let is_adapter = has("MacAddress") && (has("SwitchName") || has("PortName"));
    let kind = if has("ChannelInstanceGuid") { AdapterKind::Synthetic } else { AdapterKind::Legacy };
    is_adapter.then_some(kind)
}

fn adapter(file: &VmFile, guid: &str, kind: AdapterKind, networks: &Networks) -> VmAdapter {
    let at = |name: &str| format!("{}/{name}", section(guid));
    let mac = file.text(&at("MacAddress")).unwrap_or_default();
    let address = if mac.is_empty() { Ok(MacAddress::UNASSIGNED) } else { mac.parse() };
    if let Err(error) = &address {
        let place = file.place(&at("MacAddress"));
        file.note(format!("{place}: {error} It is taken as not assigned."), place);
    }
    let default_name = match kind {
        AdapterKind::Synthetic => "Network Adapter",
        AdapterKind::Legacy => "Legacy Network Adapter",
    };
    let connection = connection(file, guid, networks);
    let features = !file.children(&at("Connection/Features")).is_empty();
    let told = networks.features.of(file.path.file_stem(), guid);
    let Vlans { vlan, mac_spoofing, port } = told.unwrap_or_else(|| port_settings(&connection, networks, features));
    VmAdapter {
        id: guid.to_ascii_uppercase(),
        name: file.text(&at("FriendlyName")).unwrap_or_else(|| default_name.to_owned()),
        kind,
        mac: address.unwrap_or(MacAddress::UNASSIGNED),
        mac_is_static: file.flag(&at("MacAddressIsStatic")).unwrap_or(false),
        connection,
        vlan,
        mac_spoofing,
        port_settings: port,
        place: file.place(&section(guid)),
    }
}

fn connection(file: &VmFile, guid: &str, networks: &Networks) -> Connection {
    let text = |name: &str| file.text(&format!("{}/{name}", section(guid))).unwrap_or_default();
    let switch = text("SwitchName");
    let connected = file.flag(&format!("{}/IsConnected", section(guid))).unwrap_or(!switch.is_empty());
    if !connected || switch.is_empty() {
        return Connection::None;
    }
    let written = Some(text("Connection/AltSwitchName")).filter(|name| !name.is_empty());
    let name = written.or_else(|| networks.switch(&switch).map(|known| known.name.clone()));
    Connection::Switch { switch, name, port: text("PortName") }
}

/// VLAN and spoofing as the host tells them, or why they are not known, with what is written at the port.
fn port_settings(connection: &Connection, networks: &Networks, features: bool) -> Vlans {
    let unknown = |vlan: String, mac_spoofing: String| Vlans {
        port: Found::Unknown { reason: mac_spoofing.clone() },
        vlan: Found::Unknown { reason: vlan },
        mac_spoofing: Found::Unknown { reason: mac_spoofing },
    };
    let Connection::Switch { switch, port, .. } = connection else {
        let reason = "The adapter is not connected, so it has no port of a virtual network.".to_owned();
        return unknown(reason.clone(), reason);
    };
    if let Some(told) = networks.ports.settings(port) {
        return told.clone();
    }
    if features {
        let reason =
            "It is in the feature settings of the connection, whose binary layout is not documented; they stay \
                      in the configuration file."
                .to_owned();
        return unknown(reason.clone(), reason);
    }
    let describe = |what: &str| match networks.port(switch, port) {
        Some(port) if !port.other.is_empty() => format!(
            "{what} is a property of the switch port, whose registry values are not documented. There is written: {}.",
            values(port)
        ),
        Some(port) => format!(
            "{what} is a property of the switch port, and the port's key ({}) has no further values, so nothing tells \
             whether it was set.",
            port.place.at
        ),
        None => match &networks.unknown {
            Some(reason) => format!("{what} is a property of the switch port, and ports could not be read: {reason}"),
            None => format!("{what} is a property of the switch port, and the registry has no key of port '{port}'."),
        },
    };
    unknown(describe("The VLAN"), describe("MAC address spoofing"))
}

fn values(port: &SwitchPort) -> String {
    let texts: Vec<String> = port.other.iter().take(20).map(|(name, text)| format!("{name}={text}")).collect();
    texts.join(", ")
}
