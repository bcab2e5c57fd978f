//! Every structure of a disk's files.

use std::path::Path;

use hvm_formats::check::{Weight, check};
use hvm_formats::disk::DiskError;
use hvm_sources::error::SourceError;
use hvm_sources::single::{ChainOptions, open_disk_file};
use serde::Serialize;

use super::plain;
use crate::error::EngineError;
use crate::hints;

/// What a check of a disk and its parents found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DiskCheck {
    /// The files that were checked, the leaf first.
    pub files: Vec<String>,
    /// Everything that was found.
    pub findings: Vec<DiskFinding>,
    /// Faults that are not listed because there are too many.
    pub unlisted: u64,
    /// Bytes of the files that nothing refers to.
    pub unreferenced_bytes: u64,
    /// Why the disk cannot be read with its parents; none when it can.
    pub unreadable: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskFinding {
    /// True when something is wrong; false for what is only worth knowing.
    pub fault: bool,
    /// The file.
    pub file: String,
    /// Offset in the file, bytes.
    pub offset: u64,
    /// What was found, a whole sentence.
    pub text: String,
}

impl DiskCheck {
    /// True when nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.unlisted == 0 && self.unreadable.is_none() && self.findings.iter().all(|finding| !finding.fault)
    }

    fn add(&mut self, path: &Path) -> Result<(), EngineError> {
        let name = path.display().to_string();
        let report = check(&plain(path)?, None)?;
        for finding in report.findings.list {
            let fault = finding.weight == Weight::Fault;
            self.findings.push(DiskFinding { fault, file: name.clone(), offset: finding.offset, text: finding.text });
        }
        self.unlisted += report.findings.unlisted;
        self.unreferenced_bytes += report.findings.unreferenced;
        self.files.push(name);
        Ok(())
    }
}

/// Checks a disk file and, as far as the chain can be opened, its parents.
pub fn disk_check(path: &Path, options: &ChainOptions) -> Result<DiskCheck, EngineError> {
    let mut found = DiskCheck::default();
    match open_disk_file(path, options) {
        Ok(disk) => {
            found.add(path)?;
            for parent in disk.layers().iter().skip(1) {
                found.add(Path::new(&parent.name))?;
            }
        }
        // What cannot be opened may still be looked at.
        Err(SourceError::Disk(error)) if !matches!(error, DiskError::Read { .. }) => {
            found.add(path)?;
            found.unreadable = Some(error.to_string());
            found.hint = hints::of_checked(&error).map(str::to_owned);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(found)
}
