//! ext2, ext3 and ext4: the superblock, its state and the free runs by the block bitmaps are read here; files are read by
//! the crate `ext4-view`. Specification: kernel.org, "ext4 Data Structures and Algorithms".

use std::cell::OnceCell;
use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ext4_view::{Ext4, Ext4Error, Ext4Read, Metadata};

use super::free::FreeRuns;
use super::recognise::FsKind;
use super::{GuestFsError, Slice, bytes};
use crate::disk::fields::{be32, bytes_at, guid, le16, le32};
use crate::io::{ReadAt, SharedFile};

/// The fields of the superblock that are used.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    pub(super) kind: FsKind,
    /// Bytes a block (offset 24).
    pub(super) block: u64,
    /// Blocks (offset 4, high half at 336).
    pub(super) blocks: u64,
    /// The same with a high half that no feature allows: the crate that reads files counts groups by it.
    all_blocks: u64,
    /// Free blocks (offset 12, high half at 344).
    free: u64,
    /// First data block (offset 20).
    first: u64,
    /// Blocks a group (offset 32).
    per_group: u64,
    /// State (offset 58): 1 put away in order, 2 errors.
    state: u16,
    /// Incompatible (offset 96) and read-only compatible features (offset 100).
    features: (u32, u32),
    /// Bytes a group descriptor (offset 254).
    descriptor: usize,
    /// Whether inodes have 128 bytes (offset 88).
    has_short_inodes: bool,
    pub(super) uuid: String,
    pub(super) label: String,
}

const HAS_JOURNAL: u32 = 0x4;
const RECOVER: u32 = 0x4;
const JOURNAL_DEVICE: u32 = 0x8;
const META_BG: u32 = 0x10;
const BIT64: u32 = 0x80;
/// Incompatible features that make it ext4: extents, 64 bit, multiple mount protection, flexible groups, inline data and others.
const EXT4_INCOMPAT: u32 = 0x40 | BIT64 | 0x100 | 0x200 | 0x8000 | 0x2000;
/// Read-only compatible ones: huge files, group checksums, large inodes, bigalloc, metadata checksums.
const EXT4_RO: u32 = 0x8 | 0x10 | 0x20 | 0x40 | BIGALLOC | 0x400;
const BIGALLOC: u32 = 0x200;

/// Feature of those that a reader need not know: blocks of the file system's own have checksums.
const METADATA_CHECKSUMS: u32 = 0x400;
/// Bytes of the superblock, and where it begins.
const SUPERBLOCK: usize = 1024;
/// Groups of blocks that are read: 128 TiB with blocks of 4 KiB.
const MAX_GROUPS: u64 = 1 << 20;

/// Names and links on the way to a file; each is looked for from the root.
const MAX_STEPS: usize = 256;
/// Bytes of the target of a link.
const MAX_TARGET: u64 = 4096;
/// Bytes of a folder, which is searched from its beginning: some hundred thousand names.
const MAX_FOLDER: u64 = 16 << 20;

/// Blocks of a journal: more than `mke2fs` makes.
const MAX_JOURNAL: u32 = 10_240_000;

impl Superblock {
    /// From the first bytes of the volume; `None` when they are not those of an ext file system.
    pub(super) fn parse(head: &[u8]) -> Option<Superblock> {
        let block = head.get(1024..2048)?;
        if le16(block, 56) != 0xEF53 || le32(block, 24) > 6 {
            return None;
        }
        let (compatible, incompatible, read_only) = (le32(block, 92), le32(block, 96), le32(block, 100));
        let high = |at| if incompatible & BIT64 != 0 { u64::from(le32(block, at)) << 32 } else { 0 };
        let per_group = u64::from(le32(block, 32));
        let blocks = u64::from(le32(block, 4)) | high(336);
        if incompatible & JOURNAL_DEVICE != 0 || per_group == 0 || !(1..1 << 48).contains(&blocks) {
            return None;
        }
        let kind = if incompatible & EXT4_INCOMPAT != 0 || read_only & EXT4_RO != 0 {
            FsKind::Ext4
        } else if compatible & HAS_JOURNAL != 0 {
            FsKind::Ext3
        } else {
            FsKind::Ext2
        };
        Some(Superblock {
            kind,
            block: 1024 << le32(block, 24),
            blocks,
            all_blocks: u64::from(le32(block, 4)) | u64::from(le32(block, 336)) << 32,
            free: u64::from(le32(block, 12)) | high(344),
            first: le32(block, 20).into(),
            per_group,
            state: le16(block, 58),
            features: (incompatible, read_only),
            descriptor: if incompatible & BIT64 != 0 { usize::from(le16(block, 254)).clamp(32, 1024) } else { 32 },
            has_short_inodes: le16(block, 88) == 128,
            uuid: guid(&bytes_at(block, 104)),
            label: bytes::text(block.get(120..136)?),
        })
    }
}

