//! Files, names and folders as strangers have them: texts in headers that would command a terminal, new files that would take
//! each other's place, parents in odd places, names of full length, devices. What is refused says what to do next.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::Scene;
use hvm_testkit::qcow2::{ClusterKind, Qcow2Spec};
use hvm_testkit::vhd::{Blocks, ContentModel, Locator, Parent, VhdKind, VhdSpec};

const SIZE: u64 = 64 << 10;

fn blocks() -> Blocks {
    Blocks { size: 4096, ..Blocks::default() }
}

/// A dynamic disk with the id `id` in all bytes.
fn base(path: &Path, id: u8) {
    let mut content = ContentModel::new(SIZE);
    content.fill(3, 9, u64::from(id));
    VhdSpec::new(VhdKind::Dynamic(blocks()), [id; 16]).image(&content).write_to(path).unwrap();
}

/// A disk over the base with the id 1, which it calls `name` and finds by `locators`.
fn child(path: &Path, name: &str, locators: &[(&[u8; 4], &str)]) {
    let locators = locators.iter().map(|(platform, text)| Locator::new(platform, text)).collect();
    let parent = Parent { unique_id: [1; 16], timestamp: 378_000_000, name: name.to_owned(), locators, stale: None };
    let mut content = ContentModel::new(SIZE);
    content.fill(20, 5, 7);
    VhdSpec::new(VhdKind::Differencing(blocks(), parent), [9; 16]).image(&content).write_to(path).unwrap();
}

fn raw(path: &Path) {
    fs::write(path, vec![0x5A; SIZE as usize]).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn commands(text: &str) -> bool {
    text.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}')
}

#[test]
fn texts_of_a_disk_cannot_command_the_terminal() {
    let scene = Scene::new();
    let path = "..\\\u{1b}[31mred\n  remark       all is well\u{202e}\\L0.vhd";
    child(&scene.dir.join("odd.vhd"), "\u{1b}]0;title\u{7}x", &[(b"W2ru", path)]);
    for verb in ["info", "check", "hash"] {
        let ran = scene.expect(1, &["disk", verb, "odd.vhd"]);
        assert!(!commands(&ran.stdout) && !commands(&ran.stderr), "{verb}: {:?}{:?}", ran.stdout, ran.stderr);
        let both = ran.stdout + &ran.stderr;
        assert!(both.contains("\\u{1b}[31mred\\n  remark"), "{verb}: {both}");
    }
    let ran = scene.expect(1, &["disk", "info", "odd.vhd", "--format", "json"]);
    assert!(!commands(&ran.stdout), "{:?}", ran.stdout);
    let info: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(info["layers"][0]["parent"], "\u{1b}]0;title\u{7}x");
    assert_eq!(info["layers"][0]["parent_paths"][0][1], path);
}

#[test]
fn a_manifest_takes_no_other_files_place() {
    let scene = Scene::new();
    raw(&scene.dir.join("a.raw"));
    fs::write(scene.dir.join("notes.txt"), "keep me").unwrap();
    symlink(".", scene.dir.join("here")).unwrap();
    for same in ["b.raw", "./b.raw", "here/b.raw", ".b.raw.partial", ".b.raw.partial.written"] {
        let ran = scene.expect(1, &["disk", "convert", "a.raw", "b.raw", "--to", "raw", "--manifest", same]);
        assert!(ran.stderr.contains("would both be") && ran.stderr.contains("\nHint: "), "{same}: {}", ran.stderr);
    }
    // An unfinished disk is no leave to replace a file that is no manifest of it.
    fs::write(scene.dir.join(".b.raw.partial"), "begun").unwrap();
    let ran = scene.expect(1, &["disk", "convert", "a.raw", "b.raw", "--to", "raw", "--manifest", "notes.txt"]);
    assert!(ran.stderr.contains("'notes.txt' exists already"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(scene.dir.join("notes.txt")).unwrap(), "keep me");
    let ran = scene.expect(1, &["disk", "manifest", "a.raw", "--output", "k", "--new-key", "here/k"]);
    assert!(ran.stderr.contains("would both be"), "{}", ran.stderr);
    assert_eq!(names(&scene.dir), [".b.raw.partial", "a.raw", "here", "notes.txt"]);
    scene.expect(0, &["disk", "convert", "a.raw", "b.raw", "--to", "raw", "--manifest", "b.manifest"]);
    scene.expect(0, &["disk", "verify", "b.raw", "b.manifest"]);
}

#[test]
fn a_manifest_has_one_spelling() {
    let scene = Scene::new();
    raw(&scene.dir.join("a.raw"));
    scene.expect(0, &["disk", "manifest", "a.raw", "--output", "m", "--new-key", "k"]);
    let written = fs::read_to_string(scene.dir.join("m")).unwrap();
    let key = scene.expect(0, &["disk", "verify", "a.raw", "m", "--format", "json"]).stdout;
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    let key = key["signed_by"].as_str().unwrap();
    for (at, byte) in written.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_lowercase()) {
        let mut changed = written.clone().into_bytes();
        changed[at] = byte.to_ascii_uppercase();
        fs::write(scene.dir.join("m"), changed).unwrap();
        let ran = scene.run(&["disk", "verify", "a.raw", "m", "--public-key", key]);
        assert_eq!(ran.code, 1, "byte {at}: {}", ran.stdout);
    }
}

