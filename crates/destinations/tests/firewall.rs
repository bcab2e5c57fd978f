//! Changed firewall rules are made on the model of a Hyper-V host, looked at, and put back.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod on_host;

use std::collections::BTreeMap;

use common::{plan, role};
use hvm_model::firewall::firewall_settings;
use hvm_model::plan::Plan;
use hvm_model::report::Observed;
use hvm_model::setting::Setting;
use hvm_testkit::hyperv_host::Host;
use hvm_testkit::powershell::{End, Outcome, Value};
use on_host::*;

const CONSOLE: &str = "VIRT-REMOTEDESKTOP-In-TCP-NoScope";
const OWN: &str = "{5A4C9F0E-0000-4000-8000-000000000001}";
const KEPT: &str = "firewall-before.json";

fn planned() -> Plan {
    let mut role = role();
    role.dcom.clear();
    plan(role)
}

fn set(host: &mut Host) -> Outcome {
    host.run(&format!("{KIT}\\Set-HyperVFirewall.ps1"), &[("Confirm", Value::Bool(false))])
}

fn kept(host: &Host) -> bool {
    host.files.iter().any(|file| file.path.ends_with(KEPT))
}

fn observed(host: &Host) -> Vec<Setting> {
    let seen = host.files.read(&format!("{KIT}\\state\\observed.json")).unwrap();
    let seen: Observed = serde_json::from_slice(seen).unwrap();
    let rules = seen.settings.into_iter().filter(|setting| setting.subject.starts_with("firewall rule "));
    let mut all: Vec<Setting> = rules.collect();
    all.sort();
    all
}

/// The warnings of the test about firewall rules, without what the rest of the host is like.
fn warned(outcome: &Outcome) -> Vec<&str> {
    outcome.warnings.iter().map(String::as_str).filter(|line| line.starts_with("Firewall rule ")).collect()
}

fn rule<'h>(host: &'h mut Host, name: &str) -> &'h mut BTreeMap<String, String> {
    host.state.firewall.get_mut(name).unwrap()
}

#[test]
fn rules_are_changed_and_made_as_they_were_on_the_source() {
    for os in RELEASES {
        let plan = planned();
        let (_, mut host) = host_with_kit(os, &plan);
        let before = host.clone();
        let outcome = set(&mut host);
        good(&outcome);
        assert!(outcome.warnings.len() == 1 && outcome.warnings[0].contains("LUAuth"), "{:?}", outcome.warnings);
        let console = rule(&mut host, CONSOLE).clone();
        let has = |name: &str| console[name].as_str();
        assert_eq!((has("Enabled"), has("Profile"), has("RemoteAddress")), ("False", "Domain", "LocalSubnet"));
        assert_eq!((has("LocalPort"), has("Program")), ("2179", r"%SystemRoot%\system32\vmms.exe"));
        let own = rule(&mut host, OWN).clone();
        let has = |name: &str| own[name].as_str();
        assert_eq!((has("Action"), has("Profile"), has("LocalPort")), ("Block", "Domain, Private", "2179,3000-3010"));
        assert_eq!((has("Protocol"), has("RemoteAddress")), ("TCP", "192.0.2.0/255.255.255.0"));
        host.state.firewall.clear();
        assert_eq!(host.state, before.state, "{os}");
    }
}

#[test]
fn twice_is_once_and_what_if_changes_nothing() {
    for os in RELEASES {
        let (_, start) = host_with_kit(os, &planned());
        let mut host = start.clone();
        good(&set(&mut host));
        let once = host.clone();
        good(&set(&mut host));
        assert!(host.state == once.state && host.files == once.files, "{os}");
        for (mut host, script) in [(start, "Set-HyperVFirewall.ps1"), (once, "Undo-HyperVRole.ps1")] {
            let before = host.clone();
            let outcome = host.run(&format!("{KIT}\\{script}"), &[("WhatIf", Value::Bool(true))]);
            good(&outcome);
            assert!(outcome.what_if.iter().any(|line| line.contains("firewall rules")), "{:?}", outcome.what_if);
            assert!(host.state == before.state && host.files == before.files, "{os}: {script}");
        }
    }
}

