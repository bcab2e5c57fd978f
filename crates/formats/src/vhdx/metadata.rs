//! The metadata region: a table of 64 KiB whose entries place the items behind it. No checksum covers it, so every value
//! is checked against what the format allows.

use crate::disk::DiskError;
use crate::disk::ParentRequest;
use crate::disk::fields::{bytes_at, guid_le, le16, le32, le64};

use super::region::Region;
use super::view::View;
use super::{MIB, VhdxError, locator};

/// The largest disk.
pub const MAX_SIZE: u64 = 64 << 40;
/// Offset of the first item that is possible, and length of the table.
const TABLE_LEN: u32 = 64 << 10;
/// (64 KiB − 32) / 32.
const MAX_ENTRIES: u16 = 2047;
const REQUIRED: u32 = 4;
const USER: u32 = 1;

/// The items that this reader knows: GUID, name, bytes that it needs at least.
pub(super) const ITEMS: [(&str, &str, u32); 7] = [
    ("caa16737-fa36-4d43-b3b6-33f0aa44e76b", "file parameters", 8),
    ("2fa54224-cd1b-4876-b211-5dbed83bf4b8", "virtual disk size", 8),
    ("beca12ab-b2e6-4523-93ef-c309e000c746", "virtual disk id", 16),
    ("8141bf1d-a96f-4709-ba47-f233a8faab5f", "logical sector size", 4),
    ("cda348c7-445d-4471-9cc9-e9885251c556", "physical sector size", 4),
    ("a8d35f2d-b30b-454d-abf7-d3d84834ab0c", "parent locator", 20),
    // Left behind where the program that made the file did not finish.
    ("71cc85f0-1b69-4e28-9558-c3bf83ae75d3", "incomplete file", 0),
];
/// The number of the parent locator in [`ITEMS`].
pub(super) const LOCATOR: usize = 5;
const INCOMPLETE: usize = 6;

/// What the metadata say of the disk.
#[derive(Debug)]
pub(super) struct Metadata {
    /// Bytes of guest data in a block.
    pub block_size: u32,
    /// File parameters, bit 0: blocks are never given back, which makes the disk a fixed one.
    pub leave_allocated: bool,
    /// Virtual size in bytes.
    pub size: u64,
    pub logical_sector: u32,
    pub physical_sector: u32,
    pub disk_id: [u8; 16],
    /// For differencing disks (file parameters, bit 1).
    pub parent: Option<ParentRequest>,
}

/// Where an item lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Offset of its entry in the file.
    entry: u64,
    /// Offset in the file.
    start: u64,
    len: u32,
}

/// Reads and checks all items.
pub(super) fn read_metadata(view: &View, region: &Region, remarks: &mut Vec<String>) -> Result<Metadata, DiskError> {
    let file = || view.name().to_owned();
    let places = read_table(view, region, remarks)?;
    if let Some(place) = places[INCOMPLETE] {
        return Err(VhdxError::Incomplete { file: file(), offset: place.entry }.into());
    }
    let item = |index: usize| {
        let missing = || VhdxError::ItemMissing { file: file(), offset: region.start, item: ITEMS[index].1 };
        places[index].ok_or_else(missing)
    };
    let fixed = |place: Place| -> Result<[u8; 16], DiskError> {
        let mut bytes = [0; 16];
        let len = place.len.min(16) as usize;
        view.read(place.start, &mut bytes[..len])?;
        Ok(bytes)
    };
    let (parameters, size_at, logical_at, physical_at) = (item(0)?, item(1)?, item(3)?, item(4)?);
    let (bits, size) = (fixed(parameters)?, le64(&fixed(size_at)?, 0));
    let block_size = le32(&bits, 0);
    let (logical_sector, physical_sector) = (le32(&fixed(logical_at)?, 0), le32(&fixed(physical_at)?, 0));
    if !block_size.is_power_of_two() || !(1 << 20..=256 << 20).contains(&block_size) {
        return Err(VhdxError::BlockSize { file: file(), offset: parameters.start, found: block_size }.into());
    }
    for (which, place, found) in [("logical", logical_at, logical_sector), ("physical", physical_at, physical_sector)] {
        if found != 512 && found != 4096 {
            return Err(VhdxError::SectorSize { file: file(), offset: place.start, which, found }.into());
        }
    }
    check_size(view.name(), size_at.start, size, logical_sector)?;
    let flags = le32(&bits, 4);
    if flags & !3 != 0 {
        remarks.push(format!("The file parameters have unknown flags ({flags:#010x})."));
    }
    let parent = if flags & 2 == 0 {
        None
    } else {
        let place = item(LOCATOR)?;
        Some(locator::read_locator(view, (place.start, place.len), remarks)?)
    };
    let disk_id = fixed(item(2)?)?;
    let leave_allocated = flags & 1 == 1;
    Ok(Metadata { block_size, leave_allocated, size, logical_sector, physical_sector, disk_id, parent })
}

