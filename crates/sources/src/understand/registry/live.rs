//! The registry of a host that runs, in the form of a hive: what was asked once is remembered, since each question is a round
//! over the network.

use std::cell::RefCell;
use std::collections::HashMap;

use hvm_formats::regf::{RegValue, RegValueKind};

use crate::reach::keys::{KeyError, Keys};

/// The part of a registry that is a hive in files.
pub(super) struct LiveHive {
    keys: Box<dyn Keys>,
    /// `SYSTEM` or `SOFTWARE`.
    name: String,
    /// By paths in upper case.
    known: RefCell<HashMap<String, Known>>,
}

/// What was asked of a key.
#[derive(Debug, Clone, Default)]
struct Known {
    subkeys: Option<Result<Vec<String>, KeyError>>,
    values: Option<Result<Vec<(String, RegValueKind)>, KeyError>>,
    data: HashMap<String, Result<Vec<u8>, KeyError>>,
}

/// A key of it.
#[derive(Clone)]
pub(super) struct LiveKey<'h> {
    hive: &'h LiveHive,
    name: String,
    /// From the root of the hive, as `\CurrentControlSet\Control`.
    path: String,
}

impl LiveHive {
    pub(super) fn new(keys: Box<dyn Keys>, name: &str) -> LiveHive {
        LiveHive { keys, name: name.to_owned(), known: RefCell::default() }
    }

    pub(super) fn place(&self) -> &str {
        self.keys.place()
    }

    /// The key, when it is there.
    pub(super) fn key(&self, path: &str) -> Result<Option<LiveKey<'_>>, String> {
        let path = format!("\\{}", path.trim_matches('\\'));
        let name = path.rsplit('\\').next().unwrap_or_default().to_owned();
        let key = LiveKey { hive: self, name, path };
        match key.listed() {
            Ok(_) => Ok(Some(key)),
            Err(KeyError::Missing) => Ok(None),
            Err(KeyError::Unreadable(reason)) => Err(reason),
        }
    }

    /// What `part` of what is known of a key says, asked for when it is not known.
    fn once<T: Clone>(
        &self,
        path: &str,
        part: impl Fn(&mut Known) -> &mut Option<Result<T, KeyError>>,
        ask: impl FnOnce(&str) -> Result<T, KeyError>,
    ) -> Result<T, KeyError> {
        let index = path.to_uppercase();
        if let Some(known) = part(self.known.borrow_mut().entry(index.clone()).or_default()) {
            return known.clone();
        }
        let answer = ask(&format!("{}{path}", self.name));
        *part(self.known.borrow_mut().entry(index).or_default()) = Some(answer.clone());
        answer
    }
}

impl<'h> LiveKey<'h> {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The keys below; one error when they cannot be listed.
    pub(super) fn subkeys(&self) -> Vec<Result<LiveKey<'h>, String>> {
        let names = self.hive.once(&self.path, |known| &mut known.subkeys, |path| self.hive.keys.subkeys(path));
        match names {
            Ok(names) => names.into_iter().map(|name| Ok(self.below(name))).collect(),
            Err(KeyError::Missing) => Vec::new(),
            Err(KeyError::Unreadable(reason)) => vec![Err(reason)],
        }
    }

    pub(super) fn subkey(&self, name: &str) -> Result<Option<LiveKey<'h>>, String> {
        let key = self.below(name.to_owned());
        match key.listed() {
            Ok(_) => Ok(Some(key)),
            Err(KeyError::Missing) => Ok(None),
            Err(KeyError::Unreadable(reason)) => Err(reason),
        }
    }

    pub(super) fn values(&self) -> Vec<Result<RegValue<'h>, String>> {
        match self.listed() {
            Ok(values) => values.iter().map(|(name, kind)| self.read(name, *kind)).collect(),
            Err(KeyError::Missing) => Vec::new(),
            Err(KeyError::Unreadable(reason)) => vec![Err(reason)],
        }
    }

    pub(super) fn value(&self, name: &str) -> Result<Option<RegValue<'h>>, String> {
        let values = match self.listed() {
            Ok(values) => values,
            Err(KeyError::Missing) => return Ok(None),
            Err(KeyError::Unreadable(reason)) => return Err(reason),
        };
        let found = values.iter().find(|(known, _)| known.to_uppercase() == name.to_uppercase());
        found.map(|(name, kind)| self.read(name, *kind)).transpose()
    }

    fn below(&self, name: String) -> LiveKey<'h> {
        let path = format!("{}\\{name}", self.path.trim_end_matches('\\'));
        LiveKey { hive: self.hive, name, path }
    }

    fn listed(&self) -> Result<Vec<(String, RegValueKind)>, KeyError> {
        self.hive.once(&self.path, |known| &mut known.values, |path| self.hive.keys.values(path))
    }

    fn read(&self, name: &str, kind: RegValueKind) -> Result<RegValue<'h>, String> {
        let index = self.path.to_uppercase();
        let known = self.hive.known.borrow().get(&index).and_then(|known| known.data.get(name).cloned());
        let data = known.unwrap_or_else(|| {
            let data = self.hive.keys.data(&format!("{}{}", self.hive.name, self.path), name, kind);
            self.hive.known.borrow_mut().entry(index).or_default().data.insert(name.to_owned(), data.clone());
            data
        });
        match data {
            Ok(data) => Ok(RegValue::of((self.hive.place(), &self.path), name, kind, data)),
            // Somebody took it away since it was listed.
            Err(KeyError::Missing) => {
                Err(format!("'HKLM\\{}{}: {name}' was listed and then not there.", self.hive.name, self.path))
            }
            Err(KeyError::Unreadable(reason)) => Err(reason),
        }
    }
}
