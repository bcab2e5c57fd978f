#![allow(clippy::unwrap_used, missing_docs)]
//! Kind and uplink of virtual networks: what follows, and what stays open because nothing tells.

use std::fs;

use hvm_model::found::Found;
use hvm_model::inventory::Inventory;
use hvm_model::network::SwitchKind;
use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, hive_bytes};

const CLASS: &str = r"Control\Class\{4d36e972-e325-11ce-bfc1-08002be10318}";

fn nic(number: u32) -> String {
    format!("{{A000000{number}-90AB-4CDE-8F01-23456789000{number}}}")
}

fn switch(number: u32) -> String {
    format!("5D1F0A31-000{number}-4E6B-9A10-0F1E2D3C4B0{number}")
}

/// A control set with adapters (number, name, is it of the management operating system, is it bound) and switches.
struct Network {
    set: HiveKey,
}

impl Network {
    fn new() -> Network {
        let mut set = HiveKey::new("ControlSet001");
        set.at(r"Services\VMSP\Linkage").set("Bind", HiveValue::multi(&[]));
        Network { set }
    }

    fn physical(mut self, number: u32, name: &str, bindings: &[&str]) -> Network {
        let class = self.set.at(&format!(r"{CLASS}\{number:04}"));
        class.set("NetCfgInstanceId", HiveValue::sz(nic(number)));
        class.set("Characteristics", HiveValue::Dword(0x84));
        class.at("Linkage").set("UpperBind", HiveValue::multi(bindings));
        self.named(number, name)
    }

    fn management(mut self, number: u32, name: &str) -> Network {
        let class = self.set.at(&format!(r"{CLASS}\{number:04}"));
        class.set("NetCfgInstanceId", HiveValue::sz(nic(number)));
        class.set("Characteristics", HiveValue::Dword(0x1));
        class.at("Ndi").set("Service", HiveValue::sz("VMSMP"));
        self.named(number, name)
    }

    fn named(mut self, number: u32, name: &str) -> Network {
        let path = format!(r"Control\Network\{{4D36E972-E325-11CE-BFC1-08002BE10318}}\{}\Connection", nic(number));
        self.set.at(&path).set("Name", HiveValue::sz(name));
        self
    }

    fn switch(mut self, number: u32, name: &str) -> Network {
        let path = format!(r"Services\VMSMP\Parameters\SwitchList\{}", switch(number));
        self.set.at(&path).set("FriendlyName", HiveValue::sz(name));
        self
    }

    fn value(mut self, path: &str, name: &str, value: HiveValue) -> Network {
        self.set.at(&format!(r"Services\VMSMP\Parameters\{path}")).set(name, value);
        self
    }

    fn read(self) -> Inventory {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("C/Windows/System32/config");
        fs::create_dir_all(&config).unwrap();
        fs::create_dir_all(folder.path().join("C/ProgramData/Microsoft/Windows/Hyper-V/Virtual Machines")).unwrap();
        let mut root = HiveKey::new("ROOT");
        root.at("Select").set("Current", HiveValue::Dword(1));
        *root.at("ControlSet001") = self.set;
        fs::write(config.join("SYSTEM"), hive_bytes(&root, &HiveStamp::default())).unwrap();
        let source = hvm_sources::open(&format!("folder:{}", folder.path().display())).unwrap();
        source.inventory().unwrap()
    }
}

fn kinds(inventory: &Inventory) -> Vec<(&str, Option<SwitchKind>)> {
    inventory.switches.iter().map(|switch| (switch.name.as_str(), switch.kind.value().copied())).collect()
}

fn uplinks(inventory: &Inventory) -> Vec<Option<String>> {
    inventory.switches.iter().map(|switch| switch.uplink.value().map(|id| format!("{{{id}}}"))).collect()
}

