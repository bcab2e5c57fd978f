//! The configuration of a virtual machine of 2008 R2 (version 3.0) from typed parts.
//!
//! Names that no real file of this release has shown are marked "made up" at their place; a reader must not need them.

use super::Node;

/// Class and instance of the emulated IDE controller.
pub const IDE_CONTROLLER: &str = "83f8638b-8dca-4152-9eda-2ca8b33039b4";
const SCSI_CONTROLLER: &str = "d422512d-2bf2-4752-809d-7b82b5fcb1b4";
const FLOPPY_CONTROLLER: &str = "8f0d2762-0b00-4e04-af4f-19010527cb93";
const SERIAL_CONTROLLER: &str = "8e3a359f-559a-4b6a-98a9-1690a6100ed7";
const BIOS: &str = "ac6b8dc1-3257-4a70-b1b2-a9c9215659ad";
const SYNTHETIC_NIC: &str = "2fc216b0-d2e2-4967-9b6d-b8a5c9ca2778";
/// Made up: the class of the emulated network adapter was found in no source.
const EMULATED_NIC: &str = "e7d59f68-5c51-4f0e-9d5e-4a0f6c3b7e11";

/// Devices that each machine has once: class, name, VDEVVersion.
const SINGLETONS: [(&str, &str, i64); 9] = [
    ("58f75a6d-d949-4320-99e1-a2a2576d581c", "Microsoft Synthetic Mouse", 512),
    ("f3cf6965-e8d3-44a9-9b7d-a04245ea7525", "Microsoft Synthetic Video", 256),
    ("84eaae65-2f2e-45f5-9bb5-0e857dc8eb47", "Microsoft Heartbeat Component", 256),
    ("2a34b1c2-fd73-4043-8a5b-dd2159bc743f", "Microsoft Key-Value Pair Exchange Component", 256),
    ("9f8233ac-be49-4c79-8ee3-e7e1985b2077", "Microsoft Shutdown Component", 256),
    ("2497f4de-e9fa-4204-80e4-4b75c46419c0", "Microsoft Time Synchronization Component", 256),
    (VSS, "Microsoft VSS Component", 256),
    ("7d80d3db-61ee-4879-8879-5609f1100ad0", "Microsoft Emulated Video S3", 256),
    ("de6cdc86-e1fb-4940-801b-c3c1a26c4da4", "Microsoft Input Management Device", 256),
];

/// Class of the integration service for backups.
pub const VSS: &str = "5ced1297-4598-4915-a5fc-ad21bb4d02a4";

/// What is in a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// `VHD`: path of a virtual hard disk.
    Vhd(String),
    /// `ISO`: path of an image.
    Iso(String),
    /// Pass-through disk; the type name `PHYSICAL` and the form of the path are made up.
    Physical(String),
    /// `NONE`.
    Empty,
}

/// Where a drive hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveSlot {
    /// Emulated IDE: controller 0 or 1, place 0 or 1.
    Ide(u8, u8),
    /// First SCSI controller: LUN.
    Scsi(u8),
}

/// A drive with its medium.
#[derive(Debug, Clone)]
pub struct Drive {
    /// Place.
    pub slot: DriveSlot,
    /// Medium.
    pub media: Media,
}

/// Synthetic or legacy adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NicKind {
    /// Microsoft Synthetic Ethernet Port.
    Synthetic,
    /// Microsoft Emulated Ethernet Port ("legacy network adapter").
    Legacy,
}

/// A network adapter.
#[derive(Debug, Clone)]
pub struct Nic {
    /// Kind.
    pub kind: NicKind,
    /// GUID of this adapter, upper case.
    pub instance: String,
    /// Shown name.
    pub name: String,
    /// MAC as `00-15-5D-01-0A-05`.
    pub mac: String,
    /// Whether the MAC was set by hand.
    pub mac_is_static: bool,
    /// GUIDs (upper case) of switch and port; `None` when not connected.
    pub connection: Option<(String, String)>,
}

/// Processor settings.
#[derive(Debug, Clone, Copy)]
pub struct Processors {
    /// Number of virtual processors.
    pub count: i64,
    /// Upper limit in 1/1000 percent.
    pub limit: i64,
    /// Reserve in 1/1000 percent.
    pub reservation: i64,
    /// Relative weight.
    pub weight: i64,
    /// "Migrate to a computer with a different processor".
    pub compatibility: bool,
}

impl Default for Processors {
    fn default() -> Self {
        Self { count: 1, limit: 100_000, reservation: 0, weight: 100, compatibility: false }
    }
}

