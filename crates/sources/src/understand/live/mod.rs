//! What only a host itself tells, out of its answers to WMI queries: VLAN and spoofing of switch ports and what is connected to
//! them, burnt-in addresses, members of a local group, rights on namespaces. Without answers all of it stays unknown.

mod addresses;
mod allocations;
mod computer;
mod disks;
mod features;
mod ports;
mod rights;
mod running;

pub(super) use addresses::{Addresses, addresses, ipv6};
pub(super) use allocations::allocations;
pub(super) use computer::{memory, volumes};
pub(super) use disks::ToldDisks;
pub(super) use features::{Features, features};
pub(super) use ports::{Ports, Vlans, ports};
pub(super) use rights::{dcom_users, namespaces};
pub(super) use running::running;

use hvm_formats::cim::{Object, Reference};
use hvm_model::found::{Found, Place};
use hvm_model::names::AdapterId;

use super::Reading;
use crate::reach::answers::{Answer, CIMV2, Question, V1, V2};

impl Reading<'_> {
    /// The host's answer to a question.
    fn ask(&self, question: Question<'_>) -> Answer {
        self.answers.map_or(Answer::Silent, |answers| answers.ask(question))
    }
}

/// Whether machines may use memory of several NUMA nodes; both versions of the classes call it alike.
pub(super) fn numa_spanning(reading: &Reading<'_>) -> Option<Found<bool>> {
    const CLASS: &str = "Msvm_VirtualSystemManagementServiceSettingData";
    [V2, V1].into_iter().find_map(|namespace| {
        let Answer::Objects(objects) = reading.ask(Question::Instances(namespace, CLASS)) else { return None };
        let value = objects.first()?.flag("NumaSpanningEnabled")?;
        Some(Found::Read { value, place: place(namespace, format!("{CLASS}: NumaSpanningEnabled")) })
    })
}

/// The roles and features that the host has installed, by their numbers; releases without that class tell none.
pub(super) fn installed(reading: &Reading<'_>) -> Vec<(u64, Place)> {
    const CLASS: &str = "Win32_ServerFeature";
    let Answer::Objects(objects) = reading.ask(Question::Instances(CIMV2, CLASS)) else { return Vec::new() };
    let feature = |id| (id, place(CIMV2, format!("{CLASS}.ID={id}")));
    objects.iter().filter_map(|object| object.number("ID").map(feature)).collect()
}

/// Where an answer was read.
fn place(namespace: &str, at: String) -> Place {
    Place::new(format!("WMI {namespace}"), at)
}

/// The GUID of an adapter out of `Microsoft:{GUID}`.
fn adapter_id(device: &str) -> Option<AdapterId> {
    device.rsplit(':').next()?.parse().ok()
}

/// What tells an object from others of its class family, out of its keys: `InstanceID`, or its name within its system.
fn identity<'k>(key: impl Fn(&str) -> Option<&'k str>) -> Option<String> {
    let text = match (key("InstanceID"), key("DeviceID").or_else(|| key("Name"))) {
        (Some(id), _) => id.to_owned(),
        (None, Some(name)) => format!("{}|{name}", key("SystemName").unwrap_or_default()),
        (None, None) => return None,
    };
    Some(text.to_lowercase())
}

fn of_object(object: &Object) -> Option<String> {
    identity(|name| object.text(name))
}

fn of_reference(reference: &Reference) -> Option<String> {
    identity(|name| reference.key(name))
}
