//! Virtual machines and their checkpoints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::found::{Found, Place};
use crate::names::{CheckpointId, MacAddress, TemplateId, VmId, WindowsPath};
use crate::network::{PortSettings, Vlan};
use crate::owner;

/// A virtual machine of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Id (GUID) of the machine.
    pub id: VmId,
    /// Name as the operator sees it; not unique.
    pub name: String,
    /// Notes.
    pub notes: String,
    /// Configuration version as (major, minor), e.g. (3, 0); `None` when it is not written.
    pub version: Option<(u16, u16)>,
    /// Generation: 1 or 2.
    pub generation: u8,
    /// The configuration file itself (where a symbolic link led).
    pub configuration_file: WindowsPath,
    /// The entry in `Virtual Machines`, when that is a symbolic link to the file.
    pub registered_by: Option<WindowsPath>,
    /// Off or saved, as the files tell.
    pub state: MachineState,
    /// What the machine consists of now.
    pub configuration: MachineConfiguration,
    /// Checkpoints, parents before children.
    pub checkpoints: Vec<Checkpoint>,
    /// The checkpoint that the present state derives from.
    pub current_checkpoint: Found<CheckpointId>,
    /// Security identifier of the owner.
    pub owner: Option<String>,
    /// True when the configuration says that the machine belongs to a cluster.
    pub highly_available: bool,
    /// Settings of 2016 and later that are not as a new machine has them, beside those of its configuration.
    #[serde(default)]
    pub by_hand: Vec<SettingByHand>,
    /// Nodes of the configuration that hvmigrate does not know, as paths; they are kept in the copy of the file.
    pub unknown_nodes: Vec<String>,
    /// Where it was read.
    pub place: Place,
}

impl Machine {
    /// The template of Secure Boot (generation 2), where it is another than that of Windows. Hyper-V knows them by GUIDs; what is none
    /// cannot be set.
    pub fn secure_boot_template(&self) -> Option<TemplateId> {
        self.by_hand.iter().filter(|_| self.generation == 2).find_map(|setting| match setting {
            SettingByHand::SecureBootTemplate { id, .. } => id.parse().ok(),
            SettingByHand::NestedVirtualization { .. } => None,
        })
    }

    /// Whether the guest sees the virtualization extensions of the processor.
    pub fn nested_virtualization(&self) -> bool {
        self.by_hand.iter().any(|setting| matches!(setting, SettingByHand::NestedVirtualization { .. }))
    }

    /// The owner, where it is an account of a computer or a domain (`S-1-5-21-…`) other than Administrator (`…-500`), who has all
    /// rights on a destination too.
    pub fn foreign_owner(&self) -> Option<&str> {
        self.owner.as_deref().filter(|owner| owner::is_account(owner) && !owner.ends_with("-500"))
    }

    /// The notes without a line that tells an owner, and whom it tells: such a line has a machine that was made anew before.
    pub fn notes_and_owner(&self) -> (&str, Option<&str>) {
        match owner::split(&self.notes, owner::WINDOWS_NEWLINE) {
            (notes, None) => owner::split(notes, "\n"),
            found => found,
        }
    }

