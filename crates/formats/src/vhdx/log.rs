//! The log: a ring of entries that a crash may have left unapplied. Windows logs every change of tables and bitmaps, so
//! that a file with a log GUID in its header cannot be understood without the log.
//!
//! Entry (section 2.3.1 of the specification): header of 64 bytes, descriptors of 32 bytes, filled up to 4 KiB, then a
//! sector of 4 KiB for each data descriptor. Entries that follow each other in the ring with sequence numbers that go up
//! by one are a sequence. The newest sequence counts, from the entry that its last entry names as the tail: older ones
//! are applied already, and what they changed may have been changed again without the log.

use std::collections::{BTreeMap, BTreeSet};

use crate::disk::fields::{bytes_at, guid_le, le32, le64};
use crate::disk::{DiskError, read};
use crate::io::{ReadAt, SharedFile};

use super::crc::Crc;
use super::header::Header;
use super::overlay::{Overlay, PAGE, Source};
use super::view::View;
use super::{REGION_TABLES, VhdxError};

const SECTOR: usize = PAGE as usize;
/// Windows and QEMU make logs of 1 MiB.
const MAX_LOG: u64 = 64 << 20;
/// A log of 1 MiB has less than 32768 descriptors.
const MAX_CHANGES: u64 = 1 << 17;

/// An intact entry.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Length in bytes.
    len: u64,
    sequence: u64,
    /// Where in the log the oldest entry lies that is still needed.
    tail: u64,
    descriptors: u64,
    /// Entry offset 48: the file had at least this length.
    flushed: u64,
    /// Entry offset 56: everything that the file uses lies before this.
    last: u64,
}

struct Log<'a> {
    file: &'a dyn ReadAt,
    guid: [u8; 16],
    start: u64,
    len: u64,
}

/// What came of the log.
pub(super) struct Replayed {
    /// The file as it is after its log was replayed in memory.
    pub view: View,
    /// What was applied, with the offset of the log; `None` when the log was empty.
    pub applied: Option<(u64, String)>,
    /// The entry behind the newest one when it is not whole, with its offset.
    pub torn: Option<(u64, String)>,
}

/// Replays the log in memory if it was not applied.
pub(super) fn replay(file: SharedFile, header: &Header) -> Result<Replayed, DiskError> {
    if !header.is_dirty() {
        let len = file.len();
        return Ok(Replayed { view: View::new(file, Overlay::default(), len), applied: None, torn: None });
    }
    let name = || file.name().to_owned();
    let log = Log { file: &*file, guid: header.log_guid, start: header.log_start, len: u64::from(header.log_len) };
    if log.len > MAX_LOG {
        let (offset, found) = (header.offset + 68, log.len);
        return Err(VhdxError::LogTooLarge { file: name(), offset, found, limit: MAX_LOG }.into());
    }
    let sequence = newest(&log.entries()?, log.len);
    let Some(&(at, head)) = sequence.last() else {
        let guid = guid_le(&header.log_guid);
        return Err(VhdxError::LogEmpty { file: name(), offset: log.start, guid }.into());
    };
    let changes: u64 = sequence.iter().map(|(_, entry)| entry.descriptors).sum();
    if changes > MAX_CHANGES {
        let offset = log.start;
        return Err(VhdxError::LogTooLong { file: name(), offset, found: changes, limit: MAX_CHANGES }.into());
    }
    if head.flushed > file.len() {
        let (offset, expected) = (log.start + at, head.flushed);
        return Err(VhdxError::FileCut { file: name(), offset, expected, found: file.len() }.into());
    }
    let mut overlay = Overlay::default();
    for (at, _) in &sequence {
        log.apply(*at, &mut overlay)?;
    }
    let applied = format!(
        "The log was not applied when the file was last in use: {changes} changes in {} entries were applied in memory, the \
         file was not touched.",
        sequence.len()
    );
    let torn = log.torn_behind(at, &head)?.map(|sequence| {
        let text = format!(
            "The log entry {sequence} behind the newest one is not whole and was left out. A crash while it was written leaves \
             that and loses nothing; if the file was damaged later, changes are lost."
        );
        (log.start + (at + head.len) % log.len, text)
    });
    let applied = Some((log.start, applied));
    Ok(Replayed { view: View::new(SharedFile::clone(&file), overlay, head.last), applied, torn })
}

