//! Security descriptors and firewall rules of real hosts.
#![allow(clippy::unwrap_used, missing_docs)]

mod config_samples;

use config_samples::read;
use hvm_formats::firewall::{Action, Direction, FirewallRule};
use hvm_formats::regf::Hive;
use hvm_formats::security::{AceKind, SecurityDescriptor, Sid};

/// The `hex:` value called `name` of an exported registry key.
fn hex_value(export: &str, name: &str) -> Vec<u8> {
    let joined = export.replace("\\\r\n", "").replace("\\\n", "");
    let line = joined.lines().find_map(|line| line.strip_prefix(&format!("\"{name}\"=hex:"))).unwrap();
    line.split(',').map(|byte| u8::from_str_radix(byte.trim(), 16).unwrap()).collect()
}

#[test]
fn default_dcom_restrictions() {
    let Some(bytes) = read("registry/dcom_default_restrictions.reg") else { return };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let masks = |name: &str| {
        let bytes = hex_value(&text, name);
        let descriptor = SecurityDescriptor::parse(&bytes).unwrap();
        assert_eq!(descriptor.to_bytes().unwrap(), bytes, "{name}");
        assert_eq!(
            (descriptor.owner.as_ref(), descriptor.group.as_ref()),
            (Some(&Sid::builtin(544)), Some(&Sid::builtin(544)))
        );
        assert!(descriptor.dacl_aces().all(|ace| ace.kind == AceKind::Allow && ace.flags == 0));
        descriptor.dacl_aces().map(|ace| (ace.sid.to_string(), ace.mask)).collect::<Vec<_>>()
    };
    let expect = |pairs: &[(&str, u32)]| pairs.iter().map(|(sid, mask)| ((*sid).to_owned(), *mask)).collect::<Vec<_>>();
    let mut access = masks("MachineAccessRestriction");
    access.sort();
    assert_eq!(access, expect(&[("S-1-1-0", 7), ("S-1-5-32-559", 7), ("S-1-5-32-562", 7), ("S-1-5-7", 3)]));
    let mut launch = masks("MachineLaunchRestriction");
    launch.sort();
    let wanted = [("S-1-1-0", 0xB), ("S-1-5-32-544", 0x1F), ("S-1-5-32-559", 0x1F), ("S-1-5-32-562", 0x1F)];
    assert_eq!(launch, expect(&wanted));
}

#[test]
fn descriptor_of_the_test_kit_is_read() {
    use hvm_testkit::security::{Ace, descriptor, sid};
    let bytes = descriptor(&[Ace { flags: 2, mask: 0x1F, sid: sid("S-1-5-21-1-2-3-1001") }]);
    let read = SecurityDescriptor::parse(&bytes).unwrap();
    assert_eq!(read.to_sddl(), "O:BAG:BAD:(A;CI;CCDCLCSWRP;;;S-1-5-21-1-2-3-1001)");
    assert_eq!(read.to_bytes().unwrap(), bytes);
}

#[test]
fn real_firewall_rules_survive() {
    for (file, most) in [("registry/win7sp1_FirewallPolicy.txt", 200), ("registry/v2.22_FirewallPolicy.txt", 200)] {
        let Some(bytes) = read(file) else { return };
        let text = String::from_utf8(bytes).unwrap();
        let rules: Vec<&str> = text.lines().filter_map(|line| line.find(" v2.").map(|at| &line[at + 1..])).collect();
        assert!(rules.len() > most, "{file}: {}", rules.len());
        for rule in rules {
            check_rule(rule);
        }
    }
}

#[test]
fn firewall_rules_of_a_real_hive_survive() {
    let Some(bytes) = config_samples::read_xz("registry/SYSTEM.xz") else { return };
    let hive = Hive::open(bytes, &[], "SYSTEM").unwrap();
    let path = r"ControlSet001\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules";
    let values: Vec<_> = hive.key(path).unwrap().unwrap().values().map(Result::unwrap).collect();
    assert!(values.len() > 200, "{}", values.len());
    values.iter().for_each(|value| check_rule(&value.as_string().unwrap()));
}

fn check_rule(text: &str) {
    let rule: FirewallRule = text.parse().unwrap();
    assert_eq!(rule.to_string(), text);
    assert!(matches!(rule.action(), Some(Action::Allow | Action::Block)), "{text}");
    assert!(matches!(rule.direction(), Some(Direction::In | Direction::Out)), "{text}");
    assert!(rule.active().is_some() && rule.name().is_some(), "{text}");
    assert_eq!(rule.protocol().is_some(), rule.first("Protocol").is_some(), "{text}");
    assert!(rule.fields().all(|(_, value)| value.is_some()), "{text}");
}
