//! Converts a chain and keeps its layers: each file of the source becomes a file of its own (VHD, VHDX) or a state in one
//! file (qcow2). Files grow under hidden names; each layer is compared with its source before anything gets its final name,
//! parents first and the leaf last, so that there never is a leaf whose parent is missing.

mod child;
mod layers;
mod names;
mod part;
mod proof;
mod record;
mod states;

use std::path::{Path, PathBuf};

use hvm_formats::disk::SharedDisk;
use hvm_model::capabilities::DiskFormat;

use crate::copy::{Watch, partial_path};
use crate::digest::Digest;
use crate::error::TransferError;
use crate::io::{beside, remove_if_there, sync_folder};
pub(crate) use child::Beside;
pub use child::{ChildJob, copy_child};
use record::Record;

/// A chain to convert.
pub struct ChainJob<'a> {
    /// The leaf with its parents.
    pub disk: SharedDisk,
    /// What the source is (a fingerprint): files that were begun of another source are begun anew.
    pub source: &'a str,
    /// Final name of the leaf; the parents are written beside it.
    pub target: &'a Path,
    /// Format of the files. VHD and VHDX keep a fixed base fixed; the fixed formats make every base fixed.
    pub format: DiskFormat,
    /// When each layer was last written, the leaf first: seconds since 1970-01-01 UTC. For the dates of snapshots, and for
    /// the time stamps of VHDs that are not made from VHDs.
    pub times: &'a [u64],
}

/// A chain that was converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptChain {
    /// The layers, the leaf first.
    pub layers: Vec<KeptLayer>,
    /// BLAKE3 of the content of the leaf, as read from the result.
    pub content: Digest,
}

/// One layer of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLayer {
    /// The file that holds it.
    pub path: PathBuf,
    /// Name of the internal snapshot in a qcow2 file; `None` for its active state and for a file of one layer.
    pub snapshot: Option<String>,
    /// Bytes that the layer itself holds.
    pub bytes: u64,
}

/// Converts a chain. Nothing is overwritten; a run that was killed goes on behind the last layer that was complete.
pub fn keep_chain(job: &ChainJob<'_>, watch: &Watch<'_>) -> Result<KeptChain, TransferError> {
    match job.format {
        DiskFormat::Raw => Err(TransferError::Chain {
            reason: "a raw disk cannot leave sectors to a parent; choose vhd, vhdx or qcow2, or flatten the chain"
                .to_owned(),
        }),
        DiskFormat::Qcow2 | DiskFormat::Qcow2Zstd => one_file(job, watch),
        DiskFormat::Vhd | DiskFormat::VhdFixed | DiskFormat::Vhdx | DiskFormat::VhdxFixed => many_files(job, watch),
    }
}

/// All states in one qcow2 file.
fn one_file(job: &ChainJob<'_>, watch: &Watch<'_>) -> Result<KeptChain, TransferError> {
    refuse_existing(job.target)?;
    let partial = partial_path(job.target);
    remove_if_there(&partial)?;
    let states = states::write(job, &partial, watch)?;
    let content = proof::states(job, (&partial, &states), watch)?;
    finish(&partial, job.target)?;
    let layers = states.into_iter().map(|(snapshot, bytes)| KeptLayer { path: job.target.to_owned(), snapshot, bytes });
    Ok(KeptChain { layers: layers.collect(), content })
}

/// One file for each layer.
fn many_files(job: &ChainJob<'_>, watch: &Watch<'_>) -> Result<KeptChain, TransferError> {
    let paths = names::of_layers(job)?;
    let place = beside(job.target, ".chain");
    let key = record::key(job, &paths);
    let mut record = Record::load(&place)?.filter(|record| record.key == key).unwrap_or_else(|| Record::new(key));
    // What a complete run of this very job renamed before it was killed is its own; everything else is left alone.
    if !record.complete {
        paths.iter().try_for_each(|path| refuse_existing(path))?;
    }
    for layer in (0..paths.len()).rev() {
        if record.has(&paths, layer) {
            continue;
        }
        record.forget(paths.len() - 1 - layer);
        let partial = partial_path(&paths[layer]);
        remove_if_there(&partial)?;
        let bytes = layers::write(job, (layer, &paths), &partial, watch)?;
        record.note(&partial, bytes)?;
        record.save(&place)?;
    }
    let there: Vec<PathBuf> = paths.iter().map(|path| record::where_is(path)).collect();
    let content = proof::files(job, (&paths, &there), watch)?;
    record.complete = true;
    record.save(&place)?;
    for path in paths.iter().rev().filter(|path| partial_path(path).exists()) {
        finish(&partial_path(path), path)?;
    }
    remove_if_there(&place)?;
    sync_folder(&place)?;
    let layers = paths.into_iter().zip(record.bytes.iter().rev());
    let layers = layers.map(|(path, bytes)| KeptLayer { path, snapshot: None, bytes: *bytes });
    Ok(KeptChain { layers: layers.collect(), content })
}

/// Gives a complete file its final name, durably.
fn finish(partial: &Path, path: &Path) -> Result<(), TransferError> {
    refuse_existing(path)?;
    std::fs::rename(partial, path).map_err(TransferError::io("renamed into place", path))?;
    sync_folder(path)
}

fn refuse_existing(path: &Path) -> Result<(), TransferError> {
    match path.symlink_metadata() {
        Ok(_) => {
            let reason = "a file of that name is needed for the chain; choose another folder or name".to_owned();
            Err(TransferError::Exists { path: path.to_owned(), reason })
        }
        Err(_) => Ok(()),
    }
}
