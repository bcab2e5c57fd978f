//! A tree of folders on this computer that stand for drives: mounted volumes, or copies of them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use hvm_formats::guestfs::ntfs::{Reparse, ReparseKind};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::names::WindowsPath;

use super::drives::DriveMap;
use super::link;
use super::listing::{Item, Kind, Listing, Listings, MAX_ENTRIES};
use super::walk::{self, Head, Volumes};
use super::{Entry, Metadata, ReadOnlyTree};
use crate::error::ReachError;
use crate::layout::letters;

/// The extended attribute in which ntfs-3g has the data of a reparse point, as they lie on the volume.
#[cfg(target_os = "linux")]
const REPARSE_DATA: &str = "system.ntfs_reparse_data";
/// Most bytes of them; Windows allows as many.
#[cfg(target_os = "linux")]
const MAX_REPARSE: usize = 16 << 10;

/// Folders that stand for drives.
#[derive(Debug)]
pub struct FolderTree {
    drives: DriveMap,
    listings: Listings<PathBuf, Id>,
    /// Drives by the GUIDs of their volumes, once a junction to a volume was met.
    guids: OnceLock<BTreeMap<String, char>>,
}

/// What a name in a folder stands for.
#[derive(Debug, Clone)]
pub(crate) struct Id {
    /// Its name; the root of a drive where that is mounted in the folder.
    path: PathBuf,
    /// Where a reparse point of NTFS leads, as Windows reads it, or why that is not known; none for a link of this computer.
    leads: Option<Result<String, String>>,
}

impl FolderTree {
    /// A tree over folders whose paths are canonical.
    pub(crate) fn new(drives: DriveMap) -> FolderTree {
        FolderTree { drives, listings: Listings::default(), guids: OnceLock::new() }
    }

    fn read(&self, folder: &Path) -> io::Result<Listing<Id>> {
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
            let name = entry.file_name();
            let data = if kind == Kind::Link { reparse_data(&entry.path()) } else { None };
            let (kind, id) = match data {
                Some(data) => self.reparse_point(name.clone().into(), &data),
                None => (kind, Id { path: name.clone().into(), leads: None }),
            };
            items.push(Item { name: name.to_string_lossy().into_owned(), id, kind });
        }
        Ok(Listing::of(items, &[]))
    }

    /// What the mount shows as a link is what its data on the volume say.
    fn reparse_point(&self, path: PathBuf, data: &[u8]) -> (Kind, Id) {
        let leads = match Reparse::parse(data) {
            None => Err("its reparse point is damaged".to_owned()),
            Some(Reparse { kind: ReparseKind::Other, tag, .. }) => Err(not_shown(tag)),
            Some(Reparse { kind, target, .. }) => {
                let target = target.unwrap_or_default();
                if let Some((_, root)) = link::volume(&target).and_then(|guid| self.root_of(&guid)) {
                    return (Kind::Folder, Id { path: root, leads: None });
                }
                Ok(link::of_reparse(kind, &target))
            }
        };
        (Kind::Link, Id { path, leads: Some(leads) })
    }

    /// The root of the drive whose volume has this GUID.
    fn root_of(&self, guid: &str) -> Option<(char, PathBuf)> {
        let guids = self.guids.get_or_init(|| {
            // A tree of its own, since reading the hive must not ask for this again.
            let plain = FolderTree::new(self.drives.clone());
            plain.guids.get_or_init(BTreeMap::new);
            letters::guids(&plain)
        });
        let letter = *guids.get(guid)?;
        Some((letter, self.drives.get(&letter)?.clone()))
    }
}

/// Why the content of a reparse point is not known, and what would tell it. Tags by MS-FSCC 2.1.2.1.
fn not_shown(tag: u32) -> String {
    let what = format!("it is a reparse point with the tag 0x{tag:08X}, whose content the mount does not show");
    let filter = match tag {
        0x8000_0017 => "WOF, for files that Windows compressed (compact /exe)",
        0x8000_0013 => "deduplication",
        0x8000_0006 | 0xC000_0004 => "HSM",
        0x8000_0008 => "WIM",
        _ if tag & 0xFFFF_0FFF == 0x9000_001A => "a cloud store",
        _ => return format!("{what}; read the disk itself (image:)"),
    };
    format!(
        "{what}: a filter of Windows puts it together ({filter}), so that it cannot be read from the disk (image:) either; copy the \
         file with a Windows that has this filter, and put it in its place in a copy of the volume"
    )
}

/// The data of a reparse point of NTFS; none for a link of another file system.
#[cfg(target_os = "linux")]
fn reparse_data(path: &Path) -> Option<Vec<u8>> {
    let mut data = vec![0; MAX_REPARSE];
    let len = rustix::fs::lgetxattr(path, REPARSE_DATA, data.as_mut_slice()).ok()?;
    data.truncate(len);
    (len > 0).then_some(data)
}

#[cfg(not(target_os = "linux"))]
fn reparse_data(_: &Path) -> Option<Vec<u8>> {
    None
}

impl Volumes for FolderTree {
    type Node = PathBuf;
    type Id = Id;

    fn root(&self, letter: char) -> Option<PathBuf> {
        self.drives.get(&letter).cloned()
    }

    fn how_to_map(&self, letter: char) -> String {
        format!("{}=/path", letter.to_ascii_lowercase())
    }

    fn volume(&self, guid: &str) -> Option<(Head, PathBuf)> {
        self.root_of(guid).map(|(letter, root)| (Head::Drive(letter), root))
    }

    fn listing(&self, folder: &PathBuf) -> io::Result<Arc<Listing<Id>>> {
        self.listings.of(folder, || self.read(folder))
    }

    /// A drive that is mounted in the folder has a path of its own, which replaces that of the folder.
    fn child(&self, folder: &PathBuf, item: &Item<Id>) -> PathBuf {
        folder.join(&item.id.path)
    }

    fn link_text(&self, folder: &PathBuf, item: &Item<Id>) -> io::Result<String> {
        match &item.id.leads {
            Some(Ok(text)) => Ok(text.clone()),
            Some(Err(reason)) => Err(io::Error::new(io::ErrorKind::InvalidData, reason.clone())),
            None => Ok(std::fs::read_link(folder.join(&item.id.path))?.to_string_lossy().into_owned()),
        }
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

    fn how_to_map(&self, letter: char) -> String {
        Volumes::how_to_map(self, letter)
    }

    fn drives(&self) -> Vec<(char, String)> {
        self.drives.iter().map(|(letter, path)| (*letter, path.display().to_string())).collect()
    }

    fn refresh(&self) {
        self.listings.forget();
    }
}
