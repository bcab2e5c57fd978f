//! The bytes of a file.

use super::{Key, Value, sum_without};
use crate::bytes::{put16, put32, put64, utf16le};

pub(super) const PAGE: usize = 4096;
pub(super) const LOG_HEAD: usize = PAGE;
const TABLE_HEAD: usize = 10;
const ENTRY: usize = 21;
/// Values of this length and more lie outside of the tables.
const LARGE: usize = 2048;

/// How a tree is laid out.
#[derive(Debug, Clone)]
pub struct HvsSpec {
    /// Sequence of the newer header; the other has one less.
    pub sequence: u16,
    /// Entries of an object table, also of those that the chain goes on to.
    pub objects: u32,
    /// Bytes that are left over behind each value.
    pub slack: usize,
    /// Older tables with the index of the present ones, with other content.
    pub stale: bool,
    /// Length of the replay log.
    pub log: usize,
    /// The newer header is the second one.
    pub second: bool,
}

impl Default for HvsSpec {
    fn default() -> Self {
        HvsSpec { sequence: 25, objects: 227, slack: 12, stale: false, log: 0x9000, second: false }
    }
}

/// Where structures are: for tests that change them.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Offset, length and place of the checksum of everything that has one.
    pub sums: Vec<(usize, usize, usize)>,
    /// Fields, as offset and length.
    pub fields: Vec<(usize, usize)>,
    /// Bytes that mean nothing.
    pub idle: Vec<(usize, usize)>,
    /// Key tables that count, in the order of their index.
    pub tables: Vec<usize>,
    /// Object tables.
    pub objects: Vec<usize>,
    /// The replay log.
    pub log: usize,
}

/// An entry that waits for its place.
struct Laid {
    table: usize,
    at: usize,
    bytes: Vec<u8>,
    /// Bytes that count.
    used: usize,
    /// The value outside of the table, and where in the entry its place is written.
    outside: Option<(Vec<u8>, usize)>,
}

struct Writer<'a> {
    spec: &'a HvsSpec,
    laid: Vec<Laid>,
    table: usize,
    at: usize,
}

impl Writer<'_> {
    /// Lays a key and what is below it; `parent` is table and offset.
    fn lay(&mut self, key: &Key, parent: (usize, usize), order: u32) {
        let (kind, data, outside) = self.data(&key.value);
        let mut bytes = vec![0; ENTRY];
        bytes[0] = kind;
        bytes[1] = u8::from(outside.is_some());
        put16(&mut bytes, 6, u16::try_from(parent.0).expect("few tables"));
        put32(&mut bytes, 8, u32::try_from(parent.1).expect("small tables"));
        put32(&mut bytes, 16, order);
        bytes[20] = u8::try_from(key.name.len() + 1).expect("short names");
        bytes.extend(key.name.as_bytes());
        bytes.push(0);
        let value_at = bytes.len();
        bytes.extend(data);
        let used = bytes.len();
        bytes.resize(used + self.spec.slack, 0xFD);
        let size = bytes.len();
        put32(&mut bytes, 2, u32::try_from(size).expect("small"));
        // What is left over must hold an entry of its own, and a little more.
        if self.at + size + ENTRY + 1 > PAGE {
            self.table += 1;
            self.at = TABLE_HEAD;
        }
        let place = (self.table, self.at);
        self.at += size;
        let outside = outside.map(|value| (value, value_at + 4));
        self.laid.push(Laid { table: place.0, at: place.1, bytes, used, outside });
        if let Value::Node(keys) = &key.value {
            for (order, key) in (1..).zip(keys) {
                self.lay(key, place, order);
            }
        }
    }

    /// Type, bytes in the table, and the value when it lies outside.
    fn data(&self, value: &Value) -> (u8, Vec<u8>, Option<Vec<u8>>) {
        let sized = |kind, bytes: Vec<u8>| {
            let len = u32::try_from(bytes.len()).expect("small").to_le_bytes();
            match bytes.len() {
                LARGE.. => (kind, [&len[..], &[0; 8]].concat(), Some(bytes)),
                _ => (kind, [&len[..], &bytes].concat(), None),
            }
        };
        match value {
            Value::Int(number) => (3, number.to_le_bytes().to_vec(), None),
            Value::Uint(number) => (4, number.to_le_bytes().to_vec(), None),
            Value::Double(number) => (5, number.to_le_bytes().to_vec(), None),
            Value::Text(text) => sized(6, utf16le(text)),
            Value::Bytes(bytes) => sized(7, bytes.clone()),
            Value::Flag(value) => (8, u32::from(*value).to_le_bytes().to_vec(), None),
            Value::Node(keys) => {
                let next = u32::try_from(keys.len()).expect("few") + 1;
                (9, [&7u64.to_le_bytes()[..], &next.to_le_bytes()].concat(), None)
            }
        }
    }
}

