//! A reader of VHD chains that is as simple as the specification: whole files in memory, one sector after the other.
//! It shares no code with the builder beside it, so that a mistake in one shows in a comparison.

use std::io;
use std::path::Path;

/// The parts of one file that matter for reading.
struct Layer {
    bytes: Vec<u8>,
    size: u64,
    blocks: Option<Blocks>,
}

/// Where the blocks of a dynamic or differencing disk are.
struct Blocks {
    table_at: u64,
    entries: u64,
    size: u64,
    has_parent: bool,
}

/// The virtual content of a chain. `paths` begins with the leaf and ends with the base.
pub fn read_chain(paths: &[impl AsRef<Path>]) -> io::Result<Vec<u8>> {
    read_files(paths.iter().map(std::fs::read).collect::<io::Result<_>>()?)
}

/// The virtual content of a chain of files in memory, the leaf first.
pub fn read_files(files: Vec<Vec<u8>>) -> io::Result<Vec<u8>> {
    let layers: Vec<Layer> = files.into_iter().map(open).collect::<io::Result<_>>()?;
    let Some(leaf) = layers.first() else { return Err(bad("no file given")) };
    let mut content = Vec::new();
    for sector in 0..leaf.size / 512 {
        content.extend_from_slice(&read_sector(&layers, sector)?);
    }
    Ok(content)
}

/// One sector through the chain.
fn read_sector(layers: &[Layer], sector: u64) -> io::Result<[u8; 512]> {
    for layer in layers {
        if sector >= layer.size / 512 {
            return Ok([0; 512]); // the parent is smaller than the child
        }
        let Some(blocks) = &layer.blocks else { return sector_at(&layer.bytes, sector * 512) };
        match find(layer, blocks, sector)? {
            Some(at) => return sector_at(&layer.bytes, at),
            None if blocks.has_parent => {}
            None => return Ok([0; 512]),
        }
    }
    Err(bad("the chain ends with a differencing disk"))
}

/// File offset of a sector in a sparse layer, or `None` when the layer does not hold it.
fn find(layer: &Layer, blocks: &Blocks, sector: u64) -> io::Result<Option<u64>> {
    let per_block = blocks.size / 512;
    let block = sector / per_block;
    if block >= blocks.entries {
        return Err(bad("the block allocation table is too short"));
    }
    let entry = number(&layer.bytes, blocks.table_at + block * 4, 4)?;
    if entry == 0xFFFF_FFFF {
        return Ok(None);
    }
    let bitmap_at = entry * 512;
    let bitmap_len = (per_block / 8).div_ceil(512) * 512;
    let in_block = sector % per_block;
    let byte = number(&layer.bytes, bitmap_at + in_block / 8, 1)?;
    let bit = byte >> (7 - in_block % 8) & 1;
    Ok((bit == 1).then_some(bitmap_at + bitmap_len + in_block * 512))
}

/// Reads footer and header of a file and checks cookies and checksums.
fn open(bytes: Vec<u8>) -> io::Result<Layer> {
    let length = bytes.len() as u64;
    let is_footer = |at: Option<u64>| at.is_some_and(|at| matches!(text(&bytes, at, 8), Ok(b"conectix")));
    let footer_at = [length.checked_sub(512), length.checked_sub(511)].into_iter().find(|at| is_footer(*at)).flatten();
    let footer_at = footer_at.ok_or_else(|| bad("no footer at the end of the file"))?;
    let mut footer = text(&bytes, footer_at, length - footer_at)?.to_vec();
    footer.resize(512, 0);
    check_sum(&footer, 64)?;
    let size = number(&footer, 48, 8)?;
    let blocks = match number(&footer, 60, 4)? {
        2 => None,
        kind @ (3 | 4) => Some(read_header(&bytes, number(&footer, 16, 8)?, kind == 4)?),
        other => return Err(bad(&format!("disk type {other} is unknown"))),
    };
    Ok(Layer { bytes, size, blocks })
}

fn read_header(bytes: &[u8], at: u64, has_parent: bool) -> io::Result<Blocks> {
    let header = text(bytes, at, 1024)?;
    if &header[..8] != b"cxsparse" {
        return Err(bad("no dynamic disk header"));
    }
    check_sum(header, 36)?;
    let size = number(header, 32, 4)?;
    if size < 512 || !size.is_power_of_two() {
        return Err(bad(&format!("a block size of {size} is impossible")));
    }
    Ok(Blocks { table_at: number(header, 16, 8)?, entries: number(header, 28, 4)?, size, has_parent })
}

/// Checks the one's complement sum whose field lies at `field`.
fn check_sum(bytes: &[u8], field: usize) -> io::Result<()> {
    let mut sum = 0u32;
    for (index, byte) in bytes.iter().enumerate() {
        if !(field..field + 4).contains(&index) {
            sum = sum.wrapping_add(u32::from(*byte));
        }
    }
    let stored = number(bytes, field as u64, 4)?;
    if u64::from(!sum) == stored { Ok(()) } else { Err(bad(&format!("checksum {stored:#x}, computed {:#x}", !sum))) }
}

fn sector_at(bytes: &[u8], at: u64) -> io::Result<[u8; 512]> {
    text(bytes, at, 512).map(|sector| sector.try_into().expect("512 bytes"))
}

fn text(bytes: &[u8], at: u64, length: u64) -> io::Result<&[u8]> {
    let range = usize::try_from(at).ok().zip(at.checked_add(length).and_then(|end| usize::try_from(end).ok()));
    range
        .and_then(|(from, to)| bytes.get(from..to))
        .ok_or_else(|| bad(&format!("{length} bytes at {at} lie outside the file")))
}

fn number(bytes: &[u8], at: u64, length: u64) -> io::Result<u64> {
    Ok(text(bytes, at, length)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
