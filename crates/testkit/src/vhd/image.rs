//! Lays the content of a disk out as a VHD file.

use super::content::pattern;
use super::footer::{checksum, footer};
use super::{BitmapFill, BlockOrder, Blocks, ContentModel, FooterLength, Locator, Parent, SpaceUnit, Stride};
use super::{VhdKind, VhdSpec};
use crate::bytes::utf16be;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of a file: pieces at offsets, zeros between them.
#[derive(Debug, Clone)]
pub struct VhdImage {
    /// Length of the file.
    pub len: u64,
    /// The pieces, not overlapping.
    pub parts: Vec<(u64, Vec<u8>)>,
}

impl VhdImage {
    /// All bytes. For small files.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.len).expect("a small file")];
        for (at, part) in &self.parts {
            let at = usize::try_from(*at).expect("a small file");
            bytes[at..at + part.len()].copy_from_slice(part);
        }
        bytes
    }

    /// Writes the file, with holes between the pieces where the file system can have them.
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.set_len(self.len)?;
        for (at, part) in &self.parts {
            file.seek(SeekFrom::Start(*at))?;
            file.write_all(part)?;
        }
        Ok(())
    }
}

impl VhdSpec {
    /// The file of a disk that holds `content` (of a differencing disk: the layer's own sectors).
    #[must_use]
    pub fn image(&self, content: &ContentModel) -> VhdImage {
        match &self.kind {
            VhdKind::Fixed => self.fixed(content),
            VhdKind::Dynamic(blocks) => self.sparse(content, blocks, None),
            VhdKind::Differencing(blocks, parent) => self.sparse(content, blocks, Some(parent)),
        }
    }

    /// Data, then the footer.
    fn fixed(&self, content: &ContentModel) -> VhdImage {
        let mut parts: Vec<(u64, Vec<u8>)> = Vec::new();
        for (sector, bytes) in content.written() {
            push_sector(&mut parts, sector * 512, bytes);
        }
        self.finish(parts, content.size(), content.size())
    }

    /// Footer copy, dynamic disk header, table, locators, blocks, footer.
    fn sparse(&self, content: &ContentModel, blocks: &Blocks, parent: Option<&Parent>) -> VhdImage {
        let block = u64::from(blocks.size);
        let entries = content.size().div_ceil(block);
        let mut at = (1536 + entries * 4).next_multiple_of(512);
        let mut parts = vec![(0, footer(self, content.size()).to_vec())];
        let mut header = dynamic_header(entries, blocks.size, parent);
        for (index, locator) in parent.iter().flat_map(|parent| &parent.locators).enumerate() {
            let space = locator_entry(&mut header, index, locator, at);
            parts.push((at, locator.data()));
            at += space;
        }
        seal_header(&mut header);
        let mut table = vec![u32::MAX; usize::try_from(entries).expect("a small disk")];
        let bitmap_size = (block / 512 / 8).next_multiple_of(512);
        for index in ordered_blocks(content, block, blocks.order) {
            if blocks.stride == Stride::Aligned {
                at = (at + bitmap_size).next_multiple_of(4096) - bitmap_size;
            }
            table[usize::try_from(index).expect("a small disk")] = u32::try_from(at / 512).expect("a file below 2 TiB");
            parts.push((at, bitmap(content, index, blocks, parent)));
            for (number, bytes) in block_data(content, index, blocks, parent.and_then(|parent| parent.stale)) {
                push_sector(&mut parts, at + bitmap_size + number * 512, &bytes);
            }
            at += bitmap_size + block;
        }
        let mut table: Vec<u8> = table.iter().flat_map(|entry| entry.to_be_bytes()).collect();
        table.resize(table.len().next_multiple_of(512), 0xFF);
        parts.push((512, header));
        parts.push((1536, table));
        self.finish(parts, at, content.size())
    }

    /// Adds the footer at `at` and gives the file.
    fn finish(&self, mut parts: Vec<(u64, Vec<u8>)>, at: u64, size: u64) -> VhdImage {
        let length = if self.footer == FooterLength::Short { 511 } else { 512 };
        parts.push((at, footer(self, size)[..length].to_vec()));
        VhdImage { len: at + length as u64, parts }
    }
}

