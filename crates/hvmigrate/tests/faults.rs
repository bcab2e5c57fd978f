//! The n-th read, write, flush, cut, rename, opening or removal of a file fails, or moves too little, for every n of a small
//! job: the error names the file and what to do, nothing half-done has a final name, the source stays as it was, and the
//! same command again gives what an undisturbed run gives.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod faults_support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Ran, Scene, tree};
use faults_support::{Call, Fault, Shim, numbers};
use hvm_testkit::vhd::{Blocks, ContentModel, Locator, Parent, VhdKind, VhdSpec};

const EIO: &str = "errno 5";
const EINTR: &str = "errno 4";
const FULL: &str = "from 28";
/// Most numbers of one kind of call that are tried.
const MOST: u64 = 8;

/// A scene with a disk and a chain, and a folder for what is made.
fn scene() -> Scene {
    let scene = Scene::in_memory();
    let source = scene.dir.join("source");
    fs::create_dir(&source).unwrap();
    let size = (3 << 20) + 65536;
    let (mut below, mut own) = (ContentModel::new(size), ContentModel::new(size));
    for run in 0..3u64 {
        below.fill(run * 2048 + 100, 900, run + 1);
        own.fill(run * 2048 + 700, 500, run + 50);
    }
    fs::write(source.join("disk.raw"), own.over(&below).to_vec()).unwrap();
    let blocks = || Blocks { size: 512 << 10, ..Blocks::default() };
    let base = VhdSpec::new(VhdKind::Dynamic(blocks()), [1; 16]);
    base.image(&below).write_to(&source.join("base.vhd")).unwrap();
    let locators = vec![Locator::new(b"W2ru", ".\\base.vhd")];
    let (unique_id, timestamp, name) = (base.unique_id, base.timestamp, "base.vhd".to_owned());
    let parent = Parent { unique_id, timestamp, name, locators, stale: None };
    let leaf = VhdSpec::new(VhdKind::Differencing(blocks(), parent), [2; 16]);
    leaf.image(&own).write_to(&source.join("leaf.vhd")).unwrap();
    scene
}

/// The files that are there under their final names, and those with hidden ones.
type Made = (BTreeMap<String, Vec<u8>>, Vec<String>);

