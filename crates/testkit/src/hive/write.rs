//! Lays a key tree out as a `regf` file: base block, hive bins, and the cells in them.

use super::{HiveKey, HiveValue};
use crate::bytes::{put16, put32, put64, utf16le};

/// Size of the base block and unit of hive bins.
const PAGE: usize = 4096;
/// Size of the header of a hive bin.
const BIN_HEADER: usize = 32;
/// "No cell here".
const NIL: u32 = u32::MAX;
/// Data of more bytes than this lies in segments of this size below a `db` record.
const SEGMENT: usize = 16344;
/// Subkey lists of more entries than this are split below an `ri` record.
const LIST_LIMIT: usize = 500;

/// What the base block says beside the tree.
#[derive(Debug, Clone)]
pub struct HiveStamp {
    /// Both sequence numbers.
    pub sequence: u32,
    /// Last-written time of the hive and of all keys, as a FILETIME (100 ns since 1601).
    pub written: u64,
    /// Tail of the file's path, as the base block stores it (at most 31 characters).
    pub file_name: String,
}

impl Default for HiveStamp {
    fn default() -> Self {
        Self { sequence: 1, written: 129_999_960_000_000_000, file_name: "emRoot\\System32\\Config\\SYSTEM".to_owned() }
    }
}

/// The bytes of a clean hive that holds `root`.
#[must_use]
pub fn hive_bytes(root: &HiveKey, stamp: &HiveStamp) -> Vec<u8> {
    let mut bins = Bins { data: Vec::new(), free_at: 0, written: stamp.written };
    let security = write_security(&mut bins, count_keys(root));
    let root_cell = write_key(&mut bins, root, Place { parent: 0, security, root: true });
    bins.close_bin();
    let mut file = base_block(stamp, root_cell, bins.data.len());
    file.extend_from_slice(&bins.data);
    file
}

/// The 4096 bytes of a base block, with its checksum.
fn base_block(stamp: &HiveStamp, root_cell: u32, bins_size: usize) -> Vec<u8> {
    let mut block = vec![0u8; PAGE];
    block[0..4].copy_from_slice(b"regf");
    put32(&mut block, 4, stamp.sequence);
    put32(&mut block, 8, stamp.sequence);
    put64(&mut block, 12, stamp.written);
    put32(&mut block, 20, 1); // major version
    put32(&mut block, 24, 5); // minor version: lists with hashes (`lh`), big data
    put32(&mut block, 28, 0); // primary file
    put32(&mut block, 32, 1); // direct memory load
    put32(&mut block, 36, root_cell);
    put32(&mut block, 40, size32(bins_size));
    put32(&mut block, 44, 1); // clustering factor
    let name: Vec<u8> = utf16le(&stamp.file_name).into_iter().take(62).collect();
    block[48..48 + name.len()].copy_from_slice(&name);
    seal(&mut block);
    block
}

/// Writes the checksum of a base block: XOR of its first 127 dwords, never 0 or -1.
pub(super) fn seal(block: &mut [u8]) {
    let sum = block[..508]
        .chunks_exact(4)
        .fold(0u32, |sum, dword| sum ^ u32::from_le_bytes(dword.try_into().expect("four bytes")));
    put32(block, 508, if sum == u32::MAX { u32::MAX - 1 } else { sum.max(1) });
}

/// The hive bins while they grow; offsets are counted from the first bin.
struct Bins {
    data: Vec<u8>,
    free_at: usize,
    written: u64,
}

impl Bins {
    /// Gives a cell of `size` content bytes and returns its offset (of the size field).
    fn cell(&mut self, size: usize) -> u32 {
        let whole = (size + 4).next_multiple_of(8);
        if self.free_at + whole > self.data.len() {
            self.close_bin();
            self.open_bin(whole);
        }
        let at = self.free_at;
        self.free_at += whole;
        put32(&mut self.data, at, size32(whole).wrapping_neg());
        size32(at)
    }

    /// Gives a cell that holds `content`.
    fn cell_with(&mut self, content: &[u8]) -> u32 {
        let at = self.cell(content.len());
        self.fill(at, content);
        at
    }

    /// Writes the content of a cell.
    fn fill(&mut self, cell: u32, content: &[u8]) {
        let at = cell as usize + 4;
        self.data[at..at + content.len()].copy_from_slice(content);
    }

