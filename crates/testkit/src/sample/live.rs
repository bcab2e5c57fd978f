//! The sample host while it runs, for a server that answers in its place: its answers to WMI queries as a collection has them, with
//! the classes that say what the host is, and its registry as JSON.

use std::fs;
use std::io;
use std::path::Path;

use super::answers::{self, Answers, CIMV2, DiskInfo, V1, property};
use super::{Variant, ids, network, registry};
use crate::hive::HiveKey;

/// Names of the drives' volumes.
const VOLUMES: [(char, &str); 2] =
    [('C', "0a11aa11-5f5c-11e0-8c26-806e6f6e6963"), ('D', "0a11aa12-5f5c-11e0-8c26-806e6f6e6963")];

/// Writes into a folder what the host of `variant` answers, with what it says of these disks.
pub fn write(folder: &Path, variant: Variant, disks: &[DiskInfo]) -> io::Result<()> {
    answers::write(folder, variant)?;
    answers::write_disks(folder, disks)?;
    let mut more = Answers::default();
    computer(&mut more);
    switches(&mut more, variant);
    more.save(folder)?;
    let mut text = String::from("{");
    for (number, (name, hive)) in registry::hives(variant).iter().enumerate() {
        text.push_str(if number == 0 { "" } else { "," });
        text.push_str(&format!("{}:", quoted(name)));
        key(hive, &mut text);
    }
    text.push('}');
    fs::write(folder.join("registry.json"), text)
}

fn computer(more: &mut Answers) {
    more.object(
        CIMV2,
        "Win32_OperatingSystem",
        &[
            property("CSName", "string", ids::COMPUTER_NAME),
            property("SystemDrive", "string", "C:"),
            property("Version", "string", "6.1.7601"),
        ],
    );
    answers::drives(more);
    for (letter, guid) in VOLUMES {
        let own = [
            property("DeviceID", "string", format!("\\\\?\\Volume{{{guid}}}\\")),
            property("DriveLetter", "string", format!("{letter}:")),
        ];
        more.object(CIMV2, "Win32_Volume", &own);
    }
    let groups = [("Administratoren", "S-1-5-32-544"), ("Distributed COM-Benutzer", "S-1-5-32-562")];
    for (name, sid) in groups {
        let own = [
            property("Domain", "string", ids::COMPUTER_NAME),
            property("LocalAccount", "boolean", "TRUE"),
            property("Name", "string", name),
            property("SID", "string", sid),
        ];
        more.object(CIMV2, "Win32_Group", &own);
    }
}

/// The ends of associations from which those are asked for.
fn switches(more: &mut Answers, variant: Variant) {
    let keys = |class: &str, name: &str| {
        [
            property("SystemCreationClassName", "string", "Msvm_ComputerSystem"),
            property("SystemName", "string", ids::COMPUTER_NAME),
            property("CreationClassName", "string", class),
            property("Name", "string", name),
        ]
    };
    for network in network::networks(variant) {
        for adapter in network.uplink.iter().chain(&network.management) {
            more.object(V1, "Msvm_SwitchLANEndpoint", &keys("Msvm_SwitchLANEndpoint", &format!("/DEVICE/{adapter}")));
        }
    }
    more.object(V1, "Msvm_ImageManagementService", &keys("Msvm_ImageManagementService", "vhdsvc"));
}

/// A key as JSON: its values with their types and their data in hexadecimal digits, and its keys by their names.
fn key(hive: &HiveKey, text: &mut String) {
    let values = hive.values.iter().map(|(name, value)| {
        let digits: String = value.data().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[{},{},\"{digits}\"]", quoted(name), value.type_number())
    });
    let values: Vec<String> = values.collect();
    text.push_str(&format!("{{\"values\":[{}],\"keys\":{{", values.join(",")));
    for (number, child) in hive.children.iter().enumerate() {
        text.push_str(if number == 0 { "" } else { "," });
        text.push_str(&format!("{}:", quoted(&child.name)));
        key(child, text);
    }
    text.push_str("}}");
}

/// A text of JSON (RFC 8259, 7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if u32::from(c) < 0x20 => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
