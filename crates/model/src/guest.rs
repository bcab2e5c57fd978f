//! What the disks of a switched-off machine tell of the system in it: plain data. A guest that is encrypted, damaged or of a
//! kind that is not read is unknown for a reason, and never an error of the inventory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::found::Found;
use crate::names::{ByteSize, MacAddress, VmId, WindowsPath};

/// What is in one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Guest {
    /// The machine.
    pub machine: VmId,
    /// The operating system: of several the one on the first disk.
    pub system: Found<GuestSystem>,
    /// What starts it, concluded from the partition table of the disk that it starts from.
    pub boot: Found<BootMode>,
    /// Its present disks in the order of its drives.
    pub disks: Vec<GuestDisk>,
    /// What could not be read, and what else the operator should know, as whole sentences.
    pub remarks: Vec<String>,
}

impl Guest {
    /// The volumes of all its disks, each with its disk.
    pub fn volumes(&self) -> impl Iterator<Item = (&GuestDisk, &GuestVolume)> {
        self.disks.iter().flat_map(|disk| disk.volumes.iter().map(move |volume| (disk, volume)))
    }
}

/// What a disk was made to be started by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BootMode {
    /// A BIOS: an active partition, or a BIOS boot partition.
    Bios,
    /// UEFI: an EFI system partition.
    Uefi,
}

impl std::fmt::Display for BootMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BootMode::Bios => "BIOS",
            BootMode::Uefi => "UEFI",
        })
    }
}

/// Family of an operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GuestFamily {
    /// Windows of the NT line.
    Windows,
    /// Linux.
    Linux,
}

/// An operating system. What its files do not tell is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuestSystem {
    /// Family.
    pub family: GuestFamily,
    /// Name as the system shows it: `Windows Server 2008 R2 Standard`, `Debian GNU/Linux 12 (bookworm)`.
    pub name: Option<String>,
    /// Version: `6.1`, `10.0`; of Linux `VERSION_ID`.
    pub version: Option<String>,
    /// Build with its revision: `7601`, `17763.2114` (Windows only).
    pub build: Option<String>,
    /// Service pack as the system shows it (Windows only).
    pub service_pack: Option<String>,
    /// `EditionID`, such as `ServerStandard`; of Linux the `ID`, such as `debian`.
    pub edition: Option<String>,
    /// `InstallationType`, such as `Server Core` (Windows only).
    pub installation: Option<String>,
    /// Processor architecture as the system names it: `AMD64`, `x86` (Windows only).
    pub architecture: Option<String>,
    /// Host name.
    pub host_name: Option<String>,
    /// DNS domain (Windows only).
    pub domain: Option<String>,
    /// Language: of Windows the language identifier of the installation, such as `0407`; of Linux `LANG`.
    pub language: Option<String>,
    /// Time zone by its name.
    pub time_zone: Option<String>,
    /// The device of the root file system as `/etc/fstab` names it: `UUID=…`, `/dev/sda1` (Linux only).
    pub root_device: Option<String>,
    /// Network adapters that its settings know, also those that the machine no longer has.
    pub adapters: Vec<GuestAdapter>,
    /// Drivers for Hyper-V and KVM that are there; those that are not listed are not there.
    pub drivers: Found<Vec<GuestDriver>>,
}

impl GuestSystem {
    /// The driver of one of these names that starts with the system or is built into every kernel, or else any of them.
    pub fn driver(&self, names: &[&str]) -> Option<&GuestDriver> {
        let fitting = || self.drivers.value().into_iter().flatten().filter(|driver| names.contains(&&*driver.name));
        fitting().find(|driver| driver.start.is_early()).or_else(|| fitting().next())
    }
}

/// A network adapter as the settings of a guest know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuestAdapter {
    /// Name of the connection or interface: `Local Area Connection`, `eth0`; empty where there is none.
    pub name: String,
    /// The instance of its device, such as `VMBUS\{…}\5&…` (Windows only).
    pub device: Option<String>,
    /// Whether the machine has it: `false` is a ghost, an adapter that was there once and whose settings stayed.
    pub present: Found<bool>,
    /// Its hardware address: read from the guest's settings, or that of the machine's adapter that it is.
    pub mac: Found<MacAddress>,
    /// Whether the guest's settings are bound to that address. Settings that give the adapter another address than its own are
    /// not.
    pub bound_to_mac: bool,
    /// Whether the guest's settings go by the name of an interface, its driver or its path, any of which other hardware may
    /// change (Linux only).
    pub by_name: bool,
    /// Whether the addresses come by DHCP, or another automatic way; `None` where the settings do not say it. Of Linux it is
    /// `false` as soon as they hold an address of whatever family, which has to be carried though another family may be
    /// automatic all the same; `true` where they only say automatic.
    pub dhcp: Option<bool>,
    /// Addresses with the length of their prefix, `192.0.2.10/24`; with DHCP the last that Windows was given.
    pub addresses: Vec<String>,
    /// Gateways of the default route.
    pub gateways: Vec<String>,
    /// Name servers.
    pub dns_servers: Vec<String>,
    /// The file or registry key of the guest that says so.
    pub place: String,
}

