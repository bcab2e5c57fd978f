//! The small volumes and disks of the testkit as files to be changed, and a hive of a guest.
#![allow(missing_docs, dead_code)]

use hvm_formats::disk::Format;
use hvm_testkit::hive::{HiveKey, HiveStamp, HiveValue, hive_bytes};
use hvm_testkit::small::{ExtLayout, FatBits, Mark, TableDisk, ext, fat, gpt, mark, mbr};

use super::subjects::{Seal, Subject};
use super::{Files, memory};

fn subject(name: &'static str, bytes: &[u8], structures: Vec<(u64, u64)>) -> Subject {
    let word = |width: u64| {
        structures.iter().flat_map(move |(at, len)| (0..len / width).map(move |n| (at + n * width, width)))
    };
    let mut fields: Vec<(u64, usize)> = word(4).chain(word(2)).map(|(at, len)| (at, len as usize)).collect();
    fields.extend(word(8).map(|(at, len)| (at, len as usize)));
    Subject {
        name,
        base: memory(name, bytes),
        gate: Files::default(),
        format: Format::Raw,
        fields,
        idle: Vec::new(),
        seals: Vec::new(),
        structures: structures.iter().map(|(at, len)| (*at, at + len)).collect(),
        expected: Vec::new(),
        bound: 20_000,
    }
}

/// A disk with an MBR and one with a GPT.
pub fn tables() -> Vec<Subject> {
    [("mbr.img", mbr()), ("gpt.img", gpt())]
        .into_iter()
        .map(|(name, TableDisk { bytes, structures, sums })| {
            let seals = sums.into_iter().map(|(start, len, at)| Seal::Elsewhere { start, len, at }).collect();
            Subject { seals, ..subject(name, &bytes, structures) }
        })
        .collect()
}

/// An ext2 and an ext4 volume.
pub fn exts() -> Vec<Subject> {
    let one = |name, layout| {
        let volume = ext(layout);
        subject(name, &volume.bytes, volume.structures)
    };
    vec![one("ext2.img", ExtLayout::Blocks), one("ext4.img", ExtLayout::Extents)]
}

/// FAT volumes, and those of which only marks are known.
pub fn marked() -> Vec<Subject> {
    let mut all: Vec<Subject> = [FatBits::Twelve, FatBits::Sixteen, FatBits::ThirtyTwo]
        .into_iter()
        .map(|bits| subject("fat.img", &fat(bits), vec![(0, 96), (504, 24), (32 * 512, 16)]))
        .collect();
    for kind in Mark::ALL {
        let bytes = mark(kind);
        let used = (0..bytes.len() / 16).filter(|row| bytes[row * 16..row * 16 + 16].iter().any(|byte| *byte != 0));
        let rows = used.map(|row| (row as u64 * 16, 16)).collect();
        all.push(subject("marked.img", &bytes, rows));
    }
    all
}

/// A hive with what is asked of both hives of a Windows.
pub fn guest_hive() -> Vec<u8> {
    let mut root = HiveKey::new("ROOT");
    let version = root.at(r"Microsoft\Windows NT\CurrentVersion");
    for (name, text) in
        [("ProductName", "Windows Server 2008 R2 Standard"), ("CurrentVersion", "6.1"), ("EditionID", "ServerStandard")]
    {
        version.set(name, HiveValue::sz(text));
    }
    version.set("UBR", HiveValue::Dword(7));
    root.at("Select").set("Current", HiveValue::Dword(1));
    let tcpip = root.at(r"ControlSet001\Services\Tcpip\Parameters");
    tcpip.set("Hostname", HiveValue::sz("WEB01"));
    let interface = tcpip.at(r"Interfaces\{A}");
    interface.set("EnableDHCP", HiveValue::Dword(0));
    interface.set("IPAddress", HiveValue::multi(&["192.0.2.10", "192.0.2.11"]));
    interface.set("SubnetMask", HiveValue::multi(&["255.255.255.0", "255.255.0.0"]));
    interface.set("DefaultGateway", HiveValue::multi(&["192.0.2.1"]));
    interface.set("NameServer", HiveValue::sz("192.0.2.2,192.0.2.3"));
    tcpip.at(r"Interfaces\{B}").set("DhcpIPAddress", HiveValue::sz("192.0.2.20"));
    let class = "{4D36E972-E325-11CE-BFC1-08002BE10318}";
    let connection = root.at(&format!(r"ControlSet001\Control\Network\{class}\{{A}}\Connection"));
    connection.set("Name", HiveValue::sz("LAN"));
    connection.set("PnpInstanceID", HiveValue::sz(r"VMBUS\{1}\5&2"));
    let device = root.at(&format!(r"ControlSet001\Control\Class\{class}\0001"));
    device.set("NetworkAddress", HiveValue::sz("00155D010203"));
    device.set("NetCfgInstanceId", HiveValue::sz("{A}"));
    for (name, start) in [("storvsc", 0), ("netvsc", 3), ("atapi", 4)] {
        root.at(&format!(r"ControlSet001\Services\{name}")).set("Start", HiveValue::Dword(start));
    }
    root.at(r"ControlSet001\Services\atapi\StartOverride").set("0", HiveValue::Dword(0));
    hive_bytes(&root, &HiveStamp::default())
}
