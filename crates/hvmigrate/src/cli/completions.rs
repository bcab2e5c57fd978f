//! `hvmigrate completions`: scripts that complete the command line in a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use crate::messages::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Example:
  hvmigrate completions bash > ~/.local/share/bash-completion/completions/hvmigrate";

/// Prints a script that completes the command line in a shell
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hvmigrate", &mut script);
    output::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
