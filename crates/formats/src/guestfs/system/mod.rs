//! Which operating system a volume holds, by the files that every system of its kind has.

mod cells;
mod drivers;
mod linux;
mod network;
mod release;
mod windows;

use serde::Serialize;

use super::GuestFsError;
use super::ext::Ext;
use super::ntfs::Ntfs;
pub use drivers::{DriverStart, GuestDriver};
pub use network::{GuestAdapter, linux_adapters, prefix_length};
pub use windows::{HiveReading, windows_by_hives};

/// Family of an operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SystemKind {
    /// Windows of the NT line.
    Windows,
    /// Linux.
    Linux,
}

/// An operating system found on a volume. Fields that the volume does not tell are empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuestSystem {
    /// Number of the partition that holds it; 0 when there is no table.
    pub partition: u32,
    /// Family.
    pub kind: SystemKind,
    /// Name as the system shows it: `Windows Server 2008 R2 Standard`, `Debian GNU/Linux 12 (bookworm)`.
    pub name: String,
    /// Version: `6.1`, `10.0`; of Linux `VERSION_ID`.
    pub version: String,
    /// Build with its revision: `7601`, `17763.2114` (Windows only).
    pub build: String,
    /// Service pack as the system shows it (Windows only).
    pub service_pack: String,
    /// `EditionID`, such as `ServerStandard`; of Linux the `ID`, such as `debian`.
    pub edition: String,
    /// `InstallationType`, such as `Server Core` (Windows only).
    pub installation: String,
    /// Processor architecture as the system names it: `AMD64`, `x86`.
    pub architecture: String,
    /// Host name.
    pub host_name: String,
    /// DNS domain (Windows only).
    pub domain: String,
    /// Language: of Windows the language identifier of the installation, such as `0407`; of Linux `LANG`.
    pub language: String,
    /// Time zone by its name.
    pub time_zone: String,
    /// Its network adapters, also those that the machine no longer has.
    pub adapters: Vec<GuestAdapter>,
    /// Device of the root file system as `/etc/fstab` names it (Linux only).
    pub root_device: String,
    /// The drivers for Hyper-V and KVM that it has; `None` where that could not be looked up.
    pub drivers: Option<Vec<GuestDriver>>,
    /// What could not be read, as whole sentences.
    pub remarks: Vec<String>,
}

impl GuestSystem {
    fn new(kind: SystemKind) -> Self {
        GuestSystem {
            partition: 0,
            kind,
            name: String::new(),
            version: String::new(),
            build: String::new(),
            service_pack: String::new(),
            edition: String::new(),
            installation: String::new(),
            architecture: String::new(),
            host_name: String::new(),
            domain: String::new(),
            language: String::new(),
            time_zone: String::new(),
            adapters: Vec::new(),
            root_device: String::new(),
            drivers: None,
            remarks: Vec::new(),
        }
    }
}

/// Looks for Windows on an NTFS volume.
pub(super) fn on_ntfs(volume: &Ntfs) -> Option<GuestSystem> {
    windows::find(volume)
}

/// Looks for Linux on an ext volume. An error says why it cannot be told that there is none.
pub(super) fn on_ext(volume: &Ext) -> Result<Option<GuestSystem>, GuestFsError> {
    linux::find(volume)
}
