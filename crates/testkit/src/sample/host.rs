//! What a call of [`super::write`] tells about the host it wrote.

use super::Planted;
use std::path::PathBuf;

/// Which sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// The whole host with everything that is planted on purpose.
    Default,
    /// The same on the stand-alone product Hyper-V Server 2008 R2.
    HyperVServer,
    /// The same on Windows Server 2012 Datacenter.
    Source2012,
    /// The same as a member of a failover cluster.
    Cluster,
    /// One machine, one private network and nothing to remark.
    Clean,
    /// The default host, in which the VHD of one machine is cut in half.
    TruncatedVhd,
    /// The default host, in which a file in the middle of a chain is missing.
    MissingParent,
    /// The default host, whose SOFTWARE hive is cut in half.
    HalfHive,
    /// The default host, in which one configuration has nodes that nobody knows.
    UnknownXmlNode,
    /// The default host, in which a second configuration file carries the id of another machine.
    TwoMachinesOneId,
}

impl Variant {
    /// All variants.
    pub const ALL: [Self; 10] = [
        Self::Default,
        Self::HyperVServer,
        Self::Source2012,
        Self::Cluster,
        Self::Clean,
        Self::TruncatedVhd,
        Self::MissingParent,
        Self::HalfHive,
        Self::UnknownXmlNode,
        Self::TwoMachinesOneId,
    ];
}

/// The host that was written.
#[derive(Debug, Clone)]
pub struct SampleHost {
    /// The folder below which everything lies.
    pub folder: PathBuf,
    /// The variant.
    pub variant: Variant,
    /// Computer name; the stale primary file of SYSTEM still says [`super::ids::STALE_COMPUTER_NAME`].
    pub computer_name: String,
    /// Drive letters and their folders.
    pub drives: Vec<(char, PathBuf)>,
    /// Machines in the order of their ids.
    pub machines: Vec<SampleMachine>,
    /// Each disk of the current state of a machine and of each checkpoint that can be read.
    pub disks: Vec<SampleDisk>,
    /// Virtual networks.
    pub networks: Vec<SampleNetwork>,
    /// What the machine that boots prints on its first serial port.
    pub expected_serial: String,
    /// What a report on this host must name.
    pub planted: Vec<Planted>,
}

impl SampleHost {
    /// The machine of that id; panics when the variant does not have it.
    #[must_use]
    pub fn machine(&self, id: &str) -> &SampleMachine {
        self.machines.iter().find(|machine| machine.id == id).expect("the variant has this machine")
    }

    /// Path of a file of the host: `C:\x\y` is `folder/C/x/y`.
    #[must_use]
    pub fn path_of(&self, windows_path: &str) -> PathBuf {
        super::writer::map_path(&self.folder, windows_path)
    }
}

/// A virtual machine.
#[derive(Debug, Clone)]
pub struct SampleMachine {
    /// GUID, upper case.
    pub id: String,
    /// Name.
    pub name: String,
    /// Windows path below `Virtual Machines` of the system volume, where the machine is registered.
    pub registered_as: String,
    /// Windows path of the configuration itself; differs from `registered_as` when that is a symbolic link.
    pub config_windows_path: String,
    /// The configuration on this computer.
    pub config: PathBuf,
}

/// A disk as one state of a machine sees it.
#[derive(Debug, Clone)]
pub struct SampleDisk {
    /// Id of the machine.
    pub machine: String,
    /// GUID of the checkpoint whose state this is; `None` for the current state.
    pub checkpoint: Option<String>,
    /// Place, for instance `IDE 0:0` or `SCSI 0`.
    pub slot: String,
    /// Windows path of the leaf file.
    pub windows_path: String,
    /// The leaf file on this computer.
    pub path: PathBuf,
    /// The chain on this computer, leaf first.
    pub chain: Vec<PathBuf>,
    /// Virtual size in bytes.
    pub virtual_size: u64,
    /// BLAKE3 of the whole virtual content, computed from the model, as lower-case hexadecimal text.
    pub blake3: String,
}

/// Kind of a virtual network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkKind {
    /// Connected to a physical adapter.
    External,
    /// Machines and the host.
    Internal,
    /// Machines only.
    Private,
}

/// A virtual network.
#[derive(Debug, Clone)]
pub struct SampleNetwork {
    /// GUID of the switch, upper case.
    pub id: String,
    /// Friendly name.
    pub name: String,
    /// Kind.
    pub kind: NetworkKind,
    /// NetCfgInstanceId (with braces) of the physical adapter.
    pub uplink: Option<String>,
    /// NetCfgInstanceId (with braces) of the management operating system's adapter.
    pub management: Option<String>,
}
