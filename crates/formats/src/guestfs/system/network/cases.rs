//! Settings files as people write them, and what is read of them.

use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, proptest};

use super::linux::{Files, adapters_of, of_files};
use super::*;

/// Files by their paths.
#[derive(Default)]
struct Memory {
    files: BTreeMap<String, String>,
    remarks: Vec<String>,
    looks: usize,
}

impl Files for Memory {
    fn names(&mut self, folder: &str) -> Vec<String> {
        self.looks += 1;
        let below =
            |path: &String| path.strip_prefix(folder.trim_end_matches('/'))?.strip_prefix('/').map(str::to_owned);
        let names = self.files.keys().filter_map(below);
        let mut names: Vec<String> = names.map(|rest| rest.split('/').next().unwrap_or_default().to_owned()).collect();
        names.dedup();
        names
    }

    fn text(&mut self, path: &str) -> Option<String> {
        self.looks += 1;
        self.files.get(path).cloned()
    }

    fn remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }
}

fn memory(files: &[(&str, &str)]) -> Memory {
    let files = files.iter().map(|(path, text)| (format!("/etc/{path}"), (*text).to_owned())).collect();
    Memory { files, ..Memory::default() }
}

/// `eth0 static 192.0.2.10/24 via 192.0.2.1 dns 192.0.2.2 mac … sets …` of each adapter.
fn told(files: &[(&str, &str)]) -> Vec<String> {
    let mut memory = memory(files);
    let all = of_files(&mut memory).iter().map(line).collect();
    assert_eq!(memory.remarks, [] as [&str; 0]);
    all
}

fn line(adapter: &GuestAdapter) -> String {
    let way = match adapter.dhcp {
        Some(true) => "dhcp",
        Some(false) => "static",
        None => "-",
    };
    let mut line = format!("{} {way}", adapter.name);
    for (word, values) in [("", &adapter.addresses), (" via", &adapter.gateways), (" dns", &adapter.dns_servers)] {
        if !values.is_empty() {
            line += &format!("{word} {}", values.join(" "));
        }
    }
    for (word, mac) in [("mac", &adapter.mac), ("sets", &adapter.set_mac)] {
        if !mac.is_empty() {
            line += &format!(" {word} {mac}");
        }
    }
    line
}

const KEYFILE: &str = "NetworkManager/system-connections/a.nmconnection";
const NETWORKD: &str = "systemd/network/a.network";
const NETPLAN: &str = "netplan/a.yaml";
const RED_HAT: &str = "sysconfig/network-scripts/ifcfg-eth0";
const SUSE: &str = "sysconfig/network/ifcfg-eth0";
const INTERFACES: &str = "network/interfaces";

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(
        text in "([-:{}\\[\\],?&*!|>'\"%@ =#;\n\ta-c0-9\\\\é]|iface |inherits |address |source |network:\n|ethernets:\n| {2}|- ){0,60}"
    ) {
        for path in [INTERFACES, RED_HAT, SUSE, KEYFILE, NETWORKD, NETPLAN] {
            let _ = adapters_of(&format!("/etc/{path}"), &text).unwrap();
            of_files(&mut memory(&[(path, &text), ("sysconfig/network/routes", &text), ("sysconfig/network", &text)]));
            of_files(&mut memory(&[(RED_HAT, "DEVICE=eth0"), ("sysconfig/network-scripts/route-eth0", &text)]));
        }
    }
}

#[test]
fn what_is_no_adapter_is_none() {
    for (path, text) in [
        (INTERFACES, "iface lo inet loopback\niface\naddress 192.0.2.1\n"),
        ("sysconfig/network-scripts/ifcfg-lo", ""),
        (KEYFILE, "[connection]\ntype=wifi\nid=x\n"),
        (KEYFILE, "[connection]\ntype=dummy\nid=x\n"),
        (NETWORKD, "[Network]\nDHCP=yes\n"),
        (NETWORKD, "[Match]\nName=lo\n[Network]\nAddress=192.0.2.1/24\n"),
        (NETWORKD, ""),
        (NETPLAN, "network: [1]\n"),
        (NETPLAN, "network:\n  renderer: networkd\n  version: 2\n"),
    ] {
        assert_eq!(told(&[(path, text)]), [] as [&str; 0], "{text}");
    }
    let mut bad = memory(&[(NETPLAN, "network: {")]);
    assert!(
        of_files(&mut bad).is_empty() && bad.remarks[0].starts_with("The file /etc/netplan/a.yaml could not be read: ")
    );
}

