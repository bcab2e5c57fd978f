//! The checks of the VHDX format, one variant each.

use super::REGION_TABLES;
use super::header::HEADERS;

/// A VHDX file breaks the specification in a way that makes its content unsure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VhdxError {
    /// Too short for the headers.
    #[error("{file}: the file has {found} bytes, the headers of a VHDX need {expected}.")]
    TooShort {
        /// File name.
        file: String,
        /// Bytes of the header section.
        expected: u64,
        /// Length of the file.
        found: u64,
    },
    /// No file type identifier.
    #[error("{file}: no VHDX mark ('vhdxfile') at offset 0; found '{found}'.")]
    Identifier {
        /// File name.
        file: String,
        /// The eight bytes, escaped.
        found: String,
    },
    /// Neither header is intact.
    #[error("{file}: neither header is intact: at offset 65536 {first}; at offset 131072 {second}.")]
    NoHeader {
        /// File name.
        file: String,
        /// What is wrong with the first.
        first: String,
        /// What is wrong with the second.
        second: String,
    },
    /// Two intact headers of the same age that differ.
    #[error(
        "{file}: the headers at offsets 65536 and 131072 have the same sequence number {sequence} but differ; which of them is \
         right cannot be known."
    )]
    HeadersDisagree {
        /// File name.
        file: String,
        /// The sequence number of both.
        sequence: u64,
    },
    /// The version of the format.
    #[error("{file}: VHDX version {found} at offset {offset}, expected 1.")]
    Version {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Version as written.
        found: u16,
    },
    /// The version of the log.
    #[error("{file}: the log is to be replayed and has version {found} (field at offset {offset}), expected 0.")]
    LogVersion {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Version as written.
        found: u16,
    },
    /// The log does not lie where a log can lie.
    #[error(
        "{file}: the header (field at offset {offset}) places the log of {len} bytes at {start}; it must begin and end at \
         multiples of 1 MiB, behind the first MiB and before the end of the file at {limit}."
    )]
    LogPlace {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Offset of the log as written.
        start: u64,
        /// Length of the log as written.
        len: u32,
        /// Length of the file.
        limit: u64,
    },
    /// A log to be replayed that is larger than any program makes.
    #[error("{file}: the log to be replayed has {found} bytes (field at offset {offset}), at most {limit} are read.")]
    LogTooLarge {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Length of the log as written.
        found: u64,
        /// The bound.
        limit: u64,
    },
    /// A log that is to be replayed and holds nothing that is whole.
    #[error(
        "{file}: the header says that the log at offset {offset} must be replayed (log GUID {guid}), but it holds no complete \
         sequence of entries with that GUID: the file is damaged."
    )]
    LogEmpty {
        /// File name.
        file: String,
        /// Offset of the log.
        offset: u64,
        /// The log GUID of the header.
        guid: String,
    },
    /// A log with more changes than are kept in memory.
    #[error(
        "{file}: the log at offset {offset} has {found} changes to be replayed, at most {limit} are kept in memory."
    )]
    LogTooLong {
        /// File name.
        file: String,
        /// Offset of the log.
        offset: u64,
        /// Number of descriptors.
        found: u64,
        /// The bound.
        limit: u64,
    },
    /// The file is shorter than it was when the log was written.
    #[error(
        "{file}: the file had at least {expected} bytes when the log entry at offset {offset} was written, now it has {found}: it \
         was cut short."
    )]
    FileCut {
        /// File name.
        file: String,
        /// Offset of the log entry.
        offset: u64,
        /// Flushed file offset of the entry.
        expected: u64,
        /// Length of the file.
        found: u64,
    },
    /// Neither region table is intact.
    #[error("{file}: neither region table is intact: at offset 196608 {first}; at offset 262144 {second}.")]
    NoRegionTable {
        /// File name.
        file: String,
        /// What is wrong with the first.
        first: String,
        /// What is wrong with the second.
        second: String,
    },
    /// A region that must be understood and is not known.
    #[error(
        "{file}: the region {guid} (entry at offset {offset}) is marked as required and not known: a newer program wrote the file."
    )]
    RegionUnknown {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// GUID of the region.
        guid: String,
    },
    /// A region that is there twice.
    #[error("{file}: the region '{region}' is listed a second time at offset {offset}.")]
    RegionTwice {
        /// File name.
        file: String,
        /// Offset of the second entry.
        offset: u64,
        /// Name or GUID of the region.
        region: String,
    },
    /// A region that every VHDX has.
    #[error("{file}: the region table at offset {offset} does not list the region '{region}'.")]
    RegionMissing {
        /// File name.
        file: String,
        /// Offset of the region table.
        offset: u64,
        /// Name of the region.
        region: &'static str,
    },
    /// A region that does not lie where regions can lie.
    #[error(
        "{file}: the region '{region}' (entry at offset {offset}) has {len} bytes at {start}; it must begin and end at multiples \
         of 1 MiB, behind the first MiB and before the end of the file at {limit}."
    )]
    RegionPlace {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// Name or GUID of the region.
        region: String,
        /// Offset of the region as written.
        start: u64,
        /// Length of the region as written.
        len: u32,
        /// End of the file.
        limit: u64,
    },
    /// Two regions at one place.
    #[error("{file}: the region '{region}' (entry at offset {offset}) at {start} overlaps '{other}'.")]
    RegionsOverlap {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// Name or GUID of the region.
        region: String,
        /// Offset of the region as written.
        start: u64,
        /// The other region, or the log.
        other: String,
    },
    /// No metadata table.
    #[error("{file}: no metadata table ('metadata') at offset {offset}; found '{found}'.")]
    MetadataMark {
        /// File name.
        file: String,
        /// Offset of the metadata region.
        offset: u64,
        /// The eight bytes, escaped.
        found: String,
    },
    /// More metadata than a table holds.
    #[error("{file}: the metadata table has {found} entries (field at offset {offset}), at most {limit} are possible.")]
    MetadataCount {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Entries as written.
        found: u16,
        /// The bound.
        limit: u16,
    },
    /// A metadata item that must be understood and is not known.
    #[error(
        "{file}: the metadata item {guid} (entry at offset {offset}) is marked as required and not known: a newer program wrote \
         the file."
    )]
    ItemUnknown {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// GUID of the item.
        guid: String,
    },
    /// A metadata item that is there twice.
    #[error("{file}: the metadata item '{item}' is listed a second time at offset {offset}.")]
    ItemTwice {
        /// File name.
        file: String,
        /// Offset of the second entry.
        offset: u64,
        /// Name of the item.
        item: &'static str,
    },
    /// A metadata item that every VHDX has.
    #[error("{file}: the metadata table at offset {offset} does not list the item '{item}'.")]
    ItemMissing {
        /// File name.
        file: String,
        /// Offset of the table.
        offset: u64,
        /// Name of the item.
        item: &'static str,
    },
    /// A metadata item outside its region.
    #[error(
        "{file}: the metadata item '{item}' (entry at offset {offset}) has {len} bytes at {start} of the region; it must lie \
         between 65536 and the end of the region at {limit} and have at most 1 MiB."
    )]
    ItemPlace {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// Name of the item.
        item: &'static str,
        /// Offset in the region as written.
        start: u32,
        /// Length as written.
        len: u32,
        /// Length of the region.
        limit: u64,
    },
    /// A metadata item of the wrong length.
    #[error(
        "{file}: the metadata item '{item}' (entry at offset {offset}) has {found} bytes, expected at least {expected}."
    )]
    ItemLength {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// Name of the item.
        item: &'static str,
        /// Bytes that the item needs.
        expected: u32,
        /// Length as written.
        found: u32,
    },
    /// The program that made the file did not finish.
    #[error(
        "{file}: the metadata (entry at offset {offset}) says that the file was never completed by the program that made it."
    )]
    Incomplete {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
    },
    /// The block size.
    #[error("{file}: block size {found} at offset {offset}, expected a power of two from 1 to 256 MiB.")]
    BlockSize {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Block size as written.
        found: u32,
    },
    /// The logical or physical sector size.
    #[error("{file}: {which} sector size {found} at offset {offset}, expected 512 or 4096.")]
    SectorSize {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// `logical` or `physical`.
        which: &'static str,
        /// Size as written.
        found: u32,
    },
    /// A size that is no whole number of sectors.
    #[error("{file}: the disk size {size} at offset {offset} is not a multiple of the sector size {sector}.")]
    SizeNotSectors {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Size as written.
        size: u64,
        /// Logical sector size.
        sector: u32,
    },
    /// A size beyond what VHDX can hold.
    #[error(
        "{file}: the disk size {size} at offset {offset} is more than the {limit} bytes (64 TiB) that VHDX allows."
    )]
    SizeTooLarge {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Size as written.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// A parent that is not described in the known way.
    #[error("{file}: the parent locator at offset {offset} is of the type {found}, expected {expected}.")]
    LocatorType {
        /// File name.
        file: String,
        /// Offset of the locator.
        offset: u64,
        /// The type of VHDX parents.
        expected: String,
        /// Type as written.
        found: String,
    },
    /// A parent locator with more entries than any has.
    #[error("{file}: the parent locator at offset {offset} has {found} entries, at most {limit} are read.")]
    LocatorCount {
        /// File name.
        file: String,
        /// Offset of the locator.
        offset: u64,
        /// Entries as written.
        found: u16,
        /// The bound.
        limit: u16,
    },
    /// A parent locator entry outside the locator.
    #[error(
        "{file}: entry {index} of the parent locator (at offset {offset}) has a key of {key_len} bytes at {key} and a value of \
         {value_len} bytes at {value}; the locator has {limit} bytes."
    )]
    LocatorEntry {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// Number of the entry.
        index: u16,
        /// Offset of the key in the locator.
        key: u32,
        /// Length of the key.
        key_len: u16,
        /// Offset of the value in the locator.
        value: u32,
        /// Length of the value.
        value_len: u16,
        /// Length of the locator.
        limit: u32,
    },
    /// A key that is there twice.
    #[error("{file}: the parent locator at offset {offset} has the key '{key}' twice.")]
    LocatorTwice {
        /// File name.
        file: String,
        /// Offset of the locator.
        offset: u64,
        /// The key.
        key: String,
    },
    /// A parent without identity.
    #[error(
        "{file}: the parent locator at offset {offset} has no GUID of the parent (key 'parent_linkage'); found '{found}'."
    )]
    LocatorLinkage {
        /// File name.
        file: String,
        /// Offset of the locator.
        offset: u64,
        /// The value as written, empty when there is none.
        found: String,
    },
    /// The block table cannot cover the disk.
    #[error("{file}: the block table at offset {offset} has room for {found} entries, the disk needs {expected}.")]
    TableTooSmall {
        /// File name.
        file: String,
        /// Offset of the table.
        offset: u64,
        /// Entries that the disk needs.
        expected: u64,
        /// Entries that the region holds.
        found: u64,
    },
    /// A block table with hardly anything right.
    #[error("{file}: more than {limit} entries of the block table at offset {offset} are wrong; the first: {first}")]
    TooManyFaults {
        /// File name.
        file: String,
        /// Offset of the table.
        offset: u64,
        /// The bound.
        limit: usize,
        /// The first fault, a whole sentence.
        first: String,
    },
    /// A state that is not defined, or not in this kind of disk.
    #[error(
        "{file}: {what} has the state {found} in the block table entry at offset {offset}, which is not possible here."
    )]
    BlockState {
        /// File name.
        file: String,
        /// Offset of the table entry.
        offset: u64,
        /// The block: its number and virtual offset, or the bitmap.
        what: String,
        /// State as written.
        found: u8,
    },
    /// A block that is not in the file (any more).
    #[error(
        "{file}: {what} should lie at {start} to {end} by the block table entry at offset {offset}, but the file ends at {limit}."
    )]
    BlockOutside {
        /// File name.
        file: String,
        /// Offset of the table entry.
        offset: u64,
        /// The block: its number and virtual offset, or the bitmap.
        what: String,
        /// Start in the file as written.
        start: u64,
        /// End in the file that it would have.
        end: u64,
        /// End of the file.
        limit: u64,
    },
    /// A block that lies over a structure.
    #[error(
        "{file}: {what} should lie at {start} by the block table entry at offset {offset}, but there are headers, log, metadata or \
         the table."
    )]
    BlockInStructures {
        /// File name.
        file: String,
        /// Offset of the table entry.
        offset: u64,
        /// The block: its number and virtual offset, or the bitmap.
        what: String,
        /// Start in the file as written.
        start: u64,
    },
    /// Two blocks at one place.
    #[error(
        "{file}: {what} should lie at {start} by the block table entry at offset {offset}, but another block lies there too."
    )]
    BlocksOverlap {
        /// File name.
        file: String,
        /// Offset of the table entry.
        offset: u64,
        /// The block: its number and virtual offset, or the bitmap.
        what: String,
        /// Start in the file as written.
        start: u64,
    },
    /// A partly present block without a sector bitmap.
    #[error(
        "{file}: {what} is partly present, but the block table entry at offset {offset} of its sector bitmap has the state {found}, \
         expected 6."
    )]
    BitmapMissing {
        /// File name.
        file: String,
        /// Offset of the table entry.
        offset: u64,
        /// The block: its number and virtual offset, or the bitmap.
        what: String,
        /// State as written.
        found: u8,
    },
}

