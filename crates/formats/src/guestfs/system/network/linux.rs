//! The files in which Linux keeps its network settings. Specifications: interfaces(5) of Debian, ifcfg files of Red Hat's
//! initscripts and SUSE's wicked, nm-settings-keyfile(5), systemd.network(5), netplan(5).

use super::yaml::{self, Node};
use super::{GuestAdapter, MOST, listed, mac};
use crate::guestfs::ext::Ext;
use crate::guestfs::system::linux::{text, value};

/// Files of one folder that are read.
const MOST_FILES: usize = 256;

/// Reads the adapters out of the text of a file, whose name may be theirs.
type Reader = fn(&str, &str) -> Result<Vec<GuestAdapter>, String>;

/// Folders, what the names of their files begin and end with, and how they are read.
const PLACES: [(&str, &str, &str, Reader); 7] = [
    ("/etc/network", "interfaces", "interfaces", |_, text| Ok(interfaces(text))),
    ("/etc/network/interfaces.d", "", "", |_, text| Ok(interfaces(text))),
    ("/etc/sysconfig/network-scripts", "ifcfg-", "", |name, text| Ok(ifcfg(name, text))),
    ("/etc/sysconfig/network", "ifcfg-", "", |name, text| Ok(ifcfg(name, text))),
    ("/etc/NetworkManager/system-connections", "", "", |_, text| Ok(keyfile(text))),
    ("/etc/systemd/network", "", ".network", |_, text| Ok(networkd(text))),
    ("/etc/netplan", "", "ml", |_, text| netplan(text)),
];

/// The adapters that the text of one settings file names, which is read as its path says; `None` for a path that is none of
/// theirs.
pub fn adapters_of(path: &str, text: &str) -> Option<Result<Vec<GuestAdapter>, String>> {
    let (folder, name) = path.rsplit_once('/')?;
    let fits = |(place, begin, end, _): &&(&str, &str, &str, Reader)| {
        *place == folder && name.starts_with(begin) && name.ends_with(end)
    };
    let (.., read) = PLACES.iter().find(fits)?;
    Some(read(name, text))
}

/// The adapters that the files of a volume name.
pub(in crate::guestfs::system) fn adapters(volume: &Ext, remarks: &mut Vec<String>) -> Vec<GuestAdapter> {
    let mut all = Vec::new();
    for (folder, begin, end, read) in PLACES {
        let names = volume.list(folder, MOST_FILES).unwrap_or_else(|error| {
            remarks.push(error.to_string());
            Vec::new()
        });
        // Copies that packages and editors leave have other ends.
        let are_settings = |name: &String| {
            name.starts_with(begin) && name.ends_with(end) && !name.ends_with('~') && !name.contains(".rpm")
        };
        for name in names.into_iter().filter(are_settings) {
            let path = format!("{folder}/{name}");
            let found = match text(volume, &path) {
                Ok(Some(text)) => {
                    read(&name, &text).map_err(|error| format!("The file {path} could not be read: {error}."))
                }
                Ok(None) => continue,
                Err(error) => Err(error.to_string()),
            };
            match found {
                Ok(found) => {
                    all.extend(found.into_iter().map(|adapter| GuestAdapter { place: path.clone(), ..adapter }))
                }
                Err(error) => remarks.push(error),
            }
        }
    }
    all.truncate(MOST);
    all
}

/// A stanza of interfaces(5) while it is read.
#[derive(Default)]
struct Stanza {
    adapter: GuestAdapter,
    address: String,
    mask: String,
}

impl Stanza {
    fn end(mut self, all: &mut Vec<GuestAdapter>) {
        self.adapter.address(&self.address, &self.mask);
        // Each family has its stanza.
        match all.iter_mut().find(|known| known.name == self.adapter.name) {
            _ if self.adapter.name.is_empty() => {}
            Some(known) => {
                known.dhcp = known.dhcp.max(self.adapter.dhcp);
                known.addresses.append(&mut self.adapter.addresses);
                known.gateways.append(&mut self.adapter.gateways);
                known.dns_servers.append(&mut self.adapter.dns_servers);
                if known.mac.is_empty() {
                    known.mac = self.adapter.mac;
                }
            }
            None => all.push(self.adapter),
        }
    }
}

