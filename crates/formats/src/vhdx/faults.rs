//! Entries of the block table that cannot be right: found once when the file is opened, an error only when the block is
//! read, so that the rest of a damaged disk stays within reach.

use super::bat::{Entry, NOT_PRESENT, PARTIAL, PRESENT, Parentage, Shape, Slot, UNDEFINED, UNMAPPED, ZERO};
use super::region::Region;
use super::view::View;
use super::{MIB, VhdxError};

/// More wrong entries than this, and nothing of the table can be believed.
const MAX_FAULTS: usize = 1 << 16;
/// Blocks beyond this offset are not read: twice what the largest disk needs; the map of the file stays below 16 MiB.
const MAX_END: u64 = 1 << 47;

/// Why a block cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    State,
    Outside,
    InStructures,
    Overlaps,
}

/// The wrong entries of one table.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// By number of the entry, ascending.
    found: Vec<(u64, Fault)>,
    /// The first of them as a sentence.
    first: String,
    limit: u64,
}

impl Faults {
    pub(super) fn has(&self, index: u64) -> bool {
        self.get(index).is_some()
    }

    fn get(&self, index: u64) -> Option<Fault> {
        let at = self.found.binary_search_by_key(&index, |(number, _)| *number).ok()?;
        self.found.get(at).map(|(_, fault)| *fault)
    }

    /// The error for an entry that cannot be right.
    pub(super) fn check(&self, view: &View, shape: &Shape, (index, entry): (u64, Entry)) -> Result<(), VhdxError> {
        match self.get(index) {
            None => Ok(()),
            Some(fault) => Err(describe(view.name(), shape, (index, entry, fault), self.limit)),
        }
    }

    /// The faults as remarks: the first one in full and how many there are.
    pub(super) fn remarks(&self) -> Vec<String> {
        match self.found.len() {
            0 => Vec::new(),
            count => vec![format!("{count} entries of the block table cannot be right; the first: {}", self.first)],
        }
    }
}

fn describe(name: &str, shape: &Shape, (index, entry, fault): (u64, Entry, Fault), limit: u64) -> VhdxError {
    let (file, offset, start) = (name.to_owned(), shape.place(index), entry.offset());
    let what = match shape.slot(index) {
        Slot::Block(block) => format!("block {block} (virtual offset {})", block.saturating_mul(shape.block_size)),
        Slot::Bitmap(chunk) => format!("the sector bitmap {chunk}"),
    };
    match fault {
        Fault::State => VhdxError::BlockState { file, offset, what, found: entry.state() },
        Fault::Outside => {
            let end = range(shape, index, entry).1;
            VhdxError::BlockOutside { file, offset, what, start, end, limit }
        }
        Fault::InStructures => VhdxError::BlockInStructures { file, offset, what, start },
        Fault::Overlaps => VhdxError::BlocksOverlap { file, offset, what, start },
    }
}

/// Start and end in the file of what an entry points to. The last block may be cut where the disk ends.
fn range(shape: &Shape, index: u64, entry: Entry) -> (u64, u64) {
    let len = match shape.slot(index) {
        Slot::Block(block) => {
            let rest = shape.size.saturating_sub(block.saturating_mul(shape.block_size));
            rest.clamp(1, shape.block_size)
        }
        Slot::Bitmap(_) => MIB,
    };
    (entry.offset(), entry.offset().saturating_add(len))
}

/// Finds the faults while the table is walked.
pub(super) struct Finder<'a> {
    name: &'a str,
    shape: Shape,
    structures: &'a [Region],
    limit: u64,
    /// One bit for each MiB of the file that a block takes.
    taken: Vec<u64>,
    /// Ranges of MiB that were taken twice.
    twice: Vec<(u64, u64)>,
    found: Vec<(u64, Fault)>,
    /// Found at the second look.
    late: Vec<(u64, Fault)>,
    first: String,
}

impl<'a> Finder<'a> {
    pub(super) fn new(view: &'a View, shape: Shape, structures: &'a [Region]) -> Self {
        let limit = view.len().min(MAX_END);
        let (taken, twice, found, late) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Finder { name: view.name(), shape, structures, limit, taken, twice, found, late, first: String::new() }
    }

