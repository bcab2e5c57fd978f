//! The old host itself: operating system, roles, Hyper-V settings, security, firewall.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::found::{Found, Place};
use crate::names::{ByteSize, MacAddress, WindowsPath};

/// The host that is to be left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// NetBIOS name (`Control\ComputerName\ComputerName`).
    pub computer_name: Found<String>,
    /// DNS domain; empty for a workgroup (`Services\Tcpip\Parameters\Domain`).
    pub domain: Found<String>,
    /// Operating system.
    pub system: OperatingSystem,
    /// True when the Hyper-V role is installed (service `vmms`).
    pub hyper_v_installed: Found<bool>,
    /// Other server roles that are active on the host.
    pub other_roles: Vec<ServerRole>,
    /// Evidence that the host is a member of a failover cluster; `None` when there is none.
    pub cluster: Option<ClusterMembership>,
    /// Logical processors (`NUMBER_OF_PROCESSORS`).
    pub logical_processors: Found<u32>,
    /// Processor description (`PROCESSOR_IDENTIFIER`): family, model, stepping, vendor.
    pub processor: Found<String>,
    /// Memory of the system, bytes; no file has it, only the host itself tells it.
    #[serde(default = "not_read::<ByteSize>")]
    pub memory: Found<ByteSize>,
    /// Its fixed drives with their free space; only the host itself tells them.
    #[serde(default = "not_read::<Vec<HostVolume>>")]
    pub volumes: Found<Vec<HostVolume>>,
    /// Hyper-V's own settings.
    pub settings: HyperVSettings,
    /// Who may reach the host from elsewhere.
    pub remote_administration: RemoteAdministration,
    /// Firewall rules that concern Hyper-V and differ from the default.
    pub firewall: Firewall,
}

fn not_read<T>() -> Found<T> {
    Found::unknown("The document was written before this was read.")
}

/// A fixed drive of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostVolume {
    /// Its letter with a colon: `C:`.
    pub letter: String,
    /// File system by Windows' name, such as `NTFS`; empty where it is not told.
    pub file_system: String,
    /// Length, bytes.
    pub size: ByteSize,
    /// Bytes free when the host was asked.
    pub free: ByteSize,
}

/// Identity of the operating system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperatingSystem {
    /// Name for display (`ProductName`).
    pub product_name: Found<String>,
    /// NT version, `6.1` for 2008 R2 (`CurrentVersion`; from 2016 on `CurrentMajorVersionNumber`).
    pub version: Found<String>,
    /// Build number, 7601 for 2008 R2 SP1 (`CurrentBuildNumber`).
    pub build: Found<u32>,
    /// Service pack number, 0 for none (`CSDVersion`).
    pub service_pack: Found<u32>,
    /// The release that follows from version, build and product type.
    pub release: Found<WindowsRelease>,
    /// Edition.
    pub edition: Found<Edition>,
    /// Full or Server Core installation.
    pub installation: Found<Installation>,
    /// Processor architecture, `AMD64` or `x86`.
    pub architecture: Found<String>,
    /// System UI language: LCID as four hex digits, `0409` (`Control\Nls\Language\InstallLanguage`).
    pub ui_language: Found<String>,
}

/// A release of Windows as far as Hyper-V is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum WindowsRelease {
    /// Windows Server 2008 (6.0).
    #[serde(rename = "2008")]
    Server2008,
    /// Windows Server 2008 R2 (6.1).
    #[serde(rename = "2008 R2")]
    Server2008R2,
    /// Windows Server 2012 (6.2).
    #[serde(rename = "2012")]
    Server2012,
    /// Windows Server 2012 R2 (6.3).
    #[serde(rename = "2012 R2")]
    Server2012R2,
    /// Windows Server 2016 (build 14393).
    #[serde(rename = "2016")]
    Server2016,
    /// Windows Server 2019 (build 17763).
    #[serde(rename = "2019")]
    Server2019,
    /// Windows Server 2022 (build 20348).
    #[serde(rename = "2022")]
    Server2022,
    /// Windows Server 2025 (build 26100).
    #[serde(rename = "2025")]
    Server2025,
    /// A client of Windows, or something else.
    #[serde(rename = "other")]
    Other,
}

