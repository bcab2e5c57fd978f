//! A reader of VHDX chains that is as simple as the specification: the log is applied to a copy in memory, then one
//! sector is read after the other. It shares no code with the builder beside it but the checksum.

use super::{SparseImage, checksum};
use std::io;

/// One file, log applied.
struct Layer {
    image: SparseImage,
    size: u64,
    block: u64,
    sector: u64,
    table: u64,
    has_parent: bool,
}

/// The virtual content of a chain that begins with the leaf and ends with the base.
pub fn read_chain(images: &[&SparseImage]) -> io::Result<Vec<u8>> {
    let layers: Vec<Layer> = images.iter().map(|image| open(image)).collect::<io::Result<_>>()?;
    let Some(leaf) = layers.first() else { return Err(bad("no file given")) };
    let mut content = Vec::new();
    for sector in 0..leaf.size / leaf.sector {
        content.extend(read_sector(&layers, sector * leaf.sector, leaf.sector)?);
    }
    Ok(content)
}

fn read_sector(layers: &[Layer], offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(len).expect("a sector is small");
    for layer in layers {
        if offset >= layer.size {
            break;
        }
        let ratio = (1 << 23) * layer.sector / layer.block;
        let (block, within) = (offset / layer.block, offset % layer.block);
        let entry = number(&layer.image, layer.table + (block + block / ratio) * 8, 8);
        let at = (entry >> 20 << 20) + within;
        match entry & 7 {
            0 if layer.has_parent => {}
            0..=3 => break,
            6 => return Ok(layer.image.get(at, length)),
            7 if layer.has_parent => {
                let chunk = block / ratio;
                let bitmap = number(&layer.image, layer.table + (chunk * (ratio + 1) + ratio) * 8, 8);
                if bitmap & 7 != 6 {
                    return Err(bad("a partial block without a bitmap"));
                }
                let sector = block % ratio * (layer.block / layer.sector) + within / layer.sector;
                let byte = number(&layer.image, (bitmap >> 20 << 20) + sector / 8, 1);
                if byte >> (sector % 8) & 1 == 1 {
                    return Ok(layer.image.get(at, length));
                }
            }
            other => return Err(bad(&format!("block state {other}"))),
        }
    }
    Ok(vec![0; length])
}

fn open(file: &SparseImage) -> io::Result<Layer> {
    let mut image = file.clone();
    if image.get(0, 8) != b"vhdxfile" {
        return Err(bad("no identifier"));
    }
    let mut header = None;
    for at in [64 << 10, 128 << 10] {
        let bytes = image.get(at, 4096);
        let right = bytes.starts_with(b"head") && u64::from(checksum(&bytes)) == number(&image, at + 4, 4);
        if right && header.is_none_or(|other| number(&image, at + 8, 8) > number(&image, other + 8, 8)) {
            header = Some(at);
        }
    }
    let header = header.ok_or_else(|| bad("no header"))?;
    if image.get(header + 48, 16) != [0; 16] {
        replay(&mut image, header)?;
    }
    let (mut table, mut metadata) = (0, 0);
    let regions = 192 << 10;
    if u64::from(checksum(&image.get(regions, 64 << 10))) != number(&image, regions + 4, 4) {
        return Err(bad("the region table is damaged"));
    }
    for index in 0..number(&image, regions + 8, 4) {
        let entry = regions + 16 + index * 32;
        match image.get(entry, 4).as_slice() {
            [0x66, 0x77, 0xC2, 0x2D] => table = number(&image, entry + 16, 8),
            [0x06, 0xA2, 0x7C, 0x8B] => metadata = number(&image, entry + 16, 8),
            _ => return Err(bad("an unknown region")),
        }
    }
    let item = |first: [u8; 4], skip: u64, len: u64| -> io::Result<u64> {
        let entries = (0..number(&image, metadata + 10, 2)).map(|index| metadata + 32 + index * 32);
        let entry = entries.into_iter().find(|entry| image.get(*entry, 4) == first);
        let entry = entry.ok_or_else(|| bad("a metadata item is missing"))?;
        Ok(number(&image, metadata + number(&image, entry + 16, 4) + skip, len))
    };
    let size = item([0x24, 0x42, 0xA5, 0x2F], 0, 8)?;
    let block = item([0x37, 0x67, 0xA1, 0xCA], 0, 4)?;
    let flags = item([0x37, 0x67, 0xA1, 0xCA], 4, 4)?;
    let sector = item([0x1D, 0xBF, 0x41, 0x81], 0, 4)?;
    Ok(Layer { size, block, sector, table, has_parent: flags & 2 == 2, image })
}

