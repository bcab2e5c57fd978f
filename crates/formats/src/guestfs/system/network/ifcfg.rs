//! `ifcfg-*` files of Red Hat's initscripts and of SUSE's sysconfig and wicked, with the files beside them that name the
//! default gateway and the name servers. Specification: sysconfig.txt of initscripts, ifcfg(5), ifroute(5), netconfig(8).

use std::collections::HashMap;
use std::net::IpAddr;

use super::linux::Files;
use super::shell::variables;
use super::{GuestAdapter, listed, mac, with_members};

pub(super) const RED_HAT: &str = "/etc/sysconfig/network-scripts";
pub(super) const SUSE: &str = "/etc/sysconfig/network";
const BEGIN: &str = "ifcfg-";
/// Ends of copies, which none of the systems reads.
const COPIES: [&str; 11] =
    ["~", ".bak", ".old", ".orig", ".rej", ".rpmnew", ".rpmorig", ".rpmsave", ".scpmbackup", ".augnew", ".augtmp"];
/// Types whose adapter software makes of others.
const MADE: [&str; 4] = ["bond", "bridge", "team", "vlan"];
/// Addresses of one file that are read.
const MOST: usize = 256;

/// Whether a file of this name is read.
pub(super) fn is_settings(name: &str) -> bool {
    name.strip_prefix(BEGIN).is_some_and(|name| !name.is_empty()) && !COPIES.iter().any(|end| name.ends_with(end))
}

/// The adapters of a system of Red Hat, whose default gateways may stand in files of routes, or in a file for all of them
/// (RHEL 5 and 6).
pub(super) fn red_hat(files: &mut dyn Files) -> Vec<GuestAdapter> {
    let mut all = of_folder(files, RED_HAT);
    if all.is_empty() {
        return all;
    }
    let names = files.names(RED_HAT);
    for adapter in &mut all {
        for begin in ["route-", "route6-"] {
            let name = format!("{begin}{}", adapter.place.rsplit(BEGIN).next().unwrap_or_default());
            if names.binary_search(&name).is_ok() {
                let text = files.text(&format!("{RED_HAT}/{name}")).unwrap_or_default();
                routed(&text).into_iter().for_each(|gateway| add_gateway(adapter, gateway));
            }
        }
    }
    if let Some(text) = files.text(SUSE) {
        let variables = variables(&text);
        let value = |key: &str| variables.get(key).map(String::as_str).unwrap_or_default();
        for gateway in listed(value("GATEWAY")).filter(|gateway| gateway != "none") {
            to_adapter(&mut all, gateway, value("GATEWAYDEV"));
        }
    }
    all
}

/// The adapters of a system of SUSE, whose gateways stand in files of routes and whose name servers in one for all.
pub(super) fn suse(files: &mut dyn Files) -> Vec<GuestAdapter> {
    let mut all = of_folder(files, SUSE);
    if all.is_empty() {
        return all;
    }
    let names = files.names(SUSE);
    for adapter in &mut all {
        let name = format!("ifroute-{}", adapter.place.rsplit(BEGIN).next().unwrap_or_default());
        if names.binary_search(&name).is_ok() {
            let text = files.text(&format!("{SUSE}/{name}")).unwrap_or_default();
            adapter.gateways.extend(default_routes(&text).into_iter().map(|(gateway, _)| gateway));
        }
    }
    for (gateway, device) in default_routes(&files.text(&format!("{SUSE}/routes")).unwrap_or_default()) {
        to_adapter(&mut all, gateway, &device);
    }
    let config = variables(&files.text(&format!("{SUSE}/config")).unwrap_or_default());
    let servers = config.get("NETCONFIG_DNS_STATIC_SERVERS").map(String::as_str).unwrap_or_default();
    for adapter in all.iter_mut().filter(|adapter| is_set(adapter) && adapter.dns_servers.is_empty()) {
        adapter.dns_servers.extend(listed(servers).take(MOST));
    }
    all
}

fn of_folder(files: &mut dyn Files, folder: &str) -> Vec<GuestAdapter> {
    let mut all = Vec::new();
    for name in files.names(folder).into_iter().filter(|name| is_settings(name)) {
        let place = format!("{folder}/{name}");
        let found = files.text(&place).and_then(|text| read(&name, &variables(&text)));
        all.extend(found.map(|(adapter, is_made)| (GuestAdapter { place, ..adapter }, is_made)));
    }
    with_members(all)
}

