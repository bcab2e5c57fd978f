//! `hvmigrate report`: writes report.html and report.json and prints the summary.

use std::path::{Path, PathBuf};

use hvm_model::report::Report;

use super::work::WorkArgs;
use crate::messages::{Exit, Failure};
use crate::{output, render};

const EXAMPLES: &str = "\
Examples:
  hvmigrate report --work ./work
  hvmigrate report --work ./work --output /srv/reports/hv-old-01";

/// Writes report.html and report.json and prints the summary
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    work: WorkArgs,
    /// Folder for the two files; the work folder when not given
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let report = hvm_engine::report(&args.work.work)?;
    let folder = args.output.as_deref().unwrap_or(&args.work.work);
    let written = write(&report, folder)?;
    output::data(&render::text::report(&report))?;
    for path in written {
        output::note(&format!("Written: {}", path.display()));
    }
    Ok(Exit::Done)
}

/// Writes both files into a folder, each complete or not at all, and says where they are.
pub fn write(report: &Report, folder: &Path) -> Result<[PathBuf; 2], Failure> {
    let failure =
        |path: &Path, error| Failure::failed(format!("'{}' could not be written.", path.display())).caused_by(error);
    std::fs::create_dir_all(folder).map_err(|error| failure(folder, error))?;
    let html = folder.join("report.html");
    let json = folder.join("report.json");
    for (path, text) in [(&html, render::html::report(report)), (&json, output::pretty(report)? + "\n")] {
        let partial = path.with_extension("partial");
        std::fs::write(&partial, text)
            .and_then(|()| std::fs::rename(&partial, path))
            .map_err(|error| failure(path, error))?;
    }
    Ok([html, json])
}
