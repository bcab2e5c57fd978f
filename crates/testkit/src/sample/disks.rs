//! Writes disks of machines and remembers what they hold.

use super::writer::HostWriter;
use super::{SampleDisk, ids};
use crate::guid::plain_bytes;
use crate::vhd::{BlockOrder, Blocks, ContentModel, VhdKind, VhdSpec};
use std::io;

/// A disk of the current state of a machine that has no parent.
pub(super) struct Plain<'a> {
    /// Id of the machine.
    pub(super) machine: &'a str,
    /// `IDE 0:0`, `SCSI 0` …
    pub(super) slot: &'a str,
    /// Windows path.
    pub(super) at: String,
    /// Layout.
    pub(super) spec: VhdSpec,
}

impl HostWriter {
    /// Writes the disk with its content and lists it.
    pub(super) fn disk(&mut self, disk: Plain<'_>, content: &ContentModel) -> io::Result<()> {
        let path = self.place(&disk.at)?;
        disk.spec.image(content).write_to(&path)?;
        self.host.disks.push(SampleDisk {
            machine: disk.machine.to_owned(),
            checkpoint: None,
            slot: disk.slot.to_owned(),
            windows_path: disk.at,
            chain: vec![path.clone()],
            path,
            virtual_size: content.size(),
            blake3: content.blake3(),
        });
        Ok(())
    }
}

/// Path of a disk in the default folder.
pub(super) fn default_path(name: &str) -> String {
    format!(r"{}\{name}", ids::DISK_ROOT)
}

/// Unique id of the sample's disk `number`.
pub(super) fn unique_id(number: u8) -> [u8; 16] {
    plain_bytes(&format!("D15C0000-2008-4A00-9000-0000000000{number:02X}"))
}

/// A dynamic disk with blocks of 2 MiB in order.
pub(super) fn dynamic(number: u8) -> VhdSpec {
    VhdSpec::new(VhdKind::Dynamic(Blocks::default()), unique_id(number))
}

/// A dynamic disk whose blocks were written at random.
pub(super) fn shuffled(number: u8, block_size: u32) -> VhdSpec {
    let order = BlockOrder::Shuffled(u64::from(number));
    VhdSpec::new(VhdKind::Dynamic(Blocks { size: block_size, order, ..Blocks::default() }), unique_id(number))
}

/// Content of `mib` MiB: the first MiB full, and pieces elsewhere that begin and end anywhere.
pub(super) fn content(mib: u64, seed: u64) -> ContentModel {
    let mut content = ContentModel::new(mib << 20);
    let sectors = content.sector_count();
    content.fill(0, 2048, seed);
    for piece in 1..5 {
        let first = sectors / 5 * piece + seed * 37 % 1000;
        content.fill(first, 60 + (seed * 101 + piece * 53) % 700, seed + piece);
    }
    content.fill(sectors - 1, 1, seed + 9);
    content
}
