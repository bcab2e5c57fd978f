//! `/etc/network/interfaces` of Debian and what it sources. Specification: interfaces(5) of ifupdown, ifupdown2 and ifupdown-ng.

use std::collections::{HashMap, HashSet};

use super::linux::Files;
use super::{GuestAdapter, glob, listed, mac};

pub(super) const MAIN: &str = "/etc/network/interfaces";

/// Stanzas of one system that are read.
const MOST_STANZAS: usize = 4096;
/// Options of one stanza that are read.
const MOST_OPTIONS: usize = 64;
/// Bytes of options that stanzas inherit from others.
const MOST_INHERITED: usize = 1 << 16;
/// Files and folders that are looked at, and bytes that they have.
const MOST_SOURCED: usize = 512;
const MOST_BYTES: usize = 1 << 20;
/// Files that source files.
const DEEPEST: usize = 8;
/// Bytes and names of a path with wildcards.
const LONGEST_PATH: usize = 4096;
const MOST_NAMES: usize = 32;
/// Options that say something of addresses.
const OPTIONS: [&str; 7] = ["address", "netmask", "gateway", "dns-nameservers", "dns-nameserver", "hwaddress", "use"];

/// The adapters of one text, without what it sources.
pub(super) fn interfaces(text: &str) -> Vec<GuestAdapter> {
    let mut all = Interfaces::default();
    items(text).into_iter().for_each(|item| all.add(item, ""));
    all.adapters()
}

/// The adapters of a system.
pub(super) fn of_system(files: &mut dyn Files) -> Vec<GuestAdapter> {
    let mut walk =
        Walk { files, seen: HashSet::new(), left: MOST_SOURCED, bytes: MOST_BYTES, all: Interfaces::default() };
    walk.file(MAIN.to_owned(), 0);
    if walk.left == 0 || walk.bytes == 0 {
        walk.files.remark(format!("The file {MAIN} sources more than is read: some of it was left out."));
    }
    walk.all.adapters()
}

/// What a text says, in its order.
enum Item {
    Stanza(Stanza),
    /// Names that are brought up.
    Up(Vec<String>),
    /// Patterns of files, or of folders whose files are meant.
    Source {
        are_folders: bool,
        patterns: Vec<String>,
    },
}

#[derive(Default)]
struct Stanza {
    name: String,
    family: String,
    method: String,
    inherits: String,
    place: String,
    options: Vec<(String, String)>,
}

fn items(text: &str) -> Vec<Item> {
    let mut all = Vec::new();
    let mut stanza = None;
    for line in text.replace("\\\n", " ").lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let rest: Vec<String> = words.map(str::to_owned).collect();
        let item = match first {
            "iface" => {
                all.extend(stanza.replace(head(&rest)).map(Item::Stanza));
                continue;
            }
            "source" | "source-directory" => {
                Some(Item::Source { are_folders: first == "source-directory", patterns: rest })
            }
            "auto" => Some(Item::Up(rest)),
            other if other.starts_with("allow-") => Some(Item::Up(rest)),
            "mapping" | "template" | "rename" | "no-auto-down" | "no-scripts" => None,
            option => {
                let stanza = stanza.as_mut().filter(|stanza: &&mut Stanza| stanza.options.len() < MOST_OPTIONS);
                if let Some(stanza) = stanza.filter(|_| OPTIONS.contains(&option)) {
                    stanza.options.push((option.to_owned(), rest.join(" ")));
                }
                continue;
            }
        };
        all.extend(stanza.take().map(Item::Stanza));
        all.extend(item);
    }
    all.extend(stanza.map(Item::Stanza));
    all
}

/// `iface NAME FAMILY METHOD inherits OTHER`.
fn head(rest: &[String]) -> Stanza {
    let before = rest.iter().position(|word| word == "inherits").unwrap_or(rest.len());
    let word = |at: usize| rest.get(at).filter(|_| at < before).cloned().unwrap_or_default();
    Stanza {
        name: word(0),
        family: word(1),
        method: word(2),
        inherits: rest.get(before + 1).cloned().unwrap_or_default(),
        ..Stanza::default()
    }
}

#[derive(Default)]
struct Interfaces {
    stanzas: Vec<Stanza>,
    /// Names that are brought up, and those that others inherit from.
    up: HashSet<String>,
    templates: HashSet<String>,
    /// Bytes that were inherited.
    inherited: usize,
}

impl Interfaces {
    fn add(&mut self, item: Item, place: &str) {
        match item {
            Item::Up(names) => self.up.extend(names),
            Item::Stanza(mut stanza) if self.stanzas.len() < MOST_STANZAS && !stanza.name.is_empty() => {
                place.clone_into(&mut stanza.place);
                if !stanza.inherits.is_empty() {
                    self.inherit(&mut stanza);
                }
                self.stanzas.push(stanza);
            }
            Item::Stanza(_) | Item::Source { .. } => {}
        }
    }

    /// Puts the options of another interface before those of this one, which take their place.
    fn inherit(&mut self, stanza: &mut Stanza) {
        let named = || self.stanzas.iter().filter(|other| other.name == stanza.inherits);
        let is_same = |other: &&Stanza| other.family == stanza.family;
        let others: Vec<&Stanza> =
            if named().any(|other| is_same(&other)) { named().filter(is_same).collect() } else { named().collect() };
        let mut options: Vec<(String, String)> = Vec::new();
        // What is used adds up.
        let is_kept = |key: &str| key == "use" || !stanza.options.iter().any(|(own, _)| own == key);
        let inherited = others.iter().flat_map(|other| &other.options).filter(|(key, _)| is_kept(key));
        for (key, value) in inherited.take(MOST_OPTIONS) {
            self.inherited += key.len() + value.len();
            if self.inherited <= MOST_INHERITED {
                options.push((key.clone(), value.clone()));
            }
        }
        options.append(&mut stanza.options);
        stanza.options = options;
        self.templates.insert(stanza.inherits.clone());
    }

