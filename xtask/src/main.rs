//! The tasks of the house: `cargo xtask test` checks everything that can be checked before a change is shown to others.
//!
//! Every step says what it does before it does it, and each thing that is skipped is said aloud at the end again.

mod bench;
mod demo;
mod edges;
mod fuzz;
mod install;
mod oracle;
mod peers;
mod run;
mod scale;
mod sizes;
mod suite;
mod windows;
mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use run::{Task, cargo};

const USAGE: &str = "\
Usage: cargo xtask test [--no-install] [--only STEP]...
       cargo xtask exe     builds hvmigrate.exe and says where it is
       cargo xtask peers
       cargo xtask oracle [FILES]   (100000)
       cargo xtask bench [--disks DIR] [--rounds N] [--only ROW]... [--small] [--make-disks] [--profile] [--section]
       cargo xtask scale [MACHINES]   (5000)
       cargo xtask fuzz [--seconds N] [--only TARGET]...
  --no-install   installs no peers and no tools
  --only STEP    runs only this step; may be given again
  --disks DIR    the disks that are measured, made when they are not there   (target/bench, about 40 GB)
  --rounds N     pairs of runs for each row   (5)
  --only ROW     measures only this row and writes no page; may be given again
  --seconds N    how long each fuzz target runs   (60)
  --only TARGET  runs only this fuzz target and writes no page; may be given again
  --section      writes the rows of --only into a section of docs/performance.md
  --make-disks   only makes the disks
  --profile      samples where the time of some rows goes, for docs/profile.md
  --small        small disks, each row once, just to see that it goes
Steps: install fmt clippy deny sizes edges words tests mutations demo bench windows";

/// What the command line asks for.
struct Options {
    install: bool,
    only: Vec<String>,
}

fn options(mut args: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options { install: true, only: Vec::new() };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--no-install" => options.install = false,
            "--only" => options.only.push(args.next()?),
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let verb = std::env::args().nth(1).unwrap_or_default();
    let mut rest = std::env::args().skip(2);
    match verb.as_str() {
        "test" => options(rest).map_or_else(usage, |options| test(&options)),
        "exe" => alone("exe", |_| windows::exe()),
        "peers" => alone("peers", |_| peers::write(&root())),
        "oracle" => {
            let files = rest.next().map_or(Some(100_000), |files| files.parse().ok());
            files.map_or_else(usage, |files| alone("oracle", |_| oracle::write(&root(), files)))
        }
        "scale" => {
            let machines = rest.next().map_or(Some(5000), |machines| machines.parse().ok());
            machines.map_or_else(usage, |machines| alone("scale", |task| scale::write(task, &root(), machines)))
        }
        "bench" => {
            let options = bench::Options::parse(rest);
            options.map_or_else(usage, |options| alone("bench", |task| bench::measured(task, &options)))
        }
        "fuzz" => {
            let options = fuzz::Options::parse(rest);
            options.map_or_else(usage, |options| alone("fuzz", |task| fuzz::run(task, &root(), &options)))
        }
        // Not for people.
        "ahead" => alone("ahead", |_| run::release_program().and_then(|_| windows::ahead())),
        #[cfg(unix)]
        "bare" => bare(),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn alone(name: &str, step: impl FnOnce(&mut Task) -> Result<(), String>) -> ExitCode {
    let mut task = Task::default();
    task.step(name, step);
    task.close()
}

fn test(options: &Options) -> ExitCode {
    let mut task = Task::default();
    let is_wanted = |name: &str| match options.only.is_empty() {
        true => name != "install" || options.install,
        false => options.only.iter().any(|only| only == name),
    };
    let mut ahead = None;
    for (name, step) in STEPS.iter().filter(|(name, _)| is_wanted(name)) {
        // Many tests wait, and these programs take minutes to build.
        if *name == "tests" && is_wanted("demo") && is_wanted("windows") {
            ahead = run::build_ahead();
        }
        if *name == "demo"
            && let Some(mut build) = ahead.take()
        {
            // What it did not build the steps build, and tell why where they cannot.
            let _ = build.wait();
        }
        task.step(name, *step);
    }
    task.close()
}

/// The program that the bench compares with the system's part; not for people.
#[cfg(unix)]
fn bare() -> ExitCode {
    let Some((bare, from, to)) = bench::Bare::parse(std::env::args().skip(2)) else {
        return usage();
    };
    match bench::run_bare(&bare, Path::new(&from), Path::new(&to)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("'{from}' to '{to}': {error}");
            ExitCode::FAILURE
        }
    }
}

type Step = fn(&mut Task) -> Result<(), String>;

const STEPS: &[(&str, Step)] = &[
    ("install", install::peers),
    ("fmt", |_| cargo(&["fmt", "--all", "--check"])),
    ("sizes", |_| sizes::check(&root())),
    ("edges", |_| edges::check(&root())),
    ("words", |_| words::check(&root())),
    ("clippy", |_| cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])),
    ("deny", install::deny),
    ("tests", suite::run),
    ("mutations", suite::mutations),
    ("demo", |_| demo::twice()),
    ("bench", bench::smoke),
    ("windows", windows::compared),
];

/// The folder of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the repository").to_owned()
}

/// The folder in which cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}
