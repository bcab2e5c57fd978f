//! The role as it shall be on the destination: what a plan puts there and what `verify` compares.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capabilities::DiskFormat;
use crate::disk::DiskIdentity;
use crate::host::{DcomRestriction, FirewallChange, GroupMember, MacRange, NamespaceRights, RoleAssignment};
use crate::names::{ByteSize, CheckpointId, MacAddress, SwitchId, TemplateId, VmId, WindowsPath};
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
    /// Accounts to make members of Distributed COM Users.
    #[serde(default)]
    pub dcom_users: Vec<RoleMember>,
    /// Rights on WMI namespaces to merge; those of Hyper-V's first namespace go to its second one, which managing uses from 2012 on.
    #[serde(default)]
    pub wmi_namespaces: Vec<NamespaceRights>,
}

/// An account that shall be a member of a local group of the destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleMember {
    /// The account on the source.
    pub account: GroupMember,
    /// It belonged to the source itself: the destination's own account of that name takes its place.
    pub local: bool,
}

impl RoleMember {
    /// What it is told by: its identifier, or its name where that is not known or means nothing on another host.
    pub fn item(&self) -> String {
        match &self.account.sid {
            Some(sid) if !self.local => sid.clone(),
            _ => GroupMember { sid: None, ..self.account.clone() }.to_string(),
        }
    }
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
    /// Template of Secure Boot, where it is not that of Windows; for all states of a machine that is made anew. One that is registered
    /// has it in its configuration.
    #[serde(default)]
    pub secure_boot_template: Option<TemplateId>,
    /// Whether the guest sees the virtualization extensions of the processor, in the same way.
    #[serde(default)]
    pub nested_virtualization: bool,
    /// Security identifier of the owner, where it is not Administrator, for the last line of the notes: nothing sets it in a machine
    /// that is made anew. One that is registered has it in its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Folder of this machine below the destination's root, with `/`: one component, safe on Windows and Linux, unique.
    pub folder: String,
    /// Disks.
    pub disks: Vec<PlacedDisk>,
    /// ISO and floppy images.
    pub images: Vec<PlacedImage>,
    /// The configuration file, copied as it is.
    pub original_configuration: Option<PlacedFile>,
    /// How it is put back on Hyper-V; `None` on other destinations and in plans of versions that made every machine anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_back: Option<PutBack>,
    /// Slots of pass-through disks that a person connects, e.g. `ide0-1`.
    pub pass_through: Vec<String>,
    /// Physical disks of the destination that are attached.
    #[serde(default)]
    pub physical: Vec<PhysicalDisk>,
    /// The tree of checkpoints that is built again, parents before children. Empty where checkpoints become disks or machines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<RoleCheckpoint>,
    /// The checkpoint of that tree which the present state derives from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_checkpoint: Option<CheckpointId>,
}

impl RoleMachine {
    /// The disks of a checkpoint, or of the present state.
    pub fn disks_of<'a>(&'a self, checkpoint: Option<&'a CheckpointId>) -> impl Iterator<Item = &'a PlacedDisk> {
        self.disks.iter().filter(move |disk| disk.checkpoint.as_ref() == checkpoint)
    }

    /// The serial ports (1, 2) that have no pipe in a state of the tree while a checkpoint that it derives from has one there: what
    /// derives from a checkpoint begins with its pipes.
    pub fn ports_to_clear(&self, state: &MachineConfiguration, parent: Option<&CheckpointId>) -> Vec<u8> {
        let mut had = [false; 2];
        let (mut next, mut left) = (parent, self.checkpoints.len());
        while let Some(checkpoint) = self.checkpoints.iter().find(|checkpoint| Some(&checkpoint.id) == next)
            && left > 0
        {
            let pipes = &checkpoint.configuration.com_ports;
            had = [had[0] || pipes[0].is_some(), had[1] || pipes[1].is_some()];
            (next, left) = (checkpoint.parent.as_ref(), left - 1);
        }
        let ports = (1..).zip(had.into_iter().zip(&state.com_ports));
        ports.filter(|(_, (had, has))| *had && has.is_none()).map(|(number, _)| number).collect()
    }

    /// A checkpoint of the tree as the machine that it was: its configuration, disks and images.
    pub fn as_of(&self, checkpoint: &RoleCheckpoint) -> RoleMachine {
        let present = |disk: PlacedDisk| PlacedDisk { checkpoint: None, checkpoint_name: None, ..disk };
        RoleMachine {
            configuration: checkpoint.configuration.clone(),
            disks: self.disks_of(Some(&checkpoint.id)).cloned().map(present).collect(),
            images: checkpoint.images.clone(),
            physical: Vec::new(),
            pass_through: Vec::new(),
            checkpoints: Vec::new(),
            current_checkpoint: None,
            ..self.clone()
        }
    }
}

/// How Hyper-V gets a machine back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "way", rename_all = "kebab-case")]
pub enum PutBack {
    /// Its own configuration is registered in place: it keeps its id, and its devices theirs.
    Registered {
        /// Configuration version as (major, minor).
        version: (u16, u16),
        /// Files that lie beside the configuration and belong to it (`.vmrs`, `.vmgs`), copied as they are.
        beside: Vec<PlacedFile>,
    },
    /// It is made anew around its disks and gets another id.
    Anew {
        /// Why, a whole sentence.
        reason: String,
    },
}

impl RoleMachine {
    /// Its configuration file and what lies beside it, where it is registered from them.
    pub fn registration(&self) -> Option<(&PlacedFile, &[PlacedFile])> {
        match (&self.put_back, &self.original_configuration) {
            (Some(PutBack::Registered { beside, .. }), Some(file)) => Some((file, beside)),
            _ => None,
        }
    }

    /// What becomes of its id and why, a sentence or two; `None` where that is no question.
    pub fn put_back_text(&self) -> Option<String> {
        Some(match self.put_back.as_ref()? {
            PutBack::Registered { version: (major, minor), .. } => {
                format!("Registered in place from its own configuration (version {major}.{minor}); it keeps its id.")
            }
            PutBack::Anew { reason } => format!("Made anew around its disks, with a new id. {reason}"),
        })
    }
}

/// A checkpoint that is built again. Its disks are among those of its machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoleCheckpoint {
    /// Id on the source; Hyper-V gives the new one another id.
    pub id: CheckpointId,
    /// Name.
    pub name: String,
    /// Creation time on the source, RFC 3339 in UTC, where it is written; the new one is created when it is built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The checkpoint that it was made from.
    pub parent: Option<CheckpointId>,
    /// What the machine consisted of, after the operator's answers.
    pub configuration: MachineConfiguration,
    /// ISO and floppy images.
    pub images: Vec<PlacedImage>,
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
    /// The disk below this one, whose copy stays its parent; without one the chain is copied as one disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PlacedParent>,
    /// The checkpoint whose state it is; `None` for the present state.
    pub checkpoint: Option<CheckpointId>,
    /// Name of that checkpoint.
    pub checkpoint_name: Option<String>,
}

/// The parent of a disk that is copied as a differencing disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlacedParent {
    /// The parent on the source.
    pub source: WindowsPath,
    /// Path of its copy below the destination's root, with `/`; in the folder of the child.
    pub target: String,
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
