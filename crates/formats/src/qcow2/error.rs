//! The checks of the qcow2 format, one variant each.

/// A qcow2 file breaks the specification, or uses a part of it that is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Qcow2Error {
    /// Too short for a header.
    #[error("{file}: the file has {found} bytes, a qcow2 header needs {expected}.")]
    TooShort {
        /// File name.
        file: String,
        /// Bytes of the header.
        expected: u64,
        /// Length of the file.
        found: u64,
    },
    /// No magic.
    #[error("{file}: no qcow2 mark at offset 0; found '{found}'.")]
    Magic {
        /// File name.
        file: String,
        /// The four bytes, escaped.
        found: String,
    },
    /// The version.
    #[error("{file}: qcow2 version {found} at offset 4, expected 2 or 3.")]
    Version {
        /// File name.
        file: String,
        /// Version as written.
        found: u32,
    },
    /// A file that continues another one.
    #[error(
        "{file}: the disk has a backing file (name at offset {found}, field at offset 8); only qcow2 files that stand alone are read."
    )]
    Backing {
        /// File name.
        file: String,
        /// Offset of the name.
        found: u64,
    },
    /// The cluster size.
    #[error("{file}: cluster size of 2^{found} bytes at offset 20, expected 2^9 to 2^21.")]
    ClusterBits {
        /// File name.
        file: String,
        /// As written.
        found: u32,
    },
    /// An encrypted disk.
    #[error("{file}: encryption method {found} at offset 32; encrypted disks are not read.")]
    Encrypted {
        /// File name.
        file: String,
        /// As written.
        found: u32,
    },
    /// The file is marked as corrupt.
    #[error(
        "{file}: the file is marked as corrupt (feature bits {found:#x} at offset 72); repair it with 'qemu-img check -r'."
    )]
    MarkedCorrupt {
        /// File name.
        file: String,
        /// Incompatible feature bits.
        found: u64,
    },
    /// Features that change the meaning of the file.
    #[error(
        "{file}: incompatible feature bits {found:#x} at offset 72 are not known (external data, extended entries or newer)."
    )]
    Features {
        /// File name.
        file: String,
        /// The bits that are not known.
        found: u64,
    },
    /// The header length field.
    #[error("{file}: header length {found} at offset 100, expected a multiple of 8 from 104 to the cluster size.")]
    HeaderLength {
        /// File name.
        file: String,
        /// As written.
        found: u32,
    },
    /// The first-level table cannot cover the disk.
    #[error("{file}: the first-level table has {found} entries (field at offset 36), the disk needs {expected}.")]
    TableTooSmall {
        /// File name.
        file: String,
        /// Entries that the size needs.
        expected: u64,
        /// As written.
        found: u32,
    },
    /// The first-level table would take too much memory.
    #[error("{file}: the first-level table has {found} entries (field at offset 36), at most {limit} are read.")]
    TableTooLarge {
        /// File name.
        file: String,
        /// As written.
        found: u32,
        /// The bound.
        limit: u32,
    },
    /// A table that does not lie in the file, or not at a cluster.
    #[error(
        "{file}: a table should lie at {start} by the entry at offset {offset}, expected a multiple of the cluster size with \
         {len} bytes before the end of the file at {limit}."
    )]
    TableOutside {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// Where the table should lie.
        start: u64,
        /// Its length.
        len: u64,
        /// Length of the file.
        limit: u64,
    },
    /// Reserved bits of an entry.
    #[error("{file}: the table entry {entry:#018x} at offset {offset} has reserved bits set.")]
    Reserved {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// As written.
        entry: u64,
    },
    /// The method of compression.
    #[error(
        "{file}: compression type {found} at offset 104, expected 0 (zlib) or 1 (zstd), and 0 unless bit 3 at offset 72 is set."
    )]
    Compression {
        /// File name.
        file: String,
        /// As written.
        found: u8,
    },
    /// A compressed cluster that begins behind the end of the file.
    #[error(
        "{file}: the compressed cluster of virtual offset {virtual_offset} should lie at {start} by the entry at offset {offset}; the \
         file ends at {limit}."
    )]
    PackedOutside {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// First virtual byte of the cluster.
        virtual_offset: u64,
        /// Where it should lie.
        start: u64,
        /// Length of the file.
        limit: u64,
    },
    /// A compressed cluster that does not give a cluster.
    #[error("{file}: the compressed cluster at offset {start} cannot be unpacked to {expected} bytes: {reason}.")]
    Unpack {
        /// File name.
        file: String,
        /// Where it lies.
        start: u64,
        /// Bytes of a cluster.
        expected: u64,
        /// What the method says.
        reason: String,
    },
    /// The table of snapshots.
    #[error("{file}: the table of {found} internal snapshots at offset {start} cannot be right: {reason}.")]
    SnapshotTable {
        /// File name.
        file: String,
        /// Offset 64 of the header.
        start: u64,
        /// Offset 60 of the header.
        found: u32,
        /// What is wrong.
        reason: String,
    },
    /// A snapshot that is not there.
    #[error("{file}: there is no internal snapshot with the id or name '{wanted}' among {found}.")]
    NoSnapshot {
        /// File name.
        file: String,
        /// Id or name.
        wanted: String,
        /// Number of snapshots.
        found: usize,
    },
    /// A cluster that does not lie in the file, or not at a cluster.
    #[error(
        "{file}: the cluster of virtual offset {virtual_offset} should lie at {start} by the entry at offset {offset}, expected a \
         multiple of the cluster size before the end of the file at {limit}."
    )]
    ClusterOutside {
        /// File name.
        file: String,
        /// Offset of the entry.
        offset: u64,
        /// First virtual byte of the cluster.
        virtual_offset: u64,
        /// Where it should lie.
        start: u64,
        /// Length of the file.
        limit: u64,
    },
}

impl Qcow2Error {
    /// Name of the file in which the fault lies.
    pub fn file(&self) -> &str {
        match self {
            Qcow2Error::TooShort { file, .. }
            | Qcow2Error::Magic { file, .. }
            | Qcow2Error::Version { file, .. }
            | Qcow2Error::Backing { file, .. }
            | Qcow2Error::ClusterBits { file, .. }
            | Qcow2Error::Encrypted { file, .. }
            | Qcow2Error::MarkedCorrupt { file, .. }
            | Qcow2Error::Features { file, .. }
            | Qcow2Error::HeaderLength { file, .. }
            | Qcow2Error::TableTooSmall { file, .. }
            | Qcow2Error::TableTooLarge { file, .. }
            | Qcow2Error::TableOutside { file, .. }
            | Qcow2Error::Reserved { file, .. }
            | Qcow2Error::Compression { file, .. }
            | Qcow2Error::PackedOutside { file, .. }
            | Qcow2Error::Unpack { file, .. }
            | Qcow2Error::SnapshotTable { file, .. }
            | Qcow2Error::NoSnapshot { file, .. }
            | Qcow2Error::ClusterOutside { file, .. } => file,
        }
    }
}
