//! The region tables (192 KiB and 256 KiB, 64 KiB each): where the block table and the metadata lie. Both are the same;
//! the second stands in when the first is damaged.

use crate::disk::DiskError;
use crate::disk::fields::{bytes_at, guid_le, le32, le64};

use super::header::{Header, check_structure, is_region};
use super::view::View;
use super::{REGION_TABLES, VhdxError};

const TABLE_LEN: usize = 64 << 10;
/// (64 KiB − 16) / 32.
const MAX_ENTRIES: u32 = 2047;
const SIGNATURE: [u8; 4] = *b"regi";
pub(super) const BAT: &str = "2dc27766-f623-4200-9d64-115e9bfd4a08";
pub(super) const METADATA: &str = "8b7ca206-4790-4b9a-b8fe-575f050f886e";

/// A range of the file that a structure takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    pub name: String,
    pub start: u64,
    pub len: u32,
}

impl Region {
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.len))
    }
}

/// The regions of a file.
#[derive(Debug)]
pub(super) struct Regions {
    pub bat: Region,
    pub metadata: Region,
    /// All of them and the log: no block can lie there.
    pub all: Vec<Region>,
}

/// Reads and checks the region table.
pub(super) fn read_regions(view: &View, header: &Header, remarks: &mut Vec<String>) -> Result<Regions, DiskError> {
    let (offset, bytes) = choose(view, remarks)?;
    let file = || view.name().to_owned();
    let mut all: Vec<Region> = Vec::new();
    if header.log_len > 0 {
        all.push(Region { name: "log".to_owned(), start: header.log_start, len: header.log_len });
    }
    let (mut bat, mut metadata) = (None, None);
    for index in 0..le32(&bytes, 8) as usize {
        let at = 16 + index * 32;
        let (entry, guid) = (offset + at as u64, guid_le(&bytes_at(&bytes, at)));
        let required = le32(&bytes, at + 28) & 1 == 1;
        let (name, slot) = match guid.as_str() {
            BAT => ("block table", Some(&mut bat)),
            METADATA => ("metadata", Some(&mut metadata)),
            _ if required => return Err(VhdxError::RegionUnknown { file: file(), offset: entry, guid }.into()),
            _ => {
                remarks.push(format!("The region {guid} is not known; it is not required."));
                (guid.as_str(), None)
            }
        };
        let region = Region { name: name.to_owned(), start: le64(&bytes, at + 16), len: le32(&bytes, at + 24) };
        check_region(view, entry, &region, &all)?;
        all.push(region.clone());
        if let Some(slot) = slot {
            *slot = Some(region);
        }
    }
    let missing = |region| VhdxError::RegionMissing { file: file(), offset, region };
    let bat = bat.ok_or_else(|| missing("block table"))?;
    let metadata = metadata.ok_or_else(|| missing("metadata"))?;
    Ok(Regions { bat, metadata, all })
}

fn check_region(view: &View, offset: u64, region: &Region, others: &[Region]) -> Result<(), VhdxError> {
    let file = || view.name().to_owned();
    let (name, start, len, limit) = (region.name.clone(), region.start, region.len, view.len());
    if others.iter().any(|other| other.name == name) {
        return Err(VhdxError::RegionTwice { file: file(), offset, region: name });
    }
    if !is_region(start, len, limit) {
        return Err(VhdxError::RegionPlace { file: file(), offset, region: name, start, len, limit });
    }
    match others.iter().find(|other| start < other.end() && other.start < region.end()) {
        None => Ok(()),
        Some(other) => {
            let other = other.name.clone();
            Err(VhdxError::RegionsOverlap { file: file(), offset, region: name, start, other })
        }
    }
}

/// The table that counts: its offset and bytes.
pub(super) fn choose(view: &View, remarks: &mut Vec<String>) -> Result<(u64, Vec<u8>), DiskError> {
    let [first, second] = REGION_TABLES;
    match (look(view, first)?, look(view, second)?) {
        (Ok(bytes), other) => {
            match other {
                Ok(other) if other == bytes => {}
                Ok(_) => remarks.push("The two region tables differ; the first was used.".to_owned()),
                Err(reason) => remarks.push(format!("The region table at offset {second} is damaged ({reason}).")),
            }
            Ok((first, bytes))
        }
        (Err(reason), Ok(bytes)) => {
            remarks.push(format!("The region table at offset {first} is damaged ({reason}); the other one was used."));
            Ok((second, bytes))
        }
        (Err(first), Err(second)) => {
            Err(VhdxError::NoRegionTable { file: view.name().to_owned(), first, second }.into())
        }
    }
}

/// The table at `offset`, or what is wrong with it as a part of a sentence.
pub(super) fn look(view: &View, offset: u64) -> Result<Result<Vec<u8>, String>, DiskError> {
    let mut bytes = vec![0; TABLE_LEN];
    view.read(offset, &mut bytes)?;
    let count = le32(&bytes, 8);
    Ok(match check_structure(&bytes, SIGNATURE) {
        Err(reason) => Err(reason),
        Ok(()) if count > MAX_ENTRIES => Err(format!("it has {count} entries, at most {MAX_ENTRIES} are possible")),
        Ok(()) => Ok(bytes),
    })
}
