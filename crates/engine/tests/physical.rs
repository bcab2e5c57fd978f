//! Physical disks of the source: attached again by what is written on them, or copied into virtual disks.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ANSWERS, Case, KINDS};
use hvm_engine::{ChainOptions, HashKind, Quiet};
use hvm_model::capabilities::DiskFormat;
use hvm_model::plan::{Plan, Verdict};
use hvm_model::role::RoleMachine;
use hvm_testkit::sample::{Variant, ids};

fn planned(case: &Case, answer: &str) -> Plan {
    let answer = format!("machine.pass-through@{}={answer}", ids::MEDIA.1);
    let answers: Vec<&str> = ANSWERS.iter().copied().chain([answer.as_str()]).collect();
    case.plan(&answers).unwrap()
}

fn media(plan: &Plan) -> &RoleMachine {
    plan.role.machines.iter().find(|machine| machine.id.as_str() == ids::MEDIA.0).unwrap()
}

#[test]
fn a_physical_disk_is_attached_by_what_is_written_on_it() {
    let case = Case::new(KINDS[0], Variant::Default);
    let plan = planned(&case, "disk:1a2b3c4d");
    let machine = media(&plan);
    assert_eq!(machine.physical.len(), 1);
    assert_eq!(machine.physical[0].disk.to_string(), "signature 1A2B3C4D");
    assert!(machine.pass_through.is_empty());
    let place = |id: &str| plan.steps.iter().position(|step| step.id == id);
    let moved = place(&format!("confirm.move-disks.{}", machine.id)).unwrap();
    assert!(place("confirm.source-off") < Some(moved));
    assert!(Some(moved) < place(&format!("register-machine.{}", machine.id)));
    assert_eq!(place(&format!("confirm.pass-through.{}", machine.id)), None);
    case.migrate_all();
    assert_eq!(case.verify().differences, []);
}

#[test]
fn a_physical_disk_is_copied_into_a_virtual_one() {
    for (kind, format) in [(KINDS[0], DiskFormat::Vhdx), (KINDS[1], DiskFormat::Qcow2)] {
        let case = Case::new(kind, Variant::Default);
        let image = case.folder.path().join("sdb.raw");
        let bytes: Vec<u8> = (0..3u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        std::fs::write(&image, &bytes).unwrap();
        let plan = planned(&case, &format!("image:{}", image.display()));
        let machine = media(&plan);
        let disk = machine.disks.iter().find(|disk| disk.local.is_some()).unwrap();
        assert_eq!((disk.format, disk.size.0), (format, bytes.len() as u64));
        assert!(machine.pass_through.is_empty() && machine.physical.is_empty());
        case.migrate_all();
        assert_eq!(case.verify().differences, [], "{kind}");
        let path = case.root().join(&disk.target);
        let hash = hvm_engine::disk_hash(&path, HashKind::Plain, &ChainOptions::default(), &Quiet).unwrap();
        assert_eq!(hash, blake3::hash(&bytes).to_hex().as_str());
    }
}

#[test]
fn a_path_where_nothing_is_and_an_answer_that_a_destination_does_not_take_are_told() {
    let case = Case::new(KINDS[0], Variant::Default);
    let answer = format!("machine.pass-through@{}=image:/nowhere/sdb", ids::MEDIA.1);
    let answers: Vec<&str> = ANSWERS.iter().copied().chain([answer.as_str()]).collect();
    let error = case.plan(&answers).unwrap_err();
    let told = std::error::Error::source(&error).unwrap().to_string();
    assert!(told.contains("/nowhere/sdb"), "{told}");
    let case = Case::new(KINDS[1], Variant::Default);
    let plan = planned(&case, "disk:1A2B3C4D");
    // libvirt wants the path of a device, which only that host knows.
    let verdict = &plan.machines.iter().find(|machine| machine.id.as_str() == ids::MEDIA.0).unwrap().verdict;
    let Verdict::Blocked { findings } = verdict else { panic!("{verdict:?}") };
    assert!(findings.iter().any(|finding| finding.starts_with("answer.invalid@")), "{findings:?}");
}
