use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;
use crate::powershell::{Descriptor, End};

/// A host with a machine in `$vm`, networks, and files to connect.
fn host(release: Release) -> Host {
    let mut host = Host::new(release, &["Ethernet", "Ethernet 2"]);
    host.files.create_folder(r"D:\x");
    for file in ["a.vhd", "b.vhd", "c.iso", "d.vfd", "e.txt"] {
        host.files.write(&format!(r"D:\x\{file}"), vec![0]).unwrap();
    }
    host
}

const START: &str = r"
$vm = New-VM -Name 'one' -MemoryStartupBytes 536870912 -NoVHD -Path 'D:\x'
[void](New-VMSwitch -Name 'lan' -SwitchType Internal -Notes 'n')
[void](New-VMSwitch -Name 'own' -SwitchType Private)
$adapter = Add-VMNetworkAdapter -VM $vm -Name 'nic' -IsLegacy $false -StaticMacAddress '00155D000001' -Passthru
";

const SECOND: &str = r"
$two = New-VM -Name 'two' -MemoryStartupBytes 1073741824 -NoVHD -Path 'D:\x' -Generation 2
";

fn run(release: Release, lines: &str) -> Result<Vec<Value>, Stop> {
    host(release).run_text(&format!("{START}\n{lines}"))
}

#[test]
fn a_new_machine_has_what_nobody_asked_for() {
    let mut host = host(Release::Server2012);
    host.run_text(START).unwrap();
    let machine = &host.state.machines[0];
    assert_eq!((machine.scsi_controllers, machine.adapters.len(), machine.drives.len()), (1, 2, 1));
    assert_eq!(machine.location, r"D:\x\one");
    assert_eq!(machine.services.len(), 5);
    assert_eq!(host.state.management[0].name, "lan");
    let seen = host.run_text("@(Get-NetAdapter | Where-Object { $_.Name -ceq 'vEthernet (lan)' }).Count").unwrap();
    assert_eq!(seen, [Value::Int(0)]);
    host.run_text("Start-Sleep -Seconds 1\nStart-Sleep -Seconds 1").unwrap();
    let seen = host.run_text("@(Get-NetAdapter | Where-Object { $_.Name -ceq 'vEthernet (lan)' }).Count").unwrap();
    assert_eq!(seen, [Value::Int(1)]);
}

#[test]
fn what_is_right_is_done() {
    let right = [
        r"Add-VMHardDiskDrive -VM $vm -ControllerType IDE -ControllerNumber 0 -ControllerLocation 0 -Path 'D:\x\a.vhd'",
        r"Add-VMHardDiskDrive -VM $vm -ControllerType SCSI -ControllerNumber 0 -ControllerLocation 63 -Path 'D:\x\a.vhd'",
        r"Set-VMFloppyDiskDrive -VM $vm -Path 'D:\x\d.vfd'",
        "Connect-VMNetworkAdapter -VMNetworkAdapter $adapter -VMSwitch (Get-VMSwitch -Name 'lan')",
        "Set-VMNetworkAdapterVlan -VMNetworkAdapter $adapter -Trunk -NativeVlanId 1 -AllowedVlanIdList '2-4,9'",
        "Set-VMBios -VM $vm -StartupOrder IDE,CD,Floppy,LegacyNetworkAdapter -EnableNumLock",
        r"Set-VMComPort -VM $vm -Number 2 -Path '\\.\pipe\x'",
        "Remove-VM -VM $vm -Force",
        "Remove-VM -VM $vm -Confirm:$false",
        "Set-VMMemory -VM $vm -DynamicMemoryEnabled $true -MinimumBytes 256mb -StartupBytes 512mb -MaximumBytes 1gb",
    ];
    for lines in right {
        run(Release::Server2012, lines).unwrap_or_else(|stop| panic!("{lines}: {stop:?}"));
    }
}

