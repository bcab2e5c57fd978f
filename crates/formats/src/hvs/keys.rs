//! Key tables: entries one after the other up to the exact end, each with its name, its value and the place of its parent.

use std::collections::BTreeMap;

use super::bytes::{read, u16_at, u32_at, u64_at};
use super::objects::Objects;
use super::{HvsError, MAX_KEY_BYTES, MAX_KEY_BYTES_SEEN, MAX_KEY_TABLE, MAX_KEYS, MAX_OBJECT_BYTES, Wanted, crc};
use crate::io::ReadAt;

const SIGNATURE: u32 = 2;
const HEAD: usize = 10;
const ENTRY: usize = 21;
/// The value is outside of the table.
const OUTSIDE: u8 = 1;
const FREE: u8 = 1;

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    Int(i64),
    Uint(u64),
    Double(f64),
    String(String),
    Array(Vec<u8>),
    Bool(i32),
    Node,
    /// A value outside of the table that was not wanted, and its length.
    Unread(u32),
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    /// Table and place in it.
    pub(super) id: (u16, u32),
    pub(super) parent: (u16, u32),
    /// Place among its siblings.
    pub(super) order: u32,
    pub(super) name: String,
    pub(super) data: Data,
    /// Where it is in the file.
    pub(super) offset: u64,
}

/// A table that counts.
struct Table {
    sequence: u16,
    offset: u64,
    len: usize,
}

/// The keys of all tables that count; with [`Wanted::Top`] those without a parent.
pub(super) fn read_all(file: &dyn ReadAt, objects: &Objects, wanted: Wanted) -> Result<Vec<Key>, HvsError> {
    let mut reader = Reader { file, objects, wanted, outside: 0, keys: Vec::new() };
    for (index, table) in tables(file, objects, wanted)? {
        reader.table(index, &table)?;
    }
    Ok(reader.keys)
}

/// Of tables with one index the one with the highest sequence.
fn tables(file: &dyn ReadAt, objects: &Objects, wanted: Wanted) -> Result<BTreeMap<u16, Table>, HvsError> {
    let name = || file.name().to_owned();
    let limit = if wanted == Wanted::Everything { MAX_KEY_BYTES } else { MAX_KEY_BYTES_SEEN };
    // Tables do not overlap, so that all of them are no longer than the file.
    let limit = limit.min(file.len());
    let mut found: BTreeMap<u16, Table> = BTreeMap::new();
    let mut total = 0;
    for (offset, len) in &objects.key_tables {
        let (offset, len) = (*offset, u64::from(*len));
        if !(HEAD as u64..=MAX_KEY_TABLE).contains(&len) {
            let (what, expected) = ("the length of a key table", format!("{HEAD} to {MAX_KEY_TABLE}"));
            return Err(HvsError::Field { file: name(), offset, what, expected, found: len });
        }
        total += len;
        if total > limit {
            return Err(HvsError::TooMany { file: name(), offset, what: "bytes of key tables", limit });
        }
        let head = read(file, offset, HEAD, "a key table")?;
        let signature = u32::from(u16_at(&head, 0));
        if signature != SIGNATURE {
            let (what, expected) = ("a key table", SIGNATURE);
            return Err(HvsError::Signature { file: name(), offset, what, expected, found: signature });
        }
        let (expected, sum) = (crc::without(&head, 6), u32_at(&head, 6));
        if expected != sum {
            let what = "a key table's header";
            return Err(HvsError::Checksum { file: name(), offset, what, expected, found: sum });
        }
        let (index, sequence) = (u16_at(&head, 2), u16_at(&head, 4));
        let table = Table { sequence, offset, len: len as usize };
        match found.get(&index) {
            Some(other) if other.sequence == sequence => {
                let what = "a key table with this index and this sequence";
                return Err(HvsError::Twice { file: name(), offset, what, first: other.offset });
            }
            Some(other) if other.sequence > sequence => {}
            _ => drop(found.insert(index, table)),
        }
    }
    Ok(found)
}

struct Reader<'a> {
    file: &'a dyn ReadAt,
    objects: &'a Objects,
    wanted: Wanted,
    /// Bytes of values outside of tables so far.
    outside: u64,
    keys: Vec<Key>,
}

