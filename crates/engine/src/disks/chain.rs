//! A chain written anew in another format, its layers kept.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use hvm_formats::disk::{Layer, SharedDisk};
use hvm_model::capabilities::DiskFormat;
use hvm_sources::single::{ChainOptions, open_disk_file};
use hvm_transfer::{ChainJob, Watch, keep_chain};
use serde::Serialize;

use crate::advice;
use crate::disks::described;
use crate::error::EngineError;
use crate::events::{Observer, Relay};

/// A chain that was converted layer by layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptDisk {
    /// BLAKE3 of the content of the leaf, 64 hex digits.
    pub content: String,
    /// The layers, the leaf first.
    pub layers: Vec<KeptFile>,
}

/// Where one layer went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptFile {
    /// The file that holds it.
    pub file: PathBuf,
    /// Name of the internal snapshot in a qcow2 file; none for its active state and for a file of one layer.
    pub snapshot: Option<String>,
    /// Bytes that the layer itself holds.
    pub bytes: u64,
}

/// Converts a chain and keeps its layers: `output` is the leaf, the parents lie beside it or, in qcow2, inside it. A
/// conversion that was cut off goes on when it is run again.
pub fn disk_keep_chain(
    (input, output): (&Path, &Path),
    format: DiskFormat,
    options: &ChainOptions,
    rate: Option<u64>,
    observer: &dyn Observer,
) -> Result<KeptDisk, EngineError> {
    let disk = open_disk_file(input, options)?;
    let (source, times) = (described(&disk, written), times(&disk));
    let relay = Relay::new(observer, input.display().to_string());
    let job = ChainJob { disk, source: &source, target: output, format, times: &times };
    let kept = keep_chain(&job, &Watch { rate, ..relay.watch() });
    let kept = kept.map_err(|error| advice::of_copy(error, (output, format), &*job.disk))?;
    let layers = kept.layers.into_iter();
    let layers = layers.map(|layer| KeptFile { file: layer.path, snapshot: layer.snapshot, bytes: layer.bytes });
    Ok(KeptDisk { content: kept.content.to_string(), layers: layers.collect() })
}

/// Time since 1970 at which the file of a layer was last written; nothing where the system does not say it.
fn written(layer: &Layer) -> Duration {
    let time = std::fs::metadata(&layer.name).and_then(|metadata| metadata.modified()).ok();
    time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default()
}

fn times(disk: &SharedDisk) -> Vec<u64> {
    disk.layers().iter().map(|layer| written(layer).as_secs()).collect()
}
