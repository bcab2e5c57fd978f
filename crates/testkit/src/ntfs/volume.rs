//! Puts the volume together.

use std::collections::BTreeMap;

use super::record::{
    Head, Mapped, file_name, index_block, index_entry, index_root, mapped, record, reference, resident,
    standard_information,
};
use super::{CLUSTER, CLUSTERS, Places, RECORD, Volume, file};
use crate::bytes::{put16, put32, put64, utf16le};
use crate::vhdx::Dice;

const NAME: u32 = 0x30;
const DATA: u32 = 0x80;
const FOLDER: u32 = 0x1000_0000;

/// Clusters in the order in which they are given out.
struct Maker {
    bytes: Vec<u8>,
    next: usize,
    records: BTreeMap<usize, Vec<u8>>,
    /// Entries of the root folder: name, record, key.
    root: Vec<(String, usize, Vec<u8>)>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Maker {
    /// Puts content into new clusters; the first one.
    fn put(&mut self, content: &[u8]) -> u64 {
        let at = self.next;
        self.bytes[at * CLUSTER..at * CLUSTER + content.len()].copy_from_slice(content);
        self.next += content.len().div_ceil(CLUSTER);
        at as u64
    }

    /// A record of a file in the root folder with these attributes behind its name.
    fn file(&mut self, number: usize, name: &str, (size, flags): (u64, u32), attributes: Vec<Vec<u8>>) {
        let key = file_name(5, name, (size, flags));
        let mut all = vec![resident(0x10, "", 0, &standard_information(flags & 0xFFFF)), resident(NAME, "", 2, &key)];
        all.extend(attributes);
        all.sort_by_key(|attribute| u32::from_le_bytes(attribute[..4].try_into().expect("four bytes")));
        let head = Head { number, flags: if flags & FOLDER == 0 { 1 } else { 3 }, base: 0 };
        self.records.insert(number, record(&head, &all));
        self.root.push((name.to_owned(), number, key));
    }

    /// A file of the system whose content lies in clusters.
    fn system(&mut self, number: usize, name: &str, (start, bytes): (u64, u64)) {
        let content = plain(&[(Some(start), bytes.div_ceil(CLUSTER as u64))], bytes);
        self.file(number, name, (bytes, 6), vec![mapped(DATA, "", 1, &content)]);
    }
}

fn plain(runs: &[(Option<u64>, u64)], size: u64) -> Mapped {
    Mapped { runs: runs.to_vec(), size, initialized: size, ..Mapped::default() }
}

impl Volume {
    /// The volume: 160 clusters of 4 KiB, all of them zeros where nothing lies.
    #[must_use]
    pub fn new() -> Self {
        let mut maker = Maker {
            bytes: vec![0; CLUSTERS * CLUSTER + 512],
            next: 2,
            records: BTreeMap::new(),
            root: Vec::new(),
            files: BTreeMap::new(),
        };
        let mut places = Places { table: 4, mirror: 2, ..Places::default() };
        maker.next = 4 + file::COUNT * RECORD / CLUSTER;
        content(&mut maker, &mut places);
        system(&mut maker, &mut places);
        folders(&mut maker, &mut places);
        finish(maker, places)
    }
}

impl Default for Volume {
    fn default() -> Self {
        Self::new()
    }
}

/// The files of the user.
fn content(maker: &mut Maker, places: &mut Places) {
    let mut dice = Dice::new(20);
    let small = b"the content stands in the record".to_vec();
    maker.file(file::SMALL, "small.txt", (small.len() as u64, 0x20), vec![resident(DATA, "", 1, &small)]);
    maker.files.insert("small.txt".to_owned(), small);
    maker.file(file::EMPTY, "empty.txt", (0, 0x20), vec![resident(DATA, "", 1, &[])]);
    maker.files.insert("empty.txt".to_owned(), Vec::new());

    let large = dice.bytes(5 * CLUSTER - 100);
    let second = maker.put(&large[2 * CLUSTER..3 * CLUSTER]);
    let first = maker.put(&large[..2 * CLUSTER]);
    let third = maker.put(&large[3 * CLUSTER..]);
    let runs = [(Some(first), 2), (Some(second), 1), (Some(third), 2)];
    let size = large.len() as u64;
    maker.file(file::LARGE, "large.bin", (size, 0x20), vec![mapped(DATA, "", 1, &plain(&runs, size))]);
    maker.files.insert("large.bin".to_owned(), large);

    let mut sparse = vec![0; 40 * CLUSTER];
    sparse[..CLUSTER].copy_from_slice(&dice.bytes(CLUSTER));
    sparse[39 * CLUSTER..].copy_from_slice(&dice.bytes(CLUSTER));
    let (start, end) = (maker.put(&sparse[..CLUSTER]), maker.put(&sparse[39 * CLUSTER..]));
    let runs = [(Some(start), 1), (None, 38), (Some(end), 1)];
    let size = sparse.len() as u64;
    let holes = Mapped { flags: 0x8000, ..plain(&runs, size) };
    maker.file(file::SPARSE, "sparse.bin", (size, 0x220), vec![mapped(DATA, "", 1, &holes)]);
    maker.files.insert("sparse.bin".to_owned(), sparse);

    let streams = vec![resident(DATA, "", 1, b"main"), resident(DATA, "note", 4, b"the second stream")];
    maker.file(file::STREAMS, "streams.txt", (4, 0x20), streams);
    maker.files.insert("streams.txt".to_owned(), b"main".to_vec());
    maker.files.insert("streams.txt:note".to_owned(), b"the second stream".to_vec());

    let half = dice.bytes(CLUSTER);
    let start = maker.put(&half);
    maker.put(&[0xEE; CLUSTER]);
    let tail = Mapped { initialized: CLUSTER as u64, ..plain(&[(Some(start), 2)], 2 * CLUSTER as u64) };
    maker.file(file::TAIL, "tail.bin", (2 * CLUSTER as u64, 0x20), vec![mapped(DATA, "", 1, &tail)]);
    maker.files.insert("tail.bin".to_owned(), [half, vec![0; CLUSTER]].concat());

    packed(maker, places, &mut dice);
    listed(maker, &mut dice);
    let link = symbolic_link("small.txt");
    maker.file(file::LINK, "link", (0, 0x420), vec![resident(0xC0, "", 1, &link)]);
}

/// Units of 16 clusters: one compressed into one cluster, a hole, one stored as it is.
fn packed(maker: &mut Maker, places: &mut Places, dice: &mut Dice) {
    let unit = 16 * CLUSTER;
    let mut content = vec![0; 3 * unit];
    let mut chunks = Vec::new();
    for chunk in 0..16 {
        // "abc", a token for 3 back and 4093 long (at position 3 the length has 12 bits).
        let body = [0x08, b'a' + chunk, b'b', b'c', 0xFA, 0x2F];
        chunks.extend(0xB000u16.wrapping_add(body.len() as u16 - 1).to_le_bytes());
        chunks.extend(body);
        for at in 0..CLUSTER {
            content[usize::from(chunk) * CLUSTER + at] = [b'a' + chunk, b'b', b'c'][at % 3];
        }
    }
    chunks.extend([0, 0]);
    content[2 * unit..].copy_from_slice(&dice.bytes(unit));
    let first = maker.put(&chunks);
    let last = maker.put(&content[2 * unit..]);
    places.packed = usize::try_from(first).expect("a small volume");
    let runs = vec![(Some(first), 1), (None, 31), (Some(last), 16)];
    let size = content.len() as u64;
    let mapping = Mapped { lowest: 0, runs, size, initialized: size, unit: 4, flags: 1 };
    maker.file(file::PACKED, "packed.bin", (size, 0x820), vec![mapped(DATA, "", 1, &mapping)]);
    maker.files.insert("packed.bin".to_owned(), content);
}

/// Runs in two records, found by an attribute list.
fn listed(maker: &mut Maker, dice: &mut Dice) {
    let content = dice.bytes(4 * CLUSTER - 7);
    let (one, other) = (maker.put(&content[..CLUSTER]), maker.put(&content[CLUSTER..]));
    let size = content.len() as u64;
    let mut first = plain(&[(Some(one), 1)], size);
    first.initialized = size;
    let second = Mapped { lowest: 1, runs: vec![(Some(other), 3)], ..Mapped::default() };
    let mut list = Vec::new();
    let entries = [
        (0x10, 0, file::LISTED, 0),
        (NAME, 0, file::LISTED, 2),
        (DATA, 0, file::LISTED_FIRST, 1),
        (DATA, 1, file::LISTED_SECOND, 1),
    ];
    for (kind, lowest, holder, id) in entries {
        let mut entry = vec![0; 32];
        put32(&mut entry, 0, kind);
        put16(&mut entry, 4, 32);
        entry[7] = 26;
        put64(&mut entry, 8, lowest);
        put64(&mut entry, 16, reference(holder));
        put16(&mut entry, 24, id);
        list.extend(entry);
    }
    maker.file(file::LISTED, "listed.bin", (size, 0x20), vec![resident(0x20, "", 3, &list)]);
    for (number, piece) in [(file::LISTED_FIRST, first), (file::LISTED_SECOND, second)] {
        let head = Head { number, flags: 1, base: file::LISTED };
        maker.records.insert(number, record(&head, &[mapped(DATA, "", 1, &piece)]));
    }
    maker.files.insert("listed.bin".to_owned(), content);
}

/// A relative symbolic link ([MS-FSCC] 2.1.2.4).
fn symbolic_link(target: &str) -> Vec<u8> {
    let name = utf16le(target);
    let len = u16::try_from(name.len()).expect("a short name");
    let mut bytes = vec![0; 20];
    put32(&mut bytes, 0, 0xA000_000C);
    put16(&mut bytes, 4, 12 + 2 * len);
    put16(&mut bytes, 10, len);
    put16(&mut bytes, 12, len);
    put16(&mut bytes, 14, len);
    put32(&mut bytes, 16, 1);
    bytes.extend([name.clone(), name].concat());
    bytes
}

/// The files of the system but the root folder.
fn system(maker: &mut Maker, places: &mut Places) {
    let log = maker.put(&[0xFF; 16 * CLUSTER]);
    places.log = usize::try_from(log).expect("a small volume");
    maker.system(2, "$LogFile", (log, 16 * CLUSTER as u64));
    let upcase: Vec<u8> = (0..=u16::MAX).flat_map(|unit| upper(unit).to_le_bytes()).collect();
    let at = maker.put(&upcase);
    maker.system(10, "$UpCase", (at, upcase.len() as u64));
    let at = maker.put(&[0; 2560]);
    maker.system(4, "$AttrDef", (at, 2560));
    let bitmap = maker.put(&[0; CLUSTERS / 8]);
    places.bitmap = usize::try_from(bitmap).expect("a small volume");
    maker.system(6, "$Bitmap", (bitmap, CLUSTERS as u64 / 8));
    maker.system(7, "$Boot", (0, 8192));
    maker.system(1, "$MFTMirr", (places.mirror as u64, 4096));
    let table = (file::COUNT * RECORD) as u64;
    let content = plain(&[(Some(places.table as u64), table / CLUSTER as u64)], table);
    let used = [0xFF; file::COUNT / 8];
    maker.file(0, "$MFT", (table, 6), vec![mapped(DATA, "", 1, &content), resident(0xB0, "", 5, &used)]);
    let mut information = vec![0; 12];
    (information[8], information[9]) = (3, 1);
    let name = utf16le("TESTKIT");
    maker.file(3, "$Volume", (0, 6), vec![resident(0x60, "", 4, &name), resident(0x70, "", 5, &information)]);
    maker.file(8, "$BadClus", (0, 6), vec![resident(DATA, "", 1, &[])]);
    maker.file(9, "$Secure", (0, 6), vec![resident(DATA, "", 1, &[])]);
    maker.file(11, "$Extend", (0, 6), vec![resident(DATA, "", 1, &[])]);
}

/// Upper case of ASCII and Latin-1.
fn upper(unit: u16) -> u16 {
    match unit {
        0x61..=0x7A | 0xE0..=0xF6 | 0xF8..=0xFE => unit - 32,
        _ => unit,
    }
}

/// The folder `sub` and the root folder.
fn folders(maker: &mut Maker, places: &mut Places) {
    let mut entries = Vec::new();
    for number in 0..6 {
        let (name, text) = (format!("f{}", number + 1), format!("file {number} in sub").into_bytes());
        let key = file_name(file::SUB, &name, (text.len() as u64, 0x20));
        let at = file::FIRST_IN_SUB + number;
        let attributes = [
            resident(0x10, "", 0, &standard_information(0x20)),
            resident(NAME, "", 2, &key),
            resident(DATA, "", 1, &text),
        ];
        maker.records.insert(at, record(&Head { number: at, flags: 1, base: 0 }, &attributes));
        entries.push(index_entry(at, &key));
        maker.files.insert(format!("sub\\{name}"), text);
    }
    let block = maker.put(&index_block(0, &entries));
    places.sub = usize::try_from(block).expect("a small volume");
    maker.file(file::SUB, "sub", (0, FOLDER), index_attributes(block));
    let block = maker.put(&[0; CLUSTER]);
    places.root = usize::try_from(block).expect("a small volume");
    maker.file(5, ".", (0, FOLDER | 6), index_attributes(block));
    maker.root.sort_by_key(|(name, _, _)| name.to_ascii_uppercase());
    let entries: Vec<Vec<u8>> = maker.root.iter().map(|(_, number, key)| index_entry(*number, key)).collect();
    let block = index_block(0, &entries);
    maker.bytes[places.root * CLUSTER..(places.root + 1) * CLUSTER].copy_from_slice(&block);
}

fn index_attributes(block: u64) -> Vec<Vec<u8>> {
    vec![
        resident(0x90, "$I30", 6, &index_root()),
        mapped(0xA0, "$I30", 7, &plain(&[(Some(block), 1)], CLUSTER as u64)),
        resident(0xB0, "$I30", 8, &[1, 0, 0, 0, 0, 0, 0, 0]),
    ]
}

/// Writes table, mirror, bitmap and both boot sectors.
fn finish(mut maker: Maker, places: Places) -> Volume {
    for number in 0..file::COUNT {
        let free = || record(&Head { number, flags: u16::from((12..16).contains(&number)), base: 0 }, &[]);
        let bytes = maker.records.get(&number).cloned().unwrap_or_else(free);
        let at = places.table * CLUSTER + number * RECORD;
        maker.bytes[at..at + RECORD].copy_from_slice(&bytes);
    }
    let table = places.table * CLUSTER;
    let first: Vec<u8> = maker.bytes[table..table + 4 * RECORD].to_vec();
    maker.bytes[places.mirror * CLUSTER..][..4 * RECORD].copy_from_slice(&first);
    assert!(maker.next <= CLUSTERS, "{} clusters are needed", maker.next);
    for cluster in (0..maker.next).filter(|cluster| *cluster != 3) {
        maker.bytes[places.bitmap * CLUSTER + cluster / 8] |= 1 << (cluster % 8);
    }
    let mut boot = vec![0; 512];
    boot[..11].copy_from_slice(b"\xEB\x52\x90NTFS    ");
    put16(&mut boot, 11, 512);
    boot[13] = 8;
    boot[21] = 0xF8;
    put16(&mut boot, 24, 63);
    put16(&mut boot, 26, 255);
    put32(&mut boot, 36, 0x0080_0080);
    put64(&mut boot, 40, (CLUSTERS * 8) as u64);
    put64(&mut boot, 48, places.table as u64);
    put64(&mut boot, 56, places.mirror as u64);
    boot[64] = 0xF6;
    boot[68] = 1;
    put64(&mut boot, 72, 0x1122_3344_5566_7788);
    (boot[510], boot[511]) = (0x55, 0xAA);
    maker.bytes[..512].copy_from_slice(&boot);
    let end = CLUSTERS * CLUSTER;
    maker.bytes[end..].copy_from_slice(&boot);
    Volume { bytes: maker.bytes, files: maker.files, places }
}
