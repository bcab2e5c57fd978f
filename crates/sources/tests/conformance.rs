//! One host, reached in every way that there is: as folders, as the disks of a dead server, as a collection, and while it runs. All
//! give the same inventory, but for what is listed here for each way.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod collected_host;
mod dead_host;
mod running_host;
mod shared_host;

use std::collections::BTreeSet;
use std::path::Path;

use hvm_model::inventory::Inventory;
use hvm_testkit::sample::{self, SampleMachine, Variant, answers};
use serde_json::Value;

use collected_host::{collection, read, told_disks};
use running_host::{Running, python};
use shared_host::Shared;

/// What only the host itself tells, and files do not.
const TOLD_BY_THE_HOST: [&str; 18] = [
    "/adapters/*/mac",
    "/host/memory",
    "/host/remote_administration/dcom_users",
    "/host/remote_administration/wmi_namespaces",
    "/host/settings/numa_spanning",
    "/host/volumes",
    "/machines/*/checkpoints/*/configuration/adapters/*/mac_spoofing",
    "/machines/*/checkpoints/*/configuration/adapters/*/port_settings",
    "/machines/*/checkpoints/*/configuration/adapters/*/vlan",
    "/machines/*/configuration/adapters/*/mac_spoofing",
    "/machines/*/configuration/adapters/*/port_settings",
    "/machines/*/configuration/adapters/*/vlan",
    "/management_adapters/*/mac",
    "/management_adapters/*/switch",
    "/management_adapters/*/vlan",
    "/switches/*/kind",
    "/switches/*/uplink",
    "/unknowns",
];

/// What shares alone leave open.
const HIDDEN_BY_SHARES: [&str; 1] = ["/unknowns"];

/// What a collection has not, since the content of disks is not taken.
const TOLD_BY_DISKS: [&str; 6] = [
    "/disks/*/allocated",
    "/disks/*/geometry_size",
    "/disks/*/place/at",
    "/disks/*/place/file",
    "/disks/*/unique_id",
    "/problems",
];

/// The inventory without how it was reached; places in the registry are those of a hive or of a host.
fn normal(inventory: &Inventory) -> Value {
    let mut json = serde_json::to_value(inventory).unwrap();
    json.as_object_mut().unwrap().remove("source");
    plain(&mut json);
    json
}

fn plain(value: &mut Value) {
    match value {
        Value::String(text) => {
            for hive in [r"C:\Windows\System32\config\SYSTEM", r"C:\Windows\System32\config\SOFTWARE"] {
                *text = text.replace(hive, "the registry of 127.0.0.1");
            }
            if text.contains(r"HKLM\") {
                // A key is spelt as it is written in a hive, and as it was asked for on a host.
                *text = text.replace("ControlSet001", "CurrentControlSet").to_lowercase();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        Value::Object(items) => items.values_mut().for_each(plain),
        _ => {}
    }
}

/// Places in which two inventories differ; a value that knows whether it was read is one place.
fn differences(one: &Value, other: &Value, path: &str, found: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (a, b) in a.iter().zip(b) {
                differences(a, b, &format!("{path}/*"), found);
            }
        }
        (Value::Object(a), Value::Object(b)) if a.get("known").is_none() && b.get("known").is_none() => {
            for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                differences(&one[key], &other[key], &format!("{path}/{key}"), found);
            }
        }
        _ if one == other => {}
        _ => drop(found.insert(path.to_owned())),
    }
}

fn between(one: &Inventory, other: &Inventory) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    differences(&normal(one), &normal(other), "", &mut found);
    found
}

fn listed(places: &[&str]) -> BTreeSet<String> {
    places.iter().map(|place| (*place).to_owned()).collect()
}

/// The sample host as folders, with what it answered.
fn whole(folder: &Path, variant: Variant) -> Inventory {
    sample::write(folder, variant).unwrap();
    answers::write(folder, variant).unwrap();
    read(folder)
}

#[test]
fn folders_alone_and_the_disks_of_a_dead_server() {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole(&folder.path().join("whole"), Variant::Default);
    let files = folder.path().join("files");
    sample::write(&files, Variant::Default).unwrap();
    assert_eq!(between(&read(&files), &whole), listed(&TOLD_BY_THE_HOST));
    if !dead_host::can_make() {
        return;
    }
    let disks = dead_host::disks(folder.path(), &files, |_| {});
    let uri = format!("image:{},{}", disks[0].display(), disks[1].display());
    let image = hvm_sources::open(&uri).unwrap().inventory().unwrap();
    assert_eq!(between(&image, &whole), listed(&TOLD_BY_THE_HOST));
}

#[test]
fn a_collection() {
    let (_folder, whole, out) = collection();
    assert_eq!(between(&read(&out), &whole), listed(&TOLD_BY_DISKS));
}

