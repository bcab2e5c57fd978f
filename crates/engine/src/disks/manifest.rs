//! Manifests of disks: written once, signed, and compared with a disk later and elsewhere.

use std::path::Path;

use hvm_sources::error::SourceError;
use hvm_sources::single::{ChainOptions, open_disk_file};
use hvm_transfer::{FileCheck, Manifest, MismatchKind, OperatorKey, PublicKey, check_against, describe};
use serde::Serialize;

use super::{apart, plain};
use crate::advice;
use crate::error::EngineError;
use crate::events::{Observer, Relay};

/// Whether the key of a signature is made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewKey {
    /// It is written to a new file.
    Make,
    /// It is in the file.
    Read,
}

/// A manifest that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestInfo {
    /// The manifest as indented JSON.
    pub json: String,
    /// The value of the virtual content in the tree of manifests, 64 hex digits.
    pub content: String,
    /// The public key of the signature, 64 hex digits; none when there is no signature.
    pub public_key: Option<String>,
}

/// Makes the manifest of a disk with its parents; writes it to `output` where given.
pub fn disk_manifest(
    path: &Path,
    options: &ChainOptions,
    output: Option<&Path>,
    key: Option<(&Path, NewKey)>,
    observer: &dyn Observer,
) -> Result<ManifestInfo, EngineError> {
    if let (Some(output), Some((key, _))) = (output, key) {
        apart(("manifest", output), ("key", key))?;
    }
    // The key first: hashing a disk takes long.
    let key = match key {
        Some((path, NewKey::Make)) => Some(OperatorKey::create(path)?),
        Some((path, NewKey::Read)) => Some(OperatorKey::load(path)?),
        None => None,
    };
    let disk = open_disk_file(path, options)?;
    let relay = Relay::new(observer, path.display().to_string());
    let mut manifest = describe(&disk, &plain(path)?, &path.display().to_string(), &relay.watch())?;
    if let Some(key) = &key {
        manifest.sign(key)?;
    }
    if let Some(output) = output {
        let new = output.symlink_metadata().is_err();
        let told = |error| if new { advice::of_new_file(error, output) } else { error.into() };
        manifest.save(output).map_err(told)?;
    }
    let json = serde_json::to_string_pretty(&manifest)
        .map_err(|source| EngineError::Document { path: output.unwrap_or(path).to_owned(), source })?;
    Ok(ManifestInfo { json, content: manifest.content.to_string(), public_key: manifest.public_key })
}

/// What came of comparing a disk with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskProof {
    /// True when nothing differs.
    pub same: bool,
    /// Virtual size by the manifest, bytes.
    pub size: u64,
    /// True when the bytes of the file were compared too: the manifest describes them, and the file has that format.
    pub file_compared: bool,
    /// True when the manifest describes a file, not only the content.
    pub file_described: bool,
    /// Key of the signature, 64 hex digits; none when the manifest is not signed.
    pub signed_by: Option<String>,
    /// True when that is the key that was expected.
    pub key_expected: bool,
    /// The ranges that differ.
    pub differences: Vec<DiskDifference>,
}

/// A range that is not as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskDifference {
    /// True when the offset counts bytes of the file, false when it is the guest's.
    pub in_file: bool,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// What was expected and found.
    pub detail: String,
}

/// Compares a disk with a manifest; with `public_key` (64 hex digits or a PEM file), only a manifest that is signed with it is
/// believed.
pub fn disk_verify(
    (path, manifest): (&Path, &Path),
    options: &ChainOptions,
    public_key: Option<&str>,
    observer: &dyn Observer,
) -> Result<DiskProof, EngineError> {
    let mut manifest = Manifest::load(manifest)?;
    let expected = public_key.map(PublicKey::read).transpose()?;
    let signed_by = manifest.check_signature(expected.as_ref())?;
    let disk = match open_disk_file(path, options) {
        Ok(disk) => Ok(disk),
        Err(SourceError::Disk(error)) => Err(error),
        Err(error) => return Err(error.into()),
    };
    let relay = Relay::new(observer, path.display().to_string());
    let checked = check_against(&manifest, disk, &plain(path)?, &relay.watch())?;
    let differences = checked.wrong.into_iter().map(|wrong| DiskDifference {
        in_file: wrong.kind == MismatchKind::File,
        start: wrong.first_offset,
        length: wrong.len,
        detail: wrong.detail,
    });
    let differences: Vec<DiskDifference> = differences.collect();
    Ok(DiskProof {
        same: differences.is_empty(),
        size: manifest.size,
        file_compared: checked.file == FileCheck::Compared,
        file_described: checked.file != FileCheck::NotDescribed,
        signed_by: signed_by.map(|key| key.to_string()),
        key_expected: expected.is_some(),
        differences,
    })
}
