//! File systems of every kind recognised, ext and FAT against their own tools, and systems found on whole disks.
#![allow(clippy::unwrap_used, missing_docs)]

mod config_samples;
mod guestfs_support;

use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use guestfs_support::{Mounted, image, local, memory, text, tool};
use hvm_formats::disk::{NoParents, open};
use hvm_formats::guestfs::{
    DriverStart, Ext, FreeSpace, FreeSpaceError, FsKind, GuestAdapter, HiveReading, SystemKind, fat_usage, inspect,
    inspect_bytes, recognise, windows_by_hives,
};
use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, hive_bytes};

const MIB: u64 = 1 << 20;

/// Free blocks as `dumpe2fs` lists them, without groups whose bitmap was never written.
fn dumped(path: &Path) -> Vec<Range<u64>> {
    let dump = String::from_utf8(tool("dumpe2fs", &[text(path)]).unwrap()).unwrap();
    let mut never_written = false;
    let mut runs = Vec::new();
    for line in dump.lines() {
        if line.starts_with("Group ") {
            never_written = line.contains("BLOCK_UNINIT");
        }
        let Some(list) = line.strip_prefix("  Free blocks: ").filter(|list| !never_written && !list.is_empty()) else {
            continue;
        };
        for run in list.split(", ") {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            runs.push(first.parse().unwrap()..last.parse::<u64>().unwrap() + 1);
        }
    }
    runs
}

