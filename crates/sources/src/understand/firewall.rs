//! Firewall rules that concern Hyper-V and are not as installed. No list of the default rules of 2008 and 2008 R2 is
//! published, so a rule of Hyper-V counts as changed when it has what no installed one has: it is off, blocks, or is
//! restricted to some profile, address, interface or program.

use hvm_formats::firewall::{Action, Direction, FirewallRule};
use hvm_model::finding::Subject;
use hvm_model::found::{Place, Problem};
use hvm_model::host::{Firewall, FirewallChange};

use super::Reading;
use super::registry::RegKey;

const POLICY: &str = r"Services\SharedAccess\Parameters\FirewallPolicy";
/// All rules.
pub(super) const RULES: &str = r"Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules";
/// Fields that restrict a rule; the installed ones have none of them.
const RESTRICTIONS: [&str; 9] = ["Profile", "RA4", "RA6", "LA4", "LA6", "IF", "IFType", "RA42", "RA62"];
/// Programs of the installed rules.
const PROGRAMS: [&str; 5] = ["svchost.exe", "vmms.exe", "unsecapp.exe", "vmwp.exe", "system"];
/// Programs and services that belong to Hyper-V or its remote administration.
const OWN: [&str; 8] =
    ["vmms.exe", "vmwp.exe", "vmconnect.exe", "unsecapp.exe", "vmms", "nvspwmi", "vhdsvc", "winmgmt"];
/// Ports of Hyper-V alone: console, live migration.
const OWN_PORTS: [u32; 2] = [2179, 6600];
/// Ports that Hyper-V shares with others: endpoint mapper, file sharing, Replica, WS-Management.
const SHARED_PORTS: [u32; 5] = [135, 445, 80, 443, 5985];

pub(super) fn read(reading: &Reading<'_>) -> Firewall {
    let mut firewall = Firewall {
        policy_version: reading.system.dword(POLICY, "PolicyVersion").found(),
        hyper_v_rules: 0,
        changes: Vec::new(),
    };
    let Some(key) = reading.system.existing(RULES) else { return firewall };
    for value in key.values() {
        let Ok(text) = value.as_string() else { continue };
        let is_own = is_own_id(value.name());
        match text.parse::<FirewallRule>() {
            Ok(rule) => {
                let is_own = is_own || of_own_group(&rule) && !is_guid(value.name());
                firewall.hyper_v_rules += u32::from(is_own);
                firewall.changes.extend(change(&key, value.name(), &rule, is_own));
            }
            Err(error) if is_own => {
                unreadable(reading, value.name(), key.value_place(value.name()), &error.to_string())
            }
            // A rule of somebody else is not our matter.
            Err(_) => {}
        }
    }
    firewall.changes.sort_by(|a, b| a.id.cmp(&b.id));
    firewall
}

fn unreadable(reading: &Reading<'_>, id: &str, place: Place, error: &str) {
    reading.problem(Problem {
        kind: "firewall.unreadable".to_owned(),
        subject: Subject::FirewallRule { id: id.to_owned() },
        message: format!("{place}: {error}"),
        place,
        hint: "On the host, look the rule up in wf.msc and set it on the destination by hand.".to_owned(),
    });
}

fn is_own_id(id: &str) -> bool {
    let upper = id.to_ascii_uppercase();
    upper.starts_with("VIRT-") || upper.starts_with("VIRTCL-")
}

fn is_guid(id: &str) -> bool {
    id.starts_with('{') && id.parse::<hvm_model::names::AdapterId>().is_ok()
}

fn of_own_group(rule: &FirewallRule) -> bool {
    let group = rule.group().unwrap_or_default().to_lowercase();
    group.contains("vmms.exe") || group.contains("hyper-v")
}

fn change(key: &RegKey<'_>, id: &str, rule: &FirewallRule, is_own: bool) -> Option<FirewallChange> {
    let user_made = !is_own && is_guid(id);
    let differences = if is_own {
        differences(id, rule)
    } else if user_made && concerns_hyper_v(rule) {
        vec!["made by a person".to_owned()]
    } else {
        Vec::new()
    };
    let field = |(key, value): (&str, Option<&str>)| (key.to_owned(), value.unwrap_or_default().to_owned());
    (!differences.is_empty()).then(|| FirewallChange {
        id: id.to_owned(),
        user_made,
        differences,
        fields: rule.fields().map(field).collect(),
        place: key.value_place(id),
    })
}

