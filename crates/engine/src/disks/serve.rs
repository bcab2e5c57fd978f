//! A disk for other programs, over NBD.

use std::path::Path;

use hvm_sources::single::{ChainOptions, open_disk_file};
use hvm_transfer::nbd::{Listen, NbdServer};
use hvm_transfer::{Cancel, TransferError};

use crate::error::EngineError;

/// A disk that clients can connect to.
pub struct DiskServer(NbdServer);

/// Opens a disk with its parents and the address under which it is served, read-only.
pub fn disk_serve(path: &Path, options: &ChainOptions, listen: &Listen) -> Result<DiskServer, EngineError> {
    let disk = open_disk_file(path, options)?;
    Ok(DiskServer(NbdServer::bind(disk, listen).map_err(TransferError::from)?))
}

impl DiskServer {
    /// The address as clients take it.
    pub fn uri(&self) -> String {
        self.0.uri()
    }

    /// Answers clients until the program ends.
    pub fn run(&self) -> Result<(), EngineError> {
        Ok(self.0.run(&Cancel::new()).map_err(TransferError::from)?)
    }
}
