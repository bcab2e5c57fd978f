//! Other people's readers, run as outside programs: qemu-img, libvhdi (through its mount) and dissect.hypervisor, a Python
//! package that the test command installs into `target/peers`. What is missing is said aloud.

#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// What a program made of a disk.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Content(Vec<u8>),
    /// It said no, in these words.
    Refused(String),
    /// It is not installed.
    Missing,
}

impl Answer {
    /// Fails unless the program gave these bytes, or is missing; true when it was asked.
    pub fn is(&self, expected: &[u8], what: &str) -> bool {
        match self {
            Answer::Content(found) => {
                let first = found.iter().zip(expected).position(|(one, other)| one != other);
                assert!(first.is_none(), "{what}: differs at {first:?}");
                assert_eq!(found.len(), expected.len(), "{what}: size");
                true
            }
            Answer::Refused(said) => panic!("{what}: refused: {said}"),
            Answer::Missing => false,
        }
    }

    /// The answer in a line, beside the right content.
    pub fn against(&self, right: &[u8]) -> String {
        match self {
            Answer::Content(found) if found == right => "right".to_owned(),
            Answer::Content(found) => {
                let wrong = right.chunks(512).zip(found.chunks(512)).filter(|(one, other)| one != other).count();
                format!("{} bytes instead of {}, {wrong} sectors wrong, no error", found.len(), right.len())
            }
            Answer::Refused(said) => format!("refused: {said}"),
            Answer::Missing => "not installed".to_owned(),
        }
    }
}

fn said(output: &Output) -> String {
    let text = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    text.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" / ")
}

/// Runs a program that writes raw content to `out`.
fn converted(command: &mut Command, out: &Path) -> Answer {
    match command.stdin(Stdio::null()).output() {
        Err(_) => Answer::Missing,
        Ok(output) if !output.status.success() => Answer::Refused(said(&output)),
        Ok(_) => {
            let content = std::fs::read(out).unwrap();
            std::fs::remove_file(out).unwrap();
            Answer::Content(content)
        }
    }
}

fn missing(program: &str) {
    eprintln!("SKIPPED: {program} is not installed");
}

/// Version of an installed qemu-img.
pub fn qemu_version() -> Option<String> {
    let output = Command::new("qemu-img").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

/// `format` as qemu-img calls it: `vpc`, `vhdx`, `qcow2`, `raw`.
pub fn qemu(format: &str, path: &Path, snapshot: Option<&str>) -> Answer {
    let out = path.with_extension("qemu-out");
    let mut command = Command::new("qemu-img");
    command.args(["convert", "-f", format, "-O", "raw"]);
    if let Some(name) = snapshot {
        command.arg("-l").arg(format!("snapshot.name={name}"));
    }
    let answer = converted(command.arg(path).arg(&out), &out);
    if answer == Answer::Missing {
        missing("qemu-img");
    }
    answer
}

/// Fails when `qemu-img check` finds something; formats that it cannot check are passed over.
pub fn qemu_check(format: &str, path: &Path) {
    if let Ok(output) = Command::new("qemu-img").args(["check", "-f", format]).arg(path).output() {
        let text = said(&output);
        let cannot = ["does not support checks", "Operation not supported"].iter().any(|words| text.contains(words));
        assert!(output.status.success() || cannot, "{}: {text}", path.display());
        assert!(!text.contains("ERROR") && !text.contains("leaked"), "{}: {text}", path.display());
    }
}

const READ: &str = r"
import sys
from pathlib import Path
kind, path, out = sys.argv[1:4]
if kind == 'vhd':
    from dissect.hypervisor.disk.vhd import VHD
    disk = VHD(open(path, 'rb'))
elif kind == 'vhdx':
    from dissect.hypervisor.disk.vhdx import VHDX
    disk = VHDX(Path(path))
else:
    from dissect.hypervisor.disk.qcow2 import QCow2
    image = QCow2(Path(path))
    disk = image.open()
    if len(sys.argv) > 4:
        disk = next(found for found in image.snapshots if found.name == sys.argv[4]).open()
with open(out, 'wb') as target:
    while piece := disk.read(1 << 20):
        target.write(piece)
";

/// The Python that has dissect.hypervisor: of the folder `peers` beside the test's own in the target folder.
fn python() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
        let python = target.join("peers").join("bin").join("python");
        let asked = Command::new(&python).args(["-c", "import dissect.hypervisor"]).output().ok()?;
        asked.status.success().then_some(python)
    };
    FOUND.get_or_init(find).as_deref()
}

/// `kind`: `vhd`, `vhdx`, `qcow2`.
pub fn dissect(kind: &str, path: &Path, snapshot: Option<&str>) -> Answer {
    let Some(python) = python() else {
        missing("dissect.hypervisor");
        return Answer::Missing;
    };
    let out = path.with_extension("dissect-out");
    let mut command = Command::new(python);
    command.args(["-c", READ, kind]).arg(path).arg(&out).args(snapshot);
    converted(&mut command, &out)
}

const KEYS: &str = r"
import sys, base64
from dissect.hypervisor.descriptor.hyperv import HyperVFile
def walk(node, path):
    if isinstance(node, dict):
        for name, child in node.items():
            walk(child, path + '/' + name)
    elif isinstance(node, list):
        for child in node:
            walk(child, path)
    elif isinstance(node, bytes):
        print(path + '\tbytes ' + base64.b64encode(node).decode())
    elif isinstance(node, str):
        print(path + '\ttext ' + base64.b64encode(node.encode()).decode())
    elif isinstance(node, bool):
        print(path + '\tbool ' + str(node))
    else:
        print(path + '\tnumber ' + str(node))
walk(HyperVFile(open(sys.argv[1], 'rb')).as_dict(), '')
";

/// The leaves of a HyperVStorage file as dissect.hypervisor reads it, one a line; `None` after saying that it is missing.
pub fn dissect_keys(path: &Path) -> Option<String> {
    let Some(python) = python() else {
        missing("dissect.hypervisor");
        return None;
    };
    let output = Command::new(python).args(["-c", KEYS]).arg(path).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}: {}", path.display(), said(&output));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// One mount at a time.
static MOUNTS: Mutex<()> = Mutex::new(());

/// Mounts the disk with vhdimount and reads the layer with the highest number, which is the whole disk.
pub fn libvhdi(path: &Path) -> Answer {
    if !Path::new("/dev/fuse").exists() || Command::new("vhdimount").arg("-V").output().is_err() {
        missing("vhdimount, or /dev/fuse,");
        return Answer::Missing;
    }
    let _one = MOUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let number = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
    let folder = path.with_extension(format!("mount{number}"));
    std::fs::create_dir(&folder).unwrap();
    let output = Command::new("vhdimount").arg(path).arg(&folder).stdin(Stdio::null()).output().unwrap();
    let answer = if output.status.success() { mounted(&folder) } else { Answer::Refused(said(&output)) };
    let _ = Command::new("fusermount").arg("-u").arg(&folder).output();
    let _ = std::fs::remove_dir(&folder);
    answer
}

fn mounted(folder: &Path) -> Answer {
    for _ in 0..300 {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        if let Some(top) = files.last() {
            return match std::fs::read(top) {
                Ok(content) => Answer::Content(content),
                Err(error) => Answer::Refused(error.to_string()),
            };
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Answer::Refused("nothing was mounted".to_owned())
}
