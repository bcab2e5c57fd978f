//! What can be wrong inside a disk. Offsets count from the start of the volume (NTFS, FAT, ext), or of the disk (tables).

use std::io;
use std::sync::Arc;

/// A part of a file system could not be read. Other parts may still be readable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GuestFsError {
    /// The bytes could not be delivered.
    #[error("'{file}': {len} bytes at offset {offset} could not be read: {}.", .source.to_string().trim_end_matches('.'))]
    Read {
        /// Volume or disk.
        file: String,
        /// First byte wanted.
        offset: u64,
        /// Bytes wanted.
        len: u64,
        /// The reason.
        source: Arc<io::Error>,
    },
    /// The volume has no boot sector or superblock of the expected kind.
    #[error("'{file}', byte offset {offset}: {expected} was expected, found '{found}'.")]
    NotThis {
        /// Volume.
        file: String,
        /// Where the mark should be.
        offset: u64,
        /// Mark wanted.
        expected: &'static str,
        /// Bytes found, escaped.
        found: String,
    },
    /// A field of the boot sector or superblock has a value that it cannot have.
    #[error("'{file}', byte offset {offset}: the field '{field}' should be {expected}, found {found}.")]
    Field {
        /// Volume.
        file: String,
        /// Where the field stands.
        offset: u64,
        /// Its name.
        field: &'static str,
        /// Values that are possible.
        expected: &'static str,
        /// Value found.
        found: u64,
    },
    /// A record or index block does not start with its mark.
    #[error("'{file}', byte offset {offset}: {what} should start with '{expected}', found '{found}'.")]
    Signature {
        /// Volume.
        file: String,
        /// Where it starts.
        offset: u64,
        /// What it is.
        what: String,
        /// Mark wanted.
        expected: &'static str,
        /// Bytes found, escaped.
        found: String,
    },
    /// The update sequence array does not lie where it can.
    #[error(
        "'{file}', byte offset {offset}: {what} has its update sequence array at {found} with {count} entries; it was \
         expected within the first 510 bytes with one entry more than sectors."
    )]
    UpdateArray {
        /// Volume.
        file: String,
        /// Where the record starts.
        offset: u64,
        /// What it is.
        what: String,
        /// Offset in the record.
        found: u16,
        /// Entries.
        count: u16,
    },
    /// A sector of the record was not written with the others.
    #[error(
        "'{file}', byte offset {offset}: {what} was not written whole: sector {sector} ends in {found:#06x}, the update \
         sequence number is {expected:#06x}."
    )]
    Torn {
        /// Volume.
        file: String,
        /// Where the record starts.
        offset: u64,
        /// What it is.
        what: String,
        /// Sector in the record, from 0.
        sector: usize,
        /// Update sequence number.
        expected: u16,
        /// Number found.
        found: u16,
    },
    /// Something in a record does not lie in it.
    #[error(
        "'{file}', file record {record}, byte offset {offset} in it: {what} does not lie within the {limit} bytes."
    )]
    Outside {
        /// Volume.
        file: String,
        /// Number of the file record.
        record: u64,
        /// Offset in the record.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// Bytes there are.
        limit: u64,
    },
    /// The record is not in use, or has been used for another file since.
    #[error("'{file}', file record {record}: {expected} was expected, found {found}.")]
    Stale {
        /// Volume.
        file: String,
        /// Number of the file record.
        record: u64,
        /// What was wanted.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file has no such attribute.
    #[error("'{file}', file record {record}: there is no {what}.")]
    Missing {
        /// Volume.
        file: String,
        /// Number of the file record.
        record: u64,
        /// What was wanted.
        what: String,
    },
    /// The data runs of an attribute are wrong.
    #[error("'{file}', file record {record}: the data runs {found}; {expected} was expected.")]
    Runs {
        /// Volume.
        file: String,
        /// Number of the file record.
        record: u64,
        /// What is wrong.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// Something is larger than it may be.
    #[error("'{file}', file record {record}: {what} has {found} bytes; at most {limit} are read.")]
    TooLarge {
        /// Volume.
        file: String,
        /// Number of the file record.
        record: u64,
        /// What it is.
        what: &'static str,
        /// Bytes found.
        found: u64,
        /// The bound.
        limit: u64,
    },
    /// An index leads in a circle, or too deep.
    #[error("'{file}', file record {record}: the index block {block} is reached twice or deeper than {limit} levels.")]
    Circle {
        /// Volume.
        file: String,
        /// Number of the file record.
        record: u64,
        /// Number of the block.
        block: u64,
        /// Levels allowed.
        limit: usize,
    },
    /// A directory was expected.
    #[error("'{file}', file record {record}: '{path}' is not a directory.")]
    NotADirectory {
        /// Volume.
        file: String,
        /// Number of the file record.
        record: u64,
        /// Path as far as it was followed.
        path: String,
    },
    /// The path leads over a symbolic link or junction.
    #[error("'{file}': '{path}' is a link to '{target}'; look the target up instead.")]
    Link {
        /// Volume.
        file: String,
        /// Path of the link.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// The content is stored in a way that is not read.
    #[error("'{file}', file record {record}: the content is {found}, which is not read.")]
    Unsupported {
        /// Volume.
        file: String,
        /// Number of the file record.
        record: u64,
        /// How it is stored.
        found: String,
    },
    /// Compressed data are damaged.
    #[error("'{file}', file record {record}: the compressed unit {unit} is damaged at its byte {offset}.")]
    Compression {
        /// Volume.
        file: String,
        /// Number of the file record.
        record: u64,
        /// Number of the unit in the file.
        unit: u64,
        /// Offset in the compressed bytes.
        offset: usize,
    },
    /// The reader of ext file systems refuses.
    #[error("'{file}': '{path}' could not be read: {reason}.")]
    Ext {
        /// Volume.
        file: String,
        /// Path in the volume.
        path: String,
        /// The reason.
        reason: String,
    },
}
