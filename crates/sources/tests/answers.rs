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
    assert_eq!(*told(&remote.dcom_users), [format!("{domain}\\{name} ({})", ids::DCOM_GROUP_SID)]);
    let [rights] = &told(&remote.wmi_namespaces)[..] else { panic!("one namespace: {:?}", remote.wmi_namespaces) };
    let [added] = &rights.added[..] else { panic!("one entry: {:?}", rights.added) };
    assert_eq!(rights.namespace, r"root\virtualization");
    assert_eq!((added.entry.sid.as_str(), added.entry.mask, added.subnamespaces), (ids::DCOM_GROUP_SID, 0x21, true));
    let unknown = |inventory: &Inventory, item: &str| inventory.unknowns.iter().any(|known| known.item.contains(item));
    for item in ["WMI namespace", "Distributed COM", "VLAN", "MAC addresses of physical", "NUMA"] {
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
