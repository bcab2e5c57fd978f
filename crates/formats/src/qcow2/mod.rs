//! QCOW2 disks after QEMU's `docs/interop/qcow2.txt`: version 3 written, versions 2 and 3 read without encryption,
//! compression, backing files and external data. `FORMAT.md` beside this file gives the layout and what is refused.

mod check;
mod error;
mod header;
mod read;
mod refcount;
mod write;

pub(crate) use check::check;
pub use error::Qcow2Error;
pub use header::MAGIC;
pub use read::Qcow2Disk;
pub use write::Qcow2Writer;

use crate::disk::{DiskError, Layer};
use crate::io::SharedFile;

/// What the header of a qcow2 file says.
pub fn layer(file: &SharedFile) -> Result<Layer, DiskError> {
    Ok(header::Header::read(&**file)?.layer(&**file))
}
