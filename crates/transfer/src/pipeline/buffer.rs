//! The memory that blocks are read into: as much as there are workers and a few blocks that wait for the one that writes.

use super::BLOCK;

/// What direct I/O wants buffers, offsets and lengths to be multiples of.
pub(crate) const ALIGNED: usize = 4096;

/// Room for one block, aligned so that it can be written past the page cache.
pub(super) struct Buffer {
    memory: Vec<u8>,
    start: usize,
}

impl Buffer {
    fn new() -> Self {
        let memory = vec![0; BLOCK as usize + ALIGNED];
        let start = memory.as_ptr().align_offset(ALIGNED);
        Buffer { memory, start }
    }

    /// The first `len` bytes, at most a block.
    pub(super) fn bytes(&self, len: usize) -> &[u8] {
        self.memory.get(self.start..self.start + len).unwrap_or_default()
    }

    pub(super) fn bytes_mut(&mut self, len: usize) -> &mut [u8] {
        self.memory.get_mut(self.start..self.start + len).unwrap_or_default()
    }
}

/// The buffers that nobody uses. Each block takes one on its way, also one that is not read, so that none runs far ahead.
pub(super) struct Buffers {
    free: Vec<Buffer>,
    /// How many were not needed yet.
    unmade: usize,
    most: usize,
}

impl Buffers {
    pub(super) fn new(most: usize) -> Self {
        Buffers { free: Vec::new(), unmade: most, most }
    }

    pub(super) fn take(&mut self) -> Option<Buffer> {
        self.free.pop().or_else(|| {
            self.unmade = self.unmade.checked_sub(1)?;
            Some(Buffer::new())
        })
    }

    /// True when just now half of all became free: who waits for one is woken then, and not for each.
    pub(super) fn give_back(&mut self, buffer: Buffer) -> bool {
        self.free.push(buffer);
        self.free.len() + self.unmade == self.most.div_ceil(2)
    }
}
