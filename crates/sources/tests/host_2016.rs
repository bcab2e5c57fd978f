#![allow(clippy::unwrap_used, missing_docs)]
//! Hosts of Windows Server 2016 and later: configurations in tables, listed by `data.vmcx`, read from drives and from exports.

#[cfg(unix)]
mod dead_host;

use std::fs;
use std::path::{Path, PathBuf};

use hvm_model::finding::Subject;
use hvm_model::host::WindowsRelease;
use hvm_model::inventory::Inventory;
use hvm_model::vm::{Machine, MachineState, Media, SettingByHand};
use hvm_testkit::hvs::{HvsSpec, Key};
use hvm_testkit::sample_2016::{
    self, CHECKPOINT, DAMAGED, DATABASE, DISKS, ELSEWHERE, HYPER_V, LOST, OLD, UNLISTED, WEB, configuration, place,
    runtime, web,
};
use hvm_testkit::vmxml::Node;

struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let host = Host { folder: tempfile::tempdir().unwrap() };
        sample_2016::write(host.folder.path()).unwrap();
        host
    }

    fn at(&self, path: &str) -> PathBuf {
        place(self.folder.path(), path)
    }

    fn usual(&self, id: &str, end: &str) -> PathBuf {
        self.at(&format!(r"{HYPER_V}\Virtual Machines\{id}.{end}"))
    }

    fn list(&self) -> PathBuf {
        self.at(&format!(r"{HYPER_V}\data.vmcx"))
    }

    fn read(&self) -> Inventory {
        read(&format!("folder:{}", self.folder.path().display()))
    }
}

fn read(uri: &str) -> Inventory {
    hvm_sources::open(uri).unwrap().inventory().unwrap()
}

fn machine<'a>(inventory: &'a Inventory, id: &str) -> &'a Machine {
    inventory.machine(&id.parse().unwrap()).unwrap()
}

