//! What a changed firewall rule is, in the words of the cmdlets of Windows Server 2012 and later.

use crate::host::FirewallChange;
use crate::role::Role;
use crate::setting::Setting;

/// All profiles, ports or addresses.
const ANY: &str = "Any";

impl FirewallChange {
    /// The values of fields, in their order and each once.
    pub fn values(&self, keys: &[&str]) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for (key, value) in &self.fields {
            if keys.contains(&key.as_str()) && !all.contains(&value.as_str()) {
                all.push(value);
            }
        }
        all
    }

    /// The first value of a field.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values(&[key]).first().copied()
    }

    /// `True` or `False`.
    pub fn enabled(&self) -> &'static str {
        if self.value("Active") == Some("TRUE") { "True" } else { "False" }
    }

    /// `Allow` or `Block`.
    pub fn action(&self) -> &'static str {
        if self.value("Action") == Some("Block") { "Block" } else { "Allow" }
    }

    /// `Inbound` or `Outbound`.
    pub fn direction(&self) -> &'static str {
        if self.value("Dir") == Some("Out") { "Outbound" } else { "Inbound" }
    }

    /// `Domain`, `Private`, `Public` in this order; none of them for all.
    pub fn profiles(&self) -> Vec<&'static str> {
        let found = self.values(&["Profile"]);
        ["Domain", "Private", "Public"].into_iter().filter(|word| found.contains(word)).collect()
    }

    /// Addresses of this computer; empty for all.
    pub fn local_addresses(&self) -> Vec<&str> {
        self.values(&["LA4", "LA6"])
    }

    /// Addresses of others; empty for all.
    pub fn remote_addresses(&self) -> Vec<&str> {
        self.values(&["RA4", "RA6"])
    }

    /// Ports of this computer; empty for all.
    pub fn local_ports(&self) -> Vec<&str> {
        self.values(&["LPort", "LPort2_10"]).into_iter().map(port_word).collect()
    }

    /// Ports of others; empty for all.
    pub fn remote_ports(&self) -> Vec<&str> {
        self.values(&["RPort", "RPort2_10"]).into_iter().map(port_word).collect()
    }

    /// Protocol: `TCP`, `UDP`, `ICMPv4`, `ICMPv6`, or a number; none for all.
    pub fn protocol(&self) -> Option<&str> {
        Some(match self.value("Protocol")? {
            "1" => "ICMPv4",
            "6" => "TCP",
            "17" => "UDP",
            "58" => "ICMPv6",
            number => number,
        })
    }

    /// The rule as settings of the subject `firewall rule <id>`: of a changed rule of Hyper-V what can differ, of a rule that
    /// somebody made also what makes it.
    pub fn settings(&self) -> Vec<Setting> {
        let list = |words: Vec<&str>, between: &str| match words.as_slice() {
            [] => ANY.to_owned(),
            words => words.join(between),
        };
        let mut items = vec![
            ("enabled", self.enabled().to_owned()),
            ("action", self.action().to_owned()),
            ("profile", list(self.profiles(), ", ")),
            ("local-address", list(self.local_addresses(), " ")),
            ("remote-address", list(self.remote_addresses(), " ")),
        ];
        if self.user_made {
            items.push(("direction", self.direction().to_owned()));
            items.push(("protocol", self.protocol().unwrap_or(ANY).to_owned()));
            for (item, ports) in [("local-port", self.local_ports()), ("remote-port", self.remote_ports())] {
                if !ports.is_empty() {
                    items.push((item, list(ports, " ")));
                }
            }
            for (item, key) in [("program", "App"), ("service", "Svc")] {
                items.extend(self.value(key).map(|value| (item, value.to_owned())));
            }
        }
        let subject = format!("firewall rule {}", self.id);
        items.into_iter().map(|(item, value)| Setting::new(&subject, item, value)).collect()
    }
}

/// The registry writes one of the port words with a hyphen, the cmdlets without.
fn port_word(port: &str) -> &str {
    if port == "RPC-EPMap" { "RPCEPMap" } else { port }
}

/// All changed rules as settings, sorted. They are changed on the destination host itself by a person, so only what was seen
/// there tells whether they are in force.
pub fn firewall_settings(role: &Role) -> Vec<Setting> {
    let mut all: Vec<Setting> = role.firewall.iter().flat_map(FirewallChange::settings).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found::Place;

    fn change(user_made: bool, fields: &[(&str, &str)]) -> FirewallChange {
        FirewallChange {
            id: "X".to_owned(),
            user_made,
            differences: Vec::new(),
            fields: fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            place: Place::default(),
        }
    }

    fn told(change: &FirewallChange) -> Vec<String> {
        change.settings().iter().map(|setting| format!("{}={}", setting.item, setting.value)).collect()
    }

    #[test]
    fn a_rule_of_hyper_v_is_told_by_what_can_differ() {
        let off = change(false, &[("Action", "Allow"), ("Active", "FALSE"), ("LPort", "2179"), ("App", "vmms.exe")]);
        let wanted = ["enabled=False", "action=Allow", "profile=Any", "local-address=Any", "remote-address=Any"];
        assert_eq!(told(&off), wanted);
        assert_eq!(off.settings()[0].subject, "firewall rule X");
    }

    #[test]
    fn a_rule_that_somebody_made_is_told_whole() {
        let fields = [
            ("Action", "Block"),
            ("Active", "TRUE"),
            ("Dir", "In"),
            ("Protocol", "6"),
            ("Profile", "Public"),
            ("Profile", "Domain"),
            ("LPort", "RPC-EPMap"),
            ("LPort", "2179"),
            ("RA4", "LocalSubnet"),
            ("RA6", "LocalSubnet"),
            ("RA4", "10.0.0.0/255.0.0.0"),
            ("App", "a.exe"),
        ];
        let wanted = [
            "enabled=True",
            "action=Block",
            "profile=Domain, Public",
            "local-address=Any",
            "remote-address=LocalSubnet 10.0.0.0/255.0.0.0",
            "direction=Inbound",
            "protocol=TCP",
            "local-port=RPCEPMap 2179",
            "program=a.exe",
        ];
        assert_eq!(told(&change(true, &fields)), wanted);
    }
}