#[test]
fn a_set_address_wins_over_an_automatic_family() {
    let six = "eth0 static 2001:db8::5/64";
    for (path, text, expected) in [
        (
            INTERFACES,
            "iface eth0 inet static\n address 192.0.2.9/24\niface eth0 inet6 auto\n",
            "eth0 static 192.0.2.9/24",
        ),
        (INTERFACES, "iface eth0 inet dhcp\niface eth0 inet6 static\n address 2001:db8::5\n netmask 64\n", six),
        // What dhcp does not look at is no address.
        (INTERFACES, "iface eth0 inet dhcp\n address 192.0.2.9/24\n gateway 192.0.2.1\n", "eth0 dhcp"),
        (INTERFACES, "iface eth0 inet manual\niface eth0 inet6 auto\n", "eth0 dhcp"),
        (INTERFACES, "iface eth0 inet manual\n", "eth0 -"),
        (NETWORKD, "[Match]\nName=eth0\n[Network]\nAddress=192.0.2.9/24\n", "eth0 static 192.0.2.9/24"),
        (NETWORKD, "[Match]\nName=eth0\n[Network]\nDHCP=ipv6\nAddress=192.0.2.9/24\n", "eth0 static 192.0.2.9/24"),
        (NETWORKD, "[Match]\nName=eth0\n[Network]\nBond=bond0\n", "eth0 -"),
        (NETWORKD, "[Match]\nName=eth0\n[Network]\nAddress=192.0.2.9/24\nAddress=\nDHCP=v4\n", "eth0 dhcp"),
        (
            NETPLAN,
            "network: {ethernets: {eth0: {dhcp4: no, dhcp6: yes, addresses: [192.0.2.9/24]}}}",
            "eth0 static 192.0.2.9/24",
        ),
        (NETPLAN, "network: {ethernets: {eth0: {dhcp4: no, dhcp6: On}}}", "eth0 dhcp"),
        (NETPLAN, "network: {ethernets: {eth0: {dhcp4: no}}}", "eth0 static"),
        (NETPLAN, "network: {ethernets: {eth0: {optional: true}}}", "eth0 -"),
        (
            KEYFILE,
            "[connection]\nid=eth0\n[ipv4]\nmethod=disabled\n[ipv6]\nmethod=manual\naddress1=2001:db8::5/64\n",
            six,
        ),
        (KEYFILE, "[connection]\nid=eth0\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=manual\naddress1=2001:db8::5/64\n", six),
        (KEYFILE, "[connection]\nid=eth0\n[ipv4]\nmethod=disabled\n[ipv6]\nmethod=auto\n", "eth0 dhcp"),
        (RED_HAT, "BOOTPROTO=dhcp\nIPV6ADDR=2001:db8::5/64\n", six),
        (RED_HAT, "BOOTPROTO=none\n", "eth0 -"),
    ] {
        assert_eq!(told(&[(path, text)]), [expected], "{text}");
    }
}

#[test]
fn an_address_of_hardware_that_is_set_binds_nothing() {
    let (set, bound) = (" sets 02:00:00:aa:bb:cc", " mac 00:15:5d:00:00:01");
    for (path, text, expected) in [
        (INTERFACES, "iface eth0 inet dhcp\n hwaddress ether 02:00:00:aa:bb:cc\n", set),
        (INTERFACES, "iface eth0 inet dhcp\n hwaddress 02:00:00:aa:bb:cc\n", set),
        (RED_HAT, "BOOTPROTO=dhcp\nMACADDR=02:00:00:aa:bb:cc\n", set),
        (SUSE, "BOOTPROTO=dhcp\nLLADDR=02:00:00:aa:bb:cc\n", set),
        (NETPLAN, "network: {ethernets: {eth0: {dhcp4: yes, macaddress: \"02:00:00:aa:bb:cc\"}}}", set),
        (
            KEYFILE,
            "[connection]\nid=eth0\n[ethernet]\ncloned-mac-address=02:00:00:AA:BB:CC\n[ipv4]\nmethod=auto\n",
            set,
        ),
        (KEYFILE, "[connection]\nid=eth0\n[ethernet]\ncloned-mac-address=stable\n[ipv4]\nmethod=auto\n", ""),
        (RED_HAT, "BOOTPROTO=dhcp\nHWADDR=00:15:5D:00:00:01\n", bound),
        (NETPLAN, "network: {ethernets: {eth0: {dhcp4: yes, match: {macaddress: \"00:15:5d:00:00:01\"}}}}", bound),
        (KEYFILE, "[connection]\nid=eth0\n[ethernet]\nmac-address=00:15:5D:00:00:01\n[ipv4]\nmethod=auto\n", bound),
        (NETWORKD, "[Match]\nName=eth0\nPermanentMACAddress=00:15:5d:00:00:01\n[Network]\nDHCP=yes\n", bound),
    ] {
        assert_eq!(told(&[(path, text)]), [format!("eth0 dhcp{expected}")], "{text}");
    }
    let two = "[Match]\nMACAddress=00:15:5d:00:00:01 00-15-5d-00-00-02\n[Network]\nDHCP=yes\n";
    assert_eq!(told(&[(NETWORKD, two)]), [" dhcp mac 00:15:5d:00:00:01", " dhcp mac 00:15:5d:00:00:02"]);
    let old = "sysconfig/network/ifcfg-eth-id-00:15:5d:00:00:01";
    assert_eq!(told(&[(old, "BOOTPROTO=dhcp\n")]), ["eth-id-00:15:5d:00:00:01 dhcp mac 00:15:5d:00:00:01"]);
}

