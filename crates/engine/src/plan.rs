//! Makes a plan: who is migrated, what shall be on the destination, in which steps, and how long it takes. Writes only
//! into the work folder (and measures the write rate with a file that it removes again).

use std::path::{Path, PathBuf};

use hvm_destinations::destination::Destination;
use hvm_model::choices::Choices;
use hvm_model::finding::Finding;
use hvm_model::inventory::SCHEMA_VERSION;
use hvm_model::plan::{Estimate, MachineVerdict, Plan, Verdict};
use hvm_model::record::Event;
use hvm_model::role::Role;
use hvm_model::vm::{Machine, Media};
use hvm_sources::source::Source;

use crate::assess::{Assessment, assess_opened};
use crate::clock::{TOOL, now};
use crate::error::EngineError;
use crate::estimate::estimate;
use crate::events::Observer;
use crate::host::{self, Asking};
use crate::origin;
use crate::role::{Built, RoleInput, build, goes_without_a_disk};
use crate::state::State;
use crate::steps::{self, StepInput};
use crate::workdir::{PlannedDestination, WorkDir};

/// What to plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRequest {
    /// URI of the source.
    pub from: String,
    /// URI of the destination.
    pub to: String,
    /// The operator's decisions.
    pub choices: Choices,
    /// Work folder; made when it does not exist.
    pub work: PathBuf,
}

/// Reads, judges and plans. A plan is refused while a migration is under way with the same work folder.
pub fn plan(request: PlanRequest, observer: &dyn Observer) -> Result<(Plan, Assessment), EngineError> {
    let source = origin::open(&request.from, observer)?;
    apart(&*source, "work folder", &request.work)?;
    let destination = host::open(&request.to, Some(&request.work), (observer, Asking::Needed))?;
    plan_opened(&request, &*source, &*destination, observer)
}

/// The same for a source and a destination that are open already.
pub(crate) fn plan_opened(
    request: &PlanRequest,
    source: &dyn Source,
    destination: &dyn Destination,
    observer: &dyn Observer,
) -> Result<(Plan, Assessment), EngineError> {
    apart(source, "work folder", &request.work)?;
    apart(source, "folder of the destination", destination.root())?;
    let work = WorkDir::create(&request.work)?;
    let journal = work.journal()?;
    let state = State::of(&journal.records()?);
    if let Some(step) = state.under_way() {
        return Err(EngineError::UnderWay { path: work.path().to_owned(), step: step.to_owned() });
    }
    observer.note("Reading the source.");
    let assessment = assess_opened(source, Some(destination), request.choices.clone())?;
    let plan = make(request, source, destination, &assessment, observer)?;
    work.save_assessment(&assessment.inventory, &assessment.findings, &assessment.choices)?;
    if let Some(capabilities) = assessment.destination.clone() {
        let root = absolute(destination.root())?;
        work.save_destination(&PlannedDestination { root, capabilities })?;
    }
    work.drop_verification()?;
    let hash = work.save_plan(&plan)?;
    journal.append(&Event::Planned { plan: hash })?;
    Ok((plan, assessment))
}

/// The folder as an absolute path; it need not exist.
pub(crate) fn absolute(root: &Path) -> Result<PathBuf, EngineError> {
    std::path::absolute(root).map_err(EngineError::io("made absolute", root))
}

/// Refuses a path that lies in a folder of the source, links resolved; it need not exist.
fn apart(source: &dyn Source, what: &'static str, path: &Path) -> Result<(), EngineError> {
    let whole = absolute(path)?;
    let there = whole.ancestors().find_map(|folder| Some((folder, folder.canonicalize().ok()?)));
    let Some((known, real)) = there else { return Ok(()) };
    let real = whole.strip_prefix(known).map_or_else(|_| whole.clone(), |rest| real.join(rest));
    for (drive, folder) in source.describe().drives {
        if let Ok(folder) = Path::new(&folder).canonicalize()
            && folder.is_dir()
            && real.starts_with(&folder)
        {
            return Err(EngineError::InsideSource { what, path: path.to_owned(), folder, drive });
        }
    }
    Ok(())
}

