//! NTFS 3.x, read-only and from bytes alone: file table, attributes, directories, streams, links, the bitmap of clusters and
//! the state of the volume. What is read, and what is refused, is in `FORMAT.md` of the folder above. Every length is
//! checked against what holds it, and every way through the tables is bounded.

mod attribute;
mod bitmap;
mod boot;
mod index;
mod lznt1;
mod mft;
mod record;
mod reparse;
mod runs;
mod state;
mod stream;

use std::cmp::Ordering;
use std::sync::OnceLock;

pub use attribute::StreamInfo;
pub use bitmap::ClusterBitmap;
pub use index::{DirEntry, ReadDir};
pub use record::FileReference;
pub use reparse::{Reparse, ReparseKind};
pub use state::VolumeInfo;

use super::bytes;
use crate::io::SharedFile;

/// An NTFS volume.
pub struct Ntfs {
    file: SharedFile,
    boot: boot::Boot,
    table: stream::Stream,
    remarks: Vec<String>,
    upcase: OnceLock<Vec<u16>>,
}

impl Ntfs {
    fn name(&self) -> String {
        self.file.name().to_owned()
    }

    /// What the operator should know, as whole sentences: copies that stood in for damaged structures.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Bytes a cluster.
    pub fn cluster_size(&self) -> u64 {
        self.boot.cluster
    }

    /// Clusters of the volume.
    pub fn clusters(&self) -> u64 {
        self.boot.clusters
    }

    /// Bytes of the volume by its boot sector, without the copy of that sector behind it.
    pub fn size(&self) -> u64 {
        self.boot.size
    }

    /// Volume serial number.
    pub fn serial(&self) -> u64 {
        self.boot.serial
    }

    /// Compares names as the index of a directory is sorted: unit by unit in upper case.
    fn compare(&self, left: &[u16], right: &[u16]) -> Ordering {
        let table = self.upcase.get_or_init(|| self.upcase_table().unwrap_or_else(usual_upcase));
        let upper = |unit: &u16| table.get(usize::from(*unit)).copied().unwrap_or(*unit);
        left.iter().map(upper).cmp(right.iter().map(upper))
    }

    /// The table of upper case of the volume itself (`$UpCase`).
    fn upcase_table(&self) -> Option<Vec<u16>> {
        let record = self.record(FileReference(10)).ok()?;
        let attribute = self.attribute(&record, attribute::DATA, "").ok()??;
        let content = self.stream(10, "$UpCase", attribute).ok()?;
        let bytes =
            bytes::read_vec(&*content, 0, usize::try_from(content.len()).ok().filter(|len| *len == 1 << 17)?).ok()?;
        Some(bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect())
    }
}

/// Upper case by Unicode, where one unit becomes one unit.
fn usual_upcase() -> Vec<u16> {
    let upper = |unit: u16| {
        let mut upper = char::from_u32(unit.into())?.to_uppercase();
        u16::try_from(u32::from(upper.next()?)).ok().filter(|_| upper.next().is_none())
    };
    (0..=u16::MAX).map(|unit| upper(unit).unwrap_or(unit)).collect()
}
