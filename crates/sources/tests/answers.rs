#![allow(clippy::unwrap_used, missing_docs)]
//! A collection: the sample host's files and what it answered to WMI queries. What files alone cannot tell is known then.

use std::fs;
use std::path::Path;

use hvm_model::found::Found;
use hvm_model::inventory::Inventory;
use hvm_model::network::{SwitchKind, Vlan};
use hvm_testkit::sample::{self, NetworkKind, Variant, answers, ids};

fn read(folder: &Path) -> Inventory {
    hvm_sources::open(&format!("folder:{}", folder.display())).unwrap().inventory().unwrap()
}

fn told<T: std::fmt::Debug>(found: &Found<T>) -> &T {
    match found {
        Found::Read { value, place } if place.file.starts_with("WMI root") => value,
        other => panic!("the host told it, not {other:?}"),
    }
}

fn collection(variant: Variant) -> (tempfile::TempDir, Inventory, Inventory) {
    let folder = tempfile::tempdir().unwrap();
    sample::write(folder.path(), variant).unwrap();
    let alone = read(folder.path());
    answers::write(folder.path(), variant).unwrap();
    let collected = read(folder.path());
    (folder, alone, collected)
}

#[test]
fn ports_have_their_vlan_and_switches_their_kind() {
    let (_folder, _, inventory) = collection(Variant::Default);
    let of = |machine: &str, number: usize| {
        let machine = inventory.machine(&machine.parse().unwrap()).unwrap();
        let adapter = &machine.configuration.adapters[number];
        (told(&adapter.vlan).clone(), *told(&adapter.mac_spoofing))
    };
    assert_eq!(of(ids::FILES.0, 0), (Vlan::Access { id: answers::VLAN_FILES }, true));
    assert_eq!(of(ids::FILES.0, 1), (Vlan::Untagged, false));
    assert_eq!(of(ids::BOOT.0, 0), (Vlan::Untagged, false));
    let weight = |machine: &str| {
        let machine = inventory.machine(&machine.parse().unwrap()).unwrap();
        told(&machine.configuration.adapters[0].port_settings).vmq_weight
    };
    assert_eq!((weight(ids::FILES.0), weight(ids::BOOT.0)), (Some(0), Some(100)));
    for network in sample::write(tempfile::tempdir().unwrap().path(), Variant::Default).unwrap().networks {
        let switch = inventory.switch(&network.id.parse().unwrap()).unwrap();
        let kind = match network.kind {
            NetworkKind::External => SwitchKind::External,
            NetworkKind::Internal => SwitchKind::Internal,
            NetworkKind::Private => SwitchKind::Private,
        };
        assert_eq!(*told(&switch.kind), kind, "{}", network.name);
        match &network.uplink {
            Some(uplink) => assert_eq!(*told(&switch.uplink), uplink.parse().unwrap()),
            None => assert_eq!(switch.uplink.value(), None),
        }
        if let Some(management) = &network.management {
            let id = management.parse().unwrap();
            let adapter = inventory.management_adapters.iter().find(|adapter| adapter.id == id).unwrap();
            assert_eq!(told(&adapter.switch).as_str(), network.id);
            let is_first = network.id == ids::EXTERN_1.0;
            let vlan = if is_first { Vlan::Access { id: answers::VLAN_HOST } } else { Vlan::Untagged };
            assert_eq!(*told(&adapter.vlan), vlan);
        }
    }
}

