//! The kit for Windows Server 2012 and later: a folder with disks, definitions as data, one script a step, and the scripts that run,
//! test and undo them on the destination.
//!
//! Layout: `steps/NNNN-*.ps1` (one a step), `settings.json`, `switches/ID.json`, `management-adapters/N.json`,
//! `machines/FOLDER/machine.json`, `machines/FOLDER/checkpoints/ID.json` (the same as data), and at the end `role.json`, the fixed scripts and `README.txt`.

mod access;
mod adapters;
mod carries;
pub(crate) mod cmdlet;
mod complete;
pub(crate) mod facts;
mod firewall;
mod machines;
mod observe;
mod observe_machine;
pub(crate) mod quote;
mod read;
mod readme;
mod registered;
mod release;
mod settings;
mod switches;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use hvm_model::capabilities::{Capabilities, DestinationKind, DiskFormat};
use hvm_model::host::WindowsRelease;
use hvm_model::names::{ByteSize, SwitchId, VmId};
use hvm_model::plan::{Action, Plan, Step};
use hvm_model::report::NotCarried;
use hvm_model::role::{RoleMachine, RoleSwitch};
use hvm_model::setting::{Carry, Setting, settings_of};
use serde::{Deserialize, Serialize};

use crate::destination::Destination;
use crate::error::DestinationError;
use crate::hyperv::cmdlet::StepScript;
use crate::hyperv::facts::Facts;
use crate::hyperv::release::{RELEASES, Release};
use crate::uri::{Uri, bad};
use crate::{files, names};

/// A kit in a folder.
#[derive(Debug)]
pub struct Kit {
    uri: String,
    root: PathBuf,
    release: &'static Release,
    facts: Facts,
}

/// What a step makes, as data: the settings that it brings, and the definition that they come from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// Version of this document.
    pub schema: u32,
    /// Script of the step, with `/`.
    pub step: String,
    /// The settings that the step brings.
    pub settings: Vec<Setting>,
    /// The settings that cannot be put back as they were, with the reason; the script comes as near as it can.
    pub not_carried: Vec<NotCarried>,
    /// The part of the role.
    pub definition: serde_json::Value,
}

/// What each release does not carry of these settings, the oldest release first.
pub fn not_carried(settings: &[Setting]) -> Vec<(WindowsRelease, Vec<NotCarried>)> {
    let of = |release: &Release| {
        let lost = settings.iter().filter_map(|setting| match carries::carries(release, setting) {
            Carry::Carried => None,
            Carry::NotCarried { reason } => Some(NotCarried { setting: setting.clone(), reason }),
        });
        (release.windows, lost.collect())
    };
    RELEASES.iter().map(of).collect()
}

impl Kit {
    /// Opens a kit; the folder need not exist yet.
    pub(crate) fn open(uri: &Uri) -> Result<Kit, DestinationError> {
        let mut known = vec!["facts"];
        known.extend(facts::NAMES);
        uri.check(&known)?;
        Kit::with(uri, uri.folder.clone(), Facts::of(uri)?)
    }

    /// A kit in a folder for a host of which these facts are known.
    pub(crate) fn with(uri: &Uri, root: PathBuf, facts: Facts) -> Result<Kit, DestinationError> {
        let os = facts.os.as_deref().unwrap_or(RELEASES[0].word);
        let release =
            Release::of_word(os).ok_or_else(|| bad("os", os, &format!("one of {} is wanted", Release::words())))?;
        Ok(Kit { uri: uri.text.clone(), root, release, facts })
    }

    /// Path of the script of a step: its place in the plan keeps the scripts in order.
    fn script_path(plan: &Plan, step: &Step, word: &str) -> String {
        let index = plan.steps.iter().position(|found| found.id == step.id).unwrap_or(0);
        format!("steps/{index:04}-{word}.ps1")
    }

    fn write_step(&self, paths: &[String], script: &StepScript, data: &Definition) -> Result<(), DestinationError> {
        if let [script_path, data_path] = paths {
            files::write(&self.root, data_path, &json(data))?;
            // The script last: what is observed is the script, so a cut before it shows as not done.
            files::write(&self.root, script_path, &script.render()?)?;
        }
        Ok(())
    }

    fn perform_part(&self, plan: &Plan, step: &Step) -> Result<(), DestinationError> {
        let role = &plan.role;
        let (script, definition, subject) = match &step.action {
            Action::ApplySettings => (settings::script(self.release, role), value(&role.settings), "host".to_owned()),
            Action::CreateSwitch { switch } => {
                let switch = find_switch(plan, step, switch)?;
                (switches::script(role, switch), value(switch), format!("switch {}", switch.name))
            }
            Action::CreateManagementAdapter { index } => {
                let adapter = role
                    .management_adapters
                    .get(*index)
                    .ok_or_else(|| not_in_plan(step, format!("the management adapter number {index}")))?;
                (adapters::script(adapter), value(adapter), format!("management adapter {}", adapter.name))
            }
            Action::RegisterMachine { machine } => {
                let machine = find_machine(plan, step, machine)?;
                (machines::script(self.release, role, machine)?, value(machine), format!("machine {}", machine.id))
            }
            Action::CreateCheckpoint { machine, checkpoint } => {
                let machine = find_machine(plan, step, machine)?;
                let found = machine.checkpoints.iter().find(|found| found.id == *checkpoint);
                let found = found.ok_or_else(|| not_in_plan(step, format!("the checkpoint {checkpoint}")))?;
                let definition = serde_json::json!({ "folder": machine.folder, "checkpoint": found, "physical": [] });
                let script = machines::checkpoint_script(self.release, role, (machine, found))?;
                (script, definition, format!("checkpoint {checkpoint}"))
            }
            _ => return Err(DestinationError::NotMine { step: step.id.clone() }),
        };
        let paths = self.outputs(plan, step);
        let mut settings = settings_of(role);
        settings.retain(|setting| setting.subject == subject);
        let mut data = Definition {
            schema: 1,
            step: paths.first().cloned().unwrap_or_default(),
            settings: Vec::new(),
            not_carried: Vec::new(),
            definition,
        };
        for setting in settings {
            match self.carries(&setting) {
                Carry::Carried => data.settings.push(setting),
                Carry::NotCarried { reason } => data.not_carried.push(NotCarried { setting, reason }),
            }
        }
        self.write_step(&paths, &script, &data)
    }
}

