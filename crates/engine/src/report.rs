//! All that is known of a migration, as one document. Only reads, also while another run is at work.

use std::collections::BTreeMap;
use std::path::Path;

use hvm_destinations::hyperv;
use hvm_model::capabilities::DestinationKind;
use hvm_model::inventory::SCHEMA_VERSION;
use hvm_model::plan::{Action, Plan, Verdict};
use hvm_model::record::{Event, Record};
use hvm_model::report::{NotCarried, OtherRelease, Report, StepState, Verification};
use hvm_model::setting::{Carry, settings_of};

use crate::clock::{TOOL, now};
use crate::error::EngineError;
use crate::host;
use crate::rollback;
use crate::state::State;
use crate::workdir::WorkDir;

/// The report of a work folder.
pub fn report(work: &Path) -> Result<Report, EngineError> {
    let work = WorkDir::look(work)?;
    let records = work.journal_if_there()?.map(|journal| journal.records()).transpose()?.unwrap_or_default();
    let state = State::of(&records);
    let plan = work.plan(&state).ok();
    let verification = work.verification()?.filter(|_| state.verified.is_some());
    Ok(Report {
        schema: SCHEMA_VERSION,
        tool: TOOL.to_owned(),
        created: now(),
        inventory: work.inventory()?,
        destination: work.destination().ok().map(|destination| destination.capabilities),
        findings: work.findings()?,
        steps: plan.as_ref().map(|plan| steps(plan, &state, &records)).unwrap_or_default(),
        not_carried: plan.as_ref().map(|plan| not_carried(&work, plan)).unwrap_or_default(),
        other_releases: plan.as_ref().map(|plan| other_releases(&work, plan)).unwrap_or_default(),
        remaining: plan.as_ref().map(|plan| remaining(plan, &state, verification.as_ref())).unwrap_or_default(),
        plan,
        verification,
        journal: records,
    })
}

fn steps(plan: &Plan, state: &State, records: &[Record]) -> Vec<StepState> {
    let mut seconds: BTreeMap<&str, f64> = BTreeMap::new();
    for record in records {
        if let Event::Done { step, evidence } = &record.event {
            seconds.insert(step, evidence.seconds);
        }
    }
    let state_of = |id: &str| state.steps.get(id).map_or("waiting", |progress| progress.word());
    plan.steps
        .iter()
        .map(|step| StepState {
            id: step.id.clone(),
            title: step.title.clone(),
            phase: step.phase.to_string(),
            state: state_of(&step.id).to_owned(),
            seconds: seconds.get(step.id.as_str()).copied(),
        })
        .collect()
}

/// Settings without counterpart; empty when the destination cannot be opened from here.
fn not_carried(work: &WorkDir, plan: &Plan) -> Vec<NotCarried> {
    let Ok(destination) = host::open_quietly(&plan.destination, work.path()) else { return Vec::new() };
    let reason = |setting| match destination.carries(&setting) {
        Carry::Carried => None,
        Carry::NotCarried { reason } => Some(NotCarried { setting, reason }),
    };
    settings_of(&plan.role).into_iter().filter_map(reason).collect()
}

/// The other releases of Windows Server, beside the planned one.
fn other_releases(work: &WorkDir, plan: &Plan) -> Vec<OtherRelease> {
    let kind = work.destination().ok().map(|destination| destination.capabilities.kind);
    let Some(DestinationKind::HyperV { release: planned }) = kind else { return Vec::new() };
    let all = hyperv::not_carried(&settings_of(&plan.role));
    let ours = all.iter().find(|(release, _)| *release == planned).map(|(_, lost)| lost.clone()).unwrap_or_default();
    let without = |one: &[NotCarried], other: &[NotCarried]| -> Vec<NotCarried> {
        let only = one.iter().filter(|lost| !other.iter().any(|known| known.setting == lost.setting));
        only.cloned().collect()
    };
    let others = all.into_iter().filter(|(release, _)| *release != planned);
    others
        .map(|(release, lost)| OtherRelease { release, gained: without(&ours, &lost), lost: without(&lost, &ours) })
        .collect()
}

/// What remains for a person, in the order in which it should be done.
fn remaining(plan: &Plan, state: &State, verification: Option<&Verification>) -> Vec<String> {
    if state.rolled_back {
        return rollback::remaining(plan, state);
    }
    let mut list: Vec<String> =
        plan.blocked.iter().map(|name| format!("Answer the finding {name}; it blocks everything.")).collect();
    for machine in &plan.machines {
        if let Verdict::Blocked { findings } = &machine.verdict {
            list.push(format!(
                "The virtual machine '{}' is not migrated until this is answered: {}.",
                machine.name,
                findings.join(", ")
            ));
        }
    }
    for step in plan.steps.iter().filter(|step| !state.is_complete(&step.id)) {
        if let Action::Confirm { instructions } = &step.action {
            list.push(format!("{}. {instructions} (step {})", step.title, step.id));
        }
    }
    match verification {
        Some(verification) if !verification.differences.is_empty() => {
            list.push(format!(
                "Mend the {} differences of the last verification and verify again.",
                verification.differences.len()
            ));
        }
        None if state.is_complete("complete") => list.push("Run 'hvmigrate verify'.".to_owned()),
        _ => {}
    }
    if state.ended.iter().any(|verb| verb == "finish") {
        list.push(
            "Keep or repurpose the source server; its copy of the virtual machines must not be started again."
                .to_owned(),
        );
    }
    list
}
