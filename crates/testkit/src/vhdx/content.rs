//! What one layer of a chain holds, without any file.

use super::Dice;
use std::collections::BTreeMap;

/// The state of a block in the block table (bits 0 to 2 of its entry).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockState {
    /// 0: the parent's, or zero.
    NotPresent,
    /// 1: nobody knows; a reader gives zeros.
    Undefined,
    /// 2: zeros.
    Zero,
    /// 3: given back by the guest; a reader gives zeros.
    Unmapped,
    /// 6: all of it is in the file.
    Full,
    /// 7: what the sector bitmap says is in the file.
    Partial,
}

impl BlockState {
    /// The number in the table.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::NotPresent => 0,
            Self::Undefined => 1,
            Self::Zero => 2,
            Self::Unmapped => 3,
            Self::Full => 6,
            Self::Partial => 7,
        }
    }
}

/// The blocks and sectors of one layer.
#[derive(Debug, Clone)]
pub struct LayerContent {
    /// Virtual size in bytes.
    pub size: u64,
    /// Bytes of a block.
    pub block: u64,
    /// Bytes of a logical sector.
    pub sector: u64,
    /// States other than "not present".
    pub states: BTreeMap<u64, BlockState>,
    /// Sectors that this layer wrote, each in a block that is full or partial.
    pub sectors: BTreeMap<u64, Vec<u8>>,
}

impl LayerContent {
    /// A layer in which nothing was written.
    #[must_use]
    pub fn new(size: u64, block: u64, sector: u64) -> Self {
        LayerContent { size, block, sector, states: BTreeMap::new(), sectors: BTreeMap::new() }
    }

    /// Number of blocks.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.size.div_ceil(self.block)
    }

    /// The state of a block.
    #[must_use]
    pub fn state(&self, block: u64) -> BlockState {
        self.states.get(&block).copied().unwrap_or(BlockState::NotPresent)
    }

    /// Gives every block one of `states` and random sectors to those that hold some.
    pub fn scatter(&mut self, dice: &mut Dice, states: &[BlockState]) {
        for block in 0..self.blocks() {
            let state = states[usize::try_from(dice.below(states.len() as u64)).expect("few states")];
            self.states.insert(block, state);
            if !matches!(state, BlockState::Full | BlockState::Partial) {
                continue;
            }
            let first = block * self.block / self.sector;
            let count = (self.size - block * self.block).min(self.block) / self.sector;
            for _ in 0..dice.below(5) {
                let start = dice.below(count);
                for sector in start..(start + 1 + dice.below(20)).min(count) {
                    let bytes = dice.bytes(usize::try_from(self.sector).expect("a sector is small"));
                    self.sectors.insert(first + sector, bytes);
                }
            }
        }
    }

    /// What a reader sees when this layer lies over a disk that holds `below`.
    #[must_use]
    pub fn over(&self, mut below: Vec<u8>) -> Vec<u8> {
        let place = |offset: u64| usize::try_from(offset).expect("a small disk");
        below.resize(place(self.size), 0);
        for (block, state) in &self.states {
            if !matches!(state, BlockState::NotPresent | BlockState::Partial) {
                let end = ((block + 1) * self.block).min(self.size);
                below[place(block * self.block)..place(end)].fill(0);
            }
        }
        for (sector, bytes) in &self.sectors {
            below[place(sector * self.sector)..][..bytes.len()].copy_from_slice(bytes);
        }
        below
    }
}