/// Memory settings in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Startup (static) size.
    pub size: i64,
    /// Minimum.
    pub reservation: i64,
    /// Maximum.
    pub limit: i64,
    /// Dynamic memory.
    pub dynamic: bool,
    /// Buffer in percent.
    pub buffer: i64,
    /// Weight.
    pub priority: i64,
}

impl Memory {
    /// A fixed amount.
    #[must_use]
    pub fn fixed(mib: i64) -> Self {
        Self { size: mib, reservation: mib, limit: 1_048_576, dynamic: false, buffer: 20, priority: 5000 }
    }
}

/// Files of a saved state.
#[derive(Debug, Clone)]
pub struct SavedState {
    /// Windows path of the `.bin` file.
    pub memory: String,
    /// Windows path of the `.vsv` file.
    pub devices: String,
}

/// What makes a file the configuration of a checkpoint.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// GUID of the checkpoint, upper case.
    pub id: String,
    /// GUID of the checkpoint before it; the key `parent_id` that carries it is made up.
    pub parent: Option<String>,
    /// Time taken, as a FILETIME.
    pub taken: u64,
}

/// A whole configuration.
#[derive(Debug, Clone)]
pub struct MachineXml {
    /// GUID of the machine, upper case.
    pub id: String,
    /// Name (of a checkpoint file: the checkpoint's).
    pub name: String,
    /// Notes; lines divided by `\n`.
    pub notes: String,
    /// `properties/version`: 768 = 3.0 = 2008 R2, 1024 = 4.0 = 2012.
    pub version: i64,
    /// FILETIME.
    pub created: u64,
    /// Owner.
    pub owner_sid: String,
    /// Processors.
    pub processors: Processors,
    /// Memory.
    pub memory: Memory,
    /// Drives.
    pub drives: Vec<Drive>,
    /// GUID of the SCSI controller, when there is one.
    pub scsi_instance: Option<String>,
    /// Path of a floppy image.
    pub floppy: Option<String>,
    /// Network adapters.
    pub nics: Vec<Nic>,
    /// Named pipes of COM1 and COM2, empty when none.
    pub com: [String; 2],
    /// Classes of the integration services that are turned off.
    pub disabled_services: Vec<&'static str>,
    /// Boot order by device name.
    pub boot: [String; 4],
    /// Action when the host starts: 0 none, 1 if it was running, 2 always.
    pub start_action: i64,
    /// Action when the host stops: 0 turn off, 1 save, 2 shut down.
    pub stop_action: i64,
    /// Saved state.
    pub saved: Option<SavedState>,
    /// Set in the file of a checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// Number of checkpoints of the machine.
    pub checkpoint_count: i64,
    /// The checkpoint that the current state follows; the key `parent_id` that carries it is made up.
    pub current_parent: Option<String>,
}

