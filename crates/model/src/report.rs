//! The report of a migration: one document from which text, JSON and HTML are made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capabilities::Capabilities;
use crate::finding::Finding;
use crate::host::WindowsRelease;
use crate::inventory::Inventory;
use crate::plan::Plan;
use crate::record::Record;
use crate::setting::Setting;

/// All that is known of a migration so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this document, `inventory::SCHEMA_VERSION`.
    pub schema: u32,
    /// Name and version of the tool.
    pub tool: String,
    /// When it was made, RFC 3339 in UTC.
    pub created: String,
    /// What was read.
    pub inventory: Inventory,
    /// What the destination is.
    pub destination: Option<Capabilities>,
    /// What the rules found.
    pub findings: Vec<Finding>,
    /// The plan, once there is one.
    pub plan: Option<Plan>,
    /// State of each step, in the order of the plan.
    pub steps: Vec<StepState>,
    /// Settings that have no counterpart on the destination, with the reason.
    pub not_carried: Vec<NotCarried>,
    /// What would be otherwise on the other releases of Windows Server, for a destination that is one.
    #[serde(default)]
    pub other_releases: Vec<OtherRelease>,
    /// The last verification.
    pub verification: Option<Verification>,
    /// What remains for a person.
    pub remaining: Vec<String>,
    /// The journal.
    pub journal: Vec<Record>,
}

/// State of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepState {
    /// Step id.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// Phase as text.
    pub phase: String,
    /// `waiting`, `begun`, `done`, `confirmed`, `failed`, `undone`.
    pub state: String,
    /// Seconds that it took.
    pub seconds: Option<f64>,
}

/// A setting without counterpart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotCarried {
    /// The setting.
    pub setting: Setting,
    /// Why.
    pub reason: String,
}

/// How another release of Windows Server differs from the planned one for this role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OtherRelease {
    /// The release.
    pub release: WindowsRelease,
    /// Settings that it carries and the planned one does not; the reason is that of the planned one.
    pub gained: Vec<NotCarried>,
    /// Settings that the planned one carries and it does not.
    pub lost: Vec<NotCarried>,
}

/// Result of a verification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verification {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Disks compared.
    pub disks: u64,
    /// Bytes of virtual disk content compared.
    pub bytes: u64,
    /// Settings compared.
    pub settings: u64,
    /// Files compared.
    pub files: u64,
    /// What differs; empty when all is well.
    pub differences: Vec<Difference>,
}

/// What the scripts of a kit saw on the host that they ran on (`state\observed.json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// Version of this document: 1.
    pub schema: u32,
    /// The host that was looked at.
    pub host: String,
    /// The host that the kit was made from.
    pub source_host: String,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The settings as they are there.
    pub settings: Vec<Setting>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// What it concerns, e.g. `virtual machine 'Web', disk 'disks/Web/web.vhd'`.
    pub subject: String,
    /// Where: a setting's name, or byte offsets.
    pub place: String,
    /// What was planned or is on the source.
    pub expected: String,
    /// What is there.
    pub found: String,
}
