//! How far an unfinished hashed copy is: a list of [`crate::records`] beside it, whose records count only after the block
//! is on the medium. Fields of a record: block value (32 bytes), mask of units that are not zero (2, little endian).

use std::path::Path;

use crate::digest::Digest;
use crate::error::TransferError;
use crate::records::{Owner, Records};

const MAGIC: &[u8; 8] = b"HVMPROG1";
const FIELDS: usize = 34;

/// One finished block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) digest: Digest,
    pub(crate) mask: u16,
}

/// The open list of finished blocks.
pub(crate) struct Sidecar {
    records: Records,
    pieces: Vec<Piece>,
}

impl Sidecar {
    /// Begins an empty list.
    pub(crate) fn create(path: &Path, key: [u8; 32]) -> Result<Self, TransferError> {
        Ok(Sidecar { records: Records::create(path, &Owner { magic: MAGIC, key })?, pieces: Vec::new() })
    }

    /// Takes up the list of the same job; `None` when there is none or it belongs to another job.
    pub(crate) fn open(path: &Path, key: [u8; 32], blocks: u64) -> Result<Option<Self>, TransferError> {
        let mut pieces = Vec::new();
        let records = Records::open(path, &Owner { magic: MAGIC, key }, blocks, &mut |fields| {
            pieces.push(decode(fields));
            true
        })?;
        Ok(records.map(|records| Sidecar { records, pieces }))
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Notes a block; it counts only after [`Sidecar::flush`].
    pub(crate) fn push(&mut self, piece: Piece) {
        let mut fields = [0; FIELDS];
        fields[..32].copy_from_slice(&piece.digest.0);
        fields[32..].copy_from_slice(&piece.mask.to_le_bytes());
        self.records.push(&fields);
        self.pieces.push(piece);
    }

    /// Makes what was noted durable. The data itself must be durable already.
    pub(crate) fn flush(&mut self) -> Result<(), TransferError> {
        self.records.write()?;
        self.records.sync()
    }
}

fn decode(fields: &[u8; FIELDS]) -> Piece {
    let (mut digest, mut mask) = ([0; 32], [0; 2]);
    digest.copy_from_slice(&fields[..32]);
    mask.copy_from_slice(&fields[32..]);
    Piece { digest: Digest(digest), mask: u16::from_le_bytes(mask) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_back_as_they_were_noted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let mut sidecar = Sidecar::create(&path, [7; 32]).unwrap();
        (0..5).for_each(|n| sidecar.push(Piece { digest: Digest([n; 32]), mask: 300 + u16::from(n) }));
        sidecar.flush().unwrap();
        let again = Sidecar::open(&path, [7; 32], 5).unwrap().unwrap();
        assert_eq!(again.pieces(), sidecar.pieces());
    }
}
