//! File records, attributes, data runs and index entries as bytes.

use crate::bytes::{put16, put32, put64, utf16le};

use super::RECORD;

/// Reference to a record that is used for the first time.
pub(super) fn reference(number: usize) -> u64 {
    number as u64 | 1 << 48
}

/// Where the content of an attribute in clusters lies.
#[derive(Debug, Clone, Default)]
pub struct Mapped {
    /// First cluster of the attribute that the runs map.
    pub lowest: u64,
    /// Start (`None`: a hole) and number of clusters of each run.
    pub runs: Vec<(Option<u64>, u64)>,
    /// Bytes of the content; written in the first piece only.
    pub size: u64,
    /// Bytes that were ever written.
    pub initialized: u64,
    /// Clusters of a compression unit as a power of two; 0: not compressed.
    pub unit: u8,
    /// Attribute flags: 1 compressed, 0x4000 encrypted, 0x8000 sparse.
    pub flags: u16,
}

/// The pairs of data runs, with the end mark: places count from the place before.
#[must_use]
pub fn runs(list: &[(Option<u64>, u64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut before = 0i64;
    for (start, len) in list {
        let len = signed(i64::try_from(*len).expect("a small volume"));
        let place = start.map_or(Vec::new(), |start| {
            let start = i64::try_from(start).expect("a small volume");
            let step = signed(start - before);
            before = start;
            step
        });
        bytes.push(u8::try_from(place.len() << 4 | len.len()).expect("at most eight each"));
        bytes.extend(len);
        bytes.extend(place);
    }
    bytes.push(0);
    bytes
}

/// The fewest little-endian bytes that give the number back with its sign.
fn signed(number: i64) -> Vec<u8> {
    let bytes = number.to_le_bytes();
    let fits = |len: &usize| {
        let shift = 64 - 8 * *len as u32;
        number << shift >> shift == number
    };
    let len = (1..=8).find(fits).expect("eight bytes are enough");
    bytes[..len].to_vec()
}

/// An attribute whose value stands in the record.
pub(super) fn resident(kind: u32, name: &str, id: u16, value: &[u8]) -> Vec<u8> {
    let name = utf16le(name);
    let at = (24 + name.len()).next_multiple_of(8);
    let mut bytes = vec![0; (at + value.len()).next_multiple_of(8)];
    put32(&mut bytes, 0, kind);
    let len = u32::try_from(bytes.len()).expect("a small attribute");
    put32(&mut bytes, 4, len);
    bytes[9] = u8::try_from(name.len() / 2).expect("a short name");
    put16(&mut bytes, 10, 24);
    put16(&mut bytes, 14, id);
    put32(&mut bytes, 16, u32::try_from(value.len()).expect("a small value"));
    put16(&mut bytes, 20, u16::try_from(at).expect("a small attribute"));
    bytes[24..24 + name.len()].copy_from_slice(&name);
    bytes[at..at + value.len()].copy_from_slice(value);
    bytes
}

/// An attribute whose content lies in clusters.
pub(super) fn mapped(kind: u32, name: &str, id: u16, content: &Mapped) -> Vec<u8> {
    let name = utf16le(name);
    let header = if content.flags & 0x8001 == 0 { 64 } else { 72 };
    let pairs = runs(&content.runs);
    let at = (header + name.len()).next_multiple_of(8);
    let mut bytes = vec![0; (at + pairs.len()).next_multiple_of(8)];
    put32(&mut bytes, 0, kind);
    let len = u32::try_from(bytes.len()).expect("a small attribute");
    put32(&mut bytes, 4, len);
    bytes[8] = 1;
    bytes[9] = u8::try_from(name.len() / 2).expect("a short name");
    put16(&mut bytes, 10, u16::try_from(header).expect("72"));
    put16(&mut bytes, 12, content.flags);
    put16(&mut bytes, 14, id);
    let clusters: u64 = content.runs.iter().map(|(_, len)| len).sum();
    put64(&mut bytes, 16, content.lowest);
    put64(&mut bytes, 24, (content.lowest + clusters).wrapping_sub(1));
    put16(&mut bytes, 32, u16::try_from(at).expect("a small attribute"));
    bytes[34] = content.unit;
    if content.lowest == 0 {
        put64(&mut bytes, 40, content.size.next_multiple_of(super::CLUSTER as u64));
        put64(&mut bytes, 48, content.size);
        put64(&mut bytes, 56, content.initialized);
        if header == 72 {
            let stored: u64 = content.runs.iter().filter(|(start, _)| start.is_some()).map(|(_, len)| len).sum();
            put64(&mut bytes, 64, stored * super::CLUSTER as u64);
        }
    }
    bytes[header..header + name.len()].copy_from_slice(&name);
    bytes[at..at + pairs.len()].copy_from_slice(&pairs);
    bytes
}

/// Everything about a record but its attributes.
pub(super) struct Head {
    pub number: usize,
    /// 1 in use, 2 folder.
    pub flags: u16,
    /// Number of the record that this one continues; 0: none.
    pub base: usize,
}

/// A file record with its update sequence in place.
pub(super) fn record(head: &Head, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0; RECORD];
    bytes[..4].copy_from_slice(b"FILE");
    put16(&mut bytes, 4, 48);
    put16(&mut bytes, 6, 3);
    put16(&mut bytes, 16, if head.number == 0 { 1 } else { sequence(head.number) });
    put16(&mut bytes, 18, 1);
    put16(&mut bytes, 20, 56);
    put16(&mut bytes, 22, head.flags);
    put32(&mut bytes, 28, 1024);
    if head.base != 0 {
        put64(&mut bytes, 32, reference(head.base));
    }
    put16(&mut bytes, 40, 20);
    put32(&mut bytes, 44, u32::try_from(head.number).expect("a small table"));
    let mut at = 56;
    for attribute in attributes {
        bytes[at..at + attribute.len()].copy_from_slice(attribute);
        at += attribute.len();
    }
    put32(&mut bytes, at, u32::MAX);
    put32(&mut bytes, 24, u32::try_from(at + 8).expect("inside the record"));
    protect(&mut bytes);
    bytes
}

/// The records of the system have their own number as sequence number in Windows; here all but the first have 1.
fn sequence(_number: usize) -> u16 {
    1
}

/// Puts the update sequence into the last two bytes of each sector.
pub(super) fn protect(bytes: &mut [u8]) {
    let at = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
    put16(bytes, at, 0x0A0B);
    for sector in 0..bytes.len() / 512 {
        let end = (sector + 1) * 512 - 2;
        let saved = [bytes[end], bytes[end + 1]];
        bytes[at + 2 + sector * 2..][..2].copy_from_slice(&saved);
        put16(bytes, end, 0x0A0B);
    }
}

/// Takes the update sequence out again.
pub(super) fn unprotect(bytes: &mut [u8]) {
    let at = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
    for sector in 0..bytes.len() / 512 {
        let saved = [bytes[at + 2 + sector * 2], bytes[at + 3 + sector * 2]];
        let end = (sector + 1) * 512 - 2;
        bytes[end..end + 2].copy_from_slice(&saved);
    }
}

/// `$FILE_NAME`.
pub(super) fn file_name(parent: usize, name: &str, (size, attributes): (u64, u32)) -> Vec<u8> {
    let text = utf16le(name);
    let mut bytes = vec![0; 66 + text.len()];
    put64(&mut bytes, 0, reference(parent));
    for at in [8, 16, 24, 32] {
        put64(&mut bytes, at, 130_000_000_000_000_000);
    }
    put64(&mut bytes, 40, size.next_multiple_of(super::CLUSTER as u64));
    put64(&mut bytes, 48, size);
    put32(&mut bytes, 56, attributes);
    bytes[64] = u8::try_from(text.len() / 2).expect("a short name");
    bytes[65] = 3;
    bytes[66..].copy_from_slice(&text);
    bytes
}

/// `$STANDARD_INFORMATION` of NTFS 1.2: times and attributes.
pub(super) fn standard_information(attributes: u32) -> Vec<u8> {
    let mut bytes = vec![0; 48];
    for at in [0, 8, 16, 24] {
        put64(&mut bytes, at, 130_000_000_000_000_000);
    }
    put32(&mut bytes, 32, attributes);
    bytes
}

/// An entry of an index of names.
pub(super) fn index_entry(number: usize, key: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; (16 + key.len()).next_multiple_of(8)];
    put64(&mut bytes, 0, reference(number));
    let len = u16::try_from(bytes.len()).expect("a small entry");
    put16(&mut bytes, 8, len);
    put16(&mut bytes, 10, u16::try_from(key.len()).expect("a small key"));
    bytes[16..16 + key.len()].copy_from_slice(key);
    bytes
}