/// Calls that Windows refuses, with a word of the reason.
const FAULTS: [(&str, &str); 56] = [
    ("New-VM -Name 'x' -Generation 2 -NoVHD", "Generation"),
    ("New-VMSwitch -Name 'x' -SwitchType Internal -Id '11111111-1111-1111-1111-111111111111'", "Id"),
    ("Get-VMFirmware -VM $vm", "Get-VMFirmware"),
    ("Set-VMFirmware -VM $vm -EnableSecureBoot On", "Set-VMFirmware"),
    ("Set-VMHost -EnableEnhancedSessionMode $true", "EnableEnhancedSessionMode"),
    ("Get-FileHash -Path 'x'", "Get-FileHash"),
    ("New-VM -Name 'x' -NoVHD -Path 'D:\\nowhere'", "nowhere"),
    ("New-VM -Name 'a/b' -NoVHD -Path 'D:\\x'", "a/b"),
    ("New-VMSwitch -Name 'x'", "no parameter set"),
    ("New-VMSwitch -Name 'x' -SwitchType External", "Internal or Private"),
    ("New-VMSwitch -Name 'x' -SwitchType Extern", "Extern"),
    ("New-VMSwitch -Name 'x' -SwitchType Private -NetAdapterName 'Ethernet'", "no parameter set"),
    ("New-VMSwitch -Name 'x' -NetAdapterName 'Nowhere'", "Nowhere"),
    (
        "New-VMSwitch -Name 'x' -NetAdapterName 'Ethernet'\nNew-VMSwitch -Name 'y' -NetAdapterName 'Ethernet'",
        "belongs to",
    ),
    ("Remove-VMSwitch -Name 'lan'", "asks"),
    ("Remove-VM -VM $vm", "asks"),
    ("Remove-VM -VM 'one' -Force", "VirtualMachine"),
    ("Remove-VM -VM $vm -Force\nSet-VM -VM $vm -Notes 'x'", "not there any more"),
    ("Start-VM -VM $vm\nRemove-VM -VM $vm -Force", "Running"),
    ("Set-VM -VM $vm -AutomaticStartAction Sometimes", "Sometimes"),
    ("Set-VM -VM $vm -AutomaticStartDelay 'soon'", "soon"),
    ("Set-VM -VM $vm -Nots 'x'", "Nots"),
    ("Set-VM -Notes 'x'", "no parameter set"),
    ("Set-VM -VM $null -Notes 'x'", "converted"),
    ("Get-VM 'one'", "name of its parameter"),
    ("Set-VMMemory -VM $vm -DynamicMemoryEnabled 1", "Boolean"),
    ("Set-VMMemory -VM $vm -StartupBytes 3mb", "32 MiB"),
    ("Set-VMMemory -VM $vm -DynamicMemoryEnabled $true -MinimumBytes 1gb -StartupBytes 512mb", "between"),
    ("Set-VMMemory -VM $vm -DynamicMemoryEnabled $false -MinimumBytes 64mb", "not dynamic"),
    ("Set-VMMemory -VM $vm -Priority 5000", "Priority"),
    ("Set-VMProcessor -VM $vm -Count 65", "Count"),
    ("Set-VMProcessor -VM $vm -Maximum 100000", "Maximum"),
    ("Set-VMProcessor -VM $vm -Maximum 10 -Reserve 20", "reserve"),
    ("Set-VMBios -VM $vm -StartupOrder CD,IDE", "each of the four"),
    ("Set-VMBios -VM $vm -EnableNumLock -DisableNumLock", "Num Lock"),
    ("Set-VMComPort -VM $vm -Number 3 -Path '\\\\.\\pipe\\x'", "Number"),
    ("Set-VMComPort -VM $vm -Number 1 -Path 'COM1'", "COM1"),
    ("Add-VMHardDiskDrive -VM $vm -ControllerType SATA -Path 'D:\\x\\a.vhd'", "SATA"),
    (
        "Add-VMHardDiskDrive -VM $vm -ControllerType SCSI -ControllerNumber 1 -ControllerLocation 0 -Path 'D:\\x\\a.vhd'",
        "has no SCSI controller 1",
    ),
    (
        "Add-VMHardDiskDrive -VM $vm -ControllerType IDE -ControllerNumber 0 -ControllerLocation 2 -Path 'D:\\x\\a.vhd'",
        "place 2",
    ),
    (
        "Add-VMHardDiskDrive -VM $vm -ControllerType IDE -ControllerNumber 1 -ControllerLocation 0 -Path 'D:\\x\\a.vhd'",
        "already has a drive",
    ),
    (
        "Add-VMHardDiskDrive -VM $vm -ControllerType IDE -ControllerNumber 0 -ControllerLocation 0 -Path 'D:\\x\\no.vhd'",
        "not there",
    ),
    (
        "foreach ($n in 0, 1) { Add-VMHardDiskDrive -VM $vm -ControllerType IDE -ControllerNumber 0 -ControllerLocation $n -Path 'D:\\x\\a.vhd' }",
        "already connected",
    ),
    ("Add-VMDvdDrive -VM $vm -ControllerNumber 0 -ControllerLocation 0 -Path 'D:\\x\\e.txt'", ".iso"),
    ("Set-VMFloppyDiskDrive -VM $vm -Path 'D:\\x\\c.iso'", ".vfd"),
    ("Add-VMNetworkAdapter -VM $vm -Name 'x' -SwitchName 'nowhere'", "nowhere"),
    ("Add-VMNetworkAdapter -VM $vm -Name 'x' -StaticMacAddress '00155D000001'", "has the address"),
    ("Add-VMNetworkAdapter -VM $vm -Name 'x' -StaticMacAddress '01005E000001'", "no MAC address"),
    ("Add-VMNetworkAdapter -VM $vm -StaticMacAddress '00155D000002' -DynamicMacAddress", "static and dynamic"),
    ("Add-VMNetworkAdapter -ManagementOS -Name 'x' -SwitchName 'own'", "private"),
    ("Set-VMNetworkAdapterVlan -VMNetworkAdapter $adapter -Access", "missing"),
    ("Set-VMNetworkAdapterVlan -VMNetworkAdapter $adapter -Access -VlanId 4095", "no VLAN"),
    ("Set-VMNetworkAdapterVlan -VMNetworkAdapter $adapter -Untagged -VlanId 7", "does not go with"),
    ("Set-VMNetworkAdapterVlan -VMNetworkAdapter $adapter -Trunk -NativeVlanId 1 -AllowedVlanIdList 'x'", "missing"),
    ("Get-WmiObject -Namespace 'root\\virtualization\\v3' -Class 'X'", "namespace"),
    ("$vm.Nme", "Nme"),
];

