//! A small dynamic VHD that the corpus changes, and the changes to its structures with their checksums written anew.

use crate::vhd::{BitmapFill, BlockOrder, Blocks, ContentModel, Stride, VhdKind, VhdSpec};

/// Offset of the dynamic header.
pub(super) const HEADER: usize = 512;
/// Offset of the block table of 16 entries.
pub(super) const TABLE: usize = 1536;
/// Bytes of a block.
pub(super) const BLOCK: u32 = 4096;
/// Bytes of the disk.
pub(super) const SIZE: u64 = 65536;

/// Blocks of 4 KiB.
pub(super) fn blocks() -> Blocks {
    Blocks { size: BLOCK, order: BlockOrder::Ascending, stride: Stride::Packed, bitmap: BitmapFill::AllSectors }
}

/// The content: blocks 0 to 11 are written, the rest is not.
pub(super) fn model() -> ContentModel {
    let mut content = ContentModel::new(SIZE);
    content.fill(0, 12 * 8, 77);
    content
}

/// A dynamic disk of 16 blocks with its content.
pub(super) fn dynamic() -> (Vec<u8>, Vec<u8>) {
    let content = model();
    (VhdSpec::new(VhdKind::Dynamic(blocks()), [0x21; 16]).image(&content).to_vec(), content.to_vec())
}

/// A fixed disk with its content.
pub(super) fn fixed() -> (Vec<u8>, Vec<u8>) {
    let content = model();
    (VhdSpec::new(VhdKind::Fixed, [0x22; 16]).image(&content).to_vec(), content.to_vec())
}

/// Writes the checksum of the footer (64) or header (36) in `bytes`.
pub(super) fn seal(bytes: &mut [u8], field: usize) {
    bytes[field..field + 4].fill(0);
    let sum = !bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    bytes[field..field + 4].copy_from_slice(&sum.to_be_bytes());
}

/// Sets a field of the footer at the end.
pub(super) fn footer(file: &mut [u8], at: usize, value: &[u8]) {
    let end = file.len() - 512;
    file[end + at..end + at + value.len()].copy_from_slice(value);
    seal(&mut file[end..], 64);
}

/// Sets a field of both footers of a sparse disk.
pub(super) fn both(file: &mut [u8], at: usize, value: &[u8]) {
    footer(file, at, value);
    file[at..at + value.len()].copy_from_slice(value);
    seal(&mut file[..512], 64);
}

/// Sets a field of the dynamic header.
pub(super) fn header(file: &mut [u8], at: usize, value: &[u8]) {
    file[HEADER + at..HEADER + at + value.len()].copy_from_slice(value);
    seal(&mut file[HEADER..HEADER + 1024], 36);
}

/// Sets an entry of the block table.
pub(super) fn entry(file: &mut [u8], block: usize, sector: u32) {
    file[TABLE + block * 4..][..4].copy_from_slice(&sector.to_be_bytes());
}

/// The entry of a block.
pub(super) fn sector(file: &[u8], block: usize) -> u32 {
    u32::from_be_bytes(file[TABLE + block * 4..][..4].try_into().expect("four bytes"))
}

/// Flips bits of one byte.
pub(super) fn flip(file: &mut [u8], at: usize) {
    file[at] ^= 0x10;
}
