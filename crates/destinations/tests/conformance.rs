//! The kit of a rich role is really run, by a strict interpreter on a model of a Hyper-V host, and the host is then looked at
//! directly: performed, tested, taken back, cut at every change, changed by hand.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod on_host;
mod seen;

use std::collections::BTreeMap;

use common::*;
use hvm_destinations::select;
use hvm_model::network::SwitchKind;
use hvm_model::plan::Plan;
use hvm_model::report::Observed;
use hvm_model::role::Role;
use hvm_model::setting::{Carry, settings_of};
use hvm_model::vm::Media;
use hvm_testkit::hyperv_host::{Adapter, Data, Disk, Host, Interface, Machine, Release, State, Vlan};
use hvm_testkit::powershell::{End, Value};
use on_host::*;
use seen::*;

/// A host with the kit on it, and with things of somebody else that have nothing to do with it.
struct Lab {
    host: Host,
    plan: Plan,
    carried: BTreeMap<(String, String), String>,
}

fn lab(os: &str) -> Lab {
    // What is merged into DCOM restrictions and WMI namespaces, and the firewall rules, have tests of their own.
    let role = Role { dcom: Vec::new(), wmi_namespaces: Vec::new(), firewall: Vec::new(), ..role() };
    let plan = plan(if os == "2012" { role } else { with_generation_2(role) });
    let (kit, mut host) = host_with_kit(os, &plan);
    host.files.create_folder(r"D:\theirs");
    let theirs = r"
        [void](New-VMSwitch -Name 'theirs' -SwitchType Internal -Notes 'of somebody else')
        Add-VMNetworkAdapter -ManagementOS -Name 'Verwaltung ''A''' -SwitchName 'theirs'
        $vm = New-VM -Name 'theirs' -MemoryStartupBytes 536870912 -NoVHD -Path 'D:\theirs'
        Add-VMNetworkAdapter -VM $vm -Name 'x' -StaticMacAddress '00155D0A0B10' -SwitchName 'theirs'
        for ($n = 0; $n -lt 5; $n++) {
            Start-Sleep -Seconds 1
        }";
    host.run_text(theirs).unwrap();
    let carried = settings_of(&plan.role).into_iter().filter(|setting| kit.carries(setting) == Carry::Carried);
    let carried = carried.map(|setting| ((setting.subject, setting.item), setting.value)).collect();
    Lab { host: host.clone(), plan, carried }
}

fn imported(os: &str) -> Lab {
    let mut lab = lab(os);
    good(&import(&mut lab.host));
    lab
}

/// True for an item that a planned machine either has as planned or does not have at all.
fn is_device(item: &str) -> bool {
    let name = item.strip_prefix("com").and_then(|rest| rest.chars().next());
    item.starts_with("drive.")
        || name.is_some_and(|name| name.is_ascii_digit())
        || item.starts_with("integration-service.")
}

/// The drives that held a disc of the old host's own drive: they are there, empty.
fn physical_drives(role: &Role) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for machine in &role.machines {
        let physical = |media: &Media| matches!(media, Media::PhysicalDvd { .. });
        for drive in machine.configuration.drives.iter().filter(|drive| physical(&drive.media)) {
            all.push((format!("machine {}", machine.id), format!("drive.{}", drive.slot_name())));
        }
    }
    all
}

/// Every planned setting is there, and no drive, port or switched-off service that was not planned.
fn as_planned(host: &Host, lab: &Lab) {
    let found = observed(host, &lab.plan.role);
    for (key, value) in &lab.carried {
        assert_eq!(found.get(key), Some(value), "{key:?}");
    }
    let physical = physical_drives(&lab.plan.role);
    let guests = |item: &str| item == "integration-service.GuestServices";
    let devices = found.iter().filter(|((_, item), value)| is_device(item) && !guests(item) && *value != "none");
    for (key, value) in devices {
        let expected = lab.carried.contains_key(key) || (physical.contains(key) && value == "empty dvd");
        assert!(expected, "{key:?} is {value} and was not planned");
    }
    for planned in &lab.plan.role.machines {
        let machine = host.state.machines.iter().find(|machine| machine.name == planned.name).unwrap();
        assert_eq!(machine.adapters.len(), planned.configuration.adapters.len(), "{}", planned.name);
        assert_eq!(Some(machine.num_lock), planned.configuration.firmware.num_lock.or(Some(false)));
    }
    let ours = host.state.switches.iter().filter(|switch| switch.notes.starts_with("hvmigrate:")).count();
    assert_eq!(ours, lab.plan.role.switches.len());
    shared_as_planned(&host.state, &lab.plan.role);
    beyond_settings(host, &lab.plan.role);
}