#[test]
fn parents_are_found_where_strangers_put_them() {
    let scene = Scene::new();
    let dir = |name: &OsStr| {
        let dir = scene.dir.join(name);
        fs::create_dir_all(&dir).unwrap();
        dir
    };
    // The leaf is a link to another folder; only the link's own folder holds nothing else.
    let real = dir(OsStr::new("real"));
    base(&real.join("L0.vhd"), 1);
    child(&real.join("L1.avhd"), "L0.vhd", &[(b"W2ru", ".\\L0.vhd")]);
    symlink(real.join("L1.avhd"), scene.dir.join("link.avhd")).unwrap();
    let right = scene.expect(0, &["disk", "hash", "real/L1.avhd"]).stdout;
    let hash = |args: &[&str]| scene.expect(0, &[&["disk", "hash"], args].concat()).stdout[..64].to_owned();
    assert_eq!(hash(&["link.avhd"]), right[..64]);
    // Two files have the recorded name in another case, and the first is another disk.
    let twins = dir(OsStr::new("twins"));
    base(&twins.join("BASE.vhd"), 2);
    base(&twins.join("base.VHD"), 1);
    child(&twins.join("leaf.avhd"), "Base.vhd", &[(b"Wi2k", "C:\\VM\\Base.vhd")]);
    assert_eq!(hash(&["twins/leaf.avhd"]), right[..64]);
    // The folder has a name that is no Unicode.
    let odd = dir(OsStr::from_bytes(b"B\xfcro"));
    base(&odd.join("L0.vhd"), 1);
    child(&odd.join("L1.avhd"), "L0.vhd", &[(b"W2ru", ".\\L0.vhd")]);
    let output = scene.command(&["disk", "hash"]).arg(odd.join("L1.avhd")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout[..64], right.as_bytes()[..64]);
}

#[test]
fn a_misspelt_parent_dir_is_told() {
    let scene = Scene::new();
    base(&scene.dir.join("L0.vhd"), 1);
    let ran = scene.expect(1, &["disk", "hash", "L0.vhd", "--parent-dir", "nowhere"]);
    assert!(ran.stderr.contains("'nowhere' could not be read"), "{}", ran.stderr);
    let ran = scene.expect(1, &["disk", "hash", "L0.vhd", "--parent-dir", "L0.vhd"]);
    assert!(ran.stderr.contains("'L0.vhd' is a file, expected a folder to look for parents in."), "{}", ran.stderr);
}

#[test]
fn names_of_full_length_are_converted() {
    let scene = Scene::new();
    for (number, length) in [(1, 238), (2, 239), (3, 255)] {
        let input = format!("{}{number}", "ü".repeat(length / 2 - 1));
        raw(&scene.dir.join(&input));
        let output = format!("{number}{}", "x".repeat(length - 1));
        scene.expect(0, &["disk", "convert", &input, &output, "--to", "vhd", "--manifest", "m"]);
        scene.expect(0, &["disk", "verify", &output, "m"]);
        for name in [&output, &input, "m"] {
            fs::remove_file(scene.dir.join(name)).unwrap();
        }
        assert_eq!(names(&scene.dir), [""; 0]);
    }
}

