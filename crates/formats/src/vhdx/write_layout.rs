//! Where things lie in the files that are written, and the structures at their start. Identifier and headers at 0, log at
//! 1 MiB (empty), metadata at 2 MiB, block table at 3 MiB, then the blocks, each at a multiple of 1 MiB.

use crate::disk::child::NewParent;
use crate::disk::fields::{guid_le, put, swap_guid};
use crate::disk::write::{Appender, DiskWriteError, NewDisk};

use super::header::{HEADERS, MAGIC};
use super::metadata::MAX_SIZE;
use super::{MIB, REGION_TABLES, crc};

const LOG: u64 = MIB;
const METADATA: u64 = 2 * MIB;
pub(super) const TABLE: u64 = 3 * MIB;
/// Bytes of guest data in a block: the least that the format has. Small blocks keep the file close to what the guest really
/// uses, as they are written in full.
const BLOCK: u64 = MIB;
/// The table is written in full. With blocks of 1 MiB up to 2 TiB it has at most 17 MiB; beyond that blocks grow.
const MAX_BLOCKS: u64 = 2 << 20;
const BAT_REGION: &str = "2dc27766f62342009d64115e9bfd4a08";
const METADATA_REGION: &str = "8b7ca20647904b9ab8fe575f050f886e";

/// Whether all blocks are there from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Fixed,
    Dynamic,
    Differencing,
}

/// The places and sizes of one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    kind: Kind,
    pub block: u64,
    blocks: u64,
    /// Blocks between two entries for bitmaps.
    pub ratio: u64,
    pub table_len: u64,
}

impl Layout {
    /// Refuses disks that a VHDX cannot hold.
    pub(super) fn new(disk: &NewDisk, kind: Kind) -> Result<Self, DiskWriteError> {
        let (size, sectors) = (disk.size, disk.sectors);
        for sector in [sectors.logical, sectors.physical] {
            if sector != 512 && sector != 4096 {
                return Err(DiskWriteError::SectorSize { format: "VHDX", sector });
            }
        }
        if size > MAX_SIZE {
            return Err(DiskWriteError::SizeTooLarge { format: "VHDX", size, limit: MAX_SIZE });
        }
        if !size.is_multiple_of(u64::from(sectors.logical)) {
            return Err(DiskWriteError::SizeNotSectors { format: "VHDX", size, sector: sectors.logical });
        }
        let block = size.div_ceil(MAX_BLOCKS).next_power_of_two().max(BLOCK);
        let (blocks, ratio) = (size.div_ceil(block), (u64::from(sectors.logical) << 23) / block);
        let entries = match kind {
            Kind::Fixed | Kind::Dynamic => blocks + (blocks - 1) / ratio,
            Kind::Differencing => blocks.div_ceil(ratio) * (ratio + 1),
        };
        let table_len = (entries * 8).next_multiple_of(MIB);
        Ok(Layout { kind, block, blocks, ratio, table_len })
    }

    /// Offset of the first block.
    pub(super) fn first(&self) -> u64 {
        TABLE + self.table_len
    }

    /// Offset of the block that was allocated as number `index`.
    pub(super) fn place(&self, index: u64) -> u64 {
        self.first() + index * self.block
    }

    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Ranges of blocks that share a sector bitmap.
    pub(super) fn chunks(&self) -> u64 {
        self.blocks.div_ceil(self.ratio)
    }

    /// Writes everything before the first block: the file becomes a disk when the identifier is written, which comes last.
    pub(super) fn finish(
        &self,
        out: &mut Appender,
        disk: &NewDisk,
        placed: impl Iterator<Item = u64>,
    ) -> Result<(), DiskWriteError> {
        self.write_table(out, placed)?;
        self.finish_start(out, disk, &[])
    }

    /// What [`Layout::finish`] writes but the table; `locator` is the parent's, empty where there is none.
    pub(super) fn finish_start(
        &self,
        out: &mut Appender,
        disk: &NewDisk,
        locator: &[u8],
    ) -> Result<(), DiskWriteError> {
        out.put_at(METADATA, &self.metadata(disk, locator))?;
        for offset in REGION_TABLES {
            out.put_at(offset, &self.region_table())?;
        }
        for (offset, sequence) in HEADERS.into_iter().zip([1, 2]) {
            out.put_at(offset, &header(disk, sequence))?;
        }
        out.sync_all()?;
        out.put_at(0, &identifier())?;
        out.sync_all()
    }

    /// `placed` gives the blocks in the order in which they lie in the file.
    fn write_table(&self, out: &Appender, placed: impl Iterator<Item = u64>) -> Result<(), DiskWriteError> {
        let mut table = vec![0; self.table_len as usize];
        for (index, block) in (0u64..).zip(placed) {
            let entry = self.place(index) | 6;
            put(&mut table, ((block + block / self.ratio) * 8) as usize, &entry.to_le_bytes());
        }
        out.put_at(TABLE, &table)
    }

    fn region_table(&self) -> Vec<u8> {
        let mut bytes = vec![0; 64 << 10];
        put(&mut bytes, 0, b"regi");
        put(&mut bytes, 8, &2u32.to_le_bytes());
        for (at, (guid, start, len)) in
            [16, 48].into_iter().zip([(BAT_REGION, TABLE, self.table_len), (METADATA_REGION, METADATA, MIB)])
        {
            put(&mut bytes, at, &file_guid(guid));
            put(&mut bytes, at + 16, &start.to_le_bytes());
            put(&mut bytes, at + 24, &(len as u32).to_le_bytes());
            put(&mut bytes, at + 28, &1u32.to_le_bytes());
        }
        seal(&mut bytes);
        bytes
    }

