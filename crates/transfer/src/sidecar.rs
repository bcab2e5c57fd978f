//! How far an unfinished copy is: a file beside it that grows by one record for each finished block, and only after
//! the block is on the medium. Layout: magic (8 bytes), key of the job (32), check (8); then records of 42 bytes:
//! block value (32), mask of units that are not zero (2, little endian), check (8). A check is the start of a BLAKE3
//! over the key, the number of the record and its fields, so that a torn or foreign record ends the list.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::TransferError;

const MAGIC: &[u8; 8] = b"HVMPROG1";
const HEADER: usize = 48;
const RECORD: usize = 42;

/// One finished block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) digest: Digest,
    pub(crate) mask: u16,
}

/// The open list of finished blocks.
pub(crate) struct Sidecar {
    file: File,
    path: PathBuf,
    key: [u8; 32],
    pieces: Vec<Piece>,
    durable: usize,
}

impl Sidecar {
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
        Ok(Sidecar { file, path: path.to_owned(), key, pieces: Vec::new(), durable: 0 })
    }

    /// Takes up the list of the same job; `None` when there is none or it belongs to another job.
    pub(crate) fn open(path: &Path, key: [u8; 32], blocks: u64) -> Result<Option<Self>, TransferError> {
        let mut file = match File::options().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TransferError::Io { action: "opened", path: path.to_owned(), source }),
        };
        let mut head = [0; HEADER];
        if file.read_exact(&mut head).is_err() || head != header(&key) {
            return Ok(None);
        }
        let mut rest = Vec::new();
        let limit = blocks.saturating_mul(RECORD as u64);
        (&mut file).take(limit).read_to_end(&mut rest).map_err(TransferError::io("read", path))?;
        let pieces = read_pieces(&key, &rest);
        let end = (HEADER + pieces.len() * RECORD) as u64;
        file.set_len(end).map_err(TransferError::io("cut", path))?;
        file.seek(SeekFrom::Start(end)).map_err(TransferError::io("read", path))?;
        Ok(Some(Sidecar { file, path: path.to_owned(), key, durable: pieces.len(), pieces }))
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Notes a block; it counts only after [`Sidecar::flush`].
    pub(crate) fn push(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    /// Makes what was noted durable. The data itself must be durable already.
    pub(crate) fn flush(&mut self) -> Result<(), TransferError> {
        let mut bytes = Vec::new();
        for (number, piece) in self.pieces.iter().enumerate().skip(self.durable) {
            bytes.extend_from_slice(&record(&self.key, number as u64, piece));
        }
        self.file.write_all(&bytes).map_err(TransferError::io("written", &self.path))?;
        self.file.sync_data().map_err(TransferError::io("flushed", &self.path))?;
        self.durable = self.pieces.len();
        Ok(())
    }
}

fn read_pieces(key: &[u8; 32], bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (number, raw) in bytes.chunks_exact(RECORD).enumerate() {
        let (Some(digest), Some(mask)) = (raw.first_chunk::<32>(), raw.get(32..34)) else { break };
        let mask = mask.first_chunk::<2>().map_or(0, |mask| u16::from_le_bytes(*mask));
        let piece = Piece { digest: Digest(*digest), mask };
        if record(key, number as u64, &piece) != raw {
            break;
        }
        pieces.push(piece);
    }
    pieces
}

fn header(key: &[u8; 32]) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..40].copy_from_slice(key);
    let check = blake3::hash(&bytes[..40]);
    bytes[40..].copy_from_slice(&check.as_bytes()[..8]);
    bytes
}

fn record(key: &[u8; 32], number: u64, piece: &Piece) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    bytes[..32].copy_from_slice(&piece.digest.0);
    bytes[32..34].copy_from_slice(&piece.mask.to_le_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(&number.to_le_bytes()).update(&bytes[..34]);
    bytes[34..].copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(n: u8) -> Piece {
        Piece { digest: Digest([n; 32]), mask: u16::from(n) }
    }

    #[test]
    fn a_torn_or_changed_record_ends_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let mut sidecar = Sidecar::create(&path, [7; 32]).unwrap();
        (0..5).for_each(|n| sidecar.push(piece(n)));
        sidecar.flush().unwrap();
        drop(sidecar);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let opened = Sidecar::open(&path, [7; 32], 5).unwrap();
            let expected = cut.checked_sub(HEADER).map(|rest| rest / RECORD);
            assert_eq!(opened.map(|sidecar| sidecar.pieces.len()), expected, "cut at {cut}");
        }
        for flip in HEADER..whole.len() {
            let mut bytes = whole.clone();
            bytes[flip] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            let opened = Sidecar::open(&path, [7; 32], 5).unwrap().unwrap();
            assert_eq!(opened.pieces.len(), (flip - HEADER) / RECORD, "flipped at {flip}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(Sidecar::open(&path, [8; 32], 5).unwrap().is_none());
    }

    #[test]
    fn going_on_after_a_torn_record_gives_a_whole_list() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let mut sidecar = Sidecar::create(&path, [7; 32]).unwrap();
        (0..5).for_each(|n| sidecar.push(piece(n)));
        sidecar.flush().unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let mut again = Sidecar::open(&path, [7; 32], 5).unwrap().unwrap();
        again.push(piece(4));
        again.flush().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
}