impl MachineXml {
    /// A machine with usual settings and no devices of its own.
    pub fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            notes: String::new(),
            version: 768,
            created: 129_400_000_000_000_000,
            owner_sid: "S-1-5-21-1004336348-1177238915-682003330-500".to_owned(),
            processors: Processors::default(),
            memory: Memory::fixed(512),
            drives: Vec::new(),
            scsi_instance: None,
            floppy: None,
            nics: Vec::new(),
            com: [String::new(), String::new()],
            disabled_services: Vec::new(),
            boot: ["Optical", "HardDrive", "Network", "Floppy"].map(str::to_owned),
            start_action: 1,
            stop_action: 1,
            saved: None,
            checkpoint: None,
            checkpoint_count: 0,
            current_parent: None,
        }
    }

    /// The tree, for adding nodes by hand.
    #[must_use]
    pub fn to_node(&self) -> Node {
        let mut root = Node::new("configuration").with(self.properties()).with(self.settings());
        root.push(self.global_settings());
        root.push(self.manifest());
        for (class, _, version) in SINGLETONS {
            let mut node = section(class);
            if self.disabled_services.contains(&class) {
                node.push(Node::boolean("Enabled", false));
            }
            root.push(node.with(Node::integer("VDEVVersion", version)));
        }
        root.push(self.ide());
        if let Some(instance) = &self.scsi_instance {
            root.push(self.scsi(instance));
        }
        root.push(self.floppy_drive());
        root.push(self.serial_ports());
        root.push(self.bios());
        self.nics.iter().for_each(|nic| root.push(nic_section(nic)));
        if let Some(saved) = &self.saved {
            root.push(
                Node::new("savedstate")
                    .with(Node::boolean("in_progress", false))
                    .with(Node::text("memlocation", &saved.memory))
                    .with(Node::text("type", "Normal"))
                    .with(Node::text("vsvlocation", &saved.devices)),
            );
        }
        root
    }

    /// The bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_node().to_utf16()
    }

    fn properties(&self) -> Node {
        let taken = self.checkpoint.as_ref().map_or(self.created, |checkpoint| checkpoint.taken);
        let id = self.checkpoint.as_ref().map_or(&self.id, |checkpoint| &checkpoint.id);
        let mut node = Node::new("properties")
            .with(Node::bytes("creation_time", &taken.to_le_bytes()))
            .with(Node::text("global_id", id))
            .with(Node::boolean("highly_available", false))
            .with(Node::integer("last_powered_off_time", 0))
            .with(Node::integer("last_powered_on_time", 0))
            .with(Node::integer("last_state_change_time", 0))
            .with(Node::text("name", &self.name))
            .with(Node::text("notes", &self.notes))
            .with(Node::text("type_id", if self.checkpoint.is_some() { "Snapshots" } else { "Virtual Machines" }))
            .with(Node::integer("version", self.version));
        let parent = match &self.checkpoint {
            Some(checkpoint) => checkpoint.parent.as_ref(),
            None => self.current_parent.as_ref(),
        };
        if let Some(parent) = parent {
            node.push(Node::text("parent_id", parent));
        }
        node
    }

    fn settings(&self) -> Node {
        let (memory, processors) = (self.memory, self.processors);
        let bank = Node::new("bank")
            .with(Node::boolean("dynamic_memory_enabled", memory.dynamic))
            .with(Node::integer("limit", memory.limit))
            .with(Node::integer("priority", memory.priority))
            .with(Node::integer("reservation", memory.reservation))
            .with(Node::integer("size", memory.size))
            .with(Node::integer("target_memory_buffer", memory.buffer));
        let processors = Node::new("processors")
            .with(Node::integer("count", processors.count))
            .with(Node::new("features").with(Node::boolean("limit", processors.compatibility)))
            .with(Node::integer("limit", processors.limit))
            .with(Node::boolean("limit_cpuid", false))
            .with(Node::integer("reservation", processors.reservation))
            .with(Node::integer("weight", processors.weight));
        Node::new("settings")
            .with(Node::new("global").with(Node::text("logical_id", &self.id)))
            .with(Node::new("memory").with(bank))
            .with(processors)
            .with(Node::boolean("stopped_at_host_shutdown", false))
    }

    fn global_settings(&self) -> Node {
        let action = |name: &str, number| Node::new(name).with(Node::integer("action", number));
        Node::new("global_settings")
            .with(Node::new("devices").with(Node::boolean("storage_allow_full_scsi_command_set", false)))
            .with(Node::boolean("disk_merge_pending", false))
            .with(Node::new("owner").with(Node::text("sid", &self.owner_sid)))
            .with(
                Node::new("power")
                    .with(action("host_shutdown", self.stop_action))
                    .with(action("host_startup", self.start_action)),
            )
            .with(Node::new("snapshots").with(Node::new("list").with(Node::integer("size", self.checkpoint_count))))
            .with(action("unexpected_termination", 1))
            .with(Node::boolean("vhd_path_acled", true))
    }

    /// Each device as class, instance and name.
    fn devices(&self) -> Vec<(String, String, String)> {
        let single = |class: &str, name: &str| (class.to_owned(), class.to_uppercase(), name.to_owned());
        let mut devices: Vec<_> = SINGLETONS.iter().map(|(class, name, _)| single(class, name)).collect();
        devices.push(single(IDE_CONTROLLER, "Microsoft Emulated IDE Controller"));
        devices.push(single(FLOPPY_CONTROLLER, "Microsoft Emulated Floppy Controller"));
        devices.push(single(SERIAL_CONTROLLER, "Microsoft Emulated Serial Controller"));
        devices.push(single(BIOS, "Microsoft Virtual BIOS"));
        if let Some(instance) = &self.scsi_instance {
            devices.push((SCSI_CONTROLLER.to_owned(), instance.clone(), "Microsoft Synthetic SCSI Controller".into()));
        }
        for nic in &self.nics {
            let (class, name) = match nic.kind {
                NicKind::Synthetic => (SYNTHETIC_NIC, "Microsoft Synthetic Ethernet Port"),
                NicKind::Legacy => (EMULATED_NIC, "Microsoft Emulated Ethernet Port"),
            };
            devices.push((class.to_owned(), nic.instance.clone(), name.to_owned()));
        }
        devices
    }

    fn manifest(&self) -> Node {
        let devices = self.devices();
        let size = i64::try_from(devices.len()).expect("few devices");
        let mut manifest = Node::new("manifest").with(Node::integer("size", size)).with(Node::integer("version", 260));
        for (number, (device, instance, name)) in (1..).zip(devices) {
            manifest.push(
                Node::new(format!("vdev{number:03}"))
                    .with(Node::text("device", device))
                    .with(Node::integer("flags", 1))
                    .with(Node::text("instance", instance))
                    .with(Node::text("name", name)),
            );
        }
        manifest
    }

    /// All four places are written; what has no drive has type NONE, except 1:0, which is an empty DVD drive.
    fn ide(&self) -> Node {
        let mut node = section(IDE_CONTROLLER).with(Node::integer("VDEVVersion", 256));
        for (controller, place) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let found = self.drives.iter().find(|drive| drive.slot == DriveSlot::Ide(controller, place));
            let empty_dvd = Media::Iso(String::new());
            let default = if (controller, place) == (1, 0) { &empty_dvd } else { &Media::Empty };
            fill_drive(&mut node, controller, place, found.map_or(default, |drive| &drive.media));
        }
        node
    }

    fn scsi(&self, instance: &str) -> Node {
        let mut node = section(instance)
            .with(Node::text("ChannelInstanceGuid", format!("{{{}}}", instance.to_lowercase())))
            .with(Node::integer("VDEVVersion", 256));
        for drive in &self.drives {
            if let DriveSlot::Scsi(lun) = drive.slot {
                fill_drive(&mut node, 0, lun, &drive.media);
            }
        }
        node
    }

    fn floppy_drive(&self) -> Node {
        let mut node = section(FLOPPY_CONTROLLER).with(Node::integer("VDEVVersion", 256));
        let drive = node.at("controller0/drive0");
        drive.push(Node::text("pathname", self.floppy.clone().unwrap_or_default()));
        drive.push(Node::text("type", "VFD"));
        node
    }

    fn serial_ports(&self) -> Node {
        let mut node = section(SERIAL_CONTROLLER).with(Node::integer("VDEVVersion", 256));
        for (number, pipe) in self.com.iter().enumerate() {
            node.push(Node::new(format!("port{number}")).with(Node::text("connection", pipe)));
        }
        node
    }

    fn bios(&self) -> Node {
        let mut boot = Node::new("boot");
        for (number, device) in self.boot.iter().enumerate() {
            boot.push(Node::text(&format!("device{number}"), device));
        }
        let serial = "4711-0815-2008-0002-0003-0004-05";
        section(BIOS)
            .with(Node::integer("VDEVVersion", 256))
            .with(Node::new("base_board").with(Node::text("serial_number", serial)))
            .with(Node::text("bios_guid", format!("{{{}}}", self.id)))
            .with(Node::text("bios_serial_number", serial))
            .with(boot)
            .with(Node::new("chassis").with(Node::text("asset_tag", serial)).with(Node::text("serial_number", serial)))
            .with(Node::boolean("num_lock", true))
    }
}

