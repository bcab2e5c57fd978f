//! The block table: for each block of the disk the sector at which its bitmap and data lie, or all ones. Every entry
//! is checked once when the file is opened; a block that cannot be right is an error only when it is read, so that the
//! rest of a damaged disk stays within reach.

use crate::disk::{DiskError, read};
use crate::io::ReadAt;

use super::VhdError;
use super::footer::{FOOTER_LEN, Found};
use super::header::{HEADER_LEN, Header};

const UNUSED: u32 = u32::MAX;
/// At most 4 Mi entries (16 MiB of memory): 2040 GiB in blocks of 512 KiB, the smallest that Windows makes.
const MAX_ENTRIES: u64 = 4 << 20;
/// More wrong entries than this, and nothing of the table can be believed.
const MAX_FAULTS: usize = 1 << 16;

/// Why a block cannot be read.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Outside,
    InHeaders,
    Overlaps { other: u32 },
}

/// The checked block table of one file.
pub(super) struct BlockTable {
    entries: Vec<u32>,
    /// By block, ascending.
    faults: Vec<(u32, Fault)>,
    shape: Shape,
}

/// The sizes that place a block in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Offset of the table.
    table: u64,
    /// Bytes of guest data in a block, a power of two.
    pub block_size: u64,
    /// Bytes of the bitmap before the data, whole sectors.
    pub bitmap_len: u64,
    /// Size of the disk.
    size: u64,
    /// End of the data in the file.
    data_end: u64,
}

impl Shape {
    fn start(&self, entry: u32) -> u64 {
        u64::from(entry) * 512
    }

    /// The end of what is needed of a block: the last block of the disk may be cut where the disk ends.
    pub(super) fn needed_end(&self, block: u32, entry: u32) -> u64 {
        let rest = self.size.saturating_sub(u64::from(block) * self.block_size);
        self.start(entry) + self.bitmap_len + rest.min(self.block_size)
    }
}

impl BlockTable {
    /// Reads and checks the table.
    pub(super) fn read(file: &dyn ReadAt, found: &Found, header: &Header) -> Result<Self, DiskError> {
        let block_size = u64::from(header.block_size);
        let shape = Shape {
            table: header.table,
            block_size,
            bitmap_len: (block_size / 512).div_ceil(8).next_multiple_of(512),
            size: found.footer.current_size,
            data_end: found.data_end,
        };
        let count = check_table(file.name(), &shape, header)?;
        let entries = read_entries(file, header.table, count)?;
        let faults = find_faults(&entries, &shape, header).ok_or_else(|| {
            let (file, offset) = (file.name().to_owned(), header.table);
            VhdError::TooManyFaults { file, offset, limit: MAX_FAULTS }
        })?;
        Ok(BlockTable { entries, faults, shape })
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Number of blocks of the disk.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Number of blocks that the file holds.
    pub(super) fn allocated(&self) -> u64 {
        self.entries.iter().filter(|&&entry| entry != UNUSED).count() as u64
    }

    /// Where the bitmap of `block` lies; `None` when the file does not hold it.
    pub(super) fn place(&self, block: u32) -> Option<u64> {
        let entry = *self.entries.get(block as usize)?;
        (entry != UNUSED).then(|| self.shape.start(entry))
    }

    /// How many blocks from `block` on the file does not hold, at most `limit`.
    pub(super) fn unused_from(&self, block: u32, limit: u64) -> u64 {
        let rest = self.entries.get(block as usize..).unwrap_or_default();
        rest.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).take_while(|&&entry| entry == UNUSED).count()
            as u64
    }

    fn fault(&self, block: u32) -> Option<Fault> {
        if self.faults.is_empty() {
            return None;
        }
        let at = self.faults.binary_search_by_key(&block, |(number, _)| *number).ok()?;
        self.faults.get(at).map(|(_, fault)| *fault)
    }

    /// True when `block` cannot be read.
    pub(super) fn is_faulty(&self, block: u32) -> bool {
        self.fault(block).is_some()
    }

    /// The error for a block that cannot be read.
    pub(super) fn check(&self, name: &str, block: u32) -> Result<(), VhdError> {
        let (Some(fault), Some(&entry)) = (self.fault(block), self.entries.get(block as usize)) else {
            return Ok(());
        };
        let (file, offset) = (name.to_owned(), self.shape.table + u64::from(block) * 4);
        let (start, end) = (self.shape.start(entry), self.shape.needed_end(block, entry));
        let virtual_offset = u64::from(block) * self.shape.block_size;
        let number = u64::from(block);
        Err(match fault {
            Fault::Outside => {
                let limit = self.shape.data_end;
                VhdError::BlockOutside { file, offset, block: number, virtual_offset, start, end, limit }
            }
            Fault::InHeaders => VhdError::BlockInHeaders { file, offset, block: number, virtual_offset, start },
            Fault::Overlaps { other } => {
                let other = u64::from(other);
                VhdError::BlocksOverlap { file, offset, block: number, virtual_offset, start, other }
            }
        })
    }

