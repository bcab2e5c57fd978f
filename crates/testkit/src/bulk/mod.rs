//! Disks too big for memory, for measuring: the content lies in a sparse file, and VHD and VHDX files are written from it
//! block after block.

mod files;
mod vhd;
mod vhdx;

pub use files::{Files, Kind, SampleFile};
pub use vhd::{write_vhd, write_vhd_child, write_vhd_fixed};
pub use vhdx::write_vhdx;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use crate::vhdx::Dice;

const PAGE: usize = 4096;

/// The content of a disk: some bytes at its beginning, then a sparse file with one partition.
#[derive(Debug)]
pub struct RawDisk {
    head: Vec<u8>,
    file: Option<(File, u64)>,
    data: Vec<Range<u64>>,
    size: u64,
}

impl RawDisk {
    /// A disk of zeros.
    #[must_use]
    pub fn empty(size: u64) -> Self {
        RawDisk { head: Vec::new(), file: None, data: Vec::new(), size }
    }

    /// A disk of `size` bytes with one partition, which begins at `start` and whose content is `file`. `data` are the
    /// ranges of the file that may hold something, ascending.
    #[must_use]
    pub fn with_partition(size: u64, start: u64, file: File, data: &[Range<u64>]) -> Self {
        let shifted = data.iter().map(|range| range.start + start..range.end + start);
        let data = std::iter::once(0..512).chain(shifted).collect();
        RawDisk { head: master_boot_record(start, size - start), file: Some((file, start)), data, size }
    }

    /// Virtual size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Fills `buffer` from `at`; zeros where nothing is.
    pub fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        buffer.fill(0);
        if let Ok(from) = usize::try_from(at)
            && let Some(head) = self.head.get(from..)
        {
            let len = head.len().min(buffer.len());
            buffer[..len].copy_from_slice(&head[..len]);
        }
        let end = at + buffer.len() as u64;
        let Some((file, start)) = self.file.as_ref().filter(|(_, start)| end > *start) else { return Ok(()) };
        let skip = start.saturating_sub(at);
        let mut rest = &mut buffer[usize::try_from(skip).expect("inside the buffer")..];
        let mut file = file;
        file.seek(SeekFrom::Start(at + skip - start))?;
        while !rest.is_empty() {
            match file.read(rest)? {
                0 => break,
                len => rest = &mut rest[len..],
            }
        }
        Ok(())
    }

    /// The blocks of `block` bytes that hold something but zeros, ascending.
    pub fn blocks(&self, block: u64) -> io::Result<Vec<u64>> {
        let mut numbers: Vec<u64> = Vec::new();
        for range in &self.data {
            numbers.extend(range.start / block..range.end.div_ceil(block));
        }
        numbers.dedup();
        let mut buffer = buffer(block);
        let mut held = Vec::new();
        for number in numbers {
            self.read(number * block, &mut buffer)?;
            if buffer.iter().any(|byte| *byte != 0) {
                held.push(number);
            }
        }
        Ok(held)
    }
}

/// Whether zeros take room in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// All is written, as Windows does.
    Dense,
    /// Pages of zeros stay holes.
    Sparse,
}

/// The order that many random writes leave: runs of 1 to 64 blocks in ascending order, the runs shuffled.
#[must_use]
pub fn shuffled_runs(blocks: &[u64], seed: u64) -> Vec<u64> {
    let mut dice = Dice::new(seed);
    let mut runs = Vec::new();
    let mut rest = blocks;
    while !rest.is_empty() {
        let len = usize::try_from(1 + dice.below(64)).expect("a short run").min(rest.len());
        let (run, after) = rest.split_at(len);
        runs.push((dice.roll(), run));
        rest = after;
    }
    runs.sort_by_key(|(key, _)| *key);
    runs.iter().flat_map(|(_, run)| run.iter().copied()).collect()
}

/// Where a file is written: pieces at offsets, zeros left out when they may be.
struct Out {
    file: File,
    room: Room,
}

impl Out {
    fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if self.room == Room::Dense {
            self.file.seek(SeekFrom::Start(at))?;
            return self.file.write_all(bytes);
        }
        let pages: Vec<&[u8]> = bytes.chunks(PAGE).collect();
        let mut place = at;
        for run in pages.chunk_by(|a, b| is_zero(a) == is_zero(b)) {
            let len: usize = run.iter().map(|page| page.len()).sum();
            if !is_zero(run[0]) {
                self.file.seek(SeekFrom::Start(place))?;
                let from = usize::try_from(place - at).expect("inside the piece");
                self.file.write_all(&bytes[from..from + len])?;
            }
            place += len as u64;
        }
        Ok(())
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn buffer(len: u64) -> Vec<u8> {
    vec![0; usize::try_from(len).expect("a block fits memory")]
}

/// A boot record with one active NTFS partition up to the end of the disk.
fn master_boot_record(start: u64, len: u64) -> Vec<u8> {
    let sectors = |bytes: u64| u32::try_from(bytes / 512).expect("a disk below 2 TiB").to_le_bytes();
    let mut bytes = vec![0; 512];
    bytes[440..444].copy_from_slice(b"hvmB");
    bytes[446..454].copy_from_slice(&[0x80, 0xFE, 0xFF, 0xFF, 0x07, 0xFE, 0xFF, 0xFF]);
    bytes[454..458].copy_from_slice(&sectors(start));
    bytes[458..462].copy_from_slice(&sectors(len));
    bytes[510..].copy_from_slice(&[0x55, 0xAA]);
    bytes
}