#[test]
fn what_is_wrong_is_refused() {
    for (lines, word) in FAULTS {
        match run(Release::Server2012, lines) {
            Err(Stop::Throw(message) | Stop::Fault(message)) => assert!(message.contains(word), "{lines}: {message}"),
            other => panic!("{lines}: {other:?}"),
        }
    }
}

#[test]
fn releases_differ() {
    for release in Release::ALL {
        let second = run(release, SECOND).is_ok();
        assert_eq!(second, release >= Release::Server2012R2, "{release:?}");
        let id = "New-VMSwitch -Name 'x' -SwitchType Internal -Id '11111111-1111-1111-1111-111111111111'";
        assert_eq!(run(release, id).is_ok(), release >= Release::Server2016, "{release:?}");
        let template = format!("{SECOND}\nSet-VMFirmware -VM $two -SecureBootTemplate 'MicrosoftWindows'");
        assert_eq!(run(release, &template).is_ok(), release >= Release::Server2016, "{release:?}");
        let template = template_call("-SecureBootTemplateId '272e7447-90a4-4563-a4b9-8e4ab00526ce'");
        assert_eq!(run(release, &template).is_ok(), release >= Release::Server2016, "{release:?}");
        let nested = "Set-VMProcessor -VM $vm -ExposeVirtualizationExtensions $true";
        assert_eq!(run(release, nested).is_ok(), release >= Release::Server2016, "{release:?}");
        let old = run(release, "Get-WmiObject -Namespace 'root\\virtualization' -Class 'X'");
        assert_eq!(matches!(old, Err(Stop::Fault(_))), release == Release::Server2012, "{release:?}: {old:?}");
    }
}

