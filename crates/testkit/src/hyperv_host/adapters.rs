//! Network adapters of machines and of the management operating system, with their VLANs.

use super::state::*;
use super::{Host, Release};
use crate::powershell::{Call, Object, Run, Value, is_like, thrown};

/// A static address: 12 hex digits, with hyphens or without, of one device.
pub(super) fn mac(text: &str) -> Run<String> {
    let plain = text.replace(['-', ':'], "").to_uppercase();
    let first = plain.get(..2).and_then(|byte| u8::from_str_radix(byte, 16).ok());
    let is_hex = plain.len() == 12 && plain.bytes().all(|byte| byte.is_ascii_hexdigit());
    match first {
        Some(first) if is_hex && first & 1 == 0 && plain != "000000000000" => Ok(plain),
        _ => thrown(format!("'{text}' is no MAC address of a network adapter.")),
    }
}

impl Host {
    /// The id of the one virtual network with a name.
    pub(super) fn switch_named(&self, name: &str) -> Run<String> {
        let mut found = self.state.switches.iter().filter(|switch| switch.name.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some(switch), None) => Ok(switch.id.clone()),
            (Some(_), Some(_)) => thrown(format!("Several virtual networks are named '{name}'.")),
            (None, _) => thrown(format!("Hyper-V was unable to find a virtual switch with name \"{name}\".")),
        }
    }

    /// The ids of the virtual networks to which an adapter of the management operating system is added by a name: since Windows Server
    /// 2016 by a pattern.
    fn switches_like(&self, pattern: &str) -> Run<Vec<String>> {
        if self.release < Release::Server2016 {
            return Ok(vec![self.switch_named(pattern)?]);
        }
        let mut all = Vec::new();
        for switch in &self.state.switches {
            match is_like(&switch.name, pattern) {
                Some(true) => all.push(switch.id.clone()),
                Some(false) => {}
                None => return thrown(format!("The specified wildcard character pattern is not valid: {pattern}")),
            }
        }
        if all.is_empty() {
            return thrown(format!("Hyper-V was unable to find a virtual switch with name \"{pattern}\"."));
        }
        Ok(all)
    }

    fn adapters(&self) -> impl Iterator<Item = (&Adapter, Option<&Machine>)> {
        // The management operating system first and the newest first: no order is promised.
        let own = self.state.management.iter().rev().map(|adapter| (adapter, None));
        let machines = self.state.machines.iter().rev();
        own.chain(
            machines.flat_map(|machine| machine.adapters.iter().rev().map(move |adapter| (adapter, Some(machine)))),
        )
    }

    /// The ids of the adapters that a call means.
    fn meant(&self, call: &Call) -> Run<Vec<String>> {
        if let Some(objects) = call.objects("VMNetworkAdapter") {
            let there = |id: &String| self.adapters().any(|(adapter, _)| adapter.id == *id);
            return match objects.iter().find(|(_, id)| !there(id)) {
                Some(_) => thrown(format!("{}: the network adapter is not there any more.", call.name)),
                None => Ok(objects.into_iter().map(|(_, id)| id).collect()),
            };
        }
        let names = call
            .texts("VMNetworkAdapterName")
            .or_else(|| if call.name.starts_with("Get-VMNetworkAdapterVlan") { None } else { call.texts("Name") });
        let machines = if call.has("VM") || call.has("VMName") { Some(self.machines_of(call)?) } else { None };
        let switch = call
            .text("SwitchName")
            .filter(|_| !call.name.starts_with("Connect"))
            .map(|name| self.switch_named(&name))
            .transpose()?;
        let all = call.has("All");
        let fits = |adapter: &Adapter, machine: Option<&Machine>| {
            let of = match (&machines, machine) {
                (Some(ids), Some(machine)) => ids.contains(&machine.id),
                (None, None) => call.has("ManagementOS") || all,
                (None, Some(_)) => all,
                (Some(_), None) => false,
            };
            of && names.as_ref().is_none_or(|names| names.iter().any(|name| name.eq_ignore_ascii_case(&adapter.name)))
                && switch.as_ref().is_none_or(|id| adapter.switch.as_ref() == Some(id))
                && call.boolean("IsLegacy").is_none_or(|legacy| legacy == adapter.legacy)
        };
        Ok(self
            .adapters()
            .filter(|(adapter, machine)| fits(adapter, *machine))
            .map(|(adapter, _)| adapter.id.clone())
            .collect())
    }

    fn adapter(&mut self, id: &str) -> Run<&mut Adapter> {
        let machines = self.state.machines.iter_mut().flat_map(|machine| machine.adapters.iter_mut());
        let found = self.state.management.iter_mut().chain(machines).find(|adapter| adapter.id == id);
        found.map_or_else(|| thrown(format!("The network adapter {id} is not there any more.")), Ok)
    }

    fn objects_of(&self, ids: &[String], object: impl Fn(&Adapter, Option<&Machine>) -> Value) -> Vec<Value> {
        let meant = self.adapters().filter(|(adapter, _)| ids.contains(&adapter.id));
        meant.map(|(adapter, machine)| object(adapter, machine)).collect()
    }

    pub(super) fn get_adapter(&mut self, call: &Call) -> Run<Vec<Value>> {
        let ids = self.meant(call)?;
        Ok(self.objects_of(&ids, |adapter, machine| self.adapter_object(adapter, machine)))
    }

    /// A static address can be there only once: Hyper-V starts no second machine with it.
    fn check_mac(&self, call: &Call, but: &str) -> Run<Option<String>> {
        let Some(text) = call.text("StaticMacAddress") else { return Ok(None) };
        if call.has("DynamicMacAddress") {
            return thrown(format!("{}: the address is static and dynamic.", call.name));
        }
        let mac = mac(&text)?;
        match self.adapters().find(|(adapter, _)| adapter.mac.as_ref() == Some(&mac) && adapter.id != but) {
            Some((adapter, _)) => thrown(format!("{}: '{}' has the address {mac} already.", call.name, adapter.name)),
            None => Ok(Some(mac)),
        }
    }

    pub(super) fn add_adapter(&mut self, call: &Call) -> Run<Vec<Value>> {
        let mac = self.check_mac(call, "")?;
        let named = |default: &str| call.text("Name").unwrap_or_else(|| default.to_owned());
        if !call.has("VM") && !call.has("VMName") {
            return self.add_own_adapter(call, &named("Network Adapter"), mac);
        }
        let switch = call.text("SwitchName").map(|name| self.switch_named(&name)).transpose()?;
        let legacy = call.boolean("IsLegacy").unwrap_or(false);
        let machine = self.machine_off(call)?;
        let (id, name) = (machine.id.clone(), machine.name.clone());
        let same = machine.adapters.iter().filter(|adapter| adapter.legacy == legacy).count();
        if legacy && machine.generation != 1 {
            return thrown("Add-VMNetworkAdapter: a machine of generation 2 has no legacy network adapters.");
        }
        if same >= if legacy { 4 } else { 8 } {
            return thrown(format!("Add-VMNetworkAdapter: '{name}' has as many of this kind as it can have."));
        }
        self.change()?;
        let default = if legacy { "Legacy Network Adapter" } else { "Network Adapter" };
        let adapter = Adapter {
            id: format!("{id}\\{}", self.new_id()),
            name: named(default),
            legacy,
            mac,
            switch,
            vmq_weight: 100,
            ipsec_limit: 512,
            ..Adapter::default()
        };
        let made = adapter.id.clone();
        self.machine(&id)?.adapters.push(adapter);
        let object = |adapter: &Adapter, machine: Option<&Machine>| self.adapter_object(adapter, machine);
        Ok(if call.has("Passthru") { self.objects_of(&[made], object) } else { Vec::new() })
    }

    fn add_own_adapter(&mut self, call: &Call, name: &str, mac: Option<String>) -> Run<Vec<Value>> {
        let Some(pattern) = call.text("SwitchName") else {
            return thrown("Add-VMNetworkAdapter -ManagementOS: -SwitchName is wanted.");
        };
        let switches = self.switches_like(&pattern)?;
        if switches.iter().any(|id| self.switch(id).is_some_and(|switch| switch.kind == "Private")) {
            return thrown("Add-VMNetworkAdapter -ManagementOS: the virtual network is private.");
        }
        self.change()?;
        let made: Vec<String> =
            switches.iter().map(|switch| self.add_management_adapter(name, switch, mac.clone())).collect();
        let object = |adapter: &Adapter, machine: Option<&Machine>| self.adapter_object(adapter, machine);
        Ok(if call.has("Passthru") { self.objects_of(&made, object) } else { Vec::new() })
    }

    /// An adapter of the management operating system, with its network interface. It is seen only after a while, and has IP
    /// interfaces only after another.
    pub(super) fn add_management_adapter(&mut self, name: &str, switch: &str, mac: Option<String>) -> String {
        let (index, interface) = (self.next_number(), format!("{{{}}}", self.new_id()));
        let alias = self.free_alias(&format!("vEthernet ({name})"));
        let mut seen = Interface::new(index as i64, &interface, &alias);
        (seen.appears_in, seen.ip_in) = (2, 3);
        self.state.interfaces.push(seen);
        let id = format!("{switch}\\{}", self.new_id());
        let adapter = Adapter {
            id: id.clone(),
            name: name.to_owned(),
            mac,
            switch: Some(switch.to_owned()),
            vmq_weight: 100,
            ipsec_limit: 512,
            interface,
            ..Adapter::default()
        };
        self.state.management.push(adapter);
        id
    }

    /// Windows gives each network interface a name of its own.
    fn free_alias(&self, wanted: &str) -> String {
        let taken = |name: &str| self.state.interfaces.iter().any(|interface| interface.name == name);
        let numbered = (2..1000).map(|number| format!("{wanted} {number}"));
        std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
    }

    pub(super) fn remove_adapter(&mut self, call: &Call) -> Run<Vec<Value>> {
        let ids = self.meant(call)?;
        if ids.is_empty() {
            return thrown("Remove-VMNetworkAdapter: there is no such network adapter.");
        }
        for id in ids {
            self.change()?;
            self.drop_adapter(&id);
        }
        Ok(Vec::new())
    }

    /// Takes an adapter away, with its interface.
    pub(super) fn drop_adapter(&mut self, id: &str) {
        let interface =
            self.state.management.iter().find(|adapter| adapter.id == id).map(|found| found.interface.clone());
        self.state.interfaces.retain(|found| Some(&found.id) != interface.as_ref());
        self.state.management.retain(|adapter| adapter.id != id);
        for machine in &mut self.state.machines {
            machine.adapters.retain(|adapter| adapter.id != id);
        }
    }

    pub(super) fn set_adapter(&mut self, call: &Call) -> Run<Vec<Value>> {
        let ids = self.meant(call)?;
        let [id] = ids.as_slice() else { return thrown("Set-VMNetworkAdapter: one network adapter is wanted.") };
        let mac = self.check_mac(call, id)?;
        if call.number("VmqWeight").is_some_and(|weight| weight > 100) {
            return thrown("Set-VMNetworkAdapter -VmqWeight: a number from 0 to 100 is wanted.");
        }
        for (parameter, most) in
            [("IovWeight", 100), ("IPsecOffloadMaximumSecurityAssociation", 4096), ("MinimumBandwidthWeight", 100)]
        {
            if call.number(parameter).is_some_and(|number| !(0..=most).contains(&number)) {
                return thrown(format!("Set-VMNetworkAdapter -{parameter}: a number from 0 to {most} is wanted."));
            }
        }
        let bandwidth = self.check_bandwidth(call, id)?;
        self.change()?;
        let adapter = self.adapter(id)?;
        adapter.bandwidth = bandwidth;
        adapter.iov_weight = call.number("IovWeight").unwrap_or(adapter.iov_weight);
        adapter.ipsec_limit = call.number("IPsecOffloadMaximumSecurityAssociation").unwrap_or(adapter.ipsec_limit);
        if mac.is_some() || call.has("DynamicMacAddress") {
            adapter.mac = mac;
        }
        for (parameter, place) in [
            ("MacAddressSpoofing", &mut adapter.spoofing),
            ("DhcpGuard", &mut adapter.dhcp_guard),
            ("RouterGuard", &mut adapter.router_guard),
            ("AllowTeaming", &mut adapter.teaming),
            ("IeeePriorityTag", &mut adapter.priority_tag),
        ] {
            if let Some(word) = call.text(parameter) {
                *place = word == "On";
            }
        }
        adapter.vmq_weight = call.number("VmqWeight").unwrap_or(adapter.vmq_weight);
        Ok(Vec::new())
    }

    /// Bandwidth as it is after a call. What is kept in bits per second wants a network that was made for it, and weights one
    /// that was not; of an adapter that is not connected neither is said to be wrong.
    fn check_bandwidth(&mut self, call: &Call, id: &str) -> Run<Option<Bandwidth>> {
        let adapter = self.adapter(id)?.clone();
        let mode = adapter.switch.as_ref().and_then(|id| self.switch(id)).map(|switch| switch.bandwidth_mode.clone());
        let mut bandwidth = adapter.bandwidth.clone().unwrap_or_default();
        for (parameter, place, wants) in [
            ("MinimumBandwidthAbsolute", &mut bandwidth.absolute, "Absolute"),
            ("MinimumBandwidthWeight", &mut bandwidth.weight, "Weight"),
        ] {
            let Some(number) = call.number(parameter) else { continue };
            if mode.as_ref().is_some_and(|mode| mode != wants) {
                return thrown(format!(
                    "Set-VMNetworkAdapter -{parameter}: the virtual network keeps no such bandwidth."
                ));
            }
            *place = number;
        }
        bandwidth.maximum = call.number("MaximumBandwidth").unwrap_or(bandwidth.maximum);
        Ok(Some(bandwidth).filter(|bandwidth| *bandwidth != Bandwidth::default()).or(adapter.bandwidth))
    }

    pub(super) fn rename_adapter(&mut self, call: &Call) -> Run<Vec<Value>> {
        let name = call.text("NewName").unwrap_or_default();
        for id in self.meant(call)? {
            self.change()?;
            self.adapter(&id)?.name = name.clone();
        }
        Ok(Vec::new())
    }

    pub(super) fn connect_adapter(&mut self, call: &Call) -> Run<Vec<Value>> {
        let switch = match call.objects("VMSwitch").and_then(|objects| objects.into_iter().next()) {
            Some((_, id)) => id,
            None => self.switch_named(&call.text("SwitchName").unwrap_or_default())?,
        };
        if self.switch(&switch).is_none() {
            return thrown("Connect-VMNetworkAdapter: the virtual network is not there any more.");
        }
        for id in self.meant(call)? {
            self.change()?;
            self.adapter(&id)?.switch = Some(switch.clone());
        }
        Ok(Vec::new())
    }

    pub(super) fn disconnect_adapter(&mut self, call: &Call) -> Run<Vec<Value>> {
        for id in self.meant(call)? {
            self.change()?;
            self.adapter(&id)?.switch = None;
        }
        Ok(Vec::new())
    }

    pub(super) fn get_vlan(&mut self, call: &Call) -> Run<Vec<Value>> {
        let ids = self.meant(call)?;
        let object = |adapter: &Adapter, _: Option<&Machine>| {
            let (mode, number, access, native, allowed) = match &adapter.vlan {
                Vlan::Untagged => ("Untagged", 0, 0, 0, Vec::new()),
                Vlan::Access(id) => ("Access", 1, *id, 0, Vec::new()),
                Vlan::Trunk { native, allowed } => ("Trunk", 2, 0, *native, allowed.clone()),
            };
            Object::new("VMNetworkAdapterVlanSetting", &adapter.id)
                .with("OperationMode", Value::word("VMNetworkAdapterVlanMode", mode, number))
                .with("AccessVlanId", access)
                .with("NativeVlanId", native)
                .with("AllowedVlanIdList", allowed.into_iter().map(Value::number).collect::<Vec<Value>>())
                .value()
        };
        Ok(self.objects_of(&ids, object))
    }

    pub(super) fn set_vlan(&mut self, call: &Call) -> Run<Vec<Value>> {
        let modes = ["Untagged", "Access", "Trunk"].iter().filter(|mode| call.has(mode)).count();
        if modes != 1 {
            return thrown("Set-VMNetworkAdapterVlan: one of -Untagged, -Access and -Trunk is wanted.");
        }
        let foreign: &[&str] = match (call.has("Access"), call.has("Trunk")) {
            (true, _) => &["NativeVlanId", "AllowedVlanIdList"],
            (_, true) => &["VlanId"],
            _ => &["VlanId", "NativeVlanId", "AllowedVlanIdList"],
        };
        if let Some(parameter) = foreign.iter().find(|parameter| call.has(parameter)) {
            return thrown(format!("Set-VMNetworkAdapterVlan -{parameter}: it does not go with this mode."));
        }
        let vlan = if call.has("Access") {
            Vlan::Access(vlan_id(call.number("VlanId"), 1)?)
        } else if call.has("Trunk") {
            let allowed = vlan_list(&call.text("AllowedVlanIdList").unwrap_or_default())?;
            Vlan::Trunk { native: vlan_id(call.number("NativeVlanId"), 0)?, allowed }
        } else {
            Vlan::Untagged
        };
        let ids = self.meant(call)?;
        if ids.is_empty() {
            return thrown("Set-VMNetworkAdapterVlan: there is no such network adapter.");
        }
        for id in ids {
            let legacy = self.adapter(&id)?.legacy;
            if legacy && self.release < Release::Server2012R2 && matches!(vlan, Vlan::Trunk { .. }) {
                return thrown("Set-VMNetworkAdapterVlan: whether a legacy adapter takes several VLANs is not said.");
            }
            self.change()?;
            self.adapter(&id)?.vlan = vlan.clone();
        }
        Ok(Vec::new())
    }
}

fn vlan_id(id: Option<i64>, least: i64) -> Run<i64> {
    match id {
        Some(id) if (least..=4094).contains(&id) => Ok(id),
        Some(id) => thrown(format!("Set-VMNetworkAdapterVlan: {id} is no VLAN.")),
        None => thrown("Set-VMNetworkAdapterVlan: the VLAN is missing."),
    }
}

/// `1-3,7` as numbers.
fn vlan_list(text: &str) -> Run<Vec<i64>> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (vlan_id(first.trim().parse().ok(), 1)?, vlan_id(last.trim().parse().ok(), 1)?);
        all.extend(first..=last);
    }
    Ok(all)
}
