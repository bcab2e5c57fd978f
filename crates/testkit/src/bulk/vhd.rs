//! VHD files of contents that do not fit memory. Header, table and footer are those of an empty disk of the builder.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{Out, RawDisk, Room, buffer, shuffled_runs};
use crate::vhd::{BlockOrder, Blocks, ContentModel, Stride, VhdKind, VhdSpec};

/// Offset of the table in the builder's files without locators; it comes right behind the dynamic disk header.
const TABLE: u64 = 1536;

/// A fixed disk, all of it written.
pub fn write_vhd_fixed(spec: &VhdSpec, disk: &RawDisk, path: &Path) -> io::Result<()> {
    let mut out = Out { file: File::create(path)?, room: Room::Dense };
    let mut piece = buffer(4 << 20);
    for at in (0..disk.size()).step_by(piece.len()) {
        let len = usize::try_from((disk.size() - at).min(piece.len() as u64)).expect("a piece is small");
        disk.read(at, &mut piece[..len])?;
        out.put(at, &piece[..len])?;
    }
    let parts = spec.image(&ContentModel::new(disk.size())).parts;
    let (at, footer) = parts.last().expect("a VHD has a footer");
    out.put(*at, footer)
}

/// A dynamic disk; returns the number of its blocks. Shuffled means the order of [`shuffled_runs`].
pub fn write_vhd(spec: &VhdSpec, disk: &RawDisk, path: &Path, room: Room) -> io::Result<u64> {
    let VhdKind::Dynamic(blocks) = &spec.kind else { return Err(io::Error::other("the disk is not dynamic")) };
    let bits = vec![0xFF; usize::try_from(blocks.size / 512 / 8).expect("a small bitmap")];
    let held = disk.blocks(u64::from(blocks.size))?;
    let mut file = SparseVhd::create(spec, blocks, disk.size(), Out { file: File::create(path)?, room })?;
    for number in in_order(&held, blocks.order) {
        let mut data = buffer(u64::from(blocks.size));
        disk.read(number * u64::from(blocks.size), &mut data)?;
        file.append(number, &bits, &data)?;
    }
    file.finish()?;
    Ok(held.len() as u64)
}

/// A differencing disk: the sectors in which `disk` differs from `below`; returns the numbers of its blocks and sectors.
pub fn write_vhd_child(spec: &VhdSpec, below: &RawDisk, disk: &RawDisk, path: &Path) -> io::Result<(u64, u64)> {
    let VhdKind::Differencing(blocks, _) = &spec.kind else { return Err(io::Error::other("the disk has no parent")) };
    let size = u64::from(blocks.size);
    let mut held = [disk.blocks(size)?, below.blocks(size)?].concat();
    held.sort_unstable();
    held.dedup();
    let mut file = SparseVhd::create(spec, blocks, disk.size(), Out { file: File::create(path)?, room: Room::Dense })?;
    let (mut old, mut new) = (buffer(size), buffer(size));
    let mut counts = (0, 0);
    for number in in_order(&held, blocks.order) {
        below.read(number * size, &mut old)?;
        disk.read(number * size, &mut new)?;
        let bits = differing(&old, &mut new);
        let sectors = bits.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
        if sectors > 0 {
            file.append(number, &bits, &new)?;
            counts = (counts.0 + 1, counts.1 + sectors);
        }
    }
    file.finish()?;
    Ok(counts)
}

/// The bitmap of the sectors that differ; the others are made zero in `new`.
fn differing(old: &[u8], new: &mut [u8]) -> Vec<u8> {
    let mut bits = vec![0u8; new.len() / 512 / 8];
    for (index, (old, new)) in old.chunks(512).zip(new.chunks_mut(512)).enumerate() {
        if old == new {
            new.fill(0);
        } else {
            bits[index / 8] |= 0x80 >> (index % 8);
        }
    }
    bits
}

fn in_order(held: &[u64], order: BlockOrder) -> Vec<u64> {
    match order {
        BlockOrder::Ascending => held.to_vec(),
        BlockOrder::Shuffled(seed) => shuffled_runs(held, seed),
    }
}

/// A dynamic or differencing disk that grows.
struct SparseVhd {
    out: Out,
    table: Vec<u8>,
    footer: Vec<u8>,
    stride: Stride,
    at: u64,
}

impl SparseVhd {
    fn create(spec: &VhdSpec, blocks: &Blocks, size: u64, mut out: Out) -> io::Result<Self> {
        let mut parts = spec.image(&ContentModel::new(size)).parts;
        let (at, footer) = parts.pop().expect("a VHD has a footer");
        let (place, table) = parts.pop().expect("a sparse VHD has a table");
        assert_eq!(place, TABLE, "the table follows the header");
        for (at, bytes) in &parts {
            out.put(*at, bytes)?;
        }
        Ok(SparseVhd { out, table, footer, stride: blocks.stride, at })
    }

    fn append(&mut self, number: u64, bits: &[u8], data: &[u8]) -> io::Result<()> {
        let bitmap = (bits.len() as u64).next_multiple_of(512);
        if self.stride == Stride::Aligned {
            self.at = (self.at + bitmap).next_multiple_of(4096) - bitmap;
        }
        let entry = usize::try_from(number * 4).expect("a small table");
        let sector = u32::try_from(self.at / 512).expect("a file below 2 TiB");
        self.table[entry..entry + 4].copy_from_slice(&sector.to_be_bytes());
        self.out.put(self.at, bits)?;
        self.out.put(self.at + bitmap, data)?;
        self.at += bitmap + data.len() as u64;
        Ok(())
    }

    /// The footer goes to the end, which also gives a sparse file its length.
    fn finish(mut self) -> io::Result<()> {
        self.out.put(TABLE, &self.table)?;
        self.out.put(self.at, &self.footer)
    }
}