    fn metadata(&self, disk: &NewDisk, locator: &[u8]) -> Vec<u8> {
        const ITEMS: usize = 64 << 10;
        let mut parameters = [0; 8];
        put(&mut parameters, 0, &(self.block as u32).to_le_bytes());
        // Bit 0: blocks stay allocated; bit 1: there is a parent.
        parameters[4] = match self.kind {
            Kind::Fixed => 1,
            Kind::Dynamic => 0,
            Kind::Differencing => 2,
        };
        // Flags: 4 required, 2 of the virtual disk (not of the file).
        let items: [(&str, u32, &[u8]); 6] = [
            ("caa16737fa364d43b3b633f0aa44e76b", 4, &parameters),
            ("2fa54224cd1b4876b2115dbed83bf4b8", 6, &disk.size.to_le_bytes()),
            ("beca12abb2e6452393efc309e000c746", 6, &swap_guid(disk.id)),
            ("8141bf1da96f4709ba47f233a8faab5f", 6, &disk.sectors.logical.to_le_bytes()),
            ("cda348c7445d44719cc9e9885251c556", 6, &disk.sectors.physical.to_le_bytes()),
            ("a8d35f2db30b454dabf7d3d84834ab0c", 4, locator),
        ];
        // The last one only where there is a parent.
        let items = items.get(..if locator.is_empty() { 5 } else { 6 }).unwrap_or_default();
        let mut bytes = vec![0; ITEMS + items.iter().map(|(_, _, value)| value.len()).sum::<usize>()];
        put(&mut bytes, 0, b"metadata");
        put(&mut bytes, 10, &(items.len() as u16).to_le_bytes());
        let mut place = ITEMS;
        for (at, &(guid, flags, value)) in (32..).step_by(32).zip(items) {
            put(&mut bytes, at, &file_guid(guid));
            put(&mut bytes, at + 16, &(place as u32).to_le_bytes());
            put(&mut bytes, at + 20, &(value.len() as u32).to_le_bytes());
            put(&mut bytes, at + 24, &flags.to_le_bytes());
            put(&mut bytes, place, value);
            place += value.len();
        }
        bytes
    }
}

fn identifier() -> [u8; 520] {
    let mut bytes = [0; 520];
    put(&mut bytes, 0, &MAGIC);
    for (at, unit) in (8..).step_by(2).zip("hvmigrate".encode_utf16()) {
        put(&mut bytes, at, &unit.to_le_bytes());
    }
    bytes
}

/// The same disk gives the same GUIDs, so that two runs give the same file.
fn header(disk: &NewDisk, sequence: u64) -> [u8; 4096] {
    let mut bytes = [0; 4096];
    put(&mut bytes, 0, b"head");
    put(&mut bytes, 8, &sequence.to_le_bytes());
    put(&mut bytes, 16, &derived_guid(disk, "file write"));
    put(&mut bytes, 32, &derived_guid(disk, "data write"));
    put(&mut bytes, 66, &1u16.to_le_bytes());
    put(&mut bytes, 68, &(MIB as u32).to_le_bytes());
    put(&mut bytes, 72, &LOG.to_le_bytes());
    seal(&mut bytes);
    bytes
}

/// A GUID of version 8 (RFC 9562: made by a rule of one's own) from the id of the disk and a word.
fn derived_guid(disk: &NewDisk, word: &str) -> [u8; 16] {
    derived_id(&disk.id, word)
}

fn derived_id(disk: &[u8; 16], word: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"hvmigrate vhdx ").update(word.as_bytes()).update(&[0]).update(disk);
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    id[6] = id[6] & 0x0F | 0x80;
    id[8] = id[8] & 0x3F | 0x80;
    swap_guid(id)
}

/// A GUID of this module as it lies in the file; the constants are 32 digits.
fn file_guid(digits: &str) -> [u8; 16] {
    let number = u128::from_str_radix(digits, 16).expect("the constants of this module are hexadecimal");
    swap_guid(number.to_be_bytes())
}

fn seal(bytes: &mut [u8]) {
    let sum = crc::of_structure(bytes);
    put(bytes, 4, &sum.to_le_bytes());
}

/// The parent locator: type, number of pairs at 18, for each pair the places and lengths of key and value, then those.
pub(super) fn locator(parent: &NewParent) -> Result<Vec<u8>, DiskWriteError> {
    const LIMIT: usize = u16::MAX as usize / 2;
    let linkage = format!("{{{}}}", guid_le(&derived_id(&parent.id, "data write")));
    let mut pairs = vec![("parent_linkage", linkage.as_str()), ("relative_path", &parent.relative)];
    pairs.extend(parent.absolute.as_deref().map(|path| ("absolute_win32_path", path)));
    let mut bytes = vec![0; 20 + pairs.len() * 12];
    put(&mut bytes, 0, &file_guid("b04aefb7d19e4a81b78925b8e9445913"));
    put(&mut bytes, 18, &(pairs.len() as u16).to_le_bytes());
    for (at, (key, value)) in (20..).step_by(12).zip(pairs) {
        for (field, text) in [(0, key), (1, value)] {
            let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            if text.len() > LIMIT * 2 {
                return Err(DiskWriteError::ParentPath { path: value.to_owned(), limit: LIMIT });
            }
            let place = bytes.len() as u32;
            put(&mut bytes, at + field * 4, &place.to_le_bytes());
            put(&mut bytes, at + 8 + field * 2, &(text.len() as u16).to_le_bytes());
            bytes.extend(text);
        }
    }
    Ok(bytes)
}