impl VhdxError {
    /// Name of the file in which the fault lies.
    pub fn file(&self) -> &str {
        match self {
            VhdxError::TooShort { file, .. }
            | VhdxError::Identifier { file, .. }
            | VhdxError::NoHeader { file, .. }
            | VhdxError::HeadersDisagree { file, .. }
            | VhdxError::Version { file, .. }
            | VhdxError::LogVersion { file, .. }
            | VhdxError::LogPlace { file, .. }
            | VhdxError::LogTooLarge { file, .. }
            | VhdxError::LogEmpty { file, .. }
            | VhdxError::LogTooLong { file, .. }
            | VhdxError::FileCut { file, .. }
            | VhdxError::NoRegionTable { file, .. }
            | VhdxError::RegionUnknown { file, .. }
            | VhdxError::RegionTwice { file, .. }
            | VhdxError::RegionMissing { file, .. }
            | VhdxError::RegionPlace { file, .. }
            | VhdxError::RegionsOverlap { file, .. }
            | VhdxError::MetadataMark { file, .. }
            | VhdxError::MetadataCount { file, .. }
            | VhdxError::ItemUnknown { file, .. }
            | VhdxError::ItemTwice { file, .. }
            | VhdxError::ItemMissing { file, .. }
            | VhdxError::ItemPlace { file, .. }
            | VhdxError::ItemLength { file, .. }
            | VhdxError::Incomplete { file, .. }
            | VhdxError::BlockSize { file, .. }
            | VhdxError::SectorSize { file, .. }
            | VhdxError::SizeNotSectors { file, .. }
            | VhdxError::SizeTooLarge { file, .. }
            | VhdxError::LocatorType { file, .. }
            | VhdxError::LocatorCount { file, .. }
            | VhdxError::LocatorEntry { file, .. }
            | VhdxError::LocatorTwice { file, .. }
            | VhdxError::LocatorLinkage { file, .. }
            | VhdxError::TableTooSmall { file, .. }
            | VhdxError::TooManyFaults { file, .. }
            | VhdxError::BlockState { file, .. }
            | VhdxError::BlockOutside { file, .. }
            | VhdxError::BlockInStructures { file, .. }
            | VhdxError::BlocksOverlap { file, .. }
            | VhdxError::BitmapMissing { file, .. } => file,
        }
    }

