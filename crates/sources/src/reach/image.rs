//! A tree of volumes on the disks of a dead host: their NTFS is read here, without mounting and without rights beyond those on
//! the devices or images. Links and junctions mean what they mean to Windows, also those to volumes without a letter.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use hvm_formats::guestfs::ntfs::{DirEntry, FileReference, Reparse, ReparseKind};
use hvm_formats::guestfs::{GuestFsError, Ntfs, Slice};
use hvm_formats::io::SharedFile;
use hvm_model::found::{Problem, Unknown};
use hvm_model::names::WindowsPath;

use super::link;
use super::listing::{Item, Kind, Listing, Listings, MAX_ENTRIES};
use super::volumes::{Disks, Other, VolumeId};
use super::walk::{self, Head, Volumes};
use super::{Entry, Metadata, ReadOnlyTree};
use crate::error::ReachError;

/// The attribute of a reparse point.
const REPARSE_POINT: u32 = 0x400;
/// Records below this number are of the file system itself.
const FIRST_OF_USERS: u64 = 16;
/// 1601-01-01 to 1970-01-01 in units of 100 ns.
const EPOCH: i128 = 116_444_736_000_000_000;

/// Volumes with their letters.
#[derive(Debug)]
pub struct ImageTree {
    disks: Disks,
    letters: BTreeMap<char, usize>,
    /// Volumes by the GUID under which Windows mounts them, in small letters.
    guids: BTreeMap<String, usize>,
    /// Letters of partitions that are not read.
    others: BTreeMap<char, Other>,
    problems: Vec<Problem>,
    listings: Listings<Node, Id>,
}

/// A file or folder of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    volume: usize,
    file: FileReference,
}

/// What a name in a folder stands for.
#[derive(Debug, Clone)]
pub(crate) struct Id {
    node: Node,
    /// Where a link leads, as Windows reads it.
    leads: Option<String>,
}

impl ImageTree {
    /// A tree of volumes that have no letters yet.
    pub(crate) fn new(disks: Disks) -> ImageTree {
        let problems = disks.problems.clone();
        let (letters, guids, others) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        ImageTree { disks, letters, guids, others, problems, listings: Listings::default() }
    }

    /// The disks.
    pub(crate) fn disks(&self) -> &Disks {
        &self.disks
    }

    /// Gives a volume a letter.
    pub(crate) fn set_letter(&mut self, letter: char, volume: usize) {
        self.letters.insert(letter, volume);
    }

    /// The letter is that of a volume which is none of those that are read.
    pub(crate) fn lacks(&mut self, letter: char, id: &VolumeId) {
        if let Some(other) = self.disks.other(id) {
            self.others.insert(letter, other.clone());
        }
    }

    /// Takes all letters away.
    pub(crate) fn clear_letters(&mut self) {
        self.letters.clear();
    }

    /// Whether some volume has a letter.
    pub(crate) fn has_letters(&self) -> bool {
        !self.letters.is_empty()
    }

    /// The letter of a volume.
    pub(crate) fn letter_of(&self, volume: usize) -> Option<char> {
        self.letters.iter().find(|(_, known)| **known == volume).map(|(letter, _)| *letter)
    }

    /// Gives a volume the GUID under which it is mounted in folders.
    pub(crate) fn set_guid(&mut self, guid: &str, volume: usize) {
        self.guids.insert(guid.to_ascii_lowercase(), volume);
        self.listings.forget();
    }

    /// Something else that may not be as it should.
    pub(crate) fn add_problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn ntfs(&self, node: Node) -> io::Result<&Ntfs> {
        let volume = self.disks.volumes.get(node.volume);
        volume.map(|volume| &volume.ntfs).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn read(&self, folder: Node) -> io::Result<Listing<Id>> {
        let ntfs = self.ntfs(folder)?;
        let (mut items, mut short) = (Vec::new(), Vec::new());
        let mut places: HashMap<FileReference, usize> = HashMap::new();
        for entry in ntfs.read_dir(folder.file).map_err(broken)? {
            let entry = entry.map_err(broken)?;
            if entry.reference.number() < FIRST_OF_USERS {
                continue;
            }
            if items.len() >= MAX_ENTRIES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if entry.short {
                short.push((entry.name, entry.reference));
                continue;
            }
            places.insert(entry.reference, items.len());
            items.push(self.item(ntfs, folder, entry));
        }
        let others: Vec<(String, usize)> =
            short.into_iter().filter_map(|(name, file)| Some((name, *places.get(&file)?))).collect();
        Ok(Listing::of(items, &others))
    }

    fn item(&self, ntfs: &Ntfs, folder: Node, entry: DirEntry) -> Item<Id> {
        let plain = if entry.is_directory() { Kind::Folder } else { Kind::File };
        let node = Node { file: entry.reference, ..folder };
        let as_it_is = |kind| (kind, Id { node, leads: None });
        let (kind, id) = match reparse(ntfs, &entry) {
            // One whose data cannot be read is told when somebody follows it.
            Some(Err(_)) => as_it_is(Kind::Link),
            Some(Ok(Reparse { kind: ReparseKind::Other, .. })) | None => as_it_is(plain),
            Some(Ok(Reparse { kind, target, .. })) => match target.as_deref().and_then(|target| self.mounted(target)) {
                Some(root) => (Kind::Folder, Id { node: root, leads: None }),
                None => (Kind::Link, Id { node, leads: target.map(|target| link::of_reparse(kind, &target)) }),
            },
        };
        Item { id, name: entry.name, kind }
    }

    /// The root of the volume that a junction leads to, when it leads to the root of one.
    fn mounted(&self, target: &str) -> Option<Node> {
        let volume = *self.guids.get(&link::volume(target)?)?;
        Some(Node { volume, file: FileReference::ROOT })
    }
}

fn reparse(ntfs: &Ntfs, entry: &DirEntry) -> Option<Result<Reparse, GuestFsError>> {
    if entry.attributes & REPARSE_POINT == 0 { None } else { ntfs.reparse(entry.reference).transpose() }
}

fn broken(error: GuestFsError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string().trim_end_matches('.').to_owned())
}