#[test]
fn what_goes_by_a_name() {
    for (path, text, expected) in [
        (INTERFACES, "iface eth0 inet dhcp\n", true),
        (RED_HAT, "BOOTPROTO=dhcp\n", true),
        (RED_HAT, "BOOTPROTO=dhcp\nHWADDR=00:15:5D:00:00:01\n", false),
        (RED_HAT, "TYPE=Ethernet\nNAME=x\nBOOTPROTO=dhcp\n", false),
        (RED_HAT, "TYPE=Ethernet\nDEVICE=eth0\n", true),
        (RED_HAT, "TYPE=Ethernet\nMATCH_DRIVER=hv_netvsc\n", true),
        (SUSE, "TYPE=Ethernet\nSTARTMODE=auto\n", true),
        (KEYFILE, "[connection]\nid=Wired\n", false),
        (KEYFILE, "[connection]\nid=Wired\ninterface-name=eth0\n", true),
        (KEYFILE, "[connection]\nid=Wired\n[match]\ninterface-name=eth*;\n", true),
        (KEYFILE, "[connection]\nid=Wired\n[match]\ninterface-name=|eth*;|en*;\n", false),
        (KEYFILE, "[connection]\nid=Wired\n[match]\ninterface-name=!eth1;\n", false),
        (KEYFILE, "[connection]\nid=Wired\n[match]\ndriver=hv_netvsc;\n", true),
        (KEYFILE, "[connection]\nid=Wired\n[match]\npath=vmbus-*;\n", true),
        (KEYFILE, "[connection]\nid=Wired\n[match]\ndriver=\n", false),
        (NETWORKD, "[Match]\nName=eth0\n", true),
        (NETWORKD, "[Match]\nName=eth*\n", true),
        (NETWORKD, "[Match]\nName=eth* en*\n", false),
        (NETWORKD, "[Match]\nType=ether\n", false),
        (NETWORKD, "[Match]\nType=ether\nDriver=hv_netvsc\n", true),
        (NETWORKD, "[Match]\nMACAddress=00:15:5d:00:00:01\n", false),
        (NETPLAN, "network: {ethernets: {eth0: {dhcp4: yes}}}", true),
        (NETPLAN, "network: {ethernets: {all: {match: {name: \"e*\"}}}}", false),
        (NETPLAN, "network: {ethernets: {all: {match: {name: \"eth*\"}}}}", true),
        (NETPLAN, "network: {ethernets: {all: {match: {driver: hv_netvsc}}}}", true),
        (NETPLAN, "network: {ethernets: {eth0: {match: {macaddress: \"00:15:5d:00:00:01\"}, set-name: lan}}}", false),
        (NETPLAN, "network: {ethernets: {NM-1: {match: {}}}}", false),
        (NETPLAN, "network: {ethernets: {eth0: {match: }}}", true),
        (NETPLAN, "network: {bridges: {br0: {dhcp4: yes}}}", true),
    ] {
        let found = of_files(&mut memory(&[(path, text)]));
        assert_eq!(found.iter().map(|adapter| adapter.by_name).collect::<Vec<_>>(), [expected], "{text}");
    }
}

