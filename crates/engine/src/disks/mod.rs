//! Single disk files: what they hold where, whether they are sound, proof that a copy is right, and access for other
//! programs.

mod chain;
mod check;
mod compare;
mod convert;
mod extents;
mod manifest;
mod serve;

pub use chain::{KeptDisk, KeptFile, disk_keep_chain};
pub use check::{DiskCheck, DiskFinding, disk_check};
pub use compare::{DiskComparison, DiskRange, disk_compare};
pub use convert::{Conversion, DiskConversion, LeftOut, SpareRoom, disk_convert};
pub use extents::{DiskExtent, DiskExtents, disk_extents};
pub use hvm_transfer::nbd::Listen;
pub use hvm_transfer::{Durability, Reflink, Until};
pub use manifest::{DiskDifference, DiskProof, ManifestInfo, NewKey, disk_manifest, disk_verify};
pub use serve::{DiskServer, disk_serve};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hvm_formats::disk::{Layer, SharedDisk};
use hvm_formats::io::{LocalFile, SharedFile};

use crate::error::EngineError;

/// The file of a disk itself, beside the disk that was opened of it.
pub(crate) fn plain(path: &Path) -> Result<SharedFile, EngineError> {
    let file = LocalFile::open(path, path.display().to_string()).map_err(EngineError::io("opened", path))?;
    Ok(Arc::new(file))
}

/// Names, unique ids, lengths and times of the files of a chain: what a cut conversion is told from one of a changed disk by, and what
/// the id of a new disk is made of. Names are written alike on every system, and times as exactly as Windows keeps them.
pub(crate) fn described(disk: &SharedDisk, time: impl Fn(&Layer) -> Duration) -> String {
    let describe = |layer: &Layer| {
        let name = if cfg!(windows) { layer.name.replace('\\', "/") } else { layer.name.clone() };
        format!("{name} {} {} {}\n", layer.unique_id, layer.file_size, time(layer).as_nanos() / 100)
    };
    disk.layers().iter().map(describe).collect()
}

/// Refuses two new files that would have one name: `(what, path)` each.
pub(crate) fn apart(
    (one, first): (&'static str, &Path),
    (other, second): (&'static str, &Path),
) -> Result<(), EngineError> {
    if place(first) == place(second) {
        return Err(EngineError::SameFile { one, other, path: first.to_owned() });
    }
    Ok(())
}

/// The path of a file that may not be there yet, its folder without links.
fn place(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.join(path.file_name().unwrap_or_default())
}
