#![allow(clippy::unwrap_used, missing_docs)]
//! A host of Windows Server 2019 through all phases, to a kit for 2022.

mod common;

use std::fs;

use common::{Case, tree_with_times};
use hvm_engine::{ChainOptions, HashKind, Quiet};
use hvm_testkit::sample::Variant;
use hvm_testkit::sample_2016::{self, CHECKPOINT, DATABASE, ELSEWHERE, OLD, WEB, place};

const KIT: &str = "kit:DIR?os=2022&processors=8&memory=64GiB&free=500GiB&language=0407&edition=standard";
const ANSWERS: [&str; 3] = ["machine.saved-state=discard", "source.problem=accept", "machine.virtual-tpm=accept"];

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