    /// Turns what is left of the last bin into one free cell.
    fn close_bin(&mut self) {
        let left = self.data.len() - self.free_at;
        if left > 0 {
            put32(&mut self.data, self.free_at, size32(left));
        }
        self.free_at = self.data.len();
    }

    /// Adds a bin with room for a cell of `whole` bytes.
    fn open_bin(&mut self, whole: usize) {
        let start = self.data.len();
        let size = (BIN_HEADER + whole).next_multiple_of(PAGE);
        self.data.resize(start + size, 0);
        self.data[start..start + 4].copy_from_slice(b"hbin");
        put32(&mut self.data, start + 4, size32(start));
        put32(&mut self.data, start + 8, size32(size));
        if start == 0 {
            put64(&mut self.data, 20, self.written);
        }
        self.free_at = start + BIN_HEADER;
    }
}

/// Where a key hangs.
#[derive(Clone, Copy)]
struct Place {
    parent: u32,
    security: u32,
    root: bool,
}

/// Writes a key with all that is below it; returns its cell.
fn write_key(bins: &mut Bins, key: &HiveKey, place: Place) -> u32 {
    let (name, latin) = stored_name(&key.name);
    let mut record = vec![0u8; 76 + name.len()];
    let cell = bins.cell(record.len());
    let mut children: Vec<&HiveKey> = key.children.iter().collect();
    children.sort_by_key(|child| upper(&child.name));
    let below = Place { parent: cell, security: place.security, root: false };
    let entries: Vec<(u32, u32)> =
        children.iter().map(|child| (write_key(bins, child, below), name_hash(&child.name))).collect();
    let subkeys = write_subkey_list(bins, &entries);
    let values = write_values(bins, &key.values);
    record[0..2].copy_from_slice(b"nk");
    put16(&mut record, 2, if latin { 0x20 } else { 0 } | if place.root { 0x0C } else { 0 });
    put64(&mut record, 4, bins.written);
    put32(&mut record, 16, place.parent);
    put32(&mut record, 20, size32(entries.len()));
    put32(&mut record, 28, subkeys);
    put32(&mut record, 32, NIL); // volatile subkeys
    put32(&mut record, 36, size32(key.values.len()));
    put32(&mut record, 40, values);
    put32(&mut record, 44, place.security);
    put32(&mut record, 48, NIL); // class name
    put32(&mut record, 52, longest(children.iter().map(|child| utf16_size(&child.name))));
    put32(&mut record, 60, longest(key.values.iter().map(|(name, _)| utf16_size(name))));
    put32(&mut record, 64, longest(key.values.iter().map(|(_, value)| value.data().len())));
    put16(&mut record, 72, size16(name.len()));
    record[76..].copy_from_slice(&name);
    bins.fill(cell, &record);
    cell
}

/// Writes the list of subkeys: one `lh`, or several below an `ri`.
fn write_subkey_list(bins: &mut Bins, entries: &[(u32, u32)]) -> u32 {
    if entries.is_empty() {
        return NIL;
    }
    let lists: Vec<u32> = entries.chunks(LIST_LIMIT).map(|part| write_lh(bins, part)).collect();
    if let [only] = lists[..] {
        return only;
    }
    let mut record = b"ri".to_vec();
    record.extend(size16(lists.len()).to_le_bytes());
    lists.iter().for_each(|list| record.extend(list.to_le_bytes()));
    bins.cell_with(&record)
}

/// Writes one list with hashes of the names.
fn write_lh(bins: &mut Bins, entries: &[(u32, u32)]) -> u32 {
    let mut record = b"lh".to_vec();
    record.extend(size16(entries.len()).to_le_bytes());
    for (cell, hash) in entries {
        record.extend(cell.to_le_bytes());
        record.extend(hash.to_le_bytes());
    }
    bins.cell_with(&record)
}

/// Writes values and their list.
fn write_values(bins: &mut Bins, values: &[(String, HiveValue)]) -> u32 {
    if values.is_empty() {
        return NIL;
    }
    let cells: Vec<u8> = values.iter().flat_map(|(name, value)| write_value(bins, name, value).to_le_bytes()).collect();
    bins.cell_with(&cells)
}