fn linux_tree(folder: &Path) -> std::path::PathBuf {
    let tree = folder.join("tree");
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::create_dir_all(tree.join("usr/lib")).unwrap();
    fs::write(
        tree.join("usr/lib/os-release"),
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n",
    )
    .unwrap();
    std::os::unix::fs::symlink("../usr/lib/os-release", tree.join("etc/os-release")).unwrap();
    fs::write(tree.join("etc/hostname"), "web-1\n").unwrap();
    fs::write(tree.join("etc/locale.conf"), "LANG=de_DE.UTF-8\n").unwrap();
    fs::write(tree.join("etc/timezone"), "Europe/Berlin\n").unwrap();
    fs::write(tree.join("big"), vec![7; 9 << 20]).unwrap();
    fs::write(tree.join("etc/fstab"), "# /dev/sdz / ext4\nUUID=1234 / ext4 defaults 0 1\n").unwrap();
    let modules = tree.join("usr/lib/modules/6.1.0-18-amd64");
    fs::create_dir_all(&modules).unwrap();
    std::os::unix::fs::symlink("usr/lib", tree.join("lib")).unwrap();
    fs::write(modules.join("modules.builtin"), "kernel/drivers/ata/ata_piix.ko\nkernel/fs/ext4/ext4.ko\n").unwrap();
    fs::write(modules.join("modules.dep"), "kernel/drivers/block/virtio_blk.ko.xz: kernel/x.ko\n").unwrap();
    for (path, text) in NETWORKS {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    tree
}

/// Settings of every kind that Linux has, one adapter each.
const NETWORKS: [(&str, &str); 7] = [
    (
        "etc/network/interfaces",
        "auto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet static\n  address 192.0.2.10\n  \
         netmask 255.255.255.0\n  gateway 192.0.2.1\n  dns-nameservers 192.0.2.2 \\\n    192.0.2.3\niface eth0 inet6 static\n  \
         address 2001:db8::10/64\n  hwaddress ether 00:15:5D:01:02:03\nsource interfaces.d/*\n",
    ),
    ("etc/network/interfaces.d/eth1", "iface eth1 inet dhcp\n"),
    (
        "etc/sysconfig/network-scripts/ifcfg-eth2",
        "DEVICE=\"eth2\"\nBOOTPROTO=none\nHWADDR=00:15:5D:01:02:04\nIPADDR0=192.0.2.11\nPREFIX0=25\nGATEWAY=192.0.2.1\nDNS1=192.0.2.2\n",
    ),
    ("etc/sysconfig/network/ifcfg-eth3", "BOOTPROTO='static'\nIPADDR='192.0.2.12/24'\n"),
    (
        "etc/NetworkManager/system-connections/Wired.nmconnection",
        "[connection]\nid=Wired\nuuid=1b\ntype=ethernet\n[ethernet]\nmac-address=00:15:5D:01:02:05\n[ipv4]\nmethod=manual\n\
         address1=192.0.2.13/24,192.0.2.1\ndns=192.0.2.2;192.0.2.3;\n[ipv6]\nmethod=auto\n",
    ),
    ("etc/systemd/network/10-eth5.network", "[Match]\nName=eth5\n[Network]\nDHCP=ipv4\nDNS=192.0.2.2\n"),
    (
        "etc/netplan/01-netcfg.yaml",
        "network:\n  version: 2\n  ethernets:\n    eth6:\n      match:\n        macaddress: 00:15:5d:01:02:06\n      \
         addresses: [192.0.2.14/24, \"2001:db8::14/64\": {lifetime: 0}]\n      routes:\n        - to: default\n          \
         via: 192.0.2.1\n      nameservers:\n        addresses: [192.0.2.2]\n    eth7:\n      dhcp4: true\n",
    ),
];

/// Name, MAC address, DHCP, addresses, gateways and name servers.
type Expected = (&'static str, &'static str, Option<bool>, &'static str, &'static str, &'static str);

/// What [`NETWORKS`] say.
const ADAPTERS: [Expected; 8] = [
    ("eth0", "", Some(false), "192.0.2.10/24 2001:db8::10/64", "192.0.2.1", "192.0.2.2 192.0.2.3"),
    ("eth1", "", Some(true), "", "", ""),
    ("eth2", "00:15:5d:01:02:04", Some(false), "192.0.2.11/25", "192.0.2.1", "192.0.2.2"),
    ("eth3", "", Some(false), "192.0.2.12/24", "", ""),
    ("Wired", "00:15:5d:01:02:05", Some(false), "192.0.2.13/24", "192.0.2.1", "192.0.2.2 192.0.2.3"),
    ("eth5", "", Some(true), "", "", "192.0.2.2"),
    ("eth6", "00:15:5d:01:02:06", Some(false), "192.0.2.14/24 2001:db8::14/64", "192.0.2.1", "192.0.2.2"),
    ("eth7", "", Some(true), "", "", ""),
];

fn assert_adapters(found: &[GuestAdapter], expected: &[Expected]) {
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, (name, mac, dhcp, addresses, gateways, servers)) in found.iter().zip(expected) {
        assert_eq!((found.name.as_str(), found.mac.as_str(), found.dhcp), (*name, *mac, *dhcp));
        let joined = [&found.addresses, &found.gateways, &found.dns_servers].map(|all| all.join(" "));
        assert_eq!(joined, [*addresses, gateways, servers], "{name}");
    }
}

#[test]
fn linux_on_ext_with_its_free_space() {
    let folder = tempfile::tempdir().unwrap();
    let tree = linux_tree(folder.path());
    let kinds = [("ext2", FsKind::Ext2, 1024), ("ext3", FsKind::Ext3, 1024), ("ext4", FsKind::Ext4, 4096)];
    for (name, kind, block) in kinds {
        let path = image(folder.path(), &format!("{name}.img"), 300 * MIB);
        let (block_text, id) = (block.to_string(), "01234567-89ab-cdef-0123-456789abcdef");
        let args = ["-q", "-t", name, "-b", &block_text, "-L", "wurzel", "-U", id, "-d", text(&tree), text(&path)];
        if tool("mkfs.ext4", &args).is_none() {
            return;
        }
        let file = local(&path);
        let found = recognise(&*file);
        assert_eq!((found.kind, found.label.as_str(), found.id.as_str()), (kind, "wurzel", id));
        assert_eq!(found.size, Some(300 * MIB));
        let expected = dumped(&path);
        assert!(expected.len() > 1, "{name}");
        let runs: Vec<_> = Ext::open(file.clone()).unwrap().free_runs().unwrap().map(Result::unwrap).collect();
        assert_eq!(runs, expected, "{name}");
        let contents = inspect_bytes(file, 512);
        let part = &contents.partitions[0];
        assert_eq!((part.clean, part.used.unwrap() + part.free.unwrap()), (Some(true), 300 * MIB));
        let guest = contents.guest().unwrap();
        assert_eq!((guest.kind, guest.name.as_str()), (SystemKind::Linux, "Debian GNU/Linux 12 (bookworm)"));
        assert_eq!((guest.version.as_str(), guest.edition.as_str()), ("12", "debian"));
        assert_eq!((guest.host_name.as_str(), guest.language.as_str()), ("web-1", "de_DE.UTF-8"));
        assert_eq!((guest.time_zone.as_str(), guest.remarks.len()), ("Europe/Berlin", 0));
        assert_adapters(&guest.adapters, &ADAPTERS);
        let drivers: Vec<_> =
            guest.drivers.as_ref().unwrap().iter().map(|driver| (&*driver.name, driver.start)).collect();
        assert_eq!(drivers, [("ata_piix", DriverStart::BuiltIn), ("virtio_blk", DriverStart::Module)]);
        assert_eq!(guest.drivers.as_ref().unwrap()[0].kernel, "6.1.0-18-amd64");
        assert_eq!(guest.root_device, "UUID=1234");
        assert_eq!(guest.adapters[0].place, "/etc/network/interfaces");
        assert_eq!((&*guest.adapters[0].set_mac, guest.adapters[0].by_name), ("00:15:5d:01:02:03", true));
    }
}

#[test]
fn ext_that_was_in_use_keeps_its_free_space_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "ext.img", 16 * MIB);
    if tool("mkfs.ext4", &["-q", text(&path)]).is_none() {
        return;
    }
    let bytes = fs::read(&path).unwrap();
    // Offset 58: state; offset 96: incompatible features, bit 2 the journal has to be replayed.
    for (at, byte, doubt) in [(58, 0, "not unmounted"), (58, 3, "having errors"), (96, bytes[1120] | 4, "journal")] {
        let mut bytes = bytes.clone();
        bytes[1024 + at] = byte;
        let error = FreeSpace::open(memory(bytes)).err().unwrap();
        assert!(matches!(&error, FreeSpaceError::NotClean { .. }) && error.to_string().contains(doubt), "{error}");
    }
    assert!(FreeSpace::open(memory(bytes)).is_ok());
}

