//! `hvmigrate finish`: the steps after the verification.

use hvm_engine::MigrateOptions;

use super::migrate::show;
use super::work::{WorkArgs, account};
use crate::messages::{Exit, Failure};
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  hvmigrate finish --work ./work
  hvmigrate finish --work ./work --confirm all";

/// Ends a verified migration: what a person still has to do, and its confirmation
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    work: WorkArgs,
    /// Confirms a step that a person did: its id, or 'all'
    #[arg(long, value_name = "STEP|all")]
    confirm: Vec<String>,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let options = MigrateOptions { confirm: args.confirm.clone(), confirmed_by: account() };
    let progress = Progress::new();
    let outcome = hvm_engine::finish(&args.work.work, options, &progress);
    progress.end();
    show(&outcome?, "finish", &args.work)
}
