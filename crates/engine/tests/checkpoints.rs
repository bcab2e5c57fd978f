//! Checkpoints as machines of their own, on both kinds of destinations.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ANSWERS, Case, KINDS};
use hvm_engine::{ChainOptions, HashKind, Quiet};
use hvm_model::names::MacAddress;
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