/// An ext2, ext3 or ext4 volume.
pub struct Ext {
    file: SharedFile,
    superblock: Superblock,
    /// Opened for reading files, once one is wanted, or why that cannot be: each group is read for it.
    loaded: OnceCell<Result<Ext4, String>>,
    /// Why files are read as they were before what waits in the journal.
    without_journal: OnceCell<String>,
}

impl Ext {
    /// Reads the superblock.
    pub fn open(file: SharedFile) -> Result<Ext, GuestFsError> {
        let head = bytes::read_some(&*file, 0, 2048)?;
        let Some(superblock) = Superblock::parse(&head) else {
            let found = head.get(1080..1082).unwrap_or_default().escape_ascii().to_string();
            let expected = "the superblock of an ext file system (53 EF)";
            return Err(GuestFsError::NotThis { file: file.name().to_owned(), offset: 1080, expected, found });
        };
        Ok(Ext { file, superblock, loaded: OnceCell::new(), without_journal: OnceCell::new() })
    }

    /// Bytes a block.
    pub fn block_size(&self) -> u64 {
        self.superblock.block
    }

    /// Blocks of the volume.
    pub fn blocks(&self) -> u64 {
        self.superblock.blocks
    }

    /// Free blocks by the superblock: exact on a clean volume only.
    pub fn free(&self) -> u64 {
        self.superblock.free.min(self.superblock.blocks)
    }

