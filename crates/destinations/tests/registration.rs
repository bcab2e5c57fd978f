//! Machines are registered from their own configuration on the model of a host, which reads that configuration: all releases, each
//! with the versions that it imports. They keep their ids, what the plan changes is changed, and the files of the kit stay as they are.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod on_host;
mod seen;

use std::collections::BTreeMap;

use common::*;
use hvm_destinations::destination::Destination;
use hvm_model::plan::Plan;
use hvm_model::role::{PhysicalDisk, PlacedDisk, PutBack, Role};
use hvm_model::setting::{Carry, settings_of};
use hvm_testkit::hvs::{HvsSpec, Key};
use hvm_testkit::hyperv_host::{Host, Machine};
use hvm_testkit::powershell::{End, Outcome, Value};
use hvm_testkit::vmxml::{Drive, DriveSlot, MachineXml, Media, Nic, NicKind, Node, SavedState, VSS};
use on_host::*;
use seen::*;

/// Each release with versions of configurations that it imports, and the generation of the machine.
const CASES: [(&str, u16, u8); 11] = [
    ("2012", 0x400, 1),
    ("2012R2", 0x400, 1),
    ("2012R2", 0x500, 1),
    ("2012R2", 0x500, 2),
    ("2016", 0x500, 2),
    ("2016", 0x800, 1),
    ("2019", 0x500, 1),
    ("2019", 0x900, 2),
    ("2022", 0x800, 2),
    ("2022", 0xA00, 1),
    ("2025", 0xC00, 2),
];
/// One case of each release, for what takes longer.
const FEW: [(&str, u16, u8); 6] = [
    ("2012", 0x400, 1),
    ("2012R2", 0x500, 1),
    ("2016", 0x800, 2),
    ("2019", 0x500, 1),
    ("2022", 0xA00, 2),
    ("2025", 0xC00, 1),
];

struct Lab {
    kit: Box<dyn Destination>,
    host: Host,
    plan: Plan,
}

/// The configuration as the old host had it: more processors than the new one has, other names, other files, a network that is gone.
fn configuration(version: u16, generation: u8) -> MachineXml {
    let mut xml = MachineXml::new(REGISTERED, "Old name");
    xml.version = i64::from(version);
    xml.processors.count = 48;
    xml.memory.size = 1 << 20;
    xml.scsi_instance = Some("5C510000-3D5B-4C6A-9F10-000000000005".to_owned());
    let vhd = |name: &str| Media::Vhd(format!(r"E:\VMs\Own\{name}.vhd"));
    let drive = |slot, media| Drive { slot, media };
    xml.drives = vec![
        drive(DriveSlot::Scsi(5), vhd("data_1")),
        drive(DriveSlot::Scsi(7), Media::Physical("disk of the old host".to_owned())),
    ];
    if generation == 1 {
        xml.drives.push(drive(DriveSlot::Ide(0, 0), vhd("system_7F")));
        xml.drives.push(drive(DriveSlot::Ide(1, 0), Media::Iso(r"E:\a.iso".to_owned())));
        xml.drives.push(drive(DriveSlot::Ide(1, 1), Media::Iso("E:".to_owned())));
        xml.floppy = Some(r"E:\a.vfd".to_owned());
    } else {
        xml.drives.push(drive(DriveSlot::Scsi(0), vhd("system_7F")));
        xml.drives.push(drive(DriveSlot::Scsi(3), Media::Iso(r"E:\lost.iso".to_owned())));
    }
    let nic = |number: usize, kind, name: &str, switch: Option<&str>| Nic {
        kind,
        instance: DEVICES[number].to_owned(),
        name: name.to_owned(),
        mac: if number == 0 { "00-15-5D-01-07-E8" } else { "00-15-5D-01-07-E9" }.to_owned(),
        mac_is_static: number == 0,
        connection: switch.map(|id| (id.to_owned(), "P".to_owned())),
    };
    let second = if generation == 1 { NicKind::Legacy } else { NicKind::Synthetic };
    xml.nics = vec![
        nic(0, NicKind::Synthetic, "Netzwerk ‘1’", Some(SWITCHES[1])),
        nic(1, second, "off", None),
        nic(2, NicKind::Synthetic, "before", Some("99999999-AAAA-4000-8000-000000000009")),
    ];
    xml.com = [String::new(), r"\\.\pipe\own".to_owned()];
    xml.disabled_services = vec![VSS];
    xml
}

