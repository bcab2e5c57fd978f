//! The manifest of a disk as it is, made by reading it once; and its check against that manifest, later and elsewhere.

use hvm_formats::disk::{DiskError, SharedDisk};
use hvm_formats::io::SharedFile;
use hvm_model::capabilities::DiskFormat;

use crate::blocks::block_size;
use crate::content::{DiskContent, FileContent};
use crate::copy::Watch;
use crate::error::TransferError;
use crate::hash::hashed;
use crate::manifest::{FileManifest, LayerNote, MANIFEST_VERSION, Manifest};
use crate::progress::Stage;
use crate::tree::Tree;
use crate::verify::{Mismatch, MismatchKind, content_mismatches, file_mismatches};

/// The manifest of `disk`, whose leaf is `file`. `source` says what it was made of.
pub fn describe(
    disk: &SharedDisk,
    file: &SharedFile,
    source: &str,
    watch: &Watch<'_>,
) -> Result<Manifest, TransferError> {
    let (blocks, content) = hashed(&DiskContent(disk.clone()), (Tree::Manifest, Stage::Hashing), watch)?;
    let layers: Vec<LayerNote> = disk.layers().iter().map(LayerNote::of).collect();
    // A raw file holds nothing but the content.
    let is_plain = layers.first().is_some_and(|leaf| leaf.format == "raw");
    let file = if is_plain { None } else { Some(file_manifest(file, Stage::Hashing, watch)?) };
    Ok(Manifest {
        version: MANIFEST_VERSION,
        tool: concat!("hvmigrate ", env!("CARGO_PKG_VERSION")).to_owned(),
        source: source.to_owned(),
        layers,
        format: None,
        id: String::new(),
        size: disk.size(),
        block_size: block_size(disk.size()),
        content,
        blocks,
        file,
        public_key: None,
        signature: None,
    })
}

/// Reads a file from its start to its end.
pub(crate) fn file_manifest(file: &SharedFile, stage: Stage, watch: &Watch<'_>) -> Result<FileManifest, TransferError> {
    let (blocks, blake3) = hashed(&FileContent::new(file.clone()), (Tree::Plain, stage), watch)?;
    Ok(FileManifest { size: file.len(), block_size: block_size(file.len()), blake3, blocks })
}

/// What was compared with a manifest, and what is not as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Whether the bytes of the file were compared too.
    pub file: FileCheck,
    /// All ranges that differ, the file's first.
    pub wrong: Vec<Mismatch>,
}

/// Whether the bytes of a file are those that a manifest describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileCheck {
    /// They were compared.
    Compared,
    /// The file holds the disk in another format than the manifest's, so that only the content can be compared.
    OtherFormat,
    /// The manifest is of the content alone.
    NotDescribed,
}

/// Compares a disk that was opened, or could not be, with a manifest: its content, and its file when that has the format
/// that the manifest describes.
pub fn check_against(
    manifest: &Manifest,
    disk: Result<SharedDisk, DiskError>,
    file: &SharedFile,
    watch: &Watch<'_>,
) -> Result<Checked, TransferError> {
    let other = disk.as_ref().is_ok_and(|disk| {
        let found = disk.layers().first().map(LayerNote::of);
        found.is_none_or(|found| manifest.file_format() != found.format)
    });
    let mut checked = match &manifest.file {
        None => Checked { file: FileCheck::NotDescribed, wrong: Vec::new() },
        Some(_) if other => Checked { file: FileCheck::OtherFormat, wrong: Vec::new() },
        Some(expected) => Checked { file: FileCheck::Compared, wrong: file_mismatches(expected, file, watch)? },
    };
    match disk {
        Ok(disk) => checked.wrong.extend(content_mismatches(manifest, &disk, None, watch)?),
        Err(error) => {
            let detail = format!("The disk cannot be opened: {error}");
            let (kind, first_offset, len) = (MismatchKind::Content, 0, manifest.size);
            checked.wrong.push(Mismatch { kind, first_offset, len, detail });
        }
    }
    Ok(checked)
}

impl Manifest {
    /// The format of the described file by the names of [`LayerNote::format`]; of a copy that the tool wrote, or else of
    /// the first layer.
    fn file_format(&self) -> &str {
        match self.format {
            Some(DiskFormat::Raw) => "raw",
            Some(DiskFormat::VhdFixed) => "vhd-fixed",
            Some(DiskFormat::Vhd) => "vhd-dynamic",
            Some(DiskFormat::VhdxFixed) => "vhdx-fixed",
            Some(DiskFormat::Vhdx) => "vhdx-dynamic",
            Some(DiskFormat::Qcow2 | DiskFormat::Qcow2Zstd) => "qcow2",
            None => self.layers.first().map_or("", |leaf| &leaf.format),
        }
    }
}
