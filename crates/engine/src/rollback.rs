//! Takes a migration back: removes exactly what the journal says was made, newest first, and never what was there
//! before. Copied data is kept for another try unless it shall be discarded.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use hvm_model::plan::Plan;
use hvm_model::record::Event;
use hvm_transfer::{io, leftovers};

use crate::error::EngineError;
use crate::events::Observer;
use crate::host::{self, Asking};
use crate::migrate::check_root;
use crate::owned::{is_data, locate};
use crate::state::{State, StepProgress};
use crate::workdir::WorkDir;

/// What becomes of copied data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataChoice {
    /// It stays, and the next migration with the same work folder takes it over after checking it.
    Keep,
    /// It is removed.
    Discard,
}

/// What a rollback did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollbackOutcome {
    /// Files and folders that were removed, below the destination's root.
    pub removed: Vec<String>,
    /// Copied data that was kept.
    pub kept: Vec<String>,
    /// What was left although this migration made it, with the reason.
    pub left: Vec<String>,
    /// What remains for a person.
    pub remaining: Vec<String>,
}

/// Takes back everything that the migration of a work folder made.
pub fn rollback(work: &Path, data: DataChoice, observer: &dyn Observer) -> Result<RollbackOutcome, EngineError> {
    let work = WorkDir::open(work)?;
    let journal = work.journal()?;
    let mut state = State::of(&journal.records()?);
    let plan = work.plan(&state)?;
    let asking = if state.steps.keys().any(|step| host::is_on_host(step)) { Asking::Needed } else { Asking::Never };
    let destination = host::open(&plan.destination, Some(work.path()), (observer, asking))?;
    check_root(&work, &plan, &*destination)?;
    let root = work.destination()?.root;
    let mut outcome = RollbackOutcome { remaining: remaining(&plan, &state), ..RollbackOutcome::default() };
    let host = destination.host().filter(|_| asking == Asking::Needed);
    let lies_there = state.steps.keys().any(|step| step.starts_with(host::CARRY) || step == host::TAKE);
    if let Some(host) = host {
        host::take_back(host, &plan, (&journal, &mut state), observer, &mut outcome)?;
    }
    let steps = steps_of(&plan, &state);
    observer.steps("rollback", steps.len());
    for step in steps {
        let undone = undo(&work, &root, &state, &step, data)?;
        outcome.kept.extend(undone.kept.iter().cloned());
        let kept = undone.kept.iter().map(|path| format!("{path} (copied data is kept)"));
        let left: Vec<String> = kept.chain(undone.left.iter().cloned()).collect();
        let changed = !undone.removed.is_empty();
        let open = state.steps.get(&step).is_some_and(|progress| *progress != StepProgress::Undone);
        if changed || open {
            let event = Event::Undone { step, removed: undone.removed.clone(), left };
            journal.append(&event)?;
            state.take(&event);
        }
        outcome.removed.extend(undone.removed);
        outcome.left.extend(undone.left);
    }
    // Folders are shared: one that another step still filled is empty only now.
    loop {
        let removed = empty_folders(&root, &state, &mut outcome)?;
        let Some((step, path)) = removed else { break };
        let event = Event::Undone { step, removed: vec![path.clone()], left: Vec::new() };
        journal.append(&event)?;
        state.take(&event);
        outcome.removed.push(path);
    }
    outcome.left.extend(folders_left(&root, &state, data));
    if let Some(host) = host.filter(|_| lies_there) {
        host::clean_up(host, &plan, (data, observer), &mut outcome)?;
    }
    work.drop_verification()?;
    Ok(outcome)
}

/// Steps that something is recorded of or that made something, the newest first.
fn steps_of(plan: &Plan, state: &State) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    let planned = plan.steps.iter().map(|step| &step.id).filter(|id| state.steps.contains_key(*id));
    for step in state.made.iter().map(|(_, step)| step).chain(planned) {
        steps.retain(|other| other != step);
        steps.push(step.clone());
    }
    steps.reverse();
    steps
}