/// Numbers of the blocks that have a written sector, in the order of the file.
fn ordered_blocks(content: &ContentModel, block: u64, order: BlockOrder) -> Vec<u64> {
    let mut numbers: Vec<u64> = content.written().map(|(sector, _)| sector * 512 / block).collect();
    numbers.dedup();
    if let BlockOrder::Shuffled(seed) = order {
        numbers.sort_by_key(|number| pattern(seed, *number));
    }
    numbers
}

/// Bitmap of one block. Bit 7 of the first byte belongs to the first sector.
fn bitmap(content: &ContentModel, index: u64, blocks: &Blocks, parent: Option<&Parent>) -> Vec<u8> {
    let per_block = u64::from(blocks.size) / 512;
    let mut bytes = vec![0u8; usize::try_from((per_block / 8).next_multiple_of(512)).expect("a small bitmap")];
    let all = parent.is_none() && blocks.bitmap == BitmapFill::AllSectors;
    for number in 0..per_block {
        if all || content.is_written(index * per_block + number) {
            bytes[usize::try_from(number / 8).expect("a small bitmap")] |= 0x80 >> (number % 8);
        }
    }
    bytes
}

/// The sectors of one block that are not left as holes: those that were written, and rubbish in the place of others.
fn block_data(content: &ContentModel, index: u64, blocks: &Blocks, stale: Option<u64>) -> Vec<(u64, [u8; 512])> {
    let per_block = u64::from(blocks.size) / 512;
    let sectors = index * per_block..(index + 1) * per_block;
    match stale {
        None => content.written_in(sectors).map(|(sector, bytes)| (sector % per_block, *bytes)).collect(),
        Some(seed) => sectors
            .map(|sector| {
                let own = content.is_written(sector);
                (sector % per_block, if own { content.sector(sector) } else { pattern(seed, sector) })
            })
            .collect(),
    }
}

/// Adds a sector at `at`, to the last piece when it ends there.
fn push_sector(parts: &mut Vec<(u64, Vec<u8>)>, at: u64, bytes: &[u8; 512]) {
    match parts.last_mut() {
        Some((start, run)) if *start + run.len() as u64 == at => run.extend_from_slice(bytes),
        _ => parts.push((at, bytes.to_vec())),
    }
}

/// The 1024 bytes of the dynamic disk header, still without locators and checksum.
fn dynamic_header(entries: u64, block_size: u32, parent: Option<&Parent>) -> Vec<u8> {
    let mut header = vec![0u8; 1024];
    header[0..8].copy_from_slice(b"cxsparse");
    header[8..16].copy_from_slice(&u64::MAX.to_be_bytes());
    header[16..24].copy_from_slice(&1536u64.to_be_bytes());
    header[24..28].copy_from_slice(&0x0001_0000u32.to_be_bytes());
    header[28..32].copy_from_slice(&u32::try_from(entries).expect("a small disk").to_be_bytes());
    header[32..36].copy_from_slice(&block_size.to_be_bytes());
    if let Some(parent) = parent {
        header[40..56].copy_from_slice(&parent.unique_id);
        header[56..60].copy_from_slice(&parent.timestamp.to_be_bytes());
        let name: Vec<u8> = utf16be(&parent.name).into_iter().take(510).collect();
        header[64..64 + name.len()].copy_from_slice(&name);
    }
    header
}

/// Writes the entry of a locator whose data lie at `at`; returns the space that it takes in the file.
fn locator_entry(header: &mut [u8], index: usize, locator: &Locator, at: u64) -> u64 {
    assert!(index < 8, "a header has eight locators");
    let entry = &mut header[576 + index * 24..][..24];
    let length = u32::try_from(locator.data().len()).expect("a short path");
    let space = length.next_multiple_of(512);
    let written = if locator.space == SpaceUnit::Sectors { space / 512 } else { space };
    entry[0..4].copy_from_slice(&locator.platform);
    entry[4..8].copy_from_slice(&written.to_be_bytes());
    entry[8..12].copy_from_slice(&length.to_be_bytes());
    entry[16..24].copy_from_slice(&at.to_be_bytes());
    u64::from(space)
}

fn seal_header(header: &mut [u8]) {
    let sum = checksum(header);
    header[36..40].copy_from_slice(&sum.to_be_bytes());
}
