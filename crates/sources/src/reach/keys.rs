//! A registry that is asked key by key and value by value, as that of a running host is.

use hvm_formats::regf::RegValueKind;

/// Keys below `HKEY_LOCAL_MACHINE`, by paths such as `SYSTEM\CurrentControlSet\Control`.
pub(crate) trait Keys {
    /// Where this registry is, to complete "in …".
    fn place(&self) -> &str;
    /// Names of the keys in a key.
    fn subkeys(&self, key: &str) -> Result<Vec<String>, KeyError>;
    /// Names and types of the values of a key.
    fn values(&self, key: &str) -> Result<Vec<(String, RegValueKind)>, KeyError>;
    /// The data of a value of this type, as a hive would hold them.
    fn data(&self, key: &str, value: &str, kind: RegValueKind) -> Result<Vec<u8>, KeyError>;
}

/// A key or a value was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyError {
    /// It is not there.
    Missing,
    /// It may not be read, or the answer cannot be used: the reason as a whole sentence.
    Unreadable(String),
}
