//! The changed firewall rules of the source as calls. Rules are named by their ids, since their display names are translated.

use hvm_model::host::FirewallChange;
use hvm_model::role::Role;
use hvm_model::setting::Setting;
use serde::Serialize;

use crate::hyperv::cmdlet::{Arg, Call, StepScript};

/// Fields whose meaning is set, or that only describe the rule.
const UNDERSTOOD: [&str; 20] = [
    "Action",
    "Active",
    "Dir",
    "Protocol",
    "Profile",
    "LPort",
    "LPort2_10",
    "RPort",
    "RPort2_10",
    "LA4",
    "LA6",
    "RA4",
    "RA6",
    "App",
    "Svc",
    "Name",
    "Desc",
    "EmbedCtxt",
    "Edge",
    "IFType",
];

/// The calls for all changed rules.
pub(crate) fn script(role: &Role) -> StepScript {
    let mut perform = Vec::new();
    for change in &role.firewall {
        if change.user_made {
            // One that an earlier run made.
            perform.push(Call::new("Remove-KitFirewallRule").text("Name", &change.id));
            perform.push(new_rule(change));
        } else {
            perform.push(changed_rule(change));
        }
        let unknown: Vec<String> = unknown_fields(change);
        if !unknown.is_empty() {
            let text = format!("Set these fields of the rule {} by hand: {}", change.id, unknown.join(", "));
            perform.push(Call::new("Write-Warning").text("Message", &text));
        }
    }
    StepScript { perform, ..StepScript::default() }
}

fn unknown_fields(change: &FirewallChange) -> Vec<String> {
    let unknown = change.fields.iter().filter(|(key, _)| !UNDERSTOOD.contains(&key.as_str()));
    unknown.map(|(key, value)| format!("{key}={value}")).collect()
}

fn list(values: &[&str]) -> Arg {
    match values {
        [] => Arg::text("Any"),
        [one] => Arg::text(*one),
        _ => Arg::Texts(values.iter().map(ToString::to_string).collect()),
    }
}

/// What can differ on a rule that Hyper-V itself brings.
fn common(call: Call, change: &FirewallChange) -> Call {
    let call = call.word("Enabled", change.enabled()).word("Action", change.action());
    let profiles = match change.profiles().as_slice() {
        [] => Arg::word("Any"),
        words => Arg::Words(words.iter().map(ToString::to_string).collect()),
    };
    let call = call.with("Profile", profiles).with("LocalAddress", list(&change.local_addresses()));
    call.with("RemoteAddress", list(&change.remote_addresses()))
}

fn changed_rule(change: &FirewallChange) -> Call {
    common(Call::new("Set-NetFirewallRule").text("Name", &change.id), change)
}

fn new_rule(change: &FirewallChange) -> Call {
    let name = change.value("Name").unwrap_or(&change.id);
    let call = Call::new("New-NetFirewallRule").text("Name", &change.id).text("DisplayName", name);
    let mut call = common(call.word("Direction", change.direction()), change);
    if let Some(protocol) = change.protocol() {
        call = call.text("Protocol", protocol);
    }
    for (parameter, ports) in [("LocalPort", change.local_ports()), ("RemotePort", change.remote_ports())] {
        if !ports.is_empty() {
            call = call.with(parameter, list(&ports));
        }
    }
    for (parameter, key) in [("Program", "App"), ("Service", "Svc"), ("Description", "Desc"), ("Group", "EmbedCtxt")] {
        if let Some(text) = change.value(key) {
            call = call.text(parameter, text);
        }
    }
    if change.value("Edge") == Some("TRUE") {
        call = call.word("EdgeTraversalPolicy", "Allow");
    }
    match change.value("IFType") {
        Some("Lan") => call.word("InterfaceType", "Wired"),
        Some("Wireless") => call.word("InterfaceType", "Wireless"),
        Some("RemoteAccess") => call.word("InterfaceType", "RemoteAccess"),
        _ => call,
    }
}

#[derive(Debug, Serialize)]
struct Checked<'a> {
    id: &'a str,
    user_made: bool,
    settings: Vec<Setting>,
}

/// The document `firewall.json`: the rules as they were read, and what is compared and put back.
pub(crate) fn document(role: &Role) -> Vec<u8> {
    let checked: Vec<Checked> = role
        .firewall
        .iter()
        .map(|change| Checked { id: &change.id, user_made: change.user_made, settings: change.settings() })
        .collect();
    super::json(&serde_json::json!({ "schema": 1, "rules": role.firewall, "checked": checked }))
}
