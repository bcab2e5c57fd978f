//! A sample host: the drives of a Windows Server 2008 R2 SP1 Enterprise server with Hyper-V, written by code.
//!
//! [`write`] makes `C` and `D` below a folder and says what it put there ([`SampleHost`]), so that tests compare what
//! a reader found with what was meant. The same variant always gives the same bytes. Names that no real host of this
//! release has shown are marked "made up" where they are written; no reader may depend on them.

pub mod answers;
mod disks;
mod firewall;
mod host;
pub mod ids;
pub mod live;
mod machines;
mod malformed;
mod media;
mod network;
mod planted;
mod registry;
mod store;
mod tree;
mod writer;

pub use host::{NetworkKind, SampleDisk, SampleHost, SampleMachine, SampleNetwork, Variant};
pub use planted::{Planted, PlantedKind};

use std::io;
use std::path::Path;

/// Writes the sample host of `variant` below `folder`, over what an earlier call left there.
///
/// The drives become `folder/C` and `folder/D`. Needs a file system with symbolic links.
pub fn write(folder: &Path, variant: Variant) -> io::Result<SampleHost> {
    let mut writer = writer::HostWriter::new(folder, variant)?;
    registry::write(&writer)?;
    store::write(&writer)?;
    machines::write(&mut writer)?;
    let mut host = writer.into_host();
    host.networks = network::networks(variant);
    host.planted = planted::planted(variant);
    malformed::spoil(&mut host)?;
    Ok(host)
}

/// Writes the hives of a sample host that is there once more, as large as those of a server that was used.
pub fn write_large_hives(folder: &Path, variant: Variant) -> io::Result<()> {
    registry::write_large(&writer::HostWriter::new(folder, variant)?)
}
