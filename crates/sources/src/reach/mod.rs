//! How the bytes of a source come: a read-only tree addressed by Windows paths. No method that writes exists, so nothing
//! above can change a source. [`walk`] follows paths and links for every reach; a reach lists folders and opens files.

pub(crate) mod answers;
mod checksums;
pub(crate) mod collected;
pub(crate) mod drives;
mod export;
mod folder;
pub(crate) mod image;
pub(crate) mod keys;
mod link;
mod listing;
pub(crate) mod running;
pub(crate) mod smb;
pub(crate) mod variables;
pub(crate) mod volumes;
mod walk;

use hvm_formats::io::SharedFile;
use hvm_model::found::{Problem, Unknown};
use hvm_model::names::WindowsPath;

use crate::error::{ReachError, SourceError};

pub use export::ExportTree;
pub use folder::FolderTree;
pub use image::ImageTree;

/// A tree of files under Windows names: compared without regard to case, `..` never above the drive, links followed only
/// inside the source.
pub trait ReadOnlyTree: Send + Sync {
    /// The entries of a folder, by name.
    fn read_dir(&self, path: &WindowsPath) -> Result<Vec<Entry>, ReachError>;
    /// What the path leads to, links followed.
    fn metadata(&self, path: &WindowsPath) -> Result<Metadata, ReachError>;
    /// A file, links followed.
    fn open(&self, path: &WindowsPath) -> Result<SharedFile, ReachError>;
    /// True when the path leads to something.
    fn exists(&self, path: &WindowsPath) -> bool {
        self.metadata(path).is_ok()
    }
    /// Drive letters and what stands for them, for messages.
    fn drives(&self) -> Vec<(char, String)>;
    /// What the operator adds to the URI for a drive that has no place in it.
    fn how_to_map(&self, letter: char) -> String {
        format!("'{}=/path'", letter.to_ascii_lowercase())
    }
    /// How it is read, where there is more than one way.
    fn way(&self) -> Option<String> {
        None
    }
    /// What could not be read of it as a whole, or may not be as it should.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
    /// What it holds beside what is read, where that is no fault.
    fn unknowns(&self) -> Vec<Unknown> {
        Vec::new()
    }
    /// Why what holds it cannot be asked any more: what was not answered since would look as if it were not there.
    fn lost(&self) -> Option<SourceError> {
        None
    }
    /// Forgets what was remembered of folders, so that later questions see the source as it is then.
    fn refresh(&self);
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name as spelt on the source.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link with the text that it holds.
    Link {
        /// Where it says that it leads.
        target: String,
    },
    /// A device, pipe or socket: never opened.
    Other,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// File or folder (never a link).
    pub kind: EntryKind,
    /// Length in bytes, 0 for folders.
    pub size: u64,
    /// Modification time, nanoseconds since 1970-01-01 UTC.
    pub modified: i128,
    /// The path after all links, spelt as on the source.
    pub real_path: WindowsPath,
}