/// The newest complete sequence, from its tail to its head; empty when there is none.
fn newest(entries: &BTreeMap<u64, Entry>, len: u64) -> Vec<(u64, Entry)> {
    let next_of = |at: u64, entry: &Entry| {
        let next = (at + entry.len) % len;
        entries
            .get(&next)
            .filter(|follower| Some(follower.sequence) == entry.sequence.checked_add(1))
            .map(|found| (next, *found))
    };
    let followers: BTreeSet<u64> = entries.iter().filter_map(|(at, entry)| Some(next_of(*at, entry)?.0)).collect();
    let mut best: Vec<(u64, Entry)> = Vec::new();
    for (&at, &first) in entries.iter().filter(|(at, _)| !followers.contains(at)) {
        let mut chain = vec![(at, first)];
        while let Some(next) = chain.last().and_then(|(at, entry)| next_of(*at, entry)) {
            chain.push(next);
        }
        let Some(&(_, head)) = chain.last() else { continue };
        // A head whose tail is not among the entries before it was not written whole.
        let Some(tail) = chain.iter().position(|(at, _)| *at == head.tail) else { continue };
        if best.last().is_none_or(|(_, found)| head.sequence > found.sequence) {
            best = chain.split_off(tail);
        }
    }
    best
}

impl Log<'_> {
    /// Reads the sector at `at`, counted from the start of the log, round the end of the ring. It is filled in its place: a log has
    /// many, and each would be copied twice on its way out.
    fn sector(&self, at: u64, sector: &mut [u8; SECTOR]) -> Result<(), DiskError> {
        read(self.file, self.start + at % self.len, sector)
    }

    /// All intact entries. An entry cannot begin inside another one, as its signature is none of a descriptor or data
    /// sector: so the search goes on behind an intact entry, and no sector is looked at more than three times, whatever
    /// the file says.
    fn entries(&self) -> Result<BTreeMap<u64, Entry>, DiskError> {
        let mut entries = BTreeMap::new();
        let mut at = 0;
        while at < self.len {
            at += match self.entry(at)? {
                Some(entry) => {
                    entries.insert(at, entry);
                    entry.len
                }
                None => PAGE,
            };
        }
        Ok(entries)
    }

    /// The sequence number of an entry that would continue the sequence behind `head`, but is not whole.
    fn torn_behind(&self, at: u64, head: &Entry) -> Result<Option<u64>, DiskError> {
        let mut sector = [0; SECTOR];
        self.sector(at + head.len, &mut sector)?;
        let sequence = le64(&sector, 16);
        let own = sector.starts_with(b"loge") && bytes_at::<16>(&sector, 32) == self.guid;
        Ok((own && Some(sequence) == head.sequence.checked_add(1)).then_some(sequence))
    }

    fn entry(&self, at: u64) -> Result<Option<Entry>, DiskError> {
        // Most sectors begin no entry.
        let mut head = [0; 64];
        read(self.file, self.start + at, &mut head)?;
        let entry = Entry {
            len: u64::from(le32(&head, 8)),
            tail: u64::from(le32(&head, 12)),
            sequence: le64(&head, 16),
            descriptors: u64::from(le32(&head, 24)),
            flushed: le64(&head, 48),
            last: le64(&head, 56),
        };
        let own = head.starts_with(b"loge") && bytes_at::<16>(&head, 32) == self.guid && entry.sequence > 0;
        let aligned = entry.len.is_multiple_of(PAGE) && entry.tail.is_multiple_of(PAGE);
        let bounded = entry.len >= PAGE && entry.len <= self.len && entry.descriptors <= entry.len / 32;
        if !(own && aligned && bounded && self.is_whole(at, &entry)?) {
            return Ok(None);
        }
        Ok(Some(entry))
    }

    /// Checks descriptors, data sectors and the checksum of an entry, in the order of the file.
    fn is_whole(&self, at: u64, entry: &Entry) -> Result<bool, DiskError> {
        let table = descriptor_bytes(entry.descriptors);
        let mut sector = [0; SECTOR];
        self.sector(at, &mut sector)?;
        let expected = le32(&sector, 4);
        let mut crc = Crc::default();
        crc.add(&sector[..4]);
        crc.add(&[0; 4]);
        crc.add(&sector[8..]);
        let mut data = 0;
        for index in 0..entry.descriptors {
            let place = 64 + index * 32;
            if place.is_multiple_of(PAGE) {
                self.sector(at + place, &mut sector)?;
                crc.add(&sector);
            }
            match self.change(&bytes_at(&sector, (place % PAGE) as usize), entry.sequence) {
                Some(Change::Page { .. }) => data += 1,
                Some(Change::Zeros { .. }) => {}
                None => return Ok(false),
            }
        }
        if entry.len != table + data * PAGE {
            return Ok(false);
        }
        for index in 0..data {
            self.sector(at + table + index * PAGE, &mut sector)?;
            let (high, low) = (u64::from(le32(&sector, 4)), u64::from(le32(&sector, 4092)));
            if !sector.starts_with(b"data") || high << 32 | low != entry.sequence {
                return Ok(false);
            }
            crc.add(&sector);
        }
        Ok(crc.value() == expected)
    }

    /// What a descriptor of the entry `sequence` changes; `None` when it cannot be one.
    fn change(&self, bytes: &[u8; 32], sequence: u64) -> Option<Change> {
        let offset = le64(bytes, 16);
        let change = match bytes_at::<4>(bytes, 0) {
            code if code == *b"desc" => {
                Change::Page { offset, trailing: bytes_at(bytes, 4), leading: bytes_at(bytes, 8) }
            }
            code if code == *b"zero" => Change::Zeros { offset, len: le64(bytes, 8) },
            _ => return None,
        };
        let len = match change {
            Change::Page { .. } => PAGE,
            Change::Zeros { len, .. } => len,
        };
        let end = offset.checked_add(len)?;
        let aligned = offset.is_multiple_of(PAGE) && len.is_multiple_of(PAGE);
        // The identifier and the headers are never logged, nor is the log itself.
        let allowed = offset >= REGION_TABLES[0] && !(offset < self.start + self.len && self.start < end);
        (aligned && allowed && le64(bytes, 24) == sequence).then_some(change)
    }

    /// Lays the changes of an intact entry over the file.
    fn apply(&self, at: u64, overlay: &mut Overlay) -> Result<(), DiskError> {
        let mut sector = [0; SECTOR];
        self.sector(at, &mut sector)?;
        let (sequence, descriptors) = (le64(&sector, 16), u64::from(le32(&sector, 24)));
        let mut data = at + descriptor_bytes(descriptors);
        for index in 0..descriptors {
            let place = 64 + index * 32;
            if place.is_multiple_of(PAGE) {
                self.sector(at + place, &mut sector)?;
            }
            match self.change(&bytes_at(&sector, (place % PAGE) as usize), sequence) {
                Some(Change::Page { offset, leading, trailing }) => {
                    let at = self.start + data % self.len;
                    overlay.put(offset, offset + PAGE, Source::Page { at, leading, trailing });
                    data += PAGE;
                }
                Some(Change::Zeros { offset, len }) => overlay.put(offset, offset + len, Source::Zeros),
                None => {}
            }
        }
        Ok(())
    }
}

/// One descriptor. Data: trailing bytes at 4, leading bytes at 8. Zeros: length at 8. Both: offset at 16, sequence at 24.
#[derive(Debug, Clone, Copy)]
enum Change {
    Page { offset: u64, leading: [u8; 8], trailing: [u8; 4] },
    Zeros { offset: u64, len: u64 },
}

/// Bytes of the header and the descriptors, in whole sectors.
fn descriptor_bytes(count: u64) -> u64 {
    (64 + count * 32).next_multiple_of(PAGE)
}
