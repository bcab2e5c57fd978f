#![allow(clippy::unwrap_used, missing_docs)]
//! Damaged sources: each damage is a problem that names file and place, and the rest is still read.

use hvm_model::finding::Subject;
use hvm_model::found::{Found, Problem};
use hvm_model::inventory::Inventory;
use hvm_testkit::sample::{self, SampleHost, Variant, ids};

fn read_after(variant: Variant, spoil: impl FnOnce(&SampleHost)) -> (SampleHost, Inventory) {
    let folder = tempfile::tempdir().unwrap();
    let host = sample::write(folder.path(), variant).unwrap();
    spoil(&host);
    let source = hvm_sources::open(&format!("folder:{}", folder.path().display())).unwrap();
    let inventory = source.inventory().unwrap();
    (host, inventory)
}

fn read(variant: Variant) -> (SampleHost, Inventory) {
    read_after(variant, |_| ())
}

fn kinds(inventory: &Inventory) -> Vec<&str> {
    inventory.problems.iter().map(|problem| problem.kind.as_str()).collect()
}

fn only<'a>(inventory: &'a Inventory, kind: &str) -> &'a Problem {
    let mut found = inventory.problems.iter().filter(|problem| problem.kind == kind);
    let problem = found.next().unwrap_or_else(|| panic!("no {kind} in {:#?}", inventory.problems));
    assert!(found.next().is_none(), "{kind} once");
    assert!(!problem.hint.is_empty());
    problem
}

#[test]
fn a_cut_disk_is_named_with_its_machine() {
    let (host, inventory) = read(Variant::TruncatedVhd);
    assert_eq!(kinds(&inventory), ["disk.unreadable"]);
    let problem = only(&inventory, "disk.unreadable");
    let wanted = &host.planted.last().unwrap().subject;
    assert!(matches!(&problem.subject, Subject::Disk { machine, path, .. }
        if machine.as_str() == ids::MEDIA.0 && path.as_str() == wanted));
    assert!(problem.message.contains("offset") && problem.message.contains(wanted.as_str()), "{}", problem.message);
    assert_eq!(problem.place.file, *wanted);
    assert_eq!(inventory.machines.len(), 7);
}

#[test]
fn a_missing_parent_is_named_and_the_rest_of_the_chain_is_kept() {
    let (host, inventory) = read(Variant::MissingParent);
    let missing = &host.planted.last().unwrap().subject;
    assert_eq!(kinds(&inventory), ["disk.parent-missing", "disk.missing"]);
    let problem = only(&inventory, "disk.parent-missing");
    assert!(problem.message.contains(missing.rsplit('\\').next().unwrap()), "{}", problem.message);
    assert_eq!(problem.subject.machine().unwrap().as_str(), ids::TREE.0);
    let tree = inventory.machine(&ids::TREE.0.parse().unwrap()).unwrap();
    assert_eq!(tree.checkpoints.len(), 3);
    assert!(inventory.leaf_disks(tree).all(|leaf| inventory.disk(leaf).is_some()), "the leaf's own headers are kept");
}

#[test]
fn half_a_hive_leaves_the_other_hive_and_the_machines() {
    let (host, inventory) = read(Variant::HalfHive);
    assert_eq!(kinds(&inventory), ["hive.damaged"]);
    let problem = only(&inventory, "hive.damaged");
    assert_eq!(problem.subject, Subject::File { path: host.planted.last().unwrap().subject.clone() });
    assert!(problem.message.contains("byte offset"), "{}", problem.message);
    assert!(matches!(inventory.host.system.release, Found::Unknown { .. }));
    assert!(matches!(inventory.host.settings.mac_range, Found::Unknown { .. }), "no default is claimed");
    assert!(inventory.unknowns.iter().any(|unknown| unknown.item == "DCOM restrictions"));
    assert_eq!(inventory.host.computer_name.value().unwrap(), ids::COMPUTER_NAME);
    assert_eq!((inventory.machines.len(), inventory.switches.len()), (7, 4));
}

#[test]
fn hives_that_are_missing_or_rubbish_are_one_problem_each() {
    let (_, inventory) = read_after(Variant::Default, |host| {
        std::fs::remove_file(host.path_of(r"C:\Windows\System32\config\SYSTEM")).unwrap();
        std::fs::write(host.path_of(r"C:\Windows\System32\config\SOFTWARE"), vec![0x55; 9000]).unwrap();
    });
    assert_eq!(kinds(&inventory), ["hive.missing", "hive.damaged"]);
    assert_eq!(inventory.machines.len(), 7);
    assert!(matches!(inventory.host.computer_name, Found::Unknown { .. }));
    let connected = inventory.machine(&ids::BOOT.0.parse().unwrap()).unwrap();
    let Found::Unknown { reason } = &connected.configuration.adapters[0].vlan else { panic!("unknown") };
    assert!(reason.contains("could not be read"), "{reason}");
}

