//! Trees of checkpoints are built again on the model of a host, for all releases: each state with its disks and settings,
//! performed twice, cut anywhere, taken back, changed by hand. No disk of the kit is ever written to or lost on the way.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod on_host;
mod seen;

use std::collections::BTreeMap;

use common::*;
use hvm_destinations::destination::Destination;
use hvm_model::plan::Plan;
use hvm_model::role::{Role, RoleMachine};
use hvm_model::setting::{Carry, settings_of};
use hvm_testkit::hyperv_host::{Host, Machine};
use hvm_testkit::powershell::End;
use on_host::*;
use seen::*;

/// A host with a kit for one machine with a tree, and what its disks were.
struct Lab {
    kit: Box<dyn Destination>,
    host: Host,
    plan: Plan,
    disks: BTreeMap<String, Vec<u8>>,
}

fn lab(os: &str) -> Lab {
    let generation = if os == "2012" { 1 } else { 2 };
    lab_of(os, generation)
}

fn lab_of(os: &str, generation: u8) -> Lab {
    let bare = Role { dcom: Vec::new(), wmi_namespaces: Vec::new(), firewall: Vec::new(), ..role() };
    let plan = plan(Role { machines: vec![tree_machine(generation)], management_adapters: Vec::new(), ..bare });
    let (kit, host) = host_with_kit(os, &plan);
    let disks = disks_of(&host);
    assert_eq!(disks.len(), 6);
    Lab { kit, host, plan, disks }
}

/// The files below the kit's folder of disks.
fn disks_of(host: &Host) -> BTreeMap<String, Vec<u8>> {
    let disks = host.files.iter().filter(|file| file.path.starts_with(&format!("{KIT}\\disks\\")));
    disks.map(|file| (file.path.clone(), host.files.read(&file.path).unwrap().to_vec())).collect()
}

/// What an administrator does who copies the kit again.
fn copy_again(host: &mut Host, disks: &BTreeMap<String, Vec<u8>>) {
    for (path, bytes) in disks {
        host.files.write(path, bytes.clone()).unwrap();
    }
}

fn there(host: &Host) -> &Machine {
    host.state.machines.iter().find(|machine| machine.location.ends_with("Tree T")).unwrap()
}

/// Everything of one state: settings that were planned and are not there, or are not as they were planned.
fn state_differs((host, kit): (&Host, &dyn Destination), found: &Machine, planned: &RoleMachine) -> Vec<String> {
    let mut all = BTreeMap::new();
    machine_settings(&host.state, found, &mut |item, value| all.insert(item, value));
    let role = Role { machines: vec![planned.clone()], ..Role::default() };
    let wanted = settings_of(&role).into_iter().filter(|setting| setting.item != "current-checkpoint");
    let wanted = wanted.filter(|setting| kit.carries(setting) == Carry::Carried);
    let mut wrong = Vec::new();
    for setting in wanted {
        if all.get(&setting.item) != Some(&setting.value) {
            wrong.push(format!("{}: {:?} instead of {}", setting.item, all.get(&setting.item), setting.value));
        }
    }
    let alone = ["drive.", "com", "integration-service.V"];
    let drives = |item: &&String| alone.iter().any(|start| item.starts_with(start));
    let planned: Vec<String> = settings_of(&role).into_iter().map(|setting| setting.item).collect();
    all.retain(|_, value| value != "none");
    wrong.extend(all.keys().filter(drives).filter(|item| !planned.contains(item)).cloned());
    if found.adapters.len() != planned_adapters(&role) {
        wrong.push(format!("{} adapters", found.adapters.len()));
    }
    wrong
}

fn planned_adapters(role: &Role) -> usize {
    role.machines[0].configuration.adapters.len()
}

/// The tree is the planned one, each state in it too, and the disks of the kit are as they were, with none beside them.
fn as_planned(host: &Host, lab: &Lab) {
    let planned = &lab.plan.role.machines[0];
    let machine = there(host);
    assert_eq!(machine.snapshots.len(), CHECKPOINTS.len());
    let id_of = |number: usize| machine.snapshots[number].id.clone();
    for (number, (_, parent, name)) in CHECKPOINTS.iter().enumerate() {
        let snapshot = &machine.snapshots[number];
        assert_eq!((snapshot.name.as_str(), &snapshot.machine.parent), (*name, &parent.map(id_of)));
        let state = planned.as_of(&planned.checkpoints[number]);
        assert_eq!(state_differs((host, &*lab.kit), &snapshot.machine, &state), Vec::<String>::new(), "{name}");
    }
    assert_eq!(machine.parent, Some(id_of(2)));
    let present = RoleMachine { checkpoints: Vec::new(), ..planned.clone() };
    assert_eq!(state_differs((host, &*lab.kit), machine, &present), Vec::<String>::new());
    assert_eq!(disks_of(host), lab.disks);
}

