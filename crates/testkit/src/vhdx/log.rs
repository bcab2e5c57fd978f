//! Turns a finished file into one that a crash left with a log that was not applied: pages of the file are spoilt, and
//! the log says what they should be. Around it lies what a reader must not apply.

use super::image::seal;
use super::{Dice, SparseImage};
use crate::bytes::{put32, put64};

const SECTOR: u64 = 4096;
const SECTORS: u64 = 256;
/// The log GUID of the entries that count.
pub const LOG_GUID: [u8; 16] = [0x4C; 16];

/// What else lies in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dirt {
    /// Only the entries that are needed.
    Plain,
    /// Also entries that were applied already, an older sequence, one of an earlier log, and an entry that was cut off.
    Crowded,
    /// As crowded, and the file ends before its last blocks, as it does when it was being lengthened.
    Shortened,
}

/// One change that a log entry makes.
#[derive(Debug, Clone)]
pub enum Change {
    /// A page of 4 KiB at this offset of the file.
    Page(u64, Vec<u8>),
    /// Zeros: offset and length.
    Zeros(u64, u64),
}

/// Writes an entry of these changes at the sector `at` of a log of 1 MiB at `log`, with its sequence number and the sector
/// of its tail; the sector behind it.
pub fn put_log_entry(
    image: &mut SparseImage,
    (log, at): (u64, u64),
    (sequence, tail): (u64, u64),
    changes: &[Change],
) -> u64 {
    let writer = Writer { log, flushed: image.len, last: image.len };
    writer.entry(image, changes, at, (sequence, tail, LOG_GUID)).0
}

/// Spoils pages of `image` and puts their content into the log. The file must be clean, with a log of 1 MiB.
pub fn leave_dirty(image: &mut SparseImage, dirt: Dirt, dice: &mut Dice) {
    let log = place_of_log(image);
    let full = image.len;
    let loggable: Vec<u64> =
        image.pages().into_iter().filter(|at| *at >= 192 << 10 && !(log..log + (1 << 20)).contains(at)).collect();
    let chosen: Vec<u64> = loggable.iter().copied().filter(|_| dice.below(3) == 0).take(40).collect();
    let spared: Vec<u64> = loggable.iter().copied().filter(|at| !chosen.contains(at)).take(10).collect();
    let mut entries: Vec<Vec<Change>> = (0..1 + dice.below(4)).map(|_| Vec::new()).collect();
    for &page in &chosen {
        let last = dice.below(entries.len() as u64);
        for (number, entry) in (0..=last).zip(&mut entries) {
            match (number == last, dice.below(3)) {
                (true, _) => entry.push(Change::Page(page, image.get(page, 4096))),
                (false, 0) => entry.push(Change::Page(page, dice.bytes(4096))),
                (false, 1) => entry.push(Change::Zeros(page, SECTOR)),
                (false, _) => {}
            }
        }
        let spoilt = if dice.below(2) == 0 { dice.bytes(4096) } else { vec![0; 4096] };
        image.put(page, &spoilt);
    }
    zero_pages(image, log, &loggable, &mut entries, dice);
    if dirt == Dirt::Shortened {
        let needed = image.pages().into_iter().filter(|page| *page >= log + (1 << 20)).max().unwrap_or(0);
        let end = (needed + SECTOR).max(log + (1 << 20)).max(full - (full - needed).min(3 << 20));
        image.set_len(end.min(full));
    }
    let writer = Writer { log, flushed: image.len.min(full), last: full };
    let first_sequence = 100 + dice.below(1 << 40);
    let mut at = dice.below(SECTORS);
    let crowded = dirt != Dirt::Plain;
    if crowded {
        let poison = |dice: &mut Dice| poison(&spared, dice);
        let (older, other) = (at + 100, at + 180);
        let (_, _) = writer.entry(image, &poison(dice), older, (first_sequence - 50, older, LOG_GUID));
        let (_, _) = writer.entry(image, &poison(dice), other, (first_sequence + 50, other, [0x4D; 16]));
        // Applied before the crash: a part of the sequence, but before its tail.
        let tail = at;
        (at, _) = writer.entry(image, &poison(dice), at, (first_sequence - 1, tail, LOG_GUID));
    }
    let tail = at;
    for (sequence, changes) in (first_sequence..).zip(&entries) {
        (at, _) = writer.entry(image, changes, at, (sequence, tail, LOG_GUID));
    }
    if crowded {
        let torn = first_sequence + entries.len() as u64;
        let (_, end) = writer.entry(image, &poison(&spared, dice), at, (torn, tail, LOG_GUID));
        let byte = log + end % SECTORS * SECTOR + dice.below(SECTOR);
        let flipped = image.get(byte, 1)[0] ^ (1 << dice.below(8));
        image.put(byte, &[flipped]);
    }
    set_log_guid(image);
}

