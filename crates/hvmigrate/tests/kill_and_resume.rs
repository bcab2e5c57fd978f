//! A run of `migrate` that is killed at any moment goes on to the same result, and a rollback leaves the destination's
//! folder as it was.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{ANSWERS, Scene, copy_folder};
use hvm_testkit::sample::Variant;

const MIGRATE: [&str; 5] = ["migrate", "--work", "work", "--confirm", "all"];
const DISCARD: [&str; 4] = ["rollback", "--work", "work", "--discard-data"];

/// A scene with a plan and a file of somebody else's in the destination's folder.
fn planned(destination: &str) -> Scene {
    let scene = Scene::new();
    scene.sample(Variant::Default);
    std::fs::create_dir(scene.dir.join("to")).unwrap();
    std::fs::write(scene.dir.join("to/somebody else's.txt"), "stays").unwrap();
    let mut args = vec!["plan", "--from", "folder:source", "--to", destination, "--work", "work"];
    args.extend(ANSWERS);
    scene.expect(0, &args);
    copy_folder(&scene.dir.join("work"), &scene.dir.join("work as planned"));
    scene
}

/// The work folder as it was after `plan`.
fn plan_again(scene: &Scene) {
    std::fs::remove_dir_all(scene.dir.join("work")).unwrap();
    copy_folder(&scene.dir.join("work as planned"), &scene.dir.join("work"));
}

fn migrate_and_kill(scene: &Scene, after: Duration) {
    let mut child = scene.command(&MIGRATE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The same numbers in each run, so that a failure can be met again.
fn moments(count: u32, whole: Duration) -> impl Iterator<Item = Duration> {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    (0..count).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        whole.mul_f64((state >> 11) as f64 / (1u64 << 53) as f64)
    })
}

fn killed_runs_end_like_undisturbed_ones(destination: &str) {
    let scene = planned(destination);
    let before = scene.content("to");
    let source = scene.look("source");
    let start = Instant::now();
    scene.expect(0, &MIGRATE);
    let whole = start.elapsed();
    let undisturbed = scene.content("to");
    assert!(undisturbed.len() > before.len() + 10);
    scene.expect(0, &DISCARD);
    assert_eq!(scene.content("to"), before, "after rolling back an undisturbed run");
    for moment in moments(20, whole) {
        plan_again(&scene);
        migrate_and_kill(&scene, moment);
        for (name, seen) in scene.content("to") {
            assert!(is_partial(&name) || known(&undisturbed, &name), "{name} after {moment:?}");
            let complete = undisturbed.iter().find(|(known, _)| *known == name);
            assert!(complete.is_none_or(|(_, whole)| *whole == seen), "{name} is not complete after {moment:?}");
        }
        scene.expect(0, &MIGRATE);
        assert_eq!(scene.content("to"), undisturbed, "killed after {moment:?}");
        scene.expect(0, &DISCARD);
        assert_eq!(scene.content("to"), before, "killed after {moment:?} and rolled back");
    }
    for moment in moments(8, whole) {
        plan_again(&scene);
        migrate_and_kill(&scene, moment);
        scene.expect(0, &DISCARD);
        assert_eq!(scene.content("to"), before, "killed after {moment:?} and rolled back at once");
    }
    assert_eq!(scene.look("source"), source);
}

/// What is not complete has another name than the file that it becomes.
fn is_partial(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with('.') && name.contains(".partial")
}

fn known(undisturbed: &[(String, String)], name: &str) -> bool {
    undisturbed.iter().any(|(known, _)| known == name)
}

#[test]
fn libvirt_files() {
    killed_runs_end_like_undisturbed_ones("libvirt-files:to?processors=2&memory=32GiB");
}

#[test]
fn kit() {
    killed_runs_end_like_undisturbed_ones("kit:to?os=2012&processors=2&memory=32GiB&free=500GiB&language=0407");
}
