//! Reading qcow2: a first-level table in memory, second-level tables and unpacked clusters as they are needed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::codec::unpack;
use super::header::Header;
use super::snapshots::{Snapshot, read_table};
use super::{Qcow2Error, packed_place};
use crate::disk::{DiskError, Extent, ExtentKind, Layer, Stored, StoredRun, VirtualDisk, check_range, read};
use crate::io::SharedFile;

/// Second-level tables kept in memory; 64 KiB each with the usual cluster size, at most 2 MiB.
const KEPT: usize = 16;
/// Bytes of unpacked clusters kept in memory, at least two clusters.
const UNPACKED: u64 = 4 << 20;
/// A run of data may be reported in pieces of this size.
const DATA_RUN: u64 = 64 << 20;
const OFFSET_MASK: u64 = 0x00ff_ffff_ffff_fe00;
const L1_RESERVED: u64 = 0x7f00_0000_0000_01ff;
const L2_RESERVED: u64 = 0x3f00_0000_0000_01fe;
const COMPRESSED: u64 = 1 << 62;
const READS_ZERO: u64 = 1;

/// A qcow2 disk, open for reading.
pub struct Qcow2Disk {
    file: SharedFile,
    header: Header,
    l1: Vec<u64>,
    tables: Mutex<VecDeque<(usize, Table)>>,
    unpacked: Mutex<VecDeque<(u64, Arc<[u8]>)>>,
    layers: [Layer; 1],
}

type Table = Arc<[u64]>;

/// Where a cluster lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nowhere: zeros.
    Zero,
    /// Bytes from this offset of the file on.
    Plain(u64),
    /// Packed in bytes of the file (offset, length); the wanted bytes begin so far inside the cluster.
    Packed((u64, u64), u64),
}

impl Qcow2Disk {
    /// Reads the header and the first-level table.
    pub fn open(file: SharedFile) -> Result<Self, DiskError> {
        let header = Header::read(&*file)?;
        Self::with_header(file, header)
    }

    /// Opens the internal snapshot with that id or, where no id fits, that name.
    pub fn open_snapshot(file: SharedFile, wanted: &str) -> Result<Self, DiskError> {
        let mut header = Header::read(&*file)?;
        let snapshots = read_table(&*file, &header)?;
        let by = |text: fn(&Snapshot) -> &str| snapshots.iter().find(|snapshot| text(snapshot) == wanted);
        let found = by(|snapshot| &snapshot.id).or_else(|| by(|snapshot| &snapshot.name));
        let Some(snapshot) = found else {
            let (file, wanted) = (file.name().to_owned(), wanted.to_owned());
            return Err(Qcow2Error::NoSnapshot { file, wanted, found: snapshots.len() }.into());
        };
        if snapshot.size == 0 {
            return Err(DiskError::EmptyDisk { file: file.name().to_owned(), offset: header.snapshots_offset });
        }
        header.size = snapshot.size;
        (header.l1_offset, header.l1_size) = snapshot.l1;
        header.check_table(file.name(), file.len())?;
        header.remarks = vec![format!("This is the internal snapshot '{}'.", snapshot.name)];
        Self::with_header(file, header)
    }

    fn with_header(file: SharedFile, header: Header) -> Result<Self, DiskError> {
        // Checked by the header: within the file and at most 32 MiB.
        let needed = header.size.div_ceil(header.covered_by_l2()) as usize;
        let l1 = read_entries(&file, header.l1_offset, needed)?;
        let layers = [header.layer(&*file)];
        Ok(Qcow2Disk { file, header, l1, tables: Mutex::default(), unpacked: Mutex::default(), layers })
    }