#[test]
fn undoing_returns_the_rules_to_what_they_were() {
    for os in RELEASES {
        let (_, mut host) = host_with_kit(os, &planned());
        // Somebody had restricted the rule in another way.
        let change = format!(
            "Set-NetFirewallRule -Name '{CONSOLE}' -Profile Private, Public -RemoteAddress '10.0.0.1', '10.0.0.2' -Confirm:$false"
        );
        host.run_text(&change).unwrap();
        let before = host.clone();
        good(&import(&mut host));
        good(&set(&mut host));
        assert!(kept(&host));
        let outcome = undo(&mut host);
        good(&outcome);
        let told = [CONSOLE, OWN].map(|name| format!("Taken back: firewall rule '{name}'"));
        assert_eq!(outcome.output.get(..2), Some(told.as_slice()));
        // The host gives addresses in an order of its own.
        let addresses = rule(&mut host, CONSOLE).get_mut("RemoteAddress").unwrap();
        assert_eq!(addresses, "10.0.0.2,10.0.0.1");
        *addresses = "10.0.0.1,10.0.0.2".to_owned();
        assert_eq!(host.state.without_ids(), before.state.without_ids(), "{os}");
        assert!(!kept(&host) && undo(&mut host).output.is_empty());
    }
}

#[test]
fn a_cut_anywhere_is_mended_by_the_next_run_or_taken_back() {
    for os in RELEASES {
        let (_, start) = host_with_kit(os, &planned());
        cut_anywhere(&start, set, 4);
        cut_while_undoing(&start, set);
    }
}

#[test]
fn each_thing_that_is_not_so_is_named() {
    for os in RELEASES {
        let plan = planned();
        let (_, mut host) = host_with_kit(os, &plan);
        good(&import(&mut host));
        let outcome = test(&mut host);
        assert_eq!(outcome.end, End::Code(4));
        let missing = warned(&outcome);
        assert!(
            missing.contains(&format!("Firewall rule '{CONSOLE}': enabled is 'True' instead of 'False'.").as_str())
        );
        assert!(missing.contains(&format!("Firewall rule '{OWN}': action is 'nothing' instead of 'Block'.").as_str()));
        good(&set(&mut host));
        let outcome = test(&mut host);
        good(&outcome);
        assert_eq!(observed(&host), firewall_settings(&plan.role), "{os}");
        let good = host.clone();
        for (name, field, value, told) in [
            (CONSOLE, "Enabled", "True", "enabled is 'True' instead of 'False'."),
            (CONSOLE, "Action", "Block", "action is 'Block' instead of 'Allow'."),
            (CONSOLE, "Profile", "Any", "profile is 'Any' instead of 'Domain'."),
            (CONSOLE, "RemoteAddress", "Any", "remote-address is 'Any' instead of 'LocalSubnet'."),
            (OWN, "LocalAddress", "10.0.0.1", "local-address is '10.0.0.1' instead of 'Any'."),
            (OWN, "Direction", "Outbound", "direction is 'Outbound' instead of 'Inbound'."),
            (OWN, "Protocol", "UDP", "protocol is 'UDP' instead of 'TCP'."),
            (OWN, "LocalPort", "2179", "local-port is '2179' instead of '2179 3000-3010'."),
            (OWN, "Program", "Any", r"program is 'Any' instead of '%SystemRoot%\system32\vmms.exe'."),
            (OWN, "Service", "Any", "service is 'Any' instead of 'vmms'."),
        ] {
            let mut host = good.clone();
            rule(&mut host, name).insert(field.to_owned(), value.to_owned());
            let outcome = test(&mut host);
            assert_eq!(
                (&outcome.end, warned(&outcome)),
                (&End::Code(4), vec![format!("Firewall rule '{name}': {told}").as_str()])
            );
        }
    }
}

#[test]
fn what_somebody_else_changed_or_made_is_left() {
    for os in RELEASES {
        let (_, start) = host_with_kit(os, &planned());
        let mut host = start.clone();
        good(&set(&mut host));
        rule(&mut host, CONSOLE).insert("RemoteAddress".to_owned(), "10.9.9.9".to_owned());
        let outcome = undo(&mut host);
        good(&outcome);
        let left = |line: &String| line.contains(CONSOLE) && line.contains("left as it is");
        assert!(outcome.warnings.len() == 1 && outcome.warnings.iter().all(left), "{:?}", outcome.warnings);
        assert_eq!(rule(&mut host, CONSOLE)["RemoteAddress"], "10.9.9.9");
        assert!(!host.state.firewall.contains_key(OWN), "{os}");
        // A rule of the same id that the kit did not make.
        let mut host = start;
        host.run_text(&format!("New-NetFirewallRule -Name '{OWN}' -DisplayName 'theirs' -Confirm:$false")).unwrap();
        let outcome = set(&mut host);
        assert!(matches!(&outcome.end, End::Error(message) if message.contains("did not make")), "{outcome:?}");
        assert_eq!(rule(&mut host, OWN)["DisplayName"], "theirs");
        good(&undo(&mut host));
        assert_eq!(rule(&mut host, OWN)["DisplayName"], "theirs", "{os}");
    }
}
