//! Feature settings of switch ports in the second version of Hyper-V's classes (Windows Server 2012 and later). Each object belongs
//! to one adapter of a machine or of a checkpoint; its `InstanceID` holds the ids of both. A port without an object of a class has
//! what that class has by default.

use std::collections::HashMap;

use hvm_formats::cim::Object;
use hvm_model::found::Found;
use hvm_model::network::{PortSettings, Vlan};

use super::super::Reading;
use super::place;
use super::ports::Vlans;
use crate::reach::answers::{Answer, Question, V2};

const VLAN: &str = "Msvm_EthernetSwitchPortVlanSettingData";
const SECURITY: &str = "Msvm_EthernetSwitchPortSecuritySettingData";
const OFFLOAD: &str = "Msvm_EthernetSwitchPortOffloadSettingData";
const BANDWIDTH: &str = "Msvm_EthernetSwitchPortBandwidthSettingData";

/// Properties that are not carried, with what they are by default.
const OTHER: [(&str, &[(&str, &str)]); 3] = [
    (SECURITY, &[("MonitorMode", "0"), ("VirtualSubnetId", "0"), ("DynamicIPAddressLimit", "0"), ("StormLimit", "0")]),
    (OFFLOAD, &[("IOVQueuePairsRequested", "1"), ("IOVInterruptModeration", "0")]),
    (BANDWIDTH, &[("BurstLimit", "0"), ("BurstSize", "0")]),
];

/// What the host told of the features of its ports.
#[derive(Debug, Default)]
pub(in super::super) struct Features(Option<HashMap<&'static str, Class>>);

/// The objects of one class by the ids in their `InstanceID`; or why there are none.
#[derive(Debug)]
struct Class(Result<HashMap<String, Vec<Object>>, String>);

pub(in super::super) fn features(reading: &Reading<'_>) -> Features {
    let classes = [VLAN, SECURITY, OFFLOAD, BANDWIDTH].map(|class| {
        let answer = reading.ask(Question::Instances(V2, class));
        let objects = match answer {
            Answer::Objects(objects) => Ok(by_guid(objects)),
            Answer::Silent => Err(format!("The host was not asked for {class}.")),
            Answer::Failed(reason) => Err(reason),
        };
        (class, Class(objects))
    });
    let told = classes.iter().any(|(_, class)| class.0.is_ok());
    Features(told.then(|| HashMap::from(classes)))
}

fn by_guid(objects: Vec<Object>) -> HashMap<String, Vec<Object>> {
    let mut found: HashMap<String, Vec<Object>> = HashMap::new();
    for object in objects {
        for id in guids(object.text("InstanceID").unwrap_or_default()) {
            found.entry(id).or_default().push(object.clone());
        }
    }
    found
}

/// All GUIDs in a text, upper case.
pub(super) fn guids(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
    let is_guid = |part: &&str| part.len() == 36 && part.matches('-').count() == 4;
    parts.filter(is_guid).map(str::to_ascii_uppercase).collect()
}

impl Features {
    /// Whether the host told of any.
    pub(in super::super) fn answered(&self) -> bool {
        self.0.is_some()
    }

    /// What an adapter of a machine or checkpoint has, when the host told of features at all.
    pub(in super::super) fn of(&self, settings: &str, adapter: &str) -> Option<Vlans> {
        let classes = self.0.as_ref()?;
        let find = |class: &'static str| Feature::find(class, classes.get(class)?, (settings, adapter));
        Some(Vlans {
            vlan: find(VLAN)?.vlan(),
            mac_spoofing: find(SECURITY)?.spoofing(),
            port: port([find(SECURITY)?, find(OFFLOAD)?, find(BANDWIDTH)?]),
        })
    }
}

/// The object of a class that belongs to an adapter.
enum Feature<'f> {
    There(&'static str, &'f Object),
    /// The class was answered and has none for it.
    Default(&'static str),
    Unknown(String),
}

impl<'f> Feature<'f> {
    fn find(class: &'static str, objects: &'f Class, (settings, adapter): (&str, &str)) -> Option<Feature<'f>> {
        let objects = match &objects.0 {
            Ok(objects) => objects,
            Err(reason) => return Some(Feature::Unknown(reason.clone())),
        };
        let of_adapter = objects.get(&adapter.to_ascii_uppercase()).map(Vec::as_slice).unwrap_or_default();
        let settings = settings.to_ascii_uppercase();
        let mut own =
            of_adapter.iter().filter(|object| guids(object.text("InstanceID").unwrap_or_default()).contains(&settings));
        Some(match (own.next(), own.next()) {
            (None, _) => Feature::Default(class),
            (Some(object), None) => Feature::There(class, object),
            (Some(_), Some(_)) => {
                Feature::Unknown(format!("The host has several objects {class} of the adapter {adapter}."))
            }
        })
    }

    fn found<T>(&self, read: impl FnOnce(&Object) -> Result<T, String>, default: T) -> Found<T> {
        match self {
            Feature::There(class, object) => {
                let id = object.text("InstanceID").unwrap_or_default();
                let place = place(V2, format!("{class}.InstanceID=\"{id}\""));
                match read(object) {
                    Ok(value) => Found::Read { value, place },
                    Err(what) => Found::unknown(format!("{}: {what}", place.at)),
                }
            }
            Feature::Default(class) => {
                let reason = format!("The host has no object {class} of this adapter, so that nothing of it was set.");
                Found::Default { value: default, reason }
            }
            Feature::Unknown(reason) => Found::Unknown { reason: reason.clone() },
        }
    }

    fn vlan(&self) -> Found<Vlan> {
        let read = |object: &Object| {
            let id = |name: &str| object.number(name).filter(|id| *id <= 4094).map(|id| id as u16);
            match object.number("OperationMode") {
                Some(0) => Ok(Vlan::Untagged),
                Some(1) => match id("AccessVlanId") {
                    Some(0) => Ok(Vlan::Untagged),
                    Some(id) => Ok(Vlan::Access { id }),
                    None => Err("an access VLAN that is no number up to 4094.".to_owned()),
                },
                Some(2) => {
                    let allowed = object.texts("TrunkVlanIdArray").into_iter();
                    let allowed = allowed.filter_map(|text| text.trim().parse().ok()).collect();
                    Ok(Vlan::Trunk { native: id("NativeVlanId").unwrap_or(0), allowed })
                }
                Some(3) => {
                    Err("the port is in a private VLAN, which is not carried; set it with Set-VMNetworkAdapterVlan."
                        .to_owned())
                }
                other => Err(format!("the mode {other:?}, which is neither access (1), trunk (2) nor private (3).")),
            }
        };
        self.found(read, Vlan::Untagged)
    }

    fn spoofing(&self) -> Found<bool> {
        self.found(|object| object.flag("AllowMacSpoofing").ok_or_else(|| "no AllowMacSpoofing.".to_owned()), false)
    }
}

