//! Key files of NetworkManager. Specification: nm-settings-keyfile(5), nm-settings(5).

use std::collections::HashSet;

use super::ini::sections;
use super::linux::Files;
use super::{GuestAdapter, listed, mac, with_members};

pub(super) const FOLDER: &str = "/etc/NetworkManager/system-connections";
const END: &str = ".nmconnection";

/// Connections that are no adapters of the machine, by their present and former names.
const OTHERS: [&str; 16] = [
    "wifi",
    "802-11-wireless",
    "wifi-p2p",
    "802-11-olpc-mesh",
    "vpn",
    "wireguard",
    "tun",
    "ip-tunnel",
    "loopback",
    "dummy",
    "gsm",
    "cdma",
    "bluetooth",
    "wimax",
    "pppoe",
    "wpan",
];

/// Connections whose adapter software makes of others.
const MADE: [&str; 6] = ["bond", "bridge", "team", "vlan", "macvlan", "vrf"];

/// Whether NetworkManager reads a file of this name below `/etc`: also without its extension, so copies too, but not hidden
/// files, those that editors leave (`~`), temporary files (a dot and six letters or digits), keys and certificates.
pub(super) fn is_settings(name: &str) -> bool {
    let is_temporary = |end: &str| end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let lower = name.to_ascii_lowercase();
    !name.starts_with('.')
        && !["~", ".swp", ".swpx", ".pem", ".der"].iter().any(|end| lower.ends_with(end))
        && !name.rsplit_once('.').is_some_and(|(_, end)| is_temporary(end))
}

/// The adapters of a system. Of files with the same id NetworkManager takes one: here that with the extension.
pub(super) fn of_system(files: &mut dyn Files) -> Vec<GuestAdapter> {
    let mut all = Vec::new();
    for name in files.names(FOLDER).into_iter().filter(|name| is_settings(name)) {
        let place = format!("{FOLDER}/{name}");
        let found = files.text(&place).and_then(|text| read(&text));
        all.extend(found.map(|(adapter, is_made)| (GuestAdapter { place, ..adapter }, is_made)));
    }
    let mut all = with_members(all);
    let has_end = |adapter: &&GuestAdapter| adapter.place.ends_with(END) && !adapter.id.is_empty();
    let ids: HashSet<String> = all.iter().filter(has_end).map(|adapter| adapter.id.clone()).collect();
    all.retain(|adapter| adapter.place.ends_with(END) || !ids.contains(&adapter.id));
    all
}

pub(super) fn keyfile(text: &str) -> Option<GuestAdapter> {
    read(text).map(|(adapter, _)| adapter)
}

/// The adapter of a text, and whether software makes it.
fn read(text: &str) -> Option<(GuestAdapter, bool)> {
    let (mut adapter, mut interface, mut is_made) = (GuestAdapter::default(), "", false);
    for (section, lines) in sections(text) {
        for (key, value) in lines {
            match (section, key) {
                ("connection", "id") => value.clone_into(&mut adapter.name),
                ("connection", "uuid") => value.clone_into(&mut adapter.id),
                ("connection", "interface-name") => interface = value,
                ("connection", "type") if OTHERS.contains(&value) => return None,
                ("connection", "type") => is_made = MADE.contains(&value),
                ("ethernet" | "802-3-ethernet", "mac-address") => adapter.mac = mac(value),
                ("ethernet" | "802-3-ethernet", "cloned-mac-address") => adapter.set_mac = mac(value),
                ("ipv4" | "ipv6", key) => of_family(&mut adapter, key, value),
                _ => {}
            }
        }
    }
    adapter.by_name = !interface.is_empty();
    if adapter.by_name {
        interface.clone_into(&mut adapter.name);
    }
    adapter.settle();
    (!adapter.name.is_empty()).then_some((adapter, is_made))
}

fn of_family(adapter: &mut GuestAdapter, key: &str, value: &str) {
    match key.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "method" => {
            let automatic = match value {
                "auto" | "dhcp" => Some(true),
                "manual" => Some(false),
                _ => None,
            };
            adapter.dhcp = adapter.dhcp.max(automatic);
        }
        "dns" => adapter.dns_servers.extend(listed(value)),
        "gateway" => adapter.gateways.extend(listed(value)),
        // `ADDRESS/LENGTH,GATEWAY`, and formerly `ADDRESS;LENGTH;GATEWAY;`.
        "address" | "addresses" => {
            let mut parts = value.split([',', ';']).map(str::trim);
            let address = parts.next().unwrap_or_default();
            let mut next = parts.next().unwrap_or_default();
            let is_length = !next.is_empty() && next.bytes().all(|byte| byte.is_ascii_digit());
            adapter.address(address, if is_length { next } else { "" });
            if is_length {
                next = parts.next().unwrap_or_default();
            }
            adapter.gateways.extend(listed(next).filter(|gateway| gateway != "::"));
        }
        _ => {}
    }
}
