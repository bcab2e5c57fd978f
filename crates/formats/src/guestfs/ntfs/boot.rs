//! The boot sector: sizes and where the file table starts. A damaged first sector is replaced by the copy in the last one.

use super::super::bytes::{read_some, read_vec};
use crate::disk::fields::{bytes_at, le16, le64};
use crate::guestfs::GuestFsError;
use crate::io::ReadAt;

/// Largest cluster that Windows makes (since Windows 10, version 1709).
const MAX_CLUSTER: u64 = 2 << 20;

/// What the boot sector says.
#[derive(Debug, Clone)]
pub(super) struct Boot {
    /// Bytes a cluster.
    pub(super) cluster: u64,
    /// Clusters of the volume.
    pub(super) clusters: u64,
    /// First cluster of the file table.
    pub(super) mft: u64,
    /// First cluster of the copy of its first records.
    pub(super) mirror: u64,
    /// Bytes a file record.
    pub(super) record: usize,
    /// Volume serial number.
    pub(super) serial: u64,
    /// Bytes of the volume by its sectors.
    pub(super) size: u64,
}

/// Reads the boot sector or its copy; the second part is a remark when the copy was used.
pub(super) fn read(file: &dyn ReadAt) -> Result<(Boot, Option<String>), GuestFsError> {
    let first = read_some(file, 0, 512)?;
    let error = match parse(file.name(), 0, &first) {
        Ok(boot) => return Ok((boot, None)),
        Err(error) => error,
    };
    for sector in [512_u64, 4096] {
        let Some(offset) = file.len().checked_sub(sector) else { continue };
        let Ok(copy) = read_vec(file, offset, 512) else { continue };
        if let Ok(boot) = parse(file.name(), offset, &copy) {
            return Ok((boot, Some(format!("The copy of the boot sector at offset {offset} was used: {error}"))));
        }
    }
    Err(error)
}

fn parse(file: &str, at: u64, sector: &[u8]) -> Result<Boot, GuestFsError> {
    if sector.get(3..11) != Some(b"NTFS    ") || sector.get(510..512) != Some(&[0x55, 0xAA]) {
        let found = sector.get(3..11).unwrap_or_default().escape_ascii().to_string();
        return Err(GuestFsError::NotThis {
            file: file.into(),
            offset: at + 3,
            expected: "'NTFS    ' (and 55 AA at 510)",
            found,
        });
    }
    let wrong = |offset: u64, field, expected, found| {
        Err(GuestFsError::Field { file: file.into(), offset: at + offset, field, expected, found })
    };
    let bytes_per_sector = u64::from(le16(sector, 11));
    if !bytes_per_sector.is_power_of_two() || !(256..=4096).contains(&bytes_per_sector) {
        return wrong(11, "bytes per sector", "a power of two from 256 to 4096", bytes_per_sector);
    }
    let per_cluster = match bytes_at::<1>(sector, 13)[0] {
        byte @ 0..=0x80 => u64::from(byte),
        byte => 1_u64.checked_shl(256 - u32::from(byte)).unwrap_or(0),
    };
    let cluster = per_cluster.saturating_mul(bytes_per_sector);
    if !cluster.is_power_of_two() || cluster > MAX_CLUSTER {
        return wrong(13, "sectors per cluster", "a power of two that gives at most 2 MiB", per_cluster);
    }
    let sectors = le64(sector, 40);
    let Some(size) = sectors.checked_mul(bytes_per_sector).filter(|size| (cluster..1 << 62).contains(size)) else {
        return wrong(40, "sectors of the volume", "at least one cluster and less than 2^62 bytes", sectors);
    };
    let clusters = size / cluster;
    let (mft, mirror) = (le64(sector, 48), le64(sector, 56));
    if mft == 0 || mft >= clusters {
        return wrong(48, "first cluster of the file table", "within the volume and not 0", mft);
    }
    let record = match bytes_at::<1>(sector, 64)[0] as i8 {
        power @ ..0 => 1_u64.checked_shl(u32::from(power.unsigned_abs())).unwrap_or(0),
        count => count as u64 * cluster,
    };
    if !record.is_power_of_two() || !(512..=65536).contains(&record) {
        return wrong(64, "size of a file record", "a power of two from 512 to 65536 bytes", record);
    }
    Ok(Boot { cluster, clusters, mft, mirror, record: record as usize, serial: le64(sector, 72), size })
}
