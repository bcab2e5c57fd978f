//! What a host is: plain data that two hosts can be compared by.

use std::collections::BTreeMap;

/// Everything of the host that a script can change, other than files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// Settings of Hyper-V.
    pub settings: HostSettings,
    /// Virtual networks.
    pub switches: Vec<Switch>,
    /// Adapters of the management operating system.
    pub management: Vec<Adapter>,
    /// Virtual machines.
    pub machines: Vec<Machine>,
    /// Network adapters as Windows sees them.
    pub interfaces: Vec<Interface>,
    /// Keys of the registry in capital letters, with their values.
    pub registry: BTreeMap<String, BTreeMap<String, Data>>,
    /// Security descriptors of WMI namespaces, by their names in small letters.
    pub namespaces: BTreeMap<String, Vec<u8>>,
    /// Firewall rules by their ids.
    pub firewall: BTreeMap<String, BTreeMap<String, String>>,
    /// Members of local groups, by the SID of the group.
    pub groups: BTreeMap<String, Vec<String>>,
    /// How often the Virtual Machine Management service was started.
    pub service_starts: u32,
    /// Tasks of the scheduler.
    pub tasks: Vec<ScheduledTask>,
    /// How often a task was started.
    pub task_starts: u32,
    /// Physical disks.
    pub disks: Vec<Disk>,
}

/// A physical disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    /// Its number, which is no part of it.
    pub number: i64,
    /// Signature of its master boot record; none of a disk with a GUID partition table.
    pub signature: Option<u32>,
    /// Id of its GUID partition table, in braces; empty without one.
    pub guid: String,
    /// Serial number of the device, with the blanks that devices put around it.
    pub serial: String,
    /// Whether Windows leaves it alone.
    pub is_offline: bool,
}

/// A task of the scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScheduledTask {
    /// Its name.
    pub name: String,
    /// The program that it runs.
    pub execute: String,
    /// The arguments of the program.
    pub argument: String,
    /// Who runs it.
    pub user: String,
    /// `Queued`, `Ready` or `Running`.
    pub state: String,
}

/// Settings of Hyper-V.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostSettings {
    /// First address of the range, 12 hex digits.
    pub mac_minimum: String,
    /// Last address of the range.
    pub mac_maximum: String,
    /// Default folder of disks.
    pub disk_path: String,
    /// Default folder of machines.
    pub machine_path: String,
    /// Whether memory may span NUMA nodes.
    pub numa_spanning: bool,
    /// Enhanced session mode, from 2012 R2 on.
    pub enhanced_session: bool,
}

/// A value of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// `REG_SZ`.
    Text(String),
    /// `REG_DWORD`.
    Number(i64),
    /// `REG_BINARY`.
    Bytes(Vec<u8>),
}

/// A virtual network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// Its id.
    pub id: String,
    /// Its name, which need not be unique.
    pub name: String,
    /// `Private`, `Internal` or `External`.
    pub kind: String,
    /// Name of the physical network adapter of an external one.
    pub uplink: Option<String>,
    /// Its notes.
    pub notes: String,
    /// Whether bandwidth is kept in bits per second (`Absolute`) or by weights (`Weight`).
    pub bandwidth_mode: String,
}

/// The VLAN of an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Vlan {
    /// None.
    #[default]
    Untagged,
    /// One.
    Access(i64),
    /// Several.
    Trunk {
        /// The one without tags.
        native: i64,
        /// All that pass.
        allowed: Vec<i64>,
    },
}

/// A network adapter of a machine or of the management operating system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adapter {
    /// Its id.
    pub id: String,
    /// Its name, which need not be unique.
    pub name: String,
    /// Whether it is an emulated one.
    pub legacy: bool,
    /// Static address, 12 hex digits.
    pub mac: Option<String>,
    /// Id of its virtual network.
    pub switch: Option<String>,
    /// Its VLAN.
    pub vlan: Vlan,
    /// Whether it may use other addresses than its own.
    pub spoofing: bool,
    /// DHCP guard.
    pub dhcp_guard: bool,
    /// Router guard.
    pub router_guard: bool,
    /// Weight of its queue.
    pub vmq_weight: i64,
    /// Whether the guest may team it.
    pub teaming: bool,
    /// Whether priority tags of the guest are let through.
    pub priority_tag: bool,
    /// Weight for a virtual function.
    pub iov_weight: i64,
    /// Most security associations that are offloaded.
    pub ipsec_limit: i64,
    /// Bandwidth, when any was set.
    pub bandwidth: Option<Bandwidth>,
    /// Id of the network interface of an adapter of the management operating system.
    pub interface: String,
}

