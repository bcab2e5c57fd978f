//! Every configuration file of the test kit's sample hosts, through the reader that it is meant for.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use hvm_formats::azman::Store;
use hvm_formats::firewall::FirewallRule;
use hvm_formats::regf::{Hive, HiveState, Key, RegfError, current_control_set};
use hvm_formats::vmxml::Document;
use hvm_testkit::sample::{Variant, write};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files(&entry.path(), found),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

fn sample(variant: Variant) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), variant).unwrap();
    let mut found = Vec::new();
    files(folder.path(), &mut found);
    (folder, found)
}

fn named<'a>(files: &'a [PathBuf], name: &'a str) -> impl Iterator<Item = &'a PathBuf> {
    files.iter().filter(move |path| path.file_name().unwrap().eq_ignore_ascii_case(name))
}

fn hive(files: &[PathBuf], name: &str) -> Result<Hive, RegfError> {
    let path = named(files, name).next().unwrap();
    let log = |end: &str| {
        let log = format!("{name}{end}");
        let bytes = named(files, &log).next().map(|path| std::fs::read(path).unwrap());
        bytes.map(|bytes| (log, bytes))
    };
    let logs: Vec<(String, Vec<u8>)> = [".LOG1", ".LOG2"].into_iter().filter_map(log).collect();
    let logs: Vec<(&str, &[u8])> = logs.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    Hive::open(std::fs::read(path).unwrap(), &logs, name)
}

fn errors(key: &Key<'_>) -> usize {
    let values = key.values().filter(Result::is_err).count();
    key.subkeys().fold(values, |sum, subkey| sum + subkey.map_or(1, |subkey| errors(&subkey)))
}

#[test]
fn changed_host_reads_without_loss() {
    let (_folder, files) = sample(Variant::Default);
    let mut machines = 0;
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("xml"))) {
        let bytes = std::fs::read(path).unwrap();
        let document = Document::parse(&bytes, "file.xml").unwrap();
        assert!(document.to_bytes() == bytes, "{}", path.display());
        machines += usize::from(document.str("/configuration/properties/name").unwrap().is_some());
    }
    assert!(machines > 2, "{machines}");
    let store = std::fs::read(named(&files, "InitialStore.xml").next().unwrap()).unwrap();
    let store = Store::parse(&store, "InitialStore.xml").unwrap();
    assert_eq!((store.unknown.len(), store.customisations().len()), (0, 1), "{:?}", store.customisations());
    for name in ["SYSTEM", "SOFTWARE"] {
        let hive = hive(&files, name).unwrap();
        assert_ne!(hive.state(), &HiveState::Stale, "{:?}", hive.remarks());
        assert_eq!(errors(&hive.root()), 0);
    }
    let system = hive(&files, "SYSTEM").unwrap();
    let set = current_control_set(&system).unwrap();
    let rules = format!(r"{set}\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules");
    let rules: Vec<_> = system.key(&rules).unwrap().unwrap().values().map(Result::unwrap).collect();
    assert!(rules.len() > 10);
    for rule in rules {
        let text = rule.as_string().unwrap();
        assert_eq!(text.parse::<FirewallRule>().unwrap().to_string(), text);
    }
}

#[test]
fn untouched_host_has_an_untouched_store() {
    let (_folder, files) = sample(Variant::Clean);
    let store = std::fs::read(named(&files, "InitialStore.xml").next().unwrap()).unwrap();
    let store = Store::parse(&store, "InitialStore.xml").unwrap();
    assert!(store.is_default(), "{:?}", store.customisations());
}

#[test]
fn half_a_hive_is_told() {
    let (_folder, files) = sample(Variant::HalfHive);
    let told = ["SYSTEM", "SOFTWARE"].map(|name| match hive(&files, name) {
        Ok(hive) => hive.remarks().iter().any(|remark| remark.contains("it was cut")) && errors(&hive.root()) > 0,
        Err(e) => matches!(e, RegfError::PastEnd { .. }),
    });
    assert_eq!(told, [false, true]);
}