impl GuestAdapter {
    /// True for an adapter that the machine is known not to have.
    pub fn is_ghost(&self) -> bool {
        self.present.value() == Some(&false)
    }

    /// True when somebody set an address of it; another family may come by DHCP all the same.
    pub fn is_static(&self) -> bool {
        self.dhcp == Some(false) && !self.addresses.is_empty()
    }
}

/// A driver that a guest has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestDriver {
    /// The service of Windows, in lower case (`viostor`, `storahci`), or the module of Linux (`virtio_blk`).
    pub name: String,
    /// When it starts.
    pub start: DriverStart,
    /// The kernel that it belongs to (Linux only).
    pub kernel: Option<String>,
}

/// When a driver starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriverStart {
    /// By the boot loader: only such drivers of Windows can read the disk that it starts from.
    Boot,
    /// While the kernel starts.
    System,
    /// With the services.
    Automatic,
    /// When its device is there.
    Demand,
    /// Never.
    Disabled,
    /// It is built into the kernel.
    BuiltIn,
    /// It is a module of the kernel; whether it is in the initial RAM disk is not known.
    Module,
    /// The settings do not say it.
    Unknown,
}

impl DriverStart {
    /// True when it can read the disk that the system starts from.
    pub fn is_early(self) -> bool {
        matches!(self, DriverStart::Boot | DriverStart::BuiltIn)
    }
}

/// A disk as its guest sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuestDisk {
    /// Path of the leaf on the source.
    pub path: WindowsPath,
    /// Bytes of a logical sector; `None` when the disk could not be opened.
    pub sector_size: Option<u32>,
    /// What is wrong with its partition table, as whole sentences.
    pub findings: Vec<String>,
    /// Its volumes, in the order of the table.
    pub volumes: Vec<GuestVolume>,
    /// Why it could not be looked into; `None` when it could.
    pub unreadable: Option<String>,
}

/// A volume of a disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuestVolume {
    /// Number of the partition; 0 when there is no table.
    pub partition: u32,
    /// First byte on the disk.
    pub start: u64,
    /// Length, bytes.
    pub size: ByteSize,
    /// What is in it.
    pub holds: Holds,
    /// The name of that as people write it: `NTFS`, `BitLocker`, `LVM2`.
    pub kind: String,
    /// Label; empty where there is none.
    pub label: String,
    /// Bytes in use; `None` where the file system is not read, or damaged.
    pub used: Option<ByteSize>,
    /// Bytes free.
    pub free: Option<ByteSize>,
    /// Whether its last system left it in order; `None` where that is not known.
    pub clean: Option<bool>,
    /// What the operator should know, as whole sentences.
    pub remarks: Vec<String>,
}

/// What a volume holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// A file system whose tables are read.
    FileSystem,
    /// A file system that is recognised only.
    OtherFileSystem,
    /// Swap space.
    Swap,
    /// A volume that BitLocker encrypts.
    BitLocker,
    /// A volume that LUKS encrypts.
    Luks,
    /// A part of a Windows dynamic disk.
    DynamicDisk,
    /// A physical volume of LVM.
    Lvm,
    /// A member of a Linux software RAID.
    Raid,
    /// Nothing that is known.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_drivers_the_one_that_starts_with_the_system_counts() {
        let driver = |name: &str, start| GuestDriver { name: name.to_owned(), start, kernel: None };
        let drivers = vec![driver("a", DriverStart::Demand), driver("b", DriverStart::Boot)];
        let text = serde_json::json!({
            "family": "windows", "adapters": [],
            "drivers": Found::read(drivers, "SYSTEM", ""),
        });
        let system: GuestSystem = serde_json::from_value(text).expect("missing texts are none");
        assert_eq!(system.driver(&["a", "b"]).map(|driver| &*driver.name), Some("b"));
        assert_eq!(system.driver(&["a"]).map(|driver| driver.start), Some(DriverStart::Demand));
        assert_eq!(system.driver(&["c"]), None);
    }
}
