//! A tree of folders on this computer that stand for drives: mounted volumes, or copies of them.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::names::WindowsPath;

use super::drives::DriveMap;
use super::listing::{Item, Kind, Listing, Listings, MAX_ENTRIES};
use super::walk::{self, Volumes};
use super::{Entry, Metadata, ReadOnlyTree};
use crate::error::ReachError;

/// Folders that stand for drives.
#[derive(Debug)]
pub struct FolderTree {
    drives: DriveMap,
    listings: Listings<PathBuf, OsString>,
}

impl FolderTree {
    /// A tree over folders whose paths are canonical.
    pub(crate) fn new(drives: DriveMap) -> FolderTree {
        FolderTree { drives, listings: Listings::default() }
    }
}

impl Volumes for FolderTree {
    type Node = PathBuf;
    type Id = OsString;

    fn root(&self, letter: char) -> Option<PathBuf> {
        self.drives.get(&letter).cloned()
    }

    fn how_to_map(&self, letter: char) -> String {
        format!("{}=/path", letter.to_ascii_lowercase())
    }

    fn listing(&self, folder: &PathBuf) -> io::Result<Arc<Listing<OsString>>> {
        self.listings.of(folder, || read(folder))
    }

    fn child(&self, folder: &PathBuf, item: &Item<OsString>) -> PathBuf {
        folder.join(&item.id)
    }

    fn link_text(&self, folder: &PathBuf, item: &Item<OsString>) -> io::Result<String> {
        Ok(std::fs::read_link(folder.join(&item.id))?.to_string_lossy().into_owned())
    }

    /// In the innermost folder that it lies in.
    fn local(&self, folder: &PathBuf, target: &str) -> Option<(char, Vec<String>)> {
        let mut plain = PathBuf::new();
        for component in folder.join(target).components() {
            match component {
                Component::ParentDir => {
                    plain.pop();
                }
                Component::CurDir => {}
                other => plain.push(other),
            }
        }
        let inside = |(letter, root): (&char, &PathBuf)| {
            let rest = plain.strip_prefix(root).ok()?;
            let names = rest.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
            Some((root.components().count(), (*letter, names)))
        };
        self.drives.iter().filter_map(inside).max_by_key(|(depth, _)| *depth).map(|(_, found)| found)
    }
}

fn read(folder: &Path) -> io::Result<Listing<OsString>> {
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
        let id = entry.file_name();
        items.push(Item { name: id.to_string_lossy().into_owned(), id, kind });
    }
    Ok(Listing::of(items, &[]))
}

impl ReadOnlyTree for FolderTree {
    fn read_dir(&self, path: &WindowsPath) -> Result<Vec<Entry>, ReachError> {
        walk::read_dir(self, path)
    }

    fn metadata(&self, path: &WindowsPath) -> Result<Metadata, ReachError> {
        let at = walk::walk(self, path)?;
        let error = |source| ReachError::Io { path: path.to_string(), source };
        let metadata = std::fs::symlink_metadata(at.node()).map_err(error)?;
        let modified = metadata.modified().map_err(error)?;
        let nanoseconds = match modified.duration_since(UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => i128::try_from(before.duration().as_nanos()).map_or(i128::MIN, |nanos| -nanos),
        };
        let size = if at.kind == Kind::Folder { 0 } else { metadata.len() };
        Ok(Metadata { kind: at.entry_kind(), size, modified: nanoseconds, real_path: at.windows() })
    }

    fn open(&self, path: &WindowsPath) -> Result<SharedFile, ReachError> {
        let at = walk::file(self, path)?;
        let file = LocalFile::open(at.node(), at.windows().as_str())
            .map_err(|source| ReachError::Io { path: path.to_string(), source })?;
        Ok(Arc::new(file))
    }

    fn drives(&self) -> Vec<(char, String)> {
        self.drives.iter().map(|(letter, path)| (*letter, path.display().to_string())).collect()
    }

    fn refresh(&self) {
        self.listings.forget();
    }
}