/// Each network has the adapters of the management operating system that were planned, and the one that Windows makes only
/// where the source shared the network without one of its own.
fn shared_as_planned(state: &State, role: &Role) {
    for planned in &role.switches {
        let own = role.management_adapters.iter().filter(|adapter| adapter.switch == planned.id);
        let mut wanted: Vec<&str> = own.map(|adapter| adapter.name.as_str()).collect();
        let shared = planned.source_kind == SwitchKind::Internal || planned.management_os;
        if wanted.is_empty() && shared && planned.kind != SwitchKind::Private {
            wanted.push(&planned.name);
        }
        let there = state.management.iter().filter(|adapter| switch_name(state, adapter) == Some(&planned.name));
        let there: Vec<&str> = there.map(|adapter| adapter.name.as_str()).collect();
        assert_eq!(there, wanted, "{}", planned.name);
    }
}

/// What the list of settings does not hold: DNS names, WINS, NetBIOS, bindings, properties of adapters.
fn beyond_settings(host: &Host, role: &Role) {
    let state = &host.state;
    for (adapter, keywords) in &role.settings.vmq_keywords {
        let interface = state.interfaces.iter().find(|interface| interface.name == *adapter).unwrap();
        for (keyword, value) in keywords {
            assert_eq!(interface.properties.get(keyword), Some(value), "{keyword}");
        }
    }
    for planned in &role.management_adapters {
        let adapter = state
            .management
            .iter()
            .find(|adapter| switch_name(state, adapter) == Some(&planned.switch_name) && adapter.name == planned.name)
            .unwrap();
        let interface = state.interfaces.iter().find(|interface| interface.id == adapter.interface).unwrap();
        let ip = &planned.ip;
        assert_eq!(interface.suffix, ip.dns_suffix);
        assert_eq!(Some(interface.register), ip.register_in_dns);
        assert_eq!(interface.wins, ip.wins_servers);
        assert_eq!(interface.netbios, i64::from(ip.netbios.unwrap()));
        for (component, name) in [("ms_tcpip6", "Tcpip6"), ("ms_lltdio", "lltdio"), ("ms_rspndr", "rspndr")] {
            assert_eq!(
                interface.bindings[component],
                planned.bindings.iter().any(|bound| bound == name),
                "{component}"
            );
        }
    }
}

/// The things of somebody else, by what they are.
fn theirs(state: &State) -> (Vec<Machine>, Vec<Adapter>, Vec<Interface>) {
    let machines = state.machines.iter().filter(|machine| machine.name == "theirs").cloned().collect();
    let own = |adapter: &&Adapter| switch_name(state, adapter) == Some("theirs");
    let adapters: Vec<Adapter> = state.management.iter().filter(own).cloned().collect();
    let of = |interface: &&Interface| adapters.iter().any(|adapter| adapter.interface == interface.id);
    let interfaces = state.interfaces.iter().filter(of).cloned().collect();
    (machines, adapters, interfaces)
}

