//! What the sample host would answer to WMI queries, as files of a collection: the classes of `root\virtualization` (version 1)
//! that tell of switch ports, addresses, the group Distributed COM Users, the rights on namespaces. The form is that of
//! `SWbemObjectEx.GetText_(1)`, of which real objects were seen; how associations come out of it is from DSP0201.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::network::{ADAPTERS, PORT_BOOT, PORT_FILES, PORT_LEGACY, PORT_PRIVATE, networks};
use super::{Variant, ids};
use crate::security::{Ace, descriptor, sid};

/// VLAN of the adapter of [`ids::FILES`].
pub const VLAN_FILES: u16 = 42;
/// VLAN of the management operating system's adapter on [`ids::EXTERN_1`].
pub const VLAN_HOST: u16 = 7;
/// The member of Distributed COM Users.
pub const DCOM_MEMBER: (&str, &str) = ("MUSTER", "Hyper-V Fernzugriff");
/// Address of the adapter of [`ids::EXTERN_2`], which no file holds.
pub const MAC_UPLINK_2: &str = "001018AABBCC";

/// An IPv6 address that it has, and does not say from where.
pub const IPV6: &str = "2001:db8::1f";
/// Memory of the host, bytes.
pub const MEMORY: u64 = 17_179_332_608;
/// Its fixed drives: letter, length and free bytes.
pub const DRIVES: [(&str, u64, u64); 2] =
    [("C:", 107_267_223_552, 71_004_299_264), ("D:", 999_650_164_736, 402_653_184_000)];

/// Writes the answers of the host into the folder `wmi` of a collection.
pub fn write(collection: &Path, variant: Variant) -> io::Result<()> {
    let mut answers = Answers::default();
    switches(&mut answers, variant);
    addresses(&mut answers, variant);
    computer(&mut answers);
    rights(&mut answers);
    answers.save(collection)
}

/// A virtual hard disk as `GetVirtualHardDiskInfo` describes it.
#[derive(Debug, Clone)]
pub struct DiskInfo {
    /// Windows path.
    pub path: String,
    /// 2 fixed, 3 dynamic, 4 differencing.
    pub kind: u16,
    /// Length of the file, bytes.
    pub file_size: u64,
    /// Virtual size, bytes.
    pub virtual_size: u64,
    /// Windows path of the parent, or nothing.
    pub parent: String,
}

/// Writes what the host says of its disks into a collection.
pub fn write_disks(collection: &Path, disks: &[DiskInfo]) -> io::Result<()> {
    let mut answers = Answers::default();
    for disk in disks {
        answers.as_file(
            V1,
            "disks",
            "Msvm_VirtualHardDiskInfo",
            &[
                property("Path", "string", &disk.path),
                property("FileSize", "uint64", disk.file_size),
                property("InSavedState", "boolean", "FALSE"),
                property("InUse", "boolean", "FALSE"),
                property("MaxInternalSize", "uint64", disk.virtual_size),
                property("ParentPath", "string", &disk.parent),
                property("Type", "uint16", disk.kind),
            ],
        );
    }
    answers.save(collection)
}

/// Writes what a host of Windows Server 2012 or later says of its disks into a collection: `GetVirtualHardDiskSettingData` of the
/// second version of the classes, which does not tell the length of the file.
pub fn write_setting_data(collection: &Path, disks: &[DiskInfo]) -> io::Result<()> {
    let mut answers = Answers::default();
    for disk in disks {
        answers.as_file(
            V2,
            "disks",
            "Msvm_VirtualHardDiskSettingData",
            &[
                property("Path", "string", &disk.path),
                property("Format", "uint16", if disk.path.to_lowercase().ends_with("vhdx") { 3 } else { 2 }),
                property("MaxInternalSize", "uint64", disk.virtual_size),
                property("ParentPath", "string", &disk.parent),
                property("Type", "uint16", disk.kind),
            ],
        );
    }
    answers.save(collection)
}