    /// Why the volume may not be taken as it lies on the disk, as whole sentences; empty when it is clean.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.superblock.state & 1 == 0 {
            doubts.push("The volume was not unmounted.".to_owned());
        }
        if self.superblock.state & 2 != 0 {
            doubts.push("The volume is marked as having errors.".to_owned());
        }
        if self.superblock.features.0 & RECOVER != 0 {
            doubts.push("The volume was in use: changes wait in its journal.".to_owned());
        }
        doubts
    }

    /// True when the volume was left in order by its last system.
    pub fn is_clean(&self) -> bool {
        self.doubts().is_empty()
    }

    /// That the volume is larger than what holds it, as a whole sentence.
    pub(super) fn excess(&self) -> Option<String> {
        let (size, len) = (self.superblock.blocks.saturating_mul(self.superblock.block), self.file.len());
        (size > len).then(|| {
            format!("The volume has {size} bytes by its superblock, but there are {len}: its end is missing, and Linux does \
                 not mount it.")
        })
    }

    fn failed(&self, path: &str, reason: String) -> GuestFsError {
        GuestFsError::Ext { file: self.file.name().to_owned(), path: path.to_owned(), reason }
    }

    /// Opened for reading `path`.
    fn loaded(&self, path: &str) -> Result<&Ext4, GuestFsError> {
        let loaded = self.loaded.get_or_init(|| self.load());
        loaded.as_ref().map_err(|reason| self.failed(path, reason.clone()))
    }

    /// Whether files are read without a look at the checksums of the file system's own blocks. Inodes of 128 bytes have but the
    /// low half of theirs, which the crate refuses.
    fn is_unchecked(&self) -> bool {
        self.superblock.has_short_inodes && self.superblock.features.1 & METADATA_CHECKSUMS != 0
    }

    fn load(&self) -> Result<Ext4, String> {
        // The crate takes memory for each group before it reads them.
        let groups = self.superblock.all_blocks.div_ceil(self.superblock.per_group);
        if groups > MAX_GROUPS {
            return Err(format!("the volume has {groups} groups of blocks, at most {MAX_GROUPS} are read"));
        }
        let (incompatible, mut read_only) = self.superblock.features;
        let mut shown = None;
        if self.is_unchecked() {
            read_only &= !METADATA_CHECKSUMS;
            shown = Some(self.with_features((incompatible, read_only))?);
        }
        let reason = match self.load_with(shown) {
            Err(reason) if incompatible & RECOVER != 0 => reason,
            loaded => return loaded,
        };
        // Journals of older systems, which have no checksums, are not applied.
        let closed = self.with_features((incompatible & !RECOVER, read_only))?;
        let loaded = self.load_with(Some(closed)).map_err(|_| reason.clone())?;
        let _ = self.without_journal.set(reason);
        Ok(loaded)
    }

    /// The superblock with other features.
    fn with_features(&self, (incompatible, read_only): (u32, u32)) -> Result<[u8; SUPERBLOCK], String> {
        let mut superblock = [0; SUPERBLOCK];
        let read = self.file.read_exact_at(&mut superblock, SUPERBLOCK as u64);
        read.map_err(|error| error.to_string())?;
        superblock[96..100].copy_from_slice(&incompatible.to_le_bytes());
        superblock[100..104].copy_from_slice(&read_only.to_le_bytes());
        if read_only & METADATA_CHECKSUMS != 0 {
            let (rest, sum) = superblock.split_at_mut(SUPERBLOCK - 4);
            // CRC32C as ext4 writes it: without the last complement.
            sum.copy_from_slice(&(!crc32c::crc32c(rest)).to_le_bytes());
        }
        Ok(superblock)
    }

    fn load_with(&self, superblock: Option<[u8; SUPERBLOCK]>) -> Result<Ext4, String> {
        let is_open = Arc::<AtomicBool>::default();
        let bytes = Bytes {
            file: self.file.clone(),
            superblock,
            block: self.superblock.block as usize,
            children: HashMap::new(),
            is_in_journal: false,
            is_open: Arc::clone(&is_open),
        };
        let loaded = Ext4::load(Box::new(bytes)).map_err(|error| error.to_string())?;
        is_open.store(true, Ordering::Relaxed);
        Ok(loaded)
    }

    /// Why files could not be read, or not as they are, once one was wanted; a whole sentence.
    pub fn remark(&self) -> Option<String> {
        let before = |reason| {
            format!("Files were read without what waits in the journal, which could not be applied: {reason}.")
        };
        let unread = |reason| format!("Files could not be read: {reason}.");
        let failed = self.loaded.get().and_then(|loaded| loaded.as_ref().err());
        failed.map(unread).or_else(|| self.without_journal.get().map(before))
    }

    /// What to know of files that were read; a whole sentence.
    pub(super) fn caution(&self) -> Option<String> {
        self.is_unchecked().then(|| {
            "The files were read without a look at the checksums of the file system: it has inodes of 128 bytes, which have \
             only half of one."
                .to_owned()
        })
    }

    /// True once files could not be read at all: [`Ext::remark`] says why.
    pub(super) fn is_unreadable(&self) -> bool {
        self.loaded.get().is_some_and(Result::is_err)
    }

    /// The content of the file at `path`, links followed; `None` when there is none. More than `limit` bytes are refused.
    pub fn read_file(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, GuestFsError> {
        let failed = |reason: String| self.failed(path, reason);
        let fs = self.loaded(path)?;
        let Some((place, metadata)) = resolve(fs, path).map_err(failed)? else { return Ok(None) };
        if !metadata.file_type().is_regular_file() {
            return Ok(None);
        }
        if metadata.len() > limit {
            return Err(failed(format!("it has {} bytes, at most {limit} are read", metadata.len())));
        }
        fs.read(&place[..]).map(Some).map_err(|error| failed(error.to_string()))
    }

    /// Where the link at `path` leads, as it is written there; `None` when there is none.
    pub(super) fn read_link(&self, path: &str) -> Result<Option<String>, GuestFsError> {
        let failed = |reason: String| self.failed(path, reason);
        let fs = self.loaded(path)?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some((folder, _)) = resolve(fs, folder).map_err(failed)? else { return Ok(None) };
        let place = [folder.strip_suffix(b"/").unwrap_or(&folder), b"/", name.as_bytes()].concat();
        let len = match fs.symlink_metadata(&place[..]) {
            Ok(metadata) if metadata.is_symlink() => metadata.len(),
            Ok(_) | Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        if len > MAX_TARGET {
            return Err(failed(format!("the link has a target of {len} bytes, at most {MAX_TARGET} are read")));
        }
        let target = fs.read_link(&place[..]).map_err(|error| failed(error.to_string()))?;
        Ok(Some(String::from_utf8_lossy(target.as_ref()).into_owned()))
    }

    /// The names in the folder at `path`, sorted; none when there is no such folder. More than `most` are refused.
    pub fn list(&self, path: &str, most: usize) -> Result<Vec<String>, GuestFsError> {
        let failed = |reason: String| self.failed(path, reason);
        let fs = self.loaded(path)?;
        let found = resolve(fs, path).map_err(failed)?.filter(|(_, metadata)| metadata.is_dir());
        let Some((place, _)) = found else { return Ok(Vec::new()) };
        let entries = fs.read_dir(&place[..]).map_err(|error| failed(error.to_string()))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed(error.to_string()))?;
            let name = String::from_utf8_lossy(entry.file_name().as_ref()).into_owned();
            if matches!(name.as_str(), "." | "..") {
                continue;
            }
            if names.len() == most {
                return Err(failed(format!("it has more than {most} entries")));
            }
            names.push(name);
        }
        names.sort();
        Ok(names)
    }

    /// The runs of free blocks, group by group. Groups whose bitmap was never written are taken as in use: nothing was
    /// written there since the volume was made.
    pub fn free_runs(&self) -> Result<ExtFreeRuns, GuestFsError> {
        let (incompatible, read_only) = self.superblock.features;
        if incompatible & META_BG != 0 || read_only & BIGALLOC != 0 {
            let found = "organised in meta groups or clusters of blocks (meta_bg, bigalloc)".to_owned();
            return Err(GuestFsError::Unsupported { file: self.file.name().to_owned(), record: 0, found });
        }
        let Superblock { blocks, first, per_group, .. } = self.superblock;
        let groups = blocks.saturating_sub(first).div_ceil(per_group);
        if per_group > self.superblock.block * 8 {
            let (field, expected) = ("blocks per group", "at most eight times the block size");
            let file = self.file.name().to_owned();
            return Err(GuestFsError::Field { file, offset: 1056, field, expected, found: per_group });
        }
        Ok(ExtFreeRuns { file: self.file.clone(), superblock: self.superblock.clone(), group: 0, groups, inner: None })
    }
}