pub(super) fn ifcfg(file: &str, text: &str) -> Option<GuestAdapter> {
    read(file, &variables(text)).map(|(adapter, _)| adapter)
}

/// The adapter of a file, and whether software makes it of others.
fn read(file: &str, variables: &HashMap<String, String>) -> Option<(GuestAdapter, bool)> {
    let value = |key: &str| variables.get(key).map(String::as_str).unwrap_or_default();
    let of_file = file.strip_prefix(BEGIN).unwrap_or(file);
    let name = if value("DEVICE").is_empty() { of_file } else { value("DEVICE") };
    if name == "lo" {
        return None;
    }
    let mut adapter = GuestAdapter { name: name.to_owned(), id: value("UUID").to_owned(), ..GuestAdapter::default() };
    adapter.dhcp = automatic(value("BOOTPROTO"));
    // SUSE Linux Enterprise 10 and before bind by the name of the file.
    adapter.mac = [value("HWADDR"), of_file.strip_prefix("eth-id-").unwrap_or_default()]
        .map(mac)
        .into_iter()
        .find(|mac| !mac.is_empty())
        .unwrap_or_default();
    let is_bound = !adapter.mac.is_empty();
    adapter.by_name = !is_bound && !is_for_any(variables);
    adapter.set_mac =
        [value("MACADDR"), value("LLADDR")].map(mac).into_iter().find(|mac| !mac.is_empty()).unwrap_or_default();
    for (suffix, address) in numbered(variables, "IPADDR") {
        let masks = ["PREFIX", "PREFIXLEN", "NETMASK"].map(|key| value(&format!("{key}{suffix}")));
        adapter.address(address, masks.into_iter().find(|mask| !mask.is_empty()).unwrap_or_default());
    }
    for (_, gateway) in numbered(variables, "GATEWAY") {
        adapter.gateways.extend(listed(gateway));
    }
    for (_, server) in numbered(variables, "DNS") {
        adapter.dns_servers.extend(listed(server));
    }
    adapter.address(value("IPV6ADDR"), "");
    for address in listed(value("IPV6ADDR_SECONDARIES")).take(MOST) {
        adapter.address(&address, "");
    }
    adapter.gateways.extend(listed(value("IPV6_DEFAULTGW")));
    adapter.settle();
    let is_yes = |key: &str| value(key).eq_ignore_ascii_case("yes");
    let is_made = adapter.name.contains(':')
        || ["TYPE", "DEVICETYPE"].into_iter().any(|key| MADE.contains(&value(key).to_ascii_lowercase().as_str()))
        || ["VLAN", "BRIDGE", "BONDING_MASTER"].into_iter().any(is_yes)
        || ["ETHERDEVICE", "BONDING_OPTS"].into_iter().any(|key| !value(key).is_empty());
    Some((adapter, is_made && !is_bound))
}

/// Whether NetworkManager takes it for any adapter: it has a type, but neither a device nor what to match.
fn is_for_any(variables: &HashMap<String, String>) -> bool {
    let has = |key: &&str| variables.get(*key).is_some_and(|value| !value.is_empty());
    // SUSE has its own start mode, and takes the name of the file for the device.
    let others = ["DEVICE", "MATCH_INTERFACE_NAME", "MATCH_DRIVER", "MATCH_PATH", "STARTMODE"];
    has(&"TYPE") && !others.iter().any(has)
}

/// What `BOOTPROTO` says: words that `+` may join.
fn automatic(protocol: &str) -> Option<bool> {
    let of_word = |word: &str| match word {
        "dhcp" | "dhcp4" | "dhcp6" | "bootp" | "autoip" | "auto4" | "auto6" | "ibft" => Some(true),
        "static" => Some(false),
        _ => None,
    };
    protocol.to_ascii_lowercase().split('+').filter_map(of_word).max()
}

/// The values of `KEY`, of `KEY0`, `KEY1` and so on, and of `KEY_` with any text (SUSE), in this order, each with what
/// follows its name.
fn numbered<'v>(variables: &'v HashMap<String, String>, key: &str) -> Vec<(&'v str, &'v str)> {
    let suffix = |name: &'v str| {
        let suffix = name.strip_prefix(key)?;
        // Those of a range belong to files of aliases.
        let is_one = suffix.is_empty()
            || suffix.bytes().all(|byte| byte.is_ascii_digit())
            || (suffix.starts_with('_') && !matches!(suffix, "_START" | "_END"));
        is_one.then_some(suffix)
    };
    let mut all: Vec<(&str, &str)> =
        variables.iter().filter_map(|(name, value)| Some((suffix(name)?, value.as_str()))).collect();
    let order = |suffix: &str| suffix.trim_start_matches('_').parse::<u64>().unwrap_or(u64::MAX);
    all.sort_by_key(|(suffix, _)| (!suffix.is_empty(), order(suffix), *suffix));
    all.truncate(MOST);
    all
}

