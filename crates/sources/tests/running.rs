//! A host that runs, read over Windows Remote Management: its files are those of the host, and whoever is not let in, or cannot have
//! something, is told why. That its inventory is the one of its files is shown in `conformance.rs`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod collected_host;
mod running_host;

use std::fs;
use std::time::{Duration, Instant};

use hvm_formats::io::read_whole;
use hvm_model::finding::Subject;
use hvm_model::found::{Found, Problem};
use hvm_model::inventory::Inventory;
use hvm_model::names::WindowsPath;
use hvm_sources::SourceError;
use hvm_testkit::sample::answers::{utf16, write_switches};
use hvm_testkit::sample::{SampleDisk, Variant, ids};
use hvm_winrm::Secret;

use collected_host::told_disks;
use running_host::{PASSWORD, Running};

fn start(variant: Variant) -> Option<Running> {
    Running::start(variant, &[], told_disks)
}

fn problems<'i>(inventory: &'i Inventory, kind: &str) -> Vec<&'i Problem> {
    inventory.problems.iter().filter(|problem| problem.kind == kind).collect()
}

#[test]
fn disks_and_files_are_read_whole() {
    let Some(running) = start(Variant::Default) else { return };
    let source = running.open().unwrap();
    let length = |disk: &&SampleDisk| disk.chain.iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>();
    // The server takes some seconds for each MiB.
    let smallest = |is_chain: bool| {
        let alike = running.host.disks.iter().filter(|disk| (disk.chain.len() > 1) == is_chain);
        alike.min_by_key(length).unwrap()
    };
    for disk in [smallest(false), smallest(true)] {
        let opened = source.open_disk(&WindowsPath::new(&disk.windows_path)).unwrap();
        let mut hasher = blake3::Hasher::new();
        let mut piece = vec![0; 1 << 20];
        for at in (0..opened.size()).step_by(piece.len()) {
            let wanted = (opened.size() - at).min(piece.len() as u64) as usize;
            opened.read_at(at, &mut piece[..wanted]).unwrap();
            hasher.update(&piece[..wanted]);
        }
        assert_eq!(hasher.finalize().to_hex().as_str(), disk.blake3, "{}", disk.windows_path);
    }
    // A link of the host leads where it leads there, and an empty file is one.
    let linked = running.host.machine(ids::FILES.0);
    let through = source.open_file(&WindowsPath::new(&linked.registered_as)).unwrap();
    assert_eq!(through.name(), linked.config_windows_path);
    assert_eq!(read_whole(&*through, 1 << 20).unwrap(), fs::read(&linked.config).unwrap());
    let empty = source.open_file(&WindowsPath::new(r"C:\Windows\System32\config\SYSTEM.LOG2")).unwrap();
    assert_eq!(read_whole(&*empty, 1 << 20).unwrap(), b"");
}

#[test]
fn a_fingerprint_stays_until_something_changes() {
    let Some(running) = start(Variant::Clean) else { return };
    let source = running.open().unwrap();
    let inventory = source.inventory().unwrap();
    let before = source.fingerprint(&inventory).unwrap();
    assert_eq!(running.open().unwrap().fingerprint(&inventory).unwrap(), before);
    let disk = &running.host.disks[0].path;
    let time = fs::metadata(disk).unwrap().modified().unwrap() + Duration::from_secs(60);
    fs::File::options().append(true).open(disk).unwrap().set_modified(time).unwrap();
    assert_ne!(source.fingerprint(&inventory).unwrap(), before);
}

