//! DCOM restrictions are merged on the model of a Hyper-V host, looked at, and put back. The tests read the entries from the
//! bytes that lie in the registry.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod on_host;

use common::{plan, role};
use hvm_model::found::Place;
use hvm_model::host::{AccessEntry, DcomRestriction, GroupMember};
use hvm_model::plan::Plan;
use hvm_model::report::Observed;
use hvm_model::role::RoleMember;
use hvm_model::setting::{Setting, dcom_settings};
use hvm_testkit::hyperv_host::{Data, Host};
use hvm_testkit::powershell::{End, Outcome, Value};
use hvm_testkit::security::{Ace, descriptor, sid};
use on_host::*;

const KEY: &str = r"HKLM:\SOFTWARE\MICROSOFT\OLE";
const LAUNCH: &str = "MachineLaunchRestriction";
const ACCESS: &str = "MachineAccessRestriction";

const EVERYONE: &str = "S-1-1-0";
const ANONYMOUS: &str = "S-1-5-7";
const USERS: &str = "S-1-5-11";
const DOMAIN_ACCOUNT: &str = "S-1-5-21-1-2-3-1105";
const UNKNOWN: &str = "S-1-5-21-9-9-9-1234";

/// Of an entry in the bytes: type, mask, account.
type Entry = (u8, u32, String);

fn allow(account: &str, mask: u32) -> Entry {
    (0, mask, account.to_owned())
}

fn deny(account: &str, mask: u32) -> Entry {
    (1, mask, account.to_owned())
}

fn restriction(name: &str, added: &[(&str, &str, u32)]) -> DcomRestriction {
    let entry = |(account, effect, mask): &(&str, &str, u32)| AccessEntry {
        sid: (*account).to_owned(),
        name: None,
        effect: (*effect).to_owned(),
        mask: *mask,
    };
    DcomRestriction {
        name: name.to_owned(),
        sddl: "O:BAG:BAD:".to_owned(),
        added: added.iter().map(entry).collect(),
        removed: Vec::new(),
        place: Place::default(),
    }
}

fn planned(dcom: Vec<DcomRestriction>) -> Plan {
    let mut role = role();
    role.dcom = dcom;
    role.firewall.clear();
    plan(role)
}

/// An account of its own, a wider mask, two denying entries, an account twice; and a wider mask in the other restriction.
fn rich() -> Plan {
    let launch = [
        (DOMAIN_ACCOUNT, "allow", 0x0b),
        (EVERYONE, "allow", 0x1f),
        (ANONYMOUS, "deny", 0x14),
        (USERS, "deny", 0x10),
        (DOMAIN_ACCOUNT, "allow", 0x14),
    ];
    planned(vec![restriction(LAUNCH, &launch), restriction(ACCESS, &[(ANONYMOUS, "allow", 0x07)])])
}

fn merge(host: &mut Host) -> Outcome {
    host.run(&format!("{KIT}\\Merge-DcomRestriction.ps1"), &[("Confirm", Value::Bool(false))])
}

fn bytes(host: &Host, name: &str) -> Vec<u8> {
    match &host.state.registry[KEY][name] {
        Data::Bytes(bytes) => bytes.clone(),
        other => panic!("{name} is {other:?}"),
    }
}

fn set(host: &mut Host, name: &str, bytes: Vec<u8>) {
    host.state.registry.get_mut(KEY).unwrap().insert(name.to_owned(), Data::Bytes(bytes));
}

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn half(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()))
}

fn account(bytes: &[u8], at: usize) -> String {
    let numbers = (0..usize::from(bytes[at + 1])).map(|number| word(bytes, at + 8 + 4 * number).to_string());
    format!("S-1-{}-{}", bytes[at + 7], numbers.collect::<Vec<_>>().join("-"))
}

/// The entries in the order in which they lie in a descriptor.
fn entries(bytes: &[u8]) -> Vec<Entry> {
    assert_eq!((bytes[0], half(bytes, 2), word(bytes, 12)), (1, 0x8004, 0));
    assert_eq!([4, 8].map(|at| account(bytes, word(bytes, at))), ["S-1-5-32-544", "S-1-5-32-544"]);
    let list = word(bytes, 16);
    assert_eq!((bytes[list], bytes[list + 1], half(bytes, list + 6)), (2, 0, 0));
    let mut at = list + 8;
    let mut all = Vec::new();
    for _ in 0..half(bytes, list + 4) {
        assert_eq!(bytes[at + 1], 0, "flags of an entry");
        all.push((bytes[at], word(bytes, at + 4) as u32, account(bytes, at + 8)));
        at += half(bytes, at + 2);
    }
    assert_eq!(at, list + half(bytes, list + 2));
    all
}

