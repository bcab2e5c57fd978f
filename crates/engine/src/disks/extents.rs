//! Which runs of a disk hold data and which are zeros.

use std::path::Path;

use hvm_formats::disk::{ExtentKind, SharedDisk};
use hvm_sources::single::{ChainOptions, open_disk_file};
use serde::Serialize;

use crate::error::EngineError;

/// A run of a disk as the guest sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DiskExtent {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// True when some file of the chain stores it; false when it reads as zeros that nothing stores.
    pub data: bool,
}

/// The runs of a disk in order, without gaps; neighbours of one kind are joined.
pub struct DiskExtents {
    disk: SharedDisk,
    next: u64,
}

/// Opens a disk and its parents and lists its runs.
pub fn disk_extents(path: &Path, options: &ChainOptions) -> Result<DiskExtents, EngineError> {
    Ok(DiskExtents { disk: open_disk_file(path, options)?, next: 0 })
}

impl Iterator for DiskExtents {
    type Item = Result<DiskExtent, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next;
        let mut kind = None;
        while self.next < self.disk.size() {
            let run = match self.disk.extent(self.next) {
                Ok(run) => run,
                Err(error) => {
                    self.next = self.disk.size();
                    return Some(Err(error.into()));
                }
            };
            if kind.is_some_and(|kind| kind != run.kind) {
                break;
            }
            kind = Some(run.kind);
            self.next = run.start.saturating_add(run.len);
        }
        kind.map(|kind| Ok(DiskExtent { start, length: self.next - start, data: kind == ExtentKind::Data }))
    }
}
