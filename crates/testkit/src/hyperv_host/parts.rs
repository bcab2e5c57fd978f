//! Memory, processors, BIOS, firmware, serial ports and integration services of machines.

use super::Host;
use super::machines::{SERVICES, check_memory_size};
use super::state::*;
use crate::powershell::{Call, Object, Run, Value, thrown};

/// Which thing a drive is, across its machine.
pub(super) fn drive_id(machine: &Machine, drive: &Drive) -> String {
    format!("{}|{}|{}|{}", machine.id, drive.controller, drive.number, drive.location)
}

/// Id of the template of Secure Boot that new machines have.
pub(super) const WINDOWS_TEMPLATE: &str = "1734C6E8-3154-4DDA-BA5F-A874CC483422";

/// The templates of Secure Boot that Hyper-V brings along: names and ids, as Microsoft's openvmm writes them.
const TEMPLATES: [(&str, &str); 3] = [
    ("MicrosoftWindows", WINDOWS_TEMPLATE),
    ("MicrosoftUEFICertificateAuthority", "272E7447-90A4-4563-A4B9-8E4AB00526CE"),
    ("OpenSourceShieldedVM", "4292AE2B-EE2C-42B5-A969-DD8F8689F6F3"),
];

/// Name of a template.
pub(super) fn template_name(id: &str) -> &'static str {
    TEMPLATES.iter().find(|(_, known)| *known == id).map_or("", |(name, _)| *name)
}

/// The id of the template that a call names, in either way.
fn template_of(call: &Call) -> Run<Option<String>> {
    let (name, id) = (call.text("SecureBootTemplate"), call.text("SecureBootTemplateId"));
    let found = match (&name, &id) {
        (None, None) => return Ok(None),
        (Some(wanted), None) => TEMPLATES.iter().find(|(name, _)| name == wanted),
        (None, Some(wanted)) => TEMPLATES.iter().find(|(_, id)| id.eq_ignore_ascii_case(wanted)),
        // Which of the two would count is not said.
        (Some(_), Some(_)) => None,
    };
    match found {
        Some((_, id)) => Ok(Some((*id).to_owned())),
        None => thrown(format!("Set-VMFirmware: there is no template {name:?} {id:?} of Secure Boot.")),
    }
}

fn within(parameter: &str, value: Option<i64>, low: i64, high: i64) -> Run<()> {
    match value {
        Some(value) if !(low..=high).contains(&value) => {
            thrown(format!("-{parameter} {value}: a number from {low} to {high} is wanted."))
        }
        _ => Ok(()),
    }
}

impl Host {
    fn of_machine(&self, call: &Call, object: fn(&Host, &Machine) -> Value) -> Run<Vec<Value>> {
        Ok(self.looked_at(call)?.into_iter().map(|machine| object(self, machine)).collect())
    }

    pub(super) fn get_memory(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.of_machine(call, Host::memory_object)
    }

    pub(super) fn get_processor(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.of_machine(call, Host::processor_object)
    }

    /// The machine of a call by `-VM`, `-VMName` or the object of a part.
    fn part(&mut self, call: &Call, part: &str) -> Run<&mut Machine> {
        match call.objects(part).as_deref() {
            Some([(_, id)]) => {
                let id = id.split('|').next().unwrap_or_default().to_owned();
                self.machine(&id)
            }
            Some(_) => thrown(format!("{} -{part}: one object is wanted.", call.name)),
            None => self.machine_off(call),
        }
    }

    /// What a key protected before cannot be opened with another one, so that a second one is refused here.
    pub(super) fn set_key_protector(&mut self, call: &Call) -> Run<Vec<Value>> {
        if !call.has("NewLocalKeyProtector") {
            return crate::powershell::fault("Set-VMKeyProtector without -NewLocalKeyProtector");
        }
        let machine = self.machine_off(call)?;
        if machine.generation != 2 || machine.key_protector {
            return thrown("Set-VMKeyProtector: the machine is of generation 1, or a key protects it already.");
        }
        let id = machine.id.clone();
        self.change()?;
        self.machine(&id)?.key_protector = true;
        Ok(Vec::new())
    }

