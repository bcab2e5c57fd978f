//! Values together with where they were read, and pieces that could not be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::Subject;

/// Where something was read: the file as the operator knows it, and the place in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Path of the file on the source, as Windows names it where it has such a name.
    pub file: String,
    /// Registry key and value, XML path with line, or byte offset in the file; empty for the file as a whole.
    pub at: String,
}

impl Place {
    /// A place in a file.
    pub fn new(file: impl Into<String>, at: impl Into<String>) -> Self {
        Place { file: file.into(), at: at.into() }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.at.is_empty() { f.write_str(&self.file) } else { write!(f, "{}: {}", self.file, self.at) }
    }
}

/// How a setting is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "known", rename_all = "kebab-case")]
pub enum Found<T> {
    /// Read as such from the source.
    Read {
        /// The value.
        value: T,
        /// Where it was read.
        place: Place,
    },
    /// Not written on the source because it was never changed; the documented default applies.
    Default {
        /// The documented default.
        value: T,
        /// Where a changed value would have been, and where the default is documented.
        reason: String,
    },
    /// Concluded from other things that were read; the operator should confirm it.
    Inferred {
        /// The conclusion.
        value: T,
        /// From what it was concluded.
        reason: String,
        /// The main place that it rests on.
        place: Place,
    },
    /// This way of reading the source cannot know it.
    Unknown {
        /// Why not, and what would tell.
        reason: String,
    },
}

impl<T> Found<T> {
    /// Read from `file` at `at`.
    pub fn read(value: T, file: impl Into<String>, at: impl Into<String>) -> Self {
        Found::Read { value, place: Place::new(file, at) }
    }

    /// Unknown for a reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Found::Unknown { reason: reason.into() }
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Found::Read { value, .. } | Found::Default { value, .. } | Found::Inferred { value, .. } => Some(value),
            Found::Unknown { .. } => None,
        }
    }

    /// The value only if it was really written on the source (read or concluded), not a default.
    pub fn written(&self) -> Option<&T> {
        match self {
            Found::Read { value, .. } | Found::Inferred { value, .. } => Some(value),
            Found::Default { .. } | Found::Unknown { .. } => None,
        }
    }

    /// Where it was read, if it was.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Found::Read { place, .. } | Found::Inferred { place, .. } => Some(place),
            Found::Default { .. } | Found::Unknown { .. } => None,
        }
    }
}

/// A piece of the source that could not be read. The inventory goes on; a plan for what it touches is blocked until the
/// operator accepts the problem by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Stable kind, `subject.condition`, such as `disk.unreadable` or `machine.duplicate-id`.
    pub kind: String,
    /// What it concerns.
    pub subject: Subject,
    /// A whole sentence: what, where (file and offset), expected and found.
    pub message: String,
    /// Where it was met.
    pub place: Place,
    /// What to do next.
    pub hint: String,
}

/// [`Unknown::item`] where it is not known which virtual networks the host has, so that their list is empty for that reason.
pub const VIRTUAL_NETWORKS: &str = "Virtual networks";

/// Something of the guide's tables that this reach cannot know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unknown {
    /// What is not known, e.g. `WMI namespace rights` or [`VIRTUAL_NETWORKS`].
    pub item: String,
    /// Why not.
    pub reason: String,
    /// What would tell: a command, or a person's look.
    pub how_to_learn: String,
}
