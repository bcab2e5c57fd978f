//! Ports of virtual switches in the first version of Hyper-V's classes (Windows Server 2008 to 2012): VLAN, spoofing, and which
//! adapter of the host is behind a port. The way is that of Microsoft's nvspinfo: port, VLAN endpoint (`Msvm_BindsTo`), its
//! settings (`Msvm_NetworkElementSettingData`); port, LAN endpoint (`Msvm_ActiveConnection`), adapter
//! (`Msvm_GlobalEthernetPortSAPImplementation`).

use std::collections::HashMap;

use hvm_formats::cim::Object;
use hvm_model::found::Found;
use hvm_model::names::{AdapterId, SwitchId};
use hvm_model::network::{PortSettings, SwitchKind, Vlan};

use super::super::Reading;
use super::{adapter_id, of_object, of_reference, place};
use crate::reach::answers::{Answer, Question, V1};

/// `DesiredEndpointMode` of an access port.
const ACCESS: u64 = 2;
/// The same of a trunk.
const TRUNK: u64 = 5;
/// Greatest VLAN id.
const MAX_VLAN: u64 = 4094;

/// What the host told of its ports.
#[derive(Debug, Default)]
pub(in super::super) struct Ports {
    /// By the name of the port, upper case.
    known: HashMap<String, Port>,
    /// Whether the host told which adapters are behind its ports.
    connections_known: bool,
    /// Whether it told of its ports at all.
    pub(in super::super) answered: bool,
}

/// The settings of a port that a machine's adapter has.
#[derive(Debug, Clone)]
pub(in super::super) struct Vlans {
    pub(in super::super) vlan: Found<Vlan>,
    pub(in super::super) mac_spoofing: Found<bool>,
    pub(in super::super) port: Found<PortSettings>,
}

#[derive(Debug)]
struct Port {
    switch: Option<SwitchId>,
    settings: Vlans,
    /// The adapter of the host behind it.
    adapter: Option<(Side, AdapterId)>,
}

/// On which side of a switch an adapter of the host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    External,
    Internal,
}

impl Ports {
    /// VLAN and spoofing of a port, when the host told of it.
    pub(in super::super) fn settings(&self, port: &str) -> Option<&Vlans> {
        Some(&self.known.get(&plain(port))?.settings)
    }

    /// Kind and uplink of a switch, when the host told what is behind its ports.
    pub(in super::super) fn kind(&self, switch: &SwitchId) -> Option<(Found<SwitchKind>, Found<AdapterId>)> {
        if !self.connections_known {
            return None;
        }
        let adapters = || self.adapters(switch);
        let place = || place(V1, format!("Msvm_VirtualSwitch.Name=\"{switch}\", its ports and their connections"));
        let of = |side: Side| adapters().filter(move |(known, _)| *known == side).map(|(_, adapter)| adapter);
        let uplinks: Vec<&AdapterId> = of(Side::External).collect();
        let uplink = match uplinks[..] {
            [] => Found::unknown("Its ports are connected to no physical adapter."),
            [adapter] => Found::Read { value: adapter.clone(), place: place() },
            _ => Found::unknown(format!("Its ports are connected to {} physical adapters.", uplinks.len())),
        };
        let kind = match (uplinks.is_empty(), of(Side::Internal).next()) {
            (false, _) => SwitchKind::External,
            (true, Some(_)) => SwitchKind::Internal,
            (true, None) => SwitchKind::Private,
        };
        Some((Found::Read { value: kind, place: place() }, uplink))
    }

    /// Switch and VLAN of an adapter of the management operating system.
    pub(in super::super) fn management(&self, adapter: &AdapterId) -> Option<(Found<SwitchId>, Found<Vlan>)> {
        let is_there = |port: &&Port| port.adapter.as_ref().is_some_and(|(_, known)| known == adapter);
        let port = self.known.values().find(is_there)?;
        let place =
            place(V1, format!("Msvm_InternalEthernetPort.DeviceID=\"{adapter}\", the port that it is connected to"));
        let switch = port.switch.clone()?;
        Some((Found::Read { value: switch, place }, port.settings.vlan.clone()))
    }

    fn adapters<'p>(&'p self, switch: &'p SwitchId) -> impl Iterator<Item = (Side, &'p AdapterId)> {
        let ports = self.known.values().filter(move |port| port.switch.as_ref() == Some(switch));
        ports.filter_map(|port| port.adapter.as_ref().map(|(side, adapter)| (*side, adapter)))
    }
}

fn plain(port: &str) -> String {
    port.trim_matches(['{', '}']).to_uppercase()
}

pub(in super::super) fn ports(reading: &Reading<'_>) -> Ports {
    let class = |name: &str| reading.ask(Question::Instances(V1, name));
    let Answer::Objects(ports) = class("Msvm_SwitchPort") else { return Ports::default() };
    let vlans = Endpoints::read(&class);
    let (connections, implementations) =
        (class("Msvm_ActiveConnection"), class("Msvm_GlobalEthernetPortSAPImplementation"));
    let connections_known = matches!((&connections, &implementations), (Answer::Objects(_), Answer::Objects(_)));
    let lan_of = pairs(&connections, "Antecedent", "Dependent");
    let adapter_of = adapters(&implementations);
    let mut known = HashMap::new();
    for port in &ports {
        let (Some(name), Some(id)) = (port.text("Name"), of_object(port)) else { continue };
        let adapter = lan_of.get(&id).and_then(|lan| adapter_of.get(lan)).cloned();
        let switch = port.text("SystemName").and_then(|name| name.parse().ok());
        let settings =
            Vlans { vlan: vlans.of(&id, name), mac_spoofing: spoofing(port, name), port: weight(port, name) };
        known.insert(plain(name), Port { switch, settings, adapter });
    }
    Ports { known, connections_known, answered: true }
}

