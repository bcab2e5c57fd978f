//! Adapters and virtual networks in the SYSTEM hive.
//!
//! Proved for this release: the keys `VMSMP\Parameters\SwitchList`, `NicList` and their FriendlyName, the bindings of
//! NDIS, the class and connection keys. **Made up: every other value name below a switch, port or NIC key**
//! (`NicName`, `SwitchName`, `PortName`, `NumLearnableAddresses`, `EndpointMode`, `AccessVlan`, `AllowMacSpoofing`,
//! `VMQOffloadWeight`). A reader may use that some text of a port contains the GUID of the adapter it is connected to.

use super::{NetworkKind, SampleNetwork, Variant, ids};
use crate::hive::{HiveKey, HiveValue};

const CLASS: &str = r"Control\Class\{4d36e972-e325-11ce-bfc1-08002be10318}";
const CONNECTIONS: &str = r"Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}";

/// Port of [`ids::BOOT`]'s adapter on [`ids::EXTERN_1`].
pub(super) const PORT_BOOT: &str = "9C400001-2B1A-4D3C-8E4F-00000000B001";
/// Port of [`ids::FILES`]' synthetic adapter on [`ids::EXTERN_2`]; its raw values hold a VLAN.
pub(super) const PORT_FILES: &str = "9C400001-2B1A-4D3C-8E4F-00000000B002";
/// Port of [`ids::FILES`]' legacy adapter on [`ids::INTERN`].
pub(super) const PORT_LEGACY: &str = "9C400001-2B1A-4D3C-8E4F-00000000B003";
/// Port of [`ids::TREE`]'s adapter on [`ids::PRIVATE`]; the clean variant's machine has it too.
pub(super) const PORT_PRIVATE: &str = "9C400001-2B1A-4D3C-8E4F-00000000B004";

/// The virtual networks of a variant.
pub(super) fn networks(variant: Variant) -> Vec<SampleNetwork> {
    let network = |(id, name): (&str, &str), kind, uplink: Option<&str>, management: Option<&str>| SampleNetwork {
        id: id.to_owned(),
        name: name.to_owned(),
        kind,
        uplink: uplink.map(str::to_owned),
        management: management.map(str::to_owned),
    };
    let private = network(ids::PRIVATE, NetworkKind::Private, None, None);
    if variant == Variant::Clean {
        return vec![private];
    }
    vec![
        network(ids::EXTERN_1, NetworkKind::External, Some(ids::NIC_UPLINK_1), Some(ids::NIC_HOST_EXTERN)),
        network(ids::EXTERN_2, NetworkKind::External, Some(ids::NIC_UPLINK_2), None),
        network(ids::INTERN, NetworkKind::Internal, None, Some(ids::NIC_HOST_INTERN)),
        private,
    ]
}

/// The driver's services: switches with their ports, NICs, host-wide VMQ values, bindings.
pub(super) fn virtual_networks(services: &mut HiveKey, variant: Variant) {
    let networks = networks(variant);
    services.at("VMSMP").set("Start", HiveValue::Dword(3)).set("Type", HiveValue::Dword(1));
    services.at("VMSP").set("Start", HiveValue::Dword(2)).set("Type", HiveValue::Dword(1));
    let bound: Vec<String> =
        networks.iter().filter_map(|network| network.uplink.as_ref()).map(|nic| format!(r"\Device\{nic}")).collect();
    services.at(r"VMSP\Linkage").set("Bind", HiveValue::MultiSz(bound));
    let parameters = services.at(r"VMSMP\Parameters");
    parameters.at("SwitchList");
    parameters.at("NicList");
    if variant != Variant::Clean {
        parameters.set("TenGigVmqEnabled", HiveValue::Dword(1));
        parameters.set("BelowTenGigVmqEnabled", HiveValue::Dword(2));
    }
    for (number, network) in (1..).zip(&networks) {
        let switch = parameters.at(&format!(r"SwitchList\{}", network.id));
        switch.set("FriendlyName", HiveValue::sz(&network.name));
        switch.set("NumLearnableAddresses", HiveValue::Dword(1024));
        for (nic, letter) in [(&network.uplink, 'E'), (&network.management, 'F')] {
            let Some(nic) = nic else { continue };
            let port = format!("9C400001-2B1A-4D3C-8E4F-00000000{letter}00{number}");
            nic_port(parameters, network, nic, &port);
        }
    }
    machine_ports(parameters, variant);
}

/// A port that is connected to an adapter of the host, and the entry of that adapter.
fn nic_port(parameters: &mut HiveKey, network: &SampleNetwork, nic: &str, port: &str) {
    let key = parameters.at(&format!(r"SwitchList\{}\{port}", network.id));
    let external = network.uplink.as_deref() == Some(nic);
    key.set("FriendlyName", HiveValue::sz(if external { "ExternalPort" } else { "InternalPort" }));
    key.set("NicName", HiveValue::sz(format!("/Device/{nic}")));
    let list = parameters.at("NicList");
    let entry = list.at(&format!("/Device/{nic}"));
    entry.set("SwitchName", HiveValue::sz(&network.id));
    entry.set("PortName", HiveValue::sz(port));
}

