//! `disk convert` with its options: a limit that slows it, free space left out of disks that ntfs-3g and e2fsprogs made, and
//! what is told of it; `disk info` of the same disks.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "../../transfer/tests/share_support/mod.rs"]
mod share_support;

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use common::Scene;
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// Runs a tool of the system; `None` after saying so when it is not installed.
fn tool(dir: &Path, name: &str, args: &[&str]) -> Option<Vec<u8>> {
    match Command::new(name).args(args).current_dir(dir).output() {
        Ok(output) => {
            assert!(output.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
            Some(output.stdout)
        }
        Err(error) => {
            eprintln!("SKIPPED: {name}: {error}");
            None
        }
    }
}

/// Seeded bytes that do not compress.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// `disk.raw`: one NTFS partition with files on a disk that was full before, and the offset of the partition.
fn ntfs_disk(dir: &Path) -> Option<u64> {
    fs::write(dir.join("volume"), noise(1, 64 << 20)).unwrap();
    tool(
        dir,
        "mkntfs",
        &["-F", "-q", "-Q", "-c", "4096", "-p", "2048", "-H", "255", "-S", "63", "-L", "Daten", "volume"],
    )?;
    for number in 0..12 {
        fs::write(dir.join("file"), noise(number, 100_000 * (number as usize + 1))).unwrap();
        tool(dir, "ntfscp", &["-q", "volume", "file", &format!("datei {number}")])?;
    }
    let mut disk = noise(2, 66 << 20);
    disk[..512].fill(0);
    disk[440..444].copy_from_slice(&[1, 2, 3, 4]);
    disk[446..462].copy_from_slice(&[0x80, 0, 0, 0, 7, 0, 0, 0, 0, 8, 0, 0, 0, 0, 2, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk[1 << 20..65 << 20].copy_from_slice(&fs::read(dir.join("volume")).unwrap());
    fs::write(dir.join("disk.raw"), disk).unwrap();
    Some(MIB)
}

#[test]
fn free_space_of_ntfs_is_left_out_in_every_format() {
    let scene = Scene::new();
    let Some(start) = ntfs_disk(&scene.dir) else { return };
    let info = json(&scene.expect(0, &["disk", "info", "disk.raw", "--format", "json"]).stdout);
    let part = &info["contents"]["partitions"][0];
    let (used, free) = (part["used"].as_u64().unwrap(), part["free"].as_u64().unwrap());
    assert_eq!((part["file_system"]["kind"].as_str(), part["clean"].as_bool()), (Some("ntfs"), Some(true)));
    assert!(used > 7 * MIB && free > 40 * MIB);
    let mut contents = Vec::new();
    for (to, name) in [
        ("raw", "copy.raw"),
        ("vhd", "dynamic.vhd"),
        ("vhd-fixed", "fixed.vhd"),
        ("vhdx", "copy.vhdx"),
        ("qcow2", "copy.qcow2"),
    ] {
        let manifest = format!("{name}.json");
        let args = [
            "disk",
            "convert",
            "disk.raw",
            name,
            "--to",
            to,
            "--skip-free-space",
            "--format",
            "json",
            "--reflink",
            "never",
        ];
        let args = [args.as_slice(), &["--manifest", &manifest]].concat();
        let done = json(&scene.expect(0, &args).stdout);
        assert_eq!((done["way"].as_str(), done["resumed_from"].as_u64()), (Some("copied"), Some(0)));
        let left = &done["left_out"];
        assert_eq!((left["free"].as_u64(), left["bytes"].as_u64()), (Some(free), Some(free)));
        assert_eq!(left["volumes"][0]["label"], "Daten");
        // What is in use, the space around the partition, and what the unit of writing adds.
        let written = done["bytes_written"].as_u64().unwrap();
        assert!(written >= used && written < used + 2 * MIB + (4 << 20), "{written} {used}");
        contents.push(done["content"].as_str().unwrap().to_owned());
        let tree = scene.expect(0, &["disk", "hash", "--tree", name]).stdout;
        assert!(tree.starts_with(contents.last().unwrap()), "{tree}");
        let plain = blake3::hash(&fs::read(scene.dir.join("copy.raw")).unwrap()).to_hex().to_string();
        assert!(scene.expect(0, &["disk", "hash", name]).stdout.starts_with(&plain), "{name}");
        scene.expect(0, &["disk", "check", name]);
        scene.expect(0, &["disk", "verify", name, &manifest]);
    }
    assert!(contents.iter().all(|content| *content == contents[0]));
    // Every file is there, and the space around the partition.
    let (before, after) =
        (fs::read(scene.dir.join("disk.raw")).unwrap(), fs::read(scene.dir.join("copy.raw")).unwrap());
    let (start, end) = (start as usize, (start + 64 * MIB) as usize);
    assert!(before[..start] == after[..start] && before[end..] == after[end..]);
    fs::write(scene.dir.join("volume"), &after[start..end]).unwrap();
    for number in 0..12 {
        let content = tool(&scene.dir, "ntfscat", &["-f", "volume", &format!("datei {number}")]).unwrap();
        assert!(content == noise(number, 100_000 * (number as usize + 1)), "datei {number}");
    }
    let blocks = fs::metadata(scene.dir.join("copy.raw")).unwrap().blocks() * 512;
    assert!(blocks < 40 * MIB, "{blocks}");
}

#[test]
fn free_space_of_ext4_is_left_out() {
    let scene = Scene::new();
    fs::create_dir(scene.dir.join("tree")).unwrap();
    for number in 0..8 {
        fs::write(scene.dir.join(format!("tree/{number}")), noise(number, 300_000)).unwrap();
    }
    fs::write(scene.dir.join("disk.raw"), noise(3, 48 << 20)).unwrap();
    if tool(&scene.dir, "mkfs.ext4", &["-q", "-F", "-E", "nodiscard", "-d", "tree", "disk.raw"]).is_none() {
        return;
    }
    let args = ["disk", "convert", "disk.raw", "copy.raw", "--to", "raw", "--skip-free-space", "--reflink", "never"];
    let ran = scene.expect(0, &args);
    assert!(ran.stderr.contains("the disk (ext4): "), "{}", ran.stderr);
    tool(&scene.dir, "e2fsck", &["-f", "-n", "copy.raw"]).unwrap();
    for number in 0..8 {
        let content = tool(&scene.dir, "debugfs", &["-R", &format!("cat {number}"), "copy.raw"]).unwrap();
        assert!(content == noise(number, 300_000), "{number}");
    }
    // The same volume as if its system had been turned off.
    let file = fs::File::options().write(true).open(scene.dir.join("disk.raw")).unwrap();
    file.write_all_at(&[0], 1024 + 58).unwrap();
    let args = ["disk", "convert", "disk.raw", "second.raw", "--to", "raw", "--skip-free-space"];
    let ran = scene.expect(1, &args);
    assert!(ran.stderr.contains("The volume was not unmounted.") && ran.stderr.contains("Hint: start the guest"));
    assert!(!scene.dir.join("second.raw").exists());
    scene.expect(0, &["disk", "convert", "disk.raw", "second.raw", "--to", "raw"]);
    assert!(fs::read(scene.dir.join("disk.raw")).unwrap() == fs::read(scene.dir.join("second.raw")).unwrap());
}

#[test]
fn a_limit_slows_the_copy() {
    let scene = Scene::new();
    fs::write(scene.dir.join("disk.raw"), noise(4, 6 << 20)).unwrap();
    let started = Instant::now();
    let args = [
        "disk",
        "convert",
        "disk.raw",
        "copy.raw",
        "--to",
        "raw",
        "--limit",
        "4M",
        "--format",
        "json",
        "--reflink",
        "never",
    ];
    let done = json(&scene.expect(0, &args).stdout);
    // 6 MiB at 4 MiB a second; the bound leaves out what may pass before the first pause.
    assert!(started.elapsed().as_secs_f64() > 1.2, "{:?}", started.elapsed());
    assert!(done["seconds"].as_f64().unwrap() > 1.2 && done["left_out"].is_null());
    assert!(fs::read(scene.dir.join("disk.raw")).unwrap() == fs::read(scene.dir.join("copy.raw")).unwrap());
    assert!(
        scene
            .expect(2, &["disk", "convert", "disk.raw", "x", "--to", "raw", "--limit", "0"])
            .stderr
            .contains("never end")
    );
}

#[test]
fn the_way_of_the_bytes_is_told() {
    let scene = Scene::new();
    let Some(volume) = share_support::Volume::xfs() else { return };
    let place = |name: &str| volume.path().join(name).to_str().unwrap().to_owned();
    let disk = place("disk.raw");
    fs::write(&disk, noise(6, 6 << 20)).unwrap();
    let ran = scene.expect(0, &["disk", "convert", &disk, &place("copy.vhd"), "--to", "vhd", "--reflink", "always"]);
    assert!(ran.stderr.contains("Shared 6 MiB with the source (XFS), copied 0 B."), "{}", ran.stderr);
    let args = ["disk", "convert", &disk, &place("copy.qcow2"), "--to", "qcow2", "--format", "json"];
    let done = json(&scene.expect(0, &args).stdout);
    assert_eq!((done["way"].as_str(), done["shared_by"].as_str()), (Some("shared"), Some("XFS")));
    assert_eq!((done["bytes_shared"].as_u64(), done["bytes_read"].as_u64()), (Some(6 << 20), Some(0)));
    assert!(done["not_shared"].is_null());
    // The rate is of bytes that are moved.
    let started = Instant::now();
    scene.expect(0, &["disk", "convert", &disk, &place("slow.vhdx"), "--to", "vhdx", "--limit", "1", "--sync"]);
    for name in ["copy.vhd", "copy.qcow2", "slow.vhdx"] {
        scene.expect(0, &["disk", "compare", &disk, &place(name)]);
        scene.expect(0, &["disk", "check", &place(name)]);
    }
    assert!(started.elapsed().as_secs() < 600);

    let args = ["disk", "convert", &disk, "copy.raw", "--to", "raw"];
    let ran = scene.expect(1, &[&args[..], &["--reflink", "always"]].concat());
    assert!(ran.stderr.contains("cannot share what"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(&scene.dir).unwrap().count(), 0, "nothing is left behind");
    let ran = scene.expect(0, &args);
    assert!(ran.stderr.starts_with("Copied 6 MiB: "), "{}", ran.stderr);
    let done = json(
        &scene
            .expect(0, &[&args[..3], &["never.raw", "--to", "raw", "--format", "json", "--reflink", "never"]].concat())
            .stdout,
    );
    assert!(done["way"] == "copied" && done["not_shared"].is_null() && done["bytes_shared"] == 0);
}

#[test]
fn a_killed_conversion_goes_on() {
    let scene = Scene::new();
    let mut bytes = noise(5, 24 << 20);
    bytes[9 << 20..13 << 20].fill(0);
    fs::write(scene.dir.join("disk.raw"), &bytes).unwrap();
    for (to, more) in [("raw", None), ("vhdx", Some("--sync")), ("qcow2", None)] {
        let name = format!("copy.{to}");
        let (partial, list) = (format!(".{name}.partial"), format!(".{name}.partial.written"));
        let mut slow = vec!["disk", "convert", "disk.raw", &name, "--to", to, "--reflink", "never"];
        slow.extend(more);
        let mut child = scene.command(&[slow.as_slice(), &["--limit", "2M"]].concat()).spawn().unwrap();
        // The list begins with a header of 48 bytes and grows every two seconds, with --sync every five.
        let noted = || fs::metadata(scene.dir.join(&list)).map_or(0, |metadata| metadata.len()) > 48;
        while !noted() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before anything was noted");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!scene.dir.join(&name).exists() && scene.dir.join(&partial).exists(), "{to}");
        let done = json(&scene.expect(0, &[slow.as_slice(), &["--format", "json"]].concat()).stdout);
        assert!(done["resumed_from"].as_u64().unwrap() >= MIB, "{done}");
        scene.expect(0, &["disk", "compare", "disk.raw", &name]);
        assert!(!scene.dir.join(&partial).exists() && !scene.dir.join(&list).exists());
        assert!(fs::read(scene.dir.join("disk.raw")).unwrap() == bytes, "the source was changed");
    }
}

#[test]
fn headers_are_told_although_a_parent_is_missing() {
    let scene = Scene::new();
    scene.sample(hvm_testkit::sample::Variant::Default);
    let leaf = "source/D/Hyper-V/Baum 日本語/Baum 日本語_C1C10000-0000-4000-8000-0000000000C1.avhd";
    fs::copy(scene.dir.join(leaf), scene.dir.join("lonely.avhd")).unwrap();
    for more in [&["--format", "json"][..], &["--headers", "--format", "json"]] {
        let ran = scene.expect(1, &[&["disk", "info", "lonely.avhd"], more].concat());
        let info = json(&ran.stdout);
        assert_eq!(info["layers"][0]["format"], "vhd-differencing");
        assert!(info["contents"].is_null() && info["unreadable"].as_str().unwrap().contains("was not found"));
        assert!(ran.stderr.contains("cannot be read with its parents"), "{}", ran.stderr);
    }
    let info = json(&scene.expect(0, &["disk", "info", leaf, "--headers", "--format", "json"]).stdout);
    assert!(
        info["contents"].is_null() && info["unreadable"].is_null() && info["layers"].as_array().unwrap().len() == 3
    );
}

#[test]
fn a_parent_is_followed_by_the_path_of_unix_that_its_child_recorded() {
    use hvm_testkit::vhd::{Blocks, ContentModel, Locator, Parent, VhdKind, VhdSpec};
    let scene = Scene::new();
    let (content, away) = (ContentModel::new(4 << 20), scene.dir.join("away"));
    fs::create_dir(&away).unwrap();
    let base = VhdSpec::new(VhdKind::Dynamic(Blocks::default()), [1; 16]);
    base.image(&content).write_to(&away.join("parent.vhd")).unwrap();
    let locators = vec![Locator::new(b"W2ku", fs::canonicalize(&away).unwrap().join("parent.vhd").to_str().unwrap())];
    let (unique_id, name) = (base.unique_id, "parent.vhd".to_owned());
    let parent = Parent { unique_id, timestamp: base.timestamp, name, locators, stale: None };
    let kind = VhdKind::Differencing(Blocks::default(), parent);
    VhdSpec::new(kind, [2; 16]).image(&content).write_to(&scene.dir.join("child.vhd")).unwrap();
    let printed = scene.expect(0, &["disk", "hash", "child.vhd"]).stdout;
    assert!(printed.starts_with(&content.blake3()), "{printed}");
}
