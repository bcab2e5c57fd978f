//! Plain files: ISO images, configuration files, whatever is copied as it is.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hvm_formats::io::{LocalFile, SharedFile};

use crate::blocks::Builder;
use crate::content::{Content, FileContent};
use crate::copy::{Watch, partial_path};
use crate::digest::Digest;
use crate::error::TransferError;
use crate::hash::hashed;
use crate::io::{sync_folder, write_atomic};
use crate::mask::UNIT;
use crate::pipeline::{self, BLOCK, Piece};
use crate::progress::Stage;
use crate::tree::Tree;

/// A copied file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FileOutcome {
    /// Length, bytes.
    pub size: u64,
    /// BLAKE3 of the file.
    pub blake3: Digest,
    /// Bytes read from the source.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Copies a file to `target`, which gets its name only when it is complete. A file of that name is accepted when it
/// has the same bytes.
pub fn copy_file(source: SharedFile, target: &Path, watch: &Watch<'_>) -> Result<FileOutcome, TransferError> {
    let started = Instant::now();
    let content = FileContent::new(source);
    if target.symlink_metadata().is_ok() {
        let there = hash_file(target, watch)?;
        let wanted = hashed(&content, (Tree::Plain, Stage::Hashing), watch)?.1;
        if there.1 != wanted {
            let reason = format!("it has the BLAKE3 {}, the file of the source has {wanted}", there.1);
            return Err(TransferError::Exists { path: target.to_owned(), reason });
        }
        let seconds = started.elapsed().as_secs_f64();
        return Ok(FileOutcome { size: there.0, blake3: wanted, bytes_read: there.0, bytes_written: 0, seconds });
    }
    let partial = partial_path(target);
    let file = File::create(&partial).map_err(TransferError::io("created", &partial))?;
    let (mut read, mut written) = (0, 0);
    let mut values = Builder::new(Tree::Plain, content.len());
    pipeline::run(&content, (Some(Tree::Plain), Stage::Copying), 0, watch, &mut |piece: &Piece<'_>| {
        values.take(piece);
        let Piece::Block(block) = piece else { return Ok(()) };
        for (start, len) in block.mask.runs(UNIT, block.bytes.len()) {
            let bytes = block.bytes.get(start..start + len).unwrap_or_default();
            let offset = block.index * BLOCK + start as u64;
            write_at(&file, bytes, offset).map_err(TransferError::io("written", &partial))?;
            written += bytes.len() as u64;
        }
        read += block.read;
        Ok(())
    })?;
    file.set_len(content.len()).map_err(TransferError::io("written", &partial))?;
    file.sync_all().map_err(TransferError::io("flushed", &partial))?;
    drop(file);
    std::fs::rename(&partial, target).map_err(TransferError::io("renamed into place", target))?;
    sync_folder(target)?;
    let (_, blake3) = values.finish(content.len());
    let seconds = started.elapsed().as_secs_f64();
    Ok(FileOutcome { size: content.len(), blake3, bytes_read: read, bytes_written: written, seconds })
}

/// Writes a small file so that it is there whole or not at all.
pub fn write_file(target: &Path, bytes: &[u8]) -> Result<(), TransferError> {
    write_atomic(target, bytes)
}

/// Length and BLAKE3 of a file of this computer.
pub fn hash_file(path: &Path, watch: &Watch<'_>) -> Result<(u64, Digest), TransferError> {
    let file = LocalFile::open(path, path.display().to_string()).map_err(TransferError::io("opened", path))?;
    let content = FileContent::new(Arc::new(file));
    let (_, blake3) = hashed(&content, (Tree::Plain, Stage::Hashing), watch)?;
    Ok((content.len(), blake3))
}

#[cfg(unix)]
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
pub(crate) fn write_at(mut file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}
