//! Where the time of a run goes, by samples of `perf`: in the program, or in the kernel for moving bytes and giving memory.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::at;

/// How the samples of a run are spread, in percent.
#[derive(Debug, Default, PartialEq)]
pub struct Profile {
    /// In the program and its libraries.
    pub program: f64,
    /// In the kernel, copying bytes to or from the program.
    pub copying: f64,
    /// In the kernel otherwise: memory, locks, files.
    pub kernel: f64,
    /// The functions with the most samples.
    pub most: Vec<(f64, String)>,
}

/// Shown functions.
const SHOWN: usize = 10;

/// Samples a line for the shell; `None` when `perf` cannot.
pub fn sample(script: &str, folder: &Path) -> Result<Option<Profile>, String> {
    let data = folder.join("perf.data");
    let quiet =
        |program: &mut Command| program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let mut record = Command::new("perf");
    record.args(["record", "-q", "-e", "cpu-clock", "-F", "2000", "-o"]).arg(&data);
    match quiet(record.args(["--", "sh", "-e", "-c"]).arg(format!("exec {script}"))) {
        Ok(status) if status.success() => {}
        _ => return Ok(None),
    }
    let mut report = Command::new("perf");
    report.args(["report", "--stdio", "-q", "-g", "none", "--sort", "dso,symbol", "-i"]).arg(&data);
    let output = report.output().map_err(|error| format!("'perf' could not be started: {error}"))?;
    fs::remove_file(&data).map_err(at(&data))?;
    Ok(Some(parse(&String::from_utf8_lossy(&output.stdout))).filter(|profile| !profile.most.is_empty()))
}

/// Lines like `24.52%  [kernel.kallsyms]  [k] _copy_to_iter`.
fn parse(report: &str) -> Profile {
    let mut profile = Profile::default();
    for line in report.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [share, object, .., symbol] = words[..] else { continue };
        let Some(share) = share.strip_suffix('%').and_then(|share| share.parse::<f64>().ok()) else { continue };
        let place = if !object.starts_with("[kernel") {
            &mut profile.program
        } else if symbol.contains("copy") && symbol.contains("iter") {
            &mut profile.copying
        } else {
            &mut profile.kernel
        };
        *place += share;
        if profile.most.len() < SHOWN {
            profile.most.push((share, symbol.to_owned()));
        }
    }
    profile
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn samples_are_sorted_by_where_they_fell() {
        let report = "\n    24.50%  [kernel.kallsyms]  [k] _copy_to_iter\n     7.25%  [kernel.kallsyms]  [k] shmem_write_end\n\
                      2.00%  libc.so.6          [.] __memcmp_evex_movbe\n    1.00%  hvmigrate   [.] core::fmt::write\n";
        let profile = parse(report);
        assert_eq!((profile.program, profile.copying, profile.kernel), (3.0, 24.5, 7.25));
        assert_eq!(profile.most[1], (7.25, "shmem_write_end".to_owned()));
        assert_eq!(parse("nothing"), Profile::default());
    }
}
