//! What every destination can do. Disks and plain files are copied by the engine to the paths of the plan; the destination
//! makes everything else of a step and can show afterwards what is there.

use std::path::{Path, PathBuf};

use hvm_model::capabilities::Capabilities;
use hvm_model::plan::{Plan, Step};
use hvm_model::setting::{Carry, Setting};

use crate::error::DestinationError;

/// A new host.
pub trait Destination: Send + Sync {
    /// What it can take and what it has.
    fn capabilities(&self) -> Result<Capabilities, DestinationError>;
    /// The folder below which everything is made.
    fn root(&self) -> &Path;
    /// A name that is safe as one path component here, made from any text; the caller makes it unique.
    fn safe_name(&self, text: &str) -> String;
    /// The files below the root that performing the step makes, as paths with `/`; folders are not listed.
    fn outputs(&self, plan: &Plan, step: &Step) -> Vec<String>;
    /// Performs a step other than the copies and confirmations; performing twice is performing once.
    fn perform(&self, plan: &Plan, step: &Step) -> Result<Vec<String>, DestinationError>;
    /// What is there, as settings, read back from what was made.
    fn observe(&self) -> Result<Vec<Setting>, DestinationError>;
    /// Whether this kind of destination can hold a setting.
    fn carries(&self, setting: &Setting) -> Carry;
    /// What can be done on the host itself, when the destination is one that runs and not only files.
    fn host(&self) -> Option<&dyn RunningHost> {
        None
    }
}

/// A host that runs and can be talked to. Every method may be called again after it failed or was cut off, and then goes on.
pub trait RunningHost {
    /// Its name, for titles and messages.
    fn name(&self) -> &str;
    /// Whether files have to be carried there; if not, the destination's root is a folder of the host itself.
    fn needs_carrying(&self) -> bool;
    /// Whether what is carried there can lie where it shall: nothing of anybody else is in that folder. Changes nothing.
    fn check(&self, watch: &dyn HostWatch) -> Result<(), DestinationError>;
    /// Performs `TakeFolder`, `CarryOver`, `ImportOnHost` and `ObserveOnHost` there.
    fn perform(&self, plan: &Plan, step: &Step, watch: &dyn HostWatch) -> Result<DoneOnHost, DestinationError>;
    /// Has the host compare itself with the plan, and fetches what it saw into [`RunningHost::observed`].
    fn look(&self, plan: &Plan, watch: &dyn HostWatch) -> Result<DoneOnHost, DestinationError>;
    /// Compares all files that were carried there with those here, and names those that are not equal.
    fn compare(&self, plan: &Plan, watch: &dyn HostWatch) -> Result<Vec<FileDifference>, DestinationError>;
    /// The file of this computer that holds what the host saw when it looked last; it need not exist.
    fn observed(&self) -> PathBuf;
    /// Has the host take back what it imported; what was carried there stays.
    fn undo(&self, plan: &Plan, watch: &dyn HostWatch) -> Result<DoneOnHost, DestinationError>;
    /// Removes from the host what was carried there, after `undo`.
    fn discard(&self, plan: &Plan, watch: &dyn HostWatch) -> Result<DoneOnHost, DestinationError>;
}

/// What was done on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DoneOnHost {
    /// Bytes that were sent to it.
    pub sent: u64,
    /// Whole sentences worth knowing.
    pub notes: Vec<String>,
}

/// A file on a host that is not as it was carried there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDifference {
    /// Its name below the root, with `/`.
    pub file: String,
    /// Where in it.
    pub place: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// Hears what goes on with a host, and may ask to stop.
pub trait HostWatch {
    /// Something worth knowing, one line.
    fn note(&self, text: &str);
    /// So many bytes are about to be carried.
    fn bytes_started(&self, total: u64);
    /// So many bytes more are there.
    fn bytes_advanced(&self, bytes: u64);
    /// All of them are there.
    fn bytes_finished(&self);
    /// True when the work shall stop as soon as it safely can.
    fn is_cancelled(&self) -> bool;
}
