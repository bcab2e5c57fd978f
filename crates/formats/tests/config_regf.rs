//! Hives: real ones against outside readers, built ones of every shape, damaged ones.
#![allow(clippy::unwrap_used, missing_docs)]

mod config_samples;

use std::collections::BTreeMap;
use std::process::Command;

use config_samples::{read, read_xz};
use hvm_formats::regf::{Hive, HiveState, Key, RegValueKind, RegfError, current_control_set};
use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, dirty_pair, hive_bytes};

/// Key path, to value name, to type and data.
type Dump = BTreeMap<String, BTreeMap<String, (u32, Vec<u8>)>>;

fn dump(hive: &Hive) -> Dump {
    fn go(key: &Key<'_>, dump: &mut Dump) {
        let values = key.values().map(|v| v.unwrap());
        let values = values.map(|v| (v.name().to_owned(), (v.kind().number(), v.data().to_vec()))).collect();
        assert!(dump.insert(key.path().to_owned(), values).is_none());
        key.subkeys().for_each(|k| go(&k.unwrap(), dump));
    }
    let mut all = Dump::new();
    go(&hive.root(), &mut all);
    all
}

/// Visits all that can be read; what could not.
fn errors(key: &Key<'_>) -> Vec<RegfError> {
    let mut errors = Vec::new();
    for value in key.values() {
        match value {
            Ok(value) => {
                let _ = (value.as_string(), value.as_multi_string(), value.as_dword(), value.as_qword(), value.place());
            }
            Err(e) => errors.push(e),
        }
    }
    for subkey in key.subkeys() {
        errors.extend(subkey.map_or_else(|e| vec![e], |subkey| self::errors(&subkey)));
    }
    errors
}

fn walk(key: &Key<'_>) -> usize {
    errors(key).len()
}

fn small() -> HiveKey {
    let mut root = HiveKey::new("ROOT");
    root.at("Select").set("Current", HiveValue::Dword(1));
    let key = root.at(r"ControlSet001\Services\Größe");
    key.set("", HiveValue::sz("unnamed"));
    key.set("Text", HiveValue::ExpandSz("%SystemRoot%".to_owned()));
    key.set("Qword", HiveValue::Qword(1 << 40));
    key.set("List", HiveValue::multi(&["a", "", "b"]));
    key.set("Ключ", HiveValue::Binary((0..=255).collect()));
    key.set("NoNul", HiveValue::Raw(1, vec![b'x', 0, b'y', 0]));
    key.set("Garbage", HiveValue::Raw(1, vec![b'x', 0, 0, 0, b'y', 0, 7]));
    key.set("Odd", HiveValue::Raw(0x1234, vec![]));
    key.set("Big", HiveValue::Binary((0..40_000_u32).map(|i| i as u8).collect()));
    root
}

fn small_bytes() -> Vec<u8> {
    hive_bytes(&small(), &HiveStamp::default())
}

#[test]
fn system_hive_equals_hivex() {
    let Some(bytes) = read_xz("registry/SYSTEM.xz") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("SYSTEM");
    std::fs::write(&path, &bytes).unwrap();
    let hive = Hive::open(bytes, &[], "SYSTEM").unwrap();
    assert_eq!((hive.state(), hive.remarks()), (&HiveState::Clean, &[][..]));
    let ours = dump(&hive);
    assert!(ours.len() > 15_000, "{}", ours.len());
    let exported = match Command::new("hivexregedit").arg("--export").arg(&path).arg("\\").output() {
        Ok(output) => output,
        Err(e) => return eprintln!("SKIPPED: hivexregedit: {e}"),
    };
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let theirs = parse_export(&String::from_utf8(exported.stdout).unwrap());
    assert_eq!(ours.len(), theirs.len());
    for (path, values) in &ours {
        assert_eq!(Some(values), theirs.get(path), "{path}");
    }
}

