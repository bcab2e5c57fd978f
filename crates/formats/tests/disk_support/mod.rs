//! What the disk tests share: a naive VHD builder written from the specification alone (it uses nothing of the crate
//! under test), a gate over files in memory, seeded random numbers, samples and QEMU as an outside reader.

#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use hvm_formats::disk::{Extent, ExtentKind, GateError, ParentGate, ParentRequest, VirtualDisk};
use hvm_formats::io::{MemoryFile, SharedFile};

/// Seeded random numbers (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }

    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// What a child says of its parent.
#[derive(Clone, Default)]
pub struct Parent {
    pub id: [u8; 16],
    pub time: u32,
    pub name: String,
    /// Platform code and path.
    pub locators: Vec<([u8; 4], String)>,
}

struct Block {
    set: Vec<bool>,
    data: Vec<u8>,
}

/// A VHD to be built: type 2, 3 or 4.
pub struct Vhd {
    pub kind: u32,
    pub size: u64,
    pub block: u64,
    pub id: [u8; 16],
    pub time: u32,
    pub parent: Parent,
    /// Blocks are laid out in the order of their number times this odd number.
    pub shuffle: u64,
    /// True: the space of a locator is given in bytes, as Windows does; false: in sectors.
    pub space_in_bytes: bool,
    blocks: BTreeMap<u64, Block>,
}

impl Vhd {
    pub fn new(kind: u32, size: u64, id: u8) -> Self {
        Vhd {
            kind,
            size,
            block: 65536,
            id: [id; 16],
            time: 1000 + u32::from(id),
            parent: Parent::default(),
            shuffle: 7,
            space_in_bytes: true,
            blocks: BTreeMap::new(),
        }
    }

    /// A child of `self` with a relative locator to `name`.
    pub fn child(&self, id: u8, name: &str) -> Vhd {
        let mut child = Vhd::new(4, self.size, id);
        child.block = self.block;
        child.parent = Parent {
            id: self.id,
            time: self.time,
            name: name.to_owned(),
            locators: vec![(*b"W2ru", format!(".\\{name}"))],
        };
        child
    }

    pub fn set_sector(&mut self, sector: u64, data: &[u8]) {
        let per_block = self.block / 512;
        // Sectors whose bit is clear hold garbage: a reader must not look at them.
        let block = self.blocks.entry(sector / per_block).or_insert_with(|| Block {
            set: vec![false; per_block as usize],
            data: vec![0xEE; per_block as usize * 512],
        });
        let at = (sector % per_block) as usize;
        block.set[at] = true;
        block.data[at * 512..][..512].copy_from_slice(data);
    }

    /// Random runs of sectors in a part of the blocks; one block stays allocated with an empty bitmap.
    pub fn scatter(&mut self, random: &mut Random, runs: u64) {
        let sectors = self.size / 512;
        for _ in 0..runs {
            let start = random.below(sectors);
            let len = 1 + random.below(40);
            for sector in start..(start + len).min(sectors) {
                let mut data = [0; 512];
                random.fill(&mut data);
                self.set_sector(sector, &data);
            }
        }
    }

    /// Lays this disk over the content of its parents.
    pub fn overlay(&self, mut below: Vec<u8>) -> Vec<u8> {
        below.resize(self.size as usize, 0);
        for (number, block) in &self.blocks {
            for (at, _) in block.set.iter().enumerate().filter(|(_, set)| **set) {
                let offset = (number * self.block) as usize + at * 512;
                below[offset..offset + 512].copy_from_slice(&block.data[at * 512..][..512]);
            }
        }
        below
    }

    pub fn footer(&self, len: usize) -> Vec<u8> {
        let mut f = vec![0; 512];
        f[..8].copy_from_slice(b"conectix");
        f[11] = 2;
        f[13] = 1;
        let data_offset = if self.kind == 2 { u64::MAX } else { 512 };
        f[16..24].copy_from_slice(&data_offset.to_be_bytes());
        f[24..28].copy_from_slice(&self.time.to_be_bytes());
        f[28..32].copy_from_slice(b"vs  ");
        f[36..40].copy_from_slice(b"Wi2k");
        f[40..48].copy_from_slice(&self.size.to_be_bytes());
        f[48..56].copy_from_slice(&self.size.to_be_bytes());
        f[60..64].copy_from_slice(&self.kind.to_be_bytes());
        f[68..84].copy_from_slice(&self.id);
        seal(&mut f, 64);
        f.truncate(len);
        f
    }

