//! What can go wrong while blocks are moved.

use std::path::{Path, PathBuf};

use hvm_formats::disk::DiskError;
use hvm_formats::disk::write::DiskWriteError;

use crate::nbd::NbdError;
use crate::signing::SigningError;

/// A transfer could not be done.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The system refused something with a file of this computer.
    #[error("'{path}' could not be {action}: {source}.")]
    Io {
        /// What was tried, as a participle: `written`, `opened`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of the source could not be read.
    #[error("{file}: {len} bytes at offset {offset} could not be read: {source}.")]
    Read {
        /// Name of the file.
        file: String,
        /// First byte that was wanted.
        offset: u64,
        /// Number of bytes.
        len: u64,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The disk could not be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The copy could not be written.
    #[error("'{path}' could not be written: {source}")]
    Target {
        /// The file that is written.
        path: PathBuf,
        /// What the writer says.
        source: DiskWriteError,
    },
    /// Something is there already.
    #[error("'{path}' exists already and is not the copy that was to be made ({reason}); it was not touched.")]
    Exists {
        /// The file.
        path: PathBuf,
        /// Why it is not taken for the copy.
        reason: String,
    },
    /// Somebody wrote to the source while it was copied.
    #[error(
        "'{file}' was written to while it was copied: the copy would hold old and new content side by side, and is not taken for \
         finished."
    )]
    SourceChanged {
        /// Name of the file.
        file: String,
    },
    /// Nothing can be shared with the source, and copying was not wanted.
    #[error(
        "'{path}' cannot share what the source holds: {reason}. Nothing was copied; without `--reflink always` it would be."
    )]
    NotShared {
        /// The new file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A chain could not be kept.
    #[error("The chain cannot be converted layer by layer: {reason}.")]
    Chain {
        /// Why not, and what to do.
        reason: String,
    },
    /// A manifest cannot be used.
    #[error("The manifest '{path}' cannot be used: {reason}.")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A disk could not be served.
    #[error(transparent)]
    Nbd(#[from] NbdError),
    /// A key or a signature cannot be used.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The caller asked to stop.
    #[error("The transfer was stopped on request; what was flushed is kept and the next run goes on from there.")]
    Cancelled,
}

impl TransferError {
    /// For `map_err` on operations with a path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> TransferError {
        let path = path.to_owned();
        move |source| TransferError::Io { action, path, source }
    }
}
