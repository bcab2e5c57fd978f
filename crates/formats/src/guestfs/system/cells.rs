//! Values of a registry hive that is too large for memory, read cell by cell from its file. Transaction logs are not
//! replayed here. Specification: "Windows registry file format specification" by M. Suhanov.

use std::cell::Cell;

use crate::disk::fields::{le16, le32};
use crate::guestfs::{GuestFsError, bytes};
use crate::io::SharedFile;

/// Where the hive bins begin; references count from here.
const BINS: u64 = 4096;
/// Largest cell that is read: a list of 65,535 subkeys has half of it.
const MAX_CELL: u64 = 1 << 20;
/// Cells that are read of one hive: a path through keys with some thousand subkeys each.
const MAX_CELLS: u32 = 1 << 18;
/// Bytes of all these cells: lists and names may be long, and many references may lead to the same ones.
const MAX_BYTES: u64 = 64 << 20;
/// Longer values are stored in pieces; none of those that are asked for is.
const MAX_VALUE: u32 = 16344;

/// A hive in its file.
pub(super) struct CellHive {
    file: SharedFile,
    /// Bytes of the hive bins that are there.
    bins: u64,
    root: u32,
    settled: bool,
    left: Cell<u32>,
    left_bytes: Cell<u64>,
}

/// A key: its reference and its cell.
pub(super) struct Node {
    reference: u32,
    cell: Vec<u8>,
}

impl CellHive {
    /// Reads the base block: 0 mark, 4 and 8 sequence numbers, 20 version, 28 type, 36 root, 40 length, 508 checksum.
    pub(super) fn open(file: SharedFile) -> Result<CellHive, GuestFsError> {
        let head = bytes::read_some(&*file, 0, 512)?;
        let sum = head.as_chunks::<4>().0.iter().take(127).fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
        let sum = if sum == 0 {
            1
        } else if sum == u32::MAX {
            u32::MAX - 1
        } else {
            sum
        };
        let version = (le32(&head, 20), le32(&head, 24));
        let right = head.starts_with(b"regf") && version.0 == 1 && (2..=6).contains(&version.1) && le32(&head, 28) == 0;
        if !right || sum != le32(&head, 508) {
            let found = head.get(..4).unwrap_or_default().escape_ascii().to_string();
            let expected = "a registry hive (regf 1.2 to 1.6 with a right checksum)";
            return Err(GuestFsError::NotThis { file: file.name().to_owned(), offset: 0, expected, found });
        }
        let bins = u64::from(le32(&head, 40)).min(file.len().saturating_sub(BINS));
        let (root, settled) = (le32(&head, 36), le32(&head, 4) == le32(&head, 8));
        Ok(CellHive { file, bins, root, settled, left: Cell::new(MAX_CELLS), left_bytes: Cell::new(MAX_BYTES) })
    }

    /// True when no write was going on.
    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    fn wrong(&self, reference: u32, expected: &'static str, found: impl ToString) -> GuestFsError {
        let (file, offset) = (self.file.name().to_owned(), BINS + u64::from(reference));
        GuestFsError::NotThis { file, offset, expected, found: found.to_string() }
    }

