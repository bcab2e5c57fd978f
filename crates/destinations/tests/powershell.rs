//! Every script of a kit for each release is parsed, and every call in it compared with what that release knows.
#![allow(clippy::unwrap_used, missing_docs)]

mod cmdlets;
mod common;

use std::collections::BTreeMap;

use cmdlets::{Known, table};
use common::*;
use hvm_destinations::select;

const RELEASES: [&str; 6] = ["2012", "2012R2", "2016", "2019", "2022", "2025"];

fn scripts(release: &str) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut role = if release == "2012" { role() } else { with_generation_2(role()) };
    let generation = if release == "2012" { 1 } else { 2 };
    role.machines.push(tree_machine(generation));
    role.machines.push(registered_machine(if release == "2012" { 0x400 } else { 0x800 }, generation));
    let plan = plan(role);
    copy(folder.path(), &plan);
    let kit = select::open(&format!("kit:{}?os={release}", folder.path().display())).unwrap();
    perform_all(kit.as_ref(), &plan);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim_start_matches('\u{feff}').to_owned();
    let scripts = tree(folder.path()).into_iter().filter(|(name, _)| name.ends_with(".ps1"));
    scripts.map(|(name, bytes)| (name, text(bytes))).collect()
}

#[test]
fn every_script_parses_and_calls_only_what_there_is() {
    for release in RELEASES {
        let scripts = scripts(release);
        for (name, text) in &scripts {
            assert!(!cmdlets::parse(text).root_node().has_error(), "{release}: {name} does not parse");
        }
        let Some(table) = table(release) else { return };
        let all: Vec<&str> = scripts.values().map(String::as_str).collect();
        let known = Known::new(&table, &all);
        let mut faults = Vec::new();
        for (name, text) in &scripts {
            faults.extend(known.faults(text).into_iter().map(|fault| format!("{release}, {name}: {fault}")));
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

#[test]
fn the_check_finds_faults() {
    let Some(table) = table("2012") else { return };
    let known = Known::new(&table, &[]);
    let faulty = [
        "New-VM -Name 'x' -Generation 2",
        "Set-VMFirmware -VMName 'x'",
        "New-VMSwitch -Name 'x'",
        "New-VMSwitch -Name 'x' -SwitchType Extern",
        "New-VMSwitch -Name 'x' -SwitchType Private -NetAdapterName 'y'",
        "Add-VMHardDiskDrive -VM $m -ControllerType SATA",
        "Set-VMMemory -VM $m -StartupBytes 'x'",
        "Set-VMMemory -VM $m -DynamicMemoryEnabled 1",
        "Get-VM 'x'",
        "Set-VM -VM $m -Name 'x",
        "Get-FileHash -Path 'x'",
        "Get-NetAdapter",
        "Get-NetAdapter -ErrorAction Continue",
        "Get-NetAdapter -ErrorAction Stop -Confirm:$false",
        "New-NetIPAddress -InterfaceIndex 1 -IPAddress '10.0.0.1'",
        "New-NetIPAddress -InterfaceIndex 1 -IPAddress '10.0.0.1' -Confirm:$false",
        "New-NetIPAddress -InterfaceIndex 1 -IPAddress '10.0.0.1' -ErrorAction Stop",
        "Unregister-ScheduledTask -TaskName 'x' -ErrorAction Stop -Confirm",
    ];
    for text in faulty {
        assert!(!known.faults(text).is_empty(), "{text}");
    }
    let good = [
        "New-VM -Name 'x' -NoVHD",
        "New-VMSwitch -Name 'x' -SwitchType Private",
        "Get-VMNetworkAdapter -ManagementOS",
        "Get-NetAdapter -ErrorAction Stop",
        "Get-NetAdapterHardwareInfo -ErrorAction SilentlyContinue",
        "New-NetIPAddress -InterfaceIndex 1 -IPAddress '10.0.0.1' -ErrorAction Stop -Confirm:$false",
    ];
    for text in good {
        assert!(known.faults(text).is_empty(), "{text}: {:?}", known.faults(text));
    }
}

#[test]
fn nothing_of_a_newer_powershell_is_used() {
    let newer = ["??", "?.", "&&", "::new(", "-Generation", "Get-FileHash", ".Where(", ".ForEach("];
    for (name, text) in scripts("2012") {
        let mut kinds = Vec::new();
        let tree = cmdlets::parse(&text);
        for kind in ["class_statement", "enum_statement"] {
            cmdlets::nodes(tree.root_node(), kind, &mut kinds);
        }
        assert!(kinds.is_empty(), "{name} defines a class");
        for word in newer {
            // The sample's own texts hold such words inside literals, so only scripts of the program are looked through.
            assert!(name.starts_with("steps/") || !text.contains(word), "{name} holds {word}");
        }
    }
}