/// Whether configurations of this version are those of 2016 and later: in tables, with nested virtualization and templates of Secure Boot.
fn is_of_2016(version: i64) -> bool {
    version > 0x500
}

fn node(xml: &MachineXml, generation: u8) -> Node {
    let mut node = xml.to_node();
    if generation == 2 {
        node.at("properties").push(Node::integer("subtype", 1));
        node.remove("_83f8638b-8dca-4152-9eda-2ca8b33039b4_");
        node.remove("_8f0d2762-0b00-4e04-af4f-19010527cb93_");
    }
    if is_of_2016(xml.version) {
        node.at("settings/processors/nested_virtualization").push(Node::boolean("enabled", true));
        node.at("_ac6b8dc1-3257-4a70-b1b2-a9c9215659ad_").push(Node::text("secure_boot_template_id", AUTHORITY));
    }
    node.at("global_settings").push(Node::text("slp_data_root", r"E:\paging"));
    node.at("global_settings/snapshots").push(Node::text("data_root", r"E:\VMs\Own"));
    node
}

fn bytes(xml: &MachineXml, generation: u8) -> Vec<u8> {
    let node = node(xml, generation);
    if is_of_2016(xml.version) { HvsSpec::default().write(&[Key::of_xml(&node)]) } else { node.to_utf16() }
}

fn lab_with(case: (&str, u16, u8), change: impl FnOnce(&mut MachineXml)) -> Lab {
    let bare = Role { dcom: Vec::new(), wmi_namespaces: Vec::new(), firewall: Vec::new(), ..role() };
    let machines = vec![registered_machine(case.1, case.2)];
    lab_of(case, plan(Role { machines, management_adapters: Vec::new(), ..bare }), change)
}

fn lab_of((os, version, generation): (&str, u16, u8), plan: Plan, change: impl FnOnce(&mut MachineXml)) -> Lab {
    let target = plan.role.machines[0].original_configuration.as_ref().unwrap().target.clone();
    let mut xml = configuration(version, generation);
    change(&mut xml);
    let (kit, host) = host_with_files(os, &plan, &[(target, bytes(&xml, generation))]);
    Lab { kit, host, plan }
}

fn lab(case: (&str, u16, u8)) -> Lab {
    lab_with(case, |_| {})
}

/// The files of the kit but what its scripts note.
fn files(host: &Host) -> BTreeMap<String, Vec<u8>> {
    let (own, noted) = (format!("{KIT}\\"), format!("{KIT}\\state\\"));
    let kept = host.files.iter().filter(|file| file.path.starts_with(&own) && !file.path.starts_with(&noted));
    kept.map(|file| (file.path.clone(), file.bytes.clone())).collect()
}

fn there(host: &Host) -> &Machine {
    let [machine] = host.state.machines.as_slice() else { panic!("{:#?}", host.state.machines) };
    machine
}

/// Everything is as planned, under the ids that the machine and its devices had.
fn as_planned(host: &Host, lab: &Lab) {
    let machine = there(host);
    assert_eq!((machine.id.as_str(), machine.planned), (REGISTERED, false));
    let devices: Vec<&str> = machine.adapters.iter().map(|adapter| adapter.id.rsplit_once('\\').unwrap().1).collect();
    assert_eq!(devices, DEVICES);
    // Not in the plan: the configuration has it.
    let version = match lab.plan.role.machines[0].put_back {
        Some(PutBack::Registered { version: (major, minor), .. }) => i64::from(major << 8 | minor),
        _ => 0,
    };
    let kept = (machine.processors.nested, machine.secure_boot_template == AUTHORITY);
    assert_eq!(kept, (is_of_2016(version), is_of_2016(version)));
    let folder = format!("{KIT}\\machines\\Own O");
    assert_eq!([&machine.location, &machine.snapshot_location, &machine.paging_location], [&folder; 3]);
    let found = observed(host, &lab.plan.role);
    let carried = settings_of(&lab.plan.role).into_iter().filter(|setting| lab.kit.carries(setting) == Carry::Carried);
    let carried: Found = carried.map(|setting| ((setting.subject, setting.item), setting.value)).collect();
    for (key, value) in &carried {
        assert_eq!(found.get(key), Some(value), "{key:?}");
    }
    for ((subject, item), value) in found.iter().filter(|((_, item), _)| item.starts_with("drive.")) {
        let is_planned = carried.contains_key(&(subject.clone(), item.clone()));
        assert!(
            is_planned || (item == "drive.ide1-1" && value == "empty dvd"),
            "{item} is {value} and was not planned"
        );
    }
}

