//! Contents of folders, read once: 5,000 machines in one folder must not mean 5,000 scans of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hvm_model::names::folded as upper;

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
pub(super) struct Item<I> {
    /// What the name stands for.
    pub(super) id: I,
    /// The name as text.
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// The answer to a look-up without regard to case.
#[derive(Debug)]
pub(super) enum Lookup<'a, I> {
    One(&'a Item<I>),
    None,
    Two(&'a Item<I>, &'a Item<I>),
}

/// The contents of one folder.
#[derive(Debug)]
pub(super) struct Listing<I> {
    items: Vec<Item<I>>,
    exact: HashMap<String, usize>,
    folded: HashMap<String, Vec<usize>>,
}

impl<I> Listing<I> {
    /// A listing of these names; beside its own an item has other names by which it is found, each with the place of the item.
    pub(super) fn of(items: Vec<Item<I>>, others: &[(String, usize)]) -> Listing<I> {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by(|one, other| {
            items.get(*one).map(|item| &item.name).cmp(&items.get(*other).map(|item| &item.name))
        });
        let mut places = vec![0; items.len()];
        for (place, from) in order.iter().enumerate() {
            if let Some(slot) = places.get_mut(*from) {
                *slot = place;
            }
        }
        let mut items = items;
        items.sort_by(|one, other| one.name.cmp(&other.name));
        let (mut exact, mut folded) = (HashMap::new(), HashMap::<String, Vec<usize>>::new());
        for (index, item) in items.iter().enumerate() {
            exact.insert(item.name.clone(), index);
            folded.entry(upper(&item.name)).or_default().push(index);
        }
        for (name, from) in others {
            if let (Some(index), false) = (places.get(*from), folded.contains_key(&upper(name))) {
                folded.insert(upper(name), vec![*index]);
            }
        }
        Listing { items, exact, folded }
    }

    pub(super) fn items(&self) -> &[Item<I>] {
        &self.items
    }

    /// The exact name first; else the one that differs only by case.
    pub(super) fn find(&self, name: &str) -> Lookup<'_, I> {
        if let Some(item) = self.exact.get(name).and_then(|index| self.items.get(*index)) {
            return Lookup::One(item);
        }
        let indexes = self.folded.get(&upper(name)).map_or(&[][..], Vec::as_slice);
        let mut items = indexes.iter().filter_map(|index| self.items.get(*index));
        match (items.next(), items.next()) {
            (None, _) => Lookup::None,
            (Some(item), None) => Lookup::One(item),
            (Some(first), Some(second)) => Lookup::Two(first, second),
        }
    }
}

/// Remembers the contents of folders.
#[derive(Debug)]
pub(super) struct Listings<K, I> {
    known: Mutex<HashMap<K, Arc<Listing<I>>>>,
}

impl<K, I> Default for Listings<K, I> {
    fn default() -> Self {
        Listings { known: Mutex::default() }
    }
}

impl<K: Hash + Eq + Clone, I> Listings<K, I> {
    /// The contents of a folder, read when they are not known.
    pub(super) fn of(&self, folder: &K, read: impl FnOnce() -> io::Result<Listing<I>>) -> io::Result<Arc<Listing<I>>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = known.get(folder) {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(read()?);
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(folder.clone(), Arc::clone(&listing));
        Ok(listing)
    }

    pub(super) fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_find_the_same_item_and_never_hide_one() {
        let item = |id, name: &str| Item { id, name: name.to_owned(), kind: Kind::File };
        let items = vec![item(1, "Virtual Machines"), item(2, "a"), item(3, "LONG~1")];
        let listing = Listing::of(items, &[("VIRTUA~1".to_owned(), 0), ("long~1".to_owned(), 1)]);
        let found = |name: &str| match listing.find(name) {
            Lookup::One(item) => item.id,
            _ => 0,
        };
        assert_eq!(["virtua~1", "VIRTUAL MACHINES", "A", "Long~1", "b"].map(found), [1, 1, 2, 3, 0]);
        assert_eq!(listing.items().len(), 3);
        let listing = Listing::of(vec![item(1, "Straße.vhd"), item(2, "Strasse.vhd"), item(3, "µ"), item(4, "Μ")], &[]);
        let found = |name: &str| match listing.find(name) {
            Lookup::One(item) => item.id,
            _ => 0,
        };
        assert_eq!(["STRAßE.VHD", "STRASSE.vhd", "µ", "μ"].map(found), [1, 2, 3, 4]);
    }
}