/// An object of the tables: type, offset, length.
type Object = (u8, usize, usize);

/// A file that grows.
struct File {
    bytes: Vec<u8>,
    places: Places,
}

impl File {
    /// Room for `len` bytes, in whole pages.
    fn room(&mut self, len: usize) -> usize {
        let at = self.bytes.len();
        self.bytes.resize(at + len.div_ceil(PAGE).max(1) * PAGE, 0);
        at
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Writes the checksum of a structure.
    fn sum(&mut self, at: usize, len: usize, field: usize) {
        let sum = sum_without(&self.bytes[at..at + len], field);
        put32(&mut self.bytes, at + field, sum);
        self.places.sums.push((at, len, field));
    }

    fn fields(&mut self, at: usize, fields: &[(usize, usize)]) {
        self.places.fields.extend(fields.iter().map(|(field, len)| (at + field, *len)));
    }
}

impl HvsSpec {
    /// The bytes of a file with these keys at the top.
    pub fn write(&self, roots: &[Key]) -> Vec<u8> {
        self.write_with_places(roots).0
    }

    /// The same, with the places of its structures.
    pub fn write_with_places(&self, roots: &[Key]) -> (Vec<u8>, Places) {
        let mut writer = Writer { spec: self, laid: Vec::new(), table: 1, at: TABLE_HEAD };
        for (order, key) in (1..).zip(roots) {
            writer.lay(key, (0, 0), order);
        }
        let mut file = File { bytes: vec![0; 2 * PAGE], places: Places::default() };
        file.places.objects.push(file.bytes.len());
        file.room(8 + 18 * self.objects as usize);
        let log = file.room(self.log);
        self.log(&mut file, log);
        let mut objects: Vec<Object> = Vec::new();
        self.tables(&mut file, writer, &mut objects);
        self.objects(&mut file, &objects);
        let newer = usize::from(self.second) * PAGE;
        self.header(&mut file, newer, self.sequence);
        self.header(&mut file, PAGE - newer, self.sequence - 1);
        (file.bytes, file.places)
    }

    fn header(&self, file: &mut File, at: usize, sequence: u16) {
        let (log, len) = (file.places.log as u64, self.log as u64);
        put32(&mut file.bytes, at, 0x0128_2014);
        put16(&mut file.bytes, at + 8, sequence);
        put32(&mut file.bytes, at + 10, 0x0400);
        put32(&mut file.bytes, at + 22, PAGE as u32);
        put64(&mut file.bytes, at + 26, log);
        put64(&mut file.bytes, at + 34, len);
        put32(&mut file.bytes, at + 42, LOG_HEAD as u32);
        file.sum(at, 46, 4);
        file.fields(at, &[(0, 4), (4, 4), (8, 2), (10, 4), (22, 4), (26, 8), (34, 8), (42, 4)]);
        file.places.idle.extend([(at + 14, at + 26), (at + 46, at + PAGE)]);
    }

    fn log(&self, file: &mut File, at: usize) {
        put32(&mut file.bytes, at, 0x0111_0003);
        put32(&mut file.bytes, at + 13, 145);
        file.sum(at, 34, 4);
        file.fields(at, &[(0, 4), (4, 4), (8, 4), (13, 4)]);
        file.places.log = at;
    }

