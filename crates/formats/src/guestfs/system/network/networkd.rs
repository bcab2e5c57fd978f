//! `*.network` files of systemd, and the devices that its `*.netdev` files make. Specification: systemd.network(5),
//! systemd.netdev(5), systemd.syntax(7).

use std::collections::HashSet;
use std::net::IpAddr;

use super::ini::sections;
use super::linux::Files;
use super::{GuestAdapter, glob, listed, mac, with_members};

pub(super) const FOLDER: &str = "/etc/systemd/network";
/// Kinds of devices that are made of others.
const MADE: [&str; 6] = ["bond", "bridge", "vlan", "macvlan", "ipvlan", "vrf"];
/// Addresses of hardware that one file may name.
const MOST_MACS: usize = 16;

/// Whether systemd reads a file of this name.
pub(super) fn is_settings(name: &str) -> bool {
    name.ends_with(".network")
}

/// The adapters of a system. What stands in `NAME.network.d/*.conf` is read after the file itself.
pub(super) fn of_system(files: &mut dyn Files) -> Vec<GuestAdapter> {
    let mut all = Vec::new();
    let names = files.names(FOLDER);
    for name in names.iter().filter(|name| is_settings(name)) {
        let place = format!("{FOLDER}/{name}");
        // A file without content hides one of the distribution.
        let Some(mut text) = files.text(&place).filter(|text| !text.is_empty()) else { continue };
        let more = format!("{name}.d");
        if names.binary_search(&more).is_ok() {
            let folder = format!("{FOLDER}/{more}");
            for name in files.names(&folder).into_iter().filter(|name| name.ends_with(".conf")) {
                if let Some(more) = files.text(&format!("{folder}/{name}")) {
                    text.push('\n');
                    text.push_str(&more);
                }
            }
        }
        all.extend(networkd(&text).into_iter().map(|adapter| GuestAdapter { place: place.clone(), ..adapter }));
    }
    let made = made(files, &names);
    let is_made = |adapter: &GuestAdapter| {
        adapter.mac.is_empty() && !adapter.name.is_empty() && adapter.name.split(' ').all(|name| made.contains(name))
    };
    let with_made = |adapter: GuestAdapter| {
        let is_made = is_made(&adapter);
        (adapter, is_made)
    };
    with_members(all.into_iter().map(with_made).collect())
}

/// The names of the devices that are made of others.
fn made(files: &mut dyn Files, names: &[String]) -> HashSet<String> {
    let mut made = HashSet::new();
    for name in names.iter().filter(|name| name.ends_with(".netdev")) {
        let text = files.text(&format!("{FOLDER}/{name}")).unwrap_or_default();
        let (mut device, mut kind) = ("", "");
        for (_, lines) in sections(&text).into_iter().filter(|(section, _)| *section == "NetDev") {
            for (key, value) in lines {
                match key {
                    "Name" => device = value,
                    "Kind" => kind = value,
                    _ => {}
                }
            }
        }
        if MADE.contains(&kind) {
            made.insert(device.to_owned());
        }
    }
    made
}

/// What a file matches: names and addresses of hardware, and other properties.
#[derive(Default)]
struct Matched<'t> {
    names: Vec<&'t str>,
    macs: Vec<String>,
    types: Vec<&'t str>,
    /// `Driver=…`, `Path=…`, which go with the hardware.
    hardware: Vec<String>,
}

impl<'t> Matched<'t> {
    fn take(&mut self, key: &str, value: &'t str) {
        fn extend<T>(list: &mut Vec<T>, value: &str, more: impl Iterator<Item = T>) {
            // An empty value undoes those before it.
            if value.is_empty() {
                list.clear();
            }
            list.extend(more);
        }
        match key {
            "Name" => extend(&mut self.names, value, value.split_whitespace()),
            "Type" => extend(&mut self.types, value, value.split_whitespace()),
            "MACAddress" | "PermanentMACAddress" => {
                let macs = value.split_whitespace().map(mac).filter(|mac| !mac.is_empty());
                extend(&mut self.macs, value, macs.take(MOST_MACS));
            }
            "Driver" | "Path" if !value.is_empty() => self.hardware.push(format!("{key}={value}")),
            _ => {}
        }
    }

    /// Whether it is an adapter that the machine may have.
    fn is_adapter(&self) -> bool {
        let are_others = |all: &[&str], others: &[&str]| !all.is_empty() && all.iter().all(|one| others.contains(one));
        let is_nothing =
            self.names.is_empty() && self.macs.is_empty() && self.types.is_empty() && self.hardware.is_empty();
        !is_nothing && !are_others(&self.names, &["lo"]) && !are_others(&self.types, &["loopback", "wlan", "wwan"])
    }

    fn name(&self) -> String {
        if !self.names.is_empty() {
            self.names.join(" ")
        } else if !self.types.is_empty() {
            format!("Type={}", self.types.join(" "))
        } else {
            self.hardware.join(" ")
        }
    }

    fn is_by_name(&self) -> bool {
        let is_any = self.names.first().is_some_and(|first| first.starts_with('!'))
            || glob::match_any_card(self.names.iter().copied());
        !self.hardware.is_empty() || !(self.names.is_empty() || is_any)
    }
}

/// The adapters that one text sets: one, but for each address of hardware that it matches one.
pub(super) fn networkd(text: &str) -> Vec<GuestAdapter> {
    let text = text.replace("\\\n", " ");
    let (mut adapter, mut matched) = (GuestAdapter::default(), Matched::default());
    for (section, lines) in sections(&text) {
        let (mut gateways, mut destination) = (Vec::new(), "");
        for (key, value) in lines {
            match (section, key) {
                ("Match", key) => matched.take(key, value),
                ("Network", "DHCP") => {
                    let off = ["no", "false", "0", "off", "n", "f", "none"];
                    adapter.dhcp = (!value.is_empty()).then(|| !off.contains(&value.to_ascii_lowercase().as_str()));
                }
                ("Network", "Address") if value.is_empty() => adapter.addresses.clear(),
                ("Network" | "Address", "Address") => adapter.address(value, ""),
                ("Network", "Gateway" | "DNS") if value.is_empty() => match key {
                    "DNS" => adapter.dns_servers.clear(),
                    _ => adapter.gateways.clear(),
                },
                // `_dhcp4` and its like are no addresses.
                ("Network" | "Route", "Gateway") if !value.starts_with('_') => gateways.extend(listed(value)),
                ("Route", "Destination") => destination = value,
                ("Network", "DNS") => adapter.dns_servers.extend(listed(value)),
                _ => {}
            }
        }
        if is_default(destination) {
            adapter.gateways.append(&mut gateways);
        }
    }
    if !matched.is_adapter() {
        return Vec::new();
    }
    (adapter.name, adapter.by_name) = (matched.name(), matched.is_by_name());
    adapter.settle();
    match matched.macs.is_empty() {
        true => vec![adapter],
        false => matched.macs.into_iter().map(|mac| GuestAdapter { mac, ..adapter.clone() }).collect(),
    }
}

/// Whether a route is that to everywhere.
fn is_default(destination: &str) -> bool {
    let everywhere = |(address, bits): (&str, &str)| {
        bits == "0" && address.parse().is_ok_and(|address: IpAddr| address.is_unspecified())
    };
    destination.is_empty() || destination.split_once('/').is_some_and(everywhere)
}
