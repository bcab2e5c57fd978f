//! The dynamic header: 1024 bytes, big-endian, of dynamic and differencing disks.

use crate::disk::fields::{be32, be64, bytes_at, guid, put};
use crate::disk::{Checksums, DiskError, ParentRequest, read};
use crate::io::ReadAt;

use super::VhdError;
use super::footer::{Found, Kind, Seal, checksum};
use super::locator::{self, Locators};

const COOKIE: [u8; 8] = *b"cxsparse";
/// Length of the dynamic header.
pub(super) const HEADER_LEN: u64 = 1024;
const MAX_BLOCK: u32 = 256 << 20;

/// The fields of a dynamic header.
#[derive(Debug)]
pub(super) struct Header {
    /// Where it lies (footer offset 16).
    pub offset: u64,
    /// Offset 16: where the block table lies.
    pub table: u64,
    /// Offset 28.
    pub max_entries: u32,
    /// Offset 32: bytes of guest data in a block.
    pub block_size: u32,
    /// What it says of the parent; only for differencing disks.
    pub parent: Option<ParentRequest>,
    /// Ranges of the file that parent locators take.
    pub locators: Vec<(u64, u64)>,
}

/// Reads and checks the dynamic header of a sparse disk.
pub(super) fn read_header(
    file: &dyn ReadAt,
    found: &Found,
    checksums: Checksums,
    remarks: &mut Vec<String>,
) -> Result<Header, DiskError> {
    let name = || file.name().to_owned();
    let offset = found.footer.data_offset;
    let inside = offset.checked_add(HEADER_LEN).is_some_and(|end| end <= found.data_end);
    if offset < 512 || !inside {
        let (at, limit) = (found.offset + 16, found.data_end);
        return Err(VhdError::HeaderOutside { file: name(), offset: at, header: offset, limit }.into());
    }
    let mut bytes = [0; 1024];
    read(file, offset, &mut bytes)?;
    if !bytes.starts_with(&COOKIE) {
        let found = bytes_at::<8>(&bytes, 0).escape_ascii().to_string();
        return Err(VhdError::HeaderCookie { file: name(), offset, found }.into());
    }
    let seal = check_seal(file.name(), (offset, &bytes), checksums, remarks)?;
    let version = be32(&bytes, 24);
    if version >> 16 != 1 {
        return Err(VhdError::HeaderVersion { file: name(), offset: offset + 24, found: version }.into());
    }
    let block_size = be32(&bytes, 32);
    if !block_size.is_power_of_two() || !(512..=MAX_BLOCK).contains(&block_size) {
        return Err(VhdError::BlockSize { file: name(), offset: offset + 32, found: block_size }.into());
    }
    let (parent, locators) = match found.kind {
        Kind::Differencing => read_parent(file, &bytes, remarks)?,
        _ => (None, Vec::new()),
    };
    let max_entries = be32(&bytes, 28);
    let needed = found.footer.current_size.div_ceil(u64::from(block_size));
    let accepted = seal == Seal::Accepted || found.seal == Seal::Accepted;
    if accepted && u64::from(max_entries) != needed {
        let (file, offset) = (name(), offset + 28);
        return Err(VhdError::ChecksumNotAccepted { file, offset, expected: needed, found: max_entries }.into());
    }
    Ok(Header { offset, table: be64(&bytes, 16), max_entries, block_size, parent, locators })
}

fn check_seal(
    name: &str,
    (offset, bytes): (u64, &[u8; 1024]),
    checksums: Checksums,
    remarks: &mut Vec<String>,
) -> Result<Seal, VhdError> {
    let (expected, found) = (checksum(bytes, 36), be32(bytes, 36));
    match checksums {
        _ if expected == found => Ok(Seal::Right),
        Checksums::Strict => Err(VhdError::HeaderChecksum { file: name.to_owned(), offset, expected, found }),
        Checksums::Accept => {
            remarks.push(format!(
                "The dynamic header at offset {offset} has the checksum {found:#010x} instead of {expected:#010x}; accepted as \
                 asked for, as all else agrees."
            ));
            Ok(Seal::Accepted)
        }
    }
}

type Parent = (Option<ParentRequest>, Vec<(u64, u64)>);

fn read_parent(file: &dyn ReadAt, bytes: &[u8; 1024], remarks: &mut Vec<String>) -> Result<Parent, DiskError> {
    let Locators { paths, taken } = locator::parse(file, bytes, remarks)?;
    let name = locator::utf16(bytes.get(64..576).unwrap_or_default(), u16::from_be_bytes);
    let name = name.split('\0').next().unwrap_or_default().to_owned();
    let request = ParentRequest {
        child: file.name().to_owned(),
        depth: 1,
        locators: paths,
        name,
        unique_id: guid(&bytes_at(bytes, 40)),
        other_id: String::new(),
        timestamp: be32(bytes, 56),
    };
    Ok((Some(request), taken))
}

/// The 1024 bytes of a dynamic header without a parent.
pub(super) fn encode(table: u64, max_entries: u32, block_size: u32) -> [u8; 1024] {
    let mut bytes = [0; 1024];
    put(&mut bytes, 0, &COOKIE);
    put(&mut bytes, 8, &u64::MAX.to_be_bytes());
    put(&mut bytes, 16, &table.to_be_bytes());
    put(&mut bytes, 24, &0x0001_0000u32.to_be_bytes());
    put(&mut bytes, 28, &max_entries.to_be_bytes());
    put(&mut bytes, 32, &block_size.to_be_bytes());
    let sum = checksum(&bytes, 36);
    put(&mut bytes, 36, &sum.to_be_bytes());
    bytes
}
