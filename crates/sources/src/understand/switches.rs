//! Virtual networks. The registry says which switches and ports there are and what they are called; what their other values
//! mean nobody documents for 2008 and 2008 R2, so they are kept raw, and kind and uplink are concluded from the adapters
//! that the values name, from the bindings of the switch protocol, and from names.

mod conclude;

use std::collections::{BTreeMap, HashMap};

use hvm_model::found::{Found, Place};
use hvm_model::names::{AdapterId, SwitchId};
use hvm_model::network::{ManagementAdapter, PhysicalAdapter, SwitchPort, VirtualSwitch, Vlan};

use super::Reading;
use super::adapters::{Nic, Nics, Role};
use super::hyperv::SWITCH_DRIVER;
use super::live::{Features, Ports, allocations, features, ports};
use super::registry::{RegKey, raw_text, searchable};

/// All switches.
pub(super) const LIST: &str = r"Services\VMSMP\Parameters\SwitchList";
/// Deepest key below a switch or port that is looked at.
const MAX_DEPTH: usize = 8;
/// Most values of one switch or port that are kept.
const MAX_VALUES: usize = 2_000;
const FRIENDLY_NAME: &str = "FriendlyName";
const NO_VLAN: &str = "The VLAN is a property of the switch port, whose registry values are not documented; see the ports of the \
                       virtual network for what is written there.";

/// Switches and adapters, concluded together.
pub(super) struct Networks {
    pub(super) switches: Vec<VirtualSwitch>,
    pub(super) adapters: Vec<PhysicalAdapter>,
    pub(super) management_adapters: Vec<ManagementAdapter>,
    /// Switch and port GUIDs to their places in `switches` and its ports.
    by_id: HashMap<String, usize>,
    /// Why the list of switches is not known; `None` when it is.
    pub(super) unknown: Option<String>,
    /// What the host itself tells of its ports.
    pub(super) ports: Ports,
    /// What it tells of the features of its ports (2012 and later).
    pub(super) features: Features,
    /// Whether it told the addresses of its adapters.
    pub(super) addresses_known: bool,
}

impl Networks {
    /// The switch with this GUID, in any spelling.
    pub(super) fn switch(&self, id: &str) -> Option<&VirtualSwitch> {
        let id: SwitchId = id.parse().ok()?;
        self.switches.get(*self.by_id.get(id.as_str())?)
    }

    /// The port with this name on a switch.
    pub(super) fn port(&self, switch: &str, port: &str) -> Option<&SwitchPort> {
        let plain = |text: &str| text.trim_matches(['{', '}']).to_ascii_uppercase();
        let wanted = plain(port);
        self.switch(switch)?.ports.iter().find(|known| plain(&known.id) == wanted)
    }
}

/// That a value below a switch names an adapter.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) adapter: AdapterId,
    pub(super) place: Place,
}

/// A switch with what its values name.
pub(super) struct Read {
    pub(super) id: SwitchId,
    pub(super) name: String,
    pub(super) ports: Vec<SwitchPort>,
    pub(super) other: BTreeMap<String, String>,
    pub(super) links: Vec<Link>,
    pub(super) place: Place,
}

pub(super) fn read(reading: &Reading<'_>, nics: &Nics) -> Networks {
    let list = reading.system.key(LIST);
    let unknown = match &list {
        super::registry::Looked::Unreadable(reason) => Some(reason.clone()),
        _ => None,
    };
    let keys = list.into_value().map(|key| key.subkeys()).unwrap_or_default();
    let mut switches: Vec<Read> = keys.iter().filter_map(|key| switch(key, &nics.list)).collect();
    link_nic_list(reading, nics, &mut switches);
    switches.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.id.cmp(&b.id)));
    let concluded = conclude::conclude(&switches, nics);
    let by_id = switches.iter().enumerate().map(|(index, read)| (read.id.as_str().to_owned(), index)).collect();
    let of_role = |role: Role| nics.list.iter().filter(move |nic| nic.role == role);
    // A host of 2012 answers in both versions of the classes; those of 2012 R2 and later have the second one alone.
    let (ports, features, allocations) = (ports(reading), features(reading), allocations(reading));
    Networks {
        adapters: of_role(Role::Physical).map(physical).collect(),
        management_adapters: of_role(Role::Management)
            .map(|nic| match allocations.management(&nic.id, &features).or_else(|| ports.management(&nic.id)) {
                Some((switch, vlan)) => management(nic, switch, vlan),
                None => management(nic, concluded.switch_of(&nic.id), Found::unknown(NO_VLAN)),
            })
            .collect(),
        switches: switches
            .into_iter()
            .map(|read| {
                let by_registry = || (concluded.kind(&read.id), concluded.uplink(&read.id));
                let told = allocations.kind(&read.id).or_else(|| ports.kind(&read.id));
                let (kind, uplink) = told.unwrap_or_else(by_registry);
                VirtualSwitch {
                    kind,
                    uplink,
                    id: read.id,
                    name: read.name,
                    ports: read.ports,
                    other: read.other,
                    place: read.place,
                }
            })
            .collect(),
        by_id,
        unknown,
        ports,
        features,
        addresses_known: nics.addresses_known,
    }
}