fn interfaces(text: &str) -> Vec<GuestAdapter> {
    const OTHERS: [&str; 8] =
        ["auto", "mapping", "source", "source-directory", "template", "rename", "no-auto-down", "no-scripts"];
    let mut all = Vec::new();
    let mut stanza = Stanza::default();
    for line in text.replace("\\\n", " ").lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let rest: Vec<&str> = words.collect();
        let one = rest.first().copied().unwrap_or_default();
        match first {
            "iface" => {
                std::mem::take(&mut stanza).end(&mut all);
                let method = rest.last().copied().unwrap_or_default();
                if method != "loopback" {
                    let dhcp = match method {
                        "dhcp" | "auto" => Some(true),
                        "static" => Some(false),
                        _ => None,
                    };
                    stanza.adapter = GuestAdapter { name: one.to_owned(), dhcp, ..GuestAdapter::default() };
                }
            }
            "address" => one.clone_into(&mut stanza.address),
            "netmask" => one.clone_into(&mut stanza.mask),
            "gateway" => stanza.adapter.gateways.extend(listed(one)),
            "dns-nameservers" | "dns-nameserver" => stanza.adapter.dns_servers.extend(listed(&rest.join(" "))),
            "hwaddress" => stanza.adapter.mac = rest.last().map(|text| mac(text)).unwrap_or_default(),
            other if OTHERS.contains(&other) || other.starts_with("allow-") => {
                std::mem::take(&mut stanza).end(&mut all);
            }
            _ => {}
        }
    }
    stanza.end(&mut all);
    all
}

fn ifcfg(file: &str, text: &str) -> Vec<GuestAdapter> {
    let value = |key: &str| value(text, key).unwrap_or_default();
    let name = match value("DEVICE") {
        name if name.is_empty() => file.trim_start_matches("ifcfg-").to_owned(),
        name => name,
    };
    if name == "lo" {
        return Vec::new();
    }
    let dhcp = match value("BOOTPROTO").to_ascii_lowercase().as_str() {
        "dhcp" | "dhcp4" | "dhcp6" | "bootp" => Some(true),
        "static" => Some(false),
        _ => None,
    };
    let mut adapter = GuestAdapter { name, id: value("UUID"), dhcp, ..GuestAdapter::default() };
    adapter.mac = [value("HWADDR"), value("MACADDR"), value("LLADDR")]
        .iter()
        .map(|text| mac(text))
        .find(|mac| !mac.is_empty())
        .unwrap_or_default();
    for number in
        std::iter::once(String::new()).chain((0..16).flat_map(|number| [number.to_string(), format!("_{number}")]))
    {
        let masks = ["PREFIX", "PREFIXLEN", "NETMASK"].map(|key| value(&format!("{key}{number}")));
        let mask = masks.into_iter().find(|mask| !mask.is_empty()).unwrap_or_default();
        adapter.address(&value(&format!("IPADDR{number}")), &mask);
        adapter.gateways.extend(listed(&value(&format!("GATEWAY{number}"))));
        adapter.dns_servers.extend(listed(&value(&format!("DNS{number}"))));
    }
    adapter.address(&value("IPV6ADDR"), "");
    adapter.gateways.extend(listed(&value("IPV6_DEFAULTGW")));
    if adapter.dhcp.is_none() && !adapter.addresses.is_empty() {
        adapter.dhcp = Some(false);
    }
    vec![adapter]
}

/// The lines `key=value` of a file with sections.
fn lines(text: &str) -> impl Iterator<Item = (String, &str, &str)> {
    let mut section = String::new();
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
            return None;
        }
        let (key, value) = line.split_once('=').filter(|_| !line.starts_with(['#', ';']))?;
        Some((section.clone(), key.trim(), value.trim()))
    })
}

fn keyfile(text: &str) -> Vec<GuestAdapter> {
    let (mut adapter, mut interface) = (GuestAdapter::default(), "");
    for (section, key, value) in lines(text) {
        match (section.as_str(), key) {
            ("connection", "id") => value.clone_into(&mut adapter.name),
            ("connection", "uuid") => value.clone_into(&mut adapter.id),
            ("connection", "interface-name") => interface = value,
            ("connection", "type") if matches!(value, "wifi" | "vpn" | "loopback") => return Vec::new(),
            ("ethernet" | "802-3-ethernet", "mac-address") => adapter.mac = mac(value),
            ("ipv4", "method") => {
                adapter.dhcp = match value {
                    "auto" => Some(true),
                    "manual" => Some(false),
                    _ => None,
                };
            }
            ("ipv4" | "ipv6", "dns") => adapter.dns_servers.extend(listed(value)),
            ("ipv4" | "ipv6", "gateway") => adapter.gateways.extend(listed(value)),
            ("ipv4" | "ipv6", key) if key.trim_end_matches(|c: char| c.is_ascii_digit()) == "address" => {
                let mut parts = value.split([',', ';']);
                adapter.address(parts.next().unwrap_or_default(), "");
                adapter.gateways.extend(parts.next().map(listed).into_iter().flatten());
            }
            _ => {}
        }
    }
    if !interface.is_empty() {
        interface.clone_into(&mut adapter.name);
    }
    if adapter.name.is_empty() { Vec::new() } else { vec![adapter] }
}

