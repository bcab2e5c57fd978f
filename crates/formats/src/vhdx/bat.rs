//! The block table: 8 bytes for each block of the disk, and after each chunk of blocks 8 bytes for the sector bitmap of
//! the chunk. The table is walked once when the file is opened, to find what cannot be right; after that its pages are
//! read when they are wanted.

use crate::disk::DiskError;
use crate::disk::fields::le64;

use super::faults::{Faults, Finder};
use super::metadata::Metadata;
use super::pages::{PAGE, Pages};
use super::region::{Region, Regions};
use super::view::View;
use super::{MIB, VhdxError};

/// Entries in a page.
const PER_PAGE: u64 = PAGE / 8;

/// An entry: state in bits 0 to 2, offset in MiB in bits 20 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(u64);

impl Entry {
    pub(super) fn state(self) -> u8 {
        (self.0 & 7) as u8
    }

    /// Whether one of the bits of `mask` is set.
    pub(super) fn has(self, mask: u64) -> bool {
        self.0 & mask != 0
    }

    /// Offset in the file.
    pub(super) fn offset(self) -> u64 {
        self.0 & !(MIB - 1)
    }
}

/// States of blocks (6 of bitmaps too).
pub(super) const NOT_PRESENT: u8 = 0;
pub(super) const UNDEFINED: u8 = 1;
pub(super) const ZERO: u8 = 2;
pub(super) const UNMAPPED: u8 = 3;
pub(super) const PRESENT: u8 = 6;
pub(super) const PARTIAL: u8 = 7;

/// Whether sector bitmaps mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parentage {
    /// No parent: the entries of bitmaps are not used. QEMU before 8.0 left garbage in them.
    None,
    Differencing,
}

/// The numbers that place entries and blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Offset of the table in the file.
    pub start: u64,
    /// Bytes of guest data in a block, a power of two.
    pub block_size: u64,
    /// Virtual size in bytes.
    pub size: u64,
    /// Blocks in a chunk: as many as one bitmap of 1 MiB has bits for the sectors of; a power of two.
    pub ratio: u64,
    pub parentage: Parentage,
}

/// What an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Block(u64),
    /// The sector bitmap of a chunk.
    Bitmap(u64),
}

impl Shape {
    fn new(start: u64, metadata: &Metadata) -> Self {
        let block_size = u64::from(metadata.block_size);
        Shape {
            start,
            block_size,
            size: metadata.size,
            ratio: (u64::from(metadata.logical_sector) << 23) / block_size,
            parentage: if metadata.parent.is_some() { Parentage::Differencing } else { Parentage::None },
        }
    }

    pub(super) fn blocks(&self) -> u64 {
        self.size.div_ceil(self.block_size)
    }

    /// Entries that the disk needs.
    pub(super) fn entries(&self) -> u64 {
        match self.parentage {
            Parentage::None => self.index(self.blocks() - 1) + 1,
            Parentage::Differencing => self.blocks().div_ceil(self.ratio) * (self.ratio + 1),
        }
    }

    /// Number of the entry of a block.
    pub(super) fn index(&self, block: u64) -> u64 {
        block + block / self.ratio
    }

    /// Number of the entry of the sector bitmap for a block.
    pub(super) fn bitmap_index(&self, block: u64) -> u64 {
        block / self.ratio * (self.ratio + 1) + self.ratio
    }

    /// What the entry `index` is for; blocks behind the end of the disk fill the last chunk up.
    pub(super) fn slot(&self, index: u64) -> Slot {
        let (chunk, within) = (index / (self.ratio + 1), index % (self.ratio + 1));
        if within == self.ratio { Slot::Bitmap(chunk) } else { Slot::Block(chunk * self.ratio + within) }
    }

    /// The first block whose entry is `index` or a later one.
    fn block_from(&self, index: u64) -> u64 {
        match self.slot(index) {
            Slot::Block(block) => block,
            Slot::Bitmap(chunk) => (chunk + 1) * self.ratio,
        }
    }

    /// Offset in the file of the entry `index`.
    pub(super) fn place(&self, index: u64) -> u64 {
        self.start + index * 8
    }
}

/// What the table says of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// The parent's; zeros where there is none.
    Absent,
    /// Zeros, also over a parent.
    Zero,
    /// All of it lies at this offset.
    Stored(u64),
    /// Some of it lies at this offset, the rest is the parent's.
    Partial(u64),
}

/// The checked block table of one file.
pub(super) struct BlockTable {
    shape: Shape,
    /// One bit for each page of the table: set when an entry of it is not zero.
    filled: Vec<u64>,
    allocated: u64,
    faults: Faults,
}

impl BlockTable {
    /// Walks the table.
    pub(super) fn read(view: &View, regions: &Regions, metadata: &Metadata) -> Result<Self, DiskError> {
        Ok(Self::read_mapped(view, regions, metadata)?.0)
    }

