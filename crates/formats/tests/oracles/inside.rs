//! What must hold for any bytes that lie inside of a disk: tables, volumes, the settings of guests; and for the authorization store.
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

use std::sync::Arc;

use hvm_formats::azman::Store;
use hvm_formats::guestfs::{
    Ext, FreeSpace, FsKind, GuestAdapter, GuestSystem, HiveReading, TableKind, fat_usage, inspect_bytes,
    linux_adapters, recognise, volume, windows_by_hives,
};
use hvm_formats::io::SharedFile;

use super::{Watched, memory};

/// Whole sentences that name something.
fn is_sentence(text: &str) {
    assert!(text.len() > 10 && text.len() < 1 << 16 && text.ends_with(['.', ')']), "{text}");
}

/// Looks into a whole disk as an assessment does. How many partitions it has, and a sum over what was found; `None` when there
/// is no table.
pub fn disk_contents(file: &SharedFile, sector: u32) -> Option<(usize, u64)> {
    let found = inspect_bytes(file.clone(), sector);
    found.findings.iter().for_each(|finding| assert!(!finding.to_string().is_empty()));
    assert!(found.partitions.len() <= 8192 && found.guests.len() <= found.partitions.len());
    let mut sum = 0u64;
    let mut add = |number: u64| sum = sum.wrapping_mul(0x0100_0000_01B3).wrapping_add(number);
    for part in &found.partitions {
        part.remarks.iter().for_each(|remark| is_sentence(remark));
        let (start, size) = (part.partition.start, part.partition.size);
        assert!(start.checked_add(size).is_some() && part.partition.end() == start + size);
        [start, size, part.file_system.kind as u64, part.free.unwrap_or(1)].into_iter().for_each(&mut add);
        if matches!(part.file_system.kind, FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4) {
            add(free_space(&volume(file, &part.partition)));
        }
    }
    found.guests.iter().for_each(|guest| add(guest_sum(guest)));
    (found.table != TableKind::None).then_some((found.partitions.len(), sum))
}

/// The free ranges of a volume: in order, of whole units, inside.
fn free_space(bytes: &SharedFile) -> u64 {
    let Ok(space) = FreeSpace::open(bytes.clone()) else { return 0 };
    let (unit, mut end, mut sum) = (space.unit(), 0, 0u64);
    for range in space.take(100_000) {
        let Ok(range) = range.map_err(|error| is_sentence(&error.to_string())) else { return 1 };
        assert!(range.start >= end && range.end > range.start && range.start % unit == 0, "{range:?}");
        end = range.end;
        sum = sum.wrapping_mul(31).wrapping_add(range.start ^ range.end);
    }
    sum
}

fn guest_sum(guest: &GuestSystem) -> u64 {
    guest.remarks.iter().for_each(|remark| is_sentence(remark));
    assert!(guest.adapters.len() <= 1024);
    guest.adapters.iter().for_each(look_at_adapter);
    let drivers = guest.drivers.as_ref().map_or(0, |drivers| drivers.len() as u64 + 1);
    let texts = [&guest.name, &guest.version, &guest.edition, &guest.host_name, &guest.root_device, &guest.time_zone];
    let bytes = texts.into_iter().flat_map(|text| text.bytes());
    bytes.fold(drivers, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)))
}

fn look_at_adapter(adapter: &GuestAdapter) {
    assert!([&adapter.mac, &adapter.set_mac].iter().all(|mac| mac.is_empty() || mac.len() == 17), "{adapter:?}");
    assert!(adapter.addresses.iter().all(|address| !address.is_empty()), "{adapter:?}");
}

