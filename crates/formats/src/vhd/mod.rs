//! Virtual Hard Disk (VHD) files: fixed, dynamic and differencing, after the "Virtual Hard Disk Image Format
//! Specification" of 2006 and what files of Windows show. `FORMAT.md` beside this file gives the layout, what is refused
//! and what is a guess.

mod bitmap;
mod chain;
mod error;
mod footer;
mod header;
mod layer;
mod locator;
mod table;
mod write_dynamic;
mod write_fixed;

pub use chain::VhdDisk;
pub use error::VhdError;
pub use footer::MAX_SIZE;
pub(crate) use footer::has_mark;
pub use write_dynamic::VhdDynamicWriter;
pub use write_fixed::VhdFixedWriter;

use crate::disk::{DiskError, Layer};
use crate::io::SharedFile;

/// What the headers of one VHD file say; parents are not looked for.
pub fn layer(file: &SharedFile) -> Result<Layer, DiskError> {
    Ok(layer::VhdLayer::open(SharedFile::clone(file))?.info)
}
