//! The content of each leaf of the sample host's checkpoint tree is that of the testkit's own model; qemu-img, which takes a
//! differencing disk for a dynamic one, gives other content for the same files and says nothing.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::process::Command;

use common::Scene;
use hvm_testkit::sample::Variant;
use hvm_testkit::vhd::reference::read_chain;

#[test]
fn each_leaf_is_read_right_and_qemu_img_reads_it_wrong() {
    let scene = Scene::new();
    let host = scene.sample(Variant::Default);
    let folder = tempfile::tempdir().unwrap();
    let mut chains = 0;
    for disk in host.disks.iter().filter(|disk| disk.chain.len() > 1) {
        chains += 1;
        let path = disk.path.to_string_lossy().into_owned();
        let ran = scene.expect(0, &["disk", "hash", &path]);
        assert!(ran.stdout.starts_with(&disk.blake3), "{path}: {}", ran.stdout);
        let right = read_chain(&disk.chain).unwrap();
        assert_eq!(blake3::hash(&right).to_hex().as_str(), disk.blake3, "the two models of the testkit agree");

        let theirs = folder.path().join("qemu.raw");
        let mut qemu = Command::new("qemu-img");
        match qemu.args(["convert", "-f", "vpc", "-O", "raw"]).arg(&disk.path).arg(&theirs).output() {
            Err(error) => eprintln!("SKIPPED: comparing with qemu-img: {error}"),
            Ok(output) if !output.status.success() => eprintln!("SKIPPED: this qemu-img refuses differencing disks"),
            Ok(_) => {
                let theirs = std::fs::read(&theirs).unwrap();
                let same = right.chunks(512).zip(theirs.chunks(512)).filter(|(a, b)| a == b).count();
                assert!(same < right.len() / 512, "qemu-img reads {path} right now: mend docs/peers.md");
            }
        }
    }
    assert_eq!(chains, 3, "the tree has the leaf and two checkpoints that are chains");
}
