//! `disk info` of a Windows guest with a registry hive of 80 MiB, within 48 MiB of memory.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::Scene;
use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, hive_bytes};
use hvm_testkit::mount::unmount;
use serde_json::Value;

fn software(padding: usize) -> HiveKey {
    let mut root = HiveKey::new("root");
    for number in 0..padding {
        let key = root.at(&format!(r"Classes\{number:05}"));
        key.set("data", HiveValue::Binary(vec![number as u8; 16_000]));
    }
    for number in 0..700 {
        root.at(&format!(r"Microsoft\Component {number}"));
    }
    let version = root.at(r"Microsoft\Windows NT\CurrentVersion");
    version.set("ProductName", HiveValue::sz("Windows Server 2019 Standard"));
    version.set("CurrentMajorVersionNumber", HiveValue::Dword(10));
    version.set("CurrentMinorVersionNumber", HiveValue::Dword(0));
    version.set("CurrentBuildNumber", HiveValue::sz("17763"));
    version.set("UBR", HiveValue::Dword(2114));
    version.set("EditionID", HiveValue::sz("ServerStandard"));
    root
}

fn system(padding: usize) -> HiveKey {
    let mut root = HiveKey::new("root");
    root.at("Select").set("Current", HiveValue::Dword(2));
    for number in 0..padding {
        let key = root.at(&format!(r"ControlSet001\Enum\{number:05}"));
        key.set("data", HiveValue::Binary(vec![number as u8; 16_000]));
    }
    root.at(r"ControlSet002\Services\Tcpip\Parameters").set("Hostname", HiveValue::sz("SRV-ä"));
    root.at(r"ControlSet002\Control\TimeZoneInformation").set("TimeZoneKeyName", HiveValue::sz("UTC"));
    root
}

/// A volume with the two hives; `None` after saying what is missing.
fn volume(dir: &Path, hives: (&[u8], &[u8])) -> Option<()> {
    let run = |name: &str, args: &[&str]| match Command::new(name).args(args).current_dir(dir).output() {
        Ok(output) if output.status.success() => Some(()),
        Ok(output) => {
            eprintln!("SKIPPED: {name}: {}", String::from_utf8_lossy(&output.stderr));
            None
        }
        Err(error) => {
            eprintln!("SKIPPED: {name}: {error}");
            None
        }
    };
    fs::File::create(dir.join("disk.raw")).unwrap().set_len(200 << 20).unwrap();
    run("mkntfs", &["-F", "-q", "disk.raw"])?;
    fs::create_dir_all(dir.join("mnt")).unwrap();
    // In the foreground, so that its end is seen: everything is in the file then.
    let disk = dir.join("disk.raw");
    let mut driver = Command::new("ntfs-3g")
        .args(["-o", "no_detach"])
        .arg(&disk)
        .arg(dir.join("mnt"))
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mounted = || fs::read_to_string("/proc/mounts").is_ok_and(|text| text.contains(disk_name(dir).as_str()));
    for _ in 0..1000 {
        if mounted() || driver.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    if !mounted() {
        let _ = driver.kill();
        eprintln!("SKIPPED: ntfs-3g could not mount");
        return None;
    }
    let config = dir.join("mnt/Windows/System32/config");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("SOFTWARE"), hives.0).unwrap();
    fs::write(config.join("SYSTEM"), hives.1).unwrap();
    unmount(&dir.join("mnt")).unwrap();
    driver.wait().unwrap();
    Some(())
}

/// The mount point as the table of mounts writes it.
fn disk_name(dir: &Path) -> String {
    dir.join("mnt").to_str().unwrap().replace(' ', "\\040")
}

#[test]
fn large_hives_are_read_in_little_memory() {
    let scene = Scene::new();
    let stamp = HiveStamp::default();
    let (software, mut system) = (hive_bytes(&software(5200), &stamp), hive_bytes(&system(700), &stamp));
    assert!(software.len() > 80 << 20 && system.len() > 8 << 20);
    for dirty in [false, true] {
        if dirty {
            // The sequence numbers differ, and the checksum is right.
            system[4] ^= 2;
            system[508] ^= 2;
        }
        if volume(&scene.dir, (&software, &system)).is_none() {
            return;
        }
        let args = ["--data=50331648", env!("CARGO_BIN_EXE_hvmigrate"), "disk", "info", "disk.raw", "--format", "json"];
        let output = match Command::new("prlimit").args(args).current_dir(&scene.dir).output() {
            Ok(output) => output,
            Err(error) => return eprintln!("SKIPPED: prlimit: {error}"),
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let info: Value = serde_json::from_slice(&output.stdout).unwrap();
        let guest = &info["contents"]["guests"][0];
        let text = |name: &str| guest[name].as_str().unwrap().to_owned();
        assert_eq!(text("name"), "Windows Server 2019 Standard", "{guest}");
        assert_eq!((text("version"), text("build")), ("10.0".to_owned(), "17763.2114".to_owned()));
        assert_eq!((text("edition"), text("installation")), ("ServerStandard".to_owned(), String::new()));
        assert_eq!((text("host_name"), text("time_zone")), ("SRV-ä".to_owned(), "UTC".to_owned()));
        let remarks = guest["remarks"].as_array().unwrap();
        assert_eq!(remarks.len(), usize::from(dirty), "{remarks:?}");
        assert!(remarks.iter().all(|remark| remark.as_str().unwrap().contains("SYSTEM was being written to")));
    }
}
