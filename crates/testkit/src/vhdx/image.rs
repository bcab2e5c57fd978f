//! Lays the content of a layer out as a VHDX file.

use super::{BlockState, Dice, LayerContent, SparseImage, checksum, guid, guid_text};
use crate::bytes::{put16, put32, put64, utf16le};

const MIB: u64 = 1 << 20;

/// The three kinds of disks.
#[derive(Debug, Clone)]
pub enum Kind {
    /// All blocks are there and stay.
    Fixed,
    /// Blocks as needed.
    Dynamic,
    /// Over a parent.
    Differencing(ParentSpec),
}

/// What a child says of its parent.
#[derive(Debug, Clone)]
pub struct ParentSpec {
    /// Keys and values of the locator, in this order.
    pub pairs: Vec<(String, String)>,
}

impl ParentSpec {
    /// A locator with the parent's data write GUID and a relative path.
    #[must_use]
    pub fn new(data_write: &[u8; 16], path: &str) -> Self {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        ParentSpec {
            pairs: vec![pair("parent_linkage", guid_text(data_write)), pair("relative_path", path.to_owned())],
        }
    }
}

/// Everything about a file but its content.
#[derive(Debug, Clone)]
pub struct VhdxSpec {
    /// Kind of the disk.
    pub kind: Kind,
    /// Data write GUID as stored.
    pub data_write: [u8; 16],
    /// Virtual disk id as stored.
    pub disk_id: [u8; 16],
    /// Logical sector size in bytes, 512 or 4096.
    pub logical: u32,
    /// Physical sector size in bytes.
    pub physical: u32,
    /// Sequence numbers of the two headers; the smaller one gets another data write GUID.
    pub sequences: [u64; 2],
    /// Seed of the order of blocks and regions, and of garbage where readers must not look.
    pub seed: u64,
}

impl VhdxSpec {
    /// A dynamic disk with sectors of 512 bytes; `id` makes its GUIDs.
    #[must_use]
    pub fn new(kind: Kind, id: u8) -> Self {
        let (data_write, disk_id) = ([id; 16], [id ^ 0x55; 16]);
        VhdxSpec { kind, data_write, disk_id, logical: 512, physical: 4096, sequences: [7, 8], seed: u64::from(id) }
    }

    /// The file. Blocks of a fixed disk must all be full, and only differencing disks can have partial ones.
    #[must_use]
    pub fn image(&self, content: &LayerContent) -> SparseImage {
        let mut dice = Dice::new(self.seed);
        let ratio = (u64::from(self.logical) << 23) / content.block;
        let chunks = content.blocks().div_ceil(ratio);
        let table_len = (chunks * (ratio + 1) * 8).next_multiple_of(MIB);
        let (mut log, mut metadata, mut table) = (MIB, 2 * MIB, 3 * MIB);
        if dice.below(2) == 0 {
            (table, metadata, log) = (MIB, MIB + table_len, 2 * MIB + table_len);
        }
        let mut image = SparseImage::default();
        image.put(0, b"vhdxfile");
        image.put(8, &utf16le("testkit"));
        for (index, offset) in [64 << 10, 128 << 10].into_iter().enumerate() {
            image.put(offset, &self.header(index, log));
        }
        for offset in [192 << 10, 256 << 10] {
            image.put(offset, &region_table(&[(BAT, table, table_len), (METADATA, metadata, MIB)]));
        }
        for (offset, bytes) in self.metadata(content, &mut dice) {
            image.put(metadata + offset, &bytes);
        }
        let mut end = 3 * MIB + table_len;
        for piece in self.pieces(content, &mut dice) {
            end += dice.below(3) * MIB;
            let index = match piece {
                Piece::Block(block) => block + block / ratio,
                Piece::Bitmap(chunk) => chunk * (ratio + 1) + ratio,
            };
            let state = match piece {
                Piece::Block(block) => content.state(block).number(),
                Piece::Bitmap(_) => 6,
            };
            image.put(table + index * 8, &(end | state).to_le_bytes());
            end += match piece {
                Piece::Block(block) => put_block(&mut image, end, content, block),
                Piece::Bitmap(chunk) => put_bitmap(&mut image, end, content, chunk, ratio),
            };
        }
        for (block, state) in &content.states {
            if !matches!(state, BlockState::Full | BlockState::Partial) {
                // A place that is left over means nothing in these states.
                let entry = state.number() + dice.below(2) * (dice.below(1 << 20) << 20);
                image.put(table + (block + block / ratio) * 8, &entry.to_le_bytes());
            }
        }
        image.set_len(end);
        image
    }