/// A volume with `NAME=One` in its `os-release`, and two transactions in its journal that make it `Two` and `Six`; `open` opens the
/// journal. In a block that nothing uses each of them writes a node of a tree of extents.
fn with_journal(folder: &Path, open: &str) -> Option<PathBuf> {
    let (tree, path) = (folder.join("tree"), image(folder, "journal.img", 64 * MIB));
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::write(tree.join("etc/os-release"), "NAME=One\n").unwrap();
    fs::write(tree.join("etc/hostname"), "one\n").unwrap();
    tool("mkfs.ext4", &["-q", "-F", "-b", "4096", "-d", text(&tree), text(&path)])?;
    let blocks = tool("debugfs", &["-R", "blocks /etc/os-release", text(&path)])?;
    let block = String::from_utf8(blocks).unwrap().trim().to_owned();
    let (file, requests) = (folder.join("data"), folder.join("requests"));
    for name in ["Two", "Six"] {
        let mut data = format!("NAME={name}\n").into_bytes();
        data.resize(4096, 0);
        data.extend([0x0A, 0xF3, 1, 0, 84, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        data.resize(2 * 4096, 0);
        fs::write(&file, data).unwrap();
        fs::write(&requests, format!("{open}\njw -b {block},9000 {}\njc\n", text(&file))).unwrap();
        tool("debugfs", &["-w", "-f", text(&requests), text(&path)])?;
    }
    Some(path)
}

#[test]
fn files_are_read_as_the_journal_of_ext_makes_them() {
    let folder = tempfile::tempdir().unwrap();
    // With checksums, as Linux 3.18 and later write it, and without.
    for (open, name, applied) in [("jo -c -v 3", "Six", true), ("jo", "One", false)] {
        let Some(path) = with_journal(folder.path(), open) else { return };
        let contents = inspect_bytes(local(&path), 512);
        let guest = contents.guest().unwrap();
        assert_eq!((guest.name.as_str(), guest.host_name.as_str()), (name, "one"), "{open}");
        let remarks = contents.partitions[0].remarks.join(" ");
        assert!(remarks.contains("changes wait in its journal"), "{remarks}");
        assert_eq!(remarks.contains("read without what waits in the journal"), !applied, "{remarks}");
    }
}

#[test]
fn a_volume_whose_files_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "ext.img", 16 * MIB);
    if tool("mkfs.ext4", &["-q", text(&path)]).is_none() {
        return;
    }
    let mut bytes = fs::read(&path).unwrap();
    // Offset 96: incompatible features, of which nobody knows the last.
    bytes[1024 + 99] = 0x80;
    let contents = inspect_bytes(memory(bytes), 512);
    let remarks = contents.partitions[0].remarks.join(" ");
    assert!(contents.guest().is_none() && remarks.starts_with("Files could not be read: "), "{remarks}");
    assert_eq!(contents.partitions[0].remarks.len(), 1, "{remarks}");
}