#[test]
fn a_tree_is_built_as_it_was() {
    for os in RELEASES {
        for generation in [1, 2].into_iter().filter(|generation| *os != "2012" || *generation == 1) {
            let mut lab = lab_of(os, generation);
            good(&import(&mut lab.host));
            as_planned(&lab.host, &lab);
            let outcome = test(&mut lab.host);
            good(&outcome);
            assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
            let carried =
                settings_of(&lab.plan.role).into_iter().filter(|found| lab.kit.carries(found) == Carry::Carried);
            assert_eq!(outcome.output, [format!("{} settings were compared, 0 differ.", carried.count())]);
            let before = lab.host.state.clone();
            good(&import(&mut lab.host));
            assert_eq!(lab.host.state, before, "performing twice is performing once");
            assert_eq!(disks_of(&lab.host), lab.disks);
        }
    }
}

#[test]
fn each_step_alone_is_tested_performed_and_taken_back() {
    for os in RELEASES {
        let mut lab = lab(os);
        each_step(&mut lab.host, &["Kit", "Machines", "Checkpoints"], |host| copy_again(host, &lab.disks));
        as_planned(&lab.host, &lab);
    }
}

#[test]
fn a_cut_anywhere_is_mended_by_the_next_run() {
    for os in RELEASES {
        let lab = lab(os);
        let mut whole = lab.host.clone();
        good(&import(&mut whole));
        let wanted = whole.state.without_ids();
        for at in 0..whole.changes() {
            let mut host = lab.host.clone();
            host.cut_at(at);
            assert_eq!(import(&mut host).end, End::Cut, "change {at}");
            let mut undone = host.clone();
            let mut host = host.clone();
            good(&import(&mut host));
            assert_eq!(host.state.without_ids(), wanted, "change {at}");
            as_planned(&host, &lab);
            if at % 5 == 0 {
                good(&undo(&mut undone));
                assert_eq!(undone.state.without_ids(), lab.host.state.without_ids(), "change {at}");
            }
        }
    }
}

#[test]
fn undoing_is_told_and_goes_on_after_a_cut() {
    for os in RELEASES {
        let mut lab = lab(os);
        let before = lab.host.state.without_ids();
        good(&import(&mut lab.host));
        let mut whole = lab.host.clone();
        let outcome = undo(&mut whole);
        good(&outcome);
        assert_eq!(outcome.warnings.iter().filter(|line| line.contains("copy its files again")).count(), 3);
        for at in 0..whole.changes() {
            let mut host = lab.host.clone();
            host.cut_at(at);
            assert_eq!(undo(&mut host).end, End::Cut, "change {at}");
            let mut host = host.clone();
            good(&undo(&mut host));
            assert_eq!(host.state.without_ids(), before, "change {at}");
        }
        // Disks that went with their checkpoints are missed before anything is done; with them it goes once more.
        let outcome = import(&mut whole);
        assert!(
            matches!(outcome.end, End::Error(_)) && outcome.warnings.iter().any(|line| line.contains("is missing"))
        );
        assert_eq!(whole.state.without_ids(), before);
        copy_again(&mut whole, &lab.disks);
        good(&import(&mut whole));
        as_planned(&whole, &lab);
    }
}

type Change = fn(&mut Machine);

#[test]
fn a_change_by_hand_is_named() {
    let changes: [(&str, Change); 9] = [
        ("name is 'x'", |machine| machine.snapshots[1].name = "x".to_owned()),
        ("parent is", |machine| machine.snapshots[3].machine.parent = Some(machine.snapshots[2].id.clone())),
        ("memory.startup-mib", |machine| machine.snapshots[0].machine.memory.startup <<= 1),
        ("processors.count", |machine| machine.snapshots[2].machine.processors.count = 7),
        ("drive.", |machine| machine.snapshots[3].machine.drives[0].path = Some(r"D:\other.avhd".to_owned())),
        ("com1", |machine| machine.snapshots[3].machine.com_ports[0] = r"\\.\pipe\x".to_owned()),
        ("com2 is 'none'", |machine| machine.snapshots[1].machine.com_ports[1].clear()),
        ("name is 'nothing'", |machine| drop(machine.snapshots.pop())),
        ("current-checkpoint", |machine| machine.parent = Some(machine.snapshots[0].id.clone())),
    ];
    for os in RELEASES {
        let mut lab = lab(os);
        good(&import(&mut lab.host));
        for (item, change) in changes {
            let mut host = lab.host.clone();
            change(host.state.machines.iter_mut().find(|machine| machine.location.ends_with("Tree T")).unwrap());
            let outcome = test(&mut host);
            assert_eq!(outcome.end, End::Code(4), "{os}, {item}: {outcome:#?}");
            assert!(outcome.warnings.iter().any(|line| line.contains(item)), "{item}: {:?}", outcome.warnings);
        }
    }
}

