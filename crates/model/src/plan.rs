//! What shall be done, step by step, in the order of the guide.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::choices::Policy;
use crate::finding::Subject;
use crate::names::{ByteSize, CheckpointId, SwitchId, VmId};
use crate::role::{PlacedDisk, PlacedFile, Role};

/// A plan for one source and one destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Version of this document, `inventory::SCHEMA_VERSION`.
    pub schema: u32,
    /// Name and version of the tool.
    pub tool: String,
    /// When it was made, RFC 3339 in UTC.
    pub created: String,
    /// URI of the source.
    pub source: String,
    /// URI of the destination.
    pub destination: String,
    /// Policy.
    pub policy: Policy,
    /// Name of the source host.
    pub host: String,
    /// Fingerprint of the source when the plan was made; another one later means that the source was used.
    pub fingerprint: String,
    /// Reasons why nothing can be migrated at all (rule ids with subjects).
    pub blocked: Vec<String>,
    /// What becomes of each machine.
    pub machines: Vec<MachineVerdict>,
    /// What shall be on the destination.
    pub role: Role,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// Sizes and times.
    pub estimate: Estimate,
}

impl Plan {
    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }
}

/// What becomes of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MachineVerdict {
    /// Id.
    pub id: VmId,
    /// Name.
    pub name: String,
    /// Verdict.
    pub verdict: Verdict,
}

/// Migrated, blocked, or left out by the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It is migrated.
    Migrate,
    /// It stays until these findings are answered (rule ids with subjects).
    Blocked {
        /// Open findings as `rule@subject`.
        findings: Vec<String>,
    },
    /// The operator left it out.
    Excluded,
}

/// Phase of the guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before anything is moved.
    Prepare,
    /// Moving.
    Migrate,
    /// Checking.
    Verify,
    /// Afterwards.
    Finish,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Prepare => "prepare",
            Phase::Migrate => "migrate",
            Phase::Verify => "verify",
            Phase::Finish => "finish",
        })
    }
}

/// One step. Performing it twice is performing it once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Stable id, unique in the plan, e.g. `copy-disk.<machine id>.ide0-0`, `confirm.source-off`.
    pub id: String,
    /// Phase.
    pub phase: Phase,
    /// What it is about.
    pub subject: Subject,
    /// One line for people.
    pub title: String,
    /// Clause of the guide that asks for it.
    pub clause: String,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// A person does it and confirms it.
    Confirm {
        /// What to do, whole sentences.
        instructions: String,
    },
    /// The source is still what the plan was made for.
    CheckSource,
    /// There is room and nothing is in the way on the destination.
    CheckDestination,
    /// Copies one disk: its chain flattened, or what lies above a parent that is copied too.
    CopyDisk {
        /// Machine.
        machine: VmId,
        /// Disk.
        disk: PlacedDisk,
    },
    /// Copies a file as it is.
    CopyFile {
        /// File.
        file: PlacedFile,
    },
    /// Settings of the host.
    ApplySettings,
    /// A virtual network.
    CreateSwitch {
        /// Switch.
        switch: SwitchId,
    },
    /// A virtual adapter of the management operating system, by its index in the role.
    CreateManagementAdapter {
        /// Index in `role.management_adapters`.
        index: usize,
    },
    /// Builds a checkpoint of a machine again, and the machine with the first one.
    CreateCheckpoint {
        /// Machine.
        machine: VmId,
        /// Checkpoint.
        checkpoint: CheckpointId,
    },
    /// Defines a machine around its disks.
    RegisterMachine {
        /// Machine.
        machine: VmId,
    },
    /// Writes what runs or explains all of the above on the destination (scripts, README).
    Complete,
    /// Takes the folder of the destination on the running host that it is: made for administrators alone, and marked.
    TakeFolder,
    /// Carries files to the running host that the destination is, each one verified there.
    CarryOver {
        /// The one file, below the destination's root; without it all that no other step carries.
        file: Option<String>,
    },
    /// Has the running host import what was carried to it.
    ImportOnHost,
    /// Has the running host compare itself with the plan, and fetches what it saw.
    ObserveOnHost,
}

/// Sizes and times of a plan.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Measured rate of reading the source, bytes per second.
    pub read_rate: f64,
    /// Measured rate of writing at the destination, bytes per second.
    pub write_rate: f64,
    /// How they were measured.
    pub basis: String,
    /// Bytes that are read at most.
    pub bytes: ByteSize,
    /// Seconds for all copying.
    pub seconds: f64,
    /// Per machine.
    pub machines: Vec<MachineEstimate>,
}

/// Size and time of one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MachineEstimate {
    /// Id.
    pub id: VmId,
    /// Name.
    pub name: String,
    /// Bytes that are read at most.
    pub bytes: ByteSize,
    /// Seconds for its own disks.
    pub seconds: f64,
    /// Seconds during which it is not available: all machines are off until everything is registered.
    pub downtime_seconds: f64,
}
