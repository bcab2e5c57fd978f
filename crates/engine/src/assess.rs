//! Reads a source and judges it by the guide. Only reads.

use hvm_destinations::destination::Destination;
use hvm_model::capabilities::Capabilities;
use hvm_model::choices::{Choices, GuestDepth};
use hvm_model::finding::Finding;
use hvm_model::inventory::Inventory;
use hvm_rules::Facts;
use hvm_sources::source::Source;

use crate::error::EngineError;
use crate::events::Observer;
use crate::host::{self, Asking};
use crate::origin;

/// What was read, and what the guide says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// What was read.
    pub inventory: Inventory,
    /// What the destination is; `None` when none was given.
    pub destination: Option<Capabilities>,
    /// Findings with their answers.
    pub findings: Vec<Finding>,
    /// The operator's decisions.
    pub choices: Choices,
}

/// Reads the source `from` and judges it, for the destination `to` when there is one.
pub fn assess(
    from: &str,
    to: Option<&str>,
    choices: Choices,
    observer: &dyn Observer,
) -> Result<Assessment, EngineError> {
    let source = origin::open(from, observer)?;
    let destination = to.map(|to| host::open(to, None, (observer, Asking::Needed))).transpose()?;
    assess_opened(&*source, destination.as_deref(), choices)
}

/// The same for a source and a destination that are open already.
pub(crate) fn assess_opened(
    source: &dyn Source,
    destination: Option<&dyn Destination>,
    choices: Choices,
) -> Result<Assessment, EngineError> {
    let mut inventory = source.inventory()?;
    if choices.guests == GuestDepth::Contents {
        inventory.guests = source.guests(&inventory);
    }
    let destination = destination.map(Destination::capabilities).transpose()?;
    let findings =
        hvm_rules::assess(&Facts { inventory: &inventory, destination: destination.as_ref(), choices: &choices });
    Ok(Assessment { inventory, destination, findings, choices })
}
