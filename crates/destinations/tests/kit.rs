//! The kits as a whole, for Windows Server 2012 and later.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::*;
use hvm_destinations::select;
use hvm_model::found::Found;
use hvm_model::host::NamespaceRights;
use hvm_model::network::Vlan;
use hvm_model::plan::Action;
use hvm_model::role::Role;
use hvm_model::vm::BootDevice;

fn kit(root: &std::path::Path) -> Box<dyn hvm_destinations::destination::Destination> {
    select::open(&format!("kit:{}?os=2012", root.display())).unwrap()
}

#[test]
fn a_kit_for_each_release_conforms() {
    for release in ["2012", "2012R2", "2016", "2019", "2022", "2025"] {
        let folder = tempfile::tempdir().unwrap();
        let kit = select::open(&format!("kit:{}/new host?os={release}", folder.path().display())).unwrap();
        std::fs::create_dir(kit.root()).unwrap();
        conforms(kit.as_ref(), &plan(if release == "2012" { role() } else { with_generation_2(role()) }));
    }
}

#[test]
fn releases_differ_in_what_they_carry() {
    let folder = tempfile::tempdir().unwrap();
    let lost = |release: &str| -> Vec<String> {
        let kit = select::open(&format!("kit:{}?os={release}", folder.path().display())).unwrap();
        let all = hvm_model::setting::settings_of(&with_generation_2(role())).into_iter();
        let lost = all.filter(|setting| kit.carries(setting) != hvm_model::setting::Carry::Carried);
        lost.map(|setting| setting.item)
            .filter(|item| item != "memory.weight" && item != "firmware.boot-order")
            .collect()
    };
    let administrator = "hyper-v-administrator.S-1-5-21-1-2-3-1105";
    let guest = "integration-service.GuestServices";
    let (template, nested) = ("firmware.secure-boot-template", "processors.nested-virtualization");
    assert_eq!(lost("2012"), [administrator, guest, guest, template, "firmware.tpm", "generation", guest, nested]);
    assert_eq!(lost("2012R2"), ["authorization-store", template, "firmware.tpm", nested]);
    for release in ["2016", "2019", "2022", "2025"] {
        assert_eq!(lost(release), ["authorization-store"], "{release}");
    }
}

/// Values that the cmdlets refuse: they are brought as near as can be, and told.
#[test]
fn what_a_cmdlet_refuses_is_not_asked_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut role = with_generation_2(role());
    let modern = role.machines.last_mut().unwrap();
    modern.configuration.numa.mib_per_node = Some(8193);
    let trunk = Vlan::Trunk { native: 5, allowed: Vec::new() };
    modern.configuration.adapters[0].vlan = Found::read(trunk.clone(), "f", "a");
    role.management_adapters[1].vlan = Some(trunk);
    let plan = plan(role);
    let kit = select::open(&format!("kit:{}?os=2019", folder.path().display())).unwrap();
    copy(folder.path(), &plan);
    perform_all(kit.as_ref(), &plan);
    let scripts = tree(folder.path()).into_iter().filter(|(name, _)| name.starts_with("steps/"));
    let text: String = scripts.map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect();
    let node = format!("-MaximumAmountPerNumaNodeBytes {} ", 8192u64 << 20);
    assert!(text.contains(&node) && !text.contains("-AllowedVlanIdList ''"), "{text}");
    let planned = hvm_model::setting::settings_of(&plan.role);
    let lost = |item: &str| {
        let of_item = planned.iter().filter(|setting| setting.item == item);
        of_item.filter(|setting| kit.carries(setting) != hvm_model::setting::Carry::Carried).count()
    };
    assert_eq!((lost("numa.mib-per-node"), lost("adapter0.vlan"), lost("vlan")), (1, 1, 1));
}

#[test]
fn what_an_old_powershell_cannot_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut role = role();
    role.switches[1].name = "n".repeat(2_100_000);
    let plan = plan(role);
    copy(folder.path(), &plan);
    let complete = plan.steps.iter().find(|step| step.action == Action::Complete).unwrap();
    for (release, fits) in [("2012", false), ("2012R2", false), ("2016", true)] {
        let kit = select::open(&format!("kit:{}?os={release}", folder.path().display())).unwrap();
        match kit.perform(&plan, complete) {
            Ok(_) => assert!(fits, "{release}"),
            Err(error) => assert!(!fits && error.to_string().contains("in two parts"), "{release}: {error}"),
        }
    }
}

#[test]
fn every_script_has_a_mark_and_crlf() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(role());
    copy(folder.path(), &plan);
    perform_all(kit(folder.path()).as_ref(), &plan);
    let mut scripts = 0;
    for (name, bytes) in tree(folder.path()).iter().filter(|(name, _)| name.ends_with(".ps1")) {
        scripts += 1;
        assert!(bytes.starts_with(b"\xef\xbb\xbf"), "{name}");
        // Line breaks inside literals are content; every other one is CRLF.
        let machine = name.ends_with("machine.ps1");
        let text = String::from_utf8(bytes.clone()).unwrap();
        let bare = text.replace("\r\n", "").matches('\n').count();
        assert!(bare == 0 || machine, "{name}: {bare}");
    }
    assert_eq!(scripts, 13 + 9 + 1);
}