fn networkd(text: &str) -> Vec<GuestAdapter> {
    let mut adapter = GuestAdapter::default();
    for (section, key, value) in lines(text) {
        match (section.as_str(), key) {
            ("Match", "Name") => value.clone_into(&mut adapter.name),
            ("Match", "MACAddress" | "PermanentMACAddress") => adapter.mac = mac(value),
            ("Network", "DHCP") => adapter.dhcp = Some(!matches!(value, "no" | "false" | "0" | "off")),
            ("Network" | "Address", "Address") => adapter.address(value, ""),
            ("Network" | "Route", "Gateway") => adapter.gateways.extend(listed(value)),
            ("Network", "DNS") => adapter.dns_servers.extend(listed(value)),
            _ => {}
        }
    }
    let is_one = !adapter.name.is_empty() || !adapter.mac.is_empty();
    is_one.then_some(adapter).into_iter().collect()
}

fn netplan(text: &str) -> Result<Vec<GuestAdapter>, String> {
    let Some(root) = yaml::parse(text)? else { return Ok(Vec::new()) };
    let kinds = root.get("network").map(Node::entries).unwrap_or_default();
    let named = kinds.iter().flat_map(|(_, kind)| kind.entries()).filter(|(_, node)| matches!(node, Node::Map(_)));
    Ok(named.map(|(name, node)| of_netplan(name, node)).collect())
}

fn of_netplan(name: &str, node: &Node) -> GuestAdapter {
    let text = |key: &str| node.get(key).map(Node::text).unwrap_or_default();
    let is_on = |text: &str| matches!(text, "true" | "yes" | "on" | "y");
    let mut adapter = GuestAdapter { name: name.to_owned(), ..GuestAdapter::default() };
    let matched = node.get("match");
    let matched = |key: &str| matched.and_then(|node| node.get(key)).map(Node::text).unwrap_or_default();
    adapter.mac = [matched("macaddress"), text("macaddress")]
        .map(mac)
        .into_iter()
        .find(|mac| !mac.is_empty())
        .unwrap_or_default();
    if let Some(renamed) = [text("set-name"), matched("name")].into_iter().find(|name| !name.is_empty()) {
        renamed.clone_into(&mut adapter.name);
    }
    for address in node.get("addresses").map(Node::items).unwrap_or_default() {
        // With options it is the key of them.
        let with_options = address.entries().first().map_or("", |(address, _)| address);
        adapter.address(address.text(), "");
        adapter.address(with_options, "");
    }
    adapter.gateways.extend([text("gateway4"), text("gateway6")].into_iter().flat_map(listed));
    for route in node.get("routes").map(Node::items).unwrap_or_default() {
        let part = |key: &str| route.get(key).map(Node::text).unwrap_or_default();
        if matches!(part("to"), "default" | "0.0.0.0/0" | "::/0") {
            adapter.gateways.extend(listed(part("via")));
        }
    }
    let servers = node.get("nameservers").and_then(|node| node.get("addresses")).map(Node::items).unwrap_or_default();
    adapter.dns_servers.extend(servers.iter().map(|server| server.text().to_owned()));
    adapter.dhcp = match (text("dhcp4"), text("dhcp6")) {
        ("", "") if adapter.addresses.is_empty() => None,
        (four, six) => Some(is_on(four) || is_on(six)),
    };
    adapter
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, proptest};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_read_or_refused(
            text in "([-:{}\\[\\],?&*!|>'\"%@ =#;\n\ta-c0-9\\\\é]|iface |address |network:\n|ethernets:\n| {2}|- ){0,60}"
        ) {
            for (_, _, _, read) in PLACES {
                let _ = read("ifcfg-eth0", &text);
            }
        }
    }

    #[test]
    fn what_is_no_adapter_is_none() {
        assert_eq!(interfaces("iface lo inet loopback\niface\naddress 192.0.2.1\n"), []);
        assert_eq!(
            (ifcfg("ifcfg-lo", ""), keyfile("[connection]\ntype=wifi\nid=x\n"), networkd("[Network]\nDHCP=yes\n")),
            Default::default()
        );
        assert_eq!(netplan("network: [1]\n"), Ok(Vec::new()));
        assert_eq!(netplan("network:\n  renderer: networkd\n  version: 2\n"), Ok(Vec::new()));
        assert!(netplan("network: {").is_err());
    }
}