    fn pieces(&self, content: &LayerContent, dice: &mut Dice) -> Vec<Piece> {
        let ratio = (u64::from(self.logical) << 23) / content.block;
        let held = |block: &u64| matches!(content.state(*block), BlockState::Full | BlockState::Partial);
        let mut pieces: Vec<Piece> = (0..content.blocks()).filter(held).map(Piece::Block).collect();
        if matches!(self.kind, Kind::Differencing(_)) {
            let partial = |chunk: &u64| {
                (chunk * ratio..(chunk + 1) * ratio).any(|block| content.state(block) == BlockState::Partial)
            };
            pieces.extend((0..content.blocks().div_ceil(ratio)).filter(partial).map(Piece::Bitmap));
        }
        pieces.sort_by_cached_key(|_| dice.roll());
        pieces
    }

    fn header(&self, index: usize, log: u64) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        bytes[..4].copy_from_slice(b"head");
        put64(&mut bytes, 8, self.sequences[index]);
        bytes[16..32].fill(0x77);
        bytes[32..48].copy_from_slice(&self.data_write);
        if self.sequences[index] < self.sequences[1 - index] {
            bytes[32..48].fill(0x66);
        }
        put16(&mut bytes, 66, 1);
        put32(&mut bytes, 68, 1 << 20);
        put64(&mut bytes, 72, log);
        seal(&mut bytes);
        bytes
    }

    /// Offsets in the region and bytes: the table and the items in a random order.
    fn metadata(&self, content: &LayerContent, dice: &mut Dice) -> Vec<(u64, Vec<u8>)> {
        let mut parameters = u32::try_from(content.block).expect("at most 256 MiB").to_le_bytes().to_vec();
        parameters.extend(match self.kind {
            Kind::Fixed => [1, 0, 0, 0],
            Kind::Dynamic => [0, 0, 0, 0],
            Kind::Differencing(_) => [2, 0, 0, 0],
        });
        let mut items: Vec<(&str, u32, Vec<u8>)> = vec![
            ("CAA16737-FA36-4D43-B3B6-33F0AA44E76B", 4, parameters),
            ("2FA54224-CD1B-4876-B211-5DBED83BF4B8", 6, content.size.to_le_bytes().to_vec()),
            ("BECA12AB-B2E6-4523-93EF-C309E000C746", 6, self.disk_id.to_vec()),
            ("8141BF1D-A96F-4709-BA47-F233A8FAAB5F", 6, self.logical.to_le_bytes().to_vec()),
            ("CDA348C7-445D-4471-9CC9-E9885251C556", 6, self.physical.to_le_bytes().to_vec()),
        ];
        if let Kind::Differencing(parent) = &self.kind {
            items.push(("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C", 4, locator(parent)));
        }
        items.sort_by_cached_key(|_| dice.roll());
        let mut table = vec![0; 32 + items.len() * 32];
        table[..8].copy_from_slice(b"metadata");
        put16(&mut table, 10, u16::try_from(items.len()).expect("few items"));
        let mut parts = Vec::new();
        let mut place = 64 << 10;
        for (at, (id, flags, bytes)) in (32..).step_by(32).zip(items) {
            place += dice.below(3) * 4096;
            table[at..at + 16].copy_from_slice(&guid(id));
            put32(&mut table, at + 16, u32::try_from(place).expect("inside the region"));
            put32(&mut table, at + 20, u32::try_from(bytes.len()).expect("a small item"));
            put32(&mut table, at + 24, flags);
            let len = bytes.len() as u64;
            parts.push((place, bytes));
            place += len;
        }
        parts.push((0, table));
        parts
    }
}