impl std::fmt::Display for WindowsRelease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            WindowsRelease::Server2008 => "Windows Server 2008",
            WindowsRelease::Server2008R2 => "Windows Server 2008 R2",
            WindowsRelease::Server2012 => "Windows Server 2012",
            WindowsRelease::Server2012R2 => "Windows Server 2012 R2",
            WindowsRelease::Server2016 => "Windows Server 2016",
            WindowsRelease::Server2019 => "Windows Server 2019",
            WindowsRelease::Server2022 => "Windows Server 2022",
            WindowsRelease::Server2025 => "Windows Server 2025",
            WindowsRelease::Other => "another operating system",
        };
        f.write_str(name)
    }
}

/// Edition of Windows Server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Edition {
    /// Standard.
    Standard,
    /// Enterprise (until 2008 R2).
    Enterprise,
    /// Datacenter.
    Datacenter,
    /// The stand-alone product Microsoft Hyper-V Server (`ServerHyper`).
    HyperVServer,
    /// Any other `EditionID`, as written.
    Other(String),
}

/// Installation option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Installation {
    /// With the graphical shell.
    Full,
    /// Server Core.
    Core,
    /// A client.
    Client,
}

/// A server role beside Hyper-V, seen by its service, or told by the host as a feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerRole {
    /// Name of the role, e.g. `DHCP Server`.
    pub name: String,
    /// Service that shows it, or the class and the number of the feature.
    pub service: String,
    /// Where it was read.
    pub place: Place,
}

/// Why the host is taken for a cluster member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterMembership {
    /// Name of the cluster, where it is known.
    pub name: Option<String>,
    /// Where it was read.
    pub places: Vec<Place>,
}

/// Settings of the Hyper-V role as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HyperVSettings {
    /// Range of dynamic MAC addresses; `Default` when none was set (2008 R2 and later).
    pub mac_range: Found<Option<MacRange>>,
    /// Default folder of virtual hard disks.
    pub virtual_hard_disk_path: Found<WindowsPath>,
    /// Default folder of virtual machines.
    pub virtual_machine_path: Found<WindowsPath>,
    /// NUMA spanning allowed (2008 R2 SP1 and later).
    pub numa_spanning: Found<bool>,
    /// Authorization store.
    pub authorization: AuthorizationStore,
    /// `TenGigVmqEnabled`: 0 system default, 1 enabled, 2 disabled.
    pub vmq_ten_gigabit: Found<u32>,
    /// `BelowTenGigVmqEnabled`: 0 system default, 1 enabled, 2 disabled.
    pub vmq_below_ten_gigabit: Found<u32>,
    /// Further values of the Virtualization key whose meaning is not known: name → value as text.
    pub other: BTreeMap<String, String>,
}

/// Range of dynamic MAC addresses of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MacRange {
    /// First address.
    pub minimum: MacAddress,
    /// Last address.
    pub maximum: MacAddress,
}

/// The Authorization Manager store of Hyper-V.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizationStore {
    /// `StoreLocation`, e.g. `msxml://C:\ProgramData\Microsoft\Windows\Hyper-V\InitialStore.xml`.
    pub location: Found<String>,
    /// The file that the location names; `None` when it is no file (`msldap:`, `mssql:`).
    pub file: Option<WindowsPath>,
    /// True when System Center Virtual Machine Manager keeps its own store there.
    pub managed_by_scvmm: bool,
    /// Role assignments; empty when the store could not be read (then a problem says why).
    pub assignments: Vec<RoleAssignment>,
    /// Names of scopes besides the application's own.
    pub scopes: Vec<String>,
    /// Number of operations that the store defines.
    pub operations: u32,
}

/// A role given to somebody in the authorization store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleAssignment {
    /// Scope; `None` for the whole host.
    pub scope: Option<String>,
    /// Name of the role.
    pub role: String,
    /// Members: security identifiers.
    pub members: Vec<String>,
    /// True for what Hyper-V installs: `Administrator` with `S-1-5-32-544`, that is all members are default.
    pub is_default: bool,
    /// Where it was read.
    pub place: Place,
}

/// Remote administration settings that the guide has moved by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RemoteAdministration {
    /// `Microsoft\Ole\MachineLaunchRestriction` and `MachineAccessRestriction` compared with the default.
    pub dcom: Vec<DcomRestriction>,
    /// Members of the local group Distributed COM Users.
    pub dcom_users: Found<Vec<GroupMember>>,
    /// Rights on WMI namespaces that Windows does not give by itself; a namespace without any is not listed.
    pub wmi_namespaces: Found<Vec<NamespaceRights>>,
}

