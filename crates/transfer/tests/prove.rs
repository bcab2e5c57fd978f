#![allow(clippy::unwrap_used, missing_docs)]
//! Manifests of disks as they are, their signatures, and comparisons of disks.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use hvm_formats::disk::{self, Format, NoParents, SharedDisk};
use hvm_formats::io::{MemoryFile, SharedFile};
use hvm_testkit::vhd::{Blocks, ContentModel, VhdKind, VhdSpec};
use hvm_transfer::{
    Cancel, Checked, Comparison, FileCheck, Manifest, MismatchKind, OperatorKey, PublicKey, SigningError, Silent,
    TransferError, Until, Watch, check_against, compare, describe,
};

const MIB: u64 = 1 << 20;

fn watch() -> Watch<'static> {
    static NEVER: Cancel = Cancel::new();
    Watch { progress: &Silent, cancel: &NEVER, rate: None }
}

fn model() -> ContentModel {
    let mut content = ContentModel::new(9 * MIB + 512);
    content.fill(0, 100, 1);
    content.fill(5000, 3000, 2);
    content.fill(9 * MIB / 512, 1, 3);
    content
}

fn vhd(content: &ContentModel) -> SharedFile {
    let spec = VhdSpec::new(VhdKind::Dynamic(Blocks::default()), [7; 16]);
    Arc::new(MemoryFile::new("disk.vhd", spec.image(content).to_vec()))
}

fn raw(bytes: Vec<u8>) -> SharedDisk {
    disk::open_as(Arc::new(MemoryFile::new("disk.raw", bytes)), &NoParents, Format::Raw).unwrap()
}

fn opened(file: &SharedFile) -> SharedDisk {
    disk::open(file.clone(), &NoParents).unwrap()
}

fn described(file: &SharedFile) -> Manifest {
    describe(&opened(file), file, "a test", &watch()).unwrap()
}

fn changed(file: &SharedFile, offset: u64) -> SharedFile {
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes[offset as usize] ^= 1;
    Arc::new(MemoryFile::new("disk.vhd", bytes))
}

fn checked(manifest: &Manifest, file: &SharedFile) -> Checked {
    check_against(manifest, disk::open(file.clone(), &NoParents), file, &watch()).unwrap()
}

#[test]
fn a_manifest_knows_the_disk_again_in_any_format_and_names_what_is_wrong() {
    let file = vhd(&model());
    let manifest = described(&file);
    assert_eq!(manifest.content.to_string(), hvm_testkit::tree::tree_hash(&model().to_vec()));
    assert_eq!(checked(&manifest, &file), Checked { file: FileCheck::Compared, wrong: Vec::new() });
    let plain: SharedFile = Arc::new(MemoryFile::new("disk.img", model().to_vec()));
    assert_eq!(checked(&manifest, &plain), Checked { file: FileCheck::OtherFormat, wrong: Vec::new() });
    // A raw file is its content: there is nothing else to describe.
    assert_eq!(checked(&described(&plain), &plain), Checked { file: FileCheck::NotDescribed, wrong: Vec::new() });
    assert!(checked(&described(&plain), &file).wrong.is_empty());

    // A byte of the data is wrong in both; one of the padding of the header only in the file.
    let data = checked(&manifest, &changed(&file, 3 * MIB));
    let kinds: Vec<MismatchKind> = data.wrong.iter().map(|wrong| wrong.kind).collect();
    assert_eq!(kinds, [MismatchKind::File, MismatchKind::Content]);
    let torn = checked(&manifest, &changed(&file, 512 + 5));
    assert_eq!((torn.wrong.len(), torn.wrong[0].kind, torn.wrong[0].first_offset), (2, MismatchKind::File, 0));
    assert!(torn.wrong[1].detail.contains("cannot be opened"), "{torn:?}");
    let other = checked(&manifest, &{
        let mut bytes = model().to_vec();
        bytes[3] ^= 1;
        bytes[8 * MIB as usize] ^= 1;
        Arc::new(MemoryFile::new("disk.img", bytes)) as SharedFile
    });
    let ranges: Vec<(u64, u64)> = other.wrong.iter().map(|wrong| (wrong.first_offset, wrong.len)).collect();
    assert_eq!(ranges, [(0, MIB), (8 * MIB, MIB)]);
}