    pub(super) fn enable_tpm(&mut self, call: &Call) -> Run<Vec<Value>> {
        let machine = self.machine_off(call)?;
        if !machine.key_protector {
            return thrown("Enable-VMTPM: no key protects the machine.");
        }
        let id = machine.id.clone();
        self.change()?;
        self.machine(&id)?.tpm = true;
        Ok(Vec::new())
    }

    pub(super) fn disable_tpm(&mut self, call: &Call) -> Run<Vec<Value>> {
        let id = self.machine_off(call)?.id.clone();
        self.change()?;
        self.machine(&id)?.tpm = false;
        Ok(Vec::new())
    }

    pub(super) fn set_memory(&mut self, call: &Call) -> Run<Vec<Value>> {
        let mut memory = self.part(call, "VMMemory")?.memory.clone();
        memory.dynamic = call.boolean("DynamicMemoryEnabled").unwrap_or(memory.dynamic);
        for (parameter, place) in [
            ("StartupBytes", &mut memory.startup),
            ("MinimumBytes", &mut memory.minimum),
            ("MaximumBytes", &mut memory.maximum),
        ] {
            if let Some(bytes) = call.number(parameter) {
                check_memory_size(parameter, bytes)?;
                // Whether Hyper-V takes limits for static memory is not said.
                if !memory.dynamic && parameter != "StartupBytes" {
                    return thrown(format!("Set-VMMemory -{parameter}: the memory is not dynamic."));
                }
                *place = bytes;
            }
        }
        within("Buffer", call.number("Buffer"), 5, 2000)?;
        within("Priority", call.number("Priority"), 0, 100)?;
        memory.buffer = call.number("Buffer").unwrap_or(memory.buffer);
        memory.priority = call.number("Priority").unwrap_or(memory.priority);
        if let Some(bytes) = call.number("MaximumAmountPerNumaNodeBytes") {
            check_memory_size("MaximumAmountPerNumaNodeBytes", bytes)?;
            memory.per_node = bytes;
        }
        if memory.dynamic && !(memory.minimum <= memory.startup && memory.startup <= memory.maximum) {
            return thrown("Set-VMMemory: the memory at the start has to lie between the least and the most.");
        }
        self.change()?;
        self.part(call, "VMMemory")?.memory = memory;
        Ok(Vec::new())
    }

    pub(super) fn set_processor(&mut self, call: &Call) -> Run<Vec<Value>> {
        let most = self.hardware.processors.min(if self.release >= super::Release::Server2016 { 240 } else { 64 });
        let machine = self.part(call, "VMProcessor")?;
        let most = if machine.generation == 1 { most.min(64) } else { most };
        let mut processors = machine.processors.clone();
        within("Count", call.number("Count"), 1, most)?;
        within("Maximum", call.number("Maximum"), 0, 100)?;
        within("Reserve", call.number("Reserve"), 0, 100)?;
        within("RelativeWeight", call.number("RelativeWeight"), 1, 10_000)?;
        within("MaximumCountPerNumaNode", call.number("MaximumCountPerNumaNode"), 1, 64)?;
        within("MaximumCountPerNumaSocket", call.number("MaximumCountPerNumaSocket"), 1, 64)?;
        for (parameter, place) in [
            ("Count", &mut processors.count),
            ("Maximum", &mut processors.maximum),
            ("Reserve", &mut processors.reserve),
            ("RelativeWeight", &mut processors.weight),
            ("MaximumCountPerNumaNode", &mut processors.per_node),
            ("MaximumCountPerNumaSocket", &mut processors.nodes_per_socket),
        ] {
            *place = call.number(parameter).unwrap_or(*place);
        }
        processors.migration = call.boolean("CompatibilityForMigrationEnabled").unwrap_or(processors.migration);
        processors.older = call.boolean("CompatibilityForOlderOperatingSystemsEnabled").unwrap_or(processors.older);
        processors.nested = call.boolean("ExposeVirtualizationExtensions").unwrap_or(processors.nested);
        if processors.reserve > processors.maximum {
            return thrown("Set-VMProcessor: the reserve is above the limit.");
        }
        self.change()?;
        self.part(call, "VMProcessor")?.processors = processors;
        Ok(Vec::new())
    }