/// A member of a local group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GroupMember {
    /// Domain, or the name of the computer for its own accounts; empty when it is not told.
    pub domain: String,
    /// Name of the account; empty when it is not told.
    pub name: String,
    /// Security identifier, where it is told.
    pub sid: Option<String>,
}

impl std::fmt::Display for GroupMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (domain, name) = (&self.domain, &self.name);
        match (&self.sid, name.is_empty()) {
            (Some(sid), true) => f.write_str(sid),
            (sid, _) => {
                f.write_str(domain)?;
                f.write_str(if domain.is_empty() { "" } else { "\\" })?;
                f.write_str(name)?;
                sid.as_ref().map_or(Ok(()), |sid| write!(f, " ({sid})"))
            }
        }
    }
}

/// What somebody was given or denied on one WMI namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceRights {
    /// The namespace, such as `root\virtualization`.
    pub namespace: String,
    /// Entries beyond those that Windows gives.
    pub added: Vec<NamespaceEntry>,
}

impl NamespaceRights {
    /// What has to be there: the added entries, those of one account, effect and reach as one.
    pub fn wanted(&self) -> Vec<NamespaceEntry> {
        let mut all: Vec<NamespaceEntry> = Vec::new();
        for added in &self.added {
            let same = |known: &&mut NamespaceEntry| {
                let (one, other) = (&known.entry, &added.entry);
                one.sid == other.sid && one.effect == other.effect && known.subnamespaces == added.subnamespaces
            };
            match all.iter_mut().find(same) {
                Some(known) => known.entry.mask |= added.entry.mask,
                None => all.push(added.clone()),
            }
        }
        all
    }
}

/// One entry of the access list of a WMI namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceEntry {
    /// Who, and what: mask 1 enable account, 2 execute methods, 4 full write, 8 partial write, 0x10 provider write, 0x20 remote
    /// enable, 0x20000 read security, 0x40000 edit security.
    pub entry: AccessEntry,
    /// True when it holds for the namespaces below too.
    pub subnamespaces: bool,
}

/// One machine-wide DCOM restriction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DcomRestriction {
    /// Value name: `MachineLaunchRestriction` or `MachineAccessRestriction`.
    pub name: String,
    /// The descriptor as SDDL.
    pub sddl: String,
    /// Entries that the default does not have.
    pub added: Vec<AccessEntry>,
    /// Entries of the default that are missing or narrower.
    pub removed: Vec<AccessEntry>,
    /// Where it was read.
    pub place: Place,
}

impl DcomRestriction {
    /// What has to be there: the added entries, those of one account and effect as one.
    pub fn wanted(&self) -> Vec<AccessEntry> {
        let mut all: Vec<AccessEntry> = Vec::new();
        for entry in &self.added {
            match all.iter_mut().find(|known| known.sid == entry.sid && known.effect == entry.effect) {
                Some(known) => known.mask |= entry.mask,
                None => all.push(entry.clone()),
            }
        }
        all
    }
}

/// One entry of an access list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessEntry {
    /// Security identifier.
    pub sid: String,
    /// Well-known name of the identifier, where it has one.
    pub name: Option<String>,
    /// `allow` or `deny`.
    pub effect: String,
    /// Access mask; of DCOM: 1 execute, 2 execute local, 4 execute remote, 8 activate local, 0x10 activate remote.
    pub mask: u32,
}

/// Firewall as far as it differs from what Hyper-V installs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Firewall {
    /// `PolicyVersion`, e.g. 0x20a on 2008 R2.
    pub policy_version: Found<u32>,
    /// How many rules of Hyper-V (`VIRT-*`, `VIRTCL-*`) were looked at.
    pub hyper_v_rules: u32,
    /// The rules that differ, or that a person made for Hyper-V's ports.
    pub changes: Vec<FirewallChange>,
}

/// A firewall rule that is not as installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirewallChange {
    /// Rule id: the name of the registry value, e.g. `VIRT-REMOTEDESKTOP-In-TCP-NoScope`.
    pub id: String,
    /// True when a person made the rule (its id is a GUID), false for a changed rule of Hyper-V.
    pub user_made: bool,
    /// The differences, as short texts such as `Active=FALSE`.
    pub differences: Vec<String>,
    /// All fields of the rule in the order of the source; keys may repeat.
    pub fields: Vec<(String, String)>,
    /// Where it was read.
    pub place: Place,
}
