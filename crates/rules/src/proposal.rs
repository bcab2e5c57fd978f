//! Which adapter of the destination takes the place of an old one: by what both sides tell, with the reason, and nothing
//! where two would fit.

use std::net::IpAddr;

use hvm_model::capabilities::DestinationAdapter;
use hvm_model::network::PhysicalAdapter;

/// What is proposed for an external network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proposal {
    /// One adapter fits better than all others.
    Adapter {
        /// Its name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// Several fit equally well.
    Ambiguous {
        /// Their names.
        names: Vec<String>,
        /// What they have in common with the old one.
        reason: &'static str,
    },
    /// None has anything in common with the old one.
    None,
}

/// A test whether two adapters belong together, and how the reason is told.
type Likeness = (fn(&PhysicalAdapter, &DestinationAdapter) -> bool, &'static str);

/// Strongest first: the card itself, then the same slot and model, the same name, the same network.
const LIKENESS: [Likeness; 4] = [
    (same_mac, "it has the MAC address of the old adapter, so it is the same card"),
    (same_slot, "it is of the same model and sits in the same slot as the old adapter"),
    (same_name, "its connection has the name of the old one"),
    (same_network, "it has an address in the network of the old adapter"),
];

/// The adapter for the place of `old`; `taken` are the names that other networks already have.
pub(crate) fn propose(old: &PhysicalAdapter, there: &[DestinationAdapter], taken: &[String]) -> Proposal {
    let free: Vec<&DestinationAdapter> =
        there.iter().filter(|adapter| !taken.iter().any(|name| same_text(name, &adapter.name))).collect();
    for (alike, reason) in LIKENESS {
        let mut names: Vec<String> =
            free.iter().filter(|adapter| alike(old, adapter)).map(|adapter| adapter.name.clone()).collect();
        match names.len() {
            0 => {}
            1 => return Proposal::Adapter { name: names.remove(0), reason },
            _ => return Proposal::Ambiguous { names, reason },
        }
    }
    Proposal::None
}

fn same_mac(old: &PhysicalAdapter, new: &DestinationAdapter) -> bool {
    old.mac.written().is_some_and(|mac| Some(*mac) == new.mac)
}

fn same_slot(old: &PhysicalAdapter, new: &DestinationAdapter) -> bool {
    let slot = old.location.written().map(|location| place_of(location));
    slot.is_some() && slot == new.location.as_deref().map(place_of) && same_text(&old.description, &new.description)
}

/// `PCI bus 2, device 1, function 0` without what differs between releases: case and spaces.
fn place_of(location: &str) -> String {
    location.chars().filter(|character| !character.is_whitespace()).flat_map(char::to_lowercase).collect()
}

fn same_name(old: &PhysicalAdapter, new: &DestinationAdapter) -> bool {
    same_text(&old.connection, &new.name)
}

fn same_text(one: &str, other: &str) -> bool {
    !one.is_empty() && one.to_lowercase() == other.to_lowercase()
}

fn same_network(old: &PhysicalAdapter, new: &DestinationAdapter) -> bool {
    let networks = |all: &[String]| -> Vec<(u128, u8, bool)> { all.iter().filter_map(|text| network(text)).collect() };
    let there = networks(&new.addresses);
    networks(&old.ip.addresses).iter().any(|network| there.contains(network))
}

/// `192.0.2.10/24` as its network, prefix length and family.
fn network(text: &str) -> Option<(u128, u8, bool)> {
    let (address, prefix) = text.split_once('/')?;
    let prefix: u8 = prefix.parse().ok()?;
    let (bits, width) = match address.parse().ok()? {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let host = u32::from(width - prefix.min(width));
    (prefix > 0 && prefix <= width).then(|| (bits.checked_shr(host).unwrap_or(0), prefix, width == 32))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hvm_model::found::{Found, Place};
    use hvm_model::network::IpSettings;

    use super::*;

    fn old() -> PhysicalAdapter {
        let read = |value: &str| Found::Read { value: value.to_owned(), place: Place::default() };
        PhysicalAdapter {
            id: "{11111111-0000-0000-0000-000000000001}".parse().unwrap(),
            connection: "Local Area Connection 2".to_owned(),
            description: "Intel(R) 82574L".to_owned(),
            location: read("PCI bus 2, device 1, function 0"),
            mac: Found::Read { value: "00-0C-29-F3-FF-DE".parse().unwrap(), place: Place::default() },
            bound_to_switch: true,
            ip: IpSettings { addresses: vec!["192.0.2.10/24".to_owned()], ..IpSettings::default() },
            queue_keywords: BTreeMap::new(),
            place: Place::default(),
        }
    }

    fn there(name: &str) -> DestinationAdapter {
        DestinationAdapter { name: name.to_owned(), ..DestinationAdapter::default() }
    }

    fn proposed(adapters: &[DestinationAdapter]) -> String {
        match propose(&old(), adapters, &[]) {
            Proposal::Adapter { name, reason } => format!("{name}: {reason}"),
            Proposal::Ambiguous { names, .. } => format!("one of {}", names.join(", ")),
            Proposal::None => "none".to_owned(),
        }
    }

    #[test]
    fn the_strongest_likeness_decides() {
        let by_name = there("local area connection 2");
        let by_slot = DestinationAdapter {
            location: Some("PCI Bus 2, Device 1, Function 0".to_owned()),
            description: "Intel(R) 82574L".to_owned(),
            ..there("Ethernet 2")
        };
        let by_network = DestinationAdapter { addresses: vec!["192.0.2.77/24".to_owned()], ..there("Ethernet 3") };
        let by_mac = DestinationAdapter { mac: "00-0C-29-F3-FF-DE".parse().ok(), ..there("Ethernet 4") };
        assert!(proposed(std::slice::from_ref(&by_network)).starts_with("Ethernet 3: it has an address"));
        assert!(
            proposed(&[by_network.clone(), by_name.clone()]).starts_with("local area connection 2: its connection")
        );
        assert!(proposed(&[by_name.clone(), by_slot.clone()]).starts_with("Ethernet 2: it is of the same model"));
        assert!(proposed(&[by_name, by_slot, by_mac, by_network]).starts_with("Ethernet 4: it has the MAC"));
    }

    #[test]
    fn nothing_is_proposed_where_two_fit_or_none_does() {
        let on = |name: &str| DestinationAdapter { addresses: vec!["192.0.2.1/24".to_owned()], ..there(name) };
        assert_eq!(proposed(&[on("A"), on("B")]), "one of A, B");
        assert_eq!(propose(&old(), &[on("A"), on("B")], &["A".to_owned()]), propose(&old(), &[on("B")], &[]));
        let other = DestinationAdapter { addresses: vec!["192.0.3.1/24".to_owned()], ..there("A") };
        assert_eq!(proposed(&[other]), "none");
        assert_eq!(proposed(&[]), "none");
    }

    #[test]
    fn networks_that_cannot_be_read_are_like_nothing() {
        for text in ["", "192.0.2.1", "192.0.2.1/33", "192.0.2.1/0", "x/8", "::/129"] {
            assert_eq!(network(text), None, "{text}");
        }
        assert_ne!(network("0.0.0.1/32"), network("::1/32"));
    }
}
