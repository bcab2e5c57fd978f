//! `hvmigrate schema`: the JSON schemas of all documents.

use crate::messages::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Example:
  hvmigrate schema > hvmigrate.schema.json";

/// Prints the JSON schemas of all documents
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> Result<Exit, Failure> {
    output::json(&hvm_model::schema::all())?;
    Ok(Exit::Done)
}
