//! Where the structures of a file of this builder lie, and changes to them with the checksums written anew.

use super::image::{BAT, METADATA, seal};
use super::{SparseImage, guid};

/// Offsets of the two headers.
pub const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
/// Offsets of the two region tables.
pub const REGIONS: [u64; 2] = [192 << 10, 256 << 10];
/// GUIDs of the metadata items.
pub mod item {
    /// File parameters: block size (4 bytes), flags (4 bytes).
    pub const PARAMETERS: &str = "CAA16737-FA36-4D43-B3B6-33F0AA44E76B";
    /// Virtual disk size, 8 bytes.
    pub const SIZE: &str = "2FA54224-CD1B-4876-B211-5DBED83BF4B8";
    /// Virtual disk id, 16 bytes.
    pub const DISK_ID: &str = "BECA12AB-B2E6-4523-93EF-C309E000C746";
    /// Logical sector size, 4 bytes.
    pub const LOGICAL: &str = "8141BF1D-A96F-4709-BA47-F233A8FAAB5F";
    /// Physical sector size, 4 bytes.
    pub const PHYSICAL: &str = "CDA348C7-445D-4471-9CC9-E9885251C556";
    /// Parent locator.
    pub const LOCATOR: &str = "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C";
}

/// Where things lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// The header with the greater sequence number.
    pub header: u64,
    /// The log, of 1 MiB.
    pub log: u64,
    /// The metadata region, of 1 MiB.
    pub metadata: u64,
    /// The block table.
    pub table: u64,
    /// Bytes of the block table.
    pub table_len: u64,
}

impl SparseImage {
    /// A little-endian number of `len` bytes.
    #[must_use]
    pub fn number(&self, at: u64, len: usize) -> u64 {
        self.get(at, len).iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    /// Turns the bits of `mask` at `at` over.
    pub fn flip(&mut self, at: u64, mask: u8) {
        let byte = self.get(at, 1)[0] ^ mask;
        self.put(at, &[byte]);
    }

    /// Writes the checksum of the structure of `len` bytes at `at` anew.
    pub fn seal(&mut self, at: u64, len: usize) {
        let mut bytes = self.get(at, len);
        seal(&mut bytes);
        self.put(at, &bytes[..8]);
    }

    /// Writes `bytes` at `skip` into both headers and seals them.
    pub fn put_headers(&mut self, skip: u64, bytes: &[u8]) {
        for at in HEADERS {
            self.put(at + skip, bytes);
            self.seal(at, 4096);
        }
    }

    /// Writes `bytes` at `skip` into both region tables and seals them.
    pub fn put_regions(&mut self, skip: u64, bytes: &[u8]) {
        for at in REGIONS {
            self.put(at + skip, bytes);
            self.seal(at, 64 << 10);
        }
    }

    /// Where the structures of a clean file lie.
    #[must_use]
    pub fn places(&self) -> Places {
        let newer = self.number(HEADERS[0] + 8, 8) > self.number(HEADERS[1] + 8, 8);
        let header = if newer { HEADERS[0] } else { HEADERS[1] };
        let region = |id: &str| {
            let entries = (0..2047).map(|index| REGIONS[0] + 16 + index * 32);
            entries.into_iter().find(|at| self.get(*at, 16) == guid(id)).expect("the region is listed")
        };
        let table = region(BAT);
        Places {
            header,
            log: self.number(header + 72, 8),
            metadata: self.number(region(METADATA) + 16, 8),
            table: self.number(table + 16, 8),
            table_len: self.number(table + 24, 4),
        }
    }

    /// Offset of the entry of a metadata item.
    #[must_use]
    pub fn item_entry(&self, id: &str) -> u64 {
        let metadata = self.places().metadata;
        let entries = (0..2047).map(|index| metadata + 32 + index * 32);
        entries.into_iter().find(|at| self.get(*at, 16) == guid(id)).expect("the item is listed")
    }

    /// Offset of a metadata item itself.
    #[must_use]
    pub fn item(&self, id: &str) -> u64 {
        self.places().metadata + self.number(self.item_entry(id) + 16, 4)
    }

    /// The entry `index` of the block table.
    #[must_use]
    pub fn entry(&self, index: u64) -> u64 {
        self.number(self.places().table + index * 8, 8)
    }

    /// Sets the entry `index` of the block table.
    pub fn put_entry(&mut self, index: u64, entry: u64) {
        self.put(self.places().table + index * 8, &entry.to_le_bytes());
    }
}
