//! Machines that were exported give what they gave on their host, without the host; what was not exported is told.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use hvm_formats::io::read_whole;
use hvm_model::found::Found;
use hvm_model::inventory::Inventory;
use hvm_model::names::WindowsPath;
use hvm_model::vm::{Machine, Media};
use hvm_sources::Source;
use hvm_testkit::sample::{self, SampleHost, Variant, ids};

struct Exported {
    _folder: tempfile::TempDir,
    path: PathBuf,
    host: SampleHost,
    before: Inventory,
}

/// What Hyper-V's export of these machines leaves: configurations and disks, each below the folder of its machine.
fn exported(machines: &[(&str, &str)]) -> Exported {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let host = sample::write(&source, Variant::Default).unwrap();
    let from = hvm_sources::open(&format!("folder:{}", source.display())).unwrap();
    let before = from.inventory().unwrap();
    let path = folder.path().join("my exports?");
    for (id, name) in machines {
        let machine = before.machine(&id.parse().unwrap()).unwrap();
        export(&*from, &before, machine, &path.join(name.replace(['&', '"', '<', '>'], "_")));
    }
    Exported { path, host, before, _folder: folder }
}

fn export(from: &dyn Source, inventory: &Inventory, machine: &Machine, to: &Path) {
    let copy = |path: &WindowsPath, folder: &str| {
        let bytes = read_whole(&*from.open_file(path).unwrap(), 1 << 28).unwrap();
        fs::create_dir_all(to.join(folder)).unwrap();
        fs::write(to.join(folder).join(path.file_name()), bytes).unwrap();
    };
    copy(&machine.configuration_file, "Virtual Machines");
    for checkpoint in &machine.checkpoints {
        copy(&WindowsPath::new(&checkpoint.place.file), "Snapshots");
    }
    let states = machine.checkpoints.iter().map(|checkpoint| &checkpoint.configuration);
    for drive in states.chain([&machine.configuration]).flat_map(|state| &state.drives) {
        if let Media::VirtualDisk { path } = &drive.media {
            for file in inventory.chain(path) {
                copy(&file.path, "Virtual Hard Disks");
            }
        }
    }
}

impl Exported {
    fn uri(&self) -> String {
        format!("export:{}", self.path.display().to_string().replace('?', "%3F"))
    }
}

/// A machine without where its files lie.
fn lasting(machine: &Machine) -> Machine {
    let mut machine = machine.clone();
    machine.configuration_file = WindowsPath::new("");
    machine.registered_by = None;
    machine
}

/// As JSON without places and folders.
fn json(machine: &Machine) -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                map.remove("place");
                // Where a file lies now is another place; its name stays.
                if let Some(serde_json::Value::String(path)) = map.get_mut("path") {
                    *path = WindowsPath::new(path).file_name().to_owned();
                }
                map.values_mut().for_each(strip);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(lasting(machine)).unwrap();
    strip(&mut value);
    value
}

#[test]
fn exported_machines_are_read_with_their_disks_and_checkpoints() {
    let exported = exported(&[ids::TREE, ids::BOOT]);
    let source = hvm_sources::open(&exported.uri()).unwrap();
    let described = source.describe();
    assert_eq!((described.reach.as_str(), described.layout.as_str()), ("folder", "export"));
    let inventory = source.inventory().unwrap();
    assert_eq!(inventory.problems, []);
    assert_eq!(inventory.machines.len(), 2);
    for machine in &inventory.machines {
        let before = exported.before.machine(&machine.id).unwrap();
        let (mut found, mut wanted) = (json(machine), json(before));
        // What a connection is called on the host only its registry says.
        for value in [&mut found, &mut wanted] {
            for state in value["checkpoints"].as_array_mut().unwrap().iter_mut().map(|one| &mut one["configuration"]) {
                state["adapters"].take();
            }
            value["configuration"]["adapters"].take();
        }
        assert_eq!(found, wanted, "{}", machine.name);
    }
    let mut compared = 0;
    for disk in exported.host.disks.iter().filter(|disk| [ids::TREE.0, ids::BOOT.0].contains(&disk.machine.as_str())) {
        let opened = source.open_disk(&WindowsPath::new(&disk.windows_path)).unwrap();
        let mut bytes = vec![0; opened.size() as usize];
        opened.read_at(0, &mut bytes).unwrap();
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), disk.blake3, "{}", disk.windows_path);
        compared += 1;
    }
    assert!(compared >= 5, "{compared}");
    // The host is not there, and that is said.
    assert!(matches!(&inventory.host.computer_name, Found::Unknown { reason } if reason.contains("export")));
    for item in ["Virtual networks", "Firewall rules", "Network adapters"] {
        let unknown = inventory.unknowns.iter().find(|unknown| unknown.item == item).unwrap();
        assert!(unknown.reason.contains("does not hold the hive"), "{}", unknown.reason);
    }
    assert_eq!(source.fingerprint(&inventory).unwrap(), source.fingerprint(&inventory).unwrap());
}

#[test]
fn one_machine_alone_and_what_is_missing_or_of_another_release() {
    let exported = exported(&[ids::BOOT]);
    let alone = fs::read_dir(&exported.path).unwrap().next().unwrap().unwrap().path();
    fs::write(alone.join("Virtual Machines/AAAAAAAA-0000-4000-8000-000000000009.exp"), "<DECLARATIONS/>").unwrap();
    let uri = format!("export:{}", alone.display().to_string().replace('?', "%3F"));
    let inventory = hvm_sources::open(&uri).unwrap().inventory().unwrap();
    assert_eq!(inventory.machines.len(), 1);
    let kinds: Vec<&str> = inventory.problems.iter().map(|problem| problem.kind.as_str()).collect();
    assert_eq!(kinds, ["machine.export-unread"]);
    fs::remove_dir_all(alone.join("Virtual Hard Disks")).unwrap();
    let inventory = hvm_sources::open(&uri).unwrap().inventory().unwrap();
    assert!(inventory.problems.iter().any(|problem| problem.kind == "disk.missing"), "{:#?}", inventory.problems);
    let told = |uri: &str| hvm_sources::open(uri).err().unwrap().to_string();
    assert!(
        told(&format!("export:{}", alone.join("Virtual Machines").display().to_string().replace('?', "%3F")))
            .contains("holds no exported machine")
    );
    assert!(told("export:").contains("names no folder"));
    assert!(told("export:/x?c=1").contains("%3F"));
    assert!(told("export:/nowhere").contains("/nowhere"));
}
