#![allow(clippy::unwrap_used, missing_docs)]
//! A collection as `collect.cmd` makes it: hives, configurations, a list of files, answers, checksums, and no disks. Its inventory
//! is that of the host itself but for what only the content of disks tells.

mod collected_host;

use std::fs;

use collected_host::{collection, read, told_disks};
use hvm_testkit::sample::answers::write_setting_data;

#[test]
fn a_collection_has_the_inventory_of_its_host() {
    let (_folder, mut whole, out) = collection();
    let mut inventory = read(&out);
    let (not_taken, others): (Vec<_>, Vec<_>) =
        inventory.problems.drain(..).partition(|problem| problem.kind == "disk.not-collected");
    assert!(!not_taken.is_empty() && not_taken.iter().all(|problem| problem.message.contains("content was not taken")));
    assert_eq!(others, []);
    assert_eq!(inventory.source.reach, "folder");
    for disk in &mut whole.disks {
        let told = inventory.disk(&disk.path).unwrap();
        assert_eq!(
            (&told.format, told.virtual_size, told.file_size),
            (&disk.format, disk.virtual_size, disk.file_size)
        );
        assert_eq!(told.parent, disk.parent);
        assert!(told.place.file.starts_with("WMI root"), "{}", told.place);
        *disk = told.clone();
    }
    whole.source = inventory.source.clone();
    whole.problems.clear();
    assert!(inventory == whole, "something else differs");
}

#[test]
fn disks_are_told_by_the_second_version_of_the_classes_too() {
    let (_folder, whole, out) = collection();
    let folder = out.join("wmi");
    fs::remove_file(folder.join("root.virtualization").join("disks.xml")).unwrap();
    write_setting_data(&out, &told_disks(&whole)).unwrap();
    let inventory = read(&out);
    assert!(whole.disks.iter().any(|disk| disk.parent.is_some()));
    for disk in &whole.disks {
        let told = inventory.disk(&disk.path).unwrap();
        let facts = |disk: &hvm_model::disk::DiskFile| (disk.format.clone(), disk.virtual_size, disk.file_size);
        assert_eq!(facts(told), facts(disk));
        assert_eq!(told.parent, disk.parent);
        assert_eq!(told.place.file, r"WMI root\virtualization\v2");
    }
}

#[test]
fn what_was_changed_since_is_told() {
    let (_folder, _, out) = collection();
    let hive = out.join("C").join("Windows").join("System32").join("config").join("SOFTWARE");
    let mut bytes = fs::read(&hive).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&hive, bytes).unwrap();
    let problems = read(&out).problems;
    let changed: Vec<&str> = problems
        .iter()
        .filter(|problem| problem.kind == "collection.changed")
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(changed[0].contains(r"'C\Windows\System32\config\SOFTWARE' was changed"), "{changed:?}");
}

#[test]
fn a_disk_of_a_collection_cannot_be_opened_and_says_why() {
    let (_folder, whole, out) = collection();
    let source = hvm_sources::open(&format!("folder:{}", out.display())).unwrap();
    let error = source.open_disk(&whole.disks[0].path).err().unwrap().to_string();
    assert!(error.contains("was listed when the host was collected"), "{error}");
}
