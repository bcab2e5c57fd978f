//! Runs the fuzz targets one after the other, from seeds that the testkit makes, and writes what came of it to
//! docs/fuzzing.md. It needs the nightly toolchain and cargo-fuzz, so that it is no step of the test command.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::run::{Task, cargo, is_there, output};

/// The targets with what each reads.
const TARGETS: [(&str, &str); 16] = [
    ("vhd", "fixed, dynamic and differencing VHD"),
    ("vhdx", "VHDX with its log, also against the reference reader"),
    ("ntfs", "an NTFS volume"),
    ("hive", "a registry hive with its log"),
    ("hvs", "a configuration of Windows Server 2016 or later, with its replay log"),
    ("xml", "a virtual machine configuration, written and read again"),
    ("cim", "objects of WMI in XML, and paths of objects"),
    ("qcow2", "qcow2 with its internal snapshots"),
    ("tables", "a disk with an MBR or a GPT, and what is in its partitions"),
    ("ext", "an ext2 or ext4 volume"),
    ("marks", "FAT, and volumes of which only marks are known (BitLocker, LUKS, LVM2, RAID, swap and others)"),
    ("store", "an authorization store"),
    ("settings", "a settings file of a Linux (interfaces, ifcfg, keyfile, networkd, netplan)"),
    ("guest", "the hives of a Windows in a disk, whole or cell by cell"),
    ("smb", "answers of a server of SMB"),
    ("winrm", "answers over WinRM: HTTP, SOAP, CLIXML, messages of PowerShell"),
];

/// Megabytes that one input may take, and seconds.
const MEMORY: u32 = 512;
const TIME: u32 = 10;

/// What the command line asks for.
pub struct Options {
    seconds: u64,
    only: Vec<String>,
}

impl Options {
    /// Reads what stands behind `fuzz`.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Options { seconds: 60, only: Vec::new() };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--seconds" => options.seconds = args.next()?.parse().ok().filter(|seconds| *seconds > 0)?,
                "--only" => options.only.push(args.next().filter(|only| TARGETS.iter().any(|(name, _)| name == only))?),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// What the fuzzer said of one target.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    executions: u64,
    /// Edges of the code that were reached.
    edges: u64,
    /// The files with inputs that break something.
    findings: Vec<String>,
}

/// Runs the targets that are asked for; the page is written when these are all.
pub fn run(task: &mut Task, root: &Path, options: &Options) -> Result<(), String> {
    if let Some(missing) = missing() {
        task.skip(format!("fuzzing: {missing}"));
        return Ok(());
    }
    let corpus = crate::target().join("fuzz-corpus");
    let folder = corpus.display().to_string();
    cargo(&["run", "--quiet", "--release", "--manifest-path", "fuzz/Cargo.toml", "--example", "seeds", "--", &folder])?;
    crate::run::run("cargo", &["+nightly", "fuzz", "build"])?;
    let mut outcomes = Vec::new();
    for (target, what) in TARGETS {
        if !options.only.is_empty() && !options.only.iter().any(|only| only == target) {
            continue;
        }
        println!("{target}: {} seconds", options.seconds);
        let outcome = one(root, target, &corpus.join(target), options.seconds)?;
        println!("{}", row(target, what, options.seconds, &outcome));
        outcomes.push((target, what, outcome));
    }
    if options.only.is_empty() {
        let page = root.join("docs").join("fuzzing.md");
        std::fs::write(&page, document(options.seconds, &outcomes))
            .map_err(|error| format!("'{}': {error}", page.display()))?;
        println!("written: {}", page.display());
    }
    let found: Vec<String> = outcomes.into_iter().flat_map(|(_, _, outcome)| outcome.findings).collect();
    if found.is_empty() { Ok(()) } else { Err(format!("inputs that break something: {}", found.join(", "))) }
}

/// Why nothing can be run.
fn missing() -> Option<&'static str> {
    if !is_there("cargo-fuzz") {
        return Some("cargo-fuzz is not installed (cargo install cargo-fuzz)");
    }
    let toolchains = output("rustup", &["toolchain", "list"]).unwrap_or_default();
    let nightly = toolchains.lines().any(|line| line.starts_with("nightly"));
    (!nightly).then_some("the nightly toolchain is not installed (rustup toolchain install nightly)")
}

