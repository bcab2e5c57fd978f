//! The role as it shall be on the destination: what a plan puts there and what `verify` compares.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capabilities::DiskFormat;
use crate::disk::DiskIdentity;
use crate::host::{DcomRestriction, FirewallChange, MacRange, NamespaceRights, RoleAssignment};
use crate::names::{ByteSize, CheckpointId, MacAddress, SwitchId, VmId, WindowsPath};
use crate::network::{IpSettings, SwitchKind, Vlan};
use crate::vm::{Controller, MachineConfiguration};

/// Everything that shall be on the destination.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    /// Settings of the host.
    pub settings: RoleSettings,
    /// Virtual networks.
    pub switches: Vec<RoleSwitch>,
    /// Virtual adapters of the management operating system.
    pub management_adapters: Vec<RoleManagementAdapter>,
    /// Machines.
    pub machines: Vec<RoleMachine>,
    /// Firewall rules to change (a manual step of the guide; the kit offers them as a script).
    pub firewall: Vec<FirewallChange>,
    /// DCOM restrictions to merge.
    pub dcom: Vec<DcomRestriction>,
    /// Rights on WMI namespaces to merge; those of Hyper-V's first namespace go to its second one, which managing uses from 2012 on.
    #[serde(default)]
    pub wmi_namespaces: Vec<NamespaceRights>,
}

/// Settings of the host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RoleSettings {
    /// Range of dynamic MAC addresses.
    pub mac_range: Option<MacRange>,
    /// Default folder of virtual hard disks, when the source had changed it.
    pub virtual_hard_disk_path: Option<WindowsPath>,
    /// Default folder of virtual machines, when the source had changed it.
    pub virtual_machine_path: Option<WindowsPath>,
    /// NUMA spanning.
    pub numa_spanning: Option<bool>,
    /// Authorization store: the copied file.
    pub authorization_store: Option<PlacedFile>,
    /// Role assignments of that store, for the report and for releases that do not honour the store.
    pub role_assignments: Vec<RoleAssignment>,
    /// `TenGigVmqEnabled` when it was set: 1 or 2.
    pub vmq_ten_gigabit: Option<u32>,
    /// `BelowTenGigVmqEnabled` when it was set: 1 or 2.
    pub vmq_below_ten_gigabit: Option<u32>,
    /// VMQ and RSS keywords by adapter of the destination (only mapped adapters): name → keyword → value.
    pub vmq_keywords: BTreeMap<String, BTreeMap<String, String>>,
}

/// A virtual network as it shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleSwitch {
    /// Id on the source.
    pub id: SwitchId,
    /// Name.
    pub name: String,
    /// Kind on the source.
    pub source_kind: SwitchKind,
    /// Kind as it is created: an external network without a mapped adapter is created as internal.
    pub kind: SwitchKind,
    /// Adapter of the destination for an external network.
    pub adapter: Option<String>,
    /// The management operating system shares the adapter.
    pub management_os: bool,
    /// Created as internal and to be reconnected by a person.
    pub reconnect: bool,
}

/// A virtual adapter of the management operating system as it shall be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleManagementAdapter {
    /// Connection name on the source.
    pub name: String,
    /// Switch that it is connected to.
    pub switch: SwitchId,
    /// Name of that switch.
    pub switch_name: String,
    /// Static MAC address.
    pub mac: Option<MacAddress>,
    /// VLAN; `None` when it is not known.
    pub vlan: Option<Vlan>,
    /// IP settings.
    pub ip: IpSettings,
    /// Bound protocols and services.
    pub bindings: Vec<String>,
}

/// A machine as it shall be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoleMachine {
    /// Id on the source; kept where the destination lets it.
    pub id: VmId,
    /// The machine of the source whose checkpoint this one is; its id is that of the checkpoint then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_of: Option<VmId>,
    /// Name.
    pub name: String,
    /// Notes.
    pub notes: String,
    /// Generation.
    pub generation: u8,
    /// Configuration after the operator's answers (reduced processors and so on). VLANs hold answers.
    pub configuration: MachineConfiguration,
    /// Folder of this machine below the destination's root, with `/`: one component, safe on Windows and Linux, unique.
    pub folder: String,
    /// Disks.
    pub disks: Vec<PlacedDisk>,
    /// ISO and floppy images.
    pub images: Vec<PlacedImage>,
    /// The configuration file, copied as it is.
    pub original_configuration: Option<PlacedFile>,
    /// Slots of pass-through disks that a person connects, e.g. `ide0-1`.
    pub pass_through: Vec<String>,
    /// Physical disks of the destination that are attached.
    #[serde(default)]
    pub physical: Vec<PhysicalDisk>,
}

/// A physical disk of the destination in a drive of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhysicalDisk {
    /// Controller.
    pub controller: Controller,
    /// Controller number.
    pub number: u8,
    /// Slot.
    pub slot: u8,
    /// Which disk.
    pub disk: DiskIdentity,
}

/// A disk and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlacedDisk {
    /// Controller.
    pub controller: Controller,
    /// Controller number.
    pub number: u8,
    /// Slot.
    pub slot: u8,
    /// Leaf on the source; of an imaged physical disk what the source calls it.
    pub source: WindowsPath,
    /// What is copied in its place: a device or file of the computer that the migration runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
    /// Path below the destination's root, with `/`.
    pub target: String,
    /// Format.
    pub format: DiskFormat,
    /// Virtual size.
    pub size: ByteSize,
    /// Bytes that the chain stores on the source: the upper bound of what has to be read.
    pub stored: ByteSize,
    /// The checkpoint whose state it is; `None` for the present state.
    pub checkpoint: Option<CheckpointId>,
    /// Name of that checkpoint.
    pub checkpoint_name: Option<String>,
}

/// An ISO or floppy image and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlacedImage {
    /// Controller.
    pub controller: Controller,
    /// Controller number.
    pub number: u8,
    /// Slot.
    pub slot: u8,
    /// The file.
    pub file: PlacedFile,
}

/// A file that is copied as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlacedFile {
    /// Path on the source.
    pub source: WindowsPath,
    /// Path below the destination's root, with `/`.
    pub target: String,
    /// Length in bytes.
    pub size: ByteSize,
}