    /// Why its checkpoints cannot be built again as a tree, a whole sentence; `None` when they can.
    pub fn tree_obstacle(&self) -> Option<String> {
        let known = |id: &CheckpointId| self.checkpoints.iter().any(|checkpoint| checkpoint.id == *id);
        for checkpoint in &self.checkpoints {
            let name = &checkpoint.name;
            match checkpoint.parent.value() {
                None => return Some(format!("It is not known which checkpoint '{name}' was made from.")),
                Some(Some(parent)) if !known(parent) => {
                    return Some(format!("The checkpoint that '{name}' was made from ({parent}) is not there."));
                }
                Some(_) => {}
            }
            let drives = &checkpoint.configuration.drives;
            if drives.iter().any(|drive| matches!(drive.media, Media::PassThrough { .. })) {
                return Some(format!(
                    "The checkpoint '{name}' holds a physical disk, of which Hyper-V makes no checkpoints."
                ));
            }
        }
        // What a checkpoint was made from is removed, and those below it stay: a machine that is made anew has one first state.
        let mut roots = self.checkpoints.iter().filter(|checkpoint| checkpoint.parent.value() == Some(&None));
        if let (Some(one), Some(other)) = (roots.next(), roots.next()) {
            return Some(format!("Neither '{}' nor '{}' was made from another checkpoint.", one.name, other.name));
        }
        let states = self.checkpoints.iter().map(|checkpoint| &checkpoint.configuration);
        let drives = states.chain([&self.configuration]).flat_map(|state| &state.drives);
        let mut seen: Vec<&WindowsPath> = Vec::new();
        for drive in drives {
            let Media::VirtualDisk { path } = &drive.media else { continue };
            if seen.contains(&path) {
                return Some(format!("The disk '{path}' belongs to two of its states at once."));
            }
            seen.push(path);
        }
        match self.current_checkpoint.value() {
            Some(id) if known(id) => None,
            Some(id) => Some(format!("The checkpoint that its present state derives from ({id}) is not there.")),
            None => Some("It is not known from which checkpoint its present state derives.".to_owned()),
        }
    }
}

/// A setting that is not as a new machine has it. Somebody has to set it where the destination is older or of another kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "setting", rename_all = "kebab-case")]
pub enum SettingByHand {
    /// The guest sees the virtualization extensions of the processor, and can be a host itself (2016 and later).
    NestedVirtualization {
        /// Where it was read.
        place: Place,
    },
    /// Secure Boot trusts other keys than those of Windows (2016 and later).
    SecureBootTemplate {
        /// GUID of the template, lower case without braces; 272e7447-90a4-4563-a4b9-8e4ab00526ce is Microsoft's authority for UEFI.
        id: String,
        /// Where it was read.
        place: Place,
    },
}

/// Whether a machine is off, as far as its files tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum MachineState {
    /// No saved state.
    Off,
    /// A saved state lies beside the configuration.
    Saved {
        /// Memory content (`.bin`), where it was found or is named.
        memory_file: Option<WindowsPath>,
        /// Device state (`.vsv`).
        state_file: Option<WindowsPath>,
        /// Where it was read.
        place: Place,
    },
}

/// A checkpoint (snapshot).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// Id (GUID).
    pub id: CheckpointId,
    /// Name.
    pub name: String,
    /// Creation time, RFC 3339 in UTC, where it is written.
    pub created: Option<String>,
    /// The checkpoint that it was made from; `None` for a root, `Unknown` when no key and no disk chain tells.
    pub parent: Found<Option<CheckpointId>>,
    /// Made while the machine ran: memory and device state lie beside it.
    pub has_saved_state: bool,
    /// What the machine consisted of.
    pub configuration: MachineConfiguration,
    /// Where it was read.
    pub place: Place,
}

/// Everything that a machine consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MachineConfiguration {
    /// Memory.
    pub memory: Memory,
    /// Processors.
    pub processors: Processors,
    /// Limits of the virtual NUMA topology.
    #[serde(default)]
    pub numa: Numa,
    /// BIOS or UEFI.
    pub firmware: Firmware,
    /// Drives in the order controller, slot.
    pub drives: Vec<Drive>,
    /// SCSI controllers, also those without a drive.
    pub scsi_controllers: u8,
    /// Network adapters.
    pub adapters: Vec<VmAdapter>,
    /// Named pipes of COM1 and COM2; `None` when not connected.
    pub com_ports: [Option<String>; 2],
    /// Integration services that are switched off; all others are on, except guest services.
    pub disabled_integration_services: Vec<IntegrationService>,
    /// Whether guest services are switched on (2012 R2 and later, where a new machine has them off).
    #[serde(default)]
    pub guest_services: bool,
    /// What the machine does when the host starts, stops, or it fails.
    pub actions: AutomaticActions,
}

