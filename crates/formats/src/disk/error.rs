//! What can go wrong with a disk of any format; each format has its own checks in its own enum.

use std::io;

use super::GateError;
use crate::qcow2::Qcow2Error;
use crate::vhd::VhdError;
use crate::vhdx::VhdxError;

/// A disk could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The system could not deliver the bytes.
    #[error("{file}: {len} bytes at offset {offset} could not be read: {source}.")]
    Read {
        /// File name.
        file: String,
        /// First byte that was wanted.
        offset: u64,
        /// Number of bytes that were wanted.
        len: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// The caller asked for bytes past the end of the disk.
    #[error("{file}: bytes {offset} to {offset}+{len} were asked for, the disk has {size}.")]
    OutOfRange {
        /// File name of the leaf.
        file: String,
        /// First virtual byte that was wanted.
        offset: u64,
        /// Number of bytes that were wanted.
        len: u64,
        /// Virtual size in bytes.
        size: u64,
    },
    /// The name promises a disk format, the content has no mark of it.
    #[error(
        "{file}: no mark of a disk format was found in the {len} bytes (no VHD footer at the end or its copy at offset \
         0, no qcow2 or VHDX mark at offset 0), though the name ends in '{extension}'. The file may be cut short; if it \
         really holds plain sectors, open it as raw."
    )]
    NotRecognised {
        /// File name.
        file: String,
        /// The extension that promises a format.
        extension: &'static str,
        /// Length of the file.
        len: u64,
    },
    /// A VHD set, which is no disk but says where one is.
    #[error(
        "{file}: this is a VHD set, which only says which .avhdx files hold the disk; how it says that is not documented, and it is \
         not read. Make a disk of it on its host (Convert-VHD) with all machines that use it off."
    )]
    VhdSet {
        /// File name.
        file: String,
    },
    /// A disk in a format that is not read, or a compressed one.
    #[error(
        "{file}: the file begins as one that is {format}. That is not read, and would not be the disk if it were taken for plain sectors."
    )]
    Foreign {
        /// File name.
        file: String,
        /// What it is.
        format: &'static str,
    },
    /// The marks of two formats in one file.
    #[error(
        "{file}: the file has the mark of {leading} at offset 0 and a VHD footer. One of them was written by the guest, and \
         the name does not tell which; name the format."
    )]
    Ambiguous {
        /// File name.
        file: String,
        /// The format whose mark lies at offset 0.
        leading: String,
    },
    /// A size of zero.
    #[error("{file}: the disk size at offset {offset} is 0 bytes, at least one sector was expected.")]
    EmptyDisk {
        /// File name.
        file: String,
        /// Offset of the size field; 0 where the length of the file is the size.
        offset: u64,
    },
    /// The gate could not look for a parent.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// No candidate for a parent.
    #[error(
        "{file}: the parent disk with the unique id {unique_id} was not found; looked for {wanted}. Put it beside the \
         child or name its folder."
    )]
    MissingParent {
        /// The child.
        file: String,
        /// Recorded names and paths, quoted, separated by commas.
        wanted: String,
        /// Unique id that the parent must have.
        unique_id: String,
    },
    /// There is a file where the parent should be, but it is another disk.
    #[error(
        "{file}: '{parent}' is not its parent: expected the unique id {expected}, found {found}. Restore the right parent."
    )]
    WrongParent {
        /// The child.
        file: String,
        /// The file that was tried.
        parent: String,
        /// Unique id recorded in the child.
        expected: String,
        /// Unique id of the tried file.
        found: String,
    },
    /// The parent has the right id but another time stamp.
    #[error(
        "{file}: the parent '{parent}' has the time stamp {found}, the child recorded {expected} (seconds since 2000-01-01): \
         the parent may have been changed after the child was made, then the chain is not consistent. If you know \
         why, read it with --accept-parent-time."
    )]
    ParentChanged {
        /// The child.
        file: String,
        /// The parent.
        parent: String,
        /// Time stamp recorded in the child (dynamic header offset 56).
        expected: u32,
        /// Time stamp in the footer of the parent.
        found: u32,
    },
    /// A chain that comes back to itself.
    #[error(
        "{file}: its parent '{parent}' with the unique id {unique_id} is already in the chain: the chain is a circle."
    )]
    Cycle {
        /// The child.
        file: String,
        /// The file that closes the circle.
        parent: String,
        /// The unique id that was met twice.
        unique_id: String,
    },
    /// A chain with more layers than anything makes.
    #[error("{file}: this is layer {limit} of its chain and wants one more parent; at most {limit} layers are read.")]
    TooDeep {
        /// The last child that was opened.
        file: String,
        /// The bound.
        limit: usize,
    },
    /// A layer that the chain does not have.
    #[error("{file}: layer {layer} was asked for, the chain has {layers}.")]
    NoLayer {
        /// The leaf.
        file: String,
        /// Number of the layer, 0 for the leaf.
        layer: usize,
        /// Layers of the chain.
        layers: usize,
    },
    /// A check of the VHD format.
    #[error(transparent)]
    Vhd(#[from] VhdError),
    /// A check of the VHDX format.
    #[error(transparent)]
    Vhdx(#[from] VhdxError),
    /// A check of the qcow2 format.
    #[error(transparent)]
    Qcow2(#[from] Qcow2Error),
}

impl DiskError {
    /// Name of the file in which the fault lies; the child where a parent is the matter.
    pub fn file(&self) -> &str {
        match self {
            DiskError::Read { file, .. }
            | DiskError::OutOfRange { file, .. }
            | DiskError::NotRecognised { file, .. }
            | DiskError::VhdSet { file }
            | DiskError::Foreign { file, .. }
            | DiskError::Ambiguous { file, .. }
            | DiskError::EmptyDisk { file, .. }
            | DiskError::MissingParent { file, .. }
            | DiskError::WrongParent { file, .. }
            | DiskError::ParentChanged { file, .. }
            | DiskError::Cycle { file, .. }
            | DiskError::TooDeep { file, .. }
            | DiskError::NoLayer { file, .. } => file,
            DiskError::Gate(error) => &error.child,
            DiskError::Vhd(error) => error.file(),
            DiskError::Vhdx(error) => error.file(),
            DiskError::Qcow2(error) => error.file(),
        }
    }
}
