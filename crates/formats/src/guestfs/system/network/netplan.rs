//! netplan's `*.yaml` files. Specification: netplan(5), netplan-generate(8).

use std::collections::HashMap;

use super::linux::Files;
use super::yaml::{self, Node};
use super::{GuestAdapter, MOST, glob, listed, mac, with_members};

pub(super) const FOLDER: &str = "/etc/netplan";
/// Kinds of devices that are adapters of a machine, or have their addresses.
const KINDS: [&str; 4] = ["ethernets", "bonds", "bridges", "vlans"];
/// Bytes of all files that are read.
const MOST_BYTES: usize = 512 << 10;

/// Whether netplan reads a file of this name.
pub(super) fn is_settings(name: &str) -> bool {
    name.ends_with(".yaml")
}

/// The adapters of a system.
pub(super) fn of_system(files: &mut dyn Files) -> Vec<GuestAdapter> {
    let mut all = Definitions::default();
    let mut left = MOST_BYTES;
    for name in files.names(FOLDER).into_iter().filter(|name| is_settings(name)) {
        let place = format!("{FOLDER}/{name}");
        let Some(text) = files.text(&place) else { continue };
        let Some(rest) = left.checked_sub(text.len()) else {
            files.remark(format!("The files in {FOLDER} have more than {MOST_BYTES} bytes: some were left out."));
            break;
        };
        left = rest;
        if let Err(error) = all.add(&place, &text) {
            files.remark(format!("The file {place} could not be read: {error}."));
        }
    }
    all.adapters()
}

/// The adapters of one text.
pub(super) fn netplan(text: &str) -> Result<Vec<GuestAdapter>, String> {
    let mut all = Definitions::default();
    all.add("", text)?;
    Ok(all.adapters())
}

/// What the files say, by the ids of the devices: a later file adds to an earlier one, and wins over it.
#[derive(Default)]
struct Definitions {
    order: Vec<Definition>,
    at: HashMap<String, usize>,
}

struct Definition {
    id: String,
    kind: String,
    /// The file that names it last, of those with addresses where there are some.
    place: String,
    parts: Vec<Node>,
}

impl Definitions {
    fn add(&mut self, place: &str, text: &str) -> Result<(), String> {
        let Some(Node::Map(root)) = yaml::parse(text)? else { return Ok(()) };
        let network = root.into_iter().rev().find(|(key, _)| key == "network").map(|(_, node)| node);
        let Some(Node::Map(kinds)) = network else { return Ok(()) };
        for (kind, node) in kinds.into_iter().filter(|(kind, _)| KINDS.contains(&kind.as_str())) {
            let Node::Map(devices) = node else { continue };
            for (id, node) in devices.into_iter().filter(|(_, node)| matches!(node, Node::Map(_))) {
                self.device(place, &kind, id, node);
            }
        }
        Ok(())
    }

    fn device(&mut self, place: &str, kind: &str, id: String, node: Node) {
        let Some(at) = self.at.get(&id) else {
            if self.order.len() < MOST {
                self.at.insert(id.clone(), self.order.len());
                let (kind, place) = (kind.to_owned(), place.to_owned());
                self.order.push(Definition { id, kind, place, parts: vec![node] });
            }
            return;
        };
        let known = &mut self.order[*at];
        let has_addresses = |node: &Node| node.get("addresses").is_some();
        if has_addresses(&node) || !known.parts.iter().any(has_addresses) {
            place.clone_into(&mut known.place);
        }
        known.parts.push(node);
    }

    fn adapters(&self) -> Vec<GuestAdapter> {
        let one = |device: &Definition| (device.adapter(), device.kind != "ethernets");
        with_members(self.order.iter().map(one).collect())
    }
}

impl Definition {
    /// The text that the last of the files sets.
    fn text(&self, path: &[&str]) -> &str {
        let texts = self.at(path).filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.last().unwrap_or_default()
    }

    /// The lists of all files, one behind the other.
    fn items(&self, path: &[&str]) -> impl Iterator<Item = &Node> {
        self.at(path).flat_map(Node::items)
    }

    /// Of each file the node that keys lead to.
    fn at(&self, path: &[&str]) -> impl Iterator<Item = &Node> {
        self.parts.iter().filter_map(move |part| path.iter().try_fold(part, |node, key| node.get(key)))
    }

    fn adapter(&self) -> GuestAdapter {
        let mut adapter = GuestAdapter { name: self.id.clone(), place: self.place.clone(), ..GuestAdapter::default() };
        (adapter.mac, adapter.set_mac) = (mac(self.text(&["match", "macaddress"])), mac(self.text(&["macaddress"])));
        let (matched, renamed) = (self.text(&["match", "name"]), self.text(&["set-name"]));
        let names = [renamed, matched, self.text(&["networkmanager", "name"])];
        if let Some(name) = names.into_iter().find(|name| !name.is_empty()) {
            name.clone_into(&mut adapter.name);
        }
        adapter.by_name = self.is_by_name(matched);
        for address in self.items(&["addresses"]) {
            // With options it is the key of them.
            let with_options = address.entries().first().map_or("", |(address, _)| address);
            adapter.address(address.text(), "");
            adapter.address(with_options, "");
        }
        adapter.gateways.extend([["gateway4"], ["gateway6"]].iter().flat_map(|path| listed(self.text(path))));
        for route in self.items(&["routes"]) {
            let part = |key: &str| route.get(key).map(Node::text).unwrap_or_default();
            if matches!(part("to"), "default" | "0.0.0.0/0" | "::/0") {
                adapter.gateways.extend(listed(part("via")));
            }
        }
        let servers = self.items(&["nameservers", "addresses"]).map(|server| server.text().to_owned());
        adapter.dns_servers.extend(servers.filter(|server| !server.is_empty()));
        adapter.dhcp = [["dhcp4"], ["dhcp6"]].iter().filter_map(|path| is_on(self.text(path))).max();
        adapter.settle();
        adapter
    }

    /// Whether it goes by a name, or by a driver, which goes with the hardware. An empty `match` fits all adapters.
    fn is_by_name(&self, matched: &str) -> bool {
        let is_matched = self.at(&["match"]).any(|node| matches!(node, Node::Map(_)));
        if !is_matched {
            return true;
        }
        let has_name = !matched.is_empty() && !glob::match_any_card([matched]);
        has_name || self.at(&["match", "driver"]).next().is_some()
    }
}

/// `None` where nothing is said.
fn is_on(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    (!text.is_empty()).then(|| is(&["true", "yes", "on", "y"]))
}