/// Memory of a machine, MiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// Memory at start (all of it when not dynamic), MiB.
    pub startup_mib: u64,
    /// Dynamic memory (2008 R2 SP1 and later).
    pub dynamic: bool,
    /// Least memory, MiB.
    pub minimum_mib: u64,
    /// Most memory, MiB.
    pub maximum_mib: u64,
    /// Buffer, percent.
    pub buffer_percent: u32,
    /// Weight, 0 to 10000.
    pub weight: u32,
}

/// Processors of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Processors {
    /// Virtual processors.
    pub count: u32,
    /// Limit, in thousandths of a percent of one processor: 100000 = 100 %.
    pub limit: u32,
    /// Reserve, same unit.
    pub reserve: u32,
    /// Relative weight, default 100.
    pub weight: u32,
    /// Processor compatibility mode for migration (2008 R2 and later).
    pub compatibility_for_migration: bool,
    /// Compatibility mode for old operating systems such as Windows NT.
    pub compatibility_for_older_systems: bool,
}

/// Limits of the virtual NUMA topology (2012 and later); what is not written follows the hardware of the host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Numa {
    /// Most virtual processors of one node.
    pub processors_per_node: Option<u32>,
    /// Most nodes of one socket.
    pub nodes_per_socket: Option<u32>,
    /// Most memory of one node, MiB.
    pub mib_per_node: Option<u64>,
}

/// BIOS (generation 1) or UEFI (generation 2) of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Firmware {
    /// BIOS GUID as seen by the guest, upper case without braces.
    pub bios_guid: Option<String>,
    /// BIOS serial number.
    pub bios_serial_number: Option<String>,
    /// Serial number of the base board.
    pub base_board_serial_number: Option<String>,
    /// Serial number of the chassis.
    pub chassis_serial_number: Option<String>,
    /// Asset tag of the chassis.
    pub chassis_asset_tag: Option<String>,
    /// Boot order.
    pub boot_order: Vec<BootDevice>,
    /// Num lock on at start.
    pub num_lock: Option<bool>,
    /// Secure Boot (generation 2).
    #[serde(default)]
    pub secure_boot: Option<bool>,
    /// A virtual TPM (generation 2, 2016 and later); what it holds is not carried.
    #[serde(default)]
    pub tpm: Option<bool>,
}

/// A kind of device to boot from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BootDevice {
    /// Floppy drive.
    Floppy,
    /// CD or DVD.
    Optical,
    /// Hard disk (IDE on generation 1).
    HardDrive,
    /// Legacy network adapter (PXE).
    Network,
    /// Another word, as written.
    Other(String),
}

/// A drive of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drive {
    /// Controller kind.
    pub controller: Controller,
    /// Number of the controller: 0 or 1 for IDE, 0 to 3 for SCSI, 0 for floppy.
    pub number: u8,
    /// Slot: 0 or 1 for IDE, LUN 0 to 63 for SCSI.
    pub slot: u8,
    /// What is in it.
    pub media: Media,
    /// Where it was read.
    pub place: Place,
}

impl Drive {
    /// A short stable name: `ide0-1`, `scsi1-0`, `floppy0-0`.
    pub fn slot_name(&self) -> String {
        format!("{}{}-{}", self.controller, self.number, self.slot)
    }
}

/// Kind of a disk controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Controller {
    /// Emulated IDE.
    Ide,
    /// Synthetic SCSI.
    Scsi,
    /// Emulated floppy.
    Floppy,
}

impl std::fmt::Display for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Controller::Ide => "ide",
            Controller::Scsi => "scsi",
            Controller::Floppy => "floppy",
        })
    }
}

