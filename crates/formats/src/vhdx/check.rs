//! The check of a VHDX file: identifier, both headers, the log, both region tables and the metadata; the block table and
//! what it leads to are checked in `check_table`. Structures are looked at as they are after the log was replayed in memory.

use crate::check::Findings;
use crate::disk::DiskError;
use crate::disk::fields::{bytes_at, guid_le, le16, le32};
use crate::io::{ReadAt, SharedFile};

use super::header::{HEADERS, Header};
use super::metadata::{self, ITEMS, Metadata};
use super::region::{self, Region, Regions};
use super::view::View;
use super::{REGION_TABLES, check_table, header, log};

/// Bytes of a header that have a meaning.
const HEADER_USED: usize = 80;

/// Checks the file. What hides the structures behind it ends the check, as the last finding.
pub(crate) fn check(file: &SharedFile, findings: &mut Findings) -> Result<(), DiskError> {
    match check_all(file, findings) {
        Err(DiskError::Vhdx(error)) => findings.fault(error.offset(), error.to_string()),
        Err(ref error @ DiskError::EmptyDisk { offset, .. }) => findings.fault(offset, error.to_string()),
        other => return other,
    }
    Ok(())
}

fn check_all(file: &SharedFile, findings: &mut Findings) -> Result<(), DiskError> {
    header::read_identifier(&**file)?;
    let header = check_headers(&**file, findings)?;
    let replayed = log::replay(SharedFile::clone(file), &header)?;
    if let Some((offset, text)) = replayed.applied {
        findings.note(offset, text);
    }
    // A crash leaves the same as damage does; whether changes are lost cannot be known, so that it must not pass unseen.
    if let Some((offset, text)) = replayed.torn {
        findings.fault(offset, text);
    }
    let view = replayed.view;
    let regions = check_regions(&view, &header, findings)?;
    let metadata = check_metadata(&view, &regions.metadata, findings)?;
    check_table::check(&view, &regions, &metadata, findings)
}

fn check_headers(file: &dyn ReadAt, findings: &mut Findings) -> Result<Header, DiskError> {
    let counts = header::read_header(file, &mut Vec::new())?;
    for offset in HEADERS {
        match header::look(file, offset)? {
            Err(reason) => findings.fault(offset, format!("The header at offset {offset} is damaged ({reason}).")),
            Ok((header, bytes)) => {
                if header.sequence == counts.sequence && header.offset != counts.offset {
                    let text = format!("Both headers have the sequence number {}.", header.sequence);
                    findings.note(offset + 8, text);
                }
                if let Some(at) = bytes.iter().skip(HEADER_USED).position(|&byte| byte != 0) {
                    let offset = offset + (HEADER_USED + at) as u64;
                    findings.note(offset, "The reserved bytes of the header are not all zero.");
                }
            }
        }
    }
    if counts.log_version != 0 {
        let text = format!("The log has version {}, expected 0.", counts.log_version);
        findings.fault(counts.offset + 64, text);
    }
    if counts.log_len == 0 {
        findings.note(counts.offset + 68, "The header names no log: a program that writes to the file needs one.");
    }
    Ok(counts)
}

fn check_regions(view: &View, header: &Header, findings: &mut Findings) -> Result<Regions, DiskError> {
    let regions = region::read_regions(view, header, &mut Vec::new())?;
    let [first, second] = REGION_TABLES;
    match (region::look(view, first)?, region::look(view, second)?) {
        (Ok(one), Ok(other)) => {
            if let Some(at) = one.iter().zip(&other).position(|(one, other)| one != other) {
                let text = format!("The second region table differs from the first one from byte {at} on.");
                findings.fault(second + at as u64, text);
            }
        }
        (one, other) => {
            for (offset, table) in [(first, one), (second, other)] {
                if let Err(reason) = table {
                    let text = format!("The region table at offset {offset} is damaged ({reason}).");
                    findings.fault(offset, text);
                }
            }
        }
    }
    let (offset, table) = region::choose(view, &mut Vec::new())?;
    for index in 0..le32(&table, 8) as usize {
        let at = 16 + index * 32;
        let (entry, guid, flags) = (offset + at as u64, guid_le(&bytes_at(&table, at)), le32(&table, at + 28));
        if guid != region::BAT && guid != region::METADATA {
            findings.note(entry, format!("The region {guid} is not known; it is not required."));
        }
        if flags & !1 != 0 {
            findings.note(entry + 28, format!("The entry of a region has reserved flags ({flags:#010x})."));
        }
    }
    Ok(regions)
}

fn check_metadata(view: &View, region: &Region, findings: &mut Findings) -> Result<Metadata, DiskError> {
    let mut remarks = Vec::new();
    let metadata = metadata::read_metadata(view, region, &mut remarks)?;
    for remark in remarks {
        findings.note(region.start, remark);
    }
    let mut table = vec![0; 64 << 10];
    view.read(region.start, &mut table)?;
    // Start and end of each item, and the offset of its entry.
    let mut items: Vec<(u64, u64, u64)> = Vec::new();
    for at in (0..usize::from(le16(&table, 10))).map(|index| 32 + index * 32) {
        let entry = region.start + at as u64;
        let (guid, start, len) = (guid_le(&bytes_at(&table, at)), le32(&table, at + 16), le32(&table, at + 20));
        let (start, end) = (region.start + u64::from(start), region.start + u64::from(start) + u64::from(len));
        if metadata.parent.is_none() && guid == ITEMS[metadata::LOCATOR].0 {
            findings.fault(entry, "The disk has no parent, but a parent locator.");
        }
        if len > 0 {
            items.push((start, end, entry));
        }
    }
    items.sort_unstable();
    for pair in items.windows(2) {
        if let [(_, reach, _), (start, end, entry)] = pair
            && reach > start
        {
            findings.fault(*entry, format!("The metadata item at {start} to {end} lies over the one before it."));
        }
    }
    if metadata.parent.as_ref().is_some_and(|parent| parent.locators.is_empty()) {
        findings.fault(region.start, "The parent locator has no path to the parent.");
    }
    Ok(metadata)
}