/// The section of a device instance.
fn section(instance: &str) -> Node {
    Node::new(format!("_{}_", instance.to_lowercase()))
}

fn fill_drive(controllers: &mut Node, controller: u8, place: u8, media: &Media) {
    let (path, kind) = match media {
        Media::Vhd(path) => (path.as_str(), "VHD"),
        Media::Iso(path) => (path.as_str(), "ISO"),
        Media::Physical(path) => (path.as_str(), "PHYSICAL"),
        Media::Empty => ("", "NONE"),
    };
    let drive = controllers.at(&format!("controller{controller}/drive{place}"));
    drive.push(Node::text("pathname", path));
    drive.push(Node::text("type", kind));
}

fn nic_section(nic: &Nic) -> Node {
    let (switch, port) = nic.connection.clone().unwrap_or_default();
    let mut node = section(&nic.instance)
        .with(Node::text("FriendlyName", &nic.name))
        .with(Node::boolean("IsConnected", nic.connection.is_some()))
        .with(Node::text("MacAddress", &nic.mac))
        .with(Node::boolean("MacAddressIsStatic", nic.mac_is_static))
        .with(Node::text("PortName", port))
        .with(Node::text("SwitchName", switch))
        .with(Node::integer("VDEVVersion", 256));
    if nic.kind == NicKind::Synthetic {
        node.push(Node::text("ChannelInstanceGuid", format!("{{{}}}", nic.instance.to_lowercase())));
    }
    node
}
