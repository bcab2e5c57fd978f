//! One VHD file without its parents: which bytes of the disk it stores, and where.

use crate::disk::chain::{ChainLayer, Fit, Place, Presence};
use crate::disk::{DiskError, Layer, OpenOptions, ParentRequest, read};
use crate::io::{ReadAt, SharedFile};

use super::VhdError;
use super::bitmap::{self, Bitmap, BitmapCache};
use super::describe::describe;
use super::footer::{self, Found, Kind};
use super::header::read_header;
use super::table::BlockTable;

/// How many unused blocks one look-up walks at most; the callers go on from there.
const STEP_BLOCKS: u64 = 1024;

/// One file of a chain.
pub(super) struct VhdLayer {
    file: SharedFile,
    info: Layer,
    body: Body,
}

enum Body {
    Fixed,
    Sparse { table: BlockTable, bitmaps: BitmapCache },
}

impl ChainLayer for VhdLayer {
    fn open(file: SharedFile, options: &OpenOptions) -> Result<Self, DiskError> {
        let mut found = footer::find(&*file, options.checksums)?;
        let mut remarks = std::mem::take(&mut found.remarks);
        let (body, header, allocated) = match found.kind {
            Kind::Fixed => {
                check_fixed(&*file, &found, &mut remarks)?;
                (Body::Fixed, None, 0)
            }
            Kind::Dynamic | Kind::Differencing => {
                let header = read_header(&*file, &found, options.checksums, &mut remarks)?;
                let table = BlockTable::read(&*file, &found, &header)?;
                remarks.extend(table.remarks(file.name()));
                let (bitmaps, allocated) = (BitmapCache::new(table.len()), table.allocated());
                (Body::Sparse { table, bitmaps }, Some(header), allocated)
            }
        };
        let info = describe(&*file, &found, header, (allocated, remarks));
        Ok(VhdLayer { file, info, body })
    }

    fn info(&self) -> &Layer {
        &self.info
    }

    fn info_mut(&mut self) -> &mut Layer {
        &mut self.info
    }

    fn fit(&self, request: &ParentRequest) -> Fit {
        match request.timestamp {
            _ if self.info.unique_id != request.unique_id => Fit::Wrong,
            0 => Fit::Unknown,
            time if time == self.info.timestamp => Fit::Right,
            _ => Fit::Changed,
        }
    }

    fn place(&self, offset: u64, max: u64) -> Result<(Place, u64), DiskError> {
        let Body::Sparse { table, bitmaps } = &self.body else {
            return Ok((Place::Stored(offset), max));
        };
        let shape = table.shape();
        let (block, within) = self.split(table, offset);
        let Some(start) = table.place(block) else {
            return Ok((Place::Absent, absent_run(table, block, within, max)));
        };
        table.check(self.file.name(), block)?;
        let rest = max.min(shape.block_size - within);
        let data = start + shape.bitmap_len + within;
        Ok(match self.bitmap(table, bitmaps, block, start)? {
            Bitmap::Full => (Place::Stored(data), rest),
            Bitmap::Empty => (Place::Absent, rest),
            Bitmap::Mixed(bits) => {
                let (sector, skew) = (within / 512, within % 512);
                let (set, sectors) = bitmap::run(&bits, sector, (skew + rest).div_ceil(512));
                let place = if set { Place::Stored(data) } else { Place::Absent };
                (place, rest.min(sectors * 512 - skew))
            }
        })
    }

    /// Holes of the file count as zeros.
    fn presence(&self, offset: u64, max: u64) -> Result<(Presence, u64), DiskError> {
        match &self.body {
            Body::Fixed => Ok(self.stored(offset, max)),
            Body::Sparse { table, .. } => {
                let (block, within) = self.split(table, offset);
                if table.is_faulty(block) {
                    return Ok((Presence::Data, max.min(table.shape().block_size - within)));
                }
                let (place, len) = self.place(offset, max)?;
                Ok(match place {
                    Place::Stored(at) => self.stored(at, len),
                    Place::Zero => (Presence::Zero, len),
                    Place::Absent => (Presence::Absent, len),
                })
            }
        }
    }

    fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        read(&*self.file, at, buffer)
    }

    fn verbatim(&self, _at: u64, max: u64) -> (bool, u64) {
        (true, max)
    }

    fn file(&self) -> &SharedFile {
        &self.file
    }
}

impl VhdLayer {
    /// What the file has at an offset of its own.
    fn stored(&self, at: u64, max: u64) -> (Presence, u64) {
        let (data, end) = self.file.run(at);
        (if data { Presence::Data } else { Presence::Zero }, end.saturating_sub(at).clamp(1, max))
    }

    fn split(&self, table: &BlockTable, offset: u64) -> (u32, u64) {
        let block_size = table.shape().block_size;
        // The table has fewer than 2^32 entries and `offset` lies inside the disk.
        ((offset / block_size) as u32, offset % block_size)
    }

    fn bitmap(&self, table: &BlockTable, cache: &BitmapCache, block: u32, start: u64) -> Result<Bitmap, DiskError> {
        cache.get(block, || {
            let used = (table.shape().block_size / 512).div_ceil(8);
            let mut bytes = vec![0; used as usize];
            read(&*self.file, start, &mut bytes)?;
            Ok(bytes)
        })
    }
}

fn absent_run(table: &BlockTable, block: u32, within: u64, max: u64) -> u64 {
    let block_size = table.shape().block_size;
    let wanted = (within + max).div_ceil(block_size).min(STEP_BLOCKS);
    (table.unused_from(block, wanted).max(1) * block_size - within).min(max)
}

fn check_fixed(file: &dyn ReadAt, found: &Found, remarks: &mut Vec<String>) -> Result<(), VhdError> {
    let (expected, have) = (found.footer.current_size, found.data_end);
    if have < expected {
        return Err(VhdError::DataMissing { file: file.name().to_owned(), expected, found: have });
    }
    if have > expected {
        remarks.push(format!("{} bytes lie between the end of the disk and the footer.", have - expected));
    }
    Ok(())
}
