//! What every source can do, whatever its reach (how bytes come) and layout (where things are). Nothing here writes.

use hvm_formats::disk::SharedDisk;
use hvm_formats::io::SharedFile;
use hvm_model::guest::Guest;
use hvm_model::inventory::{Inventory, SourceDescription};
use hvm_model::names::WindowsPath;

use crate::error::SourceError;

/// A host that is to be left, read-only.
pub trait Source: Send + Sync {
    /// How it was reached.
    fn describe(&self) -> SourceDescription;
    /// Everything that can be read; what cannot be read is a problem in it, not an error.
    fn inventory(&self) -> Result<Inventory, SourceError>;
    /// What is in the machines of `inventory`, by their present disks; what cannot be read is said in the guest. It reads from every
    /// disk, so that it takes longer than the rest.
    fn guests(&self, inventory: &Inventory) -> Vec<Guest>;
    /// The virtual disk whose leaf is `path`, parents resolved through the source's own gate.
    fn open_disk(&self, path: &WindowsPath) -> Result<SharedDisk, SourceError>;
    /// A file as it is.
    fn open_file(&self, path: &WindowsPath) -> Result<SharedFile, SourceError>;
    /// BLAKE3 (hex) over names, sizes and modification times of all files that `inventory` uses: another value later means
    /// that the source was used meanwhile.
    fn fingerprint(&self, inventory: &Inventory) -> Result<String, SourceError>;
}