#[test]
fn performing_gives_what_was_planned() {
    for os in RELEASES {
        let mut lab = lab(os);
        let before = theirs(&lab.host.state);
        let outcome = import(&mut lab.host);
        good(&outcome);
        assert!(outcome.warnings.iter().any(|line| line.contains("'ext/2'")), "{:?}", outcome.warnings);
        let host = lab.host.clone();
        as_planned(&host, &lab);
        assert_eq!(theirs(&lab.host.state), before);
        let outcome = test(&mut lab.host);
        good(&outcome);
        assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
        assert_eq!(outcome.output, [format!("{} settings were compared, 0 differ.", lab.carried.len())]);
        let seen = lab.host.files.read(&format!("{KIT}\\state\\observed.json")).unwrap();
        let seen: Observed = serde_json::from_slice(seen).unwrap();
        let settings = seen.settings.into_iter().map(|setting| ((setting.subject, setting.item), setting.value));
        assert_eq!(settings.collect::<Found>(), lab.carried);
        assert_eq!((seen.host.as_str(), seen.source_host), ("HV-NEW-01", lab.plan.host.clone()));
    }
}

#[test]
fn performing_twice_is_performing_once() {
    for os in RELEASES {
        let mut lab = imported(os);
        let before = lab.host.state.clone();
        let outcome = import(&mut lab.host);
        good(&outcome);
        assert_eq!(lab.host.state, before);
        let steps = lab.plan.steps.len() - 2;
        let done = outcome.output.iter().filter(|line| line.starts_with("Already done: ")).count();
        assert_eq!(done, steps, "{:#?}", outcome.output);
    }
}

#[test]
fn undoing_returns_the_host_to_what_it_was() {
    for os in RELEASES {
        let mut lab = lab(os);
        let before = lab.host.state.clone();
        good(&import(&mut lab.host));
        let outcome = undo(&mut lab.host);
        good(&outcome);
        assert_eq!(lab.host.state.without_ids(), before.without_ids());
        assert!(undo(&mut lab.host).output.is_empty());
        // And once more from the beginning, after somebody else set something.
        lab.host.state.settings.mac_maximum = "00155D0A0BEE".to_owned();
        let before = lab.host.state.clone();
        good(&import(&mut lab.host));
        let host = lab.host.clone();
        as_planned(&host, &lab);
        good(&undo(&mut lab.host));
        assert_eq!(lab.host.state.without_ids(), before.without_ids());
    }
}

#[test]
fn each_step_alone_is_tested_performed_and_taken_back() {
    for os in RELEASES {
        let mut lab = lab(os);
        let steps = steps_of(&lab.host);
        assert_eq!(steps.len(), lab.plan.steps.len() - 2);
        let run = |host: &mut Host, step: &str, mode: &str| run_step(host, &["Kit", "Machines"], step, mode);
        for step in &steps {
            let before = lab.host.state.without_ids();
            let untouched = run(&mut lab.host, step, "Test");
            assert!(untouched.contains(&Value::Bool(false)), "{step} is done before it is done");
            run(&mut lab.host, step, "Perform");
            let after = lab.host.state.without_ids();
            assert_ne!(after, before, "{step}");
            let tested = run(&mut lab.host, step, "Test");
            assert!(
                !tested.is_empty() && tested.iter().all(|answer| *answer == Value::Bool(true)),
                "{step}: {tested:?}"
            );
            run(&mut lab.host, step, "Undo");
            assert_eq!(lab.host.state.without_ids(), before, "{step}");
            run(&mut lab.host, step, "Undo");
            assert_eq!(lab.host.state.without_ids(), before, "{step} a second time");
            run(&mut lab.host, step, "Perform");
            run(&mut lab.host, step, "Perform");
            assert_eq!(lab.host.state.without_ids(), after, "{step}");
        }
    }
}

#[test]
fn what_if_changes_nothing() {
    for os in RELEASES {
        for before in [lab(os), imported(os)] {
            let mut lab = before;
            let (state, files) = (lab.host.state.clone(), lab.host.files.clone());
            for script in ["Import-HyperVRole.ps1", "Undo-HyperVRole.ps1"] {
                let mut arguments = vec![("WhatIf", Value::Bool(true))];
                if script.starts_with("Import") {
                    arguments.push(("SourceIsOff", Value::Bool(true)));
                }
                let outcome = lab.host.run(&format!("{KIT}\\{script}"), &arguments);
                good(&outcome);
                assert_eq!(lab.host.state, state, "{script}");
                assert!(lab.host.files == files, "{script}");
            }
        }
    }
}