/// Gateways of default routes in a file of Red Hat: arguments of `ip route`, or variables.
fn routed(text: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let words: Vec<&str> = line.split('#').next()?.split_whitespace().skip_while(|word| *word == "to").collect();
        let is_default = matches!(words.first(), Some(&("default" | "0.0.0.0/0" | "::/0")));
        let via = words.iter().position(|word| *word == "via").filter(|_| is_default)?;
        words.get(via + 1).map(|gateway| (*gateway).to_owned())
    };
    let variables = variables(text);
    let of_address = |(suffix, address): (&str, &str)| {
        let value = |key: &str| variables.get(&format!("{key}{suffix}")).map(String::as_str);
        let is_default = address == "0.0.0.0" && value("NETMASK") == Some("0.0.0.0");
        value("GATEWAY").filter(|_| is_default).map(str::to_owned)
    };
    let addresses = numbered(&variables, "ADDRESS").into_iter().filter_map(of_address);
    let all = text.lines().filter_map(of_line).chain(addresses);
    all.filter(|gateway| gateway.parse::<IpAddr>().is_ok()).take(MOST).collect()
}

/// Gateways of default routes, each with the name of its adapter, which may be empty: lines with destination, gateway, mask
/// and adapter, of which `-` is none.
fn default_routes(text: &str) -> Vec<(String, String)> {
    let route = |line: &str| {
        let words: Vec<&str> = line.split('#').next()?.split_whitespace().collect();
        let word = |at: usize| words.get(at).copied().filter(|word| *word != "-").unwrap_or_default();
        let is_default = matches!((word(0), word(2)), ("default" | "0.0.0.0/0" | "::/0", _) | ("0.0.0.0", "0.0.0.0"));
        let is_route = is_default && word(1).parse::<IpAddr>().is_ok();
        is_route.then(|| (word(1).to_owned(), word(3).to_owned()))
    };
    text.lines().filter_map(route).take(MOST).collect()
}

fn is_set(adapter: &GuestAdapter) -> bool {
    adapter.dhcp == Some(false) && !adapter.addresses.is_empty()
}

/// Gives a default gateway of the whole system to the adapter that it is for: that of the name, or else the one whose
/// network it is in, or the only one.
fn to_adapter(all: &mut [GuestAdapter], gateway: String, device: &str) {
    let set = || all.iter().enumerate().filter(|(_, adapter)| is_set(adapter));
    let found = if device.is_empty() {
        let near = set().find(|(_, adapter)| is_near(adapter, &gateway));
        near.or_else(|| set().next().filter(|_| set().count() == 1))
    } else {
        set().find(|(_, adapter)| adapter.name == device)
    };
    let Some((at, _)) = found else { return };
    add_gateway(&mut all[at], gateway);
}

/// A gateway of the adapter's own settings wins over one of the same family.
fn add_gateway(adapter: &mut GuestAdapter, gateway: String) {
    if !adapter.gateways.iter().any(|own| own.contains(':') == gateway.contains(':')) {
        adapter.gateways.push(gateway);
    }
}

/// Whether an address is in a network of an adapter.
fn is_near(adapter: &GuestAdapter, address: &str) -> bool {
    let Ok(wanted) = address.parse::<IpAddr>() else { return false };
    let network = |address: IpAddr, bits: u32| match address {
        IpAddr::V4(address) => Some(u128::from(u32::from(address).checked_shr(32_u32.checked_sub(bits)?).unwrap_or(0))),
        IpAddr::V6(address) => Some(u128::from(address).checked_shr(128_u32.checked_sub(bits)?).unwrap_or(0)),
    };
    adapter.addresses.iter().filter_map(|own| own.split_once('/')).any(|(own, bits)| {
        let (Ok(own), Ok(bits)) = (own.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
        own.is_ipv4() == wanted.is_ipv4() && network(own, bits).is_some() && network(own, bits) == network(wanted, bits)
    })
}