    /// The content of the cell in use at `reference`.
    fn cell(&self, reference: u32) -> Result<Vec<u8>, GuestFsError> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| self.wrong(reference, "a hive of fewer cells", "262144 cells read"))?);
        let (at, expected) = (u64::from(reference), "a cell in use within the hive");
        if at.saturating_add(4) > self.bins || !reference.is_multiple_of(8) {
            return Err(self.wrong(reference, expected, format!("hive bins of {} bytes", self.bins)));
        }
        let size = le32(&bytes::read_vec(&*self.file, BINS + at, 4)?, 0).cast_signed();
        let len = u64::from(size.unsigned_abs());
        if size >= 0 || !(8..=MAX_CELL).contains(&len) || at + len > self.bins {
            return Err(self.wrong(reference, expected, format!("the size {size}")));
        }
        let left = self.left_bytes.get().checked_sub(len);
        self.left_bytes
            .set(left.ok_or_else(|| self.wrong(reference, "a hive of smaller cells", "67108864 bytes read"))?);
        bytes::read_vec(&*self.file, BINS + at + 4, len as usize - 4)
    }

    fn key(&self, reference: u32) -> Result<Node, GuestFsError> {
        let cell = self.cell(reference)?;
        if !cell.starts_with(b"nk") || cell.len() < 76 {
            return Err(self.wrong(reference, "a key (nk)", cell.get(..2).unwrap_or_default().escape_ascii()));
        }
        Ok(Node { reference, cell })
    }

    /// The key at `path`; names are compared as ASCII.
    pub(super) fn at(&self, path: &str) -> Result<Option<Node>, GuestFsError> {
        let mut key = self.key(self.root)?;
        for part in path.split('\\') {
            match self.subkey(&key, part)? {
                Some(next) => key = next,
                None => return Ok(None),
            }
        }
        Ok(Some(key))
    }

    /// The subkey of this name.
    pub(super) fn subkey(&self, parent: &Node, name: &str) -> Result<Option<Node>, GuestFsError> {
        let mut found = None;
        self.each(parent, &mut |key| {
            let is_it = key.name().eq_ignore_ascii_case(name);
            if is_it {
                found = Some(key);
            }
            is_it
        })?;
        Ok(found)
    }

    /// Names of the subkeys.
    pub(super) fn names(&self, parent: &Node) -> Result<Vec<String>, GuestFsError> {
        let mut names = Vec::new();
        self.each(parent, &mut |key| {
            names.push(key.name());
            false
        })?;
        Ok(names)
    }

    /// Each subkey until `is_enough`; offset 20 number of subkeys, 28 their list.
    fn each(&self, parent: &Node, is_enough: &mut dyn FnMut(Node) -> bool) -> Result<(), GuestFsError> {
        if le32(&parent.cell, 20) == 0 {
            return Ok(());
        }
        let list = self.cell(le32(&parent.cell, 28))?;
        if !list.starts_with(b"ri") {
            return self.in_leaf(parent, &list, is_enough).map(drop);
        }
        for part in words(&list, 4) {
            if self.in_leaf(parent, &self.cell(part)?, is_enough)? {
                break;
            }
        }
        Ok(())
    }

    fn in_leaf(
        &self,
        parent: &Node,
        leaf: &[u8],
        is_enough: &mut dyn FnMut(Node) -> bool,
    ) -> Result<bool, GuestFsError> {
        let width = match leaf.get(..2) {
            Some(b"li") => 4,
            Some(b"lf" | b"lh") => 8,
            _ => return Err(self.wrong(parent.reference, "a list of subkeys (lf, lh, li, ri)", "another cell")),
        };
        for reference in words(leaf, width) {
            let key = self.key(reference)?;
            // Offset 16: parent.
            if le32(&key.cell, 16) == parent.reference && is_enough(key) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The texts of a value, or its number as text; none when there is no such value. Names are compared as ASCII.
    pub(super) fn texts(&self, key: &Node, name: &str) -> Result<Vec<String>, GuestFsError> {
        // Offset 36: number of values, 40: their list.
        let count = le32(&key.cell, 36) as usize;
        if count == 0 {
            return Ok(Vec::new());
        }
        let list = self.cell(le32(&key.cell, 40))?;
        for reference in list.as_chunks::<4>().0.iter().take(count).map(|word| u32::from_le_bytes(*word)) {
            let value = self.cell(reference)?;
            // Offset 2: length of the name, 16: flags, 20: name.
            let text = named(&value, (le16(&value, 2), 20), le16(&value, 16) & 1 != 0);
            if value.starts_with(b"vk") && text.eq_ignore_ascii_case(name) {
                return self.content(reference, &value);
            }
        }
        Ok(Vec::new())
    }

    /// Offset 4: length of the data, its highest bit: they stand at 8; else 8: their cell; 12: type.
    fn content(&self, reference: u32, value: &[u8]) -> Result<Vec<String>, GuestFsError> {
        let (size, kind) = (le32(value, 4), le32(value, 12));
        let len = size & 0x7FFF_FFFF;
        let data = match size >> 31 {
            1 => value.get(8..12).unwrap_or_default().to_vec(),
            _ if len > MAX_VALUE => return Err(self.wrong(reference, "a value of at most 16344 bytes", len)),
            _ if len == 0 => Vec::new(),
            _ => self.cell(le32(value, 8))?,
        };
        let data =
            data.get(..len as usize).ok_or_else(|| self.wrong(reference, "the data of a value", "a shorter cell"))?;
        match kind {
            1 | 2 => Ok(vec![bytes::utf16(data)]),
            4 if data.len() == 4 => Ok(vec![le32(data, 0).to_string()]),
            7 => Ok(bytes::utf16_texts(data)),
            kind => Err(self.wrong(reference, "texts or a number (types 1, 2, 4, 7)", format!("type {kind}"))),
        }
    }
}

impl Node {
    /// Offset 2: flags, 0x20 one byte a character; 72 length of the name; 76 name.
    fn name(&self) -> String {
        named(&self.cell, (le16(&self.cell, 72), 76), le16(&self.cell, 2) & 0x20 != 0)
    }
}

/// The first word of each element of a list: offset 2 their number, 4 the elements.
fn words(list: &[u8], width: usize) -> impl Iterator<Item = u32> + '_ {
    let elements = list.get(4..).unwrap_or_default().chunks_exact(width);
    elements.take(le16(list, 2).into()).map(|element| le32(element, 0))
}

