//! The check of a VHD file: both footers, the dynamic header, the parent locators, every entry of the block table, what
//! lies over what, and what nothing refers to.

use crate::check::{Cover, Findings, Part};
use crate::disk::fields::{be32, be64, bytes_at};
use crate::disk::{Checksums, DiskError, read};
use crate::io::{ReadAt, SharedFile};

use super::VhdError;
use super::footer::{self, FOOTER_LEN, Found, Kind, checksum};
use super::header::{HEADER_LEN, Header, read_header};
use super::table::BlockTable;

/// A gap after a structure up to this size is alignment, and not worth a word.
const ALIGNMENT: u64 = 64 << 10;

/// Checks the file.
pub(crate) fn check(file: &SharedFile, findings: &mut Findings) -> Result<(), DiskError> {
    let file = &**file;
    check_seals(file, findings)?;
    // What is wrong with the footer was found; with a wrong checksum the rest is still worth a look.
    let found = footer::find(file, Checksums::Strict).or_else(|error| match error {
        DiskError::Read { .. } => Err(error),
        _ => footer::find(file, Checksums::Accept),
    });
    let found = match found {
        Ok(found) => found,
        Err(error @ DiskError::Read { .. }) => return Err(error),
        Err(error) => {
            findings.fault(0, error.to_string());
            return Ok(());
        }
    };
    for remark in &found.remarks {
        findings.note(found.offset, remark.clone());
    }
    check_reserved(file, &found, findings)?;
    match found.kind {
        Kind::Fixed => {
            let (size, end) = (found.footer.current_size, found.data_end);
            if end < size {
                findings.fault(end, format!("The disk has {size} bytes, only {end} lie before the footer."));
            } else if end > size {
                findings.fault(size, format!("{} bytes lie between the end of the disk and the footer.", end - size));
                findings.unreferenced = end - size;
            }
            Ok(())
        }
        Kind::Dynamic | Kind::Differencing => check_sparse(file, &found, findings),
    }
}

/// The cookie and checksum of the footer at the end and, for sparse disks, of its copy.
fn check_seals(file: &dyn ReadAt, findings: &mut Findings) -> Result<(), DiskError> {
    let len = file.len();
    let mut trailing = None;
    for (offset, size) in [(len.checked_sub(512), 512usize), (len.checked_sub(511), 511)] {
        let Some(offset) = offset.filter(|_| trailing.is_none()) else { continue };
        let mut bytes = [0; 512];
        read(file, offset, bytes.get_mut(..size).unwrap_or_default())?;
        if bytes.starts_with(b"conectix") {
            trailing = Some((offset, bytes));
        }
    }
    match &trailing {
        None => findings.fault(len.saturating_sub(512), "There is no footer ('conectix') at the end of the file."),
        Some((offset, bytes)) => check_seal(*offset, bytes, "footer", findings),
    }
    let is_fixed = trailing.as_ref().is_some_and(|(_, bytes)| be32(bytes, 60) == 2);
    if is_fixed || len < 1024 {
        return Ok(());
    }
    let mut copy = [0; 512];
    read(file, 0, &mut copy)?;
    if !copy.starts_with(b"conectix") {
        findings.fault(0, "There is no copy of the footer ('conectix') at the start of the file.");
        return Ok(());
    }
    check_seal(0, &copy, "copy of the footer", findings);
    if let Some((_, trailing)) = trailing {
        let differs = copy.iter().zip(&trailing).take(511).position(|(one, other)| one != other);
        if let Some(at) = differs.filter(|at| !(64..68).contains(at)) {
            let text = format!("The copy of the footer differs from the footer from byte {at} on.");
            findings.fault(at as u64, text);
        }
    }
    Ok(())
}

fn check_seal(offset: u64, bytes: &[u8; 512], name: &str, findings: &mut Findings) {
    let (expected, found) = (checksum(bytes, 64), be32(bytes, 64));
    if expected != found {
        let text = format!("The {name} has the checksum {found:#010x}, expected {expected:#010x} from its bytes.");
        findings.fault(offset + 64, text);
    }
}