#[test]
fn a_host_that_runs() {
    for variant in [
        Variant::Default,
        Variant::HyperVServer,
        Variant::Source2012,
        Variant::Cluster,
        Variant::TruncatedVhd,
        Variant::MissingParent,
        Variant::UnknownXmlNode,
        Variant::TwoMachinesOneId,
    ] {
        let Some(running) = Running::start(variant, &[], told_disks) else { return };
        let folder = tempfile::tempdir().unwrap();
        let whole = whole(folder.path(), variant);
        let source = running.open().unwrap();
        assert_eq!((source.describe().reach.as_str(), source.describe().layout.as_str()), ("winrm", "role"));
        assert_eq!(between(&source.inventory().unwrap(), &whole), BTreeSet::new(), "{variant:?}");
    }
}

/// The shares of a host that runs take the place of PowerShell, which a host of 2008 may not have.
#[test]
fn the_files_of_a_host_that_runs_come_from_its_shares() {
    for variant in [Variant::Default, Variant::Source2012] {
        let Some(shared) = Shared::start(variant, "") else { return };
        let Some(running) = Running::start(variant, &[], told_disks) else { return };
        answers::write(&shared.folder, variant).unwrap();
        let source = running.open_files(&format!("smb:{}", shared.samba.port)).unwrap();
        let said = source.describe();
        assert_eq!((said.reach.as_str(), said.layout.as_str()), ("winrm", "role"));
        assert_eq!(said.drives[0], ("C:".to_owned(), r"\\127.0.0.1\C$".to_owned()));
        assert_eq!(between(&source.inventory().unwrap(), &read(&shared.folder)), BTreeSet::new(), "{variant:?}");
        let unmapped = source.open_file(&hvm_model::names::WindowsPath::new(r"F:\x")).err().unwrap().to_string();
        assert!(unmapped.contains("add its share, such as 'files=smb/F=SHARE'"), "{unmapped}");
        drop(source);
        assert!(!running.record().contains("creationXml"), "no pool of PowerShell was opened");
    }
}

/// Without being told so only where they are those of its own drives: another computer may answer at that port.
#[test]
fn the_shares_of_another_host_are_not_taken_for_those_of_one_that_runs() {
    let Some(mut shared) = Shared::start(Variant::Default, "") else { return };
    let Some(running) = Running::start(Variant::Default, &[], told_disks) else { return };
    let best = format!("auto:{}", shared.samba.port);
    let way = || running.open_files(&best).unwrap().describe().files.unwrap();
    let through = "through PowerShell, which is slow, for its shares cannot be taken: ";
    assert_eq!(way(), format!("{through}The host does not say which serial number the volume of drive C: has."));
    let serials = ["C$", "D$"].map(|share| shared.serial(share));
    running.number_volume('C', &format!("{:08X}", serials[0]));
    running.number_volume('D', "0BADF00D");
    let of_other = format!(
        r"\\127.0.0.1\D$ is on the volume {:08X}, and drive D: of the host is the volume 0BADF00D.",
        serials[1]
    );
    assert_eq!(way(), format!("{through}{of_other}"));
    let inventory = running.open_files(&best).unwrap().inventory().unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(between(&inventory, &whole(folder.path(), Variant::Default)), BTreeSet::new());
    assert!(running.record().contains("creationXml"));
    running.number_volume('D', &format!("{:04X}-{:04X}", serials[1] >> 16, serials[1] & 0xFFFF));
    assert_eq!(way(), r"over its shares \\127.0.0.1\C$, \\127.0.0.1\D$");
    // A drive without files has no share that could be read.
    running.add_locked_drive('X');
    assert_eq!(way(), r"over its shares \\127.0.0.1\C$, \\127.0.0.1\D$");
    shared.go_away();
    assert!(way().starts_with(through), "{}", way());
}

#[test]
fn the_shares_of_a_host() {
    for variant in [Variant::Default, Variant::Source2012, Variant::TruncatedVhd] {
        let Some(shared) = Shared::start(variant, "") else { return };
        let source = shared.open("").unwrap();
        let said = source.describe();
        assert_eq!((said.reach.as_str(), said.layout.as_str()), ("smb", "role"));
        assert_eq!(said.drives[0], ("C:".to_owned(), r"\\127.0.0.1\C$".to_owned()));
        let files = read(&shared.folder);
        assert_eq!(between(&source.inventory().unwrap(), &files), listed(&HIDDEN_BY_SHARES), "{variant:?}");
    }
}

