//! VLANs of adapters. On 2008 and 2008 R2 the switch port holds them under names that nobody documents; where a port
//! holds such values, a person has to say what they mean.

use hvm_model::finding::Level;
use hvm_model::network::SwitchPort;
use hvm_model::vm::{Connection, Machine, VmAdapter};

use super::network_missing::same_switch;
use crate::case::{Case, of_adapter};
use crate::rule::{Offer, Rule, Seen};
#[cfg(test)]
use crate::tests_support::{Example, read};

pub(super) const RULES: &[Rule] = &[
Rule {
    id: "machine.vlan-unknown",
    level: Level::Manual,
    under_extended: Level::Manual,
    clause: "beyond.networks.vlan",
    title: "The VLAN of an adapter cannot be read.",
    answers: &[
        Offer::new("untagged", "The adapter has no VLAN."),
        Offer::new("access:ID", "The adapter is in the VLAN ID, 1 to 4094."),
        Offer::new("trunk:NATIVE,ID,ID", "The adapter is a trunk: the native VLAN, then all VLANs that pass."),
    ],
    check: vlan,
},
Rule {
    id: "machine.port-settings",
    level: Level::Notes,
    under_extended: Level::Notes,
    clause: "beyond.networks.port-settings",
    title: "The switch port of an adapter seems to have settings that are not migrated.",
    answers: &[],
    check: settings,
}];

/// Properties of a switch port that are documented (Msvm_SwitchPort) and set no VLAN, with their defaults. That the
/// registry calls them so is not documented: the names only decide what is worth a question, never what is set.
const DOCUMENTED: [(&str, &str); 4] =
    [("VMQOffloadWeight", "100"), ("ChimneyOffloadWeight", "0"), ("AllowMacSpoofing", "0"), ("PreventIPSpoofing", "0")];

fn documented(name: &str) -> Option<&'static str> {
    DOCUMENTED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, default)| *default)
}

/// Adapters whose VLAN is not known, with their ports.
fn ports<'a>(case: &Case<'a>) -> Vec<(&'a Machine, &'a VmAdapter, &'a SwitchPort)> {
    let adapters = case.inventory.machines.iter().flat_map(|machine| {
        machine.configuration.adapters.iter().map(move |adapter| (machine, adapter))
    });
    let unknown = adapters.filter(|(_, adapter)| adapter.vlan.value().is_none());
    unknown.filter_map(|(machine, adapter)| Some((machine, adapter, port(case, adapter)?))).collect()
}

fn asks(port: &SwitchPort) -> bool {
    port.other.keys().any(|name| documented(name).is_none())
}

fn values<'a>(values: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    values.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

fn vlan(case: &Case<'_>) -> Vec<Seen> {
    let ports = ports(case).into_iter().filter(|(_, _, port)| asks(port));
    let seen = ports.map(|(machine, adapter, port)| {
        let message = format!(
            "The switch port of the network adapter '{}' ({}) of the virtual machine '{}' holds values whose \
             meaning is not documented: {}. They may set a VLAN. Look at the machine's settings on the source, or \
             ask the network's owner, and answer; without an answer the adapter is untagged.",
            adapter.name,
            adapter.mac,
            machine.name,
            values(port.other.iter())
        );
        Seen::new(of_adapter(machine, adapter), message).at(&port.place).at(&adapter.place)
    });
    seen.collect()
}

fn settings(case: &Case<'_>) -> Vec<Seen> {
    let changed = |port: &SwitchPort| {
        let other = port.other.iter();
        values(other.filter(|(name, value)| documented(name).is_some_and(|default| default != value.as_str())))
    };
    let ports = ports(case).into_iter().filter(|(_, _, port)| !asks(port) && !changed(port).is_empty());
    let seen = ports.map(|(machine, adapter, port)| {
        let message = format!(
            "The switch port of the network adapter '{}' ({}) of the virtual machine '{}' seems to have settings of \
             its own: {}. They are not migrated, because it is not documented how they are written; look at the \
             machine's settings on the source.",
            adapter.name,
            adapter.mac,
            machine.name,
            changed(port)
        );
        Seen::new(of_adapter(machine, adapter), message).at(&port.place)
    });
    seen.chain(not_carried(case)).collect()
}

/// Settings that the host told of and that are not put back.
fn not_carried<'a>(case: &Case<'a>) -> impl Iterator<Item = Seen> + use<'a> {
    let adapters = case.inventory.machines.iter().flat_map(|machine| {
        machine.configuration.adapters.iter().map(move |adapter| (machine, adapter))
    });
    adapters.filter_map(|(machine, adapter)| {
        let other = &adapter.port_settings.value().filter(|port| !port.other.is_empty())?.other;
        let message = format!(
            "The network adapter '{}' ({}) of the virtual machine '{}' has settings that are not migrated: {}. Set them on the \
             destination by hand (Set-VMNetworkAdapter) where they are still wanted.",
            adapter.name,
            adapter.mac,
            machine.name,
            values(other.iter())
        );
        Some(Seen::new(of_adapter(machine, adapter), message).at(&adapter.place))
    })
}

fn port<'a>(case: &Case<'a>, adapter: &VmAdapter) -> Option<&'a SwitchPort> {
    let Connection::Switch { switch, port, .. } = &adapter.connection else {
        return None;
    };
    let switch = case.inventory.switches.iter().find(|known| same_switch(known.id.as_str(), switch))?;
    switch.ports.iter().find(|known| same_switch(&known.id, port))
}

#[cfg(test)]
fn set(sample: &mut crate::tests_support::Sample, name: &str, value: &str) {
    sample.inventory.switches[0].ports[0].other.insert(name.to_owned(), value.to_owned());
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.vlan-unknown",
        fires: |sample| set(sample, "VlanProperties", "00 0C"),
        quiet: |sample| {
            set(sample, "VlanProperties", "00 0C");
            sample.inventory.machines[0].configuration.adapters[0].vlan = read(hvm_model::network::Vlan::Untagged);
        },
    },
    Example {
        rule: "machine.port-settings",
        fires: |sample| set(sample, "AllowMacSpoofing", "1"),
        quiet: |sample| set(sample, "VMQOffloadWeight", "100"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::Sample;

    #[test]
    fn what_the_host_told_and_is_not_carried_is_named() {
        let mut sample = Sample::new();
        let mut port = hvm_model::network::PortSettings { dhcp_guard: Some(true), ..Default::default() };
        sample.inventory.machines[0].configuration.adapters[0].port_settings = read(port.clone());
        assert!(sample.found("machine.port-settings").is_empty());
        port.other.insert("MonitorMode".to_owned(), "2".to_owned());
        sample.inventory.machines[0].configuration.adapters[0].port_settings = read(port);
        assert!(sample.one("machine.port-settings").message.contains("MonitorMode=2"));
    }

    #[test]
    fn values_that_set_no_vlan_ask_nothing_and_are_named_once() {
        let mut sample = Sample::new();
        set(&mut sample, "VMQOffloadWeight", "0");
        assert!(sample.found("machine.vlan-unknown").is_empty());
        set(&mut sample, "AccessVlan", "42");
        assert!(sample.one("machine.vlan-unknown").message.contains("AccessVlan=42, VMQOffloadWeight=0"));
        assert!(sample.found("machine.port-settings").is_empty());
    }
}