fn made(scene: &Scene) -> Made {
    let (mut whole, mut hidden) = (BTreeMap::new(), Vec::new());
    for entry in fs::read_dir(scene.dir.join("out")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with('.') {
            hidden.push(name);
        } else {
            whole.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    (whole, hidden)
}

fn empty_out(scene: &Scene) {
    let _ = fs::remove_dir_all(scene.dir.join("out"));
    fs::create_dir(scene.dir.join("out")).unwrap();
}

/// A job with what an undisturbed run makes and calls.
struct Job<'a> {
    shim: &'a Shim,
    scene: &'a Scene,
    args: Vec<&'a str>,
    /// Name of the file that gets its final name last.
    last: &'a str,
    undisturbed: BTreeMap<String, Vec<u8>>,
    calls: Vec<Call>,
    source: tree::Tree,
}

impl<'a> Job<'a> {
    fn new(shim: &'a Shim, scene: &'a Scene, args: &[&'a str], last: &'a str) -> Self {
        empty_out(scene);
        let source = scene.look("source");
        let (ran, calls) = shim.run(scene, args, None);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        let (undisturbed, hidden) = made(scene);
        assert!(hidden.is_empty() && undisturbed.contains_key(last), "{hidden:?}");
        for kind in ["open", "read", "write", "sync", "rename"] {
            assert!(calls.iter().any(|call| call.kind == kind), "{args:?}: no {kind}");
        }
        Job { shim, scene, args: args.to_vec(), last, undisturbed, calls, source }
    }

    /// Every kind of call with every kind of fault.
    fn try_all(&self) -> Tried {
        let mut tried = Tried::default();
        for (kind, number) in numbers(&self.calls, MOST) {
            self.fails(&Fault::new(&kind, number, EIO), &mut tried);
            if matches!(kind.as_str(), "write" | "truncate") {
                self.fails(&Fault::new(&kind, number, FULL), &mut tried);
            }
            if matches!(kind.as_str(), "read" | "write") {
                self.is_not_noticed(&Fault::new(&kind, number, if number % 2 == 0 { EINTR } else { "short 1" }));
                self.fails(&Fault::new(&kind, number, "end"), &mut tried);
            }
        }
        for kind in ["read", "write"] {
            self.is_not_noticed(&Fault::new(kind, 1, "all-short 65537"));
        }
        assert_eq!(self.scene.look("source"), self.source, "{:?}: the source was changed", self.args);
        assert!(tried.failed > 20, "{:?} {tried:?}", self.args);
        println!("{:?}: {tried:?}", self.args);
        tried
    }

    /// The fault ends the run with an error; the same command again gives what an undisturbed run gives.
    fn fails(&self, fault: &Fault, tried: &mut Tried) {
        let what = format!("{:?} {fault:?}", self.args);
        empty_out(self.scene);
        let (ran, calls) = self.shim.run(self.scene, &self.args, Some(fault));
        // Which thread does what differs from run to run, and with it the number of some calls.
        let Some(call) = calls.iter().find(|call| call.injected) else { return };
        if ran.code != 0 {
            self.judge_message(&ran, fault, call);
            let complete = made(self.scene).0.contains_key(self.last);
            assert_eq!(ran.stderr.contains("is complete and has its final name"), complete, "{what}: {}", ran.stderr);
        }
        let can_do_without = matches!(fault.kind.as_str(), "open" | "remove" | "read");
        self.judge(&what, ran.code, can_do_without, tried);
    }

    /// What is there after a run with a fault, and after the same command without one.
    fn judge(&self, what: &str, code: i32, can_do_without: bool, tried: &mut Tried) {
        let (whole, hidden) = made(self.scene);
        if code == 0 {
            assert!(can_do_without && whole == self.undisturbed, "{what}: it was not told");
            tried.got_round += 1;
            return;
        }
        for (name, bytes) in &whole {
            assert!(self.undisturbed.get(name) == Some(bytes), "{what}: '{name}' is there and not whole");
        }
        let complete = whole.contains_key(self.last);
        assert!(!complete || whole == self.undisturbed, "{what}: the last file is there without the others");
        tried.failed += 1;
        if complete {
            tried.complete += 1;
            return;
        }
        let again = self.scene.run(&self.args);
        assert_eq!(again.code, 0, "{what}, again after {hidden:?}: {}", again.stderr);
        assert!(!again.stdout.is_empty());
        if again.stdout.contains("\"resumed_from\": ") && !again.stdout.contains("\"resumed_from\": 0,") {
            tried.went_on += 1;
        }
        let (whole, hidden) = made(self.scene);
        assert!(whole == self.undisturbed, "{what}: going on gives other bytes");
        assert!(hidden.is_empty(), "{what}: {hidden:?} are left over");
    }

    fn judge_message(&self, ran: &Ran, fault: &Fault, call: &Call) {
        let text = &ran.stderr;
        let what = format!("{:?} {fault:?} {call:?}\n{text}", self.args);
        assert_eq!(ran.code, 1, "{what}");
        assert!(text.starts_with("Error: ") && !text.contains("panicked"), "{what}");
        assert!(text.contains(&*shown_name(&call.path, &self.scene.dir)), "the file is not named: {what}");
        assert!(text.contains("\nHint: "), "{what}");
        let reason = match fault.how {
            EIO => "Input/output error",
            FULL => "full",
            _ => "failed to",
        };
        assert!(text.contains(reason), "{what}");
        if fault.how == FULL
            && call.path.to_string_lossy().ends_with("partial")
            && call.path.to_string_lossy().contains("copy")
        {
            assert!(text.contains("at most ") && text.contains(" more are needed"), "{what}");
        }
        if fault.kind == "read" && call.path.starts_with(self.scene.dir.join("source")) {
            assert!(text.contains("at offset "), "{what}");
        }
    }

    /// The program goes on as if nothing had happened.
    fn is_not_noticed(&self, fault: &Fault) {
        empty_out(self.scene);
        let (ran, calls) = self.shim.run(self.scene, &self.args, Some(fault));
        assert_eq!(ran.code, 0, "{:?} {fault:?}: {}", self.args, ran.stderr);
        let (whole, hidden) = made(self.scene);
        assert!(whole == self.undisturbed && hidden.is_empty(), "{:?} {fault:?}: {:?}", self.args, calls.last());
    }
}

/// What a message must hold: the name of the file, or its final name where it is written under a hidden one.
fn shown_name(path: &Path, scene: &Path) -> String {
    if path == scene {
        return ".".to_owned();
    }
    let name = path.file_name().unwrap().to_string_lossy();
    let hidden = name.strip_prefix('.').and_then(|rest| rest.split(".partial").next());
    hidden.unwrap_or(&name).to_owned()
}

/// What came of the faults of a job.
#[derive(Debug, Default)]
struct Tried {
    failed: u64,
    /// Of those, that all was done but for the last flush or tidying.
    complete: u64,
    /// Of those, that the next run did not begin anew.
    went_on: u64,
    /// Faults that the program could do without.
    got_round: u64,
}

const FORMATS: [(&str, &str, &[&str]); 7] = [
    ("raw", "out/copy.raw", &[]),
    ("vhd", "out/copy.vhd", &[]),
    ("vhd-fixed", "out/copy.vhd", &[]),
    ("vhdx", "out/copy.vhdx", &[]),
    ("vhdx-fixed", "out/copy.vhdx", &[]),
    ("qcow2", "out/copy.qcow2", &[]),
    ("qcow2", "out/copy.qcow2", &["--compress"]),
];

fn convert_all(source: &str, more: &[&str], formats: &[usize]) {
    let Some(shim) = Shim::compile() else { return };
    let scene = scene();
    for (to, output, packing) in formats.iter().map(|format| FORMATS[*format]) {
        let args = ["disk", "convert", source, output, "--to", to, "--format", "json"];
        let args = [args.as_slice(), packing, more].concat();
        let tried = Job::new(&shim, &scene, &args, output.strip_prefix("out/").unwrap()).try_all();
        assert!(tried.went_on > 0, "{tried:?}");
    }
}

#[test]
fn a_conversion_survives_each_fault() {
    convert_all("source/disk.raw", &[], &[0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_conversion_of_a_chain_with_a_manifest_survives_each_fault() {
    convert_all("source/leaf.vhd", &["--manifest", "out/manifest.json"], &[0, 3, 6]);
}

#[test]
fn a_flushed_conversion_survives_each_fault() {
    convert_all("source/leaf.vhd", &["--sync"], &[1, 4, 5]);
}

/// System calls that a program can use on a file, whichever library it calls them through.
const SYSTEM_CALLS: [&str; 17] = [
    "openat",
    "read",
    "pread64",
    "preadv",
    "write",
    "pwrite64",
    "pwritev",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "ioctl",
    "rename",
    "renameat2",
    "unlink",
];

/// The same by another way than the shim, which sees only what goes through the C library: the kernel's answers are changed.
#[test]
fn a_conversion_survives_what_the_kernel_refuses() {
    let Some(shim) = Shim::compile() else { return };
    let scene = scene();
    let traced = |args: &[&str], call: &str, number: u64| {
        let list = scene.dir.join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(&list);
        command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error=EIO:when={number}")]);
        for path in ["source/disk.raw", "out/copy", "out/.copy.partial", "out/.copy.partial.written", "out"] {
            command.arg("-P").arg(scene.dir.join(path));
        }
        let program = scene.command(args);
        let output = command.arg(program.get_program()).args(program.get_args()).current_dir(&scene.dir).output();
        output.map(|output| (output, fs::read_to_string(&list).unwrap_or_default()))
    };
    let nothing = ["--version"];
    match traced(&nothing, "openat", 1) {
        Ok((output, _)) if output.status.success() => {}
        Ok((output, _)) => {
            return eprintln!("SKIPPED: faults of the kernel: strace: {}", String::from_utf8_lossy(&output.stderr));
        }
        Err(error) => return eprintln!("SKIPPED: faults of the kernel: strace: {error}"),
    }
    let path = |name: &str| scene.dir.join(name).display().to_string();
    let (input, output) = (path("source/disk.raw"), path("out/copy"));
    for to in ["raw", "vhdx", "qcow2"] {
        let args = ["disk", "convert", &input, &output, "--to", to, "--format", "json"];
        let job = Job::new(&shim, &scene, &args, "copy");
        let mut tried = Tried::default();
        for (call, number) in SYSTEM_CALLS.iter().flat_map(|call| [1, 2, 4].map(|number| (call, number))) {
            empty_out(&scene);
            let (output, list) = traced(&args, call, number).unwrap();
            if !list.contains("(INJECTED)") {
                continue;
            }
            let (what, text) = (format!("{to} {call} {number}"), String::from_utf8(output.stderr).unwrap());
            let code = output.status.code().unwrap();
            assert!(code == 0 || text.starts_with("Error: ") && text.contains("\nHint: "), "{what}: {text}");
            let optional = ["openat", "read", "unlink", "fallocate", "copy_file_range", "ioctl", "sync_file_range"];
            job.judge(&what, code, optional.contains(call), &mut tried);
        }
        println!("{to}: {tried:?}");
        assert_eq!(scene.look("source"), job.source, "the source was changed");
        assert!(tried.failed > 8, "{tried:?}");
    }
}

#[test]
fn a_kept_chain_survives_each_fault() {
    let Some(shim) = Shim::compile() else { return };
    let scene = scene();
    for (to, output) in [("vhd", "out/copy.vhd"), ("vhdx", "out/copy.vhdx"), ("qcow2", "out/copy.qcow2")] {
        let args = ["disk", "convert", "source/leaf.vhd", output, "--to", to, "--keep-chain", "--format", "json"];
        Job::new(&shim, &scene, &args, output.strip_prefix("out/").unwrap()).try_all();
    }
}
