#![allow(clippy::unwrap_used, missing_docs)]
//! The inventory of the whole sample host, compared with what was written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hvm_model::found::Found;
use hvm_model::host::{Edition, Installation, WindowsRelease};
use hvm_model::inventory::Inventory;
use hvm_model::names::{ByteSize, MacAddress, WindowsPath};
use hvm_model::network::SwitchKind;
use hvm_model::vm::{
    AdapterKind, BootDevice, Connection, Controller, IntegrationService, Machine, MachineState, Media, StartAction,
    StopAction,
};
use hvm_sources::Source;
use hvm_testkit::sample::{self, NetworkKind, SampleHost, Variant, ids};

struct Read {
    _folder: tempfile::TempDir,
    host: SampleHost,
    source: Box<dyn Source>,
    inventory: Inventory,
}

fn read(variant: Variant) -> Read {
    let folder = tempfile::tempdir().unwrap();
    let host = sample::write(folder.path(), variant).unwrap();
    let source = hvm_sources::open(&format!("folder:{}", folder.path().display())).unwrap();
    let inventory = source.inventory().unwrap();
    Read { _folder: folder, host, source, inventory }
}

fn machine<'a>(inventory: &'a Inventory, id: &str) -> &'a Machine {
    inventory.machine(&id.parse().unwrap()).unwrap()
}

fn value<T: Clone>(found: &Found<T>) -> T {
    found.value().cloned().unwrap()
}

#[test]
fn the_host_is_read_from_its_hives() {
    let read = read(Variant::Default);
    let host = &read.inventory.host;
    assert_eq!(value(&host.computer_name), ids::COMPUTER_NAME, "the log of SYSTEM counts");
    assert_eq!(value(&host.domain), "muster.example");
    assert_eq!(value(&host.system.release), WindowsRelease::Server2008R2);
    assert_eq!(value(&host.system.edition), Edition::Enterprise);
    assert_eq!(value(&host.system.installation), Installation::Full);
    assert_eq!((value(&host.system.build), value(&host.system.service_pack)), (7601, 1));
    assert_eq!(value(&host.system.ui_language), "0407");
    assert_eq!(value(&host.logical_processors), 8);
    assert!(value(&host.hyper_v_installed));
    let roles: Vec<&str> = host.other_roles.iter().map(|role| role.service.as_str()).collect();
    assert_eq!(roles, ["DHCPServer"]);
    assert_eq!(host.cluster, None);
    let place = host.computer_name.place().unwrap();
    assert_eq!(place.file, r"C:\Windows\System32\config\SYSTEM");
    assert_eq!(place.at, r"HKLM\SYSTEM\ControlSet001\Control\ComputerName\ComputerName: ComputerName");
}

#[test]
fn hyper_v_settings_and_security_are_read() {
    let read = read(Variant::Default);
    let host = &read.inventory.host;
    let range = value(&host.settings.mac_range).unwrap();
    assert_eq!(
        (range.minimum.to_string(), range.maximum.to_string()),
        (mac("00-15-5D-0A-00-00"), mac("00-15-5D-0A-00-FF"))
    );
    assert_eq!(value(&host.settings.virtual_hard_disk_path).as_str(), r"D:\Hyper-V\Festplatten");
    assert_eq!((value(&host.settings.vmq_ten_gigabit), value(&host.settings.vmq_below_ten_gigabit)), (1, 2));
    assert!(host.settings.numa_spanning.value().is_none(), "its name is not documented");
    let [assignment] = host.settings.authorization.assignments.as_slice() else { panic!("one assignment") };
    assert!(!assignment.is_default && assignment.members.contains(&ids::STORE_MEMBER_SID.to_owned()));
    assert_eq!(host.settings.authorization.operations, 12);
    let added: Vec<(&str, &str)> = host
        .remote_administration
        .dcom
        .iter()
        .flat_map(|dcom| dcom.added.iter().map(|entry| (dcom.name.as_str(), entry.sid.as_str())))
        .collect();
    assert_eq!(added, [("MachineLaunchRestriction", ids::DCOM_GROUP_SID)]);
    assert!(host.remote_administration.dcom.iter().all(|dcom| dcom.removed.is_empty()));
    let changes: Vec<(&str, bool)> =
        host.firewall.changes.iter().map(|change| (change.id.as_str(), change.user_made)).collect();
    assert_eq!(
        changes,
        [
            ("VIRT-REMOTEDESKTOP-In-TCP-NoScope", false),
            ("VIRT-WMI-RPCSS-In-TCP-NoScope", false),
            (ids::USER_RULE, true)
        ]
    );
    assert_eq!(host.firewall.hyper_v_rules, 11);
}

fn mac(text: &str) -> String {
    text.parse::<MacAddress>().unwrap().to_string()
}

