//! Key files of NetworkManager. Specification: nm-settings-keyfile(5), nm-settings(5).

use std::collections::HashSet;

use super::ini::sections;
use super::linux::Files;
use super::{GuestAdapter, glob, listed, mac, with_members};

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
    // What `[match]` names, and whether it asks for hardware.
    let (mut matched, mut has_hardware) = (Vec::new(), false);
    for (section, lines) in sections(text) {
        for (key, value) in lines {
            match (section, key) {
                ("connection", "id") => value.clone_into(&mut adapter.name),
                ("connection", "uuid") => value.clone_into(&mut adapter.id),
                ("connection", "interface-name") => interface = value,
                ("connection", "type") if OTHERS.contains(&value) => return None,
                ("connection", "type") => is_made = MADE.contains(&value),
                ("ethernet" | "802-3-ethernet", "mac-address") => adapter.mac = hardware(value),
                ("ethernet" | "802-3-ethernet", "cloned-mac-address") => adapter.set_mac = hardware(value),
                ("match", "interface-name") => matched = patterns(value),
                ("match", "driver" | "path") => has_hardware |= !patterns(value).is_empty(),
                ("ipv4" | "ipv6", key) => of_family(&mut adapter, key, value),
                _ => {}
            }
        }
    }
    let has_matched = !matched.is_empty() && !glob::match_any_card(matched.iter().copied());
    adapter.by_name = !interface.is_empty() || has_matched || has_hardware;
    if !interface.is_empty() {
        interface.clone_into(&mut adapter.name);
    } else if has_matched {
        adapter.name = matched.join(" ");
    }
    adapter.settle();
    (!adapter.name.is_empty()).then_some((adapter, is_made))
}

/// The patterns of a list, without those that say what is not meant. `|` and `&` say how they go together.
fn patterns(value: &str) -> Vec<&str> {
    let all = value.split([';', ',']).map(|pattern| pattern.trim().trim_start_matches(['|', '&']));
    all.filter(|pattern| !pattern.is_empty() && !pattern.starts_with('!')).collect()
}

/// An address of hardware, of old versions in decimal bytes: `0;21;93;1;2;3;`.
fn hardware(value: &str) -> String {
    let bytes: Result<Vec<u8>, _> = value.split_terminator(';').map(|byte| byte.trim().parse()).collect();
    match bytes {
        Ok(bytes) if bytes.len() == 6 => mac(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        _ => mac(value),
    }
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
        key @ ("address" | "addresses" | "route" | "routes") => {
            let mut parts = value.split([',', ';']).map(str::trim);
            let address = parts.next().unwrap_or_default();
            let mut next = parts.next().unwrap_or_default();
            let is_length = !next.is_empty() && next.bytes().all(|byte| byte.is_ascii_digit());
            let length = if is_length { next } else { "" };
            if is_length {
                next = parts.next().unwrap_or_default();
            }
            if key.starts_with("address") {
                adapter.address(address, length);
            } else if !matches!((address, length), ("0.0.0.0/0" | "::/0", _) | ("0.0.0.0" | "::", "0")) {
                return;
            }
            let is_new = |gateway: &String| gateway != "::" && !adapter.gateways.contains(gateway);
            let gateway = listed(next).next().filter(is_new);
            adapter.gateways.extend(gateway);
        }
        _ => {}
    }
}
