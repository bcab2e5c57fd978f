//! Work on a single disk file and its chain, without a host around it.

use std::collections::BTreeMap;
use std::path::Path;

use hvm_formats::disk::{DiskError, OpenOptions, SharedDisk, headers_with};
use hvm_formats::guestfs::{DiskContents, inspect};
use hvm_model::names::{ByteSize, WindowsPath};
use hvm_sources::error::SourceError;
use hvm_sources::{ChainOptions, open_disk_file};
use hvm_transfer::LayerNote;
use serde::Serialize;

use crate::disks::plain;
use crate::error::EngineError;
use crate::events::{Observer, Relay};
use crate::{hints, origin};

/// 2000-01-01 00:00:00 UTC, from which VHD counts, in seconds since 1970.
const VHD_EPOCH: i64 = 946_684_800;

/// Whether only the headers of a disk are read, or what is in it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The headers of the disk and its parents.
    Headers,
    /// Partitions, file systems and operating systems too.
    Contents,
}

/// What the headers of a disk and its parents say, and what is in it.
#[derive(Debug, Clone, Serialize)]
pub struct DiskInfo {
    /// Virtual size, bytes.
    pub virtual_size: ByteSize,
    /// Logical sector size, bytes.
    pub sector_size: u32,
    /// The chain, the leaf first; only the leaf when the chain cannot be opened.
    pub layers: Vec<DiskLayer>,
    /// Why the disk cannot be read with its parents; none when it can.
    pub unreadable: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
    /// What is in it; none when only the headers were wanted or the disk cannot be read.
    pub contents: Option<DiskContents>,
}

/// One file of a chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiskLayer {
    /// File name as opened.
    pub name: String,
    /// `raw`, `vhd-fixed`, `vhd-dynamic`, `vhd-differencing`, `vhdx-fixed`, `vhdx-dynamic`, `vhdx-differencing`, `qcow2`.
    pub format: String,
    /// Virtual size by this file's headers, bytes.
    pub virtual_size: ByteSize,
    /// Length of the file, bytes.
    pub file_size: ByteSize,
    /// Bytes that hold guest data.
    pub allocated: ByteSize,
    /// Block or cluster size, bytes; 0 for fixed and raw.
    pub block_size: u32,
    /// Logical sector size, bytes.
    pub sector_size: u32,
    /// Physical sector size that the guest is told, bytes.
    pub physical_sector_size: u32,
    /// Unique id, by which children know the file; of a VHDX it changes with the content. Empty where the format has none.
    pub unique_id: String,
    /// Id of the virtual disk (VHDX); empty for other formats.
    pub disk_id: String,
    /// Program that wrote it, as the VHD footer names it.
    pub creator: String,
    /// Time stamp of the VHD footer, seconds since 2000-01-01 UTC.
    pub timestamp: u32,
    /// That time as ISO 8601; none where there is none.
    pub time: Option<String>,
    /// Size by the footer's geometry where it differs, bytes.
    pub geometry_size: Option<ByteSize>,
    /// Name of the parent as recorded.
    pub parent: Option<String>,
    /// Unique id that the parent must have.
    pub parent_id: Option<String>,
    /// A second id that the parent may have instead (VHDX).
    pub parent_other_id: Option<String>,
    /// Time stamp that the child recorded for the parent, seconds since 2000-01-01 UTC; 0 when there is none.
    pub parent_timestamp: u32,
    /// That time as ISO 8601; none where there is none.
    pub parent_time: Option<String>,
    /// The other fields of the headers.
    pub headers: BTreeMap<&'static str, String>,
    /// Recorded paths to the parent: platform code and path.
    pub parent_paths: Vec<(String, String)>,
    /// Oddities that do not endanger the content.
    pub remarks: Vec<String>,
}

