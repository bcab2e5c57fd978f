//! Attributes put together from all the records of a file, by the attribute list where there is one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use super::Ntfs;
use super::record::{FileReference, RawAttribute, RawBody, Record, name_text};
use super::runs::Runs;
use super::stream::{MAX_UNIT, Mapped, Packing, Stream};
use crate::disk::fields::{le16, le32, le64};
use crate::guestfs::{GuestFsError, bytes};
use crate::io::{MemoryFile, SharedFile};

/// Kinds of attributes.
pub(super) const ATTRIBUTE_LIST: u32 = 0x20;
pub(super) const VOLUME_NAME: u32 = 0x60;
pub(super) const VOLUME_INFORMATION: u32 = 0x70;
pub(super) const DATA: u32 = 0x80;
pub(super) const INDEX_ROOT: u32 = 0x90;
pub(super) const INDEX_ALLOCATION: u32 = 0xA0;
pub(super) const REPARSE_POINT: u32 = 0xC0;

const COMPRESSED: u16 = 0x00FF;
const ENCRYPTED: u16 = 0x4000;
/// The limit of Windows itself.
const MAX_LIST: u64 = 1 << 18;

/// One entry of an attribute list.
pub(super) struct ListEntry {
    /// Offset 0.
    pub(super) kind: u32,
    /// Offset 8.
    pub(super) lowest: u64,
    /// Offset 16: the record that holds this piece.
    pub(super) holder: FileReference,
    /// Offset 24.
    pub(super) id: u16,
    pub(super) name: String,
}

/// An attribute, whole.
pub(super) enum Attribute {
    Resident(Vec<u8>),
    Mapped { mapped: Mapped, unit: u8, flags: u16 },
}

/// A stream of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name; empty for the content of the file itself.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

impl Ntfs {
    /// The entries of the record's attribute list; `None` when all attributes stand in the record.
    pub(super) fn list(&self, record: &Record) -> Result<Option<Vec<ListEntry>>, GuestFsError> {
        let Some(raw) = record.first(ATTRIBUTE_LIST, "")? else { return Ok(None) };
        let mut attribute = None;
        self.join(record.number, &mut attribute, raw)?;
        let Some(attribute) = attribute else { return Ok(None) };
        let content = self.stream(record.number, "attribute list", attribute)?;
        if content.len() > MAX_LIST {
            let (file, what) = (self.name(), "the attribute list");
            let found = content.len();
            return Err(GuestFsError::TooLarge { file, record: record.number, what, found, limit: MAX_LIST });
        }
        let list = bytes::read_vec(&*content, 0, content.len() as usize)?;
        let mut entries = Vec::new();
        let mut at = 0;
        while let Some(rest) = list.get(at..).filter(|rest| rest.len() >= 26) {
            let len = usize::from(le16(rest, 4));
            let name_at = usize::from(rest.get(7).copied().unwrap_or_default());
            let name_len = 2 * usize::from(rest.get(6).copied().unwrap_or_default());
            let name = if name_len == 0 { Some(&[][..]) } else { rest.get(name_at..name_at + name_len) };
            let (Some(name), true) = (name, len >= 26) else {
                let (file, offset, what) = (self.name(), at as u64, "an entry of the attribute list");
                let limit = list.len() as u64;
                return Err(GuestFsError::Outside { file, record: record.number, offset, what, limit });
            };
            let (kind, lowest, holder) = (le32(rest, 0), le64(rest, 8), FileReference(le64(rest, 16)));
            entries.push(ListEntry { kind, lowest, holder, id: le16(rest, 24), name: name_text(name) });
            at += len;
        }
        Ok(Some(entries))
    }

    /// The attribute of this kind and name, put together from all records of the file.
    pub(super) fn attribute(&self, record: &Record, kind: u32, name: &str) -> Result<Option<Attribute>, GuestFsError> {
        self.listed(record, self.list(record)?.as_deref(), (kind, name))
    }

    /// The same with the attribute list already read: a file may have thousands of streams.
    fn listed(
        &self,
        record: &Record,
        list: Option<&[ListEntry]>,
        (kind, name): (u32, &str),
    ) -> Result<Option<Attribute>, GuestFsError> {
        let mut whole = None;
        let Some(list) = list else {
            if let Some(raw) = record.first(kind, name)? {
                self.join(record.number, &mut whole, raw)?;
            }
            return Ok(whole);
        };
        let mut kept: Option<Record> = None;
        for entry in list.iter().filter(|entry| entry.kind == kind && entry.name == name) {
            let holder = if entry.holder.number() == record.number {
                record
            } else {
                match &mut kept {
                    Some(kept) if kept.number == entry.holder.number() => kept,
                    slot => slot.insert(self.extension(record, entry.holder)?),
                }
            };
            let raw = piece(holder, entry)?.ok_or_else(|| GuestFsError::Missing {
                file: self.name(),
                record: holder.number,
                what: format!("attribute {kind:#x} with the id {} that record {} lists there", entry.id, record.number),
            })?;
            self.join(record.number, &mut whole, raw)?;
        }
        Ok(whole)
    }

