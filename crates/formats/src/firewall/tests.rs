//! Rule strings; the real ones are in `tests/config_security.rs`.

use proptest::prelude::*;

use super::*;

const RULE: &str = "v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Private|LPort=135|\
    App=%SystemRoot%\\system32\\svchost.exe|Svc=RpcSs|Name=@x.dll,-1|New=a=b|odd|EmbedCtxt=Hyper-V|";

#[test]
fn rule_says_what_it_says() {
    let rule: FirewallRule = RULE.parse().unwrap();
    assert_eq!(rule.to_string(), RULE);
    assert_eq!(
        (rule.action(), rule.active(), rule.direction()),
        (Some(Action::Allow), Some(true), Some(Direction::In))
    );
    assert_eq!(rule.profiles().collect::<Vec<_>>(), ["Domain", "Private"]);
    assert_eq!((rule.version(), rule.protocol(), rule.group()), ("v2.10", Some(6), Some("Hyper-V")));
    assert_eq!((rule.first("lport"), rule.first("New"), rule.name()), (Some("135"), Some("a=b"), Some("@x.dll,-1")));
    assert_eq!(rule.fields().count(), 13);
    assert!(rule.fields().any(|field| field == ("odd", None)));
}

#[test]
fn fields_are_added_before_the_last_bar() {
    let rule = FirewallRule::new("v2.0").unwrap().with("Action", "Block").unwrap().with("RA4", "10.0.0.0/8").unwrap();
    assert_eq!(rule.to_string(), "v2.0|Action=Block|RA4=10.0.0.0/8|");
    let mut rule = rule.with("RA4", "LocalSubnet").unwrap();
    assert_eq!(rule.remove("ra4"), 2);
    assert_eq!(rule.to_string(), "v2.0|Action=Block|");
    assert!(matches!(rule.clone().with("Name", "a|b"), Err(FirewallRuleError::Character { character: '|', .. })));
    assert!(matches!(rule.with("a=b", "c"), Err(FirewallRuleError::Character { character: '=', .. })));
}

#[test]
fn what_is_no_rule_is_refused() {
    for text in ["", "Action=Allow|", "v|", "v2|", "vx.1|", "2.10|"] {
        assert!(matches!(text.parse::<FirewallRule>(), Err(FirewallRuleError::Version { .. })), "{text}");
    }
    assert!(matches!("v2.10|".repeat(200_000).parse::<FirewallRule>(), Err(FirewallRuleError::TooLong { .. })));
}

proptest! {
    #[test]
    fn any_rule_survives(tail in "[A-Za-z0-9=|,@. -]{0,200}") {
        let text = format!("v2.10{}{tail}", if tail.is_empty() { "" } else { "|" });
        let rule: FirewallRule = text.parse().unwrap();
        prop_assert_eq!(rule.to_string(), text);
    }
}
