//! Performs the steps of a plan in order, or goes on where a run stopped. Before a step changes anything, the journal
//! says what it will make; after it, what it made.

use std::path::Path;

use hvm_destinations::destination::Destination;
use hvm_model::plan::{Action, Phase, Plan, Step};
use hvm_model::record::Event;
use hvm_sources::source::Source;

use crate::error::EngineError;
use crate::events::Observer;
use crate::host::{self, Asking};
use crate::journal::Journal;
use crate::origin;
use crate::owned::{is_there, missing_folders};
use crate::perform::Run;
use crate::plan::absolute;
use crate::state::State;
use crate::workdir::WorkDir;

/// What the operator confirms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MigrateOptions {
    /// Step ids; `prepare` for all of that phase, `all` for every one.
    pub confirm: Vec<String>,
    /// Account that confirms, for the journal.
    pub confirmed_by: String,
}

/// How far a run came.
#[derive(Debug, Clone, PartialEq)]
pub struct MigrateOutcome {
    /// Where it stands now.
    pub state: MigrateState,
    /// Ids of the steps that this run performed or confirmed.
    pub performed: Vec<String>,
}

/// Where a migration stands.
#[derive(Debug, Clone, PartialEq)]
pub enum MigrateState {
    /// All steps of the verb are done.
    Done,
    /// A person has to do and confirm these steps first.
    WaitingFor(Vec<Step>),
    /// These reasons stand against it.
    Blocked(Vec<String>),
}

/// Performs the plan of a work folder up to the first step that waits for a person.
pub fn migrate(work: &Path, options: MigrateOptions, observer: &dyn Observer) -> Result<MigrateOutcome, EngineError> {
    let work = WorkDir::open(work)?;
    let plan = work.plan(&State::of(&work.journal()?.records()?))?;
    let source = origin::open(&plan.source, observer)?;
    let destination = host::open(&plan.destination, Some(work.path()), (observer, Asking::Needed))?;
    migrate_opened(&work, &*source, &*destination, &options, observer)
}

/// The same for a source and a destination that are open already.
pub(crate) fn migrate_opened(
    work: &WorkDir,
    source: &dyn Source,
    destination: &dyn Destination,
    options: &MigrateOptions,
    observer: &dyn Observer,
) -> Result<MigrateOutcome, EngineError> {
    let journal = work.journal()?;
    let state = State::of(&journal.records()?);
    let plan = work.plan(&state)?;
    if !plan.blocked.is_empty() {
        return Ok(MigrateOutcome { state: MigrateState::Blocked(plan.blocked.clone()), performed: Vec::new() });
    }
    check_root(work, &plan, destination)?;
    let inventory = work.inventory()?;
    let run = Run { work, plan: &plan, inventory: &inventory, source, destination, observer };
    let mut walk = Walk { journal: &journal, options, observer, state, performed: Vec::new() };
    let until = |step: &&Step| step.phase <= Phase::Migrate;
    walk.check_names(&plan, until)?;
    let steps: Vec<&Step> = plan.steps.iter().filter(until).collect();
    observer.steps("migrate", steps.len());
    for (index, step) in steps.iter().enumerate() {
        if walk.state.is_complete(&step.id) {
            continue;
        }
        if matches!(step.action, Action::Confirm { .. }) {
            if !walk.confirm(step)? {
                return Ok(walk.waiting(steps.get(index..).unwrap_or_default()));
            }
            continue;
        }
        walk.perform(&run, index + 1, step)?;
    }
    walk.end("migrate")
}

/// The destination's folder is still the one that the plan was made for.
pub(crate) fn check_root(work: &WorkDir, plan: &Plan, destination: &dyn Destination) -> Result<(), EngineError> {
    let (planned, found) = (work.destination()?.root, absolute(destination.root())?);
    if planned == found {
        return Ok(());
    }
    Err(EngineError::RootChanged { uri: plan.destination.clone(), planned, found })
}

/// Going over steps with a journal.
pub(crate) struct Walk<'a> {
    pub(crate) journal: &'a Journal,
    pub(crate) options: &'a MigrateOptions,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) state: State,
    pub(crate) performed: Vec<String>,
}

