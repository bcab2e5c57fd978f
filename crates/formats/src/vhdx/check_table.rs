//! The check of the block table: states, places, sector bitmaps, and what of the file nothing refers to. Memory does not
//! grow with the table: the file is kept as one bit a MiB.

use crate::check::Findings;
use crate::disk::DiskError;

use super::bat::{self, BlockTable, Entry, PARTIAL, PRESENT, Parentage, Shape, Slot};
use super::metadata::Metadata;
use super::pages::{PAGE, Pages};
use super::region::Regions;
use super::view::View;
use super::{MIB, VhdxError};

/// Bits 3 to 19 of an entry.
const RESERVED: u64 = 0x000F_FFF8;

/// Things that are told once, with the place of the first and their number.
#[derive(Default)]
struct Tally {
    first: u64,
    count: u64,
}

impl Tally {
    fn add(&mut self, offset: u64) {
        if self.count == 0 {
            self.first = offset;
        }
        self.count += 1;
    }

    fn note(&self, findings: &mut Findings, what: &str) {
        if self.count > 0 {
            findings.note(self.first, format!("{} {what}, the first here.", self.count));
        }
    }
}

#[derive(Default)]
struct Tallies {
    reserved: Tally,
    /// Entries of blocks behind the end of the disk that say that the block is stored.
    beyond: Tally,
    /// Entries of sector bitmaps in a disk that has none.
    needless: Tally,
    /// Partly present blocks of which no sector is in the file.
    empty: Tally,
}

struct Walk<'a> {
    view: &'a View,
    table: &'a BlockTable,
    pages: Pages,
    sector: u64,
    tallies: Tallies,
    /// Blocks that are stored.
    stored: u64,
    /// Where the last block of the disk lies: it may be stored whole although the disk ends in it.
    tail: Option<(u64, u64)>,
    /// The missing sector bitmap that was told last: it is one for thousands of blocks.
    missing: Option<u64>,
}

