//! `hvmigrate disk convert`.

use std::path::PathBuf;

use clap::ValueEnum;
use hvm_engine::{Conversion, DiskConversion, Durability, LeftOut, Reflink, SpareRoom, UsedVolume};
use hvm_model::capabilities::DiskFormat;
use hvm_model::names::ByteSize;

use super::{DiskArgs, chain};
use crate::cli::Format;
use crate::messages::{Exit, Failure};
use crate::output;
use crate::progress::Progress;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    disk: DiskArgs,
    /// The new file
    output: PathBuf,
    /// Its format
    #[arg(long, value_enum)]
    to: FormatName,
    #[command(flatten)]
    chain: chain::ChainArgs,
    /// Leaves out the clusters that NTFS and ext mark as free; refused when a volume is not clean or not known
    #[arg(long, conflicts_with = "keep_chain")]
    skip_free_space: bool,
    /// Most bytes a second, such as 50M or 1G (powers of 1024)
    #[arg(long, value_name = "RATE", value_parser = rate)]
    limit: Option<u64>,
    /// Makes a manifest of the content in the same run, to check the new file later and elsewhere
    #[arg(long, value_name = "FILE", conflicts_with = "keep_chain")]
    manifest: Option<PathBuf>,
    /// Flushes all along, so that an unfinished conversion goes on after a loss of power too, not only after a kill
    #[arg(long, conflicts_with = "keep_chain")]
    sync: bool,
    /// Whether the new file may share extents with the files of the disk, on XFS and btrfs: no byte is moved then
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN", conflicts_with = "keep_chain")]
    reflink: ReflinkName,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Formats that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// Plain sectors
    Raw,
    /// VHD, dynamic
    Vhd,
    /// VHD, fixed
    VhdFixed,
    /// VHDX, dynamic
    Vhdx,
    /// VHDX, fixed
    VhdxFixed,
    /// QCOW2, version 3
    Qcow2,
}

/// When extents are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReflinkName {
    /// Where it is possible; the rest is copied
    Auto,
    /// Refuse to copy everything
    Always,
    /// Copy everything
    Never,
}

impl From<ReflinkName> for Reflink {
    fn from(name: ReflinkName) -> Reflink {
        match name {
            ReflinkName::Auto => Reflink::Auto,
            ReflinkName::Always => Reflink::Always,
            ReflinkName::Never => Reflink::Never,
        }
    }
}

impl From<FormatName> for DiskFormat {
    fn from(name: FormatName) -> DiskFormat {
        match name {
            FormatName::Raw => DiskFormat::Raw,
            FormatName::Vhd => DiskFormat::Vhd,
            FormatName::VhdFixed => DiskFormat::VhdFixed,
            FormatName::Vhdx => DiskFormat::Vhdx,
            FormatName::VhdxFixed => DiskFormat::VhdxFixed,
            FormatName::Qcow2 => DiskFormat::Qcow2,
        }
    }
}

/// A number of bytes a second: `50M`, `1GiB`, `1500K/s`, `1048576`.
fn rate(text: &str) -> Result<u64, String> {
    let size = text.strip_suffix("/s").unwrap_or(text);
    match size.parse::<ByteSize>() {
        Ok(ByteSize(0)) => Err("a rate of 0 would never end; 1 byte a second is the least".to_owned()),
        Ok(ByteSize(bytes)) => Ok(bytes),
        Err(_) => Err("expected bytes a second, such as 50M, 1G or 1048576".to_owned()),
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let format = args.chain.format(args.to.into())?;
    if args.chain.keep_chain {
        let kept = chain::run(&args.disk, &args.output, format, args.limit)?;
        match args.format {
            Format::Text => output::data(&chain::text(&kept))?,
            Format::Json => output::json(&kept)?,
        }
        return Ok(Exit::Done);
    }
    if args.output.exists() {
        let message = format!("'{}' exists already; it is left alone.", args.output.display());
        return Err(Failure::failed(message).hint("give another name, or move the file away"));
    }
    let spare_room = if args.skip_free_space { SpareRoom::LeaveOut } else { SpareRoom::Copy };
    let durability = if args.sync { Durability::PowerLoss } else { Durability::Kill };
    let how = Conversion {
        format,
        spare_room,
        rate: args.limit,
        durability,
        manifest: args.manifest.clone(),
        reflink: args.reflink.into(),
    };
    let progress = Progress::new();
    let done = hvm_engine::disk_convert((&args.disk.file, &args.output), &how, &args.disk.options(), &progress);
    progress.end();
    let done = done?;
    match args.format {
        Format::Text => {
            output::data(&text(&done))?;
            if let Some(way) = &done.told {
                output::note(way);
            }
            if let Some(left_out) = &done.left_out {
                output::note(&left_out_text(left_out));
            }
        }
        Format::Json => output::json(&done)?,
    }
    Ok(Exit::Done)
}

fn text(done: &DiskConversion) -> String {
    match &done.content {
        Some(content) => format!("{content}  {}\n", done.output.display()),
        None => format!("{}\n", done.output.display()),
    }
}

fn left_out_text(left_out: &LeftOut) -> String {
    let (bytes, free) = (ByteSize(left_out.bytes), ByteSize(left_out.free));
    let mut text = format!("Left out {bytes} of data in free space; the volumes mark {free} as free:");
    for volume in &left_out.volumes {
        text.push_str(&format!("\n  {}: ", name(volume)));
        text.push_str(&match volume.copied_whole {
            Some(reason) => format!("copied whole, {reason}"),
            None => format!("{} of {} free left out", ByteSize(volume.left_out), ByteSize(volume.free)),
        });
    }
    text
}

fn name(volume: &UsedVolume) -> String {
    let place = match volume.partition {
        0 => "the disk".to_owned(),
        number => format!("partition {number}"),
    };
    match volume.label.as_str() {
        "" => format!("{place} ({})", volume.kind.name()),
        label => format!("{place} ({} '{label}')", volume.kind.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_are_bytes_a_second_in_powers_of_1024() {
        assert_eq!(rate("50M"), Ok(50 << 20));
        assert_eq!(rate("1g"), Ok(1 << 30));
        assert_eq!(rate("1500KiB/s"), Ok(1500 << 10));
        assert_eq!(rate("4096"), Ok(4096));
        for wrong in ["", "0", "0M", "fast", "-1M", "1.5G", "5 parsecs", "99999999T", "M"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