#[test]
fn a_disk_that_a_machine_holds_is_told_by_the_host() {
    let Some(running) = start(Variant::Default) else { return };
    let whole = running.open().unwrap().inventory().unwrap();
    let held = running.host.disks.iter().find(|disk| disk.machine == ids::BOOT.0).unwrap();
    running.files.hold(&held.windows_path);
    let source = running.open().unwrap();
    let inventory = source.inventory().unwrap();
    let [problem] = problems(&inventory, "disk.in-use")[..] else { panic!("{:#?}", inventory.problems) };
    assert!(matches!(&problem.subject, Subject::Disk { machine, .. } if machine.as_str() == ids::BOOT.0));
    assert!(problem.message.contains("is in use on 127.0.0.1") && problem.message.contains(&held.windows_path));
    assert!(problem.hint.contains("shut the virtual machine down"), "{}", problem.hint);
    assert_eq!(inventory.problems.len(), 1);
    let path = WindowsPath::new(&held.windows_path);
    let (told, read) = (inventory.disk(&path).unwrap(), whole.disk(&path).unwrap());
    assert_eq!(told.place.file, r"WMI root\virtualization");
    assert_eq!((&told.format, told.virtual_size), (&read.format, read.virtual_size));
    let error = source.open_disk(&path).err().unwrap().to_string();
    assert!(error.contains("is in use on 127.0.0.1"), "{error}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_told_with_what_the_host_says() {
    let Some(running) = start(Variant::Default) else { return };
    let machine = running.host.machine(ids::MEDIA.0);
    running.files.hold(&machine.config_windows_path);
    let inventory = running.open().unwrap().inventory().unwrap();
    let [problem] = problems(&inventory, "machine.unreadable")[..] else { panic!("{:#?}", inventory.problems) };
    assert!(problem.message.contains(&machine.config_windows_path), "{}", problem.message);
    assert!(problem.message.contains("is in use on 127.0.0.1"), "{}", problem.message);
    assert!(problem.hint.starts_with("Mend on the host"), "{}", problem.hint);
    assert_eq!(inventory.machines.len() + 1, running.host.machines.len());
}

#[test]
fn a_disk_is_told_by_the_second_version_of_the_classes_where_the_first_is_not() {
    let Some(running) = start(Variant::Clean) else { return };
    let wmi = running.recorded.join("wmi");
    fs::rename(wmi.join("root.virtualization"), wmi.join("root.virtualization.v2")).unwrap();
    // The namespace in which the other one is, without classes.
    fs::create_dir(wmi.join("root.virtualization")).unwrap();
    told_by_the_second_version(&running);
}

#[test]
fn of_both_versions_of_the_classes_the_second_tells_a_disk() {
    let Some(running) = start(Variant::Clean) else { return };
    let wmi = running.recorded.join("wmi");
    fs::create_dir(wmi.join("root.virtualization.v2")).unwrap();
    let service = "Msvm_ImageManagementService.xml";
    fs::copy(wmi.join("root.virtualization").join(service), wmi.join("root.virtualization.v2").join(service)).unwrap();
    told_by_the_second_version(&running);
}

/// A disk that a machine holds is a VHDX, which the first version of the classes does not know.
fn told_by_the_second_version(running: &Running) {
    let wmi = running.recorded.join("wmi");
    let disk = &running.host.disks[0];
    let own = |name: &str, value: &str| format!("<PROPERTY NAME=\"{name}\"><VALUE>{value}</VALUE></PROPERTY>");
    let size = (disk.virtual_size).to_string();
    let all = [("Path", disk.windows_path.as_str()), ("Type", "3"), ("Format", "3"), ("MaxInternalSize", &size)];
    let all: String = all.iter().map(|(name, value)| own(name, value)).collect();
    let text = format!("<A><INSTANCE CLASSNAME=\"Msvm_VirtualHardDiskSettingData\">{all}</INSTANCE></A>");
    fs::write(wmi.join("root.virtualization.v2").join("disks.xml"), utf16(&text)).unwrap();
    running.files.hold(&disk.windows_path);
    let inventory = running.open().unwrap().inventory().unwrap();
    assert_eq!(problems(&inventory, "disk.in-use").len(), 1, "{:#?}", inventory.problems);
    let told = inventory.disk(&WindowsPath::new(&disk.windows_path)).unwrap();
    assert_eq!((told.format.as_str(), told.virtual_size.0), ("vhdx-dynamic", disk.virtual_size));
    assert_eq!(told.file_size.0, fs::metadata(&disk.path).unwrap().len());
    assert_eq!(told.place.file, r"WMI root\virtualization\v2");
}

#[test]
fn a_machine_that_runs_is_told_and_others_are_not() {
    let Some(running) = start(Variant::Default) else { return };
    // The host itself is one of them.
    let systems = [(ids::COMPUTER_NAME, 2), (ids::BOOT.0, 2), (ids::FILES.0, 3), (ids::SAVED.0, 32769)];
    let object = |(name, state): &(&str, u32)| {
        format!(
            "<INSTANCE CLASSNAME=\"Msvm_ComputerSystem\"><PROPERTY NAME=\"Name\" TYPE=\"string\"><VALUE>{name}</VALUE></PROPERTY>\
             <PROPERTY NAME=\"EnabledState\" TYPE=\"uint16\"><VALUE>{state}</VALUE></PROPERTY></INSTANCE>"
        )
    };
    let text = format!("<ANSWERS>{}</ANSWERS>", systems.iter().map(object).collect::<String>());
    fs::write(running.recorded.join(r"wmi/root.virtualization/Msvm_ComputerSystem.xml"), utf16(&text)).unwrap();
    let inventory = running.open().unwrap().inventory().unwrap();
    let [problem] = problems(&inventory, "machine.running")[..] else { panic!("{:#?}", inventory.problems) };
    assert!(matches!(&problem.subject, Subject::Machine { name, .. } if name == ids::BOOT.1), "{:?}", problem.subject);
    assert!(problem.message.contains("EnabledState 2") && problem.hint.contains("Shut it down"), "{}", problem.message);
    assert_eq!(inventory.problems.len(), 1);
}

#[test]
fn a_class_and_a_namespace_that_are_not_there() {
    let Some(running) = start(Variant::Default) else { return };
    let v1 = running.recorded.join("wmi").join("root.virtualization");
    fs::remove_file(v1.join("Msvm_BindsTo.xml")).unwrap();
    let inventory = running.open().unwrap().inventory().unwrap();
    let adapter = |inventory: &Inventory| {
        inventory.machine(&ids::FILES.0.parse().unwrap()).unwrap().configuration.adapters[0].clone()
    };
    let Found::Unknown { reason } = adapter(&inventory).vlan else { panic!("the VLAN is known") };
    assert!(reason.contains("2147749904 (0x80041010)") && reason.contains("Invalid class"), "{reason}");
    assert_eq!(adapter(&inventory).mac_spoofing.value(), Some(&true));
    fs::remove_dir_all(v1).unwrap();
    let inventory = running.open().unwrap().inventory().unwrap();
    assert!(matches!(adapter(&inventory).mac_spoofing, Found::Unknown { .. }));
    assert!(inventory.unknowns.iter().any(|unknown| unknown.item.contains("VLAN")));
    assert!(inventory.problems.is_empty(), "{:#?}", inventory.problems);
}

#[test]
fn associations_are_listed_as_a_class_where_they_cannot_be_asked_for_from_an_end() {
    let Some(running) = start(Variant::Clean) else { return };
    let of_ends = running.open().unwrap().inventory().unwrap();
    fs::write(running.recorded.join("no-references"), "").unwrap();
    let of_class = running.open().unwrap().inventory().unwrap();
    assert!(of_class.machines[0].configuration.adapters[0].vlan.value().is_some());
    assert!(of_class == of_ends, "something else is told");
}

#[test]
fn a_key_that_may_not_be_read() {
    let Some(running) = start(Variant::Default) else { return };
    fs::write(running.recorded.join("denied"), r"SOFTWARE\Microsoft\Ole").unwrap();
    let inventory = running.open().unwrap().inventory().unwrap();
    let [problem] = problems(&inventory, "registry.unreadable")[..] else { panic!("{:#?}", inventory.problems) };
    assert!(problem.message.contains(r"'HKLM\SOFTWARE\Microsoft\Ole' cannot be read"), "{}", problem.message);
    assert!(problem.message.contains("access is denied"), "{}", problem.message);
    assert!(problem.hint.contains("Administrators"), "{}", problem.hint);
    let unknown = inventory.unknowns.iter().find(|unknown| unknown.item == "DCOM restrictions").unwrap();
    assert!(unknown.reason.contains("access is denied"), "{}", unknown.reason);
    assert_eq!(inventory.problems.len(), 1);
}

#[test]
fn a_connection_that_breaks_again_and_again_is_mended() {
    let Some(running) = Running::start(Variant::Clean, &["--drop-every", "23"], told_disks) else { return };
    let Some(steady) = start(Variant::Clean) else { return };
    let inventory = running.open().unwrap().inventory().unwrap();
    assert!(inventory.problems.is_empty(), "{:#?}", inventory.problems);
    let mut expected = steady.open().unwrap().inventory().unwrap();
    expected.source = inventory.source.clone();
    assert!(inventory == expected, "something was lost with a connection");
}

#[test]
fn who_is_not_let_in_is_told_at_once() {
    let Some(mut running) = start(Variant::Clean) else { return };
    let open = |uri: &str, password: &str| {
        let password = Some(Secret::new(password.to_owned()));
        hvm_sources::select::open_with(uri, password).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let begun = Instant::now();
    let told = open(&running.uri(), "geheim");
    assert!(told.contains(r"does not accept the user HVOLD\Administrator") && !told.contains("geheim"), "{told}");
    let told = open(&running.uri().replace("transport=http", "transport=ftp"), PASSWORD);
    assert!(told.contains("https, http") && !told.contains("user="), "{told}");
    assert!(matches!(hvm_sources::open(&running.uri()), Err(SourceError::NoPassword { .. })));
    assert_eq!(running.record().matches(PASSWORD).count(), 0);
    running.end();
    let told = open(&running.uri(), PASSWORD);
    assert!(told.contains("There is no connection to"), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(20), "it was tried for {:?}", begun.elapsed());
}

/// Hosts of Windows Server 2012 R2 and later have the second version of the classes alone.
#[test]
fn a_later_host_tells_its_networks() {
    let Some(running) = start(Variant::Default) else { return };
    let networks = |inventory: &Inventory| {
        let switches =
            inventory.switches.iter().map(|switch| (switch.kind.value().copied(), switch.uplink.value().cloned()));
        let adapters = inventory.management_adapters.iter();
        let adapters = adapters.map(|adapter| (adapter.switch.value().cloned(), adapter.vlan.value().cloned()));
        (switches.collect::<Vec<_>>(), adapters.collect::<Vec<_>>())
    };
    let first = networks(&running.open().unwrap().inventory().unwrap());
    let v1 = running.recorded.join("wmi").join("root.virtualization");
    fs::remove_dir_all(&v1).unwrap();
    // The namespace in which the other one is, without classes.
    fs::create_dir(&v1).unwrap();
    write_switches(&running.recorded, Variant::Default).unwrap();
    let inventory = running.open().unwrap().inventory().unwrap();
    assert_eq!(networks(&inventory), first);
    assert!(
        matches!(&inventory.switches[0].kind, Found::Read { place, .. } if place.file == r"WMI root\virtualization\v2")
    );
    assert!(
        running.record().contains("REFERENCES OF {Msvm_LANEndpoint."),
        "associations are asked for from their one end"
    );
}