/// The entries with what the rich plan adds: denying ones before all others, wider masks in their places, new ones at the end.
fn rich_entries(before: &Host) -> [Vec<Entry>; 2] {
    let mut launch = vec![deny(USERS, 0x10), deny(ANONYMOUS, 0x14)];
    launch.extend(entries(&bytes(before, LAUNCH)));
    let mut access = entries(&bytes(before, ACCESS));
    for (list, account, narrow, wide) in [(&mut launch, EVERYONE, 0x0b, 0x1f), (&mut access, ANONYMOUS, 0x03, 0x07)] {
        let entry = list.iter_mut().find(|entry| **entry == allow(account, narrow)).unwrap();
        entry.1 = wide;
    }
    launch.push(allow(DOMAIN_ACCOUNT, 0x1f));
    [launch, access]
}

fn observed(host: &Host) -> Vec<Setting> {
    let seen = host.files.read(&format!("{KIT}\\state\\observed.json")).unwrap();
    let seen: Observed = serde_json::from_slice(seen).unwrap();
    let mut all: Vec<Setting> =
        seen.settings.into_iter().filter(|setting| setting.subject.starts_with("DCOM restriction ")).collect();
    all.sort();
    all
}

/// The warnings of the test about DCOM, without what the rest of the host is like.
fn warned(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.warnings.iter().map(String::as_str);
    lines.filter(|line| line.starts_with("DCOM restriction ")).collect()
}

fn kept(host: &Host) -> Vec<String> {
    let paths = host.files.iter().map(|file| file.path.clone());
    paths.filter(|path| path.contains("Restriction-")).collect()
}

#[test]
fn each_entry_is_merged_into_its_place_and_nothing_else_changes() {
    for os in RELEASES {
        let (_, mut host) = host_with_kit(os, &rich());
        let before = host.clone();
        let outcome = merge(&mut host);
        good(&outcome);
        assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
        assert_eq!([LAUNCH, ACCESS].map(|name| entries(&bytes(&host, name))), rich_entries(&before), "{os}");
        for name in [LAUNCH, ACCESS] {
            set(&mut host, name, bytes(&before, name));
        }
        assert_eq!(host.state, before.state, "{os}");
    }
}

#[test]
fn merging_twice_is_merging_once() {
    for os in RELEASES {
        let (_, mut host) = host_with_kit(os, &rich());
        good(&merge(&mut host));
        let before = host.clone();
        let changes = host.changes();
        let outcome = merge(&mut host);
        good(&outcome);
        assert_eq!(outcome.output, [LAUNCH, ACCESS].map(|name| format!("'{name}' needs no change.")));
        assert!(host.state == before.state && host.files == before.files && host.changes() == changes, "{os}");
    }
}

#[test]
fn what_if_changes_nothing_and_only_an_administrator_merges() {
    for os in RELEASES {
        let (_, start) = host_with_kit(os, &rich());
        let mut merged = start.clone();
        good(&merge(&mut merged));
        for (mut host, script) in [(start.clone(), "Merge-DcomRestriction.ps1"), (merged, "Undo-HyperVRole.ps1")] {
            let before = host.clone();
            let outcome = host.run(&format!("{KIT}\\{script}"), &[("WhatIf", Value::Bool(true))]);
            good(&outcome);
            for name in [LAUNCH, ACCESS] {
                assert!(outcome.what_if.iter().any(|line| line.contains(name)), "{script}: {:?}", outcome.what_if);
            }
            assert!(host.state == before.state && host.files == before.files, "{os}: {script}");
        }
        let mut host = start.clone();
        host.hardware.administrator = false;
        assert!(matches!(merge(&mut host).end, End::Error(message) if message.contains("administrator")));
        assert!(host.state == start.state && host.files == start.files, "{os}");
    }
}

#[test]
fn undoing_gives_back_every_byte() {
    for os in RELEASES {
        let (_, mut host) = host_with_kit(os, &rich());
        let before = host.clone();
        good(&import(&mut host));
        good(&merge(&mut host));
        assert_ne!(bytes(&host, LAUNCH), bytes(&before, LAUNCH));
        assert_eq!(kept(&host).len(), 4, "{:?}", kept(&host));
        let outcome = undo(&mut host);
        good(&outcome);
        assert!(!outcome.warnings.iter().any(|line| line.contains("Restriction")), "{:?}", outcome.warnings);
        let told = [LAUNCH, ACCESS].map(|name| format!("Taken back: DCOM restriction '{name}'"));
        assert_eq!(outcome.output.get(..2), Some(told.as_slice()));
        assert_eq!(host.state.without_ids(), before.state.without_ids(), "{os}");
        assert!(kept(&host).is_empty() && undo(&mut host).output.is_empty(), "{:?}", kept(&host));
        // A later merge keeps what it finds then.
        let other = descriptor(&[Ace { flags: 0, mask: 0x1f, sid: sid("S-1-5-32-544") }]);
        set(&mut host, LAUNCH, other.clone());
        good(&merge(&mut host));
        good(&undo(&mut host));
        assert_eq!(bytes(&host, LAUNCH), other, "{os}");
    }
}

