//! What the XML files say, as settings, read back with a parser that did not write them.

use std::collections::BTreeMap;
use std::path::Path;

use hvm_model::names::MacAddress;
use hvm_model::owner;
use hvm_model::setting::Setting;
use roxmltree::{Document, Node};

use crate::error::DestinationError;
use crate::files;
use crate::libvirt::network::NAMESPACE;

/// All settings below `root`, sorted.
pub(crate) fn settings(root: &Path) -> Result<Vec<Setting>, DestinationError> {
    let mut all = Vec::new();
    let mut networks = BTreeMap::new();
    for path in files::list(&root.join("networks"), "xml")? {
        with_document(&path, |document| network(document, &mut networks, &mut all))?;
    }
    let root = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    for path in files::list(&root.join("machines"), "xml")? {
        with_document(&path, |document| Machine { root: &root, networks: &networks, document, all: &mut all }.read())?;
    }
    all.sort();
    Ok(all)
}

fn with_document(path: &Path, read: impl FnOnce(&Document) -> Result<(), String>) -> Result<(), DestinationError> {
    let unreadable = |message: String| DestinationError::Unreadable { path: path.to_owned(), message };
    let text = files::read_text(path)?;
    let document = Document::parse(&text).map_err(|error| unreadable(format!("{error}.")))?;
    read(&document).map_err(|message| unreadable(format!("{message}.")))
}

fn child<'a, 'b>(node: Node<'a, 'b>, name: &str) -> Option<Node<'a, 'b>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn path<'a, 'b>(node: Node<'a, 'b>, names: &[&str]) -> Option<Node<'a, 'b>> {
    names.iter().try_fold(node, |node, name| child(node, name))
}

fn source<'a, 'b>(root: Node<'a, 'b>) -> Result<Node<'a, 'b>, String> {
    let metadata = child(root, "metadata").ok_or("it has no element metadata")?;
    let own = metadata.children().find(|child| child.has_tag_name((NAMESPACE, "source")));
    own.ok_or_else(|| format!("its metadata has no element source of {NAMESPACE}"))
}

fn text(node: Option<Node>) -> String {
    node.and_then(|node| node.text()).unwrap_or_default().to_owned()
}

/// Reads a network; `networks` gets its name under libvirt and its own one.
fn network(document: &Document, networks: &mut BTreeMap<String, String>, all: &mut Vec<Setting>) -> Result<(), String> {
    let root = document.root_element();
    let source = source(root)?;
    let name = source.attribute("name").unwrap_or_default().to_owned();
    let subject = format!("switch {name}");
    networks.insert(text(child(root, "name")), name);
    if source.attribute("name-is-kept") == Some("false") {
        return Ok(());
    }
    let bridged = child(root, "forward").and_then(|forward| forward.attribute("mode")) == Some("bridge");
    if bridged {
        all.push(Setting::new(&subject, "kind", "external"));
        let bridge = child(root, "bridge").and_then(|bridge| bridge.attribute("name"));
        all.push(Setting::new(&subject, "adapter", bridge.unwrap_or_default()));
    } else {
        // Both kinds are isolated bridges; which one it is, the metadata keeps.
        all.push(Setting::new(&subject, "kind", source.attribute("kind").unwrap_or_default()));
    }
    Ok(())
}

struct Machine<'a, 'input> {
    root: &'a Path,
    networks: &'a BTreeMap<String, String>,
    document: &'a Document<'input>,
    all: &'a mut Vec<Setting>,
}

impl Machine<'_, '_> {
    fn read(&mut self) -> Result<(), String> {
        let root = self.document.root_element();
        let source = source(root)?;
        let subject = format!("machine {}", source.attribute("id").unwrap_or_default());
        let mut items: Vec<(String, String)> = Vec::new();
        let title = child(root, "title").or_else(|| child(root, "name"));
        items.push(("name".to_owned(), text(title)));
        let description = text(child(root, "description"));
        let (notes, owner) = owner::split(&description, "\n");
        items.push(("notes".to_owned(), notes.to_owned()));
        items.extend(owner.map(|owner| ("owner".to_owned(), owner.to_owned())));
        let machine = path(root, &["os", "type"]).and_then(|kind| kind.attribute("machine")).unwrap_or_default();
        items.push(("generation".to_owned(), if machine.contains("q35") { "2" } else { "1" }.to_owned()));
        self.resources(root, &mut items)?;
        self.firmware(root, source, &mut items);
        self.drives(root, source, &mut items)?;
        self.adapters(root, source, &mut items)?;
        for neutral in source.children().filter(|node| node.has_tag_name((NAMESPACE, "neutral"))) {
            let attribute = |name| neutral.attribute(name).unwrap_or_default().to_owned();
            items.push((attribute("item"), attribute("value")));
        }
        if let Some(start) = source.attribute("start") {
            items.push(("action.start".to_owned(), start.to_owned()));
        }
        let lost: Vec<&str> = source
            .children()
            .filter(|node| node.has_tag_name((NAMESPACE, "lost")))
            .filter_map(|node| node.attribute("item"))
            .collect();
        items.retain(|(item, _)| !lost.contains(&item.as_str()));
        self.all.extend(items.into_iter().map(|(item, value)| Setting::new(&subject, item, value)));
        Ok(())
    }