/// Runs a target until its time is over or something is found. A finding that does not happen again is none: a machine that
/// was held up for a while gives inputs that are said to be slow.
fn one(root: &Path, target: &str, corpus: &Path, seconds: u64) -> Result<Outcome, String> {
    let (start, mut total) = (Instant::now(), Outcome::default());
    while let Some(left) = seconds.checked_sub(start.elapsed().as_secs()).filter(|left| *left > 0) {
        let arguments = [format!("-max_total_time={left}"), "-print_final_stats=1".to_owned()];
        let (good, text) = fuzzer(root, target, corpus, &arguments)?;
        let outcome = said(&text);
        total.executions += outcome.executions;
        total.edges = total.edges.max(outcome.edges);
        if good {
            break;
        }
        if outcome.findings.is_empty() {
            return Err(format!("the target {target} ended early:\n{}", tail(&text)));
        }
        for finding in outcome.findings {
            let (again, text) = fuzzer(root, target, Path::new(&finding), &[])?;
            if again {
                println!("{finding} breaks nothing when it is run again");
                continue;
            }
            println!("{}", tail(&text));
            total.findings.push(finding);
        }
        if !total.findings.is_empty() {
            break;
        }
    }
    Ok(total)
}

/// Runs a target on a folder or a file; whether it ended well, and what it said.
fn fuzzer(root: &Path, target: &str, inputs: &Path, more: &[String]) -> Result<(bool, String), String> {
    let output = Command::new("cargo")
        .args(["+nightly", "fuzz", "run", target])
        .arg(inputs)
        .arg("--")
        .args([format!("-rss_limit_mb={MEMORY}"), format!("-timeout={TIME}")])
        .args(more)
        // Freed memory is kept for a while to find uses of it; 256 MB of it would be half of what an input may take.
        .env("ASAN_OPTIONS", "quarantine_size_mb=16")
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// Reads libFuzzer's report.
fn said(text: &str) -> Outcome {
    let mut outcome = Outcome::default();
    for line in text.lines() {
        let after = |mark: &str| line.split_once(mark).and_then(|(_, rest)| rest.split_whitespace().next());
        let number = |mark: &str| after(mark).and_then(|word| word.parse().ok());
        outcome.edges = number(" cov: ").unwrap_or(outcome.edges);
        outcome.executions = number("stat::number_of_executed_units:").unwrap_or(outcome.executions);
        outcome.findings.extend(after("Test unit written to ").map(str::to_owned));
    }
    outcome
}

fn row(target: &str, what: &str, seconds: u64, outcome: &Outcome) -> String {
    let Outcome { executions, edges, findings } = outcome;
    let (each, count) = (executions / seconds, findings.len());
    format!("| {target} | {what} | {seconds} | {executions} | {each} | {edges} | {count} |")
}

fn document(seconds: u64, outcomes: &[(&str, &str, Outcome)]) -> String {
    let executions: u64 = outcomes.iter().map(|(_, _, outcome)| outcome.executions).sum();
    let findings: usize = outcomes.iter().map(|(_, _, outcome)| outcome.findings.len()).sum();
    let mut page = format!(
        "# Fuzzing\n\n\
         Made by `cargo xtask fuzz --seconds {seconds}` with hvmigrate {}.\n\n\
         Each target begins with the samples and the corpus of the testkit and what earlier runs found worth keeping, and\n\
         holds each input against the oracles of `crates/formats/tests/oracles` ([fuzz/README.md](../fuzz/README.md)). An input may\n\
         take {TIME} seconds and {MEMORY} MB. Edges are those of the code that the inputs reached; a target stops at its first\n\
         finding.\n\n\
         **{executions} executions, {findings} findings.**\n\n\
         | target | what it reads | seconds | executions | a second | edges | findings |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
        env!("CARGO_PKG_VERSION"),
    );
    for (target, what, outcome) in outcomes {
        let _ = writeln!(page, "{}", row(target, what, seconds, outcome));
    }
    page
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_report_of_the_fuzzer_is_read() {
        let text = "#512\tpulse  cov: 900 ft: 1200 corp: 3/4Kb exec/s: 256 rss: 60Mb\n\
                    #1024\tDONE   cov: 917 ft: 1300 corp: 5/6Kb exec/s: 341 rss: 70Mb\n\
                    artifact_prefix='a/'; Test unit written to a/crash-1\n\
                    stat::number_of_executed_units: 1024\n";
        let outcome = said(text);
        let findings = vec!["a/crash-1".to_owned()];
        assert_eq!(outcome, Outcome { executions: 1024, edges: 917, findings });
        let page = document(3, &[("vhd", "disks", outcome)]);
        assert!(page.contains("**1024 executions, 1 findings.**"), "{page}");
        assert!(page.contains("| vhd | disks | 3 | 1024 | 341 | 917 | 1 |"), "{page}");
    }

    #[test]
    fn only_known_targets_and_whole_seconds_are_taken() {
        let parse = |args: &[&str]| Options::parse(args.iter().map(|arg| (*arg).to_owned()));
        let options = parse(&["--seconds", "5", "--only", "vhd"]).expect("both are known");
        assert_eq!((options.seconds, options.only), (5, vec!["vhd".to_owned()]));
        assert!(parse(&["--only", "iso"]).is_none() && parse(&["--seconds", "0"]).is_none());
    }
}
