//! An ext volume of one group with a small Linux on it. Written from kernel.org, "ext4 Data Structures and Algorithms".

use crate::bytes::{put16, put32};

/// Bytes of a block.
const BLOCK: usize = 1024;
/// Blocks of the volume.
const BLOCKS: usize = 96;
/// Inodes, and bytes of one.
const INODES: usize = 32;
const INODE: usize = 128;
/// Blocks of the group: descriptor, bitmap of blocks, bitmap of inodes, first of the inodes, first of the content.
const DESCRIPTOR: usize = 2;
const BLOCK_BITMAP: usize = 3;
const INODE_BITMAP: usize = 4;
const TABLE: usize = 5;
const CONTENT: usize = TABLE + INODES * INODE / BLOCK;
/// Inode of the root folder, and the first one that files get.
const ROOT: usize = 2;
const FIRST: usize = 11;

/// How the blocks of files are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtLayout {
    /// By the lists of ext2.
    Blocks,
    /// By the trees of ext4.
    Extents,
}

/// A volume, and where the structures lie that are worth changing.
#[derive(Debug, Clone)]
pub struct ExtVolume {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Offset and length: superblock, descriptor, bitmap, inodes in use, folders, lists of blocks or nodes of trees.
    pub structures: Vec<(u64, u64)>,
}

/// The files of the volume with their content; the longest one needs a list of blocks, or a tree of two levels.
pub const FILES: [(&str, &str); 9] = [
    ("etc/os-release", "NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME='Debian 12'\n"),
    ("etc/hostname", "web-01\n"),
    ("etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n"),
    (
        "etc/netplan/01.yaml",
        "network:\n  ethernets:\n    eth0: {dhcp4: true, match: {macaddress: '00:15:5d:01:02:03'}}\n",
    ),
    ("etc/network/interfaces", "auto eth0\niface eth0 inet static\n address 192.0.2.10/24\n gateway 192.0.2.1\n"),
    ("etc/systemd/network/e.network", "[Match]\nName=eth1\n[Network]\nDHCP=yes\n"),
    ("lib/modules/6.1/modules.builtin", "kernel/drivers/ata/ahci.ko\n"),
    ("lib/modules/6.1/modules.dep", LONG),
    ("etc/timezone", "Europe/Berlin\n"),
];

/// Stands for a text of 14 blocks.
const LONG: &str = "";

fn content(path: &str, text: &str) -> Vec<u8> {
    if !path.ends_with("modules.dep") {
        return text.as_bytes().to_vec();
    }
    let line = "kernel/drivers/hv/hv_vmbus.ko.xz: kernel/drivers/virtio/virtio_pci.ko.xz\n";
    let mut long = line.repeat(14 * BLOCK / line.len()).into_bytes();
    long.truncate(14 * BLOCK);
    long
}

struct Maker {
    bytes: Vec<u8>,
    layout: ExtLayout,
    next_block: usize,
    next_inode: usize,
    structures: Vec<(u64, u64)>,
}

/// A folder with its entries: name, inode, kind (1 file, 2 folder).
#[derive(Default)]
struct Folder {
    entries: Vec<(String, usize, u8)>,
}

/// The volume.
#[must_use]
pub fn ext(layout: ExtLayout) -> ExtVolume {
    let mut maker = Maker {
        bytes: vec![0; BLOCKS * BLOCK],
        layout,
        next_block: CONTENT,
        next_inode: FIRST,
        structures: Vec::new(),
    };
    maker.folder("", ROOT, ROOT);
    maker.group();
    maker.superblock();
    ExtVolume { bytes: maker.bytes, structures: maker.structures }
}

impl Maker {
    fn take_block(&mut self) -> usize {
        self.next_block += 1;
        self.next_block - 1
    }

    fn note(&mut self, at: usize, len: usize) {
        self.structures.push((at as u64, len as u64));
    }

    /// Writes the folder at `path`, all that is in it first.
    fn folder(&mut self, path: &str, own: usize, parent: usize) {
        let mut folder = Folder::default();
        folder.entries.push((".".to_owned(), own, 2));
        folder.entries.push(("..".to_owned(), parent, 2));
        for (file, text) in FILES {
            let Some(rest) = file.strip_prefix(path) else { continue };
            let name = rest.split('/').next().unwrap_or_default();
            if folder.entries.iter().any(|(known, ..)| known == name) {
                continue;
            }
            let inode = self.next_inode;
            self.next_inode += 1;
            let is_file = name.len() == rest.len();
            folder.entries.push((name.to_owned(), inode, if is_file { 1 } else { 2 }));
            if is_file {
                self.file(inode, (0x81A4, 1), &content(file, text));
            } else {
                self.folder(&format!("{path}{name}/"), inode, own);
            }
        }
        let block = self.entries(&folder);
        let at = self.next_block * BLOCK;
        // Its name, its own dot and the two dots of each folder in it.
        let links = folder.entries.iter().filter(|(_, _, kind)| *kind == 2).count();
        self.file(own, (0x41ED, links as u16), &block);
        self.note(at, 160);
    }

