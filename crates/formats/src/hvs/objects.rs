//! The chain of object tables: which parts of the file are key tables, and which are values outside of them.

use std::collections::{HashMap, HashSet};

use super::bytes::{read, u32_at, u64_at};
use super::{HvsError, MAX_OBJECT_TABLES, MAX_TABLE_ENTRIES, Wanted, crc};
use crate::io::ReadAt;

const SIGNATURE: u32 = 0x0111_0001;
/// Where the first table is, whatever the alignment.
const FIRST: u64 = 0x2000;
const HEAD: usize = 8;
const ENTRY: usize = 18;
/// Most values outside of key tables that are kept of one file.
const MAX_OBJECTS: usize = 1 << 20;

/// What the tables name.
#[derive(Default)]
pub(super) struct Objects {
    /// Offset and length of each key table.
    pub(super) key_tables: Vec<(u64, u32)>,
    /// Offset and length of each value outside of key tables.
    pub(super) values: HashMap<u64, u32>,
}

pub(super) fn read_all(file: &dyn ReadAt, wanted: Wanted, remarks: &mut Vec<String>) -> Result<Objects, HvsError> {
    let name = || file.name().to_owned();
    let mut objects = Objects::default();
    let mut tables = vec![FIRST];
    let mut seen = HashSet::from([FIRST]);
    while let Some(offset) = tables.pop() {
        let head = read(file, offset, HEAD, "an object table")?;
        let (found, count) = (u32_at(&head, 0), u32_at(&head, 4));
        if found != SIGNATURE {
            return Err(HvsError::Signature {
                file: name(),
                offset,
                what: "an object table",
                expected: SIGNATURE,
                found,
            });
        }
        if count > MAX_TABLE_ENTRIES {
            let (what, expected) = ("the number of entries of an object table", format!("at most {MAX_TABLE_ENTRIES}"));
            return Err(HvsError::Field { file: name(), offset, what, expected, found: count.into() });
        }
        let start = offset + HEAD as u64;
        let entries = read(file, start, count as usize * ENTRY, "the entries of an object table")?;
        for (number, entry) in (0u64..).zip(entries.as_chunks::<ENTRY>().0) {
            let at = start + number * ENTRY as u64;
            check(file, at, entry)?;
            let (place, len) = (u64_at(entry, 5), u32_at(entry, 13));
            match entry[0] {
                1 if !seen.insert(place) => {
                    return Err(HvsError::Twice { file: name(), offset: at, what: "an object table", first: place });
                }
                1 if seen.len() > MAX_OBJECT_TABLES => {
                    let limit = MAX_OBJECT_TABLES as u64;
                    return Err(HvsError::TooMany { file: name(), offset: at, what: "object tables", limit });
                }
                1 => tables.push(place),
                2 => objects.key_tables.push((place, len)),
                3 if wanted == Wanted::Everything => {
                    if objects.values.len() >= MAX_OBJECTS {
                        let limit = MAX_OBJECTS as u64;
                        return Err(HvsError::TooMany { file: name(), offset: at, what: "file objects", limit });
                    }
                    objects.values.insert(place, len);
                }
                // Empty, value, free, replay log, change tracking.
                0 | 3..=7 => {}
                other => {
                    remarks.push(format!("The object at byte offset {place} is of the unknown type {other}."));
                    remarks.truncate(super::file::MAX_REMARKS);
                }
            }
        }
    }
    Ok(objects)
}

/// Empty entries carry a checksum, too; one of nothing but zeros hides nothing.
fn check(file: &dyn ReadAt, offset: u64, entry: &[u8; ENTRY]) -> Result<(), HvsError> {
    let (expected, found) = (crc::without(entry, 1), u32_at(entry, 1));
    if expected == found || *entry == [0; ENTRY] {
        return Ok(());
    }
    let what = "an entry of the object table";
    Err(HvsError::Checksum { file: file.name().to_owned(), offset, what, expected, found })
}
