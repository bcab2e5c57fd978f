//! File records and index blocks with their update sequences put right, and the attributes that stand in a file record.

use crate::disk::fields::{le16, le32, le64};
use crate::guestfs::GuestFsError;

/// Sectors are protected in steps of 512 bytes, whatever the sectors of the disk are.
const STRIDE: usize = 512;
const END: u32 = u32::MAX;

/// A reference to a file: number of its record (48 bits) and how often the record was used (16 bits, 0: any).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileReference(pub u64);

impl FileReference {
    /// The root directory.
    pub const ROOT: FileReference = FileReference(5);

    /// Number of the file record.
    pub fn number(self) -> u64 {
        self.0 & 0xFFFF_FFFF_FFFF
    }

    /// Sequence number, 0: any.
    pub fn sequence(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

/// Where something lies, for messages.
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) offset: u64,
    pub(super) what: String,
}

/// Checks the mark and puts the last two bytes of each sector back.
pub(super) fn fix(place: &Place<'_>, mark: &'static str, data: &mut [u8]) -> Result<(), GuestFsError> {
    let (file, offset) = (place.file.to_owned(), place.offset);
    let what = place.what.clone();
    if !data.starts_with(mark.as_bytes()) {
        let found = data.get(..4).unwrap_or_default().escape_ascii().to_string();
        return Err(GuestFsError::Signature { file, offset, what, expected: mark, found });
    }
    let (at, count) = (le16(data, 4), le16(data, 6));
    let start = usize::from(at);
    let end = start + 2 * usize::from(count);
    if usize::from(count) != data.len() / STRIDE + 1 || end > STRIDE - 2 || start < 8 || !start.is_multiple_of(2) {
        return Err(GuestFsError::UpdateArray { file, offset, what, found: at, count });
    }
    let array = data.get(start..end).unwrap_or_default().to_vec();
    let expected = le16(&array, 0);
    for (sector, bytes) in data.chunks_exact_mut(STRIDE).enumerate() {
        let found = le16(bytes, STRIDE - 2);
        if found != expected {
            return Err(GuestFsError::Torn { file, offset, what, sector, expected, found });
        }
        if let (Some(tail), Some(saved)) = (bytes.get_mut(STRIDE - 2..), array.get(2 * sector + 2..2 * sector + 4)) {
            tail.copy_from_slice(saved);
        }
    }
    Ok(())
}

/// A file record, checked.
pub(super) struct Record {
    pub(super) number: u64,
    /// Offset 16.
    pub(super) sequence: u16,
    /// Offset 22: bit 0 in use, bit 1 directory.
    pub(super) flags: u16,
    /// Offset 32: the file whose attributes continue here, 0: this is the first record.
    pub(super) base: FileReference,
    /// First attribute (offset 20) and bytes in use (offset 24).
    range: (usize, usize),
    data: Vec<u8>,
    file: String,
}

impl Record {
    /// Checks the record `number` that was read from `offset`.
    pub(super) fn parse(file: &str, number: u64, offset: u64, mut data: Vec<u8>) -> Result<Record, GuestFsError> {
        let place = Place { file, offset, what: format!("file record {number}") };
        fix(&place, "FILE", &mut data)?;
        let first = usize::from(le16(&data, 20));
        let used = le32(&data, 24) as usize;
        if used > data.len() || first > used || first < 42 {
            let limit = data.len() as u64;
            let what = "the range of attributes";
            return Err(GuestFsError::Outside { file: file.into(), record: number, offset: 20, what, limit });
        }
        Ok(Record {
            number,
            sequence: le16(&data, 16),
            flags: le16(&data, 22),
            base: FileReference(le64(&data, 32)),
            range: (first, used),
            data,
            file: file.to_owned(),
        })
    }

    pub(super) fn in_use(&self) -> bool {
        self.flags & 1 != 0
    }

    pub(super) fn is_directory(&self) -> bool {
        self.flags & 2 != 0
    }

