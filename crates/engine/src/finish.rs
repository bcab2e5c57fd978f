//! Ends a verified migration: what a person still has to do afterwards, and its confirmation.

use std::path::Path;

use hvm_model::plan::{Phase, Step};

use crate::error::EngineError;
use crate::events::Observer;
use crate::migrate::{MigrateOptions, MigrateOutcome, MigrateState, Walk};
use crate::state::State;
use crate::workdir::WorkDir;

/// Confirms the steps after the verification. Blocked as long as the last verification is missing or found differences.
pub fn finish(work: &Path, options: MigrateOptions, observer: &dyn Observer) -> Result<MigrateOutcome, EngineError> {
    let work = WorkDir::open(work)?;
    let journal = work.journal()?;
    let state = State::of(&journal.records()?);
    let plan = work.plan(&state)?;
    let blocked =
        |reason: String| Ok(MigrateOutcome { state: MigrateState::Blocked(vec![reason]), performed: Vec::new() });
    if !plan.blocked.is_empty() {
        return Ok(MigrateOutcome { state: MigrateState::Blocked(plan.blocked), performed: Vec::new() });
    }
    match state.verified {
        None => {
            return blocked("The migration was not verified since its last change: run 'hvmigrate verify'.".to_owned());
        }
        Some((_, differences)) if differences > 0 => {
            return blocked(format!(
                "The last verification found {differences} differences: mend them and verify again. What is damaged in the copies is \
                 copied again by 'hvmigrate rollback' and 'hvmigrate migrate'."
            ));
        }
        Some(_) => {}
    }
    let mut walk = Walk { journal: &journal, options: &options, observer, state, performed: Vec::new() };
    let afterwards = |step: &&Step| step.phase == Phase::Finish;
    walk.check_names(&plan, afterwards)?;
    let steps: Vec<&Step> = plan.steps.iter().filter(afterwards).collect();
    observer.steps("finish", steps.len());
    let mut waits = false;
    for step in &steps {
        waits |= !walk.state.is_complete(&step.id) && !walk.confirm(step)?;
    }
    if waits { Ok(walk.waiting(&steps)) } else { walk.end("finish") }
}