pub(super) const BAT: &str = "2DC27766-F623-4200-9D64-115E9BFD4A08";
pub(super) const METADATA: &str = "8B7CA206-4790-4B9A-B8FE-575F050F886E";

/// What takes a place behind the regions.
#[derive(Debug, Clone, Copy)]
enum Piece {
    Block(u64),
    Bitmap(u64),
}

/// Writes a block, with garbage in the sectors of a partial one that are the parent's; its length.
fn put_block(image: &mut SparseImage, at: u64, content: &LayerContent, block: u64) -> u64 {
    let per_block = content.block / content.sector;
    let mut garbage = Dice::new(at ^ 0xABCD);
    for sector in 0..per_block {
        let number = block * per_block + sector;
        if let Some(bytes) = content.sectors.get(&number) {
            image.put(at + sector * content.sector, bytes);
        } else if content.state(block) == BlockState::Partial && garbage.below(40) == 0 {
            let len = usize::try_from(content.sector).expect("a sector is small");
            image.put(at + sector * content.sector, &garbage.bytes(len));
        }
    }
    content.block
}

/// Writes the bitmap of a chunk: the first sector is the lowest bit. Bits of blocks that are not partial mean nothing.
fn put_bitmap(image: &mut SparseImage, at: u64, content: &LayerContent, chunk: u64, ratio: u64) -> u64 {
    let per_block = content.block / content.sector;
    for block in (chunk * ratio..(chunk + 1) * ratio).filter(|block| *block < content.blocks()) {
        let first = block % ratio * per_block / 8;
        let mut bits = vec![0u8; usize::try_from(per_block / 8).expect("a small bitmap")];
        for sector in 0..per_block {
            if content.sectors.contains_key(&(block * per_block + sector)) {
                bits[usize::try_from(sector / 8).expect("a small bitmap")] |= 1 << (sector % 8);
            }
        }
        if content.state(block) != BlockState::Partial {
            bits.fill(0xA5);
        }
        image.put(at + first, &bits);
    }
    MIB
}

fn region_table(regions: &[(&str, u64, u64)]) -> Vec<u8> {
    let mut bytes = vec![0; 64 << 10];
    bytes[..4].copy_from_slice(b"regi");
    put32(&mut bytes, 8, u32::try_from(regions.len()).expect("few regions"));
    for (at, (id, start, len)) in (16..).step_by(32).zip(regions) {
        bytes[at..at + 16].copy_from_slice(&guid(id));
        put64(&mut bytes, at + 16, *start);
        put32(&mut bytes, at + 24, u32::try_from(*len).expect("a small table"));
        put32(&mut bytes, at + 28, 1);
    }
    seal(&mut bytes);
    bytes
}

fn locator(parent: &ParentSpec) -> Vec<u8> {
    let mut bytes = guid("B04AEFB7-D19E-4A81-B789-25B8E9445913").to_vec();
    bytes.resize(20 + parent.pairs.len() * 12, 0);
    put16(&mut bytes, 18, u16::try_from(parent.pairs.len()).expect("few keys"));
    for (at, (key, value)) in (20..).step_by(12).zip(&parent.pairs) {
        for (field, text) in [(0, key), (1, value)] {
            let text = utf16le(text);
            let place = u32::try_from(bytes.len()).expect("a small locator");
            put32(&mut bytes, at + field * 4, place);
            put16(&mut bytes, at + 8 + field * 2, u16::try_from(text.len()).expect("a short text"));
            bytes.extend(text);
        }
    }
    bytes
}

/// Writes the checksum at offset 4.
pub(super) fn seal(bytes: &mut [u8]) {
    let sum = checksum(bytes);
    put32(bytes, 4, sum);
}