fn ids(inventory: &Inventory) -> Vec<&str> {
    let mut ids: Vec<&str> = inventory.machines.iter().map(|machine| machine.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

/// Kind and file of the problems of machines and their list.
fn problems(inventory: &Inventory) -> Vec<(&str, String)> {
    let of_machines = inventory
        .problems
        .iter()
        .filter(|problem| ["machine.", "checkpoint.", "disk."].iter().any(|start| problem.kind.starts_with(start)));
    let mut found: Vec<_> = of_machines
        .map(|problem| {
            let name = problem.place.file.rsplit('\\').next().unwrap_or_default().to_owned();
            (problem.kind.as_str(), name)
        })
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn listed_machines_are_found_wherever_they_are() {
    let host = Host::new();
    let inventory = host.read();
    assert_eq!(inventory.host.system.release.value(), Some(&WindowsRelease::Server2019));
    assert_eq!(ids(&inventory), [WEB, DATABASE, OLD]);
    let store = &inventory.host.settings.authorization;
    assert!(
        store.file.is_none() && !inventory.problems.iter().any(|problem| problem.kind.starts_with("authorization"))
    );
    let web = machine(&inventory, WEB);
    assert_eq!((web.name.as_str(), web.generation, web.version), ("Webserver & Größe", 1, Some((9, 0))));
    assert_eq!((&web.state, &web.registered_by), (&MachineState::Off, &None), "every machine has a .vmrs");
    assert_eq!(web.unknown_nodes, Vec::<String>::new());
    assert!(web.place.at.contains("byte offset"), "{}", web.place);
    assert_eq!(machine(&inventory, OLD).version, Some((5, 0)));
    assert_eq!(
        problems(&inventory),
        [
            ("machine.unreadable", format!("{LOST}.vmcx")),
            ("machine.unreadable", format!("{DAMAGED}.vmcx")),
            ("machine.unregistered", format!("{UNLISTED}.vmcx")),
        ]
    );
    let of = |id: &str| inventory.problems.iter().find(|problem| problem.message.contains(id)).unwrap();
    assert!(
        of(LOST).hint.contains(r"Virtual Machines Cache\") && of(LOST).hint.contains("may be older"),
        "{:?}",
        of(LOST)
    );
    let damaged = of(DAMAGED);
    assert!(damaged.message.contains("checksum") && damaged.place.at.contains("byte offset"), "{damaged:?}");
    assert!(!damaged.hint.contains("Cache"), "there is no copy of it");
    assert!(inventory.disks.iter().any(|disk| disk.path.as_str() == format!(r"{DISKS}\Platte 1.vhd")));
}

/// On D:, its configuration has a replay log that was not applied.
#[test]
fn a_saved_machine_of_generation_2_with_a_checkpoint_is_read() {
    let host = Host::new();
    let before = fs::read(host.at(&format!(r"{ELSEWHERE}\Virtual Machines\{DATABASE}.vmcx"))).unwrap();
    let inventory = host.read();
    let database = machine(&inventory, DATABASE);
    assert_eq!((database.generation, database.configuration.firmware.secure_boot), (2, Some(true)));
    assert!(database.configuration.firmware.boot_order.is_empty(), "generation 2 does not use it");
    let MachineState::Saved { state_file: Some(state), place, .. } = &database.state else { panic!("{database:?}") };
    assert_eq!(state.as_str(), format!(r"{ELSEWHERE}\Virtual Machines\{DATABASE}.vmrs"));
    assert!(place.at.starts_with("/savedstate (byte offset"), "{place}");
    let [checkpoint] = database.checkpoints.as_slice() else { panic!("{:?}", database.checkpoints) };
    assert_eq!((checkpoint.id.as_str(), checkpoint.name.as_str()), (CHECKPOINT, "Vor dem Update"));
    assert!(checkpoint.has_saved_state && checkpoint.created.is_some());
    assert_eq!(database.current_checkpoint.value().map(ToString::to_string).as_deref(), Some(CHECKPOINT));
    let disks = database.configuration.drives.iter().filter_map(|drive| match &drive.media {
        Media::VirtualDisk { path } => Some(path),
        _ => None,
    });
    let [path] = disks.collect::<Vec<_>>()[..] else { panic!("one disk") };
    let leaf = inventory.disks.iter().find(|disk| disk.path == *path).unwrap();
    assert_eq!(leaf.format, "vhdx-differencing");
    assert_eq!(leaf.parent.as_ref().unwrap().as_str(), format!(r"{ELSEWHERE}\Daten.vhdx"));
    // What a new machine does not have, and nothing else.
    assert_eq!(database.unknown_nodes, Vec::<String>::new());
    let [SettingByHand::NestedVirtualization { place }] = &database.by_hand[..] else {
        panic!("{:?}", database.by_hand)
    };
    assert!(place.at.contains("nested_virtualization/enabled"), "{place}");
    let tpm = inventory.machines.iter().map(|machine| (machine.id.as_str(), machine.configuration.firmware.tpm));
    assert!(tpm.into_iter().all(|(id, tpm)| tpm == (id == DATABASE).then_some(true)));
    let after = fs::read(host.at(&format!(r"{ELSEWHERE}\Virtual Machines\{DATABASE}.vmcx"))).unwrap();
    assert!(before == after, "the log is replayed in memory");
}

/// The machine without what can only be different: file, place, version.
fn comparable(inventory: &Inventory, id: &str) -> serde_json::Value {
    let mut json = serde_json::to_value(machine(inventory, id)).unwrap();
    strip(&mut json);
    json
}

fn strip(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(fields) => {
            for name in ["place", "configuration_file"] {
                fields.remove(name);
            }
            fields.values_mut().for_each(strip);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn a_machine_in_tables_equals_the_same_machine_in_xml() {
    let host = Host::new();
    let tables = host.read();
    fs::remove_file(host.list()).unwrap();
    fs::remove_file(host.usual(WEB, "vmcx")).unwrap();
    fs::write(host.usual(WEB, "xml"), web().to_utf16()).unwrap();
    let xml = host.read();
    assert!(machine(&xml, WEB).configuration_file.as_str().ends_with(".xml"));
    assert_eq!(comparable(&tables, WEB), comparable(&xml, WEB));
}

#[test]
fn without_the_list_the_usual_folders_are_read_and_that_is_told() {
    let host = Host::new();
    fs::remove_file(host.list()).unwrap();
    let inventory = host.read();
    // The folder for new machines is the one on D:.
    assert_eq!(ids(&inventory), [WEB, DATABASE, UNLISTED, OLD]);
    assert!(
        problems(&inventory).contains(&("machine.list-missing", "data.vmcx".to_owned())),
        "{:?}",
        problems(&inventory)
    );
    fs::write(host.list(), vec![0; 9000]).unwrap();
    let inventory = host.read();
    assert_eq!(ids(&inventory), [WEB, DATABASE, UNLISTED, OLD]);
    let told = inventory.problems.iter().find(|problem| problem.kind == "machine.list-unreadable").unwrap();
    assert!(told.message.contains("is no file of HyperVStorage"), "{}", told.message);
    fs::write(host.list(), configuration(&web())).unwrap();
    let told = host.read().problems.into_iter().find(|problem| problem.kind == "machine.list-unreadable").unwrap();
    assert!(told.message.contains("it has no key 'Configurations'"), "{}", told.message);
    // A host up to 2012 R2 has none, and misses nothing.
    fs::remove_file(host.list()).unwrap();
    for id in [WEB, DAMAGED, UNLISTED] {
        fs::remove_file(host.usual(id, "vmcx")).unwrap();
    }
    let inventory = host.read();
    assert_eq!((ids(&inventory), problems(&inventory)), (vec![OLD], Vec::new()));
}

#[test]
fn odd_lines_of_the_list_are_told_and_the_others_count() {
    let host = Host::new();
    let machines = Key::node("VirtualMachines")
        .with(Key::text("Default", "x"))
        .with(Key::text(&format!("_{LOST}_"), "no path"))
        .with(Key::text(
            &format!("_{WEB}_"),
            &format!(r"%ProgramData%\Microsoft\Windows\Hyper-V\Virtual Machines\{WEB}.vmcx"),
        ));
    let bytes = HvsSpec::default().write(&[Key::node("Configurations").with(machines)]);
    fs::write(host.list(), bytes).unwrap();
    let inventory = host.read();
    assert_eq!(ids(&inventory), [WEB, OLD]);
    let told: Vec<&str> = inventory
        .problems
        .iter()
        .filter(|problem| problem.kind == "machine.list-entry")
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told[1].contains("found 'no path'") && told[1].contains("byte offset"), "{told:?}");
}

#[test]
fn a_machine_on_a_drive_that_is_not_there_says_so() {
    let host = Host::new();
    let path = format!(r"E:\Maschinen\Virtual Machines\{WEB}.vmcx");
    let machines = Key::node("VirtualMachines").with(Key::text(&format!("_{WEB}_"), &path));
    fs::write(host.list(), HvsSpec::default().write(&[Key::node("Configurations").with(machines)])).unwrap();
    let told = host.read().problems.into_iter().find(|problem| problem.message.contains(r"E:\")).unwrap();
    assert_eq!(
        (told.kind.as_str(), told.hint.as_str()),
        ("machine.unreadable", "Map the drive, then read the source again.")
    );
}

#[test]
fn a_damaged_checkpoint_is_told_and_its_machine_is_read() {
    let host = Host::new();
    let file = host.at(&format!(r"{ELSEWHERE}\Snapshots\{CHECKPOINT}.vmcx"));
    let mut bytes = fs::read(&file).unwrap();
    // The first key of the first table, behind headers, object table and log.
    bytes[0xC000 + 40] ^= 1;
    fs::write(&file, bytes).unwrap();
    let inventory = host.read();
    assert!(machine(&inventory, DATABASE).checkpoints.is_empty());
    assert!(
        problems(&inventory).contains(&("checkpoint.unreadable", format!("{CHECKPOINT}.vmcx"))),
        "{:?}",
        problems(&inventory)
    );
}

#[test]
fn a_state_that_cannot_be_read_is_a_problem_of_its_machine() {
    let host = Host::new();
    let file = host.usual(WEB, "VMRS");
    fs::write(&file, &runtime(None)[..5000]).unwrap();
    let inventory = host.read();
    let told = inventory.problems.iter().find(|problem| problem.message.contains("off is taken")).unwrap();
    assert!(matches!(&told.subject, Subject::Machine { id, .. } if id.as_str() == WEB), "{told:?}");
    assert!(told.message.contains("is not known; off is taken"), "{}", told.message);
    fs::write(&file, runtime(Some("Fast"))).unwrap();
    assert!(matches!(machine(&host.read(), WEB).state, MachineState::Saved { .. }));
    fs::remove_file(&file).unwrap();
    let inventory = host.read();
    assert_eq!(machine(&inventory, WEB).state, MachineState::Off);
    assert!(!inventory.problems.iter().any(|problem| problem.message.contains("off is taken")));
}

/// A change of the web server's configuration.
fn with(host: &Host, change: impl FnOnce(&mut Node)) -> Inventory {
    let mut node = web();
    change(&mut node);
    fs::write(host.usual(WEB, "vmcx"), configuration(&node)).unwrap();
    host.read()
}

#[test]
fn another_template_of_secure_boot_is_told_and_that_of_windows_is_not() {
    const LEAF: &str = "secure_boot_template_id";
    let host = Host::new();
    let found = |text: &str| {
        let inventory = with(&host, |node| {
            let bios = node.at("_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_");
            bios.remove(LEAF);
            bios.push(Node::text(LEAF, text));
        });
        let web = machine(&inventory, WEB);
        assert_eq!(web.unknown_nodes, Vec::<String>::new());
        web.by_hand.clone()
    };
    assert_eq!(found("00000000-0000-0000-0000-000000000000"), []);
    assert_eq!(found("1734C6E8-3154-4DDA-BA5F-A874CC483422"), []);
    let [SettingByHand::SecureBootTemplate { id, .. }] = &found("{272E7447-90A4-4563-A4B9-8E4AB00526CE}")[..] else {
        panic!("it is another one");
    };
    assert_eq!(id, "272e7447-90a4-4563-a4b9-8e4ab00526ce");
}

#[test]
fn shared_disks_are_told() {
    const DRIVE: &str = "_83f8638b-8dca-4152-9eda-2ca8b33039b4_/controller0/drive0";
    let host = Host::new();
    let inventory = with(&host, |node| {
        node.at(DRIVE).push(Node::boolean("persistent_reservations_supported", true));
    });
    let told = inventory.problems.iter().find(|problem| problem.message.contains("is shared")).unwrap();
    assert_eq!(told.kind, "disk.shared");
    assert!(
        told.message.contains("is shared with other machines") && told.message.contains("Platte 1.vhd"),
        "{told:?}"
    );
    assert!(
        matches!(&told.subject, Subject::Disk { machine, path, .. } if machine.as_str() == WEB && path.file_name() == "Platte 1.vhd")
    );
    assert!(inventory.disks.iter().any(|disk| disk.path.file_name() == "Platte 1.vhd"), "it is read all the same");
    let backing = r"D:\Festplatten\Gemeinsam_7C1D0000-0000-0000-0000-000000000001.avhdx";
    fs::create_dir_all(host.at(backing).parent().unwrap()).unwrap();
    fs::write(host.at(backing), b"vhdxfile").unwrap();
    let inventory = with(&host, |node| {
        let drive = node.at("_83f8638b-8dca-4152-9eda-2ca8b33039b4_/controller1/drive9");
        drive.push(Node::text("pathname", r"D:\Festplatten\Gemeinsam.vhds"));
        drive.push(Node::text("type", "VHD"));
        drive.push(Node::boolean("persistent_reservations_supported", true));
    });
    let told = inventory.problems.iter().find(|problem| problem.kind == "disk.vhd-set").unwrap();
    assert!(
        told.message.contains("Gemeinsam.vhds' is a VHD set") && told.message.contains("'Gemeinsam_7C1D"),
        "{told:?}"
    );
    let convert = r"Convert-VHD -Path 'D:\Festplatten\Gemeinsam.vhds' -DestinationPath 'D:\Festplatten\Gemeinsam.vhdx'";
    assert!(told.hint.contains(convert), "{}", told.hint);
    assert!(!inventory.problems.iter().any(|problem| problem.kind == "disk.shared"), "it is told once");
    assert!(!inventory.disks.iter().any(|disk| disk.path.file_name().contains("Gemeinsam")), "nothing is guessed");
}

#[test]
fn a_changed_list_is_a_changed_source() {
    let host = Host::new();
    let source = hvm_sources::open(&format!("folder:{}", host.folder.path().display())).unwrap();
    let inventory = source.inventory().unwrap();
    let before = source.fingerprint(&inventory).unwrap();
    assert_eq!(source.fingerprint(&inventory).unwrap(), before);
    let mut bytes = fs::read(host.list()).unwrap();
    bytes.extend([0; 4096]);
    fs::write(host.list(), bytes).unwrap();
    assert_ne!(source.fingerprint(&inventory).unwrap(), before);
}

/// The disks of the host without their letters in its registry, which are named.
#[cfg(unix)]
#[test]
fn the_disks_of_a_host_give_the_inventory_of_its_folders() {
    if !dead_host::can_make() {
        return;
    }
    let host = Host::new();
    let folder = tempfile::tempdir().unwrap();
    let [system, data] = dead_host::disks(folder.path(), host.folder.path(), |_| {});
    let disks = read(&format!("image:{},{}?c=1:2&d=2:1", system.display(), data.display()));
    let folders = host.read();
    assert_eq!(ids(&disks), [WEB, DATABASE, OLD]);
    assert!(disks.machines == folders.machines);
    assert_eq!(problems(&disks), problems(&folders));
    let paths = |inventory: &Inventory| inventory.disks.iter().map(|disk| disk.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&disks), paths(&folders));
}

/// The list of files that the script writes, for all files below a drive; the folders of the drives are where it puts what it takes.
fn collected(folder: &Path, windows: &str, taken: &dyn Fn(&str) -> bool, lines: &mut Vec<String>) {
    lines.push(format!("folder\t{windows}"));
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let below = format!(r"{windows}\{name}");
        if path.is_dir() {
            collected(&path, &below, taken, lines);
            continue;
        }
        let how = if taken(&name) { "collected" } else { "listed" };
        lines.push(format!("file\t{}\t20240101101200\t{how}\t{below}", fs::metadata(&path).unwrap().len()));
        if !taken(&name) {
            fs::remove_file(&path).unwrap();
        }
    }
}

/// The script takes configurations, the list and small states; of a large one nobody knows what it holds.
#[test]
fn a_collection_has_the_machines_of_its_host() {
    let host = Host::new();
    let mut lines = vec!["hvmigrate-collection\t1".to_owned()];
    let large = format!("{DATABASE}.vmrs");
    let taken = |name: &str| {
        let ends = [".vmcx", ".xml", ".VMRS", ".vmrs"].iter().any(|end| name.ends_with(end));
        name != large && (ends || ["SYSTEM", "SOFTWARE"].contains(&name))
    };
    let whole = host.read();
    for drive in ["C", "D"] {
        collected(&host.folder.path().join(drive), &format!("{drive}:"), &taken, &mut lines);
    }
    lines.push("end\t0".to_owned());
    fs::write(host.folder.path().join("files.txt"), lines.join("\r\n")).unwrap();
    let inventory = host.read();
    assert_eq!(ids(&inventory), ids(&whole));
    assert_eq!(machine(&inventory, WEB).configuration, machine(&whole, WEB).configuration);
    assert!(machine(&inventory, DATABASE).checkpoints[0].has_saved_state);
    let told = inventory.problems.iter().find(|problem| problem.message.contains("off is taken")).unwrap();
    assert!(told.message.contains("was listed when the host was collected"), "{}", told.message);
    assert!(told.message.contains("is not known") && told.kind == "machine.saved-state-unreadable", "{told:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

/// As `Export-VM` of 2016 and later lays a machine out.
fn export(host: &Host, disks: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("Datenbank");
    let from = |path: &str| host.at(&format!(r"{ELSEWHERE}\{path}"));
    for end in ["vmcx", "vmrs", "vmgs"] {
        let name = format!("{DATABASE}.{end}");
        copy(&from(&format!(r"Virtual Machines\{name}")), &root.join("Virtual Machines").join(name));
    }
    for end in ["vmcx", "vmrs"] {
        let name = format!("{CHECKPOINT}.{end}");
        copy(&from(&format!(r"Snapshots\{name}")), &root.join("Snapshots").join(name));
    }
    if disks {
        for name in ["Daten.vhdx".to_owned(), format!("Daten_{CHECKPOINT}.avhdx")] {
            copy(&from(&name), &root.join("Virtual Hard Disks").join(name));
        }
    }
    folder
}

#[test]
fn an_export_gives_the_machine_of_its_host() {
    let host = Host::new();
    let folder = export(&host, true);
    let exported = read(&format!("export:{}", folder.path().display()));
    assert_eq!(ids(&exported), [DATABASE]);
    assert_eq!(problems(&exported), []);
    let found = machine(&exported, DATABASE);
    let there = host.read();
    let expected = machine(&there, DATABASE);
    assert_eq!((&found.name, found.generation), (&expected.name, expected.generation));
    assert_eq!(found.configuration.memory, expected.configuration.memory);
    assert_eq!(found.configuration.firmware, expected.configuration.firmware);
    assert_eq!(found.checkpoints.len(), 1);
    assert!(matches!(found.state, MachineState::Saved { .. }) && found.checkpoints[0].has_saved_state);
    let disk = exported.disks.iter().find(|disk| disk.format == "vhdx-differencing").unwrap();
    assert!(disk.parent.as_ref().unwrap().as_str().ends_with("Daten.vhdx"));
}

#[test]
fn an_export_without_disks_gives_the_machine_and_says_what_is_missing() {
    let host = Host::new();
    let folder = export(&host, false);
    let exported = read(&format!("export:{}", folder.path().join("Datenbank").display()));
    assert_eq!(ids(&exported), [DATABASE]);
    let kinds: Vec<&str> = problems(&exported).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["disk.missing", "disk.missing"]);
}