    /// The attributes in the order of the record; an error ends them.
    pub(super) fn attributes(&self) -> impl Iterator<Item = Result<RawAttribute<'_>, GuestFsError>> + '_ {
        let mut at = Some(self.range.0);
        std::iter::from_fn(move || {
            let start = at.take()?;
            match self.attribute(start) {
                Ok(Some((attribute, next))) => {
                    at = Some(next);
                    Some(Ok(attribute))
                }
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            }
        })
    }

    /// The first attribute of this kind and name.
    pub(super) fn first(&self, kind: u32, name: &str) -> Result<Option<RawAttribute<'_>>, GuestFsError> {
        for attribute in self.attributes() {
            let attribute = attribute?;
            if attribute.kind == kind && attribute.name == name {
                return Ok(Some(attribute));
            }
        }
        Ok(None)
    }

    fn attribute(&self, start: usize) -> Result<Option<(RawAttribute<'_>, usize)>, GuestFsError> {
        let used = self.data.get(..self.range.1).unwrap_or_default();
        let rest = used.get(start..).unwrap_or_default();
        if rest.len() < 4 || le32(rest, 0) == END {
            return Ok(None);
        }
        let outside = |what| GuestFsError::Outside {
            file: self.file.clone(),
            record: self.number,
            offset: start as u64,
            what,
            limit: self.range.1 as u64,
        };
        let len = le32(rest, 4) as usize;
        let bytes =
            rest.get(..len).filter(|_| len >= 24 && len.is_multiple_of(8)).ok_or_else(|| outside("an attribute"))?;
        let name_at = usize::from(le16(bytes, 10));
        let name_len = 2 * usize::from(bytes.get(9).copied().unwrap_or_default());
        let name = match name_len {
            0 => &[][..],
            _ => bytes.get(name_at..name_at + name_len).ok_or_else(|| outside("the name of an attribute"))?,
        };
        let body = if bytes.get(8) == Some(&0) {
            let (at, len) = (usize::from(le16(bytes, 20)), le32(bytes, 16) as usize);
            let value = bytes.get(at..at.saturating_add(len)).ok_or_else(|| outside("the value of an attribute"))?;
            RawBody::Resident(value)
        } else {
            RawBody::Mapped(Segment::parse(bytes).ok_or_else(|| outside("the data runs of an attribute"))?)
        };
        let name = name_text(name);
        let (kind, flags, id) = (le32(bytes, 0), le16(bytes, 12), le16(bytes, 14));
        Ok(Some((RawAttribute { kind, name, flags, id, body }, start + len)))
    }
}

/// UTF-16LE as text; NTFS names may hold any unit, also NUL.
pub(super) fn name_text(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    String::from_utf16_lossy(&units)
}

/// An attribute as it stands in one record.
pub(super) struct RawAttribute<'r> {
    /// Offset 0.
    pub(super) kind: u32,
    pub(super) name: String,
    /// Offset 12: bit 0 compressed, bit 14 encrypted, bit 15 sparse.
    pub(super) flags: u16,
    /// Offset 14.
    pub(super) id: u16,
    pub(super) body: RawBody<'r>,
}

pub(super) enum RawBody<'r> {
    Resident(&'r [u8]),
    Mapped(Segment<'r>),
}

/// One piece of the data runs of an attribute.
pub(super) struct Segment<'r> {
    /// Offset 16: first cluster of the attribute that this piece maps.
    pub(super) lowest: u64,
    /// Offset 24: last one; 2^64 - 1 when there is none.
    pub(super) highest: u64,
    /// Offset 34: clusters of a compression unit as a power of two.
    pub(super) unit: u8,
    /// Offset 48: bytes of the content (first piece only).
    pub(super) size: u64,
    /// Offset 56: bytes that were ever written; zeros follow (first piece only).
    pub(super) initialized: u64,
    pub(super) pairs: &'r [u8],
}

impl<'r> Segment<'r> {
    fn parse(bytes: &'r [u8]) -> Option<Self> {
        let pairs = bytes.get(usize::from(le16(bytes, 32))..)?;
        if bytes.len() < 64 {
            return None;
        }
        Some(Segment {
            lowest: le64(bytes, 16),
            highest: le64(bytes, 24),
            unit: bytes.get(34).copied()?,
            size: le64(bytes, 48),
            initialized: le64(bytes, 56),
            pairs,
        })
    }
}