/// Reads an ext volume: every file that is looked for, the free runs.
pub fn ext(file: &SharedFile) -> Option<(usize, u64)> {
    let ext = Ext::open(file.clone()).map_err(|error| is_sentence(&error.to_string())).ok()?;
    let (mut seen, mut sum) = (ext.doubts().len(), ext.blocks() ^ ext.free());
    assert!(ext.free() <= ext.blocks() && ext.block_size() <= 1 << 16);
    for folder in ["/", "/etc", "/etc/netplan", "/lib/modules", "/lib/modules/6.1"] {
        match ext.list(folder, 64) {
            Ok(names) => {
                assert!(names.len() <= 64 && names.is_sorted());
                seen += names.len();
            }
            Err(error) => is_sentence(&error.to_string()),
        }
    }
    for path in ["/etc/os-release", "/etc/fstab", "/etc/netplan/01.yaml", "/lib/modules/6.1/modules.dep", "/etc"] {
        match ext.read_file(path, 1 << 16) {
            Ok(bytes) => {
                let bytes = bytes.unwrap_or_default();
                assert!(bytes.len() <= 1 << 16);
                sum = bytes.iter().fold(sum, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(*byte)));
            }
            Err(error) => is_sentence(&error.to_string()),
        }
    }
    Some((seen, sum.wrapping_add(free_space(file))))
}

/// Recognises a volume, and counts the free clusters of FAT.
pub fn marks(file: &SharedFile) -> (FsKind, u64) {
    let found = recognise(&**file);
    assert!(found.label.len() <= 1024 && found.id.len() <= 256);
    let usage = fat_usage(&**file).map_err(|error| is_sentence(&error.to_string())).ok().flatten();
    if let Some(usage) = usage {
        assert!(usage.free <= usage.clusters && usage.clusters.checked_mul(usage.cluster).is_some());
    }
    (found.kind, usage.map_or(0, |usage| usage.free + 1))
}

/// Reads an authorization store, which is written as it was read.
pub fn store(bytes: &[u8]) -> bool {
    let store = match Store::parse(bytes, "store.xml") {
        Ok(store) => store,
        Err(error) => {
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let text: String = causes.map(|cause| format!("{cause} ")).collect();
            assert!(text.contains("store.xml"), "{text}");
            return false;
        }
    };
    assert!(store.to_bytes() == bytes && store.unknown.len() <= 100);
    let changes = store.customisations();
    assert_eq!(store.is_default(), changes.is_empty());
    changes.iter().for_each(|change| assert!(change.ends_with('.'), "{change}"));
    assert!(store.assignments().len() >= store.applications.iter().map(|one| one.roles.len()).sum::<usize>());
    true
}

/// A store with everything that one may have.
pub const STORE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<AzAdminManager MajorVersion=\"1\" MinorVersion=\"0\" Guid=\"g0\">\
    <AzApplicationGroup Guid=\"{gg}\" Name=\"Alle\" GroupType=\"LdapQuery\"><LdapQuery>(a=b)</LdapQuery></AzApplicationGroup>\
    <AzApplication Guid=\"g1\" Name=\"Hyper-V services\" Description=\"\" ApplicationVersion=\"\"><AzOperation Guid=\"g2\" \
    Name=\"Read\"><OperationID>100</OperationID></AzOperation><AzTask Guid=\"{G3}\" Name=\"Administrator\" RoleDefinition=\"True\">\
    <OperationLink>g2</OperationLink><TaskLink>g3</TaskLink><BizRule>x</BizRule></AzTask><AzRole Guid=\"g4\" Name=\"Administrator\">\
    <TaskLink>g3</TaskLink><Member>S-1-5-32-544</Member><Member>CORP\\bob</Member><AppMemberLink>gg</AppMemberLink></AzRole><AzScope \
    Guid=\"s\" Name=\"01\" Odd=\"&lt;\"><AzApplicationGroup Guid=\"p\" Name=\"N\" GroupType=\"Basic\"><Member>S-1-5-32-545</Member>\
    <NonMember>S-1-5-7</NonMember></AzApplicationGroup><AzRole Guid=\"r\" Name=\"View\"><OperationLink>g2</OperationLink></AzRole>\
    </AzScope><Cost/></AzApplication></AzAdminManager>\n";

