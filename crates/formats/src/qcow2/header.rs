//! The qcow2 header: big-endian, 72 bytes in version 2, 104 and more in version 3.

use super::Qcow2Error;
use super::codec::Method;
use crate::disk::fields::{be32, be64, bytes_at, put};
use crate::disk::{DiskError, Layer, LayerFormat, read};
use crate::io::ReadAt;

/// The first four bytes.
pub const MAGIC: [u8; 4] = *b"QFI\xfb";
/// QEMU's own bound: 32 MiB of first-level table.
const MAX_L1: u32 = 4 << 20;
/// Dirty: the reference counts may be stale; nothing here reads them.
const DIRTY: u64 = 1;
const CORRUPT: u64 = 2;
/// Another compression than zlib; offset 104 says which.
const COMPRESSION: u64 = 8;
/// Bytes of the header that are read.
const READ: usize = 112;

/// The fields of a header that reading needs.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// Offset 4.
    pub version: u32,
    /// Offset 20.
    pub cluster_bits: u32,
    /// Offset 24.
    pub size: u64,
    /// Offset 36.
    pub l1_size: u32,
    /// Offset 40.
    pub l1_offset: u64,
    /// How compressed clusters are packed.
    pub method: Method,
    /// Offset 60.
    pub snapshots: u32,
    /// Offset 64.
    pub snapshots_offset: u64,
    /// Things worth saying.
    pub remarks: Vec<String>,
}

impl Header {
    /// Reads and checks the header.
    pub(super) fn read(file: &dyn ReadAt) -> Result<Self, DiskError> {
        let name = || file.name().to_owned();
        let mut bytes = [0; READ];
        let have = file.len().min(READ as u64);
        if have < 72 {
            return Err(Qcow2Error::TooShort { file: name(), expected: 72, found: have }.into());
        }
        read(file, 0, &mut bytes[..have as usize])?;
        if !bytes.starts_with(&MAGIC) {
            let found = bytes_at::<4>(&bytes, 0).escape_ascii().to_string();
            return Err(Qcow2Error::Magic { file: name(), found }.into());
        }
        let mut header = Header {
            version: be32(&bytes, 4),
            cluster_bits: be32(&bytes, 20),
            size: be64(&bytes, 24),
            l1_size: be32(&bytes, 36),
            l1_offset: be64(&bytes, 40),
            method: Method::Deflate,
            snapshots: be32(&bytes, 60),
            snapshots_offset: be64(&bytes, 64),
            remarks: Vec::new(),
        };
        header.check(file.name(), &bytes)?;
        if header.version == 3 {
            header.check_version_3(file.name(), &bytes, have)?;
        }
        header.check_table(file.name(), file.len())?;
        if header.size == 0 {
            return Err(DiskError::EmptyDisk { file: name(), offset: 24 });
        }
        let snapshots = header.snapshots;
        if snapshots > 0 {
            header
                .remarks
                .push(format!("The file holds {snapshots} internal snapshots; only the current state is read."));
        }
        Ok(header)
    }

    fn check(&self, name: &str, bytes: &[u8]) -> Result<(), Qcow2Error> {
        let file = || name.to_owned();
        if !matches!(self.version, 2 | 3) {
            return Err(Qcow2Error::Version { file: file(), found: self.version });
        }
        if be64(bytes, 8) != 0 {
            return Err(Qcow2Error::Backing { file: file(), found: be64(bytes, 8) });
        }
        if !(9..=21).contains(&self.cluster_bits) {
            return Err(Qcow2Error::ClusterBits { file: file(), found: self.cluster_bits });
        }
        match be32(bytes, 32) {
            0 => Ok(()),
            found => Err(Qcow2Error::Encrypted { file: file(), found }),
        }
    }

    fn check_version_3(&mut self, name: &str, bytes: &[u8; READ], have: u64) -> Result<(), Qcow2Error> {
        let file = || name.to_owned();
        if have < 104 {
            return Err(Qcow2Error::TooShort { file: file(), expected: 104, found: have });
        }
        let features = be64(bytes, 72);
        if features & CORRUPT != 0 {
            return Err(Qcow2Error::MarkedCorrupt { file: file(), found: features });
        }
        let unknown = features & !(DIRTY | CORRUPT | COMPRESSION);
        if unknown != 0 {
            return Err(Qcow2Error::Features { file: file(), found: unknown });
        }
        if features & DIRTY != 0 {
            self.remarks.push("The file was not closed cleanly; its reference counts may be stale.".to_owned());
        }
        let length = be32(bytes, 100);
        if length < 104 || !length.is_multiple_of(8) || u64::from(length) > self.cluster_size() {
            return Err(Qcow2Error::HeaderLength { file: file(), found: length });
        }
        // Offset 104 belongs to the header only when that is longer; else it is the first extension.
        let compression = if length > 104 && have == READ as u64 { bytes[104] } else { 0 };
        self.method = match (compression, features & COMPRESSION != 0) {
            (0, _) => Method::Deflate,
            (1, true) => Method::Zstd,
            (found, _) => return Err(Qcow2Error::Compression { file: file(), found }),
        };
        Ok(())
    }

