//! What can be wrong with a hive. Offsets are offsets in the file, not in the hive bins.

/// A hive, or a piece of one, could not be read. Other pieces may still be readable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegfError {
    /// Not even a base block and one hive bin.
    #[error("'{file}' has {found} bytes; a registry hive of at least 8192 bytes was expected.")]
    TooShort {
        /// File name.
        file: String,
        /// Bytes found.
        found: usize,
    },
    /// The file does not start like a hive.
    #[error("'{file}' is not a registry hive: expected 'regf' at byte offset 0, found {found}.")]
    NotAHive {
        /// File name.
        file: String,
        /// The first four bytes.
        found: String,
    },
    /// A hive of a version that nobody has described.
    #[error("'{file}' has hive version {found} at byte offset 20; versions 1.2 to 1.6 were expected.")]
    Version {
        /// File name.
        file: String,
        /// Version found.
        found: String,
    },
    /// A transaction log was given instead of the hive.
    #[error(
        "'{file}' has file type {found} at byte offset 28: it is a transaction log; the hive itself (type 0) was expected."
    )]
    FileType {
        /// File name.
        file: String,
        /// Type found.
        found: u32,
    },
    /// Something lies behind the end of what the file holds.
    #[error(
        "'{file}', byte offset {offset}: {what} needs {expected} bytes, but the hive bins end at byte offset {found}; \
         the file was cut or is damaged."
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
        /// Where the readable hive bins end.
        found: u64,
    },
    /// A cell has a size that no cell can have.
    #[error(
        "'{file}', byte offset {offset}: {what} has a cell size of {found}; a negative multiple of 8 was expected."
    )]
    CellSize {
        /// File name.
        file: String,
        /// Where the cell starts.
        offset: u64,
        /// What should be in it.
        what: &'static str,
        /// Size found (negative = in use).
        found: i64,
    },
    /// A reference points at a cell that is not in use.
    #[error("'{file}', byte offset {offset}: {what} was expected, found a free cell of {found} bytes.")]
    FreeCell {
        /// File name.
        file: String,
        /// Where the cell starts.
        offset: u64,
        /// What should be in it.
        what: &'static str,
        /// Size of the free cell.
        found: i64,
    },
    /// A cell is too small for its record.
    #[error("'{file}', byte offset {offset}: {what} needs {expected} bytes, its cell has {found}.")]
    CellShort {
        /// File name.
        file: String,
        /// Where the cell starts.
        offset: u64,
        /// What should be in it.
        what: &'static str,
        /// Bytes needed.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// A cell holds another kind of record.
    #[error("'{file}', byte offset {offset}: {what} with the signature '{expected}' was expected, found {found}.")]
    Signature {
        /// File name.
        file: String,
        /// Where the cell starts.
        offset: u64,
        /// What should be in it.
        what: &'static str,
        /// Signature wanted.
        expected: &'static str,
        /// Bytes found.
        found: String,
    },
    /// The number of subkeys and their list do not agree, or there are more than the file can hold.
    #[error("'{file}', byte offset {offset}: the key announces {expected} subkeys, its list holds {found}.")]
    SubkeyCount {
        /// File name.
        file: String,
        /// Where the key starts.
        offset: u64,
        /// Number in the key.
        expected: u64,
        /// Number in the list (`more` when it goes on).
        found: String,
    },
    /// The same cell is listed twice.
    #[error(
        "'{file}', byte offset {offset}: the list names the cell at byte offset {found} twice; each was expected once."
    )]
    Repeated {
        /// File name.
        file: String,
        /// Where the list starts.
        offset: u64,
        /// The cell that is repeated.
        found: u64,
    },
    /// A key is listed under one parent and names another.
    #[error("'{file}', byte offset {offset}: the key's parent should be at byte offset {expected}, it names {found}.")]
    Parent {
        /// File name.
        file: String,
        /// Where the key starts.
        offset: u64,
        /// The key in whose list it stands.
        expected: u64,
        /// The key that it names.
        found: u64,
    },
    /// Keys nested deeper than Windows allows.
    #[error(
        "'{file}', byte offset {offset}: keys are nested deeper than {limit} levels, which Windows does not allow."
    )]
    TooDeep {
        /// File name.
        file: String,
        /// Where the key starts.
        offset: u64,
        /// Levels allowed.
        limit: usize,
    },
    /// A value claims more data than it can have.
    #[error(
        "'{file}', byte offset {offset}: a value claims {found} bytes of data; at most {expected} are possible there."
    )]
    DataSize {
        /// File name.
        file: String,
        /// Where the value starts.
        offset: u64,
        /// Bytes possible.
        expected: u64,
        /// Bytes claimed.
        found: u64,
    },
    /// A value is of another type or size than its reader needs.
    #[error("'{file}', {place}{}: expected {expected}, found {found}.", at(*offset))]
    ValueType {
        /// File name.
        file: String,
        /// Key path and value name.
        place: String,
        /// Where the value starts; `None` for one that lies in no file.
        offset: Option<u64>,
        /// What was expected.
        expected: &'static str,
        /// Type and size found.
        found: String,
    },
    /// The hive does not say which control set is the current one.
    #[error("'{file}' does not tell the current control set: {found}; a SYSTEM hive was expected.")]
    NoControlSet {
        /// File name.
        file: String,
        /// What is missing.
        found: String,
    },
}

fn at(offset: Option<u64>) -> String {
    offset.map(|offset| format!(" (byte offset {offset})")).unwrap_or_default()
}