#[test]
fn a_cut_anywhere_is_mended_by_the_next_run_or_taken_back() {
    for os in RELEASES {
        let (_, start) = host_with_kit(os, &rich());
        cut_anywhere(&start, merge, 11);
        cut_while_undoing(&start, merge);
    }
}

#[test]
fn a_value_that_somebody_else_changed_is_left_as_it_is() {
    for os in RELEASES {
        let (_, mut host) = host_with_kit(os, &rich());
        let before = host.clone();
        good(&merge(&mut host));
        let theirs = descriptor(&[Ace { flags: 0, mask: 0x0b, sid: sid(EVERYONE) }]);
        set(&mut host, LAUNCH, theirs.clone());
        let changed = host.clone();
        let outcome = undo(&mut host);
        good(&outcome);
        let left =
            |line: &String| line.contains(LAUNCH) && line.contains("left as it is") && line.contains("-before.bin");
        assert!(outcome.warnings.len() == 1 && outcome.warnings.iter().all(left), "{:?}", outcome.warnings);
        assert_eq!((bytes(&host, LAUNCH), bytes(&host, ACCESS)), (theirs, bytes(&before, ACCESS)), "{os}");
        assert_eq!(kept(&host).len(), 2, "{:?}", kept(&host));
        // Merged again it is what both wanted, and still nobody's to take back.
        let mut again = changed.clone();
        let outcome = merge(&mut again);
        good(&outcome);
        assert!(outcome.warnings.len() == 1 && outcome.warnings[0].contains(LAUNCH), "{:?}", outcome.warnings);
        let both = bytes(&again, LAUNCH);
        let wanted =
            [deny(USERS, 0x10), deny(ANONYMOUS, 0x14), allow(EVERYONE, 0x1f), allow(DOMAIN_ACCOUNT, 0x1f)].to_vec();
        assert_eq!(entries(&both), wanted);
        assert_eq!(undo(&mut again).warnings.len(), 1);
        assert_eq!(bytes(&again, LAUNCH), both, "{os}");
        // Removed or put back by hand.
        let mut removed = changed.clone();
        removed.state.registry.get_mut(KEY).unwrap().remove(LAUNCH);
        assert_eq!(undo(&mut removed).warnings.len(), 1);
        assert!(!removed.state.registry[KEY].contains_key(LAUNCH));
        removed.files.remove(&format!("{KIT}\\state\\{LAUNCH}-merged.bin"));
        assert_eq!(undo(&mut removed).warnings.len(), 1);
        assert!(!removed.state.registry[KEY].contains_key(LAUNCH) && kept(&removed).len() == 1);
        let mut back = changed;
        set(&mut back, LAUNCH, bytes(&before, LAUNCH));
        assert!(undo(&mut back).warnings.is_empty() && kept(&back).is_empty());
        assert_eq!(back.state, before.state, "{os}");
    }
}

