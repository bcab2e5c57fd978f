//! The changed firewall rules of the source as calls. Rules are named by their ids, since their display names are translated.

use hvm_model::host::FirewallChange;
use hvm_model::role::Role;

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
        perform.push(if change.user_made { new_rule(change) } else { changed_rule(change) });
        let unknown: Vec<String> = unknown_fields(change);
        if !unknown.is_empty() {
            let text = format!("Set these fields of the rule {} by hand: {}", change.id, unknown.join(", "));
            perform.push(Call::new("Write-Warning").text("Message", &text));
        }
    }
    StepScript { test: Vec::new(), perform, undo: Vec::new() }
}

fn unknown_fields(change: &FirewallChange) -> Vec<String> {
    let unknown = change.fields.iter().filter(|(key, _)| !UNDERSTOOD.contains(&key.as_str()));
    unknown.map(|(key, value)| format!("{key}={value}")).collect()
}

fn values(change: &FirewallChange, keys: &[&str]) -> Vec<String> {
    let found = change.fields.iter().filter(|(key, _)| keys.contains(&key.as_str()));
    found.map(|(_, value)| value.clone()).collect()
}

fn first<'a>(change: &'a FirewallChange, key: &str) -> Option<&'a str> {
    change.fields.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
}

fn list(values: Vec<String>) -> Arg {
    match values.as_slice() {
        [] => Arg::text("Any"),
        [one] => Arg::text(one.clone()),
        _ => Arg::Texts(values),
    }
}

fn profiles(change: &FirewallChange) -> Arg {
    let known = ["Domain", "Private", "Public"];
    let found = values(change, &["Profile"]);
    let words: Vec<String> =
        known.iter().filter(|word| found.iter().any(|value| value == *word)).map(ToString::to_string).collect();
    if words.is_empty() { Arg::word("Any") } else { Arg::Words(words) }
}

/// What can differ on a rule that Hyper-V itself brings.
fn common(call: Call, change: &FirewallChange) -> Call {
    let enabled = first(change, "Active") == Some("TRUE");
    let call = call.word("Enabled", if enabled { "True" } else { "False" });
    let call = call.word("Action", if first(change, "Action") == Some("Block") { "Block" } else { "Allow" });
    let call = call.with("Profile", profiles(change));
    let call = call.with("LocalAddress", list(addresses(change, &["LA4", "LA6"])));
    call.with("RemoteAddress", list(addresses(change, &["RA4", "RA6"])))
}

fn addresses(change: &FirewallChange, keys: &[&str]) -> Vec<String> {
    let mut all = values(change, keys);
    all.dedup();
    all
}

fn changed_rule(change: &FirewallChange) -> Call {
    common(Call::new("Set-NetFirewallRule").text("Name", &change.id), change)
}

fn new_rule(change: &FirewallChange) -> Call {
    let name = first(change, "Name").unwrap_or(&change.id);
    let call = Call::new("New-NetFirewallRule").text("Name", &change.id).text("DisplayName", name);
    let outbound = first(change, "Dir") == Some("Out");
    let mut call = common(call.word("Direction", if outbound { "Outbound" } else { "Inbound" }), change);
    if let Some(protocol) = first(change, "Protocol") {
        call = call.text("Protocol", protocol);
    }
    let ports = [("LocalPort", ["LPort", "LPort2_10"]), ("RemotePort", ["RPort", "RPort2_10"])];
    for (parameter, keys) in ports {
        let found = values(change, &keys);
        if !found.is_empty() {
            call = call.with(parameter, list(found.iter().map(|port| port_word(port)).collect()));
        }
    }
    for (parameter, key) in [("Program", "App"), ("Service", "Svc"), ("Description", "Desc"), ("Group", "EmbedCtxt")] {
        if let Some(text) = first(change, key) {
            call = call.text(parameter, text);
        }
    }
    if first(change, "Edge") == Some("TRUE") {
        call = call.word("EdgeTraversalPolicy", "Allow");
    }
    match first(change, "IFType") {
        Some("Lan") => call.word("InterfaceType", "Wired"),
        Some("Wireless") => call.word("InterfaceType", "Wireless"),
        Some("RemoteAccess") => call.word("InterfaceType", "RemoteAccess"),
        _ => call,
    }
}

/// The registry writes one of the port words with a hyphen, the cmdlet without.
fn port_word(port: &str) -> String {
    if port == "RPC-EPMap" { "RPCEPMap".to_owned() } else { port.to_owned() }
}
