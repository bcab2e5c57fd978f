//! Which blocks are in the file of an unfinished copy: a list of [`crate::records`] beside it. Fields of a record: number of
//! the block (8 bytes, little endian), mask of units of 64 KiB that were written (2), value of the block (32, zeros when
//! nothing is hashed).

use std::path::Path;

use crate::digest::Digest;
use crate::error::TransferError;
use crate::records::{Owner, Records};
use crate::stream::Durability;

/// Another one whenever a writer lays its file out in another way: a list of before does not fit then.
const MAGIC: &[u8; 8] = b"HVMPROG4";
const FIELDS: usize = 42;

/// One written block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) block: u64,
    pub(crate) units: u16,
    pub(crate) value: Digest,
}

/// The open list.
pub(crate) struct StreamLog(Records);

/// Names the time since the system was started: what was written but not flushed is there as long as this is the same.
/// `None` where the system does not tell it.
pub(crate) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

impl StreamLog {
    /// Begins an empty list.
    pub(crate) fn create(path: &Path, key: [u8; 32]) -> Result<Self, TransferError> {
        Ok(StreamLog(Records::create(path, &Owner { magic: MAGIC, key })?))
    }

    /// Takes up the list of the same job and hands its entries to `take`, in ascending order and each below `blocks`; `None`
    /// when there is none or it belongs to another job.
    pub(crate) fn open(
        path: &Path,
        key: [u8; 32],
        blocks: u64,
        take: &mut dyn FnMut(Entry),
    ) -> Result<Option<Self>, TransferError> {
        let mut least = 0;
        let records = Records::open(path, &Owner { magic: MAGIC, key }, blocks, &mut |fields| {
            let entry = decode(fields);
            let fits = (least..blocks).contains(&entry.block);
            if fits {
                least = entry.block + 1;
                take(entry);
            }
            fits
        })?;
        Ok(records.map(StreamLog))
    }

    /// The entries that were there when the list was opened, once more.
    pub(crate) fn again(
        &self,
        path: &Path,
    ) -> Result<impl Iterator<Item = std::io::Result<Entry>> + use<>, TransferError> {
        Ok(Records::again(path, self.0.count())?.map(|fields| fields.map(|fields| decode(&fields))))
    }

    /// Notes a block; it counts only after [`StreamLog::flush`].
    pub(crate) fn push(&mut self, entry: Entry) {
        let mut fields = [0; FIELDS];
        fields[..8].copy_from_slice(&entry.block.to_le_bytes());
        fields[8..10].copy_from_slice(&entry.units.to_le_bytes());
        fields[10..].copy_from_slice(&entry.value.0);
        self.0.push(&fields);
    }

    /// Writes down what was noted. The blocks themselves must be as durable already.
    pub(crate) fn flush(&mut self, durability: Durability) -> Result<(), TransferError> {
        self.0.write()?;
        match durability {
            Durability::Kill => Ok(()),
            Durability::PowerLoss => self.0.sync(),
        }
    }
}

fn decode(fields: &[u8; FIELDS]) -> Entry {
    let (mut block, mut units, mut value) = ([0; 8], [0; 2], [0; 32]);
    block.copy_from_slice(&fields[..8]);
    units.copy_from_slice(&fields[8..10]);
    value.copy_from_slice(&fields[10..]);
    Entry { block: u64::from_le_bytes(block), units: u16::from_le_bytes(units), value: Digest(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_do_not_rise_or_lie_past_the_end_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let entry = |block| Entry { block, units: 300, value: Digest([block as u8; 32]) };
        for (blocks, taken) in [(vec![0, 3, 9], 3), (vec![0, 3, 3], 2), (vec![5, 4], 1), (vec![2, 10], 1)] {
            let mut log = StreamLog::create(&path, [7; 32]).unwrap();
            blocks.iter().for_each(|block| log.push(entry(*block)));
            log.flush(Durability::PowerLoss).unwrap();
            let mut entries = Vec::new();
            let log = StreamLog::open(&path, [7; 32], 10, &mut |entry| entries.push(entry)).unwrap().unwrap();
            let expected: Vec<Entry> = blocks[..taken].iter().map(|block| entry(*block)).collect();
            assert_eq!(entries, expected);
            let again: Vec<Entry> = log.again(&path).unwrap().map(Result::unwrap).collect();
            assert_eq!(again, expected);
        }
    }
}
