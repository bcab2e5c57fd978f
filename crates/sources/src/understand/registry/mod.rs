//! A hive as its readers want it, out of a file or of a host that runs: a look-up gives a value, or says that it is not there, or
//! why it cannot be known. What is damaged becomes one problem a hive; the rest of the hive is still read.

mod live;

use std::cell::RefCell;
use std::collections::BTreeMap;

use hvm_formats::regf::{Hive, HiveState, Key, RegValue, RegValueKind, RegfError, current_control_set};
use hvm_model::finding::Subject;
use hvm_model::found::{Found, Place, Problem};
use hvm_model::names::WindowsPath;

use self::live::{LiveHive, LiveKey};
use crate::error::MAY_NOT_READ;
use crate::layout::{Absence, NoHive};
use crate::reach::keys::Keys;

/// Most pieces of damage that a problem lists.
const MAX_TOLD: usize = 5;
/// Longest text of a raw value that is kept, characters.
const MAX_RAW: usize = 4096;

/// The answer to a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Looked<T> {
    /// It is there.
    Here(T, Place),
    /// The key was read and it is not there.
    Absent(Place),
    /// It cannot be known, for this reason.
    Unreadable(String),
}

impl<T> Looked<T> {
    pub(crate) fn into_value(self) -> Option<T> {
        match self {
            Looked::Here(value, _) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Looked<U> {
        match self {
            Looked::Here(value, place) => Looked::Here(change(value), place),
            Looked::Absent(place) => Looked::Absent(place),
            Looked::Unreadable(reason) => Looked::Unreadable(reason),
        }
    }

    /// Unknown when it is not there.
    pub(crate) fn found(self) -> Found<T> {
        match self {
            Looked::Here(value, place) => Found::Read { value, place },
            Looked::Absent(place) => Found::unknown(format!("There is no value '{}' in {}.", place.at, place.file)),
            Looked::Unreadable(reason) => Found::Unknown { reason },
        }
    }

    /// The documented default when it is not there.
    pub(crate) fn or_default(self, default: T, documented: &str) -> Found<T> {
        match self {
            Looked::Absent(place) => {
                let reason = format!("There is no value '{}' in {}: {documented}", place.at, place.file);
                Found::Default { value: default, reason }
            }
            other => other.found(),
        }
    }
}

/// What holds the keys.
enum Store {
    File(Box<Hive>),
    Live(LiveHive),
}

/// A hive, or the reason why there is none.
pub(crate) struct Registry {
    name: String,
    /// The file, or whose registry it is.
    file: String,
    hive: Result<Store, NoHive>,
    /// `ControlSet001` in a SYSTEM hive, else empty; or why it is not known.
    control_set: Result<String, String>,
    damage: RefCell<Vec<String>>,
    wrong: RefCell<Vec<(String, RegfError)>>,
}

impl Registry {
    pub(crate) fn new(name: &str, path: WindowsPath, hive: Result<Hive, NoHive>) -> Registry {
        let damage = RefCell::new(Vec::new());
        let control_set = match &hive {
            Ok(hive) if name.eq_ignore_ascii_case("SYSTEM") => match current_control_set(hive) {
                Ok(set) => Ok(set),
                Err(error) => {
                    damage.borrow_mut().push(error.to_string());
                    Err(error.to_string())
                }
            },
            Ok(_) => Ok(String::new()),
            Err(error) => Err(error.reason.clone()),
        };
        let hive = hive.map(|hive| Store::File(Box::new(hive)));
        let (name, file) = (name.to_owned(), path.to_string());
        Registry { name, file, hive, control_set, damage, wrong: RefCell::default() }
    }

    /// A hive of a host that runs, which has the current control set under a name of its own.
    pub(crate) fn live(name: &str, keys: Box<dyn Keys>) -> Registry {
        let hive = LiveHive::new(keys, name);
        let set = if name.eq_ignore_ascii_case("SYSTEM") { "CurrentControlSet" } else { "" };
        Registry {
            name: name.to_owned(),
            file: hive.place().to_owned(),
            hive: Ok(Store::Live(hive)),
            control_set: Ok(set.to_owned()),
            damage: RefCell::default(),
            wrong: RefCell::default(),
        }
    }

    /// False when a source of its kind has no hives, nor anything else of the host.
    pub(crate) fn should_be_here(&self) -> bool {
        !matches!(&self.hive, Err(NoHive { absence: Absence::NotHere, .. }))
    }

    /// Path of the hive file, or whose registry it is.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// A place in this hive; `key` starts at the root of the hive.
    fn place(&self, key: &str, value: Option<&str>) -> Place {
        let key = key.trim_start_matches('\\');
        let at = match value {
            Some(value) => format!("HKLM\\{}\\{key}: {value}", self.name),
            None => format!("HKLM\\{}\\{key}", self.name),
        };
        Place::new(self.file.as_str(), at)
    }

    /// A key; in a SYSTEM hive below the current control set.
    pub(crate) fn key(&self, path: &str) -> Looked<RegKey<'_>> {
        let hive = match &self.hive {
            Ok(hive) => hive,
            Err(error) => return Looked::Unreadable(error.reason.clone()),
        };
        let full = match &self.control_set {
            Ok(set) if set.is_empty() => path.to_owned(),
            Ok(set) => format!("{set}\\{path}"),
            Err(reason) => return Looked::Unreadable(reason.clone()),
        };
        let place = self.place(&full, None);
        let key = match hive {
            Store::File(hive) => hive.key(&full).map(|key| key.map(Node::File)).map_err(|error| error.to_string()),
            Store::Live(hive) => hive.key(&full).map(|key| key.map(Node::Live)),
        };
        match key {
            Ok(Some(key)) => Looked::Here(RegKey { registry: self, key }, place),
            Ok(None) => Looked::Absent(place),
            Err(error) => self.damaged(error),
        }
    }

    /// The key, when it is there and can be read.
    pub(crate) fn existing(&self, path: &str) -> Option<RegKey<'_>> {
        self.key(path).into_value()
    }