    /// One adapter for each name; each family has its stanza.
    fn adapters(self) -> Vec<GuestAdapter> {
        let mut all: Vec<GuestAdapter> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        // What is only there to be inherited from is no adapter.
        let is_adapter = |stanza: &&Stanza| {
            stanza.method != "loopback" && (self.up.contains(&stanza.name) || !self.templates.contains(&stanza.name))
        };
        for stanza in self.stanzas.iter().filter(is_adapter) {
            let at = *known.entry(stanza.name.clone()).or_insert_with(|| {
                let (name, place) = (stanza.name.clone(), stanza.place.clone());
                all.push(GuestAdapter { name, place, by_name: true, ..GuestAdapter::default() });
                all.len() - 1
            });
            stanza.fill(&mut all[at]);
        }
        all.iter_mut().for_each(GuestAdapter::settle);
        all
    }
}

impl Stanza {
    fn fill(&self, adapter: &mut GuestAdapter) {
        let automatic = match self.method.as_str() {
            "dhcp" | "bootp" | "auto" => Some(true),
            "static" => Some(false),
            _ => None,
        };
        adapter.dhcp = adapter.dhcp.max(automatic);
        // These methods do not look at an address that was left behind.
        let takes_address = !matches!(self.method.as_str(), "dhcp" | "bootp" | "auto" | "ppp" | "wvdial");
        // A mask belongs to the address before it, and one before all of them to the first.
        let (mut addresses, mut first_mask): (Vec<(&str, &str)>, &str) = (Vec::new(), "");
        for (key, value) in &self.options {
            let one = value.split(' ').next().unwrap_or_default();
            match key.as_str() {
                "address" if addresses.is_empty() => addresses.push((one, first_mask)),
                "address" => addresses.push((one, "")),
                "netmask" => match addresses.last_mut() {
                    Some((_, mask)) => *mask = one,
                    None => first_mask = one,
                },
                "use" if value.split(' ').any(|executor| executor == "dhcp") => adapter.dhcp = Some(true),
                "gateway" if takes_address => adapter.gateways.extend(listed(one)),
                "dns-nameservers" | "dns-nameserver" => adapter.dns_servers.extend(listed(value)),
                "hwaddress" if adapter.set_mac.is_empty() => {
                    adapter.set_mac = value.rsplit(' ').next().map(mac).unwrap_or_default();
                }
                _ => {}
            }
        }
        for (address, mask) in addresses.into_iter().filter(|_| takes_address) {
            adapter.address(address, mask);
        }
    }
}

/// The files that are sourced, one after the other.
struct Walk<'f> {
    files: &'f mut dyn Files,
    seen: HashSet<String>,
    /// Files and folders that may still be looked at, and bytes.
    left: usize,
    bytes: usize,
    all: Interfaces,
}

impl Walk<'_> {
    /// Whether one more file or folder may be looked at.
    fn may_look(&mut self) -> bool {
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    fn file(&mut self, path: String, depth: usize) {
        // A file that sources itself is read once.
        if depth > DEEPEST || self.bytes == 0 || !self.seen.insert(path.clone()) || !self.may_look() {
            return;
        }
        let Some(text) = self.files.text(&path) else { return };
        self.bytes = self.bytes.saturating_sub(text.len());
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for item in items(&text) {
            let Item::Source { are_folders, patterns } = item else {
                self.all.add(item, &path);
                continue;
            };
            for pattern in patterns {
                for found in self.expand(&absolute(folder, pattern.trim_matches(['"', '\'']))) {
                    match are_folders {
                        true => self.folder(&found, depth),
                        false => self.file(found, depth + 1),
                    }
                }
            }
        }
    }

    /// Of a folder only files with plain names are sourced.
    fn folder(&mut self, folder: &str, depth: usize) {
        if !self.may_look() {
            return;
        }
        let is_plain =
            |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        for name in self.files.names(folder).into_iter().filter(is_plain) {
            self.file(format!("{folder}/{name}"), depth + 1);
        }
    }

    /// The paths that a pattern stands for.
    fn expand(&mut self, pattern: &str) -> Vec<String> {
        if pattern.len() > LONGEST_PATH || pattern.split('/').count() > MOST_NAMES {
            return Vec::new();
        }
        let mut found = vec![String::new()];
        for part in pattern.split('/').skip(1) {
            let mut next = Vec::new();
            for folder in found {
                if !glob::is_pattern(part) {
                    next.push(format!("{folder}/{part}"));
                    continue;
                }
                if !self.may_look() {
                    break;
                }
                let names = self.files.names(if folder.is_empty() { "/" } else { &folder });
                let fits =
                    |name: &&String| glob::matches(part, name) && (!name.starts_with('.') || part.starts_with('.'));
                next.extend(names.iter().filter(fits).map(|name| format!("{folder}/{name}")));
            }
            next.truncate(MOST_SOURCED);
            found = next;
        }
        found
    }
}

/// A path that stands in a file of `folder`, without `.` and `..`.
fn absolute(folder: &str, path: &str) -> String {
    let joined = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    let mut parts = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
