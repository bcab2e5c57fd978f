//! The boot sector is the assembled source, and prints what the model says.
#![allow(clippy::unwrap_used, missing_docs)]

use hvm_testkit::guest::{BOOT_SECTOR, expected_serial};
use hvm_testkit::vhd::ContentModel;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn the_committed_boot_sector_is_the_assembled_source() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guest/boot.asm");
    let binary = folder.path().join("boot.bin");
    match Command::new("nasm").args(["-f", "bin", "-o"]).arg(&binary).arg(&source).status() {
        Ok(status) => assert!(status.success()),
        Err(error) => return eprintln!("SKIPPED: nasm cannot be run here: {error}"),
    }
    assert_eq!(std::fs::read(&binary).unwrap(), BOOT_SECTOR);
}

#[test]
fn the_guest_prints_sizes_and_checksums_of_its_disks() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = ContentModel::new(5 << 20);
    first.fill(0, 3000, 11);
    first.set(0, *BOOT_SECTOR);
    let mut second = ContentModel::new(3 << 20);
    second.fill(100, 300, 12);
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-machine", "pc,accel=tcg", "-m", "64", "-display", "none", "-nodefaults", "-no-reboot"]);
    let serial = folder.path().join("serial");
    qemu.arg("-serial").arg(format!("file:{}", serial.display()));
    for (index, disk) in [&first, &second].into_iter().enumerate() {
        let path = folder.path().join(format!("{index}.raw"));
        std::fs::write(&path, disk.to_vec()).unwrap();
        qemu.arg("-drive").arg(format!("file={},format=raw,if=ide,index={index}", path.display()));
    }
    let mut child = match qemu.stdin(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => return eprintln!("SKIPPED: qemu-system-x86_64 cannot be run here: {error}"),
    };
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let printed = String::from_utf8_lossy(&std::fs::read(&serial).unwrap()).into_owned();
    assert_eq!(printed, expected_serial(&[&first, &second]));
}