/// What is told of a port by the classes that were answered.
fn port(features: [Feature<'_>; 3]) -> Found<PortSettings> {
    let mut settings = PortSettings::default();
    let mut known: Option<Found<PortSettings>> = None;
    for feature in &features {
        if let Feature::There(class, object) = feature {
            add(&mut settings, class, object);
        }
        let found = feature.found(|_| Ok(PortSettings::default()), PortSettings::default());
        // The most certain of what was told gives the place.
        known = match (known, found) {
            (Some(read @ Found::Read { .. }), _) => Some(read),
            (Some(default @ Found::Default { .. }), Found::Unknown { .. }) => Some(default),
            (_, found) => Some(found),
        };
    }
    match known {
        Some(Found::Read { place, .. }) => Found::Read { value: settings, place },
        Some(Found::Default { reason, .. }) => Found::Default { value: settings, reason },
        Some(unknown) => unknown,
        None => Found::unknown("Nothing was asked."),
    }
}

fn add(settings: &mut PortSettings, class: &str, object: &Object) {
    let number = |name: &str| object.number(name).and_then(|number| u32::try_from(number).ok());
    // Nothing of a bandwidth is written as 0.
    let bandwidth = |name: &str| object.number(name).filter(|bits| *bits > 0);
    match class {
        SECURITY => {
            settings.dhcp_guard = object.flag("EnableDhcpGuard");
            settings.router_guard = object.flag("EnableRouterGuard");
            settings.teaming = object.flag("AllowTeaming");
            settings.priority_tag = object.flag("AllowIeeePriorityTag");
        }
        OFFLOAD => {
            settings.vmq_weight = number("VMQOffloadWeight");
            settings.iov_weight = number("IOVOffloadWeight");
            settings.ipsec_offload_limit = number("IPSecOffloadLimit");
        }
        _ => {
            settings.minimum_bandwidth = bandwidth("Reservation");
            settings.minimum_bandwidth_weight = number("Weight").filter(|weight| *weight > 0);
            settings.maximum_bandwidth = bandwidth("Limit");
        }
    }
    for (name, default) in OTHER.iter().filter(|(known, _)| *known == class).flat_map(|(_, other)| *other) {
        let value = object.text(name).unwrap_or(default);
        if value != *default {
            settings.other.insert((*name).to_owned(), value.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_any_form_of_an_instance_id() {
        let (one, two) = ("58A1F3F7-0000-4000-8000-00000000000A", "b5a3f3f7-0000-4000-8000-00000000000b");
        let text = format!(r"Microsoft:{one}\\{two}\C\952C5004-4465-451C-8CB8-FA9AB382B773");
        assert_eq!(guids(&text)[..2], [one.to_owned(), two.to_ascii_uppercase()]);
        assert!(guids("Microsoft:x-y\\00").is_empty());
    }
}
