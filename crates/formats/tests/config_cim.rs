//! Real objects of WMI: everything in them is read.
#![allow(clippy::unwrap_used, missing_docs)]

mod config_samples;

use hvm_formats::cim::{Reference, read};

#[test]
fn real_objects_are_read_without_loss() {
    let folder = config_samples::folder().join("wmi-v1");
    if !folder.is_dir() {
        eprintln!("SKIPPED: {}: it is not there", folder.display());
        return;
    }
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let found = read(&std::fs::read(&path).unwrap(), &name).unwrap();
        let [object] = &found.objects[..] else { panic!("{name}: {} objects", found.objects.len()) };
        assert!(object.is(name.split('.').next().unwrap()) && found.unknown.is_empty(), "{name}: {:?}", found.unknown);
        let own = object.properties.iter().filter(|(name, _)| !name.starts_with("__")).count() as u64;
        if let Some(count) = object.number("__PROPERTY_COUNT") {
            assert_eq!(own, count, "{name}: all properties");
        }
        if let Some(path) = object.text("__RELPATH") {
            let path: Reference = path.parse().unwrap();
            assert!(object.is(&path.class), "{name}");
            for (key, value) in &path.keys {
                assert_eq!(object.text(key), Some(value.as_str()), "{name}: the path names the key");
            }
        }
        files += 1;
    }
    assert!(files > 20, "{files} files");
}
