//! The log format of Windows 8.1 and Server 2012 R2 on: entries `HvLE`, each with its own dirty pages and hashes.

use super::base::{BINS_START, BaseBlock, PAGE, u32_at, u64_at};
use super::marvin::marvin32;
use super::recover::{Log, settle_base, take_base};

/// Length of an entry's fixed part.
const HEAD: usize = 40;
/// Entries start at multiples of this.
const SECTOR: usize = 512;

/// One write.
struct Entry<'a> {
    /// Offset 12.
    sequence: u32,
    /// Offset 16: length of the hive bins after this write.
    bins_len: u32,
    /// Offset 40: where in the hive bins, and the bytes.
    pages: Vec<(usize, &'a [u8])>,
}

/// Replays the logs into `data`: names of the logs that held something, and the number of pages.
pub(super) fn replay(data: &mut Vec<u8>, base: &BaseBlock, logs: &[Log<'_>]) -> Result<(Vec<String>, usize), String> {
    let mut patched = data.clone();
    let mut next = base.primary_sequence;
    if !base.is_valid() {
        let newest = logs.iter().filter(|log| log.base.is_settled()).max_by_key(|log| log.base.primary_sequence);
        let newest = newest.ok_or("no log has a base block of a finished write")?;
        take_base(&mut patched, newest.bytes, newest.base.primary_sequence);
        next = newest.base.primary_sequence;
    }
    let mut entries: Vec<(&str, Vec<Entry<'_>>)> = logs.iter().map(|log| (log.name, entries(log.bytes))).collect();
    entries.sort_by_key(|(_, entries)| entries.first().map_or(u32::MAX, |entry| entry.sequence));
    let (mut names, mut pages, mut started) = (Vec::new(), 0, false);
    for (name, entries) in &entries {
        let mut used = false;
        let start = next;
        for entry in entries.iter().filter(|entry| entry.sequence >= start) {
            // After a gap the rest belongs to another write.
            if started && entry.sequence != next {
                break;
            }
            if !apply(&mut patched, entry) {
                break;
            }
            (started, used) = (true, true);
            next = entry.sequence.wrapping_add(1);
            pages += entry.pages.len();
        }
        if used {
            names.push((*name).to_owned());
        }
    }
    if names.is_empty() {
        let names: Vec<_> = logs.iter().map(|log| format!("'{}'", log.name)).collect();
        return Err(format!("{} hold no write that follows sequence number {next}", names.join(" and ")));
    }
    *data = patched;
    Ok((names, pages))
}

fn apply(data: &mut Vec<u8>, entry: &Entry<'_>) -> bool {
    let end = BINS_START + entry.bins_len as usize;
    let held: usize = entry.pages.iter().map(|(_, bytes)| bytes.len()).sum();
    if entry.pages.iter().any(|(at, bytes)| BINS_START + at + bytes.len() > end) || end > data.len() + held {
        return false;
    }
    if data.len() < end {
        data.resize(end, 0);
    }
    for (at, bytes) in &entry.pages {
        if let Some(to) = data.get_mut(BINS_START + at..BINS_START + at + bytes.len()) {
            to.copy_from_slice(bytes);
        }
    }
    settle_base(data, entry.sequence, entry.bins_len);
    true
}

/// All entries up to the first that is not right.
fn entries(log: &[u8]) -> Vec<Entry<'_>> {
    let mut found = Vec::new();
    let mut at = SECTOR;
    while let Some((size, entry)) = log.get(at..).and_then(entry) {
        found.push(entry);
        at += size;
    }
    found
}

fn entry(rest: &[u8]) -> Option<(usize, Entry<'_>)> {
    if !rest.starts_with(b"HvLE") {
        return None;
    }
    let size = u32_at(rest, 4)? as usize;
    if size < SECTOR || !size.is_multiple_of(SECTOR) {
        return None;
    }
    let whole = rest.get(..size)?;
    let body = whole.get(HEAD..)?;
    if marvin32(body) != u64_at(whole, 24)? || marvin32(whole.get(..32)?) != u64_at(whole, 32)? {
        return None;
    }
    let bins_len = u32_at(whole, 16)?;
    let count = u32_at(whole, 20)? as usize;
    let (references, mut bytes) = body.split_at_checked(count.checked_mul(8)?)?;
    if !bins_len.is_multiple_of(PAGE as u32) {
        return None;
    }
    let mut pages = Vec::new();
    for reference in references.chunks_exact(8) {
        let (page, rest) = bytes.split_at_checked(u32_at(reference, 4)? as usize)?;
        pages.push((u32_at(reference, 0)? as usize, page));
        bytes = rest;
    }
    Some((size, Entry { sequence: u32_at(whole, 12)?, bins_len, pages }))
}
