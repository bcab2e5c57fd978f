//! Network adapters of the host out of the class key, the connections and the device tree: which are physical, which
//! belong to the management operating system, and which are bound to a virtual switch.

use std::collections::{BTreeMap, HashSet};

use hvm_model::found::{Found, Place};
use hvm_model::names::{AdapterId, MacAddress};
use hvm_model::network::IpSettings;

use super::live::{Addresses, addresses};
use super::registry::{Looked, RegKey};
use super::{Reading, ip};

pub(super) const NET_CLASS: &str = r"Control\Class\{4d36e972-e325-11ce-bfc1-08002be10318}";
const CONNECTIONS: &str = r"Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}";
/// The protocol of the virtual switch.
const SWITCH_PROTOCOL: &str = "VMSP";
const SWITCH_BINDINGS: &str = r"Services\VMSP\Linkage";
/// `Characteristics`: the adapter is a piece of hardware.
const PHYSICAL: u32 = 0x4;
/// Keywords of VMQ and RSS that are kept.
const QUEUE_KEYWORDS: [&str; 11] = [
    "*VMQ",
    "*VMQLookaheadSplit",
    "*VMQVlanFiltering",
    "*RssOrVmqPreference",
    "*RSS",
    "*RssBaseProcNumber",
    "*RssBaseProcGroup",
    "*RssMaxProcNumber",
    "*RssMaxProcGroup",
    "*MaxRssProcessors",
    "*NumRssQueues",
];

/// What an adapter is to Hyper-V.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Hardware, or a team: what an external network may be bound to.
    Physical,
    /// Of the management operating system, behind a virtual switch.
    Management,
}

/// An adapter of the host.
#[derive(Debug, Clone)]
pub(super) struct Nic {
    pub(super) id: AdapterId,
    pub(super) role: Role,
    pub(super) connection: String,
    pub(super) description: String,
    pub(super) location: Found<String>,
    pub(super) mac: Found<MacAddress>,
    pub(super) bound_to_switch: bool,
    pub(super) bindings: Vec<String>,
    pub(super) ip: IpSettings,
    pub(super) queue_keywords: BTreeMap<String, String>,
    pub(super) place: Place,
}

/// The adapters, and whether their bindings to switches could be read at all.
pub(super) struct Nics {
    pub(super) list: Vec<Nic>,
    /// Why nothing is known of bindings to switches; `None` when they are known.
    pub(super) bindings_unknown: Option<String>,
    /// Whether the host told the addresses of its adapters.
    pub(super) addresses_known: bool,
}

pub(super) fn read(reading: &Reading<'_>) -> Nics {
    let (bound, mut bindings_unknown) = bound_adapters(reading);
    let entries = reading.system.existing(NET_CLASS).map(|key| key.subkeys()).unwrap_or_default();
    let addresses = addresses(reading);
    let mut seen = HashSet::new();
    let mut list: Vec<Nic> = Vec::new();
    for entry in &entries {
        let Some(nic) = nic(reading, entry, (&bound, &addresses)) else { continue };
        if seen.insert(nic.id.clone()) {
            list.push(nic);
        }
    }
    if list.iter().any(|nic| nic.bound_to_switch) {
        bindings_unknown = None;
    }
    Nics { list, bindings_unknown, addresses_known: addresses.answered }
}

/// GUIDs of the adapters that the switch protocol is bound to.
fn bound_adapters(reading: &Reading<'_>) -> (HashSet<AdapterId>, Option<String>) {
    match reading.system.multi(SWITCH_BINDINGS, "Bind") {
        Looked::Here(devices, _) => (devices.iter().filter_map(|device| guid_in_braces(device)).collect(), None),
        Looked::Absent(place) => (HashSet::new(), Some(format!("There is no value '{}'.", place.at))),
        Looked::Unreadable(reason) => (HashSet::new(), Some(reason)),
    }
}

fn guid_in_braces(text: &str) -> Option<AdapterId> {
    let (_, rest) = text.split_once('{')?;
    rest.split_once('}')?.0.parse().ok()
}

fn nic(
    reading: &Reading<'_>,
    entry: &RegKey<'_>,
    (bound, addresses): (&HashSet<AdapterId>, &Addresses),
) -> Option<Nic> {
    let id: AdapterId = entry.text("NetCfgInstanceId").into_value()?.parse().ok()?;
    let upper = entry.below("Linkage").and_then(|key| key.multi("UpperBind").into_value()).unwrap_or_default();
    let is_bound = bound.contains(&id) || upper.iter().any(|name| name.eq_ignore_ascii_case(SWITCH_PROTOCOL));
    let connection = reading.system.existing(&format!("{CONNECTIONS}\\{{{id}}}\\Connection"));
    let of_connection = |name: &str| connection.as_ref().and_then(|key| key.text(name).into_value());
    let device = entry.text("DeviceInstanceID").into_value().or_else(|| of_connection("PnpInstanceID"));
    let device = device.unwrap_or_default();
    let role = role(entry, &device, is_bound)?;
    let hardware = reading.system.existing(&format!("Enum\\{device}")).filter(|_| !device.is_empty());
    Some(Nic {
        role,
        connection: of_connection("Name").unwrap_or_else(|| format!("{{{id}}}")),
        description: entry.text("DriverDesc").into_value().unwrap_or_default(),
        location: location(hardware.as_ref()),
        mac: addresses.of(&id).unwrap_or_else(|| mac(entry, &device)),
        bound_to_switch: is_bound && role == Role::Physical,
        bindings: upper,
        ip: ip::settings(reading, &id),
        queue_keywords: queue_keywords(entry),
        place: entry.place(),
        id,
    })
}

