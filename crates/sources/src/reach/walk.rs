//! Follows a Windows path through the volumes of a source: each component is looked up by itself and each link is followed
//! here and not by any system, so that no path ever leaves what belongs to the source.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use hvm_model::names::WindowsPath;

use super::link::{self, Target};
use super::listing::{Item, Kind, Listing, Lookup, MAX_ENTRIES};
use super::{Entry, EntryKind, Metadata};
use crate::error::ReachError;

/// Most links on the way to one file; the bound of Linux itself.
const MAX_LINKS: usize = 40;

/// Volumes whose folders can be listed.
pub(super) trait Volumes {
    /// A folder or file.
    type Node: Clone;
    /// What a name in a folder stands for.
    type Id;
    /// The root of a drive.
    fn root(&self, letter: char) -> Option<Self::Node>;
    /// What the operator adds to the URI for a drive that has none.
    fn how_to_map(&self, letter: char) -> String;
    /// What is said of a drive that has no root.
    fn not_mapped(&self, path: &WindowsPath, letter: char) -> ReachError {
        ReachError::NotMapped { path: path.to_string(), letter, how: self.how_to_map(letter) }
    }
    /// The root of the volume with a GUID, which is in small letters.
    fn volume(&self, _guid: &str) -> Option<(Head, Self::Node)> {
        None
    }
    /// What is in a folder.
    fn listing(&self, folder: &Self::Node) -> io::Result<Arc<Listing<Self::Id>>>;
    /// One of the names in a folder.
    fn child(&self, folder: &Self::Node, item: &Item<Self::Id>) -> Self::Node;
    /// Where a link says that it leads.
    fn link_text(&self, folder: &Self::Node, item: &Item<Self::Id>) -> io::Result<String>;
    /// The drive and the names of a path of this computer that a link in a folder holds, when it belongs to the source.
    fn local(&self, folder: &Self::Node, target: &str) -> Option<(char, Vec<String>)>;
}

/// What a path begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Head {
    /// The letter of a drive.
    Drive(char),
    /// The GUID of a volume without a letter, in small letters.
    Volume(String),
}

/// Where a path leads.
#[derive(Debug, Clone)]
pub(super) struct Place<N> {
    head: Head,
    /// The root of the drive, and a folder or file for each name.
    nodes: Vec<N>,
    names: Vec<String>,
    /// What is there.
    pub(super) kind: Kind,
}

impl<N> Place<N> {
    fn root(head: Head, root: N) -> Place<N> {
        Place { head, nodes: vec![root], names: Vec::new(), kind: Kind::Folder }
    }

    /// The root of its volume.
    fn top(mut self) -> Place<N> {
        self.nodes.truncate(1);
        self.names.clear();
        Place { kind: Kind::Folder, ..self }
    }

    /// What the path leads to.
    pub(super) fn node(&self) -> &N {
        self.nodes.last().expect("a place begins with a root, which is never taken off")
    }

    /// The path, spelt as on the source.
    pub(super) fn windows(&self) -> WindowsPath {
        let names = self.names.join("\\");
        match &self.head {
            Head::Drive(letter) => WindowsPath::new(&format!("{letter}:\\{names}")),
            Head::Volume(guid) => WindowsPath::new(&format!("Volume{{{guid}}}\\{names}")),
        }
    }

    /// The kind for those who look.
    pub(super) fn entry_kind(&self) -> EntryKind {
        entry_kind(self.kind)
    }

    fn up(&mut self) {
        if self.names.pop().is_some() {
            self.nodes.pop();
        }
        self.kind = Kind::Folder;
    }
}

fn entry_kind(kind: Kind) -> EntryKind {
    match kind {
        Kind::File => EntryKind::File,
        Kind::Folder => EntryKind::Folder,
        Kind::Link | Kind::Other => EntryKind::Other,
    }
}

/// What is told of a path: `told` gives the size in bytes and the time of what it leads to.
pub(super) fn metadata<V: Volumes>(
    volumes: &V,
    path: &WindowsPath,
    told: impl FnOnce(&V::Node) -> (u64, i128),
) -> Result<Metadata, ReachError> {
    let at = walk(volumes, path)?;
    let (size, modified) = told(at.node());
    let size = if at.kind == Kind::File { size } else { 0 };
    Ok(Metadata { kind: at.entry_kind(), size, modified, real_path: at.windows() })
}

/// Follows a path to its end.
pub(super) fn walk<V: Volumes>(volumes: &V, path: &WindowsPath) -> Result<Place<V::Node>, ReachError> {
    let (mut at, tail) = match (path.drive(), link::on_volume(path), link::server(path)) {
        (Some(letter), ..) => (start(volumes, path, letter)?, path.components().collect::<Vec<_>>().join("\\")),
        (None, Some((guid, below)), _) => (mounted(volumes, path, &guid)?, below),
        (None, None, Some(target)) => return Err(ReachError::OtherServer { path: path.to_string(), target }),
        (None, None, None) => return Err(ReachError::NoDrive { path: path.to_string() }),
    };
    // Windows removes `..` from a path before it looks at the disk.
    let plain = WindowsPath::new("X:\\").join(tail.trim_start_matches('\\'));
    let mut rest: VecDeque<String> = plain.components().map(str::to_owned).collect();
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.up();
            continue;
        }
        if at.kind != Kind::Folder {
            let path = at.windows().to_string();
            return Err(ReachError::WrongKind { path, expected: "a folder", found: "a file" });
        }
        let listing = listing(volumes, &at)?;
        let item = step(&listing, path, (&at.windows(), name.as_str()))?;
        if item.kind == Kind::Link {
            links += 1;
            if links > MAX_LINKS {
                return Err(ReachError::LinkLoop { path: path.to_string(), limit: MAX_LINKS });
            }
            at = follow(volumes, path, (at, item), &mut rest)?;
        } else {
            at.nodes.push(volumes.child(at.node(), item));
            at.kind = item.kind;
            at.names.push(item.name.clone());
        }
    }
    Ok(at)
}