    fn of_generation(&self, call: &Call, generation: i64, part: &str) -> Run<()> {
        let ids = match call.objects(part) {
            Some(objects) => objects.into_iter().map(|(_, id)| id).collect(),
            None => self.machines_of(call)?,
        };
        let other = self.state.machines.iter().find(|found| ids.contains(&found.id) && found.generation != generation);
        match other {
            Some(machine) => {
                thrown(format!("{} does not go for a machine of generation {}.", call.name, machine.generation))
            }
            None => Ok(()),
        }
    }

    pub(super) fn get_bios(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.of_generation(call, 1, "VMBios")?;
        self.of_machine(call, Host::bios_object)
    }

    pub(super) fn set_bios(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.of_generation(call, 1, "VMBios")?;
        if call.has("EnableNumLock") && call.has("DisableNumLock") {
            return thrown("Set-VMBios: Num Lock is switched on and off.");
        }
        let order = call.texts("StartupOrder");
        if let Some(order) = &order {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if sorted != ["CD", "Floppy", "IDE", "LegacyNetworkAdapter"] {
                return thrown("Set-VMBios -StartupOrder: each of the four devices is wanted once.");
            }
        }
        self.part(call, "VMBios")?;
        self.change()?;
        let machine = self.part(call, "VMBios")?;
        if let Some(order) = order {
            machine.boot_order = order;
        }
        machine.num_lock = (machine.num_lock || call.has("EnableNumLock")) && !call.has("DisableNumLock");
        Ok(Vec::new())
    }

    pub(super) fn get_firmware(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.of_generation(call, 2, "VMFirmware")?;
        self.of_machine(call, Host::firmware_object)
    }

    pub(super) fn set_firmware(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.of_generation(call, 2, "VMFirmware")?;
        let mut machine = self.part(call, "VMFirmware")?.clone();
        if let Some(word) = call.text("EnableSecureBoot") {
            machine.secure_boot = word == "On";
        }
        if let Some(template) = template_of(call)? {
            // Hosts were seen that refuse the template, also the one that is set, from when the virtual TPM was in use.
            if machine.tpm {
                return thrown(
                    "Set-VMFirmware: Cannot modify the secure boot template ID property after the virtual TPM is initialized.",
                );
            }
            machine.secure_boot_template = template;
        }
        if call.has("BootOrder") && call.has("FirstBootDevice") {
            return thrown("Set-VMFirmware: -BootOrder and -FirstBootDevice exclude each other.");
        }
        let ids = |parameter: &str| {
            let objects = call.objects(parameter).unwrap_or_default();
            objects.into_iter().map(|(_, id)| id).collect::<Vec<String>>()
        };
        let known = |id: &String| {
            machine.adapters.iter().any(|adapter| adapter.id == *id)
                || machine.drives.iter().any(|drive| drive_id(&machine, drive) == *id)
        };
        let (order, first) = (ids("BootOrder"), ids("FirstBootDevice"));
        if let Some(id) = order.iter().chain(&first).find(|id| !known(id)) {
            return thrown(format!("Set-VMFirmware: the device {id} is not one of this machine."));
        }
        if !order.is_empty() {
            machine.firmware_order = order;
        }
        if let [first] = first.as_slice() {
            machine.firmware_order.retain(|id| id != first);
            machine.firmware_order.insert(0, first.clone());
        }
        self.change()?;
        *self.part(call, "VMFirmware")? = machine;
        Ok(Vec::new())
    }

    pub(super) fn get_com_port(&mut self, call: &Call) -> Run<Vec<Value>> {
        within("Number", call.number("Number"), 1, 2)?;
        let wanted = call.number("Number");
        let mut all = Vec::new();
        for machine in self.looked_at(call)? {
            for number in [1, 2].iter().filter(|number| wanted.is_none_or(|wanted| wanted == **number as i64)) {
                all.push(self.com_port_object(machine, *number));
            }
        }
        Ok(all)
    }

