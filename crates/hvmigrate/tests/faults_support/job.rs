//! A command that makes files, run once with each fault at each of its calls: what must be there after the fault, what the
//! error must say, and what the same command makes when it is run again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{Call, Fault, Shim, count};
use crate::common::{Ran, Scene, tree};

const EIO: &str = "errno 5";
/// EINTR, once for each call.
const INTERRUPTED: &str = "each 4";
const FULL: &str = "from 28";
const ONE_BYTE: &str = "short 1";
const NOTHING: &str = "end";

/// What ends the run when it is done to a call of a kind.
const FAULTS: [(&str, &[&str]); 7] = [
    ("open", &[EIO]),
    ("read", &[EIO, NOTHING]),
    ("write", &[EIO, FULL, NOTHING]),
    ("sync", &[EIO]),
    ("truncate", &[EIO, FULL]),
    ("rename", &[EIO]),
    ("remove", &[EIO]),
];
/// What must not be noticed, from the first call on; that a single call moves one byte is tried for each.
const UNNOTICED: [(&str, &str); 7] = [
    ("open", INTERRUPTED),
    ("read", INTERRUPTED),
    ("write", INTERRUPTED),
    ("sync", INTERRUPTED),
    ("truncate", INTERRUPTED),
    ("read", "all-short 65537"),
    ("write", "all-short 65537"),
];

/// The files that are there under their final names, and those with hidden ones.
type Made = (BTreeMap<String, Vec<u8>>, BTreeMap<String, Vec<u8>>);

fn made(scene: &Scene) -> Made {
    let (mut whole, mut hidden) = (BTreeMap::new(), BTreeMap::new());
    for entry in fs::read_dir(scene.dir.join("out")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let files = if name.starts_with('.') { &mut hidden } else { &mut whole };
        files.insert(name, fs::read(entry.path()).unwrap());
    }
    (whole, hidden)
}

/// Whether a file is there under its final name.
fn is_there(scene: &Scene, name: &str) -> bool {
    scene.dir.join("out").join(name).exists()
}

/// What came of the faults of a job.
#[derive(Debug, Default)]
pub struct Tried {
    pub failed: u64,
    /// Of those, that all was done but for the last flush or tidying.
    complete: u64,
    /// Of those, that the next run did not begin anew.
    pub went_on: u64,
    /// Faults that the program could do without.
    got_round: u64,
    /// Faults that must not be noticed, and were not.
    unnoticed: u64,
    /// Faults that met no call: which thread does what differs from run to run, and with it the number of some calls.
    not_met: u64,
}

/// A job with what an undisturbed run makes and calls.
pub struct Job<'a> {
    shim: &'a Shim,
    scene: &'a Scene,
    args: Vec<&'a str>,
    /// Name of the file that gets its final name last.
    last: &'a str,
    /// Files that a run before this one left in `out`.
    before: Made,
    undisturbed: BTreeMap<String, Vec<u8>>,
    calls: Vec<Call>,
    source: tree::Tree,
}