fn parse_export(text: &str) -> Dump {
    let mut dump = Dump::new();
    let mut key = String::new();
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        if let Some(path) = line.strip_prefix('[') {
            path.strip_suffix(']').unwrap().clone_into(&mut key);
            dump.insert(key.clone(), BTreeMap::new());
            continue;
        }
        let (name, rest) = match line.strip_prefix("@=") {
            Some(rest) => (String::new(), rest),
            None => {
                let at = line.rfind("\"=").unwrap();
                (line[1..at].replace("\\\"", "\"").replace("\\\\", "\\"), &line[at + 2..])
            }
        };
        let hex = |text: &str| {
            text.split(',').filter(|b| !b.is_empty()).map(|b| u8::from_str_radix(b, 16).unwrap()).collect()
        };
        let value = match rest.strip_prefix("dword:") {
            Some(number) => (4, u32::from_str_radix(number, 16).unwrap().to_le_bytes().to_vec()),
            None => {
                let (kind, bytes) = rest.strip_prefix("hex(").unwrap().split_once("):").unwrap();
                (u32::from_str_radix(kind, 16).unwrap(), hex(bytes))
            }
        };
        dump.get_mut(&key).unwrap().insert(name, value);
    }
    dump
}

#[test]
fn system_hive_values_read_by_name() {
    let Some(bytes) = read_xz("registry/SYSTEM.xz") else { return };
    let hive = Hive::open(bytes, &[], "SYSTEM").unwrap();
    assert_eq!(current_control_set(&hive).unwrap(), "ControlSet001");
    let policy = r"controlset001\SERVICES\SharedAccess\Parameters\FirewallPolicy";
    assert_eq!(hive.value(policy, "policyversion").unwrap().unwrap().as_dword().unwrap(), 0x20a);
    let bind = hive.value(r"\ControlSet001\Services\Tcpip\Linkage", "Bind").unwrap().unwrap();
    assert!(bind.as_multi_string().unwrap().iter().all(|device| device.starts_with(r"\Device\{")));
    assert!(hive.key(r"ControlSet001\Services\vmms").unwrap().is_none());
    let error = bind.as_dword().unwrap_err().to_string();
    assert!(error.contains(r"\ControlSet001\services\Tcpip\Linkage, value 'Bind'"), "{error}");
}

#[test]
fn dirty_hive_is_replayed_as_windows_did() {
    let (Some(dirty), Some(log), Some(recovered)) =
        (read("registry/OldDirtyHive"), read("registry/OldDirtyHive.LOG1"), read("registry/RecoveredHive_Windows7"))
    else {
        return;
    };
    let replayed = Hive::open(dirty.clone(), &[("LOG1", &log), ("LOG2", &[])], "dirty").unwrap();
    assert_eq!(replayed.state(), &HiveState::Replayed { logs: vec!["LOG1".to_owned()], pages: 64 });
    assert!(replayed.remarks()[0].contains("64 pages of 512 bytes were replayed in memory from 'LOG1'"));
    assert_eq!(replayed.remarks().len(), 1, "{:?}", replayed.remarks());
    let expected = dump(&Hive::open(recovered, &[], "recovered").unwrap());
    assert!(dump(&replayed) == expected);
    let stale = Hive::open(dirty.clone(), &[], "dirty").unwrap();
    assert_eq!(stale.state(), &HiveState::Stale);
    assert!(stale.remarks()[0].contains("no transaction log was found: values may be stale"));
    let wrong = Hive::open(dirty, &[("LOG1", &log[..log.len() - 512])], "dirty").unwrap();
    assert_eq!(wrong.state(), &HiveState::Stale);
    assert!(wrong.remarks()[0].contains("holds 63 of its 64 pages"), "{:?}", wrong.remarks());
}