#[test]
fn what_software_makes_goes_by_the_names_of_its_members() {
    let bound = "network: {ethernets: {eth0: {match: {macaddress: \"00:15:5d:00:00:01\"}, set-name: eth0}}, vlans: {v: {id: 1, link: eth0}}}";
    let named = "network: {ethernets: {eth0: {dhcp4: no}}, vlans: {v: {id: 1, link: eth0}}}";
    let key = "[connection]\nid=a\ntype=bond\ninterface-name=bond0\n";
    let bond = "NetworkManager/system-connections/bond0.nmconnection";
    let key_files = |member| [(bond, key), (KEYFILE, member)];
    let of_red_hat = |made, member| [("sysconfig/network-scripts/ifcfg-bond0", made), (RED_HAT, member)];
    let ifcfg = |member| of_red_hat("TYPE=Bond\n", member);
    let ethernet = "[connection]\nid=b\ntype=ethernet\n[ethernet]\nmac-address=00:15:5D:00:00:01\n";
    let by_names =
        |files: &[(&str, &str)]| of_files(&mut memory(files)).iter().map(|adapter| adapter.by_name).collect::<Vec<_>>();
    assert_eq!(by_names(&[(NETPLAN, bound)]), [false, false]);
    assert_eq!(by_names(&[(NETPLAN, named)]), [true, true]);
    assert_eq!(by_names(&key_files(ethernet)), [false, false]);
    assert_eq!(by_names(&key_files("[connection]\nid=b\ninterface-name=eth0\n")), [true, true]);
    assert_eq!(by_names(&ifcfg("HWADDR=00:15:5D:00:00:01\n")), [false, false]);
    assert_eq!(by_names(&ifcfg("ONBOOT=yes\n")), [true, true]);
    for made in ["DEVICE=bond0\nBONDING_OPTS=\"mode=1 miimon=100\"\n", "DEVICE=team0\nDEVICETYPE=Team\n"] {
        let member = "DEVICE=eth0\nDEVICETYPE=TeamPort\nHWADDR=00:15:5D:00:00:01\n";
        assert_eq!(by_names(&of_red_hat(made, member)), [false, false], "{made}");
        assert_eq!(by_names(&of_red_hat(made, "DEVICE=eth0\nDEVICETYPE=TeamPort\n")), [true, true], "{made}");
    }
    assert_eq!(by_names(&[(SUSE, "ETHERDEVICE=eth1\n")]), [true]);
    for (kind, member, expected) in [
        ("bond", "PermanentMACAddress=00:15:5d:00:00:01", [false, false]),
        ("vlan", "Name=eth0", [true, true]),
        ("dummy", "PermanentMACAddress=00:15:5d:00:00:01", [false, true]),
    ] {
        let made = format!("[Match]\nName=eth9\n[NetDev]\nName=made0\nKind={kind}\n");
        let member = format!("[Match]\n{member}\n[Network]\nBond=made0\n");
        let own = "[Match]\nName=made0\n[Network]\nAddress=192.0.2.9/24\n";
        let files =
            [("systemd/network/a.netdev", made.as_str()), (NETWORKD, &member), ("systemd/network/b.network", own)];
        assert_eq!(by_names(&files), expected, "{kind}");
    }
}

#[test]
fn copies_that_the_systems_do_not_read_are_no_adapters() {
    let ifcfg = "BOOTPROTO=static\nIPADDR=10.0.0.1\n";
    let copies = [".bak", ".old", ".orig", ".rpmnew", ".rpmorig", ".rpmsave", "~"];
    for place in [RED_HAT, SUSE] {
        let all: Vec<String> = copies.iter().map(|end| format!("{place}{end}")).chain([place.to_owned()]).collect();
        let files: Vec<(&str, &str)> = all.iter().map(|path| (path.as_str(), ifcfg)).collect();
        assert_eq!(told(&files), ["eth0 static 10.0.0.1"]);
    }
    let set = "iface eth9 inet static\n address 10.9.9.9/24\n";
    assert_eq!(
        told(&[("network/interfaces.bak", set), ("network/interfaces.orig", set), (INTERFACES, "auto lo\n")]),
        [""; 0]
    );
    let profile = "[connection]\nid=a\nuuid=1\n";
    let folder = |name: &str| format!("NetworkManager/system-connections/{name}");
    let names = [".a", "a~", "a.swp", "a.pem", "a.ab12cd"].map(folder);
    let files: Vec<(&str, &str)> = names.iter().map(|path| (path.as_str(), profile)).collect();
    assert_eq!(told(&files), [""; 0]);
    // Without the extension it is read, unless it is a copy of one that has it.
    let copy = folder("a.nmconnection.bak");
    let (bare, more) = (folder("Wired connection 1"), "[connection]\nid=b\nuuid=2\n");
    assert_eq!(told(&[(&copy, profile), (KEYFILE, profile), (&bare, more)]), ["b -", "a -"]);
    assert_eq!(told(&[(&copy, profile)]), ["a -"]);
    let plan = "network: {ethernets: {eth0: {dhcp4: yes}}}";
    assert_eq!(told(&[("netplan/a.yml", plan), ("netplan/a.yaml.bak", plan), ("netplan/aml", plan)]), [""; 0]);
    for path in ["/etc/network/interfaces.bak", "/etc/netplan/a.yml", "/etc/sysconfig/network/ifcfg-eth0.bak", "x"] {
        assert_eq!(adapters_of(path, ""), None, "{path}");
    }
}

