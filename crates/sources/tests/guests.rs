#![allow(clippy::unwrap_used, missing_docs)]
//! The table of switched-off guests: disks of machines of the sample host are replaced by disks with a Windows (hives of the
//! testkit on NTFS by mkntfs and ntfs-3g), a Linux (ext4 by mkfs.ext4), and with volumes that are not read.

mod dead_host;

use std::fs;
use std::path::Path;
use std::process::Command;

use hvm_model::found::Found;
use hvm_model::guest::{BootMode, DriverStart, Guest, GuestSystem, Holds};
use hvm_model::inventory::Inventory;
use hvm_model::names::VmId;
use hvm_sources::Source;
use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, hive_bytes};
use hvm_testkit::sample::{self, SampleHost, Variant, ids};
use hvm_testkit::vhd::{Blocks, ContentModel, VhdKind, VhdSpec};
use hvm_testkit::vhdx::Dice;

const MIB: u64 = 1 << 20;

struct Host {
    _folder: tempfile::TempDir,
    host: SampleHost,
    source: Box<dyn Source>,
    inventory: Inventory,
}

impl Host {
    fn new() -> Host {
        let folder = tempfile::tempdir().unwrap();
        let host = sample::write(folder.path(), Variant::Default).unwrap();
        let source = hvm_sources::open(&format!("folder:{}", folder.path().display())).unwrap();
        let inventory = source.inventory().unwrap();
        Host { _folder: folder, host, source, inventory }
    }

    /// Puts a disk with these bytes in the place of the first disk of a machine.
    fn replace(&self, machine: &str, bytes: &[u8]) -> std::path::PathBuf {
        let disk = self.host.disks.iter().find(|disk| disk.machine == machine && disk.slot == "IDE 0:0").unwrap();
        let mut content = ContentModel::new(bytes.len() as u64);
        for (sector, chunk) in (0..).zip(bytes.chunks(512)) {
            if chunk.iter().any(|byte| *byte != 0) {
                content.set_bytes(sector, chunk);
            }
        }
        VhdSpec::new(VhdKind::Dynamic(Blocks::default()), [7; 16]).image(&content).write_to(&disk.path).unwrap();
        disk.path.clone()
    }

    fn guests(&self) -> Vec<Guest> {
        self.source.guests(&self.inventory)
    }
}

fn of<'a>(guests: &'a [Guest], machine: &str) -> &'a Guest {
    let id: VmId = machine.parse().unwrap();
    guests.iter().find(|guest| guest.machine == id).unwrap()
}

fn system(guest: &Guest) -> &GuestSystem {
    guest.system.value().unwrap()
}

fn reason<T: std::fmt::Debug>(found: &Found<T>) -> &str {
    match found {
        Found::Unknown { reason } => reason,
        other => panic!("{other:?}"),
    }
}

/// Settings of one adapter: id of the interface, device, DHCP.
fn interface(root: &mut HiveKey, id: &str, (name, device): (&str, &str), address: Option<&str>) {
    let set = "ControlSet001";
    let key = root.at(&format!(r"{set}\Services\Tcpip\Parameters\Interfaces\{id}"));
    match address {
        Some(address) => {
            key.set("EnableDHCP", HiveValue::Dword(0));
            key.set("IPAddress", HiveValue::multi(&[address]));
            key.set("SubnetMask", HiveValue::multi(&["255.255.255.0"]));
            key.set("DefaultGateway", HiveValue::multi(&["192.0.2.1"]));
            key.set("NameServer", HiveValue::sz("192.0.2.2,192.0.2.3"));
        }
        None => _ = key.set("EnableDHCP", HiveValue::Dword(1)),
    }
    let class = r"Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}";
    let connection = root.at(&format!(r"{set}\{class}\{id}\Connection"));
    connection.set("Name", HiveValue::sz(name));
    connection.set("PnpInstanceID", HiveValue::sz(device));
}

