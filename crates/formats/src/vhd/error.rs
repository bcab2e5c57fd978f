//! The checks of the VHD format, one variant each.

/// A VHD file breaks the specification in a way that makes its content unsure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VhdError {
    /// Neither a footer nor its copy.
    #[error(
        "{file}: no VHD footer ('conectix') in the last 512 bytes and no copy at offset 0; the file has {len} bytes."
    )]
    NoFooter {
        /// File name.
        file: String,
        /// Length of the file.
        len: u64,
    },
    /// The footer is damaged and there is no good copy.
    #[error(
        "{file}: the footer at offset {offset} has the checksum {found:#010x}, expected {expected:#010x} from its bytes, \
         and there is no intact copy at offset 0. If only the checksum was left behind by the program that changed the file, \
         read it with --accept-checksums."
    )]
    FooterChecksum {
        /// File name.
        file: String,
        /// Offset of the footer.
        offset: u64,
        /// Checksum of the bytes.
        expected: u32,
        /// Checksum as written.
        found: u32,
    },
    /// Two intact footers that describe different disks.
    #[error(
        "{file}: the footer at offset {offset} and its copy at offset 0 are both intact but differ in {field}: {trailing} and \
         {copy}. Which of them is right cannot be known; repair the file with the program that wrote it."
    )]
    FootersDisagree {
        /// File name.
        file: String,
        /// Offset of the trailing footer.
        offset: u64,
        /// Name of the field.
        field: &'static str,
        /// Value in the trailing footer.
        trailing: String,
        /// Value in the copy.
        copy: String,
    },
    /// The footer's format version.
    #[error("{file}: file format version {found:#010x} at offset {offset}, expected major version 1.")]
    FileVersion {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Version as written.
        found: u32,
    },
    /// The footer's disk type.
    #[error("{file}: disk type {found} at offset {offset}, expected 2 (fixed), 3 (dynamic) or 4 (differencing).")]
    DiskType {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Type as written.
        found: u32,
    },
    /// A size that is no whole number of sectors.
    #[error("{file}: the current size {size} at offset {offset} is not a multiple of 512.")]
    SizeNotSectors {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Size as written.
        size: u64,
    },
    /// A size beyond what VHD can hold.
    #[error(
        "{file}: the current size {size} at offset {offset} is more than the {limit} bytes (2040 GiB) that VHD allows."
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
    /// A fixed disk that was cut.
    #[error("{file}: the disk has {expected} bytes by its footer, but only {found} bytes lie before the footer.")]
    DataMissing {
        /// File name.
        file: String,
        /// Current size of the footer.
        expected: u64,
        /// Bytes before the footer.
        found: u64,
    },
    /// The dynamic header does not lie in the file.
    #[error(
        "{file}: the footer places the dynamic header at offset {header} (field at offset {offset}); it must lie between 512 and \
         the end of the data at {limit}."
    )]
    HeaderOutside {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Offset of the header as written.
        header: u64,
        /// End of the data.
        limit: u64,
    },
    /// No dynamic header where the footer says.
    #[error("{file}: no dynamic header ('cxsparse') at offset {offset}; found '{found}'.")]
    HeaderCookie {
        /// File name.
        file: String,
        /// Offset of the header.
        offset: u64,
        /// The eight bytes, escaped.
        found: String,
    },
    /// The dynamic header is damaged.
    #[error(
        "{file}: the dynamic header at offset {offset} has the checksum {found:#010x}, expected {expected:#010x} from its bytes. \
         If only the checksum was left behind by the program that changed the file, read it with --accept-checksums."
    )]
    HeaderChecksum {
        /// File name.
        file: String,
        /// Offset of the header.
        offset: u64,
        /// Checksum of the bytes.
        expected: u32,
        /// Checksum as written.
        found: u32,
    },
    /// A wrong checksum was to be accepted, but something else does not agree either.
    #[error(
        "{file}: a checksum is wrong, and the block table has {found} entries (field at offset {offset}) where the disk needs \
         {expected}: a wrong checksum is accepted only when all else agrees."
    )]
    ChecksumNotAccepted {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Size of the disk / block size, rounded up.
        expected: u64,
        /// Entries as written.
        found: u32,
    },
    /// The dynamic header's version.
    #[error("{file}: dynamic header version {found:#010x} at offset {offset}, expected major version 1.")]
    HeaderVersion {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Version as written.
        found: u32,
    },
    /// The block size.
    #[error("{file}: block size {found} at offset {offset}, expected a power of two from 512 to 268435456 bytes.")]
    BlockSize {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Block size as written.
        found: u32,
    },
    /// The block table cannot cover the disk.
    #[error("{file}: the block table has {found} entries (field at offset {offset}), the disk needs {expected}.")]
    TableTooSmall {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Size of the disk / block size, rounded up.
        expected: u64,
        /// Entries as written.
        found: u32,
    },
    /// The block table would take too much memory.
    #[error(
        "{file}: the disk needs {entries} block table entries (block size at offset {offset}), at most {limit} are read."
    )]
    TableTooLarge {
        /// File name.
        file: String,
        /// Offset of the block size field.
        offset: u64,
        /// Entries needed.
        entries: u64,
        /// The bound.
        limit: u64,
    },
    /// The block table does not lie in the file.
    #[error(
        "{file}: the block table of {entries} entries at offset {table} (field at offset {offset}) does not end before the end of \
         the data at {limit}."
    )]
    TableOutside {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Offset of the table as written.
        table: u64,
        /// Entries as written.
        entries: u32,
        /// End of the data.
        limit: u64,
    },
    /// The block table lies over a header.
    #[error(
        "{file}: the block table at offset {table} (field at offset {offset}) overlaps the footer copy or the dynamic header."
    )]
    TableOverlap {
        /// File name.
        file: String,
        /// Offset of the field.
        offset: u64,
        /// Offset of the table as written.
        table: u64,
    },
    /// A block table with hardly anything right.
    #[error(
        "{file}: more than {limit} entries of the block table at offset {offset} are wrong; nothing of it is believed."
    )]
    TooManyFaults {
        /// File name.
        file: String,
        /// Offset of the table.
        offset: u64,
        /// The bound.
        limit: usize,
    },
    /// A block that is not in the file (any more).
    #[error(
        "{file}: block {block} (virtual offset {virtual_offset}) should lie at {start} to {end} by the block table entry at \
         offset {offset}, but the data of the file ends at {limit}."
    )]
    BlockOutside {
        /// File name.
        file: String,
        /// Offset of the table entry.
        offset: u64,
        /// Number of the block.
        block: u64,
        /// First virtual byte of the block.
        virtual_offset: u64,
        /// Start in the file as written.
        start: u64,
        /// End in the file that it would have.
        end: u64,
        /// End of the data.
        limit: u64,
    },
    /// A block that lies over the headers.
    #[error(
        "{file}: block {block} (virtual offset {virtual_offset}) should lie at {start} by the block table entry at offset \
         {offset}, but there are headers."
    )]
    BlockInHeaders {
        /// File name.
        file: String,
        /// Offset of the table entry.
        offset: u64,
        /// Number of the block.
        block: u64,
        /// First virtual byte of the block.
        virtual_offset: u64,
        /// Start in the file as written.
        start: u64,
    },
    /// Two blocks at one place.
    #[error(
        "{file}: block {block} (virtual offset {virtual_offset}) should lie at {start} by the block table entry at offset \
         {offset}, but block {other} lies there too."
    )]
    BlocksOverlap {
        /// File name.
        file: String,
        /// Offset of the table entry.
        offset: u64,
        /// Number of the block.
        block: u64,
        /// First virtual byte of the block.
        virtual_offset: u64,
        /// Start in the file as written.
        start: u64,
        /// The other block.
        other: u64,
    },
}

