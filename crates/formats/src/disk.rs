//! What every virtual disk looks like from outside, whatever its format: a size, extents, and positioned reads that
//! already see through the whole chain of parents. Parents are opened only through a [`ParentGate`] that the caller
//! passes in: a file never decides by itself what else is opened.

pub(crate) mod ahead;
mod append;
pub(crate) mod chain;
pub mod child;
mod error;
pub(crate) mod fields;
mod open;
pub(crate) mod placing;
mod stored;
pub mod write;

use std::sync::Arc;

pub use error::DiskError;
pub use open::{Checksums, Format, OpenOptions, ParentTime, detect, headers, headers_with, open, open_as, open_with};
pub(crate) use open::{check_range, read};
pub use stored::{Stored, StoredRun};

use crate::io::SharedFile;

/// A disk shared between threads.
pub type SharedDisk = Arc<dyn VirtualDisk>;

/// The most layers that a chain may have. Hyper-V itself stops far earlier (50 checkpoints a machine).
pub const MAX_LAYERS: usize = 64;

/// A virtual disk, read-only, with its parents resolved.
pub trait VirtualDisk: Send + Sync {
    /// Virtual size in bytes, as the guest sees it.
    fn size(&self) -> u64;
    /// Logical sector size in bytes: 512 or 4096.
    fn sector_size(&self) -> u32;
    /// The run from `offset` that has one answer over the whole chain; never empty for `offset < size`. A run of
    /// zeros is as long as it can be; a run of data may end early (after 64 MiB) so that no call walks a whole table.
    fn extent(&self, offset: u64) -> Result<Extent, DiskError>;
    /// Fills `buf` from the virtual `offset`; a range past the end is an error.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError>;
    /// The layers of the chain, the leaf first.
    fn layers(&self) -> &[Layer];
    /// What the layer with that number itself says of the run from `offset`, which lies inside that layer's disk; a run may
    /// end early. A disk of one layer has nothing but its extents.
    fn layer_run(&self, layer: usize, offset: u64) -> Result<LayerRun, DiskError> {
        no_layer(self, layer)?;
        let Extent { kind, start, len } = self.extent(offset)?;
        let holds = if kind == ExtentKind::Data { Holding::Data } else { Holding::Zero };
        Ok(LayerRun { holds, start, len })
    }
    /// Fills `buf` with what the disk would hold if the layer with that number were its leaf.
    fn read_from_layer(&self, layer: usize, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        no_layer(self, layer)?;
        self.read_at(offset, buf)
    }
    /// Where the run from `offset`, which lies inside the disk, is stored as it is, for at most `max` bytes.
    fn stored(&self, offset: u64, max: u64) -> Result<StoredRun, DiskError> {
        let _ = offset;
        Ok(StoredRun { place: None, len: max })
    }
    /// The file of the layer with that number; `None` where [`VirtualDisk::stored`] never names it.
    fn file(&self, layer: usize) -> Option<SharedFile> {
        let _ = layer;
        None
    }
}

/// Refuses any layer but the first.
fn no_layer<D: VirtualDisk + ?Sized>(disk: &D, layer: usize) -> Result<(), DiskError> {
    if layer == 0 {
        return Ok(());
    }
    let file = disk.layers().first().map(|layer| layer.name.clone()).unwrap_or_default();
    Err(DiskError::NoLayer { file, layer, layers: 1 })
}

/// What one layer of a chain says of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// It stores bytes (they may still be zeros).
    Data,
    /// Zeros, whatever its parent holds.
    Zero,
    /// Its parent's; zeros where there is none.
    Absent,
}

/// A run of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerRun {
    /// What the layer says.
    pub holds: Holding,
    /// First virtual byte.
    pub start: u64,
    /// Length in bytes, at least one.
    pub len: u64,
}

/// What a run of the virtual disk holds after the chain was resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtentKind {
    /// Bytes are stored in some layer (they may still be zeros).
    Data,
    /// No layer stores it: it reads as zeros.
    Zero,
}

/// A run of the virtual disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// What the run holds.
    pub kind: ExtentKind,
    /// First virtual byte.
    pub start: u64,
    /// Length in bytes, at least one.
    pub len: u64,
}

/// The container format and type of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerFormat {
    /// Plain sectors.
    Raw,
    /// VHD, all sectors stored in order.
    VhdFixed,
    /// VHD, blocks stored when written.
    VhdDynamic,
    /// VHD, blocks with a sector bitmap over a parent (`.vhd` or `.avhd`).
    VhdDifferencing,
    /// VHDX, all blocks stored.
    VhdxFixed,
    /// VHDX, blocks stored when written.
    VhdxDynamic,
    /// VHDX over a parent (`.vhdx` or `.avhdx`).
    VhdxDifferencing,
    /// QCOW2 version 2 or 3.
    Qcow2,
}

