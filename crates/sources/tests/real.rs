#![allow(clippy::unwrap_used, missing_docs)]
//! Real files of Windows, where they are at hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hvm_model::found::Found;
use hvm_model::host::WindowsRelease;
use hvm_model::inventory::Inventory;
use hvm_model::vm::{AdapterKind, Connection, Controller, IntegrationService, MachineState, Media};

fn sample(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let folder = std::env::var_os("HVM_SAMPLES").map_or(beside, PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: '{}' is missing (set HVM_SAMPLES)", path.display());
    None
}

struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let host = Host { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(host.config()).unwrap();
        fs::create_dir_all(host.machines()).unwrap();
        host
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("C/Windows/System32/config")
    }

    fn machines(&self) -> PathBuf {
        self.folder.path().join("C/ProgramData/Microsoft/Windows/Hyper-V/Virtual Machines")
    }

    fn read(&self) -> Inventory {
        let source = hvm_sources::open(&format!("folder:{}", self.folder.path().display())).unwrap();
        source.inventory().unwrap()
    }
}

#[test]
fn a_machine_of_2012_r2_is_read() {
    let id = "D351C151-DAC7-4042-B434-B72D522C1E4A";
    let Some(path) = sample(&format!("vm-config/{id}.xml")) else { return };
    let host = Host::new();
    fs::copy(path, host.machines().join(format!("{id}.xml"))).unwrap();
    let inventory = host.read();
    let machine = inventory.machine(&id.parse().unwrap()).unwrap();
    assert_eq!((machine.generation, machine.version), (2, Some((5, 0))));
    assert!(machine.configuration.firmware.boot_order.is_empty(), "it is written and not used");
    assert_eq!(machine.unknown_nodes, Vec::<String>::new());
    let [drive] = machine.configuration.drives.as_slice() else { panic!("{:?}", machine.configuration.drives) };
    assert_eq!((drive.controller, drive.number, drive.slot), (Controller::Scsi, 0, 0));
    assert!(matches!(&drive.media, Media::VirtualDisk { path } if path.file_name() == "Default Generation 2.vhdx"));
    let [adapter] = machine.configuration.adapters.as_slice() else { panic!("one adapter") };
    assert_eq!((adapter.kind, &adapter.connection), (AdapterKind::Synthetic, &Connection::None));
    assert_eq!(machine.configuration.disabled_integration_services, [IntegrationService::GuestServices]);
    assert_eq!(machine.owner.as_deref(), Some("S-1-5-21-3619263991-2333674034-4017385177-500"));
    let missing: Vec<&str> = inventory.problems.iter().map(|problem| problem.kind.as_str()).collect();
    assert_eq!(missing, ["hive.missing", "hive.missing", "authorization.unreadable", "disk.missing"]);
    // The same file with guest services on.
    let file = host.machines().join(format!("{id}.xml"));
    let bytes = fs::read(&file).unwrap();
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    let text = String::from_utf16(&units).unwrap();
    let (before, after) = text.split_at(text.find("<_6c09bb55-d683-4da0-8931-c9bf705f6480_>").unwrap());
    let on = format!("{before}{}", after.replacen("False", "True", 1));
    fs::write(&file, on.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    let inventory = host.read();
    let machine = inventory.machine(&id.parse().unwrap()).unwrap();
    assert!(machine.configuration.guest_services);
    assert_eq!(machine.configuration.disabled_integration_services, []);
}

/// A configuration of version 9.0 and the list of machines of its host, whose other three machines are not at hand.
#[test]
fn a_machine_of_2019_is_read() {
    let id = "EC04F346-DB96-4700-AF5B-77B3C56C38BD";
    let (Some(path), Some(list)) = (sample(&format!("vm-config/{id}.vmcx")), sample("vm-config/data.vmcx")) else {
        return;
    };
    let host = Host::new();
    fs::copy(list, host.machines().parent().unwrap().join("data.vmcx")).unwrap();
    let place = host.folder.path().join("C/Hyper-V/EasyToFind/Virtual Machines");
    fs::create_dir_all(&place).unwrap();
    fs::copy(path, place.join(format!("{id}.vmcx"))).unwrap();
    let inventory = host.read();
    let [machine] = inventory.machines.as_slice() else { panic!("one machine") };
    assert_eq!((machine.id.as_str(), machine.name.as_str()), (id, "Default Generation 1"));
    assert_eq!((machine.generation, machine.version), (1, Some((9, 0))));
    assert_eq!(machine.unknown_nodes, Vec::<String>::new());
    assert_eq!(machine.state, MachineState::Off);
    let configuration = &machine.configuration;
    assert_eq!((configuration.memory.startup_mib, configuration.memory.minimum_mib), (1024, 512));
    assert_eq!((configuration.processors.count, configuration.scsi_controllers), (1, 1));
    let [disk, dvd] = configuration.drives.as_slice() else { panic!("{:?}", configuration.drives) };
    assert!(
        matches!(&disk.media, Media::VirtualDisk { path } if path.as_str() == r"C:\Disks\Default Generation 1.vhdx")
    );
    assert_eq!((&dvd.media, dvd.number, dvd.slot), (&Media::EmptyDvd, 1, 0));
    let [adapter] = configuration.adapters.as_slice() else { panic!("one adapter") };
    assert_eq!((adapter.kind, &adapter.connection), (AdapterKind::Synthetic, &Connection::None));
    assert_eq!(configuration.disabled_integration_services, [IntegrationService::GuestServices]);
    assert_eq!(machine.owner.as_deref(), Some("S-1-5-21-192049584-1592831608-3625694886-500"));
    let mut kinds: Vec<&str> = inventory.problems.iter().map(|problem| problem.kind.as_str()).collect();
    kinds.retain(|kind| kind.starts_with("machine.") || kind.starts_with("disk."));
    assert_eq!(kinds, ["machine.unreadable", "machine.unreadable", "machine.unreadable", "disk.missing"]);
}

#[test]
fn the_system_hive_of_a_real_windows_7_is_read() {
    let Some(path) = sample("registry/SYSTEM.xz") else { return };
    let Ok(output) = Command::new("xz").args(["-dc"]).arg(&path).output() else {
        eprintln!("SKIPPED: no xz");
        return;
    };
    let host = Host::new();
    fs::write(host.config().join("SYSTEM"), output.stdout).unwrap();
    let inventory = host.read();
    let system = &inventory.host;
    assert!(matches!(system.hyper_v_installed, Found::Read { value: false, .. }));
    assert_eq!(system.system.ui_language.value().map(String::as_str), Some("0409"));
    assert!(system.other_roles.is_empty(), "{:?}", system.other_roles);
    assert_eq!(system.system.release.value(), None::<&WindowsRelease>, "there is no SOFTWARE hive");
    assert!(system.firewall.changes.is_empty(), "{:?}", system.firewall.changes);
    assert!(!inventory.adapters.is_empty() && inventory.management_adapters.is_empty());
    assert!(inventory.adapters.iter().all(|adapter| !adapter.connection.is_empty() && !adapter.bound_to_switch));
    let kinds: Vec<&str> = inventory.problems.iter().map(|problem| problem.kind.as_str()).collect();
    assert!(kinds.iter().all(|kind| kind.starts_with("hive.") || kind.starts_with("authorization.")), "{kinds:?}");
}
