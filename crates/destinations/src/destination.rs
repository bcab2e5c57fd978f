//! What every destination can do. Disks and plain files are copied by the engine to the paths of the plan; the destination
//! makes everything else of a step and can show afterwards what is there.

use std::path::Path;

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
}
