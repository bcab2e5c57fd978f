//! Virtual hard disks of the second format (`.vhdx`, `.avhdx`) made from a naive model of their content, with logs in
//! every state that a crash can leave, and a naive reader of chains.
//!
//! Specification: \[MS-VHDX\]. [`VhdxSpec::image`] lays a [`LayerContent`] out; [`leave_dirty`] turns a finished file into
//! one whose log was not applied; [`reference`] reads a chain sector by sector.

mod content;
pub mod edit;
mod image;
mod log;
pub mod reference;
mod sparse;

pub use content::{BlockState, LayerContent};
pub use image::{Kind, ParentSpec, VhdxSpec};
pub use log::{Change, Dirt, LOG_GUID, leave_dirty, put_log_entry, set_log_guid};
pub use sparse::SparseImage;

/// Seeded random numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same seed gives the same numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Dice(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// `len` random bytes, none of them zero.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&(self.roll() | 0x0101_0101_0101_0101).to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// CRC-32C of `bytes`, one bit after the other, with the four bytes at 4 taken as zero.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for (index, byte) in bytes.iter().enumerate() {
        crc ^= if (4..8).contains(&index) { 0 } else { u32::from(*byte) };
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}

/// The bytes of a GUID as Windows stores them: the first three fields little-endian.
#[must_use]
pub fn guid(text: &str) -> [u8; 16] {
    let plain = crate::guid::plain_bytes(text);
    let mut bytes = plain;
    bytes[0..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

/// The text of a stored GUID, in braces, as parent locators have it.
#[must_use]
pub fn guid_text(bytes: &[u8; 16]) -> String {
    let part = |range: std::ops::Range<usize>, turned: bool| {
        let mut part = bytes[range].to_vec();
        if turned {
            part.reverse();
        }
        crate::bytes::hex(&part)
    };
    format!(
        "{{{}-{}-{}-{}-{}}}",
        part(0..4, true),
        part(4..6, true),
        part(6..8, true),
        part(8..10, false),
        part(10..16, false)
    )
}