#[test]
fn networks_are_concluded_with_their_evidence() {
    let read = read(Variant::Default);
    assert_eq!(read.inventory.switches.len(), read.host.networks.len());
    for network in &read.host.networks {
        let switch = read.inventory.switch(&network.id.parse().unwrap()).unwrap();
        assert_eq!(switch.name, network.name);
        let wanted = match network.kind {
            NetworkKind::External => SwitchKind::External,
            NetworkKind::Internal => SwitchKind::Internal,
            NetworkKind::Private => SwitchKind::Private,
        };
        assert!(matches!(&switch.kind, Found::Inferred { value, .. } if *value == wanted), "{:?}", switch.kind);
        let uplink = switch.uplink.value().map(|id| format!("{{{id}}}"));
        assert_eq!(uplink, network.uplink, "{}", network.name);
        let own = read.inventory.management_adapters.iter().find(|nic| nic.switch.value() == Some(&switch.id));
        assert_eq!(own.map(|nic| format!("{{{}}}", nic.id)), network.management, "{}", network.name);
    }
    let names: Vec<&str> = read.inventory.adapters.iter().map(|nic| nic.connection.as_str()).collect();
    assert_eq!(names, ["LAN-Verbindung", "LAN-Verbindung 2", "LAN-Verbindung 東"]);
    let bound: Vec<bool> = read.inventory.adapters.iter().map(|nic| nic.bound_to_switch).collect();
    assert_eq!(bound, [false, true, true]);
    let host = read.inventory.management_adapters.iter().find(|nic| nic.connection == ids::EXTERN_1.1).unwrap();
    assert_eq!(host.ip.addresses, ["192.168.10.5/24", "192.168.10.6/24"]);
    assert_eq!(
        (&host.ip.gateways[..], &host.ip.wins_servers[..]),
        (&["192.168.10.1".to_owned()][..], &["192.168.10.2".to_owned()][..])
    );
    assert_eq!(host.ip.dns_servers, ["192.168.10.2", "192.168.10.3"]);
    assert_eq!(value(&host.mac).to_string(), "00-15-5D-0A-0B-0C");
    assert_eq!(read.inventory.persistent_routes, ["10.99.0.0,255.255.0.0,192.168.10.254,1"]);
    assert_eq!(read.inventory.adapters[1].queue_keywords.get("*VMQ").unwrap(), "0");
}

#[test]
fn machines_are_read_whole() {
    let read = read(Variant::Default);
    let inventory = &read.inventory;
    assert_eq!(inventory.machines.len(), read.host.machines.len());
    for written in &read.host.machines {
        let machine = machine(inventory, &written.id);
        assert_eq!(machine.name, written.name);
        assert_eq!(machine.version, Some((3, 0)));
        assert_eq!(machine.generation, 1);
        assert_eq!(machine.configuration_file, WindowsPath::new(&written.config_windows_path));
        let linked = written.registered_as != written.config_windows_path;
        assert_eq!(machine.registered_by, linked.then(|| WindowsPath::new(&written.registered_as)), "{}", written.name);
        assert_eq!(machine.unknown_nodes, Vec::<String>::new(), "{}", written.name);
    }
    let files = machine(inventory, ids::FILES.0);
    assert!(files.notes.contains("Größe & <Preis>\n") && files.notes.contains("日本語"));
    assert!(files.configuration.processors.compatibility_for_migration);
    let pipes = [r"\\.\pipe\datei-druck", r"\\.\pipe\datei-druck 2"].map(|pipe| Some(pipe.to_owned()));
    assert_eq!(files.configuration.com_ports, pipes);
    assert_eq!(files.configuration.disabled_integration_services, [IntegrationService::Vss]);
    assert!(!files.configuration.guest_services);
    assert_eq!(
        (files.configuration.actions.start, files.configuration.actions.stop),
        (StartAction::Start, StopAction::ShutDown)
    );
    assert_eq!(files.configuration.scsi_controllers, 1);
    let [fast, legacy] = files.configuration.adapters.as_slice() else { panic!("two adapters") };
    assert_eq!(
        (fast.kind, fast.mac_is_static, fast.mac.to_string()),
        (AdapterKind::Synthetic, true, mac("00-15-5D-CA-FE-02"))
    );
    assert_eq!(legacy.kind, AdapterKind::Legacy);
    let Connection::Switch { name, .. } = &fast.connection else { panic!("connected") };
    assert_eq!(name.as_deref(), Some(ids::EXTERN_2.1));
    let Found::Unknown { reason } = &fast.vlan else { panic!("a VLAN is not guessed") };
    assert!(reason.contains("AccessVlan=42"), "{reason}");
    let Found::Unknown { reason } = &legacy.vlan else { panic!("a VLAN is not guessed") };
    assert!(reason.contains("no further values"), "{reason}");
    let order = &machine(inventory, ids::BOOT.0).configuration.firmware.boot_order;
    assert_eq!(order.first(), Some(&BootDevice::HardDrive));
    let processors = machine(inventory, ids::PROCESSORS.0).configuration.processors.clone();
    assert_eq!((processors.count, processors.limit, processors.reserve, processors.weight), (4, 75_000, 10_000, 200));
    let memory = &machine(inventory, ids::MEMORY.0).configuration.memory;
    assert_eq!(
        (memory.startup_mib, memory.maximum_mib, memory.dynamic, memory.buffer_percent, memory.weight),
        (65_536, 131_072, true, 25, 8000)
    );
}

