//! QCOW2 disks after QEMU's `docs/interop/qcow2.txt`: version 3 written, plain, packed with zstd, or with internal snapshots;
//! versions 2 and 3 read without encryption, backing files and external data. `FORMAT.md` beside this file gives the layout and what is refused.

mod check;
mod clusters;
mod codec;
mod counts;
mod error;
mod header;
mod read;
mod refcount;
mod snapshots;
mod tree;
mod write;
mod write_packed;

pub(crate) use check::check;
pub use clusters::Packing;
pub use error::Qcow2Error;
pub use header::MAGIC;
pub use read::Qcow2Disk;
pub use snapshots::Snapshot;
pub use tree::{NewSnapshot, StateId, TreeWriter};
pub use write::Qcow2Writer;
pub use write_packed::PackedWriter;

use crate::disk::{DiskError, Layer};
use crate::io::SharedFile;

/// What the header of a qcow2 file says.
pub fn layer(file: &SharedFile) -> Result<Layer, DiskError> {
    Ok(header::Header::read(&**file)?.layer(&**file))
}

/// The internal snapshots of a qcow2 file, in the order of its table.
pub fn snapshots(file: &SharedFile) -> Result<Vec<Snapshot>, DiskError> {
    snapshots::read_table(&**file, &header::Header::read(&**file)?)
}

/// Where the packed cluster of a second-level entry lies (offset, length up to the end of its last sector). Bits 0 to x-1
/// are the offset, from x on how many further 512-byte sectors are touched; x = 62 - (bits - 8).
fn packed_place(entry: u64, cluster_bits: u32) -> (u64, u64) {
    let shift = 62u32.saturating_sub(cluster_bits.saturating_sub(8));
    let start = entry & ((1u64 << shift) - 1);
    let sectors = (entry & ((1u64 << 62) - 1)) >> shift;
    (start, (sectors + 1) * 512 - start % 512)
}
