//! The writer of a format, for the formats that a plan names.

use std::fs::File;
use std::path::Path;

use hvm_formats::disk::SharedDisk;
use hvm_formats::disk::write::{self, DiskWriter, Filling, NewDisk, Sectors, TargetFormat};
use hvm_model::capabilities::DiskFormat;

use crate::error::TransferError;
use crate::pipeline::{BLOCK, UNIT, runs};
use crate::sidecar::Piece;

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

/// Opens `path` for writing behind the pieces that are in it already.
pub(crate) fn writer(path: &Path, disk: &NewDisk, pieces: &[Piece]) -> Result<Box<dyn DiskWriter>, TransferError> {
    writer_behind(path, disk, (0..).zip(pieces.iter().map(|piece| piece.mask)))
}

/// Opens `path` for writing behind the blocks (number and mask, in order) that are in it already.
pub(crate) fn writer_behind(
    path: &Path,
    disk: &NewDisk,
    blocks: impl Iterator<Item = (u64, u16)>,
) -> Result<Box<dyn DiskWriter>, TransferError> {
    let mut options = File::options();
    // With no blocks the writer empties the file itself.
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path).map_err(TransferError::io("opened for writing", path))?;
    let mut written = blocks.flat_map(|(block, mask)| {
        runs(mask).flat_map(|(first, count)| first..first + count).map(move |unit| block * BLOCK + (unit * UNIT) as u64)
    });
    write::resume_with(file, disk, &mut written).map_err(failed(path))
}

/// For `map_err` on a writer.
pub(crate) fn failed(path: &Path) -> impl FnOnce(write::DiskWriteError) -> TransferError {
    let path = path.to_owned();
    move |source| TransferError::Target { path, source }
}
