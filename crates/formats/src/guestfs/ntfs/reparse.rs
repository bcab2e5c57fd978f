//! Reparse points: symbolic links and junctions with their targets ([MS-FSCC] 2.1.2), others by their tag.

use super::Ntfs;
use super::attribute::{Attribute, DATA, REPARSE_POINT};
use super::record::FileReference;
use crate::disk::fields::{le16, le32};
use crate::guestfs::{GuestFsError, bytes};
use crate::io::SharedFile;

const SYMLINK: u32 = 0xA000_000C;
const MOUNT_POINT: u32 = 0xA000_0003;
/// Windows allows 16 KiB.
const MAX_REPARSE: u64 = 1 << 16;

/// What kind of reparse point it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReparseKind {
    /// A symbolic link with an absolute target.
    Symlink,
    /// A symbolic link with a target relative to its folder.
    RelativeSymlink,
    /// A junction or mount point.
    Junction,
    /// Anything else, see its tag.
    Other,
}

/// A reparse point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reparse {
    /// The tag as written.
    pub tag: u32,
    /// What it is.
    pub kind: ReparseKind,
    /// Where a link leads, as Windows itself uses it: `\??\D:\VMs\x`, or relative.
    pub target: Option<String>,
    /// The target as it is shown to people; may be empty.
    pub shown: String,
}

impl Ntfs {
    /// The reparse point of a file, if it is one.
    pub fn reparse(&self, reference: FileReference) -> Result<Option<Reparse>, GuestFsError> {
        let record = self.base_record(reference)?;
        let Some(attribute) = self.attribute(&record, REPARSE_POINT, "")? else { return Ok(None) };
        let content = self.stream(record.number, "reparse point", attribute)?;
        if content.len() > MAX_REPARSE {
            let (file, found, what) = (self.name(), content.len(), "the reparse point");
            return Err(GuestFsError::TooLarge { file, record: record.number, what, found, limit: MAX_REPARSE });
        }
        let data = bytes::read_vec(&*content, 0, content.len() as usize)?;
        Reparse::parse(&data).map(Some).ok_or_else(|| GuestFsError::Outside {
            file: self.name(),
            record: record.number,
            offset: 8,
            what: "the target of a link",
            limit: data.len() as u64,
        })
    }

    /// Opens the stream `name` of a file, empty for its content. Content that only a filter of Windows can put together
    /// is refused: its clusters would read as zeros.
    pub fn open_file(&self, reference: FileReference, name: &str) -> Result<SharedFile, GuestFsError> {
        let record = self.base_record(reference)?;
        if name.is_empty()
            && let Some(reparse) = self.reparse(reference)?
            && let Some(found) = filtered(reparse.tag)
        {
            return Err(GuestFsError::Unsupported {
                file: self.name(),
                record: record.number,
                found: found.to_owned(),
            });
        }
        let label = format!("stream '{name}'");
        match self.attribute(&record, DATA, name)? {
            Some(attribute) => self.stream(record.number, &label, attribute),
            None if name.is_empty() && !record.is_directory() => {
                self.stream(record.number, &label, Attribute::Resident(Vec::new()))
            }
            None => Err(self.missing(record.number, &label)),
        }
    }
}

fn filtered(tag: u32) -> Option<&'static str> {
    match tag {
        0x8000_0017 => Some("compressed by the system (WOF)"),
        0x8000_0013 => Some("deduplicated"),
        0xC000_0004 | 0x8000_0006 => Some("moved to other storage (HSM)"),
        0x8000_0008 => Some("in an image (WIM)"),
        _ if tag & 0xFFFF_0FFF == 0x9000_001A => Some("in a cloud store"),
        _ => None,
    }
}

impl Reparse {
    /// Reads the data of a reparse point: at offset 0 the tag, 4 the length, 8 the data, which are place and length of both
    /// names, flags (links only), and the names. `None` when they end before a name does.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Reparse> {
        let tag = le32(data.get(..8)?, 0);
        let names = match tag {
            SYMLINK => data.get(20..)?,
            MOUNT_POINT => data.get(16..)?,
            _ => return Some(Reparse { tag, kind: ReparseKind::Other, target: None, shown: String::new() }),
        };
        let name = |at: usize| {
            let (start, len) = (usize::from(le16(data, at)), usize::from(le16(data, at + 2)));
            names.get(start..start + len).map(super::record::name_text)
        };
        let kind = match tag {
            MOUNT_POINT => ReparseKind::Junction,
            _ if le32(data, 16) & 1 != 0 => ReparseKind::RelativeSymlink,
            _ => ReparseKind::Symlink,
        };
        Some(Reparse { tag, kind, target: Some(name(8)?), shown: name(12)? })
    }
}
