//! `Compare-VM` and `Import-VM`: a configuration becomes a planned machine, what it lacks here is told, and when nothing is lacking any
//! more it becomes a machine of this host under its own id. Only the numbers of messages that are documented are right; others are 0.

use super::configuration::{Configuration, NOT_HERE};
use super::state::*;
use super::{Host, Release};
use crate::powershell::{Call, Object, Run, Value, fault, thrown};

/// "Could not find Ethernet switch" of the example of `Import-VM`.
const NO_SWITCH: i64 = 33_012;

/// What may be done with a planned machine. Its WMI classes say that it can be changed; that cmdlets add something to one is said
/// nowhere.
const ON_PLANNED: [&str; 16] = [
    "Get-VMNetworkAdapter",
    "Get-VMDvdDrive",
    "Get-VMHardDiskDrive",
    "Get-VMFloppyDiskDrive",
    "Get-VMMemory",
    "Get-VMProcessor",
    "Set-VMMemory",
    "Set-VMProcessor",
    "Set-VMHardDiskDrive",
    "Set-VMDvdDrive",
    "Set-VMFloppyDiskDrive",
    "Remove-VMHardDiskDrive",
    "Connect-VMNetworkAdapter",
    "Disconnect-VMNetworkAdapter",
    "Compare-VM",
    "Import-VM",
];

impl Host {
    /// Refuses what nobody says to go with a planned machine or a part of one.
    pub(super) fn check_planned(&self, call: &Call) -> Run<()> {
        if ON_PLANNED.contains(&call.name.as_str()) {
            return Ok(());
        }
        for (parameter, _) in &call.arguments {
            for (_, id) in call.objects(parameter).unwrap_or_default() {
                let of = id.split(['|', '\\']).next().unwrap_or_default();
                if self.state.machines.iter().any(|machine| machine.planned && machine.id == of) {
                    return fault(format!("{} of a planned machine", call.name));
                }
            }
        }
        Ok(())
    }

    pub(super) fn compare_vm(&mut self, call: &Call) -> Run<Vec<Value>> {
        if let Some(id) = reported(call) {
            let machine = self.planned(&id)?.clone();
            return Ok(vec![self.report(&machine)]);
        }
        if !call.has("Register") {
            return fault("Compare-VM -Path without -Register");
        }
        let path = call.text("Path").unwrap_or_default();
        let Some(bytes) = self.files.read(&path) else {
            return thrown(format!("Compare-VM: there is no file '{path}'."));
        };
        let read = Configuration::read(&path, bytes);
        let machine = match read.map_err(Some).and_then(|configuration| self.of_configuration(&path, &configuration)) {
            Ok(machine) => machine,
            Err(Some(message)) => return thrown(format!("Compare-VM -Path '{path}': {message}")),
            Err(None) => return fault("a configuration with checkpoints"),
        };
        self.change()?;
        let report = self.report(&machine);
        self.state.machines.push(machine);
        Ok(vec![report])
    }

    /// The planned machine of a file; no message for what the model does not do.
    fn of_configuration(&self, path: &str, configuration: &Configuration) -> Result<Machine, Option<String>> {
        let (folder, name) = path.rsplit_once('\\').unwrap_or_default();
        let (id, version) = (configuration.id(), configuration.version());
        let refused = |message: String| Err(Some(message));
        if !self.release.imports(version) {
            return refused(format!("The version {}.{} is not supported.", version >> 8, version & 0xFF));
        }
        if path.to_lowercase().ends_with(".vmcx") != (version > 0x500) {
            return refused("The file is not of the kind that its version has.".to_owned());
        }
        if name.rsplit_once('.').is_none_or(|(stem, _)| !stem.eq_ignore_ascii_case(&id)) {
            return refused("The file is not called by the id of its machine.".to_owned());
        }
        if self.state.machines.iter().any(|machine| machine.id == id) {
            return refused(format!("There is a machine with the id {id} already."));
        }
        if configuration.checkpoints() > 0 {
            return Err(None);
        }
        let folder = folder.strip_suffix("\\Virtual Machines").unwrap_or(folder);
        let machine = configuration.machine(self.release, folder);
        if machine.generation == 2 && self.release == Release::Server2012 {
            return refused("Generation 2 is not known.".to_owned());
        }
        Ok(machine)
    }

