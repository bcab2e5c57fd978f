//! Firewall rules. A rule is a table of the parameters that made it.

use std::collections::BTreeMap;

use super::Host;
use crate::powershell::{Call, Object, Run, Value, thrown};

/// Rules that Hyper-V brings.
const OWN: [&str; 4] = [
    "VIRT-WMI-RPCSS-In-TCP-NoScope",
    "VIRT-MIGL-In-TCP-NoScope",
    "VIRT-REMOTEDESKTOP-In-TCP-NoScope",
    "VIRT-VMMS-RPC-In-NoScope",
];

impl Host {
    fn rule(&self, name: &str) -> Option<BTreeMap<String, String>> {
        let known = self.state.firewall.get(name).cloned();
        known.or_else(|| OWN.contains(&name).then(BTreeMap::new))
    }

    pub(super) fn get_rule(&mut self, call: &Call) -> Run<Vec<Value>> {
        let names = call.texts("Name").unwrap_or_else(|| {
            OWN.iter().map(ToString::to_string).chain(self.state.firewall.keys().cloned()).collect()
        });
        let mut all = Vec::new();
        for name in names {
            let Some(rule) = self.rule(&name) else { return thrown(format!("There is no firewall rule '{name}'.")) };
            let enabled = rule.get("Enabled").map_or("True", String::as_str);
            let object = Object::new("MSFT_NetFirewallRule", &name).with("Name", &name).with("Enabled", enabled);
            all.push(object.value());
        }
        Ok(all)
    }

    fn write_rule(&mut self, name: String, mut rule: BTreeMap<String, String>, call: &Call) -> Run<()> {
        for parameter in ["LocalPort", "RemotePort"] {
            if call.has(parameter) && !["6", "17", "TCP", "UDP"].contains(&rule_protocol(&rule, call).as_str()) {
                return thrown(format!("{} -{parameter}: ports go with TCP and UDP only.", call.name));
            }
        }
        for (parameter, _) in &call.arguments {
            let texts = call.texts(parameter).unwrap_or_default();
            rule.insert(parameter.clone(), texts.join(","));
        }
        self.change()?;
        self.state.firewall.insert(name, rule);
        Ok(())
    }

    pub(super) fn set_rule(&mut self, call: &Call) -> Run<Vec<Value>> {
        for name in call.texts("Name").unwrap_or_default() {
            match self.rule(&name) {
                Some(rule) => self.write_rule(name, rule, call)?,
                None => return thrown(format!("Set-NetFirewallRule: there is no rule '{name}'.")),
            }
        }
        Ok(Vec::new())
    }

    pub(super) fn new_rule(&mut self, call: &Call) -> Run<Vec<Value>> {
        let name = call.text("Name").unwrap_or_else(|| format!("{{{}}}", self.new_id()));
        if self.rule(&name).is_some() {
            return thrown(format!("New-NetFirewallRule: there is a rule '{name}' already."));
        }
        self.write_rule(name, BTreeMap::new(), call)?;
        Ok(Vec::new())
    }
}

fn rule_protocol(rule: &BTreeMap<String, String>, call: &Call) -> String {
    call.text("Protocol").or_else(|| rule.get("Protocol").cloned()).unwrap_or_default()
}
