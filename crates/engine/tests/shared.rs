#![allow(clippy::unwrap_used, missing_docs)]
//! A host that is migrated within one file system that shares extents: the copies take no room of their own, are proved all the
//! same, and the journal says which way was taken.

mod common;
#[path = "../../transfer/tests/share_support/mod.rs"]
mod share_support;

use common::{ANSWERS, Case, KINDS, tree_with_times};
use hvm_model::record::Event;
use hvm_testkit::sample::Variant;
use share_support::{Volume, shared_bytes};

#[test]
fn disks_share_what_they_can_and_verify() {
    let Some(volume) = Volume::xfs() else { return };
    for kind in KINDS {
        let case = Case::within(&volume.path(), kind, Variant::Default);
        let before = tree_with_times(&case.host.folder);
        let plan = case.plan(&ANSWERS).unwrap();
        case.migrate_all();
        assert_eq!(case.verify().differences, [], "{kind}");
        let events = hvm_engine::report(&case.work()).unwrap().journal.into_iter().map(|record| record.event);
        let notes = events.filter_map(|event| match event {
            Event::Done { evidence, .. } => Some(evidence.notes),
            _ => None,
        });
        let told: Vec<String> = notes.flatten().filter(|note| note.starts_with("Shared ")).collect();
        assert!(!told.is_empty() && told.iter().all(|note| note.contains("(XFS), copied ")), "{kind}: {told:?}");
        let disks = plan.role.machines.iter().flat_map(|machine| &machine.disks);
        let shared: Option<u64> = disks.map(|disk| shared_bytes(&case.root().join(&disk.target))).sum();
        assert!(shared.is_none_or(|bytes| bytes > 0), "{kind}: filefrag sees none");
        assert_eq!(tree_with_times(&case.host.folder), before, "the source was touched");
    }
}
