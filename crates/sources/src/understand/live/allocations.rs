//! Switches and adapters of the management operating system in the second version of Hyper-V's classes (Windows Server 2012 and
//! later). What a port of a switch is connected to stands in `HostResource` of its allocation: a physical adapter, or the host's
//! own computer system; Microsoft's sample that lists switches reads it so. Behind which port an adapter of the host is, is told
//! by associations: adapter, LAN endpoint, LAN endpoint of the switch, port.

use std::collections::{HashMap, HashSet};

use hvm_formats::cim::{Object, Reference};
use hvm_model::found::Found;
use hvm_model::names::{AdapterId, SwitchId};
use hvm_model::network::{SwitchKind, Vlan};

use super::super::Reading;
use super::features::{Features, guids};
use super::{adapter_id, of_reference, place};
use crate::reach::answers::{Answer, Question, V2};

const SWITCH: &str = "Msvm_VirtualEthernetSwitch";
const ALLOCATION: &str = "Msvm_EthernetPortAllocationSettingData";
const IMPLEMENTATION: &str = "Msvm_EthernetDeviceSAPImplementation";
const CONNECTION: &str = "Msvm_ActiveConnection";

/// What the host told of its switches.
#[derive(Debug, Default)]
pub(in super::super) struct Allocations {
    /// What their ports are connected to; none when the host did not tell it of all.
    switches: Option<HashMap<SwitchId, Sides>>,
    /// Switch and port of the adapters of the management operating system.
    behind: HashMap<AdapterId, (SwitchId, String)>,
}

/// What is at the ports of a switch, machines apart.
#[derive(Debug, Default)]
struct Sides {
    /// Physical adapters; without its id one that could not be told.
    external: Vec<Option<AdapterId>>,
    internal: bool,
}

pub(in super::super) fn allocations(reading: &Reading<'_>) -> Allocations {
    let class = |name: &str| match reading.ask(Question::Instances(V2, name)) {
        Answer::Objects(objects) => Some(objects),
        Answer::Silent | Answer::Failed(_) => None,
    };
    let (Some(switches), Some(ports)) = (class(SWITCH), class(ALLOCATION)) else { return Allocations::default() };
    let behind = match (class(IMPLEMENTATION), class(CONNECTION)) {
        (Some(implementations), Some(connections)) => behind(&implementations, &connections),
        _ => HashMap::new(),
    };
    Allocations { switches: sides(&switches, &ports), behind }
}

/// The ports of all switches that the host has; none when a port that is connected belongs to no switch that can be told: then
/// nothing may be concluded from a switch that seems to have none.
fn sides(switches: &[Object], ports: &[Object]) -> Option<HashMap<SwitchId, Sides>> {
    let ids = switches.iter().filter_map(|switch| switch.text("Name")?.parse().ok());
    let mut found: HashMap<SwitchId, Sides> = ids.map(|id| (id, Sides::default())).collect();
    for port in ports {
        let ends = port.texts("HostResource").into_iter().filter_map(|text| text.parse::<Reference>().ok());
        let ends: Vec<Reference> = ends.filter(|end| is_adapter(end) || is_host(end)).collect();
        if ends.is_empty() {
            continue;
        }
        let named = guids(port.text("InstanceID").unwrap_or_default());
        let known = named.into_iter().filter_map(|id| id.parse::<SwitchId>().ok()).find(|id| found.contains_key(id));
        let sides = found.get_mut(&known?)?;
        sides.internal |= ends.iter().any(is_host);
        let adapters = ends.iter().filter(|end| is_adapter(end));
        sides.external.extend(adapters.map(|end| end.key("DeviceID").and_then(adapter_id)));
    }
    Some(found)
}

fn is_adapter(end: &Reference) -> bool {
    end.class.eq_ignore_ascii_case("Msvm_ExternalEthernetPort")
}

fn is_host(end: &Reference) -> bool {
    end.class.eq_ignore_ascii_case("Msvm_ComputerSystem")
}

/// The ports behind which adapters of the management operating system are.
fn behind(implementations: &[Object], connections: &[Object]) -> HashMap<AdapterId, (SwitchId, String)> {
    let (mut adapters, mut ports) = (Vec::new(), HashMap::new());
    for object in implementations {
        let (Some(device), Some(endpoint)) = (object.reference("Antecedent"), object.reference("Dependent")) else {
            continue;
        };
        let Some(endpoint) = of_reference(&endpoint) else { continue };
        let id = device.key("DeviceID").unwrap_or_default();
        if device.class.eq_ignore_ascii_case("Msvm_InternalEthernetPort") {
            adapters.extend(adapter_id(id).map(|adapter| (adapter, endpoint)));
        } else if device.class.eq_ignore_ascii_case("Msvm_EthernetSwitchPort")
            && let Some(switch) = device.key("SystemName").and_then(|name| name.parse::<SwitchId>().ok())
            && let Some(port) = guids(id).into_iter().rfind(|guid| guid != switch.as_str())
        {
            ports.insert(endpoint, (switch, port));
        }
    }
    // Which end is that of the switch is not relied on.
    let mut peers: HashMap<String, HashSet<String>> = HashMap::new();
    for object in connections {
        let ends = ["Antecedent", "Dependent"].map(|end| object.reference(end).as_ref().and_then(of_reference));
        if let [Some(one), Some(other)] = ends {
            peers.entry(one.clone()).or_default().insert(other.clone());
            peers.entry(other).or_default().insert(one);
        }
    }
    let port_of = |endpoint: &String| peers.get(endpoint)?.iter().find_map(|peer| ports.get(peer)).cloned();
    adapters.into_iter().filter_map(|(adapter, endpoint)| Some((adapter, port_of(&endpoint)?))).collect()
}

impl Allocations {
    /// Kind and uplink of a switch, when the host told of it.
    pub(in super::super) fn kind(&self, switch: &SwitchId) -> Option<(Found<SwitchKind>, Found<AdapterId>)> {
        let sides = self.switches.as_ref()?.get(switch)?;
        let place = || place(V2, format!("{SWITCH}.Name=\"{switch}\": HostResource in {ALLOCATION} of its ports"));
        let uplink = match &sides.external[..] {
            [] => Found::unknown("Its ports are connected to no physical adapter."),
            [Some(adapter)] => Found::Read { value: adapter.clone(), place: place() },
            [None] => Found::unknown("The physical adapter of its port has no id that can be read."),
            several => Found::unknown(format!(
                "It has {} physical adapters (a switch with embedded teaming), and a network is carried with one.",
                several.len()
            )),
        };
        let kind = match (sides.external.is_empty(), sides.internal) {
            (false, _) => SwitchKind::External,
            (true, true) => SwitchKind::Internal,
            (true, false) => SwitchKind::Private,
        };
        Some((Found::Read { value: kind, place: place() }, uplink))
    }

    /// Switch and VLAN of an adapter of the management operating system.
    pub(in super::super) fn management(
        &self,
        adapter: &AdapterId,
        features: &Features,
    ) -> Option<(Found<SwitchId>, Found<Vlan>)> {
        let (switch, port) = self.behind.get(adapter)?;
        let place =
            place(V2, format!("Msvm_InternalEthernetPort.DeviceID=\"{adapter}\", the port that it is connected to"));
        let vlan = features.of(switch.as_str(), port).map(|settings| settings.vlan);
        let vlan = vlan.unwrap_or_else(|| Found::unknown("The host was not asked for the VLANs of its ports."));
        Some((Found::Read { value: switch.clone(), place }, vlan))
    }
}