impl Reader<'_> {
    fn name(&self) -> String {
        self.file.name().to_owned()
    }

    fn field(&self, offset: u64, what: &'static str, expected: String, found: u64) -> HvsError {
        HvsError::Field { file: self.name(), offset, what, expected, found }
    }

    fn table(&mut self, index: u16, table: &Table) -> Result<(), HvsError> {
        let bytes = read(self.file, table.offset, table.len, "a key table")?;
        let mut at = HEAD;
        while at < bytes.len() {
            let offset = table.offset + at as u64;
            let rest = bytes.get(at..).unwrap_or_default();
            let size = if rest.len() < ENTRY { 0 } else { u32_at(rest, 2) as usize };
            if !(ENTRY..=rest.len()).contains(&size) {
                let expected = format!("{ENTRY} to the {} bytes up to the end of its table", rest.len());
                return Err(self.field(offset, "the length of a key's entry", expected, size as u64));
            }
            let entry = rest.get(..size).unwrap_or_default();
            if entry[0] == FREE {
                self.free(offset, entry)?;
            } else {
                self.key((index, at as u32), offset, entry)?;
            }
            at += size;
        }
        Ok(())
    }

    /// Real free entries have no checksum. One that has that of a key is a key whose type was damaged.
    fn free(&self, offset: u64, entry: &[u8]) -> Result<(), HvsError> {
        let found = u32_at(entry, 12);
        for kind in (3..=9).filter(|_| found != 0) {
            let mut key = entry.to_vec();
            key[0] = kind;
            if let Some(len) = content(&key)
                && crc::without(&key[..len], 12) == found
            {
                let (what, expected) = ("the type of a key", format!("{kind}, by its checksum,"));
                return Err(self.field(offset, what, expected, FREE.into()));
            }
        }
        Ok(())
    }

    fn key(&mut self, id: (u16, u32), offset: u64, entry: &[u8]) -> Result<(), HvsError> {
        if !(3..=9).contains(&entry[0]) {
            return Err(self.field(offset, "the type of a key", "1 or 3 to 9".to_owned(), entry[0].into()));
        }
        let Some(len) = content(entry) else {
            let expected = "a length that holds its name and its value".to_owned();
            return Err(self.field(offset, "the length of a key's entry", expected, entry.len() as u64));
        };
        let (expected, found) = (crc::without(entry.get(..len).unwrap_or_default(), 12), u32_at(entry, 12));
        if expected != found {
            return Err(HvsError::Checksum { file: self.name(), offset, what: "a key", expected, found });
        }
        let parent = (u16_at(entry, 6), u32_at(entry, 8));
        if self.wanted == Wanted::Top && parent.0 != 0 {
            return Ok(());
        }
        if self.keys.len() >= MAX_KEYS {
            return Err(HvsError::TooMany { file: self.name(), offset, what: "keys", limit: MAX_KEYS as u64 });
        }
        let head = ENTRY + usize::from(entry[20]);
        let name = self.key_name(offset, entry.get(ENTRY..head).unwrap_or_default())?;
        let data = self.data(offset, &name, entry, entry.get(head..len).unwrap_or_default())?;
        self.keys.push(Key { id, parent, order: u32_at(entry, 16), name, data, offset });
        Ok(())
    }

    fn key_name(&self, offset: u64, bytes: &[u8]) -> Result<String, HvsError> {
        let wrong = |reason: &str| HvsError::Key {
            file: self.name(),
            offset,
            name: String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned(),
            reason: reason.to_owned(),
        };
        let Some((0, name)) = bytes.split_last() else { return Err(wrong("has a name without the zero at its end")) };
        let name = std::str::from_utf8(name).map_err(|_| wrong("has a name that is no UTF-8"))?;
        if name.is_empty() || name.contains(['/', '\0']) {
            return Err(wrong("has an empty name, or one with a slash or a zero in it"));
        }
        Ok(name.to_owned())
    }

    /// `bytes` are those of the entry's value, whose length [`content`] has told.
    fn data(&mut self, offset: u64, name: &str, entry: &[u8], bytes: &[u8]) -> Result<Data, HvsError> {
        let (kind, flags) = (entry[0], entry[1]);
        let outside;
        let value = if flags & OUTSIDE != 0 {
            let (len, place) = (u32_at(bytes, 0), u64_at(bytes, 4));
            if self.wanted == Wanted::Top {
                return Ok(Data::Unread(len));
            }
            outside = self.outside(offset, name, place, len)?;
            outside.as_slice()
        } else {
            bytes.get(4..).unwrap_or_default()
        };
        Ok(match kind {
            6 => Data::String(self.text(offset, name, value)?),
            7 => Data::Array(value.to_vec()),
            9 => Data::Node,
            _ if flags & OUTSIDE != 0 => {
                let reason =
                    format!("is of type {kind} and its value outside of the table, which only texts and bytes can be");
                return Err(HvsError::Key { file: self.name(), offset, name: name.to_owned(), reason });
            }
            3 => Data::Int(u64_at(bytes, 0).cast_signed()),
            4 => Data::Uint(u64_at(bytes, 0)),
            5 => Data::Double(f64::from_bits(u64_at(bytes, 0))),
            _ => Data::Bool(u32_at(bytes, 0).cast_signed()),
        })
    }

    fn outside(&mut self, offset: u64, name: &str, place: u64, len: u32) -> Result<Vec<u8>, HvsError> {
        if self.objects.values.get(&place).is_none_or(|room| *room < len) {
            let reason = format!("has {len} bytes at byte offset {place}, where no object of that size is listed");
            return Err(HvsError::Key { file: self.name(), offset, name: name.to_owned(), reason });
        }
        self.outside += u64::from(len);
        let limit = MAX_OBJECT_BYTES.min(self.file.len());
        if self.outside > limit {
            let what = "bytes of values outside of its tables";
            return Err(HvsError::TooMany { file: self.name(), offset, what, limit });
        }
        read(self.file, place, len as usize, "the value of a key")
    }

    fn text(&self, offset: u64, name: &str, bytes: &[u8]) -> Result<String, HvsError> {
        let wrong = |reason: &str| HvsError::Key {
            file: self.name(),
            offset,
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        let (units, rest) = bytes.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(wrong("has a text of an odd number of bytes"));
        }
        let text: Result<String, _> = char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))).collect();
        let text = text.map_err(|_| wrong("has a text that is no UTF-16"))?;
        Ok(text.trim_end_matches('\0').to_owned())
    }
}

/// Bytes of an entry that mean something and are under its checksum; what is behind them is left over. `None` when they do not
/// fit into the entry.
fn content(entry: &[u8]) -> Option<usize> {
    let head = ENTRY + usize::from(*entry.get(20)?);
    let value = match (entry.first()?, entry.get(1)? & OUTSIDE) {
        (9, _) | (_, OUTSIDE) => 12,
        (3..=5, _) => 8,
        (8, _) => 4,
        _ => 4usize.checked_add(u32::from_le_bytes(*entry.get(head..)?.first_chunk()?) as usize)?,
    };
    head.checked_add(value).filter(|len| *len <= entry.len())
}
