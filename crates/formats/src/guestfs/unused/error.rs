//! Why free space is not left out. Nothing is left out in part: one volume in doubt refuses the whole disk.

use super::super::{FsKind, GuestFsError};
use crate::disk::DiskError;

/// Why the free space of a volume cannot be left out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FreeSpaceError {
    /// A file system whose free space is not read.
    #[error("'{file}' {}: what is free in it is not known.", .kind.holds())]
    Unknown {
        /// Volume.
        file: String,
        /// What it holds.
        kind: FsKind,
    },
    /// More than one owner left its mark.
    #[error(
        "'{file}' has the marks of {kind}, and those of {others}: which of them is in use is not known, nor what is free."
    )]
    Marks {
        /// Volume.
        file: String,
        /// What its first mark says.
        kind: &'static str,
        /// What else there is.
        others: String,
    },
    /// The volume was not left in order: what is marked as free may not be free.
    #[error("'{file}': what is free cannot be trusted. {}", .doubts.join(" "))]
    NotClean {
        /// Volume.
        file: String,
        /// Why, as whole sentences.
        doubts: Vec<String>,
    },
    /// The tables could not be read.
    #[error(transparent)]
    Damaged(#[from] GuestFsError),
}

/// Why the free space of a disk cannot be left out.
#[derive(Debug, thiserror::Error)]
pub enum UnusedError {
    /// The partitions are in doubt.
    #[error("'{file}': the partition table cannot be trusted. {}", .findings.join(" "))]
    Table {
        /// Disk.
        file: String,
        /// What is wrong, as whole sentences.
        findings: Vec<String>,
    },
    /// Nothing is known of the disk.
    #[error("'{file}' has neither partitions nor a file system that is known: what is free on it is not known.")]
    Nothing {
        /// Disk.
        file: String,
    },
    /// A volume is in doubt.
    #[error(transparent)]
    Volume(#[from] FreeSpaceError),
    /// The disk could not be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl UnusedError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            UnusedError::Volume(FreeSpaceError::NotClean { .. }) => {
                "start the guest, let it check the volume (Windows: chkdsk /f, Linux: e2fsck -f) and shut it down fully, \
                 not into hibernation; or convert without --skip-free-space"
            }
            UnusedError::Disk(_) => "hvmigrate disk check names every fault of the files",
            _ => "convert without --skip-free-space: then everything is copied, bit by bit",
        }
    }
}
