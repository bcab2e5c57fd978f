//! A tree of folders on this computer that stand for drives: mounted volumes, or copies of them. Each component is looked
//! up by itself and each link is followed here and not by the system, so that no path ever leaves the mapped folders.

use std::collections::VecDeque;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::names::WindowsPath;

use super::drives::DriveMap;
use super::link::{self, Target};
use super::listing::{Item, Kind, Listing, Listings, Lookup, MAX_ENTRIES};
use super::{Entry, EntryKind, Metadata, ReadOnlyTree};
use crate::error::ReachError;

/// Most links on the way to one file; the bound of Linux itself.
const MAX_LINKS: usize = 40;

/// Folders that stand for drives.
#[derive(Debug)]
pub struct FolderTree {
    drives: DriveMap,
    listings: Listings,
}

/// Where a walk along a path is.
#[derive(Debug, Clone)]
struct Position {
    letter: char,
    real: PathBuf,
    names: Vec<String>,
    kind: Kind,
}

impl Position {
    fn windows(&self) -> WindowsPath {
        WindowsPath::new(&format!("{}:\\{}", self.letter, self.names.join("\\")))
    }
}

impl FolderTree {
    /// A tree over folders whose paths are canonical.
    pub(crate) fn new(drives: DriveMap) -> FolderTree {
        FolderTree { drives, listings: Listings::default() }
    }

    fn start(&self, path: &WindowsPath, letter: char) -> Result<Position, ReachError> {
        let not_mapped = || ReachError::NotMapped { path: path.to_string(), letter };
        let real = self.drives.get(&letter).ok_or_else(not_mapped)?.clone();
        Ok(Position { letter, real, names: Vec::new(), kind: Kind::Folder })
    }

    fn listing(&self, at: &Position) -> Result<Arc<Listing>, ReachError> {
        self.listings.of(&at.real).map_err(|source| match source.kind() {
            std::io::ErrorKind::FileTooLarge => {
                ReachError::TooMany { path: at.windows().to_string(), limit: MAX_ENTRIES }
            }
            _ => ReachError::Io { path: at.windows().to_string(), source },
        })
    }

    fn walk(&self, path: &WindowsPath) -> Result<Position, ReachError> {
        let letter = path.drive().ok_or_else(|| ReachError::NoDrive { path: path.to_string() })?;
        let mut at = self.start(path, letter)?;
        // Windows removes `..` from a path before it looks at the disk.
        let plain = WindowsPath::new(&format!("{letter}:\\")).join(&plain_tail(path));
        let mut rest: VecDeque<String> = plain.components().map(str::to_owned).collect();
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                if at.names.pop().is_some() {
                    at.real.pop();
                }
                at.kind = Kind::Folder;
                continue;
            }
            if at.kind != Kind::Folder {
                let path = at.windows().to_string();
                return Err(ReachError::WrongKind { path, expected: "a folder", found: "a file" });
            }
            let item = self.step(path, &at, &name)?;
            if item.kind == Kind::Link {
                links += 1;
                if links > MAX_LINKS {
                    return Err(ReachError::LinkLoop { path: path.to_string(), limit: MAX_LINKS });
                }
                at = self.follow(path, at, &item, &mut rest)?;
            } else {
                at.real.push(&item.os_name);
                at.kind = item.kind;
                at.names.push(item.name);
            }
        }
        Ok(at)
    }

    fn step(&self, path: &WindowsPath, at: &Position, name: &str) -> Result<Item, ReachError> {
        let listing = self.listing(at)?;
        match listing.find(name) {
            Lookup::One(item) => Ok(item.clone()),
            Lookup::None => Err(ReachError::NotFound {
                path: path.to_string(),
                component: name.to_owned(),
                folder: at.windows().to_string(),
            }),
            Lookup::Two(first, second) => Err(ReachError::Ambiguous {
                path: path.to_string(),
                folder: at.windows().to_string(),
                first: first.name.clone(),
                second: second.name.clone(),
            }),
        }
    }

    /// Puts the components of the link's target before the rest and says where to go on.
    fn follow(
        &self,
        path: &WindowsPath,
        at: Position,
        item: &Item,
        rest: &mut VecDeque<String>,
    ) -> Result<Position, ReachError> {
        let link_path = at.windows().join(&item.name);
        let text = self.link_text(&at, item)?;
        let (start, names) = match link::read(&text) {
            Target::Absolute(target) => {
                let letter = target.drive().ok_or_else(|| ReachError::NoDrive { path: text.clone() })?;
                (self.start(path, letter)?, target.components().map(str::to_owned).collect())
            }
            Target::Relative(target) => {
                let names: Vec<String> = WindowsPath::new(&target).components().map(str::to_owned).collect();
                (if target.starts_with('\\') { self.start(path, at.letter)? } else { at }, names)
            }
            Target::Local(target) => self.local(&at.real.join(&target)).ok_or_else(|| ReachError::LinkOutside {
                path: path.to_string(),
                link: link_path.to_string(),
                target: text.clone(),
            })?,
        };
        for name in names.into_iter().rev() {
            rest.push_front(name);
        }
        Ok(start)
    }

    fn link_text(&self, at: &Position, item: &Item) -> Result<String, ReachError> {
        let real = at.real.join(&item.os_name);
        let text = std::fs::read_link(&real)
            .map_err(|source| ReachError::Io { path: at.windows().join(&item.name).to_string(), source })?;
        Ok(text.to_string_lossy().into_owned())
    }

    /// The drive and names of a path of this computer, when it lies in a mapped folder (the innermost one).
    fn local(&self, path: &Path) -> Option<(Position, Vec<String>)> {
        let mut plain = PathBuf::new();
        for component in path.components() {
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
            let start = Position { letter: *letter, real: root.clone(), names: Vec::new(), kind: Kind::Folder };
            Some((root.components().count(), (start, names)))
        };
        self.drives.iter().filter_map(inside).max_by_key(|(depth, _)| *depth).map(|(_, found)| found)
    }

    fn file_kind(kind: Kind) -> EntryKind {
        match kind {
            Kind::File => EntryKind::File,
            Kind::Folder => EntryKind::Folder,
            Kind::Link | Kind::Other => EntryKind::Other,
        }
    }
}