#[test]
fn interfaces_are_sourced_as_the_main_file_says() {
    let stanza = |name: &str| format!("iface {name} inet dhcp\n");
    let all = ["a", "b", "c", "d"].map(stanza);
    let (plain, dotted) = ("network/interfaces.d/setup", "network/interfaces.d/eth0.bak");
    let with = |main: &str| told(&[(INTERFACES, main), (plain, &all[0]), (dotted, &all[1]), ("n/c.cfg", &all[2])]);
    assert_eq!(with("auto lo\n"), [""; 0]);
    assert_eq!(with("source-directory interfaces.d\n"), ["a dhcp"]);
    assert_eq!(with("source /etc/network/interfaces.d/*\n"), ["b dhcp", "a dhcp"]);
    assert_eq!(with("source interfaces.d/*.bak ../n/?.cfg\n"), ["b dhcp", "c dhcp"]);
    assert_eq!(with("source /etc/*/c.cfg\nsource missing\nsource-directory missing\nsource interfaces\n"), ["c dhcp"]);
    // A file belongs to where it is sourced, and its stanzas to it.
    let files = [(INTERFACES, "iface eth0 inet static\n address 192.0.2.9/24\nsource more\n gateway 192.0.2.1\n")];
    let mut found = memory(&[files[0], ("network/more", &all[3])]);
    let found = of_files(&mut found);
    assert_eq!(found.iter().map(line).collect::<Vec<_>>(), ["eth0 static 192.0.2.9/24", "d dhcp"]);
    assert_eq!(
        found.iter().map(|adapter| &*adapter.place).collect::<Vec<_>>(),
        ["/etc/network/interfaces", "/etc/network/more"]
    );
}

#[test]
fn files_that_source_each_other_end() {
    let all: String =
        (0..20).map(|_| "source /etc/network/*\nsource /etc/*/*\nsource-directory /etc/network\n").collect();
    let names: Vec<String> = (0..400).map(|number| format!("network/x{number}")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), all.as_str())).collect();
    files.push((INTERFACES, &all));
    let mut memory = memory(&files);
    assert!(of_files(&mut memory).is_empty());
    assert!(memory.looks < 2000 && memory.remarks.len() == 1, "{} {:?}", memory.looks, memory.remarks);
}

#[test]
fn interfaces_inherit() {
    let base = "iface base inet static\n netmask 255.255.255.0\n gateway 192.0.2.1\n";
    let told = |more: &str| told(&[(INTERFACES, &format!("{base}{more}"))]);
    let expected = ["eth0 static 192.0.2.9/24 via 192.0.2.1"];
    assert_eq!(told("iface eth0 inet static inherits base\n address 192.0.2.9\n"), expected);
    assert_eq!(
        told("iface eth0 inet static inherits base\n address 192.0.2.9\nauto base\n"),
        ["base static via 192.0.2.1", expected[0]]
    );
    let chain: String = (0..300).map(|_| "iface base inet static inherits base\n").collect();
    assert_eq!(told(&format!("{chain}iface eth0 inet static inherits missing\n"))[0], "eth0 static");
}

