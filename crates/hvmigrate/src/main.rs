//! The command line of hvmigrate: reads arguments, calls the engine, shows what came of it.

mod cli;
mod messages;
mod output;
mod progress;
mod render;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(exit) => exit.into(),
        Err(failure) => failure.show().into(),
    }
}
