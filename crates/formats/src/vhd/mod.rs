//! Virtual Hard Disk (VHD) files: fixed, dynamic and differencing, after the "Virtual Hard Disk Image Format
//! Specification" of 2006 and what files of Windows show. `FORMAT.md` beside this file gives the layout, what is refused
//! and what is a guess.

mod bitmap;
mod check;
mod describe;
mod error;
mod footer;
mod header;
mod layer;
mod locator;
mod table;
mod write_diff;
mod write_dynamic;
mod write_fixed;

pub(crate) use check::check;
pub use error::VhdError;
pub use footer::MAX_SIZE;
pub(crate) use footer::has_mark;
pub use write_diff::VhdChildWriter;
pub use write_dynamic::VhdDynamicWriter;
pub use write_fixed::VhdFixedWriter;

use std::sync::Arc;

use crate::disk::chain::{Chain, ChainLayer};
use crate::disk::{DiskError, Layer, OpenOptions, ParentGate, SharedDisk};
use crate::io::SharedFile;
use layer::VhdLayer;

/// Opens a VHD of any kind and, through `gate`, its parents.
pub fn open(file: SharedFile, gate: &dyn ParentGate, options: &OpenOptions) -> Result<SharedDisk, DiskError> {
    Ok(Arc::new(Chain::<VhdLayer>::open(file, gate, options)?))
}

/// What the headers of one VHD file say; parents are not looked for.
pub fn layer(file: &SharedFile, options: &OpenOptions) -> Result<Layer, DiskError> {
    Ok(VhdLayer::open(SharedFile::clone(file), options)?.info().clone())
}