    pub(crate) fn text(&self, path: &str, value: &str) -> Looked<String> {
        self.read(path, value, |value| value.as_string())
    }

    pub(crate) fn dword(&self, path: &str, value: &str) -> Looked<u32> {
        self.read(path, value, |value| value.as_dword())
    }

    pub(crate) fn multi(&self, path: &str, value: &str) -> Looked<Vec<String>> {
        self.read(path, value, |value| value.as_multi_string())
    }

    pub(crate) fn binary(&self, path: &str, value: &str) -> Looked<Vec<u8>> {
        self.read(path, value, |value| value.as_binary().map(<[u8]>::to_vec))
    }

    fn read<T>(&self, path: &str, value: &str, get: fn(&RegValue<'_>) -> Result<T, RegfError>) -> Looked<T> {
        match self.key(path) {
            Looked::Here(key, _) => key.read(value, get),
            Looked::Absent(place) => Looked::Absent(Place::new(place.file, format!("{}: {value}", place.at))),
            Looked::Unreadable(reason) => Looked::Unreadable(reason),
        }
    }

    fn damaged<T>(&self, reason: String) -> Looked<T> {
        let mut damage = self.damage.borrow_mut();
        if !damage.contains(&reason) {
            damage.push(reason.clone());
        }
        Looked::Unreadable(reason)
    }

    fn wrong_type<T>(&self, value: &str, error: RegfError) -> Looked<T> {
        let reason = error.to_string();
        let mut wrong = self.wrong.borrow_mut();
        if !wrong.iter().any(|(_, known)| *known == error) {
            wrong.push((value.to_owned(), error));
        }
        Looked::Unreadable(reason)
    }

    /// What was met while reading this hive; asked for when everything has been read.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let file = self.file.clone();
        let problem = |kind: &str, message: String, hint: &str| Problem {
            kind: kind.to_owned(),
            subject: Subject::File { path: file.clone() },
            message,
            place: Place::new(file.clone(), ""),
            hint: hint.to_owned(),
        };
        let hive = match &self.hive {
            Ok(hive) => hive,
            Err(NoHive { absence: Absence::NotHere, .. }) => return Vec::new(),
            Err(NoHive { absence: Absence::Missing, reason }) => {
                let hint = "Copy the folder Windows\\System32\\config of the system volume into the source.";
                return vec![problem("hive.missing", reason.clone(), hint)];
            }
            Err(NoHive { absence: Absence::InUse, reason }) => {
                return vec![problem("hive.in-use", reason.clone(), RUNS)];
            }
            Err(NoHive { absence: Absence::Denied, reason }) => {
                return vec![problem("hive.unreadable", reason.clone(), MAY_NOT_READ)];
            }
            Err(NoHive { absence: Absence::Damaged, reason }) => {
                return vec![problem("hive.damaged", reason.clone(), COPY_AGAIN)];
            }
        };
        let mut problems = Vec::new();
        let mut told: Vec<String> = Vec::new();
        let (kind, next) = match hive {
            Store::File(hive) => {
                let mut remarks = hive.remarks();
                if *hive.state() != HiveState::Clean {
                    let (state, rest) = remarks.split_at(remarks.len().min(1));
                    remarks = rest;
                    if *hive.state() == HiveState::Stale {
                        problems.push(problem("hive.stale", state.concat(), COPY_AGAIN));
                    }
                }
                told.extend(remarks.iter().take(MAX_TOLD).cloned());
                ("hive.damaged", COPY_AGAIN)
            }
            Store::Live(_) => ("registry.unreadable", ASK_AGAIN),
        };
        let damage = self.damage.borrow();
        told.extend(damage.iter().take(MAX_TOLD).cloned());
        if damage.len() > MAX_TOLD {
            told.push(format!("{} more pieces could not be read.", damage.len() - MAX_TOLD));
        }
        if !told.is_empty() {
            problems.push(problem(kind, told.join(" "), next));
        }
        for (value, error) in self.wrong.borrow().iter() {
            let hint = "Look the value up on the source host and set it on the destination by hand.";
            let subject = Subject::Setting { name: value.clone() };
            problems.push(Problem { subject, ..problem("setting.unreadable", error.to_string(), hint) });
        }
        problems
    }
}

