//! Compares what is on the destination with what was read and planned: every disk block by block, every other file by
//! its hash, every setting read back, the machines and their checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hvm_destinations::destination::{Destination, FileDifference};
use hvm_formats::disk::SharedDisk;
use hvm_model::firewall::firewall_settings;
use hvm_model::inventory::Inventory;
use hvm_model::plan::{Action, Phase, Plan, Step};
use hvm_model::record::{Event, Evidence};
use hvm_model::report::{Difference, Verification};
use hvm_model::role::{PlacedDisk, RoleMachine};
use hvm_model::setting::{Carry, Setting, dcom_settings, namespace_settings, settings_of};
use hvm_sources::source::Source;
use hvm_transfer::{Check, Manifest, Mismatch, MismatchKind};

use crate::clock::now;
use crate::error::EngineError;
use crate::events::{Observer, Relay};
use crate::host::{self, Asking, Seen};
use crate::migrate::check_root;
use crate::observed;
use crate::origin;
use crate::owned::locate;
use crate::role::open_placed;
use crate::state::State;
use crate::workdir::WorkDir;

/// How to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Looks whether the source was used since, and into it to name the first differing byte; what is on the destination is compared with the
    /// hashes of what was read from the source either way.
    pub against_source: bool,
    /// What the kit's scripts saw on the destination host: its settings are compared instead of the kit's. A destination that
    /// is a running host is asked itself when this is not given.
    pub observed: Option<PathBuf>,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        VerifyOptions { against_source: true, observed: None }
    }
}

/// Compares everything that a complete migration made.
pub fn verify(work: &Path, options: VerifyOptions, observer: &dyn Observer) -> Result<Verification, EngineError> {
    let work = WorkDir::open(work)?;
    let state = State::of(&work.journal()?.records()?);
    let plan = work.plan(&state)?;
    let destination = host::open(&plan.destination, Some(work.path()), (observer, Asking::IfGiven))?;
    let source = match options.against_source.then(|| origin::open(&plan.source, observer)) {
        Some(Ok(source)) => Some(source),
        Some(Err(error)) => {
            observer.note(&format!("The source cannot be reached, so places are named by blocks only: {error}"));
            None
        }
        None => None,
    };
    let observed = match (&options.observed, destination.host()) {
        (Some(path), _) => Some(Seen { settings: observed::read(path, &plan)?, files: Vec::new() }),
        (None, Some(host)) if state.is_complete(host::IMPORT) => host::observed(host, &plan, observer)?,
        (None, _) => None,
    };
    verify_opened(&work, source.as_deref(), (&*destination, observed), observer)
}

/// The same for a source and a destination that are open already, the latter with what was seen of it, if anybody looked.
pub(crate) fn verify_opened(
    work: &WorkDir,
    source: Option<&dyn Source>,
    (destination, observed): (&dyn Destination, Option<Seen>),
    observer: &dyn Observer,
) -> Result<Verification, EngineError> {
    let journal = work.journal()?;
    let state = State::of(&journal.records()?);
    let plan = work.plan(&state)?;
    if !plan.blocked.is_empty() {
        return Err(EngineError::Blocked { reasons: plan.blocked });
    }
    check_root(work, &plan, destination)?;
    let open = plan.steps.iter().find(|step| step.phase <= Phase::Migrate && !state.is_complete(&step.id));
    if let Some(step) = open {
        return Err(EngineError::NotMigrated { step: step.id.clone(), title: step.title.clone() });
    }
    let inventory = work.inventory()?;
    let (observed, on_host) = observed.map_or((None, Vec::new()), |seen| (Some(seen.settings), seen.files));
    let mut checking = Checking {
        work,
        plan: &plan,
        inventory: &inventory,
        state: &state,
        source,
        destination,
        observed,
        observer,
        found: Verification { at: now(), disks: 0, bytes: 0, settings: 0, files: 0, differences: Vec::new() },
    };
    observer.steps("verify", plan.role.machines.iter().map(|machine| machine.disks.len()).sum());
    checking.source();
    checking.disks()?;
    checking.files()?;
    checking.on_host(&on_host);
    checking.settings()?;
    checking.machines();
    let verification = checking.found;
    work.save_verification(&verification)?;
    let checks = verification.disks + verification.settings + verification.files + plan.role.machines.len() as u64;
    journal.append(&Event::Verified { checks, differences: verification.differences.len() as u64 })?;
    Ok(verification)
}

struct Checking<'a> {
    work: &'a WorkDir,
    plan: &'a Plan,
    inventory: &'a Inventory,
    state: &'a State,
    source: Option<&'a dyn Source>,
    destination: &'a dyn Destination,
    observed: Option<Vec<Setting>>,
    observer: &'a dyn Observer,
    found: Verification,
}