/// The entries of a folder, by name.
pub(super) fn read_dir<V: Volumes>(volumes: &V, path: &WindowsPath) -> Result<Vec<Entry>, ReachError> {
    let at = walk(volumes, path)?;
    if at.kind != Kind::Folder {
        let path = path.to_string();
        return Err(ReachError::WrongKind { path, expected: "a folder", found: "a file" });
    }
    let listing = listing(volumes, &at)?;
    let entry = |item: &Item<V::Id>| {
        let kind = match item.kind {
            Kind::Link => EntryKind::Link { target: volumes.link_text(at.node(), item).unwrap_or_default() },
            other => entry_kind(other),
        };
        Entry { name: item.name.clone(), kind }
    };
    Ok(listing.items().iter().map(entry).collect())
}

/// The file that a path leads to.
pub(super) fn file<V: Volumes>(volumes: &V, path: &WindowsPath) -> Result<Place<V::Node>, ReachError> {
    let at = walk(volumes, path)?;
    // A pipe would block the program for ever, so only plain files are opened.
    let found = match at.kind {
        Kind::File => return Ok(at),
        Kind::Folder => "a folder",
        Kind::Link | Kind::Other => "a device, pipe or socket",
    };
    Err(ReachError::WrongKind { path: path.to_string(), expected: "a file", found })
}

fn start<V: Volumes>(volumes: &V, path: &WindowsPath, letter: char) -> Result<Place<V::Node>, ReachError> {
    let root = volumes.root(letter).map(|root| Place::root(Head::Drive(letter), root));
    root.ok_or_else(|| volumes.not_mapped(path, letter))
}

fn mounted<V: Volumes>(volumes: &V, path: &WindowsPath, guid: &str) -> Result<Place<V::Node>, ReachError> {
    let root = volumes.volume(guid).map(|(head, root)| Place::root(head, root));
    root.ok_or_else(|| ReachError::NoVolume { path: path.to_string(), guid: guid.to_owned() })
}

fn listing<V: Volumes>(volumes: &V, at: &Place<V::Node>) -> Result<Arc<Listing<V::Id>>, ReachError> {
    volumes.listing(at.node()).map_err(|source| match source.kind() {
        io::ErrorKind::FileTooLarge => ReachError::TooMany { path: at.windows().to_string(), limit: MAX_ENTRIES },
        _ => ReachError::Io { path: at.windows().to_string(), source },
    })
}

fn step<'l, I>(
    listing: &'l Listing<I>,
    path: &WindowsPath,
    (folder, name): (&WindowsPath, &str),
) -> Result<&'l Item<I>, ReachError> {
    match listing.find(name) {
        Lookup::One(item) => Ok(item),
        Lookup::None => {
            Err(ReachError::NotFound { path: path.to_string(), component: name.to_owned(), folder: folder.to_string() })
        }
        Lookup::Two(first, second) => Err(ReachError::Ambiguous {
            path: path.to_string(),
            folder: folder.to_string(),
            first: first.name.clone(),
            second: second.name.clone(),
        }),
    }
}

/// Puts the components of the link's target before the rest and says where to go on.
fn follow<V: Volumes>(
    volumes: &V,
    path: &WindowsPath,
    (at, item): (Place<V::Node>, &Item<V::Id>),
    rest: &mut VecDeque<String>,
) -> Result<Place<V::Node>, ReachError> {
    let link = at.windows().join(&item.name);
    let text =
        volumes.link_text(at.node(), item).map_err(|source| ReachError::Io { path: link.to_string(), source })?;
    let (begin, names) = match link::read(&text) {
        Target::Absolute(target) => {
            let letter = target.drive().ok_or_else(|| ReachError::NoDrive { path: text.clone() })?;
            (start(volumes, path, letter)?, target.components().map(str::to_owned).collect())
        }
        Target::Relative(target) => {
            let names: Vec<String> = WindowsPath::new(&target).components().map(str::to_owned).collect();
            (if target.starts_with('\\') { at.top() } else { at }, names)
        }
        Target::Volume(guid, names) => (mounted(volumes, path, &guid)?, names),
        Target::Server(target) => return Err(ReachError::OtherServer { path: link.to_string(), target }),
        Target::Local(target) => {
            let (letter, names) = volumes.local(at.node(), &target).ok_or_else(|| ReachError::LinkOutside {
                path: path.to_string(),
                link: link.to_string(),
                target: text.clone(),
            })?;
            (start(volumes, path, letter)?, names)
        }
    };
    for name in names.into_iter().rev() {
        rest.push_front(name);
    }
    Ok(begin)
}
