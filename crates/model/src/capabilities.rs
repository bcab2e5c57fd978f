//! What a destination can take, and what it has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::host::WindowsRelease;
use crate::names::{ByteSize, MacAddress, VmId};

/// Capabilities of a destination: what its kind can do, and what this one has, as far as it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capabilities {
    /// The URI as given.
    pub uri: String,
    /// Kind.
    pub kind: DestinationKind,
    /// Format in which disks are written.
    pub disk_format: DiskFormat,
    /// Largest virtual disk of that format, bytes.
    pub max_disk_size: ByteSize,
    /// Most virtual processors of one machine.
    pub max_processors: u32,
    /// Most memory of one machine.
    pub max_memory: ByteSize,
    /// True when checkpoints can be put back as checkpoints; else each becomes a flattened disk of its own.
    pub keeps_checkpoints: bool,
    /// Logical processors of the destination; `None` when nobody said.
    pub logical_processors: Option<u32>,
    /// Memory of the destination.
    pub memory: Option<ByteSize>,
    /// Free space where the disks will lie.
    pub free_space: Option<ByteSize>,
    /// System UI language, LCID as four hex digits.
    pub ui_language: Option<String>,
    /// Edition: `standard`, `datacenter`, `hyper-v-server`.
    pub edition: Option<String>,
    /// Names of physical network adapters; `None` when nobody said.
    pub adapters: Option<Vec<String>>,
    /// What is known of those adapters beside their names.
    #[serde(default)]
    pub adapter_details: Vec<DestinationAdapter>,
    /// Names of machines that are there already.
    pub machines: Vec<String>,
    /// Ids of the machines that are there already, where somebody said them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machine_ids: Vec<VmId>,
    /// Names of virtual networks that are there already.
    pub switches: Vec<String>,
    /// MAC addresses that are in use there.
    pub mac_addresses: Vec<MacAddress>,
}

/// A physical network adapter of the destination.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DestinationAdapter {
    /// Name of its connection, e.g. `Ethernet 2`.
    pub name: String,
    /// Description of the device.
    #[serde(default)]
    pub description: String,
    /// Where it sits, e.g. `PCI bus 2, device 1, function 0`.
    #[serde(default)]
    pub location: Option<String>,
    /// MAC address.
    #[serde(default)]
    pub mac: Option<MacAddress>,
    /// Addresses with prefix length, e.g. `192.0.2.10/24`.
    #[serde(default)]
    pub addresses: Vec<String>,
}

/// Kind of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DestinationKind {
    /// A Hyper-V host of this release.
    HyperV {
        /// Release.
        release: WindowsRelease,
    },
    /// KVM under libvirt.
    Libvirt,
}

impl std::fmt::Display for DestinationKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DestinationKind::HyperV { release } => write!(f, "Hyper-V on {release}"),
            DestinationKind::Libvirt => f.write_str("KVM under libvirt"),
        }
    }
}

/// Container format of a written disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFormat {
    /// Plain sectors.
    Raw,
    /// VHD, fixed.
    VhdFixed,
    /// VHD, dynamic.
    Vhd,
    /// VHDX, fixed.
    VhdxFixed,
    /// VHDX, dynamic.
    Vhdx,
    /// QCOW2 version 3.
    Qcow2,
    /// QCOW2 version 3, clusters packed with zstd.
    Qcow2Zstd,
}

impl DiskFormat {
    /// File name extension without the dot.
    pub fn extension(&self) -> &'static str {
        match self {
            DiskFormat::Raw => "raw",
            DiskFormat::VhdFixed | DiskFormat::Vhd => "vhd",
            DiskFormat::VhdxFixed | DiskFormat::Vhdx => "vhdx",
            DiskFormat::Qcow2 | DiskFormat::Qcow2Zstd => "qcow2",
        }
    }
}

impl std::fmt::Display for DiskFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DiskFormat::Raw => "raw",
            DiskFormat::VhdFixed => "vhd-fixed",
            DiskFormat::Vhd => "vhd",
            DiskFormat::VhdxFixed => "vhdx-fixed",
            DiskFormat::Vhdx => "vhdx",
            DiskFormat::Qcow2 => "qcow2",
            DiskFormat::Qcow2Zstd => "qcow2-zstd",
        })
    }
}