    pub fn bytes(&self) -> Vec<u8> {
        if self.kind == 2 {
            let mut file = self.overlay(Vec::new());
            file.extend(self.footer(512));
            return file;
        }
        let entries = self.size.div_ceil(self.block) as usize;
        let mut file = self.footer(512);
        let mut header = self.header(entries);
        let mut table = vec![0xFF; (entries * 4).next_multiple_of(512)];
        let mut locators = Vec::new();
        let locators_at = 512 + 1024 + table.len();
        for (index, (code, path)) in self.parent.locators.iter().enumerate() {
            let path: Vec<u8> = match code {
                b"W2ru" | b"W2ku" => path.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                _ => path.as_bytes().to_vec(),
            };
            let room = path.len().next_multiple_of(512);
            let space = if self.space_in_bytes { room } else { room / 512 };
            let at = 576 + index * 24;
            header[at..at + 4].copy_from_slice(code);
            header[at + 4..at + 8].copy_from_slice(&(space as u32).to_be_bytes());
            header[at + 8..at + 12].copy_from_slice(&(path.len() as u32).to_be_bytes());
            header[at + 16..at + 24].copy_from_slice(&((locators_at + locators.len()) as u64).to_be_bytes());
            locators.extend(&path);
            locators.resize(locators.len().next_multiple_of(512), 0);
        }
        seal(&mut header, 36);
        let mut order: Vec<u64> = self.blocks.keys().copied().collect();
        order.sort_by_key(|number| number.wrapping_mul(self.shuffle) % 13);
        let mut data = Vec::new();
        for number in order {
            let block = &self.blocks[&number];
            let sector = (locators_at + locators.len() + data.len()) / 512;
            table[number as usize * 4..][..4].copy_from_slice(&(sector as u32).to_be_bytes());
            let mut bitmap = vec![0u8; (block.set.len() / 8).max(1).next_multiple_of(512)];
            for (at, _) in block.set.iter().enumerate().filter(|(_, set)| **set) {
                bitmap[at / 8] |= 1 << (7 - at % 8);
            }
            data.extend(bitmap);
            data.extend(&block.data);
        }
        for part in [header, table, locators, data, self.footer(512)] {
            file.extend(part);
        }
        file
    }

    fn header(&self, entries: usize) -> Vec<u8> {
        let mut h = vec![0; 1024];
        h[..8].copy_from_slice(b"cxsparse");
        h[8..16].fill(0xFF);
        h[16..24].copy_from_slice(&1536u64.to_be_bytes());
        h[25] = 1;
        h[28..32].copy_from_slice(&(entries as u32).to_be_bytes());
        h[32..36].copy_from_slice(&(self.block as u32).to_be_bytes());
        h[40..56].copy_from_slice(&self.parent.id);
        h[56..60].copy_from_slice(&self.parent.time.to_be_bytes());
        let name: Vec<u8> = self.parent.name.encode_utf16().flat_map(u16::to_be_bytes).collect();
        h[64..64 + name.len()].copy_from_slice(&name);
        h
    }

    pub fn file(&self, name: &str) -> SharedFile {
        memory(name, self.bytes())
    }
}

/// Writes the checksum of a footer (64) or dynamic header (36).
pub fn seal(bytes: &mut [u8], at: usize) {
    bytes[at..at + 4].fill(0);
    let sum: u32 = bytes.iter().map(|&byte| u32::from(byte)).sum();
    bytes[at..at + 4].copy_from_slice(&(!sum).to_be_bytes());
}

pub fn memory(name: &str, bytes: Vec<u8>) -> SharedFile {
    std::sync::Arc::new(MemoryFile::new(name, bytes))
}

/// Finds parents by the last part of a recorded path; remembers nothing.
#[derive(Default)]
pub struct Files(pub HashMap<String, SharedFile>);

impl Files {
    pub fn add(&mut self, name: &str, bytes: Vec<u8>) -> SharedFile {
        let file = memory(name, bytes);
        self.0.insert(name.to_owned(), file.clone());
        file
    }
}