/// An entry of the log: its first sector, number of sectors and sequence number.
type Entry = (u64, u64, u64);

/// Section 2.3.3: from every sector of the ring the longest run of entries is tried; the one with the newest entry wins.
fn replay(image: &mut SparseImage, header: u64) -> io::Result<()> {
    let guid = image.get(header + 48, 16);
    let (len, start) = (number(image, header + 68, 4), number(image, header + 72, 8));
    let sectors = len / 4096;
    let log: Vec<Vec<u8>> = (0..sectors).map(|sector| image.get(start + sector * 4096, 4096)).collect();
    let mut best: Vec<Entry> = Vec::new();
    for first in 0..sectors {
        let mut run: Vec<Entry> = Vec::new();
        let mut at = first;
        while let Some((count, sequence)) = entry(&log, at, &guid) {
            if run.last().is_some_and(|last| last.2 + 1 != sequence) {
                break;
            }
            run.push((at, count, sequence));
            at = (at + count) % sectors;
        }
        let Some(head) = run.last() else { continue };
        let tail = word(&log[at_of(head.0)], 12, 4) / 4096;
        let newer = best.last().is_none_or(|other| head.2 > other.2);
        if let Some(from) = run.iter().position(|entry| entry.0 == tail)
            && newer
        {
            best = run.split_off(from);
        }
    }
    let head = best.last().ok_or_else(|| bad("the log holds no sequence"))?;
    let head = &log[at_of(head.0)];
    if word(head, 48, 8) > image.len {
        return Err(bad("the file is shorter than the log says"));
    }
    image.set_len(image.len.max(word(head, 56, 8)));
    for (at, _, _) in best {
        apply(image, &log, at);
    }
    Ok(())
}

fn at_of(sector: u64) -> usize {
    usize::try_from(sector).expect("a small log")
}

fn apply(image: &mut SparseImage, log: &[Vec<u8>], at: u64) {
    let count = word(&log[at_of(at)], 24, 4);
    let mut data = at + (64 + count * 32).div_ceil(4096);
    for index in 0..count {
        let place = 64 + index * 32;
        let sector = &log[at_of((at + place / 4096) % log.len() as u64)];
        let from = at_of(place % 4096);
        let offset = word(sector, from + 16, 8);
        if sector[from..].starts_with(b"zero") {
            image.put(offset, &vec![0; at_of(word(sector, from + 8, 8))]);
        } else {
            let mut page = sector[from + 8..from + 16].to_vec();
            page.extend_from_slice(&log[at_of(data % log.len() as u64)][8..4092]);
            page.extend_from_slice(&sector[from + 4..from + 8]);
            image.put(offset, &page);
            data += 1;
        }
    }
}

/// Number of sectors and sequence number of the entry at `at`, when it is whole.
fn entry(log: &[Vec<u8>], at: u64, guid: &[u8]) -> Option<(u64, u64)> {
    let first = &log[at_of(at)];
    let (len, sequence) = (word(first, 8, 4), word(first, 16, 8));
    let fits = len >= 4096 && len.is_multiple_of(4096) && len / 4096 <= log.len() as u64;
    if !first.starts_with(b"loge") || first[32..48] != *guid || !fits {
        return None;
    }
    let mut bytes = Vec::new();
    for sector in at..at + len / 4096 {
        bytes.extend_from_slice(&log[at_of(sector % log.len() as u64)]);
    }
    (u64::from(checksum(&bytes)) == word(&bytes, 4, 4)).then_some((len / 4096, sequence))
}

fn word(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn number(image: &SparseImage, at: u64, len: u64) -> u64 {
    word(&image.get(at, at_of(len)), 0, at_of(len))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