#[test]
fn a_machine_that_runs_or_has_other_checkpoints_is_left_alone() {
    let mut lab = lab("2019");
    good(&import(&mut lab.host));
    let index = lab.host.state.machines.iter().position(|machine| machine.location.ends_with("Tree T")).unwrap();
    lab.host.state.machines[index].state = "Running".to_owned();
    let before = lab.host.state.clone();
    assert!(matches!(undo(&mut lab.host).end, End::Error(message) if message.contains("Turn it off first")));
    assert_eq!(lab.host.state, before);
    assert_eq!(disks_of(&lab.host), lab.disks);
    // Without what the kit noted nothing says that these checkpoints are its own.
    lab.host.state.machines[index].state = "Off".to_owned();
    for path in lab.host.files.entries(&format!("{KIT}\\state")) {
        lab.host.files.remove(&path);
    }
    let outcome = import(&mut lab.host);
    assert!(matches!(&outcome.end, End::Error(message) if message.contains("has checkpoints already")), "{outcome:#?}");
    assert_eq!(disks_of(&lab.host), lab.disks);
}

#[test]
fn what_is_in_the_kit_is_what_was_planned() {
    for os in RELEASES {
        let folder = tempfile::tempdir().unwrap();
        let kit = hvm_destinations::select::open(&format!("kit:{}?os={os}", folder.path().display())).unwrap();
        let generation = if *os == "2012" { 1 } else { 2 };
        conforms(kit.as_ref(), &plan(Role { machines: vec![tree_machine(generation)], ..role() }));
    }
}

#[test]
fn every_state_has_its_own_pipes() {
    for os in RELEASES {
        let mut lab = lab(os);
        good(&import(&mut lab.host));
        let machine = there(&lab.host);
        let pipes = PIPES.map(|pipes| pipes.map(|pipe| pipe.map_or(String::new(), |pipe| format!(r"\\.\pipe\{pipe}"))));
        for (snapshot, wanted) in machine.snapshots.iter().zip(&pipes) {
            assert_eq!(snapshot.machine.com_ports, *wanted, "{os}");
        }
        assert_eq!(machine.com_ports, [r"\\.\pipe\t", ""]);
    }
}

/// Where a pipe stays that a state had not.
const STAYS: &str = "is still connected to";

#[test]
fn a_pipe_that_cannot_be_taken_away_is_told_and_found_and_stops_nothing() {
    for os in RELEASES {
        for refused in [true, false] {
            let mut lab = lab(os);
            if refused {
                lab.host.refuse(Some("ModifyResourceSettings"));
            } else {
                // Hyper-V says that it is done, and the pipe is there.
                let path = format!("{KIT}\\Checkpoints.ps1");
                let text = String::from_utf8(lab.host.files.read(&path).unwrap().to_vec()).unwrap();
                let kept = text.replace("$settings.Connection = @('')", "$settings.Connection = @($pipe)");
                assert_ne!(kept, text);
                lab.host.files.write(&path, kept.into_bytes()).unwrap();
            }
            let outcome = import(&mut lab.host);
            good(&outcome);
            let told: Vec<_> = outcome.warnings.iter().filter(|line| line.contains(STAYS)).collect();
            assert_eq!(told.len(), 3, "{os}: {told:#?}");
            let why = if refused { "ModifyResourceSettings answered 32768" } else { "Hyper-V kept it." };
            assert!(told.iter().all(|line| line.contains(why) && line.contains("Set it to None")), "{told:#?}");
            assert_eq!(there(&lab.host).com_ports, ["t", "gone"].map(|pipe| format!(r"\\.\pipe\{pipe}")));
            let outcome = test(&mut lab.host);
            assert_eq!(outcome.end, End::Code(4));
            let wrong =
                ["com1 is '\\\\.\\pipe\\root' instead of 'none'", "com2 is '\\\\.\\pipe\\gone' instead of 'none'"];
            assert!(wrong.iter().all(|wrong| outcome.warnings.iter().any(|line| line.contains(wrong))), "{outcome:#?}");
        }
    }
}