fn hives() -> (Vec<u8>, Vec<u8>) {
    let mut software = HiveKey::new("ROOT");
    let current = software.at(r"Microsoft\Windows NT\CurrentVersion");
    for (name, text) in [
        ("ProductName", "Windows Server 2008 R2 Standard"),
        ("CurrentVersion", "6.1"),
        ("CurrentBuildNumber", "7601"),
        ("CSDVersion", "Service Pack 1"),
        ("EditionID", "ServerStandard"),
    ] {
        current.set(name, HiveValue::sz(text));
    }
    let mut root = HiveKey::new("ROOT");
    root.at("Select").set("Current", HiveValue::Dword(1));
    root.at(r"ControlSet001\Services\Tcpip\Parameters").set("Hostname", HiveValue::sz("FILE-7"));
    root.at(r"ControlSet001\Control\Nls\Language").set("InstallLanguage", HiveValue::sz("0407"));
    for (name, start) in [("storvsc", 0), ("vmbus", 0), ("intelide", 0), ("msahci", 3)] {
        root.at(&format!(r"ControlSet001\Services\{name}")).set("Start", HiveValue::Dword(start));
    }
    let (own, old) = ("AD000000-3D5B-4C6A-9F10-000000000001", "AD000000-3D5B-4C6A-9F10-0000000000EE");
    let device = |id: &str| format!(r"VMBUS\{{{id}}}\5&1A2B3C4D&0&{{{id}}}");
    interface(&mut root, "{11111111-0000-0000-0000-000000000001}", ("LAN", &device(own)), Some("192.0.2.10"));
    interface(&mut root, "{11111111-0000-0000-0000-000000000002}", ("LAN old", &device(old)), Some("192.0.2.10"));
    let card = r"PCI\VEN_8086&DEV_100F&SUBSYS_075015AD&REV_01\4&47B7341&0&0088";
    interface(&mut root, "{11111111-0000-0000-0000-000000000003}", ("VMware", card), None);
    (hive_bytes(&software, &HiveStamp::default()), hive_bytes(&root, &HiveStamp::default()))
}

/// A disk whose active partition is a Windows; `None` after saying what is missing.
fn windows(folder: &Path) -> Option<Vec<u8>> {
    if !dead_host::can_make() {
        return None;
    }
    let (path, (software, hive)) = (folder.join("windows.ntfs"), hives());
    dead_host::volume(&path, (MIB, 15 * MIB), |mount| {
        let config = mount.join("Windows/System32/config");
        fs::create_dir_all(&config).unwrap();
        fs::write(config.join("SOFTWARE"), software).unwrap();
        fs::write(config.join("SYSTEM"), hive).unwrap();
    });
    Some(partitioned(&fs::read(&path).unwrap()))
}

/// A disk of 16 MiB with one active partition behind its first MiB.
fn partitioned(volume: &[u8]) -> Vec<u8> {
    let mut disk = vec![0; 16 << 20];
    disk[440..444].copy_from_slice(&[1, 2, 3, 4]);
    disk[446..462].copy_from_slice(&[0x80, 0, 0, 0, 7, 0, 0, 0, 0, 8, 0, 0, 0, 0x78, 0, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xAA]);
    disk[1 << 20..(1 << 20) + volume.len()].copy_from_slice(volume);
    disk
}

