//! Runs the differential oracles in release: random files of the testkit, read by the crate and by the testkit's reference
//! reader. Writes what was really run to docs/oracle.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::run::cargo;

/// One oracle: the format, its test, and its share of the files in percent.
struct Oracle {
    format: &'static str,
    file: &'static str,
    test: &'static str,
    share: u64,
}

/// VHDX files have at least 4 MiB and take most of the time.
const ORACLES: [Oracle; 3] = [
    Oracle {
        format: "vhd",
        file: "oracle_vhd",
        test: "random_vhd_chains_read_as_their_models_and_as_the_reference_reads_them",
        share: 45,
    },
    Oracle {
        format: "vhdx",
        file: "vhdx_testkit",
        test: "random_chains_read_as_their_models_and_as_the_reference_reads_them",
        share: 35,
    },
    Oracle {
        format: "qcow2",
        file: "oracle_qcow2",
        test: "random_qcow2_files_read_as_their_models_and_as_the_reference_reads_them",
        share: 20,
    },
];

/// What one oracle said: counts by name.
type Said = BTreeMap<String, u64>;

/// Makes `files` files.
pub fn write(root: &Path, files: u64) -> Result<(), String> {
    let mut build = vec!["test", "--release", "--quiet", "--no-run", "--package", "hvm-formats"];
    for oracle in &ORACLES {
        build.extend(["--test", oracle.file]);
    }
    cargo(&build)?;
    let share = |oracle: &Oracle| (files * oracle.share).div_ceil(100);
    let running: Result<Vec<Child>, String> = ORACLES.iter().map(|oracle| start(root, oracle, share(oracle))).collect();
    let mut said = Vec::new();
    for (child, Oracle { format, .. }) in running?.into_iter().zip(&ORACLES) {
        let output = child.wait_with_output().map_err(|error| format!("the oracle for {format} was lost: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let counts = counts(&text, format);
        if !output.status.success() || !counts.contains_key("files") {
            return Err(format!("the oracle for {format} ended with {}:\n{text}", output.status));
        }
        said.push((*format, counts));
    }
    let page = root.join("docs").join("oracle.md");
    std::fs::write(&page, document(&said)).map_err(|error| format!("'{}': {error}", page.display()))?;
    println!("written: {}", page.display());
    Ok(())
}

fn start(root: &Path, Oracle { format, file, test, .. }: &Oracle, files: u64) -> Result<Child, String> {
    println!("{files} files of {format}");
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    Command::new(program)
        .args(["test", "--release", "--quiet", "--package", "hvm-formats", "--test", file])
        .args(["--", "--exact", test, "--nocapture"])
        .env("HVM_ORACLE_FILES", files.to_string())
        .env_remove("HVM_ORACLE_SEED")
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the oracle for {format} could not be started: {error}"))
}

/// The lines `ORACLE format|what|count`.
fn counts(text: &str, format: &str) -> Said {
    let line = |line: &str| {
        let mut parts = line.split_once("ORACLE ")?.1.split('|');
        let (found, what, count) = (parts.next()?, parts.next()?, parts.next()?);
        (found == format).then(|| Some((what.to_owned(), count.trim().parse().ok()?)))?
    };
    text.lines().filter_map(line).collect()
}

fn document(said: &[(&str, Said)]) -> String {
    let get = |counts: &Said, what: &str| counts.get(what).copied().unwrap_or(0);
    let files: u64 = said.iter().map(|(_, counts)| get(counts, "files")).sum();
    let differences: u64 = said.iter().map(|(_, counts)| get(counts, "differences")).sum();
    let mut page = format!(
        "# Differential oracle\n\n\
         Made by `cargo xtask oracle` with hvmigrate {}.\n\n\
         The testkit makes random files from its own model of their content. Each chain is read by hvmigrate and by the\n\
         testkit's reference reader, which was written from the specification alone and shares no code with hvmigrate; both\n\
         must give the bytes of the model, and the extents must agree with the bytes. The same seed gives the same\n\
         files.\n\n\
         **{files} files, {differences} differences.**\n\n\
         | format | files | chains | seeds | differences |\n| --- | --- | --- | --- | --- |\n",
        env!("CARGO_PKG_VERSION"),
    );
    for (format, counts) in said {
        let (first, chains) = (get(counts, "first seed"), get(counts, "chains"));
        let last = (first + chains).saturating_sub(1);
        let (files, wrong) = (get(counts, "files"), get(counts, "differences"));
        let _ = writeln!(page, "| {format} | {files} | {chains} | {first} to {last} | {wrong} |");
    }
    for (format, counts) in said {
        let _ = write!(page, "\n## Kinds of {format} files\n\n| kind | count |\n| --- | --- |\n");
        for (what, count) in counts {
            if let Some(kind) = what.strip_prefix("kind: ") {
                let _ = writeln!(page, "| {kind} | {count} |");
            }
        }
    }
    page
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn only_lines_of_the_format_count() {
        let text = "running 1 test\nORACLE vhd|files|3\ntest x ... ORACLE vhd|kind: fixed|2\nORACLE vhdx|files|9\n";
        let found = counts(text, "vhd");
        assert_eq!(found.get("files"), Some(&3));
        assert_eq!(found.get("kind: fixed"), Some(&2));
        assert_eq!(found.len(), 2);
        let page = document(&[("vhd", found)]);
        assert!(page.contains("**3 files, 0 differences.**") && page.contains("| fixed | 2 |"), "{page}");
    }
}
