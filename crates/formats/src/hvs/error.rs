//! What can be wrong with a file of this format. Offsets are offsets in the file.

/// A file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HvsError {
    /// The bytes could not be read at all.
    #[error("'{file}' could not be read at byte offset {offset}: {reason}.")]
    Read {
        /// File name.
        file: String,
        /// Where.
        offset: u64,
        /// What the system says.
        reason: String,
    },
    /// Something lies behind the end of the file.
    #[error(
        "'{file}', byte offset {offset}: {what} needs {expected} bytes, but the file ends at byte offset {found}; it was \
         cut or is damaged."
    )]
    PastEnd {
        /// File name.
        file: String,
        /// Where it should start.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// Bytes needed.
        expected: u64,
        /// Length of the file.
        found: u64,
    },
    /// The file starts like none of this format.
    #[error(
        "'{file}' is no file of HyperVStorage (.vmcx, .vmrs): 0x01282014 was expected at byte offset 0 or 4096, found \
         0x{found:08X}."
    )]
    NotHvs {
        /// File name.
        file: String,
        /// The number at offset 0.
        found: u32,
    },
    /// A version that is not read.
    #[error("'{file}' has format version 0x{found:04X} at byte offset {offset}; 0x0400 (4.0) was expected.")]
    Version {
        /// File name.
        file: String,
        /// Where.
        offset: u64,
        /// Version found.
        found: u32,
    },
    /// A structure does not begin as it must.
    #[error("'{file}', byte offset {offset}: {what} was expected (0x{expected:X}), found 0x{found:X}.")]
    Signature {
        /// File name.
        file: String,
        /// Where.
        offset: u64,
        /// What it should be.
        what: &'static str,
        /// Number expected.
        expected: u32,
        /// Number found.
        found: u32,
    },
    /// A structure was changed after it was written.
    #[error(
        "'{file}', byte offset {offset}: the checksum of {what} is 0x{found:08X}, 0x{expected:08X} was expected; the file \
         is damaged."
    )]
    Checksum {
        /// File name.
        file: String,
        /// Where the structure starts.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// Checksum of what is there.
        expected: u32,
        /// Checksum that is written.
        found: u32,
    },
    /// A number is out of the range that it can have.
    #[error("'{file}', byte offset {offset}: {what} is {found}; {expected} was expected.")]
    Field {
        /// File name.
        file: String,
        /// Where the structure starts.
        offset: u64,
        /// What the number is.
        what: &'static str,
        /// What was expected.
        expected: String,
        /// Number found.
        found: u64,
    },
    /// There is more of something than in any real file.
    #[error(
        "'{file}', byte offset {offset}: the file has more than {limit} {what}; it is damaged or no configuration."
    )]
    TooMany {
        /// File name.
        file: String,
        /// Where the first one too much is.
        offset: u64,
        /// What is counted.
        what: &'static str,
        /// How many are read.
        limit: u64,
    },
    /// Two structures claim one place.
    #[error("'{file}', byte offset {offset}: {what} is there a second time; the first is at byte offset {first}.")]
    Twice {
        /// File name.
        file: String,
        /// Where the second one is.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// Where the first one is.
        first: u64,
    },
    /// A key has no place in the tree.
    #[error("'{file}', byte offset {offset}: the key '{name}' {reason}.")]
    Key {
        /// File name.
        file: String,
        /// Where the entry starts.
        offset: u64,
        /// Its name.
        name: String,
        /// What is wrong, to follow its name.
        reason: String,
    },
}

impl HvsError {
    /// Where in the file it is.
    pub fn offset(&self) -> u64 {
        match self {
            HvsError::NotHvs { .. } => 0,
            HvsError::Read { offset, .. }
            | HvsError::PastEnd { offset, .. }
            | HvsError::Version { offset, .. }
            | HvsError::Signature { offset, .. }
            | HvsError::Checksum { offset, .. }
            | HvsError::Field { offset, .. }
            | HvsError::TooMany { offset, .. }
            | HvsError::Twice { offset, .. }
            | HvsError::Key { offset, .. } => *offset,
        }
    }
}
