//! Copies what lies above a parent as one differencing disk whose parent is a file that was copied before. So the layers of a
//! tree of checkpoints are copied once each, however many disks share them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hvm_formats::disk::child::{NewParent, create_child};
use hvm_formats::disk::{self, GateError, OpenOptions, ParentGate, ParentRequest, SharedDisk};
use hvm_formats::io::{LocalFile, SharedFile};
use hvm_model::capabilities::DiskFormat;

use super::layers::{self, Walk};
use super::names;
use super::part::Part;
use super::proof::{Below, compare};
use crate::content::DiskContent;
use crate::copy::{CopyJob, CopyOutcome, Watch, adopt, partial_path, publish, read_back, written_manifest};
use crate::error::TransferError;
use crate::hash::hashed;
use crate::io::remove_if_there;
use crate::progress::Stage;
use crate::share::Way;
use crate::target::{failed, new_disk};
use crate::tree::Tree;

/// One differencing disk to copy.
pub struct ChildJob<'a> {
    /// The disk as a whole: the leaf with its chain. Its format must be one of VHD or VHDX.
    pub copy: CopyJob<'a>,
    /// How many layers of the chain lie above the parent: at least one.
    pub above: usize,
    /// The copy of the parent, complete, in the folder of the target.
    pub parent: &'a Path,
    /// [`CopyJob::id`] with which the parent was copied.
    pub parent_id: [u8; 16],
}

/// Finds the parents of a disk beside it, by the file names that the children recorded.
pub(crate) struct Beside<'a>(pub(crate) &'a Path);

impl ParentGate for Beside<'_> {
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        let plain = !request.name.is_empty() && !request.name.contains(['/', '\\']);
        let path = self.0.with_file_name(&request.name);
        if !plain || path.symlink_metadata().is_err() {
            return Ok(Vec::new());
        }
        let failed = |error: TransferError| GateError {
            child: request.child.clone(),
            wanted: request.name.clone(),
            reason: Box::new(error),
        };
        let file = LocalFile::open(&path, path.display().to_string());
        let file = file.map_err(TransferError::io("opened", &path)).map_err(failed)?;
        Ok(vec![Arc::new(file) as SharedFile])
    }
}

/// Copies it. A file that has the final name already is accepted as [`crate::copy()`] does; a copy that was cut off is begun anew.
/// Every byte that the layers hold is read back and compared before the file gets its name; the manifest describes the content of
/// the whole disk, as read through the copies of its parents.
pub fn copy_child(job: &ChildJob<'_>, watch: &Watch<'_>) -> Result<CopyOutcome, TransferError> {
    let started = Instant::now();
    let copy = &job.copy;
    if copy.target.symlink_metadata().is_ok() {
        return adopt(copy, watch, started);
    }
    if job.above == 0 || job.above >= copy.disk.layers().len() {
        let reason = format!("'{}' has no layer that could stay its parent", Part::layer(&copy.disk, 0).name());
        return Err(TransferError::Chain { reason });
    }
    let partial = partial_path(copy.target);
    remove_if_there(&partial)?;
    let part = Part::above(&copy.disk, job.above);
    let bytes = write(job, part, &partial, watch)?;
    let result = open(&partial, copy.target, copy.format)?;
    compare((part, Part::layer(&result, 0)), Below::Parent, watch)?;
    let hashes = hashed(&DiskContent(result), (Tree::Manifest, Stage::Hashing), watch)?;
    let manifest = written_manifest(copy, hashes, Some(read_back(&partial, watch)?));
    if let Some(path) = copy.manifest {
        manifest.save(path)?;
    }
    publish(&partial, copy.target)?;
    Ok(CopyOutcome {
        manifest,
        bytes_read: bytes,
        bytes_written: bytes,
        seconds: started.elapsed().as_secs_f64(),
        resumed_from: 0,
        way: Way::default(),
    })
}

fn write(job: &ChildJob<'_>, part: Part<'_>, partial: &Path, watch: &Watch<'_>) -> Result<u64, TransferError> {
    let copy = &job.copy;
    let parent = open(job.parent, job.parent, copy.format)?;
    let timestamp = parent.layers().first().map_or(0, |layer| layer.timestamp);
    let name = names::name(job.parent);
    let parent = NewParent { id: job.parent_id, timestamp, relative: format!(".\\{name}"), absolute: None };
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true);
    let file = options.open(partial).map_err(TransferError::io("opened for writing", partial))?;
    let new = new_disk(&copy.disk, copy.format, copy.id);
    let writer = create_child(file, &new, &parent).map_err(failed(partial))?;
    layers::child(Walk::new(part, watch), writer, partial)
}

/// Opens the disk in `path`, whose parents lie beside `name`.
fn open(path: &Path, name: &Path, format: DiskFormat) -> Result<SharedDisk, TransferError> {
    let file = LocalFile::open(path, path.display().to_string()).map_err(TransferError::io("opened", path))?;
    let format = match format {
        DiskFormat::Vhd | DiskFormat::VhdFixed => disk::Format::Vhd,
        _ => disk::Format::Vhdx,
    };
    let options = OpenOptions { format: Some(format), ..OpenOptions::default() };
    Ok(disk::open_with(Arc::new(file) as SharedFile, &Beside(name), &options)?)
}