#[derive(Default)]
struct Undone {
    removed: Vec<String>,
    kept: Vec<String>,
    left: Vec<String>,
}

/// Removes the files of one step.
fn undo(work: &WorkDir, root: &Path, state: &State, step: &str, data: DataChoice) -> Result<Undone, EngineError> {
    let mut undone = Undone::default();
    let files = state.made.iter().rev().filter(|(name, by)| by == step && !name.ends_with('/'));
    for (name, _) in files {
        let Some(path) = locate(root, name) else {
            undone.left.push(format!("{name} (no path below the destination's folder)"));
            continue;
        };
        for path in leftovers(&path) {
            io::remove_if_there(&path)?;
        }
        if is_data(step) && data == DataChoice::Keep && path.symlink_metadata().is_ok() {
            undone.kept.push(name.clone());
            continue;
        }
        // One that was never finished, or that a person removed, is as good as removed.
        io::remove_if_there(&path)?;
        if path.parent().is_some_and(Path::is_dir) {
            io::sync_folder(&path)?;
        }
        undone.removed.push(name.clone());
    }
    if is_data(step) && undone.kept.is_empty() {
        io::remove_if_there(&work.manifest_path(step))?;
    }
    Ok(undone)
}

/// Removes one folder that we made and that is empty, the innermost first.
fn empty_folders(
    root: &Path,
    state: &State,
    outcome: &mut RollbackOutcome,
) -> Result<Option<(String, String)>, EngineError> {
    for (name, step) in state.made.iter().rev().filter(|(name, _)| name.ends_with('/')) {
        let Some(path) = locate(root, name) else { continue };
        match fs::remove_dir(&path) {
            Ok(()) => return Ok(Some((step.clone(), name.clone()))),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some((step.clone(), name.clone()))),
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            Err(error) => {
                let text = format!("{name} ({error})");
                if !outcome.left.contains(&text) {
                    outcome.left.push(text);
                }
            }
        }
    }
    Ok(None)
}

/// Folders that we made and that hold something that is not ours.
fn folders_left(root: &Path, state: &State, data: DataChoice) -> Vec<String> {
    let files: Vec<&str> = state.made.iter().map(|(name, _)| name.as_str()).collect();
    let holds_ours = |folder: &str| {
        let inside = |name: &&str| folder.starts_with('.') || name.starts_with(folder);
        data == DataChoice::Keep && files.iter().filter(|name| !name.ends_with('/')).any(inside)
    };
    let folders = state.made.iter().filter(|(name, _)| name.ends_with('/') && !holds_ours(name));
    let there = folders.filter(|(name, _)| locate(root, name).is_some_and(|path| path.is_dir()));
    there.map(|(name, _)| format!("{name} (it holds files that this migration did not make)")).collect()
}

/// What the guide has a person do after a failure.
pub(crate) fn remaining(plan: &Plan, state: &State) -> Vec<String> {
    let mut list = vec![
        "Take the destination server off the network (guide: afterwards, failure).".to_owned(),
        "Add the Hyper-V role to the source again if it was removed there.".to_owned(),
    ];
    if state.is_complete("confirm.source-off") || state.rolled_back {
        list.push("Turn the source on again and reconnect it to the network.".to_owned());
    }
    let names: Vec<String> = plan.role.machines.iter().map(|machine| format!("'{}'", machine.name)).collect();
    if !names.is_empty() {
        list.push(format!("Start the virtual machines on the source again: {}.", names.join(", ")));
    }
    // What a running host imported was taken back there.
    if state.is_complete("complete") && plan.step(host::IMPORT).is_none() {
        list.push(
            "If the kit or the definitions were already used on the destination, delete the machines and virtual networks that \
             they made there, and remove the Hyper-V role from it."
                .to_owned(),
        );
    }
    list.push("Check each client that depends on the virtual machines.".to_owned());
    list
}