#[test]
fn each_entry_that_is_missing_is_named() {
    for os in RELEASES {
        let plan = rich();
        let (_, mut host) = host_with_kit(os, &plan);
        good(&import(&mut host));
        let before = bytes(&host, LAUNCH);
        let missing = [
            "S-1-5-21-1-2-3-1105.allow is 'nothing' instead of '0x1f'.",
            "S-1-1-0.allow is '0xb' instead of '0x1f'.",
            "S-1-5-7.deny is 'nothing' instead of '0x14'.",
            "S-1-5-11.deny is 'nothing' instead of '0x10'.",
        ];
        let missing = missing.map(|words| format!("DCOM restriction '{LAUNCH}': {words}"));
        let narrow = format!("DCOM restriction '{ACCESS}': S-1-5-7.allow is '0x3' instead of '0x7'.");
        let outcome = test(&mut host);
        assert_eq!(outcome.end, End::Code(4));
        assert_eq!(outcome.warnings.split_last(), Some((&narrow, missing.as_slice())), "{os}");
        good(&merge(&mut host));
        let outcome = test(&mut host);
        good(&outcome);
        assert_eq!(outcome.warnings, Vec::<String>::new());
        assert_eq!(observed(&host), dcom_settings(&plan.role));
        let merged = bytes(&host, LAUNCH);
        // One entry is taken away by hand: the last one, and the count before them.
        let mut shorter = merged.clone();
        let list = word(&shorter, 16);
        let length = 8 + sid(DOMAIN_ACCOUNT).len();
        shorter.truncate(merged.len() - length);
        shorter[list + 2..list + 4].copy_from_slice(&((half(&merged, list + 2) - length) as u16).to_le_bytes());
        shorter[list + 4..list + 6].copy_from_slice(&((half(&merged, list + 4) - 1) as u16).to_le_bytes());
        set(&mut host, LAUNCH, shorter);
        let outcome = test(&mut host);
        assert_eq!((outcome.end, outcome.warnings), (End::Code(4), missing[..1].to_vec()), "{os}");
        let mut wanted = dcom_settings(&plan.role);
        wanted.retain(|setting| !setting.item.starts_with(DOMAIN_ACCOUNT));
        assert_eq!(observed(&host), wanted);
        // And all at once.
        set(&mut host, LAUNCH, before);
        let outcome = test(&mut host);
        assert_eq!((outcome.end, outcome.warnings), (End::Code(4), missing.to_vec()), "{os}");
        let narrow = Setting::new(format!("DCOM restriction {LAUNCH}"), "S-1-1-0.allow", "0xb");
        assert!(observed(&host).contains(&narrow) && observed(&host).len() == 2, "{:?}", observed(&host));
    }
}

#[test]
fn an_account_that_the_host_does_not_know_is_left_out_and_told() {
    for os in RELEASES {
        let plan = planned(vec![restriction(LAUNCH, &[(UNKNOWN, "allow", 0x1f), (DOMAIN_ACCOUNT, "allow", 0x0b)])]);
        let (_, mut host) = host_with_kit(os, &plan);
        let mut wanted = entries(&bytes(&host, LAUNCH));
        wanted.push(allow(DOMAIN_ACCOUNT, 0x0b));
        let outcome = merge(&mut host);
        good(&outcome);
        let told = [format!("The account {UNKNOWN} is not known here; its entry in '{LAUNCH}' is left out.")];
        assert_eq!(outcome.warnings, told);
        assert_eq!(entries(&bytes(&host, LAUNCH)), wanted, "{os}");
        let outcome = test(&mut host);
        assert_eq!(outcome.end, End::Code(4));
        let told =
            format!("DCOM restriction '{LAUNCH}': {UNKNOWN}.allow is 'account not known here' instead of '0x1f'.");
        assert_eq!(warned(&outcome), [told], "{os}");
        let subject = format!("DCOM restriction {LAUNCH}");
        let mut seen = vec![
            Setting::new(&subject, format!("{UNKNOWN}.allow"), "account not known here"),
            Setting::new(&subject, format!("{DOMAIN_ACCOUNT}.allow"), "0xb"),
        ];
        seen.sort();
        assert_eq!(observed(&host), seen);
    }
}

#[test]
fn a_value_that_cannot_be_merged_is_named_and_the_other_one_is_merged() {
    let no_list = [1, 0, 0, 0x80].into_iter().chain([0; 16]).collect::<Vec<u8>>();
    let spoils: [(&str, Option<Vec<u8>>); 4] = [
        ("is not written on this host", None),
        ("no security descriptor", Some(vec![1, 2, 3])),
        ("no security descriptor", Some(vec![0; 40])),
        ("no list of entries", Some(no_list)),
    ];
    for os in RELEASES {
        for (words, value) in &spoils {
            let (_, mut host) = host_with_kit(os, &rich());
            let wanted = rich_entries(&host);
            host.state.registry.get_mut(KEY).unwrap().remove(LAUNCH);
            if let Some(value) = value {
                set(&mut host, LAUNCH, value.clone());
            }
            let before = host.state.registry[KEY].get(LAUNCH).cloned();
            let outcome = merge(&mut host);
            good(&outcome);
            let named = |line: &String| line.contains(words) && line.contains(LAUNCH);
            assert!(outcome.warnings.len() == 1 && outcome.warnings.iter().all(named), "{:?}", outcome.warnings);
            assert_eq!(host.state.registry[KEY].get(LAUNCH).cloned(), before, "{os}: {words}");
            assert_eq!(entries(&bytes(&host, ACCESS)), wanted[1], "{os}: {words}");
            let outcome = test(&mut host);
            assert_eq!(outcome.end, End::Code(4));
            let nothing = warned(&outcome).iter().filter(|line| line.contains("is 'nothing' instead of")).count();
            assert_eq!((nothing, warned(&outcome).len()), (4, 4), "{os}: {:?}", outcome.warnings);
        }
    }
}