#[test]
fn a_changed_script_or_data_file_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(role());
    copy(folder.path(), &plan);
    let kit = kit(folder.path());
    perform_all(kit.as_ref(), &plan);
    let script = tree(folder.path()).keys().find(|name| name.ends_with("-machine.ps1")).unwrap().clone();
    let path = folder.path().join(&script);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("-Count 2", "-Count 3")).unwrap();
    let observed = kit.observe().unwrap();
    let found = observed.iter().find(|setting| setting.item == "processors.count" && setting.subject.ends_with(WEB));
    assert_eq!(found.unwrap().value, "3 (but the data file says: 2)");
    std::fs::write(&path, text.replace("-Count 2", "-Count (Get-Random)")).unwrap();
    let error = kit.observe().unwrap_err().to_string();
    assert!(error.contains(&script) && error.contains("-Count"), "{error}");
    std::fs::write(&path, text.replace("'Undo' {", "'Undo {")).unwrap();
    assert!(kit.observe().is_err());
    std::fs::remove_file(&path).unwrap();
    assert!(!kit.observe().unwrap().iter().any(|setting| setting.subject.ends_with(WEB)));
}

#[test]
fn what_cannot_be_put_back_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let kit = kit(folder.path());
    let mut role = role();
    role.machines[0].configuration.firmware.boot_order = vec![BootDevice::Floppy];
    let lost: Vec<String> = hvm_model::setting::settings_of(&role)
        .into_iter()
        .filter(|setting| kit.carries(setting) != hvm_model::setting::Carry::Carried)
        .map(|setting| setting.item)
        .collect();
    let wanted = [
        "hyper-v-administrator.S-1-5-21-1-2-3-1105",
        "firmware.boot-order",
        "integration-service.GuestServices",
        "firmware.boot-order",
        "integration-service.GuestServices",
        "memory.weight",
    ];
    assert_eq!(lost, wanted);
    role.machines[0].generation = 2;
    let plan = plan(role);
    let step = plan.steps.iter().find(|step| matches!(step.action, Action::RegisterMachine { .. })).unwrap();
    let error = kit.perform(&plan, step).unwrap_err().to_string();
    assert!(error.contains("generation 2"), "{error}");
}

#[test]
fn steps_that_are_not_its_own_or_not_in_the_plan_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let kit = kit(folder.path());
    let plan = plan(role());
    let mut step = plan.steps[1].clone();
    step.action = Action::CheckSource;
    assert!(kit.perform(&plan, &step).unwrap_err().to_string().contains("not performed"));
    step.action = Action::CreateManagementAdapter { index: 9 };
    assert!(kit.perform(&plan, &step).unwrap_err().to_string().contains("number 9"));
    step.action = Action::RegisterMachine { machine: vm(SWITCHES[0]) };
    assert!(kit.perform(&plan, &step).unwrap_err().to_string().contains(SWITCHES[0]));
    step.action = Action::Complete;
    let error = kit.perform(&plan, &step).unwrap_err().to_string();
    assert!(error.contains("is missing"), "{error}");
}

#[test]
fn a_text_with_nul_never_reaches_a_script() {
    let folder = tempfile::tempdir().unwrap();
    let kit = kit(folder.path());
    let mut role = role();
    role.machines[1].name = "a\0b".to_owned();
    let plan = plan(role);
    let step = plan.steps.iter().find(|step| step.id.ends_with(SQL)).unwrap();
    let error = kit.perform(&plan, step).unwrap_err().to_string();
    assert!(error.contains("U+0000 at position 1"), "{error}");
}

#[test]
fn the_readme_follows_the_guide() {
    let folder = tempfile::tempdir().unwrap();
    let rights = NamespaceRights { namespace: r"root\cimv2".to_owned(), added: Vec::new() };
    let plan = plan(Role { wmi_namespaces: vec![rights], ..role() });
    copy(folder.path(), &plan);
    perform_all(kit(folder.path()).as_ref(), &plan);
    let text = std::fs::read_to_string(folder.path().join("README.txt")).unwrap();
    let order =
        ["Install-WindowsFeature", "Turn the old host off", "Import-HyperVRole", "Test-HyperVRole", "'ext/2'", "Undo"];
    let places: Vec<usize> = order.iter().map(|word| text.find(word).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    for word in [
        "pass-through",
        "checkpoint 'before 'SP1''",
        "Set-HyperVFirewall",
        "Merge-DcomRestriction",
        "Merge-WmiNamespace",
        "memory.weight",
        "tells whose they are",
    ] {
        assert!(text.contains(word), "{word}");
    }
}