#[test]
fn a_cut_anywhere_is_mended_by_the_next_run() {
    for os in RELEASES {
        let lab = lab(os);
        let mut whole = lab.host.clone();
        good(&import(&mut whole));
        let wanted = whole.state.without_ids();
        assert!(whole.changes() > 80, "{}", whole.changes());
        for at in 0..whole.changes() {
            let mut host = lab.host.clone();
            host.cut_at(at);
            assert_eq!(import(&mut host).end, End::Cut, "change {at}");
            let mut undone = host.clone();
            let mut host = host.clone();
            good(&import(&mut host));
            assert_eq!(host.state.without_ids(), wanted, "change {at}");
            // Taking back what was half done leaves nothing either.
            if at % 7 == 0 {
                good(&undo(&mut undone));
                assert_eq!(undone.state.without_ids(), lab.host.state.without_ids(), "change {at}");
            }
        }
    }
}

#[test]
fn a_cut_while_undoing_is_mended_by_the_next_run() {
    for os in RELEASES {
        let lab = lab(os);
        let before = lab.host.state.without_ids();
        let mut made = lab.host.clone();
        good(&import(&mut made));
        let mut whole = made.clone();
        good(&undo(&mut whole));
        for at in 0..whole.changes() {
            let mut host = made.clone();
            host.cut_at(at);
            assert_eq!(undo(&mut host).end, End::Cut, "change {at}");
            let mut host = host.clone();
            good(&undo(&mut host));
            assert_eq!(host.state.without_ids(), before, "change {at}");
        }
    }
}

type Change = fn(&mut State);

fn web(state: &mut State) -> &mut Machine {
    state.machines.iter_mut().find(|machine| machine.location.contains("Web")).unwrap()
}

fn own_interface(state: &mut State) -> &mut Interface {
    state.interfaces.iter_mut().find(|interface| !interface.addresses.is_empty()).unwrap()
}

/// Changes by hand, with the item that the test names.
const CHANGES: [(&str, Change); 42] = [
    ("adapter0.vlan", |state| web(state).adapters[0].vlan = Vlan::Access(3)),
    ("adapter2.vlan", |state| web(state).adapters[2].vlan = Vlan::Untagged),
    ("adapter0.mac", |state| web(state).adapters[0].mac = Some("00155D0107EE".to_owned())),
    ("adapter2.mac-is-static", |state| web(state).adapters[2].mac = None),
    ("adapter0.switch", |state| web(state).adapters[0].switch = None),
    ("adapter0.mac-spoofing", |state| web(state).adapters[0].spoofing = false),
    ("adapter0.dhcp-guard", |state| web(state).adapters[0].dhcp_guard = false),
    ("adapter1.router-guard", |state| web(state).adapters[1].router_guard = false),
    ("adapter0.teaming", |state| web(state).adapters[0].teaming = false),
    ("adapter0.vmq-weight", |state| web(state).adapters[0].vmq_weight = 100),
    ("adapter0.iov-weight", |state| web(state).adapters[0].iov_weight = 0),
    ("adapter0.minimum-bandwidth", |state| web(state).adapters[0].bandwidth.as_mut().unwrap().absolute = 1),
    ("adapter2.minimum-bandwidth-weight", |state| web(state).adapters[2].bandwidth = None),
    ("adapter0.maximum-bandwidth", |state| web(state).adapters[0].bandwidth.as_mut().unwrap().maximum = 8),
    ("adapter3.name", |state| web(state).adapters[3].name = "OFF".to_owned()),
    ("name is", |state| web(state).name.push('x')),
    ("notes", |state| web(state).notes = web(state).notes.to_uppercase()),
    ("owner is 'S-1-5-21-1-2-3-9'", |state| web(state).notes = web(state).notes.replace(OWNER, "S-1-5-21-1-2-3-9")),
    ("owner is 'nothing'", |state| web(state).notes.clear()),
    ("memory.startup-mib", |state| web(state).memory.startup <<= 1),
    ("memory.dynamic", |state| web(state).memory.dynamic = true),
    ("memory.weight", |state| web(state).memory.priority = 51),
    ("processors.count", |state| web(state).processors.count = 3),
    ("processors.limit", |state| web(state).processors.maximum = 99),
    ("firmware.boot-order", |state| web(state).boot_order.reverse()),
    ("firmware.bios-serial-number", |state| {
        web(state).identity.insert("BIOSSerialNumber".to_owned(), "1".to_owned());
    }),
    ("drive.scsi0-5", |state| web(state).drives.retain(|drive| drive.location != 5)),
    ("drive.scsi2-0", |state| state.disks[1].signature = Some(7)),
    ("drive.scsi2-1", |state| web(state).drives.retain(|drive| drive.disk != Some(2))),
    ("drive.floppy0-0", |state| web(state).floppy = None),
    ("com2", |state| web(state).com_ports = [r"\\.\pipe\it's".to_owned(), String::new()]),
    ("integration-service.Vss", |state| {
        web(state).services.values_mut().for_each(|on| *on = true);
    }),
    ("action.start-delay", |state| web(state).start_delay = 31),
    ("action.stop", |state| web(state).stop_action = "ShutDown".to_owned()),
    ("name is 'nothing'", |state| state.machines.retain(|machine| !machine.location.contains("Web"))),
    ("kind is", |state| state.switches.iter_mut().for_each(|switch| switch.notes.clear())),
    ("mac-range.maximum", |state| state.settings.mac_maximum = "00155D0107FE".to_owned()),
    ("numa-spanning", |state| state.settings.numa_spanning = true),
    ("vmq.ten-gigabit", |state| {
        state.registry.get_mut(SWITCH_KEY).unwrap().insert("TenGigVmqEnabled".to_owned(), Data::Number(0));
    }),
    ("ip.addresses", |state| own_interface(state).addresses[0].1 = 16),
    ("ip.dns", |state| own_interface(state).dns.reverse()),
    ("ip.gateways", |state| own_interface(state).routes.clear()),
];

