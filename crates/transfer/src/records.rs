//! A list beside an unfinished file that grows by one record for each block that is in it. Layout: magic (8 bytes), key
//! of the job (32), check (8); then records of one length, the last 8 bytes of each its check. A check is the start of a
//! BLAKE3 over the key, the number of the record and its fields, so that a torn or foreign record ends the list.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::TransferError;

pub(crate) const HEADER: usize = 48;
/// Bytes of a check.
pub(crate) const CHECK: usize = 8;

/// To which job and way of copying a list belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) magic: &'static [u8; 8],
    pub(crate) key: [u8; 32],
}

/// The open list, at its end.
pub(crate) struct Records {
    file: File,
    path: PathBuf,
    key: [u8; 32],
    count: u64,
    pending: Vec<u8>,
}

impl Records {
    /// Begins an empty list.
    pub(crate) fn create(path: &Path, owner: &Owner) -> Result<Self, TransferError> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        let mut file = options.open(path).map_err(TransferError::io("created", path))?;
        file.write_all(&header(owner)).map_err(TransferError::io("written", path))?;
        file.sync_all().map_err(TransferError::io("flushed", path))?;
        Ok(Records { file, path: path.to_owned(), key: owner.key, count: 0, pending: Vec::new() })
    }

    /// Takes up the list of the same owner and hands the fields of at most `most` records to `take`, until it refuses
    /// one; what comes behind is cut off. `None` when there is no list or it belongs to another owner.
    pub(crate) fn open<const FIELDS: usize>(
        path: &Path,
        owner: &Owner,
        most: u64,
        take: &mut dyn FnMut(&[u8; FIELDS]) -> bool,
    ) -> Result<Option<Self>, TransferError> {
        let mut file = match File::options().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TransferError::Io { action: "opened", path: path.to_owned(), source }),
        };
        let mut reader = BufReader::new(&file);
        let mut fill = |bytes: &mut [u8]| fills(&mut reader, bytes).map_err(TransferError::io("read", path));
        let mut head = [0; HEADER];
        if !fill(&mut head)? || head != header(owner) {
            return Ok(None);
        }
        let (mut count, mut fields, mut found) = (0, [0; FIELDS], [0; CHECK]);
        while count < most && fill(&mut fields)? && fill(&mut found)? {
            if check(&owner.key, count, &fields) != found || !take(&fields) {
                break;
            }
            count += 1;
        }
        let end = HEADER as u64 + count * (FIELDS + CHECK) as u64;
        file.set_len(end).map_err(TransferError::io("cut", path))?;
        file.seek(SeekFrom::Start(end)).map_err(TransferError::io("read", path))?;
        Ok(Some(Records { file, path: path.to_owned(), key: owner.key, count, pending: Vec::new() }))
    }

    /// Reads the fields of the first `count` records again, which [`Records::open`] found whole.
    pub(crate) fn again<const FIELDS: usize>(
        path: &Path,
        count: u64,
    ) -> Result<impl Iterator<Item = std::io::Result<[u8; FIELDS]>> + use<FIELDS>, TransferError> {
        let mut file = File::open(path).map_err(TransferError::io("opened", path))?;
        file.seek(SeekFrom::Start(HEADER as u64)).map_err(TransferError::io("read", path))?;
        let mut reader = BufReader::new(file);
        Ok((0..count).map(move |_| {
            let (mut fields, mut check) = ([0; FIELDS], [0; CHECK]);
            reader.read_exact(&mut fields)?;
            reader.read_exact(&mut check)?;
            Ok(fields)
        }))
    }

    /// How many records there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Notes a record; it counts only after [`Records::write`].
    pub(crate) fn push(&mut self, fields: &[u8]) {
        self.pending.extend_from_slice(fields);
        self.pending.extend_from_slice(&check(&self.key, self.count, fields));
        self.count += 1;
    }

    /// Hands what was noted to the system.
    pub(crate) fn write(&mut self) -> Result<(), TransferError> {
        self.file.write_all(&self.pending).map_err(TransferError::io("written", &self.path))?;
        self.pending.clear();
        Ok(())
    }

    /// Makes what was written durable.
    pub(crate) fn sync(&mut self) -> Result<(), TransferError> {
        self.file.sync_data().map_err(TransferError::io("flushed", &self.path))
    }
}

/// Reads so many bytes; false where the list ends before. That a medium fails is no end: all that was written would be
/// thrown away for it.
fn fills(reader: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<bool> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn header(owner: &Owner) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(owner.magic);
    bytes[8..40].copy_from_slice(&owner.key);
    let check = blake3::hash(&bytes[..40]);
    bytes[40..].copy_from_slice(&check.as_bytes()[..CHECK]);
    bytes
}

fn check(key: &[u8; 32], number: u64, fields: &[u8]) -> [u8; CHECK] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(&number.to_le_bytes()).update(fields);
    *hasher.finalize().as_bytes().first_chunk().expect("a BLAKE3 value has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { magic: b"HVMTEST1", key: [7; 32] };
    const RECORD: usize = 10 + CHECK;

    fn whole(path: &Path) -> Vec<u8> {
        let mut records = Records::create(path, &OWNER).unwrap();
        (0..5).for_each(|n| records.push(&[n; 10]));
        records.write().unwrap();
        std::fs::read(path).unwrap()
    }

    fn count(path: &Path, bytes: &[u8]) -> Option<usize> {
        std::fs::write(path, bytes).unwrap();
        let mut count = 0;
        let mut take = |_: &[u8; 10]| {
            count += 1;
            true
        };
        Records::open(path, &OWNER, 5, &mut take).unwrap()?;
        Some(count)
    }

    #[test]
    fn a_torn_or_changed_record_ends_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let whole = whole(&path);
        for cut in 0..whole.len() {
            assert_eq!(count(&path, &whole[..cut]), cut.checked_sub(HEADER).map(|at| at / RECORD), "cut at {cut}");
        }
        for flip in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[flip] ^= 1;
            assert_eq!(count(&path, &bytes), flip.checked_sub(HEADER).map(|at| at / RECORD), "flipped at {flip}");
        }
    }

    #[test]
    fn a_medium_that_fails_does_not_end_the_list() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("bad sector"))
            }
        }
        assert_eq!(fills(&mut (&[1, 2][..]).chain(Fails), &mut [0; 4]).unwrap_err().to_string(), "bad sector");
        assert!(!fills(&mut &[1, 2][..], &mut [0; 4]).unwrap());
        assert!(fills(&mut &[1, 2, 3, 4][..], &mut [0; 4]).unwrap());
    }

    #[test]
    fn foreign_and_overlong_lists_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        whole(&path);
        for owner in [Owner { key: [8; 32], ..OWNER }, Owner { magic: b"HVMTEST2", ..OWNER }] {
            assert!(Records::open::<10>(&path, &owner, 5, &mut |_| true).unwrap().is_none());
        }
        assert_eq!(Records::open::<10>(&path, &OWNER, 3, &mut |_| true).unwrap().unwrap().count, 3, "at most 3");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), (HEADER + 3 * RECORD) as u64);
    }

    #[test]
    fn going_on_after_a_torn_record_gives_a_whole_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let whole = whole(&path);
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let mut again = Records::open::<10>(&path, &OWNER, 5, &mut |_| true).unwrap().unwrap();
        again.push(&[4; 10]);
        again.write().unwrap();
        again.sync().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
}