fn differences(id: &str, rule: &FirewallRule) -> Vec<String> {
    let mut found = Vec::new();
    // The rules of Hyper-V Replica (2012 and later) are installed switched off.
    let installed_off = id.to_ascii_uppercase().starts_with("VIRT-HVRHTTP");
    if rule.active() != Some(true) && !installed_off {
        found.push(format!("Active={}", rule.first("Active").unwrap_or_default()));
    }
    if rule.action() != Some(Action::Allow) {
        found.push(format!("Action={}", rule.first("Action").unwrap_or_default()));
    }
    for name in RESTRICTIONS {
        found.extend(rule.all(name).map(|value| format!("{name}={value}")));
    }
    if rule.direction() != Some(Direction::Out) {
        found.extend(rule.all("RPort").map(|value| format!("RPort={value}")));
    }
    let is_expected = |program: &str| PROGRAMS.contains(&file_name(program).as_str());
    found.extend(rule.all("App").filter(|program| !is_expected(program)).map(|program| format!("App={program}")));
    found
}

/// Only what names Hyper-V counts: its own ports or programs, or a port that it shares together with its name.
fn concerns_hyper_v(rule: &FirewallRule) -> bool {
    if rule.active() != Some(true) {
        return false;
    }
    let touches = |ports: &[u32]| ports.iter().any(|port| has_port(rule, *port));
    let own_program = rule.all("App").map(file_name).chain(rule.all("Svc").map(str::to_lowercase));
    let own_program = own_program.into_iter().any(|name| OWN.contains(&name.as_str()));
    let texts = ["Name", "Desc", "EmbedCtxt"].into_iter().filter_map(|key| rule.first(key)).collect::<Vec<_>>();
    let text = texts.join(" ").to_lowercase();
    let named = text.contains("hyper-v") || text.contains("hyperv") || text.contains("vmms");
    let wmi = text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "wmi" || word == "winmgmt");
    touches(&OWN_PORTS) || own_program || (named || wmi) && touches(&SHARED_PORTS)
}

fn has_port(rule: &FirewallRule, port: u32) -> bool {
    let fits = |text: &str| match text.split_once('-') {
        Some((low, high)) => match (low.trim().parse::<u32>(), high.trim().parse::<u32>()) {
            (Ok(low), Ok(high)) => (low..=high).contains(&port) && high - low < 1000,
            _ => false,
        },
        None => text.trim().parse() == Ok(port),
    };
    rule.all("LPort").chain(rule.all("LPort2_10")).flat_map(|text| text.split(',')).any(fits)
}

fn file_name(program: &str) -> String {
    program.rsplit(['\\', '/']).next().unwrap_or(program).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> FirewallRule {
        format!("v2.10|{text}|").parse().unwrap()
    }

    #[test]
    fn an_installed_rule_is_quiet_and_each_change_is_told() {
        let installed = r"Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=135|App=%SystemRoot%\system32\svchost.exe";
        assert_eq!(differences("VIRT-X", &rule(installed)), Vec::<String>::new());
        let changed = "Action=Block|Active=FALSE|Dir=In|Profile=Domain|RA4=10.0.0.0/8|RPort=1|App=C:\\evil.exe";
        assert_eq!(
            differences("VIRT-X", &rule(changed)),
            ["Active=FALSE", "Action=Block", "Profile=Domain", "RA4=10.0.0.0/8", "RPort=1", r"App=C:\evil.exe"]
        );
        assert!(differences("VIRT-HVRHTTPL-In", &rule("Action=Allow|Active=FALSE|Dir=In")).is_empty());
    }

    #[test]
    fn ordinary_rules_of_other_software_are_quiet() {
        let active = |text: &str| concerns_hyper_v(&rule(&format!("Action=Allow|Active=TRUE|Dir=In|{text}")));
        assert!(active("LPort=2179") && active("LPort=6000-6650") && active(r"App=C:\Windows\System32\vmms.exe"));
        assert!(active("LPort=135|Name=WMI for Hyper-V"));
        assert!(!active("LPort=443|Name=Web") && !active("LPort=1-65535|Name=all") && !active("Name=hyper-v"));
        assert!(!concerns_hyper_v(&rule("Action=Allow|Active=FALSE|LPort=2179")));
    }
}