fn template_call(parameters: &str) -> String {
    format!("{SECOND}\nSet-VMFirmware -VM $two {parameters}")
}

#[test]
fn templates_of_secure_boot_are_those_that_there_are() {
    let authority = "272E7447-90A4-4563-A4B9-8E4AB00526CE";
    let faults = [
        "-SecureBootTemplate 'Linux'".to_owned(),
        "-SecureBootTemplateId 'MicrosoftWindows'".to_owned(),
        "-SecureBootTemplateId '272E7447-90A4-4563-A4B9-8E4AB00526CF'".to_owned(),
        format!("-SecureBootTemplate 'MicrosoftWindows' -SecureBootTemplateId '{authority}'"),
    ];
    for parameters in faults {
        let result = run(Release::Server2019, &template_call(&parameters));
        assert!(matches!(result, Err(Stop::Throw(_))), "{parameters}: {result:?}");
    }
    let by_name = template_call("-SecureBootTemplate 'MicrosoftUEFICertificateAuthority'");
    let mut host = host(Release::Server2019);
    host.run_text(&format!("{START}\n{by_name}")).unwrap();
    assert_eq!(host.state.machines[1].secure_boot_template, authority);
    host.state.machines[1].tpm = true;
    let two = "$two = Get-VM -Name 'two'\nSet-VMFirmware -VM $two";
    // With a virtual TPM none, not even the one that it has.
    for template in
        [format!("-SecureBootTemplateId '{authority}'"), "-SecureBootTemplate 'MicrosoftWindows'".to_owned()]
    {
        let refused = host.run_text(&format!("{two} {template}"));
        assert!(matches!(refused, Err(Stop::Throw(_))), "{refused:?}");
    }
}

#[test]
fn generation_2_has_no_old_devices() {
    let faults = [
        "Get-VMFloppyDiskDrive -VM $two",
        "Set-VMBios -VM $two -EnableNumLock",
        r"Set-VMFloppyDiskDrive -VM $two -Path 'D:\x\d.vfd'",
        r"Add-VMHardDiskDrive -VM $two -ControllerType IDE -ControllerNumber 0 -ControllerLocation 0 -Path 'D:\x\a.vhd'",
        "Add-VMNetworkAdapter -VM $two -IsLegacy $true",
        "Set-VMFirmware -VM $vm -EnableSecureBoot Off",
    ];
    for lines in faults {
        let result = run(Release::Server2025, &format!("{SECOND}\n{lines}"));
        assert!(matches!(result, Err(Stop::Throw(_))), "{lines}: {result:?}");
    }
    let right = r"Add-VMHardDiskDrive -VM $two -ControllerType SCSI -ControllerNumber 0 -ControllerLocation 0 -Path 'D:\x\a.vhd'
        Set-VMFirmware -VM $two -EnableSecureBoot Off -FirstBootDevice @(Get-VMHardDiskDrive -VM $two)[0]";
    run(Release::Server2025, &format!("{SECOND}\n{right}")).unwrap();
}

#[test]
fn what_if_changes_nothing_and_a_cut_ends_everything() {
    let mut host = host(Release::Server2012);
    host.run_text(START).unwrap();
    let before = host.state.clone();
    host.run_text("Remove-VM -Name 'one' -WhatIf\n$WhatIfPreference = $true\nSet-VM -Name 'one' -Notes 'x'").unwrap();
    assert_eq!(host.state, before);
    host.cut_at(host.changes() + 1);
    let lines = "try { Set-VM -Name 'one' -Notes 'a'\nSet-VM -Name 'one' -Notes 'b' } catch { 1 } finally { Set-VM -Name 'one' -Notes 'c' }";
    assert_eq!(host.run_text(lines), Err(Stop::Cut));
    assert_eq!(host.state.machines[0].notes, "a");
}

