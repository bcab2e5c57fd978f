//! A file in memory that only keeps what is not zero: VHDX files have at least 4 MiB, nearly all of them zeros.

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

const PAGE: u64 = 4096;

/// Bytes of a file by pages of 4 KiB; everything else is zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SparseImage {
    /// Length of the file.
    pub len: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl From<&[u8]> for SparseImage {
    fn from(bytes: &[u8]) -> Self {
        let mut image = SparseImage::default();
        for (index, page) in (0..).zip(bytes.chunks(4096)) {
            if page.iter().any(|byte| *byte != 0) {
                image.put(index * PAGE, page);
            }
        }
        image.set_len(bytes.len() as u64);
        image
    }
}

impl SparseImage {
    /// Writes `bytes` at `at`; the file grows when it must.
    pub fn put(&mut self, at: u64, bytes: &[u8]) {
        self.len = self.len.max(at + bytes.len() as u64);
        let mut done = 0;
        while done < bytes.len() {
            let place = at + done as u64;
            let within = usize::try_from(place % PAGE).expect("a page is small");
            let count = (bytes.len() - done).min(4096 - within);
            let page = self.pages.entry(place / PAGE).or_insert_with(|| vec![0; 4096]);
            page[within..within + count].copy_from_slice(&bytes[done..done + count]);
            done += count;
        }
    }

    /// `len` bytes at `at`; zeros behind the end.
    #[must_use]
    pub fn get(&self, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.fill(at, &mut bytes);
        bytes
    }

    /// Fills `buffer` from `at`; zeros behind the end.
    pub fn fill(&self, at: u64, buffer: &mut [u8]) {
        buffer.fill(0);
        let end = at + buffer.len() as u64;
        for (number, page) in self.pages.range(at / PAGE..end.div_ceil(PAGE)) {
            let (start, stop) = ((number * PAGE).max(at), ((number + 1) * PAGE).min(end));
            let from = usize::try_from(start % PAGE).expect("a page is small");
            let len = usize::try_from(stop - start).expect("a page is small");
            let to = usize::try_from(start - at).expect("inside the buffer");
            buffer[to..to + len].copy_from_slice(&page[from..from + len]);
        }
    }

    /// Cuts the file or lengthens it with zeros.
    pub fn set_len(&mut self, len: u64) {
        self.pages.split_off(&len.div_ceil(PAGE));
        if !len.is_multiple_of(PAGE)
            && let Some(page) = self.pages.get_mut(&(len / PAGE))
        {
            page[usize::try_from(len % PAGE).expect("a page is small")..].fill(0);
        }
        self.len = len;
    }

    /// Offsets of the pages that were written, ascending.
    #[must_use]
    pub fn pages(&self) -> Vec<u64> {
        self.pages.keys().map(|number| number * PAGE).collect()
    }

    /// Whether something was put at `offset`, and how far that, or the hole, goes on at least.
    #[must_use]
    pub fn run(&self, offset: u64) -> (bool, u64) {
        let page = offset / PAGE;
        if self.pages.contains_key(&page) {
            return (true, ((page + 1) * PAGE).min(self.len));
        }
        let next = self.pages.range(page..).next().map_or(self.len, |(number, _)| number * PAGE);
        (false, next.min(self.len))
    }

    /// Writes the file, with holes where nothing was put.
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut file = std::fs::File::create(path)?;
        for (number, page) in &self.pages {
            file.seek(SeekFrom::Start(number * PAGE))?;
            file.write_all(page)?;
        }
        file.set_len(self.len)
    }
}
