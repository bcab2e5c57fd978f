//! The hash of a virtual disk.

use hvm_formats::disk::SharedDisk;

use crate::blocks::{Blocks, Builder};
use crate::content::{Content, DiskContent};
use crate::copy::Watch;
use crate::digest::Digest;
use crate::error::TransferError;
use crate::pipeline::{self, Piece};
use crate::progress::Stage;
use crate::tree::Tree;

/// BLAKE3 of the whole virtual content: what `b3sum` prints for the raw disk.
pub fn hash(disk: SharedDisk, watch: &Watch<'_>) -> Result<Digest, TransferError> {
    Ok(hashed(&DiskContent(disk), (Tree::Plain, Stage::Hashing), watch)?.1)
}

/// The value that manifests give the whole virtual content.
pub fn tree_hash(disk: SharedDisk, watch: &Watch<'_>) -> Result<Digest, TransferError> {
    Ok(hashed(&DiskContent(disk), (Tree::Manifest, Stage::Hashing), watch)?.1)
}

/// The values of all blocks of a content, and that of the whole.
pub(crate) fn hashed(
    content: &dyn Content,
    (tree, stage): (Tree, Stage),
    watch: &Watch<'_>,
) -> Result<(Blocks, Digest), TransferError> {
    let mut builder = Builder::new(tree, content.len());
    pipeline::run(content, (Some(tree), stage), 0, watch, &mut |piece: &Piece<'_>| {
        builder.take(piece);
        Ok(())
    })?;
    Ok(builder.finish(content.len()))
}