/// A name of so many bytes at an offset.
fn named(cell: &[u8], (len, at): (u16, usize), narrow: bool) -> String {
    let name = cell.get(at..at + usize::from(len)).unwrap_or_default();
    if narrow { name.iter().map(|byte| char::from(*byte)).collect() } else { bytes::utf16(name) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, hive_bytes};

    use super::CellHive;
    use crate::io::MemoryFile;

    fn bytes() -> Vec<u8> {
        let mut root = HiveKey::new("root");
        for number in 0..600 {
            root.at(&format!(r"Many\Key {number}")).set("n", HiveValue::Dword(number));
        }
        root.at(r"Many\Größe").set("Text", HiveValue::sz("ä€"));
        root.at(r"Many\Größe").set("All", HiveValue::multi(&["one", "two"]));
        root.at("Select").set("Current", HiveValue::Dword(1));
        hive_bytes(&root, &HiveStamp::default())
    }

    fn open(bytes: Vec<u8>) -> Option<CellHive> {
        CellHive::open(Arc::new(MemoryFile::new("hive", bytes))).ok()
    }

    #[test]
    fn values_are_found_behind_lists_of_lists() {
        let hive = open(bytes()).unwrap();
        let texts = |path: &str, name| hive.texts(&hive.at(path).unwrap().unwrap(), name).unwrap();
        assert_eq!(texts(r"many\key 599", "N"), ["599"]);
        assert_eq!(texts(r"Many\Größe", "text"), ["ä€"]);
        assert_eq!(texts(r"Many\Größe", "all"), ["one", "two"]);
        assert!(texts("Select", "Last").is_empty());
        assert!(hive.at("Nothing").unwrap().is_none() && hive.at(r"Select\Below").unwrap().is_none());
        let names = hive.names(&hive.at("Many").unwrap().unwrap()).unwrap();
        assert!(names.len() == 601 && names.contains(&"Key 17".to_owned()));
        assert!(hive.is_settled());
    }

    /// A list whose 65,535 references all lead to one key of half a MiB: 32 GiB would be read, and as many bytes of names kept.
    #[test]
    fn many_references_to_a_large_key_are_bounded() {
        let (key, list) = (0x20, 0x20 + (1 << 19));
        let mut bytes = vec![0; 4096 + list + (1 << 18) + 16];
        bytes[..4].copy_from_slice(b"regf");
        let mut put = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let bins = u32::try_from(list + (1 << 18) + 16).unwrap();
        let key_reference = u32::try_from(key).unwrap();
        [(20, 1), (24, 5), (36, key_reference), (40, bins)].into_iter().for_each(|(at, value)| put(at, value));
        // The key is its own parent, and its name fills what a length of two bytes can say.
        put(4096 + key, 0_u32.wrapping_sub(1 << 19));
        put(4096 + key + 4, u32::from_le_bytes(*b"nk\x20\0"));
        [(16, key_reference), (20, 65_535), (28, u32::try_from(list).unwrap()), (72, 65_535)]
            .into_iter()
            .for_each(|(at, value)| put(4096 + key + 4 + at, value));
        put(4096 + list, 0_u32.wrapping_sub((1 << 18) + 8));
        put(4096 + list + 4, u32::from_le_bytes(*b"li\xFF\xFF"));
        (0..65_535).for_each(|number| put(4096 + list + 8 + number * 4, key_reference));
        let sum = bytes[..508].as_chunks::<4>().0.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
        bytes[508..512].copy_from_slice(&sum.to_le_bytes());
        let hive = open(bytes).unwrap();
        let root = hive.key(hive.root).unwrap();
        assert_eq!(root.name().len(), 65_535);
        let begun = std::time::Instant::now();
        let error = hive.names(&root).unwrap_err().to_string();
        assert!(error.contains("67108864 bytes"), "{error}");
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    }

    #[test]
    fn changed_bytes_never_panic() {
        let good = bytes();
        let mut answers = 0;
        for at in (0..good.len()).filter(|at| good[*at] != 0).step_by(7) {
            for byte in [0, 0xFF, good[at] ^ 1] {
                let mut bytes = good.clone();
                bytes[at] = byte;
                if let Some(hive) = open(bytes) {
                    let texts = |path: &str, name| {
                        hive.at(path).and_then(|key| key.map(|key| hive.texts(&key, name)).transpose())
                    };
                    answers += usize::from(texts(r"Many\Key 250", "n").is_ok());
                    let _ = (texts("Select", "Current"), hive.at("Many").map(|key| key.map(|key| hive.names(&key))));
                }
            }
        }
        assert!(answers > 1000);
    }
}
