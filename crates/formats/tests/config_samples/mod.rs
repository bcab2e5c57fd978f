//! Where the real files are, and how to skip aloud without them.
#![allow(clippy::unwrap_used, dead_code)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of real files: `HVM_SAMPLES`, or `shared/samples` beside the repository.
pub fn folder() -> PathBuf {
    std::env::var_os("HVM_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"), PathBuf::from)
}

/// A real file; `None` after saying so when it is not there.
pub fn read(path: &str) -> Option<Vec<u8>> {
    let path = folder().join(path);
    std::fs::read(&path).inspect_err(|e| eprintln!("SKIPPED: {}: {e}", path.display())).ok()
}

/// A real file that is packed with xz.
pub fn read_xz(path: &str) -> Option<Vec<u8>> {
    let packed = read(path)?;
    let mut xz = Command::new("xz")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .inspect_err(|e| eprintln!("SKIPPED: xz: {e}"))
        .ok()?;
    let mut input = xz.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || input.write_all(&packed).unwrap());
    let output = xz.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(output.status.success());
    Some(output.stdout)
}