#[test]
fn media_and_saved_states_are_read() {
    let read = read(Variant::Default);
    let media = machine(&read.inventory, ids::MEDIA.0);
    let kinds: Vec<(String, &Media)> =
        media.configuration.drives.iter().map(|drive| (drive.slot_name(), &drive.media)).collect();
    assert!(matches!(kinds[0], (_, Media::VirtualDisk { .. })));
    assert!(
        matches!(&kinds[1], (slot, Media::PassThrough { identity, .. }) if slot == "ide0-1" && identity == r"\\.\PHYSICALDRIVE2")
    );
    assert!(matches!(&kinds[2], (slot, Media::Iso { .. }) if slot == "ide1-0"));
    assert!(matches!(&kinds[3], (slot, Media::Floppy { .. }) if slot == "floppy0-0"));
    assert_eq!(read.inventory.media.len(), 2);
    assert!(read.inventory.media.iter().all(|file| file.size.is_some_and(|size| size.0 > 0)));
    let saved = machine(&read.inventory, ids::SAVED.0);
    let MachineState::Saved { memory_file: Some(memory), state_file: Some(state), .. } = &saved.state else {
        panic!("{:?}", saved.state)
    };
    assert!(memory.as_str().ends_with(".bin") && state.as_str().ends_with(".vsv"));
    assert!(!read.source.open_file(memory).unwrap().is_empty());
    let off = read.inventory.machines.iter().filter(|machine| machine.state == MachineState::Off).count();
    assert_eq!(off, read.inventory.machines.len() - 1);
}

#[test]
fn checkpoints_form_the_tree_that_was_made() {
    let read = read(Variant::Default);
    let tree = machine(&read.inventory, ids::TREE.0);
    let found: Vec<(&str, &str, Option<&str>)> = tree
        .checkpoints
        .iter()
        .map(|checkpoint| {
            let parent = checkpoint.parent.value().unwrap().as_ref().map(|id| id.as_str());
            (checkpoint.id.as_str(), checkpoint.name.as_str(), parent)
        })
        .collect();
    let (a, b, c) = (ids::CHECKPOINT_A, ids::CHECKPOINT_B, ids::CHECKPOINT_C);
    assert_eq!(found, [(a.0, a.1, None), (b.0, b.1, Some(a.0)), (c.0, c.1, Some(a.0))]);
    assert_eq!(value(&tree.current_checkpoint).as_str(), c.0);
    assert!(tree.checkpoints.iter().all(|checkpoint| checkpoint.created.is_some()));
    assert!(
        read.inventory
            .machines
            .iter()
            .filter(|machine| machine.id != tree.id)
            .all(|machine| machine.checkpoints.is_empty())
    );
}

fn slot(controller: Controller, number: u8, slot: u8) -> String {
    match controller {
        Controller::Ide => format!("IDE {number}:{slot}"),
        Controller::Scsi => format!("SCSI {slot}"),
        Controller::Floppy => "floppy".to_owned(),
    }
}

#[test]
fn disks_have_their_chains_and_sizes() {
    let read = read(Variant::Default);
    let inventory = &read.inventory;
    let mut seen = 0;
    for disk in &read.host.disks {
        let machine = machine(inventory, &disk.machine);
        let configuration = match &disk.checkpoint {
            None => &machine.configuration,
            Some(id) => {
                &machine.checkpoints.iter().find(|checkpoint| checkpoint.id.as_str() == id).unwrap().configuration
            }
        };
        let drive =
            configuration.drives.iter().find(|drive| slot(drive.controller, drive.number, drive.slot) == disk.slot);
        let Media::VirtualDisk { path } = &drive.unwrap().media else { panic!("{} holds a disk", disk.slot) };
        assert_eq!(*path, WindowsPath::new(&disk.windows_path));
        let chain = inventory.chain(path);
        assert_eq!(chain.len(), disk.chain.len(), "{path}");
        assert_eq!(chain[0].virtual_size, ByteSize(disk.virtual_size), "{path}");
        let names: Vec<&str> = chain.iter().map(|file| file.path.file_name()).collect();
        let wanted: Vec<_> = disk.chain.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, wanted);
        seen += 1;
    }
    assert!(seen > 8);
    let expanded = inventory.disks.iter().find(|disk| disk.path.file_name() == "Peter's Disk #1.vhd").unwrap();
    assert!(expanded.geometry_size.unwrap().0 < expanded.virtual_size.0 / 2, "it was expanded after it was made");
    assert!(inventory.disks.iter().all(|disk| disk.remarks.is_empty()));
}