/// Reads the headers of a disk and its parents and, where wanted, looks into it. Of a disk whose chain cannot be opened the
/// headers of the file itself are told, if they can be read.
pub fn disk_info(path: &Path, options: &ChainOptions, depth: Depth) -> Result<DiskInfo, EngineError> {
    let error = match open_disk_file(path, options) {
        Ok(disk) => {
            let (virtual_size, sector_size) = (ByteSize(disk.size()), disk.sector_size());
            let layers = disk.layers().iter().map(layer).collect();
            let contents = (depth == Depth::Contents).then(|| inspect(disk));
            return Ok(DiskInfo { virtual_size, sector_size, layers, unreadable: None, hint: None, contents });
        }
        Err(SourceError::Disk(error)) => error,
        Err(error) => return Err(error.into()),
    };
    let how = OpenOptions { format: None, checksums: options.checksums, parent_time: options.parent_time };
    let Some(leaf) = alone(&error).then(|| headers_with(&plain(path).ok()?, &how).ok()).flatten() else {
        return Err(SourceError::Disk(error).into());
    };
    Ok(DiskInfo {
        virtual_size: ByteSize(leaf.virtual_size),
        sector_size: leaf.sector_size,
        layers: vec![layer(&leaf)],
        unreadable: Some(error.to_string()),
        hint: hints::of_disk(&error).map(str::to_owned),
        contents: None,
    })
}

/// True when the fault lies in the chain, so that the headers of the file itself may still be read.
fn alone(error: &DiskError) -> bool {
    matches!(
        error,
        DiskError::Gate(_)
            | DiskError::MissingParent { .. }
            | DiskError::WrongParent { .. }
            | DiskError::ParentChanged { .. }
            | DiskError::Cycle { .. }
            | DiskError::TooDeep { .. }
    )
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
        sector_size: layer.sector_size,
        physical_sector_size: layer.physical_sector_size,
        unique_id: layer.unique_id.clone(),
        disk_id: layer.disk_id.clone(),
        creator: layer.creator.clone(),
        timestamp: layer.timestamp,
        time: time(layer.timestamp),
        geometry_size: layer.geometry_size.map(ByteSize),
        parent: parent.map(|parent| parent.name.clone()),
        parent_id: parent.map(|parent| parent.unique_id.clone()),
        parent_other_id: parent.map(|parent| parent.other_id.clone()).filter(|id| !id.is_empty()),
        parent_timestamp: parent.map_or(0, |parent| parent.timestamp),
        parent_time: parent.and_then(|parent| time(parent.timestamp)),
        headers: layer.headers.iter().cloned().collect(),
        parent_paths: paths.iter().map(|locator| (locator.platform.clone(), locator.path.clone())).collect(),
        remarks: layer.remarks.clone(),
    }
}

/// A time stamp of a VHD; 0 means that there is none.
fn time(stamp: u32) -> Option<String> {
    let time = jiff::Timestamp::from_second(VHD_EPOCH + i64::from(stamp)).ok()?;
    (stamp > 0).then(|| time.to_string())
}

/// Which value of a content is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashKind {
    /// BLAKE3: what `b3sum` prints for the raw disk.
    Plain,
    /// The value that manifests and reports give.
    Tree,
}

/// The value of the virtual content, 64 hex digits.
pub fn disk_hash(
    path: &Path,
    kind: HashKind,
    options: &ChainOptions,
    observer: &dyn Observer,
) -> Result<String, EngineError> {
    hash_of(open_disk_file(path, options)?, path.display().to_string(), kind, observer)
}

/// The same of a disk of a source, by its path on the old host; its parents are looked for there.
pub fn source_disk_hash(
    uri: &str,
    path: &WindowsPath,
    kind: HashKind,
    observer: &dyn Observer,
) -> Result<String, EngineError> {
    let disk = origin::open(uri, observer)?.open_disk(path)?;
    hash_of(disk, path.to_string(), kind, observer)
}

fn hash_of(disk: SharedDisk, name: String, kind: HashKind, observer: &dyn Observer) -> Result<String, EngineError> {
    let relay = Relay::new(observer, name);
    let value = match kind {
        HashKind::Plain => hvm_transfer::hash(disk, &relay.watch())?,
        HashKind::Tree => hvm_transfer::tree_hash(disk, &relay.watch())?,
    };
    Ok(value.to_string())
}
