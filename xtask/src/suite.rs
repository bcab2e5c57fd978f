//! Runs the tests of all crates, and brings to light what they skip: cargo hides what a test that passes prints.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::run::Task;

/// Runs them all, also after one failed.
pub fn run(task: &mut Task) -> Result<(), String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    // Half of them wait for other programs.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = std::env::var("RUST_TEST_THREADS").unwrap_or_else(|_| (2 * cores).to_string());
    let mut child = Command::new(&cargo)
        .args(["test", "--workspace", "--no-fail-fast", "--", "--show-output"])
        .env("RUST_TEST_THREADS", threads)
        .current_dir(crate::root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("'{cargo}' could not be started: {error}"))?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let mut skipped = Vec::new();
    let mut filter = Filter::default();
    for line in BufReader::new(stdout).lines() {
        match filter.sort(&line.map_err(|error| format!("the tests' output could not be read: {error}"))?) {
            Line::Shown(line) => println!("{line}"),
            Line::Skipped(what) if !skipped.contains(&what) => skipped.push(what),
            Line::Skipped(_) | Line::Hidden => {}
        }
    }
    for what in skipped {
        task.skip(what);
    }
    let status = child.wait().map_err(|error| format!("'{cargo}' was lost: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("the tests ended with {status}")) }
}

/// The code that is tried is as fast as that of a release and has the checks of a test; what it stands on is that of the tests.
const FAST: &str = "profile.dev.package.hvm-formats.opt-level=3";

/// A million changes of each format, fewer of what is inside of disks and of answers, and every byte of every structure flipped.
pub fn mutations(_: &mut Task) -> Result<(), String> {
    // Of the whole workspace: with other packages everything below them would have other features, and be built a second time.
    let args = ["test", "--workspace", "--test", "mutations", "--config", FAST, "--", "--show-output"];
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(&cargo)
        .args(args)
        .env("HVM_MUTATIONS", "1000000")
        .current_dir(crate::root())
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("'{cargo}' could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("the mutations ended with {status}")) }
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Shown(String),
    Skipped(String),
    Hidden,
}

/// Hides what tests that passed print, except that they skip something.
#[derive(Default)]
struct Filter {
    in_successes: bool,
}

impl Filter {
    fn sort(&mut self, line: &str) -> Line {
        match line {
            "successes:" => self.in_successes = true,
            _ if line.starts_with("test result:") || line == "failures:" => self.in_successes = false,
            _ => {}
        }
        match line.trim_start().strip_prefix("SKIPPED: ") {
            Some(what) => Line::Skipped(what.to_owned()),
            None if self.in_successes => Line::Hidden,
            None => Line::Shown(line.to_owned()),
        }
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn only_skips_of_passed_tests_are_shown() {
        let mut filter = Filter::default();
        let lines = [
            "test a ... ok",
            "successes:",
            "---- a stdout ----",
            "SKIPPED: qemu-img is not installed",
            "chatter",
            "failures:",
            "---- b stdout ----",
            "panicked",
            "test result: FAILED. 1 passed; 1 failed",
        ];
        let kept: Vec<Line> = lines.iter().map(|line| filter.sort(line)).filter(|line| *line != Line::Hidden).collect();
        let shown = |line: &str| Line::Shown(line.to_owned());
        let expected = [
            shown("test a ... ok"),
            Line::Skipped("qemu-img is not installed".to_owned()),
            shown("failures:"),
            shown("---- b stdout ----"),
            shown("panicked"),
            shown("test result: FAILED. 1 passed; 1 failed"),
        ];
        assert_eq!(kept, expected);
    }
}
