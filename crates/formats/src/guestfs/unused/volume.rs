//! The free ranges of one volume, told only when the volume was left in order and nothing contradicts them.

use std::ops::Range;

use crate::guestfs::ext::{Ext, ExtFreeRuns};
use crate::guestfs::free::FreeRuns;
use crate::guestfs::ntfs::Ntfs;
use crate::guestfs::recognise::{FsKind, recognise};
use crate::guestfs::{FreeSpaceError, GuestFsError};
use crate::io::SharedFile;

enum Units {
    Ntfs(FreeRuns),
    Ext(ExtFreeRuns),
}

/// The free ranges of a clean volume, in bytes from its start, in ascending order; an error ends them.
pub struct FreeSpace {
    unit: u64,
    label: String,
    runs: Units,
}

impl FreeSpace {
    /// Of the NTFS or ext volume in `bytes`. Refused unless the volume was left in order.
    pub fn open(bytes: SharedFile) -> Result<FreeSpace, FreeSpaceError> {
        let file = bytes.name().to_owned();
        let found = recognise(&*bytes);
        let (free, doubts) = match found.kind {
            FsKind::Ntfs => of_ntfs(bytes)?,
            FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4 => {
                let ext = Ext::open(bytes)?;
                let runs = Units::Ext(ext.free_runs()?);
                let doubts = ext.doubts().into_iter().chain(ext.excess()).collect();
                (FreeSpace { unit: ext.block_size(), label: found.label, runs }, doubts)
            }
            kind => return Err(FreeSpaceError::Unknown { file, kind }),
        };
        if doubts.is_empty() { Ok(free) } else { Err(FreeSpaceError::NotClean { file, doubts }) }
    }

    /// Bytes of a cluster or block.
    pub fn unit(&self) -> u64 {
        self.unit
    }

    /// Label of the volume.
    pub fn label(&self) -> &str {
        &self.label
    }
}

fn of_ntfs(bytes: SharedFile) -> Result<(FreeSpace, Vec<String>), GuestFsError> {
    let ntfs = Ntfs::open(bytes)?;
    let mut doubts = ntfs.remarks().to_vec();
    doubts.extend(ntfs.doubts()?);
    if doubts.is_empty() {
        let shadows = ntfs.shadow_copies()?;
        if shadows > 0 {
            doubts.push(format!(
                "It holds {shadows} shadow copies (previous versions), and they need clusters that it marks as free."
            ));
        }
        doubts.extend(ntfs.bitmap_doubt()?);
    }
    let label = ntfs.volume()?.label;
    let free = FreeSpace { unit: ntfs.cluster_size(), label, runs: Units::Ntfs(ntfs.bitmap()?.free_runs()) };
    Ok((free, doubts))
}

impl Iterator for FreeSpace {
    type Item = Result<Range<u64>, GuestFsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let run = match &mut self.runs {
            Units::Ntfs(runs) => runs.next(),
            Units::Ext(runs) => runs.next(),
        }?;
        Some(run.map(|run| run.start.saturating_mul(self.unit)..run.end.saturating_mul(self.unit)))
    }
}
