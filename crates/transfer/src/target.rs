//! The writer of a format, for the formats that a plan names.

use std::fs::File;
use std::path::Path;

use hvm_formats::disk::SharedDisk;
use hvm_formats::disk::write::{self, DiskWriter, Filling, NewDisk, Sectors, TargetFormat};
use hvm_model::capabilities::DiskFormat;

use crate::error::TransferError;
use crate::mask::UNIT;
use crate::pipeline::BLOCK;
use crate::streamlog::Entry;

/// What is to be written. The time stamp of a VHD is that of the source, so that two runs give the same bytes.
pub(crate) fn new_disk(disk: &SharedDisk, format: DiskFormat, id: [u8; 16]) -> NewDisk {
    let format = match format {
        DiskFormat::Raw => TargetFormat::Raw,
        DiskFormat::VhdFixed => TargetFormat::VhdFixed,
        DiskFormat::Vhd => TargetFormat::VhdDynamic,
        DiskFormat::VhdxFixed => TargetFormat::VhdxFixed,
        DiskFormat::Vhdx => TargetFormat::Vhdx,
        DiskFormat::Qcow2 => TargetFormat::Qcow2,
        DiskFormat::Qcow2Zstd => TargetFormat::Qcow2Zstd,
    };
    let timestamp = disk.layers().first().map_or(0, |leaf| leaf.timestamp);
    let physical = disk.layers().first().map_or(512, |leaf| leaf.physical_sector_size);
    let sectors = Sectors { logical: disk.sector_size(), physical };
    NewDisk { size: disk.size(), format, id, timestamp, filling: Filling::Sparse, sectors }
}

/// Opens `path` for writing behind the blocks that are in it already.
pub(crate) fn writer(
    path: &Path,
    disk: &NewDisk,
    entries: impl Iterator<Item = std::io::Result<Entry>>,
) -> Result<Box<dyn DiskWriter>, TransferError> {
    let mut options = File::options();
    // With no blocks the writer empties the file itself.
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path).map_err(TransferError::io("opened for writing", path))?;
    let mut unreadable = None;
    let whole = entries.map_while(|entry| entry.map_err(|error| unreadable = Some(error)).ok());
    let mut written = whole.flat_map(|entry| {
        let units = (0..16).filter(move |unit| entry.units >> unit & 1 == 1);
        units.map(move |unit| entry.block * BLOCK + unit * UNIT as u64)
    });
    let writer = write::resume_with(file, disk, &mut written).map_err(failed(path))?;
    match unreadable {
        Some(error) => Err(TransferError::io("read", path)(error)),
        None => Ok(writer),
    }
}

/// For `map_err` on a writer.
pub(crate) fn failed(path: &Path) -> impl FnOnce(write::DiskWriteError) -> TransferError {
    let path = path.to_owned();
    move |source| TransferError::Target { path, source }
}
