//! Subkey lists: `li`, `lf`, `lh`, and `ri` over them.

use std::collections::HashSet;

use super::cell::{Cell, NONE, file_offset};
use super::{Hive, RegfError};

/// Smallest cell of a key: size field and fixed part.
const SMALLEST_KEY: usize = 80;

/// The key whose list is read.
pub(super) struct Owner {
    /// File offset of the key.
    pub(super) offset: u64,
    /// Number of subkeys that it announces.
    pub(super) count: u32,
}

/// References of all subkeys below `list`, and what went wrong on the way. A damaged list may hide subkeys, so the error
/// matters even when some were found.
pub(super) fn subkeys(hive: &Hive, owner: &Owner, list: u32) -> (Vec<u32>, Option<RegfError>) {
    if owner.count == 0 {
        return (Vec::new(), None);
    }
    let most = hive.bins().len() / SMALLEST_KEY;
    let mut gathered = Gathered { found: Vec::new(), seen: HashSet::new(), most: (owner.count as usize).min(most) };
    let error = match gather(hive, list, &mut gathered) {
        Err(Stop::Error(error)) => Some(error),
        Err(Stop::Full) => Some(count_error(hive, owner, "more".to_owned())),
        Ok(()) if gathered.found.len() != owner.count as usize => {
            Some(count_error(hive, owner, gathered.found.len().to_string()))
        }
        Ok(()) => None,
    };
    (gathered.found, error)
}

struct Gathered {
    found: Vec<u32>,
    seen: HashSet<u32>,
    most: usize,
}

enum Stop {
    Error(RegfError),
    Full,
}

impl From<RegfError> for Stop {
    fn from(error: RegfError) -> Self {
        Stop::Error(error)
    }
}

fn count_error(hive: &Hive, owner: &Owner, found: String) -> RegfError {
    RegfError::SubkeyCount { file: hive.file().to_owned(), offset: owner.offset, expected: owner.count.into(), found }
}

fn gather(hive: &Hive, list: u32, to: &mut Gathered) -> Result<(), Stop> {
    if list == NONE {
        return Ok(());
    }
    let cell = hive.cell(list, "a list of subkeys")?;
    if !cell.data.starts_with(b"ri") {
        return gather_leaf(&cell, to);
    }
    // An index root never points at another one, so one level is all there is.
    let mut parts = HashSet::new();
    let mut first_error = None;
    for part in references(&cell, 4)? {
        if !parts.insert(part) {
            return Err(repeated(&cell, part).into());
        }
        match hive.cell(part, "a part of a list of subkeys").map_err(Stop::from).and_then(|leaf| gather_leaf(&leaf, to))
        {
            Ok(()) => {}
            Err(Stop::Error(error)) => first_error = first_error.or(Some(error)),
            Err(Stop::Full) => return Err(Stop::Full),
        }
    }
    first_error.map_or(Ok(()), |error| Err(error.into()))
}

fn gather_leaf(cell: &Cell<'_>, to: &mut Gathered) -> Result<(), Stop> {
    let width = match cell.data.get(..2) {
        Some(b"li") => 4,
        Some(b"lf" | b"lh") => 8,
        _ => return Err(cell.wrong_signature("lf, lh, li or ri").into()),
    };
    for key in references(cell, width)? {
        if !to.seen.insert(key) {
            return Err(repeated(cell, key).into());
        }
        if to.found.len() == to.most {
            return Err(Stop::Full);
        }
        to.found.push(key);
    }
    Ok(())
}

/// The first word of each of the list's elements. Offset 2: number of elements; offset 4: elements of `width` bytes.
fn references<'h>(cell: &Cell<'h>, width: usize) -> Result<impl Iterator<Item = u32> + use<'h>, RegfError> {
    let count = usize::from(cell.u16(2)?);
    let elements = cell.bytes(4, count * width)?;
    Ok(elements.chunks_exact(width).filter_map(|e| e.first_chunk()).map(|e| u32::from_le_bytes(*e)))
}

fn repeated(list: &Cell<'_>, reference: u32) -> RegfError {
    RegfError::Repeated { file: list.hive.file().to_owned(), offset: list.offset, found: file_offset(reference) }
}