#[test]
fn a_hive_whose_log_does_not_fit_is_stale() {
    let (_, inventory) = read_after(Variant::Default, |host| {
        std::fs::remove_file(host.path_of(r"C:\Windows\System32\config\SYSTEM.LOG1")).unwrap();
    });
    assert_eq!(kinds(&inventory), ["hive.stale"]);
    assert_eq!(inventory.host.computer_name.value().unwrap(), ids::STALE_COMPUTER_NAME);
}

#[test]
fn unknown_nodes_are_listed_and_no_problem() {
    let (_, inventory) = read(Variant::UnknownXmlNode);
    assert_eq!(inventory.problems, []);
    let machine = inventory.machine(&ids::PROCESSORS.0.parse().unwrap()).unwrap();
    assert_eq!(machine.unknown_nodes, ["frobnication/level", "frobnication/note", "settings/memory/crystalline"]);
    let others = inventory.machines.iter().filter(|other| other.id != machine.id);
    assert!(others.into_iter().all(|other| other.unknown_nodes.is_empty()));
}

#[test]
fn of_two_machines_with_one_id_the_one_that_is_called_by_it_stays() {
    let (_, inventory) = read(Variant::TwoMachinesOneId);
    assert_eq!(kinds(&inventory), ["machine.duplicate-id"]);
    let problem = only(&inventory, "machine.duplicate-id");
    for file in [ids::PROCESSORS.0, ids::TWIN.0] {
        assert!(problem.message.contains(&format!("{file}.xml")), "{}", problem.message);
    }
    assert_eq!(inventory.machine(&ids::PROCESSORS.0.parse().unwrap()).unwrap().name, ids::PROCESSORS.1);
    assert_eq!(inventory.machines.len(), 7);
}

#[test]
fn configurations_that_cannot_be_read_are_named_with_their_line() {
    let (host, inventory) = read_after(Variant::Default, |host| {
        let saved = host.machine(ids::SAVED.0);
        std::fs::write(&saved.config, "<configuration>\n<properties>\n</configuration>").unwrap();
        let memory = host.machine(ids::MEMORY.0);
        let bytes = std::fs::read(&memory.config).unwrap();
        std::fs::rename(&memory.config, memory.config.with_file_name(format!("{}.xml", ids::TWIN.0))).unwrap();
        let renamed = memory.config.with_file_name(format!("{}.xml", ids::TWIN.0));
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let text = String::from_utf16(&units).unwrap().replace(">65536<", ">viel<");
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        std::fs::write(renamed, bytes).unwrap();
    });
    let problem = only(&inventory, "machine.unreadable");
    assert!(problem.place.at.starts_with("line "), "{:?}", problem.place);
    assert_eq!(problem.place.file, host.machine(ids::SAVED.0).config_windows_path);
    only(&inventory, "machine.id-mismatch");
    let wrong: Vec<_> = inventory.problems.iter().filter(|p| p.kind == "machine.setting-unreadable").collect();
    assert!(wrong.len() >= 2 && wrong.iter().all(|p| p.subject.name() == ids::MEMORY.1), "{wrong:#?}");
    assert!(wrong[0].message.contains("viel") && wrong[0].message.contains("line"), "{}", wrong[0].message);
    assert_eq!(inventory.machines.len(), 6);
}

/// `cp -a` onto a drive of ntfs-3g leaves them where the host had links.
#[test]
fn a_link_of_interix_is_told_with_where_it_leads() {
    let (host, inventory) = read_after(Variant::Default, |host| {
        let target = "/mnt/d/VMs/Größe.xml".encode_utf16().flat_map(u16::to_le_bytes);
        let link: Vec<u8> = b"IntxLNK\x01".iter().copied().chain(target).collect();
        std::fs::write(&host.machine(ids::SAVED.0).config, link).unwrap();
        std::fs::write(&host.machine(ids::MEMORY.0).config, b"IntxLNK\x01\xd8").unwrap();
    });
    let problems: Vec<_> = inventory.problems.iter().filter(|problem| problem.kind == "machine.unreadable").collect();
    let of = |id: &str| problems.iter().find(|problem| problem.place.file == host.machine(id).config_windows_path);
    let told = of(ids::SAVED.0).unwrap();
    assert!(told.message.contains("is a symbolic link of Interix to '/mnt/d/VMs/Größe.xml'"), "{told:?}");
    assert!(told.message.contains("Windows does not know such links") && told.hint.contains("mklink"), "{told:?}");
    assert!(of(ids::MEMORY.0).unwrap().message.contains("link of Interix to ''"));
    assert_eq!(inventory.machines.len(), 5);
}

