//! `hvmigrate disk check`.

use hvm_engine::DiskCheck;

use super::DiskArgs;
use crate::cli::Format;
use crate::messages::{Exit, Failure};
use crate::output;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    disk: DiskArgs,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let found = hvm_engine::disk_check(&args.disk.file, &args.disk.options())?;
    match args.format {
        Format::Text => output::data(&text(&found))?,
        Format::Json => output::json(&found)?,
    }
    if let Some(hint) = &found.hint {
        output::note(&format!("Hint: {hint}"));
    }
    Ok(match &found.unreadable {
        Some(_) => Exit::Failed,
        None if found.is_clean() => Exit::Done,
        None => Exit::Differs,
    })
}

fn text(found: &DiskCheck) -> String {
    let mut out = String::new();
    for finding in &found.findings {
        let weight = if finding.fault { "FAULT" } else { "note " };
        let (file, text) = (output::one_line(&finding.file), output::one_line(&finding.text));
        out.push_str(&format!("{weight} {file}, offset {}: {text}\n", finding.offset));
    }
    if found.unlisted > 0 {
        out.push_str(&format!("{} further faults are not listed.\n", found.unlisted));
    }
    if found.unreferenced_bytes > 0 {
        out.push_str(&format!("Nothing refers to {} bytes.\n", found.unreferenced_bytes));
    }
    let files = if found.files.len() == 1 { "1 file".to_owned() } else { format!("{} files", found.files.len()) };
    match &found.unreadable {
        Some(reason) => {
            out.push_str(&format!("Checked {files}. The disk cannot be read: {}\n", output::one_line(reason)))
        }
        None if found.is_clean() => out.push_str(&format!("Checked {files}: nothing is wrong.\n")),
        None => {
            let faults = found.findings.iter().filter(|finding| finding.fault).count() as u64 + found.unlisted;
            let faults = if faults == 1 { "1 fault".to_owned() } else { format!("{faults} faults") };
            out.push_str(&format!("Checked {files}: {faults}.\n"));
        }
    }
    out
}