/// What only later releases have.
const LATER_CHANGES: [(&str, Change); 5] = [
    ("firmware.secure-boot", |state| modern(state).secure_boot = true),
    ("numa.processors-per-node", |state| modern(state).processors.per_node = 2),
    ("numa.mib-per-node", |state| modern(state).memory.per_node = 1 << 30),
    ("integration-service.GuestServices", |state| modern(state).services.values_mut().for_each(|on| *on = true)),
    ("hyper-v-administrator.S-1-5-21-1-2-3-1105", |state| state.groups.clear()),
];

/// What only 2016 and later have.
const NEW_CHANGES: [(&str, Change); 3] = [
    ("firmware.tpm", |state| modern(state).tpm = false),
    ("firmware.secure-boot-template", |state| {
        modern(state).secure_boot_template = "1734C6E8-3154-4DDA-BA5F-A874CC483422".to_owned();
    }),
    ("processors.nested-virtualization", |state| modern(state).processors.nested = false),
];

fn modern(state: &mut State) -> &mut Machine {
    state.machines.iter_mut().find(|machine| machine.location.contains("Modern")).unwrap()
}

#[test]
fn a_change_by_hand_is_named() {
    for os in RELEASES {
        let lab = imported(os);
        let later = if *os == "2012" { &[] } else { LATER_CHANGES.as_slice() };
        for (item, change) in CHANGES.iter().chain(later) {
            let mut host = lab.host.clone();
            change(&mut host.state);
            let outcome = test(&mut host);
            assert_eq!(outcome.end, End::Code(4), "{os}, {item}: {outcome:#?}");
            assert!(outcome.warnings.iter().any(|line| line.contains(item)), "{item}: {:?}", outcome.warnings);
        }
        for (item, change) in NEW_CHANGES.iter().filter(|_| !["2012", "2012R2"].contains(os)) {
            let mut host = lab.host.clone();
            change(&mut host.state);
            assert!(test(&mut host).warnings.iter().any(|line| line.contains(item)), "{os}, {item}");
        }
        // Another end of a line before the owner is no change.
        let mut host = lab.host;
        let notes = &mut web(&mut host.state).notes;
        *notes = notes.replace("\r\nOwner", "\nOwner");
        good(&test(&mut host));
    }
}