/// Ports of virtual machines.
fn machine_ports(parameters: &mut HiveKey, variant: Variant) {
    let port = |id: &str, switch: (&str, &str)| format!(r"SwitchList\{}\{id}", switch.0);
    let private = parameters.at(&port(PORT_PRIVATE, ids::PRIVATE));
    private.set("FriendlyName", HiveValue::sz("Netzwerkkarte"));
    if variant == Variant::Clean {
        return;
    }
    let boot = parameters.at(&port(PORT_BOOT, ids::EXTERN_1));
    boot.set("FriendlyName", HiveValue::sz("Netzwerkkarte"));
    boot.set("VMQOffloadWeight", HiveValue::Dword(100));
    let files = parameters.at(&port(PORT_FILES, ids::EXTERN_2));
    files.set("FriendlyName", HiveValue::sz("Netzwerkkarte \"schnell\""));
    files.set("EndpointMode", HiveValue::Dword(2));
    files.set("AccessVlan", HiveValue::Dword(42));
    files.set("AllowMacSpoofing", HiveValue::Dword(1));
    files.set("VMQOffloadWeight", HiveValue::Dword(0));
    parameters.at(&port(PORT_LEGACY, ids::INTERN)).set("FriendlyName", HiveValue::sz("Ältere Netzwerkkarte"));
}

/// An adapter as its class, connection and Enum keys describe it.
pub(super) struct Adapter {
    pub(super) id: &'static str,
    description: &'static str,
    connection: &'static str,
    device: &'static str,
    component: &'static str,
    pub(super) service: &'static str,
    pub(super) bindings: &'static [&'static str],
    keywords: &'static [(&'static str, &'static str)],
}

const PLAIN: &[&str] = &["Ndisuio", "RasPppoe", "rspndr", "lltdio", "Tcpip", "Tcpip6"];

/// Devices of PCI Express carry the MAC in their instance id.
pub(super) const ADAPTERS: [Adapter; 5] = [
    Adapter {
        id: ids::NIC_MANAGEMENT,
        description: "Intel(R) 82576 Gigabit Dual Port Network Connection",
        connection: "LAN-Verbindung",
        device: r"PCI\VEN_8086&DEV_10C9&SUBSYS_A03C8086&REV_01\001B21FFFF3C4D5E00",
        component: r"pci\ven_8086&dev_10c9",
        service: "e1qexpress",
        bindings: PLAIN,
        keywords: &[("*RSS", "1")],
    },
    Adapter {
        id: ids::NIC_UPLINK_1,
        description: "Intel(R) 82576 Gigabit Dual Port Network Connection #2",
        connection: "LAN-Verbindung 2",
        device: r"PCI\VEN_8086&DEV_10C9&SUBSYS_A03C8086&REV_01\001B21FFFF3C4D5F01",
        component: r"pci\ven_8086&dev_10c9",
        service: "e1qexpress",
        bindings: &["VMSP"],
        keywords: &[("*VMQ", "0"), ("*RssBaseProcNumber", "2"), ("*RSS", "1")],
    },
    Adapter {
        id: ids::NIC_UPLINK_2,
        description: "Broadcom BCM57711 NetXtreme II 10 GigE (NDIS VBD Client)",
        connection: "LAN-Verbindung 東",
        device: r"PCI\VEN_14E4&DEV_164F&SUBSYS_164F14E4&REV_00\4&B70F118&0&0888",
        component: r"pci\ven_14e4&dev_164f",
        service: "l2nd",
        bindings: &["VMSP"],
        keywords: &[("*VMQ", "1"), ("*RssBaseProcNumber", "4"), ("*MaxRssProcessors", "4")],
    },
    Adapter {
        id: ids::NIC_HOST_EXTERN,
        description: "Microsoft Virtual Network Switch Adapter",
        connection: ids::EXTERN_1.1,
        device: r"ROOT\VMS_MP\0000",
        component: "vms_mp",
        service: "VMSMP",
        bindings: PLAIN,
        keywords: &[("NetworkAddress", "00155D0A0B0C")],
    },
    Adapter {
        id: ids::NIC_HOST_INTERN,
        description: "Microsoft Virtual Network Switch Adapter #2",
        connection: ids::INTERN.1,
        device: r"ROOT\VMS_MP\0001",
        component: "vms_mp",
        service: "VMSMP",
        bindings: PLAIN,
        keywords: &[],
    },
];