/// The place of `path` without links, and what is there; `None` when there is nothing. Links are followed here and not by the
/// crate, which takes memory for as many bytes as a link says that it has.
fn resolve(fs: &Ext4, path: &str) -> Result<Option<(Vec<u8>, Metadata)>, String> {
    let is_name = |part: &&[u8]| !part.is_empty() && *part != b".";
    let parts = |path: &[u8]| path.split(|byte| *byte == b'/').filter(is_name).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let joined = |done: &[Vec<u8>]| [b"/", done.join(&b'/').as_slice()].concat();
    let mut left = VecDeque::from(parts(path.as_bytes()));
    let mut done: Vec<Vec<u8>> = Vec::new();
    for _ in 0..MAX_STEPS {
        let place = joined(&done);
        let metadata = match fs.symlink_metadata(&place[..]) {
            Ok(metadata) => metadata,
            Err(Ext4Error::NotFound | Ext4Error::NotADirectory) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let len = metadata.len();
        if metadata.is_symlink() {
            if len > MAX_TARGET {
                return Err(format!("a link on the way has a target of {len} bytes, at most {MAX_TARGET} are read"));
            }
            let target = fs.read_link(&place[..]).map_err(|error| error.to_string())?;
            done.pop();
            if target.as_ref().starts_with(b"/") {
                done.clear();
            }
            parts(target.as_ref()).into_iter().rev().for_each(|part| left.push_front(part));
        } else if metadata.is_dir() && len > MAX_FOLDER {
            return Err(format!("a folder on the way has {len} bytes, at most {MAX_FOLDER} are searched"));
        }
        match left.pop_front() {
            None if !metadata.is_symlink() => return Ok(Some((place, metadata))),
            Some(part) if part == b".." => drop(done.pop()),
            part => done.extend(part),
        }
    }
    Err(format!("there are more than {MAX_STEPS} names and links on the way"))
}

/// Iterates over the free runs of an ext volume, in blocks; an error ends it.
pub struct ExtFreeRuns {
    file: SharedFile,
    superblock: Superblock,
    group: u64,
    groups: u64,
    inner: Option<Group>,
}

/// The group whose bitmap is being read.
struct Group {
    /// First block.
    start: u64,
    runs: FreeRuns,
    /// Free blocks by the descriptor, and where that stands.
    promised: (u64, u64),
    counted: u64,
}

impl Group {
    /// A bitmap with another count than its descriptor is not the one that was put away.
    fn check(&self, file: &dyn ReadAt) -> Result<(), GuestFsError> {
        let (promised, offset) = self.promised;
        if self.counted == promised {
            return Ok(());
        }
        let (file, field, expected) = (file.name().to_owned(), "free blocks of a group", "what its bitmap has");
        Err(GuestFsError::Field { file, offset, field, expected, found: promised })
    }
}

impl ExtFreeRuns {
    /// The bitmap of the next group; `None` when the group has none yet.
    fn open(&mut self, group: u64) -> Result<Option<Group>, GuestFsError> {
        let superblock = &self.superblock;
        let table = (superblock.first + 1) * superblock.block;
        let offset = table.saturating_add(group.saturating_mul(superblock.descriptor as u64));
        let descriptor = bytes::read_vec(&*self.file, offset, superblock.descriptor)?;
        // Offset 18: flags, bit 1: the bitmap of blocks was never written.
        if le16(&descriptor, 18) & 2 != 0 {
            return Ok(None);
        }
        let long = descriptor.len() >= 64;
        let high = if long { u64::from(le32(&descriptor, 32)) << 32 } else { 0 };
        let bitmap = u64::from(le32(&descriptor, 0)) | high;
        let free = u64::from(le16(&descriptor, 12)) | if long { u64::from(le16(&descriptor, 44)) << 16 } else { 0 };
        let start = superblock.first + group * superblock.per_group;
        let count = superblock.per_group.min(superblock.blocks - start);
        if bitmap == 0 || bitmap >= superblock.blocks {
            let (field, expected) = ("block bitmap of a group", "within the volume and not 0");
            let file = self.file.name().to_owned();
            return Err(GuestFsError::Field { file, offset, field, expected, found: bitmap });
        }
        let bits = Slice::new(self.file.clone(), bitmap * superblock.block, superblock.block, self.file.name());
        if bits.len() < count.div_ceil(8) {
            bytes::read_vec(&*self.file, bitmap * superblock.block, superblock.block as usize)?;
        }
        let runs = FreeRuns::new(std::sync::Arc::new(bits), count);
        Ok(Some(Group { start, runs, promised: (free, offset + 12), counted: 0 }))
    }

    fn step(&mut self) -> Result<Option<Range<u64>>, GuestFsError> {
        loop {
            if let Some(group) = &mut self.inner {
                if let Some(run) = group.runs.next() {
                    let run = run?;
                    group.counted += run.end - run.start;
                    return Ok(Some(group.start + run.start..group.start + run.end));
                }
                group.check(&*self.file)?;
                self.inner = None;
            }
            if self.group >= self.groups {
                return Ok(None);
            }
            let group = self.group;
            self.group += 1;
            self.inner = self.open(group)?;
        }
    }
}

impl Iterator for ExtFreeRuns {
    type Item = Result<Range<u64>, GuestFsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            (self.group, self.inner) = (self.groups, None);
        }
        step.transpose()
    }
}