impl ParentGate for Files {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        let paths = request.locators.iter().map(|locator| locator.path.as_str()).chain([request.name.as_str()]);
        Ok(paths.filter_map(|path| self.0.get(path.rsplit(['\\', '/']).next()?).cloned()).collect())
    }
}

/// The whole content, read in pieces of odd sizes.
pub fn content(disk: &dyn VirtualDisk) -> Vec<u8> {
    let mut bytes = vec![0xAA; disk.size() as usize];
    let mut at = 0;
    for step in [1usize, 511, 512, 4096, 100_000, 1 << 20].into_iter().cycle() {
        let end = (at + step).min(bytes.len());
        disk.read_at(at as u64, &mut bytes[at..end]).unwrap();
        at = end;
        if at == bytes.len() {
            return bytes;
        }
    }
    unreachable!("the cycle ends only at the end of the disk")
}

/// The extents, checked: without gaps, maximal for zeros, and zeros where they say so.
pub fn extents(disk: &dyn VirtualDisk, content: &[u8]) -> Vec<Extent> {
    let mut found: Vec<Extent> = Vec::new();
    let mut at = 0;
    while at < disk.size() {
        let extent = disk.extent(at).unwrap();
        assert_eq!(extent.start, at);
        assert!(extent.len > 0 && at + extent.len <= disk.size());
        if extent.kind == ExtentKind::Zero {
            assert!(content[at as usize..(at + extent.len) as usize].iter().all(|&byte| byte == 0), "zeros at {at}");
            assert!(found.last().is_none_or(|last| last.kind == ExtentKind::Data), "a run of zeros was cut at {at}");
        }
        at += extent.len;
        found.push(extent);
    }
    found
}

/// Where the disk says that its bytes lie, asked in steps of any length: the files hold them there. The number of bytes that
/// have a place.
pub fn placed(disk: &dyn VirtualDisk, content: &[u8]) -> u64 {
    let (mut at, mut sum, mut random) = (0, 0, Random::new(content.len() as u64));
    while at < disk.size() {
        let scale = random.below(22);
        let max = (1 + random.below(2 << scale)).min(disk.size() - at);
        let run = disk.stored(at, max).unwrap();
        assert!(run.len > 0 && run.len <= max, "{run:?} at {at}, at most {max}");
        if let Some(place) = run.place {
            let mut bytes = vec![0; run.len as usize];
            disk.file(place.layer).unwrap().read_exact_at(&mut bytes, place.at).unwrap();
            assert!(bytes == content[at as usize..(at + run.len) as usize], "{run:?} at {at}");
            sum += run.len;
        }
        at += run.len;
    }
    assert!(disk.stored(disk.size(), 1).is_err() && disk.file(disk.layers().len()).is_none());
    sum
}

/// Bytes in all runs of data.
pub fn data_bytes(extents: &[Extent]) -> u64 {
    extents.iter().filter(|extent| extent.kind == ExtentKind::Data).map(|extent| extent.len).sum()
}

/// The sample `name` as bytes, unpacked by gzip or xz; says aloud when it is skipped.
pub fn sample(name: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("HVM_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"), PathBuf::from);
    let path = root.join("disks").join(name);
    if !path.exists() {
        eprintln!("SKIPPED: the sample {} is not there (set HVM_SAMPLES)", path.display());
        return None;
    }
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => "gzip",
        Some("xz") => "xz",
        _ => "bzip2",
    };
    match Command::new(program).arg("-dc").arg(&path).output() {
        Ok(output) if output.status.success() => Some(output.stdout),
        _ => {
            eprintln!("SKIPPED: {program} could not unpack {}", path.display());
            None
        }
    }
}

/// Runs qemu-img; `None` (and says so) when it is not installed.
pub fn qemu_img(args: &[&str]) -> Option<(bool, String)> {
    match Command::new("qemu-img").args(args).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            Some((output.status.success(), text))
        }
        Err(_) => {
            eprintln!("SKIPPED: qemu-img is not installed");
            None
        }
    }
}

/// Fails unless qemu-img reads the same content and size from both files.
pub fn qemu_compare(format: &str, image: &Path, raw: &Path) {
    let (image, raw) = (image.to_str().unwrap(), raw.to_str().unwrap());
    if let Some((same, text)) = qemu_img(&["compare", "-f", format, "-F", "raw", image, raw]) {
        assert!(same && !text.contains("mismatch"), "qemu-img compare {image}: {text}");
    }
}