#[test]
fn scripts_are_read_as_windows_reads_them() {
    let mut host = host(Release::Server2012);
    let mut run = |text: &str| {
        host.files.write(r"D:\x\s.ps1", text.as_bytes().to_vec()).unwrap();
        host.run(r"D:\x\s.ps1", &[]).end
    };
    assert_eq!(run("exit 4"), End::Code(4));
    assert_eq!(run("\u{feff}Write-Output -InputObject 'ü'"), End::Code(0));
    assert!(matches!(run("Write-Output -InputObject 'ü'"), End::Fault(message) if message.contains("byte order mark")));
    assert!(matches!(run("throw 'x'"), End::Error(message) if message == "x"));
}

#[test]
fn accounts_are_translated_and_files_of_bytes_are_whole_or_half() {
    let mut host = host(Release::Server2012);
    let name = |sid: &str| {
        format!(
            "$sid = New-Object -TypeName System.Security.Principal.SecurityIdentifier -ArgumentList '{sid}'\n\
             $sid.Translate([System.Security.Principal.NTAccount]).Value"
        )
    };
    assert_eq!(host.run_text(&name("S-1-1-0")), Ok(vec![Value::from("Jeder")]));
    let unknown = host.run_text(&name("S-1-5-21-9-9-9-9"));
    assert!(matches!(unknown, Err(Stop::Throw(_))), "{unknown:?}");
    let write = r"[System.IO.File]::WriteAllBytes('D:\x\n', [byte[]]@(1, 2, 3, 4))";
    let read = r"[System.BitConverter]::ToString([System.IO.File]::ReadAllBytes('D:\x\n'))";
    host.run_text(write).unwrap();
    assert_eq!(host.run_text(read), Ok(vec![Value::from("01-02-03-04")]));
    let there = host.run_text(r"[System.IO.File]::Move('D:\x\n', 'D:\x\e.txt')");
    assert!(matches!(there, Err(Stop::Throw(_))), "{there:?}");
    host.run_text(r"[System.IO.File]::Move('D:\x\n', 'D:\x\m')").unwrap();
    assert!(host.files.read(r"D:\x\n").is_none());
    assert_eq!(host.files.read(r"D:\x\m"), Some([1, 2, 3, 4].as_slice()));
    let text = host.run_text(r"[System.IO.File]::WriteAllBytes('D:\x\n', @(1, 2))");
    assert!(matches!(text, Err(Stop::Fault(_))), "{text:?}");
    host.cut_at(host.changes());
    assert_eq!(host.run_text(write), Err(Stop::Cut));
    assert_eq!(host.files.read(r"D:\x\n"), Some([1, 2].as_slice()));
}

#[test]
fn limits_of_dcom_are_written_on_a_new_host() {
    for release in Release::ALL {
        let mut host = host(release);
        let lines = r"$key = Get-Item -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Ole'
            foreach ($name in 'MachineAccessRestriction', 'MachineLaunchRestriction') {
                $parts = @(([byte[]]$key.GetValue($name, $null)), 0)
                $limit = New-Object -TypeName System.Security.AccessControl.RawSecurityDescriptor -ArgumentList $parts
                '{0} {1} {2}' -f $limit.DiscretionaryAcl.Count, $limit.DiscretionaryAcl[0].SecurityIdentifier, $limit.Owner
            }";
        let found = host.run_text(lines);
        let wanted = ["6 S-1-1-0 S-1-5-32-544", "6 S-1-5-32-544 S-1-5-32-544"].map(Value::from);
        assert_eq!(found, Ok(wanted.to_vec()));
    }
}

/// The tables of the documentation; they lie beside the repository or where the variable says.
fn tables() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let folder = std::env::var_os("HVM_SAMPLES").map_or(beside, PathBuf::from).join("cmdlets");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: the commands of the model cannot be compared, there is no {}", folder.display());
    None
}

