//! Virtual networks.

use super::Host;
use super::state::*;
use crate::powershell::{Call, Run, Value, thrown};

impl Host {
    pub(super) fn get_switch(&mut self, call: &Call) -> Run<Vec<Value>> {
        let name = call.text("Name");
        let ids = call.texts("Id");
        let kinds = call.texts("SwitchType");
        let fits = |switch: &&Switch| {
            name.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(&switch.name))
                && ids.as_ref().is_none_or(|ids| ids.iter().any(|id| id.eq_ignore_ascii_case(&switch.id)))
                && kinds.as_ref().is_none_or(|kinds| kinds.contains(&switch.kind))
        };
        let found: Vec<Value> =
            self.state.switches.iter().filter(fits).map(|switch| self.switch_object(switch)).collect();
        match name {
            Some(name) if found.is_empty() => {
                thrown(format!("Hyper-V was unable to find a virtual switch with name \"{name}\"."))
            }
            _ => Ok(found),
        }
    }

    /// The network adapter for an external network: a device that no other one has.
    fn uplink(&self, names: &[String], but: &str) -> Run<String> {
        let [name] = names else { return thrown("New-VMSwitch: teams of adapters are not done here.") };
        let found = self.state.interfaces.iter().find(|interface| interface.name.eq_ignore_ascii_case(name));
        let Some(interface) = found.filter(|interface| interface.physical) else {
            return thrown(format!("New-VMSwitch: there is no physical network adapter '{name}'."));
        };
        let used = |switch: &&Switch| switch.uplink.as_ref() == Some(&interface.name) && switch.id != but;
        match self.state.switches.iter().find(used) {
            Some(switch) => thrown(format!("New-VMSwitch: '{name}' belongs to the virtual network '{}'.", switch.name)),
            None => Ok(interface.name.clone()),
        }
    }

    pub(super) fn new_switch(&mut self, call: &Call) -> Run<Vec<Value>> {
        let name = call.text("Name").unwrap_or_default();
        if name.is_empty() {
            return thrown("New-VMSwitch -Name: the name is empty.");
        }
        let uplink = call.texts("NetAdapterName").map(|names| self.uplink(&names, "")).transpose()?;
        let kind = match (&uplink, call.text("SwitchType").as_deref()) {
            (Some(_), _) => "External",
            (None, Some("Private")) => "Private",
            (None, Some("Internal")) => "Internal",
            (None, _) => return thrown("New-VMSwitch -SwitchType: Internal or Private is wanted."),
        };
        let id = call.text("Id").map(|id| id.to_uppercase());
        if id.as_ref().is_some_and(|id| self.switch(id).is_some()) {
            return thrown("New-VMSwitch -Id: there is a virtual network with this id.");
        }
        self.change()?;
        let id = id.unwrap_or_else(|| self.new_id());
        let shared = kind == "Internal" || (kind == "External" && call.boolean("AllowManagementOS").unwrap_or(true));
        let notes = call.text("Notes").unwrap_or_default();
        let bandwidth_mode = match call.text("MinimumBandwidthMode").as_deref() {
            None | Some("Default") => "Weight".to_owned(),
            Some(mode) => mode.to_owned(),
        };
        let (id_of, kind) = (id.clone(), kind.to_owned());
        let switch = Switch { id: id_of, name: name.clone(), kind, uplink, notes, bandwidth_mode };
        self.state.switches.push(switch.clone());
        if shared {
            self.add_management_adapter(&name, &id, None);
        }
        Ok(vec![self.switch_object(&switch)])
    }

    /// The ids of the virtual networks that a call means.
    fn switches_of(&self, call: &Call) -> Run<Vec<String>> {
        if let Some(objects) = call.objects("VMSwitch") {
            let ids: Vec<String> = objects.into_iter().map(|(_, id)| id).collect();
            return match ids.iter().find(|id| self.switch(id).is_none()) {
                Some(id) => thrown(format!("The virtual network {id} is not there any more.")),
                None => Ok(ids),
            };
        }
        call.texts("Name").unwrap_or_default().iter().map(|name| self.switch_named(name)).collect()
    }

    pub(super) fn set_switch(&mut self, call: &Call) -> Run<Vec<Value>> {
        for id in self.switches_of(call)? {
            let uplink = call.texts("NetAdapterName").map(|names| self.uplink(&names, &id)).transpose()?;
            self.change()?;
            let name = self.switch(&id).map(|switch| switch.name.clone()).unwrap_or_default();
            if let Some(switch) = self.state.switches.iter_mut().find(|switch| switch.id == id) {
                if let Some(notes) = call.text("Notes") {
                    switch.notes = notes;
                }
                if let Some(kind) = call.text("SwitchType") {
                    switch.kind = kind;
                    switch.uplink = None;
                }
                if uplink.is_some() {
                    switch.kind = "External".to_owned();
                    switch.uplink = uplink;
                }
            }
            let own: Vec<String> = self.own_adapters(&id);
            match call.boolean("AllowManagementOS") {
                Some(true) if own.is_empty() => {
                    self.add_management_adapter(&name, &id, None);
                }
                Some(false) => own.iter().for_each(|adapter| self.drop_adapter(adapter)),
                _ => {}
            }
        }
        Ok(Vec::new())
    }

    fn own_adapters(&self, switch: &str) -> Vec<String> {
        let own = self.state.management.iter().filter(|adapter| adapter.switch.as_deref() == Some(switch));
        own.map(|adapter| adapter.id.clone()).collect()
    }

    /// Adapters of machines lose their connection; those of the management operating system go with the network.
    pub(super) fn remove_switch(&mut self, call: &Call) -> Run<Vec<Value>> {
        for id in self.switches_of(call)? {
            let on = |machine: &&Machine| {
                machine.state != "Off" && machine.adapters.iter().any(|adapter| adapter.switch.as_ref() == Some(&id))
            };
            if let Some(machine) = self.state.machines.iter().find(on) {
                return thrown(format!("Remove-VMSwitch: '{}' is running on it.", machine.name));
            }
            self.change()?;
            for adapter in self.own_adapters(&id) {
                self.drop_adapter(&adapter);
            }
            for adapter in self.state.machines.iter_mut().flat_map(|machine| &mut machine.adapters) {
                if adapter.switch.as_ref() == Some(&id) {
                    adapter.switch = None;
                }
            }
            self.state.switches.retain(|switch| switch.id != id);
        }
        Ok(Vec::new())
    }
}