impl Checking<'_> {
    fn differs(&mut self, subject: impl Into<String>, place: impl Into<String>, expected: &str, found: &str) {
        self.found.differences.push(Difference {
            subject: subject.into(),
            place: place.into(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        });
    }

    /// The copies are those of what was read: a source that was used since holds more.
    fn source(&mut self) {
        let Some(source) = self.source else { return };
        match source.fingerprint(self.inventory) {
            Ok(found) if found == self.plan.fingerprint => {}
            Ok(found) => {
                self.differs("the source", "names, sizes and times of its files", &self.plan.fingerprint, &found)
            }
            Err(error) => self.observer.note(&format!("It is not known whether the source was used since: {error}")),
        }
    }

    fn disks(&mut self) -> Result<(), EngineError> {
        let plan = self.plan;
        let disks = plan.steps.iter().filter_map(|step| match &step.action {
            Action::CopyDisk { machine, disk } => Some((step, machine, disk)),
            _ => None,
        });
        for (number, (step, machine, disk)) in disks.enumerate() {
            self.observer.step_started(number + 1, step);
            let name = plan.role.machines.iter().find(|one| one.id == *machine).map_or("", |one| one.name.as_str());
            let subject = format!("virtual machine '{name}', disk '{}'", disk.target);
            self.disk(step, disk, &subject)?;
            self.observer.step_done(number + 1, step, 0.0);
        }
        Ok(())
    }

    fn disk(&mut self, step: &Step, disk: &PlacedDisk, subject: &str) -> Result<(), EngineError> {
        self.found.disks += 1;
        let manifest = match Manifest::load(&self.work.manifest_path(&step.id)) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.differs(subject, "manifest", "the manifest that was written with the copy", &error.to_string());
                return Ok(());
            }
        };
        let evidence = self.state.evidence(&step.id).cloned().unwrap_or_default();
        if let Some(found) = other_manifest(&manifest, &evidence) {
            self.differs(subject, "manifest", "the hashes that the journal recorded with the copy", &found);
            return Ok(());
        }
        self.found.bytes += manifest.size;
        let Some(file) = locate(self.destination.root(), &disk.target) else { return Ok(()) };
        let source = self.source_disk(disk);
        let relay = Relay::new(self.observer, subject);
        let check = Check { manifest: &manifest, file: &file, source };
        for wrong in hvm_transfer::verify(&check, &relay.watch())? {
            self.mismatch(subject, &wrong);
        }
        Ok(())
    }

    fn source_disk(&self, disk: &PlacedDisk) -> Option<SharedDisk> {
        match open_placed(self.source?, disk) {
            Ok(disk) => Some(disk),
            Err(error) => {
                self.observer.note(&format!("'{}' cannot be opened on the source: {error}", disk.source));
                None
            }
        }
    }

    fn mismatch(&mut self, subject: &str, wrong: &Mismatch) {
        let (kind, expected) = match wrong.kind {
            MismatchKind::Content => ("virtual offset", "the content that was read from the source"),
            MismatchKind::File => ("file offset", "the bytes that were written"),
        };
        let last = wrong.first_offset.saturating_add(wrong.len.saturating_sub(1));
        let place = format!("{kind} {} to {last}", wrong.first_offset);
        self.differs(subject, place, expected, &wrong.detail);
    }

    fn files(&mut self) -> Result<(), EngineError> {
        let state = self.state;
        for (path, (step, artifact)) in state.artifacts() {
            if step.starts_with("copy-disk.") {
                continue;
            }
            self.found.files += 1;
            let subject = format!("file '{path}'");
            let expected = format!("{} bytes, BLAKE3 {}", artifact.size, artifact.blake3);
            let relay = Relay::new(self.observer, subject.clone());
            let file = locate(self.destination.root(), path).unwrap_or_default();
            match hvm_transfer::hash_file(&file, &relay.watch()) {
                Ok((size, blake3)) if size == artifact.size && blake3.to_string() == artifact.blake3 => {}
                Ok((size, blake3)) => {
                    self.differs(subject, "bytes", &expected, &format!("{size} bytes, BLAKE3 {blake3}"));
                }
                Err(error @ hvm_transfer::TransferError::Cancelled) => return Err(error.into()),
                Err(error) => self.differs(subject, "bytes", &expected, &error.to_string()),
            }
        }
        Ok(())
    }

    /// Files on a running host that are not as they were carried there.
    fn on_host(&mut self, files: &[FileDifference]) {
        let host = self.destination.host().map_or_else(String::new, |host| host.name().to_owned());
        for wrong in files {
            let disk = |machine: &&RoleMachine| machine.disks.iter().any(|disk| disk.target == wrong.file);
            let subject = match self.plan.role.machines.iter().find(disk) {
                Some(machine) => format!("virtual machine '{}', disk '{}' on {host}", machine.name, wrong.file),
                None => format!("file '{}' on {host}", wrong.file),
            };
            self.differs(subject, wrong.place.clone(), &wrong.expected, &wrong.found);
        }
    }

    fn settings(&mut self) -> Result<(), EngineError> {
        let mut planned = settings_of(&self.plan.role);
        // Only the host itself tells what was merged and changed there.
        if self.observed.is_some() {
            planned.extend(dcom_settings(&self.plan.role));
            planned.extend(namespace_settings(&self.plan.role));
            planned.extend(firewall_settings(&self.plan.role));
        }
        let observed = match self.observed.take().map_or_else(|| self.destination.observe(), Ok) {
            Ok(observed) => observed,
            Err(error) => {
                self.found.settings += planned.len() as u64;
                self.differs("the destination", "settings", "definitions that can be read back", &with_source(&error));
                return Ok(());
            }
        };
        let (planned_by, observed_by) = (by_item(&planned), by_item(&observed));
        let carried = |subject: &str, item: &str| {
            let setting = planned.iter().find(|setting| setting.subject == subject && setting.item == item);
            setting.is_some_and(|setting| self.destination.carries(setting) == Carry::Carried)
        };
        let mut differences = Vec::new();
        let mut compared = 0;
        for ((subject, item), values) in &planned_by {
            if !carried(subject, item) {
                continue;
            }
            compared += values.len() as u64;
            let found = observed_by.get(&(*subject, *item)).cloned().unwrap_or_default();
            if found != *values {
                differences.push((*subject, *item, values.join(", "), found.join(", ")));
            }
        }
        let ours: BTreeSet<&str> = planned.iter().map(|setting| setting.subject.as_str()).collect();
        for ((subject, item), values) in &observed_by {
            if ours.contains(subject) && !planned_by.contains_key(&(*subject, *item)) {
                differences.push((*subject, *item, String::new(), values.join(", ")));
            }
        }
        self.found.settings += compared;
        for (subject, item, expected, found) in differences {
            let name = |value: String| if value.is_empty() { "nothing".to_owned() } else { format!("'{value}'") };
            let subject = subject_name(self.plan, subject);
            self.differs(subject, item, &name(expected), &name(found));
        }
        Ok(())
    }

    /// The list of machines and the number of checkpoints, as the guide has them compared.
    fn machines(&mut self) {
        let plan = self.plan;
        for machine in &plan.role.machines {
            let id = machine.checkpoint_of.as_ref().unwrap_or(&machine.id);
            let Some(original) = self.inventory.machine(id) else {
                self.differs(
                    format!("virtual machine '{}'", machine.name),
                    "list of machines",
                    "a machine of the source",
                    "none",
                );
                continue;
            };
            if machine.checkpoint_of.is_some() {
                continue;
            }
            let machines = plan.role.machines.iter().filter(|other| other.checkpoint_of.as_ref() == Some(&machine.id));
            let copied = checkpoints_of(machine) + machines.count();
            if copied > 0 && copied != original.checkpoints.len() && self.has_disks_everywhere(machine) {
                let (expected, found) = (original.checkpoints.len().to_string(), copied.to_string());
                self.differs(format!("virtual machine '{}'", machine.name), "number of checkpoints", &expected, &found);
            }
        }
    }

    fn has_disks_everywhere(&self, machine: &RoleMachine) -> bool {
        let disk = |drive: &hvm_model::vm::Drive| matches!(drive.media, hvm_model::vm::Media::VirtualDisk { .. });
        self.inventory.machine(&machine.id).is_some_and(|original| {
            original.checkpoints.iter().all(|checkpoint| checkpoint.configuration.drives.iter().any(disk))
        })
    }
}

