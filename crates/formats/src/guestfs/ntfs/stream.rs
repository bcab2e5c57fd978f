//! The content of an attribute as read-only bytes: resident, mapped by runs, sparse or compressed.

use std::io;
use std::sync::Mutex;

use super::lznt1;
use super::runs::{Runs, Spot};
use crate::guestfs::GuestFsError;
use crate::io::{ReadAt, SharedFile};

/// Largest compression unit that is read: 16 clusters of 4 KiB are usual.
pub(super) const MAX_UNIT: u64 = 1 << 20;

/// Content in clusters of the volume.
pub(super) struct Mapped {
    pub(super) runs: Runs,
    /// Bytes of the content.
    pub(super) size: u64,
    /// Bytes ever written; zeros follow.
    pub(super) initialized: u64,
}

/// Number and content of the compression unit that was unpacked last.
type LastUnit = Mutex<Option<(u64, Vec<u8>)>>;

/// How the clusters hold the content.
pub(super) enum Packing {
    Plain,
    /// Compressed in units of so many bytes; the unit that was unpacked last is kept.
    Lznt1 {
        unit: u64,
        last: LastUnit,
    },
}

/// A stream of a file.
pub(super) struct Stream {
    pub(super) volume: SharedFile,
    pub(super) name: String,
    /// Number of the file record, for messages.
    pub(super) record: u64,
    pub(super) cluster: u64,
    pub(super) mapped: Mapped,
    pub(super) packing: Packing,
}

impl ReadAt for Stream {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.mapped.size
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.mapped.size);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let written = self.mapped.initialized.saturating_sub(offset).min(buf.len() as u64) as usize;
        let (data, zeros) = buf.split_at_mut(written);
        zeros.fill(0);
        match &self.packing {
            Packing::Plain => self.plain(data, offset),
            Packing::Lznt1 { unit, last } => self.packed(data, offset, (*unit, last)),
        }
    }

    fn run(&self, offset: u64) -> (bool, u64) {
        let spot = self.mapped.runs.locate(offset / self.cluster);
        match (&self.packing, spot) {
            (Packing::Plain, Some(spot)) => {
                let end = (offset / self.cluster).saturating_add(spot.clusters()).saturating_mul(self.cluster);
                (matches!(spot, Spot::At(..)), end.min(self.mapped.size))
            }
            _ => (true, self.mapped.size),
        }
    }
}

impl Stream {
    /// Reads through the runs as they are; ranges past the runs are an error.
    fn plain(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            let (cluster, inside) = (offset / self.cluster, offset % self.cluster);
            let spot = self.mapped.runs.locate(cluster).ok_or_else(|| self.unmapped(cluster))?;
            let there = spot.clusters().saturating_mul(self.cluster) - inside;
            let (now, later) = buf.split_at_mut(there.min(buf.len() as u64) as usize);
            match spot {
                Spot::At(start, _) => self.volume.read_exact_at(now, start * self.cluster + inside)?,
                Spot::Hole(_) => now.fill(0),
            }
            offset += now.len() as u64;
            buf = later;
        }
        Ok(())
    }

    fn packed(&self, mut buf: &mut [u8], mut offset: u64, (unit, last): (u64, &LastUnit)) -> io::Result<()> {
        let mut last = last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        while !buf.is_empty() {
            let (number, inside) = (offset / unit, (offset % unit) as usize);
            if last.as_ref().is_none_or(|(kept, _)| *kept != number) {
                *last = None;
                *last = Some((number, self.unit(number, unit)?));
            }
            let bytes = last.as_ref().and_then(|(_, bytes)| bytes.get(inside..)).unwrap_or_default();
            let len = bytes.len().min(buf.len());
            let (now, later) = buf.split_at_mut(len);
            now.copy_from_slice(bytes.get(..len).unwrap_or_default());
            offset += len as u64;
            buf = later;
        }
        Ok(())
    }

    /// One unit: all clusters there: stored as it is; none: zeros; some, then a hole: compressed.
    fn unit(&self, number: u64, unit: u64) -> io::Result<Vec<u8>> {
        let clusters = unit / self.cluster;
        let first = number * clusters;
        let mut stored = 0;
        while stored < clusters {
            match self.mapped.runs.locate(first + stored) {
                Some(Spot::At(_, len)) => stored = clusters.min(stored + len),
                _ => break,
            }
        }
        let mut bytes = vec![0; unit as usize];
        if stored == 0 {
            return Ok(bytes);
        }
        let mut raw = vec![0; (stored * self.cluster) as usize];
        self.plain(&mut raw, first * self.cluster)?;
        if stored == clusters {
            return Ok(raw);
        }
        lznt1::unpack(&raw, &mut bytes).map_err(|offset| {
            let (file, record) = (self.volume.name().to_owned(), self.record);
            invalid(GuestFsError::Compression { file, record, unit: number, offset })
        })?;
        Ok(bytes)
    }

    fn unmapped(&self, cluster: u64) -> io::Error {
        invalid(GuestFsError::Runs {
            file: self.volume.name().to_owned(),
            record: self.record,
            found: format!("end before cluster {cluster}"),
            expected: format!("{} bytes", self.mapped.size),
        })
    }
}

fn invalid(error: GuestFsError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