    fn planned(&self, id: &str) -> Run<&Machine> {
        let found = self.state.machines.iter().find(|machine| machine.planned && machine.id == id);
        found.map_or_else(|| thrown(format!("The planned virtual machine {id} is not there any more.")), Ok)
    }

    fn report(&self, machine: &Machine) -> Value {
        let wrong = self.incompatibilities(machine);
        // Whether there is an empty list or none is not said.
        let wrong = if wrong.is_empty() { Value::Null } else { Value::array(wrong) };
        let object = Object::new("VMCompatibilityReport", &machine.id).with("VM", self.machine_object(machine));
        object.with("Incompatibilities", wrong).value()
    }

    /// What this host lacks for a machine.
    fn incompatibilities(&self, machine: &Machine) -> Vec<Value> {
        let mut all = Vec::new();
        let mut add = |message: String, number: i64, source: Value| {
            let object = Object::new("VMIncompatibility", "").with("Message", message).with("MessageId", number);
            all.push(object.with("Source", source).value());
        };
        for adapter in &machine.adapters {
            if adapter.switch.as_ref().is_some_and(|id| self.switch(id).is_none()) {
                let message = "Could not find Ethernet switch ''.".to_owned();
                add(message, NO_SWITCH, self.adapter_object(adapter, Some(machine)));
            }
        }
        for drive in &machine.drives {
            let is_here = drive.path.as_ref().is_none_or(|path| self.files.read(path).is_some());
            if !is_here || drive.disk == Some(NOT_HERE) {
                let message = format!("'{}' is not there.", drive.path.as_deref().unwrap_or("The physical disk"));
                add(message, 0, self.drive_object(machine, drive));
            }
        }
        let floppy = machine.floppy.as_ref().filter(|path| self.files.read(path).is_none());
        if let Some(path) = floppy {
            add(format!("'{path}' is not there."), 0, self.floppy_object(machine));
        }
        if machine.processors.count > self.hardware.processors {
            add("There are too few processors.".to_owned(), 0, self.machine_object(machine));
        }
        if machine.memory.startup > self.hardware.memory {
            add("There is too little memory.".to_owned(), 0, self.machine_object(machine));
        }
        if machine.state == "Saved" {
            add("Could not find state file.".to_owned(), 40_004, self.machine_object(machine));
        }
        all
    }

    pub(super) fn import_vm(&mut self, call: &Call) -> Run<Vec<Value>> {
        let Some(id) = reported(call) else { return fault("Import-VM without a report") };
        let machine = self.planned(&id)?.clone();
        if !self.incompatibilities(&machine).is_empty() {
            return thrown("Import-VM: Unable to import virtual machine due to configuration errors.");
        }
        self.change()?;
        // From now on the file is Hyper-V's, which writes into it as it likes.
        for path in registered_files(&machine) {
            if self.files.read(&path).is_some()
                && let Err(message) = self.files.write(&path, b"of this host".to_vec())
            {
                return thrown(message);
            }
        }
        let machine = self.machine(&id)?;
        machine.planned = false;
        let machine = machine.clone();
        Ok(vec![self.machine_object(&machine)])
    }

    /// Hyper-V removes the configuration of a machine with it.
    pub(super) fn remove_configuration(&mut self, machine: &Machine) {
        for path in registered_files(machine) {
            self.files.remove(&path);
        }
    }
}

fn reported(call: &Call) -> Option<String> {
    call.objects("CompatibilityReport")?.into_iter().next().map(|(_, id)| id)
}

fn registered_files(machine: &Machine) -> Vec<String> {
    let file = |ending: &str| format!("{}\\Virtual Machines\\{}.{ending}", machine.location, machine.id);
    ["xml", "vmcx", "vmrs", "vmgs"].into_iter().map(file).collect()
}
