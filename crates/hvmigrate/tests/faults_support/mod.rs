//! Runs the program under `shim.c`, which is compiled here: the n-th call of a kind fails or moves too little.

#![allow(dead_code)]

pub mod job;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Ran, Scene};

/// The compiled shim.
pub struct Shim {
    folder: tempfile::TempDir,
}

/// One call that touched a file of the scene.
#[derive(Debug, Clone)]
pub struct Call {
    pub kind: String,
    /// Its number among the calls of its kind.
    pub number: u64,
    pub path: PathBuf,
    pub injected: bool,
}

/// A call that is made to fail.
#[derive(Debug, Clone)]
pub struct Fault {
    pub kind: String,
    pub number: u64,
    pub how: &'static str,
}

impl Fault {
    pub fn new(kind: &str, number: u64, how: &'static str) -> Fault {
        Fault { kind: kind.to_owned(), number, how }
    }
}

impl Shim {
    /// `None` after saying so when there is no compiler.
    pub fn compile() -> Option<Shim> {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("shim.c");
        std::fs::write(&source, include_str!("shim.c")).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(folder.path().join("shim.so"));
        match compiler.arg(&source).arg("-ldl").output() {
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                Some(Shim { folder })
            }
            Err(error) => {
                eprintln!("SKIPPED: faults of the system: cc: {error}");
                None
            }
        }
    }

    /// A command that runs with a fault, and the list of its calls.
    pub fn command(&self, scene: &Scene, args: &[&str], fault: Option<&Fault>) -> (Command, PathBuf) {
        let list = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap().into_temp_path().keep().unwrap();
        let mut command = scene.command(args);
        command.env("LD_PRELOAD", self.folder.path().join("shim.so"));
        command.env("HVM_FAULT_UNDER", &scene.dir).env("HVM_FAULT_LOG", &list);
        if let Some(Fault { kind, number, how }) = fault {
            command.env("HVM_FAULT", format!("{kind} {number} {how}"));
        }
        (command, list)
    }

    /// Runs the program to its end.
    pub fn run(&self, scene: &Scene, args: &[&str], fault: Option<&Fault>) -> (Ran, Vec<Call>) {
        let (mut command, list) = self.command(scene, args, fault);
        let output = command.output().unwrap();
        let ran = Ran {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap_or(-1),
        };
        (ran, calls(&list))
    }
}

/// Reads and removes the list of calls.
pub fn calls(list: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(list).unwrap();
    std::fs::remove_file(list).unwrap();
    let call = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let (kind, path) = (fields[0].to_owned(), PathBuf::from(fields[2]));
        let number = fields[1].parse().unwrap();
        Call { kind, number, path, injected: fields[5] == "INJECTED" }
    };
    text.lines().map(call).collect()
}

/// How often a kind was called.
pub fn count(calls: &[Call], kind: &str) -> u64 {
    calls.iter().filter(|call| call.kind == kind).map(|call| call.number).max().unwrap_or(0)
}