fn switch(key: &RegKey<'_>, nics: &[Nic]) -> Option<Read> {
    let id: SwitchId = key.name().parse().ok()?;
    let name = key.text(FRIENDLY_NAME).into_value().unwrap_or_else(|| id.to_string());
    let mut read = Read {
        id,
        name,
        ports: Vec::new(),
        other: key.others(&[FRIENDLY_NAME]),
        links: Vec::new(),
        place: key.place(),
    };
    links_of_values(key, nics, &mut read.links);
    for below in key.subkeys() {
        let is_port = below.name().parse::<SwitchId>().is_ok();
        let mut other = BTreeMap::new();
        gather(&below, "", 0, &mut other, &mut |key| links_of_values(key, nics, &mut read.links));
        links_of_name(&below, nics, &mut read.links);
        if is_port {
            let name = other.remove(FRIENDLY_NAME).unwrap_or_default();
            read.ports.push(SwitchPort { id: below.name().to_owned(), name, other, place: below.place() });
        } else {
            let named = other.into_iter().map(|(name, text)| (format!("{}\\{name}", below.name()), text));
            read.other.extend(named);
        }
    }
    Some(read)
}

/// All values at and below a key under relative names.
fn gather(
    key: &RegKey<'_>,
    prefix: &str,
    depth: usize,
    into: &mut BTreeMap<String, String>,
    visit: &mut dyn FnMut(&RegKey<'_>),
) {
    visit(key);
    for value in key.values() {
        if into.len() >= MAX_VALUES {
            return;
        }
        into.insert(format!("{prefix}{}", value.name()), raw_text(&value));
    }
    if depth < MAX_DEPTH {
        for below in key.subkeys() {
            gather(&below, &format!("{prefix}{}\\", below.name()), depth + 1, into, visit);
        }
    }
}

/// Adapters whose GUID stands in a value, its name, or in the name of the key.
fn links_of_values(key: &RegKey<'_>, nics: &[Nic], links: &mut Vec<Link>) {
    for value in key.values() {
        let text = format!("{} {}", value.name().to_uppercase(), searchable(&value));
        for nic in nics.iter().filter(|nic| text.contains(nic.id.as_str())) {
            links.push(Link { adapter: nic.id.clone(), place: key.value_place(value.name()) });
        }
    }
}

fn links_of_name(key: &RegKey<'_>, nics: &[Nic], links: &mut Vec<Link>) {
    let name = key.name().to_uppercase();
    for nic in nics.iter().filter(|nic| name.contains(nic.id.as_str())) {
        links.push(Link { adapter: nic.id.clone(), place: key.place() });
    }
}

/// An entry of `NicList` that names an adapter and, somewhere in its values, a switch or a port.
fn link_nic_list(reading: &Reading<'_>, nics: &Nics, switches: &mut [Read]) {
    let list = reading.system.existing(&format!("{SWITCH_DRIVER}\\NicList"));
    for entry in list.map(|key| key.subkeys()).unwrap_or_default() {
        let mut text = entry.name().to_uppercase();
        let mut values = BTreeMap::new();
        gather(&entry, "", 0, &mut values, &mut |key| {
            for value in key.values() {
                text.push_str(&format!(" {} {}", value.name().to_uppercase(), searchable(&value)));
            }
        });
        for nic in nics.list.iter().filter(|nic| text.contains(nic.id.as_str())) {
            for switch in switches.iter_mut() {
                let ports = switch.ports.iter().map(|port| port.id.to_uppercase());
                let named = ports.chain([switch.id.to_string()]).any(|id| text.contains(id.trim_matches(['{', '}'])));
                if named {
                    switch.links.push(Link { adapter: nic.id.clone(), place: entry.place() });
                }
            }
        }
    }
}

fn physical(nic: &Nic) -> PhysicalAdapter {
    PhysicalAdapter {
        id: nic.id.clone(),
        connection: nic.connection.clone(),
        description: nic.description.clone(),
        location: nic.location.clone(),
        mac: nic.mac.clone(),
        bound_to_switch: nic.bound_to_switch,
        ip: nic.ip.clone(),
        queue_keywords: nic.queue_keywords.clone(),
        place: nic.place.clone(),
    }
}

fn management(nic: &Nic, switch: Found<SwitchId>, vlan: Found<Vlan>) -> ManagementAdapter {
    ManagementAdapter {
        id: nic.id.clone(),
        connection: nic.connection.clone(),
        switch,
        mac: nic.mac.clone(),
        vlan,
        ip: nic.ip.clone(),
        bindings: nic.bindings.clone(),
        place: nic.place.clone(),
    }
}