#[test]
fn addresses_members_and_rights_are_known() {
    let (_folder, alone, inventory) = collection(Variant::Default);
    for (adapter, before) in inventory.adapters.iter().zip(&alone.adapters) {
        let mac = told(&adapter.mac);
        assert!(before.mac.value().is_none_or(|known| known == mac), "what files say of {} holds", adapter.connection);
        if adapter.id == ids::NIC_UPLINK_2.parse().unwrap() {
            assert_eq!((mac.plain().to_uppercase().as_str(), before.mac.value()), (answers::MAC_UPLINK_2, None));
        }
    }
    assert!(!told(&inventory.host.settings.numa_spanning));
    let remote = &inventory.host.remote_administration;
    let (domain, name) = answers::DCOM_MEMBER;
    let members: Vec<String> = told(&remote.dcom_users).iter().map(ToString::to_string).collect();
    assert_eq!(members, [format!("{domain}\\{name} ({})", ids::DCOM_GROUP_SID)]);
    let [rights] = &told(&remote.wmi_namespaces)[..] else { panic!("one namespace: {:?}", remote.wmi_namespaces) };
    let [added] = &rights.added[..] else { panic!("one entry: {:?}", rights.added) };
    assert_eq!(rights.namespace, r"root\virtualization");
    assert_eq!((added.entry.sid.as_str(), added.entry.mask, added.subnamespaces), (ids::DCOM_GROUP_SID, 0x21, true));
    let unknown = |inventory: &Inventory, item: &str| inventory.unknowns.iter().any(|known| known.item.contains(item));
    assert_eq!(told(&inventory.host.memory).0, answers::MEMORY);
    let drives: Vec<_> = told(&inventory.host.volumes)
        .iter()
        .map(|volume| (volume.letter.as_str(), volume.size.0, volume.free.0))
        .collect();
    assert_eq!(drives, answers::DRIVES, "and no drive without a size");
    let ipv6 = inventory.unknowns.iter().find(|unknown| unknown.item.contains("IPv6")).unwrap();
    assert!(
        ipv6.reason.contains(&format!("{}/64 ('", answers::IPV6)) && !ipv6.reason.contains("fe80"),
        "{}",
        ipv6.reason
    );
    let items =
        ["WMI namespace", "Distributed COM", "VLAN", "MAC addresses of physical", "NUMA", "Memory of", "Free space"];
    for item in items {
        assert!(unknown(&alone, item) && !unknown(&inventory, item), "{item}");
    }
    assert_eq!(inventory.problems, alone.problems);
}

#[test]
fn nothing_else_changes() {
    let (_folder, mut alone, inventory) = collection(Variant::Default);
    alone.unknowns.clone_from(&inventory.unknowns);
    alone.switches.clone_from(&inventory.switches);
    alone.adapters.clone_from(&inventory.adapters);
    alone.management_adapters.clone_from(&inventory.management_adapters);
    alone.host.memory.clone_from(&inventory.host.memory);
    alone.host.volumes.clone_from(&inventory.host.volumes);
    alone.host.settings.numa_spanning.clone_from(&inventory.host.settings.numa_spanning);
    alone.host.remote_administration.clone_from(&inventory.host.remote_administration);
    for (machine, told) in alone.machines.iter_mut().zip(&inventory.machines) {
        machine.configuration.adapters.clone_from(&told.configuration.adapters);
        for (checkpoint, told) in machine.checkpoints.iter_mut().zip(&told.checkpoints) {
            checkpoint.configuration.adapters.clone_from(&told.configuration.adapters);
        }
    }
    assert!(alone == inventory, "something else differs");
}

#[test]
fn what_the_host_could_not_answer_stays_unknown_and_says_why() {
    let (folder, ..) = collection(Variant::Clean);
    let virtualization = folder.path().join("wmi").join("root.virtualization");
    fs::remove_file(virtualization.join("Msvm_BindsTo.xml")).unwrap();
    fs::write(virtualization.join("Msvm_BindsTo.error.txt"), "0x80041001: generic failure").unwrap();
    fs::write(virtualization.join("security.xml"), "<ANSWERS/>").unwrap();
    fs::remove_file(virtualization.join("Msvm_ActiveConnection.xml")).unwrap();
    let inventory = read(folder.path());
    let adapter = &inventory.machines[0].configuration.adapters[0];
    let Found::Unknown { reason } = &adapter.vlan else { panic!("{:?}", adapter.vlan) };
    assert!(reason.contains("0x80041001: generic failure"), "{reason}");
    assert!(!told(&adapter.mac_spoofing));
    let Found::Unknown { reason } = &inventory.host.remote_administration.wmi_namespaces else { panic!("unknown") };
    assert!(reason.contains(r"root\virtualization cannot be read"), "{reason}");
    assert!(!matches!(inventory.switches[0].kind, Found::Read { .. }), "the registry is all that tells");
}

/// Kind and uplink of each network; switch and VLAN of each adapter of the management operating system.
fn networks_of(inventory: &Inventory) -> (Vec<String>, Vec<String>) {
    let switch = |switch: &hvm_model::network::VirtualSwitch| {
        format!("{}: {:?} {:?}", switch.name, switch.kind.value(), switch.uplink.value())
    };
    let adapter = |adapter: &hvm_model::network::ManagementAdapter| {
        format!("{}: {:?} {:?}", adapter.connection, adapter.switch.value(), adapter.vlan.value())
    };
    (inventory.switches.iter().map(switch).collect(), inventory.management_adapters.iter().map(adapter).collect())
}