/// Nothing of the machine is left, and the kit is what it was.
fn nothing_left(host: &Host, before: &Host) {
    assert_eq!(host.state.without_ids(), before.state.without_ids());
    assert!(files(host) == files(before), "{:?}", files(host).keys());
    assert!(!host.files.has_folder(&format!("{KIT}\\machines\\Own O\\Virtual Machines")));
}

fn message(outcome: &Outcome) -> String {
    match &outcome.end {
        End::Error(message) => message.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn registering_gives_what_was_planned_and_keeps_the_ids() {
    for case in CASES {
        let mut lab = lab(case);
        let outcome = import(&mut lab.host);
        good(&outcome);
        let host = lab.host.clone();
        as_planned(&host, &lab);
        let other = if case.2 == 1 { "'E:'" } else { r"SCSI0-3 of 'Old name' held 'E:\lost.iso'" };
        for told in ["SCSI0-7 of 'Old name'", "'before' of 'Old name' was connected", other] {
            let lines = outcome.warnings.iter().filter(|line| line.contains(told)).count();
            assert_eq!(lines, 1, "{told}: {:?}", outcome.warnings);
        }
        assert_eq!(outcome.warnings.iter().filter(|line| line.contains(".vfd") || line.contains("'off'")).count(), 0);
        let outcome = test(&mut lab.host);
        good(&outcome);
        assert!(outcome.warnings.is_empty(), "{case:?}: {:?}", outcome.warnings);
        let before = lab.host.state.clone();
        good(&import(&mut lab.host));
        assert_eq!(lab.host.state, before, "performing twice is performing once");
    }
}

#[test]
fn physical_disks_become_what_was_answered() {
    for case in FEW {
        let mut plan = lab(case).plan;
        let machine = &mut plan.role.machines[0];
        let image = format!("disks/Own O/image.{}", if case.2 == 1 { "vhd" } else { "vhdx" });
        let taken =
            PlacedDisk { slot: 7, local: Some("/dev/sdb".to_owned()), target: image, ..machine.disks[1].clone() };
        let (controller, number, disk) = (taken.controller, taken.number, "0a2b3c4d".parse().unwrap());
        machine.physical = vec![PhysicalDisk { controller, number, slot: 8, disk }];
        machine.disks.push(taken);
        machine.pass_through.clear();
        let physical = Drive { slot: DriveSlot::Scsi(8), media: Media::Physical("another disk".to_owned()) };
        let mut lab = lab_of(case, plan, |xml| xml.drives.push(physical));
        good(&import(&mut lab.host));
        let host = lab.host.clone();
        as_planned(&host, &lab);
        good(&test(&mut lab.host));
    }
}

#[test]
fn undoing_gives_back_the_host_and_the_kit() {
    for case in CASES {
        let mut lab = lab(case);
        let before = lab.host.clone();
        good(&import(&mut lab.host));
        assert!(files(&lab.host) != files(&before));
        good(&undo(&mut lab.host));
        nothing_left(&lab.host, &before);
        good(&import(&mut lab.host));
        let host = lab.host.clone();
        as_planned(&host, &lab);
    }
}

#[test]
fn what_if_changes_nothing() {
    for case in FEW {
        let mut lab = lab(case);
        let before = lab.host.clone();
        let arguments = [("SourceIsOff", Value::Bool(true)), ("WhatIf", Value::Bool(true))];
        good(&lab.host.run(&format!("{KIT}\\Import-HyperVRole.ps1"), &arguments));
        assert!(lab.host.state == before.state && lab.host.files == before.files);
    }
}

#[test]
fn a_cut_anywhere_is_mended_by_the_next_run_and_by_undoing() {
    for case in FEW {
        let lab = lab(case);
        let mut whole = lab.host.clone();
        good(&import(&mut whole));
        let wanted = whole.state.without_ids();
        for at in 0..whole.changes() {
            let mut host = lab.host.clone();
            host.cut_at(at);
            assert_eq!(import(&mut host).end, End::Cut, "change {at}");
            let (mut again, mut undone) = (host.clone(), host.clone());
            good(&import(&mut again));
            assert_eq!(again.state.without_ids(), wanted, "change {at}");
            as_planned(&again, &lab);
            good(&undo(&mut undone));
            nothing_left(&undone, &lab.host);
        }
        let done = whole.clone();
        let mut whole = done.clone();
        good(&undo(&mut whole));
        for at in 0..whole.changes() {
            let mut host = done.clone();
            host.cut_at(at);
            assert_eq!(undo(&mut host).end, End::Cut, "change {at}");
            let mut host = host.clone();
            good(&undo(&mut host));
            nothing_left(&host, &lab.host);
        }
    }
}

#[test]
fn each_step_alone_is_tested_performed_and_taken_back() {
    for case in FEW {
        let mut lab = lab(case);
        each_step(&mut lab.host, &["Kit", "Machines", "Registration"], |_| ());
        as_planned(&lab.host, &lab);
    }
}

type Change = fn(&mut Machine);

#[test]
fn a_change_by_hand_is_named() {
    let changes: [(&str, Change); 8] = [
        ("name is", |machine| machine.name.push('x')),
        ("processors.count", |machine| machine.processors.count = 7),
        ("memory.startup-mib", |machine| machine.memory.startup <<= 1),
        ("drive.scsi0-5", |machine| machine.drives.retain(|drive| drive.location != 5)),
        ("adapter0.vlan", |machine| machine.adapters[0].vlan = hvm_testkit::hyperv_host::Vlan::Untagged),
        ("adapter0.switch", |machine| machine.adapters[0].switch = None),
        ("com2", |machine| machine.com_ports[1].clear()),
        ("integration-service.Vss", |machine| machine.services.values_mut().for_each(|on| *on = true)),
    ];
    for case in FEW {
        let mut lab = lab(case);
        good(&import(&mut lab.host));
        for (item, change) in changes {
            let mut host = lab.host.clone();
            change(&mut host.state.machines[0]);
            let outcome = test(&mut host);
            assert_eq!(outcome.end, End::Code(4), "{case:?}, {item}: {outcome:#?}");
            assert!(outcome.warnings.iter().any(|line| line.contains(item)), "{item}: {:?}", outcome.warnings);
        }
    }
}

/// Performs the step of the machine alone, after the host was looked at; it fails with the message.
fn machine_step(host: &mut Host) -> String {
    let quoted = KIT.replace('\'', "''");
    let load = ["Kit", "Machines", "Registration"].map(|part| format!(". '{quoted}\\{part}.ps1'\n")).concat();
    let steps = host.files.iter().map(|file| file.path.clone());
    let step = steps.filter(|path| path.ends_with("-machine.ps1")).last().unwrap().replace('\'', "''");
    let stop = host.run_text(&format!("$ConfirmPreference = 'None'\n{load}& '{step}' -Mode 'Perform'")).unwrap_err();
    format!("{stop:?}")
}

#[test]
fn what_hyper_v_does_not_take_is_told_and_nothing_stays_of_it() {
    let other_way = format!("--answer machine.configuration@{REGISTERED}=new");
    let other_way = other_way.as_str();
    let saved = |xml: &mut MachineXml| {
        xml.saved = Some(SavedState { memory: r"E:\a.bin".to_owned(), devices: r"E:\a.vsv".to_owned() });
    };
    for case in FEW {
        let mut lab = lab(case);
        lab.host.hardware.memory = 256 << 20;
        let before = lab.host.clone();
        let message = machine_step(&mut lab.host);
        assert!(message.contains("There is too little memory. (0)") && message.contains(other_way), "{message}");
        assert_eq!(lab.host.state, before.state);
        assert!(files(&lab.host) == files(&before));
        // What fails in the middle leaves nothing either.
        let mut lab = lab_with(case, saved);
        let before = lab.host.clone();
        let message = self::message(&import(&mut lab.host));
        assert!(message.contains("is Saved") && message.contains(other_way), "{message}");
        assert_eq!(lab.host.state.machines, before.state.machines);
        assert!(files(&lab.host) == files(&before));
        good(&undo(&mut lab.host));
        nothing_left(&lab.host, &before);
    }
    // Versions that a release does not import, should a plan say that it does.
    for (os, version) in [("2012", 0x500), ("2022", 0x500), ("2016", 0x900), ("2019", 0xA00), ("2025", 0x701)] {
        let mut lab = lab((os, version, 1));
        let before = lab.host.clone();
        let message = message(&import(&mut lab.host));
        assert!(message.contains("is not supported") && message.contains(other_way), "{message}");
        assert_eq!(lab.host.state.machines, before.state.machines);
        assert!(files(&lab.host) == files(&before));
    }
    let mut lab = lab_with(FEW[2], |xml| xml.nics[1].instance = "EEEEEEEE-0000-4000-8000-00000000000F".to_owned());
    let message = message(&import(&mut lab.host));
    assert!(message.contains("has no such network adapter") && message.contains(DEVICES[1]), "{message}");
}

#[test]
fn a_machine_that_is_here_already_is_left_alone() {
    for case in FEW {
        let mut lab = lab(case);
        lab.host.files.create_folder(r"D:\theirs");
        lab.host.run_text(r"New-VM -Name 'theirs' -NoVHD -Path 'D:\theirs'").unwrap();
        lab.host.state.machines[0].id = REGISTERED.to_owned();
        let before = lab.host.clone();
        let outcome = import(&mut lab.host);
        assert!(message(&outcome).contains("Nothing was changed"));
        let told = |line: &String| line.contains(REGISTERED) && line.contains("'theirs'");
        assert!(outcome.warnings.iter().any(told), "{:?}", outcome.warnings);
        assert!(lab.host.state == before.state && lab.host.files == before.files);
        // The same when it came after the host was looked at.
        let message = machine_step(&mut lab.host);
        assert!(message.contains("already has a virtual machine with the id"), "{message}");
        assert!(lab.host.state == before.state && files(&lab.host) == files(&before));
    }
}

/// Nobody's machine is taken away because the notes of the kit are gone.
#[test]
fn a_machine_that_has_checkpoints_or_runs_by_now_is_left_alone() {
    for case in FEW {
        let mut lab = lab(case);
        good(&import(&mut lab.host));
        let mut running = lab.host.clone();
        running.state.machines[0].state = "Running".to_owned();
        let before = running.state.clone();
        assert!(machine_step(&mut running).contains("Turn it off first"));
        assert!(running.state == before && files(&running) == files(&lab.host));
        lab.host.run_text("Checkpoint-VM -VM @(Get-VM)[0] -SnapshotName 'theirs'").unwrap();
        for path in lab.host.files.entries(&format!("{KIT}\\state")) {
            lab.host.files.remove(&path);
        }
        let seen = |host: &Host| (there(host).id.clone(), there(host).snapshots.len(), files(host));
        let before = seen(&lab.host);
        let message = message(&import(&mut lab.host));
        assert!(message.contains("has checkpoints already"), "{message}");
        assert!(seen(&lab.host) == before);
    }
}

#[test]
fn what_is_in_the_kit_is_what_was_planned() {
    for (os, version, generation) in CASES {
        let folder = tempfile::tempdir().unwrap();
        let kit = hvm_destinations::select::open(&format!("kit:{}?os={os}", folder.path().display())).unwrap();
        conforms(kit.as_ref(), &plan(Role { machines: vec![registered_machine(version, generation)], ..role() }));
    }
}
