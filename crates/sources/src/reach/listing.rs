//! Contents of folders, read once: 5,000 machines in one folder must not mean 5,000 scans of it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Most entries of one folder that are read.
pub(super) const MAX_ENTRIES: usize = 1_000_000;
/// Most folders that are remembered; more start the memory anew.
const MAX_REMEMBERED: usize = 20_000;

/// What one name of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// One name of a folder.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The name as the file system has it.
    pub(super) os_name: OsString,
    /// The same as text.
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// The answer to a look-up without regard to case.
#[derive(Debug)]
pub(super) enum Lookup<'a> {
    One(&'a Item),
    None,
    Two(&'a Item, &'a Item),
}

/// The contents of one folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    items: Vec<Item>,
    exact: HashMap<String, usize>,
    folded: HashMap<String, Vec<usize>>,
}

impl Listing {
    pub(super) fn read(folder: &Path) -> io::Result<Listing> {
        let mut items = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if items.len() >= MAX_ENTRIES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            let file_type = entry.file_type()?;
            let kind = match () {
                () if file_type.is_symlink() => Kind::Link,
                () if file_type.is_dir() => Kind::Folder,
                () if file_type.is_file() => Kind::File,
                () => Kind::Other,
            };
            let os_name = entry.file_name();
            items.push(Item { name: os_name.to_string_lossy().into_owned(), os_name, kind });
        }
        items.sort_by(|a, b| a.name.cmp(&b.name));
        let mut listing = Listing { items, ..Listing::default() };
        for (index, item) in listing.items.iter().enumerate() {
            listing.exact.insert(item.name.clone(), index);
            listing.folded.entry(item.name.to_uppercase()).or_default().push(index);
        }
        Ok(listing)
    }

    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    /// The exact name first; else the one that differs only by case.
    pub(super) fn find(&self, name: &str) -> Lookup<'_> {
        if let Some(item) = self.exact.get(name).and_then(|index| self.items.get(*index)) {
            return Lookup::One(item);
        }
        let indexes = self.folded.get(&name.to_uppercase()).map_or(&[][..], Vec::as_slice);
        let mut items = indexes.iter().filter_map(|index| self.items.get(*index));
        match (items.next(), items.next()) {
            (None, _) => Lookup::None,
            (Some(item), None) => Lookup::One(item),
            (Some(first), Some(second)) => Lookup::Two(first, second),
        }
    }
}

/// Remembers the contents of folders.
#[derive(Debug, Default)]
pub(super) struct Listings {
    known: Mutex<HashMap<PathBuf, Arc<Listing>>>,
}

impl Listings {
    pub(super) fn of(&self, folder: &Path) -> io::Result<Arc<Listing>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = known.get(folder) {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(Listing::read(folder)?);
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(folder.to_path_buf(), Arc::clone(&listing));
        Ok(listing)
    }

    pub(super) fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