    /// Where in the file the fault lies, bytes.
    pub(super) fn offset(&self) -> u64 {
        match self {
            VhdxError::TooShort { found, .. } => *found,
            VhdxError::Identifier { .. } => 0,
            VhdxError::NoHeader { .. } | VhdxError::HeadersDisagree { .. } => HEADERS[0],
            VhdxError::NoRegionTable { .. } => REGION_TABLES[0],
            VhdxError::Version { offset, .. }
            | VhdxError::LogVersion { offset, .. }
            | VhdxError::LogPlace { offset, .. }
            | VhdxError::LogTooLarge { offset, .. }
            | VhdxError::LogEmpty { offset, .. }
            | VhdxError::LogTooLong { offset, .. }
            | VhdxError::FileCut { offset, .. }
            | VhdxError::RegionUnknown { offset, .. }
            | VhdxError::RegionTwice { offset, .. }
            | VhdxError::RegionMissing { offset, .. }
            | VhdxError::RegionPlace { offset, .. }
            | VhdxError::RegionsOverlap { offset, .. }
            | VhdxError::MetadataMark { offset, .. }
            | VhdxError::MetadataCount { offset, .. }
            | VhdxError::ItemUnknown { offset, .. }
            | VhdxError::ItemTwice { offset, .. }
            | VhdxError::ItemMissing { offset, .. }
            | VhdxError::ItemPlace { offset, .. }
            | VhdxError::ItemLength { offset, .. }
            | VhdxError::Incomplete { offset, .. }
            | VhdxError::BlockSize { offset, .. }
            | VhdxError::SectorSize { offset, .. }
            | VhdxError::SizeNotSectors { offset, .. }
            | VhdxError::SizeTooLarge { offset, .. }
            | VhdxError::LocatorType { offset, .. }
            | VhdxError::LocatorCount { offset, .. }
            | VhdxError::LocatorEntry { offset, .. }
            | VhdxError::LocatorTwice { offset, .. }
            | VhdxError::LocatorLinkage { offset, .. }
            | VhdxError::TableTooSmall { offset, .. }
            | VhdxError::TooManyFaults { offset, .. }
            | VhdxError::BlockState { offset, .. }
            | VhdxError::BlockOutside { offset, .. }
            | VhdxError::BlockInStructures { offset, .. }
            | VhdxError::BlocksOverlap { offset, .. }
            | VhdxError::BitmapMissing { offset, .. } => *offset,
        }
    }
}
