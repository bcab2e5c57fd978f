//! One VHDX file without its parents: which bytes of the disk it stores, and where.

use crate::disk::chain::{ChainLayer, Fit, Place, Presence};
use crate::disk::fields::guid_le;
use crate::disk::{DiskError, Layer, LayerFormat, OpenOptions, ParentRequest};
use crate::io::SharedFile;

use super::VhdxError;
use super::bat::{Block, BlockTable, PRESENT};
use super::header::{self, Header};
use super::log::{self, Replayed};
use super::metadata::{self, Metadata};
use super::pages::{PAGE, Pages};
use super::region::{Region, Regions};
use super::view::View;
use super::{bitmap, region};

/// One file of a chain.
pub(super) struct VhdxLayer {
    view: View,
    table: BlockTable,
    pages: Pages,
    info: Layer,
    /// Bytes of a logical sector, of which a bitmap bit speaks.
    sector: u64,
}

impl ChainLayer for VhdxLayer {
    fn open(file: SharedFile, _options: &OpenOptions) -> Result<Self, DiskError> {
        let creator = header::read_identifier(&*file)?;
        let mut remarks = Vec::new();
        let header = header::read_header(&*file, &mut remarks)?;
        let Replayed { view, applied, torn } = log::replay(file, &header)?;
        remarks.extend(applied.into_iter().chain(torn).map(|(_, text)| text));
        let regions = region::read_regions(&view, &header, &mut remarks)?;
        let metadata = metadata::read_metadata(&view, &regions.metadata, &mut remarks)?;
        let table = BlockTable::read(&view, &regions, &metadata)?;
        remarks.extend(table.faults().remarks());
        let sector = u64::from(metadata.logical_sector);
        let headers = fields(&header, &regions, metadata.leave_allocated);
        let info = Layer { headers, ..describe(&view, (header, metadata), &table, (creator, remarks)) };
        Ok(VhdxLayer { view, table, pages: Pages::default(), info, sector })
    }

    fn info(&self) -> &Layer {
        &self.info
    }

    fn info_mut(&mut self) -> &mut Layer {
        &mut self.info
    }

    fn fit(&self, request: &ParentRequest) -> Fit {
        let id = &self.info.unique_id;
        if *id == request.unique_id || *id == request.other_id { Fit::Right } else { Fit::Wrong }
    }

    fn place(&self, offset: u64, max: u64) -> Result<(Place, u64), DiskError> {
        let (block, within) = self.split(offset);
        let (kind, len) = self.block(block, within, max)?;
        Ok(match kind {
            Block::Absent => (Place::Absent, len),
            Block::Zero => (Place::Zero, len),
            Block::Stored(start) => (Place::Stored(start + within), len),
            Block::Partial(start) => {
                let (set, len) = self.bits(block, within, len)?;
                (if set { Place::Stored(start + within) } else { Place::Absent }, len)
            }
        })
    }

    /// Holes of the file count as zeros: fixed disks of QEMU are full of them.
    fn presence(&self, offset: u64, max: u64) -> Result<(Presence, u64), DiskError> {
        let (block, within) = self.split(offset);
        if self.is_faulty(block) {
            return Ok((Presence::Data, max.min(self.table.shape().block_size - within)));
        }
        let (kind, len) = self.block(block, within, max)?;
        Ok(match kind {
            Block::Absent => (Presence::Absent, len),
            Block::Zero => (Presence::Zero, len),
            Block::Stored(start) => {
                let (data, end) = self.view.run(start + within);
                let presence = if data { Presence::Data } else { Presence::Zero };
                (presence, end.saturating_sub(start + within).clamp(1, len))
            }
            Block::Partial(_) => {
                let (set, len) = self.bits(block, within, len)?;
                (if set { Presence::Data } else { Presence::Absent }, len)
            }
        })
    }

    fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.view.read(at, buffer)
    }

    fn verbatim(&self, at: u64, max: u64) -> (bool, u64) {
        self.view.verbatim(at, max)
    }

    fn file(&self) -> &SharedFile {
        self.view.file()
    }
}

