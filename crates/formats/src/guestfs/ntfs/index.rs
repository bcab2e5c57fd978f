//! Directories: the index `$I30`, a tree of names whose root stands in the file record and whose blocks stand in clusters.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::Ntfs;
use super::attribute::{Attribute, INDEX_ALLOCATION, INDEX_ROOT};
use super::record::{FileReference, Place, fix, name_text};
use crate::disk::fields::{le16, le32, le64};
use crate::guestfs::{GuestFsError, bytes};
use crate::io::SharedFile;

const NAME: &str = "$I30";
/// Far deeper than any real tree of names.
const MAX_DEPTH: usize = 32;
/// Largest index block that is read.
const MAX_BLOCK: u32 = 1 << 16;

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name.
    pub name: String,
    /// The file that it names.
    pub reference: FileReference,
    /// Bytes of the content as the directory has it; may be out of date, [`Ntfs::streams`] is right.
    pub size: u64,
    /// FILETIME of the last change, as the directory has it.
    pub modified: u64,
    /// Attributes of the file: 0x10000000 directory, 0x400 reparse point, 0x4000 encrypted, 0x800 compressed, 0x200 sparse.
    pub attributes: u32,
    /// The name is the short one of a pair (8.3).
    pub short: bool,
}

impl DirEntry {
    /// True for directories, and for links to them.
    pub fn is_directory(&self) -> bool {
        self.attributes & 0x1000_0000 != 0
    }
}

/// A place in one node of the tree.
struct Node {
    data: Vec<u8>,
    at: usize,
    end: usize,
    /// The entry whose smaller names are being listed.
    waiting: Option<DirEntry>,
}

struct Step {
    entry: Option<(DirEntry, Vec<u16>)>,
    child: Option<u64>,
}

/// The blocks of one directory.
pub(super) struct Index<'n> {
    ntfs: &'n Ntfs,
    record: u64,
    block: usize,
    blocks: Option<SharedFile>,
}

impl<'n> Index<'n> {
    fn open(ntfs: &'n Ntfs, reference: FileReference, path: &str) -> Result<(Self, Node), GuestFsError> {
        let record = ntfs.base_record(reference)?;
        let number = record.number;
        if !record.is_directory() {
            return Err(GuestFsError::NotADirectory { file: ntfs.name(), record: number, path: path.to_owned() });
        }
        let Some(Attribute::Resident(root)) = ntfs.attribute(&record, INDEX_ROOT, NAME)? else {
            return Err(ntfs.missing(number, "root of the index of names"));
        };
        let block = le32(&root, 8);
        if !block.is_power_of_two() || !(512..=MAX_BLOCK).contains(&block) {
            let (field, expected) = ("size of an index block", "a power of two from 512 to 65536");
            return Err(GuestFsError::Field { file: ntfs.name(), offset: 8, field, expected, found: block.into() });
        }
        let blocks = match ntfs.attribute(&record, INDEX_ALLOCATION, NAME)? {
            Some(attribute) => Some(ntfs.stream(number, "index of names", attribute)?),
            None => None,
        };
        let index = Index { ntfs, record: number, block: block as usize, blocks };
        let node = index.node(root, 16)?;
        Ok((index, node))
    }

    /// The node whose header is at `header` in `data`.
    fn node(&self, data: Vec<u8>, header: usize) -> Result<Node, GuestFsError> {
        let at = header.saturating_add(le32(&data, header) as usize);
        let end = header.saturating_add(le32(&data, header + 4) as usize);
        if end > data.len() || at > end {
            return Err(self.outside(header, "the list of names", data.len()));
        }
        Ok(Node { data, at, end, waiting: None })
    }

    fn outside(&self, offset: usize, what: &'static str, limit: usize) -> GuestFsError {
        let file = self.ntfs.name();
        GuestFsError::Outside { file, record: self.record, offset: offset as u64, what, limit: limit as u64 }
    }

    /// The block with the number `number`: counted in clusters, or in 512 bytes when blocks are smaller than clusters.
    fn child(&self, number: u64) -> Result<Node, GuestFsError> {
        let blocks = self.blocks.as_ref().ok_or_else(|| self.ntfs.missing(self.record, "index block"))?;
        let step = if self.ntfs.boot.cluster <= self.block as u64 { self.ntfs.boot.cluster } else { 512 };
        let offset = number.saturating_mul(step);
        let mut data = bytes::read_vec(&**blocks, offset, self.block)?;
        let place = Place { file: blocks.name(), offset, what: format!("index block {number}") };
        fix(&place, "INDX", &mut data)?;
        if le64(&data, 16) != number {
            return Err(GuestFsError::Stale {
                file: self.ntfs.name(),
                record: self.record,
                expected: format!("index block {number}"),
                found: format!("number {} in it", le64(&data, 16)),
            });
        }
        self.node(data, 24)
    }

