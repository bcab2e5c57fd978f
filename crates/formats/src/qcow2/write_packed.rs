//! Writing qcow2 with compressed clusters: every cluster is one zstd frame, also where that saves nothing. The frames tell
//! their own length, so that a run that was killed finds where each of them lies and goes on behind the last one.

use std::fs::File;

use super::clusters::{Packing, packed_entry};
use super::codec::{frame_len, most};
use super::counts::{Back, CLUSTER, COPIED, TABLE_ENTRIES, check_size};
use super::tree::{Open, TreeWriter};
use crate::disk::placing::Room;
use crate::disk::write::{DiskWriteError, DiskWriter, NewDisk};

/// Writes a qcow2 disk whose clusters are packed with zstd.
pub struct PackedWriter(TreeWriter);

impl PackedWriter {
    /// Begins the disk or goes on with it after the pieces in `written`.
    pub fn new(file: File, disk: &NewDisk, written: &mut dyn Iterator<Item = u64>) -> Result<Self, DiskWriteError> {
        check_size(disk.size)?;
        let failed = |source| DiskWriteError::Io { offset: 0, source };
        let end = file.metadata().map_err(failed)?.len();
        let back = Back(file.try_clone().map_err(failed)?);
        let mut open = Open::new(disk.size, Vec::new(), None);
        let mut position = CLUSTER;
        for offset in &mut *written {
            open.order.take_piece(offset)?;
            let (cluster, index) = (offset / CLUSTER, offset / CLUSTER / TABLE_ENTRIES);
            if open.index != Some(index) {
                position = pass_table(&mut open, position);
                open.index = Some(index);
            }
            let len = match frame_at(&back, position, end) {
                Ok(len) => len,
                Err(error) => {
                    // A list in the wrong order is the worse mistake.
                    for offset in written {
                        open.order.take_piece(offset)?;
                    }
                    return Err(error);
                }
            };
            open.note(cluster, packed_entry(position, len));
            position += len;
        }
        Ok(PackedWriter(TreeWriter::resume(file, Packing::Zstd, position, Some(open))?))
    }
}

/// Steps over the table that was written behind the last cluster that it leads to; where the next cluster lies.
fn pass_table(open: &mut Open, position: u64) -> u64 {
    let Some(entry) = open.index.and_then(|index| open.l1.get_mut(index as usize)) else { return position };
    let place = position.next_multiple_of(CLUSTER);
    *entry = place | COPIED;
    open.table.fill(0);
    open.touched = false;
    place + CLUSTER
}

/// Length of the frame at `position` of a file of `end` bytes.
fn frame_at(back: &Back, position: u64, end: u64) -> Result<u64, DiskWriteError> {
    let len = end.saturating_sub(position).min(most(CLUSTER as usize) as u64);
    let mut bytes = vec![0; len as usize];
    back.read(position, &mut bytes)?;
    let missing = DiskWriteError::ResumeTooShort { expected: position + CLUSTER, found: end };
    frame_len(&bytes).map(|len| len as u64).ok_or(missing)
}

impl DiskWriter for PackedWriter {
    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), DiskWriteError> {
        self.0.write(offset, data)
    }

    fn reserve(&mut self, _offset: u64, _len: u64) -> Result<Vec<Room>, DiskWriteError> {
        Err(DiskWriteError::Packs { format: "qcow2 disk" })
    }

    fn sync(&mut self) -> Result<(), DiskWriteError> {
        self.0.sync()
    }

    fn finish(self: Box<Self>) -> Result<(), DiskWriteError> {
        self.0.finish()
    }
}
