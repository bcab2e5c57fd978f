//! Commands of Windows that are functions of modules and see no preference of a script: their errors stop a step, nobody is asked,
//! and names and keywords that look like patterns are none.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod on_host;

use std::collections::BTreeMap;

use common::{plan, role};
use hvm_model::role::Role;
use hvm_testkit::hyperv_host::{Host, Interface};
use hvm_testkit::powershell::{End, Outcome, Value};
use on_host::*;

/// The commands that change something of the network while a kit is imported.
const CHANGING: [&str; 6] = [
    "Set-NetIPInterface",
    "New-NetIPAddress",
    "Set-DnsClientServerAddress",
    "Set-DnsClient",
    "Disable-NetAdapterBinding",
    "Set-NetAdapterAdvancedProperty",
];

/// What reads while it is imported.
const READING: [&str; 3] = ["Get-NetAdapterBinding", "Get-NetAdapterAdvancedProperty", "Get-Disk"];

fn small() -> Role {
    Role { dcom: Vec::new(), wmi_namespaces: Vec::new(), ..role() }
}

fn log(host: &Host) -> String {
    let bytes = host.files.read(&format!("{KIT}\\state\\log.jsonl")).unwrap_or_default();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn failed(outcome: &Outcome, words: &str) {
    assert!(matches!(&outcome.end, End::Error(message) if message.contains(words)), "{outcome:#?}");
    assert!(outcome.errors.is_empty(), "{outcome:#?}");
}

/// The kit on the host with some words taken out of all of its scripts.
fn without(host: &mut Host, words: &str) {
    let scripts: Vec<String> = host.files.iter().map(|file| file.path.clone()).collect();
    for path in scripts.iter().filter(|path| path.ends_with(".ps1")) {
        let text = String::from_utf8(host.files.read(path).unwrap().to_vec()).unwrap();
        host.files.write(path, text.replace(words, "").into_bytes()).unwrap();
    }
}

#[test]
fn a_step_that_fails_stops_the_import_and_is_done_the_next_time() {
    for os in RELEASES {
        let (_, start) = host_with_kit(os, &plan(small()));
        let mut whole = start.clone();
        good(&import(&mut whole));
        for command in CHANGING.into_iter().chain(READING) {
            let mut host = start.clone();
            host.refuse(Some(command));
            failed(&import(&mut host), command);
            let log = log(&host);
            let last = log.lines().last().unwrap_or_default();
            // What is read before the first step is not in the log.
            assert!(last.is_empty() || last.contains("\"failed\"") && last.contains(command), "{os}, {command}: {log}");
            host.refuse(None);
            good(&import(&mut host));
            assert_eq!(host.state.without_ids(), whole.state.without_ids(), "{os}, {command}");
        }
    }
}

#[test]
fn without_its_words_a_call_that_fails_is_only_told_and_asks() {
    let (_, start) = host_with_kit("2019", &plan(small()));
    let mut host = start.clone();
    without(&mut host, " -ErrorAction Stop");
    host.refuse(Some("New-NetIPAddress"));
    let outcome = import(&mut host);
    assert_eq!(outcome.end, End::Code(0));
    assert!(!outcome.errors.is_empty() && !log(&host).contains("\"failed\""), "{outcome:#?}");
    let mut host = start;
    without(&mut host, " -Confirm:$false");
    failed(&import(&mut host), "asks whether it may go on");
}

#[test]
fn a_rule_that_cannot_be_put_back_is_not_told_as_restored() {
    for os in RELEASES {
        let (_, mut host) = host_with_kit(os, &plan(small()));
        let set = format!("{KIT}\\Set-HyperVFirewall.ps1");
        for command in
            ["Set-NetFirewallRule", "New-NetFirewallRule", "Get-NetFirewallRule", "Get-NetFirewallPortFilter"]
        {
            let mut host = host.clone();
            host.refuse(Some(command));
            failed(&host.run(&set, &[("Confirm", Value::Bool(false))]), command);
            host.refuse(None);
            good(&host.run(&set, &[("Confirm", Value::Bool(false))]));
        }
        good(&host.run(&set, &[("Confirm", Value::Bool(false))]));
        let changed = host.state.firewall.clone();
        for command in ["Set-NetFirewallRule", "Remove-NetFirewallRule"] {
            let mut host = host.clone();
            host.refuse(Some(command));
            let outcome = undo(&mut host);
            failed(&outcome, command);
            let told = outcome.output.iter().filter(|line| line.starts_with("Taken back: firewall rule")).count();
            assert_eq!(told, changed.len() - host.state.firewall.len(), "{os}: {outcome:#?}");
            host.refuse(None);
            good(&undo(&mut host));
            assert!(host.state.firewall.is_empty(), "{os}");
        }
    }
}

#[test]
fn an_adapter_without_ip_interface_is_told() {
    let (_, mut host) = host_with_kit("2012", &plan(small()));
    good(&import(&mut host));
    let own = |interface: &&mut Interface| !interface.addresses.is_empty();
    host.state.interfaces.iter_mut().find(own).unwrap().ip_in = 1000;
    let outcome = host.run(&format!("{KIT}\\Test-HyperVRole.ps1"), &[]);
    failed(&outcome, "did not appear with an IPv4 interface within a minute");
    // What a list says while interfaces come and go is waited out, and told when it stays.
    host.refuse(Some("Get-NetIPInterface"));
    failed(&host.run(&format!("{KIT}\\Test-HyperVRole.ps1"), &[]), "Get-NetIPInterface: Access is denied.");
}

/// A kit that sets properties of an adapter whose name and keywords are patterns that fit others.
fn queues(os: &str, keywords: &[(&str, &str)]) -> Host {
    let mut role = small();
    let keywords = keywords.iter().map(|(keyword, value)| ((*keyword).to_owned(), (*value).to_owned())).collect();
    role.settings.vmq_keywords = BTreeMap::from([("Ethernet [2]".to_owned(), keywords)]);
    let (_, mut host) = host_with_kit(os, &plan(role));
    let mut bracketed = Interface::new(901, "{00000901-0000-4000-8000-000000000901}", "Ethernet [2]");
    bracketed.physical = true;
    bracketed.properties =
        properties(&[("*VMQ", "1"), ("*RSS", "1"), ("EnableRSS", "1"), ("*RssOrVmqPreference", "0")]);
    host.state.interfaces.push(bracketed);
    host
}

fn properties(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(keyword, value)| ((*keyword).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn only_the_named_properties_of_the_named_adapter_are_set_and_put_back() {
    let mut host = queues("2012", &[("*RSS", "0"), ("*RssOrVmqPreference", "1")]);
    let of = |host: &Host| {
        let all = host.state.interfaces.iter().filter(|interface| interface.physical);
        all.map(|interface| (interface.name.clone(), interface.properties.clone())).collect::<BTreeMap<_, _>>()
    };
    let before = of(&host);
    good(&import(&mut host));
    let mut wanted = before.clone();
    let set = properties(&[("*VMQ", "1"), ("*RSS", "0"), ("EnableRSS", "1"), ("*RssOrVmqPreference", "1")]);
    wanted.insert("Ethernet [2]".to_owned(), set);
    assert_eq!(of(&host), wanted);
    good(&undo(&mut host));
    assert_eq!(of(&host), before);
}

#[test]
fn a_property_or_an_adapter_that_is_not_there_is_told() {
    let mut host = queues("2012", &[("*RSS", "0"), ("*QueuePairs", "4")]);
    let outcome = import(&mut host);
    good(&outcome);
    let told = |line: &&String| line.contains("'Ethernet [2]' has no property '*QueuePairs', which was '4'");
    assert_eq!(outcome.warnings.iter().filter(told).count(), 1, "{:?}", outcome.warnings);
    let mut host = queues("2012", &[("*RSS", "0")]);
    host.state.interfaces.retain(|interface| interface.name != "Ethernet [2]");
    failed(&import(&mut host), "There is no network adapter 'Ethernet [2]'");
    // None at all has any.
    let mut host = queues("2012", &[("*RSS", "0")]);
    host.state.interfaces.iter_mut().for_each(|interface| interface.properties.clear());
    let outcome = import(&mut host);
    good(&outcome);
    assert!(outcome.warnings.iter().any(|line| line.contains("has no property '*RSS'")), "{:?}", outcome.warnings);
}

#[test]
fn facts_tell_where_adapters_are() {
    for os in RELEASES {
        let start = queues(os, &[]);
        let facts = |change: fn(&mut Host)| {
            let mut host = start.clone();
            change(&mut host);
            let path = r"D:\facts.json";
            good(&host.run(&format!("{KIT}\\Get-DestinationFacts.ps1"), &[("Path", Value::from(path))]));
            let facts: serde_json::Value = serde_json::from_slice(host.files.read(path).unwrap()).unwrap();
            facts["adapter_details"].clone()
        };
        let all = facts(|_| {});
        let places: Vec<&str> = all.as_array().unwrap().iter().map(|one| one["location"].as_str().unwrap()).collect();
        assert!(places.contains(&"PCI bus 901, device 0, function 0") && places.len() == 3, "{os}: {places:?}");
        let none = facts(|host| host.state.interfaces.iter_mut().for_each(|interface| interface.physical = false));
        assert_eq!(none, serde_json::json!([]), "{os}");
        let silent = facts(|host| host.refuse(Some("Get-NetAdapterHardwareInfo")));
        assert!(silent.as_array().unwrap().iter().all(|one| one.get("location").is_none()), "{os}: {silent}");
        let mut host = start.clone();
        host.refuse(Some("Get-NetAdapter"));
        failed(&host.run(&format!("{KIT}\\Get-DestinationFacts.ps1"), &[]), "Get-NetAdapter: Access is denied.");
    }
}