/// The second version of the classes, which is all that hosts of 2012 R2 and later have, tells the same as the first.
#[test]
fn both_versions_of_the_classes_tell_the_same_of_networks() {
    let (folder, alone, first) = collection(Variant::Default);
    let wmi = folder.path().join("wmi");
    fs::remove_dir_all(wmi.join("root.virtualization")).unwrap();
    assert_ne!(networks_of(&read(folder.path())), networks_of(&first));
    answers::write_switches(folder.path(), Variant::Default).unwrap();
    let second = read(folder.path());
    assert_eq!(networks_of(&second), networks_of(&first));
    for switch in &second.switches {
        told(&switch.kind);
    }
    let vlans = second.management_adapters.iter().filter(|adapter| matches!(adapter.vlan, Found::Read { .. })).count();
    assert_eq!(vlans, 1, "of the other nothing was set, which is known");
    assert!(second.management_adapters.iter().all(|adapter| told(&adapter.switch).as_str().len() == 36));
    // A port that is connected and belongs to no switch that is told of: nothing is concluded from what the others have.
    let path = wmi.join("root.virtualization.v2");
    let allocations = path.join("Msvm_EthernetPortAllocationSettingData.xml");
    let text = String::from_utf16_lossy(
        &fs::read(&allocations)
            .unwrap()
            .chunks(2)
            .skip(1)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect::<Vec<_>>(),
    );
    let changed =
        text.replace(&format!("Microsoft:{}", ids::EXTERN_2.0), "Microsoft:00000000-0000-0000-0000-000000000000");
    assert_ne!(changed, text);
    fs::write(&allocations, answers::utf16(&changed)).unwrap();
    let kinds = |inventory: &Inventory| inventory.switches.iter().map(|switch| switch.kind.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&read(folder.path())), kinds(&alone), "the registry is all that tells");
    // Two physical adapters behind one switch.
    let twice = text.replace(
        "</ANSWERS>",
        &format!("{}</ANSWERS>", text.lines().find(|line| line.contains("ExternalEthernetPort")).unwrap()),
    );
    fs::write(&allocations, answers::utf16(&twice)).unwrap();
    let inventory = read(folder.path());
    let teamed = inventory
        .switches
        .iter()
        .find(|switch| matches!(&switch.uplink, Found::Unknown { reason } if reason.contains("embedded")));
    assert_eq!(*told(&teamed.unwrap().kind), SwitchKind::External);
    fs::remove_file(path.join("Msvm_ActiveConnection.xml")).unwrap();
    let inventory = read(folder.path());
    assert!(inventory.management_adapters.iter().all(|adapter| adapter.vlan.value().is_none()), "no way to the port");
}

/// Features of all four classes of the port of an adapter.
fn features_of(adapter: &str) -> answers::PortFeatures {
    answers::PortFeatures {
        settings: ids::FILES.0.to_owned(),
        adapter: adapter.to_lowercase(),
        objects: vec![
            answers::feature(
                "Msvm_EthernetSwitchPortVlanSettingData",
                &[
                    ("OperationMode", "uint32", "2"),
                    ("NativeVlanId", "uint16", "5"),
                    ("TrunkVlanIdArray", "uint16[]", "7,9"),
                ],
            ),
            answers::feature(
                "Msvm_EthernetSwitchPortSecuritySettingData",
                &[
                    ("AllowMacSpoofing", "boolean", "FALSE"),
                    ("EnableDhcpGuard", "boolean", "TRUE"),
                    ("EnableRouterGuard", "boolean", "FALSE"),
                    ("MonitorMode", "uint8", "2"),
                ],
            ),
            answers::feature(
                "Msvm_EthernetSwitchPortOffloadSettingData",
                &[
                    ("VMQOffloadWeight", "uint32", "30"),
                    ("IOVOffloadWeight", "uint32", "40"),
                    ("IPSecOffloadLimit", "uint32", "512"),
                ],
            ),
            answers::feature(
                "Msvm_EthernetSwitchPortBandwidthSettingData",
                &[("Limit", "uint64", "1000000000"), ("Reservation", "uint64", "0"), ("Weight", "uint64", "20")],
            ),
        ],
    }
}