#[test]
fn the_commands_are_those_of_the_documentation() {
    let Some(folder) = tables() else { return };
    for release in Release::ALL {
        let bytes = std::fs::read(folder.join(format!("{}.compact.json", release.name()))).unwrap();
        let table: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let commands = signature::commands(release);
        for name in computer::names() {
            let Some(cmdlet) = table.get(name) else { continue };
            let own = commands.get(&name.to_lowercase()).unwrap_or_else(|| panic!("{name} is not in {release:?}"));
            let sets = cmdlet["s"].as_object().unwrap().values();
            let sets: Vec<BTreeSet<String>> = sets.map(entries).collect();
            for set in &own.sets {
                let mut wanted: BTreeSet<String> = set.iter().map(entry).collect();
                if name == "New-VMSwitch" {
                    wanted.remove("Id:Guid");
                }
                let mandatory = |set: &BTreeSet<String>| set.iter().filter(|entry| entry.starts_with('!')).count();
                let fits =
                    |known: &BTreeSet<String>| known.is_superset(&wanted) && mandatory(known) == mandatory(&wanted);
                assert!(sets.iter().any(fits), "{name} in {release:?}: {wanted:?}");
            }
            let is_function = cmdlet["m"].as_str().is_some_and(|module| FUNCTION_MODULES.contains(&module));
            assert_eq!(own.is_function, is_function, "{name} in {release:?}");
            let confirms = sets.iter().any(|set| set.contains("Confirm:Switch"));
            assert!(!is_function || own.should_process == confirms, "{name} in {release:?}");
        }
        for own in commands.values().filter(|own| own.name.contains("-VM")) {
            assert!(table.get(&own.name).is_some(), "{} in {release:?}", own.name);
        }
    }
}

fn entries(set: &serde_json::Value) -> BTreeSet<String> {
    let plain = |text: &str| {
        let (name, kind) = text.split_once(':').unwrap_or((text, "Switch"));
        format!("{}:{kind}", name.split('@').next().unwrap())
    };
    set.as_array().unwrap().iter().map(|entry| plain(entry.as_str().unwrap())).collect()
}

fn entry(accepted: &crate::powershell::Accepted) -> String {
    format!("{}{}:{}", if accepted.mandatory { "!" } else { "" }, accepted.name, accepted.kind)
}

#[test]
fn every_command_is_done_and_every_one_that_is_done_is_told() {
    let names: BTreeSet<String> = computer::names().into_iter().map(str::to_lowercase).collect();
    let told: BTreeSet<String> = Release::ALL
        .into_iter()
        .flat_map(|release| signature::commands(release).into_keys().collect::<Vec<_>>())
        .collect();
    assert_eq!(names, told);
}

#[test]
fn folders_have_the_security_that_they_are_made_with() {
    let closed = "O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
    let make = |path: &str| {
        format!(
            "$security = New-Object -TypeName System.Security.AccessControl.DirectorySecurity\n\
             $security.SetSecurityDescriptorSddlForm('{closed}')\n\
             [void][System.IO.Directory]::CreateDirectory('{path}', $security)"
        )
    };
    let mut host = host(Release::Server2012);
    let before = host.files.security(r"D:\x").cloned();
    host.run_text(&make(r"D:\x\a\b")).unwrap();
    let closed = Descriptor::of_sddl(closed).unwrap();
    for path in [r"D:\x\a", r"D:\X\A\B"] {
        assert_eq!(host.files.security(path), Some(&closed), "{path}");
    }
    // One that is there stays as it is.
    host.run_text(&make(r"D:\x")).unwrap();
    assert_eq!(host.files.security(r"D:\x").cloned(), before);
    let read = "$bytes = [System.IO.Directory]::GetAccessControl('D:\\x\\a').GetSecurityDescriptorBinaryForm()\n\
                $parts = @($bytes, 0)\n\
                $found = New-Object -TypeName System.Security.AccessControl.RawSecurityDescriptor -ArgumentList $parts\n\
                $found.Owner.Value; [int]$found.ControlFlags; $found.DiscretionaryAcl.Count";
    let seen = host.run_text(read).unwrap();
    assert_eq!(seen, [Value::from("S-1-5-32-544"), Value::Int(0x9004), Value::Int(2)]);
    let attributes =
        host.run_text(r"[System.IO.File]::GetAttributes('D:\x') -band [System.IO.FileAttributes]::ReparsePoint");
    assert_eq!(attributes.unwrap(), [Value::Int(0)]);
    host.files.make_link(r"D:\x");
    let attributes =
        host.run_text(r"[System.IO.File]::GetAttributes('D:\x') -band [System.IO.FileAttributes]::ReparsePoint");
    assert_eq!(attributes.unwrap(), [Value::Int(0x400)]);
}

