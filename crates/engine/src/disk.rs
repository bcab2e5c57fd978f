//! Work on a single disk file and its chain, without a host around it.

use std::path::Path;

use hvm_formats::disk::SharedDisk;
use hvm_model::capabilities::DiskFormat;
use hvm_model::names::ByteSize;
use hvm_sources::{ChainOptions, open_disk_file};
use hvm_transfer::{CopyJob, LayerNote};
use serde::Serialize;

use crate::error::EngineError;
use crate::events::{Observer, Relay};

/// What the headers of a disk and its parents say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiskInfo {
    /// Virtual size, bytes.
    pub virtual_size: ByteSize,
    /// Logical sector size, bytes.
    pub sector_size: u32,
    /// The chain, the leaf first.
    pub layers: Vec<DiskLayer>,
}

/// One file of a chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiskLayer {
    /// File name as opened.
    pub name: String,
    /// `raw`, `vhd-fixed`, `vhd-dynamic`, `vhd-differencing`, `qcow2`.
    pub format: String,
    /// Virtual size by this file's headers, bytes.
    pub virtual_size: ByteSize,
    /// Length of the file, bytes.
    pub file_size: ByteSize,
    /// Bytes that hold guest data.
    pub allocated: ByteSize,
    /// Block or cluster size, bytes; 0 for fixed and raw.
    pub block_size: u32,
    /// Unique id; empty where the format has none.
    pub unique_id: String,
    /// Program that wrote it, as the VHD footer names it.
    pub creator: String,
    /// Time stamp of the VHD footer, seconds since 2000-01-01 UTC.
    pub timestamp: u32,
    /// Size by the footer's geometry where it differs, bytes.
    pub geometry_size: Option<ByteSize>,
    /// Name of the parent as recorded.
    pub parent: Option<String>,
    /// Unique id that the parent must have.
    pub parent_id: Option<String>,
    /// Recorded paths to the parent: platform code and path.
    pub parent_paths: Vec<(String, String)>,
    /// Oddities that do not endanger the content.
    pub remarks: Vec<String>,
}

/// Reads the headers of a disk and its parents.
pub fn disk_info(path: &Path, options: &ChainOptions) -> Result<DiskInfo, EngineError> {
    let disk = open_disk_file(path, options)?;
    Ok(DiskInfo {
        virtual_size: ByteSize(disk.size()),
        sector_size: disk.sector_size(),
        layers: disk.layers().iter().map(layer).collect(),
    })
}

fn layer(layer: &hvm_formats::disk::Layer) -> DiskLayer {
    let parent = layer.parent.as_ref();
    let paths = parent.map(|parent| parent.locators.as_slice()).unwrap_or_default();
    DiskLayer {
        name: layer.name.clone(),
        format: LayerNote::of(layer).format,
        virtual_size: ByteSize(layer.virtual_size),
        file_size: ByteSize(layer.file_size),
        allocated: ByteSize(layer.allocated),
        block_size: layer.block_size,
        unique_id: layer.unique_id.clone(),
        creator: layer.creator.clone(),
        timestamp: layer.timestamp,
        geometry_size: layer.geometry_size.map(ByteSize),
        parent: parent.map(|parent| parent.name.clone()),
        parent_id: parent.map(|parent| parent.unique_id.clone()),
        parent_paths: paths.iter().map(|locator| (locator.platform.clone(), locator.path.clone())).collect(),
        remarks: layer.remarks.clone(),
    }
}

/// BLAKE3 of the virtual content, 64 hex digits: what `b3sum` prints for the raw disk.
pub fn disk_hash(path: &Path, options: &ChainOptions, observer: &dyn Observer) -> Result<String, EngineError> {
    let disk = open_disk_file(path, options)?;
    let relay = Relay::new(observer, path.display().to_string());
    let watch = relay.watch();
    Ok(hvm_transfer::hash(disk, watch.progress, watch.cancel)?.to_string())
}

/// Copies a disk, its chain flattened, to a new file of another format; the BLAKE3 of its virtual content. A conversion
/// that was cut off goes on when it is run again.
pub fn disk_convert(
    input: &Path,
    output: &Path,
    format: DiskFormat,
    options: &ChainOptions,
    observer: &dyn Observer,
) -> Result<String, EngineError> {
    let disk = open_disk_file(input, options)?;
    let source = modified(&disk);
    let relay = Relay::new(observer, input.display().to_string());
    let id = blake3::hash(source.as_bytes());
    let id = *id.as_bytes().first_chunk::<16>().expect("a BLAKE3 value has 32 bytes");
    let job = CopyJob { disk, source: &source, target: output, format, id, manifest: None };
    Ok(hvm_transfer::copy(&job, &relay.watch())?.manifest.content.to_string())
}

/// Names, lengths and times of the files of a chain, so that a cut conversion of a changed disk is begun anew.
fn modified(disk: &SharedDisk) -> String {
    let describe = |layer: &hvm_formats::disk::Layer| {
        let time = std::fs::metadata(&layer.name).and_then(|metadata| metadata.modified()).ok();
        let since = time.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
        format!("{} {} {} {}\n", layer.name, layer.unique_id, layer.file_size, since.as_nanos())
    };
    disk.layers().iter().map(describe).collect()
}