/// A loop device over `file`; `None` after saying so where there is none to be had.
fn loop_device(file: &Path) -> Option<PathBuf> {
    let output = Command::new("losetup").args(["--find", "--show", "--read-only"]).arg(file).output();
    match output {
        Ok(output) if output.status.success() => Some(String::from_utf8(output.stdout).unwrap().trim().into()),
        _ => {
            eprintln!("SKIPPED: losetup gives no loop device here");
            None
        }
    }
}

#[test]
fn a_block_device_is_read_whole() {
    let scene = Scene::new();
    let file = scene.dir.join("a.raw");
    raw(&file);
    let Some(device) = loop_device(&file) else { return };
    let name = device.to_str().unwrap();
    let ran = scene.run(&["disk", "convert", name, "b.vhd", "--to", "vhd"]);
    let info = scene.run(&["disk", "info", name, "--format", "json"]);
    assert!(Command::new("losetup").arg("--detach").arg(&device).status().unwrap().success());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let info: serde_json::Value = serde_json::from_str(&info.stdout).unwrap();
    assert_eq!((&info["virtual_size"], &info["layers"][0]["format"]), (&SIZE.into(), &"raw".into()));
    scene.expect(0, &["disk", "compare", "a.raw", "b.vhd"]);
}

#[test]
fn what_is_refused_says_what_to_do() {
    let scene = Scene::new();
    raw(&scene.dir.join("a.raw"));
    fs::write(scene.dir.join("empty"), "").unwrap();
    fs::write(scene.dir.join("cut.vhd"), "cut").unwrap();
    fs::create_dir(scene.dir.join("folder")).unwrap();
    child(&scene.dir.join("lonely.avhd"), "L0.vhd", &[]);
    let spec = Qcow2Spec { version: 3, cluster_bits: 16, kinds: vec![ClusterKind::Plain], seed: 1 };
    let image = spec.image(&[7; SIZE as usize]);
    for (name, at, byte) in [("backing", 15, 1), ("encrypted", 35, 2), ("external", 79, 4), ("extended", 79, 16)] {
        let mut bytes = image.clone();
        bytes[at] = byte;
        fs::write(scene.dir.join(format!("{name}.qcow2")), bytes).unwrap();
    }
    for name in [
        "nowhere",
        "empty",
        "cut.vhd",
        "folder",
        "lonely.avhd",
        "backing.qcow2",
        "encrypted.qcow2",
        "external.qcow2",
        "extended.qcow2",
    ] {
        for verb in ["info", "check", "extents", "hash"] {
            let ran = scene.expect(1, &["disk", verb, name]);
            assert!(ran.stderr.contains("Hint: "), "{verb} {name}: {}{}", ran.stdout, ran.stderr);
        }
    }
    for args in [
        ["disk", "convert", "a.raw", "no/b.raw", "--to", "raw"].as_slice(),
        &["disk", "convert", "a.raw", "b.raw", "--to", "raw", "--keep-chain"],
        &["disk", "verify", "a.raw", "a.raw"],
        &["disk", "verify", "a.raw", "nowhere"],
        &["disk", "manifest", "a.raw", "--key", "a.raw"],
        &["disk", "compare", "a.raw", "nowhere"],
        &["disk", "serve", "a.raw", "--socket", "a.raw"],
    ] {
        let ran = scene.expect(1, args);
        assert!(ran.stderr.contains("\nHint: "), "{args:?}: {}", ran.stderr);
    }
    fs::write(scene.dir.join("half-a-sector.raw"), [7; 3000]).unwrap();
    let names = || fs::read_dir(&scene.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect::<HashSet<_>>();
    let before = names();
    for format in ["vhd", "vhd-fixed", "vhdx", "vhdx-fixed", "qcow2"] {
        let ran = scene.expect(1, &["disk", "convert", "half-a-sector.raw", "new", "--to", format]);
        assert!(ran.stderr.contains("\nHint: ") && ran.stderr.contains("multiple of 512"), "{format}: {}", ran.stderr);
        assert_eq!(names(), before, "{format}: nothing is left behind");
    }
}