#[test]
fn fat_of_each_width_counts_like_mtools() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("datei"), vec![1; 200_000]).unwrap();
    let kinds = [("12", FsKind::Fat12, 4), ("16", FsKind::Fat16, 40), ("32", FsKind::Fat32, 100)];
    for (bits, kind, size) in kinds {
        let path = image(folder.path(), "fat.img", size * MIB);
        if tool("mkfs.vfat", &["-F", bits, "-n", "BOOT", "-i", "1234abcd", text(&path)]).is_none()
            || tool("mcopy", &["-i", text(&path), text(&folder.path().join("datei")), "::x"]).is_none()
        {
            return;
        }
        let listing = String::from_utf8(tool("mdir", &["-i", text(&path), "::"]).unwrap()).unwrap();
        let line = listing.lines().find(|line| line.ends_with("bytes free")).unwrap();
        let free: String = line.chars().filter(char::is_ascii_digit).collect();
        let file = local(&path);
        let usage = fat_usage(&*file).unwrap().unwrap();
        assert_eq!((usage.free * usage.cluster, usage.clean), (free.parse().unwrap(), true), "FAT{bits}");
        let found = recognise(&*file);
        assert_eq!((found.kind, found.label.as_str(), found.id.as_str()), (kind, "BOOT", "1234-ABCD"));
        assert_eq!(found.size, Some(size * MIB));
        let contents = inspect_bytes(file, 512);
        assert_eq!((contents.partitions.len(), contents.partitions[0].partition.index), (1, 0));
    }
}

/// A volume with bytes at places.
fn marked(marks: &[(usize, &[u8])]) -> FsKind {
    let mut bytes = vec![0; 1 << 18];
    for (at, mark) in marks {
        bytes[*at..at + mark.len()].copy_from_slice(mark);
    }
    recognise(&*memory(bytes)).kind
}