#[test]
fn interfaces_have_several_addresses() {
    for (options, expected) in [
        (
            " address 192.0.2.9/24\n address 192.0.2.8/25\n address 2001:db8::5/64\n gateway 192.0.2.1\n",
            "static 192.0.2.9/24 192.0.2.8/25 2001:db8::5/64 via 192.0.2.1",
        ),
        (
            " address 192.0.2.9\n netmask 255.255.255.0\n address 192.0.2.8\n netmask 25\n",
            "static 192.0.2.9/24 192.0.2.8/25",
        ),
        (" netmask 255.255.255.0\n address 192.0.2.9\n", "static 192.0.2.9/24"),
        (" address 192.0.2.9/255.255.255.0\n", "static 192.0.2.9/24"),
        (" use dhcp\n", "dhcp"),
        (" use bond vlan\n", "-"),
        (" use dhcp\n address 2001:db8::5/64\n", "static 2001:db8::5/64"),
        (" netmask 24\n address 192.0.2.8/25\n address 192.0.2.7\n", "static 192.0.2.8/25 192.0.2.7"),
    ] {
        assert_eq!(told(&[(INTERFACES, &format!("iface eth0\n{options}"))]), [format!("eth0 {expected}")], "{options}");
    }
    let base = "iface base\n use dhcp\n address 192.0.2.9/24\n address 192.0.2.8/24\n gateway 192.0.2.1\n";
    let own = format!("{base}iface eth0 inherits base\n address 192.0.2.7/24\n use bond\n");
    assert_eq!(told(&[(INTERFACES, &own)]), ["eth0 static 192.0.2.7/24 via 192.0.2.1"]);
    let inherited = "eth0 static 192.0.2.9/24 192.0.2.8/24 via 192.0.2.3";
    assert_eq!(told(&[(INTERFACES, &format!("{base}iface eth0 inherits base\n gateway 192.0.2.3\n"))]), [inherited]);
}

#[test]
fn netplan_merges_its_files() {
    let first = "network: {version: 2, ethernets: {eth0: {dhcp4: true, addresses: [192.0.2.9/24], nameservers: {addresses: [192.0.2.2]}}}}";
    let second = "network: {ethernets: {eth0: {dhcp4: FALSE, addresses: [192.0.2.9/24, 192.0.2.8/24], match: {macaddress: \
        \"00:15:5d:00:00:01\"}, set-name: lan, routes: [{to: 0.0.0.0/0, via: 192.0.2.1}, {to: 10.0.0.0/8, via: 192.0.2.3}]}}}";
    let expected = "lan static 192.0.2.9/24 192.0.2.8/24 via 192.0.2.1 dns 192.0.2.2 mac 00:15:5d:00:00:01";
    assert_eq!(told(&[("netplan/10.yaml", first), ("netplan/20.yaml", second)]), [expected]);
    let (on, off) = ("network: {ethernets: {eth0: {dhcp4: true}}}", "network: {ethernets: {eth0: {dhcp4: false}}}");
    assert_eq!(told(&[("netplan/10.yaml", on), ("netplan/20.yaml", off)]), ["eth0 static"]);
    assert_eq!(told(&[("netplan/10.yaml", off), ("netplan/20.yaml", on)]), ["eth0 dhcp"]);
    for yes in ["TRUE", "Yes", "on", "Y"] {
        assert_eq!(told(&[(NETPLAN, &on.replace("true", yes))]), ["eth0 dhcp"], "{yes}");
    }
    let mut found = memory(&[("netplan/10.yaml", first), ("netplan/20.yaml", on)]);
    assert_eq!(of_files(&mut found)[0].place, "/etc/netplan/10.yaml");
}

#[test]
fn only_adapters_of_netplan_are_adapters() {
    let text = "network:\n  openvswitch:\n    ssl: {ca-cert: a}\n    ports: [[a, b]]\n  nm-devices:\n    NM-db5f0f67: {renderer: NetworkManager}\n  \
        wifis:\n    wlan0: {dhcp4: true}\n  tunnels: {t0: {mode: sit}}\n  dummy-devices: {d0: {addresses: [192.0.2.7/32]}}\n  \
        ethernets:\n    eth0: {dhcp4: true}\n    NM-1: {match: {name: eth1}, networkmanager: {uuid: a, name: Wired}}\n  \
        bonds: {bond0: {interfaces: [eth0]}}\n  vlans: {vlan1: {id: 1, link: eth0, addresses: [{192.0.2.9/24: {label: x}}]}}\n";
    assert_eq!(told(&[(NETPLAN, text)]), ["eth0 dhcp", "eth1 -", "bond0 -", "vlan1 static 192.0.2.9/24"]);
    let anchors = "network:\n  ethernets:\n    eth0:\n      addresses: [192.0.2.9/24]\n      nameservers: &ns {addresses: [192.0.2.2]}\n    \
        eth1: {dhcp4: true, nameservers: *ns}\n";
    assert_eq!(told(&[(NETPLAN, anchors)]), ["eth0 static 192.0.2.9/24 dns 192.0.2.2", "eth1 dhcp dns 192.0.2.2"]);
}

