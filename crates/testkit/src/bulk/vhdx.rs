//! Dynamic VHDX files of contents that do not fit memory. Headers, regions and metadata are those of an empty disk of the
//! builder.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{Out, RawDisk, Room, buffer, shuffled_runs};
use crate::vhdx::{LayerContent, VhdxSpec};

/// A dynamic disk with blocks of `block` bytes in shuffled runs; returns their number.
pub fn write_vhdx(spec: &VhdxSpec, disk: &RawDisk, block: u64, (path, room): (&Path, Room)) -> io::Result<u64> {
    let mut image = spec.image(&LayerContent::new(disk.size(), block, u64::from(spec.logical)));
    let table = image.places().table;
    let ratio = (u64::from(spec.logical) << 23) / block;
    let held = disk.blocks(block)?;
    let mut out = Out { file: File::create(path)?, room };
    let mut at = image.len;
    let mut data = buffer(block);
    for number in shuffled_runs(&held, spec.seed) {
        disk.read(number * block, &mut data)?;
        out.put(at, &data)?;
        image.put(table + (number + number / ratio) * 8, &(at | 6).to_le_bytes());
        at += block;
    }
    out.file.set_len(at)?;
    for page in image.pages() {
        out.put(page, &image.get(page, 4096))?;
    }
    Ok(held.len() as u64)
}