#[test]
fn disk_contents_are_those_that_were_written() {
    let read = read(Variant::Default);
    for sample in &read.host.disks {
        let disk = read.source.open_disk(&WindowsPath::new(&sample.windows_path)).unwrap();
        assert_eq!(hash(&*disk), sample.blake3, "{}", sample.windows_path);
        let alone = hvm_sources::open_disk_file(&sample.path, &hvm_sources::ChainOptions::default()).unwrap();
        assert_eq!(hash(&*alone), sample.blake3, "{} by itself", sample.windows_path);
    }
}

fn hash(disk: &dyn hvm_formats::disk::VirtualDisk) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    while at < disk.size() {
        let len = (disk.size() - at).min(buffer.len() as u64) as usize;
        disk.read_at(at, &mut buffer[..len]).unwrap();
        hasher.update(&buffer[..len]);
        at += len as u64;
    }
    hasher.finalize().to_hex().to_string()
}

#[test]
fn nothing_is_a_problem_where_nothing_is_wrong() {
    for variant in [Variant::Default, Variant::HyperVServer, Variant::Source2012, Variant::Cluster, Variant::Clean] {
        let read = read(variant);
        assert_eq!(read.inventory.problems, [], "{variant:?}");
        let mut items: Vec<&str> = read.inventory.unknowns.iter().map(|unknown| unknown.item.as_str()).collect();
        let all = items.len();
        items.sort_unstable();
        items.dedup();
        assert_eq!(items.len(), all, "each unknown once");
    }
}

#[test]
fn the_variants_show_what_they_are() {
    let edition = read(Variant::HyperVServer).inventory.host.system;
    assert_eq!((value(&edition.edition), value(&edition.installation)), (Edition::HyperVServer, Installation::Core));
    let newer = read(Variant::Source2012).inventory;
    assert_eq!(value(&newer.host.system.release), WindowsRelease::Server2012);
    assert_eq!(newer.machines[0].version, Some((4, 0)));
    let cluster = read(Variant::Cluster).inventory.host.cluster.unwrap();
    assert_eq!((cluster.name.as_deref(), cluster.places.len()), (Some("HV-CLUSTER"), 2));
    let clean = read(Variant::Clean).inventory;
    assert_eq!((clean.machines.len(), clean.switches.len()), (1, 1));
    assert!(clean.host.other_roles.is_empty() && clean.host.firewall.changes.is_empty());
    assert!(matches!(clean.host.settings.mac_range, Found::Default { value: None, .. }));
    assert_eq!(value(&clean.switches[0].kind), SwitchKind::Private);
}

type Tree = BTreeMap<PathBuf, (Option<SystemTime>, String)>;

fn snapshot(folder: &Path, into: &mut Tree) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        let content = if metadata.is_symlink() {
            format!("-> {}", std::fs::read_link(&path).unwrap().display())
        } else if metadata.is_dir() {
            snapshot(&path, into);
            String::new()
        } else {
            blake3::hash(&std::fs::read(&path).unwrap()).to_hex().to_string()
        };
        into.insert(path, (metadata.modified().ok(), content));
    }
}

#[test]
fn a_source_is_not_changed_and_its_fingerprint_shows_use() {
    let folder = tempfile::tempdir().unwrap();
    let host = sample::write(folder.path(), Variant::Default).unwrap();
    let mut before = Tree::new();
    snapshot(folder.path(), &mut before);
    let source = hvm_sources::open(&format!("folder:{}", folder.path().display())).unwrap();
    let inventory = source.inventory().unwrap();
    let first = source.fingerprint(&inventory).unwrap();
    for disk in &inventory.disks {
        hash(&*source.open_disk(&disk.path).unwrap());
    }
    assert_eq!(first, source.fingerprint(&inventory).unwrap());
    let mut after = Tree::new();
    snapshot(folder.path(), &mut after);
    assert_eq!(before, after);
    let disk = std::fs::OpenOptions::new().append(true).open(&host.disks[0].path).unwrap();
    disk.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let second = source.fingerprint(&inventory).unwrap();
    assert_ne!(first, second, "a disk was touched");
    let machines = host.path_of(&format!(r"{}\Virtual Machines\New.xml", ids::HYPER_V_ROOT));
    std::fs::write(machines, "x").unwrap();
    assert_ne!(second, source.fingerprint(&inventory).unwrap(), "a machine was added");
}
