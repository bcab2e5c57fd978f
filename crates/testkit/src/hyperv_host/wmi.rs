//! The WMI classes that the scripts look at, with their methods.

use std::cell::RefCell;
use std::rc::Rc;

use super::machines::IDENTITY;
use super::{Host, Release};
use crate::powershell::{Call, List, Object, Run, Value, fault, thrown};

const SETTINGS: &str = "Msvm_VirtualSystemSettingData";
const PLANNED: &str = "Msvm_PlannedComputerSystem";
/// What a serial port is connected to, before 2016 and from then on.
const PORTS: [&str; 2] = ["Msvm_ResourceAllocationSettingData", "Msvm_SerialPortSettingData"];
const SERVICE: &str = "Msvm_VirtualSystemManagementService";
const NETWORK: &str = "Win32_NetworkAdapterConfiguration";
const SECURITY: &str = "__SystemSecurity";

impl Host {
    pub(super) fn get_wmi(&mut self, call: &Call) -> Run<Vec<Value>> {
        let namespace = call.text("Namespace").unwrap_or_else(|| r"root\cimv2".to_owned()).to_lowercase();
        if call.text("Class").as_deref() == Some(SECURITY) {
            return match self.state.namespaces.contains_key(&namespace) {
                true => Ok(vec![Object::new(SECURITY, &namespace).value()]),
                false => thrown(format!("Get-WmiObject: Invalid namespace \"{namespace}\".")),
            };
        }
        match namespace.as_str() {
            r"root\cimv2" => self.windows_class(call),
            r"root\virtualization\v2" => self.machine_class(call),
            r"root\virtualization" if self.release == Release::Server2012 => {
                fault("the old namespace is there, but the model does not do it")
            }
            _ => thrown(format!("Get-WmiObject: Invalid namespace \"{namespace}\".")),
        }
    }

    fn windows_class(&mut self, call: &Call) -> Run<Vec<Value>> {
        let class = call.text("Class").unwrap_or_default();
        match class.as_str() {
            "Win32_OperatingSystem" => Ok(vec![
                Object::new(&class, "")
                    .with("Version", self.release.version())
                    .with("Caption", format!("Microsoft Windows Server {} Standard", self.release.name()))
                    .with("OSLanguage", 0x407_i64)
                    .with("OperatingSystemSKU", 7_i64)
                    .value(),
            ]),
            "Win32_ComputerSystem" => Ok(vec![
                Object::new(&class, "")
                    .with("NumberOfLogicalProcessors", self.hardware.processors)
                    .with("TotalPhysicalMemory", Value::Long(self.hardware.memory))
                    .value(),
            ]),
            NETWORK => {
                let filter = call.text("Filter").unwrap_or_default();
                let index = filter.strip_prefix("InterfaceIndex = ").and_then(|index| index.parse::<i64>().ok());
                let Some(index) = index else { return fault(format!("the filter '{filter}' of {NETWORK}")) };
                let found = self.state.interfaces.iter().filter(|interface| interface.index == index);
                let object = |interface: &super::Interface| {
                    let wins = |place: usize| interface.wins.get(place).map_or(Value::Null, Value::from);
                    Object::new(NETWORK, &interface.id)
                        .with("InterfaceIndex", interface.index)
                        .with("WINSPrimaryServer", wins(0))
                        .with("WINSSecondaryServer", wins(1))
                        .with("TcpipNetbiosOptions", interface.netbios)
                        .value()
                };
                Ok(found.map(object).collect())
            }
            _ => fault(format!("the WMI class '{class}'")),
        }
    }