#[test]
fn an_orphan_checkpoint_and_a_broken_store_are_told() {
    let (_, inventory) = read_after(Variant::Default, |host| {
        let orphan = format!(r"{}\Snapshots\7A000001-1111-4222-8333-44445555000F.xml", ids::HYPER_V_ROOT);
        let text = "<configuration><properties><name type=\"string\">Waise</name></properties></configuration>";
        std::fs::write(host.path_of(&orphan), text).unwrap();
        std::fs::write(host.path_of(&format!(r"{}\InitialStore.xml", ids::HYPER_V_ROOT)), "<x/>").unwrap();
    });
    assert!(only(&inventory, "checkpoint.orphan").message.contains("Waise"));
    assert!(only(&inventory, "authorization.unreadable").message.contains("AzAdminManager"));
    assert_eq!(inventory.host.settings.authorization.assignments, []);
}

#[test]
fn an_unmapped_drive_is_named_with_what_to_add() {
    let folder = tempfile::tempdir().unwrap();
    let host = sample::write(folder.path(), Variant::Default).unwrap();
    let c = host.drives.iter().find(|(letter, _)| *letter == 'C').unwrap().1.display().to_string();
    let inventory = hvm_sources::open(&format!("folder:?c={c}")).unwrap().inventory().unwrap();
    let problem = only(&inventory, "machine.unreadable");
    assert!(problem.message.contains("add d=/path to the source"), "{}", problem.message);
    let disks: Vec<_> = inventory.problems.iter().filter(|problem| problem.kind == "disk.unreachable").collect();
    assert_eq!(disks.len(), 4, "the leaf and three checkpoints of one machine");
    assert!(disks.iter().all(|problem| problem.message.contains("drive D: is not mapped")));
    let images: Vec<_> = inventory.problems.iter().filter(|problem| problem.kind == "image.unreachable").collect();
    assert_eq!(images.len(), 2, "an ISO and a floppy image of one machine: {:#?}", inventory.problems);
    for problem in images {
        assert!(
            matches!(&problem.subject, Subject::Disk { machine, .. } if machine.as_str() == ids::MEDIA.0),
            "{problem:?}"
        );
        assert!(
            problem.message.contains("drive D: is not mapped") && problem.hint.contains("Map the drive"),
            "{problem:?}"
        );
    }
    assert!(inventory.media.iter().all(|file| file.size.is_none()));
}

#[test]
fn without_keys_the_disks_tell_the_tree() {
    let (_, inventory) = read_after(Variant::Default, |host| {
        for id in [ids::CHECKPOINT_A.0, ids::CHECKPOINT_B.0, ids::CHECKPOINT_C.0] {
            strip(
                &host.path_of(&format!(r"{}\Snapshots\{id}.xml", ids::HYPER_V_ROOT)),
                &["parent_id", "logical_id", "global_id"],
            );
        }
        strip(&host.machine(ids::TREE.0).config, &["parent_id"]);
    });
    assert_eq!(
        inventory.problems.iter().filter(|p| p.kind != "checkpoint.orphan").count(),
        0,
        "{:#?}",
        inventory.problems
    );
    let tree = inventory.machine(&ids::TREE.0.parse().unwrap()).unwrap();
    assert!(matches!(&tree.current_checkpoint, Found::Inferred { value, .. } if value.as_str() == ids::CHECKPOINT_C.0));
    let parent = |id: &str| tree.checkpoints.iter().find(|c| c.id.as_str() == id).map(|c| c.parent.clone());
    assert!(matches!(parent(ids::CHECKPOINT_A.0), Some(Found::Inferred { value: None, .. })));
    assert!(
        matches!(parent(ids::CHECKPOINT_C.0), Some(Found::Inferred { value: Some(id), .. }) if id.as_str() == ids::CHECKPOINT_A.0)
    );
    // B is a branch that nothing descends from, and its file names nobody any more.
    let descends = parent(ids::CHECKPOINT_B.0);
    assert!(
        matches!(&descends, Some(Found::Inferred { value: Some(id), .. }) if id.as_str() == ids::CHECKPOINT_A.0),
        "{descends:?}"
    );
}

/// Takes whole lines with these leaves out.
fn strip(path: &std::path::Path, leaves: &[&str]) {
    let bytes = std::fs::read(path).unwrap();
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text = String::from_utf16(&units).unwrap();
    let kept: Vec<&str> =
        text.split("\r\n").filter(|line| !leaves.iter().any(|leaf| line.contains(&format!("<{leaf} ")))).collect();
    let bytes: Vec<u8> = kept.join("\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(path, bytes).unwrap();
}
