//! Which blocks of an unhashed copy are in its unfinished file: a list beside it that grows. Layout: magic (8 bytes), key
//! of the job (32), check (8); then records of 18 bytes: number of the block (8, little endian), mask of units that are
//! not zero (2), check (8). A check is the start of a BLAKE3 over the key, the number of the record and its fields, so
//! that a torn or foreign record ends the list.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::TransferError;
use crate::stream::Durability;

const MAGIC: &[u8; 8] = b"HVMPROG2";
const HEADER: usize = 48;
const RECORD: usize = 18;

/// One written block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) block: u64,
    pub(crate) mask: u16,
}

/// The open list.
pub(crate) struct StreamLog {
    file: File,
    path: PathBuf,
    key: [u8; 32],
    count: u64,
    pending: Vec<u8>,
}

/// Names the time since the system was started: what was written but not flushed is there as long as this is the same.
/// `None` where the system does not tell it.
pub(crate) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

impl StreamLog {
    /// Begins an empty list.
    pub(crate) fn create(path: &Path, key: [u8; 32]) -> Result<Self, TransferError> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(TransferError::io("created", path))?;
        file.write_all(&header(&key)).map_err(TransferError::io("written", path))?;
        file.sync_all().map_err(TransferError::io("flushed", path))?;
        Ok(StreamLog { file, path: path.to_owned(), key, count: 0, pending: Vec::new() })
    }

    /// Takes up the list of the same job with its entries; `None` when there is none or it belongs to another job.
    pub(crate) fn open(path: &Path, key: [u8; 32]) -> Result<Option<(Self, Vec<Entry>)>, TransferError> {
        let mut file = match File::options().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TransferError::Io { action: "opened", path: path.to_owned(), source }),
        };
        let mut reader = BufReader::new(&file);
        let mut head = [0; HEADER];
        if reader.read_exact(&mut head).is_err() || head != header(&key) {
            return Ok(None);
        }
        let (mut entries, mut raw): (Vec<Entry>, _) = (Vec::new(), [0; RECORD]);
        while reader.read_exact(&mut raw).is_ok() {
            let entry = decode(&raw);
            let rises = entries.last().is_none_or(|last| last.block < entry.block);
            if !rises || record(&key, entries.len() as u64, entry) != raw {
                break;
            }
            entries.push(entry);
        }
        let end = (HEADER + entries.len() * RECORD) as u64;
        file.set_len(end).map_err(TransferError::io("cut", path))?;
        file.seek(SeekFrom::Start(end)).map_err(TransferError::io("read", path))?;
        let count = entries.len() as u64;
        Ok(Some((StreamLog { file, path: path.to_owned(), key, count, pending: Vec::new() }, entries)))
    }

    /// Notes a block; it counts only after [`StreamLog::flush`].
    pub(crate) fn push(&mut self, entry: Entry) {
        self.pending.extend_from_slice(&record(&self.key, self.count, entry));
        self.count += 1;
    }

    /// Writes down what was noted. The blocks themselves must be as durable already.
    pub(crate) fn flush(&mut self, durability: Durability) -> Result<(), TransferError> {
        self.file.write_all(&self.pending).map_err(TransferError::io("written", &self.path))?;
        self.pending.clear();
        if durability == Durability::PowerLoss {
            self.file.sync_data().map_err(TransferError::io("flushed", &self.path))?;
        }
        Ok(())
    }
}

fn decode(raw: &[u8; RECORD]) -> Entry {
    let block = raw.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let mask = raw.get(8..10).and_then(|bytes| bytes.first_chunk::<2>()).map_or(0, |bytes| u16::from_le_bytes(*bytes));
    Entry { block, mask }
}

fn header(key: &[u8; 32]) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..40].copy_from_slice(key);
    let check = blake3::hash(&bytes[..40]);
    bytes[40..].copy_from_slice(&check.as_bytes()[..8]);
    bytes
}

fn record(key: &[u8; 32], number: u64, entry: Entry) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    bytes[..8].copy_from_slice(&entry.block.to_le_bytes());
    bytes[8..10].copy_from_slice(&entry.mask.to_le_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(&number.to_le_bytes()).update(&bytes[..10]);
    bytes[10..].copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_or_changed_record_ends_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let mut log = StreamLog::create(&path, [7; 32]).unwrap();
        (0..5).for_each(|n| log.push(Entry { block: n * 3, mask: n as u16 }));
        log.flush(Durability::Kill).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let count = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            StreamLog::open(&path, [7; 32]).unwrap().map(|(_, entries)| entries.len())
        };
        for cut in 0..whole.len() {
            assert_eq!(count(&whole[..cut]), cut.checked_sub(HEADER).map(|rest| rest / RECORD), "cut at {cut}");
        }
        for flip in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[flip] ^= 1;
            assert_eq!(count(&bytes), flip.checked_sub(HEADER).map(|at| at / RECORD), "flipped at {flip}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(StreamLog::open(&path, [8; 32]).unwrap().is_none(), "another job");
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let (mut again, _) = StreamLog::open(&path, [7; 32]).unwrap().unwrap();
        again.push(Entry { block: 12, mask: 4 });
        again.flush(Durability::PowerLoss).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole, "a run that goes on gives a whole list");
    }
}