/// What the headers of one file of the chain say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Name of the file as opened (for messages).
    pub name: String,
    /// Container format.
    pub format: LayerFormat,
    /// Length of the file in bytes.
    pub file_size: u64,
    /// Virtual size in bytes by this layer's headers.
    pub virtual_size: u64,
    /// Bytes of the file that hold guest data: allocated blocks × block size; the whole content for fixed and raw;
    /// for qcow2 the length of the file, as only reading every table would give the exact figure.
    pub allocated: u64,
    /// Block or cluster size in bytes, 0 for fixed and raw.
    pub block_size: u32,
    /// Logical sector size in bytes: 512, or 4096 in some VHDX.
    pub sector_size: u32,
    /// Physical sector size that the guest is told, in bytes; 512 where the format does not say it.
    pub physical_sector_size: u32,
    /// The id by which children know this file, as a lower-case GUID: of a VHD the unique id (footer offset 68) in the
    /// byte order of the file, of a VHDX the data write GUID (header offset 32), which changes when the content is
    /// written to. Empty for raw and qcow2.
    pub unique_id: String,
    /// VHDX virtual disk id (metadata item BECA12AB), as a lower-case GUID; empty for other formats.
    pub disk_id: String,
    /// VHD footer time stamp: seconds since 2000-01-01 00:00:00 UTC; 0 for other formats.
    pub timestamp: u32,
    /// Creator application of the VHD footer (offset 28), trailing NULs and spaces removed, or of the VHDX file
    /// identifier (offset 8); empty for others.
    pub creator: String,
    /// The size that the VHD footer's cylinder/head/sector geometry gives, in bytes, where it differs from the current size.
    pub geometry_size: Option<u64>,
    /// The other fields of the headers, name and value, in the order in which the file has them.
    pub headers: Vec<(&'static str, String)>,
    /// What this layer says of its parent.
    pub parent: Option<ParentRequest>,
    /// Things that are not as the specification wants them but do not endanger the content, as whole sentences.
    pub remarks: Vec<String>,
}

/// What a differencing layer says of the parent that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParentRequest {
    /// Name of the child file.
    pub child: String,
    /// How many layers lie above the wanted parent; 1 for the parent of the leaf.
    pub depth: usize,
    /// The locators in the order in which they should be tried.
    pub locators: Vec<ParentLocator>,
    /// File name in the header (VHD dynamic header offset 64, UTF-16BE); of a VHDX the last part of the first path.
    pub name: String,
    /// The [`Layer::unique_id`] that the parent must have (VHDX: key `parent_linkage`).
    pub unique_id: String,
    /// A second id that the parent may have instead (VHDX: key `parent_linkage2`); empty when there is none.
    pub other_id: String,
    /// Time stamp that the child recorded for the parent, seconds since 2000-01-01 (VHD dynamic header offset 56).
    pub timestamp: u32,
}

/// One recorded path to the parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentLocator {
    /// Platform code as written: `W2ru` (relative), `W2ku` (absolute), `Wi2r`, `Wi2k`, `Mac `, `MacX`; of a VHDX the
    /// key: `relative_path`, `volume_path`, `absolute_win32_path`.
    pub platform: String,
    /// The decoded path.
    pub path: String,
}

/// Opens parents on behalf of a chain. The source decides which files may be reached at all.
pub trait ParentGate {
    /// The candidates for the wanted parent in the order in which they should be tried; the chain checks the identity of each and
    /// takes the first that fits. An empty list means that nothing was found.
    fn candidates(&self, request: &ParentRequest) -> Result<Vec<SharedFile>, GateError>;
}

/// A gate that opens nothing: for disks that must not have parents.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoParents;

impl ParentGate for NoParents {
    fn candidates(&self, _request: &ParentRequest) -> Result<Vec<SharedFile>, GateError> {
        Ok(Vec::new())
    }
}

/// The gate could not look for a parent.
#[derive(Debug, thiserror::Error)]
#[error("The parent disk '{wanted}' of '{child}' could not be looked for: {reason}")]
pub struct GateError {
    /// File that needs the parent.
    pub child: String,
    /// The parent's recorded name.
    pub wanted: String,
    /// What went wrong, a whole sentence.
    #[source]
    pub reason: Box<dyn std::error::Error + Send + Sync>,
}
