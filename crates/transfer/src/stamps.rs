//! Whether the files of a disk are still what they were when a copy of it began: a machine that runs writes to its disks.

use std::time::SystemTime;

use hvm_formats::disk::SharedDisk;

use crate::error::TransferError;

/// Length and time of the last change of each file of a chain; none where that cannot be asked.
pub(crate) struct Stamps(Vec<Option<(u64, Option<SystemTime>)>>);

impl Stamps {
    pub(crate) fn of(disk: &SharedDisk) -> Self {
        Stamps((0..disk.layers().len()).map(|layer| stamp(disk, layer)).collect())
    }

    /// An error that names the first file of which that is not so.
    pub(crate) fn hold(&self, disk: &SharedDisk) -> Result<(), TransferError> {
        let changed = self.0.iter().enumerate().find(|(layer, before)| **before != stamp(disk, *layer));
        match changed.and_then(|(layer, _)| disk.layers().get(layer)) {
            Some(layer) => Err(TransferError::SourceChanged { file: layer.name.clone() }),
            None => Ok(()),
        }
    }
}

#[cfg(unix)]
fn stamp(disk: &SharedDisk, layer: usize) -> Option<(u64, Option<SystemTime>)> {
    let file = disk.file(layer)?;
    let file = std::fs::File::from(file.handle()?.try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

#[cfg(not(unix))]
fn stamp(_disk: &SharedDisk, _layer: usize) -> Option<(u64, Option<SystemTime>)> {
    None
}