fn make(
    request: &PlanRequest,
    source: &dyn Source,
    destination: &dyn Destination,
    assessment: &Assessment,
    observer: &dyn Observer,
) -> Result<Plan, EngineError> {
    let (inventory, findings) = (&assessment.inventory, &assessment.findings);
    let host_open = findings.iter().filter(|finding| finding.is_open() && finding.subject.machine().is_none());
    let blocked: Vec<String> = host_open.map(name_of).collect();
    let excluded = hvm_rules::excluded(findings);
    let verdicts: Vec<MachineVerdict> = inventory
        .machines
        .iter()
        .map(|machine| {
            let verdict = verdict(source, findings, machine, excluded.contains(&machine.id));
            MachineVerdict { id: machine.id.clone(), name: machine.name.clone(), verdict }
        })
        .collect();
    let migrated = |machine: &&Machine| {
        verdicts.iter().any(|verdict| verdict.id == machine.id && verdict.verdict == Verdict::Migrate)
    };
    let machines: Vec<&Machine> = inventory.machines.iter().filter(migrated).collect();
    let mut plan = Plan {
        schema: SCHEMA_VERSION,
        tool: TOOL.to_owned(),
        created: now(),
        source: request.from.clone(),
        destination: request.to.clone(),
        policy: assessment.choices.policy,
        host: inventory.host.computer_name.value().cloned().unwrap_or_default(),
        fingerprint: source.fingerprint(inventory)?,
        blocked,
        machines: verdicts,
        role: Role::default(),
        steps: Vec::new(),
        estimate: Estimate::default(),
    };
    if let (true, Some(capabilities)) = (plan.blocked.is_empty(), &assessment.destination) {
        let input = RoleInput { source, destination, inventory, capabilities, findings };
        let built = build(&input, &machines)?;
        let host = destination.host();
        plan.steps = steps::all(&StepInput { inventory, findings, kind: capabilities.kind, host, built: &built });
        let Built { role, .. } = built;
        observer.note("Measuring how fast the source can be read and the destination be written.");
        plan.estimate = estimate(source, destination.root(), &role)?;
        plan.role = role;
    }
    Ok(plan)
}

/// `rule@subject`, as an answer names it.
fn name_of(finding: &Finding) -> String {
    format!("{}@{}", finding.rule, finding.subject.name())
}

fn verdict(source: &dyn Source, findings: &[Finding], machine: &Machine, excluded: bool) -> Verdict {
    if excluded {
        return Verdict::Excluded;
    }
    let about = |finding: &&Finding| finding.is_open() && finding.subject.machine() == Some(&machine.id);
    let mut open: Vec<String> = findings.iter().filter(about).map(name_of).collect();
    if open.is_empty() && !goes_without_a_disk(findings, &machine.id) {
        open.extend(unreadable(source, machine));
    }
    open.dedup();
    if open.is_empty() { Verdict::Migrate } else { Verdict::Blocked { findings: open } }
}

/// Disks that cannot be opened now, though nothing was said of them when the inventory was read.
fn unreadable(source: &dyn Source, machine: &Machine) -> Vec<String> {
    let checkpoints = machine.checkpoints.iter().map(|checkpoint| &checkpoint.configuration);
    let drives =
        std::iter::once(&machine.configuration).chain(checkpoints).flat_map(|configuration| &configuration.drives);
    let paths = drives.filter_map(|drive| match &drive.media {
        Media::VirtualDisk { path } => Some(path),
        _ => None,
    });
    let broken = paths.filter(|path| source.open_disk(path).is_err());
    broken.map(|path| format!("source.problem@{}/{}", machine.name, path.file_name())).collect()
}