impl VhdError {
    /// Name of the file in which the fault lies.
    pub fn file(&self) -> &str {
        match self {
            VhdError::NoFooter { file, .. }
            | VhdError::FooterChecksum { file, .. }
            | VhdError::FootersDisagree { file, .. }
            | VhdError::FileVersion { file, .. }
            | VhdError::DiskType { file, .. }
            | VhdError::SizeNotSectors { file, .. }
            | VhdError::SizeTooLarge { file, .. }
            | VhdError::DataMissing { file, .. }
            | VhdError::HeaderOutside { file, .. }
            | VhdError::HeaderCookie { file, .. }
            | VhdError::HeaderChecksum { file, .. }
            | VhdError::ChecksumNotAccepted { file, .. }
            | VhdError::HeaderVersion { file, .. }
            | VhdError::BlockSize { file, .. }
            | VhdError::TableTooSmall { file, .. }
            | VhdError::TableTooLarge { file, .. }
            | VhdError::TableOutside { file, .. }
            | VhdError::TableOverlap { file, .. }
            | VhdError::TooManyFaults { file, .. }
            | VhdError::BlockOutside { file, .. }
            | VhdError::BlockInHeaders { file, .. }
            | VhdError::BlocksOverlap { file, .. } => file,
        }
    }
}
