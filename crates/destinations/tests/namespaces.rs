//! Rights on WMI namespaces are merged on the model of a Hyper-V host, looked at, and put back. The tests read the entries from the
//! bytes of the descriptors.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod on_host;

use common::{plan, role};
use hvm_model::host::{AccessEntry, NamespaceEntry, NamespaceRights};
use hvm_model::plan::Plan;
use hvm_model::report::Observed;
use hvm_model::setting::{Setting, namespace_settings};
use hvm_testkit::hyperv_host::Host;
use hvm_testkit::powershell::{End, Outcome, Value};
use hvm_testkit::security::{Ace, descriptor, sid};
use on_host::*;

const CIMV2: &str = r"root\cimv2";
const HYPER_V: &str = r"root\virtualization\v2";
const USERS: &str = "S-1-5-11";
const DOMAIN_ACCOUNT: &str = "S-1-5-21-1-2-3-1105";
const UNKNOWN: &str = "S-1-5-21-9-9-9-1234";

/// Of an entry in the bytes: type, flags, mask, account.
type Entry = (u8, u8, u32, String);

fn added(account: &str, effect: &str, mask: u32, subnamespaces: bool) -> NamespaceEntry {
    let entry = AccessEntry { sid: account.to_owned(), name: None, effect: effect.to_owned(), mask };
    NamespaceEntry { entry, subnamespaces }
}

fn planned(rights: &[(&str, Vec<NamespaceEntry>)]) -> Plan {
    let mut role = role();
    role.firewall.clear();
    role.dcom.clear();
    let rights = rights.iter();
    role.wmi_namespaces =
        rights.map(|(name, added)| NamespaceRights { namespace: (*name).to_owned(), added: added.clone() }).collect();
    plan(role)
}

/// An account that gets its rights in two entries, one that is denied something, and remote access for those who have local one.
fn rich() -> Plan {
    planned(&[
        (CIMV2, vec![added(USERS, "allow", 0x20, false)]),
        (
            HYPER_V,
            vec![
                added(DOMAIN_ACCOUNT, "allow", 0x01, true),
                added(USERS, "deny", 0x4, true),
                added(DOMAIN_ACCOUNT, "allow", 0x20, true),
            ],
        ),
    ])
}

fn merge(host: &mut Host) -> Outcome {
    host.run(&format!("{KIT}\\Merge-WmiNamespace.ps1"), &[("Confirm", Value::Bool(false))])
}

fn bytes(host: &Host, name: &str) -> Vec<u8> {
    host.state.namespaces[name].clone()
}

fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    (0..len).rev().fold(0, |number, byte| number << 8 | usize::from(bytes[at + byte]))
}

/// The entries in the order in which they lie in a descriptor.
fn entries(bytes: &[u8]) -> Vec<Entry> {
    let account = |at: usize| {
        let numbers: Vec<String> =
            (0..usize::from(bytes[at + 1])).map(|part| number(bytes, at + 8 + 4 * part, 4).to_string()).collect();
        format!("S-1-{}-{}", bytes[at + 7], numbers.join("-"))
    };
    let list = number(bytes, 16, 4);
    let mut at = list + 8;
    let mut all = Vec::new();
    for _ in 0..number(bytes, list + 4, 2) {
        all.push((bytes[at], bytes[at + 1], number(bytes, at + 4, 4) as u32, account(at + 8)));
        at += number(bytes, at + 2, 2);
    }
    all
}

fn observed(host: &Host) -> Vec<Setting> {
    let seen = host.files.read(&format!("{KIT}\\state\\observed.json")).unwrap();
    let seen: Observed = serde_json::from_slice(seen).unwrap();
    let mut all: Vec<Setting> =
        seen.settings.into_iter().filter(|setting| setting.subject.starts_with("WMI namespace ")).collect();
    all.sort();
    all
}

fn warned(outcome: &Outcome) -> Vec<&str> {
    outcome.warnings.iter().map(String::as_str).filter(|line| line.contains("WMI namespace")).collect()
}

#[test]
fn each_entry_is_merged_and_what_windows_gives_stays() {
    for os in RELEASES {
        let (_, mut host) = host_with_kit(os, &rich());
        let before = host.clone();
        let outcome = merge(&mut host);
        good(&outcome);
        assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
        let mut local = entries(&bytes(&before, CIMV2));
        local.push((0, 0, 0x20, USERS.to_owned()));
        assert_eq!(entries(&bytes(&host, CIMV2)), local, "{os}: an inherited entry is not widened");
        let mut hyper_v = vec![(1, 2, 0x4, USERS.to_owned())];
        hyper_v.extend(entries(&bytes(&before, HYPER_V)));
        hyper_v.push((0, 2, 0x21, DOMAIN_ACCOUNT.to_owned()));
        assert_eq!(entries(&bytes(&host, HYPER_V)), hyper_v, "{os}");
        host.state.namespaces.clone_from(&before.state.namespaces);
        assert_eq!(host.state, before.state, "{os}: nothing else changed");
    }
}

