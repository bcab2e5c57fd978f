//! The footer: 512 bytes, big-endian, at the end of every VHD; sparse kinds keep a copy at offset 0. Files of Virtual
//! PC before 2004 have 511 bytes. The copy stands in when the trailing footer is torn or lost, which is what a crash
//! of the host leaves behind.

use crate::disk::fields::{be16, be32, be64, bytes_at, guid, put};
use crate::disk::{Checksums, DiskError, read};
use crate::io::ReadAt;

use super::VhdError;

/// Length of a footer.
pub(super) const FOOTER_LEN: u64 = 512;
const COOKIE: [u8; 8] = *b"conectix";
/// The largest disk: the sector numbers in the block table are 32 bits, and Windows stops at 2040 GiB.
pub const MAX_SIZE: u64 = 2040 << 30;

/// The kinds of VHD (footer offset 60).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Fixed,
    Dynamic,
    Differencing,
}

/// The fields of a footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    /// Offset 8: bit 0 temporary, bit 1 always set.
    pub features: u32,
    /// Offset 12.
    pub version: u32,
    /// Offset 16: where the dynamic header lies; all ones for fixed disks.
    pub data_offset: u64,
    /// Offset 24: seconds since 2000-01-01 UTC.
    pub timestamp: u32,
    /// Offset 28.
    pub creator: [u8; 4],
    /// Offset 32.
    pub creator_version: u32,
    /// Offset 36.
    pub creator_os: [u8; 4],
    /// Offset 40: size at creation.
    pub original_size: u64,
    /// Offset 48: the size of the disk.
    pub current_size: u64,
    /// Offset 56.
    pub geometry: Geometry,
    /// Offset 60, as written.
    pub disk_type: u32,
    /// Offset 68.
    pub unique_id: [u8; 16],
    /// Offset 84: not zero when the machine was saved.
    pub saved_state: u8,
}

/// Cylinders, heads and sectors (footer offset 56).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Offset 56.
    pub cylinders: u16,
    /// Offset 58.
    pub heads: u8,
    /// Offset 59: sectors in a track.
    pub sectors: u8,
}

impl Geometry {
    /// The size that this geometry addresses, in bytes.
    pub(super) fn size(self) -> u64 {
        u64::from(self.cylinders) * u64::from(self.heads) * u64::from(self.sectors) * 512
    }

    /// The appendix "CHS calculation" of the specification.
    pub(super) fn of_size(size: u64) -> Geometry {
        let total = (size / 512).min(65535 * 16 * 255);
        let (mut heads, mut sectors, mut tracks);
        if total >= 65535 * 16 * 63 {
            (heads, sectors) = (16, 255);
            tracks = total / sectors;
        } else {
            sectors = 17;
            tracks = total / sectors;
            heads = tracks.div_ceil(1024).max(4);
            if tracks >= heads * 1024 || heads > 16 {
                (heads, sectors) = (16, 31);
                tracks = total / sectors;
            }
            if tracks >= heads * 1024 {
                (heads, sectors) = (16, 63);
                tracks = total / sectors;
            }
        }
        let cylinders = u16::try_from(tracks / heads).unwrap_or(u16::MAX);
        // Both fit: the branches above only give heads up to 16 and sectors up to 255.
        Geometry { cylinders, heads: heads as u8, sectors: sectors as u8 }
    }
}

/// The sum of all bytes except the checksum field, inverted.
pub(super) fn checksum(bytes: &[u8], field: usize) -> u32 {
    let sum = |part: Option<&[u8]>| part.unwrap_or_default().iter().map(|&byte| u32::from(byte)).sum::<u32>();
    !sum(bytes.get(..field)).wrapping_add(sum(bytes.get(field + 4..)))
}

impl Footer {
    fn parse(bytes: &[u8; 512]) -> Footer {
        Footer {
            features: be32(bytes, 8),
            version: be32(bytes, 12),
            data_offset: be64(bytes, 16),
            timestamp: be32(bytes, 24),
            creator: bytes_at(bytes, 28),
            creator_version: be32(bytes, 32),
            creator_os: bytes_at(bytes, 36),
            original_size: be64(bytes, 40),
            current_size: be64(bytes, 48),
            geometry: Geometry { cylinders: be16(bytes, 56), heads: bytes[58], sectors: bytes[59] },
            disk_type: be32(bytes, 60),
            unique_id: bytes_at(bytes, 68),
            saved_state: bytes[84],
        }
    }