/// One machine is registered by a link that Samba does not show.
#[test]
fn what_a_server_of_shares_hides_is_told_as_not_known() {
    let Some(shared) = Shared::start(Variant::Default, "") else { return };
    let before = shared.open("").unwrap().inventory().unwrap();
    let is_linked = |machine: &&SampleMachine| machine.registered_as != machine.config_windows_path;
    let entry = shared.host.path_of(&shared.host.machines.iter().find(is_linked).unwrap().registered_as);
    std::fs::remove_file(&entry).unwrap();
    std::os::unix::fs::symlink(r"D:\x.xml", &entry).unwrap();
    let inventory = shared.open("").unwrap().inventory().unwrap();
    assert_eq!(inventory.machines.len() + 1, before.machines.len());
    let told =
        inventory.unknowns.iter().filter(|unknown| unknown.item.starts_with("Symbolic links")).collect::<Vec<_>>();
    assert!(told.len() == 1 && told[0].reason.contains("machines and checkpoints may be missing"), "{told:?}");
}

#[test]
fn shares_with_other_names_and_folders_of_one_stand_for_drives() {
    let Some(shared) = Shared::start(Variant::Default, "smb encrypt = required") else { return };
    let files = read(&shared.folder);
    for map in ["C=whole/C,d=D$", "C=C$,D=whole/D/?encrypt=always"] {
        let source = shared.open(map).unwrap();
        assert_eq!(between(&source.inventory().unwrap(), &files), listed(&HIDDEN_BY_SHARES), "{map}");
    }
    let error = shared.open("C=nothing").err().unwrap().to_string();
    assert!(error.contains(r"'\\127.0.0.1\nothing' is refused: there is no such share"), "{error}");
    let error = shared.open("D=D$").err().unwrap().to_string();
    assert!(error.contains("Windows was started from: add its share, such as 'smb://HOST/C=SHARE'"), "{error}");
    let source = shared.open("C$").unwrap();
    let unmapped = source.open_file(&hvm_model::names::WindowsPath::new(r"D:\x")).err().unwrap().to_string();
    assert!(unmapped.contains("add its share, such as 'smb://HOST/D=SHARE'"), "{unmapped}");
}

#[test]
fn what_a_host_keeps_for_itself_is_told_with_what_to_do() {
    let Some(shared) = Shared::start(Variant::Default, "vfs objects = shadow_copy2") else { return };
    let Some(python) = python("smbprotocol") else {
        println!("SKIPPED: smbprotocol is not in target/peers (`cargo xtask test` installs it)");
        return;
    };
    let disk = shared.a_disk();
    let below = disk.strip_prefix(r"D:\").unwrap();
    let source = shared.open("").unwrap();
    let _hive = shared.samba.hold(&python, "C$", &[r"Windows\System32\config\SYSTEM"]).unwrap();
    let _disk = shared.samba.hold(&python, "D$", &[below]).unwrap();
    let problems = source.inventory().unwrap().problems;
    let hive = problems.iter().find(|problem| problem.kind == "hive.in-use").unwrap();
    assert!(hive.message.contains("is in use on 127.0.0.1") && hive.hint.contains("winrm://"), "{hive:?}");
    let held = source.open_disk(&hvm_model::names::WindowsPath::new(&disk)).err().unwrap().to_string();
    assert!(held.contains("is in use on 127.0.0.1"), "{held}");
    // A shadow copy has what was there, whoever keeps what for himself now.
    let none = shared.open("?snapshot=latest").err().unwrap().to_string();
    assert!(none.contains(r"\\127.0.0.1\C$ has not the shadow copy that is wanted; it has: none"), "{none}");
    let files = read(&shared.folder);
    shared.make_shadows("@GMT-2026.11.30-09.00.00");
    for wanted in ["?snapshot=latest", "C=C$,D=D$/?snapshot=@GMT-2026.11.30-09.00.00"] {
        let source = shared.open(wanted).unwrap();
        assert_eq!(source.describe().drives[0].1, r"\\127.0.0.1\C$\@GMT-2026.11.30-09.00.00");
        assert_eq!(between(&source.inventory().unwrap(), &files), listed(&HIDDEN_BY_SHARES), "{wanted}");
    }
    let other = shared.open("?snapshot=@GMT-2025.11.30-09.00.00").err().unwrap().to_string();
    assert!(other.contains("it has: @GMT-2026.11.30-09.00.00"), "{other}");
}

#[test]
fn shares_without_shadow_copies_are_not_said_to_be_closed() {
    let Some(shared) = Shared::start(Variant::Default, "vfs objects = shadow_copy2") else { return };
    let none = shared.open("?snapshot=latest").err().unwrap().to_string();
    assert!(none.starts_with(r"\\127.0.0.1\C$ has not the shadow copy that is wanted; it has: none"), "{none}");
}

#[test]
fn a_host_that_goes_away_meanwhile_is_an_error_and_not_an_empty_host() {
    let Some(mut shared) = Shared::start(Variant::Default, "") else { return };
    let source = shared.open("?patience=1").unwrap();
    source.inventory().unwrap();
    shared.go_away();
    let error = source.inventory().unwrap_err();
    assert!(matches!(error, hvm_sources::SourceError::Smb(_)), "{error}");
}
