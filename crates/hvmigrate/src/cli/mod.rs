//! The verbs, one file each: what clap reads and which function acts on it.

mod assess;
mod choices;
mod collect;
mod completions;
#[cfg(feature = "demo")]
mod demo;
mod disk;
mod finish;
mod migrate;
pub mod password;
mod plan;
mod report;
mod rollback;
mod rules;
mod schema;
mod verify;
mod work;

use clap::{Parser, Subcommand, ValueEnum};

use crate::messages::{Exit, Failure};

const EXAMPLES: &str = "\
A migration from the files of a dead host:
  hvmigrate assess --from 'folder:/mnt?c=/mnt/c&d=/mnt/d' --to libvirt-files:/srv/vms
  hvmigrate plan --from 'folder:/mnt?c=/mnt/c&d=/mnt/d' --to libvirt-files:/srv/vms --work ./work
  hvmigrate migrate --work ./work
  hvmigrate verify --work ./work
  hvmigrate report --work ./work
  hvmigrate finish --work ./work

Try it without a host:
  hvmigrate demo

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 blocked by findings or waiting for a person,
4 verification differs.";

/// Moves a whole Hyper-V server to a newer Windows Server or to KVM, offline, from its files.
#[derive(Parser)]
#[command(name = "hvmigrate", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Assess(assess::Args),
    Collect(collect::Args),
    Plan(plan::Args),
    Migrate(migrate::Args),
    Verify(verify::Args),
    Finish(finish::Args),
    Rollback(rollback::Args),
    Report(report::Args),
    Rules(rules::Args),
    Disk(disk::Args),
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    Schema(schema::Args),
    Completions(completions::Args),
}

/// How a document is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Reads the command line and does what it says.
pub fn run() -> Result<Exit, Failure> {
    match Cli::parse().verb {
        Verb::Assess(args) => assess::run(&args),
        Verb::Collect(args) => collect::run(&args),
        Verb::Plan(args) => plan::run(&args),
        Verb::Migrate(args) => migrate::run(&args),
        Verb::Verify(args) => verify::run(&args),
        Verb::Finish(args) => finish::run(&args),
        Verb::Rollback(args) => rollback::run(&args),
        Verb::Report(args) => report::run(&args),
        Verb::Rules(args) => rules::run(&args),
        Verb::Disk(args) => disk::run(&args),
        #[cfg(feature = "demo")]
        Verb::Demo(args) => demo::run(&args),
        Verb::Schema(args) => schema::run(&args),
        Verb::Completions(args) => completions::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_explains_itself_with_an_example() {
        for verb in Cli::command().get_subcommands() {
            let name = verb.get_name();
            assert!(verb.get_about().is_some(), "{name} says nothing of itself");
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("hvmigrate {name}")), "{name} shows no example");
        }
    }
}