    /// The 512 bytes of the footer with its checksum.
    pub(super) fn encode(&self) -> [u8; 512] {
        let mut bytes = [0; 512];
        put(&mut bytes, 0, &COOKIE);
        put(&mut bytes, 8, &self.features.to_be_bytes());
        put(&mut bytes, 12, &self.version.to_be_bytes());
        put(&mut bytes, 16, &self.data_offset.to_be_bytes());
        put(&mut bytes, 24, &self.timestamp.to_be_bytes());
        put(&mut bytes, 28, &self.creator);
        put(&mut bytes, 32, &self.creator_version.to_be_bytes());
        put(&mut bytes, 36, &self.creator_os);
        put(&mut bytes, 40, &self.original_size.to_be_bytes());
        put(&mut bytes, 48, &self.current_size.to_be_bytes());
        put(&mut bytes, 56, &self.geometry.cylinders.to_be_bytes());
        put(&mut bytes, 58, &[self.geometry.heads, self.geometry.sectors]);
        put(&mut bytes, 60, &self.disk_type.to_be_bytes());
        put(&mut bytes, 68, &self.unique_id);
        put(&mut bytes, 84, &[self.saved_state]);
        let sum = checksum(&bytes, 64);
        put(&mut bytes, 64, &sum.to_be_bytes());
        bytes
    }

    /// The kind; an unknown type was refused by [`find`].
    pub(super) fn kind(&self) -> Option<Kind> {
        match self.disk_type {
            2 => Some(Kind::Fixed),
            3 => Some(Kind::Dynamic),
            4 => Some(Kind::Differencing),
            _ => None,
        }
    }
}

/// The footer that counts, and where it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub footer: Footer,
    pub kind: Kind,
    /// Offset at which it lies: the end of the file, or 0 for the copy.
    pub offset: u64,
    /// Where guest data may end: before the trailing footer, or the end of the file if there is none.
    pub data_end: u64,
    /// Whether the checksum was right.
    pub seal: Seal,
    pub remarks: Vec<String>,
}

/// Whether the checksum of a structure fits its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    Right,
    /// Wrong, but accepted as asked for: then all else must agree.
    Accepted,
}

#[derive(PartialEq, Eq)]
enum Seen {
    Nothing,
    /// The footer as it is, as far as it can be believed.
    Damaged {
        offset: u64,
        expected: u32,
        found: u32,
        footer: Footer,
    },
    Good {
        offset: u64,
        footer: Footer,
    },
}