/// Some pages that hold nothing are spoilt too, and the log says that they are zero.
fn zero_pages(image: &mut SparseImage, log: u64, loggable: &[u64], entries: &mut [Vec<Change>], dice: &mut Dice) {
    for &page in loggable {
        let next = page + SECTOR;
        let free = next < image.len && next != log && image.get(next, 4096).iter().all(|byte| *byte == 0);
        if free && !loggable.contains(&next) && dice.below(4) == 0 {
            let spoilt = dice.bytes(4096);
            image.put(next, &spoilt);
            if let Some(entry) = entries.last_mut() {
                entry.push(Change::Zeros(next, SECTOR));
            }
        }
    }
}

/// Changes that would spoil pages which are right.
fn poison(pages: &[u64], dice: &mut Dice) -> Vec<Change> {
    pages.iter().take(5).map(|page| Change::Page(*page, dice.bytes(4096))).collect()
}

/// Where log entries go.
struct Writer {
    log: u64,
    flushed: u64,
    last: u64,
}

impl Writer {
    /// Writes an entry at the sector `at` of the ring; the sector behind it and its last sector.
    fn entry(
        &self,
        image: &mut SparseImage,
        changes: &[Change],
        at: u64,
        (sequence, tail, guid): (u64, u64, [u8; 16]),
    ) -> (u64, u64) {
        let mut bytes = vec![0; 64 + changes.len() * 32];
        bytes.resize(bytes.len().next_multiple_of(4096), 0);
        bytes[..4].copy_from_slice(b"loge");
        put32(&mut bytes, 12, u32::try_from(tail % SECTORS * SECTOR).expect("inside the log"));
        put64(&mut bytes, 16, sequence);
        put32(&mut bytes, 24, u32::try_from(changes.len()).expect("few changes"));
        bytes[32..48].copy_from_slice(&guid);
        put64(&mut bytes, 48, self.flushed);
        put64(&mut bytes, 56, self.last);
        for (place, change) in (64..).step_by(32).zip(changes) {
            put64(&mut bytes, place + 24, sequence);
            match change {
                Change::Zeros(offset, len) => {
                    bytes[place..place + 4].copy_from_slice(b"zero");
                    put64(&mut bytes, place + 8, *len);
                    put64(&mut bytes, place + 16, *offset);
                }
                Change::Page(offset, page) => {
                    bytes[place..place + 4].copy_from_slice(b"desc");
                    bytes[place + 4..place + 8].copy_from_slice(&page[4092..]);
                    bytes[place + 8..place + 16].copy_from_slice(&page[..8]);
                    put64(&mut bytes, place + 16, *offset);
                    let sector = bytes.len();
                    bytes.extend_from_slice(page);
                    bytes[sector..sector + 4].copy_from_slice(b"data");
                    let (high, low) = (sequence >> 32, sequence & 0xFFFF_FFFF);
                    put32(&mut bytes, sector + 4, u32::try_from(high).expect("the upper half"));
                    put32(&mut bytes, sector + 4092, u32::try_from(low).expect("the lower half"));
                }
            }
        }
        let len = u32::try_from(bytes.len()).expect("a small entry");
        put32(&mut bytes, 8, len);
        seal(&mut bytes);
        for (sector, part) in (at..).zip(bytes.chunks(4096)) {
            image.put(self.log + sector % SECTORS * SECTOR, part);
        }
        let behind = at + u64::from(len) / SECTOR;
        (behind, behind - 1)
    }
}

/// Offset of the header with the greater sequence number.
fn active_header(image: &SparseImage) -> u64 {
    let sequence = |at: u64| u64::from_le_bytes(image.get(at + 8, 8).try_into().expect("eight bytes"));
    if sequence(64 << 10) > sequence(128 << 10) { 64 << 10 } else { 128 << 10 }
}

fn place_of_log(image: &SparseImage) -> u64 {
    u64::from_le_bytes(image.get(active_header(image) + 72, 8).try_into().expect("eight bytes"))
}

/// Says in the header that the log counts.
pub fn set_log_guid(image: &mut SparseImage) {
    let at = active_header(image);
    let mut header = image.get(at, 4096);
    header[48..64].copy_from_slice(&LOG_GUID);
    seal(&mut header);
    image.put(at, &header);
}