    fn tables(&self, file: &mut File, writer: Writer<'_>, objects: &mut Vec<Object>) {
        let last = writer.table;
        let mut places = Vec::new();
        for index in 1..=last {
            if self.stale {
                let at = file.room(PAGE);
                stale(file, at, index);
                objects.push((2, at, PAGE));
            }
            let at = file.room(PAGE);
            places.push(at);
            objects.push((2, at, PAGE));
            // Space that was given back, which may lie about its length.
            if index == 1 {
                objects.push((4, at, 3 * PAGE));
            }
        }
        let mut ends = vec![TABLE_HEAD; last + 1];
        for Laid { table, at, mut bytes, used, outside } in writer.laid {
            if let Some((value, field)) = outside {
                let place = file.room(value.len());
                file.put(place, &value);
                objects.push((3, place, value.len().div_ceil(PAGE) * PAGE));
                put64(&mut bytes, field, place as u64);
            }
            let start = places[table - 1] + at;
            file.put(start, &bytes);
            file.sum(start, used, 12);
            let head = ENTRY + usize::from(bytes[20]);
            let fields = [(0, 1), (1, 1), (2, 4), (6, 2), (8, 4), (12, 4), (16, 4), (20, 1), (head, 4), (head, 8)];
            file.fields(start, &fields);
            file.places.idle.extend((used < bytes.len()).then_some((start + used, start + bytes.len())));
            ends[table] = at + bytes.len();
        }
        for (index, at) in (1..).zip(&places) {
            put16(&mut file.bytes, *at, 2);
            put16(&mut file.bytes, at + 2, index);
            put16(&mut file.bytes, at + 4, 9);
            file.sum(*at, TABLE_HEAD, 6);
            file.fields(*at, &[(0, 2), (2, 2), (4, 2), (6, 4)]);
            free(file, *at, ends[usize::from(index)]);
        }
        file.places.tables = places;
    }

    /// The chain of object tables; the first has its place already.
    fn objects(&self, file: &mut File, objects: &[Object]) {
        let most = self.objects as usize - 1;
        let mut at = file.places.objects[0];
        let mut parts = objects.chunks(most).peekable();
        while let Some(part) = parts.next() {
            put32(&mut file.bytes, at, 0x0111_0001);
            put32(&mut file.bytes, at + 4, self.objects);
            file.fields(at, &[(0, 4), (4, 4)]);
            let next = parts.peek().map(|_| file.room(8 + 18 * self.objects as usize));
            let mut entries = part.to_vec();
            entries.resize(most, (0, 0, 0));
            entries.push(next.map_or((0, 0, 0), |next| (1, next, PAGE)));
            for (number, (kind, place, len)) in entries.into_iter().enumerate() {
                let entry = at + 8 + 18 * number;
                file.bytes[entry] = kind;
                put64(&mut file.bytes, entry + 5, place as u64);
                put32(&mut file.bytes, entry + 13, u32::try_from(len).expect("small"));
                file.bytes[entry + 17] = u8::from(kind != 0);
                file.sum(entry, 18, 1);
                if number < part.len() {
                    file.fields(entry, &[(0, 1), (1, 4), (5, 8), (13, 4), (17, 1)]);
                }
            }
            if let Some(next) = next {
                file.places.objects.push(next);
                at = next;
            }
        }
    }
}

/// The rest of a table: one free entry, as real files have it, without a checksum.
fn free(file: &mut File, table: usize, at: usize) {
    let size = PAGE - at;
    file.bytes[table + at..table + PAGE].fill(0xFD);
    let mut entry = vec![0; ENTRY];
    entry[0] = 1;
    put32(&mut entry, 2, u32::try_from(size).expect("small"));
    put32(&mut entry, 16, 0xFDFD_FDFD);
    file.put(table + at, &entry);
    file.fields(table + at, &[(0, 1), (2, 4)]);
    file.places.idle.push((table + at + ENTRY, table + PAGE));
}

/// An older table with an index: what it says must not count.
fn stale(file: &mut File, at: usize, index: usize) {
    put16(&mut file.bytes, at, 2);
    put16(&mut file.bytes, at + 2, u16::try_from(index).expect("few tables"));
    put16(&mut file.bytes, at + 4, 8);
    file.sum(at, TABLE_HEAD, 6);
    free(file, at, TABLE_HEAD);
}