#[test]
fn odd_masks_and_effects_are_kept_apart() {
    for os in RELEASES {
        let added = [
            (DOMAIN_ACCOUNT, "allow", 0x8000_0001),
            (DOMAIN_ACCOUNT, "deny", 0x4),
            (USERS, "audit", 0x1f),
            (EVERYONE, "allow", 0x01),
        ];
        let plan = planned(vec![restriction(LAUNCH, &added)]);
        let (_, mut host) = host_with_kit(os, &plan);
        let before = entries(&bytes(&host, LAUNCH));
        let outcome = merge(&mut host);
        good(&outcome);
        let told = [format!("The entry of {USERS} in '{LAUNCH}' neither allows nor denies; it is left out.")];
        assert_eq!(outcome.warnings, told);
        let new = [vec![deny(DOMAIN_ACCOUNT, 0x4)], before, vec![allow(DOMAIN_ACCOUNT, 0x8000_0001)]].concat();
        assert_eq!(entries(&bytes(&host, LAUNCH)), new, "{os}");
        let outcome = test(&mut host);
        assert!(warned(&outcome).is_empty(), "{:?}", outcome.warnings);
        assert_eq!(observed(&host), dcom_settings(&plan.role));
        assert_eq!(observed(&host).len(), 3);
    }
}

/// Two accounts that the host knows, one of a domain that it does not know, and two of the old host itself, one of which the new
/// one has too.
fn with_members() -> Plan {
    let member = |domain: &str, name: &str, sid: Option<&str>| RoleMember {
        account: GroupMember { domain: domain.to_owned(), name: name.to_owned(), sid: sid.map(str::to_owned) },
        local: domain == "HV-OLD-01",
    };
    let mut plan = planned(Vec::new());
    plan.role.dcom_users = vec![
        member("CORP", "Müller, Jörg", Some(DOMAIN_ACCOUNT)),
        member("CORP", "HV-Verwaltung", None),
        member("ALT", "Meier", Some(UNKNOWN)),
        member("HV-OLD-01", "berta", Some("S-1-5-21-4-4-4-1001")),
        member("HV-OLD-01", "otto", None),
    ];
    plan
}

fn members(host: &Host) -> Vec<String> {
    let mut members = host.state.groups.get("S-1-5-32-562").cloned().unwrap_or_default();
    members.sort();
    members
}

#[test]
fn members_of_the_group_are_made_members_by_identifier_or_name() {
    let there = [DOMAIN_ACCOUNT, "S-1-5-21-7-7-7-1001", hvm_testkit::sample::ids::DCOM_GROUP_SID];
    let mut wanted = there.map(str::to_owned).to_vec();
    wanted.sort();
    for os in RELEASES {
        let plan = with_members();
        let (_kit, mut host) = host_with_kit(os, &plan);
        host.state.groups.insert("S-1-5-32-562".to_owned(), vec![DOMAIN_ACCOUNT.to_owned()]);
        let start = host.clone();
        let outcome = merge(&mut host);
        good(&outcome);
        assert_eq!(members(&host), wanted);
        for name in ["ALT\\Meier", "HV-OLD-01\\otto"] {
            assert!(outcome.warnings.iter().any(|line| line.contains(name)), "{:?}", outcome.warnings);
        }
        assert_eq!(outcome.warnings.len(), 2);
        // Once more changes nothing, and what the host has afterwards is told item by item.
        let before = host.state.clone();
        good(&merge(&mut host));
        assert_eq!(host.state, before);
        let outcome = test(&mut host);
        let missing = outcome.warnings.iter().filter(|line| line.contains("Distributed COM Users: ")).count();
        assert_eq!((missing, dcom_settings(&plan.role).len()), (2, 5));
        // Who was a member before stays one.
        good(&undo(&mut host));
        assert_eq!(members(&host), [DOMAIN_ACCOUNT]);
        for at in 0..9 {
            let mut cut = start.clone();
            cut.cut_at(at);
            let end = merge(&mut cut).end;
            let mut cut = cut.clone();
            good(&merge(&mut cut));
            assert_eq!(members(&cut), wanted, "change {at}, {end:?}");
            good(&undo(&mut cut));
            assert_eq!(members(&cut), [DOMAIN_ACCOUNT], "change {at}");
        }
    }
}
