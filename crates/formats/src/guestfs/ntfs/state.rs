//! Label, version and state of a volume. It counts as clean only when nothing says otherwise: its own flag, the restart
//! area of its log, and a hibernation file.

use super::attribute::{Attribute, DATA, VOLUME_INFORMATION, VOLUME_NAME};
use super::record::{FileReference, Place, fix, name_text};
use super::{DirEntry, Ntfs};
use crate::disk::fields::{le16, le32, le64};
use crate::guestfs::{GuestFsError, bytes};

const VOLUME: FileReference = FileReference(3);
const LOG_FILE: FileReference = FileReference(2);
/// Log client list without entry.
const NO_CLIENT: u16 = 0xFFFF;

/// What the files of the volume shadow copy service are named by.
const SHADOW_MARK: &str = "{3808876b-c176-4e48-b7ae-04046e6cc752}";

/// What the volume says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Label.
    pub label: String,
    /// Version of NTFS, such as (3, 1).
    pub version: (u8, u8),
    /// Flags as written: 1 dirty, 2 log to be resized, 4 to be upgraded, 0x8000 changed by chkdsk.
    pub flags: u16,
}

/// `$STANDARD_INFORMATION`.
const STANDARD_INFORMATION: u32 = 0x10;

impl Ntfs {
    /// FILETIME of the last change of a file's content, as its own record has it: 8 bytes at offset 8.
    pub fn modified(&self, reference: FileReference) -> Result<u64, GuestFsError> {
        let record = self.base_record(reference)?;
        match self.attribute(&record, STANDARD_INFORMATION, "")? {
            Some(Attribute::Resident(times)) if times.len() >= 16 => Ok(le64(&times, 8)),
            _ => Err(self.missing(record.number, "standard information")),
        }
    }

    /// Label, version and flags.
    pub fn volume(&self) -> Result<VolumeInfo, GuestFsError> {
        let record = self.record(VOLUME)?;
        let label = match self.attribute(&record, VOLUME_NAME, "")? {
            Some(Attribute::Resident(name)) => name_text(&name),
            _ => String::new(),
        };
        let Some(Attribute::Resident(info)) = self.attribute(&record, VOLUME_INFORMATION, "")? else {
            return Err(self.missing(3, "volume information"));
        };
        let (Some(&major), Some(&minor), true) = (info.get(8), info.get(9), info.len() >= 12) else {
            return Err(self.missing(3, "complete volume information"));
        };
        Ok(VolumeInfo { label, version: (major, minor), flags: le16(&info, 10) })
    }

    /// Why the volume may not be taken as it lies on the disk, as whole sentences; empty when it is clean.
    pub fn doubts(&self) -> Result<Vec<String>, GuestFsError> {
        let mut doubts = Vec::new();
        if self.volume()?.flags & 1 != 0 {
            doubts.push("The volume is marked as dirty.".to_owned());
        }
        if let Some(doubt) = self.log_doubt()? {
            doubts.push(doubt);
        }
        if self.hibernated()? {
            doubts.push("The system was hibernated, or shut down with fast start-up (hiberfil.sys).".to_owned());
        }
        Ok(doubts)
    }

    /// True when the volume was left in order by its last system.
    pub fn is_clean(&self) -> Result<bool, GuestFsError> {
        Ok(self.doubts()?.is_empty())
    }

    /// Number of shadow copies. The blocks of a file that was deleted after a shadow copy was made are free on the volume, but
    /// the shadow copy is read from there until something else is written to them.
    pub fn shadow_copies(&self) -> Result<u64, GuestFsError> {
        let Some(folder) = self.find("System Volume Information")?.filter(DirEntry::is_directory) else { return Ok(0) };
        let mut copies = 0;
        for entry in self.read_dir(folder.reference)? {
            let name = entry?.name.to_ascii_lowercase();
            // The catalog is named by the mark alone, each shadow copy by its own GUID and the mark.
            copies += u64::from(name.strip_suffix(SHADOW_MARK).is_some_and(|id| !id.is_empty()));
        }
        Ok(copies)
    }

    fn hibernated(&self) -> Result<bool, GuestFsError> {
        let Some(entry) = self.find("hiberfil.sys")? else { return Ok(false) };
        let content = self.open_file(entry.reference, "")?;
        let start = bytes::read_some(&*content, 0, 4)?;
        Ok(start.eq_ignore_ascii_case(b"hibr"))
    }

    fn log_doubt(&self) -> Result<Option<String>, GuestFsError> {
        let record = self.record(LOG_FILE)?;
        let attribute = self.attribute(&record, DATA, "")?.ok_or_else(|| self.missing(2, "log"))?;
        let log = self.stream(2, "$LogFile", attribute)?;
        let first = bytes::read_some(&*log, 0, 1 << 16)?;
        if first.iter().all(|byte| *byte == 0xFF) {
            return Ok(None);
        }
        let page = match le32(&first, 16) {
            page if page.is_power_of_two() && (512..=1 << 16).contains(&page) => page as usize,
            _ => 4096,
        };
        let mut newest: Option<Restart> = None;
        for offset in [0, page as u64] {
            let data = bytes::read_some(&*log, offset, page)?;
            if let Some(restart) = restart(log.name(), offset, data)
                && newest.as_ref().is_none_or(|newest| restart.sequence > newest.sequence)
            {
                newest = Some(restart);
            }
        }
        Ok(match newest {
            None => Some("The log has no restart area that can be read.".to_owned()),
            Some(restart) if restart.clients != NO_CLIENT && restart.flags & 2 == 0 => {
                Some("The log was not closed: the volume was in use, and changes may wait in the log.".to_owned())
            }
            Some(_) => None,
        })
    }
}

struct Restart {
    /// Offset 0 of the restart area: last sequence number.
    sequence: u64,
    /// Offset 12: list of clients in use.
    clients: u16,
    /// Offset 14: bit 1, the volume is clean.
    flags: u16,
}

fn restart(file: &str, offset: u64, mut page: Vec<u8>) -> Option<Restart> {
    let mark = if page.starts_with(b"CHKD") { "CHKD" } else { "RSTR" };
    if page.len() < 512 {
        return None;
    }
    fix(&Place { file, offset, what: "a restart page of the log".to_owned() }, mark, &mut page).ok()?;
    let area = page.get(usize::from(le16(&page, 24))..).filter(|area| area.len() >= 48)?;
    Some(Restart { sequence: le64(area, 0), clients: le16(area, 12), flags: le16(area, 14) })
}
