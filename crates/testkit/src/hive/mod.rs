//! Registry hives: a tree of keys and values as code, and its bytes as a primary file in the format `regf` 1.5.
//!
//! Specification: "Windows registry file format specification" by M. Suhanov. [`dirty`] makes a primary file that is
//! behind its log, as a copy of a running host is.

mod dirty;
mod write;

pub use dirty::{DirtyPair, dirty_pair};
pub use write::{HiveStamp, hive_bytes};

/// Data of a registry value with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HiveValue {
    /// REG_SZ (1): UTF-16LE with a final NUL.
    Sz(String),
    /// REG_EXPAND_SZ (2).
    ExpandSz(String),
    /// REG_BINARY (3).
    Binary(Vec<u8>),
    /// REG_DWORD (4).
    Dword(u32),
    /// REG_MULTI_SZ (7): each text with a final NUL, and one more NUL after the last.
    MultiSz(Vec<String>),
    /// REG_QWORD (11).
    Qword(u64),
    /// Any other type number with its bytes as they are.
    Raw(u32, Vec<u8>),
}

impl HiveValue {
    /// A REG_SZ value.
    pub fn sz(text: impl Into<String>) -> Self {
        Self::Sz(text.into())
    }

    /// A REG_MULTI_SZ value.
    #[must_use]
    pub fn multi(texts: &[&str]) -> Self {
        Self::MultiSz(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    /// Number of the registry type.
    #[must_use]
    pub fn type_number(&self) -> u32 {
        match self {
            Self::Sz(_) => 1,
            Self::ExpandSz(_) => 2,
            Self::Binary(_) => 3,
            Self::Dword(_) => 4,
            Self::MultiSz(_) => 7,
            Self::Qword(_) => 11,
            Self::Raw(number, _) => *number,
        }
    }

    /// The data bytes as they are stored.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        let with_nul = |text: &str| crate::bytes::utf16le(&format!("{text}\0"));
        match self {
            Self::Sz(text) | Self::ExpandSz(text) => with_nul(text),
            Self::Binary(bytes) | Self::Raw(_, bytes) => bytes.clone(),
            Self::Dword(number) => number.to_le_bytes().to_vec(),
            Self::Qword(number) => number.to_le_bytes().to_vec(),
            Self::MultiSz(texts) => {
                let mut data: Vec<u8> = texts.iter().flat_map(|text| with_nul(text)).collect();
                data.extend([0, 0]);
                data
            }
        }
    }
}

/// One key with its values and subkeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiveKey {
    /// Name of the key; of the root it is only for show.
    pub name: String,
    /// Values in the order in which they are stored; the empty name is the default value.
    pub values: Vec<(String, HiveValue)>,
    /// Subkeys in any order; the writer sorts them as the format wants it.
    pub children: Vec<HiveKey>,
}

impl HiveKey {
    /// An empty key.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), values: Vec::new(), children: Vec::new() }
    }

    /// Adds a value.
    #[must_use]
    pub fn value(mut self, name: &str, value: HiveValue) -> Self {
        self.values.push((name.to_owned(), value));
        self
    }

    /// Adds a REG_SZ value.
    #[must_use]
    pub fn sz(self, name: &str, text: &str) -> Self {
        self.value(name, HiveValue::sz(text))
    }

    /// Adds a REG_DWORD value.
    #[must_use]
    pub fn dword(self, name: &str, number: u32) -> Self {
        self.value(name, HiveValue::Dword(number))
    }

    /// Adds a REG_MULTI_SZ value.
    #[must_use]
    pub fn multi(self, name: &str, texts: &[&str]) -> Self {
        self.value(name, HiveValue::multi(texts))
    }

    /// Adds a subkey.
    #[must_use]
    pub fn child(mut self, child: HiveKey) -> Self {
        self.children.push(child);
        self
    }

    /// The key at `path` (names divided by `\`) below this one; made when missing. Names match without regard to case.
    pub fn at(&mut self, path: &str) -> &mut HiveKey {
        let mut key = self;
        for name in path.split('\\').filter(|name| !name.is_empty()) {
            let found = key.children.iter().position(|child| child.name.eq_ignore_ascii_case(name));
            let index = found.unwrap_or_else(|| {
                key.children.push(HiveKey::new(name));
                key.children.len() - 1
            });
            key = &mut key.children[index];
        }
        key
    }

    /// Sets a value (replacing one of the same name), for building a big tree piece by piece.
    pub fn set(&mut self, name: &str, value: HiveValue) -> &mut Self {
        self.values.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.values.push((name.to_owned(), value));
        self
    }
}
