//! Which blocks are in the file of an unfinished copy without hashes: a list of [`crate::records`] beside it. Fields of a
//! record: number of the block (8 bytes, little endian), mask of units that are not zero (2).

use std::path::Path;

use crate::error::TransferError;
use crate::records::{Owner, Records};
use crate::stream::Durability;

const MAGIC: &[u8; 8] = b"HVMPROG2";
const FIELDS: usize = 10;

/// One written block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) block: u64,
    pub(crate) mask: u16,
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

    /// Takes up the list of the same job with its entries, in ascending order and each below `blocks`; `None` when there is
    /// none or it belongs to another job.
    pub(crate) fn open(path: &Path, key: [u8; 32], blocks: u64) -> Result<Option<(Self, Vec<Entry>)>, TransferError> {
        let mut entries: Vec<Entry> = Vec::new();
        let records = Records::open(path, &Owner { magic: MAGIC, key }, blocks, &mut |fields| {
            let entry = decode(fields);
            let fits = entry.block < blocks && entries.last().is_none_or(|last| last.block < entry.block);
            if fits {
                entries.push(entry);
            }
            fits
        })?;
        Ok(records.map(|records| (StreamLog(records), entries)))
    }

    /// Notes a block; it counts only after [`StreamLog::flush`].
    pub(crate) fn push(&mut self, entry: Entry) {
        let mut fields = [0; FIELDS];
        fields[..8].copy_from_slice(&entry.block.to_le_bytes());
        fields[8..].copy_from_slice(&entry.mask.to_le_bytes());
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
    let (mut block, mut mask) = ([0; 8], [0; 2]);
    block.copy_from_slice(&fields[..8]);
    mask.copy_from_slice(&fields[8..]);
    Entry { block: u64::from_le_bytes(block), mask: u16::from_le_bytes(mask) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_do_not_rise_or_lie_past_the_end_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let entry = |block| Entry { block, mask: 300 };
        for (blocks, taken) in [(vec![0, 3, 9], 3), (vec![0, 3, 3], 2), (vec![5, 4], 1), (vec![2, 10], 1)] {
            let mut log = StreamLog::create(&path, [7; 32]).unwrap();
            blocks.iter().for_each(|block| log.push(entry(*block)));
            log.flush(Durability::PowerLoss).unwrap();
            let (_, entries) = StreamLog::open(&path, [7; 32], 10).unwrap().unwrap();
            let expected: Vec<Entry> = blocks[..taken].iter().map(|block| entry(*block)).collect();
            assert_eq!(entries, expected);
        }
    }
}
