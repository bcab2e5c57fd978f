//! Everything that was read of a source.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::disk::DiskFile;
use crate::found::{Problem, Unknown};
use crate::guest::Guest;
use crate::host::Host;
use crate::names::{ByteSize, SwitchId, VmId, WindowsPath};
use crate::network::{ManagementAdapter, PhysicalAdapter, VirtualSwitch};
use crate::vm::{Machine, Media};

/// Version of the JSON documents of this crate; raised when a reader of the old form would misunderstand the new one.
pub const SCHEMA_VERSION: u32 = 1;

/// The inventory of one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// [`SCHEMA_VERSION`].
    pub schema: u32,
    /// How the source was reached.
    pub source: SourceDescription,
    /// The host.
    pub host: Host,
    /// Virtual networks.
    pub switches: Vec<VirtualSwitch>,
    /// Physical network adapters.
    pub adapters: Vec<PhysicalAdapter>,
    /// Virtual adapters of the management operating system.
    pub management_adapters: Vec<ManagementAdapter>,
    /// Persistent routes: `destination,mask,gateway,metric` as the registry writes them.
    pub persistent_routes: Vec<String>,
    /// Virtual machines, by name.
    pub machines: Vec<Machine>,
    /// Disk files, parents included, each once.
    pub disks: Vec<DiskFile>,
    /// Sizes of the other files that machines use (ISO and floppy images).
    pub media: Vec<MediaFile>,
    /// What is in the machines, by the order of `machines`; none where nobody looked into them.
    #[serde(default)]
    pub guests: Vec<Guest>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// What this reach cannot know.
    pub unknowns: Vec<Unknown>,
}

/// How a source was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceDescription {
    /// The URI as given.
    pub uri: String,
    /// Reach: `folder`, `image`.
    pub reach: String,
    /// Layout: `role` (a system volume with the role), `export`.
    pub layout: String,
    /// Drive letters and the folders that stand for them.
    pub drives: Vec<(String, String)>,
    /// How the files of a host that runs are read, and why not in a faster way; nothing for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
}

/// A file that is no disk, such as an ISO image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaFile {
    /// Path on the source.
    pub path: WindowsPath,
    /// Length in bytes; `None` when the file is not there.
    pub size: Option<ByteSize>,
}

impl Inventory {
    /// The machine with this id.
    pub fn machine(&self, id: &VmId) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.id == *id)
    }

    /// What is in the machine with this id.
    pub fn guest(&self, machine: &VmId) -> Option<&Guest> {
        self.guests.iter().find(|guest| guest.machine == *machine)
    }

    /// The switch with this id.
    pub fn switch(&self, id: &SwitchId) -> Option<&VirtualSwitch> {
        self.switches.iter().find(|switch| switch.id == *id)
    }

    /// The disk file with this path.
    pub fn disk(&self, path: &WindowsPath) -> Option<&DiskFile> {
        self.disks.iter().find(|disk| disk.path == *path)
    }

    /// The chain of a leaf, the leaf first; stops at a file that is not in the inventory.
    pub fn chain(&self, leaf: &WindowsPath) -> Vec<&DiskFile> {
        let mut chain: Vec<&DiskFile> = Vec::new();
        let mut next = Some(leaf);
        while let Some(disk) = next.and_then(|path| self.disk(path)) {
            if chain.iter().any(|seen| seen.path == disk.path) {
                break;
            }
            next = disk.parent.as_ref();
            chain.push(disk);
        }
        chain
    }

    /// The leaf disks of a machine with their drives, in order.
    pub fn leaf_disks<'a>(&'a self, machine: &'a Machine) -> impl Iterator<Item = &'a WindowsPath> {
        machine.configuration.drives.iter().filter_map(|drive| match &drive.media {
            Media::VirtualDisk { path } => Some(path),
            _ => None,
        })
    }
}
