//! What a virtual disk holds: a sparse map of sectors, everything else is zero.

use std::collections::BTreeMap;

/// Size of a sector in bytes.
pub const SECTOR: u64 = 512;

/// Content of one virtual disk, or of one layer of a chain (then only the sectors that the layer itself wrote).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentModel {
    size: u64,
    sectors: BTreeMap<u64, [u8; 512]>,
}

impl ContentModel {
    /// A disk of `size` bytes on which nothing was written. Panics unless `size` is a multiple of 512.
    #[must_use]
    pub fn new(size: u64) -> Self {
        assert_eq!(size % SECTOR, 0, "a disk consists of whole sectors");
        Self { size, sectors: BTreeMap::new() }
    }

    /// Virtual size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Number of sectors.
    #[must_use]
    pub fn sector_count(&self) -> u64 {
        self.size / SECTOR
    }

    /// Writes one sector. Panics beyond the end of the disk.
    pub fn set(&mut self, sector: u64, bytes: [u8; 512]) {
        assert!(sector < self.sector_count(), "sector {sector} lies behind the end of the disk");
        self.sectors.insert(sector, bytes);
    }

    /// Writes `bytes` from `sector` on; the last sector is filled with zeros.
    pub fn set_bytes(&mut self, sector: u64, bytes: &[u8]) {
        for (index, chunk) in (sector..).zip(bytes.chunks(512)) {
            let mut whole = [0; 512];
            whole[..chunk.len()].copy_from_slice(chunk);
            self.set(index, whole);
        }
    }

    /// Writes pseudo-random bytes into `count` sectors from `first` on; the same seed gives the same bytes, and no
    /// two sectors are alike.
    pub fn fill(&mut self, first: u64, count: u64, seed: u64) {
        for sector in first..first + count {
            self.set(sector, pattern(seed, sector));
        }
    }

    /// The bytes of a sector; zeros where nothing was written.
    #[must_use]
    pub fn sector(&self, sector: u64) -> [u8; 512] {
        self.sectors.get(&sector).copied().unwrap_or([0; 512])
    }

    /// Whether this layer wrote the sector.
    #[must_use]
    pub fn is_written(&self, sector: u64) -> bool {
        self.sectors.contains_key(&sector)
    }

    /// The written sectors in ascending order.
    pub fn written(&self) -> impl Iterator<Item = (u64, &[u8; 512])> {
        self.sectors.iter().map(|(sector, bytes)| (*sector, bytes))
    }

    /// The written sectors among `sectors`.
    pub(super) fn written_in(&self, sectors: std::ops::Range<u64>) -> impl Iterator<Item = (u64, &[u8; 512])> {
        self.sectors.range(sectors).map(|(sector, bytes)| (*sector, bytes))
    }

    /// What a reader sees when this layer lies over `parent` (whose own layers are already put together).
    #[must_use]
    pub fn over(&self, parent: &ContentModel) -> ContentModel {
        let mut sectors: BTreeMap<u64, [u8; 512]> =
            parent.written().filter(|(sector, _)| *sector < self.sector_count()).map(|(s, b)| (s, *b)).collect();
        sectors.extend(&self.sectors);
        ContentModel { size: self.size, sectors }
    }

    /// The whole virtual content. For small disks.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        (0..self.sector_count()).flat_map(|sector| self.sector(sector)).collect()
    }

    /// BLAKE3 of the whole virtual content, as lower-case hexadecimal text.
    #[must_use]
    pub fn blake3(&self) -> String {
        static ZEROS: [u8; 65536] = [0; 65536];
        let mut hasher = blake3::Hasher::new();
        let skip = |hasher: &mut blake3::Hasher, from: u64, to: u64| {
            let mut left = (to - from) * SECTOR;
            while left > 0 {
                let step = left.min(65536);
                hasher.update(&ZEROS[..usize::try_from(step).expect("at most 65536")]);
                left -= step;
            }
        };
        let mut next = 0;
        for (sector, bytes) in &self.sectors {
            skip(&mut hasher, next, *sector);
            hasher.update(bytes);
            next = sector + 1;
        }
        skip(&mut hasher, next, self.sector_count());
        hasher.finalize().to_hex().to_string()
    }
}

/// Pseudo-random bytes of one sector (splitmix64 over seed and sector number).
pub(super) fn pattern(seed: u64, sector: u64) -> [u8; 512] {
    let mut state = seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ sector.wrapping_mul(0x9FB2_1C65_1E98_DF25);
    let mut bytes = [0; 512];
    for word in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    bytes
}
