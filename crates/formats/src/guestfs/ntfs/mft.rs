//! The file table: found by the boot sector, mapped by its own first record, which may go on in other records.

use std::sync::OnceLock;

use super::Ntfs;
use super::attribute::{Attribute, DATA, piece};
use super::boot;
use super::record::{FileReference, Record};
use super::runs::Runs;
use super::stream::{Mapped, Packing, Stream};
use crate::guestfs::{GuestFsError, bytes};
use crate::io::{ReadAt as _, SharedFile};

impl Ntfs {
    /// Opens the volume in `file`. When the boot sector or the first file record is damaged, its copy is used and a remark says so.
    pub fn open(file: SharedFile) -> Result<Ntfs, GuestFsError> {
        let (boot, remark) = boot::read(&*file)?;
        let mut remarks: Vec<String> = remark.into_iter().collect();
        if boot.size > file.len() {
            remarks.push(format!("The volume has {} bytes by its boot sector, {} are there.", boot.size, file.len()));
        }
        let table = Stream {
            name: format!("{}, file table", file.name()),
            volume: file.clone(),
            record: 0,
            cluster: boot.cluster,
            mapped: Mapped { runs: Runs::default(), size: 0, initialized: 0 },
            packing: Packing::Plain,
        };
        let mut ntfs = Ntfs { file, boot, table, remarks, upcase: OnceLock::new() };
        let first = ntfs.first_record()?;
        ntfs.map_table(&first)?;
        Ok(ntfs)
    }

    fn first_record(&mut self) -> Result<Record, GuestFsError> {
        let at = |cluster: u64| {
            let offset = cluster.saturating_mul(self.boot.cluster);
            let data = bytes::read_vec(&*self.file, offset, self.boot.record)?;
            let record = Record::parse(self.file.name(), 0, offset, data)?;
            record.first(DATA, "")?.map(|_| ()).ok_or_else(|| self.missing(0, "content of the file table"))?;
            Ok(record)
        };
        match at(self.boot.mft) {
            Ok(record) => Ok(record),
            Err(error) => {
                let record = at(self.boot.mirror).map_err(|_| GuestFsError::clone(&error))?;
                self.remarks.push(format!("The copy of the file table's first record was used: {error}"));
                Ok(record)
            }
        }
    }

    /// Maps the table piece by piece: each record that continues the map must lie in what is mapped before it.
    fn map_table(&mut self, first: &Record) -> Result<(), GuestFsError> {
        let raw = first.first(DATA, "")?.ok_or_else(|| self.missing(0, "content of the file table"))?;
        let mut whole = None;
        self.join(0, &mut whole, raw)?;
        match whole {
            Some(Attribute::Mapped { mapped, flags: 0, .. }) => self.table.mapped = mapped,
            _ => return Err(self.missing(0, "plain content of the file table in clusters")),
        }
        for entry in self.list(first)?.unwrap_or_default() {
            if entry.kind != DATA || !entry.name.is_empty() || entry.lowest == 0 {
                continue;
            }
            let holder = self.extension(first, entry.holder)?;
            let Some(raw) = piece(&holder, &entry)? else {
                return Err(self.missing(holder.number, "piece of the file table's map"));
            };
            let runs = std::mem::take(&mut self.table.mapped.runs);
            let mapped = Mapped { runs, size: self.table.mapped.size, initialized: self.table.mapped.initialized };
            let mut whole = Some(Attribute::Mapped { mapped, unit: 0, flags: 0 });
            self.join(0, &mut whole, raw)?;
            if let Some(Attribute::Mapped { mapped, .. }) = whole {
                self.table.mapped = mapped;
            }
        }
        let covered = self.table.mapped.runs.end().saturating_mul(self.boot.cluster);
        if covered < self.table.mapped.size {
            let expected = format!("{} bytes", self.table.mapped.size);
            let found = format!("cover {covered} bytes");
            return Err(GuestFsError::Runs { file: self.name(), record: 0, found, expected });
        }
        Ok(())
    }

    /// The record that `reference` means, in use and of the same sequence.
    pub(super) fn record(&self, reference: FileReference) -> Result<Record, GuestFsError> {
        let number = reference.number();
        let size = self.boot.record as u64;
        let offset = number.saturating_mul(size);
        if offset.saturating_add(size) > self.table.len() {
            return Err(self.missing(number, "such record in the file table"));
        }
        let data = bytes::read_vec(&self.table, offset, self.boot.record)?;
        let record = Record::parse(self.table.name(), number, offset, data)?;
        let stale = |expected: String, found: String| GuestFsError::Stale {
            file: self.name(),
            record: number,
            expected,
            found,
        };
        if !record.in_use() {
            return Err(stale("a record in use".to_owned(), "a free one".to_owned()));
        }
        if reference.sequence() != 0 && reference.sequence() != record.sequence {
            return Err(stale(format!("sequence {}", reference.sequence()), format!("sequence {}", record.sequence)));
        }
        Ok(record)
    }

    /// The first record of a file.
    pub(super) fn base_record(&self, reference: FileReference) -> Result<Record, GuestFsError> {
        let record = self.record(reference)?;
        if record.base.number() != 0 {
            return Err(GuestFsError::Stale {
                file: self.name(),
                record: record.number,
                expected: "the first record of a file".to_owned(),
                found: format!("a continuation of record {}", record.base.number()),
            });
        }
        Ok(record)
    }

    pub(super) fn missing(&self, record: u64, what: &str) -> GuestFsError {
        GuestFsError::Missing { file: self.name(), record, what: what.to_owned() }
    }
}