/// Bandwidth of an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bandwidth {
    /// Kept for it, bits per second.
    pub absolute: i64,
    /// Weight among others.
    pub weight: i64,
    /// Most, bits per second.
    pub maximum: i64,
}

/// What is in a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveKind {
    /// A hard disk.
    Disk,
    /// A DVD drive.
    Dvd,
}

/// A drive on a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// `IDE` or `SCSI`.
    pub controller: String,
    /// Number of the controller.
    pub number: i64,
    /// Place on the controller.
    pub location: i64,
    /// What it is.
    pub kind: DriveKind,
    /// File that is in it.
    pub path: Option<String>,
    /// Number of the physical disk that it is.
    pub disk: Option<i64>,
}

/// A virtual machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Its id.
    pub id: String,
    /// Its name, which need not be unique.
    pub name: String,
    /// Its notes.
    pub notes: String,
    /// 1 or 2.
    pub generation: i64,
    /// Folder of its configuration.
    pub location: String,
    /// Folder of its checkpoints.
    pub snapshot_location: String,
    /// Folder of its file for smart paging.
    pub paging_location: String,
    /// Whether it is one that was compared and not imported yet.
    pub planned: bool,
    /// `Off`, `Running` or `Saved`.
    pub state: String,
    /// What happens when the host starts.
    pub start_action: String,
    /// Seconds until then.
    pub start_delay: i64,
    /// What happens when the host stops.
    pub stop_action: String,
    /// Kind of checkpoints, from 2016 on.
    pub checkpoint_type: String,
    /// Checkpoints by themselves, from 2016 on.
    pub automatic_checkpoints: bool,
    /// Its memory.
    pub memory: Memory,
    /// Its processors.
    pub processors: Processors,
    /// Order of the devices to boot from (generation 1).
    pub boot_order: Vec<String>,
    /// Num Lock (generation 1).
    pub num_lock: bool,
    /// Secure Boot (generation 2).
    pub secure_boot: bool,
    /// Whether a key of the host protects it (generation 2, from 2016 on).
    pub key_protector: bool,
    /// Whether it has a virtual TPM.
    pub tpm: bool,
    /// Id of the template of Secure Boot (generation 2, from 2016 on).
    pub secure_boot_template: String,
    /// Drives and adapters to boot from (generation 2).
    pub firmware_order: Vec<String>,
    /// BIOS GUID and serial numbers, by the names of WMI.
    pub identity: BTreeMap<String, String>,
    /// How many SCSI controllers it has.
    pub scsi_controllers: i64,
    /// Its drives.
    pub drives: Vec<Drive>,
    /// File in the floppy drive (generation 1).
    pub floppy: Option<String>,
    /// Its network adapters.
    pub adapters: Vec<Adapter>,
    /// Pipes of the serial ports; empty ones are not connected.
    pub com_ports: [String; 2],
    /// Integration services by their classes.
    pub services: BTreeMap<String, bool>,
    /// Checkpoints, each made after its parent.
    pub snapshots: Vec<Snapshot>,
    /// Id of the checkpoint that the machine derives from.
    pub parent: Option<String>,
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// Its name, which need not be unique.
    pub name: String,
    /// What the machine was. Its id is that of the checkpoint; it has no checkpoints of its own, and its parent is that of this one.
    pub machine: Machine,
}

impl Machine {
    /// Its files lie in this folder.
    pub(super) fn place(&mut self, folder: &str) {
        for place in [&mut self.location, &mut self.snapshot_location, &mut self.paging_location] {
            *place = folder.to_owned();
        }
    }

    /// Without what is made anew each time.
    fn without_ids(&mut self, id: &str, adapter: &dyn Fn(&mut Adapter), names: &BTreeMap<String, String>) {
        let adapters = self.adapters.clone();
        let place = |entry: &String| {
            let adapter = adapters.iter().position(|adapter| adapter.id == *entry);
            adapter.map_or_else(|| entry.replace(id, ""), |index| format!("adapter {index}"))
        };
        self.firmware_order = self.firmware_order.iter().map(place).collect();
        self.adapters.iter_mut().for_each(adapter);
        for value in self.identity.values_mut() {
            *value = value.replace(id, "");
        }
        for path in self.drives.iter_mut().filter_map(|drive| drive.path.as_mut()) {
            *path = super::snapshots::without_id(path);
        }
        self.parent = self.parent.as_ref().and_then(|parent| names.get(parent)).cloned();
        self.id.clear();
    }
}

