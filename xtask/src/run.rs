//! Runs commands and keeps the score.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

/// The score of a run.
#[derive(Default)]
pub struct Task {
    failed: Vec<String>,
    skipped: Vec<String>,
    passed: usize,
}

impl Task {
    /// Runs one step; a failure does not keep the others from running.
    pub fn step(&mut self, name: &str, step: impl FnOnce(&mut Task) -> Result<(), String>) {
        println!("== {name}");
        let start = Instant::now();
        let result = step(self);
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                println!("== {name}: good, {seconds:.1} s\n");
                self.passed += 1;
            }
            Err(error) => {
                println!("== {name}: FAILED after {seconds:.1} s: {error}\n");
                self.failed.push(format!("{name}: {error}"));
            }
        }
    }

    /// Says aloud that something is not checked.
    pub fn skip(&mut self, what: impl Into<String>) {
        let what = what.into();
        println!("SKIPPED: {what}");
        self.skipped.push(what);
    }

    /// Says how it went.
    pub fn close(self) -> ExitCode {
        for skipped in &self.skipped {
            println!("SKIPPED: {skipped}");
        }
        for failed in &self.failed {
            println!("FAILED: {failed}");
        }
        println!("steps: {} passed, {} failed, {} skipped", self.passed, self.failed.len(), self.skipped.len());
        if self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Runs a command and shows what it prints.
pub fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let status = Command::new(program)
        .args(args)
        .current_dir(crate::root())
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("'{program}' could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("'{program} {}' ended with {status}", args.join(" "))) }
}

/// Runs cargo, the one that runs this program.
pub fn cargo(args: &[&str]) -> Result<(), String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    run(&cargo, args)
}

/// What a command prints on standard output.
pub fn output(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(crate::root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("'{program}' could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("'{program} {}' ended with {}", args.join(" "), output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("'{program}' printed no UTF-8: {error}"))
}

/// True when a program is on the path.
pub fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Says what file an error is about.
pub fn at(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("'{}': {error}", path.display())
}

/// Begins to build what the steps after the tests run, with what other work leaves of the processors.
pub fn build_ahead() -> Option<Child> {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(std::env::current_exe().ok()?).arg("ahead");
    // Where it cannot be begun it is only later.
    nice.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}

/// The program as people build it.
pub fn release_program() -> Result<PathBuf, String> {
    cargo(&["build", "--release", "--quiet", "--package", "hvmigrate"])?;
    Ok(crate::target().join("release").join("hvmigrate"))
}