/// Miniports, tunnels and the like are none of ours.
fn role(entry: &RegKey<'_>, device: &str, is_bound: bool) -> Option<Role> {
    let text = |name: &str| entry.text(name).into_value().unwrap_or_default();
    let service = entry.below("Ndi").and_then(|ndi| ndi.text("Service").into_value()).unwrap_or_default();
    let is_management = service.eq_ignore_ascii_case("vmsmp")
        || device.to_ascii_uppercase().starts_with(r"ROOT\VMS_MP\")
        || text("ComponentId").eq_ignore_ascii_case("vms_mp")
        || text("MatchingDeviceId").eq_ignore_ascii_case("vms_mp");
    if is_management {
        return Some(Role::Management);
    }
    let is_physical = match entry.dword("Characteristics").into_value() {
        Some(flags) => flags & PHYSICAL != 0,
        None => !device.is_empty() && !device.to_ascii_uppercase().starts_with(r"ROOT\"),
    };
    (is_physical || is_bound).then_some(Role::Physical)
}

fn location(hardware: Option<&RegKey<'_>>) -> Found<String> {
    match hardware.map(|key| key.text("LocationInformation")) {
        Some(looked) => looked.map(|text| plain_location(&text)).found(),
        None => Found::unknown("The device tree of the registry does not have this adapter."),
    }
}

/// `@system32\drivers\pci.sys,#65536;PCI bus %1, device %2, function %3;(2,1,0)` → `PCI bus 2, device 1, function 0`.
fn plain_location(text: &str) -> String {
    let mut parts = text.strip_prefix('@').unwrap_or("").splitn(3, ';').skip(1);
    let (Some(pattern), Some(values)) = (parts.next(), parts.next()) else { return text.to_owned() };
    let values = values.trim_start_matches('(').trim_end_matches(')');
    let mut plain = pattern.to_owned();
    for (index, value) in values.split(',').enumerate().take(9) {
        plain = plain.replace(&format!("%{}", index + 1), value);
    }
    plain
}

fn mac(entry: &RegKey<'_>, device: &str) -> Found<MacAddress> {
    if let Looked::Here(text, place) = entry.text("NetworkAddress")
        && let Ok(value) = text.parse()
    {
        return Found::Read { value, place };
    }
    match mac_of_device(device) {
        Some(value) => Found::Inferred {
            value,
            reason: format!("The device instance '{device}' ends with the serial number that holds the address."),
            place: entry.place(),
        },
        None => Found::unknown("Windows does not write the burnt-in address to the registry ('getmac /v' shows it)."),
    }
}

/// The serial number of a PCI Express adapter: its address with FF-FF in the middle, and one more byte.
fn mac_of_device(device: &str) -> Option<MacAddress> {
    if !device.to_ascii_uppercase().starts_with(r"PCI\") {
        return None;
    }
    let serial = device.rsplit('\\').next()?.to_ascii_uppercase();
    let (head, tail) = (serial.get(..6)?, serial.get(10..16)?);
    let hex = serial.bytes().all(|digit| digit.is_ascii_hexdigit());
    let fits = hex && serial.len() == 18 && serial.get(6..10) == Some("FFFF");
    if fits { format!("{head}{tail}").parse().ok() } else { None }
}

fn queue_keywords(entry: &RegKey<'_>) -> BTreeMap<String, String> {
    let known = |name: &str| QUEUE_KEYWORDS.iter().find(|keyword| keyword.eq_ignore_ascii_case(name));
    let values = entry.values().into_iter();
    values.filter_map(|value| Some(((*known(value.name())?).to_owned(), super::registry::raw_text(&value)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_number_of_a_device_holds_its_address() {
        let device = r"PCI\VEN_8086&DEV_10D3&SUBSYS_07D015AD&REV_00\000C29FFFFF3FFDE00";
        assert_eq!(mac_of_device(device).unwrap().to_string(), "00-0C-29-F3-FF-DE");
        for none in [r"PCI\VEN_8086\4&b70f118&0&0888", r"ROOT\VMS_MP\0000", "", r"PCI\X\000C29FFFFF3FFDEä"] {
            assert_eq!(mac_of_device(none), None, "{none}");
        }
    }

    #[test]
    fn locations_lose_their_indirection() {
        let raw = r"@system32\drivers\pci.sys,#65536;PCI bus %1, device %2, function %3;(2,1,0)";
        assert_eq!(plain_location(raw), "PCI bus 2, device 1, function 0");
        assert_eq!(plain_location("PCI bus 3, device 0, function 1"), "PCI bus 3, device 0, function 1");
    }
}
