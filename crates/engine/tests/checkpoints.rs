//! Checkpoints as a tree, as machines and as disks of their own.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ANSWERS, Case, KINDS};
use hvm_engine::{ChainOptions, HashKind, Quiet};
use hvm_model::names::MacAddress;
use hvm_model::plan::Plan;
use hvm_model::role::RoleMachine;
use hvm_model::vm::{Connection, StartAction};
use hvm_testkit::sample::{Variant, ids};

#[test]
fn each_checkpoint_becomes_a_machine_when_that_is_wanted() {
    for kind in KINDS {
        let case = Case::new(kind, Variant::Default);
        let answers: Vec<&str> = ANSWERS.iter().copied().chain(["machine.checkpoints=machines"]).collect();
        let plan = case.plan(&answers).unwrap();
        let machines = &plan.role.machines;
        let of_tree =
            machines.iter().filter(|one| one.checkpoint_of.as_ref().is_some_and(|id| id.as_str() == ids::TREE.0));
        let of_tree: Vec<_> = of_tree.collect();
        let names: Vec<&str> = of_tree.iter().map(|machine| machine.name.as_str()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(names[0].starts_with(ids::TREE.1) && names[0].ends_with("Grundinstallation"), "{names:?}");
        let tree = machines.iter().find(|machine| machine.id.as_str() == ids::TREE.0).unwrap();
        assert!(tree.disks.iter().all(|disk| disk.checkpoint.is_none()));
        for machine in &of_tree {
            let configuration = &machine.configuration;
            assert_eq!(configuration.actions.start, StartAction::Nothing);
            for adapter in &configuration.adapters {
                assert_eq!((&adapter.connection, adapter.mac), (&Connection::None, MacAddress::UNASSIGNED));
            }
            assert!(plan.steps.iter().any(|step| step.id == format!("register-machine.{}", machine.id)));
        }
        case.migrate_all();
        assert_eq!(case.verify().differences, [], "{kind}");
        for machine in of_tree {
            assert_eq!(machine.disks.len(), 1);
            let disk = &machine.disks[0];
            let sample =
                case.host.disks.iter().find(|one| one.checkpoint.as_deref() == Some(machine.id.as_str())).unwrap();
            let path = case.root().join(&disk.target);
            let hash = hvm_engine::disk_hash(&path, HashKind::Plain, &ChainOptions::default(), &Quiet).unwrap();
            assert_eq!(hash, sample.blake3, "{}", disk.target);
        }
    }
}

fn tree(plan: &Plan) -> &RoleMachine {
    plan.role.machines.iter().find(|machine| machine.id.as_str() == ids::TREE.0).unwrap()
}

#[test]
fn the_tree_is_kept_where_that_goes_and_its_layers_are_copied_once() {
    let case = Case::new(KINDS[0], Variant::Default);
    let plan = case.plan(&ANSWERS).unwrap();
    let machine = tree(&plan);
    let parents: Vec<(&str, Option<&str>)> =
        machine.checkpoints.iter().map(|one| (one.id.as_str(), one.parent.as_ref().map(|id| id.as_str()))).collect();
    let (a, b, c) = (ids::CHECKPOINT_A.0, ids::CHECKPOINT_B.0, ids::CHECKPOINT_C.0);
    assert_eq!(parents, [(a, None), (b, Some(a)), (c, Some(a))]);
    assert_eq!(machine.current_checkpoint.as_ref().map(|id| id.as_str()), Some(c));
    // The disk of each state lies on the copy of the one that it was made from.
    let target = |checkpoint: Option<&str>| {
        let fits = |disk: &&hvm_model::role::PlacedDisk| disk.checkpoint.as_ref().map(|id| id.as_str()) == checkpoint;
        machine.disks.iter().find(fits).unwrap()
    };
    let parent = |checkpoint| target(checkpoint).parent.as_ref().map(|parent| parent.target.clone());
    assert_eq!(parent(Some(a)), None);
    for (child, below) in [(Some(b), a), (Some(c), a), (None, c)] {
        assert_eq!(parent(child), Some(target(Some(below)).target.clone()));
        assert!(target(child).target.ends_with(".avhd"));
    }
    // Nothing is stored twice: together the layers store no more than the whole machine on the source.
    let flat = case.plan(&[&ANSWERS[..], &["machine.checkpoints=disks"]].concat()).unwrap();
    let stored = |plan: &Plan| tree(plan).disks.iter().map(|disk| disk.stored.0).sum::<u64>();
    assert!(stored(&plan) < stored(&flat), "{} {}", stored(&plan), stored(&flat));
    assert!(tree(&flat).disks.iter().all(|disk| disk.parent.is_none()) && tree(&flat).checkpoints.is_empty());
    let created = |plan: &Plan| plan.steps.iter().filter(|step| step.id.starts_with("create-checkpoint.")).count();
    assert_eq!((created(&plan), created(&flat)), (3, 0));
    let at = |id: String| plan.steps.iter().position(|step| step.id == id).unwrap();
    let register = at(format!("register-machine.{}", ids::TREE.0));
    let made = [a, b, c].map(|checkpoint| at(format!("create-checkpoint.{}.{checkpoint}", ids::TREE.0)));
    assert!(made.is_sorted() && made.iter().all(|place| *place < register));

    let plan = case.plan(&ANSWERS).unwrap();
    case.migrate_all();
    assert_eq!(case.verify().differences, []);
    // A byte of a layer that others lie on is named with each disk that it is wrong in.
    let layer = &tree(&plan)
        .disks
        .iter()
        .find(|disk| disk.checkpoint.as_ref().is_some_and(|id| id.as_str() == c))
        .unwrap()
        .target;
    let path = case.root().join(layer);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 + 1000;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let wrong: Vec<String> = case.verify().differences.into_iter().map(|wrong| wrong.subject).collect();
    assert!(wrong.iter().any(|subject| subject.contains(layer.as_str())), "{wrong:?}");
    // What is migrated again copies the layer again and takes over all others.
    case.rollback(hvm_engine::DataChoice::Keep);
    case.migrate_all();
    assert_eq!(case.verify().differences, []);
}

#[test]
fn where_no_tree_can_be_kept_that_is_said() {
    let case = Case::new(KINDS[1], Variant::Default);
    let refused = case.plan(&[&ANSWERS[..], &["machine.checkpoints=tree"]].concat()).unwrap();
    let verdict = refused.machines.iter().find(|one| one.id.as_str() == ids::TREE.0).unwrap();
    assert!(format!("{:?}", verdict.verdict).contains("answer.invalid"), "{verdict:?}");
    let plan = case.plan(&ANSWERS).unwrap();
    assert!(tree(&plan).checkpoints.is_empty() && tree(&plan).disks.len() > 3);
}
