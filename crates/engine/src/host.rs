//! A destination that is a running host: it is opened with a password that the observer is asked for, its steps are performed
//! there, it is looked at again for a verification, and taken back.

use std::path::Path;

use hvm_destinations::access::Access;
use hvm_destinations::destination::{Destination, FileDifference, HostWatch, RunningHost};
use hvm_destinations::error::DestinationError;
use hvm_destinations::select;
use hvm_model::plan::{Plan, Step};
use hvm_model::record::{Event, Evidence};
use hvm_model::setting::Setting;
use hvm_transfer::Stage;

use crate::error::EngineError;
use crate::events::{Observer, Relay};
use crate::journal::Journal;
use crate::observed;
use crate::rollback::{DataChoice, RollbackOutcome};
use crate::state::State;

/// Folder below the work folder for what is made here and carried to a host.
const FOLDER: &str = "live";

/// The step that takes the folder of the host that this computer is.
pub(crate) const TAKE: &str = "take-folder";
/// The step that imports on the host.
pub(crate) const IMPORT: &str = "import-on-host";
/// The step in which the host compares itself with the plan.
pub(crate) const OBSERVE: &str = "observe-on-host";
/// What the ids of the steps begin with that carry files.
pub(crate) const CARRY: &str = "carry-over.";

/// Whether a password is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// Nothing can be done without it.
    Needed,
    /// It is used when there is one.
    IfGiven,
    /// Nothing is said to the host.
    Never,
}

/// Opens a destination for a work folder.
pub(crate) fn open(
    uri: &str,
    work: Option<&Path>,
    (observer, asking): (&dyn Observer, Asking),
) -> Result<Box<dyn Destination>, EngineError> {
    let mut access = Access { folder: work.map(|work| work.join(FOLDER)), password: None };
    if let (Some(wanted), true) = (select::password_wanted(uri)?, asking != Asking::Never) {
        access.password = observer.password(&wanted).map_err(DestinationError::from)?;
        if access.password.is_none() && asking == Asking::Needed {
            return Err(DestinationError::NoPassword { user: wanted.user, host: wanted.host }.into());
        }
    }
    Ok(select::open_with(uri, &access)?)
}

/// Opens a destination of which only files of this computer are wanted.
pub(crate) fn open_quietly(uri: &str, work: &Path) -> Result<Box<dyn Destination>, EngineError> {
    open(uri, Some(work), (&crate::events::Quiet, Asking::Never))
}

/// True for the steps that do something on the host.
pub(crate) fn is_on_host(step: &str) -> bool {
    step.starts_with(CARRY) || [TAKE, IMPORT, OBSERVE].contains(&step)
}

/// Performs a step on the host.
pub(crate) fn perform(
    destination: &dyn Destination,
    plan: &Plan,
    step: &Step,
    observer: &dyn Observer,
) -> Result<Evidence, EngineError> {
    let reason = || "the destination is no running host".to_owned();
    let host = destination.host().ok_or_else(|| EngineError::Step { step: step.id.clone(), reason: reason() })?;
    let done = host.perform(plan, step, &Relay::new(observer, step.title.clone()))?;
    Ok(Evidence { bytes_written: done.sent, notes: done.notes, ..Evidence::default() })
}

/// What a host is like.
pub(crate) struct Seen {
    /// What its scripts saw.
    pub settings: Vec<Setting>,
    /// Files there that are not as they were carried.
    pub files: Vec<FileDifference>,
}

/// What the host is like now. One that cannot be asked is taken as it was when it was looked at last, which is said.
pub(crate) fn observed(
    host: &dyn RunningHost,
    plan: &Plan,
    observer: &dyn Observer,
) -> Result<Option<Seen>, EngineError> {
    let mut files = Vec::new();
    match host.look(plan, &Relay::new(observer, format!("look at {}", host.name()))) {
        Ok(_) => files = host.compare(plan, &Relay::new(observer, format!("compare the files on {}", host.name())))?,
        Err(DestinationError::Cancelled) => return Err(EngineError::Cancelled),
        Err(error) if is_away(&error) && host.observed().is_file() => {
            observer.note(&format!(
                "{} could not be asked, so its settings are compared as it showed them last, and its files are not: {error}",
                host.name()
            ));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Some(Seen { settings: observed::read(&host.observed(), plan)?, files }))
}

/// Nothing was heard of the host, or the kit was taken away there. One that answers, but not as it should, may not be the host
/// that showed something last.
fn is_away(error: &DestinationError) -> bool {
    match error {
        DestinationError::NoPassword { .. } | DestinationError::KitGone { .. } => true,
        DestinationError::Winrm(error) => error.is_lost(),
        _ => false,
    }
}

/// Takes back on the host what was imported there. That is written down before anything of the kit is removed, without which it
/// could not be done again.
pub(crate) fn take_back(
    host: &dyn RunningHost,
    plan: &Plan,
    (journal, state): (&Journal, &mut State),
    observer: &dyn Observer,
    outcome: &mut RollbackOutcome,
) -> Result<(), EngineError> {
    if !state.is_open(IMPORT) {
        return Ok(());
    }
    match host.undo(plan, &relay(host, observer)) {
        Ok(done) => outcome.left.extend(done.notes),
        Err(error @ DestinationError::KitGone { .. }) => {
            outcome.left.push(format!("{error} What it imported there was not taken back."));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    let event = Event::Undone { step: IMPORT.to_owned(), removed: Vec::new(), left: Vec::new() };
    journal.append(&event)?;
    state.take(&event);
    Ok(())
}

/// Removes from the host what lies there for this migration, or says that it stays.
pub(crate) fn clean_up(
    host: &dyn RunningHost,
    plan: &Plan,
    (data, observer): (DataChoice, &dyn Observer),
    outcome: &mut RollbackOutcome,
) -> Result<(), EngineError> {
    match data {
        DataChoice::Discard => outcome.left.extend(host.discard(plan, &relay(host, observer))?.notes),
        DataChoice::Keep if host.needs_carrying() => outcome.kept.push(format!("what was carried to {}", host.name())),
        // Each file that is kept is named already.
        DataChoice::Keep => {}
    }
    Ok(())
}

fn relay<'o>(host: &dyn RunningHost, observer: &'o dyn Observer) -> Relay<'o> {
    Relay::new(observer, format!("take back on {}", host.name()))
}

impl HostWatch for Relay<'_> {
    fn note(&self, text: &str) {
        self.observer().note(text);
    }

    fn bytes_started(&self, total: u64) {
        self.observer().bytes_started(self.subject(), Stage::Copying, total);
    }

    fn bytes_advanced(&self, bytes: u64) {
        self.observer().bytes_advanced(bytes);
    }

    fn bytes_finished(&self) {
        self.observer().bytes_finished();
    }

    fn is_cancelled(&self) -> bool {
        self.observer().is_cancelled()
    }
}
