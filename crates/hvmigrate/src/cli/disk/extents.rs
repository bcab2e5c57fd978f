//! `hvmigrate disk extents`.

use hvm_engine::DiskExtent;

use super::DiskArgs;
use crate::cli::Format;
use crate::messages::{Exit, Failure};
use crate::output;

/// Text is collected up to so many bytes.
const COLLECTED: usize = 64 << 10;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    disk: DiskArgs,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let extents = hvm_engine::disk_extents(&args.disk.file, &args.disk.options())?;
    let (mut text, mut between) = (String::new(), "");
    text.push_str(if args.format == Format::Json { "[" } else { "           start           length  holds\n" });
    for extent in extents {
        let extent: DiskExtent = extent?;
        match args.format {
            Format::Text => {
                let holds = if extent.data { "data" } else { "zeros" };
                text.push_str(&format!("{:>16} {:>16}  {holds}\n", extent.start, extent.length));
            }
            Format::Json => {
                let DiskExtent { start, length, data } = extent;
                text.push_str(&format!(
                    "{between}\n  {{ \"start\": {start}, \"length\": {length}, \"data\": {data} }}"
                ));
                between = ",";
            }
        }
        if text.len() > COLLECTED {
            output::data(&std::mem::take(&mut text))?;
        }
    }
    text.push_str(if args.format == Format::Json { "\n]\n" } else { "" });
    output::data(&text)?;
    Ok(Exit::Done)
}
