//! Whole migrations to the computer that the program runs on (`local:`): the model of a host runs what is given to the program in
//! the place of `powershell.exe`, and sees the files that are written into the folder of the kit.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, Scene};
use hvm_testkit::hyperv_host::{Host, Mirror, Release, Served};
use hvm_testkit::powershell::Descriptor;
use hvm_testkit::sample::Variant;
use hvm_testkit::sample_2016::{self, OLD, WEB};

/// The folder of the kit as the host has it, as this computer has it, and as the URI does.
const KIT: &str = r"D:\Umzug 'HV'";
const KIT_HERE: &str = "D:/Umzug 'HV'";
const URI: &str = "local:D:/Umzug%20'HV'";
const MIGRATE: [&str; 5] = ["migrate", "--work", "work", "--confirm", "all"];

/// What stands for `powershell.exe`: what it is given goes to the host, and what the host's console shows comes back.
const PROGRAM: &str = r#"#!/usr/bin/env python3
import json, socket, sys
words = ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-EncodedCommand"]
if sys.argv[1:-1] != words:
    sys.exit("other arguments: " + repr(sys.argv))
with socket.create_connection(("127.0.0.1", PORT)) as host, host.makefile("rw") as talk:
    print(json.dumps({"command": sys.argv[-1], "input": sys.stdin.read()}), file=talk, flush=True)
    said = json.loads(talk.readline())
print(*said["console"], sep="\r\n", end="\r\n")
if said["error"]:
    sys.exit(said["error"])
"#;

struct Lab {
    scene: Scene,
    host: Served,
}

/// A host whose program it is, or why there is none.
fn lab(pause: Duration) -> Option<Lab> {
    lab_of(pause, |scene| drop(scene.sample(Variant::Clean)))
}

fn lab_of(pause: Duration, source: fn(&Scene)) -> Option<Lab> {
    if !Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: python3 is not installed");
        return None;
    }
    let scene = Scene::new();
    source(&scene);
    let mirror = Mirror::new(&scene.dir.join(KIT_HERE), KIT);
    let make = || Host::new(Release::Server2019, &["Ethernet", "Ethernet 2"]);
    let host = Served::start_with(make, pause, Some(mirror)).unwrap();
    program(&scene, &PROGRAM.replace("PORT", &host.port().to_string()));
    Some(Lab { scene, host })
}

