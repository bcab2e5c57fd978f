//! qcow2 files laid out at random from a plain content, after QEMU's `docs/interop/qcow2.txt`: any cluster size, versions 2
//! and 3, clusters out of order, flagged as zero or packed, tables with holes. For readers of the content; all
//! reference counts are 0, as no reader looks at them.

pub mod reference;

use crate::vhdx::Dice;

/// What becomes of a cluster that holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterKind {
    /// As it is.
    Plain,
    /// Packed as a DEFLATE stream of stored blocks.
    Packed,
}

/// How a file is laid out.
#[derive(Debug, Clone)]
pub struct Qcow2Spec {
    /// 2 or 3.
    pub version: u32,
    /// Clusters have 2 to this power bytes: 9 to 21.
    pub cluster_bits: u32,
    /// Kinds that clusters get, one of them at random.
    pub kinds: Vec<ClusterKind>,
    /// Seed of everything that is random.
    pub seed: u64,
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).expect("a small file")
}

/// A file that grows.
struct File {
    bytes: Vec<u8>,
    cluster: u64,
}

impl File {
    fn align(&mut self, unit: u64) -> u64 {
        self.bytes.resize(at((self.bytes.len() as u64).next_multiple_of(unit)), 0);
        self.bytes.len() as u64
    }

    /// Appends `len` clusters; their offset.
    fn take(&mut self, len: u64) -> u64 {
        let start = self.align(self.cluster);
        self.bytes.resize(at(start + len * self.cluster), 0);
        start
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        self.bytes[at(offset)..at(offset) + bytes.len()].copy_from_slice(bytes);
    }
}

/// DEFLATE (RFC 1951) without compression: stored blocks of at most 65535 bytes.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let count = bytes.len().div_ceil(65535);
    for (number, block) in bytes.chunks(65535).enumerate() {
        let len = u16::try_from(block.len()).expect("at most 65535");
        out.push(u8::from(number + 1 == count));
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(block);
    }
    out
}

impl Qcow2Spec {
    /// The file of a disk with this content, whose length is the size of the disk.
    #[must_use]
    pub fn image(&self, content: &[u8]) -> Vec<u8> {
        let mut dice = Dice::new(self.seed);
        let cluster = 1u64 << self.cluster_bits;
        let mut file = File { bytes: Vec::new(), cluster };
        file.take(1 + dice.below(3));
        let per_table = cluster / 8;
        let clusters = (content.len() as u64).div_ceil(cluster);
        let tables = clusters.div_ceil(per_table);
        let l1 = file.take((tables * 8).div_ceil(cluster));
        let mut places: Vec<u64> = vec![0; at(tables)];
        let mut order: Vec<u64> = (0..clusters).collect();
        order.sort_by_cached_key(|_| dice.roll());
        for number in order {
            let start = number * cluster;
            let part = &content[at(start)..at((start + cluster).min(content.len() as u64))];
            let entry = self.entry(&mut file, part, &mut dice);
            let table = at(number / per_table);
            if entry == 0 && dice.below(4) > 0 {
                continue;
            }
            if places[table] == 0 {
                places[table] = file.take(1);
            }
            file.put(places[table] + number % per_table * 8, &entry.to_be_bytes());
        }
        for (index, place) in (0..).zip(&places) {
            let flag = if *place != 0 && dice.below(2) == 0 { 1 << 63 } else { 0 };
            file.put(l1 + index * 8, &(place | flag).to_be_bytes());
        }
        // QEMU wants a table of reference counts, and does not look at it for reading.
        let counts = file.take(1);
        self.header(&mut file, counts, (content.len() as u64, l1, tables));
        file.bytes
    }

    /// The entry of a cluster, which is appended when it must be stored.
    fn entry(&self, file: &mut File, part: &[u8], dice: &mut Dice) -> u64 {
        let zero = part.iter().all(|byte| *byte == 0);
        if zero && self.version == 3 && dice.below(3) == 0 {
            // Reads as zeros, with or without a cluster of rubbish behind it.
            let place = if dice.below(2) == 0 { file.take(1) } else { 0 };
            if place != 0 {
                file.put(place, &dice.bytes(512));
            }
            return place | 1;
        }
        if zero && dice.below(3) > 0 {
            return 0;
        }
        let kind = self.kinds[at(dice.below(self.kinds.len() as u64))];
        let flag = if dice.below(2) == 0 { 1 << 63 } else { 0 };
        match kind {
            ClusterKind::Plain => {
                let place = file.take(1);
                file.put(place, part);
                place | flag
            }
            ClusterKind::Packed => {
                let mut whole = part.to_vec();
                whole.resize(at(file.cluster), 0);
                let packed = stored(&whole);
                // At any byte, with rubbish before it.
                let skipped = at(dice.below(700));
                file.bytes.extend(dice.bytes(skipped));
                let further = |place: u64| (place % 512 + packed.len() as u64 - 1) / 512;
                // The entry has cluster_bits - 8 bits for the further sectors.
                while further(file.bytes.len() as u64) >> (self.cluster_bits - 8) > 0 {
                    file.bytes.push(0xEE);
                }
                let place = file.bytes.len() as u64;
                file.bytes.extend(&packed);
                let further = further(place);
                1 << 62 | further << (62 - (self.cluster_bits - 8)) | place
            }
        }
    }

    fn header(&self, file: &mut File, counts: u64, (size, l1, tables): (u64, u64, u64)) {
        let mut bytes = vec![0; if self.version == 3 { 112 } else { 72 }];
        bytes[..4].copy_from_slice(b"QFI\xfb");
        bytes[4..8].copy_from_slice(&self.version.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.cluster_bits.to_be_bytes());
        bytes[24..32].copy_from_slice(&size.to_be_bytes());
        bytes[36..40].copy_from_slice(&u32::try_from(tables).expect("a small disk").to_be_bytes());
        bytes[40..48].copy_from_slice(&l1.to_be_bytes());
        bytes[48..56].copy_from_slice(&counts.to_be_bytes());
        bytes[56..60].copy_from_slice(&1u32.to_be_bytes());
        if self.version == 3 {
            bytes[96..100].copy_from_slice(&4u32.to_be_bytes());
            bytes[100..104].copy_from_slice(&104u32.to_be_bytes());
        }
        file.put(0, &bytes);
    }
}