/// What a drive holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "media", rename_all = "kebab-case")]
pub enum Media {
    /// A virtual hard disk file (the leaf of a chain).
    VirtualDisk {
        /// Its path on the source.
        path: WindowsPath,
    },
    /// A CD or DVD image.
    Iso {
        /// Its path on the source.
        path: WindowsPath,
    },
    /// A floppy image.
    Floppy {
        /// Its path on the source.
        path: WindowsPath,
    },
    /// The host's own CD or DVD drive.
    PhysicalDvd {
        /// As written.
        path: String,
    },
    /// A physical disk of the host (pass-through), or something of a type that is not known.
    PassThrough {
        /// Type as written.
        kind: String,
        /// Path or identity as written.
        identity: String,
    },
    /// A DVD drive without a disc.
    EmptyDvd,
}

/// A network adapter of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VmAdapter {
    /// Instance GUID of the device, upper case without braces.
    pub id: String,
    /// Name, e.g. `Network Adapter`.
    pub name: String,
    /// Synthetic, or emulated ("legacy").
    pub kind: AdapterKind,
    /// MAC address; all zeros for a dynamic one that was not yet given.
    pub mac: MacAddress,
    /// True when the address was set by hand.
    pub mac_is_static: bool,
    /// What it is connected to.
    pub connection: Connection,
    /// VLAN of its port.
    pub vlan: Found<Vlan>,
    /// MAC address spoofing allowed on its port.
    pub mac_spoofing: Found<bool>,
    /// What else its port has.
    #[serde(default = "no_port_settings")]
    pub port_settings: Found<PortSettings>,
    /// Where it was read.
    pub place: Place,
}

impl VmAdapter {
    /// What its port has and an adapter of its kind can have: a physical adapter takes nothing over from an emulated one.
    pub fn settable_port(&self) -> Option<PortSettings> {
        let port = self.port_settings.value()?;
        Some(match self.kind {
            AdapterKind::Synthetic => port.clone(),
            AdapterKind::Legacy => PortSettings {
                vmq_weight: None,
                iov_weight: None,
                ipsec_offload_limit: None,
                minimum_bandwidth: None,
                minimum_bandwidth_weight: None,
                maximum_bandwidth: None,
                ..port.clone()
            },
        })
    }
}

fn no_port_settings() -> Found<PortSettings> {
    Found::unknown("The document was written before these settings were read.")
}

/// Kind of a network adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AdapterKind {
    /// VMBus adapter; the guest needs integration services.
    Synthetic,
    /// Emulated DEC 21140 ("legacy network adapter").
    Legacy,
}

/// Connection of an adapter to a virtual network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "connected", rename_all = "kebab-case")]
pub enum Connection {
    /// Not connected.
    None,
    /// Connected to a switch by its id as written (a GUID), on a port.
    Switch {
        /// Id as written in the configuration.
        switch: String,
        /// Friendly name beside it, where the release writes one.
        name: Option<String>,
        /// Port id as written.
        port: String,
    },
}

/// An integration service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IntegrationService {
    /// Heartbeat.
    Heartbeat,
    /// Key-value pair exchange.
    KeyValuePairExchange,
    /// Operating system shutdown.
    Shutdown,
    /// Time synchronization.
    TimeSynchronization,
    /// Backup (volume snapshot).
    Vss,
    /// Guest services (2012 R2 and later; off by default).
    GuestServices,
}

/// Automatic actions of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AutomaticActions {
    /// When the host starts.
    pub start: StartAction,
    /// Delay of the start, seconds; `None` when it is not written.
    pub start_delay_seconds: Option<u32>,
    /// When the host shuts down.
    pub stop: StopAction,
    /// When the machine ends unexpectedly: 0 nothing, 1 restart, 2 revert to checkpoint.
    pub recovery: u32,
}

/// What a machine does when the host starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StartAction {
    /// Nothing.
    Nothing,
    /// Start if it was running when the host stopped.
    StartIfRunning,
    /// Always start.
    Start,
}

/// What a machine does when the host shuts down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StopAction {
    /// Turn off.
    TurnOff,
    /// Save.
    Save,
    /// Shut down.
    ShutDown,
}