/// True when the cookie stands at one of the three places for it.
pub(crate) fn has_mark(file: &dyn ReadAt) -> Result<bool, DiskError> {
    for (offset, _) in places(file.len()) {
        let mut cookie = [0; 8];
        read(file, offset, &mut cookie)?;
        if cookie == COOKIE {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Offset and length of the footer, the short footer and the copy, as far as the file is long enough.
fn places(len: u64) -> impl Iterator<Item = (u64, usize)> {
    let trailing = len.checked_sub(512).map(|offset| (offset, 512));
    let short = len.checked_sub(511).map(|offset| (offset, 511));
    let copy = (len >= 512).then_some((0, 512));
    [trailing, short, copy].into_iter().flatten()
}

fn look(file: &dyn ReadAt, offset: u64, len: usize) -> Result<Seen, DiskError> {
    let mut bytes = [0; 512];
    read(file, offset, &mut bytes[..len])?;
    if !bytes.starts_with(&COOKIE) {
        return Ok(Seen::Nothing);
    }
    let (expected, found) = (checksum(&bytes, 64), be32(&bytes, 64));
    if expected != found {
        return Ok(Seen::Damaged { offset, expected, found, footer: Footer::parse(&bytes) });
    }
    Ok(Seen::Good { offset, footer: Footer::parse(&bytes) })
}

/// Finds the footer that counts and checks it.
pub(super) fn find(file: &dyn ReadAt, checksums: Checksums) -> Result<Found, DiskError> {
    let len = file.len();
    let (mut trailing, mut copy) = (Seen::Nothing, Seen::Nothing);
    for (offset, size) in places(len) {
        if offset == 0 && len > 512 {
            copy = look(file, 0, size)?;
        } else if trailing == Seen::Nothing {
            trailing = look(file, offset, size)?;
        }
    }
    let mut remarks = Vec::new();
    let (offset, footer, data_end, seal) = choose(file, (trailing, copy), checksums, &mut remarks)?;
    let kind = check(file.name(), &footer, offset)?;
    remark(&footer, &mut remarks);
    Ok(Found { footer, kind, offset, data_end, seal, remarks })
}

/// Offset of the footer that counts, the footer, where guest data may end, and whether the checksum was right.
type Chosen = (u64, Footer, u64, Seal);

fn choose(
    file: &dyn ReadAt,
    seen: (Seen, Seen),
    checksums: Checksums,
    remarks: &mut Vec<String>,
) -> Result<Chosen, VhdError> {
    let name = || file.name().to_owned();
    let len = file.len();
    match seen {
        (Seen::Good { offset, footer }, copy) => {
            compare_copy(file.name(), &footer, offset, &copy, remarks)?;
            Ok((offset, footer, offset, Seal::Right))
        }
        (torn, Seen::Good { footer, .. }) if may_stand_in(&torn, &footer) => {
            let (state, end) = match torn {
                Seen::Damaged { offset, .. } => ("is damaged", offset),
                _ => ("is missing", len),
            };
            remarks.push(format!("The footer at the end of the file {state}; its copy at offset 0 was used."));
            Ok((0, footer, end, Seal::Right))
        }
        (Seen::Damaged { offset, expected, found, footer }, copy)
            if checksums == Checksums::Accept && is_consistent(&footer, offset, (found, &copy)) =>
        {
            remarks.push(format!(
                "The footer at offset {offset} has the checksum {found:#010x} instead of {expected:#010x}; accepted as asked \
                 for, as all else agrees."
            ));
            Ok((offset, footer, offset, Seal::Accepted))
        }
        (Seen::Damaged { offset, expected, found, .. }, _) | (_, Seen::Damaged { offset, expected, found, .. }) => {
            Err(VhdError::FooterChecksum { file: name(), offset, expected, found })
        }
        _ => Err(VhdError::NoFooter { file: name(), len }),
    }
}

/// A footer with a wrong checksum can be believed when it says the same twice: a sparse disk has the same footer at
/// offset 0, checksum included; a fixed disk is exactly as long as it says.
fn is_consistent(footer: &Footer, offset: u64, (found, copy): (u32, &Seen)) -> bool {
    match (footer.kind(), copy) {
        (Some(Kind::Fixed), _) => footer.current_size == offset,
        (Some(_), Seen::Damaged { footer: other, found: sum, .. }) => footer == other && found == *sum,
        _ => false,
    }
}

/// Offset 0 of a fixed disk belongs to the guest: a guest could write a "copy" there that names the disk of another
/// machine as its parent. So the copy never stands in for a footer that still says that the disk is fixed.
fn may_stand_in(torn: &Seen, copy: &Footer) -> bool {
    let was_fixed = matches!(torn, Seen::Damaged { footer, .. } if footer.kind() == Some(Kind::Fixed));
    !was_fixed && copy.kind() != Some(Kind::Fixed)
}

/// A crash in the middle of a resize leaves two intact footers of different disks; taking either would be a guess.
fn compare_copy(
    name: &str,
    footer: &Footer,
    offset: u64,
    copy: &Seen,
    remarks: &mut Vec<String>,
) -> Result<(), VhdError> {
    if footer.kind() == Some(Kind::Fixed) {
        return Ok(());
    }
    let copy = match copy {
        Seen::Good { footer, .. } => footer,
        _ => {
            remarks.push("The copy of the footer at offset 0 is missing or damaged.".to_owned());
            return Ok(());
        }
    };
    let fields = [
        ("the current size", footer.current_size.to_string(), copy.current_size.to_string()),
        ("the disk type", footer.disk_type.to_string(), copy.disk_type.to_string()),
        ("the offset of the dynamic header", footer.data_offset.to_string(), copy.data_offset.to_string()),
        ("the unique id", guid(&footer.unique_id), guid(&copy.unique_id)),
    ];
    for (field, trailing, copy) in fields {
        if trailing != copy {
            return Err(VhdError::FootersDisagree { file: name.to_owned(), offset, field, trailing, copy });
        }
    }
    if footer != copy {
        remarks.push("The footer and its copy at offset 0 differ in fields that do not touch the content.".to_owned());
    }
    Ok(())
}

fn check(name: &str, footer: &Footer, offset: u64) -> Result<Kind, DiskError> {
    let file = || name.to_owned();
    if footer.version >> 16 != 1 {
        return Err(VhdError::FileVersion { file: file(), offset: offset + 12, found: footer.version }.into());
    }
    let kind = footer.kind().ok_or_else(|| VhdError::DiskType {
        file: file(),
        offset: offset + 60,
        found: footer.disk_type,
    })?;
    let (offset, size) = (offset + 48, footer.current_size);
    if size == 0 {
        return Err(DiskError::EmptyDisk { file: file(), offset });
    }
    if size > MAX_SIZE {
        return Err(VhdError::SizeTooLarge { file: file(), offset, size, limit: MAX_SIZE }.into());
    }
    if !size.is_multiple_of(512) {
        return Err(VhdError::SizeNotSectors { file: file(), offset, size }.into());
    }
    Ok(kind)
}

fn remark(footer: &Footer, remarks: &mut Vec<String>) {
    if footer.features & 2 == 0 {
        remarks.push(format!("The reserved feature bit 1 is not set (features {:#010x}).", footer.features));
    }
    if footer.features & !2 != 0 {
        remarks.push(format!("Feature bits other than the reserved one are set (features {:#010x}).", footer.features));
    }
    if footer.saved_state != 0 {
        remarks.push("The footer says that the machine of this disk is in a saved state.".to_owned());
    }
}
