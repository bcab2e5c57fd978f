//! The last step of a kit: the index of its steps, the fixed scripts, and what the administrator reads.

use hvm_model::disk::DiskIdentity;
use hvm_model::names::{ByteSize, CheckpointId};
use hvm_model::plan::{Action, Plan, Step};
use hvm_model::role::RoleMachine;
use serde::Serialize;

use crate::destination::Destination;
use crate::error::DestinationError;
use crate::files;
use crate::hyperv::{Kit, access, cmdlet, firewall, json, readme};

/// The fixed scripts.
const SCRIPTS: [(&str, &str); 13] = [
    ("Import-HyperVRole.ps1", include_str!("scripts/Import-HyperVRole.ps1")),
    ("Test-HyperVRole.ps1", include_str!("scripts/Test-HyperVRole.ps1")),
    ("Undo-HyperVRole.ps1", include_str!("scripts/Undo-HyperVRole.ps1")),
    ("Get-DestinationFacts.ps1", include_str!("scripts/Get-DestinationFacts.ps1")),
    ("Set-HyperVFirewall.ps1", include_str!("scripts/Set-HyperVFirewall.ps1")),
    ("Merge-DcomRestriction.ps1", include_str!("scripts/Merge-DcomRestriction.ps1")),
    ("Merge-WmiNamespace.ps1", include_str!("scripts/Merge-WmiNamespace.ps1")),
    ("Kit.ps1", include_str!("scripts/Kit.ps1")),
    ("Machines.ps1", include_str!("scripts/Machines.ps1")),
    ("Registration.ps1", include_str!("scripts/Registration.ps1")),
    ("Checkpoints.ps1", include_str!("scripts/Checkpoints.ps1")),
    ("Access.ps1", include_str!("scripts/Access.ps1")),
    ("Firewall.ps1", include_str!("scripts/Firewall.ps1")),
];

#[derive(Debug, Serialize)]
struct Index<'a> {
    schema: u32,
    tool: &'a str,
    source_host: &'a str,
    release: &'static str,
    system: String,
    version: &'static str,
    steps: Vec<IndexStep<'a>>,
    machines: Vec<IndexMachine<'a>>,
    switches: Vec<IndexSwitch<'a>>,
    files: Vec<IndexFile>,
}

#[derive(Debug, Serialize)]
struct IndexStep<'a> {
    id: &'a str,
    title: &'a str,
    kind: &'static str,
    file: String,
    definition: String,
}

#[derive(Debug, Serialize)]
struct IndexMachine<'a> {
    id: &'a str,
    name: &'a str,
    folder: &'a str,
    processors: u32,
    startup_bytes: u64,
    physical: Vec<&'a DiskIdentity>,
    checkpoints: Vec<&'a CheckpointId>,
    registered: bool,
}

#[derive(Debug, Serialize)]
struct IndexSwitch<'a> {
    id: &'a str,
    name: &'a str,
}

#[derive(Debug, Serialize)]
struct IndexFile {
    path: String,
    length: u64,
}

/// The files that the step makes.
pub(crate) fn outputs() -> Vec<String> {
    let mut all: Vec<String> = SCRIPTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    all.extend(
        ["role.json", "firewall.json", "dcom.json", "wmi.json", "steps/firewall.ps1", "README.txt"].map(str::to_owned),
    );
    all
}

/// Writes them.
pub(crate) fn perform(kit: &Kit, plan: &Plan) -> Result<(), DestinationError> {
    let root = kit.root();
    let role = &plan.role;
    files::write(root, "firewall.json", &firewall::document(role))?;
    files::write(root, "steps/firewall.ps1", &firewall::script(role).render()?)?;
    files::write(root, "dcom.json", &access::restrictions(role))?;
    files::write(root, "wmi.json", &access::namespaces(role))?;
    for (name, text) in SCRIPTS {
        files::write(root, name, &cmdlet::fixed(text))?;
    }
    files::write(root, "README.txt", &cmdlet::fixed(&readme::text(kit.release, plan)))?;
    files::write(root, "role.json", &readable(kit, json(&index(kit, plan)?))?)
}

