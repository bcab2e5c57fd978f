//! The table of internal snapshots: entries of 40 bytes with extra data, id and name, each filled up to 8 bytes.

use super::Qcow2Error;
use super::header::Header;
use crate::disk::fields::{be16, be32, be64, put};
use crate::disk::{DiskError, read};
use crate::io::ReadAt;

/// QEMU's bounds for the number of snapshots and the extra data of one.
const MAX_SNAPSHOTS: u32 = 65536;
const MAX_EXTRA: u32 = 1024;
/// QEMU's bound for the whole table; far more than names need.
const MAX_TABLE: u64 = 64 << 20;

/// One internal snapshot of a qcow2 file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Unique id, digits by convention.
    pub id: String,
    /// Name as the operator gave it.
    pub name: String,
    /// Date: seconds since 1970-01-01 UTC, and nanoseconds.
    pub date: (u32, u32),
    /// Bytes of saved memory; 0 for a disk alone.
    pub vm_state: u64,
    /// Size of the disk at that time, bytes.
    pub size: u64,
    /// Its first-level table: offset in the file and entries.
    pub(super) l1: (u64, u32),
}

/// Reads the table; at most `MAX_SNAPSHOTS` entries, whose texts together have at most `MAX_TABLE` bytes.
pub(super) fn read_table(file: &dyn ReadAt, header: &Header) -> Result<Vec<Snapshot>, DiskError> {
    let (found, start) = (header.snapshots, header.snapshots_offset);
    let wrong = |reason: String| Qcow2Error::SnapshotTable { file: file.name().to_owned(), start, found, reason };
    if found > MAX_SNAPSHOTS {
        return Err(wrong(format!("at most {MAX_SNAPSHOTS} are possible")).into());
    }
    if found > 0 && (start == 0 || !start.is_multiple_of(header.cluster_size())) {
        return Err(wrong("it does not begin at a cluster".to_owned()).into());
    }
    let mut snapshots = Vec::new();
    let mut at = start;
    for index in 0..found {
        if at - start > MAX_TABLE || file.len().saturating_sub(at) < 40 {
            return Err(wrong(format!("entry {index} would lie at {at}")).into());
        }
        let mut entry = [0; 40];
        read(file, at, &mut entry)?;
        let (id, name, extra) = (be16(&entry, 12), be16(&entry, 14), be32(&entry, 36));
        let texts = u64::from(id) + u64::from(name);
        if extra > MAX_EXTRA || file.len() - at - 40 < u64::from(extra) + texts {
            return Err(wrong(format!("entry {index} at {at} is longer than it can be")).into());
        }
        // At most 1024 and twice 65535 bytes.
        let mut rest = vec![0; (u64::from(extra) + texts) as usize];
        read(file, at + 40, &mut rest)?;
        let (more, texts) = rest.split_at(extra as usize);
        let (id, name) = texts.split_at(usize::from(id));
        snapshots.push(Snapshot {
            id: String::from_utf8_lossy(id).into_owned(),
            name: String::from_utf8_lossy(name).into_owned(),
            date: (be32(&entry, 16), be32(&entry, 20)),
            // Extra data: offset 0 the size of the saved memory, offset 8 the size of the disk.
            vm_state: if extra >= 8 { be64(more, 0) } else { u64::from(be32(&entry, 32)) },
            size: if extra >= 16 { be64(more, 8) } else { header.size },
            l1: (be64(&entry, 0), be32(&entry, 8)),
        });
        at = (at + 40 + rest.len() as u64).next_multiple_of(8);
    }
    Ok(snapshots)
}

impl Snapshot {
    /// The entry as it is written: with the sizes of saved memory and disk and no instruction count (all ones).
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        put(&mut bytes, 0, &self.l1.0.to_be_bytes());
        put(&mut bytes, 8, &self.l1.1.to_be_bytes());
        // Ids and names are cut by the writer to 255 bytes.
        put(&mut bytes, 12, &(self.id.len() as u16).to_be_bytes());
        put(&mut bytes, 14, &(self.name.len() as u16).to_be_bytes());
        put(&mut bytes, 16, &self.date.0.to_be_bytes());
        put(&mut bytes, 20, &self.date.1.to_be_bytes());
        put(&mut bytes, 36, &24u32.to_be_bytes());
        put(&mut bytes, 40, &self.vm_state.to_be_bytes());
        put(&mut bytes, 48, &self.size.to_be_bytes());
        put(&mut bytes, 56, &u64::MAX.to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(self.name.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }
}