/// Memory of a machine, bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// Whether it is dynamic.
    pub dynamic: bool,
    /// When the machine starts.
    pub startup: i64,
    /// Least.
    pub minimum: i64,
    /// Most.
    pub maximum: i64,
    /// Buffer, percent.
    pub buffer: i64,
    /// From 0 to 100.
    pub priority: i64,
    /// Most bytes of one NUMA node.
    pub per_node: i64,
}

/// Processors of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Processors {
    /// How many.
    pub count: i64,
    /// Most, percent.
    pub maximum: i64,
    /// Least, percent.
    pub reserve: i64,
    /// From 1 to 10000.
    pub weight: i64,
    /// For migration to other processors.
    pub migration: bool,
    /// For old systems.
    pub older: bool,
    /// For a guest that is a host itself, from 2016 on.
    pub nested: bool,
    /// Most processors of one NUMA node.
    pub per_node: i64,
    /// Most NUMA nodes of one socket.
    pub nodes_per_socket: i64,
}

/// A network adapter as Windows sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// Its index.
    pub index: i64,
    /// Its id with braces.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What the driver calls it.
    pub description: String,
    /// Whether it is a device.
    pub physical: bool,
    /// How many waits pass until it is seen.
    pub appears_in: u32,
    /// How many waits pass from then on until TCP/IP knows it.
    pub ip_in: u32,
    /// Whether DHCP is on for IPv4.
    pub dhcp: bool,
    /// Addresses that were set, with the lengths of their prefixes.
    pub addresses: Vec<(String, i64)>,
    /// Routes that were set: prefix and next hop.
    pub routes: Vec<(String, String)>,
    /// DNS servers.
    pub dns: Vec<String>,
    /// DNS suffix.
    pub suffix: String,
    /// Whether its addresses are registered.
    pub register: bool,
    /// WINS servers.
    pub wins: Vec<String>,
    /// NetBIOS: 0 as DHCP says, 1 on, 2 off.
    pub netbios: i64,
    /// Components and whether they are bound.
    pub bindings: BTreeMap<String, bool>,
    /// Advanced properties.
    pub properties: BTreeMap<String, String>,
}

impl Interface {
    /// A new one as Windows sets it up.
    pub fn new(index: i64, id: &str, name: &str) -> Interface {
        let components = ["ms_msclient", "ms_server", "ms_pacer", "ms_tcpip", "ms_tcpip6", "ms_lltdio", "ms_rspndr"];
        Interface {
            index,
            id: id.to_owned(),
            name: name.to_owned(),
            description: format!("Hyper-V Virtual Ethernet Adapter #{index}"),
            dhcp: true,
            register: true,
            bindings: components.map(|component| (component.to_owned(), true)).into(),
            ..Interface::default()
        }
    }
}

impl State {
    /// The same without what is made anew each time: ids, indexes, the order of things. Two hosts on which the same was done
    /// are equal then, however often it was begun.
    pub fn without_ids(&self) -> State {
        let mut state = self.clone();
        let names: BTreeMap<String, String> = self
            .switches
            .iter()
            .map(|switch| (switch.id.clone(), format!("{}|{}", switch.name, switch.notes)))
            .collect();
        for switch in &mut state.switches {
            switch.id = names.get(&switch.id).cloned().unwrap_or_default();
        }
        let adapter_name = |adapter: &mut Adapter| {
            adapter.id.clear();
            adapter.interface.clear();
            adapter.switch = adapter.switch.as_ref().and_then(|id| names.get(id)).cloned();
        };
        state.management.iter_mut().for_each(adapter_name);
        for machine in &mut state.machines {
            let id = machine.id.clone();
            let snapshots = machine.snapshots.iter().map(|found| (found.id.clone(), found.name.clone()));
            let snapshots: BTreeMap<String, String> = snapshots.collect();
            machine.without_ids(&id, &adapter_name, &snapshots);
            for snapshot in &mut machine.snapshots {
                snapshot.machine.without_ids(&id, &adapter_name, &snapshots);
                snapshot.id.clear();
            }
        }
        for interface in &mut state.interfaces {
            interface.id.clear();
            interface.index = 0;
            interface.appears_in = 0;
            interface.ip_in = 0;
            interface.description = interface.description.split('#').next().unwrap_or_default().to_owned();
        }
        state.switches.sort_by(|one, two| one.id.cmp(&two.id));
        state.management.sort_by(|one, two| (&one.name, &one.switch).cmp(&(&two.name, &two.switch)));
        state.machines.sort_by(|one, two| one.location.cmp(&two.location));
        state.interfaces.sort_by(|one, two| one.name.cmp(&two.name));
        state.service_starts = 0;
        state
    }
}