#[test]
fn nothing_is_done_on_a_host_that_does_not_fit() {
    type Spoil = fn(&mut Host);
    let spoils: [(&str, Spoil); 9] = [
        ("administrator", |host| host.hardware.administrator = false),
        ("logical processors", |host| host.hardware.processors = 1),
        ("bytes of memory", |host| host.hardware.memory = 1 << 20),
        ("bytes free", |host| host.hardware.free = 1 << 20),
        ("is missing", |host| {
            host.files.remove(&format!("{KIT}\\media\\a.iso"));
        }),
        ("this host has 0 of them", |host| host.state.disks.retain(|disk| disk.number != 1)),
        ("this host has 2 of them", |host| {
            let twin = host.state.disks[2].clone();
            host.state.disks.push(Disk { number: 7, ..twin });
        }),
        ("Set-Disk -Number 2 -IsOffline $true", |host| host.state.disks[2].is_offline = false),
        ("already has a virtual machine", |host| {
            host.run_text(r"New-VM -Name 'x' -NoVHD -Path 'D:\theirs'; Set-VM -Name 'x' -NewVMName 'SQL/1'").unwrap();
        }),
    ];
    for os in RELEASES {
        for (words, spoil) in spoils {
            let mut host = lab(os).host;
            spoil(&mut host);
            let before = (host.state.clone(), host.files.clone());
            let outcome = import(&mut host);
            assert!(matches!(outcome.end, End::Error(_)), "{outcome:#?}");
            assert!(outcome.warnings.iter().any(|line| line.contains(words)), "{words}: {:?}", outcome.warnings);
            assert!(before == (host.state.clone(), host.files.clone()), "{words}");
        }
        let mut host = lab(os).host;
        let outcome = host.run(&format!("{KIT}\\Import-HyperVRole.ps1"), &[]);
        assert!(
            matches!(&outcome.end, End::Error(message) if message.contains("Turn the old host off")),
            "{outcome:#?}"
        );
    }
}

#[test]
fn a_kit_for_another_release_is_refused() {
    for os in RELEASES {
        let mut host = lab(os).host;
        let other = Release::ALL.into_iter().find(|release| release.name() != *os).unwrap();
        let mut other = Host::new(other, &["Ethernet", "Ethernet 2"]);
        other.files = host.files.clone();
        host.files.create_folder(KIT);
        let outcome = import(&mut other);
        assert!(outcome.warnings.iter().any(|line| line.contains("Write another kit")), "{outcome:#?}");
    }
}

#[test]
fn facts_are_right_too() {
    for os in RELEASES {
        let mut lab = imported(os);
        let path = r"D:\theirs\facts.json";
        let arguments = [("Path", Value::from(path)), ("Drive", Value::from("D"))];
        good(&lab.host.run(&format!("{KIT}\\Get-DestinationFacts.ps1"), &arguments));
        let facts = String::from_utf8(lab.host.files.read(path).unwrap().to_vec()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("facts.json");
        std::fs::write(&file, &facts).unwrap();
        let kit = select::open(&format!("kit:{}?facts={}", folder.path().display(), file.display()));
        let has = kit.unwrap_or_else(|error| panic!("{error}: {facts}")).capabilities().unwrap();
        assert_eq!(has.logical_processors, Some(16));
        assert!(has.machines.contains(&"SQL/1".to_owned()) && has.switches.contains(&"theirs".to_owned()));
        let theirs = lab.host.state.machines.iter().find(|machine| machine.name == "theirs").unwrap();
        assert!(has.machine_ids.iter().any(|id| id.as_str() == theirs.id));
        assert!(has.adapters.unwrap().contains(&"Ethernet 2".to_owned()));
        assert!(has.mac_addresses.contains(&mac("00-15-5D-01-07-DC")));
    }
}