#[test]
fn what_is_not_known_of_the_security_of_folders_is_a_fault() {
    let security = "$security = New-Object -TypeName System.Security.AccessControl.DirectorySecurity\n";
    for line in [
        "$security.AddAccessRule($null)",
        "$security.Access",
        "$security.GetSecurityDescriptorBinaryForm()",
        "$security.SetSecurityDescriptorSddlForm('D:P')",
        "$security.SetSecurityDescriptorSddlForm('O:BAG:BAD:(OA;;FA;;;SY)')",
        r"[void][System.IO.Directory]::CreateDirectory('D:\y', $security)",
        r"[System.IO.Directory]::SetAccessControl('D:\x', $security)",
        r"[void][System.IO.Directory]::CreateDirectory('D:\y', 'O:BA')",
    ] {
        let result = host(Release::Server2012).run_text(&format!("{security}{line}"));
        assert!(matches!(result, Err(Stop::Fault(_))), "{line}: {result:?}");
    }
    for line in [
        "$security.SetSecurityDescriptorSddlForm('O:BAG:BAD:(A;;FA;;SY)')",
        r"[void][System.IO.Directory]::GetAccessControl('D:\nowhere')",
        r"[System.IO.File]::GetAttributes('D:\nowhere')",
        r"[System.IO.Directory]::Delete('D:\nowhere')",
    ] {
        let result = host(Release::Server2012).run_text(&format!("{security}{line}"));
        assert!(matches!(result, Err(Stop::Throw(_))), "{line}: {result:?}");
    }
}

/// A configuration of a machine that has a network and a disk of another host.
fn foreign(host: &mut Host, id: &str, version: i64) -> String {
    let mut xml = crate::vmxml::MachineXml::new(id, "own");
    xml.version = version;
    let media = crate::vmxml::Media::Vhd(r"E:\a.vhd".to_owned());
    xml.drives = vec![crate::vmxml::Drive { slot: crate::vmxml::DriveSlot::Ide(0, 0), media }];
    xml.nics = vec![crate::vmxml::Nic {
        kind: crate::vmxml::NicKind::Synthetic,
        instance: "EEEEEEEE-0000-4000-8000-000000000001".to_owned(),
        name: "nic".to_owned(),
        mac: "00-15-5D-01-07-E8".to_owned(),
        mac_is_static: true,
        connection: Some(("99999999-AAAA-4000-8000-000000000009".to_owned(), "P".to_owned())),
    }];
    host.files.create_folder(r"D:\x\own\Virtual Machines");
    let path = format!(r"D:\x\own\Virtual Machines\{id}.xml");
    host.files.write(&path, xml.to_bytes()).unwrap();
    path
}

const FOREIGN: &str = "AAAAAAAA-0000-4000-8000-000000000005";

/// As in the example of `Import-VM`: what the report names is set right by its source.
#[test]
fn a_configuration_is_compared_set_right_and_imported() {
    for (release, version) in
        [(Release::Server2012, 0x400), (Release::Server2012R2, 0x500), (Release::Server2019, 0x500)]
    {
        let mut host = host(release);
        let path = foreign(&mut host, FOREIGN, version);
        let compared = host.run_text(&format!(
            "$report = Compare-VM -Path '{path}' -Register
             $report.Incompatibilities | ForEach-Object {{ $_.MessageId }}
             $network = @($report.Incompatibilities | Where-Object {{ $_.MessageId -eq 33012 }})[0]
             Disconnect-VMNetworkAdapter -VMNetworkAdapter $network.Source
             Set-VMHardDiskDrive -VMHardDiskDrive @(Get-VMHardDiskDrive -VM $report.VM)[0] -Path 'D:\\x\\a.vhd'
             @(Get-VM).Count
             $report = Compare-VM -CompatibilityReport $report
             $null -eq $report.Incompatibilities
             (Import-VM -CompatibilityReport $report).Name
             @(Get-VM).Count"
        ));
        let wanted = [33_012, 0, 0].map(Value::Int).into_iter();
        let wanted = wanted.chain([Value::Bool(true), Value::from("own"), Value::Int(1)]);
        assert_eq!(compared, Ok(wanted.collect::<Vec<Value>>()));
        let machine = &host.state.machines[0];
        assert_eq!((machine.id.as_str(), machine.location.as_str()), (FOREIGN, r"D:\x\own"));
        host.run_text("Remove-VM -Name 'own' -Force").unwrap();
        assert!(host.files.read(&path).is_none(), "Hyper-V removes the configuration with its machine");
    }
}

