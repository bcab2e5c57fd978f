//! `hvmigrate disk compare`.

use std::path::PathBuf;

use hvm_engine::{DiskComparison, Until};

use super::DiskArgs;
use crate::cli::Format;
use crate::messages::{Exit, Failure};
use crate::output;
use crate::progress::Progress;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    disk: DiskArgs,
    /// The disk to compare it with, of any format
    second: PathBuf,
    /// Stops behind the first range that differs
    #[arg(long)]
    first_only: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let until = if args.first_only { Until::First } else { Until::End };
    let progress = Progress::new();
    let found = hvm_engine::disk_compare((&args.disk.file, &args.second), &args.disk.options(), until, &progress);
    progress.end();
    let found = found?;
    match args.format {
        Format::Text => output::data(&text(&found))?,
        Format::Json => output::json(&found)?,
    }
    Ok(if found.same { Exit::Done } else { Exit::Differs })
}

fn text(found: &DiskComparison) -> String {
    if found.same {
        return format!("The contents are the same: {} bytes.\n", found.first_size);
    }
    let mut out = String::new();
    if found.first_size != found.second_size {
        out.push_str(&format!("The first disk has {} bytes, the second {}.\n", found.first_size, found.second_size));
    }
    if let Some((offset, one, other)) = found.first_difference {
        out.push_str(&format!("The first differing byte is at {offset}: 0x{one:02x} and 0x{other:02x}.\n"));
    }
    for range in &found.ranges {
        out.push_str(&format!("{} bytes differ at {}\n", range.length, range.start));
    }
    if found.unlisted_ranges > 0 {
        out.push_str(&format!("{} further ranges differ, {} bytes in all.\n", found.unlisted_ranges, found.bytes));
    }
    out
}
