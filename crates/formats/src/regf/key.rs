//! Keys: fixed part, name, subkeys and values.

use std::collections::HashSet;
use std::sync::Arc;

use super::base::u64_at;
use super::cell::file_offset;
use super::list::{Owner, subkeys};
use super::{Hive, MAX_DEPTH, RegValue, RegfError};

/// Name is one byte a character (Latin-1).
const COMPRESSED_NAME: u16 = 0x0020;
/// A predefined handle: the value fields mean something else.
const PREDEFINED: u16 = 0x0040;

/// A registry key.
#[derive(Debug, Clone)]
pub struct Key<'h> {
    hive: &'h Hive,
    reference: u32,
    depth: usize,
    name: String,
    path: Arc<str>,
    fields: Fields,
}

#[derive(Debug, Clone, Copy)]
struct Fields {
    /// Offset 2.
    flags: u16,
    /// Offset 4: FILETIME.
    last_written: u64,
    /// Offset 16.
    parent: u32,
    /// Offset 20.
    subkey_count: u32,
    /// Offset 28.
    subkey_list: u32,
    /// Offset 36.
    value_count: u32,
    /// Offset 40.
    value_list: u32,
}

impl<'h> Key<'h> {
    pub(super) fn root(hive: &'h Hive, reference: u32) -> Result<Key<'h>, RegfError> {
        let (fields, name) = read(hive, reference)?;
        Ok(Key { hive, reference, depth: 0, name, path: Arc::from("\\"), fields })
    }

    /// The name as written; that of the root key means nothing.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path from the root of the hive: `\ControlSet001\Services`; `\` for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// FILETIME of the last change to the key.
    pub fn last_written(&self) -> u64 {
        self.fields.last_written
    }

    /// Offset of the key in the file.
    pub fn offset(&self) -> u64 {
        file_offset(self.reference)
    }

    /// The flags as written (0x10 = symbolic link).
    pub fn flags(&self) -> u16 {
        self.fields.flags
    }

    /// The subkeys in the order of the hive. A subkey that cannot be read is an error of its own, the others follow; an
    /// error about the list itself comes last.
    pub fn subkeys(&self) -> impl Iterator<Item = Result<Key<'h>, RegfError>> + use<'h> {
        let owner = Owner { offset: self.offset(), count: self.fields.subkey_count };
        let (references, error) = subkeys(self.hive, &owner, self.fields.subkey_list);
        let parent = self.clone();
        references.into_iter().map(move |reference| parent.below(reference)).chain(error.map(Err))
    }

    /// The subkey called `name`, in any case. An error only when it was not found and may be in an unreadable piece.
    pub fn subkey(&self, name: &str) -> Result<Option<Key<'h>>, RegfError> {
        first_match(self.subkeys(), |key| same_name(&key.name, name))
    }

    /// The values in the order of the hive. A value that cannot be read is an error of its own, the others follow.
    pub fn values(&self) -> impl Iterator<Item = Result<RegValue<'h>, RegfError>> + use<'h> {
        let (references, error) = match self.value_references() {
            Ok(references) => (references, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let (hive, path) = (self.hive, self.path.clone());
        references.into_iter().map(move |reference| RegValue::read(hive, reference, &path)).chain(error.map(Err))
    }

    /// The value called `name`, in any case; the unnamed value is called by an empty name.
    pub fn value(&self, name: &str) -> Result<Option<RegValue<'h>>, RegfError> {
        first_match(self.values(), |value| same_name(value.name(), name))
    }

    fn value_references(&self) -> Result<Vec<u32>, RegfError> {
        let count = self.fields.value_count as usize;
        if count == 0 || self.fields.flags & PREDEFINED != 0 {
            return Ok(Vec::new());
        }
        let cell = self.hive.cell(self.fields.value_list, "a list of values")?;
        let words = cell.bytes(0, count.saturating_mul(4))?;
        let references: Vec<u32> = words.as_chunks::<4>().0.iter().map(|w| u32::from_le_bytes(*w)).collect();
        let mut seen = HashSet::new();
        match references.iter().find(|reference| !seen.insert(**reference)) {
            Some(twice) => Err(RegfError::Repeated {
                file: self.hive.file().to_owned(),
                offset: cell.offset,
                found: file_offset(*twice),
            }),
            None => Ok(references),
        }
    }

    /// Reads a subkey. Since each key names its parent, no key can be reached on two ways and no way is a circle.
    fn below(&self, reference: u32) -> Result<Key<'h>, RegfError> {
        let file = || self.hive.file().to_owned();
        let offset = file_offset(reference);
        let (fields, name) = read(self.hive, reference)?;
        if fields.parent != self.reference || reference == self.hive.root_reference() {
            let found = file_offset(fields.parent);
            return Err(RegfError::Parent { file: file(), offset, expected: self.offset(), found });
        }
        if self.depth >= MAX_DEPTH {
            return Err(RegfError::TooDeep { file: file(), offset, limit: MAX_DEPTH });
        }
        let path = if self.depth == 0 { format!("\\{name}") } else { format!("{}\\{name}", self.path) };
        Ok(Key { hive: self.hive, reference, depth: self.depth + 1, name, path: path.into(), fields })
    }
}

fn read(hive: &Hive, reference: u32) -> Result<(Fields, String), RegfError> {
    let cell = hive.cell(reference, "a key")?;
    cell.expect_signature("nk")?;
    let fields = Fields {
        flags: cell.u16(2)?,
        last_written: u64_at(cell.data, 4).ok_or_else(|| cell.short(12))?,
        parent: cell.u32(16)?,
        subkey_count: cell.u32(20)?,
        subkey_list: cell.u32(28)?,
        value_count: cell.u32(36)?,
        value_list: cell.u32(40)?,
    };
    // Offset 72: length of the name; offset 76: the name.
    let name = cell.bytes(76, usize::from(cell.u16(72)?))?;
    Ok((fields, decode_name(name, fields.flags & COMPRESSED_NAME != 0)))
}

/// A key or value name: Latin-1 when compressed, else UTF-16LE.
pub(super) fn decode_name(bytes: &[u8], compressed: bool) -> String {
    if compressed {
        return bytes.iter().map(|b| char::from(*b)).collect();
    }
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    String::from_utf16_lossy(&units)
}

/// Equal in any case, character by character as Windows compares names: no character becomes two.
fn same_name(a: &str, b: &str) -> bool {
    fn upper(c: char) -> char {
        let mut upper = c.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    }
    a == b || a.chars().map(upper).eq(b.chars().map(upper))
}

fn first_match<T>(
    items: impl Iterator<Item = Result<T, RegfError>>,
    wanted: impl Fn(&T) -> bool,
) -> Result<Option<T>, RegfError> {
    let mut error = None;
    for item in items {
        match item {
            Ok(item) if wanted(&item) => return Ok(Some(item)),
            Ok(_) => {}
            Err(e) => error = error.or(Some(e)),
        }
    }
    error.map_or(Ok(None), Err)
}