#[test]
fn marks_of_other_volumes() {
    assert_eq!(marked(&[]), FsKind::Unknown);
    assert_eq!(marked(&[(3, b"ReFS\0\0\0\0")]), FsKind::Refs);
    assert_eq!(marked(&[(3, b"EXFAT   "), (108, &[9])]), FsKind::Exfat);
    assert_eq!(marked(&[(3, b"-FVE-FS-")]), FsKind::Bitlocker);
    assert_eq!(marked(&[(0, b"XFSB")]), FsKind::Xfs);
    assert_eq!(marked(&[(0, b"LUKS\xba\xbe")]), FsKind::Luks);
    assert_eq!(marked(&[(65600, b"_BHRfS_M")]), FsKind::Btrfs);
    assert_eq!(marked(&[(0x8001, b"CD001")]), FsKind::Iso9660);
    assert_eq!(marked(&[(512, b"LABELONE"), (532, &[32]), (536, b"LVM2 001")]), FsKind::Lvm2);
    let raid = 0xA92B_4EFC_u32.to_le_bytes();
    assert_eq!(marked(&[(4096, &raid), (4100, &[1])]), FsKind::LinuxRaid);
    assert_eq!(marked(&[((1 << 18) - 65536, &raid)]), FsKind::LinuxRaid);
    assert_eq!(marked(&[((1 << 18) - 8192, &raid)]), FsKind::LinuxRaid);
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "swap.img", MIB);
    if tool("mkswap", &["-q", "-L", "aus", text(&path)]).is_some() {
        let found = recognise(&*local(&path));
        assert_eq!((found.kind, found.label.as_str(), found.size), (FsKind::Swap, "aus", Some(MIB)));
    }
}

/// Hives of a server: SOFTWARE merged from text, SYSTEM of a real Windows 7 SP1 where it is at hand.
fn hives(folder: &Path) -> Option<(Vec<u8>, Vec<u8>)> {
    let minimal = config_samples::read("registry/hivex-minimal.hive")?;
    let system = config_samples::read_xz("registry/SYSTEM.xz")?;
    let (hive, text_file) = (folder.join("SOFTWARE"), folder.join("software.reg"));
    fs::write(&hive, minimal).unwrap();
    fs::write(
        &text_file,
        "Windows Registry Editor Version 5.00\n\n[\\Microsoft]\n\n[\\Microsoft\\Windows NT]\n\n\
         [\\Microsoft\\Windows NT\\CurrentVersion]\n\"ProductName\"=\"Windows Server 2008 R2 Standard\"\n\
         \"CurrentVersion\"=\"6.1\"\n\"CurrentBuildNumber\"=\"7601\"\n\"CSDVersion\"=\"Service Pack 1\"\n\
         \"EditionID\"=\"ServerStandard\"\n\"InstallationType\"=\"Server\"\n\"UBR\"=dword:00005f5e\n",
    )
    .unwrap();
    tool("hivexregedit", &["--merge", text(&hive), text(&text_file)])?;
    Some((fs::read(&hive).unwrap(), system))
}

#[test]
fn windows_on_a_partition_of_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    let Some((software, system)) = hives(folder.path()) else { return };
    let path = image(folder.path(), "volume.img", 40 * MIB);
    if tool("mkntfs", &["-F", "-q", "-L", "System", "-p", "2048", text(&path)]).is_none() {
        return;
    }
    let Some(mount) = Mounted::new(&path, "windows_names") else { return };
    let config = mount.path.join("Windows/System32/config");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("SOFTWARE"), software).unwrap();
    fs::write(config.join("SYSTEM"), system).unwrap();
    drop(mount);
    let disk = image(folder.path(), "disk.raw", 48 * MIB);
    let volume = fs::read(&path).unwrap();
    let file = fs::File::options().write(true).open(&disk).unwrap();
    let mut mbr = [0; 512];
    mbr[440..444].copy_from_slice(&[1, 2, 3, 4]);
    mbr[446..462].copy_from_slice(&[0x80, 0, 0, 0, 7, 0, 0, 0, 0, 8, 0, 0, 0, 0x40, 1, 0]);
    mbr[510..].copy_from_slice(&[0x55, 0xAA]);
    file.write_all_at(&mbr, 0).unwrap();
    file.write_all_at(&volume, MIB).unwrap();
    let contents = inspect(open(local(&disk), &NoParents).unwrap());
    let part = &contents.partitions[0];
    assert_eq!((part.file_system.kind, part.file_system.label.as_str()), (FsKind::Ntfs, "System"));
    assert_eq!((part.clean, part.remarks.len(), contents.findings.len()), (Some(true), 0, 0));
    assert!(part.used.unwrap() > 11 * MIB && part.free.unwrap() > 20 * MIB);
    let guest = contents.guest().unwrap();
    assert_eq!((guest.kind, guest.partition, guest.remarks.as_slice()), (SystemKind::Windows, 1, &[] as &[String]));
    assert_eq!(guest.name, "Windows Server 2008 R2 Standard");
    assert_eq!((guest.version.as_str(), guest.build.as_str()), ("6.1", "7601.24414"));
    assert_eq!((guest.service_pack.as_str(), guest.edition.as_str()), ("Service Pack 1", "ServerStandard"));
    assert_eq!((guest.architecture.as_str(), guest.language.as_str()), ("x86", "0409"));
    assert_eq!((guest.host_name.as_str(), guest.time_zone.as_str()), ("WKS-WIN732BITA", "Eastern Standard Time"));
    // Both cards are of the machine that it ran on last.
    let adapters = [
        ("Local Area Connection 2", "", Some(false), "10.3.58.5/24", "10.3.58.1", "10.3.58.4"),
        ("Local Area Connection", "", Some(false), "192.168.1.123/24", "192.168.1.1", "192.168.1.112"),
    ];
    assert_adapters(&guest.adapters, &adapters);
    assert!(guest.adapters[0].device.starts_with(r"PCI\VEN_8086&DEV_100F"), "{:?}", guest.adapters[0]);
    assert_eq!(guest.adapters[0].id, "698E50A9-4F58-4D86-B61D-F42E58DCACF6");
}