#[test]
fn later_releases_tell_the_features_of_each_port() {
    let (folder, _, before) = collection(Variant::Default);
    let machine = |inventory: &Inventory, id: &str| inventory.machine(&id.parse().unwrap()).unwrap().clone();
    let adapter = machine(&before, ids::FILES.0).configuration.adapters[0].id.clone();
    let full = features_of(&adapter);
    // The same adapter as it was at a checkpoint is another one.
    let other = answers::PortFeatures {
        settings: "7A000001-1111-4222-8333-4444555500FF".to_owned(),
        objects: vec![answers::feature(
            "Msvm_EthernetSwitchPortVlanSettingData",
            &[("OperationMode", "uint32", "1"), ("AccessVlanId", "uint16", "3")],
        )],
        ..full.clone()
    };
    answers::write_features(folder.path(), &[full.clone(), other]).unwrap();
    let inventory = read(folder.path());
    let files = machine(&inventory, ids::FILES.0);
    let first = &files.configuration.adapters[0];
    assert_eq!(*told(&first.vlan), Vlan::Trunk { native: 5, allowed: vec![7, 9] });
    assert!(!told(&first.mac_spoofing), "the second version of the classes counts where it was asked");
    let port = told(&first.port_settings);
    assert_eq!((port.dhcp_guard, port.router_guard, port.teaming), (Some(true), Some(false), None));
    assert_eq!((port.vmq_weight, port.iov_weight, port.ipsec_offload_limit), (Some(30), Some(40), Some(512)));
    let bandwidth = (port.minimum_bandwidth, port.minimum_bandwidth_weight, port.maximum_bandwidth);
    assert_eq!(bandwidth, (None, Some(20), Some(1_000_000_000)));
    assert_eq!(port.other.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(), ["MonitorMode=2"]);
    // Nothing was set for the second one, so that it is as by default.
    let second = &files.configuration.adapters[1];
    assert!(matches!(&second.vlan, Found::Default { value: Vlan::Untagged, .. }), "{:?}", second.vlan);
    assert!(matches!(&second.port_settings, Found::Default { .. }), "{:?}", second.port_settings);
    // What cannot be told is not guessed: modes that nobody knows, two objects of one adapter, a class that failed.
    let vlan = |mode: &str| answers::PortFeatures {
        objects: vec![answers::feature("Msvm_EthernetSwitchPortVlanSettingData", &[("OperationMode", "uint32", mode)])],
        ..full.clone()
    };
    for (ports, part) in
        [(vec![vlan("3")], "private VLAN"), (vec![vlan("9")], "neither"), (vec![vlan("1"), vlan("1")], "several")]
    {
        answers::write_features(folder.path(), &ports).unwrap();
        let files = machine(&read(folder.path()), ids::FILES.0);
        let Found::Unknown { reason } = &files.configuration.adapters[0].vlan else { panic!("{part}") };
        assert!(reason.contains(part), "{reason}");
    }
    let class = folder.path().join("wmi/root.virtualization.v2/Msvm_EthernetSwitchPortVlanSettingData.xml");
    fs::remove_file(&class).unwrap();
    fs::write(class.with_extension("error.txt"), "0x80041010: no such class").unwrap();
    let files = machine(&read(folder.path()), ids::FILES.0);
    let Found::Unknown { reason } = &files.configuration.adapters[1].vlan else { panic!("it failed") };
    assert!(reason.contains("0x80041010"), "{reason}");
}

#[test]
fn features_that_the_host_tells_are_roles_unless_a_service_shows_them_already() {
    let (folder, alone, _) = collection(Variant::Default);
    let feature = |id: u32| {
        format!(
            "<INSTANCE CLASSNAME=\"Win32_ServerFeature\"><PROPERTY NAME=\"ID\"><VALUE>{id}</VALUE></PROPERTY></INSTANCE>"
        )
    };
    // Hyper-V itself, DHCP, which has its service, a file server, and something that is no role.
    let text: String = [20, 12, 6, 36].map(feature).concat();
    fs::write(folder.path().join("wmi/root.cimv2/Win32_ServerFeature.xml"), format!("<A>{text}</A>")).unwrap();
    let roles = |inventory: &Inventory| {
        let roles = inventory.host.other_roles.iter().map(|role| (role.name.clone(), role.service.clone()));
        roles.collect::<Vec<_>>()
    };
    let mut expected = roles(&alone);
    assert_eq!(expected.len(), 1);
    expected.push(("File Services".to_owned(), "Win32_ServerFeature 6".to_owned()));
    assert_eq!(roles(&read(folder.path())), expected);
}