const RUNS: &str = "A Windows that runs keeps its registry for itself: ask it with 'winrm://HOST?user=USER', or take what is needed \
                    with collect.cmd, or make a shadow copy of its volumes (vssadmin create shadow /for=C:) and add \
                    'snapshot=latest' to the URI of its shares, or shut it down and read its disks.";
const COPY_AGAIN: &str = "Copy the hive and its .LOG files again from the source host (shut down, or from a shadow copy); \
                          else look up on the host what the inventory calls unknown.";

const ASK_AGAIN: &str = "Read the source as a user who is a member of Administrators there; else look up on the host what the \
                         inventory calls unknown.";

/// A key as its store has it; reasons are whole sentences.
#[derive(Clone)]
enum Node<'h> {
    File(Key<'h>),
    Live(LiveKey<'h>),
}

impl<'h> Node<'h> {
    fn name(&self) -> &str {
        match self {
            Node::File(key) => key.name(),
            Node::Live(key) => key.name(),
        }
    }

    fn path(&self) -> &str {
        match self {
            Node::File(key) => key.path(),
            Node::Live(key) => key.path(),
        }
    }

    fn subkeys(&self) -> Vec<Result<Node<'h>, String>> {
        match self {
            Node::File(key) => {
                key.subkeys().map(|key| key.map(Node::File).map_err(|error| error.to_string())).collect()
            }
            Node::Live(key) => key.subkeys().into_iter().map(|key| key.map(Node::Live)).collect(),
        }
    }

    fn subkey(&self, name: &str) -> Result<Option<Node<'h>>, String> {
        match self {
            Node::File(key) => key.subkey(name).map(|key| key.map(Node::File)).map_err(|error| error.to_string()),
            Node::Live(key) => key.subkey(name).map(|key| key.map(Node::Live)),
        }
    }

    fn values(&self) -> Vec<Result<RegValue<'h>, String>> {
        match self {
            Node::File(key) => key.values().map(|value| value.map_err(|error| error.to_string())).collect(),
            Node::Live(key) => key.values(),
        }
    }

    fn value(&self, name: &str) -> Result<Option<RegValue<'h>>, String> {
        match self {
            Node::File(key) => key.value(name).map_err(|error| error.to_string()),
            Node::Live(key) => key.value(name),
        }
    }
}

