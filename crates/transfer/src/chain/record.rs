//! What an unfinished conversion of a chain has done: which layers are complete under their hidden names, and whether all of
//! them were compared, after which they may be renamed.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ChainJob, names};
use crate::copy::partial_path;
use crate::error::TransferError;
use crate::io::write_atomic;

/// The largest record that is read, bytes: 64 layers need a few KiB.
const MAX_BYTES: u64 = 1 << 20;

/// The record, a file beside the leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Of the job that it belongs to.
    pub key: String,
    /// All layers are there and were compared.
    pub complete: bool,
    /// Lengths of the complete files, the base first.
    pub files: Vec<u64>,
    /// Bytes that each layer holds, in the same order.
    pub bytes: Vec<u64>,
}

/// Everything that decides about the bytes of the files, hashed.
pub(super) fn key(job: &ChainJob<'_>, paths: &[PathBuf]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    add(job.source.as_bytes());
    add(job.format.to_string().as_bytes());
    for (number, path) in paths.iter().enumerate() {
        add(names::name(path).as_bytes());
        add(&names::id(job, number));
        add(&names::timestamp(job, number).to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Where a file lies now: under its final name when it was renamed already.
pub(super) fn where_is(path: &Path) -> PathBuf {
    let partial = partial_path(path);
    if partial.exists() { partial } else { path.to_owned() }
}

impl Record {
    pub(super) fn new(key: String) -> Self {
        Record { key, complete: false, files: Vec::new(), bytes: Vec::new() }
    }

    /// The record at `path`; with none there, or one of another form, everything is begun anew. Not so where it is there and
    /// the medium fails: what is complete would be thrown away, or taken for somebody else's.
    pub(super) fn load(path: &Path) -> Result<Option<Record>, TransferError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TransferError::io("opened", path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(TransferError::io("read", path))?;
        Ok(serde_json::from_slice(&bytes).ok())
    }

    /// True when the layer (0 is the leaf) is complete and still there.
    pub(super) fn has(&self, paths: &[PathBuf], layer: usize) -> bool {
        let number = paths.len() - 1 - layer;
        let len = paths.get(layer).and_then(|path| Some(std::fs::metadata(where_is(path)).ok()?.len()));
        len.is_some() && self.files.get(number).copied() == len
    }

    /// Drops what is said of the layer with that number, counted from the base, and of those above it.
    pub(super) fn forget(&mut self, number: usize) {
        self.files.truncate(number);
        self.bytes.truncate(number);
    }

    /// Notes that the next layer is complete.
    pub(super) fn note(&mut self, partial: &Path, bytes: u64) -> Result<(), TransferError> {
        self.files.push(std::fs::metadata(partial).map_err(TransferError::io("read", partial))?.len());
        self.bytes.push(bytes);
        Ok(())
    }

    pub(super) fn save(&self, path: &Path) -> Result<(), TransferError> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| TransferError::Chain { reason: format!("its record cannot be written ({error})") })?;
        write_atomic(path, &bytes)
    }
}