    pub(super) fn set_com_port(&mut self, call: &Call) -> Run<Vec<Value>> {
        within("Number", call.number("Number"), 1, 2)?;
        let by_object = call.objects("VMComPort").and_then(|objects| {
            let (_, id) = objects.into_iter().next()?;
            id.rsplit_once('|')?.1.parse::<i64>().ok()
        });
        let number = call.number("Number").or(by_object).unwrap_or(1);
        let path = call.text("Path").unwrap_or_default();
        let pipe = path.strip_prefix(r"\\").and_then(|rest| rest.split_once(r"\pipe\"));
        if !path.is_empty() && !pipe.is_some_and(|(server, name)| !server.is_empty() && !name.is_empty()) {
            return thrown(format!(r"Set-VMComPort -Path '{path}': a pipe such as \\.\pipe\name is wanted."));
        }
        self.part(call, "VMComPort")?;
        self.change()?;
        let machine = self.part(call, "VMComPort")?;
        if let Some(place) = usize::try_from(number - 1).ok().and_then(|index| machine.com_ports.get_mut(index)) {
            *place = path;
        }
        Ok(Vec::new())
    }

    /// Names are those of a German system, so that a script that counts on English ones is found out.
    fn service_name(class: &str) -> String {
        let index = SERVICES.iter().position(|(known, _)| *known == class).unwrap_or(0);
        let names = [
            "Zeitsynchronisierung",
            "Takt",
            "Austausch von Schlüsselwertpaaren",
            "Herunterfahren",
            "VSS",
            "Gastdienstschnittstelle",
        ];
        names.get(index).copied().unwrap_or_default().to_owned()
    }

    pub(super) fn get_service_of(&mut self, call: &Call) -> Run<Vec<Value>> {
        let ids = self.machines_of(&Call {
            name: call.name.clone(),
            arguments: call.arguments.iter().filter(|(name, _)| name != "Name").cloned().collect(),
        })?;
        let names = call.texts("Name");
        let mut all = Vec::new();
        for machine in self.state.machines.iter().filter(|machine| ids.contains(&machine.id)) {
            for (class, enabled) in &machine.services {
                let name = Host::service_name(class);
                if names.as_ref().is_none_or(|names| names.iter().any(|wanted| wanted.eq_ignore_ascii_case(&name))) {
                    let object = Object::new("VMIntegrationComponent", &format!("{}|{class}", machine.id))
                        .with("VMName", &machine.name)
                        .with("Name", name)
                        .with("Id", format!("Microsoft:{}\\{class}", machine.id))
                        .with("Enabled", *enabled);
                    all.push(object.value());
                }
            }
        }
        match names {
            Some(names) if all.len() < names.len() => {
                thrown(format!("There is no integration service named {}.", names.join(", ")))
            }
            _ => Ok(all),
        }
    }

    fn switch_service(&mut self, call: &Call, on: bool) -> Run<Vec<Value>> {
        let objects = match call.objects("VMIntegrationService") {
            Some(objects) => objects.into_iter().map(|(_, id)| id).collect::<Vec<String>>(),
            None => {
                let found = self.get_service_of(call)?;
                let id = |value: &Value| match value {
                    Value::Object(object) => object.borrow().id.clone(),
                    _ => String::new(),
                };
                found.iter().map(id).collect()
            }
        };
        for id in objects {
            let (machine, class) = id.split_once('|').unwrap_or_default();
            let (machine, class) = (machine.to_owned(), class.to_owned());
            self.machine(&machine)?;
            self.change()?;
            self.machine(&machine)?.services.insert(class, on);
        }
        Ok(Vec::new())
    }

    pub(super) fn enable_service_of(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.switch_service(call, true)
    }

    pub(super) fn disable_service_of(&mut self, call: &Call) -> Run<Vec<Value>> {
        self.switch_service(call, false)
    }
}