#[test]
fn what_does_not_go_with_configurations_and_planned_machines_is_refused() {
    let compare = |path: &str| format!("$report = Compare-VM -Path '{path}' -Register\n");
    let planned = [
        "Add-VMDvdDrive -VM $report.VM -ControllerNumber 1 -ControllerLocation 1",
        "Start-VM -VM $report.VM",
        "Set-VM -VM $report.VM -NewVMName 'x'",
        "Import-VM -CompatibilityReport $report",
        "Get-VM -Name 'own'",
    ];
    for lines in planned {
        let mut host = host(Release::Server2019);
        let path = foreign(&mut host, FOREIGN, 0x500);
        assert!(host.run_text(&(compare(&path) + lines)).is_err(), "{lines}");
    }
    for (release, version) in [(Release::Server2012, 0x500), (Release::Server2016, 0x400), (Release::Server2022, 0x500)]
    {
        let mut host = host(release);
        let path = foreign(&mut host, FOREIGN, version);
        assert!(
            matches!(host.run_text(&compare(&path)), Err(Stop::Throw(message)) if message.contains("not supported"))
        );
    }
    let mut host = host(Release::Server2019);
    let path = foreign(&mut host, FOREIGN, 0x500);
    host.run_text(&compare(&path)).unwrap();
    let twice = host.run_text(&compare(&path));
    assert!(matches!(&twice, Err(Stop::Throw(message)) if message.contains("already")), "{twice:?}");
    host.files.write(&path, b"no configuration".to_vec()).unwrap();
    host.state.machines.clear();
    assert!(matches!(host.run_text(&compare(&path)), Err(Stop::Throw(_))));
}

#[test]
fn a_serial_port_is_changed_by_the_class_of_its_release() {
    let change = |class: &str, id: &str| {
        format!(
            r#"Set-VMComPort -VM $vm -Number 2 -Path '\\.\pipe\x'
$id = {id}
$port = Get-WmiObject -Namespace 'root\virtualization\v2' -Query "SELECT * FROM {class} WHERE InstanceID = '$id'"
$port.Connection = @('')
$service = Get-WmiObject -Namespace 'root\virtualization\v2' -Class 'Msvm_VirtualSystemManagementService'
$service.ModifyResourceSettings(@($port.GetText([System.Management.TextFormat]::WmiDtd20))).ReturnValue
(Get-VMComPort -VM $vm -Number 2).Path"#
        )
    };
    let (plain, doubled) =
        ("(Get-VMComPort -VM $vm -Number 2).Id", "(Get-VMComPort -VM $vm -Number 2).Id.Replace('\\', '\\\\')");
    let classes = ["Msvm_ResourceAllocationSettingData", "Msvm_SerialPortSettingData"];
    for release in [Release::Server2012, Release::Server2012R2, Release::Server2016, Release::Server2025] {
        let own = usize::from(release >= Release::Server2016);
        let found = run(release, &change(classes[own], doubled)).unwrap();
        assert_eq!(found, [Value::number(0), Value::from("")], "{release:?}");
        // The other class has no such port, or is not there at all, and a query wants each backslash twice.
        assert!(run(release, &change(classes[1 - own], doubled)).is_err());
        assert!(run(release, &change(classes[own], plain)).is_err());
    }
}