    /// Looks at an entry for the first time.
    pub(super) fn look(&mut self, index: u64, entry: Entry) -> Result<(), VhdxError> {
        let slot = self.shape.slot(index);
        if !self.is_used(slot) {
            return Ok(());
        }
        let allowed = match (slot, self.shape.parentage) {
            (Slot::Bitmap(_), _) => matches!(entry.state(), NOT_PRESENT | PRESENT),
            (Slot::Block(_), Parentage::None) => {
                matches!(entry.state(), NOT_PRESENT | UNDEFINED | ZERO | UNMAPPED | PRESENT)
            }
            (Slot::Block(_), Parentage::Differencing) => {
                matches!(entry.state(), NOT_PRESENT | UNDEFINED | ZERO | UNMAPPED | PRESENT | PARTIAL)
            }
        };
        if !allowed {
            return self.add(index, entry, Fault::State);
        }
        if !matches!(entry.state(), PRESENT | PARTIAL) {
            return Ok(());
        }
        let (start, end) = range(&self.shape, index, entry);
        if start < MIB || self.structures.iter().any(|region| start < region.end() && region.start < end) {
            return self.add(index, entry, Fault::InStructures);
        }
        if end > self.limit {
            return self.add(index, entry, Fault::Outside);
        }
        if self.take(start / MIB, end.div_ceil(MIB)) {
            return Ok(());
        }
        self.twice.push((start / MIB, end.div_ceil(MIB)));
        self.add(index, entry, Fault::Overlaps)
    }

    /// Entries of bitmaps mean nothing without a parent, those of blocks behind the end of the disk never.
    fn is_used(&self, slot: Slot) -> bool {
        match slot {
            Slot::Block(block) => block < self.shape.blocks(),
            Slot::Bitmap(_) => self.shape.parentage == Parentage::Differencing,
        }
    }

    /// Marks MiBs as taken; false when one of them was.
    fn take(&mut self, from: u64, to: u64) -> bool {
        let words = to.div_ceil(64) as usize;
        if self.taken.len() < words {
            self.taken.resize(words, 0);
        }
        let mut free = true;
        for mib in from..to {
            if let Some(word) = self.taken.get_mut((mib / 64) as usize) {
                free &= *word >> (mib % 64) & 1 == 0;
                *word |= 1 << (mib % 64);
            }
        }
        free
    }

    fn add(&mut self, index: u64, entry: Entry, fault: Fault) -> Result<(), VhdxError> {
        if self.first.is_empty() {
            self.first = describe(self.name, &self.shape, (index, entry, fault), self.limit).to_string();
        }
        self.check_count()?;
        self.found.push((index, fault));
        Ok(())
    }

    /// Whether two blocks were found at one place; puts what was found in order for [`Self::look_again`].
    pub(super) fn has_overlaps(&mut self) -> bool {
        self.found.sort_unstable_by_key(|(index, _)| *index);
        self.twice.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (start, end) in std::mem::take(&mut self.twice) {
            match merged.last_mut() {
                Some((_, reach)) if *reach >= start => *reach = end.max(*reach),
                _ => merged.push((start, end)),
            }
        }
        self.twice = merged;
        !self.twice.is_empty()
    }

    /// Looks at an entry for the second time: the one that came first where two overlap is no better than the other.
    pub(super) fn look_again(&mut self, index: u64, entry: Entry) -> Result<(), VhdxError> {
        let own = self.is_used(self.shape.slot(index)) && matches!(entry.state(), PRESENT | PARTIAL);
        if !own || self.found.binary_search_by_key(&index, |(number, _)| *number).is_ok() {
            return Ok(());
        }
        let (start, end) = range(&self.shape, index, entry);
        let (from, to) = (start / MIB, end.div_ceil(MIB));
        let next = self.twice.partition_point(|(_, reach)| *reach <= from);
        if self.twice.get(next).is_some_and(|(start, _)| *start < to) {
            self.check_count()?;
            self.late.push((index, Fault::Overlaps));
        }
        Ok(())
    }

    fn check_count(&self) -> Result<(), VhdxError> {
        if self.found.len() + self.late.len() < MAX_FAULTS {
            return Ok(());
        }
        let (file, offset, first) = (self.name.to_owned(), self.shape.start, self.first.clone());
        Err(VhdxError::TooManyFaults { file, offset, limit: MAX_FAULTS, first })
    }

    /// The map of the file, one bit a MiB.
    pub(super) fn taken(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.taken)
    }

    pub(super) fn finish(mut self) -> Faults {
        self.found.append(&mut self.late);
        self.found.sort_unstable_by_key(|(index, _)| *index);
        Faults { found: self.found, first: self.first, limit: self.limit }
    }
}