/// Files of network settings of every kind.
pub const SETTINGS: [(&str, &str); 7] = [
    (
        "/etc/network/interfaces",
        "auto lo eth0\niface lo inet loopback\niface eth0 inet static\n\taddress 192.0.2.10\n\t\
      netmask 255.255.255.0\n\tgateway 192.0.2.1\n\tdns-nameservers 192.0.2.2 192.0.2.3\n\thwaddress ether 00:15:5d:01:02:03\n\
      iface eth0 inet6 auto\n",
    ),
    ("/etc/network/interfaces.d/more", "allow-hotplug eth1\niface eth1 inet dhcp\\\n\n"),
    (
        "/etc/sysconfig/network-scripts/ifcfg-eth0",
        "DEVICE=eth0\nBOOTPROTO=\"static\"\nHWADDR=00:15:5D:01:02:03\nIPADDR0=192.0.2.10\n\
      PREFIX0=24\nGATEWAY=192.0.2.1\nDNS1='192.0.2.2'\nIPV6ADDR=2001:db8::1/64\nUUID=a\n",
    ),
    ("/etc/sysconfig/network/ifcfg-eth0", "BOOTPROTO='dhcp4'\nLLADDR='00:15:5d:01:02:03'\nIPADDR_1='192.0.2.1/24'\n"),
    (
        "/etc/NetworkManager/system-connections/a.nmconnection",
        "[connection]\nid=Wired\nuuid=1\ntype=ethernet\ninterface-name=eth0\n\
      [ethernet]\nmac-address=00:15:5D:01:02:03\n[ipv4]\nmethod=manual\naddress1=192.0.2.10/24,192.0.2.1\ndns=192.0.2.2;\n[ipv6]\n",
    ),
    (
        "/etc/systemd/network/10.network",
        "[Match]\nName=eth*\nMACAddress=00:15:5d:01:02:03\n[Network]\nDHCP=ipv4\nAddress=192.0.2.1/24\n\
      Gateway=192.0.2.1\nDNS=192.0.2.2\n[Route]\nGateway=192.0.2.9\n",
    ),
    (
        "/etc/netplan/01.yaml",
        "network:\n  version: 2\n  ethernets:\n    eth0:\n      match: {macaddress: \"00:15:5d:01:02:03\"}\n      \
      set-name: lan0\n      dhcp4: no\n      addresses:\n        - 192.0.2.10/24\n        - \"2001:db8::1/64\": {label: a}\n      \
      routes: [{to: default, via: 192.0.2.1}]\n      nameservers: {addresses: [192.0.2.2]}\n    eth1: &x {dhcp4: true}\n  \
      bridges:\n    br0: *x\n    br1: {interfaces: [eth1], gateway4: 192.0.2.1, macaddress: 00-15-5d-01-02-03}\n",
    ),
];

/// Reads the text of a settings file; how many adapters it names, `None` when it is refused.
pub fn settings(number: usize, bytes: &[u8]) -> Option<usize> {
    let (path, _) = SETTINGS[number % SETTINGS.len()];
    let text = String::from_utf8_lossy(bytes);
    match linux_adapters(path, &text).unwrap() {
        Ok(adapters) => {
            // The name of a file may be enough.
            assert!(adapters.len() <= text.len() + 1);
            adapters.iter().for_each(look_at_adapter);
            // Nothing of a text becomes many times as long.
            let texts: usize = adapters.iter().map(|adapter| adapter.name.len() + adapter.id.len()).sum();
            assert!(texts <= 64 * (text.len() + 64), "{texts} of {}", text.len());
            Some(adapters.len())
        }
        Err(reason) => {
            assert!(!reason.is_empty());
            None
        }
    }
}

/// Reads one hive as both of those that tell what a Windows is.
pub fn guest_hives(bytes: &[u8], reading: HiveReading, bound: u64) -> (u64, usize) {
    let file: SharedFile = Watched::lenient("HIVE", memory("HIVE", bytes), Vec::new(), bound);
    let guest = windows_by_hives(&file, &Arc::clone(&file), reading);
    (guest_sum(&guest), guest.remarks.len())
}