/// A key of a hive.
#[derive(Clone)]
pub(crate) struct RegKey<'h> {
    registry: &'h Registry,
    key: Node<'h>,
}

impl<'h> RegKey<'h> {
    pub(crate) fn name(&self) -> &str {
        self.key.name()
    }

    pub(crate) fn place(&self) -> Place {
        self.registry.place(self.key.path(), None)
    }

    pub(crate) fn value_place(&self, value: &str) -> Place {
        self.registry.place(self.key.path(), Some(value))
    }

    /// The subkeys that can be read; what cannot is noted.
    pub(crate) fn subkeys(&self) -> Vec<RegKey<'h>> {
        let mut keys = Vec::new();
        for key in self.key.subkeys() {
            match key {
                Ok(key) => keys.push(RegKey { registry: self.registry, key }),
                Err(error) => drop(self.registry.damaged::<()>(error)),
            }
        }
        keys
    }

    /// The values that can be read; what cannot is noted.
    pub(crate) fn values(&self) -> Vec<RegValue<'h>> {
        let mut values = Vec::new();
        for value in self.key.values() {
            match value {
                Ok(value) => values.push(value),
                Err(error) => drop(self.registry.damaged::<()>(error)),
            }
        }
        values
    }

    /// A key below this one.
    pub(crate) fn below(&self, path: &str) -> Option<RegKey<'h>> {
        let mut key = self.key.clone();
        for name in path.split('\\').filter(|name| !name.is_empty()) {
            key = match key.subkey(name) {
                Ok(next) => next?,
                Err(error) => {
                    drop(self.registry.damaged::<()>(error));
                    return None;
                }
            };
        }
        Some(RegKey { registry: self.registry, key })
    }

    pub(crate) fn text(&self, value: &str) -> Looked<String> {
        self.read(value, |value| value.as_string())
    }

    pub(crate) fn dword(&self, value: &str) -> Looked<u32> {
        self.read(value, |value| value.as_dword())
    }

    pub(crate) fn multi(&self, value: &str) -> Looked<Vec<String>> {
        self.read(value, |value| value.as_multi_string())
    }

    pub(crate) fn read<T>(&self, name: &str, get: fn(&RegValue<'_>) -> Result<T, RegfError>) -> Looked<T> {
        match self.key.value(name) {
            Ok(Some(value)) => match get(&value) {
                Ok(found) => Looked::Here(found, self.value_place(name)),
                Err(error) => self.registry.wrong_type(name, error),
            },
            Ok(None) => Looked::Absent(self.value_place(name)),
            Err(error) => self.registry.damaged(error),
        }
    }

    /// All values that `known` does not name, as text.
    pub(crate) fn others(&self, known: &[&str]) -> BTreeMap<String, String> {
        let is_known = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        let values = self.values().into_iter().filter(|value| !is_known(value.name()));
        values.map(|value| (value.name().to_owned(), raw_text(&value))).collect()
    }
}

/// Any value as text, for keeping what is not understood.
pub(crate) fn raw_text(value: &RegValue<'_>) -> String {
    let text = match value.kind() {
        RegValueKind::Sz | RegValueKind::ExpandSz | RegValueKind::Link => value.as_string().ok(),
        RegValueKind::MultiSz => value.as_multi_string().ok().map(|texts| texts.join("; ")),
        RegValueKind::Dword | RegValueKind::DwordBigEndian => value.as_dword().ok().map(|number| number.to_string()),
        RegValueKind::Qword => value.as_qword().ok().map(|number| number.to_string()),
        _ => None,
    };
    let text = text.unwrap_or_else(|| {
        let bytes = value.data().iter().take(MAX_RAW / 2);
        format!("hex:{}", bytes.map(|byte| format!("{byte:02x}")).collect::<String>())
    });
    text.chars().take(MAX_RAW).collect()
}

/// Every text that the value may hold, for looking for GUIDs: its own, and its bytes as UTF-16.
pub(crate) fn searchable(value: &RegValue<'_>) -> String {
    let units: Vec<u16> = value.data().as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    String::from_utf16_lossy(&units).to_uppercase()
}
