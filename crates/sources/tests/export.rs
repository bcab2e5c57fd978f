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

/// Writes text of a configuration anew.
fn change(path: &Path, from: &str, to: &str) {
    let bytes = fs::read(path).unwrap();
    let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text = String::from_utf16(&units).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to).encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
}

fn configuration(machine: &Path) -> PathBuf {
    fs::read_dir(machine.join("Virtual Machines")).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_file_that_may_be_another_disk_is_taken_for_none() {
    let exported = exported(&[ids::BOOT]);
    let first = fs::read_dir(&exported.path).unwrap().next().unwrap().unwrap().path();
    let disks: Vec<&str> = exported
        .host
        .disks
        .iter()
        .filter(|disk| disk.machine == ids::BOOT.0)
        .map(|disk| disk.windows_path.as_str())
        .collect();
    assert_eq!(disks.len(), 2);
    let kinds = |inventory: &Inventory| {
        inventory.problems.iter().map(|problem| problem.kind.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    // A machine of another host has its disks under the same paths.
    let second = exported.path.join("of another host");
    for folder in ["Virtual Machines", "Virtual Hard Disks"] {
        fs::create_dir_all(second.join(folder)).unwrap();
        for entry in fs::read_dir(first.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().replace(ids::BOOT.0, &other());
            fs::copy(&path, second.join(folder).join(name)).unwrap();
        }
    }
    change(&configuration(&second), ids::BOOT.0, &other());
    let source = hvm_sources::open(&exported.uri()).unwrap();
    let inventory = source.inventory().unwrap();
    assert_eq!(inventory.machines.len(), 2, "{:#?}", inventory.problems);
    assert!(kinds(&inventory).is_superset(&["disk.export-many-files", "disk.missing"].map(str::to_owned).into()));
    assert!(disks.iter().all(|disk| source.open_disk(&WindowsPath::new(disk)).is_err()));
    // Each alone is as it was.
    let uri = format!("export:{}", first.display().to_string().replace('?', "%3F"));
    assert_eq!(hvm_sources::open(&uri).unwrap().inventory().unwrap().problems, []);
    // Two disks of one name in two folders: the export has one file.
    let name = |path: &str| WindowsPath::new(path).file_name().to_owned();
    change(&configuration(&first), disks[1], &format!(r"E:\other\{}", name(disks[0])));
    let source = hvm_sources::open(&uri).unwrap();
    assert!(kinds(&source.inventory().unwrap()).contains("disk.export-one-file"));
    assert!(source.open_disk(&WindowsPath::new(disks[0])).is_err());
}

fn other() -> String {
    ids::BOOT.0.replace(&ids::BOOT.0[..4], "0BAD")
}
