//! Spoils a finished sample for the malformed variants.

use super::{Planted, PlantedKind, SampleHost, Variant, ids};
use crate::vmxml::{MachineXml, Node};
use std::fs;
use std::io;
use std::path::Path;

/// Does to the files what the variant's name says.
pub(super) fn spoil(host: &mut SampleHost) -> io::Result<()> {
    match host.variant {
        Variant::TruncatedVhd => truncate_disk(host),
        Variant::MissingParent => remove_parent(host),
        Variant::HalfHive => halve_hive(host),
        Variant::UnknownXmlNode => add_unknown_nodes(host),
        Variant::TwoMachinesOneId => add_twin(host),
        _ => Ok(()),
    }
}

fn plant(host: &mut SampleHost, kind: PlantedKind, subject: &str) {
    host.planted.push(Planted { kind, subject: subject.to_owned() });
}

fn cut_in_half(path: &Path) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(path)?;
    file.set_len(file.metadata()?.len() / 2)
}

fn truncate_disk(host: &mut SampleHost) -> io::Result<()> {
    let Some(index) = host.disks.iter().position(|disk| disk.machine == ids::MEDIA.0) else { return Ok(()) };
    let disk = host.disks.remove(index);
    plant(host, PlantedKind::TruncatedVhd, &disk.windows_path);
    cut_in_half(&disk.path)
}

fn remove_parent(host: &mut SampleHost) -> io::Result<()> {
    let missing = super::tree::leaf_of_c();
    let path = host.path_of(&missing);
    host.disks.retain(|disk| !disk.chain.contains(&path));
    plant(host, PlantedKind::MissingParent, &missing);
    fs::remove_file(path)
}

fn halve_hive(host: &mut SampleHost) -> io::Result<()> {
    let hive = super::registry::SOFTWARE;
    plant(host, PlantedKind::HalfHive, hive);
    cut_in_half(&host.path_of(hive))
}

/// A container and a leaf of names that no release has, and a leaf of a type that does not exist.
fn add_unknown_nodes(host: &mut SampleHost) -> io::Result<()> {
    let machine = super::machines::processors(host.variant);
    let mut node = machine.to_node();
    node.push(Node::new("frobnication").with(Node::integer("level", 11)).with(Node::text("note", "unbekannt")));
    node.at("settings/memory").push(Node::boolean("crystalline", true));
    plant(host, PlantedKind::UnknownXmlNode, &machine.name);
    fs::write(&host.machine(&machine.id).config, node.to_utf16())
}

fn add_twin(host: &mut SampleHost) -> io::Result<()> {
    let twin = MachineXml::new(ids::PROCESSORS.0, ids::TWIN.1);
    plant(host, PlantedKind::TwoMachinesOneId, ids::PROCESSORS.0);
    let path = format!(r"{}\Virtual Machines\{}.xml", ids::HYPER_V_ROOT, ids::TWIN.0);
    fs::write(host.path_of(&path), twin.to_bytes())
}
