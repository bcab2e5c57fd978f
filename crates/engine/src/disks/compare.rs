//! Two disks side by side.

use std::path::Path;

use hvm_sources::single::{ChainOptions, open_disk_file};
use hvm_transfer::{Until, compare};
use serde::Serialize;

use crate::error::EngineError;
use crate::events::{Observer, Relay};

/// A range of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DiskRange {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

/// What came of comparing two disks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskComparison {
    /// True when both have the same size and content.
    pub same: bool,
    /// Size of the first disk, bytes.
    pub first_size: u64,
    /// Size of the second disk, bytes.
    pub second_size: u64,
    /// Offset of the first differing byte and its values in both; none when only the sizes differ.
    pub first_difference: Option<(u64, u8, u8)>,
    /// The ranges that differ, whole sectors.
    pub ranges: Vec<DiskRange>,
    /// Further ranges that are not listed.
    pub unlisted_ranges: u64,
    /// Bytes in all ranges that were found.
    pub bytes: u64,
}

/// Compares the contents of two disks, each with its parents.
pub fn disk_compare(
    (first, second): (&Path, &Path),
    options: &ChainOptions,
    until: Until,
    observer: &dyn Observer,
) -> Result<DiskComparison, EngineError> {
    let disks = (open_disk_file(first, options)?, open_disk_file(second, options)?);
    let relay = Relay::new(observer, first.display().to_string());
    let found = compare(&disks.0, &disks.1, until, &relay.watch())?;
    Ok(DiskComparison {
        same: found.is_same(),
        first_size: found.first_size,
        second_size: found.second_size,
        first_difference: found.first,
        ranges: found.ranges.iter().map(|&(start, length)| DiskRange { start, length }).collect(),
        unlisted_ranges: found.unlisted,
        bytes: found.bytes,
    })
}