    fn resources(&self, root: Node, items: &mut Vec<(String, String)>) -> Result<(), String> {
        let memory = child(root, "memory").ok_or("it has no element memory")?;
        if memory.attribute("unit") != Some("MiB") {
            return Err(format!("its memory is counted in {:?} instead of MiB", memory.attribute("unit")));
        }
        items.push(("memory.startup-mib".to_owned(), text(Some(memory))));
        items.push(("processors.count".to_owned(), text(child(root, "vcpu"))));
        let shares = path(root, &["cputune", "shares"]);
        items.extend(shares.map(|shares| ("processors.weight".to_owned(), text(Some(shares)))));
        let quota = path(root, &["cputune", "quota"]).map(|quota| text(Some(quota)));
        items.push(("processors.limit".to_owned(), quota.unwrap_or_else(|| "100000".to_owned())));
        Ok(())
    }

    fn firmware(&self, root: Node, source: Node, items: &mut Vec<(String, String)>) {
        if source.attribute("uuid") == Some("bios-guid") {
            items.push(("firmware.bios-guid".to_owned(), text(child(root, "uuid")).to_uppercase()));
        }
        let entries = [
            ("system", "serial", "firmware.bios-serial-number"),
            ("baseBoard", "serial", "firmware.base-board-serial-number"),
            ("chassis", "serial", "firmware.chassis-serial-number"),
            ("chassis", "asset", "firmware.chassis-asset-tag"),
        ];
        for (group, name, item) in entries {
            let group = path(root, &["sysinfo", group]);
            let entry = group.and_then(|group| group.children().find(|entry| entry.attribute("name") == Some(name)));
            items.extend(entry.map(|entry| (item.to_owned(), text(Some(entry)))));
        }
        let boot = child(root, "os").into_iter().flat_map(|os| os.children());
        let boot = boot.filter(|node| node.has_tag_name("boot")).filter_map(|node| node.attribute("dev"));
        let words: Vec<&str> = boot.map(boot_word).collect();
        if !words.is_empty() {
            items.push(("firmware.boot-order".to_owned(), words.join(" ")));
        }
    }

    fn drives(&self, root: Node, source: Node, items: &mut Vec<(String, String)>) -> Result<(), String> {
        let devices = child(root, "devices").ok_or("it has no element devices")?;
        let slots = source.children().filter(|node| node.has_tag_name((NAMESPACE, "drive")));
        let slots: BTreeMap<&str, &str> =
            slots.filter_map(|node| Some((node.attribute("target")?, node.attribute("slot")?))).collect();
        for disk in devices.children().filter(|node| node.has_tag_name("disk")) {
            let target = child(disk, "target").and_then(|target| target.attribute("dev")).unwrap_or_default();
            let Some(slot) = slots.get(target) else { continue };
            let file = child(disk, "source").and_then(|source| source.attribute("file"));
            let relative = file.map(|file| Path::new(file).strip_prefix(self.root).unwrap_or(Path::new(file)));
            let word = if disk.attribute("device") == Some("disk") { "disk" } else { "image" };
            let value = relative.map(|relative| format!("{word} {}", relative.display()));
            items.push((format!("drive.{slot}"), value.unwrap_or_else(|| "empty dvd".to_owned())));
        }
        Ok(())
    }

    fn adapters(&self, root: Node, source: Node, items: &mut Vec<(String, String)>) -> Result<(), String> {
        let devices = child(root, "devices").ok_or("it has no element devices")?;
        let interfaces = devices.children().filter(|node| node.has_tag_name("interface"));
        let adapters = source.children().filter(|node| node.has_tag_name((NAMESPACE, "adapter")));
        for (index, (interface, adapter)) in interfaces.zip(adapters).enumerate() {
            let mut add = |item: &str, value: String| items.push((format!("adapter{index}.{item}"), value));
            add("name", adapter.attribute("name").unwrap_or_default().to_owned());
            if adapter.attribute("mac-is-static") == Some("true") {
                let mac = child(interface, "mac").and_then(|mac| mac.attribute("address")).unwrap_or_default();
                let mac: MacAddress = mac.parse().map_err(|error| format!("{error}"))?;
                add("mac-is-static", "true".to_owned());
                add("mac", mac.to_string());
            }
            if let Some(network) = child(interface, "source").and_then(|source| source.attribute("network")) {
                add("switch", self.networks.get(network).cloned().unwrap_or_else(|| network.to_owned()));
            }
        }
        Ok(())
    }
}

fn boot_word(device: &str) -> &str {
    match device {
        "fd" => "floppy",
        "cdrom" => "optical",
        "hd" => "hard-drive",
        other => other,
    }
}
