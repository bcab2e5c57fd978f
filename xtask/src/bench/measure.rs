//! Runs commands under GNU time and takes medians.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::at;
use super::quiet::Busy;

/// Something that is run: a line for the shell, whose files all go into one folder.
#[derive(Debug, Clone)]
pub struct Job {
    /// The line.
    pub script: String,
    /// The folder, emptied after each run.
    pub out: PathBuf,
    /// Seconds after which it is ended; what it cost until then counts.
    pub limit: Option<u64>,
    /// Whether it needs memory for what it writes, or for its files in the page cache.
    pub fills_memory: bool,
}

/// What one run cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Seconds on the clock.
    pub wall: f64,
    /// Seconds of all processors, in the program and for it in the kernel.
    pub cpu: f64,
    /// Greatest resident memory in bytes.
    pub peak: u64,
    /// Bytes that its files take on the disk.
    pub written: u64,
    /// The share of the processors that others took meanwhile.
    pub others: f64,
}

/// What `timeout` ends with when the limit was reached.
const TIMED_OUT: i32 = 124;

impl Job {
    /// A job without a limit.
    pub fn new(script: String, out: &Path) -> Self {
        Job { script, out: out.to_owned(), limit: None, fills_memory: true }
    }

    /// A job that leaves nothing in memory.
    pub fn passing(script: String, out: &Path) -> Self {
        Job { fills_memory: false, ..Job::new(script, out) }
    }

    /// Runs it once; its files stay until [`Job::clean`].
    pub fn run(&self) -> Result<Cost, String> {
        self.clean()?;
        let figures = std::env::temp_dir().join(format!("hvmigrate-bench-{}.time", std::process::id()));
        // `timeout` ends only what it started itself, so the shell gives its place to a program with a limit.
        let script = if self.limit.is_some() { format!("exec {}", self.script) } else { self.script.clone() };
        let (busy, start) = (Busy::now(), Instant::now());
        let output = Command::new("time")
            .args(["-q", "-f", "%U %S %M", "-o"])
            .arg(&figures)
            .args(["timeout", &self.limit.unwrap_or(0).to_string()])
            .args(["sh", "-e", "-c", &script])
            .current_dir(crate::root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()
            .map_err(|error| format!("'time' could not be started: {error}"))?;
        let wall = start.elapsed().as_secs_f64();
        let ended = self.limit.is_some() && output.status.code() == Some(TIMED_OUT);
        if !output.status.success() && !ended {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("'{}' ended with {}: {said}", self.script, output.status));
        }
        let text = fs::read_to_string(&figures).map_err(at(&figures))?;
        fs::remove_file(&figures).map_err(at(&figures))?;
        let (cpu, peak) = parse(&text).ok_or_else(|| format!("'time' printed '{text}'"))?;
        let others = busy.others(wall, cpu);
        Ok(Cost { wall, cpu, peak, written: allocated(&self.out)?, others })
    }

    /// Empties its folder.
    pub fn clean(&self) -> Result<(), String> {
        match fs::remove_dir_all(&self.out) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(&self.out)(error)),
            _ => {}
        }
        fs::create_dir_all(&self.out).map_err(at(&self.out))
    }
}

/// Seconds in the program, seconds in the kernel, KiB.
fn parse(text: &str) -> Option<(f64, u64)> {
    let mut words = text.split_whitespace();
    let cpu = words.next()?.parse::<f64>().ok()? + words.next()?.parse::<f64>().ok()?;
    Some((cpu, words.next()?.parse::<u64>().ok()? * 1024))
}

#[cfg(unix)]
fn allocated(folder: &Path) -> Result<u64, String> {
    use std::os::unix::fs::MetadataExt;
    let mut sum = 0;
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        let metadata = fs::symlink_metadata(&path).map_err(at(&path))?;
        sum += if metadata.is_dir() { allocated(&path)? } else { metadata.blocks() * 512 };
    }
    Ok(sum)
}

#[cfg(not(unix))]
fn allocated(_: &Path) -> Result<u64, String> {
    Err("room on the disk is measured on Unix only".to_owned())
}

/// Least, median and greatest of some figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// The one in the middle, or the mean of the two there.
    pub median: f64,
    /// The greatest.
    pub most: f64,
}

/// The spread of figures; at least one must be given.
pub fn spread(figures: impl Iterator<Item = f64>) -> Spread {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    let median = if all.len() % 2 == 1 { all[middle] } else { f64::midpoint(all[middle - 1], all[middle]) };
    Spread { least: all[0], median, most: all[all.len() - 1] }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(spread([3.0, 1.0, 2.0].into_iter()), Spread { least: 1.0, median: 2.0, most: 3.0 });
        assert_eq!(spread([4.0, 1.0, 2.0, 3.0].into_iter()).median, 2.5);
    }

    #[test]
    fn the_figures_of_time_are_read() {
        assert_eq!(parse("1.25 0.75 2048\n"), Some((2.0, 2 << 20)));
        assert_eq!(parse("Command terminated"), None);
    }
}