/// `ConvertFrom-Json` of PowerShell 3 and 4 takes no longer text than this (`MaxJsonLength` of .NET's JavaScriptSerializer).
const MOST_JSON: usize = 2_097_152;

/// The document, if the PowerShell of the release can read it.
fn readable(kit: &Kit, document: Vec<u8>) -> Result<Vec<u8>, DestinationError> {
    let length = String::from_utf8_lossy(&document).encode_utf16().count();
    if length <= MOST_JSON || kit.release.has_powershell_5() {
        return Ok(document);
    }
    Err(DestinationError::Impossible {
        what: format!("A kit whose list of machines and files has {length} characters"),
        destination: kit.release.windows.to_string(),
        reason: format!("its PowerShell reads no more than {MOST_JSON}; plan the machines in two parts"),
    })
}

fn kind(action: &Action) -> Option<&'static str> {
    match action {
        Action::ApplySettings => Some("settings"),
        Action::CreateSwitch { .. } => Some("network"),
        Action::CreateManagementAdapter { .. } => Some("management-adapter"),
        Action::CreateCheckpoint { .. } => Some("checkpoint"),
        Action::RegisterMachine { .. } => Some("machine"),
        _ => None,
    }
}

fn index<'a>(kit: &Kit, plan: &'a Plan) -> Result<Index<'a>, DestinationError> {
    let role = &plan.role;
    Ok(Index {
        schema: 1,
        tool: &plan.tool,
        source_host: &plan.host,
        release: kit.release.word,
        system: kit.release.windows.to_string(),
        version: kit.release.version,
        steps: plan.steps.iter().filter_map(|step| index_step(kit, plan, step)).collect(),
        machines: role.machines.iter().map(index_machine).collect(),
        switches: role.switches.iter().map(|found| IndexSwitch { id: found.id.as_str(), name: &found.name }).collect(),
        files: index_files(kit, plan)?,
    })
}

fn index_step<'a>(kit: &Kit, plan: &'a Plan, step: &'a Step) -> Option<IndexStep<'a>> {
    let kind = kind(&step.action)?;
    let [file, definition] = <[String; 2]>::try_from(kit.outputs(plan, step)).ok()?;
    let (file, definition) = (file.replace('/', "\\"), definition.replace('/', "\\"));
    Some(IndexStep { id: &step.id, title: &step.title, kind, file, definition })
}

fn index_machine(machine: &RoleMachine) -> IndexMachine<'_> {
    IndexMachine {
        id: machine.id.as_str(),
        name: &machine.name,
        folder: &machine.folder,
        processors: machine.configuration.processors.count,
        startup_bytes: ByteSize::from_mib(machine.configuration.memory.startup_mib).0,
        physical: machine.physical.iter().map(|physical| &physical.disk).collect(),
        checkpoints: machine.checkpoints.iter().map(|checkpoint| &checkpoint.id).collect(),
        registered: machine.registration().is_some(),
    }
}

/// The files that machines use, with their lengths, so that the destination can tell whether all of them arrived.
fn index_files(kit: &Kit, plan: &Plan) -> Result<Vec<IndexFile>, DestinationError> {
    let mut paths: Vec<&str> = Vec::new();
    for machine in &plan.role.machines {
        paths.extend(machine.disks.iter().map(|disk| disk.target.as_str()));
        let images = machine.images.iter().chain(machine.checkpoints.iter().flat_map(|checkpoint| &checkpoint.images));
        paths.extend(images.map(|image| image.file.target.as_str()));
        if let Some((file, beside)) = machine.registration() {
            paths.extend([file].into_iter().chain(beside).map(|file| file.target.as_str()));
        }
    }
    paths.extend(plan.role.settings.authorization_store.iter().map(|file| file.target.as_str()));
    paths.sort_unstable();
    paths.dedup();
    let file = |path: &str| {
        let length = files::length(kit.root(), path)?;
        Ok(IndexFile { path: path.replace('/', "\\"), length })
    };
    paths.into_iter().map(file).collect()
}
