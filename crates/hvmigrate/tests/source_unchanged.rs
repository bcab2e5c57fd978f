//! No command changes the source: names, kinds, sizes, times and bytes of everything in it stay.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{ANSWERS, Scene};
use hvm_testkit::sample::Variant;

#[test]
fn each_command_leaves_the_source_as_it_was() {
    let scene = Scene::new();
    let host = scene.sample(Variant::Default);
    let before = scene.look("source");
    let to = "libvirt-files:to?processors=2&memory=32GiB";
    let mut plan = vec!["plan", "--from", "folder:source", "--to", to, "--work", "work"];
    plan.extend(ANSWERS);
    let leaf = host.disks.iter().max_by_key(|disk| disk.chain.len()).unwrap().path.to_string_lossy().into_owned();
    let commands: [(i32, Vec<&str>); 12] = [
        (3, vec!["assess", "--from", "folder:source", "--to", to]),
        (0, plan),
        (3, vec!["migrate", "--work", "work"]),
        (0, vec!["migrate", "--work", "work", "--confirm", "all"]),
        (0, vec!["verify", "--work", "work"]),
        (0, vec!["verify", "--work", "work", "--without-source"]),
        (0, vec!["report", "--work", "work"]),
        (0, vec!["finish", "--work", "work", "--confirm", "all"]),
        (0, vec!["disk", "info", &leaf]),
        (0, vec!["disk", "hash", &leaf]),
        (0, vec!["disk", "convert", &leaf, "out.raw", "--to", "raw"]),
        (0, vec!["rollback", "--work", "work", "--discard-data"]),
    ];
    for (code, args) in commands {
        scene.expect(code, &args);
        assert_eq!(scene.look("source"), before, "after {args:?}");
    }
}