fn checkpoints_of(machine: &RoleMachine) -> usize {
    let ids: BTreeSet<_> = machine.disks.iter().filter_map(|disk| disk.checkpoint.as_ref()).collect();
    ids.len()
}

/// Why a manifest is not the one that the journal recorded.
fn other_manifest(manifest: &Manifest, evidence: &Evidence) -> Option<String> {
    let content = manifest.content.to_string();
    let file = manifest.file.as_ref().map(|file| file.blake3.to_string()).unwrap_or_default();
    let recorded = evidence.artifacts.first().map(|artifact| artifact.blake3.clone());
    let same = evidence.content.as_deref() == Some(content.as_str()) && recorded.as_deref() == Some(file.as_str());
    (!same).then(|| format!("content {content}, file {file}"))
}

type Items<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a str>>;

fn by_item(settings: &[Setting]) -> Items<'_> {
    let mut items: Items<'_> = BTreeMap::new();
    for setting in settings {
        items.entry((&setting.subject, &setting.item)).or_default().push(&setting.value);
    }
    items.values_mut().for_each(|values| values.sort_unstable());
    items
}

/// `machine GUID` as people know it.
fn subject_name(plan: &Plan, subject: &str) -> String {
    let checkpoint = |id: &str| {
        let checkpoints = |machine: &'_ RoleMachine| {
            let found = machine.checkpoints.iter().find(|checkpoint| checkpoint.id.as_str() == id)?;
            Some(format!("checkpoint '{}' of virtual machine '{}'", found.name, machine.name))
        };
        plan.role.machines.iter().find_map(checkpoints)
    };
    if let Some(name) = subject.strip_prefix("checkpoint ").and_then(checkpoint) {
        return name;
    }
    let id = subject.strip_prefix("machine ");
    let machine = id.and_then(|id| plan.role.machines.iter().find(|machine| machine.id.as_str() == id));
    machine.map_or_else(|| subject.to_owned(), |machine| format!("virtual machine '{}'", machine.name))
}

fn with_source(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(" {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