    /// The second-level table number `index`; `None` where the whole range is not allocated.
    fn table(&self, index: usize) -> Result<Option<Table>, DiskError> {
        let entry = self.l1.get(index).copied().unwrap_or(0);
        let offset = self.header.l1_offset + index as u64 * 8;
        if entry & L1_RESERVED != 0 {
            return Err(Qcow2Error::Reserved { file: self.name(), offset, entry }.into());
        }
        let start = entry & OFFSET_MASK;
        if start == 0 {
            return Ok(None);
        }
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, table)) = tables.iter().find(|(number, _)| *number == index) {
            return Ok(Some(Arc::clone(table)));
        }
        let (len, limit) = (self.header.cluster_size(), self.file.len());
        if !start.is_multiple_of(len) || start.checked_add(len).is_none_or(|end| end > limit) {
            return Err(Qcow2Error::TableOutside { file: self.name(), offset, start, len, limit }.into());
        }
        let table: Table = read_entries(&self.file, start, (len / 8) as usize)?.into();
        if tables.len() == KEPT {
            tables.pop_front();
        }
        tables.push_back((index, Arc::clone(&table)));
        Ok(Some(table))
    }

    /// Where `offset` lies in the file, and for how many bytes, at most `max`.
    fn place(&self, offset: u64, max: u64) -> Result<(Place, u64), DiskError> {
        let (cluster, covered) = (self.header.cluster_size(), self.header.covered_by_l2());
        let index = (offset / covered) as usize;
        let Some(table) = self.table(index)? else {
            let rest = self.l1.get(index..).unwrap_or_default();
            let empty = rest.iter().take_while(|&&entry| entry == 0).count().max(1) as u64;
            return Ok((Place::Zero, (empty * covered - offset % covered).min(max)));
        };
        let within = offset % cluster;
        let mut at = (offset % covered / cluster) as usize;
        let mut guest = offset - within;
        let first = self.cluster(index, &table, at, guest)?;
        let mut len = cluster - within;
        while len < max {
            (at, guest) = (at + 1, guest + cluster);
            if at == table.len() {
                break;
            }
            let follows = match (first, self.cluster(index, &table, at, guest)?) {
                (Place::Zero, Place::Zero) => true,
                (Place::Plain(first), Place::Plain(next)) => next == first + within + len,
                _ => false,
            };
            if !follows {
                break;
            }
            len += cluster;
        }
        let place = match first {
            Place::Zero => Place::Zero,
            Place::Plain(start) => Place::Plain(start + within),
            Place::Packed(packed, _) => Place::Packed(packed, within),
        };
        Ok((place, len.min(max)))
    }

    /// Where the cluster of entry `at` of second-level table `index` lies.
    fn cluster(&self, index: usize, table: &Table, at: usize, guest: u64) -> Result<Place, Qcow2Error> {
        let entry = table.get(at).copied().unwrap_or(0);
        if entry == 0 {
            return Ok(Place::Zero);
        }
        let l1 = self.l1.get(index).copied().unwrap_or(0);
        let offset = (l1 & OFFSET_MASK) + at as u64 * 8;
        let (cluster, limit) = (self.header.cluster_size(), self.file.len());
        if entry & COMPRESSED != 0 {
            let (start, len) = packed_place(entry, self.header.cluster_bits);
            if start >= limit {
                let file = self.name();
                return Err(Qcow2Error::PackedOutside { file, offset, virtual_offset: guest, start, limit });
            }
            // The last sector may be cut where the file ends.
            return Ok(Place::Packed((start, len.min(limit - start)), 0));
        }
        // In version 2, bit 0 is reserved as well.
        let zero = entry & READS_ZERO != 0;
        if entry & L2_RESERVED != 0 || (zero && self.header.version == 2) {
            return Err(Qcow2Error::Reserved { file: self.name(), offset, entry });
        }
        let start = entry & OFFSET_MASK;
        if zero || start == 0 {
            return Ok(Place::Zero);
        }
        let needed = cluster.min(self.header.size.saturating_sub(guest));
        if !start.is_multiple_of(cluster) || start.checked_add(needed).is_none_or(|end| end > limit) {
            return Err(Qcow2Error::ClusterOutside { file: self.name(), offset, virtual_offset: guest, start, limit });
        }
        Ok(Place::Plain(start))
    }

    /// The unpacked cluster that lies in `len` bytes from `start` on.
    fn unpack(&self, (start, len): (u64, u64)) -> Result<Arc<[u8]>, DiskError> {
        let kept = || self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cluster)) = kept().iter().find(|(place, _)| *place == start) {
            return Ok(Arc::clone(cluster));
        }
        // At most two clusters, 4 MiB.
        let mut packed = vec![0; len as usize];
        read(&*self.file, start, &mut packed)?;
        let expected = self.header.cluster_size();
        let mut cluster = vec![0; expected as usize];
        unpack(self.header.method, &packed, &mut cluster).map_err(|reason| Qcow2Error::Unpack {
            file: self.name(),
            start,
            expected,
            reason,
        })?;
        let cluster: Arc<[u8]> = cluster.into();
        let mut kept = kept();
        while kept.len() as u64 >= (UNPACKED / expected).max(2) {
            kept.pop_front();
        }
        kept.push_back((start, Arc::clone(&cluster)));
        Ok(cluster)
    }

    fn name(&self) -> String {
        self.file.name().to_owned()
    }
}