fn check_reserved(file: &dyn ReadAt, found: &Found, findings: &mut Findings) -> Result<(), DiskError> {
    let mut bytes = [0; 511];
    read(file, found.offset, &mut bytes)?;
    if let Some(at) = bytes.iter().skip(85).position(|&byte| byte != 0) {
        findings.note(found.offset + 85 + at as u64, "The reserved bytes of the footer are not all zero.");
    }
    let wanted = if found.kind == Kind::Fixed { Some(u64::MAX) } else { None };
    let data_offset = found.footer.data_offset;
    if wanted.is_some_and(|wanted| wanted != data_offset) {
        let text = format!("The data offset of a fixed disk is {data_offset:#x}, expected all ones.");
        findings.note(found.offset + 16, text);
    }
    Ok(())
}

fn check_sparse(file: &dyn ReadAt, found: &Found, findings: &mut Findings) -> Result<(), DiskError> {
    let mut remarks = Vec::new();
    let header = match read_header(file, found, Checksums::Strict, &mut remarks) {
        Ok(header) => header,
        Err(error @ DiskError::Read { .. }) => return Err(error),
        Err(error) => {
            findings.fault(found.footer.data_offset, error.to_string());
            match read_header(file, found, Checksums::Accept, &mut Vec::new()) {
                Ok(header) => header,
                Err(error @ DiskError::Read { .. }) => return Err(error),
                Err(_) => return Ok(()),
            }
        }
    };
    for remark in remarks {
        findings.fault(header.offset + 576, remark);
    }
    let mut cover = Cover::default();
    cover.add(Part::new(0, FOOTER_LEN, "copy of the footer"));
    cover.add(Part::new(header.offset, HEADER_LEN, "dynamic header"));
    cover.add(Part::new(header.table, u64::from(header.max_entries) * 4, "block table"));
    check_header(file, (found, &header), &mut cover, findings)?;
    let table = match BlockTable::read(file, found, &header) {
        Ok(table) => table,
        Err(error @ DiskError::Read { .. }) => return Err(error),
        Err(error) => {
            findings.fault(header.offset + 16, error.to_string());
            return Ok(());
        }
    };
    check_blocks(file, (found, &header, &table), cover, findings)
}

fn check_header(
    file: &dyn ReadAt,
    (found, header): (&Found, &Header),
    cover: &mut Cover,
    findings: &mut Findings,
) -> Result<(), DiskError> {
    let mut bytes = [0; 1024];
    read(file, header.offset, &mut bytes)?;
    let next = be64(&bytes, 8);
    if next != u64::MAX {
        findings.note(header.offset + 8, format!("The data offset of the header is {next:#x}, expected all ones."));
    }
    if !header.table.is_multiple_of(512) {
        findings.fault(header.offset + 16, format!("The block table at {} begins in no sector.", header.table));
    }
    let needed = found.footer.current_size.div_ceil(u64::from(header.block_size));
    if u64::from(header.max_entries) > needed {
        let text = format!("The block table has {} entries, the disk needs {needed}.", header.max_entries);
        findings.note(header.offset + 28, text);
    }
    let mut locators = 0;
    for index in 0..8u32 {
        let at = 576 + index as usize * 24;
        let code: [u8; 4] = bytes_at(&bytes, at);
        let (len, start) = (be32(&bytes, at + 8), be64(&bytes, at + 16));
        if code == [0; 4] {
            continue;
        }
        if found.kind == Kind::Dynamic {
            findings.fault(header.offset + at as u64, format!("The disk has no parent, but parent locator {index}."));
        } else if len > 0 {
            locators += 1;
            // Space up to the end of the sector belongs to the locator.
            let len = u64::from(len).next_multiple_of(512);
            cover.add(Part { name: ("parent locator", Some(index)), ..Part::new(start, len, "") });
        }
    }
    if found.kind == Kind::Differencing && locators == 0 {
        findings.fault(header.offset + 576, "A differencing disk has no parent locator that could be followed.");
    }
    Ok(())
}

