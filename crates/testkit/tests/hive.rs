//! Hives made here are read back by programs that know nothing of this crate.
#![allow(clippy::unwrap_used, missing_docs)]

use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, dirty_pair, hive_bytes};
use hvm_testkit::sample::{Variant, ids, write as write_sample};
use std::path::Path;
use std::process::Command;

/// Standard output of a program, or `None` (said aloud) when it is not installed.
fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(error) => {
            eprintln!("SKIPPED: {program} cannot be run here: {error}");
            None
        }
    }
}

fn tree(computer: &str) -> HiveKey {
    let mut root = HiveKey::new("ROOT").child(
        HiveKey::new("ControlSet001")
            .sz("ComputerName", computer)
            .value("", HiveValue::sz("default value"))
            .dword("Zahl", 0xDEAD_BEEF)
            .value("Lang", HiveValue::Qword(0x0102_0304_0506_0708))
            .multi("Viele", &["eins", "zwei"])
            .value("Pfad", HiveValue::ExpandSz("%SystemRoot%\\x".into()))
            .child(HiveKey::new("Größe").sz("ä", "umlaut"))
            .child(HiveKey::new("東京").sz("値", "日本語")),
    );
    let blob: Vec<u8> = (0..50_000u32).map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
    root.at("Big").set("Blob", HiveValue::Binary(blob));
    for number in 0..1203 {
        root.at("Many").children.push(HiveKey::new(format!("k{number}")).dword("n", number));
    }
    root
}

fn write(folder: &Path, bytes: &[u8]) -> String {
    let path = folder.join("HIVE");
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn hivexregedit_reads_every_value_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), &hive_bytes(&tree("HV-OLD-01"), &HiveStamp::default()));
    let Some(text) = output_of("hivexregedit", &["--export", &path, "\\"]) else { return };
    let utf16 = |text: &str| {
        let bytes: Vec<String> =
            text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).map(|b| format!("{b:02x}")).collect();
        bytes.join(",")
    };
    assert!(text.contains(&format!("\"ComputerName\"=hex(1):{}", utf16("HV-OLD-01"))), "{}", &text[..600]);
    assert!(text.contains("\"Zahl\"=dword:deadbeef"));
    assert!(text.contains("\"Lang\"=hex(b):08,07,06,05,04,03,02,01"));
    assert!(text.contains(&format!("@=hex(1):{}", utf16("default value"))));
    assert!(text.contains("[\\Many\\k1202]"));
    assert!(text.contains("東京"));
    let blob = text.lines().find(|line| line.starts_with("\"Blob\"=hex(3):")).unwrap();
    assert_eq!(blob.split(',').count(), 50_000);
    assert!(blob.ends_with(&format!(",{:02x}", (49_999u32.to_le_bytes()[0] ^ 49_999u32.to_le_bytes()[1]))));
}

#[test]
fn reglookup_finds_keys_through_the_split_lists() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), &hive_bytes(&tree("HV-OLD-01"), &HiveStamp::default()));
    let Some(text) = output_of("reglookup", &["-p", "/Many", &path]) else { return };
    for number in 0..1203u32 {
        assert!(text.contains(&format!("/Many/k{number}/n,DWORD,0x{number:08X}")), "k{number} is missing");
    }
}

#[test]
fn hivexsh_looks_names_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), &hive_bytes(&tree("HV-OLD-01"), &HiveStamp::default()));
    let script = folder.path().join("script");
    std::fs::write(&script, "cd \\many\\K777\nlsval\n").unwrap();
    let Some(text) = output_of("hivexsh", &["-f", script.to_str().unwrap(), &path]) else { return };
    assert!(text.contains("\"n\"=dword:00000309"), "{text}");
}

#[test]
fn the_primary_of_a_dirty_pair_still_says_the_old_name_and_its_log_has_the_new_one() {
    let stamp = HiveStamp { sequence: 40, ..HiveStamp::default() };
    let pair = dirty_pair(&tree("HV-ALT-01"), &tree("HV-OLD-01"), &stamp);
    let dword = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((dword(&pair.primary, 4), dword(&pair.primary, 8)), (41, 40));
    assert_eq!(pair.log[12..20], pair.primary[12..20], "last written times agree");
    assert_eq!(pair.log[512..516], *b"DIRT");
    let bitmap_bytes = (pair.primary.len() - 4096) / 4096;
    let mut replayed = pair.primary.clone();
    let mut at = (516 + bitmap_bytes).next_multiple_of(512);
    for sector in 0..bitmap_bytes * 8 {
        if pair.log[516 + sector / 8] >> (sector % 8) & 1 == 1 {
            replayed[4096 + sector * 512..][..512].copy_from_slice(&pair.log[at..at + 512]);
            at += 512;
        }
    }
    assert_eq!(at, pair.log.len());
    assert_eq!(replayed[4096..], pair.replayed[4096..]);
    assert_ne!(pair.primary[4096..], pair.replayed[4096..]);
    assert_eq!(pair.replayed, { hive_bytes(&tree("HV-OLD-01"), &HiveStamp { sequence: 41, ..stamp }) });
}

#[test]
fn hivex_and_reglookup_read_the_hives_of_the_sample_host() {
    let folder = tempfile::tempdir().unwrap();
    let host = write_sample(folder.path(), Variant::Cluster).unwrap();
    let path = |windows: &str| host.path_of(windows).to_str().unwrap().to_owned();
    let system = path(r"C:\Windows\System32\config\SYSTEM");
    if let Some(text) = output_of("reglookup", &["-p", "/ControlSet001/services/VMSMP/Parameters", &system]) {
        assert!(text.contains(&format!("/SwitchList/{},KEY", ids::INTERN.0)), "{text}");
        assert!(text.contains("/TenGigVmqEnabled,DWORD,0x00000001"), "{text}");
    }
    let names = r"\ControlSet001\Control\ComputerName";
    if let Some(text) = output_of("hivexregedit", &["--export", &system, names]) {
        let stale: Vec<String> = ids::STALE_COMPUTER_NAME.bytes().map(|byte| format!("{byte:02x},00")).collect();
        assert!(text.contains(&stale.join(",")), "a reader without the log sees the old name: {text}");
    }
    let updates = "/Microsoft/Windows/CurrentVersion/Uninstall";
    if let Some(text) =
        output_of("reglookup", &["-t", "KEY", "-p", updates, &path(r"C:\Windows\System32\config\SOFTWARE")])
    {
        assert_eq!(text.matches("/Uninstall/KB").count(), 640);
    }
    let version = r"\Microsoft\Windows NT\CurrentVersion";
    let software = path(r"C:\Windows\System32\config\SOFTWARE");
    if let Some(text) = output_of("hivexregedit", &["--export", &software, version]) {
        assert!(text.contains("\"MinimumMacAddress\"=hex(3):00,15,5d,0a,00,00"), "{text}");
    }
    if let Some(text) = output_of("hivexregedit", &["--export", &path(r"C:\Windows\Cluster\CLUSDB"), "\\"]) {
        assert!(text.contains("\"ClusterName\"=hex(1):48,00,56,00"), "{text}");
    }
}
