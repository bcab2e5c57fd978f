//! `$Bitmap`: which clusters are in use, read in pieces so that the size of the volume does not matter.

use super::Ntfs;
use super::attribute::DATA;
use super::record::FileReference;
use crate::guestfs::GuestFsError;
use crate::guestfs::free::FreeRuns;
use crate::io::SharedFile;

/// The allocation of a volume.
pub struct ClusterBitmap {
    bits: SharedFile,
    /// Clusters of the volume.
    pub clusters: u64,
    /// Bytes a cluster.
    pub cluster: u64,
}

impl Ntfs {
    /// The bitmap of clusters.
    pub fn bitmap(&self) -> Result<ClusterBitmap, GuestFsError> {
        let record = self.record(FileReference(6))?;
        let attribute = self.attribute(&record, DATA, "")?.ok_or_else(|| self.missing(6, "bitmap of clusters"))?;
        let bits = self.stream(6, "$Bitmap", attribute)?;
        let needed = self.boot.clusters.div_ceil(8);
        if bits.len() < needed {
            let (expected, found) = (format!("{needed} bytes"), format!("hold {} bytes", bits.len()));
            return Err(GuestFsError::Runs { file: self.name(), record: 6, found, expected });
        }
        Ok(ClusterBitmap { bits, clusters: self.boot.clusters, cluster: self.boot.cluster })
    }
}

impl ClusterBitmap {
    /// The runs of free clusters in ascending order.
    pub fn free_runs(&self) -> FreeRuns {
        FreeRuns::new(self.bits.clone(), self.clusters)
    }

    /// Number of free clusters.
    pub fn free(&self) -> Result<u64, GuestFsError> {
        let mut free = 0;
        for run in self.free_runs() {
            let run = run?;
            free += run.end - run.start;
        }
        Ok(free)
    }
}
