//! Virtual networks (switches), the host's adapters, and the management operating system's virtual adapters.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::found::{Found, Place};
use crate::names::{AdapterId, MacAddress, SwitchId};

/// A virtual network of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VirtualSwitch {
    /// Id (GUID).
    pub id: SwitchId,
    /// Friendly name as the operator sees it.
    pub name: String,
    /// External, internal or private.
    pub kind: Found<SwitchKind>,
    /// The physical adapter of an external network.
    pub uplink: Found<AdapterId>,
    /// Ports with everything that their keys hold; on 2008 and 2008 R2 VLAN and spoofing are here under names that
    /// nobody documents, so they are kept as they are.
    pub ports: Vec<SwitchPort>,
    /// Values of the switch's own key that are not understood: name → text.
    pub other: BTreeMap<String, String>,
    /// Where it was read.
    pub place: Place,
}

/// Kind of a virtual network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchKind {
    /// Bound to a physical adapter.
    External,
    /// Machines and the management operating system.
    Internal,
    /// Machines only.
    Private,
}

impl std::fmt::Display for SwitchKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SwitchKind::External => "external",
            SwitchKind::Internal => "internal",
            SwitchKind::Private => "private",
        })
    }
}

/// A port of a virtual switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwitchPort {
    /// Key name of the port: a GUID.
    pub id: String,
    /// Friendly name, empty when there is none.
    pub name: String,
    /// Values that are not understood: name → text. `VLAN` may be among them.
    pub other: BTreeMap<String, String>,
    /// Where it was read.
    pub place: Place,
}

/// A physical network adapter of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhysicalAdapter {
    /// `NetCfgInstanceId`.
    pub id: AdapterId,
    /// Connection name, e.g. `Local Area Connection 2`.
    pub connection: String,
    /// Device description (`DriverDesc`).
    pub description: String,
    /// Where it sits, e.g. `PCI bus 2, device 1, function 0`.
    pub location: Found<String>,
    /// Permanent or overriding MAC address; a physical MAC is not stored in the registry.
    pub mac: Found<MacAddress>,
    /// True when it is bound to a virtual switch (`VMSP`).
    pub bound_to_switch: bool,
    /// IP settings.
    pub ip: IpSettings,
    /// VMQ and RSS keywords that are set: name with its leading `*` → value.
    pub queue_keywords: BTreeMap<String, String>,
    /// Where it was read.
    pub place: Place,
}

/// A virtual adapter of the management operating system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ManagementAdapter {
    /// `NetCfgInstanceId`.
    pub id: AdapterId,
    /// Connection name; as the user interface makes it, the name of the virtual network.
    pub connection: String,
    /// The switch that it is connected to.
    pub switch: Found<SwitchId>,
    /// MAC address.
    pub mac: Found<MacAddress>,
    /// VLAN of its switch port.
    pub vlan: Found<Vlan>,
    /// IP settings.
    pub ip: IpSettings,
    /// Protocols and services bound to it, e.g. `Tcpip`, `Tcpip6`.
    pub bindings: Vec<String>,
    /// Where it was read.
    pub place: Place,
}

/// VLAN mode of a switch port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Vlan {
    /// No VLAN.
    Untagged,
    /// One VLAN.
    Access {
        /// VLAN id, 1 to 4094.
        id: u16,
    },
    /// A trunk.
    Trunk {
        /// VLAN id of untagged frames.
        native: u16,
        /// VLAN ids that pass.
        allowed: Vec<u16>,
    },
}

/// IP settings of an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct IpSettings {
    /// True when the addresses come from DHCP.
    pub dhcp: bool,
    /// Static IPv4 addresses with prefix length, e.g. `192.0.2.10/24`.
    pub addresses: Vec<String>,
    /// Default gateways.
    pub gateways: Vec<String>,
    /// DNS servers in order.
    pub dns_servers: Vec<String>,
    /// Connection-specific DNS suffix.
    pub dns_suffix: String,
    /// WINS servers.
    pub wins_servers: Vec<String>,
    /// NetBIOS over TCP/IP: 0 by DHCP, 1 enabled, 2 disabled.
    pub netbios: Option<u32>,
    /// Registers its addresses in DNS.
    pub register_in_dns: Option<bool>,
    /// Where it was read.
    pub place: Place,
}

impl IpSettings {
    /// True when somebody set an address by hand.
    pub fn is_static(&self) -> bool {
        !self.dhcp && !self.addresses.is_empty()
    }
}

/// What the port of a machine's adapter has beside VLAN and MAC address spoofing; `None` where the release has no such setting
/// or it was never set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PortSettings {
    /// Answers of DHCP servers in the guest are dropped (2012 and later).
    pub dhcp_guard: Option<bool>,
    /// Router advertisements and redirections of the guest are dropped (2012 and later).
    pub router_guard: Option<bool>,
    /// The guest may team the adapter with others (2012 and later).
    pub teaming: Option<bool>,
    /// Priority tags of the guest are let through (2012 and later).
    pub priority_tag: Option<bool>,
    /// Weight for a queue of the physical adapter: 0 (none) to 100 (2008 R2 and later).
    pub vmq_weight: Option<u32>,
    /// Weight for a virtual function of the physical adapter: 0 (none) to 100 (2012 and later).
    pub iov_weight: Option<u32>,
    /// Most security associations of IPsec that the physical adapter takes over: 0 (none) to 4096 (2012 and later).
    pub ipsec_offload_limit: Option<u32>,
    /// Bandwidth that is kept for it, bits per second (2012 and later).
    pub minimum_bandwidth: Option<u64>,
    /// Weight of it among the others on its network: 1 to 100 (2012 and later).
    pub minimum_bandwidth_weight: Option<u32>,
    /// Most bandwidth, bits per second (2012 and later).
    pub maximum_bandwidth: Option<u64>,
    /// Other properties that are not as they are by default, by their names in WMI; they are not carried.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, String>,
}

impl PortSettings {
    /// The settings that are carried, by the names of their items.
    pub fn items(&self) -> Vec<(&'static str, String)> {
        let flag = |value: Option<bool>| value.map(|on| on.to_string());
        let number = |value: Option<u64>| value.map(|number| number.to_string());
        let all = [
            ("dhcp-guard", flag(self.dhcp_guard)),
            ("router-guard", flag(self.router_guard)),
            ("teaming", flag(self.teaming)),
            ("priority-tag", flag(self.priority_tag)),
            ("vmq-weight", number(self.vmq_weight.map(u64::from))),
            ("iov-weight", number(self.iov_weight.map(u64::from))),
            ("ipsec-offload-limit", number(self.ipsec_offload_limit.map(u64::from))),
            ("minimum-bandwidth", number(self.minimum_bandwidth)),
            ("minimum-bandwidth-weight", number(self.minimum_bandwidth_weight.map(u64::from))),
            ("maximum-bandwidth", number(self.maximum_bandwidth)),
        ];
        all.into_iter().filter_map(|(item, value)| Some((item, value?))).collect()
    }
}