/// What the crate reads. It follows trees of extents wherever they lead, so that a few blocks whose nodes all have the same child
/// many times would keep it busy for ever: a block is the child of one node. A journal holds the same node as often as it was
/// written; of those only the last is read once the volume is open.
struct Bytes {
    file: SharedFile,
    /// What is read in the place of the superblock.
    superblock: Option<[u8; SUPERBLOCK]>,
    block: usize,
    /// Children of nodes, with the block and the number of the entry that names them.
    children: HashMap<u64, (u64, usize)>,
    /// Whether the blocks of the journal are being read.
    is_in_journal: bool,
    /// Whether the volume is open.
    is_open: Arc<AtomicBool>,
}

impl Ext4Read for Bytes {
    fn read(&mut self, start_byte: u64, dst: &mut [u8]) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        self.file.read_exact_at(dst, start_byte)?;
        if let Some(superblock) = &self.superblock {
            let end = start_byte + dst.len() as u64;
            for at in start_byte.max(SUPERBLOCK as u64)..end.min(2 * SUPERBLOCK as u64) {
                dst[(at - start_byte) as usize] = superblock[at as usize - SUPERBLOCK];
            }
        }
        for (number, block) in (start_byte / self.block as u64..).zip(dst.chunks_exact(self.block)) {
            self.check(number, block)?;
        }
        Ok(())
    }
}