fn read_entries(file: &SharedFile, offset: u64, count: usize) -> Result<Vec<u64>, DiskError> {
    // In pieces: a first-level table may have 32 MiB, which must not be in memory twice.
    let (mut entries, mut piece) = (Vec::with_capacity(count), vec![0; (count * 8).min(64 << 10)]);
    while entries.len() < count {
        let len = ((count - entries.len()) * 8).min(piece.len());
        let bytes = piece.get_mut(..len).unwrap_or_default();
        read(&**file, offset + entries.len() as u64 * 8, bytes)?;
        entries.extend(bytes.as_chunks::<8>().0.iter().map(|entry| u64::from_be_bytes(*entry)));
    }
    Ok(entries)
}

impl VirtualDisk for Qcow2Disk {
    fn size(&self) -> u64 {
        self.header.size
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn extent(&self, offset: u64) -> Result<Extent, DiskError> {
        let size = self.header.size;
        check_range(self.file.name(), offset, 1, size)?;
        let kind = |place| if place == Place::Zero { ExtentKind::Zero } else { ExtentKind::Data };
        let (place, mut len) = self.place(offset, size - offset)?;
        while offset + len < size && !(place != Place::Zero && len >= DATA_RUN) {
            let next = offset + len;
            let (other, more) = self.place(next, size - next)?;
            if kind(other) != kind(place) {
                break;
            }
            len += more;
        }
        Ok(Extent { kind: kind(place), start: offset, len })
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), DiskError> {
        check_range(self.file.name(), offset, buf.len() as u64, self.header.size)?;
        let (mut offset, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let (place, len) = self.place(offset, rest.len() as u64)?;
            // `len` is at most the length of `rest` and at least 1.
            let (part, after) = rest.split_at_mut(len as usize);
            match place {
                Place::Plain(at) => read(&*self.file, at, part)?,
                Place::Zero => part.fill(0),
                Place::Packed(packed, within) => {
                    let cluster = self.unpack(packed)?;
                    // `len` ends inside the cluster.
                    part.copy_from_slice(cluster.get(within as usize..(within + len) as usize).unwrap_or_default());
                }
            }
            offset += len;
            rest = after;
        }
        Ok(())
    }

    fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn stored(&self, offset: u64, max: u64) -> Result<StoredRun, DiskError> {
        check_range(self.file.name(), offset, max, self.header.size)?;
        let (place, len) = self.place(offset, max)?;
        let place = if let Place::Plain(at) = place { Some(Stored { layer: 0, at }) } else { None };
        Ok(StoredRun { place, len })
    }

    fn file(&self, layer: usize) -> Option<SharedFile> {
        (layer == 0).then(|| SharedFile::clone(&self.file))
    }
}
