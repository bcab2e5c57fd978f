//! Checks a copied disk against its manifest: the virtual content through a reader, and the file byte by byte, so that
//! damage in headers and tables is found too. With the source at hand the first differing byte is named.

use std::path::Path;
use std::sync::Arc;

use hvm_formats::disk::{self, SharedDisk};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::capabilities::DiskFormat;

use crate::blocks::Blocks;
use crate::chain::Beside;
use crate::content::{DiskContent, FileContent};
use crate::copy::Watch;
use crate::error::TransferError;
use crate::hash::hashed;
use crate::manifest::{FileManifest, Manifest};
use crate::progress::Stage;
use crate::tree::Tree;

/// A copy to check.
pub struct Check<'a> {
    /// What it should be.
    pub manifest: &'a Manifest,
    /// The file.
    pub file: &'a Path,
    /// The disk that it was copied from, when that can still be read.
    pub source: Option<SharedDisk>,
}

/// Where a difference is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MismatchKind {
    /// Offsets are those that the guest sees.
    Content,
    /// Offsets are those of the file.
    File,
}

/// One range that is not as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What the offset counts.
    pub kind: MismatchKind,
    /// First offset of the range; of the first differing byte when the source was at hand.
    pub first_offset: u64,
    /// Bytes from there to the end of the last wrong block.
    pub len: u64,
    /// What was expected and what was found, a whole sentence.
    pub detail: String,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            MismatchKind::Content => "virtual offset",
            MismatchKind::File => "file offset",
        };
        write!(f, "{what} {} ({} bytes): {}", self.first_offset, self.len, self.detail)
    }
}

/// All ranges in which the copy is not as its manifest says; empty when every byte is.
pub fn verify(check: &Check<'_>, watch: &Watch<'_>) -> Result<Vec<Mismatch>, TransferError> {
    let file: SharedFile = match LocalFile::open(check.file, check.file.display().to_string()) {
        Ok(file) => Arc::new(file),
        Err(error) => {
            let detail = format!("The file could not be opened: {error}.");
            let len = check.manifest.file.as_ref().map_or(check.manifest.size, |file| file.size);
            return Ok(vec![Mismatch { kind: MismatchKind::File, first_offset: 0, len, detail }]);
        }
    };
    let mut wrong = match &check.manifest.file {
        Some(expected) => file_mismatches(expected, &file, watch)?,
        None => Vec::new(),
    };
    match disk::open_with(file, &Beside(check.file), &disk::OpenOptions { format: format(check), ..Default::default() })
    {
        Ok(copy) => wrong.extend(content_mismatches(check.manifest, &copy, check.source.as_ref(), watch)?),
        Err(error) => {
            let detail = format!("The disk cannot be opened: {error}");
            let (kind, first_offset, len) = (MismatchKind::Content, 0, check.manifest.size);
            wrong.push(Mismatch { kind, first_offset, len, detail });
        }
    }
    Ok(wrong)
}

/// The format that the copy must have, whatever its bytes look like.
fn format(check: &Check<'_>) -> Option<disk::Format> {
    Some(match check.manifest.format? {
        DiskFormat::Raw => disk::Format::Raw,
        DiskFormat::Vhd | DiskFormat::VhdFixed => disk::Format::Vhd,
        DiskFormat::Vhdx | DiskFormat::VhdxFixed => disk::Format::Vhdx,
        DiskFormat::Qcow2 | DiskFormat::Qcow2Zstd => disk::Format::Qcow2,
    })
}

/// The ranges in which a file is not as its manifest says.
pub(crate) fn file_mismatches(
    expected: &FileManifest,
    file: &SharedFile,
    watch: &Watch<'_>,
) -> Result<Vec<Mismatch>, TransferError> {
    let mut wrong = Vec::new();
    if file.len() != expected.size {
        let (low, high) = (file.len().min(expected.size), file.len().max(expected.size));
        let detail = format!("The file has {} bytes, {} were expected.", file.len(), expected.size);
        wrong.push(Mismatch { kind: MismatchKind::File, first_offset: low, len: high - low, detail });
    }
    let content = FileContent::with_len(file.clone(), expected.size);
    let found = match hashed(&content, (Tree::Plain, Stage::Checking), watch) {
        Ok((found, _)) => found,
        Err(error) => return unreadable(wrong, MismatchKind::File, error, expected.size),
    };
    for (first, len) in ranges((&expected.blocks, &found), expected.block_size, expected.size) {
        let detail = "The bytes of the file there are not those that were written.".to_owned();
        wrong.push(Mismatch { kind: MismatchKind::File, first_offset: first, len, detail });
    }
    Ok(wrong)
}