#[test]
fn base_block_is_recovered_from_the_log() {
    let (Some(mut dirty), Some(log), Some(recovered)) =
        (read("registry/OldDirtyHive"), read("registry/OldDirtyHive.LOG1"), read("registry/RecoveredHive_Windows7"))
    else {
        return;
    };
    dirty[..4096].fill(0);
    let bin_time: [u8; 8] = dirty[4096 + 20..4096 + 28].try_into().unwrap();
    // Without a base block the time stamp of the first hive bin decides; make it that of the log.
    dirty[4096 + 20..4096 + 28].copy_from_slice(&log[12..20]);
    eprintln!("first hive bin: {bin_time:?}, log: {:?}", &log[12..20]);
    let hive = Hive::open(dirty.clone(), &[("LOG1", &log)], "torn").unwrap();
    assert!(dump(&hive) == dump(&Hive::open(recovered, &[], "recovered").unwrap()));
    assert!(matches!(Hive::open(dirty, &[], "torn"), Err(RegfError::NotAHive { .. })));
}

#[test]
fn minimal_hive_opens() {
    let Some(bytes) = read("registry/hivex-minimal.hive") else { return };
    let hive = Hive::open(bytes, &[], "minimal").unwrap();
    assert_eq!(hive.root().subkeys().count() + hive.root().values().count(), 0);
}

#[test]
fn built_values_of_every_type() {
    let hive = Hive::open(small_bytes(), &[], "small").unwrap();
    assert_eq!(hive.remarks(), &[] as &[String]);
    assert_eq!(current_control_set(&hive).unwrap(), "ControlSet001");
    let key = hive.key(r"\CONTROLSET001\services\GRÖßE").unwrap().unwrap();
    assert_eq!(key.path(), r"\ControlSet001\Services\Größe");
    assert_eq!(key.last_written(), HiveStamp::default().written);
    let value = |name: &str| key.value(name).unwrap().unwrap();
    assert_eq!(value("").as_string().unwrap(), "unnamed");
    assert_eq!(
        (value("text").kind(), value("TEXT").as_string().unwrap()),
        (RegValueKind::ExpandSz, "%SystemRoot%".into())
    );
    assert_eq!(value("Qword").as_qword().unwrap(), 1 << 40);
    assert_eq!(value("List").as_multi_string().unwrap(), ["a", "", "b"]);
    assert_eq!(value("клюЧ").as_binary().unwrap(), (0..=255).collect::<Vec<u8>>());
    assert_eq!((value("NoNul").as_string().unwrap(), value("Garbage").as_string().unwrap()), ("xy".into(), "x".into()));
    assert_eq!(value("Odd").kind(), RegValueKind::Other(0x1234));
    assert_eq!(value("Big").data().len(), 40_000);
    assert!(value("Big").data().iter().enumerate().all(|(i, b)| *b == i as u8));
    assert!(key.value("absent").unwrap().is_none());
    assert!(matches!(value("Text").as_qword(), Err(RegfError::ValueType { .. })));
}

#[test]
fn many_subkeys_come_through_index_roots() {
    let mut root = HiveKey::new("ROOT");
    for i in 0..3000 {
        root.at(&format!("Key{i}")).set("n", HiveValue::Dword(i));
    }
    let hive = Hive::open(hive_bytes(&root, &HiveStamp::default()), &[], "many").unwrap();
    assert_eq!(hive.root().subkeys().filter_map(Result::ok).count(), 3000);
    for i in [0, 1, 999, 2999] {
        assert_eq!(hive.value(&format!("KEY{i}"), "N").unwrap().unwrap().as_dword().unwrap(), i);
    }
}

#[test]
fn built_dirty_pair_is_replayed_and_grows() {
    let mut new = small();
    for i in 0..200 {
        new.at(&format!(r"ControlSet001\New{i}")).set("v", HiveValue::sz("w".repeat(100)));
    }
    let pair = dirty_pair(&small(), &new, &HiveStamp::default());
    let replayed = Hive::open(pair.primary.clone(), &[("SYSTEM.LOG1", &pair.log)], "SYSTEM").unwrap();
    assert!(matches!(replayed.state(), HiveState::Replayed { .. }), "{:?}", replayed.remarks());
    let expected = dump(&Hive::open(pair.replayed, &[], "SYSTEM").unwrap());
    assert!(dump(&replayed) == expected);
    // A copy that still has the old length: the log brings the new pages.
    let old_len = hive_bytes(&small(), &HiveStamp::default()).len();
    let short = Hive::open(&pair.primary[..old_len], &[("SYSTEM.LOG1", &pair.log)], "SYSTEM").unwrap();
    assert!(dump(&short) == expected);
}