fn plain_tail(path: &WindowsPath) -> String {
    path.components().collect::<Vec<_>>().join("\\")
}

impl ReadOnlyTree for FolderTree {
    fn read_dir(&self, path: &WindowsPath) -> Result<Vec<Entry>, ReachError> {
        let at = self.walk(path)?;
        if at.kind != Kind::Folder {
            let path = path.to_string();
            return Err(ReachError::WrongKind { path, expected: "a folder", found: "a file" });
        }
        let listing = self.listing(&at)?;
        let entry = |item: &Item| {
            let kind = match item.kind {
                Kind::Link => EntryKind::Link { target: self.link_text(&at, item).unwrap_or_default() },
                other => FolderTree::file_kind(other),
            };
            Entry { name: item.name.clone(), kind }
        };
        Ok(listing.items().iter().map(entry).collect())
    }

    fn metadata(&self, path: &WindowsPath) -> Result<Metadata, ReachError> {
        let at = self.walk(path)?;
        let error = |source| ReachError::Io { path: path.to_string(), source };
        let metadata = std::fs::symlink_metadata(&at.real).map_err(error)?;
        let modified = metadata.modified().map_err(error)?;
        let nanoseconds = match modified.duration_since(UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => i128::try_from(before.duration().as_nanos()).map_or(i128::MIN, |nanos| -nanos),
        };
        let size = if at.kind == Kind::Folder { 0 } else { metadata.len() };
        let kind = FolderTree::file_kind(at.kind);
        Ok(Metadata { kind, size, modified: nanoseconds, real_path: at.windows() })
    }

    fn open(&self, path: &WindowsPath) -> Result<SharedFile, ReachError> {
        let at = self.walk(path)?;
        // A pipe would block the program for ever, so only plain files are opened.
        let found = match at.kind {
            Kind::File => None,
            Kind::Folder => Some("a folder"),
            Kind::Link | Kind::Other => Some("a device, pipe or socket"),
        };
        if let Some(found) = found {
            return Err(ReachError::WrongKind { path: path.to_string(), expected: "a file", found });
        }
        let file = LocalFile::open(&at.real, at.windows().as_str())
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
