//! Appends clusters of guest data to a file, as they are or packed, and gives the second-level entries that lead to them.

use std::num::NonZero;

use super::codec::{Packer, most};
use super::counts::{CLUSTER, COMPRESSED};
use crate::disk::write::{Appender, DiskWriteError};

/// Clusters that are packed at once: 2 MiB.
const BATCH: usize = 32;
const BYTES: usize = CLUSTER as usize;

/// How clusters are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As they are, each at a multiple of a cluster.
    Plain,
    /// As zstd frames, one after the other.
    Zstd,
}

/// Puts clusters into a file.
pub(super) enum Clusters {
    Plain,
    Zstd { packers: Vec<Packer>, buffers: Vec<Packed> },
}

/// Room for one packed cluster, and how much of it is used.
pub(super) struct Packed {
    bytes: Vec<u8>,
    len: usize,
}

/// The entry for a packed cluster of `len` bytes, at least one, at `offset`.
pub(super) fn packed_entry(offset: u64, len: u64) -> u64 {
    // For clusters of 2^16 bytes: bits 0 to 53 the offset, 54 to 61 the further sectors.
    COMPRESSED | (((offset % 512 + len - 1) / 512) << 54) | offset
}

impl Clusters {
    pub(super) fn new(packing: Packing) -> Result<Self, DiskWriteError> {
        if packing == Packing::Plain {
            return Ok(Clusters::Plain);
        }
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(BATCH);
        let packers: std::io::Result<Vec<Packer>> = (0..threads).map(|_| Packer::new()).collect();
        let packers = packers.map_err(|source| DiskWriteError::Io { offset: 0, source })?;
        let room = || Packed { bytes: vec![0; most(BYTES)], len: 0 };
        Ok(Clusters::Zstd { packers, buffers: (0..BATCH).map(|_| room()).collect() })
    }

    /// Appends the clusters of `data`, the last of which may be cut where the disk ends, and hands their entries to `each`
    /// **before** the next is put: it may append something else between two clusters.
    pub(super) fn put(
        &mut self,
        out: &mut Appender,
        data: &[u8],
        each: &mut dyn FnMut(&mut Appender, usize) -> Result<(), DiskWriteError>,
        noted: &mut dyn FnMut(usize, u64),
    ) -> Result<(), DiskWriteError> {
        match self {
            Clusters::Plain => {
                for (number, cluster) in data.chunks(BYTES).enumerate() {
                    each(out, number)?;
                    out.fill_to(out.position().next_multiple_of(CLUSTER))?;
                    noted(number, out.position());
                    out.append(cluster)?;
                }
                out.fill_to(out.position().next_multiple_of(CLUSTER))
            }
            Clusters::Zstd { packers, buffers } => {
                for (batch, part) in data.chunks(BATCH * BYTES).enumerate() {
                    let clusters: Vec<&[u8]> = part.chunks(BYTES).collect();
                    pack_all(packers, &clusters, buffers)
                        .map_err(|source| DiskWriteError::Io { offset: out.position(), source })?;
                    for (number, packed) in (batch * BATCH..).zip(buffers.iter().take(clusters.len())) {
                        each(out, number)?;
                        noted(number, packed_entry(out.position(), packed.len as u64));
                        out.append(packed.bytes.get(..packed.len).unwrap_or_default())?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Packs clusters on all cores.
fn pack_all(packers: &mut [Packer], clusters: &[&[u8]], buffers: &mut [Packed]) -> std::io::Result<()> {
    let share = clusters.len().div_ceil(packers.len().max(1)).max(1);
    let shares = clusters.chunks(share).zip(buffers.chunks_mut(share)).zip(packers);
    if clusters.len() <= share {
        return shares.into_iter().try_for_each(|((clusters, buffers), packer)| pack_some(packer, clusters, buffers));
    }
    std::thread::scope(|scope| {
        let work: Vec<_> = shares
            .map(|((clusters, buffers), packer)| scope.spawn(move || pack_some(packer, clusters, buffers)))
            .collect();
        let gone = || std::io::Error::other("a thread that packs clusters ended");
        work.into_iter().try_for_each(|thread| thread.join().map_err(|_| gone())?)
    })
}

fn pack_some(packer: &mut Packer, clusters: &[&[u8]], buffers: &mut [Packed]) -> std::io::Result<()> {
    for (cluster, packed) in clusters.iter().zip(buffers) {
        packed.len = if cluster.len() == BYTES {
            packer.pack(cluster, &mut packed.bytes)?
        } else {
            let mut whole = cluster.to_vec();
            whole.resize(BYTES, 0);
            packer.pack(&whole, &mut packed.bytes)?
        };
    }
    Ok(())
}
