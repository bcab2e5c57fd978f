//! `hvmigrate verify`: compares what is on the destination with the source and the plan.

use std::path::PathBuf;

use hvm_engine::VerifyOptions;

use super::Format;
use super::password::PasswordsArgs;
use super::work::WorkArgs;
use crate::messages::{Exit, Failure};
use crate::progress::Progress;
use crate::{output, render};

const EXAMPLES: &str = "\
Examples:
  hvmigrate verify --work ./work
  hvmigrate verify --work ./work --without-source
  hvmigrate verify --work ./work --observed observed.json

The exit code is 4 when something differs; each difference names machine, disk and offset.";

/// Compares every disk with what was read from the source and every setting with the plan
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    password: PasswordsArgs,
    /// Does not look whether the source was used since, nor for the first differing byte in it, when it is no longer there
    #[arg(long)]
    without_source: bool,
    /// Compares the settings that Test-HyperVRole.ps1 saw on the destination (state\observed.json of the kit there)
    #[arg(long, value_name = "FILE")]
    observed: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let options = VerifyOptions { against_source: !args.without_source, observed: args.observed.clone() };
    let progress = Progress::asking(args.password.clone());
    let verification = hvm_engine::verify(&args.work.work, options, &progress);
    progress.end();
    let verification = verification?;
    match args.format {
        Format::Text => output::data(&render::text::verification(&verification))?,
        Format::Json => output::json(&verification)?,
    }
    if verification.differences.is_empty() {
        output::note(&format!("Next: hvmigrate finish --work {}", args.work.quoted()));
        return Ok(Exit::Done);
    }
    output::note(&format!(
        "Hint: what was changed on the destination can be set right there. Files that are damaged or missing are copied again, and only \
         they, by: hvmigrate rollback --work {0}, then hvmigrate migrate --work {0}",
        args.work.quoted()
    ));
    Ok(Exit::Differs)
}
