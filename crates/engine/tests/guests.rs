//! What is on a disk of a machine becomes a finding before anything is copied, for each kind of destination.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

use hvm_engine::{Assessment, Quiet, assess};
use hvm_model::choices::{Choices, GuestDepth};
use hvm_model::finding::{Level, Subject};
use hvm_testkit::sample::{self, SampleHost, Variant};
use hvm_testkit::vhd::{Blocks, ContentModel, VhdKind, VhdSpec};

/// The clean host, whose machine has a disk with an active partition that BitLocker encrypts.
fn encrypted(folder: &Path) -> SampleHost {
    let host = sample::write(folder, Variant::Clean).unwrap();
    let mut content = ContentModel::new(16 << 20);
    let mut table = [0; 512];
    table[446..462].copy_from_slice(&[0x80, 0, 0, 0, 7, 0, 0, 0, 0, 8, 0, 0, 0, 0x78, 0, 0]);
    table[510..].copy_from_slice(&[0x55, 0xAA]);
    content.set(0, table);
    content.set_bytes(2048, b"\xEB\x58\x90-FVE-FS-");
    let spec = VhdSpec::new(VhdKind::Dynamic(Blocks::default()), [9; 16]);
    spec.image(&content).write_to(&host.disks[0].path).unwrap();
    host
}

fn assessed(host: &SampleHost, to: &str, guests: GuestDepth) -> Assessment {
    let from = format!("folder:{}", host.folder.display());
    assess(&from, Some(to), Choices { guests, ..Choices::default() }, &Quiet).unwrap()
}

#[test]
fn an_encrypted_guest_is_named_unless_only_headers_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let host = encrypted(&folder.path().join("old"));
    let new = folder.path().join("new").display().to_string();
    for to in [format!("kit:{new}?os=2012&memory=32GiB"), format!("libvirt-files:{new}?memory=32GiB")] {
        let found = assessed(&host, &to, GuestDepth::Contents);
        let named: Vec<_> = found.findings.iter().filter(|finding| finding.rule.starts_with("guest.")).collect();
        assert_eq!(named.len(), 1, "{named:#?}");
        assert_eq!((named[0].rule.as_str(), named[0].level), ("guest.bitlocker", Level::Manual));
        assert!(matches!(&named[0].subject, Subject::Disk { path, .. } if path.as_str() == host.disks[0].windows_path));
        assert_eq!(found.inventory.guests.len(), 1);
        let found = assessed(&host, &to, GuestDepth::Headers);
        assert!(found.inventory.guests.is_empty());
        assert!(!found.findings.iter().any(|finding| finding.rule.starts_with("guest.")));
    }
    assert!(!folder.path().join("new").exists(), "an assessment writes nothing");
}