/// The ranges in which the content of a disk is not as its manifest says.
pub(crate) fn content_mismatches(
    manifest: &Manifest,
    copy: &SharedDisk,
    source: Option<&SharedDisk>,
    watch: &Watch<'_>,
) -> Result<Vec<Mismatch>, TransferError> {
    let kind = MismatchKind::Content;
    if copy.size() != manifest.size {
        let (low, high) = (copy.size().min(manifest.size), copy.size().max(manifest.size));
        let detail = format!("The disk has {} bytes, {} were expected.", copy.size(), manifest.size);
        return Ok(vec![Mismatch { kind, first_offset: low, len: high - low, detail }]);
    }
    let found = match hashed(&DiskContent(copy.clone()), (Tree::Manifest, Stage::Checking), watch) {
        Ok((found, _)) => found,
        Err(error) => return unreadable(Vec::new(), kind, error, manifest.size),
    };
    let wrong = ranges((&manifest.blocks, &found), manifest.block_size, manifest.size);
    Ok(wrong.into_iter().map(|range| narrowed(range, copy, source)).collect())
}

/// Something that cannot be read is different; only a wish to stop is an error.
fn unreadable(
    mut wrong: Vec<Mismatch>,
    kind: MismatchKind,
    error: TransferError,
    len: u64,
) -> Result<Vec<Mismatch>, TransferError> {
    if matches!(error, TransferError::Cancelled) {
        return Err(error);
    }
    wrong.push(Mismatch { kind, first_offset: 0, len, detail: format!("It could not be read to the end: {error}") });
    Ok(wrong)
}

/// Ranges of `size` bytes in which blocks differ, as (offset, length).
fn ranges((expected, found): (&Blocks, &Blocks), block: u64, size: u64) -> Vec<(u64, u64)> {
    let differences = expected.differences(found).into_iter();
    let range = |(first, count): (u64, u64)| (first * block, (count * block).min(size.saturating_sub(first * block)));
    differences.map(range).collect()
}

/// Looks for the first differing byte of a range in the source.
fn narrowed(range: (u64, u64), copy: &SharedDisk, source: Option<&SharedDisk>) -> Mismatch {
    let (first, len) = range;
    let whole = |detail: String| Mismatch { kind: MismatchKind::Content, first_offset: first, len, detail };
    let Some(source) = source else {
        return whole("The content there is not what was read from the source.".to_owned());
    };
    match first_difference(range, &**copy, &**source) {
        Ok(Some((offset, expected, found))) => Mismatch {
            kind: MismatchKind::Content,
            first_offset: offset,
            len: len - (offset - first),
            detail: format!("The first differing byte is 0x{found:02x}, the source has 0x{expected:02x}."),
        },
        Ok(None) => whole(
            "The content there is not what was read, though the source has the same now: it was changed.".to_owned(),
        ),
        Err(error) => {
            whole(format!("The content there is not what was read; the place could not be narrowed: {error}"))
        }
    }
}

type Difference = Option<(u64, u8, u8)>;

fn first_difference(
    (first, len): (u64, u64),
    copy: &dyn disk::VirtualDisk,
    source: &dyn disk::VirtualDisk,
) -> Result<Difference, disk::DiskError> {
    let (mut ours, mut theirs) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut offset = first;
    while offset < first + len {
        let part = (first + len - offset).min(ours.len() as u64) as usize;
        let (ours, theirs) = (&mut ours[..part], &mut theirs[..part]);
        copy.read_at(offset, ours)?;
        source.read_at(offset, theirs)?;
        let at = ours.iter().zip(theirs.iter()).position(|(a, b)| a != b);
        if let Some((at, found, expected)) = at.and_then(|at| Some((at, *ours.get(at)?, *theirs.get(at)?))) {
            return Ok(Some((offset + at as u64, expected, found)));
        }
        offset += part as u64;
    }
    Ok(None)
}