    /// The next entry of a node; `None` after the last.
    fn next(&self, node: &mut Node) -> Result<Option<Step>, GuestFsError> {
        let entry = node.data.get(node.at..node.end).unwrap_or_default();
        if entry.is_empty() {
            return Ok(None);
        }
        let (len, key_len, flags) = (usize::from(le16(entry, 8)), usize::from(le16(entry, 10)), le16(entry, 12));
        let outside = |what| self.outside(node.at, what, node.end);
        let bytes = entry.get(..len).filter(|_| len >= 16).ok_or_else(|| outside("an entry of the index"))?;
        let child = match flags & 1 {
            0 => None,
            _ if len < 24 => return Err(outside("the number of an index block")),
            _ => Some(le64(bytes, len - 8)),
        };
        let entry = if flags & 2 != 0 {
            node.at = node.end;
            None
        } else {
            let key = bytes.get(16..16 + key_len).ok_or_else(|| outside("a file name"))?;
            let parsed = file_name(FileReference(le64(bytes, 0)), key).ok_or_else(|| outside("a file name"))?;
            node.at += len;
            Some(parsed)
        };
        Ok(Some(Step { entry, child }))
    }

    /// Goes down the tree to `name`.
    fn find(&self, mut node: Node, name: &[u16]) -> Result<Option<DirEntry>, GuestFsError> {
        for depth in 0..=MAX_DEPTH {
            let child = loop {
                let Some(step) = self.next(&mut node)? else { return Ok(None) };
                let Some((entry, units)) = step.entry else { break step.child };
                match self.ntfs.compare(name, &units) {
                    Ordering::Equal => return Ok(Some(entry)),
                    Ordering::Less => break step.child,
                    Ordering::Greater => {}
                }
            };
            let Some(child) = child else { return Ok(None) };
            if depth == MAX_DEPTH {
                return Err(self.circle(child));
            }
            node = self.child(child)?;
        }
        Ok(None)
    }

    fn circle(&self, block: u64) -> GuestFsError {
        GuestFsError::Circle { file: self.ntfs.name(), record: self.record, block, limit: MAX_DEPTH }
    }
}

/// `$FILE_NAME`: offset 16 FILETIME of the change, 48 bytes, 56 attributes, 64 length of the name, 65 kind, 66 name.
fn file_name(reference: FileReference, key: &[u8]) -> Option<(DirEntry, Vec<u16>)> {
    let len = 2 * usize::from(*key.get(64)?);
    let name = key.get(66..66 + len)?;
    let units = name.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    let entry = DirEntry {
        name: name_text(name),
        reference,
        size: le64(key, 48),
        modified: le64(key, 16),
        attributes: le32(key, 56),
        short: key.get(65) == Some(&2),
    };
    Some((entry, units))
}

/// The names of a directory in their order, short names included; an error ends them.
pub struct ReadDir<'n> {
    index: Index<'n>,
    nodes: Vec<Node>,
    seen: HashSet<u64>,
}

impl ReadDir<'_> {
    fn step(&mut self) -> Result<Option<DirEntry>, GuestFsError> {
        loop {
            let Some(node) = self.nodes.last_mut() else { return Ok(None) };
            if let Some(entry) = node.waiting.take() {
                return Ok(Some(entry));
            }
            let Some(step) = self.index.next(node)? else {
                self.nodes.pop();
                continue;
            };
            let entry = step.entry.map(|(entry, _)| entry);
            match (step.child, entry) {
                (None, Some(entry)) => return Ok(Some(entry)),
                (None, None) => {}
                (Some(child), entry) => {
                    node.waiting = entry;
                    if !self.seen.insert(child) || self.nodes.len() > MAX_DEPTH {
                        return Err(self.index.circle(child));
                    }
                    self.nodes.push(self.index.child(child)?);
                }
            }
        }
    }
}

impl Iterator for ReadDir<'_> {
    type Item = Result<DirEntry, GuestFsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.nodes.clear();
        }
        step.transpose()
    }
}

impl Ntfs {
    /// The names in a directory.
    pub fn read_dir(&self, directory: FileReference) -> Result<ReadDir<'_>, GuestFsError> {
        let (index, root) = Index::open(self, directory, "")?;
        Ok(ReadDir { index, nodes: vec![root], seen: HashSet::new() })
    }

    /// The file at `path` (parts separated by `\` or `/`, in any case); `None` when there is none. A link on the way is an
    /// error that names its target; a link at the end is found itself.
    pub fn find(&self, path: &str) -> Result<Option<DirEntry>, GuestFsError> {
        let mut parts = path.split(['\\', '/']).filter(|part| !part.is_empty()).peekable();
        let mut here = DirEntry {
            name: String::new(),
            reference: FileReference::ROOT,
            size: 0,
            modified: 0,
            attributes: 0x1000_0000,
            short: false,
        };
        let mut done = String::new();
        while let Some(part) = parts.next() {
            let (index, root) = Index::open(self, here.reference, &done)?;
            let name: Vec<u16> = part.encode_utf16().collect();
            let Some(found) = index.find(root, &name)? else { return Ok(None) };
            done.push('\\');
            done.push_str(part);
            here = found;
            if parts.peek().is_some()
                && let Some(link) = self.reparse(here.reference)?
                && let Some(target) = link.target
            {
                return Err(GuestFsError::Link { file: self.name(), path: done, target });
            }
        }
        Ok(Some(here))
    }
}
