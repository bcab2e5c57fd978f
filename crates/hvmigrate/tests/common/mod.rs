//! A folder with a space in its name, the sample host in it, and the program run there.
#![allow(dead_code)]

#[path = "../../src/cli/demo/tree.rs"]
pub mod tree;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hvm_testkit::sample::{self, SampleHost, Variant};

/// What a run of the program left.
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// Python with the parts that the peers of Windows Remote Management are made of.
pub fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let python = target.join("peers").join("bin").join("python");
    let check = Command::new(&python).args(["-c", "import spnego, psrpcore"]).output().ok()?;
    check.status.success().then_some(python)
}

/// A folder of its own for a test.
pub struct Scene {
    _temp: tempfile::TempDir,
    pub dir: PathBuf,
}

impl Scene {
    pub fn new() -> Scene {
        Scene::below(tempfile::tempdir().unwrap())
    }

    /// In memory where the system has a folder for that, for tests that flush thousands of times.
    pub fn in_memory() -> Scene {
        Scene::below(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn below(temp: tempfile::TempDir) -> Scene {
        let dir = std::fs::canonicalize(temp.path()).unwrap().join("a folder");
        std::fs::create_dir(&dir).unwrap();
        Scene { _temp: temp, dir }
    }

    /// Writes the sample host as `source`.
    pub fn sample(&self, variant: Variant) -> SampleHost {
        sample::write(&self.dir.join("source"), variant).unwrap()
    }

    /// The program with arguments, to be run in the folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hvmigrate"));
        command.args(args).current_dir(&self.dir).stdin(Stdio::null());
        command.env_remove("COLUMNS").env("USER", "operator").env("NO_COLOR", "1");
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().unwrap();
        Ran {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Runs the program and requires an exit code.
    pub fn expect(&self, code: i32, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, code, "{args:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran
    }

    /// Everything that can be seen below a folder.
    pub fn look(&self, folder: &str) -> tree::Tree {
        let path = self.dir.join(folder);
        if path.exists() { tree::look(&path).unwrap() } else { tree::Tree::new() }
    }

    /// Names and bytes below a folder, without times.
    pub fn content(&self, folder: &str) -> Vec<(String, String)> {
        let lasting = |seen: String| seen.split(", changed ").next().unwrap().to_owned();
        self.look(folder).into_iter().map(|(name, seen)| (name, lasting(seen))).collect()
    }
}

/// The answers that let every machine of the sample host migrate.
pub const ANSWERS: [&str; 8] = [
    "--answer",
    "machine.saved-state@Gespeichert=discard",
    "--answer",
    "machine.processors-exceed@Viele Prozessoren=reduce:2",
    "--answer",
    "machine.memory-exceeds@Großer Speicher=reduce:8GiB",
    "--answer",
    "machine.vlan-unknown@Datei & \"Druck\" Server=access:12",
];

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