/// A document as it is written.
pub(crate) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("the documents of a kit have text keys and finite numbers");
    bytes.push(b'\n');
    bytes
}

fn value<T: Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).expect("the documents of a kit have text keys and finite numbers")
}

/// The error for something that a step names and the plan does not hold.
pub(crate) fn not_in_plan(step: &Step, what: String) -> DestinationError {
    DestinationError::NotInPlan { step: step.id.clone(), what }
}

/// The switch that a step names.
pub(crate) fn find_switch<'a>(plan: &'a Plan, step: &Step, id: &SwitchId) -> Result<&'a RoleSwitch, DestinationError> {
    let found = plan.role.switches.iter().find(|switch| switch.id == *id);
    found.ok_or_else(|| not_in_plan(step, format!("the virtual network {id}")))
}

/// The machine that a step names.
pub(crate) fn find_machine<'a>(plan: &'a Plan, step: &Step, id: &VmId) -> Result<&'a RoleMachine, DestinationError> {
    let found = plan.role.machines.iter().find(|machine| machine.id == *id);
    found.ok_or_else(|| not_in_plan(step, format!("the virtual machine {id}")))
}

impl Destination for Kit {
    fn capabilities(&self) -> Result<Capabilities, DestinationError> {
        let facts = self.facts.clone();
        Ok(Capabilities {
            uri: self.uri.clone(),
            kind: DestinationKind::HyperV { release: self.release.windows },
            disk_format: DiskFormat::Vhd,
            // What a VHDX can hold; where a VHD is too small, the disk becomes one.
            max_disk_size: ByteSize(64 << 40),
            max_processors: 64,
            max_memory: ByteSize(1 << 40),
            keeps_checkpoints: true,
            logical_processors: facts.processors,
            memory: facts.memory,
            free_space: facts.free,
            ui_language: facts.language,
            edition: facts.edition,
            adapters: facts.adapters,
            adapter_details: facts.adapter_details,
            machines: facts.machines.unwrap_or_default(),
            switches: facts.switches.unwrap_or_default(),
            mac_addresses: facts.macs.unwrap_or_default(),
            machine_ids: facts.machine_ids,
        })
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn safe_name(&self, text: &str) -> String {
        names::safe(text)
    }

    fn outputs(&self, plan: &Plan, step: &Step) -> Vec<String> {
        let script = |word: &str| Self::script_path(plan, step, word);
        match &step.action {
            Action::ApplySettings => vec![script("settings"), "settings.json".to_owned()],
            Action::CreateSwitch { switch } => vec![script("network"), format!("switches/{switch}.json")],
            Action::CreateManagementAdapter { index } => {
                vec![script("management-adapter"), format!("management-adapters/{index}.json")]
            }
            Action::RegisterMachine { machine } => {
                let found = plan.role.machines.iter().find(|found| found.id == *machine);
                let folder = found.map(|found| format!("machines/{}/machine.json", found.folder));
                folder.map(|path| vec![script("machine"), path]).unwrap_or_default()
            }
            Action::CreateCheckpoint { machine, checkpoint } => {
                let found = plan.role.machines.iter().find(|found| found.id == *machine);
                let path = found.map(|found| format!("machines/{}/checkpoints/{checkpoint}.json", found.folder));
                path.map(|path| vec![script("checkpoint"), path]).unwrap_or_default()
            }
            Action::CopyDisk { disk, .. } => vec![disk.target.clone()],
            Action::CopyFile { file } => vec![file.target.clone()],
            Action::Complete => complete::outputs(),
            Action::Confirm { .. }
            | Action::CheckSource
            | Action::CheckDestination
            | Action::TakeFolder
            | Action::CarryOver { .. }
            | Action::ImportOnHost
            | Action::ObserveOnHost => Vec::new(),
        }
    }

    fn perform(&self, plan: &Plan, step: &Step) -> Result<Vec<String>, DestinationError> {
        match step.action {
            Action::Complete => complete::perform(self, plan)?,
            _ => self.perform_part(plan, step)?,
        }
        Ok(self.outputs(plan, step))
    }

    fn observe(&self) -> Result<Vec<Setting>, DestinationError> {
        observe::settings(&self.root)
    }

    fn carries(&self, setting: &Setting) -> Carry {
        carries::carries(self.release, setting)
    }
}