impl Walk<'_> {
    /// A confirmation that fits no step is a mistake that must not pass in silence.
    pub(crate) fn check_names(&self, plan: &Plan, until: impl Fn(&&Step) -> bool) -> Result<(), EngineError> {
        let confirmations =
            || plan.steps.iter().filter(&until).filter(|step| matches!(step.action, Action::Confirm { .. }));
        let fits = |name: &&String| {
            name.as_str() == "all" || name.as_str() == "prepare" || confirmations().any(|step| step.id == **name)
        };
        match self.options.confirm.iter().find(|name| !fits(name)) {
            None => Ok(()),
            Some(step) => {
                let open = confirmations().filter(|step| !self.state.is_complete(&step.id));
                let known = open.map(|step| step.id.clone()).collect();
                Err(EngineError::NothingToConfirm { step: step.clone(), known })
            }
        }
    }

    /// Records the confirmation of a step, if it was given.
    pub(crate) fn confirm(&mut self, step: &Step) -> Result<bool, EngineError> {
        let given = self
            .options
            .confirm
            .iter()
            .any(|name| *name == step.id || name == "all" || (name == "prepare" && step.phase == Phase::Prepare));
        if given {
            let by = self.options.confirmed_by.clone();
            self.record(Event::Confirmed { step: step.id.clone(), by })?;
            self.performed.push(step.id.clone());
        }
        Ok(given)
    }

    /// The confirmations that are wanted before anything else can be done.
    pub(crate) fn waiting(self, rest: &[&Step]) -> MigrateOutcome {
        let open = rest.iter().take_while(|step| matches!(step.action, Action::Confirm { .. }));
        let open = open.filter(|step| !self.state.is_complete(&step.id)).map(|step| (*step).clone());
        MigrateOutcome { state: MigrateState::WaitingFor(open.collect()), performed: self.performed }
    }

    /// All is done.
    pub(crate) fn end(mut self, verb: &str) -> Result<MigrateOutcome, EngineError> {
        if !self.state.ended.iter().any(|ended| ended == verb) {
            self.record(Event::PhaseEnded { verb: verb.to_owned() })?;
        }
        Ok(MigrateOutcome { state: MigrateState::Done, performed: self.performed })
    }

    fn perform(&mut self, run: &Run<'_>, number: usize, step: &Step) -> Result<(), EngineError> {
        self.stop_if_asked()?;
        self.observer.step_started(number, step);
        run.in_the_way(step, &self.state)?;
        let makes = self.new_paths(run, step);
        self.record(Event::Begin { step: step.id.clone(), makes })?;
        self.stop_if_asked()?;
        let evidence = match run.perform(step, &self.state) {
            Ok(evidence) => evidence,
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => {
                // What ended the step is told also where the journal cannot be written any more: to the next run a step
                // without an end is one that was killed.
                let _ = self.record(Event::Failed { step: step.id.clone(), error: with_causes(&error) });
                return Err(error);
            }
        };
        self.stop_if_asked()?;
        let seconds = evidence.seconds;
        self.record(Event::Done { step: step.id.clone(), evidence })?;
        self.performed.push(step.id.clone());
        self.observer.step_done(number, step, seconds);
        Ok(())
    }

    /// What a step will make and what is not there yet: folders from the outside in, then the files.
    fn new_paths(&self, run: &Run<'_>, step: &Step) -> Vec<String> {
        let root = run.destination.root();
        let mut makes: Vec<String> = Vec::new();
        let outputs = run.outputs(step);
        for folder in outputs.iter().flat_map(|output| missing_folders(root, output)) {
            if !makes.contains(&folder) {
                makes.push(folder);
            }
        }
        makes.extend(outputs.into_iter().filter(|output| !is_there(root, output)));
        makes
    }

    fn record(&mut self, event: Event) -> Result<(), EngineError> {
        self.journal.append(&event)?;
        self.state.take(&event);
        Ok(())
    }

    fn stop_if_asked(&self) -> Result<(), EngineError> {
        if self.observer.is_cancelled() { Err(EngineError::Cancelled) } else { Ok(()) }
    }
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
