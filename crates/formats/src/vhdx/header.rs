//! The file type identifier (offset 0) and the two headers (64 KiB and 128 KiB). The intact header with the greater
//! sequence number counts; the other one is what a crash in the middle of an update leaves.

use crate::disk::fields::{bytes_at, guid_le, le16, le32, le64};
use crate::disk::{DiskError, read};
use crate::io::ReadAt;

use super::{MIB, VhdxError, crc};

/// The file type identifier.
pub(crate) const MAGIC: [u8; 8] = *b"vhdxfile";
pub(super) const HEADERS: [u64; 2] = [64 << 10, 128 << 10];
const HEADER_LEN: usize = 4096;
const SIGNATURE: [u8; 4] = *b"head";

/// The header that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Where it lies.
    pub offset: u64,
    /// Offset 8.
    pub sequence: u64,
    /// Offset 16: changes when the file is written to.
    pub file_write: [u8; 16],
    /// Offset 32: changes when the content of the disk does; children know their parent by it.
    pub data_write: [u8; 16],
    /// Offset 48: zero when the log is empty.
    pub log_guid: [u8; 16],
    /// Offset 64.
    pub log_version: u16,
    /// Offset 66.
    pub version: u16,
    /// Offset 68, bytes.
    pub log_len: u32,
    /// Offset 72.
    pub log_start: u64,
}

impl Header {
    /// True when the log must be replayed before anything else is believed.
    pub(super) fn is_dirty(&self) -> bool {
        self.log_guid != [0; 16]
    }

    fn parse(bytes: &[u8], offset: u64) -> Header {
        Header {
            offset,
            sequence: le64(bytes, 8),
            file_write: bytes_at(bytes, 16),
            data_write: bytes_at(bytes, 32),
            log_guid: bytes_at(bytes, 48),
            log_version: le16(bytes, 64),
            version: le16(bytes, 66),
            log_len: le32(bytes, 68),
            log_start: le64(bytes, 72),
        }
    }

    /// The data write GUID as text.
    pub(super) fn data_write_id(&self) -> String {
        guid_le(&self.data_write)
    }
}

/// Checks the identifier; the creator's name.
pub(super) fn read_identifier(file: &dyn ReadAt) -> Result<String, DiskError> {
    let name = || file.name().to_owned();
    if file.len() < MIB {
        return Err(VhdxError::TooShort { file: name(), expected: MIB, found: file.len() }.into());
    }
    // 8 bytes, then 256 UTF-16 units.
    let mut bytes = [0; 520];
    read(file, 0, &mut bytes)?;
    if !bytes.starts_with(&MAGIC) {
        let found = bytes_at::<8>(&bytes, 0).escape_ascii().to_string();
        return Err(VhdxError::Identifier { file: name(), found }.into());
    }
    let units = bytes.as_chunks::<2>().0.iter().skip(4).map(|pair| u16::from_le_bytes(*pair));
    let creator: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    Ok(String::from_utf16_lossy(&creator))
}

/// Finds the header that counts and checks it.
pub(super) fn read_header(file: &dyn ReadAt, remarks: &mut Vec<String>) -> Result<Header, DiskError> {
    let name = || file.name().to_owned();
    let header = match (look(file, HEADERS[0])?, look(file, HEADERS[1])?) {
        (Ok(first), Ok(second)) if first.0.sequence == second.0.sequence => {
            if first.1 != second.1 {
                return Err(VhdxError::HeadersDisagree { file: name(), sequence: first.0.sequence }.into());
            }
            remarks.push(format!("Both headers have the sequence number {}; they are the same.", first.0.sequence));
            first.0
        }
        (Ok(first), Ok(second)) if first.0.sequence > second.0.sequence => first.0,
        (Ok(_), Ok((second, _))) => second,
        (Ok((header, _)), Err(reason)) | (Err(reason), Ok((header, _))) => {
            let other = HEADERS[0] + HEADERS[1] - header.offset;
            remarks.push(format!("The header at offset {other} is damaged ({reason}); the other one was used."));
            header
        }
        (Err(first), Err(second)) => return Err(VhdxError::NoHeader { file: name(), first, second }.into()),
    };
    check(file, &header)?;
    Ok(header)
}

/// An intact header with its bytes, or what is wrong with it.
pub(super) type Seen = Result<(Header, Vec<u8>), String>;

/// Reads the header at `offset`.
pub(super) fn look(file: &dyn ReadAt, offset: u64) -> Result<Seen, DiskError> {
    let mut bytes = vec![0; HEADER_LEN];
    read(file, offset, &mut bytes)?;
    Ok(check_structure(&bytes, SIGNATURE).map(|()| (Header::parse(&bytes, offset), bytes)))
}

/// Checks signature (offset 0) and checksum (offset 4); what is wrong as a part of a sentence.
pub(super) fn check_structure(bytes: &[u8], signature: [u8; 4]) -> Result<(), String> {
    let found: [u8; 4] = bytes_at(bytes, 0);
    if found != signature {
        return Err(format!("the signature is '{}', expected '{}'", found.escape_ascii(), signature.escape_ascii()));
    }
    let (expected, found) = (crc::of_structure(bytes), le32(bytes, 4));
    if expected != found {
        return Err(format!("the checksum is {found:#010x}, expected {expected:#010x} from its bytes"));
    }
    Ok(())
}

fn check(file: &dyn ReadAt, header: &Header) -> Result<(), VhdxError> {
    let name = || file.name().to_owned();
    let at = |field: u64| header.offset + field;
    if header.version != 1 {
        return Err(VhdxError::Version { file: name(), offset: at(66), found: header.version });
    }
    if header.is_dirty() && header.log_version != 0 {
        return Err(VhdxError::LogVersion { file: name(), offset: at(64), found: header.log_version });
    }
    if header.log_len == 0 && !header.is_dirty() {
        return Ok(());
    }
    let (start, len, limit) = (header.log_start, header.log_len, file.len());
    if !is_region(start, len, limit) || len == 0 {
        return Err(VhdxError::LogPlace { file: name(), offset: at(68), start, len, limit });
    }
    Ok(())
}

/// True when a range begins and ends at a multiple of 1 MiB, behind the headers and inside the file.
pub(super) fn is_region(start: u64, len: u32, limit: u64) -> bool {
    let aligned = start.is_multiple_of(MIB) && u64::from(len).is_multiple_of(MIB);
    aligned && start >= MIB && start.checked_add(u64::from(len)).is_some_and(|end| end <= limit)
}