impl VhdxLayer {
    fn split(&self, offset: u64) -> (u64, u64) {
        let block_size = self.table.shape().block_size;
        (offset / block_size, offset % block_size)
    }

    /// True when reading the block would be an error, its own or that of its bitmap.
    fn is_faulty(&self, block: u64) -> bool {
        let (shape, faults) = (self.table.shape(), self.table.faults());
        faults.has(shape.index(block)) || faults.has(shape.bitmap_index(block))
    }

    /// What the table says from `within` the block on, and for how many bytes, at most `max`.
    fn block(&self, block: u64, within: u64, max: u64) -> Result<(Block, u64), DiskError> {
        let block_size = self.table.shape().block_size;
        // `max` ends inside the disk, which is far from overflow.
        let wanted = (within + max).div_ceil(block_size);
        let (kind, count) = self.table.run(&self.view, &self.pages, block, wanted)?;
        Ok((kind, (count * block_size - within).min(max)))
    }

    /// Whether the sectors from `within` a partly present block on are in this file, and for how many bytes, at most `max`.
    fn bits(&self, block: u64, within: u64, max: u64) -> Result<(bool, u64), DiskError> {
        let shape = self.table.shape();
        let index = shape.bitmap_index(block);
        let entry = self.table.entry(&self.view, &self.pages, index)?;
        if entry.state() != PRESENT {
            let virtual_offset = block.saturating_mul(shape.block_size);
            return Err(VhdxError::BitmapMissing {
                file: self.view.name().to_owned(),
                offset: shape.place(index),
                what: format!("block {block} (virtual offset {virtual_offset})"),
                found: entry.state(),
            }
            .into());
        }
        // The bits of a block are a power of two and at most a page, so that they lie in one page.
        let sectors = shape.block_size / self.sector;
        let first = block % shape.ratio * sectors + within / self.sector;
        let place = entry.offset() + first / 8 / PAGE * PAGE;
        let page = self.pages.get(&self.view, place)?;
        let skew = within % self.sector;
        let (set, run) = bitmap::run(&page, first % (PAGE * 8), (skew + max).div_ceil(self.sector));
        Ok((set, (run * self.sector - skew).min(max)))
    }
}

fn describe(
    view: &View,
    (header, metadata): (Header, Metadata),
    table: &BlockTable,
    (creator, remarks): (String, Vec<String>),
) -> Layer {
    Layer {
        name: view.name().to_owned(),
        format: match (&metadata.parent, metadata.leave_allocated) {
            (Some(_), _) => LayerFormat::VhdxDifferencing,
            (None, true) => LayerFormat::VhdxFixed,
            (None, false) => LayerFormat::VhdxDynamic,
        },
        file_size: view.file_len(),
        virtual_size: metadata.size,
        allocated: table.allocated().saturating_mul(u64::from(metadata.block_size)),
        block_size: metadata.block_size,
        sector_size: metadata.logical_sector,
        physical_sector_size: metadata.physical_sector,
        unique_id: header.data_write_id(),
        disk_id: guid_le(&metadata.disk_id),
        timestamp: 0,
        creator,
        geometry_size: None,
        headers: Vec::new(),
        parent: metadata.parent,
        remarks,
    }
}

fn fields(header: &Header, regions: &Regions, leave_allocated: bool) -> Vec<(&'static str, String)> {
    let place = |region: &Region| format!("{} bytes at {}", region.len, region.start);
    vec![
        ("header_offset", header.offset.to_string()),
        ("sequence_number", header.sequence.to_string()),
        ("file_write_id", guid_le(&header.file_write)),
        ("log_id", guid_le(&header.log_guid)),
        ("log", format!("{} bytes at {}", header.log_len, header.log_start)),
        ("block_table", place(&regions.bat)),
        ("metadata", place(&regions.metadata)),
        ("leave_blocks_allocated", if leave_allocated { "yes" } else { "no" }.to_owned()),
    ]
}