impl Volumes for ImageTree {
    type Node = Node;
    type Id = Id;

    fn root(&self, letter: char) -> Option<Node> {
        self.letters.get(&letter).map(|volume| Node { volume: *volume, file: FileReference::ROOT })
    }

    fn how_to_map(&self, letter: char) -> String {
        let others = match self.disks.list_others() {
            others if others.is_empty() => others,
            others => format!("; not read: {others}"),
        };
        let small = letter.to_ascii_lowercase();
        format!("{small}=DISK:PARTITION or the disk that it is on (there are {}{others})", self.disks.list())
    }

    fn not_mapped(&self, path: &WindowsPath, letter: char) -> ReachError {
        let path = path.to_string();
        match self.others.get(&letter) {
            Some(Other { name, found, .. }) => {
                ReachError::NotNtfs { path, letter, partition: name.clone(), found: (*found).to_owned() }
            }
            None => ReachError::NotMapped { path, letter, how: Volumes::how_to_map(self, letter) },
        }
    }

    fn volume(&self, guid: &str) -> Option<(Head, Node)> {
        let volume = *self.guids.get(guid)?;
        let head = self.letter_of(volume).map_or_else(|| Head::Volume(guid.to_owned()), Head::Drive);
        Some((head, Node { volume, file: FileReference::ROOT }))
    }

    fn listing(&self, folder: &Node) -> io::Result<Arc<Listing<Id>>> {
        self.listings.of(folder, || self.read(*folder))
    }

    fn child(&self, _: &Node, item: &Item<Id>) -> Node {
        item.id.node
    }

    fn link_text(&self, _: &Node, item: &Item<Id>) -> io::Result<String> {
        item.id.leads.clone().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the link holds no target"))
    }

    fn local(&self, _: &Node, _: &str) -> Option<(char, Vec<String>)> {
        None
    }
}

impl ReadOnlyTree for ImageTree {
    fn read_dir(&self, path: &WindowsPath) -> Result<Vec<Entry>, ReachError> {
        walk::read_dir(self, path)
    }

    fn metadata(&self, path: &WindowsPath) -> Result<Metadata, ReachError> {
        let at = walk::walk(self, path)?;
        let error = |source| ReachError::Io { path: path.to_string(), source };
        let ntfs = self.ntfs(*at.node()).map_err(error)?;
        let written = ntfs.modified(at.node().file).map_err(|guest| error(broken(guest)))?;
        let streams = if at.kind == Kind::File { ntfs.streams(at.node().file) } else { Ok(Vec::new()) };
        let streams = streams.map_err(|guest| error(broken(guest)))?;
        let size = streams.iter().find(|stream| stream.name.is_empty()).map_or(0, |stream| stream.size);
        let modified = (i128::from(written) - EPOCH) * 100;
        Ok(Metadata { kind: at.entry_kind(), size, modified, real_path: at.windows() })
    }

    fn open(&self, path: &WindowsPath) -> Result<SharedFile, ReachError> {
        let at = walk::file(self, path)?;
        let error = |source| ReachError::Io { path: path.to_string(), source };
        let ntfs = self.ntfs(*at.node()).map_err(error)?;
        let file = ntfs.open_file(at.node().file, "").map_err(|guest| error(broken(guest)))?;
        let len = file.len();
        Ok(Arc::new(Slice::new(file, 0, len, at.windows().as_str())))
    }

    fn how_to_map(&self, letter: char) -> String {
        Volumes::how_to_map(self, letter)
    }

    fn drives(&self) -> Vec<(char, String)> {
        let name =
            |volume: &usize| self.disks.volumes.get(*volume).map(|volume| volume.name.clone()).unwrap_or_default();
        self.letters.iter().map(|(letter, volume)| (*letter, name(volume))).collect()
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.clone()
    }

    fn unknowns(&self) -> Vec<Unknown> {
        self.disks.unknowns.clone()
    }

    fn refresh(&self) {
        self.listings.forget();
    }
}