fn spoofing(port: &Object, name: &str) -> Found<bool> {
    match port.flag("AllowMacSpoofing") {
        Some(value) => {
            Found::Read { value, place: place(V1, format!("Msvm_SwitchPort.Name=\"{name}\": AllowMacSpoofing")) }
        }
        None => Found::unknown(format!(
            "The port '{name}' has no property AllowMacSpoofing: Windows Server 2008 R2 brought it."
        )),
    }
}

/// These releases know nothing else of a port that later ones have too.
fn weight(port: &Object, name: &str) -> Found<PortSettings> {
    let vmq_weight = port.number("VMQOffloadWeight").and_then(|weight| u32::try_from(weight).ok());
    let place = place(V1, format!("Msvm_SwitchPort.Name=\"{name}\": VMQOffloadWeight"));
    Found::Read { value: PortSettings { vmq_weight, ..PortSettings::default() }, place }
}

/// An association as a map from the one end to the other.
fn pairs(answer: &Answer, from: &str, to: &str) -> HashMap<String, String> {
    let Answer::Objects(objects) = answer else { return HashMap::new() };
    let ends = objects.iter().filter_map(|object| Some((object.reference(from)?, object.reference(to)?)));
    ends.filter_map(|(from, to)| Some((of_reference(&from)?, of_reference(&to)?))).collect()
}

/// LAN endpoints of the host with the adapters behind them.
fn adapters(answer: &Answer) -> HashMap<String, (Side, AdapterId)> {
    let Answer::Objects(objects) = answer else { return HashMap::new() };
    let ends = objects.iter().filter_map(|object| {
        let (adapter, lan) = (object.reference("Antecedent")?, object.reference("Dependent")?);
        let side = match adapter.class.to_ascii_lowercase().as_str() {
            "msvm_externalethernetport" => Side::External,
            "msvm_internalethernetport" => Side::Internal,
            _ => return None,
        };
        Some((of_reference(&lan)?, (side, adapter_id(adapter.key("DeviceID")?)?)))
    });
    ends.collect()
}

/// VLAN endpoints of ports and their settings.
struct Endpoints {
    of_port: HashMap<String, String>,
    modes: HashMap<String, u64>,
    settings_of: HashMap<String, String>,
    settings: HashMap<String, Object>,
    /// Why nothing is known; `None` when the host answered.
    unknown: Option<String>,
}

impl Endpoints {
    fn read(class: &dyn Fn(&str) -> Answer) -> Self {
        let bindings = class("Msvm_BindsTo");
        let unknown = match &bindings {
            Answer::Objects(_) => None,
            Answer::Silent => Some("The host was not asked for Msvm_BindsTo.".to_owned()),
            Answer::Failed(reason) => Some(reason.clone()),
        };
        let objects = |name: &str| match class(name) {
            Answer::Objects(objects) => objects,
            Answer::Silent | Answer::Failed(_) => Vec::new(),
        };
        let mode =
            |object: &Object| object.number("DesiredEndpointMode").or_else(|| object.number("OperationalEndpointMode"));
        let endpoints = objects("Msvm_VLANEndpoint");
        let modes = endpoints.iter().filter_map(|object| Some((of_object(object)?, mode(object)?))).collect();
        let settings = objects("Msvm_VLANEndpointSettingData");
        Endpoints {
            of_port: pairs(&bindings, "Antecedent", "Dependent"),
            modes,
            settings_of: pairs(&class("Msvm_NetworkElementSettingData"), "ManagedElement", "SettingData"),
            settings: settings.into_iter().filter_map(|object| Some((of_object(&object)?, object))).collect(),
            unknown,
        }
    }

    /// The VLAN of a port.
    fn of(&self, port: &str, name: &str) -> Found<Vlan> {
        if let Some(reason) = &self.unknown {
            return Found::Unknown { reason: reason.clone() };
        }
        let unknown = |what: &str| Found::unknown(format!("The port '{name}' has {what}."));
        let Some(endpoint) = self.of_port.get(port) else { return unknown("no VLAN endpoint") };
        let settings = self.settings_of.get(endpoint).and_then(|id| self.settings.get(id));
        let Some(settings) = settings else { return unknown("a VLAN endpoint without settings") };
        let place = |property: &str| {
            let id = settings.text("InstanceID").unwrap_or_default();
            place(V1, format!("Msvm_VLANEndpointSettingData.InstanceID=\"{id}\": {property}"))
        };
        let id = |property: &str| settings.number(property).filter(|id| *id <= MAX_VLAN);
        match self.modes.get(endpoint) {
            Some(&ACCESS) => match id("AccessVLAN") {
                Some(0) => Found::Read { value: Vlan::Untagged, place: place("AccessVLAN") },
                Some(id) => Found::Read { value: Vlan::Access { id: id as u16 }, place: place("AccessVLAN") },
                None => unknown("an access VLAN that is no number up to 4094"),
            },
            Some(&TRUNK) => {
                let allowed = settings.texts("TrunkedVLANList").into_iter().filter_map(|text| text.trim().parse().ok());
                let trunk = Vlan::Trunk { native: id("NativeVLAN").unwrap_or(0) as u16, allowed: allowed.collect() };
                Found::Read { value: trunk, place: place("TrunkedVLANList") }
            }
            Some(mode) => {
                unknown(&format!("the mode {mode} of its VLAN endpoint, which is neither access (2) nor trunk (5)"))
            }
            None => unknown("a VLAN endpoint without a mode"),
        }
    }
}
