//! Compares each layer of a result, as read back from its file, with the same layer of the source. Together with the order
//! of the layers this proves every disk of the chain, and every byte that a layer holds is read only once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hvm_formats::disk::{self, GateError, Holding, OpenOptions, ParentGate, ParentRequest, SharedDisk};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_formats::qcow2::Qcow2Disk;

use super::ChainJob;
use super::layers::PIECE;
use super::names::name;
use super::part::Part;
use super::states::States;
use crate::copy::Watch;
use crate::digest::Digest;
use crate::error::TransferError;
use crate::hash::tree_hash;
use crate::progress::Stage;

/// Finds the files of the result by their final names, whatever they are called now.
struct Placed(HashMap<String, PathBuf>);

impl ParentGate for Placed {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        let Some(path) = self.0.get(&request.name) else { return Ok(Vec::new()) };
        let failed = |error: TransferError| GateError {
            child: request.child.clone(),
            wanted: request.name.clone(),
            reason: Box::new(error),
        };
        Ok(vec![open_file(path, &request.name).map_err(failed)?])
    }
}

fn open_file(path: &Path, name: &str) -> Result<SharedFile, TransferError> {
    Ok(Arc::new(LocalFile::open(path, name).map_err(TransferError::io("opened", path))?))
}

/// Compares a chain of files, which have the final names `paths` and lie at `there`; the hash of the leaf's content.
pub(super) fn files(
    job: &ChainJob<'_>,
    (paths, there): (&[PathBuf], &[PathBuf]),
    watch: &Watch<'_>,
) -> Result<Digest, TransferError> {
    let gate = Placed(paths.iter().map(|path| name(path)).zip(there.iter().cloned()).collect());
    let (Some(path), Some(leaf)) = (paths.first(), there.first()) else { return Err(differs(job, 0, 0)) };
    let format = match job.format {
        hvm_model::capabilities::DiskFormat::Vhd | hvm_model::capabilities::DiskFormat::VhdFixed => disk::Format::Vhd,
        _ => disk::Format::Vhdx,
    };
    let options = OpenOptions { format: Some(format), ..OpenOptions::default() };
    let result = disk::open_with(open_file(leaf, &name(path))?, &gate, &options)?;
    let layers = job.disk.layers().len();
    if result.layers().len() != layers {
        return Err(differs(job, result.layers().len().min(layers.saturating_sub(1)), 0));
    }
    for layer in 0..layers {
        let base = if layer + 1 == layers { Below::Nothing } else { Below::Parent };
        compare((Part::layer(&job.disk, layer), Part::layer(&result, layer)), base, watch)?;
    }
    tree_hash(result, watch)
}

/// Whether a layer has a parent: without one, zeros and what is not stored are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    Nothing,
    Parent,
}

/// Compares what a part of the source and one of the result hold themselves.
pub(super) fn compare(
    (source, result): (Part<'_>, Part<'_>),
    below: Below,
    watch: &Watch<'_>,
) -> Result<(), TransferError> {
    let len = source.size();
    if result.size() != len {
        return Err(differs_in(source.name(), len));
    }
    watch.progress.started(Stage::ReadingBack, len);
    let (mut one, mut other, mut at) = (Vec::new(), Vec::new(), 0);
    while at < len {
        if watch.cancel.is_cancelled() {
            return Err(TransferError::Cancelled);
        }
        let (wanted, found) = (source.run(at)?, result.run(at)?);
        let mut end = (at + wanted.len.min(found.len)).min(len);
        match (wanted.holds, found.holds) {
            (Holding::Data, _) | (_, Holding::Data) => {
                // Nothing stands for something else only where the layer leaves nothing to a parent.
                let left = wanted.holds == Holding::Absent || found.holds == Holding::Absent;
                if left && below == Below::Parent {
                    return Err(differs_in(source.name(), at));
                }
                end = end.min(at + PIECE);
                for (part, buffer) in [(source, &mut one), (result, &mut other)] {
                    buffer.resize((end - at) as usize, 0);
                    part.read(at, buffer)?;
                }
                if one != other {
                    return Err(differs_in(source.name(), at));
                }
            }
            (one, other) if one == other || below == Below::Nothing => {}
            _ => return Err(differs_in(source.name(), at)),
        }
        watch.progress.advanced(end - at);
        at = end;
    }
    watch.progress.finished();
    Ok(())
}

/// Compares the states of a qcow2 file: of each what its layer holds; the hash of the active state's content, which is
/// compared with the source's.
pub(super) fn states(
    job: &ChainJob<'_>,
    (path, states): (&Path, &States),
    watch: &Watch<'_>,
) -> Result<Digest, TransferError> {
    let file = || open_file(path, &name(job.target));
    for (layer, (snapshot, _)) in states.iter().enumerate().skip(1) {
        let Some(snapshot) = snapshot else { continue };
        compare_state(job, &(Arc::new(Qcow2Disk::open_snapshot(file()?, snapshot)?) as SharedDisk), layer, watch)?;
    }
    let active: SharedDisk = Arc::new(Qcow2Disk::open(file()?)?);
    compare_state(job, &active, 0, watch)?;
    let found = tree_hash(active, watch)?;
    if found != tree_hash(job.disk.clone(), watch)? {
        return Err(differs(job, 0, 0));
    }
    Ok(found)
}

fn compare_state(job: &ChainJob<'_>, state: &SharedDisk, layer: usize, watch: &Watch<'_>) -> Result<(), TransferError> {
    let len = job.disk.layers().get(layer).map_or(0, |layer| layer.virtual_size);
    if state.size() != len {
        return Err(differs(job, layer, len));
    }
    watch.progress.started(Stage::ReadingBack, len);
    let (mut one, mut other, mut at) = (Vec::new(), Vec::new(), 0);
    while at < len {
        if watch.cancel.is_cancelled() {
            return Err(TransferError::Cancelled);
        }
        let run = job.disk.layer_run(layer, at)?;
        let mut end = (at + run.len).min(len);
        if run.holds == Holding::Data {
            end = end.min(at + PIECE);
        }
        let zeros = run.holds == Holding::Zero && {
            let found = state.extent(at)?;
            found.kind == disk::ExtentKind::Zero && found.start + found.len >= end
        };
        if run.holds != Holding::Absent && !zeros {
            end = end.min(at + PIECE);
            one.resize((end - at) as usize, 0);
            other.resize((end - at) as usize, 0);
            job.disk.read_from_layer(layer, at, &mut one)?;
            state.read_at(at, &mut other)?;
            if one != other {
                return Err(differs(job, layer, at));
            }
        }
        watch.progress.advanced(end - at);
        at = end;
    }
    watch.progress.finished();
    Ok(())
}

fn differs(job: &ChainJob<'_>, layer: usize, offset: u64) -> TransferError {
    differs_in(Part::layer(&job.disk, layer).name(), offset)
}

fn differs_in(name: &str, offset: u64) -> TransferError {
    TransferError::Chain {
        reason: format!(
            "the copy of '{name}' reads back differently from virtual offset {offset} on; no file got its final name. Was the \
             source changed meanwhile? Run it again"
        ),
    }
}