fn check_size(name: &str, offset: u64, size: u64, sector: u32) -> Result<(), DiskError> {
    let file = || name.to_owned();
    if size == 0 {
        return Err(DiskError::EmptyDisk { file: file(), offset });
    }
    if size > MAX_SIZE {
        return Err(VhdxError::SizeTooLarge { file: file(), offset, size, limit: MAX_SIZE }.into());
    }
    if !size.is_multiple_of(u64::from(sector)) {
        return Err(VhdxError::SizeNotSectors { file: file(), offset, size, sector }.into());
    }
    Ok(())
}

/// The places of the known items, in the order of [`ITEMS`].
fn read_table(
    view: &View,
    region: &Region,
    remarks: &mut Vec<String>,
) -> Result<[Option<Place>; ITEMS.len()], DiskError> {
    let file = || view.name().to_owned();
    let mut table = vec![0; TABLE_LEN as usize];
    view.read(region.start, &mut table)?;
    if !table.starts_with(b"metadata") {
        let found = bytes_at::<8>(&table, 0).escape_ascii().to_string();
        return Err(VhdxError::MetadataMark { file: file(), offset: region.start, found }.into());
    }
    let count = le16(&table, 10);
    if count > MAX_ENTRIES {
        let offset = region.start + 10;
        return Err(VhdxError::MetadataCount { file: file(), offset, found: count, limit: MAX_ENTRIES }.into());
    }
    let mut places = [None; ITEMS.len()];
    for at in (0..usize::from(count)).map(|index| 32 + index * 32) {
        let (entry, guid, flags) = (region.start + at as u64, guid_le(&bytes_at(&table, at)), le32(&table, at + 24));
        let known = ITEMS.iter().position(|(id, _, _)| *id == guid).filter(|_| flags & USER == 0);
        let Some((index, place)) = known.and_then(|index| Some((index, places.get_mut(index)?))) else {
            if flags & REQUIRED != 0 {
                return Err(VhdxError::ItemUnknown { file: file(), offset: entry, guid }.into());
            }
            remarks.push(format!("The metadata item {guid} is not known; it is not required."));
            continue;
        };
        let (start, len) = (le32(&table, at + 16), le32(&table, at + 20));
        let found = check_place(view.name(), (entry, index), (start, len), region)?;
        if place.replace(found).is_some() {
            return Err(VhdxError::ItemTwice { file: file(), offset: entry, item: ITEMS[index].1 }.into());
        }
    }
    Ok(places)
}

fn check_place(
    name: &str,
    (entry, index): (u64, usize),
    (start, len): (u32, u32),
    region: &Region,
) -> Result<Place, VhdxError> {
    let file = || name.to_owned();
    let (_, item, expected) = ITEMS[index];
    if len < expected {
        return Err(VhdxError::ItemLength { file: file(), offset: entry, item, expected, found: len });
    }
    let end = u64::from(start) + u64::from(len);
    let limit = u64::from(region.len);
    // An item of no length has no place either.
    if len > 0 && (start < TABLE_LEN || end > limit || u64::from(len) > MIB) {
        return Err(VhdxError::ItemPlace { file: file(), offset: entry, item, start, len, limit });
    }
    Ok(Place { entry, start: region.start + u64::from(start), len })
}
