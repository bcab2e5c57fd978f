//! The hard disk footer: 512 bytes (511 before Virtual PC 2004), all numbers big endian.

use super::VhdSpec;

/// Cylinders, heads and sectors per track as the footer stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Cylinders.
    pub cylinders: u16,
    /// Heads.
    pub heads: u8,
    /// Sectors per track.
    pub sectors: u8,
}

impl Geometry {
    /// The geometry that the appendix "CHS calculation" of the specification gives for a size in bytes.
    #[must_use]
    pub fn of(size: u64) -> Self {
        let total = (size / 512).min(65535 * 16 * 255);
        let (heads, sectors) = if total >= 65535 * 16 * 63 { (16, 255) } else { Self::of_small(total) };
        let cylinders = u16::try_from(total / sectors / heads).unwrap_or(u16::MAX);
        Self { cylinders, heads: byte(heads), sectors: byte(sectors) }
    }

    /// Heads and sectors per track of a disk below about 32 GB.
    fn of_small(total: u64) -> (u64, u64) {
        let tracks = total / 17;
        let heads = tracks.div_ceil(1024).max(4);
        if tracks < heads * 1024 && heads <= 16 {
            (heads, 17)
        } else if total / 31 < 16 * 1024 {
            (16, 31)
        } else {
            (16, 63)
        }
    }
}

fn byte(number: u64) -> u8 {
    u8::try_from(number).expect("heads and sectors of the specification fit a byte")
}

/// Who made the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Creator {
    /// Application, for instance `win `.
    pub app: [u8; 4],
    /// Version: major in the high half, minor in the low one.
    pub version: u32,
    /// Host system, `Wi2k` for Windows.
    pub host: [u8; 4],
}

impl Creator {
    /// Hyper-V of Windows Server 2008 R2.
    pub const HYPER_V_2008_R2: Self = Self { app: *b"win ", version: 0x0006_0001, host: *b"Wi2k" };
    /// Virtual PC 5, of the time of short footers.
    pub const VIRTUAL_PC: Self = Self { app: *b"vpc ", version: 0x0005_0000, host: *b"Wi2k" };
}

/// Length of the footer at the end of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FooterLength {
    /// 512 bytes.
    Full,
    /// 511 bytes, as before Virtual PC 2004.
    Short,
}

/// Bytes of the footer for a disk of `size` bytes, with a checksum.
pub(super) fn footer(spec: &VhdSpec, size: u64) -> [u8; 512] {
    let mut bytes = [0u8; 512];
    let geometry = spec.geometry.unwrap_or_else(|| Geometry::of(size));
    let (disk_type, data_offset) = spec.kind.type_and_offset();
    bytes[0..8].copy_from_slice(b"conectix");
    bytes[8..12].copy_from_slice(&2u32.to_be_bytes()); // features: the reserved bit, always set
    bytes[12..16].copy_from_slice(&0x0001_0000u32.to_be_bytes()); // file format version
    bytes[16..24].copy_from_slice(&data_offset.to_be_bytes());
    bytes[24..28].copy_from_slice(&spec.timestamp.to_be_bytes());
    bytes[28..32].copy_from_slice(&spec.creator.app);
    bytes[32..36].copy_from_slice(&spec.creator.version.to_be_bytes());
    bytes[36..40].copy_from_slice(&spec.creator.host);
    bytes[40..48].copy_from_slice(&spec.original_size.unwrap_or(size).to_be_bytes());
    bytes[48..56].copy_from_slice(&size.to_be_bytes());
    bytes[56..58].copy_from_slice(&geometry.cylinders.to_be_bytes());
    bytes[58] = geometry.heads;
    bytes[59] = geometry.sectors;
    bytes[60..64].copy_from_slice(&disk_type.to_be_bytes());
    bytes[68..84].copy_from_slice(&spec.unique_id);
    let sum = checksum(&bytes);
    bytes[64..68].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// One's complement of the sum of all bytes (the checksum field itself being zero).
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte)))
}