impl Bytes {
    fn check(&mut self, number: u64, block: &[u8]) -> Result<(), String> {
        let is_open = self.is_open.load(Ordering::Relaxed);
        if self.is_in_journal && is_open {
            self.is_in_journal = false;
            self.children.clear();
        }
        if self.is_in_journal {
            return Ok(());
        }
        // The superblock of a journal: 4 kind, 16 blocks, 28 the first one in use, up to which all are stepped over.
        if be32(block, 0) == 0xC03B_3998 && be32(block, 4) == 4 {
            let (len, first) = (be32(block, 16), be32(block, 28));
            if first > len || len > MAX_JOURNAL {
                return Err(format!("the journal in block {number} begins at its block {first} of {len}"));
            }
            self.is_in_journal = !is_open;
        }
        // A node: 2 entries, 6 depth; in an entry 4 and 8 the child.
        if le16(block, 0) != 0xF30A || !(1..=5).contains(&le16(block, 6)) {
            return Ok(());
        }
        let entries = block.get(12..).unwrap_or_default().chunks_exact(12).take(le16(block, 2).into());
        for (index, entry) in entries.enumerate() {
            let child = u64::from(le32(entry, 4)) | u64::from(le16(entry, 8)) << 32;
            let parent = (number, index);
            let known = *self.children.entry(child).or_insert(parent);
            if known != parent {
                return Err(format!("block {child} is a child of the nodes in the blocks {} and {number}", known.0));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MemoryFile;

    #[test]
    fn a_journal_holds_a_node_as_often_as_it_was_written() {
        const BLOCK: usize = 1024;
        let mut bytes = vec![0; 8 * BLOCK];
        let mut put = |at: usize, data: &[u8]| bytes[at..at + data.len()].copy_from_slice(data);
        // Block 1 is the superblock of a journal with 6 blocks whose first one in use is 1.
        for (at, value) in [(0, 0xC03B_3998_u32), (4, 4), (16, 6), (28, 1)] {
            put(BLOCK + at, &value.to_be_bytes());
        }
        // Blocks 2, 3 and 6 are nodes of depth 1 with the child 7.
        for number in [2, 3, 6] {
            put(number * BLOCK, &[0x0A, 0xF3, 1, 0, 84, 0, 1, 0]);
            put(number * BLOCK + 16, &7_u32.to_le_bytes());
        }
        let is_open = Arc::<AtomicBool>::default();
        let mut volume = Bytes {
            file: Arc::new(MemoryFile::new("volume", bytes)),
            superblock: None,
            block: BLOCK,
            children: HashMap::new(),
            is_in_journal: false,
            is_open: Arc::clone(&is_open),
        };
        let mut read =
            |number: u64| volume.read(number * BLOCK as u64, &mut [0; BLOCK]).map_err(|error| error.to_string());
        assert_eq!([1, 2, 3].map(&mut read), [Ok(()), Ok(()), Ok(())]);
        is_open.store(true, Ordering::Relaxed);
        assert_eq!([3, 3].map(&mut read), [Ok(()), Ok(())]);
        let twice = "block 7 is a child of the nodes in the blocks 3 and 6";
        assert_eq!(read(6).unwrap_err(), twice);
    }
}
