//! Addresses of network adapters: Hyper-V's own classes know those of its adapters, Windows' class the others.

use std::collections::HashMap;

use hvm_model::found::Found;
use hvm_model::names::{AdapterId, MacAddress};

use super::super::Reading;
use super::{adapter_id, place};
use crate::reach::answers::{Answer, CIMV2, Question, V1, V2};

/// Class, property with the GUID of the adapter, property with the address. The first that knows an adapter counts.
const CLASSES: [(&str, &str, &str, &str); 5] = [
    (V1, "Msvm_ExternalEthernetPort", "DeviceID", "PermanentAddress"),
    (V1, "Msvm_InternalEthernetPort", "DeviceID", "PermanentAddress"),
    (V2, "Msvm_ExternalEthernetPort", "DeviceID", "PermanentAddress"),
    (V2, "Msvm_InternalEthernetPort", "DeviceID", "PermanentAddress"),
    (CIMV2, CONFIGURATION, "SettingID", "MACAddress"),
];
const CONFIGURATION: &str = "Win32_NetworkAdapterConfiguration";
/// Most IPv6 addresses that are named.
const MAX_NAMED: usize = 16;

/// The addresses that the host told.
#[derive(Debug, Default)]
pub(in super::super) struct Addresses {
    known: HashMap<AdapterId, Found<MacAddress>>,
    /// Whether the host was asked at all.
    pub(in super::super) answered: bool,
}

impl Addresses {
    /// That of an adapter.
    pub(in super::super) fn of(&self, adapter: &AdapterId) -> Option<Found<MacAddress>> {
        self.known.get(adapter).cloned()
    }
}

pub(in super::super) fn addresses(reading: &Reading<'_>) -> Addresses {
    let mut addresses = Addresses::default();
    for (namespace, class, id, address) in CLASSES {
        let Answer::Objects(objects) = reading.ask(Question::Instances(namespace, class)) else { continue };
        addresses.answered = true;
        for object in objects {
            let adapter = object.text(id).and_then(adapter_id);
            let mac = object.text(address).and_then(|text| text.parse::<MacAddress>().ok());
            if let (Some(adapter), Some(mac)) = (adapter, mac) {
                let place = place(namespace, format!("{class}.{id}=\"{adapter}\": {address}"));
                addresses.known.entry(adapter).or_insert(Found::Read { value: mac, place });
            }
        }
    }
    addresses
}

/// The IPv6 addresses that connected adapters had when the host was asked, link-local ones apart, each with its adapter; none when
/// it was not asked. Which of them somebody set the class does not say.
pub(in super::super) fn ipv6(reading: &Reading<'_>) -> Option<Vec<String>> {
    let Answer::Objects(objects) = reading.ask(Question::Instances(CIMV2, CONFIGURATION)) else { return None };
    let mut found = Vec::new();
    for object in &objects {
        let lengths = object.texts("IPSubnet");
        for (number, address) in object.texts("IPAddress").into_iter().enumerate() {
            let is_own = address.parse::<std::net::Ipv6Addr>().is_ok_and(|ip| !ip.is_unicast_link_local());
            if is_own && found.len() < MAX_NAMED {
                let length = lengths.get(number).map(|length| format!("/{length}")).unwrap_or_default();
                let adapter = object.text("Description").or_else(|| object.text("SettingID")).unwrap_or_default();
                found.push(format!("{address}{length} ('{adapter}')"));
            }
        }
    }
    Some(found)
}