/// Class, connection, Enum and address keys of the host's adapters.
pub(super) fn adapters(set: &mut HiveKey, variant: Variant) {
    set.at(CLASS).set("Class", HiveValue::sz("Net"));
    let present = if variant == Variant::Clean { &ADAPTERS[..1] } else { &ADAPTERS[..] };
    for (number, adapter) in (7..).zip(present) {
        adapter_keys(set, number, adapter);
    }
    let address = |key: &mut HiveKey, ips: &[&str], masks: &[&str], gateways: &[&str]| {
        key.set("EnableDHCP", HiveValue::Dword(0));
        key.set("IPAddress", HiveValue::multi(ips));
        key.set("SubnetMask", HiveValue::multi(masks));
        key.set("DefaultGateway", HiveValue::multi(gateways));
        key.set("DefaultGatewayMetric", HiveValue::MultiSz(gateways.iter().map(|_| "0".to_owned()).collect()));
    };
    let tcpip = set.at(r"services\Tcpip\Parameters");
    let interface = |nic: &str| format!(r"Interfaces\{nic}");
    let management = tcpip.at(&interface(ids::NIC_MANAGEMENT));
    address(management, &["10.20.0.11"], &["255.255.0.0"], &[]);
    management.set("NameServer", HiveValue::sz("10.20.0.2"));
    let routes = tcpip.at("PersistentRoutes");
    if variant == Variant::Clean {
        return;
    }
    routes.set("10.99.0.0,255.255.0.0,192.168.10.254,1", HiveValue::sz(""));
    let host = tcpip.at(&interface(ids::NIC_HOST_EXTERN));
    address(host, &["192.168.10.5", "192.168.10.6"], &["255.255.255.0", "255.255.255.0"], &["192.168.10.1"]);
    host.set("NameServer", HiveValue::sz("192.168.10.2,192.168.10.3"));
    host.set("Domain", HiveValue::sz("buero.muster.example"));
    host.set("RegistrationEnabled", HiveValue::Dword(1));
    host.set("InterfaceMetric", HiveValue::Dword(15));
    address(tcpip.at(&interface(ids::NIC_HOST_INTERN)), &["172.16.0.1"], &["255.255.255.0"], &[]);
    let wins = set.at(&format!(r"services\NetBT\Parameters\Interfaces\Tcpip_{}", ids::NIC_HOST_EXTERN));
    wins.set("NameServerList", HiveValue::multi(&["192.168.10.2"]));
    wins.set("NetbiosOptions", HiveValue::Dword(1));
}

fn adapter_keys(set: &mut HiveKey, number: u32, adapter: &Adapter) {
    let virtual_adapter = adapter.service == "VMSMP";
    let class = set.at(&format!(r"{CLASS}\{number:04}"));
    class.set("NetCfgInstanceId", HiveValue::sz(adapter.id));
    class.set("DriverDesc", HiveValue::sz(adapter.description));
    class.set("ComponentId", HiveValue::sz(adapter.component));
    class.set("MatchingDeviceId", HiveValue::sz(adapter.component));
    class.set("DeviceInstanceID", HiveValue::sz(adapter.device));
    class.set("*IfType", HiveValue::Dword(6));
    class.set("Characteristics", HiveValue::Dword(if virtual_adapter { 0x1 } else { 0x84 }));
    class.set("DriverVersion", HiveValue::sz("6.1.7601.17514"));
    for (name, text) in adapter.keywords {
        class.set(name, HiveValue::sz(*text));
    }
    class.at("Ndi").set("Service", HiveValue::sz(adapter.service));
    let linkage = class.at("Linkage");
    linkage.set("UpperBind", HiveValue::multi(adapter.bindings));
    linkage.set("RootDevice", HiveValue::multi(&[adapter.id]));
    linkage.set("Export", HiveValue::MultiSz(vec![format!(r"\Device\{}", adapter.id)]));
    let connection = set.at(&format!(r"{CONNECTIONS}\{}\Connection", adapter.id));
    connection.set("Name", HiveValue::sz(adapter.connection));
    connection.set("PnpInstanceID", HiveValue::sz(adapter.device));
    connection.set("DefaultNameIndex", HiveValue::Dword(number - 7));
    let device = set.at(&format!(r"Enum\{}", adapter.device));
    device.set("FriendlyName", HiveValue::sz(adapter.description));
    device.set("DeviceDesc", HiveValue::sz(adapter.description));
    device.set("Driver", HiveValue::sz(format!(r"{{4d36e972-e325-11ce-bfc1-08002be10318}}\{number:04}")));
    device.set("HardwareID", HiveValue::multi(&[adapter.component]));
    device.set("Service", HiveValue::sz(adapter.service));
    device.set("ConfigFlags", HiveValue::Dword(0));
    if !virtual_adapter {
        let place = format!("PCI bus {}, device 0, function {}", number / 2, number % 2);
        device.set("LocationInformation", HiveValue::sz(place));
    }
}
