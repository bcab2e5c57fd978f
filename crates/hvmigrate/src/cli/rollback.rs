//! `hvmigrate rollback`: takes back what the migration made, and nothing else.

use hvm_engine::{DataChoice, RollbackOutcome};

use super::password::PasswordArgs;
use super::work::WorkArgs;
use crate::messages::{Exit, Failure};
use crate::progress::Progress;
use crate::{output, render};

const EXAMPLES: &str = "\
Examples:
  hvmigrate rollback --work ./work
  hvmigrate rollback --work ./work --discard-data

The copied disks are kept unless --discard-data is given; the source is never touched.";

/// Takes back what the migration made; keeps the copied data unless told otherwise
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    password: PasswordArgs,
    /// Removes the copied disks and files too
    #[arg(long)]
    discard_data: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let data = if args.discard_data { DataChoice::Discard } else { DataChoice::Keep };
    let progress = Progress::asking(&args.password);
    let outcome = hvm_engine::rollback(&args.work.work, data, &progress);
    progress.end();
    output::data(&text(&outcome?))?;
    Ok(Exit::Done)
}

fn text(outcome: &RollbackOutcome) -> String {
    let mut out = match outcome.removed.len() {
        0 => "Nothing had to be removed.\n".to_owned(),
        1 => "1 file or folder was removed.\n".to_owned(),
        several => format!("{several} files and folders were removed.\n"),
    };
    for (title, lines) in [("Kept", &outcome.kept), ("Left as it is", &outcome.left)] {
        if !lines.is_empty() {
            out.push_str(&format!("{title} ({}):\n  {}\n", lines.len(), lines.join("\n  ")));
        }
    }
    render::text::remaining(&mut out, &outcome.remaining);
    out
}