impl<'a> Job<'a> {
    /// A command whose output goes to `out` of the scene.
    pub fn new(shim: &'a Shim, scene: &'a Scene, args: &[&'a str], last: &'a str) -> Self {
        let (args, source, before) = (args.to_vec(), scene.look("source"), Made::default());
        let (undisturbed, calls) = Default::default();
        let mut job = Job { shim, scene, args, last, before, undisturbed, calls, source };
        job.learn();
        for kind in ["open", "read", "write", "sync", "rename"] {
            assert!(count(&job.calls, kind) > 0, "{:?}: no {kind}", job.args);
        }
        job
    }

    /// The same job behind a run that a fault cut off late: at the last call of this kind but `early`.
    pub fn after_a_cut(mut self, kind: &str, early: u64) -> Self {
        let fault = Fault::new(kind, count(&self.calls, kind) - early, EIO);
        self.prepare();
        let (ran, _) = self.shim.run(self.scene, &self.args, Some(&fault));
        assert_eq!(ran.code, 1, "{:?}: {}", self.args, ran.stderr);
        self.before = made(self.scene);
        assert!(!self.before.1.is_empty() && !self.before.0.contains_key(self.last));
        let anew = std::mem::take(&mut self.undisturbed);
        let writes = count(&self.calls, "write");
        self.learn();
        assert!(self.undisturbed == anew, "{:?}: going on gives other bytes", self.args);
        assert!(count(&self.calls, "write") < writes, "{:?}: it began anew", self.args);
        self
    }

    /// Runs it undisturbed.
    fn learn(&mut self) {
        self.prepare();
        let (ran, calls) = self.shim.run(self.scene, &self.args, None);
        assert_eq!(ran.code, 0, "{:?}: {}", self.args, ran.stderr);
        let (undisturbed, hidden) = made(self.scene);
        assert!(hidden.is_empty() && undisturbed.contains_key(self.last), "{:?}", hidden.keys());
        (self.undisturbed, self.calls) = (undisturbed, calls);
    }

    /// The folder as it is before each run.
    pub fn prepare(&self) {
        let out = self.scene.dir.join("out");
        let _ = fs::remove_dir_all(&out);
        fs::create_dir(&out).unwrap();
        for (name, bytes) in self.before.0.iter().chain(&self.before.1) {
            fs::write(out.join(name), bytes).unwrap();
        }
    }

    /// Every call of every kind with every fault.
    pub fn try_all(&self) -> Tried {
        let mut tried = Tried::default();
        for (kind, ways) in FAULTS {
            for how in ways {
                self.each(kind, how, &mut tried, |fault, tried| self.fails(fault, tried));
            }
        }
        for kind in ["read", "write"] {
            self.each(kind, ONE_BYTE, &mut tried, |fault, tried| self.is_not_noticed(fault, tried));
        }
        for (kind, how) in UNNOTICED {
            let met = self.is_not_noticed(&Fault::new(kind, 1, how), &mut tried);
            assert!(met || count(&self.calls, kind) == 0, "{:?} {kind} {how}", self.args);
        }
        self.source_is_untouched();
        println!("{:?}: {tried:?}", self.args);
        assert!(tried.failed > 10 && tried.not_met < tried.failed / 4, "{:?} {tried:?}", self.args);
        tried
    }

    /// One kind of fault at the first call, the second, and so on, until there is no such call.
    fn each(&self, kind: &str, how: &'static str, tried: &mut Tried, check: impl Fn(&Fault, &mut Tried) -> bool) {
        let expected = count(&self.calls, kind);
        for number in 1.. {
            if !check(&Fault::new(kind, number, how), tried) {
                if number > expected {
                    return;
                }
                tried.not_met += 1;
            }
        }
    }

    pub fn args(&self) -> &[&'a str] {
        &self.args
    }

    pub fn source_is_untouched(&self) {
        assert_eq!(self.scene.look("source"), self.source, "{:?}: the source was changed", self.args);
    }

    /// The fault ends the run with an error; the same command again gives what an undisturbed run gives. False when there
    /// was no such call.
    fn fails(&self, fault: &Fault, tried: &mut Tried) -> bool {
        let what = format!("{:?} {fault:?}", self.args);
        self.prepare();
        let (ran, calls) = self.shim.run(self.scene, &self.args, Some(fault));
        let Some(call) = calls.iter().find(|call| call.injected) else { return false };
        if ran.code != 0 {
            self.judge_message(&ran, fault, call);
            let complete = is_there(self.scene, self.last);
            assert_eq!(ran.stderr.contains("is complete and has its final name"), complete, "{what}: {}", ran.stderr);
        }
        let can_do_without = match fault.kind.as_str() {
            "open" | "remove" => true,
            // The length that a file is given ahead of the writes: they make it longer themselves then.
            "truncate" => fault.how == FULL,
            // A list that ends early is one of fewer blocks, or of none.
            "read" => fault.how == NOTHING && !self.before.1.is_empty(),
            _ => false,
        };
        self.judge(&format!("{what} {call:?}"), ran.code, can_do_without, tried);
        true
    }

    /// What is there after a run with a fault, and after the same command without one.
    pub fn judge(&self, what: &str, code: i32, can_do_without: bool, tried: &mut Tried) {
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
        assert_eq!(again.code, 0, "{what}, again after {:?}: {}", hidden.keys(), again.stderr);
        assert!(!again.stdout.is_empty());
        if again.stdout.contains("\"resumed_from\": ") && !again.stdout.contains("\"resumed_from\": 0,") {
            tried.went_on += 1;
        }
        let (whole, hidden) = made(self.scene);
        assert!(whole == self.undisturbed, "{what}: going on gives other bytes");
        assert!(hidden.is_empty(), "{what}: {:?} are left over", hidden.keys());
    }

    fn judge_message(&self, ran: &Ran, fault: &Fault, call: &Call) {
        let text = &ran.stderr;
        let what = format!("{:?} {fault:?} {call:?}\n{text}", self.args);
        assert_eq!(ran.code, 1, "{what}");
        assert!(text.starts_with("Error: ") && !text.contains("panicked"), "{what}");
        let path = call.path.to_string_lossy();
        if fault.how == NOTHING && path.ends_with(".chain") {
            // An empty record is as good as none: what the run before it renamed is somebody else's then.
            return assert!(text.contains("exists already"), "{what}");
        }
        assert!(text.contains(&*shown_name(&call.path, &self.scene.dir)), "the file is not named: {what}");
        assert!(text.contains("\nHint: "), "{what}");
        let reason = match fault.how {
            EIO => "Input/output error",
            FULL => "full",
            _ => "failed to",
        };
        assert!(text.contains(reason), "{what}");
        if fault.how == FULL && path.ends_with("partial") && path.contains("copy") {
            assert!(text.contains("at most ") && text.contains(" more are needed"), "{what}");
        }
        if fault.kind == "read" && call.path.starts_with(self.scene.dir.join("source")) {
            assert!(text.contains("at offset "), "{what}");
        }
    }

    /// The program goes on as if nothing had happened. False when there was no such call.
    fn is_not_noticed(&self, fault: &Fault, tried: &mut Tried) -> bool {
        self.prepare();
        let (ran, calls) = self.shim.run(self.scene, &self.args, Some(fault));
        assert_eq!(ran.code, 0, "{:?} {fault:?}: {}", self.args, ran.stderr);
        let (whole, hidden) = made(self.scene);
        assert!(whole == self.undisturbed && hidden.is_empty(), "{:?} {fault:?}: {:?}", self.args, calls.last());
        let met = calls.iter().any(|call| call.injected);
        tried.unnoticed += u64::from(met);
        met
    }
}

/// What a message must hold: the name of the file, or its final name where it is written under a hidden one.
pub fn shown_name(path: &Path, scene: &Path) -> String {
    if path == scene {
        return ".".to_owned();
    }
    let name = path.file_name().unwrap().to_string_lossy();
    let hidden = name.strip_prefix('.').and_then(|rest| rest.split(".partial").next());
    hidden.unwrap_or(&name).to_owned()
}
