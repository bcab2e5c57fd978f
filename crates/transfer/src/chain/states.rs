//! Writes the layers of a chain as the states of one qcow2 file: the parents are internal snapshots, the leaf is the active
//! state. A cluster is larger than a sector: where a layer holds a part of one, the whole cluster becomes the state's own.

use std::fs::File;
use std::path::Path;

use hvm_formats::disk::Holding;
use hvm_formats::disk::write::GRANULE;
use hvm_formats::qcow2::{NewSnapshot, Packing, TreeWriter};
use hvm_model::capabilities::DiskFormat;

use super::layers::{PIECE, Walk};
use super::part::Part;
use super::{ChainJob, names};
use crate::copy::Watch;
use crate::error::TransferError;
use crate::target::failed;

/// What became of a layer, the leaf first: the name of its snapshot, and bytes written for it.
pub(super) type States = Vec<(Option<String>, u64)>;

/// Writes the file.
pub(super) fn write(job: &ChainJob<'_>, partial: &Path, watch: &Watch<'_>) -> Result<States, TransferError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true);
    let file = options.open(partial).map_err(TransferError::io("opened for writing", partial))?;
    let packing = if job.format == DiskFormat::Qcow2Zstd { Packing::Zstd } else { Packing::Plain };
    let mut writer = TreeWriter::new(file, packing).map_err(failed(partial))?;
    let (mut states, mut parent) = (States::new(), None);
    for (layer, source) in job.disk.layers().iter().enumerate().rev() {
        let snapshot = (layer > 0).then(|| snapshot(job, layer, &states));
        let name = snapshot.as_ref().map(|snapshot| snapshot.name.clone());
        parent = Some(writer.begin(parent, source.virtual_size, snapshot).map_err(failed(partial))?);
        let bytes = state(Walk::new(Part::layer(&job.disk, layer), watch), &mut writer, source.virtual_size, partial)?;
        writer.sync().map_err(failed(partial))?;
        states.insert(0, (name, bytes));
    }
    writer.finish().map_err(failed(partial))?;
    Ok(states)
}

/// Ids are numbers from 1 on, the base first. Names are those of the source's files, each once.
fn snapshot(job: &ChainJob<'_>, layer: usize, before: &States) -> NewSnapshot {
    let id = (before.len() + 1).to_string();
    let mut name = job.disk.layers().get(layer).map(names::stem).unwrap_or_default();
    if before.iter().any(|(other, _)| other.as_ref() == Some(&name)) {
        name = format!("{name} {id}");
    }
    let seconds = job.times.get(layer).copied().unwrap_or(0);
    NewSnapshot { id, name, date: (u32::try_from(seconds).unwrap_or(u32::MAX), 0) }
}

/// Writes what a layer holds; the bytes that were stored for it.
fn state(mut walk: Walk<'_>, writer: &mut TreeWriter, size: u64, path: &Path) -> Result<u64, TransferError> {
    let (mut bytes, mut buffer, mut done) = (0, Vec::new(), 0);
    walk.each(PIECE, |walk, run| {
        if run.holds == Holding::Absent {
            return Ok(());
        }
        let mut at = (run.start / GRANULE * GRANULE).max(done);
        let end = (run.start + run.len).next_multiple_of(GRANULE).min(size);
        done = done.max(end);
        while at < end {
            // Clusters that lie inside a run of zeros need not be read.
            let inside = if run.start + run.len >= size { size } else { (run.start + run.len) / GRANULE * GRANULE };
            if run.holds == Holding::Zero && at >= run.start && inside > at {
                writer.zero(at, inside - at).map_err(failed(path))?;
                at = inside;
                continue;
            }
            let next = (at + GRANULE).min(end);
            walk.read(at, next - at, &mut buffer)?;
            if buffer.iter().all(|byte| *byte == 0) {
                writer.zero(at, next - at).map_err(failed(path))?;
            } else {
                writer.write(at, &buffer).map_err(failed(path))?;
                bytes += next - at;
            }
            at = next;
        }
        Ok(())
    })?;
    Ok(bytes)
}
