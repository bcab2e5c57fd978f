//! A conversion that shares extents with its source on XFS and btrfs, killed at many moments: nothing half-done has a final
//! name, and the same command again makes the same file and leaves nothing else.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "../../transfer/tests/share_support/mod.rs"]
mod share_support;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::Scene;
use share_support::Volume;

const MIB: usize = 1 << 20;
/// MiB of the disk.
const SIZE: usize = 48;
const KILLS: u32 = 12;
/// How often they are tried anew, with the shorter time that was learnt.
const ROUNDS: usize = 4;

/// Long stretches of data with zeros between them, and short ones that cannot be shared.
fn content() -> Vec<u8> {
    let mut bytes = vec![0; SIZE * MIB];
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut noise = |part: &mut [u8]| {
        for chunk in part.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.copy_from_slice(&state.to_le_bytes());
        }
    };
    for start in (0..SIZE).step_by(8) {
        noise(&mut bytes[start * MIB..(start + 5) * MIB]);
        noise(&mut bytes[(start + 6) * MIB + 512..(start + 6) * MIB + 2048]);
    }
    bytes
}

/// A volume with a disk on it and the program.
struct Shared {
    scene: Scene,
    volume: Volume,
}

impl Shared {
    fn out(&self) -> PathBuf {
        self.volume.path().join("out")
    }

    fn args(&self, to: &str, more: &[&str]) -> Vec<String> {
        let (disk, copy) = (self.volume.path().join("disk.raw"), self.out().join("copy"));
        let mut args = vec!["disk", "convert", disk.to_str().unwrap(), copy.to_str().unwrap(), "--to", to];
        args.extend(["--reflink", "always", "--format", "json"]);
        args.extend(more);
        args.into_iter().map(str::to_owned).collect()
    }

    fn prepare(&self) {
        let _ = fs::remove_dir_all(self.out());
        fs::create_dir(self.out()).unwrap();
    }

    /// Final and hidden names of what lies in the folder.
    fn names(&self) -> (Vec<String>, Vec<String>) {
        let names = fs::read_dir(self.out()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.partition(|name| !name.starts_with('.'))
    }

    /// Kills the command after a while; false when it had ended before.
    fn kill(&self, args: &[&str], after: Duration) -> bool {
        let mut child = self.scene.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        !child.wait().unwrap().success()
    }

    /// How many of the runs were killed before their end.
    fn each_moment(&self, to: &str, more: &[&str]) -> u32 {
        let args = self.args(to, more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.prepare();
        let started = Instant::now();
        let done = self.scene.expect(0, &args).stdout;
        let mut whole = started.elapsed();
        assert!(done.contains("\"way\": \"shared"), "{done}");
        let copy = fs::read(self.out().join("copy")).unwrap();
        let mut killed = 0;
        for (number, moment) in (1..=KILLS).cycle().take(ROUNDS * KILLS as usize).enumerate() {
            // Another round when the first was too late for most of the runs.
            if number % KILLS as usize == 0 && killed > KILLS / 4 {
                break;
            }
            self.prepare();
            match self.kill(&args, whole * moment / (KILLS + 2)) {
                true => killed += 1,
                // It is faster now than it was at first.
                false => whole = whole * 3 / 4,
            }
            let (finals, hidden) = self.names();
            if finals.iter().any(|name| name == "copy") {
                assert!(hidden.len() <= 1, "{to}: nothing but the list of blocks may be left over: {hidden:?}");
            } else {
                self.scene.expect(0, &args);
                let (_, hidden) = self.names();
                assert!(hidden.is_empty(), "{to} {moment}: {hidden:?} are left over");
            }
            assert!(fs::read(self.out().join("copy")).unwrap() == copy, "{to} {moment}: another file");
        }
        killed
    }
}

fn survives(volume: Option<Volume>) {
    let Some(volume) = volume else { return };
    let shared = Shared { scene: Scene::new(), volume };
    let (disk, bytes) = (shared.volume.path().join("disk.raw"), content());
    fs::write(&disk, &bytes).unwrap();
    let changed = || fs::metadata(&disk).unwrap().modified().unwrap();
    let before = changed();
    let manifest = shared.out().join("manifest.json");
    let hashed = ["--manifest", manifest.to_str().unwrap()];
    let jobs: [(&str, &[&str]); 4] = [("raw", &[]), ("vhdx", &hashed), ("qcow2", &hashed), ("vhd-fixed", &["--sync"])];
    for (to, more) in jobs {
        let killed = shared.each_moment(to, more);
        println!("{to} {more:?}: {killed} killed");
        assert!(killed > KILLS / 4, "{to}: only {killed} were killed in time");
    }
    assert!(fs::read(&disk).unwrap() == bytes && changed() == before, "the source was changed");
}

#[test]
fn on_xfs() {
    survives(Volume::xfs());
}

#[test]
fn on_btrfs() {
    survives(Volume::btrfs());
}
