//! Runs the demo as a newcomer would: in a folder whose name has a space, and a second time over the first.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::run::release_program;

/// Seconds that one run may take.
const LIMIT: f64 = 60.0;

/// Builds the release and runs its demo twice.
pub fn twice() -> Result<(), String> {
    let program = release_program()?;
    let folder = std::env::temp_dir().join(format!("hvmigrate demo {}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("'{}': {error}", folder.display()))?;
    let result = (1..=2).try_for_each(|run| once(&program, &folder, run));
    let removed = std::fs::remove_dir_all(&folder).map_err(|error| format!("'{}': {error}", folder.display()));
    result.and(removed)
}

fn once(program: &Path, folder: &Path, run: u32) -> Result<(), String> {
    let start = Instant::now();
    let output = Command::new(program)
        .arg("demo")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("'{}' could not be started: {error}", program.display()))?;
    let seconds = start.elapsed().as_secs_f64();
    if !output.status.success() {
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        return Err(format!("run {run} of the demo ended with {}", output.status));
    }
    println!("run {run} of the demo took {seconds:.1} s");
    if seconds > LIMIT {
        return Err(format!("run {run} of the demo took {seconds:.1} s; {LIMIT} are allowed"));
    }
    for report in ["kit", "kvm"] {
        let path = folder.join("hvmigrate-demo").join(format!("report-{report}")).join("report.html");
        if !path.is_file() {
            return Err(format!("run {run} of the demo left no '{}'", path.display()));
        }
    }
    Ok(())
}
