//! The hash of a virtual disk.

use hvm_formats::disk::SharedDisk;

use crate::content::{Content, DiskContent};
use crate::digest::{Digest, root};
use crate::error::TransferError;
use crate::pipeline;
use crate::progress::{Cancel, Progress, Stage};

/// BLAKE3 of the whole virtual content: what `b3sum` prints for the raw disk.
pub fn hash(disk: SharedDisk, progress: &dyn Progress, cancel: &Cancel) -> Result<Digest, TransferError> {
    Ok(root(&block_values(&DiskContent::new(disk), Stage::Hashing, progress, cancel)?))
}

/// The values of all blocks of a content.
pub(crate) fn block_values(
    content: &dyn Content,
    stage: Stage,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Vec<Digest>, TransferError> {
    progress.started(stage, content.len());
    let mut values = Vec::new();
    pipeline::run(content, 0, cancel, &mut |block| {
        values.push(block.digest);
        progress.advanced(block.bytes.len() as u64);
        Ok(())
    })?;
    progress.finished();
    Ok(values)
}