/// Features of the port of an adapter: those of a machine or checkpoint with that id, of the adapter with this one.
#[derive(Debug, Clone)]
pub struct PortFeatures {
    /// Id of the machine or checkpoint.
    pub settings: String,
    /// Id of the adapter.
    pub adapter: String,
    /// Class and properties.
    pub objects: Vec<(&'static str, Vec<Property>)>,
}

/// Name, type and value of a property; the values of a list have commas between them.
pub type Property = (&'static str, &'static str, String);

/// An object of [`PortFeatures`].
pub fn feature(
    class: &'static str,
    properties: &[(&'static str, &'static str, &str)],
) -> (&'static str, Vec<Property>) {
    (class, properties.iter().map(|(name, kind, value)| (*name, *kind, (*value).to_owned())).collect())
}

/// Writes what a host of Windows Server 2012 or later says of its ports into a collection.
pub fn write_features(collection: &Path, ports: &[PortFeatures]) -> io::Result<()> {
    let mut answers = Answers::default();
    for class in ["Vlan", "Security", "Offload", "Bandwidth"] {
        answers.0.entry((V2, format!("Msvm_EthernetSwitchPort{class}SettingData"))).or_default();
    }
    for port in ports {
        for (class, properties) in &port.objects {
            let id = format!(r"Microsoft:{}\{}\C\{class}", port.settings, port.adapter);
            let mut all = vec![property("InstanceID", "string", id)];
            all.extend(properties.iter().map(|(name, kind, value)| match kind.strip_suffix("[]") {
                Some(kind) => array(name, kind, value.split(',')),
                None => property(name, kind, value),
            }));
            answers.object(V2, class, &all);
        }
    }
    answers.save(collection)
}

/// Writes what a host of Windows Server 2012 R2 or later says of its switches into a collection: the same networks as the host's, in
/// the second version of the classes, which tells the VLAN of the adapter on [`ids::EXTERN_1`] as well.
pub fn write_switches(collection: &Path, variant: Variant) -> io::Result<()> {
    let mut answers = Answers::default();
    for class in ["Msvm_EthernetSwitchPortVlanSettingData", CONNECTION, IMPLEMENTATION, "Msvm_LANEndpoint"] {
        answers.0.entry((V2, class.to_owned())).or_default();
    }
    for (number, network) in (1..).zip(&networks(variant)) {
        answers.object(V2, "Msvm_VirtualEthernetSwitch", &[property("Name", "string", &network.id)]);
        let port = |letter: char| format!("9C400001-2B1A-4D3C-8E4F-00000000{letter}00{number}");
        if let Some(nic) = &network.uplink {
            let device = format!(
                "Msvm_ExternalEthernetPort.CreationClassName=\"Msvm_ExternalEthernetPort\",DeviceID=\"Microsoft:{nic}\",\
                 SystemCreationClassName=\"Msvm_ComputerSystem\",SystemName=\"{}\"",
                ids::COMPUTER_NAME
            );
            allocation(&mut answers, &network.id, &port('E'), &device);
        }
        if let Some(nic) = &network.management {
            let host = format!(
                "Msvm_ComputerSystem.CreationClassName=\"Msvm_ComputerSystem\",Name=\"{}\"",
                ids::COMPUTER_NAME
            );
            allocation(&mut answers, &network.id, &port('F'), &host);
            endpoints(&mut answers, &network.id, &port('F'), nic);
            if network.id == ids::EXTERN_1.0 {
                let id = format!(r"Microsoft:{}\{}\C\VLAN", network.id, port('F'));
                answers.object(
                    V2,
                    "Msvm_EthernetSwitchPortVlanSettingData",
                    &[
                        property("InstanceID", "string", id),
                        property("OperationMode", "uint32", 1),
                        property("AccessVlanId", "uint16", VLAN_HOST),
                    ],
                );
            }
        }
        // A machine's adapter names its switch.
        let switch = format!(
            "Msvm_VirtualEthernetSwitch.CreationClassName=\"Msvm_VirtualEthernetSwitch\",Name=\"{}\"",
            network.id
        );
        allocation(&mut answers, ids::FILES.0, &port('A'), &switch);
    }
    answers.save(collection)
}

const CONNECTION: &str = "Msvm_ActiveConnection";
const IMPLEMENTATION: &str = "Msvm_EthernetDeviceSAPImplementation";

/// What a port is connected to.
fn allocation(answers: &mut Answers, of: &str, port: &str, resource: &str) {
    answers.object(
        V2,
        "Msvm_EthernetPortAllocationSettingData",
        &[
            property("InstanceID", "string", format!(r"Microsoft:{of}\{port}")),
            array("HostResource", "string", [format!(r"\\{}\{V2}:{resource}", ids::COMPUTER_NAME)]),
        ],
    );
}

/// The way from an adapter of the host to its port.
fn endpoints(answers: &mut Answers, switch: &str, port: &str, nic: &str) {
    const LAN: &str = "Msvm_LANEndpoint";
    let host = ("Msvm_ComputerSystem", ids::COMPUTER_NAME);
    let at_switch = ("Msvm_VirtualEthernetSwitch", switch);
    let (own, other) = (format!("/DEVICE/{nic}"), format!("/DEVICE/{port}"));
    for ((class, system), name) in [(host, &own), (at_switch, &other)] {
        let keys =
            [("SystemCreationClassName", class), ("SystemName", system), ("CreationClassName", LAN), ("Name", name)];
        answers.object(V2, LAN, &keys.map(|(name, value)| property(name, "string", value)));
    }
    let lan = |end, (class, system): (&str, &str), name: &str| {
        let keys =
            [("SystemCreationClassName", class), ("SystemName", system), ("CreationClassName", LAN), ("Name", name)];
        reference(end, LAN, &keys)
    };
    let device = |class: &str, (of, system): (&str, &str), id: &str| {
        let keys =
            [("SystemCreationClassName", of), ("SystemName", system), ("CreationClassName", class), ("DeviceID", id)];
        reference("Antecedent", class, &keys)
    };
    let adapter = device("Msvm_InternalEthernetPort", host, &format!("Microsoft:{nic}"));
    answers.object(V2, IMPLEMENTATION, &[adapter, lan("Dependent", host, &own)]);
    let adapter = device("Msvm_EthernetSwitchPort", at_switch, &format!("Microsoft:{port}"));
    answers.object(V2, IMPLEMENTATION, &[adapter, lan("Dependent", at_switch, &other)]);
    let ends = [lan("Antecedent", at_switch, &other), lan("Dependent", host, &own)];
    answers.object(V2, CONNECTION, &ends);
}

/// Text as Windows' scripts write it: UTF-16 with its mark.
#[must_use]
pub fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

pub(super) const V1: &str = r"root\virtualization";
const V2: &str = r"root\virtualization\v2";
pub(super) const CIMV2: &str = r"root\cimv2";

/// Namespace and class to the text of the objects.
#[derive(Default)]
pub(super) struct Answers(BTreeMap<(&'static str, String), String>);

impl Answers {
    pub(super) fn save(&self, collection: &Path) -> io::Result<()> {
        for ((namespace, class), objects) in &self.0 {
            let folder = collection.join("wmi").join(namespace.replace('\\', "."));
            fs::create_dir_all(&folder)?;
            let text = format!("<ANSWERS NAMESPACE=\"{namespace}\">\r\n{objects}</ANSWERS>\r\n");
            fs::write(folder.join(format!("{class}.xml")), utf16(&text))?;
        }
        Ok(())
    }

    pub(super) fn object(&mut self, namespace: &'static str, class: &str, properties: &[String]) {
        self.as_file(namespace, class, class, properties);
    }

    fn as_file(&mut self, namespace: &'static str, file: &str, class: &str, properties: &[String]) {
        let text = self.0.entry((namespace, file.to_owned())).or_default();
        text.push_str(&format!("<INSTANCE CLASSNAME=\"{class}\">{}</INSTANCE>\r\n", properties.concat()));
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(super) fn property(name: &str, kind: &str, value: impl ToString) -> String {
    let value = escape(&value.to_string());
    format!("<PROPERTY NAME=\"{name}\" TYPE=\"{kind}\"><VALUE>{value}</VALUE></PROPERTY>")
}

fn array(name: &str, kind: &str, values: impl IntoIterator<Item = impl ToString>) -> String {
    let values: String =
        values.into_iter().map(|value| format!("<VALUE>{}</VALUE>", escape(&value.to_string()))).collect();
    format!("<PROPERTY.ARRAY NAME=\"{name}\" TYPE=\"{kind}\"><VALUE.ARRAY>{values}</VALUE.ARRAY></PROPERTY.ARRAY>")
}

fn reference(name: &str, class: &str, keys: &[(&str, &str)]) -> String {
    let key = |(name, value): &(&str, &str)| {
        let value = escape(value);
        format!("<KEYBINDING NAME=\"{name}\"><KEYVALUE VALUETYPE=\"string\">{value}</KEYVALUE></KEYBINDING>")
    };
    let keys: String = keys.iter().map(key).collect();
    format!(
        "<PROPERTY.REFERENCE NAME=\"{name}\" REFERENCECLASS=\"{class}\"><VALUE.REFERENCE><INSTANCEPATH><NAMESPACEPATH>\
         <HOST>{}</HOST><LOCALNAMESPACEPATH><NAMESPACE NAME=\"root\"/><NAMESPACE NAME=\"virtualization\"/></LOCALNAMESPACEPATH>\
         </NAMESPACEPATH><INSTANCENAME CLASSNAME=\"{class}\">{keys}</INSTANCENAME></INSTANCEPATH></VALUE.REFERENCE>\
         </PROPERTY.REFERENCE>",
        ids::COMPUTER_NAME
    )
}

/// What is behind a port.
enum Behind<'a> {
    External(&'a str),
    Internal(&'a str),
    Machine,
}

fn switches(answers: &mut Answers, variant: Variant) {
    for class in ["Msvm_ActiveConnection", "Msvm_GlobalEthernetPortSAPImplementation"] {
        answers.0.entry((V1, class.to_owned())).or_default();
    }
    for (number, network) in (1..).zip(&networks(variant)) {
        answers.object(
            V1,
            "Msvm_VirtualSwitch",
            &[
                property("Name", "string", &network.id),
                property("ElementName", "string", &network.name),
                property("ScopeOfResidence", "string", ""),
            ],
        );
        let port = |letter: char| format!("9C400001-2B1A-4D3C-8E4F-00000000{letter}00{number}");
        if let Some(nic) = &network.uplink {
            port_objects(answers, &network.id, &port('E'), (Mode::Trunk, false), &Behind::External(nic));
        }
        if let Some(nic) = &network.management {
            let vlan = if network.id == ids::EXTERN_1.0 { VLAN_HOST } else { 0 };
            port_objects(answers, &network.id, &port('F'), (Mode::Access(vlan), false), &Behind::Internal(nic));
        }
    }
    let machine = |answers: &mut Answers, switch: (&str, &str), port: &str, vlan, spoofing| {
        port_objects(answers, switch.0, port, (Mode::Access(vlan), spoofing), &Behind::Machine);
    };
    machine(answers, ids::PRIVATE, PORT_PRIVATE, 0, false);
    if variant != Variant::Clean {
        machine(answers, ids::EXTERN_1, PORT_BOOT, 0, false);
        machine(answers, ids::EXTERN_2, PORT_FILES, VLAN_FILES, true);
        machine(answers, ids::INTERN, PORT_LEGACY, 0, false);
    }
    answers.object(
        V1,
        "Msvm_VirtualSystemManagementServiceSettingData",
        &[property("InstanceID", "string", "Microsoft:host"), property("NumaSpanningEnabled", "boolean", "FALSE")],
    );
}

#[derive(Clone, Copy)]
enum Mode {
    Access(u16),
    Trunk,
}

/// A port with its VLAN endpoint and with what it is connected to.
fn port_objects(answers: &mut Answers, switch: &str, port: &str, (mode, spoofing): (Mode, bool), behind: &Behind<'_>) {
    let system = ("SystemCreationClassName", "Msvm_VirtualSwitch");
    let keys = |class: &'static str| [("CreationClassName", class), ("Name", port), system, ("SystemName", switch)];
    let own = |class: &'static str| keys(class).map(|(name, value)| property(name, "string", value)).to_vec();
    let mut object = own("Msvm_SwitchPort");
    object.push(property("AllowMacSpoofing", "boolean", if spoofing { "TRUE" } else { "FALSE" }));
    object.push(property("VMQOffloadWeight", "uint32", if spoofing { 0 } else { 100 }));
    answers.object(V1, "Msvm_SwitchPort", &object);
    let mut endpoint = own("Msvm_VLANEndpoint");
    endpoint.push(property("DesiredEndpointMode", "uint16", if matches!(mode, Mode::Trunk) { 5 } else { 2 }));
    answers.object(V1, "Msvm_VLANEndpoint", &endpoint);
    let settings = format!(r"Microsoft:{port}\Root");
    let (access, trunked) = match mode {
        Mode::Access(id) => (id, Vec::new()),
        Mode::Trunk => (0, vec![VLAN_HOST, VLAN_FILES]),
    };
    answers.object(
        V1,
        "Msvm_VLANEndpointSettingData",
        &[
            property("InstanceID", "string", &settings),
            property("AccessVLAN", "uint16", access),
            property("NativeVLAN", "uint16", 0),
            array("TrunkedVLANList", "uint16", trunked),
        ],
    );
    answers.object(
        V1,
        "Msvm_BindsTo",
        &[
            reference("Antecedent", "Msvm_SwitchPort", &keys("Msvm_SwitchPort")),
            reference("Dependent", "Msvm_VLANEndpoint", &keys("Msvm_VLANEndpoint")),
        ],
    );
    answers.object(
        V1,
        "Msvm_NetworkElementSettingData",
        &[
            reference("ManagedElement", "Msvm_VLANEndpoint", &keys("Msvm_VLANEndpoint")),
            reference("SettingData", "Msvm_VLANEndpointSettingData", &[("InstanceID", &settings)]),
        ],
    );
    connection(answers, &keys("Msvm_SwitchPort"), port, behind);
}

fn connection(answers: &mut Answers, port_keys: &[(&str, &str)], port: &str, behind: &Behind<'_>) {
    let (class, adapter) = match behind {
        Behind::External(nic) => ("Msvm_ExternalEthernetPort", Some(*nic)),
        Behind::Internal(nic) => ("Msvm_InternalEthernetPort", Some(*nic)),
        Behind::Machine => ("", None),
    };
    let lan = if adapter.is_some() { "Msvm_SwitchLANEndpoint" } else { "Msvm_VmLANEndpoint" };
    let name = format!("/DEVICE/{}", adapter.unwrap_or(port));
    let lan_keys = [("CreationClassName", lan), ("Name", name.as_str()), ("SystemName", ids::COMPUTER_NAME)];
    answers.object(
        V1,
        "Msvm_ActiveConnection",
        &[reference("Antecedent", "Msvm_SwitchPort", port_keys), reference("Dependent", lan, &lan_keys)],
    );
    if let Some(nic) = adapter {
        let device = format!("Microsoft:{nic}");
        let keys = [("CreationClassName", class), ("DeviceID", device.as_str()), ("SystemName", ids::COMPUTER_NAME)];
        answers.object(
            V1,
            "Msvm_GlobalEthernetPortSAPImplementation",
            &[reference("Antecedent", class, &keys), reference("Dependent", lan, &lan_keys)],
        );
    }
}

fn addresses(answers: &mut Answers, variant: Variant) {
    let present = if variant == Variant::Clean { &ADAPTERS[..1] } else { &ADAPTERS[..] };
    for adapter in present {
        let address = match adapter.id {
            ids::NIC_MANAGEMENT => "001B213C4D5E",
            ids::NIC_UPLINK_1 => "001B213C4D5F",
            ids::NIC_UPLINK_2 => MAC_UPLINK_2,
            ids::NIC_HOST_EXTERN => "00155D0A0B0C",
            _ => "00155D0A0B0D",
        };
        let class = match adapter.service {
            "VMSMP" => "Msvm_InternalEthernetPort",
            _ if adapter.bindings == ["VMSP"] => "Msvm_ExternalEthernetPort",
            _ => {
                let pairs: Vec<&str> = (0..6).filter_map(|at| address.get(at * 2..at * 2 + 2)).collect();
                answers.object(
                    CIMV2,
                    "Win32_NetworkAdapterConfiguration",
                    &[
                        property("SettingID", "string", adapter.id),
                        property("MACAddress", "string", pairs.join(":")),
                        array("IPAddress", "string", ["192.0.2.10", "fe80::21b:21ff:fe3c:4d5e", IPV6]),
                        array("IPSubnet", "string", ["255.255.255.0", "64", "64"]),
                    ],
                );
                continue;
            }
        };
        answers.object(
            V1,
            class,
            &[
                property("DeviceID", "string", format!("Microsoft:{}", adapter.id)),
                property("PermanentAddress", "string", address),
            ],
        );
    }
}

fn computer(answers: &mut Answers) {
    let memory = [property("Name", "string", ids::COMPUTER_NAME), property("TotalPhysicalMemory", "uint64", MEMORY)];
    answers.object(CIMV2, "Win32_ComputerSystem", &memory);
    drives(answers);
}

/// The fixed drives, and others that have no size.
pub(super) fn drives(answers: &mut Answers) {
    for (letter, size, free) in DRIVES {
        let own = [
            property("DeviceID", "string", letter),
            property("DriveType", "uint32", 3),
            property("FileSystem", "string", "NTFS"),
            property("FreeSpace", "uint64", free),
            property("Size", "uint64", size),
        ];
        answers.object(CIMV2, "Win32_LogicalDisk", &own);
    }
    for (letter, kind) in [("A:", 2), ("E:", 5)] {
        let own = [property("DeviceID", "string", letter), property("DriveType", "uint32", kind)];
        answers.object(CIMV2, "Win32_LogicalDisk", &own);
    }
}

fn rights(answers: &mut Answers) {
    answers.as_file(
        CIMV2,
        "members-S-1-5-32-562",
        "Win32_Group",
        &[
            property("Domain", "string", DCOM_MEMBER.0),
            property("Name", "string", DCOM_MEMBER.1),
            property("SID", "string", ids::DCOM_GROUP_SID),
        ],
    );
    let ace = |mask, text: &str| Ace { flags: 0x2, mask, sid: sid(text) };
    let mut aces =
        vec![ace(0x6_003f, "S-1-5-32-544"), ace(0x13, "S-1-5-20"), ace(0x13, "S-1-5-19"), ace(0x13, "S-1-5-11")];
    for namespace in [CIMV2, V1] {
        let bytes = descriptor(&aces);
        answers.as_file(namespace, "security", "__SystemSecurity", &[array("SD", "uint8", bytes)]);
        aces.push(ace(0x21, ids::DCOM_GROUP_SID));
    }
}
