//! Virtual Hard Disk v2 (VHDX) files: fixed, dynamic and differencing, after \[MS-VHDX\]. `FORMAT.md` beside this file
//! gives the layout, what is refused and what is a guess. A log that was not applied is replayed in memory; the file is
//! never written to.

mod bat;
mod bitmap;
mod check;
mod check_table;
mod crc;
mod error;
mod faults;
mod header;
mod layer;
mod locator;
mod log;
mod metadata;
mod overlay;
mod pages;
mod region;
mod view;
mod write;
mod write_diff;
mod write_layout;

use std::sync::Arc;

pub(crate) use check::check;
pub use error::VhdxError;
pub(crate) use header::MAGIC;
pub use metadata::MAX_SIZE;
pub use write::{VhdxDynamicWriter, VhdxFixedWriter};
pub use write_diff::VhdxChildWriter;

use crate::disk::chain::{Chain, ChainLayer};
use crate::disk::{DiskError, Layer, OpenOptions, ParentGate, SharedDisk};
use crate::io::SharedFile;
use layer::VhdxLayer;

/// Everything but the headers is aligned to this.
const MIB: u64 = 1 << 20;
/// Offsets of the two region tables.
const REGION_TABLES: [u64; 2] = [192 << 10, 256 << 10];

/// Opens a VHDX of any kind and, through `gate`, its parents.
pub fn open(file: SharedFile, gate: &dyn ParentGate, options: &OpenOptions) -> Result<SharedDisk, DiskError> {
    Ok(Arc::new(Chain::<VhdxLayer>::open(file, gate, options)?))
}

/// What the headers of one VHDX file say; parents are not looked for.
pub fn layer(file: &SharedFile, options: &OpenOptions) -> Result<Layer, DiskError> {
    Ok(VhdxLayer::open(SharedFile::clone(file), options)?.info().clone())
}