    /// A record that continues `base`.
    pub(super) fn extension(&self, base: &Record, holder: FileReference) -> Result<Record, GuestFsError> {
        let record = self.record(holder)?;
        if record.base.number() != base.number {
            return Err(GuestFsError::Stale {
                file: self.name(),
                record: holder.number(),
                expected: format!("a continuation of record {}", base.number),
                found: format!("one of record {}", record.base.number()),
            });
        }
        Ok(record)
    }

    /// Adds one piece to the attribute.
    pub(super) fn join(
        &self,
        number: u64,
        whole: &mut Option<Attribute>,
        raw: RawAttribute<'_>,
    ) -> Result<(), GuestFsError> {
        let segment = match (raw.body, &whole) {
            (RawBody::Resident(value), None) => {
                *whole = Some(Attribute::Resident(value.to_vec()));
                return Ok(());
            }
            (RawBody::Mapped(segment), _) => segment,
            (RawBody::Resident(_), Some(_)) => {
                return Err(self.wrong_runs(number, ("change to a value".into(), "more runs".into())));
            }
        };
        let target = whole.get_or_insert_with(|| {
            let mapped = Mapped { runs: Runs::default(), size: segment.size, initialized: segment.initialized };
            Attribute::Mapped { mapped, unit: segment.unit, flags: raw.flags }
        });
        match target {
            Attribute::Mapped { mapped, .. } => {
                mapped.runs.append(&segment, self.boot.clusters).map_err(|wrong| self.wrong_runs(number, wrong))
            }
            Attribute::Resident(_) => {
                Err(self.wrong_runs(number, ("follow a value".into(), "one or the other".into())))
            }
        }
    }

    fn wrong_runs(&self, record: u64, (found, expected): (String, String)) -> GuestFsError {
        GuestFsError::Runs { file: self.name(), record, found, expected }
    }

    /// The attribute's content as bytes; `label` is its name for messages.
    pub(super) fn stream(&self, record: u64, label: &str, attribute: Attribute) -> Result<SharedFile, GuestFsError> {
        let name = format!("{}, file record {record}, {label}", self.file.name());
        let (mapped, unit, flags) = match attribute {
            Attribute::Resident(value) => return Ok(Arc::new(MemoryFile::new(name, value))),
            Attribute::Mapped { mapped, unit, flags } => (mapped, unit, flags),
        };
        let unsupported = |found: String| GuestFsError::Unsupported { file: self.name(), record, found };
        if flags & ENCRYPTED != 0 {
            return Err(unsupported("encrypted (EFS)".to_owned()));
        }
        let covered = mapped.runs.end().saturating_mul(self.boot.cluster);
        if covered < mapped.size || mapped.initialized > mapped.size {
            let found = format!("cover {covered} bytes, {} of them written", mapped.initialized);
            return Err(self.wrong_runs(record, (found, format!("{} bytes", mapped.size))));
        }
        let packing = match flags & COMPRESSED {
            0 => Packing::Plain,
            1 => {
                let bytes = self.boot.cluster.checked_shl(u32::from(unit)).unwrap_or(0);
                if unit == 0 || bytes == 0 || bytes > MAX_UNIT || u32::from(unit) > 20 {
                    return Err(unsupported(format!("compressed in units of 2^{unit} clusters")));
                }
                Packing::Lznt1 { unit: bytes, last: Mutex::new(None) }
            }
            other => return Err(unsupported(format!("compressed by method {other}"))),
        };
        let (volume, cluster) = (self.file.clone(), self.boot.cluster);
        Ok(Arc::new(Stream { volume, name, record, cluster, mapped, packing }))
    }

    /// The streams of a file, the unnamed one included.
    pub fn streams(&self, reference: FileReference) -> Result<Vec<StreamInfo>, GuestFsError> {
        let record = self.base_record(reference)?;
        let mut names = Vec::new();
        let list = self.list(&record)?;
        match &list {
            Some(list) => names.extend(list.iter().filter(|entry| entry.kind == DATA).map(|entry| entry.name.clone())),
            None => {
                for attribute in record.attributes() {
                    let attribute = attribute?;
                    if attribute.kind == DATA {
                        names.push(attribute.name);
                    }
                }
            }
        }
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let size = |name: String| {
            let size = match self.listed(&record, list.as_deref(), (DATA, &name))? {
                Some(Attribute::Resident(value)) => value.len() as u64,
                Some(Attribute::Mapped { mapped, .. }) => mapped.size,
                None => 0,
            };
            Ok(StreamInfo { name, size })
        };
        names.into_iter().map(size).collect()
    }
}

/// The piece of an attribute that a list entry means.
pub(super) fn piece<'r>(holder: &'r Record, entry: &ListEntry) -> Result<Option<RawAttribute<'r>>, GuestFsError> {
    for attribute in holder.attributes() {
        let attribute = attribute?;
        let lowest = match &attribute.body {
            RawBody::Resident(_) => 0,
            RawBody::Mapped(segment) => segment.lowest,
        };
        if attribute.kind == entry.kind
            && attribute.id == entry.id
            && attribute.name == entry.name
            && lowest == entry.lowest
        {
            return Ok(Some(attribute));
        }
    }
    Ok(None)
}