#[test]
fn ifcfg_as_a_shell_reads_it() {
    let text = "DEVICE=eth0   # first card\nBOOTPROTO=none # static\nexport IPADDR=192.0.2.10 # www\nNETMASK='255.255.255.0'; ONBOOT=yes\n\
        GATEWAY=\"192.0.2.1\" # router\nHWADDR=00:15:5D:00:00:01 # card\nDNS10=192.0.2.4\nDNS2=192.0.2.3\nDNS1=192.0.2.2\n";
    let expected = "eth0 static 192.0.2.10/24 via 192.0.2.1 dns 192.0.2.2 192.0.2.3 192.0.2.4 mac 00:15:5d:00:00:01";
    assert_eq!(told(&[(RED_HAT, text)]), [expected]);
    let text = "IPADDR0=192.0.2.10\nPREFIX0=24\nIPADDR20=192.0.2.11\nPREFIX20=25\nIPV6ADDR=2001:db8::5/64\n\
        IPV6ADDR_SECONDARIES=\"2001:db8::6/64 2001:db8::7/64\"\n";
    let expected = "eth0 static 192.0.2.10/24 192.0.2.11/25 2001:db8::5/64 2001:db8::6/64 2001:db8::7/64";
    assert_eq!(told(&[(RED_HAT, text)]), [expected]);
    let text = "IPADDR='192.0.2.10'\nNETMASK='255.255.255.0'\nIPADDR_1='192.0.2.11/24'\nLABEL_1='x'\nIPADDR_lan='192.0.2.12'\nPREFIXLEN_lan=24\n";
    assert_eq!(told(&[(SUSE, text)]), ["eth0 static 192.0.2.10/24 192.0.2.11/24 192.0.2.12/24"]);
    for (word, way) in
        [("dhcp+autoip", "dhcp"), ("dhcp4", "dhcp"), ("DHCP6", "dhcp"), ("static", "static"), ("none", "-"), ("", "-")]
    {
        assert_eq!(told(&[(SUSE, &format!("BOOTPROTO='{word}'\n"))]), [format!("eth0 {way}")], "{word}");
    }
}

#[test]
fn gateways_and_name_servers_of_the_whole_system() {
    let (first, second) = ("IPADDR=192.0.2.10\nPREFIX=24\n", "IPADDR=198.51.100.10\nPREFIX=24\n");
    let more = "sysconfig/network-scripts/ifcfg-eth1";
    let red_hat = |network: &str| told(&[(RED_HAT, first), (more, second), ("sysconfig/network", network)]);
    assert_eq!(red_hat("NETWORKING=yes\nGATEWAY=198.51.100.1\n")[1], "eth1 static 198.51.100.10/24 via 198.51.100.1");
    assert_eq!(red_hat("GATEWAY=203.0.113.1 GATEWAYDEV=eth0\n")[0], "eth0 static 192.0.2.10/24 via 203.0.113.1");
    assert!(red_hat("GATEWAY=203.0.113.1\n").iter().all(|line| !line.contains("via")));
    let own = format!("{first}GATEWAY=192.0.2.9\n");
    assert_eq!(
        told(&[(RED_HAT, &own), ("sysconfig/network", "GATEWAY=192.0.2.1\n")]),
        ["eth0 static 192.0.2.10/24 via 192.0.2.9"]
    );

    let route = |name: &str, text: &str| {
        let files = [(RED_HAT, first), (name, text), ("sysconfig/network", "GATEWAY=192.0.2.9\n")];
        told(&files).concat()
    };
    let (four, six) = ("sysconfig/network-scripts/route-eth0", "sysconfig/network-scripts/route6-eth0");
    let expected = "eth0 static 192.0.2.10/24 via 192.0.2.1";
    for text in [
        "# x\n10.0.0.0/8 via 192.0.2.7\ndefault via 192.0.2.1 dev eth0\n",
        "to 0.0.0.0/0 dev eth0 via 192.0.2.1\ndefault via\n",
        "ADDRESS0=10.0.0.0\nNETMASK0=255.0.0.0\nGATEWAY0=192.0.2.7\nADDRESS1=0.0.0.0\nNETMASK1=0.0.0.0\nGATEWAY1=192.0.2.1\n",
    ] {
        assert_eq!(route(four, text), expected, "{text}");
    }
    let both = "eth0 static 192.0.2.10/24 via 2001:db8::1 192.0.2.9";
    assert_eq!(route(six, "default via 2001:db8::1\n"), both);
    assert_eq!(
        told(&[(RED_HAT, &own), (four, "default via 192.0.2.1\n")]),
        ["eth0 static 192.0.2.10/24 via 192.0.2.9"]
    );

    let config = ("sysconfig/network/config", "NETCONFIG_DNS_STATIC_SERVERS=\"192.0.2.2 192.0.2.3\"\n");
    let dhcp = ("sysconfig/network/ifcfg-eth1", "BOOTPROTO='dhcp'\n");
    let routes = ("sysconfig/network/routes", "# x\n10.0.0.0/8 192.0.2.7 - -\ndefault 192.0.2.1 - -\n");
    let expected = ["eth0 static 192.0.2.10/24 via 192.0.2.1 dns 192.0.2.2 192.0.2.3", "eth1 dhcp"];
    assert_eq!(told(&[(SUSE, first), dhcp, config, routes]), expected);
    let route = ("sysconfig/network/ifroute-eth0", "default 192.0.2.1 - eth0\n");
    assert_eq!(told(&[(SUSE, first), dhcp, config, route, routes]), expected);
}

