//! How a VHD is laid out: everything that two files with the same content may do differently.

use super::{Creator, FooterLength, Geometry};

/// Description of a VHD file apart from its content.
#[derive(Debug, Clone)]
pub struct VhdSpec {
    /// Fixed, dynamic or differencing, with the options of each.
    pub kind: VhdKind,
    /// Unique id of the disk, in the order of the GUID's text.
    pub unique_id: [u8; 16],
    /// Creation time in seconds since 2000-01-01 00:00 UTC.
    pub timestamp: u32,
    /// Who made it.
    pub creator: Creator,
    /// Geometry to store when it shall differ from what the current size gives.
    pub geometry: Option<Geometry>,
    /// Original size to store when the disk was expanded later.
    pub original_size: Option<u64>,
    /// Length of the footer at the end.
    pub footer: FooterLength,
}

impl VhdSpec {
    /// A disk as Hyper-V of 2008 R2 makes it.
    #[must_use]
    pub fn new(kind: VhdKind, unique_id: [u8; 16]) -> Self {
        Self {
            kind,
            unique_id,
            timestamp: 378_000_000,
            creator: Creator::HYPER_V_2008_R2,
            geometry: None,
            original_size: None,
            footer: FooterLength::Full,
        }
    }
}

/// The three kinds of disks.
#[derive(Debug, Clone)]
pub enum VhdKind {
    /// All sectors in the file, then the footer.
    Fixed,
    /// Blocks that were written, found through the block allocation table.
    Dynamic(Blocks),
    /// Like dynamic, over a parent.
    Differencing(Blocks, Parent),
}

impl VhdKind {
    /// Number of the disk type and data offset of the footer.
    pub(super) fn type_and_offset(&self) -> (u32, u64) {
        match self {
            Self::Fixed => (2, u64::MAX),
            Self::Dynamic(_) => (3, 512),
            Self::Differencing(..) => (4, 512),
        }
    }
}

/// Options of the blocks of a dynamic or differencing disk.
#[derive(Debug, Clone)]
pub struct Blocks {
    /// Size of a block in bytes: a power of two of at least 4096, 2 MiB by default.
    pub size: u32,
    /// Order of the blocks in the file.
    pub order: BlockOrder,
    /// Distance of the blocks.
    pub stride: Stride,
    /// Bits of a dynamic disk; a differencing disk always has those of the written sectors.
    pub bitmap: BitmapFill,
}

impl Default for Blocks {
    fn default() -> Self {
        Self { size: 2 << 20, order: BlockOrder::Ascending, stride: Stride::Packed, bitmap: BitmapFill::AllSectors }
    }
}

/// Order of the blocks in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockOrder {
    /// As in the virtual disk.
    Ascending,
    /// Mixed by the given seed, as after random writes.
    Shuffled(u64),
}

/// Distance of the blocks in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stride {
    /// Bitmap and data follow each other without gaps: 4097 sectors for blocks of 2 MiB (2008, 2008 R2).
    Packed,
    /// The data begin at a multiple of 4096 bytes: 4104 sectors for blocks of 2 MiB (2012 and later).
    Aligned,
}

/// Which bits the bitmap of a dynamic disk's block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BitmapFill {
    /// All, as Hyper-V sets them.
    AllSectors,
    /// Only those of written sectors, as Virtual PC did.
    WrittenSectors,
}

/// What a differencing disk says of its parent.
#[derive(Debug, Clone)]
pub struct Parent {
    /// Unique id in the parent's footer.
    pub unique_id: [u8; 16],
    /// Time stamp of the parent.
    pub timestamp: u32,
    /// Parent unicode name of the dynamic disk header.
    pub name: String,
    /// Up to eight locators, stored in this order.
    pub locators: Vec<Locator>,
    /// Seed of rubbish that lies in the file where the bitmap says "in the parent"; zeros when `None`.
    pub stale: Option<u64>,
}

/// A parent locator.
#[derive(Debug, Clone)]
pub struct Locator {
    /// `W2ku` (absolute, UTF-16LE), `W2ru` (relative, UTF-16LE), `Wi2r` (relative, one byte a character) or `MacX` (URL, UTF-8).
    pub platform: [u8; 4],
    /// The path.
    pub text: String,
    /// Unit of the field "platform data space".
    pub space: SpaceUnit,
}

impl Locator {
    /// A locator whose space is counted in sectors.
    #[must_use]
    pub fn new(platform: &[u8; 4], text: &str) -> Self {
        Self { platform: *platform, text: text.to_owned(), space: SpaceUnit::Sectors }
    }

    /// The path as it is stored.
    pub(super) fn data(&self) -> Vec<u8> {
        if self.platform == *b"Wi2r" || self.platform == *b"Wi2k" {
            self.text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
        } else if self.platform == *b"MacX" {
            self.text.as_bytes().to_vec()
        } else {
            crate::bytes::utf16le(&self.text)
        }
    }
}

/// Unit of the field "platform data space" of a locator: the specification says sectors, Windows writes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceUnit {
    /// Sectors of 512 bytes.
    Sectors,
    /// Bytes.
    Bytes,
}
