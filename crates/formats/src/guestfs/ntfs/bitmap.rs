//! `$Bitmap`: which clusters are in use, read in pieces so that the size of the volume does not matter.

use super::Ntfs;
use super::attribute::{Attribute, DATA};
use super::record::FileReference;
use crate::guestfs::free::FreeRuns;
use crate::guestfs::{GuestFsError, bytes};
use crate::io::SharedFile;

/// Bytes of the bitmap that are read at once.
const PIECE: usize = 1 << 16;

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

impl Ntfs {
    /// Why the bitmap cannot be right: clusters that the system's own files hold are marked as free.
    pub(in crate::guestfs) fn bitmap_doubt(&self) -> Result<Option<String>, GuestFsError> {
        let bitmap = self.bitmap()?;
        for (number, name) in
            [(0, "$MFT"), (1, "$MFTMirr"), (2, "$LogFile"), (6, "$Bitmap"), (7, "$Boot"), (10, "$UpCase")]
        {
            let record = self.record(FileReference(number))?;
            let Some(Attribute::Mapped { mapped, .. }) = self.attribute(&record, DATA, "")? else { continue };
            for (start, clusters) in mapped.runs.stored() {
                if let Some(free) = bitmap.first_free(start, clusters)? {
                    return Ok(Some(format!("$Bitmap marks cluster {free} as free, which holds a part of {name}.")));
                }
            }
        }
        Ok(None)
    }
}

impl ClusterBitmap {
    /// The first free cluster in a run of clusters.
    fn first_free(&self, start: u64, clusters: u64) -> Result<Option<u64>, GuestFsError> {
        let end = start.saturating_add(clusters).min(self.clusters);
        let mut at = start;
        while at < end {
            let piece = bytes::read_some(&*self.bits, at / 8, PIECE)?;
            if piece.is_empty() {
                break;
            }
            let last = end.min((at / 8 + piece.len() as u64) * 8);
            let marked = |cluster: u64| {
                piece.get((cluster / 8 - at / 8) as usize).is_some_and(|byte| byte >> (cluster % 8) & 1 == 1)
            };
            if let Some(free) = (at..last).find(|cluster| !marked(*cluster)) {
                return Ok(Some(free));
            }
            at = last;
        }
        Ok(None)
    }

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