/// Writes one value; data of up to four bytes lies in the record itself.
fn write_value(bins: &mut Bins, name: &str, value: &HiveValue) -> u32 {
    let (name, latin) = stored_name(name);
    let data = value.data();
    let mut record = vec![0u8; 20 + name.len()];
    record[0..2].copy_from_slice(b"vk");
    put16(&mut record, 2, size16(name.len()));
    if data.len() <= 4 {
        put32(&mut record, 4, size32(data.len()) | 0x8000_0000);
        record[8..8 + data.len()].copy_from_slice(&data);
    } else {
        put32(&mut record, 4, size32(data.len()));
        let cell = write_data(bins, &data);
        put32(&mut record, 8, cell);
    }
    put32(&mut record, 12, value.type_number());
    put16(&mut record, 16, u16::from(latin && !name.is_empty()));
    record[20..].copy_from_slice(&name);
    bins.cell_with(&record)
}

/// Writes the data of a value, in segments when it is big.
fn write_data(bins: &mut Bins, data: &[u8]) -> u32 {
    if data.len() <= SEGMENT {
        return bins.cell_with(data);
    }
    let segments: Vec<u8> = data.chunks(SEGMENT).flat_map(|part| bins.cell_with(part).to_le_bytes()).collect();
    let list = bins.cell_with(&segments);
    let mut record = b"db".to_vec();
    record.extend(size16(segments.len() / 4).to_le_bytes());
    record.extend(list.to_le_bytes());
    record.extend([0; 4]);
    bins.cell_with(&record)
}

/// Writes the one security record that all keys share: SYSTEM and Administrators may do everything, Users may read.
fn write_security(bins: &mut Bins, keys: usize) -> u32 {
    use crate::security::{Ace, descriptor, sid};
    let everything = 0x000F_003F;
    let descriptor = descriptor(&[
        Ace { flags: 2, mask: everything, sid: sid("S-1-5-18") },
        Ace { flags: 2, mask: everything, sid: sid("S-1-5-32-544") },
        Ace { flags: 2, mask: 0x0002_0019, sid: sid("S-1-5-32-545") },
    ]);
    let mut record = vec![0u8; 20];
    record[0..2].copy_from_slice(b"sk");
    put32(&mut record, 12, size32(keys));
    put32(&mut record, 16, size32(descriptor.len()));
    record.extend(descriptor);
    let cell = bins.cell(record.len());
    put32(&mut record, 4, cell); // the list of security records is a ring; of one it points to itself
    put32(&mut record, 8, cell);
    bins.fill(cell, &record);
    cell
}

/// Bytes of a name as stored, and whether they are Latin-1 instead of UTF-16LE.
fn stored_name(name: &str) -> (Vec<u8>, bool) {
    let latin: Option<Vec<u8>> = name.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    latin.map_or_else(|| (utf16le(name), false), |bytes| (bytes, true))
}

/// UTF-16 units of a name in upper case: the order of subkeys.
fn upper(name: &str) -> Vec<u16> {
    name.encode_utf16().map(upper_unit).collect()
}

/// Upper case of one unit, when that is one unit too.
fn upper_unit(unit: u16) -> u16 {
    let Some(letter) = char::from_u32(u32::from(unit)) else { return unit };
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => u16::try_from(u32::from(one)).unwrap_or(unit),
        _ => unit,
    }
}

/// Hash of a name in an `lh` list.
fn name_hash(name: &str) -> u32 {
    upper(name).iter().fold(0u32, |hash, unit| hash.wrapping_mul(37).wrapping_add(u32::from(*unit)))
}

fn count_keys(key: &HiveKey) -> usize {
    1 + key.children.iter().map(count_keys).sum::<usize>()
}

fn utf16_size(text: &str) -> usize {
    text.encode_utf16().count() * 2
}

fn longest(sizes: impl Iterator<Item = usize>) -> u32 {
    size32(sizes.max().unwrap_or(0))
}

fn size32(size: usize) -> u32 {
    u32::try_from(size).expect("a sample hive is smaller than 4 GiB")
}

fn size16(size: usize) -> u16 {
    u16::try_from(size).expect("names and lists of a sample hive are shorter than 65536")
}
