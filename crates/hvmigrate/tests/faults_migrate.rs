//! A call of `migrate` fails: the first and the last of each kind with each kind of file, and some between. The error is
//! named, the source stays as it was, the same command again makes the same folder, and `verify` finds no difference.
//! `HVM_FAULTS=all` tries every call.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod faults_support;

use std::collections::BTreeMap;
use std::fs;

use common::{ANSWERS, Scene, copy_folder};
use faults_support::job::shown_name;
use faults_support::{Call, Fault, Shim};
use hvm_testkit::sample::Variant;

const MIGRATE: [&str; 5] = ["migrate", "--work", "work", "--confirm", "all"];
const EIO: &str = "errno 5";
const FULL: &str = "from 28";
/// Most calls that are tried for a destination.
const MOST: usize = 48;

/// A sample host with a plan, and what `migrate` makes of it.
struct Planned {
    scene: Scene,
    shim: Shim,
    undisturbed: Vec<(String, String)>,
    calls: Vec<Call>,
}

impl Planned {
    fn new(destination: &str) -> Option<Planned> {
        let shim = Shim::compile()?;
        let scene = Scene::in_memory();
        scene.sample(Variant::Default);
        fs::create_dir(scene.dir.join("to")).unwrap();
        let mut plan = vec!["plan", "--from", "folder:source", "--work", "work", "--to", destination];
        plan.extend(ANSWERS);
        scene.expect(0, &plan);
        copy_folder(&scene.dir.join("work"), &scene.dir.join("work as planned"));
        let (ran, calls) = shim.run(&scene, &MIGRATE, None);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let undisturbed = scene.content("to");
        assert!(undisturbed.len() > 10);
        Some(Planned { scene, shim, undisturbed, calls })
    }

    /// The folders as they were after `plan`.
    fn plan_again(&self) {
        for folder in ["to", "work"] {
            fs::remove_dir_all(self.scene.dir.join(folder)).unwrap();
        }
        fs::create_dir(self.scene.dir.join("to")).unwrap();
        copy_folder(&self.scene.dir.join("work as planned"), &self.scene.dir.join("work"));
    }

    /// The error names the file and the reason.
    fn judge_message(&self, text: &str, fault: &Fault, call: &Call) {
        let error = &text[text.find("Error: ").unwrap()..];
        let reason = if fault.how == FULL { "full" } else { "Input/output error" };
        // The journal's folder is flushed for it, and SQLite has words of its own.
        if call.path.ends_with("work") || call.path.to_string_lossy().contains("journal.sqlite") {
            return assert!(error.contains("journal.sqlite"), "{fault:?} {call:?}: {error}");
        }
        let name = shown_name(&call.path, &self.scene.dir);
        assert!(error.contains(&name) && error.contains(reason), "{fault:?} {call:?}: {error}");
    }

    /// True when the fault ended the run.
    fn survives(&self, fault: &Fault) -> bool {
        self.plan_again();
        let (ran, list) = self.shim.run(&self.scene, &MIGRATE, Some(fault));
        let call = list.iter().find(|call| call.injected);
        let what = format!("{fault:?} {call:?}\n{}", ran.stderr);
        for (name, seen) in self.scene.content("to") {
            let file = name.rsplit('/').next().unwrap();
            let hidden = file.starts_with('.') && file.contains(".partial");
            assert!(hidden || self.undisturbed.contains(&(name.clone(), seen)), "'{name}' is not whole: {what}");
        }
        assert!(!ran.stderr.contains("panicked"), "{what}");
        if ran.code != 0 {
            assert!(ran.code == 1 && ran.stderr.contains("Error: ") && ran.stderr.contains("\nHint: "), "{what}");
            self.judge_message(&ran.stderr, fault, call.unwrap());
        } else if fault.kind != "remove" && fault.kind != "open" {
            // SQLite lets it pass when the folder of the journal cannot be flushed.
            let passes = |call: &Call| fault.kind == "sync" && call.path.ends_with("work");
            assert!(call.is_none_or(passes), "it was not told: {what}");
        }
        self.scene.expect(0, &MIGRATE);
        assert_eq!(self.scene.content("to"), self.undisturbed, "{what}");
        let verified = self.scene.expect(0, &["verify", "--work", "work"]);
        assert!(format!("{}{}", verified.stdout, verified.stderr).contains("nothing differs"), "{what}");
        ran.code != 0
    }
}

/// What kind of file a call is of: its extension, of a hidden one that of its final name and what it is beside that.
fn class(call: &Call) -> String {
    let name = call.path.file_name().unwrap().to_string_lossy().into_owned();
    let parts: Vec<&str> = name.split('.').skip(1).collect();
    let last = parts.len().saturating_sub(2);
    parts[last..].join(".")
}

/// The first and last call of each kind with each class of file, as many as may be tried, spread evenly.
fn some(calls: &[Call]) -> Vec<(String, u64)> {
    let mut ends: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for call in calls {
        let (first, last) = ends.entry((call.kind.clone(), class(call))).or_insert((call.number, call.number));
        (*first, *last) = (call.number.min(*first), call.number.max(*last));
    }
    let mut some: Vec<(String, u64)> =
        ends.into_iter().flat_map(|((kind, _), (first, last))| [(kind.clone(), first), (kind, last)]).collect();
    some.sort();
    some.dedup();
    let (found, most) = (some.len(), MOST.min(some.len()));
    (0..most).map(|number| some[number * found / most].clone()).collect()
}

fn a_migration_survives_faults(destination: &str) {
    let Some(planned) = Planned::new(destination) else { return };
    let source = planned.scene.look("source");
    let all = std::env::var("HVM_FAULTS").is_ok_and(|wish| wish == "all");
    let every = || planned.calls.iter().map(|call| (call.kind.clone(), call.number)).collect();
    let numbers = if all { every() } else { some(&planned.calls) };
    let (mut tried, mut failed) = (0, 0);
    for (index, (kind, number)) in numbers.into_iter().enumerate() {
        // A full disk and a broken one, in turns where both can be.
        let full = matches!(kind.as_str(), "write" | "truncate") && index % 2 == 0;
        failed += u32::from(planned.survives(&Fault::new(&kind, number, if full { FULL } else { EIO })));
        tried += 1;
    }
    println!("{destination}: {tried} tried, {failed} failed");
    assert!(failed > 25, "only {failed} of {tried} ended the run");
    assert_eq!(planned.scene.look("source"), source, "the source was changed");
}

#[test]
fn to_libvirt_files() {
    a_migration_survives_faults("libvirt-files:to?processors=2&memory=32GiB");
}

#[test]
fn to_a_kit() {
    a_migration_survives_faults("kit:to?os=2012&processors=2&memory=32GiB&free=500GiB&language=0407");
}