fn check_blocks(
    file: &dyn ReadAt,
    (found, header, table): (&Found, &Header, &BlockTable),
    cover: Cover,
    findings: &mut Findings,
) -> Result<(), DiskError> {
    let shape = *table.shape();
    let mut bitmaps = Bitmaps::default();
    let whole = shape.bitmap_len + shape.block_size;
    let len_of = |block: u32, start: u64| shape.needed_end(block, (start / 512) as u32) - start;
    let mut tail = (0, 0);
    // First sector and number of each block: eight bytes each, as there may be four million.
    let mut blocks: Vec<(u32, u32)> = Vec::with_capacity(table.allocated() as usize);
    for block in 0..table.len() as u32 {
        let Some(start) = table.place(block) else { continue };
        match table.check(file.name(), block) {
            // Those are found where all structures are laid side by side.
            Ok(()) | Err(VhdError::BlocksOverlap { .. }) => {}
            Err(error) => {
                findings.fault(header.table + u64::from(block) * 4, error.to_string());
                continue;
            }
        }
        let len = len_of(block, start);
        blocks.push(((start / 512) as u32, block));
        if len < whole {
            tail = (start + len, whole - len);
        }
        bitmaps.look(file, start, (shape.block_size, shape.bitmap_len))?;
    }
    check_spare(file, header, table.len() as u64, findings)?;
    bitmaps.report(findings);
    blocks.sort_unstable();
    let blocks = blocks.into_iter().map(|(sector, block)| {
        let start = u64::from(sector) * 512;
        Part { name: ("block", Some(block)), ..Part::new(start, len_of(block, start), "") }
    });
    cover.judge(blocks, found.data_end, findings, |start, len, findings| {
        // The last block may be stored whole although the disk ends in it; what lies behind that end belongs to it.
        let own = if start == tail.0 { tail.1.min(len) } else { 0 };
        findings.unreferenced -= own;
        judge_gap((start + own, len - own), (whole, found.data_end), findings);
    });
    Ok(())
}

/// Bytes that nothing refers to, in a file with blocks of `whole` bytes.
fn judge_gap((start, len): (u64, u64), (whole, data_end): (u64, u64), findings: &mut Findings) {
    if len >= whole {
        let blocks = len / whole;
        findings.fault(
            start,
            format!(
                "Nothing refers to the {len} bytes from here on: room for {blocks} orphaned blocks of {whole} bytes."
            ),
        );
    } else if start + len == data_end && len > ALIGNMENT {
        findings.fault(start, format!("{len} bytes lie between the last structure and the footer."));
    } else if len > ALIGNMENT {
        findings.note(start, format!("Nothing refers to the {len} bytes from here on."));
    }
}

/// Entries of the table beyond those that the disk needs must be unused.
fn check_spare(file: &dyn ReadAt, header: &Header, needed: u64, findings: &mut Findings) -> Result<(), DiskError> {
    let spare = u64::from(header.max_entries).saturating_sub(needed);
    let (mut buffer, mut at) = (vec![0; 64 << 10], header.table + needed * 4);
    let end = at + spare * 4;
    while at < end {
        let part = (end - at).min(buffer.len() as u64) as usize;
        let bytes = buffer.get_mut(..part).unwrap_or_default();
        read(file, at, bytes)?;
        if let Some(used) = bytes.as_chunks::<4>().0.iter().position(|entry| *entry != [0xFF; 4]) {
            let offset = at + used as u64 * 4;
            findings.note(offset, "An entry of the block table beyond the end of the disk is not marked as unused.");
            return Ok(());
        }
        at += part as u64;
    }
    Ok(())
}

/// What was seen in the bitmaps before the blocks.
#[derive(Default)]
struct Bitmaps {
    empty: (u64, u64),
    padded: (u64, u64),
}

impl Bitmaps {
    fn look(&mut self, file: &dyn ReadAt, start: u64, (block_size, len): (u64, u64)) -> Result<(), DiskError> {
        // At most 64 KiB: blocks have at most 256 MiB.
        let mut bytes = vec![0; len as usize];
        read(file, start, &mut bytes)?;
        let sectors = block_size / 512;
        let used = (sectors / 8) as usize;
        let (bits, padding) = bytes.split_at_checked(used.max(1)).unwrap_or((&bytes, &[]));
        let count = |seen: &mut (u64, u64)| *seen = (if seen.1 == 0 { start } else { seen.0 }, seen.1 + 1);
        if bits.iter().all(|&byte| byte == 0) {
            count(&mut self.empty);
        }
        if padding.iter().any(|&byte| byte != 0) {
            count(&mut self.padded);
        }
        Ok(())
    }

    fn report(&self, findings: &mut Findings) {
        let (start, count) = self.empty;
        if count > 0 {
            findings.note(start, format!("{count} blocks are stored of which no sector is in use, the first here."));
        }
        let (start, count) = self.padded;
        if count > 0 {
            let text = format!("{count} bitmaps have bits set in the padding behind their sectors, the first here.");
            findings.note(start, text);
        }
    }
}