#[test]
fn windows_with_leases_and_a_set_address_in_a_hive_of_any_size() {
    const ID: &str = "{11111111-2222-3333-4444-555555555555}";
    let mut root = HiveKey::new("ROOT");
    root.at("Select").set("Current", HiveValue::Dword(1));
    let class = r"ControlSet001\Control\Class\{4d36e972-e325-11ce-bfc1-08002be10318}";
    root.at(&format!(r"{class}\0007")).set("NetCfgInstanceId", HiveValue::sz(ID));
    root.at(&format!(r"{class}\0007")).set("NetworkAddress", HiveValue::sz("00155D010203"));
    root.at(&format!(r"{class}\Properties")).set("x", HiveValue::Dword(1));
    let key = format!(r"ControlSet001\Services\Tcpip\Parameters\Interfaces\{ID}");
    let interface = root.at(&key);
    interface.set("EnableDHCP", HiveValue::Dword(1));
    interface.set("IPAddress", HiveValue::multi(&["192.0.2.99"]));
    interface.set("DhcpIPAddress", HiveValue::sz("192.0.2.20"));
    interface.set("DhcpSubnetMask", HiveValue::sz("255.255.255.128"));
    interface.set("DhcpDefaultGateway", HiveValue::multi(&["192.0.2.1"]));
    interface.set("DhcpNameServer", HiveValue::sz("192.0.2.2 192.0.2.3"));
    for (name, start) in [("storvsc", 0), ("VioStor", 4), ("storahci", 0), ("Unrelated", 0)] {
        root.at(&format!(r"ControlSet001\Services\{name}")).set("Start", HiveValue::Dword(start));
    }
    root.at(r"ControlSet001\Services\storahci\StartOverride").set("0", HiveValue::Dword(3));
    root.at(r"ControlSet001\Services\atapi");
    let folder = tempfile::tempdir().unwrap();
    for large in [false, true] {
        if large {
            // Then it is read cell by cell.
            for number in 0..600 {
                root.at(&format!(r"Filling\{number}")).set("x", HiveValue::Binary(vec![7; 16000]));
            }
        }
        let path = image(folder.path(), "volume.img", 40 * MIB);
        if tool("mkntfs", &["-F", "-q", text(&path)]).is_none() {
            return;
        }
        let Some(mount) = Mounted::new(&path, "windows_names") else { return };
        let config = mount.path.join("Windows/System32/config");
        fs::create_dir_all(&config).unwrap();
        let hive = hive_bytes(&root, &HiveStamp::default());
        assert_eq!(hive.len() > 8 << 20, large);
        fs::write(config.join("SYSTEM"), hive).unwrap();
        drop(mount);
        let contents = inspect_bytes(local(&path), 512);
        let guest = contents.guest().unwrap();
        assert_eq!(guest.remarks, [] as [&str; 0]);
        let expected = ("", "00:15:5d:01:02:03", Some(true), "192.0.2.20/25", "192.0.2.1", "192.0.2.2 192.0.2.3");
        assert_adapters(&guest.adapters, &[expected]);
        let drivers: Vec<_> =
            guest.drivers.iter().flatten().map(|driver| (driver.name.as_str(), driver.start)).collect();
        let expected = [
            ("storvsc", DriverStart::Boot),
            ("viostor", DriverStart::Disabled),
            ("atapi", DriverStart::Unknown),
            ("storahci", DriverStart::Demand),
        ];
        assert_eq!(drivers, expected);
    }
}

