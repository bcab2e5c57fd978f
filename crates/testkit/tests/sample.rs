//! The sample host is complete, the same each time, and its disks read back as its models say.
#![allow(clippy::unwrap_used, missing_docs)]

use hvm_testkit::sample::{PlantedKind, SampleHost, Variant, ids, write};
use hvm_testkit::vhd::reference::read_chain;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every file below `folder` with its bytes; a symbolic link with its text.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(folder).unwrap().to_owned();
            if path.is_symlink() {
                found.insert(relative, std::fs::read_link(&path).unwrap().to_string_lossy().into_owned().into_bytes());
            } else if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(relative, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn utf16(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).unwrap()
}

fn sample(variant: Variant) -> (tempfile::TempDir, SampleHost) {
    let folder = tempfile::tempdir().unwrap();
    let host = write(folder.path(), variant).unwrap();
    (folder, host)
}

#[test]
fn two_calls_give_the_same_bytes_and_a_third_over_the_first_too() {
    let (first, _) = sample(Variant::Default);
    let (second, _) = sample(Variant::Default);
    let bytes = files(first.path());
    assert!(bytes == files(second.path()));
    write(first.path(), Variant::Default).unwrap();
    assert!(bytes == files(first.path()));
    let total: usize = bytes.values().map(Vec::len).sum();
    assert!(total < 250 << 20, "{total} bytes");
}

#[test]
fn every_disk_holds_what_its_model_says() {
    let (_folder, host) = sample(Variant::Default);
    assert_eq!(host.disks.len(), 12);
    for disk in &host.disks {
        let content = read_chain(&disk.chain).unwrap();
        assert_eq!(content.len() as u64, disk.virtual_size, "{}", disk.windows_path);
        assert_eq!(blake3::hash(&content).to_hex().to_string(), disk.blake3, "{}", disk.windows_path);
        assert_eq!(host.path_of(&disk.windows_path), disk.path);
    }
    let tree: Vec<_> = host.disks.iter().filter(|disk| disk.machine == ids::TREE.0).collect();
    assert_eq!(tree.iter().map(|disk| disk.chain.len()).collect::<Vec<_>>(), [1, 2, 2, 3]);
    assert_eq!(tree.iter().filter(|disk| disk.checkpoint.is_none()).count(), 1);
}

fn check_registration(host: &SampleHost) {
    let machine = host.machine(ids::FILES.0);
    let link = std::fs::read_link(host.path_of(&machine.registered_as)).unwrap();
    assert_eq!(link.to_str().unwrap(), machine.config_windows_path);
    assert!(machine.config_windows_path.starts_with("D:\\"));
    assert!(utf16(&machine.config).contains("<name type=\"string\">Microsoft Emulated Ethernet Port</name>"));
}

fn check_hive(host: &SampleHost) {
    let hive = std::fs::read(host.path_of(r"C:\Windows\System32\config\SYSTEM")).unwrap();
    let log = std::fs::read(host.path_of(r"C:\Windows\System32\config\SYSTEM.LOG1")).unwrap();
    let contains = |bytes: &[u8], name: &str| {
        let name = hvm_testkit::bytes::utf16le(name);
        bytes.windows(name.len()).any(|window| window == name)
    };
    assert!(contains(&hive, ids::STALE_COMPUTER_NAME) && !contains(&hive, ids::COMPUTER_NAME));
    assert!(contains(&log, ids::COMPUTER_NAME) && !contains(&log, ids::STALE_COMPUTER_NAME));
}

/// What must be true of the files of a malformed variant.
fn check_malformed(host: &SampleHost) {
    let subject = || host.path_of(&host.planted.last().unwrap().subject);
    match host.variant {
        Variant::TruncatedVhd => assert!(read_chain(&[subject()]).is_err()),
        Variant::MissingParent => {
            assert!(!subject().exists());
            assert_eq!(host.disks.iter().filter(|disk| disk.machine == ids::TREE.0).count(), 2);
        }
        Variant::HalfHive => {
            let bytes = std::fs::read(subject()).unwrap();
            let whole = 4096 + u32::from_le_bytes(bytes[40..44].try_into().unwrap()) as usize;
            assert_eq!(bytes.len(), whole / 2);
            assert!(bytes.len() > 65536);
        }
        Variant::UnknownXmlNode => {
            assert!(utf16(&host.machine(ids::PROCESSORS.0).config).contains("<frobnication>"));
        }
        Variant::TwoMachinesOneId => {
            let twin = format!(r"{}\Virtual Machines\{}.xml", ids::HYPER_V_ROOT, ids::TWIN.0);
            assert!(utf16(&host.path_of(&twin)).contains(ids::PROCESSORS.0));
        }
        _ => {}
    }
}

#[test]
fn every_variant_is_what_its_name_says() {
    let (_folder, default) = sample(Variant::Default);
    check_registration(&default);
    check_hive(&default);
    for (variant, extra) in [
        (Variant::HyperVServer, PlantedKind::HyperVServerEdition),
        (Variant::Source2012, PlantedKind::Source2012),
        (Variant::Cluster, PlantedKind::Cluster),
        (Variant::TruncatedVhd, PlantedKind::TruncatedVhd),
        (Variant::MissingParent, PlantedKind::MissingParent),
        (Variant::HalfHive, PlantedKind::HalfHive),
        (Variant::UnknownXmlNode, PlantedKind::UnknownXmlNode),
        (Variant::TwoMachinesOneId, PlantedKind::TwoMachinesOneId),
    ] {
        let (_folder, host) = sample(variant);
        assert_eq!(host.planted[..default.planted.len()], default.planted);
        assert_eq!(host.planted[default.planted.len()..].iter().map(|p| p.kind).collect::<Vec<_>>(), [extra]);
        check_files(&host, 7);
        check_malformed(&host);
    }
    check_files(&default, 7);
    let (_folder, clean) = sample(Variant::Clean);
    assert_eq!(clean.planted, []);
    check_files(&clean, 1);
}

/// Each machine has a configuration that names it, each listed disk all files of its chain.
fn check_files(host: &SampleHost, machines: usize) {
    assert_eq!(host.machines.len(), machines);
    for machine in &host.machines {
        let text = utf16(&machine.config);
        assert!(text.contains(&format!("<global_id type=\"string\">{}</global_id>", machine.id)));
        assert!(text.contains(&format!("<name type=\"string\">{}</name>", machine.name.replace('&', "&amp;"))));
    }
    for disk in &host.disks {
        assert!(disk.chain.iter().all(|file| file.exists()), "{:?}: {}", host.variant, disk.windows_path);
    }
}