#[test]
fn networkd_tells_what_it_matches_and_where_routes_lead() {
    let told = |text: &str| told(&[(NETWORKD, text)]);
    let routes = "[Match]\nName=eth0\n[Network]\nAddress=192.0.2.9/24\n[Route]\nGateway=192.0.2.1\n[Route]\nDestination=10.0.0.0/8\n\
        Gateway=192.0.2.250\n[Route]\nGateway=2001:db8::1\nDestination=::/0\n[Route]\nGateway=_dhcp4\n";
    assert_eq!(told(routes), ["eth0 static 192.0.2.9/24 via 192.0.2.1 2001:db8::1"]);
    assert_eq!(told("[Match]\nType=ether\n[Network]\nAddress=192.0.2.9/24\n"), ["Type=ether static 192.0.2.9/24"]);
    assert_eq!(told("[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n"), ["en* eth* dhcp"]);
    assert_eq!(told("[Match]\nName=a\nName=\nName=eth0\nName=eth1\n[Network]\nDHCP=yes\n"), ["eth0 eth1 dhcp"]);
    assert_eq!(told("[Match]\nDriver=hv_netvsc\n[Network]\nDHCP=yes\n"), ["Driver=hv_netvsc dhcp"]);
    let mut more = memory(&[
        (NETWORKD, "[Match]\nName=eth0\n[Network]\nAddress=192.0.2.9/24\n"),
        ("systemd/network/a.network.d/b.conf", "[Network]\nDNS=192.0.2.2\n"),
        ("systemd/network/a.network.d/b.bak", "[Network]\nDNS=192.0.2.3\n"),
    ]);
    assert_eq!(of_files(&mut more).iter().map(line).collect::<Vec<_>>(), ["eth0 static 192.0.2.9/24 dns 192.0.2.2"]);
}

#[test]
fn key_files_of_old_versions() {
    let text = "[connection]\nid=a\ntype=802-3-ethernet\n[ipv4]\nmethod=manual\naddresses1=192.0.2.9;24;192.0.2.1;\n";
    assert_eq!(told(&[(KEYFILE, text)]), ["a static 192.0.2.9/24 via 192.0.2.1"]);
    for (value, expected) in
        [("0;21;93;1;2;4;", " mac 00:15:5d:01:02:04"), ("0;21;93;1;2;", ""), ("0;21;93;1;2;256", "")]
    {
        let text = format!("[connection]\nid=a\n[ethernet]\nmac-address={value}\n");
        assert_eq!(told(&[(KEYFILE, &text)]), [format!("a -{expected}")], "{value}");
    }
}

#[test]
fn key_files_tell_what_they_match_and_where_routes_lead() {
    let text = "[connection]\nid=a\n[match]\ninterface-name=eth*;\n[ipv4]\naddress1=192.0.2.9/24\nroute1=0.0.0.0/0,192.0.2.1\n\
        route2=10.0.0.0/8,192.0.2.7\nroute2_options=mtu=1\nroute3=0.0.0.0/0,192.0.2.1,100\nroute4=0.0.0.0/0,,7\n[ipv6]\n\
        route1=::/0,2001:db8::1,1\n";
    assert_eq!(told(&[(KEYFILE, text)]), ["eth* static 192.0.2.9/24 via 192.0.2.1 2001:db8::1"]);
    let old = "[connection]\nid=a\n[ipv4]\naddress1=192.0.2.9/24\nroutes1=0.0.0.0;0;192.0.2.1;0;\n";
    assert_eq!(told(&[(KEYFILE, old)]), ["a static 192.0.2.9/24 via 192.0.2.1"]);
}