/// Puts a program where Windows has its PowerShell.
fn program(scene: &Scene, text: &str) {
    let folder = scene.dir.join("Windows/System32/WindowsPowerShell/v1.0");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("powershell.exe");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn command(scene: &Scene, args: &[&str]) -> Command {
    let mut command = scene.command(args);
    command.env("SystemRoot", scene.dir.join("Windows"));
    command
}

fn run(scene: &Scene, code: i32, args: &[&str]) -> Ran {
    let output = command(scene, args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran =
        Ran { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code().unwrap_or(-1) };
    assert_eq!(ran.code, code, "{args:?}\n{}\n{}", ran.stdout, ran.stderr);
    ran
}

impl Lab {
    fn run(&self, code: i32, args: &[&str]) -> Ran {
        run(&self.scene, code, args)
    }

    fn plan(&self) -> Ran {
        self.run(0, &["plan", "--from", "folder:source", "--to", URI, "--work", "work"])
    }

    fn migrate(&self) -> Child {
        command(&self.scene, &MIGRATE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn wait(&self, what: &str, is_so: impl Fn(&mut Host) -> bool + Send + Copy + 'static) {
        let until = Instant::now() + Duration::from_secs(120);
        while !self.host.look(is_so).unwrap() {
            assert!(Instant::now() < until, "{what} does not happen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What lies in the folder of the kit on the host.
    fn kit(&self) -> Vec<String> {
        let inside = |host: &mut Host| {
            let paths = host.files.iter().map(|file| file.path.clone());
            paths.filter(|path| path.starts_with(KIT)).collect()
        };
        self.host.look(inside).unwrap()
    }
}

#[test]
fn a_migration_to_its_end_and_back() {
    let Some(lab) = lab(Duration::ZERO) else { return };
    let before = lab.scene.look("source");
    lab.plan();
    let migrated = lab.run(0, &MIGRATE);
    assert!(migrated.stderr.contains("All steps are done."), "{}", migrated.stderr);
    assert!(migrated.stderr.contains("this computer"), "{}", migrated.stderr);
    assert!(lab.host.look(|host| host.state.machines.len()).unwrap() > 0);
    assert_eq!(lab.host.look(|host| (host.state.tasks.len(), host.state.task_starts)), Some((0, 2)));
    // The folder is one of administrators alone from the beginning, and nothing was carried: the kit lies where it was made.
    let security = lab.host.look(|host| host.files.security(KIT).cloned()).unwrap();
    assert_eq!(security, Some(Descriptor::of_sddl("O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)").unwrap()));
    assert!(lab.scene.dir.join(KIT_HERE).join("role.json").is_file());
    assert!(!lab.scene.dir.join("work/live/kit").exists());
    let plan = std::fs::read_to_string(lab.scene.dir.join("work/plan.json")).unwrap();
    assert!(plan.contains("take-folder") && !plan.contains("carry-over"), "{plan}");
    lab.run(0, &["verify", "--work", "work"]);
    lab.host.look(|host| host.state.machines[0].processors.count = 13).unwrap();
    let verified = lab.run(4, &["verify", "--work", "work"]);
    assert!(verified.stdout.contains("processors.count") && verified.stdout.contains("13"), "{}", verified.stdout);
    // One byte of a disk.
    let disks = lab.scene.look(&format!("{KIT_HERE}/disks"));
    let disk = disks.keys().find(|name| name.ends_with(".vhd")).unwrap();
    let path = lab.scene.dir.join(KIT_HERE).join("disks").join(disk);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[70_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let verified = lab.run(4, &["verify", "--work", "work"]);
    assert!(verified.stdout.contains("70000") || verified.stdout.contains(".vhd"), "{}", verified.stdout);
    // And back: nothing of it is left.
    lab.run(0, &["rollback", "--work", "work", "--discard-data"]);
    assert_eq!(lab.host.look(|host| (host.state.machines.len(), host.state.switches.len())), Some((0, 0)));
    assert_eq!(lab.kit(), Vec::<String>::new());
    assert_eq!(lab.host.look(|host| host.files.has_folder(KIT)), Some(false));
    assert!(!lab.scene.dir.join(KIT_HERE).exists());
    assert_eq!(lab.scene.look("source"), before);
}

/// What the host registers lies in the folder that hvmigrate made and removes again.
#[test]
fn machines_keep_their_ids_here_too() {
    let Some(lab) = lab_of(Duration::ZERO, |scene| sample_2016::write(&scene.dir.join("source")).unwrap()) else {
        return;
    };
    let answers = sample_2016::ANSWERS.map(|answer| ["--answer", answer]).concat();
    let plan = ["plan", "--from", "folder:source", "--to", URI, "--work", "work"];
    lab.run(0, &[&plan[..], &answers].concat());
    lab.run(0, &MIGRATE);
    let kept =
        |host: &mut Host| host.state.machines.iter().filter(|machine| [WEB, OLD].contains(&&*machine.id)).count();
    assert_eq!(lab.host.look(kept), Some(2));
    lab.run(0, &["verify", "--work", "work"]);
    lab.run(0, &["rollback", "--work", "work", "--discard-data"]);
    assert_eq!(lab.host.look(|host| (host.state.machines.len(), host.files.has_folder(KIT))), Some((0, false)));
    assert!(!lab.scene.dir.join(KIT_HERE).exists());
}

#[test]
fn what_is_kept_by_a_rollback_is_taken_over() {
    let Some(lab) = lab(Duration::ZERO) else { return };
    lab.plan();
    lab.run(0, &MIGRATE);
    let back = lab.run(0, &["rollback", "--work", "work"]);
    assert!(back.stdout.contains("disks/"), "{}", back.stdout);
    assert_eq!(lab.host.look(|host| host.state.machines.len()), Some(0));
    lab.plan();
    let again = lab.run(0, &MIGRATE);
    assert!(again.stderr.contains("All steps are done."), "{}", again.stderr);
    lab.run(0, &["verify", "--work", "work"]);
}

#[test]
fn one_that_is_killed_while_the_host_imports_goes_on() {
    let Some(lab) = lab(Duration::from_millis(15)) else { return };
    lab.plan();
    let mut first = lab.migrate();
    lab.wait("the import", |host| host.state.tasks.iter().any(|task| task.state == "Running"));
    first.kill().unwrap();
    first.wait().unwrap();
    let last = lab.run(0, &MIGRATE);
    assert!(last.stderr.contains("All steps are done."), "{}", last.stderr);
    assert_eq!(lab.host.look(|host| host.state.task_starts), Some(2), "one import and one test");
    lab.run(0, &["verify", "--work", "work"]);
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let Some(lab) = lab(Duration::ZERO) else { return };
    let foreign = lab.scene.dir.join(KIT_HERE).join("notes.txt");
    std::fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    std::fs::write(&foreign, "mine").unwrap();
    lab.plan();
    let refused = lab.run(1, &MIGRATE);
    assert!(refused.stderr.contains("is not empty and is not of this migration"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "mine");
    assert_eq!(lab.kit().len(), 1);
}

#[test]
fn what_is_no_windows_says_so() {
    let scene = Scene::new();
    scene.sample(Variant::Clean);
    let plan = ["plan", "--from", "folder:source", "--to", URI, "--work", "work"];
    let mut command = scene.command(&plan);
    let output = command.env_remove("SystemRoot").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("this is none") && told.contains("Hint: run hvmigrate.exe on that server"), "{told}");
    // A PowerShell that is not there, and one that does not run anything.
    let told = run(&scene, 1, &plan).stderr;
    assert!(told.contains("powershell.exe") && told.contains("Could not start"), "{told}");
    program(&scene, "#!/bin/sh\ncat >/dev/null\necho 'This program is blocked by group policy.' >&2\nexit 1\n");
    let told = run(&scene, 1, &plan).stderr;
    assert!(told.contains("blocked by group policy"), "{told}");
}