#[test]
fn one_bound_adapter_and_one_network_need_no_link() {
    let network = Network::new().physical(1, "LAN", &["VMSP"]).physical(2, "LAN 2", &["Tcpip"]).switch(1, "Extern");
    let inventory = network.management(3, "Extern").read();
    assert_eq!(kinds(&inventory), [("Extern", Some(SwitchKind::External))]);
    assert_eq!(uplinks(&inventory), [Some(nic(1))]);
    assert!(
        matches!(&inventory.management_adapters[0].switch, Found::Inferred { reason, .. } if reason.contains("renamed"))
    );
}

#[test]
fn what_several_networks_share_stays_open() {
    let network = Network::new().physical(1, "LAN", &["VMSP"]).switch(1, "A").switch(2, "B").management(3, "A");
    let inventory = network.read();
    assert_eq!(kinds(&inventory), [("A", None), ("B", None)]);
    let Found::Unknown { reason } = &inventory.switches[1].kind else { panic!("unknown") };
    assert!(reason.contains("'LAN' is bound") && reason.contains("2 virtual networks"), "{reason}");
}

#[test]
fn names_tell_internal_from_private_when_no_adapter_is_bound() {
    let network = Network::new().physical(1, "LAN", &["Tcpip"]).switch(1, "Intern").switch(2, "Privat");
    let inventory = network.management(3, "intern").read();
    assert_eq!(kinds(&inventory), [("Intern", Some(SwitchKind::Internal)), ("Privat", Some(SwitchKind::Private))]);
    let renamed = Network::new().switch(1, "Intern").switch(2, "Privat").management(3, "Anders").read();
    assert_eq!(kinds(&renamed), [("Intern", None), ("Privat", None)]);
    let Found::Unknown { reason } = &renamed.switches[0].kind else { panic!("unknown") };
    assert!(reason.contains("internal or private"), "{reason}");
}

#[test]
fn a_value_that_names_an_adapter_links_it_whatever_it_is_called() {
    let port = format!(r"SwitchList\{}\9C400001-2B1A-4D3C-8E4F-00000000E001", switch(1));
    let utf16: Vec<u8> = nic(1).to_lowercase().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let entry = format!("NicList\\/Device/{}", nic(2));
    let network = Network::new()
        .physical(1, "LAN", &["VMSP"])
        .physical(2, "LAN 2", &["VMSP"])
        .switch(1, "A")
        .switch(2, "B")
        .switch(3, "C")
        .value(&port, "Wurzel", HiveValue::Binary(utf16))
        .value(&entry, "irgendwo", HiveValue::multi(&["x", &switch(2)]));
    let inventory = network.read();
    let external = Some(SwitchKind::External);
    assert_eq!(kinds(&inventory), [("A", external), ("B", external), ("C", Some(SwitchKind::Private))]);
    assert_eq!(uplinks(&inventory), [Some(nic(1)), Some(nic(2)), None]);
}

#[test]
fn without_bindings_nothing_is_concluded() {
    let mut network = Network::new().physical(1, "LAN", &["Tcpip"]).switch(1, "A");
    *network.set.at(r"Services\VMSP") = HiveKey::new("VMSP");
    let inventory = network.read();
    assert_eq!(kinds(&inventory), [("A", None)]);
    let Found::Unknown { reason } = &inventory.switches[0].kind else { panic!("unknown") };
    assert!(reason.contains("is not known"), "{reason}");
}

#[test]
fn the_rest_of_a_port_is_kept_as_it_is() {
    let port = format!(r"SwitchList\{}\9c400001-2b1a-4d3c-8e4f-00000000e001", switch(1));
    let network = Network::new()
        .switch(1, "A")
        .value(&port, "FriendlyName", HiveValue::sz("P"))
        .value(&port, "Vlan", HiveValue::Dword(7))
        .value(&format!(r"{port}\Feature\Deep"), "Blob", HiveValue::Binary(vec![1, 0xab]));
    let inventory = network.read();
    let [port] = inventory.switches[0].ports.as_slice() else { panic!("one port") };
    let other: Vec<(&str, &str)> = port.other.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!((port.name.as_str(), other), ("P", vec![(r"Feature\Deep\Blob", "hex:01ab"), ("Vlan", "7")]));
}