    pub(super) fn check_table(&self, name: &str, limit: u64) -> Result<(), Qcow2Error> {
        let (file, found) = (name.to_owned(), self.l1_size);
        let expected = self.size.div_ceil(self.covered_by_l2());
        if found > MAX_L1 {
            return Err(Qcow2Error::TableTooLarge { file, found, limit: MAX_L1 });
        }
        if u64::from(found) < expected {
            return Err(Qcow2Error::TableTooSmall { file, expected, found });
        }
        let (start, len) = (self.l1_offset, expected * 8);
        let inside = start.checked_add(len).is_some_and(|end| end <= limit);
        if !inside || start == 0 || !start.is_multiple_of(self.cluster_size()) {
            return Err(Qcow2Error::TableOutside { file, offset: 40, start, len, limit });
        }
        Ok(())
    }

    /// Bytes in a cluster.
    pub(super) fn cluster_size(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Bytes of the disk that one second-level table covers.
    pub(super) fn covered_by_l2(&self) -> u64 {
        self.cluster_size() / 8 * self.cluster_size()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let compression = if self.method == Method::Deflate { "zlib" } else { "zstd" };
        vec![
            ("version", self.version.to_string()),
            ("first_level_table", format!("{} entries at {}", self.l1_size, self.l1_offset)),
            ("snapshots", self.snapshots.to_string()),
            ("compression", compression.to_owned()),
        ]
    }

    /// What the header says, for the list of layers.
    pub(super) fn layer(&self, file: &dyn ReadAt) -> Layer {
        Layer {
            name: file.name().to_owned(),
            format: LayerFormat::Qcow2,
            file_size: file.len(),
            virtual_size: self.size,
            allocated: file.len(),
            // At most 2^21.
            block_size: self.cluster_size() as u32,
            sector_size: 512,
            physical_sector_size: 512,
            unique_id: String::new(),
            disk_id: String::new(),
            timestamp: 0,
            creator: String::new(),
            geometry_size: None,
            headers: self.fields(),
            parent: None,
            remarks: self.remarks.clone(),
        }
    }
}

/// Where the tables of a new file lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewHeader {
    pub cluster_bits: u32,
    pub size: u64,
    pub l1_size: u32,
    pub l1_offset: u64,
    pub refcount_offset: u64,
    pub refcount_clusters: u32,
    /// Number and place of the internal snapshots.
    pub snapshots: (u32, u64),
    /// Named only where clusters are packed: a program that does not know zstd must refuse the file.
    pub method: Method,
}

impl NewHeader {
    /// The 120 bytes of a version 3 header with an empty list of extensions.
    pub(super) fn encode(&self) -> [u8; 120] {
        let mut bytes = [0; 120];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 4, &3u32.to_be_bytes());
        put(&mut bytes, 20, &self.cluster_bits.to_be_bytes());
        put(&mut bytes, 24, &self.size.to_be_bytes());
        put(&mut bytes, 36, &self.l1_size.to_be_bytes());
        put(&mut bytes, 40, &self.l1_offset.to_be_bytes());
        put(&mut bytes, 48, &self.refcount_offset.to_be_bytes());
        put(&mut bytes, 56, &self.refcount_clusters.to_be_bytes());
        put(&mut bytes, 60, &self.snapshots.0.to_be_bytes());
        put(&mut bytes, 64, &self.snapshots.1.to_be_bytes());
        // Reference counts of 2^4 bits; the header, then the end mark of the extensions (8 zero bytes).
        put(&mut bytes, 96, &4u32.to_be_bytes());
        match self.method {
            Method::Deflate => put(&mut bytes, 100, &104u32.to_be_bytes()),
            Method::Zstd => {
                put(&mut bytes, 72, &COMPRESSION.to_be_bytes());
                put(&mut bytes, 100, &112u32.to_be_bytes());
                bytes[104] = 1;
            }
        }
        bytes
    }
}