#[test]
fn twice_is_once_and_what_if_is_nothing() {
    for os in RELEASES {
        let (_, start) = host_with_kit(os, &rich());
        let mut host = start.clone();
        let outcome = host.run(&format!("{KIT}\\Merge-WmiNamespace.ps1"), &[("WhatIf", Value::Bool(true))]);
        good(&outcome);
        assert!([CIMV2, HYPER_V].iter().all(|name| outcome.what_if.iter().any(|line| line.contains(name))));
        assert!(host.state == start.state && host.files == start.files, "{os}");
        host.hardware.administrator = false;
        assert!(matches!(merge(&mut host).end, End::Error(message) if message.contains("administrator")));
        host.hardware.administrator = true;
        good(&merge(&mut host));
        let (merged, changes) = (host.clone(), host.changes());
        let outcome = merge(&mut host);
        good(&outcome);
        assert_eq!(outcome.output, [CIMV2, HYPER_V].map(|name| format!("'{name}' needs no change.")));
        assert!(host.state == merged.state && host.files == merged.files && host.changes() == changes, "{os}");
    }
}

#[test]
fn what_is_there_is_seen_and_what_is_missing_is_named() {
    for os in RELEASES {
        let plan = rich();
        let (_, mut host) = host_with_kit(os, &plan);
        good(&import(&mut host));
        let outcome = test(&mut host);
        assert_eq!(outcome.end, End::Code(4));
        assert_eq!(
            warned(&outcome),
            [
                format!("WMI namespace '{CIMV2}': {USERS}.allow is 'nothing' instead of '0x20'."),
                format!("WMI namespace '{HYPER_V}': {DOMAIN_ACCOUNT}.allow is 'nothing' instead of '0x21'."),
                format!("WMI namespace '{HYPER_V}': {USERS}.deny is 'nothing' instead of '0x4'."),
            ]
        );
        good(&merge(&mut host));
        let outcome = test(&mut host);
        assert_eq!((warned(&outcome), observed(&host)), (Vec::new(), namespace_settings(&plan.role)), "{os}");
        let narrow = [Ace { flags: 0x2, mask: 0x01, sid: sid(DOMAIN_ACCOUNT) }];
        host.state.namespaces.insert(HYPER_V.to_owned(), descriptor(&narrow));
        let outcome = test(&mut host);
        let told = format!("WMI namespace '{HYPER_V}': {DOMAIN_ACCOUNT}.allow is '0x1' instead of '0x21'.");
        assert!(warned(&outcome).contains(&told.as_str()), "{:?}", outcome.warnings);
    }
}

#[test]
fn undoing_gives_back_every_byte_and_leaves_what_others_changed() {
    for os in RELEASES {
        let (_, start) = host_with_kit(os, &rich());
        let mut host = start.clone();
        good(&merge(&mut host));
        let mut changed = host.clone();
        let outcome = undo(&mut host);
        good(&outcome);
        assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
        let told = [CIMV2, HYPER_V].map(|name| format!("Taken back: rights on the WMI namespace '{name}'"));
        assert_eq!(outcome.output, told);
        assert_eq!(host.state, start.state, "{os}");
        assert!(undo(&mut host).output.is_empty());
        let theirs = descriptor(&[Ace { flags: 0, mask: 0x3f, sid: sid(DOMAIN_ACCOUNT) }]);
        changed.state.namespaces.insert(HYPER_V.to_owned(), theirs.clone());
        let outcome = undo(&mut changed);
        good(&outcome);
        let left = |line: &String| line.contains("root.virtualization.v2") && line.contains("left as it is");
        assert!(outcome.warnings.len() == 1 && outcome.warnings.iter().all(left), "{:?}", outcome.warnings);
        assert_eq!((bytes(&changed, HYPER_V), bytes(&changed, CIMV2)), (theirs, bytes(&start, CIMV2)), "{os}");
    }
}

#[test]
fn a_cut_anywhere_is_mended_by_the_next_run_or_taken_back() {
    for os in RELEASES {
        let (_, start) = host_with_kit(os, &rich());
        cut_anywhere(&start, merge, 10);
        cut_while_undoing(&start, merge);
    }
}

#[test]
fn accounts_and_namespaces_that_are_not_there_are_told() {
    for os in RELEASES {
        let gone = r"root\gone";
        let plan = planned(&[
            (gone, vec![added(USERS, "allow", 0x20, false)]),
            (CIMV2, vec![added(UNKNOWN, "allow", 0x20, true), added(DOMAIN_ACCOUNT, "allow", 0x21, true)]),
        ]);
        let (_, mut host) = host_with_kit(os, &plan);
        let outcome = merge(&mut host);
        good(&outcome);
        let [first, second] = &outcome.warnings[..] else { panic!("{:?}", outcome.warnings) };
        assert!(first.starts_with(&format!("The WMI namespace '{gone}' cannot be opened on this host:")), "{first}");
        assert_eq!(*second, format!("The account {UNKNOWN} is not known here; its entry in '{CIMV2}' is left out."));
        assert_eq!(entries(&bytes(&host, CIMV2)).last(), Some(&(0, 2, 0x21, DOMAIN_ACCOUNT.to_owned())), "{os}");
        let outcome = test(&mut host);
        assert!(
            warned(&outcome).iter().any(|line| line.contains("is 'account not known here'")),
            "{:?}",
            outcome.warnings
        );
    }
}
