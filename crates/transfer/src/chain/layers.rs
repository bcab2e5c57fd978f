//! Writes one layer of a chain as a VHD or VHDX file under its hidden name.

use std::fs::File;
use std::path::{Path, PathBuf};

use hvm_formats::disk::child::{ChildWriter, create_child};
use hvm_formats::disk::write::{DiskWriter, Filling, GRANULE, NewDisk, Sectors, TargetFormat, create_with};
use hvm_formats::disk::{Holding, Layer, LayerRun};
use hvm_model::capabilities::DiskFormat;

use super::part::Part;
use super::{ChainJob, names};
use crate::copy::Watch;
use crate::error::TransferError;
use crate::progress::Stage;
use crate::target::failed;
use crate::throttle::Throttle;

/// Bytes that are read at once.
pub(super) const PIECE: u64 = 1 << 20;

/// A part of the source, walked run by run.
pub(super) struct Walk<'a> {
    part: Part<'a>,
    size: u64,
    watch: &'a Watch<'a>,
    throttle: Throttle,
}

impl<'a> Walk<'a> {
    pub(super) fn new(part: Part<'a>, watch: &'a Watch<'a>) -> Self {
        Walk { part, size: part.size(), watch, throttle: Throttle::new(watch.rate) }
    }

    /// Hands over all runs of the part in order, each of at most `most` bytes and none across a multiple of it.
    pub(super) fn each(
        &mut self,
        most: u64,
        mut take: impl FnMut(&mut Self, LayerRun) -> Result<(), TransferError>,
    ) -> Result<(), TransferError> {
        self.watch.progress.started(Stage::Copying, self.size);
        let mut at = 0;
        while at < self.size {
            let run = self.part.run(at)?;
            let end = (at + run.len).min(self.size);
            while at < end {
                if self.watch.cancel.is_cancelled() {
                    return Err(TransferError::Cancelled);
                }
                // Only data is worth cutting.
                let next = if run.holds == Holding::Data { end.min((at / most + 1) * most) } else { end };
                take(self, LayerRun { holds: run.holds, start: at, len: next - at })?;
                self.watch.progress.advanced(next - at);
                at = next;
            }
        }
        self.watch.progress.finished();
        Ok(())
    }

    /// Reads what the chain holds from this part down.
    pub(super) fn read(&mut self, start: u64, len: u64, buffer: &mut Vec<u8>) -> Result<(), TransferError> {
        buffer.resize(len as usize, 0);
        self.part.read(start, buffer)?;
        self.throttle.pass(len);
        Ok(())
    }
}

/// Writes layer number `layer`; the bytes that it holds.
pub(super) fn write(
    job: &ChainJob<'_>,
    (layer, paths): (usize, &[PathBuf]),
    partial: &Path,
    watch: &Watch<'_>,
) -> Result<u64, TransferError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true);
    let file = options.open(partial).map_err(TransferError::io("opened for writing", partial))?;
    let Some(source) = job.disk.layers().get(layer) else { return Ok(0) };
    let disk = new_disk(job, layer, source);
    let walk = Walk::new(Part::layer(&job.disk, layer), watch);
    match paths.get(layer + 1) {
        None => base(walk, create_with(file, &disk).map_err(failed(partial))?, partial),
        Some(parent) => {
            let written = (names::id(job, layer + 1), names::timestamp(job, layer + 1));
            let parent = names::recorded(job, layer + 1, parent, written);
            child(walk, create_child(file, &disk, &parent).map_err(failed(partial))?, partial)
        }
    }
}

fn new_disk(job: &ChainJob<'_>, layer: usize, source: &Layer) -> NewDisk {
    let fixed = names::base_is_fixed(job);
    let format = match job.format {
        DiskFormat::VhdFixed => TargetFormat::VhdFixed,
        DiskFormat::Vhd if fixed => TargetFormat::VhdFixed,
        DiskFormat::Vhd => TargetFormat::VhdDynamic,
        DiskFormat::VhdxFixed => TargetFormat::VhdxFixed,
        DiskFormat::Vhdx if fixed => TargetFormat::VhdxFixed,
        _ => TargetFormat::Vhdx,
    };
    let sectors = Sectors { logical: source.sector_size, physical: source.physical_sector_size };
    NewDisk {
        timestamp: names::timestamp(job, layer),
        filling: Filling::Sparse,
        sectors,
        ..NewDisk::new(source.virtual_size, format, names::id(job, layer))
    }
}

/// The base: everything but zeros. The writer takes whole granules, which may be cut by the runs of the source.
fn base(mut walk: Walk<'_>, mut writer: Box<dyn DiskWriter>, path: &Path) -> Result<u64, TransferError> {
    let (mut bytes, mut buffer, mut done) = (0, Vec::new(), 0);
    walk.each(PIECE, |walk, run| {
        if run.holds != Holding::Data {
            return Ok(());
        }
        let start = (run.start / GRANULE * GRANULE).max(done);
        let end = (run.start + run.len).next_multiple_of(GRANULE).min(walk.size);
        done = done.max(end);
        if start >= end {
            return Ok(());
        }
        walk.read(start, end - start, &mut buffer)?;
        for (at, granule) in (start..).step_by(GRANULE as usize).zip(buffer.chunks(GRANULE as usize)) {
            if granule.iter().any(|byte| *byte != 0) {
                writer.write(at, granule).map_err(failed(path))?;
                bytes += granule.len() as u64;
            }
        }
        Ok(())
    })?;
    writer.finish().map_err(failed(path))?;
    Ok(bytes)
}

/// A child: its own sectors, zeros where it says so, and nothing where it leaves them to its parent.
pub(super) fn child(mut walk: Walk<'_>, mut writer: Box<dyn ChildWriter>, path: &Path) -> Result<u64, TransferError> {
    let (mut bytes, mut buffer) = (0, Vec::new());
    walk.each(PIECE, |walk, run| {
        match run.holds {
            Holding::Absent => return Ok(()),
            Holding::Zero => writer.zero(run.start, run.len).map_err(failed(path))?,
            Holding::Data => {
                walk.read(run.start, run.len, &mut buffer)?;
                writer.write(run.start, &buffer).map_err(failed(path))?;
                bytes += run.len;
            }
        }
        Ok(())
    })?;
    writer.finish().map_err(failed(path))?;
    Ok(bytes)
}
