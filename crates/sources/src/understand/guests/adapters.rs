//! The adapters of a guest beside those of its machine: which of them the machine still has, and which are ghosts. Where the
//! settings do not tell that for sure, it is unknown.

use hvm_formats::guestfs::{self, SystemKind};
use hvm_model::found::{Found, Place};
use hvm_model::guest::GuestAdapter;
use hvm_model::names::MacAddress;
use hvm_model::vm::{AdapterKind, Machine, VmAdapter};

/// Addresses of one adapter that are kept.
const MOST: usize = 64;
/// The emulated DEC 21140 of Hyper-V's legacy network adapter.
const LEGACY: &str = r"PCI\VEN_1011&DEV_0009";

/// The adapters, as many as were read.
pub(super) fn adapters(machine: &Machine, system: &guestfs::GuestSystem, place: &Place) -> Vec<GuestAdapter> {
    let one = |adapter: &guestfs::GuestAdapter| {
        let seen = match system.kind {
            SystemKind::Windows => by_device(machine, &system.adapters, adapter),
            SystemKind::Linux => by_mac(machine, &system.adapters, adapter),
        };
        model(adapter, seen, place)
    };
    system.adapters.iter().map(one).collect()
}

/// Which adapter of the machine it is.
enum Seen<'a> {
    /// This one, for a reason.
    Is(&'a VmAdapter, String),
    /// None that the machine has.
    Ghost(String),
    /// One of the machine, but which is not known; or nobody knows.
    Open(String),
}

fn model(adapter: &guestfs::GuestAdapter, seen: Seen<'_>, place: &Place) -> GuestAdapter {
    let place = Place::new(&*place.file, &*adapter.place);
    let bound: Option<MacAddress> = adapter.mac.parse().ok();
    // Where it is bound to one address and given another, it is known by the first.
    let written = bound.or_else(|| adapter.set_mac.parse().ok());
    let (present, own) = match seen {
        Seen::Is(own, reason) => {
            (Found::Inferred { value: true, reason: reason.clone(), place: place.clone() }, Some((own, reason)))
        }
        Seen::Ghost(reason) => (Found::Inferred { value: false, reason, place: place.clone() }, None),
        Seen::Open(reason) => (Found::unknown(reason), None),
    };
    let mac = match (written, own) {
        (Some(mac), _) => Found::Read { value: mac, place: place.clone() },
        (None, Some((own, reason))) if own.mac != MacAddress::UNASSIGNED => {
            Found::Inferred { value: own.mac, reason, place: own.place.clone() }
        }
        (None, Some(_)) => Found::unknown("Hyper-V has not given the machine's adapter an address yet."),
        (None, None) => Found::unknown("The guest's settings do not name it."),
    };
    let texts = |all: &[String]| all.iter().take(MOST).map(|one| super::text(one)).collect();
    GuestAdapter {
        name: super::text(&adapter.name),
        device: (!adapter.device.is_empty()).then(|| super::text(&adapter.device)),
        present,
        mac,
        bound_to_mac: bound.is_some(),
        by_name: adapter.by_name,
        dhcp: adapter.dhcp,
        addresses: texts(&adapter.addresses),
        gateways: texts(&adapter.gateways),
        dns_servers: texts(&adapter.dns_servers),
        place: super::text(&adapter.place),
    }
}

/// Bus and kind of an adapter's device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Device {
    Synthetic,
    Legacy,
    OtherCard,
    Other,
}

fn device(instance: &str) -> Device {
    let instance = instance.to_ascii_uppercase();
    match instance.split('\\').next().unwrap_or_default() {
        "VMBUS" => Device::Synthetic,
        "PCI" if instance.starts_with(LEGACY) => Device::Legacy,
        "PCI" | "XEN" | "XENBUS" | "USB" => Device::OtherCard,
        _ => Device::Other,
    }
}

/// Windows names the device of each connection.
fn by_device<'a>(machine: &'a Machine, all: &[guestfs::GuestAdapter], adapter: &guestfs::GuestAdapter) -> Seen<'a> {
    let own = |kind| machine.configuration.adapters.iter().filter(move |own| own.kind == kind);
    let names = |adapter: &guestfs::GuestAdapter, own: &VmAdapter| {
        let id = own.id.trim_matches(['{', '}']).to_ascii_uppercase();
        !id.is_empty() && adapter.device.to_ascii_uppercase().contains(&id)
    };
    let kind = device(&adapter.device);
    let (of_kind, word) = match kind {
        Device::Synthetic => (AdapterKind::Synthetic, "synthetic"),
        Device::Legacy => (AdapterKind::Legacy, "legacy"),
        Device::OtherCard => {
            return Seen::Ghost(
                "Its device is a card of another hypervisor or of hardware; the machine has only adapters of Hyper-V."
                    .to_owned(),
            );
        }
        Device::Other if adapter.device.is_empty() => {
            return Seen::Open("The registry does not name the device of this connection.".to_owned());
        }
        Device::Other => return Seen::Open("Its device is made by software, such as a team or a tunnel.".to_owned()),
    };
    if let Some(own) = own(of_kind).find(|own| names(adapter, own)) {
        return Seen::Is(own, "Its device has the id of the machine's adapter.".to_owned());
    }
    let count = own(of_kind).count();
    if count == 0 {
        return Seen::Ghost(format!("Its device is a {word} adapter, and the machine has none."));
    }
    let named = |own: &&VmAdapter| all.iter().any(|adapter| names(adapter, own));
    if own(of_kind).filter(named).count() == count {
        return Seen::Ghost(format!("Each {word} adapter of the machine is another device."));
    }
    let rivals = all.iter().filter(|other| device(&other.device) == kind).count();
    match (own(of_kind).next(), count, rivals) {
        (Some(own), 1, 1) => Seen::Is(own, format!("It is the only {word} adapter of guest and machine.")),
        _ => Seen::Open(format!("The guest knows {rivals} {word} adapters, the machine has {count}.")),
    }
}

/// Linux binds settings to a hardware address or to a name.
fn by_mac<'a>(machine: &'a Machine, all: &[guestfs::GuestAdapter], adapter: &guestfs::GuestAdapter) -> Seen<'a> {
    let own = &machine.configuration.adapters;
    if let Ok(mac) = adapter.mac.parse::<MacAddress>() {
        if let Some(own) = own.iter().find(|own| own.mac == mac) {
            return Seen::Is(own, "The guest's settings name the address of the machine's adapter.".to_owned());
        }
        return match own.iter().any(|own| own.mac == MacAddress::UNASSIGNED) {
            true => Seen::Open("Hyper-V has not given each adapter of the machine an address yet.".to_owned()),
            false => {
                Seen::Ghost("No adapter of the machine has the address that the guest's settings name.".to_owned())
            }
        };
    }
    match (own.as_slice(), all.len()) {
        ([own], 1) => Seen::Is(own, "It is the only adapter of guest and machine.".to_owned()),
        ([], _) => Seen::Ghost("The machine has no network adapter.".to_owned()),
        _ => Seen::Open("The guest's settings go by its name, which the machine does not know.".to_owned()),
    }
}
