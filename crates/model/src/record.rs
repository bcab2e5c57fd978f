//! Records of the journal: what was begun, done, undone, answered. Append-only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Number, ascending from 1.
    pub number: u64,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A plan was made; what follows belongs to it.
    Planned {
        /// BLAKE3 of the plan document.
        plan: String,
    },
    /// A step is about to change something.
    Begin {
        /// Step id.
        step: String,
        /// Files and folders below the destination's root that do not exist yet and that it will make.
        makes: Vec<String>,
    },
    /// A step is done.
    Done {
        /// Step id.
        step: String,
        /// What was made and measured.
        evidence: Evidence,
    },
    /// A step failed; it can be run again.
    Failed {
        /// Step id.
        step: String,
        /// The error with its causes.
        error: String,
    },
    /// A person confirmed a manual step.
    Confirmed {
        /// Step id.
        step: String,
        /// Account that ran the command.
        by: String,
    },
    /// What a step had made was removed.
    Undone {
        /// Step id.
        step: String,
        /// Files and folders that were removed.
        removed: Vec<String>,
        /// What was left, with the reason.
        left: Vec<String>,
    },
    /// A verification ended.
    Verified {
        /// Number of checks.
        checks: u64,
        /// Number of differences.
        differences: u64,
    },
    /// A phase ended.
    PhaseEnded {
        /// Name of the verb.
        verb: String,
    },
}

/// What a step made and measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Files that were made.
    pub artifacts: Vec<Artifact>,
    /// Name of the manifest of a disk, below the work folder.
    pub manifest: Option<String>,
    /// BLAKE3 of the virtual content of a disk.
    pub content: Option<String>,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Seconds.
    pub seconds: f64,
    /// Whole sentences worth knowing.
    pub notes: Vec<String>,
}

/// A file that a step made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// Path below the destination's root, with `/`.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// BLAKE3 of the file, 64 hex digits.
    pub blake3: String,
}