fn signing(result: Result<Option<PublicKey>, TransferError>) -> SigningError {
    match result {
        Err(TransferError::Signing(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signed_manifest_is_believed_only_with_the_right_key_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let key = OperatorKey::create(&folder.path().join("key")).unwrap();
    let other = OperatorKey::create(&folder.path().join("other")).unwrap();
    let mut manifest = described(&vhd(&model()));
    assert_eq!(manifest.check_signature(None).unwrap(), None);
    assert!(matches!(signing(manifest.check_signature(Some(&key.public()))), SigningError::Unsigned { .. }));
    manifest.sign(&key).unwrap();
    let path = folder.path().join("manifest");
    manifest.save(&path).unwrap();
    let mut loaded = Manifest::load(&path).unwrap();
    assert_eq!(loaded.check_signature(Some(&key.public())).unwrap(), Some(key.public()));
    assert_eq!(loaded.check_signature(None).unwrap(), Some(key.public()));
    let wrong = signing(loaded.check_signature(Some(&other.public())));
    assert!(matches!(wrong, SigningError::OtherKey { expected, .. } if expected == other.public()));

    // Everything that a reader believes is under the signature.
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [("a test", "a tesT"), ("disk.vhd", "disk.vhx"), ("0.1.0", "0.1.1"), ("07070707", "07070708")] {
        assert!(text.contains(from), "{from}");
        let mut forged: Manifest = serde_json::from_str(&text.replacen(from, to, 1)).unwrap();
        for expected in [None, Some(&key.public())] {
            assert!(matches!(signing(forged.check_signature(expected)), SigningError::Wrong { .. }), "{from}");
        }
    }
    for damage in [Some("00".to_owned()), Some(String::new()), None] {
        let mut forged = loaded.clone();
        forged.signature = damage;
        assert!(forged.check_signature(Some(&key.public())).is_err());
        assert!(forged.check_signature(None).is_err());
    }
    // Somebody else's signature over the same content.
    let mut forged = loaded.clone();
    forged.sign(&other).unwrap();
    forged.public_key = Some(key.public().to_string());
    assert!(matches!(signing(forged.check_signature(Some(&key.public()))), SigningError::Wrong { .. }));
}

#[test]
fn a_manifest_without_the_new_fields_is_read_as_before() {
    let manifest = described(&vhd(&model()));
    let text = serde_json::to_string(&manifest).unwrap();
    assert!(!text.contains("signature") && !text.contains("public_key"));
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
}

#[test]
#[cfg(unix)]
fn key_files_are_for_their_owner_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let key = OperatorKey::create(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(OperatorKey::load(&path).unwrap().public(), key.public());
    assert!(OperatorKey::create(&path).is_err());
    assert_eq!(OperatorKey::load(&path).unwrap().public(), key.public());
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    assert!(matches!(OperatorKey::load(&path), Err(TransferError::Signing(SigningError::Exposed { mode: 0o640, .. }))));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() - 2 {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(matches!(OperatorKey::load(&path), Err(TransferError::Signing(SigningError::NotAKey { .. }))));
    }
}

fn openssl(args: &[&str]) -> Option<Vec<u8>> {
    match Command::new("openssl").args(args).output() {
        Ok(output) => {
            assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
            Some(output.stdout)
        }
        Err(_) => {
            eprintln!("SKIPPED: openssl is not installed");
            None
        }
    }
}

#[test]
fn openssl_makes_keys_for_us_and_believes_our_signatures() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (theirs, public, signed, signature) = (at("theirs"), at("public"), at("signed"), at("signature"));
    if openssl(&["genpkey", "-algorithm", "ed25519", "-out", &theirs]).is_none() {
        return;
    }
    let ours = at("ours");
    OperatorKey::create(Path::new(&ours)).unwrap();
    for path in [&theirs, &ours] {
        let key = OperatorKey::load(Path::new(path)).unwrap();
        openssl(&["pkey", "-in", path, "-pubout", "-out", &public]);
        assert_eq!(PublicKey::read(&public).unwrap(), key.public());
        assert_eq!(PublicKey::read(&key.public().to_string()).unwrap(), key.public());
        let mut manifest = described(&vhd(&model()));
        manifest.sign(&key).unwrap();
        let hex = manifest.signature.take().unwrap();
        std::fs::write(&signed, serde_json::to_vec(&manifest).unwrap()).unwrap();
        let bytes: Vec<u8> = (0..64).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect();
        std::fs::write(&signature, bytes).unwrap();
        let args = ["-verify", "-pubin", "-inkey", &public, "-rawin", "-in", &signed, "-sigfile", &signature];
        openssl(&[&["pkeyutl"], args.as_slice()].concat());
    }
    assert!(PublicKey::read(&ours).is_err(), "a private key is no public key");
}

fn compared(one: &SharedDisk, other: &SharedDisk, until: Until) -> Comparison {
    compare(one, other, until, &watch()).unwrap()
}

#[test]
fn a_comparison_finds_every_sector_that_differs_and_no_other() {
    let disk = opened(&vhd(&model()));
    let bytes = model().to_vec();
    assert!(compared(&disk, &raw(bytes.clone()), Until::End).is_same());
    let mut other = bytes.clone();
    // The last byte of a step and the first of the next, a hole of the other disk, the end.
    for at in [MIB - 1, MIB, 4 * MIB + 700, 9 * MIB + 511] {
        other[at as usize] ^= 0x40;
    }
    let found = compared(&disk, &raw(other.clone()), Until::End);
    assert_eq!(found.ranges, [(MIB - 512, 1024), (4 * MIB + 512, 512), (9 * MIB, 512)]);
    assert_eq!((found.bytes, found.first), (2048, Some((MIB - 1, bytes[MIB as usize - 1], other[MIB as usize - 1]))));
    let first = compared(&raw(other.clone()), &disk, Until::First);
    assert_eq!((first.ranges, first.bytes), (vec![(MIB - 512, 1024)], 1024));
}

#[test]
fn what_only_one_disk_has_differs() {
    let bytes = model().to_vec();
    let mut longer = bytes.clone();
    longer.extend([0; 1000]);
    let found = compared(&raw(bytes.clone()), &raw(longer.clone()), Until::First);
    assert_eq!((found.ranges, found.first), (vec![(bytes.len() as u64, 1000)], None));
    let same_start = compared(&raw(longer), &raw(bytes), Until::End);
    assert_eq!(same_start.bytes, 1000);
}

#[test]
fn ten_thousand_ranges_are_listed_and_the_rest_counted() {
    let zeros = raw(vec![0; 12 * MIB as usize]);
    let mut spotted = vec![0; 12 * MIB as usize];
    spotted.chunks_mut(1024).for_each(|pair| pair[5] = 1);
    let found = compared(&zeros, &raw(spotted), Until::End);
    assert_eq!((found.ranges.len(), found.unlisted, found.bytes), (10_000, 12 * 1024 - 10_000, 6 * MIB));
}