/// The last entry of a node; it leads to the block `child`.
pub(super) fn last_entry(child: Option<u64>) -> Vec<u8> {
    let mut bytes = vec![0; if child.is_some() { 24 } else { 16 }];
    let len = u16::try_from(bytes.len()).expect("24");
    put16(&mut bytes, 8, len);
    put16(&mut bytes, 12, if child.is_some() { 3 } else { 2 });
    if let Some(child) = child {
        put64(&mut bytes, 16, child);
    }
    bytes
}

/// The root of an index of names, all of which stand in block 0.
pub(super) fn index_root() -> Vec<u8> {
    let entry = last_entry(Some(0));
    let mut bytes = vec![0; 32];
    put32(&mut bytes, 0, 0x30);
    put32(&mut bytes, 4, 1);
    put32(&mut bytes, 8, 4096);
    bytes[12] = 1;
    put32(&mut bytes, 16, 16);
    let end = u32::try_from(16 + entry.len()).expect("40");
    put32(&mut bytes, 20, end);
    put32(&mut bytes, 24, end);
    bytes[28] = 1;
    bytes.extend(entry);
    bytes
}

/// An index block with these entries.
pub(super) fn index_block(number: u64, entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[..4].copy_from_slice(b"INDX");
    put16(&mut bytes, 4, 40);
    put16(&mut bytes, 6, 9);
    put64(&mut bytes, 16, number);
    put32(&mut bytes, 24, 40);
    let mut at = 64;
    for entry in entries.iter().chain([&last_entry(None)]) {
        bytes[at..at + entry.len()].copy_from_slice(entry);
        at += entry.len();
    }
    put32(&mut bytes, 28, u32::try_from(at - 24).expect("inside the block"));
    put32(&mut bytes, 32, 4096 - 24);
    protect(&mut bytes);
    bytes
}
