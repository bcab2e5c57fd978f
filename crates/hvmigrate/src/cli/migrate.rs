//! `hvmigrate migrate`: performs the steps of a plan, or goes on where a run stopped.

use hvm_engine::{MigrateOptions, MigrateOutcome, MigrateState};

use super::password::PasswordsArgs;
use super::work::{WorkArgs, account};
use crate::messages::{Exit, Failure};
use crate::progress::Progress;
use crate::{output, render};

const EXAMPLES: &str = "\
Examples:
  hvmigrate migrate --work ./work
  hvmigrate migrate --work ./work --confirm confirm.source-off
  hvmigrate migrate --work ./work --confirm prepare

A run that was stopped, even by a power cut, goes on where it was when the command is given again.
The exit code is 3 while a step waits for your confirmation.";

/// Performs the steps of a plan, or goes on where a run stopped
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    password: PasswordsArgs,
    /// Confirms a step that a person did: its id, 'prepare' for all of that phase, or 'all'
    #[arg(long, value_name = "STEP|prepare|all")]
    confirm: Vec<String>,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let options = MigrateOptions { confirm: args.confirm.clone(), confirmed_by: account() };
    let progress = Progress::asking(args.password.clone());
    let outcome = hvm_engine::migrate(&args.work.work, options, &progress);
    progress.end();
    show(&outcome?, "migrate", &args.work)
}

/// Shows how far a run came, and with which exit code it ends.
pub fn show(outcome: &MigrateOutcome, verb: &str, work: &WorkArgs) -> Result<Exit, Failure> {
    match &outcome.state {
        MigrateState::Done => {
            output::data(&format!("All steps of '{verb}' are done.\n"))?;
            let next = if verb == "migrate" { "verify" } else { "report" };
            output::note(&format!("Next: hvmigrate {next} --work {}", work.quoted()));
            Ok(Exit::Done)
        }
        MigrateState::WaitingFor(steps) => {
            output::data(&render::text::waiting(steps, verb, &work.work.to_string_lossy()))?;
            Ok(Exit::Blocked)
        }
        MigrateState::Blocked(reasons) => {
            output::data(&format!("Nothing was done, because this blocks it:\n  {}\n", reasons.join("\n  ")))?;
            Ok(Exit::Blocked)
        }
    }
}