/// A hive SOFTWARE of a system with this name, build and installation type.
fn software((name, build, installation): (&str, &str, &str)) -> Vec<u8> {
    let mut root = HiveKey::new("ROOT");
    let current = root.at(r"Microsoft\Windows NT\CurrentVersion");
    for (key, text) in [("ProductName", name), ("CurrentBuildNumber", build), ("InstallationType", installation)] {
        current.set(key, HiveValue::sz(text));
    }
    current.set("UBR", HiveValue::Dword(2560));
    hive_bytes(&root, &HiveStamp::default())
}

#[test]
fn windows_11_is_known_by_its_build() {
    let system = memory(hive_bytes(&HiveKey::new("ROOT"), &HiveStamp::default()));
    for (found, expected) in [
        (("Windows 10 Pro", "22631", "Client"), "Windows 11 Pro"),
        (("Windows 10 Pro", "22000", "Client"), "Windows 11 Pro"),
        (("Windows 10 Pro", "19045", "Client"), "Windows 10 Pro"),
        (("Windows Server 2025 Standard", "26100", "Server"), "Windows Server 2025 Standard"),
        (("Windows 10 Pro", "22631", "Server"), "Windows 10 Pro"),
    ] {
        let guest = windows_by_hives(&memory(software(found)), &system, HiveReading::Whole);
        assert_eq!((guest.name.as_str(), guest.build), (expected, format!("{}.2560", found.1)));
    }
}

#[test]
fn windows_2000_has_its_hives_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    // With a folder called Windows that holds none, as one of Windows 98 beside it.
    for other in ["windows/system32", "Windows/System32/config"] {
        let path = image(folder.path(), "volume.img", 8 * MIB);
        if tool("mkntfs", &["-F", "-q", text(&path)]).is_none() {
            return;
        }
        let Some(mount) = Mounted::new(&path, "windows_names") else { return };
        fs::create_dir_all(mount.path.join(other)).unwrap();
        let config = mount.path.join("WINNT/system32/config");
        fs::create_dir_all(&config).unwrap();
        fs::write(config.join("software"), software(("Microsoft Windows 2000", "2195", ""))).unwrap();
        drop(mount);
        let contents = inspect_bytes(local(&path), 512);
        let guest = contents.guest().unwrap_or_else(|| panic!("{contents:?}"));
        assert_eq!((guest.name.as_str(), guest.remarks.len()), ("Microsoft Windows 2000", 0));
    }
}

#[test]
fn hives_that_are_damaged_are_remarks() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "volume.img", 8 * MIB);
    if tool("mkntfs", &["-F", "-q", text(&path)]).is_none() {
        return;
    }
    let Some(mount) = Mounted::new(&path, "windows_names") else { return };
    let config = mount.path.join("WINDOWS/system32/CONFIG");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("software"), b"no hive").unwrap();
    drop(mount);
    let contents = inspect_bytes(Arc::clone(&local(&path)), 512);
    let guest = contents.guest().unwrap();
    assert!(guest.name.is_empty() && guest.remarks[0].contains("8192 bytes was expected"), "{guest:?}");
}
