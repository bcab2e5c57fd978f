//! The memory that blocks are read into: as much as there are workers and a few blocks that wait for the one that writes.

use memmap2::MmapMut;

use super::BLOCK;

/// What direct I/O wants buffers, offsets and lengths to be multiples of.
pub(crate) const ALIGNED: usize = 4096;
/// Bytes of a large page of memory.
const LARGE: usize = 2 << 20;

/// Room for one block, aligned so that it can be written past the page cache.
pub(super) struct Buffer<'m>(&'m mut [u8]);

impl Buffer<'_> {
    /// The first `len` bytes, at most a block.
    pub(super) fn bytes(&self, len: usize) -> &[u8] {
        self.0.get(..len).unwrap_or_default()
    }

    pub(super) fn bytes_mut(&mut self, len: usize) -> &mut [u8] {
        self.0.get_mut(..len).unwrap_or_default()
    }
}

/// The memory of all buffers, in large pages where the system has them: a device takes only so many pieces of memory at once, and
/// a block in small pages may be more than that.
pub(super) struct Memory {
    bytes: Bytes,
    len: usize,
}

enum Bytes {
    /// Of its own pages, which the system gives when they are touched.
    Mapped(MmapMut),
    /// Where the system gives none.
    Heap(Vec<u8>),
}

impl Memory {
    /// For `count` buffers.
    pub(super) fn new(count: usize) -> Self {
        let len = count * BLOCK as usize;
        let room = len.next_multiple_of(LARGE) + LARGE;
        let bytes = MmapMut::map_anon(room).map_or_else(|_| Bytes::Heap(vec![0; room]), Bytes::Mapped);
        #[cfg(target_os = "linux")]
        if let Bytes::Mapped(map) = &bytes {
            // Small pages do as well.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Memory { bytes, len }
    }

    pub(super) fn buffers(&mut self) -> Buffers<'_> {
        let bytes: &mut [u8] = match &mut self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Heap(bytes) => bytes,
        };
        let start = bytes.as_ptr().align_offset(LARGE).min(LARGE);
        let blocks = bytes.get_mut(start..start + self.len).unwrap_or_default().chunks_exact_mut(BLOCK as usize);
        // The last is taken first.
        let free: Vec<Buffer<'_>> = blocks.rev().map(Buffer).collect();
        Buffers { most: free.len(), free }
    }
}

/// The buffers that nobody uses.
pub(super) struct Buffers<'m> {
    free: Vec<Buffer<'m>>,
    most: usize,
}

impl<'m> Buffers<'m> {
    pub(super) fn take(&mut self) -> Option<Buffer<'m>> {
        self.free.pop()
    }

    /// True when just now half of all became free: who waits for one is woken then, and not for each.
    pub(super) fn give_back(&mut self, buffer: Buffer<'m>) -> bool {
        self.free.push(buffer);
        self.free.len() == self.most.div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_has_memory_of_its_own_at_a_page() {
        let mut memory = Memory::new(5);
        let mut buffers = memory.buffers();
        let mut all: Vec<_> = std::iter::from_fn(|| buffers.take()).collect();
        assert_eq!(all.len(), 5);
        for (number, buffer) in (1..).zip(&mut all) {
            let bytes = buffer.bytes_mut(BLOCK as usize);
            assert!(bytes.len() == BLOCK as usize && bytes.as_ptr().addr().is_multiple_of(ALIGNED));
            bytes.fill(number);
        }
        for (number, buffer) in (1..).zip(all) {
            assert!(buffer.bytes(BLOCK as usize).iter().all(|byte| *byte == number));
            assert_eq!(buffers.give_back(buffer), number == 3, "half of them are free");
        }
    }
}