    /// Walks the table; also gives a bit for each MiB of the file that a block or bitmap takes.
    pub(super) fn read_mapped(
        view: &View,
        regions: &Regions,
        metadata: &Metadata,
    ) -> Result<(Self, Vec<u64>), DiskError> {
        let Region { start, len, .. } = regions.bat;
        let shape = Shape::new(start, metadata);
        let (expected, found) = (shape.entries(), u64::from(len) / 8);
        if expected > found {
            return Err(
                VhdxError::TableTooSmall { file: view.name().to_owned(), offset: start, expected, found }.into()
            );
        }
        let mut table = BlockTable {
            shape,
            filled: vec![0; expected.div_ceil(PER_PAGE * 64) as usize],
            allocated: 0,
            faults: Faults::default(),
        };
        let mut finder = Finder::new(view, shape, &regions.all);
        let mut allocated = 0;
        let mut filled = std::mem::take(&mut table.filled);
        walk(view, &shape, |index, entry| {
            let page = index / PER_PAGE;
            if let Some(word) = filled.get_mut((page / 64) as usize) {
                *word |= 1 << (page % 64);
            }
            let inside = matches!(shape.slot(index), Slot::Block(block) if block < shape.blocks());
            if inside && matches!(entry.state(), PRESENT | PARTIAL) {
                allocated += 1;
            }
            finder.look(index, entry)
        })?;
        if finder.has_overlaps() {
            walk(view, &shape, |index, entry| finder.look_again(index, entry))?;
        }
        let taken = finder.taken();
        (table.filled, table.allocated, table.faults) = (filled, allocated, finder.finish());
        Ok((table, taken))
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Number of blocks that the file holds.
    pub(super) fn allocated(&self) -> u64 {
        self.allocated
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The entry `index`; an error when it cannot be right.
    pub(super) fn entry(&self, view: &View, pages: &Pages, index: u64) -> Result<Entry, DiskError> {
        let entry = self.raw_entry(view, pages, index)?;
        self.faults.check(view, &self.shape, (index, entry))?;
        Ok(entry)
    }

    fn raw_entry(&self, view: &View, pages: &Pages, index: u64) -> Result<Entry, DiskError> {
        let page = index / PER_PAGE;
        if !self.is_filled(page) {
            return Ok(Entry(0));
        }
        let bytes = pages.get(view, self.shape.start + page * PAGE)?;
        Ok(Entry(le64(&bytes, (index % PER_PAGE * 8) as usize)))
    }

    fn is_filled(&self, page: u64) -> bool {
        self.filled.get((page / 64) as usize).is_some_and(|word| word >> (page % 64) & 1 == 1)
    }

    /// What is said of `block`, and for how many blocks from there on, at most `limit`, the same is said; of a block that
    /// lies in the file always 1.
    pub(super) fn run(&self, view: &View, pages: &Pages, block: u64, limit: u64) -> Result<(Block, u64), DiskError> {
        let kind = kind(self.entry(view, pages, self.shape.index(block))?);
        let last = block.saturating_add(limit).min(self.shape.blocks());
        let mut next = block + 1;
        if matches!(kind, Block::Stored(_) | Block::Partial(_)) {
            return Ok((kind, 1));
        }
        while next < last {
            let page = self.shape.index(next) / PER_PAGE;
            let end = self.shape.block_from((page + 1) * PER_PAGE).min(last);
            if !self.is_filled(page) {
                if kind != Block::Absent {
                    break;
                }
                next = end;
                continue;
            }
            let bytes = pages.get(view, self.shape.start + page * PAGE)?;
            let same = |block: &u64| {
                let index = self.shape.index(*block);
                let entry = Entry(le64(&bytes, (index % PER_PAGE * 8) as usize));
                self::kind(entry) == kind && !self.faults.has(index)
            };
            let count = (next..end).take_while(same).count() as u64;
            next += count;
            if next < end {
                break;
            }
        }
        Ok((kind, next - block))
    }
}

/// Faults were sorted out before: an impossible state is never asked for.
fn kind(entry: Entry) -> Block {
    match entry.state() {
        // Undefined and unmapped blocks may hold anything by the specification; zeros give nothing away.
        UNDEFINED | ZERO | UNMAPPED => Block::Zero,
        PRESENT => Block::Stored(entry.offset()),
        PARTIAL => Block::Partial(entry.offset()),
        _ => Block::Absent,
    }
}

/// Calls `each` for every entry that is not zero, in ascending order. Holes of the file are stepped over.
pub(super) fn walk(
    view: &View,
    shape: &Shape,
    mut each: impl FnMut(u64, Entry) -> Result<(), VhdxError>,
) -> Result<(), DiskError> {
    let entries = shape.entries();
    let mut bytes = vec![0; PAGE as usize];
    let mut first = 0;
    while first < entries {
        let (data, end) = view.run(shape.place(first));
        if !data {
            // Whole pages that lie in the hole.
            let skipped = end.saturating_sub(shape.start) / PAGE * PER_PAGE;
            if skipped > first {
                first = skipped;
                continue;
            }
        }
        view.read(shape.place(first), &mut bytes)?;
        let count = (entries - first).min(PER_PAGE);
        // Most tables are mostly empty: 64 bytes at a time.
        for (group, part) in (0..count.div_ceil(8)).zip(bytes.as_chunks::<64>().0) {
            if *part == [0; 64] {
                continue;
            }
            for (within, word) in (0..8).zip(part.as_chunks::<8>().0) {
                let index = group * 8 + within;
                if *word != [0; 8] && index < count {
                    each(first + index, Entry(u64::from_le_bytes(*word)))?;
                }
            }
        }
        first += PER_PAGE;
    }
    Ok(())
}
