//! Checks of whole disk files: every structure, not only what reading the content needs. A check never stops at the
//! first fault, reads within bounds whatever the file says, and lists what it finds with the offset in the file.

mod cover;

pub(crate) use cover::{Cover, Part};

use crate::disk::{DiskError, Format, NoParents, OpenOptions, detect, open_with};
use crate::io::SharedFile;
use crate::{qcow2, vhd, vhdx};

/// Findings that are listed; further ones are counted.
const LISTED: usize = 10_000;

/// How much a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The specification is broken, bytes are lost, or space is wasted.
    Fault,
    /// Worth knowing; all is well without it.
    Note,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it means.
    pub weight: Weight,
    /// Where it lies in the file, bytes.
    pub offset: u64,
    /// What was found and what was expected, a whole sentence.
    pub text: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// In the order in which they were found.
    pub list: Vec<Finding>,
    /// Faults beyond the listed ones.
    pub unlisted: u64,
    /// Bytes of the file that nothing refers to.
    pub unreferenced: u64,
}

impl Findings {
    pub(crate) fn fault(&mut self, offset: u64, text: impl Into<String>) {
        self.push(Weight::Fault, offset, text.into());
    }

    pub(crate) fn note(&mut self, offset: u64, text: impl Into<String>) {
        self.push(Weight::Note, offset, text.into());
    }

    fn push(&mut self, weight: Weight, offset: u64, text: String) {
        if self.list.len() < LISTED {
            self.list.push(Finding { weight, offset, text });
        } else if weight == Weight::Fault {
            self.unlisted += 1;
        }
    }

    /// True when there are no faults.
    pub fn is_clean(&self) -> bool {
        self.unlisted == 0 && self.list.iter().all(|finding| finding.weight == Weight::Note)
    }
}

/// A checked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The format that was recognised.
    pub format: Format,
    /// What was found.
    pub findings: Findings,
    /// Why the disk cannot be opened at all; `None` when it can. A missing parent does not count.
    pub unreadable: Option<String>,
}

/// Checks one file without its parents. Only what the system cannot read, and a format that is not recognised, is an
/// error.
pub fn check(file: &SharedFile, format: Option<Format>) -> Result<Report, DiskError> {
    let format = match format {
        Some(format) => format,
        None => detect(&**file)?,
    };
    let mut findings = Findings::default();
    match format {
        Format::Raw => {
            if !file.len().is_multiple_of(512) {
                let end = file.len() / 512 * 512;
                findings.fault(end, format!("The last sector has only {} of 512 bytes.", file.len() - end));
            }
        }
        Format::Vhd => vhd::check(file, &mut findings)?,
        Format::Qcow2 => qcow2::check(file, &mut findings)?,
        Format::Vhdx => vhdx::check(file, &mut findings)?,
    }
    let options = OpenOptions { format: Some(format), ..OpenOptions::default() };
    let unreadable = match open_with(file.clone(), &NoParents, &options) {
        Ok(_) | Err(DiskError::MissingParent { .. }) => None,
        Err(error @ DiskError::Read { .. }) => return Err(error),
        Err(error) => Some(error.to_string()),
    };
    Ok(Report { format, findings, unreadable })
}
