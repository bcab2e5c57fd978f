#![allow(clippy::unwrap_used, missing_docs)]
//! A host of Windows Server 2019 through all phases, to a kit for 2022.

mod common;

use std::fs;

use common::{Case, tree_with_times};
use hvm_engine::{ChainOptions, HashKind, Quiet};
use hvm_model::plan::Verdict;
use hvm_testkit::sample::Variant;
use hvm_testkit::sample_2016::{
    self, ANSWERS, CHECKPOINT, DATABASE, ELSEWHERE, HYPER_V, OLD, WEB, configuration, place, web,
};
use hvm_testkit::vmxml::Node;

const KIT: &str = "kit:DIR?os=2022&processors=8&memory=64GiB&free=500GiB&language=0407&edition=standard";

/// What a machine sees on the chain: one sector of each layer.
fn content(sectors: &[(usize, u8)]) -> String {
    let mut bytes = vec![0; 4 << 20];
    for (sector, byte) in sectors {
        bytes[sector * 512..][..512].fill(*byte);
    }
    blake3::hash(&bytes).to_hex().to_string()
}

#[test]
fn machines_in_tables_are_migrated_and_their_configurations_are_kept() {
    let case = Case::new(KIT, Variant::Clean);
    let source = &case.host.folder;
    fs::remove_dir_all(source).unwrap();
    sample_2016::write(source).unwrap();
    let before = tree_with_times(source);
    let plan = case.plan(&ANSWERS).unwrap();
    assert_eq!(plan.blocked, Vec::<String>::new());
    let mut ids: Vec<&str> = plan.role.machines.iter().map(|machine| machine.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [WEB, DATABASE, OLD]);
    case.migrate_all();
    let verification = case.verify();
    assert_eq!(verification.differences, []);
    assert_eq!(verification.disks, 4, "three present states and a checkpoint");
    let kept = |name: &str| fs::read(case.root().join("source-configuration").join(name)).unwrap();
    let of = |path: &str| fs::read(place(source, &format!(r"{ELSEWHERE}\{path}"))).unwrap();
    assert!(kept(&format!("{DATABASE}.vmcx")) == of(&format!(r"Virtual Machines\{DATABASE}.vmcx")), "with its log");
    assert!(kept(&format!("{CHECKPOINT}.vmcx")) == of(&format!(r"Snapshots\{CHECKPOINT}.vmcx")));
    assert!(!kept(&format!("{OLD}.xml")).is_empty());
    let database = plan.role.machines.iter().find(|machine| machine.id.as_str() == DATABASE).unwrap();
    assert_eq!((database.generation, database.configuration.firmware.secure_boot), (2, Some(true)));
    for disk in &database.disks {
        let expected = match disk.checkpoint {
            Some(_) => content(&[(3, 0x33)]),
            None => content(&[(3, 0x33), (5, 0x55)]),
        };
        let path = case.root().join(&disk.target);
        let found = hvm_engine::disk_hash(&path, HashKind::Plain, &ChainOptions::default(), &Quiet).unwrap();
        assert_eq!(found, expected, "{}", disk.target);
    }
    assert_eq!(database.disks.len(), 2);
    assert_eq!(tree_with_times(source), before, "the source was touched");
}

/// A VHD set is no disk: its machine waits until the operator says that it goes without it, and then it does.
#[test]
fn a_machine_with_a_vhd_set_waits_and_goes_without_it() {
    let case = Case::new(KIT, Variant::Clean);
    let source = &case.host.folder;
    fs::remove_dir_all(source).unwrap();
    sample_2016::write(source).unwrap();
    let mut node = web();
    let drive = node.at("_83f8638b-8dca-4152-9eda-2ca8b33039b4_/controller1/drive0");
    for name in ["pathname", "type"] {
        drive.remove(name);
    }
    drive.push(Node::text("pathname", r"D:\Festplatten\Gemeinsam.vhds"));
    drive.push(Node::text("type", "VHD"));
    fs::write(place(source, &format!(r"{HYPER_V}\Virtual Machines\{WEB}.vmcx")), configuration(&node)).unwrap();
    let set = place(source, r"D:\Festplatten\Gemeinsam.vhds");
    fs::create_dir_all(set.parent().unwrap()).unwrap();
    // Whatever is in it: here what looks like the beginning of a VHDX.
    fs::write(&set, [&b"vhdxfile"[..], &[0; 4088]].concat()).unwrap();
    let planned = |answers: &[&str]| {
        let plan = case.plan(answers).unwrap();
        let verdict = plan.machines.iter().find(|machine| machine.id.as_str() == WEB).unwrap().verdict.clone();
        let web = plan.role.machines.iter().find(|machine| machine.id.as_str() == WEB);
        (verdict, web.map(|machine| machine.disks.len()))
    };
    let (verdict, there) = planned(&ANSWERS);
    let Verdict::Blocked { findings } = verdict else { panic!("{verdict:?}") };
    assert!(findings.len() == 1 && findings[0].starts_with("machine.vhd-set@"), "{findings:?}");
    assert_eq!(there, None);
    let accepted = [&ANSWERS[..], &["machine.vhd-set=accept"]].concat();
    let (verdict, there) = planned(&accepted);
    assert_eq!((verdict, there), (Verdict::Migrate, Some(1)), "its other disk is migrated");
}