    /// The faults as remarks: the first one in full and how many there are.
    pub(super) fn remarks(&self, name: &str) -> Vec<String> {
        let Some((first, _)) = self.faults.first() else {
            return Vec::new();
        };
        let error = self.check(name, *first).err().map(|error| error.to_string()).unwrap_or_default();
        let count = self.faults.len();
        vec![format!("{count} of {} blocks cannot be read; the first: {error}", self.entries.len())]
    }
}

/// Checks the place of the table; the number of entries that the disk needs.
fn check_table(name: &str, shape: &Shape, header: &Header) -> Result<usize, VhdError> {
    let file = || name.to_owned();
    let (table, entries, limit) = (header.table, header.max_entries, shape.data_end);
    let needed = shape.size.div_ceil(shape.block_size);
    if u64::from(entries) < needed {
        let offset = header.offset + 28;
        return Err(VhdError::TableTooSmall { file: file(), offset, expected: needed, found: entries });
    }
    if needed > MAX_ENTRIES {
        let offset = header.offset + 32;
        return Err(VhdError::TableTooLarge { file: file(), offset, entries: needed, limit: MAX_ENTRIES });
    }
    let offset = header.offset + 16;
    match table.checked_add(u64::from(entries) * 4) {
        Some(end) if end <= limit => {
            let headers = [(0, FOOTER_LEN), (header.offset, header.offset + HEADER_LEN)];
            if overlaps_any((table, end), &headers) {
                return Err(VhdError::TableOverlap { file: file(), offset, table });
            }
        }
        _ => return Err(VhdError::TableOutside { file: file(), offset, table, entries, limit }),
    }
    Ok(needed as usize)
}

/// Reads the entries in pieces, so that they are never in memory twice.
fn read_entries(file: &dyn ReadAt, table: u64, count: usize) -> Result<Vec<u32>, DiskError> {
    let mut entries = Vec::with_capacity(count);
    let (mut piece, mut at) = (vec![0; 64 << 10], table);
    while entries.len() < count {
        let len = ((count - entries.len()) * 4).min(piece.len());
        let bytes = piece.get_mut(..len).unwrap_or_default();
        read(file, at, bytes)?;
        entries.extend(bytes.as_chunks::<4>().0.iter().map(|entry| u32::from_be_bytes(*entry)));
        at += len as u64;
    }
    Ok(entries)
}

fn overlaps_any(range: (u64, u64), others: &[(u64, u64)]) -> bool {
    others.iter().any(|other| range.0 < other.1 && other.0 < range.1)
}

/// The faults by block; `None` when there are more than [`MAX_FAULTS`].
fn find_faults(entries: &[u32], shape: &Shape, header: &Header) -> Option<Vec<(u32, Fault)>> {
    let mut faults = Vec::new();
    let mut reserved = header.locators.clone();
    reserved.push((0, FOOTER_LEN));
    reserved.push((header.offset, header.offset + HEADER_LEN));
    reserved.push((header.table, header.table + u64::from(header.max_entries) * 4));
    // An entry that is wrong by itself must not cost the block that rightly lies where it points.
    let mut placed: Vec<u32> = Vec::with_capacity(entries.iter().filter(|&&entry| entry != UNUSED).count());
    for (block, &entry) in (0u32..).zip(entries).filter(|(_, entry)| **entry != UNUSED) {
        let range = (shape.start(entry), shape.needed_end(block, entry));
        if overlaps_any(range, &reserved) {
            faults.push((block, Fault::InHeaders));
        } else if range.1 > shape.data_end {
            faults.push((block, Fault::Outside));
        } else {
            placed.push(block);
        }
        if faults.len() > MAX_FAULTS {
            return None;
        }
    }
    let entry = |block: u32| entries.get(block as usize).copied().unwrap_or(UNUSED);
    placed.sort_unstable_by_key(|&block| (entry(block), block));
    // Blocks are of one length except the last of the disk, so that a short one may lie inside another: each is compared
    // with the one that reaches furthest so far.
    let mut furthest: Option<(u64, u32)> = None;
    for block in placed {
        let end = shape.needed_end(block, entry(block));
        if let Some((_, other)) = furthest.filter(|(reach, _)| *reach > shape.start(entry(block))) {
            faults.push((block, Fault::Overlaps { other }));
            faults.push((other, Fault::Overlaps { other: block }));
        }
        if faults.len() > MAX_FAULTS {
            return None;
        }
        if furthest.is_none_or(|(reach, _)| end > reach) {
            furthest = Some((end, block));
        }
    }
    faults.sort_by_key(|(block, _)| *block);
    faults.dedup_by_key(|(block, _)| *block);
    Some(faults)
}