/// A disk that is one ext4 volume with a Linux.
fn linux(folder: &Path) -> Option<Vec<u8>> {
    let tree = folder.join("tree");
    let files = [
        ("etc/os-release", "PRETTY_NAME=\"CentOS Linux 7 (Core)\"\nVERSION_ID=\"7\"\nID=centos\n"),
        ("etc/hostname", "web-7.example\n"),
        ("etc/fstab", "/dev/sda1 / ext4 defaults 1 1\n"),
        (
            "etc/sysconfig/network-scripts/ifcfg-eth0",
            "DEVICE=eth0\nBOOTPROTO=none\nHWADDR=00:15:5D:CA:FE:02\nIPADDR=192.0.2.20\nPREFIX=24\nGATEWAY=192.0.2.1\n",
        ),
        (
            "etc/sysconfig/network-scripts/ifcfg-eth1",
            "DEVICE=eth1\nHWADDR=00:15:5D:CA:FE:99\nIPADDR=192.0.2.21\nPREFIX=24\n",
        ),
        ("etc/sysconfig/network-scripts/ifcfg-eth2", "DEVICE=eth2\nBOOTPROTO=dhcp\n"),
        (
            "etc/sysconfig/network-scripts/ifcfg-eth3",
            "DEVICE=eth3\nMACADDR=02:00:00:CA:FE:99\nBOOTPROTO=dhcp\nIPV6ADDR=2001:db8::5/64\n",
        ),
        ("lib/modules/3.10.0/modules.builtin", "kernel/drivers/ata/ata_piix.ko\n"),
        ("lib/modules/3.10.0/modules.dep", "kernel/drivers/block/virtio_blk.ko.xz:\n"),
    ];
    for (path, text) in files {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let path = folder.join("linux.ext4");
    fs::File::create(&path).unwrap().set_len(16 * MIB).unwrap();
    match Command::new("mkfs.ext4").args(["-q", "-d"]).args([&tree, &path]).status() {
        Ok(status) => assert!(status.success(), "mkfs.ext4"),
        Err(error) => {
            eprintln!("SKIPPED: mkfs.ext4: {error}");
            return None;
        }
    }
    Some(fs::read(&path).unwrap())
}

/// `LAN | present | 00-15-… | static | 192.0.2.10/24 | 192.0.2.1 | 192.0.2.2 192.0.2.3`.
fn adapters(system: &GuestSystem) -> Vec<String> {
    let one = |adapter: &hvm_model::guest::GuestAdapter| {
        let present = match adapter.present.value() {
            Some(true) => "present",
            Some(false) => "ghost",
            None => "unknown",
        };
        let mac = adapter.mac.value().map(|mac| mac.plain()).unwrap_or_default();
        let way = match adapter.dhcp {
            Some(true) => "DHCP",
            Some(false) => "static",
            None => "",
        };
        let [addresses, gateways, servers] =
            [&adapter.addresses, &adapter.gateways, &adapter.dns_servers].map(|all| all.join(" "));
        format!("{} | {present} | {mac} | {way} | {addresses} | {gateways} | {servers}", adapter.name)
    };
    system.adapters.iter().map(one).collect()
}

fn starts(system: &GuestSystem) -> Vec<(&str, DriverStart)> {
    system.drivers.value().unwrap().iter().map(|driver| (driver.name.as_str(), driver.start)).collect()
}

#[test]
fn the_table_of_switched_off_guests() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new();
    let (Some(windows), Some(linux)) = (windows(folder.path()), linux(folder.path())) else { return };
    host.replace(ids::BOOT.0, &windows);
    host.replace(ids::FILES.0, &linux);
    let guests = host.guests();
    assert_eq!(guests.len(), host.inventory.machines.len());

    let found = of(&guests, ids::BOOT.0);
    let inside = system(found);
    assert_eq!(inside.name.as_deref(), Some("Windows Server 2008 R2 Standard"));
    assert_eq!((inside.host_name.as_deref(), inside.language.as_deref()), (Some("FILE-7"), Some("0407")));
    assert_eq!((inside.edition.as_deref(), inside.build.as_deref()), (Some("ServerStandard"), Some("7601")));
    assert_eq!(inside.domain, None);
    let expected = [
        "LAN | present | 00155D0A0001 | static | 192.0.2.10/24 | 192.0.2.1 | 192.0.2.2 192.0.2.3",
        "LAN old | ghost |  | static | 192.0.2.10/24 | 192.0.2.1 | 192.0.2.2 192.0.2.3",
        "VMware | ghost |  | DHCP |  |  | ",
    ];
    assert_eq!(adapters(inside), expected);
    let (boot, demand) = (DriverStart::Boot, DriverStart::Demand);
    assert_eq!(starts(inside), [("vmbus", boot), ("storvsc", boot), ("intelide", boot), ("msahci", demand)]);
    assert_eq!((found.boot.value(), found.remarks.as_slice()), (Some(&BootMode::Bios), &[] as &[String]));
    let volume = &found.disks[0].volumes[0];
    assert_eq!((volume.holds, volume.kind.as_str(), volume.clean), (Holds::FileSystem, "NTFS", Some(true)));
    assert!(volume.used.unwrap().0 > MIB && volume.used.unwrap().0 + volume.free.unwrap().0 <= volume.size.0);

    let found = of(&guests, ids::FILES.0);
    let inside = system(found);
    assert_eq!(
        (inside.name.as_deref(), inside.host_name.as_deref()),
        (Some("CentOS Linux 7 (Core)"), Some("web-7.example"))
    );
    let expected = [
        "eth0 | present | 00155DCAFE02 | static | 192.0.2.20/24 | 192.0.2.1 | ",
        "eth1 | ghost | 00155DCAFE99 | static | 192.0.2.21/24 |  | ",
        "eth2 | unknown |  | DHCP |  |  | ",
        // An address that the guest gives its adapter does not make it one that the machine lacks.
        "eth3 | unknown | 020000CAFE99 | static | 2001:db8::5/64 |  | ",
    ];
    assert_eq!(adapters(inside), expected);
    let bound: Vec<_> = inside.adapters.iter().map(|adapter| (adapter.bound_to_mac, adapter.by_name)).collect();
    assert_eq!(bound, [(true, false), (true, false), (false, true), (false, true)]);
    assert_eq!(inside.root_device.as_deref(), Some("/dev/sda1"));
    assert_eq!(starts(inside), [("ata_piix", DriverStart::BuiltIn), ("virtio_blk", DriverStart::Module)]);
    assert_eq!((found.disks.len(), found.disks[0].volumes[0].partition), (2, 0));
    assert!(reason(&found.boot).contains("nothing to start from"));
    // What was not replaced holds no system.
    assert_eq!(reason(&of(&guests, ids::TREE.0).system), "No operating system was found on its disks.");
}