    /// The block of a folder; its last entry fills it.
    fn entries(&self, folder: &Folder) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        let mut at = 0;
        for (number, (name, inode, kind)) in folder.entries.iter().enumerate() {
            let is_last = number + 1 == folder.entries.len();
            let len = if is_last { BLOCK - at } else { (8 + name.len()).next_multiple_of(4) };
            put32(&mut block, at, *inode as u32);
            put16(&mut block, at + 4, len as u16);
            block[at + 6] = name.len() as u8;
            block[at + 7] = *kind;
            block[at + 8..at + 8 + name.len()].copy_from_slice(name.as_bytes());
            at += len;
        }
        block
    }

    /// Puts content into blocks and writes its inode.
    fn file(&mut self, inode: usize, (mode, links): (u16, u16), content: &[u8]) {
        let first = self.next_block;
        for piece in content.chunks(BLOCK) {
            let at = self.take_block() * BLOCK;
            self.bytes[at..at + piece.len()].copy_from_slice(piece);
        }
        let count = self.next_block - first;
        let map = match self.layout {
            ExtLayout::Blocks => self.list(first, count),
            ExtLayout::Extents => self.tree(first, count),
        };
        let at = TABLE * BLOCK + (inode - 1) * INODE;
        put16(&mut self.bytes, at, mode);
        put32(&mut self.bytes, at + 4, content.len() as u32);
        put16(&mut self.bytes, at + 26, links);
        let taken = self.next_block - first;
        put32(&mut self.bytes, at + 28, (taken * BLOCK / 512) as u32);
        put32(&mut self.bytes, at + 32, if self.layout == ExtLayout::Extents { 0x8_0000 } else { 0 });
        self.bytes[at + 40..at + 100].copy_from_slice(&map);
        self.note(at, 104);
    }

    /// Twelve blocks, and the block that lists the others.
    fn list(&mut self, first: usize, count: usize) -> [u8; 60] {
        let mut map = [0; 60];
        for number in 0..count.min(12) {
            put32(&mut map, number * 4, (first + number) as u32);
        }
        if count > 12 {
            let at = self.take_block() * BLOCK;
            put32(&mut map, 48, (at / BLOCK) as u32);
            for number in 12..count {
                put32(&mut self.bytes, at + (number - 12) * 4, (first + number) as u32);
            }
            self.note(at, 16);
        }
        map
    }

    /// One leaf in the inode, or a node there and the leaf in a block.
    fn tree(&mut self, first: usize, count: usize) -> [u8; 60] {
        let mut map = [0; 60];
        if count <= 12 {
            leaf(&mut map, 4, first, count);
            return map;
        }
        let at = self.take_block() * BLOCK;
        let mut block = vec![0; BLOCK];
        leaf(&mut block, 84, first, count);
        self.bytes[at..at + BLOCK].copy_from_slice(&block);
        self.note(at, 36);
        node(&mut map, (1, 4, 1));
        put32(&mut map, 16, (at / BLOCK) as u32);
        map
    }

    fn group(&mut self) {
        let at = DESCRIPTOR * BLOCK;
        put32(&mut self.bytes, at, BLOCK_BITMAP as u32);
        put32(&mut self.bytes, at + 4, INODE_BITMAP as u32);
        put32(&mut self.bytes, at + 8, TABLE as u32);
        put16(&mut self.bytes, at + 12, (BLOCKS - self.next_block) as u16);
        put16(&mut self.bytes, at + 14, (INODES + 1 - self.next_inode) as u16);
        put16(&mut self.bytes, at + 16, 9);
        // The first bit is that of block 1; those behind the volume are set.
        let (used, all) = (self.next_block - 1, BLOCKS - 1);
        for bit in (0..used).chain(all..BLOCK * 8) {
            self.bytes[BLOCK_BITMAP * BLOCK + bit / 8] |= 1 << (bit % 8);
        }
        for bit in (0..self.next_inode - 1).chain(INODES..BLOCK * 8) {
            self.bytes[INODE_BITMAP * BLOCK + bit / 8] |= 1 << (bit % 8);
        }
        self.note(at, 32);
        self.note(BLOCK_BITMAP * BLOCK, 16);
    }

    fn superblock(&mut self) {
        let at = BLOCK;
        let (blocks, inodes) = (BLOCKS as u32, INODES as u32);
        let free = (BLOCKS - self.next_block) as u32;
        let words = [(0, inodes), (4, blocks), (12, free), (16, (INODES + 1 - self.next_inode) as u32), (20, 1)];
        for (field, value) in words {
            put32(&mut self.bytes, at + field, value);
        }
        for (field, value) in [(32, 8192), (36, 8192), (40, inodes), (76, 1), (84, FIRST as u32), (96, 2)] {
            put32(&mut self.bytes, at + field, value);
        }
        for (field, value) in [(54, 0xFFFF), (56, 0xEF53), (58, 1), (60, 1), (88, INODE as u16)] {
            put16(&mut self.bytes, at + field, value);
        }
        if self.layout == ExtLayout::Extents {
            put32(&mut self.bytes, at + 96, 0x42);
        }
        self.bytes[at + 104..at + 120].copy_from_slice(&[0x5A; 16]);
        self.bytes[at + 120..at + 124].copy_from_slice(b"root");
        self.note(at, 264);
    }
}

/// The head of a node: how many entries it has, how many it may have, and its depth.
fn node(into: &mut [u8], (entries, most, depth): (u16, u16, u16)) {
    put16(into, 0, 0xF30A);
    put16(into, 2, entries);
    put16(into, 4, most);
    put16(into, 6, depth);
}

fn leaf(into: &mut [u8], most: u16, first: usize, count: usize) {
    node(into, (1, most, 0));
    put16(into, 16, count as u16);
    put32(into, 20, first as u32);
}