/// Checks the block table and all that it leads to.
pub(super) fn check(
    view: &View,
    regions: &Regions,
    metadata: &Metadata,
    findings: &mut Findings,
) -> Result<(), DiskError> {
    let (table, taken) = BlockTable::read_mapped(view, regions, metadata)?;
    let shape = *table.shape();
    let sector = u64::from(metadata.logical_sector);
    let mut walk = Walk {
        view,
        table: &table,
        pages: Pages::default(),
        sector,
        tallies: Tallies::default(),
        stored: 0,
        tail: None,
        missing: None,
    };
    let mut failed = None;
    bat::walk(view, &shape, |index, entry| {
        if failed.is_none()
            && let Err(error) = walk.look(index, entry, findings)
        {
            failed = Some(error);
        }
        Ok(())
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    walk.tallies.report(findings);
    if metadata.leave_allocated && walk.stored < shape.blocks() {
        let text =
            format!("The disk is a fixed one, but only {} of its {} blocks are stored.", walk.stored, shape.blocks());
        findings.note(shape.start, text);
    }
    let structures = regions.all.iter().map(|region| (region.start, region.end()));
    check_gaps(view, structures.chain(walk.tail), taken, findings);
    Ok(())
}

impl Walk<'_> {
    fn look(&mut self, index: u64, entry: Entry, findings: &mut Findings) -> Result<(), DiskError> {
        let shape = *self.table.shape();
        let offset = shape.place(index);
        if entry.has(RESERVED) {
            self.tallies.reserved.add(offset);
        }
        let stored = matches!(entry.state(), PRESENT | PARTIAL);
        let block = match shape.slot(index) {
            Slot::Bitmap(_) if shape.parentage == Parentage::None => {
                self.tallies.needless.add(offset);
                return Ok(());
            }
            Slot::Block(block) if block >= shape.blocks() => {
                if stored {
                    self.tallies.beyond.add(offset);
                }
                return Ok(());
            }
            Slot::Bitmap(_) => None,
            Slot::Block(block) => Some(block),
        };
        if let Err(error) = self.table.faults().check(self.view, &shape, (index, entry)) {
            findings.fault(offset, error.to_string());
            return Ok(());
        }
        let Some(block) = block else { return Ok(()) };
        self.stored += u64::from(stored);
        if stored && block + 1 == shape.blocks() {
            self.tail = Some((entry.offset(), entry.offset().saturating_add(shape.block_size)));
        }
        if entry.state() == PARTIAL { self.look_at_bits(block, offset, findings) } else { Ok(()) }
    }

    /// The bits of a partly present block, whose entry lies at `offset`.
    fn look_at_bits(&mut self, block: u64, offset: u64, findings: &mut Findings) -> Result<(), DiskError> {
        let shape = *self.table.shape();
        let index = shape.bitmap_index(block);
        let entry = match self.table.entry(self.view, &self.pages, index) {
            Ok(entry) => entry,
            // Its own fault is found at its own entry.
            Err(DiskError::Vhdx(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        if entry.state() != PRESENT {
            if self.missing.replace(index) != Some(index) {
                let error = missing_bitmap(self.view, &shape, (block, index), entry);
                findings.fault(shape.place(index), error.to_string());
            }
            return Ok(());
        }
        let bytes = shape.block_size / self.sector / 8;
        let first = block % shape.ratio * bytes;
        let page = self.pages.get(self.view, entry.offset() + first / PAGE * PAGE)?;
        let from = (first % PAGE) as usize;
        if page.iter().skip(from).take(bytes as usize).all(|&byte| byte == 0) {
            self.tallies.empty.add(offset);
        }
        Ok(())
    }
}

fn missing_bitmap(view: &View, shape: &Shape, (block, index): (u64, u64), entry: Entry) -> VhdxError {
    VhdxError::BitmapMissing {
        file: view.name().to_owned(),
        offset: shape.place(index),
        what: format!("block {block} (virtual offset {})", block.saturating_mul(shape.block_size)),
        found: entry.state(),
    }
}

impl Tallies {
    fn report(&self, findings: &mut Findings) {
        self.reserved.note(findings, "entries of the block table have reserved bits");
        self.beyond.note(findings, "blocks behind the end of the disk are marked as stored");
        self.needless.note(findings, "entries for sector bitmaps are used although the disk has no parent");
        self.empty.note(findings, "blocks are marked as partly present of which no sector is in use");
    }
}

/// Free room is no fault: programs make files longer in large steps, and keep the place of blocks that were given back.
fn check_gaps(view: &View, structures: impl Iterator<Item = (u64, u64)>, mut taken: Vec<u64>, findings: &mut Findings) {
    let end = view.len().min(view.file_len());
    for (from, to) in structures {
        for mib in from / MIB..to.div_ceil(MIB).min(end.div_ceil(MIB)) {
            mark(&mut taken, mib);
        }
    }
    mark(&mut taken, 0);
    let is_taken = |mib: u64| taken.get((mib / 64) as usize).is_some_and(|word| word >> (mib % 64) & 1 == 1);
    let (mut gaps, mut free, mut longest) = (Tally::default(), 0u64, 0u64);
    let (mut mib, last) = (1, end.div_ceil(MIB));
    let mapped = (taken.len() as u64 * 64).min(last);
    while mib < last {
        let start = mib;
        while mib < mapped && !is_taken(mib) {
            mib += 1;
        }
        if mib >= mapped {
            mib = last;
        }
        let bytes = (mib * MIB).min(end) - start * MIB;
        if bytes > 0 {
            gaps.add(start * MIB);
            (free, longest) = (free + bytes, longest.max(bytes));
        }
        while mib < last && is_taken(mib) {
            mib += 1;
        }
    }
    findings.unreferenced = free;
    if gaps.count > 0 {
        let text = format!(
            "Nothing refers to {free} bytes in {} places, the first here, the longest of {longest} bytes.",
            gaps.count
        );
        findings.note(gaps.first, text);
    }
}

fn mark(taken: &mut Vec<u64>, mib: u64) {
    let word = (mib / 64) as usize;
    if taken.len() <= word {
        taken.resize(word + 1, 0);
    }
    if let Some(word) = taken.get_mut(word) {
        *word |= 1 << (mib % 64);
    }
}
