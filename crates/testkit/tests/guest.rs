//! The boot sector is the assembled source, and prints what the model says.
#![allow(clippy::unwrap_used, missing_docs)]

use hvm_testkit::guest::{BOOT_SECTOR, expected_serial};
use hvm_testkit::sample::{Variant, ids, write};
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

/// What a machine with these disks (path and format) prints on its serial port, or `None` (said aloud) without QEMU.
fn boot(folder: &Path, disks: &[(&Path, &str)]) -> Option<String> {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-machine", "pc,accel=tcg", "-m", "64", "-display", "none", "-nodefaults", "-no-reboot", "-snapshot"]);
    let serial = folder.join("serial");
    qemu.arg("-serial").arg(format!("file:{}", serial.display()));
    for (index, (path, format)) in disks.iter().enumerate() {
        qemu.arg("-drive").arg(format!("file={},format={format},if=ide,index={index}", path.display()));
    }
    let mut child = match qemu.stdin(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("SKIPPED: qemu-system-x86_64 cannot be run here: {error}");
            return None;
        }
    };
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    Some(String::from_utf8_lossy(&std::fs::read(&serial).unwrap()).into_owned())
}

#[test]
fn the_guest_prints_sizes_and_checksums_of_its_disks() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = ContentModel::new(5 << 20);
    first.fill(0, 3000, 11);
    first.set(0, *BOOT_SECTOR);
    let mut second = ContentModel::new(3 << 20);
    second.fill(100, 300, 12);
    let paths = ["first.raw", "second.raw"].map(|name| folder.path().join(name));
    for (path, disk) in paths.iter().zip([&first, &second]) {
        std::fs::write(path, disk.to_vec()).unwrap();
    }
    let Some(printed) = boot(folder.path(), &[(&paths[0], "raw"), (&paths[1], "raw")]) else { return };
    assert_eq!(printed, expected_serial(&[&first, &second]));
}

#[test]
fn the_machine_of_the_sample_host_boots_from_its_own_disks() {
    let folder = tempfile::tempdir().unwrap();
    let host = write(folder.path(), Variant::Default).unwrap();
    let disks: Vec<(&Path, &str)> =
        host.disks.iter().filter(|disk| disk.machine == ids::BOOT.0).map(|disk| (disk.path.as_path(), "vpc")).collect();
    assert_eq!(disks.len(), 2);
    let Some(printed) = boot(folder.path(), &disks) else { return };
    assert_eq!(printed, host.expected_serial);
}
