//! Performs one step: checks, copies, or lets the destination make its part.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hvm_destinations::destination::Destination;
use hvm_model::inventory::Inventory;
use hvm_model::names::ByteSize;
use hvm_model::plan::{Action, Plan, Step};
use hvm_model::record::{Artifact, Evidence};
use hvm_model::role::{PlacedDisk, PlacedFile};
use hvm_sources::source::Source;
use hvm_transfer::{ChildJob, CopyJob, Reflink, TransferError, leftovers};

use crate::advice;
use crate::error::EngineError;
use crate::events::{Observer, Relay};
use crate::host;
use crate::owned::{is_there, locate};
use crate::role::open_placed;
use crate::state::State;
use crate::workdir::{WorkDir, manifest_name};

/// Everything that a step may need.
pub(crate) struct Run<'a> {
    pub(crate) work: &'a WorkDir,
    pub(crate) plan: &'a Plan,
    pub(crate) inventory: &'a Inventory,
    pub(crate) source: &'a dyn Source,
    pub(crate) destination: &'a dyn Destination,
    pub(crate) observer: &'a dyn Observer,
}

impl Run<'_> {
    /// The files that a step makes, below the root.
    pub(crate) fn outputs(&self, step: &Step) -> Vec<String> {
        match &step.action {
            Action::Confirm { .. } | Action::CheckSource | Action::CheckDestination => Vec::new(),
            Action::CopyDisk { disk, .. } => vec![disk.target.clone()],
            Action::CopyFile { file } => vec![file.target.clone()],
            _ => self.destination.outputs(self.plan, step),
        }
    }

    /// The first thing that a step would meet and that is not ours, leftovers of unfinished copies included.
    pub(crate) fn in_the_way(&self, step: &Step, state: &State) -> Result<(), EngineError> {
        let root = self.destination.root();
        for name in self.outputs(step) {
            let path = located(root, step, &name)?;
            if state.is_ours(&name) {
                continue;
            }
            let found =
                std::iter::once(path.clone()).chain(leftovers(&path)).find(|path| path.symlink_metadata().is_ok());
            if let Some(path) = found {
                return Err(EngineError::InTheWay { path });
            }
        }
        Ok(())
    }

    /// Performs a step.
    pub(crate) fn perform(&self, step: &Step, state: &State) -> Result<Evidence, EngineError> {
        let started = Instant::now();
        let mut evidence = match &step.action {
            Action::Confirm { .. } => Evidence::default(),
            Action::CheckSource => self.check_source()?,
            Action::CheckDestination => self.check_destination(state)?,
            Action::CopyDisk { disk, .. } => self.copy_disk(step, disk)?,
            Action::CopyFile { file } => self.copy_file(step, file)?,
            Action::TakeFolder | Action::CarryOver { .. } | Action::ImportOnHost | Action::ObserveOnHost => {
                host::perform(self.destination, self.plan, step, self.observer)?
            }
            _ => self.make(step)?,
        };
        evidence.seconds = started.elapsed().as_secs_f64();
        Ok(evidence)
    }

    fn check_source(&self) -> Result<Evidence, EngineError> {
        let found = self.source.fingerprint(self.inventory)?;
        if found != self.plan.fingerprint {
            return Err(EngineError::SourceChanged { planned: self.plan.fingerprint.clone(), found });
        }
        let note = "The files of the source are those that the plan was made for.".to_owned();
        Ok(Evidence { notes: vec![note], ..Evidence::default() })
    }

    fn check_destination(&self, state: &State) -> Result<Evidence, EngineError> {
        for step in &self.plan.steps {
            self.in_the_way(step, state)?;
        }
        if let Some(host) = self.destination.host() {
            host.check(&Relay::new(self.observer, "the destination"))?;
        }
        let disks = self.plan.role.machines.iter().flat_map(|machine| &machine.disks);
        let needed = disks
            .filter(|disk| !is_there(self.destination.root(), &disk.target))
            .fold(0u64, |sum, disk| sum.saturating_add(room(disk)));
        let mut notes = vec![format!("At most {} are needed.", ByteSize(needed))];
        match self.destination.capabilities()?.free_space {
            Some(free) if free.0 < needed => return Err(EngineError::NoRoom { needed: ByteSize(needed), free }),
            Some(free) => notes.push(format!("{free} are free.")),
            None => notes.push("It is not known how much is free.".to_owned()),
        }
        Ok(Evidence { notes, ..Evidence::default() })
    }

    fn copy_disk(&self, step: &Step, disk: &PlacedDisk) -> Result<Evidence, EngineError> {
        let target = located(self.destination.root(), step, &disk.target)?;
        make_folder(&target)?;
        let manifest = self.work.manifest_path(&step.id);
        let relay = Relay::new(self.observer, step.title.clone());
        let job = CopyJob {
            disk: open_placed(self.source, disk)?,
            source: &self.plan.fingerprint,
            target: &target,
            format: disk.format,
            id: disk_id(step),
            manifest: Some(&manifest),
            reflink: Reflink::Auto,
        };
        let parent = self.parent(step, disk)?;
        let content = job.disk.clone();
        let copy = || match &parent {
            None => hvm_transfer::copy(&job, &relay.watch()),
            Some((parent, parent_id, above)) => {
                let (above, parent_id) = (*above, *parent_id);
                let copy = CopyJob { disk: job.disk.clone(), ..job };
                hvm_transfer::copy_child(&ChildJob { copy, above, parent, parent_id }, &relay.watch())
            }
        };
        let outcome = match copy() {
            // What lies there is ours, but was copied from another state of the source or damaged since.
            Err(TransferError::Exists { reason, .. }) => {
                self.observer.note(&format!("'{}' is copied again: {reason}.", disk.target));
                fs::remove_file(&target).map_err(EngineError::io("removed", &target))?;
                copy()
            }
            other => other,
        };
        let outcome = outcome.map_err(|error| advice::of_copy(error, (&target, disk.format), &*content))?;
        let mut notes = Vec::new();
        if outcome.resumed_from >= outcome.manifest.size {
            notes.push("The copy was there already and every byte of it was checked.".to_owned());
        } else if outcome.resumed_from > 0 {
            notes.push(format!("The copy went on at offset {}.", outcome.resumed_from));
        }
        if outcome.way.shared > 0 {
            notes.extend(outcome.way.told(outcome.bytes_written));
        }
        let file = outcome.manifest.file.iter();
        let artifact = |file: &hvm_transfer::FileManifest| Artifact {
            path: disk.target.clone(),
            size: file.size,
            blake3: file.blake3.to_string(),
        };
        Ok(Evidence {
            artifacts: file.map(artifact).collect(),
            manifest: Some(manifest_name(&step.id)),
            content: Some(outcome.manifest.content.to_string()),
            bytes_read: outcome.bytes_read,
            bytes_written: outcome.bytes_written,
            seconds: outcome.seconds,
            notes,
        })
    }

    /// The file that stays the parent of a disk, the id with which it was copied, and how many layers lie above it.
    fn parent(&self, step: &Step, disk: &PlacedDisk) -> Result<Option<(PathBuf, [u8; 16], usize)>, EngineError> {
        let Some(parent) = &disk.parent else { return Ok(None) };
        let wrong = |reason: String| EngineError::Step { step: step.id.clone(), reason };
        let copies =
            |other: &&Step| matches!(&other.action, Action::CopyDisk { disk, .. } if disk.target == parent.target);
        let copied = self.plan.steps.iter().find(copies);
        let copied =
            copied.ok_or_else(|| wrong(format!("no step of the plan copies its parent '{}'", parent.target)))?;
        let chain = self.inventory.chain(&disk.source);
        let above = chain.iter().position(|file| file.path == parent.source);
        let above = above.ok_or_else(|| wrong(format!("'{}' is not below '{}'", parent.source, disk.source)))?;
        Ok(Some((located(self.destination.root(), step, &parent.target)?, disk_id(copied), above)))
    }

    fn copy_file(&self, step: &Step, file: &PlacedFile) -> Result<Evidence, EngineError> {
        let target = located(self.destination.root(), step, &file.target)?;
        make_folder(&target)?;
        let source = self.source.open_file(&file.source).map_err(EngineError::Source)?;
        let relay = Relay::new(self.observer, step.title.clone());
        let outcome = match hvm_transfer::copy_file(source.clone(), &target, &relay.watch()) {
            Err(TransferError::Exists { reason, .. }) => {
                self.observer.note(&format!("'{}' is copied again: {reason}.", file.target));
                fs::remove_file(&target).map_err(EngineError::io("removed", &target))?;
                hvm_transfer::copy_file(source, &target, &relay.watch())?
            }
            other => other?,
        };
        let artifact = Artifact { path: file.target.clone(), size: outcome.size, blake3: outcome.blake3.to_string() };
        Ok(Evidence {
            artifacts: vec![artifact],
            bytes_read: outcome.bytes_read,
            bytes_written: outcome.bytes_written,
            ..Evidence::default()
        })
    }

    fn make(&self, step: &Step) -> Result<Evidence, EngineError> {
        let said = self.destination.perform(self.plan, step)?;
        let outputs = self.outputs(step);
        let relay = Relay::new(self.observer, step.title.clone());
        let mut evidence = Evidence::default();
        for name in &outputs {
            let path = located(self.destination.root(), step, name)?;
            let (size, blake3) = hvm_transfer::hash_file(&path, &relay.watch())?;
            evidence.bytes_written += size;
            evidence.artifacts.push(Artifact { path: name.clone(), size, blake3: blake3.to_string() });
        }
        evidence.notes = said.into_iter().filter(|text| !outputs.contains(text)).collect();
        Ok(evidence)
    }
}

/// Most bytes that a disk takes on the destination.
fn room(disk: &PlacedDisk) -> u64 {
    match disk.format {
        hvm_model::capabilities::DiskFormat::VhdFixed | hvm_model::capabilities::DiskFormat::VhdxFixed => disk.size.0,
        _ => disk.stored.0.min(disk.size.0),
    }
}

/// The unique id of a copy follows from the step alone (machine, slot, checkpoint): two runs give the same bytes.
fn disk_id(step: &Step) -> [u8; 16] {
    let hash = blake3::hash(step.id.as_bytes());
    *hash.as_bytes().first_chunk::<16>().expect("a BLAKE3 value has 32 bytes")
}

fn located(root: &Path, step: &Step, name: &str) -> Result<std::path::PathBuf, EngineError> {
    let reason = || format!("'{name}' is no path below the destination's folder");
    locate(root, name).ok_or_else(|| EngineError::Step { step: step.id.clone(), reason: reason() })
}

fn make_folder(target: &Path) -> Result<(), EngineError> {
    let folder = target.parent().unwrap_or(target);
    fs::create_dir_all(folder).map_err(EngineError::io("made", folder))?;
    Ok(hvm_transfer::io::sync_folder(folder)?)
}