#[test]
fn what_is_not_read_is_unknown_for_a_reason() {
    let host = Host::new();
    let mut volume = vec![0; 1 << 20];
    volume[3..11].copy_from_slice(b"-FVE-FS-");
    host.replace(ids::BOOT.0, &partitioned(&volume));
    let mut dynamic = partitioned(&[]);
    dynamic[450] = 0x42;
    host.replace(ids::MEDIA.0, &dynamic);
    fs::remove_file(&host.host.disks.iter().find(|disk| disk.machine == ids::MEMORY.0).unwrap().path).unwrap();
    let guests = host.guests();
    let found = of(&guests, ids::BOOT.0);
    assert_eq!((found.disks[0].volumes[0].holds, found.boot.value()), (Holds::BitLocker, Some(&BootMode::Bios)));
    assert!(reason(&found.system).ends_with("is not read: BitLocker."), "{found:?}");
    assert_eq!(of(&guests, ids::MEDIA.0).disks[0].volumes[0].holds, Holds::DynamicDisk);
    let found = of(&guests, ids::MEMORY.0);
    assert!(reason(&found.system).ends_with("could not be looked into.") && found.disks[0].unreadable.is_some());
    assert!(reason(&of(&guests, ids::PROCESSORS.0).system).ends_with('.'));
}

#[test]
fn a_root_folder_that_is_damaged_is_told() {
    let (folder, host) = (tempfile::tempdir().unwrap(), Host::new());
    let Some(mut volume) = linux(folder.path()) else { return };
    // The time of the last change in the root's inode, by blocks of 1 KiB and inodes of 256 bytes.
    let table = u32::from_le_bytes(volume[2048 + 8..2048 + 12].try_into().unwrap()) as usize;
    volume[table * 1024 + 256 + 16] ^= 0x55;
    host.replace(ids::BOOT.0, &volume);
    let guests = host.guests();
    let found = of(&guests, ids::BOOT.0);
    assert!(reason(&found.system).ends_with("is damaged."), "{found:?}");
    let remarks = &found.disks[0].volumes[0].remarks;
    assert!(matches!(&remarks[..], [one] if one.contains("could not be read")), "{remarks:?}");
}

#[test]
fn a_damaged_guest_never_fails_the_inventory() {
    let folder = tempfile::tempdir().unwrap();
    let (host, healthy) = (Host::new(), Host::new().guests());
    let Some(windows) = windows(folder.path()) else { return };
    let used: Vec<usize> = (0..windows.len()).step_by(512).filter(|at| windows[*at..at + 512] != [0; 512]).collect();
    let mut dice = Dice::new(3);
    for _ in 0..60 {
        let mut bytes = windows.clone();
        for _ in 0..=dice.below(40) {
            let at = used[dice.below(used.len() as u64) as usize] + dice.below(512) as usize;
            bytes[at] = dice.roll() as u8;
        }
        let path = host.replace(ids::BOOT.0, &bytes);
        if dice.below(3) == 0 {
            // The file itself is cut.
            let len = fs::metadata(&path).unwrap().len();
            fs::File::options().write(true).open(&path).unwrap().set_len(dice.below(len)).unwrap();
        }
        let inventory = host.source.inventory().unwrap();
        let guests = host.source.guests(&inventory);
        assert_eq!((inventory.machines.len(), guests.len()), (host.inventory.machines.len(), inventory.machines.len()));
        for (guest, healthy) in guests.iter().zip(&healthy).filter(|(guest, _)| guest.machine.as_str() != ids::BOOT.0) {
            assert_eq!(guest, healthy);
        }
    }
}
