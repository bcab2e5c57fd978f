//! Firewall rules. A rule is a table of the parameters that made it.

use std::collections::BTreeMap;

use super::Host;
use crate::powershell::{Call, Object, Run, Value, thrown};

type Rule = BTreeMap<String, String>;

/// Rules that Hyper-V brings: name, local port, program, service.
const OWN: [(&str, &str, &str, &str); 4] = [
    ("VIRT-WMI-RPCSS-In-TCP-NoScope", "135", r"%SystemRoot%\system32\svchost.exe", "RPCSS"),
    ("VIRT-MIGL-In-TCP-NoScope", "6600", r"%SystemRoot%\system32\vmms.exe", "Any"),
    ("VIRT-REMOTEDESKTOP-In-TCP-NoScope", "2179", r"%SystemRoot%\system32\vmms.exe", "Any"),
    ("VIRT-VMMS-RPC-In-NoScope", "RPC", r"%SystemRoot%\system32\vmms.exe", "Any"),
];

/// What a rule has that nothing is said of.
const DEFAULTS: [(&str, &str); 11] = [
    ("Enabled", "True"),
    ("Action", "Allow"),
    ("Direction", "Inbound"),
    ("Profile", "Any"),
    ("LocalAddress", "Any"),
    ("RemoteAddress", "Any"),
    ("Protocol", "Any"),
    ("LocalPort", "Any"),
    ("RemotePort", "Any"),
    ("Program", "Any"),
    ("Service", "Any"),
];

fn rule_of(fields: &[(&str, &str)]) -> Rule {
    let all = DEFAULTS.iter().chain(fields);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A rule of Hyper-V as it is installed.
fn installed(name: &str) -> Option<Rule> {
    let (_, port, program, service) = OWN.iter().find(|(own, ..)| *own == name)?;
    Some(rule_of(&[("Protocol", "TCP"), ("LocalPort", port), ("Program", program), ("Service", service)]))
}

/// A value as the host gives it: several as a list, in an order of its own.
fn listed(rule: &Rule, name: &str) -> Value {
    let mut words: Vec<&str> = rule.get(name).map(|text| text.split(',').collect()).unwrap_or_default();
    words.reverse();
    match words.as_slice() {
        [one] => Value::text_of(one),
        _ => Value::texts(words),
    }
}

fn one(rule: &Rule, name: &str) -> String {
    rule.get(name).cloned().unwrap_or_default()
}

impl Host {
    fn rule(&self, name: &str) -> Option<Rule> {
        self.state.firewall.get(name).cloned().or_else(|| installed(name))
    }

    pub(super) fn get_rule(&mut self, call: &Call) -> Run<Vec<Value>> {
        let names = call.texts("Name").unwrap_or_else(|| {
            let mut all: Vec<String> = OWN.iter().map(|(name, ..)| (*name).to_owned()).collect();
            all.extend(self.state.firewall.keys().filter(|name| installed(name).is_none()).cloned());
            all
        });
        let mut all = Vec::new();
        for name in names {
            let Some(rule) = self.rule(&name) else { return thrown(format!("There is no firewall rule '{name}'.")) };
            let object = Object::new("MSFT_NetFirewallRule", &name).with("Name", &name);
            let object = ["Enabled", "Action", "Direction"]
                .iter()
                .fold(object, |object, field| object.with(field, one(&rule, field)));
            all.push(object.with("Profile", one(&rule, "Profile")).value());
        }
        Ok(all)
    }

    /// A part of a rule as an object of its own: `texts` and then `lists`.
    fn rule_part(&mut self, call: &Call, class: &str, texts: &[&str], lists: &[&str]) -> Run<Vec<Value>> {
        let mut all = Vec::new();
        for (_, name) in call.objects("AssociatedNetFirewallRule").unwrap_or_default() {
            let Some(rule) = self.rule(&name) else { return thrown(format!("There is no firewall rule '{name}'.")) };
            let object =
                texts.iter().fold(Object::new(class, &name), |object, field| object.with(field, one(&rule, field)));
            all.push(lists.iter().fold(object, |object, field| object.with(field, listed(&rule, field))).value());
        }
        Ok(all)
    }

    pub(super) fn get_rule_addresses(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.rule_part(call, "MSFT_NetAddressFilter", &[], &["LocalAddress", "RemoteAddress"])
    }

    pub(super) fn get_rule_ports(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.rule_part(call, "MSFT_NetProtocolPortFilter", &["Protocol"], &["LocalPort", "RemotePort"])
    }

    pub(super) fn get_rule_program(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.rule_part(call, "MSFT_NetApplicationFilter", &["Program"], &[])
    }

    pub(super) fn get_rule_service(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.rule_part(call, "MSFT_NetServiceFilter", &["Service"], &[])
    }

    fn write_rule(&mut self, name: String, mut rule: Rule, call: &Call) -> Run<()> {
        for parameter in ["LocalPort", "RemotePort"] {
            let protocol = call.text("Protocol").unwrap_or_else(|| one(&rule, "Protocol"));
            if call.has(parameter) && !["6", "17", "TCP", "UDP"].contains(&protocol.as_str()) {
                return thrown(format!("{} -{parameter}: ports go with TCP and UDP only.", call.name));
            }
        }
        for (parameter, _) in call.arguments.iter().filter(|(parameter, _)| parameter != "Name") {
            let texts = call.texts(parameter).unwrap_or_default();
            rule.insert(parameter.clone(), texts.join(","));
        }
        self.change()?;
        if installed(&name).as_ref() == Some(&rule) {
            self.state.firewall.remove(&name);
        } else {
            self.state.firewall.insert(name, rule);
        }
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
        self.write_rule(name, rule_of(&[]), call)?;
        Ok(Vec::new())
    }

    pub(super) fn remove_rule(&mut self, call: &Call) -> Run<Vec<Value>> {
        for name in call.texts("Name").unwrap_or_default() {
            if installed(&name).is_some() || !self.state.firewall.contains_key(&name) {
                return thrown(format!("Remove-NetFirewallRule: there is no rule '{name}' that can be removed."));
            }
            self.change()?;
            self.state.firewall.remove(&name);
        }
        Ok(Vec::new())
    }
}