#[test]
fn log_of_another_state_is_not_used() {
    let mut new = small();
    new.at("Added").set("v", HiveValue::Dword(1));
    let pair = dirty_pair(&small(), &new, &HiveStamp::default());
    let mut other = HiveStamp::default();
    other.written += 1;
    let foreign = dirty_pair(&small(), &new, &other);
    let hive = Hive::open(pair.primary.clone(), &[("LOG1", &foreign.log), ("LOG2", b"short")], "SYSTEM").unwrap();
    assert_eq!(hive.state(), &HiveState::Stale);
    let remark = &hive.remarks()[0];
    assert!(
        remark.contains("'LOG1' belongs to another state") && remark.contains("'LOG2' has only 5 bytes"),
        "{remark}"
    );
    assert!(matches!(Hive::open(pair.log.repeat(9), &[], "LOG1"), Err(RegfError::FileType { found: 1, .. })));
}

#[test]
fn hive_cut_in_half_gives_what_it_has() {
    let Some(mut bytes) = read_xz("registry/SYSTEM.xz") else { return };
    bytes.truncate(bytes.len() / 2);
    let hive = Hive::open(bytes, &[], "SYSTEM").unwrap();
    assert!(hive.remarks()[0].contains("it was cut"), "{:?}", hive.remarks());
    let key = hive.key(r"ControlSet001\Services\Tcpip").unwrap().unwrap();
    assert!(key.value("Start").unwrap().is_some());
    let errors = errors(&hive.root());
    assert!(errors.len() > 1, "{errors:?}");
    let cut = errors.iter().find(|e| matches!(e, RegfError::PastEnd { .. })).unwrap().to_string();
    assert!(cut.contains("the file was cut or is damaged"), "{cut}");
}

#[test]
fn truncation_at_every_sector_never_panics() {
    let bytes = small_bytes();
    let mut whole = 0;
    for len in (0..bytes.len()).step_by(512) {
        match Hive::open(&bytes[..len], &[], "cut") {
            Ok(hive) => {
                assert!(!hive.remarks().is_empty(), "cut at {len}");
                whole += usize::from(walk(&hive.root()) == 0);
            }
            Err(e) => assert!(e.to_string().contains("cut"), "{e}"),
        }
    }
    assert!(whole < bytes.len() / 512 / 2, "{whole}");
}

#[test]
fn truncated_system_at_some_sectors_never_panics() {
    let Some(bytes) = read_xz("registry/SYSTEM.xz") else { return };
    for part in 1..16 {
        let len = bytes.len() / 16 * part / 512 * 512 + 512;
        if let Ok(hive) = Hive::open(&bytes[..len], &[], "cut") {
            assert!(walk(&hive.root()) > 0, "cut at {len}");
        }
    }
}

#[test]
fn flipped_bits_never_panic() {
    let bytes = small_bytes();
    let mut noticed = 0;
    for at in (0..bytes.len()).filter(|at| *at < 512 || (*at >= 4096 && *at < 12_288)) {
        for bit in [0, 7] {
            let mut broken = bytes.clone();
            broken[at] ^= 1 << bit;
            match Hive::open(broken, &[], "flipped") {
                Ok(hive) => noticed += usize::from(!hive.remarks().is_empty() || walk(&hive.root()) > 0),
                Err(_) => noticed += 1,
            }
        }
    }
    assert!(noticed > 1000, "{noticed}");
}

#[test]
fn flipped_logs_never_panic() {
    let mut new = small();
    new.at("Added").set("v", HiveValue::Dword(1));
    let pair = dirty_pair(&small(), &new, &HiveStamp::default());
    for at in 0..pair.log.len() {
        let mut broken = pair.log.clone();
        broken[at] ^= 0x81;
        if let Ok(hive) = Hive::open(pair.primary.clone(), &[("LOG1", &broken)], "flipped") {
            walk(&hive.root());
        }
    }
}