    fn machine_class(&mut self, call: &Call) -> Run<Vec<Value>> {
        if call.text("Class").as_deref() == Some(SERVICE) {
            return Ok(vec![Object::new(SERVICE, "").value()]);
        }
        if call.text("Class").as_deref() == Some("Msvm_SecuritySettingData") {
            if self.release < Release::Server2016 {
                return thrown("Get-WmiObject: Invalid class \"Msvm_SecuritySettingData\".");
            }
            let object = |machine: &super::Machine| {
                let id = format!(r"Microsoft:{}\security", machine.id);
                Object::new("Msvm_SecuritySettingData", &id)
                    .with("InstanceID", &id)
                    .with("TpmEnabled", machine.tpm)
                    .value()
            };
            return Ok(self.state.machines.iter().map(object).collect());
        }
        let query = call.text("Query").unwrap_or_default();
        if let Some(rest) = query.strip_prefix(&format!("SELECT * FROM {PLANNED} WHERE Name = '")) {
            let id = rest.strip_suffix('\'').unwrap_or_default();
            let found = self.state.machines.iter().filter(|machine| machine.planned && machine.id == id);
            let object = |machine: &super::Machine| {
                let path = format!(r#"\\HV-NEW-01\root\virtualization\v2:{PLANNED}.Name="{}""#, machine.id);
                Object::new(PLANNED, &machine.id).with("Name", &machine.id).with("__PATH", path).value()
            };
            return Ok(found.map(object).collect());
        }
        if let Some((class, id)) =
            PORTS.iter().find_map(|class| Some((class, query.strip_prefix(&format!("SELECT * FROM {class} WHERE "))?)))
        {
            return self.serial_port(class, id);
        }
        let id = query
            .strip_prefix(&format!("SELECT * FROM {SETTINGS} WHERE VirtualSystemIdentifier = '"))
            .and_then(|rest| rest.strip_suffix("' AND VirtualSystemType = 'Microsoft:Hyper-V:System:Realized'"));
        let Some(id) = id else { return fault(format!("the query '{query}'")) };
        // Texts in a query are compared without regard to small and large letters; the id is in capitals all the same.
        let found = self.state.machines.iter().filter(|machine| !machine.planned && machine.id == id);
        let object = |machine: &super::Machine| {
            let mut object = Object::new(SETTINGS, &machine.id)
                .with("ElementName", &machine.name)
                .with("VirtualSystemIdentifier", &machine.id);
            if self.release != Release::Server2012 {
                object = object.with("SecureBootEnabled", machine.secure_boot && machine.generation == 2);
            }
            if self.release >= Release::Server2016 && machine.generation == 2 {
                object =
                    object.with("SecureBootTemplateId", format!("{{{}}}", machine.secure_boot_template.to_lowercase()));
            }
            for (name, value) in &machine.identity {
                object = object.with(name, value);
            }
            object.value()
        };
        Ok(found.map(object).collect())
    }

    /// What a serial port is connected to; its id in a query has its backslashes doubled.
    fn serial_port(&self, class: &str, condition: &str) -> Run<Vec<Value>> {
        if class == PORTS[1] && self.release < Release::Server2016 {
            return thrown(format!("Get-WmiObject: Invalid class \"{class}\"."));
        }
        let id = condition.strip_prefix("InstanceID = '").and_then(|rest| rest.strip_suffix('\''));
        let Some(id) = id.map(|id| id.replace(r"\\", "\u{0}")).filter(|id| !id.contains('\\')) else {
            return thrown("Get-WmiObject: Invalid query.");
        };
        let Some((machine, number)) = self.port_of(&id.replace('\u{0}', r"\")) else { return Ok(Vec::new()) };
        // Before 2016 there is one class for all kinds of parts, which has the ports too.
        let is_there = class == PORTS[usize::from(self.release >= Release::Server2016)];
        let port = is_there.then(|| {
            let pipe = machine.com_ports.get(number).map_or("", String::as_str);
            let id = id.replace('\u{0}', r"\");
            Object::new(class, &id).with("InstanceID", &id).with("Connection", Value::texts([pipe])).value()
        });
        Ok(port.into_iter().collect())
    }

    /// The machine of a serial port, and the port counted from 0.
    fn port_of(&self, id: &str) -> Option<(&super::Machine, usize)> {
        let (machine, port) = id.strip_prefix("Microsoft:")?.split_once(r"\8E3A359F-559A-4B6A-98A9-1690A6100ED7\")?;
        let number = port.parse().ok().filter(|number| *number < 2)?;
        Some((self.state.machines.iter().find(|known| !known.planned && known.id == machine)?, number))
    }

    /// Changes what serial ports are connected to.
    fn modify_resources(&mut self, instances: &List) -> Run<Value> {
        if self.refused.as_deref() == Some("ModifyResourceSettings") {
            return Ok(Host::answer(32_768));
        }
        for instance in instances.items.borrow().iter() {
            let Value::Text(text) = instance else { return thrown("ModifyResourceSettings: texts are wanted.") };
            let class = PORTS[usize::from(self.release >= Release::Server2016)];
            let Some(properties) = properties(text, class) else { return Ok(Host::answer(32_773)) };
            let get = |name: &str| properties.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            let (Some(id), Some(pipe)) = (get("InstanceID"), get("Connection")) else {
                return Ok(Host::answer(32_773));
            };
            let Some((machine, number)) = self.port_of(&id) else { return Ok(Host::answer(32_773)) };
            if machine.state != "Off" {
                return Ok(Host::answer(32_775));
            }
            let id = machine.id.clone();
            self.change()?;
            if let Some(port) = self.machine(&id)?.com_ports.get_mut(number) {
                *port = pipe;
            }
        }
        Ok(Host::answer(0))
    }

    /// Methods of WMI objects; `None` for objects of other classes.
    pub(super) fn wmi_method(
        &mut self,
        target: &Rc<RefCell<Object>>,
        method: &str,
        arguments: &[Value],
    ) -> Option<Run<Value>> {
        let class = target.borrow().class.clone();
        let id = target.borrow().id.clone();
        match (class.as_str(), method, arguments) {
            (SETTINGS, "gettext", [Value::Word(word)]) if word.name == "WmiDtd20" => {
                Some(embedded(&target.borrow()).map(Value::from))
            }
            (class, "gettext", [Value::Word(word)]) if word.name == "WmiDtd20" && PORTS.contains(&class) => {
                Some(embedded(&target.borrow()).map(Value::from))
            }
            (SERVICE, "destroysystem", [Value::Text(path)]) => Some(self.destroy_planned(path)),
            (SERVICE, "modifysystemsettings", [Value::Text(text)]) => Some(self.modify_settings(text)),
            (SERVICE, "modifyresourcesettings", [Value::List(instances)]) => Some(self.modify_resources(instances)),
            (NETWORK, "setwinsserver", [first, second]) => Some(self.set_wins(&id, first, second)),
            (NETWORK, "settcpipnetbios", [mode]) => Some(self.set_netbios(&id, mode)),
            (SECURITY, "invokemethod", [Value::Text(method), Value::List(given)]) => {
                Some(self.namespace_security(&id, method, given))
            }
            ("Msvm_ConcreteJob", "get", []) => {
                if let Some(state) = target.borrow_mut().get_mut("JobState") {
                    *state = Value::Int(7);
                }
                Some(Ok(Value::Type("void".into())))
            }
            _ => None,
        }
    }

    /// `InvokeMethod` of `__SystemSecurity`: what comes out is put into the array that was given.
    fn namespace_security(&mut self, namespace: &str, method: &str, given: &Rc<List>) -> Run<Value> {
        match (method, given.items.borrow().as_slice()) {
            ("GetSD", [Value::Null]) => {}
            ("SetSD", [bytes]) => {
                let Some(bytes) = bytes.as_bytes() else {
                    return thrown("SetSD: the type of the argument does not fit.");
                };
                self.change()?;
                self.state.namespaces.insert(namespace.to_owned(), bytes);
                return Ok(Value::number(0));
            }
            _ => return fault(format!("the method {method} of {SECURITY} with these arguments")),
        }
        let bytes = self.state.namespaces.get(namespace).cloned().unwrap_or_default();
        if let Some(first) = given.items.borrow_mut().first_mut() {
            *first = Value::bytes(&bytes);
        }
        Ok(Value::number(0))
    }

    /// A planned machine goes; what it was made of stays.
    fn destroy_planned(&mut self, path: &str) -> Run<Value> {
        let id = path.rsplit_once(&format!("{PLANNED}.Name=\"")).and_then(|(_, id)| id.strip_suffix('"'));
        let is_it = |machine: &super::Machine| machine.planned && Some(machine.id.as_str()) == id;
        if !self.state.machines.iter().any(is_it) {
            return Ok(Host::answer(32_773));
        }
        self.change()?;
        self.state.machines.retain(|machine| !is_it(machine));
        Ok(Host::answer(0))
    }

    fn answer(number: i64) -> Value {
        Object::new("ManagementBaseObject", "").with("ReturnValue", number).value()
    }

    fn set_wins(&mut self, id: &str, first: &Value, second: &Value) -> Run<Value> {
        let servers = [first, second].map(|value| value.text().unwrap_or_default());
        let wrong = servers.iter().find(|server| !server.is_empty() && server.parse::<std::net::Ipv4Addr>().is_err());
        if wrong.is_some() {
            // 66: invalid subnet mask is the nearest of the documented answers; the number itself does not matter.
            return Ok(Host::answer(66));
        }
        self.change()?;
        if let Some(interface) = self.state.interfaces.iter_mut().find(|interface| interface.id == id) {
            interface.wins = servers.into_iter().filter(|server| !server.is_empty()).collect();
        }
        Ok(Host::answer(0))
    }

    fn set_netbios(&mut self, id: &str, mode: &Value) -> Run<Value> {
        let Ok(mode @ 0..=2) = mode.integer() else { return Ok(Host::answer(100)) };
        self.change()?;
        if let Some(interface) = self.state.interfaces.iter_mut().find(|interface| interface.id == id) {
            interface.netbios = mode;
        }
        Ok(Host::answer(0))
    }

    /// Takes over the identity of a machine and goes on as a job, as Hyper-V may do.
    fn modify_settings(&mut self, text: &str) -> Run<Value> {
        let Some(properties) = properties(text, SETTINGS) else { return Ok(Host::answer(32_773)) };
        let get = |name: &str| properties.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let id = get("VirtualSystemIdentifier").unwrap_or_default();
        let guid = get("BIOSGUID").unwrap_or_default();
        let plain = guid.strip_prefix('{').and_then(|guid| guid.strip_suffix('}')).unwrap_or_default();
        let groups: Vec<usize> = plain.split('-').map(str::len).collect();
        let is_guid = groups == [8, 4, 4, 4, 12] && plain.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        if !is_guid {
            return Ok(Host::answer(32_773));
        }
        let machine = self.machine(&id)?;
        if machine.state != "Off" {
            return Ok(Host::answer(32_775));
        }
        self.change()?;
        let machine = self.machine(&id)?;
        for name in IDENTITY {
            if let Some(value) = get(name) {
                machine.identity.insert(name.to_owned(), value);
            }
        }
        let job =
            Object::new("ManagementBaseObject", "").with("ReturnValue", 4096_i64).with("Job", "Msvm_ConcreteJob.1");
        Ok(job.value())
    }

    /// `[wmi]path` of a job that is running.
    pub(super) fn job(path: &str) -> Run<Value> {
        if path != "Msvm_ConcreteJob.1" {
            return thrown(format!("[wmi]: there is nothing at '{path}'."));
        }
        let job = Object::new("Msvm_ConcreteJob", path).with("JobState", 4_i64).with("ErrorDescription", "");
        Ok(job.value())
    }
}

/// Around the value of a property, and of one that is a list.
const ONE: [&str; 2] = ["\" TYPE=\"string\"><VALUE>", "</VALUE></PROPERTY>"];
const LIST: [&str; 2] = ["\" TYPE=\"string\"><VALUE.ARRAY><VALUE>", "</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>"];

/// An instance as text, in the XML of CIM.
fn embedded(object: &Object) -> Run<String> {
    let mut text = format!("<INSTANCE CLASSNAME=\"{}\">", object.class);
    for (name, value) in &object.properties {
        // No cmdlet and no script of ours sets a truth value this way; they are handed back as they came.
        if matches!(value, Value::Bool(_)) {
            continue;
        }
        let (kind, [start, end], value) = match value {
            Value::Text(value) => ("PROPERTY", ONE, value.clone()),
            Value::List(list) => match list.items.borrow().as_slice() {
                [Value::Text(value)] => ("PROPERTY.ARRAY", LIST, value.clone()),
                _ => return thrown(format!("The property {name} is no list of one text.")),
            },
            _ => return thrown(format!("The property {name} is no text.")),
        };
        let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        text.push_str(&format!("<{kind} NAME=\"{name}{start}{escaped}{end}"));
    }
    text.push_str("</INSTANCE>");
    Ok(text)
}

/// The properties of an instance of a class.
fn properties(text: &str, class: &str) -> Option<Vec<(String, String)>> {
    let mut rest = text.strip_prefix(&format!("<INSTANCE CLASSNAME=\"{class}\">"))?.strip_suffix("</INSTANCE>")?;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (named, [start, end]) = match rest.strip_prefix("<PROPERTY.ARRAY NAME=\"") {
            Some(named) => (named, LIST),
            None => (rest.strip_prefix("<PROPERTY NAME=\"")?, ONE),
        };
        let (name, value) = named.split_once(start)?;
        let (value, after) = value.split_once(end)?;
        all.push((name.to_owned(), value.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")));
        rest = after;
    }
    Some(all)
}
