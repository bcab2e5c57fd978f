//! `hvmigrate rules`: the guide as the table by which a host is judged.

use clap::ValueEnum;

use crate::messages::{Exit, Failure};
use crate::{output, render};

const EXAMPLES: &str = "\
Examples:
  hvmigrate rules
  hvmigrate rules --format markdown > guide-coverage.md";

/// Prints the rules, and the clauses of the guide that they answer
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How the table is printed
    #[arg(long, value_enum, default_value = "text")]
    format: TableFormat,
}

/// How the table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableFormat {
    /// The rules, for people.
    Text,
    /// Rules and clauses, for programs.
    Json,
    /// Clause by clause, as the page docs/guide-coverage.md.
    Markdown,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match args.format {
        TableFormat::Text => output::data(&render::rules::text())?,
        TableFormat::Json => output::json(&render::rules::document())?,
        TableFormat::Markdown => output::data(&hvm_engine::rules::coverage_markdown())?,
    }
    Ok(Exit::Done)
}
