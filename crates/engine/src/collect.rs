//! Collecting a running host, to assess it elsewhere: the script for its administrator, and running it where this program is on
//! that host.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use hvm_sources::collect::SCRIPTS;

use crate::error::EngineError;

/// How a collection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collected {
    /// Everything is there.
    Whole,
    /// Something could not be collected; the log of the collection says what and why.
    WithGaps,
}

/// Writes the script into a folder, which is made when it is not there; the files in it.
///
/// # Errors
/// When a file cannot be written. A file that is there and differs is replaced.
pub fn write_collector(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let failed = |action, path: &Path, source| EngineError::Io { action, path: path.to_path_buf(), source };
    fs::create_dir_all(folder).map_err(|source| failed("made", folder, source))?;
    let mut written = Vec::new();
    for (name, text) in SCRIPTS {
        let path = folder.join(name);
        // cmd.exe of old releases loses labels in files with the line ends of other systems.
        fs::write(&path, text.replace('\n', "\r\n")).map_err(|source| failed("written", &path, source))?;
        written.push(path);
    }
    Ok(written)
}

/// Collects this computer into a folder that is not there yet. What the script tells goes to this program's own output.
///
/// # Errors
/// When this is no Windows, or the script cannot be run.
pub fn collect(folder: &Path) -> Result<Collected, EngineError> {
    let failed = |action, path: &Path, source| EngineError::Io { action, path: path.to_path_buf(), source };
    if !cfg!(windows) {
        return Err(EngineError::NotOnHost);
    }
    let scripts = std::env::temp_dir().join(format!("hvmigrate-collect-{}", std::process::id()));
    let folder = std::path::absolute(folder).map_err(|source| failed("found", folder, source))?;
    let written = write_collector(&scripts)?;
    let script = written.iter().find(|path| path.extension().is_some_and(|end| end == "vbs"));
    let script = script.ok_or_else(|| failed("found", &scripts, io::ErrorKind::NotFound.into()))?;
    let status = Command::new("cscript.exe").arg("//nologo").arg(script).arg(folder).status();
    let status = status.map_err(|source| failed("run", Path::new("cscript.exe"), source));
    // Nothing of ours stays on the host.
    fs::remove_dir_all(&scripts).map_err(|source| failed("removed", &scripts, source))?;
    match status?.code() {
        Some(0) => Ok(Collected::Whole),
        _ => Ok(Collected::WithGaps),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_the_line_ends_and_letters_that_old_hosts_need() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new");
        let written = write_collector(&target).unwrap();
        assert_eq!(written, [target.join("collect.cmd"), target.join("collect.vbs")]);
        for path in written {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.is_ascii() && text.lines().count() > 5, "{}", path.display());
            assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        }
        if !cfg!(windows) {
            assert!(matches!(collect(&target), Err(EngineError::NotOnHost)));
        }
    }
}
