//! `hvmigrate disk`: a single disk file or chain, without a host around it.

mod chain;
mod check;
mod compare;
mod extents;
mod manifest;
mod serve;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use hvm_engine::{ChainOptions, Checksums, DiskInfo, DiskLayer, ParentTime};
use hvm_model::capabilities::DiskFormat;
use hvm_model::names::ByteSize;

use super::Format;
use crate::messages::{Exit, Failure};
use crate::output;
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  hvmigrate disk info Web_1A2B.avhd
  hvmigrate disk hash Web_1A2B.avhd --parent-dir /mnt/disks
  hvmigrate disk convert Web.vhd Web.qcow2 --to qcow2
  hvmigrate disk convert Web_1A2B.avhd new/Web_1A2B.avhdx --to vhdx --keep-chain
  hvmigrate disk manifest Web.vhd --output Web.manifest --new-key operator.key
  hvmigrate disk serve Web_1A2B.avhd --socket ./web.sock

The exit code is 4 when compare or verify find a difference, or check a fault.
The parents of a differencing disk are looked for beside it, in each --parent-dir, and by their recorded paths.";

/// Looks at, checks, proves, converts or serves a single disk with its chain
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Prints what the headers of a disk and its parents say
    Info {
        #[command(flatten)]
        disk: DiskArgs,
        /// How the result is printed
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Prints the BLAKE3 of the virtual content, the same for every format
    Hash {
        #[command(flatten)]
        disk: DiskArgs,
    },
    /// Writes the disk as a new file, its chain flattened or kept
    Convert {
        #[command(flatten)]
        disk: DiskArgs,
        /// The new file
        output: PathBuf,
        /// Its format
        #[arg(long, value_enum)]
        to: FormatName,
        #[command(flatten)]
        chain: chain::ChainArgs,
    },
    /// Lists which runs of the disk hold data and which are zeros
    Extents(extents::Args),
    /// Checks every structure of the files: checksums, overlaps, lost and orphaned space
    Check(check::Args),
    /// Compares the contents of two disks of any format
    Compare(compare::Args),
    /// Writes the hashes of the disk and its file, signed if wanted, so that a copy can be checked later and elsewhere
    Manifest(manifest::MakeArgs),
    /// Compares a disk with its manifest and names every range that differs
    Verify(manifest::VerifyArgs),
    /// Serves the disk, its chain flattened, read-only to NBD clients of this computer
    Serve(serve::Args),
}

/// A disk and where its parents may lie.
#[derive(clap::Args)]
struct DiskArgs {
    /// The disk; of a chain, the leaf
    file: PathBuf,
    /// Looks for parents in this folder too; may be given again
    #[arg(long, value_name = "DIR")]
    parent_dir: Vec<PathBuf>,
    /// Reads a VHD whose headers carry a wrong checksum, as long as everything else in them fits together
    #[arg(long)]
    accept_checksums: bool,
    /// Reads a chain although a parent's time stamp is not the one that its child recorded
    #[arg(long)]
    accept_parent_time: bool,
}

impl DiskArgs {
    fn options(&self) -> ChainOptions {
        ChainOptions {
            parent_dirs: self.parent_dir.clone(),
            checksums: if self.accept_checksums { Checksums::Accept } else { Checksums::Strict },
            parent_time: if self.accept_parent_time { ParentTime::Accept } else { ParentTime::Strict },
        }
    }
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

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::Info { disk, format } => {
            let info = hvm_engine::disk_info(&disk.file, &disk.options())?;
            match format {
                Format::Text => output::data(&info_text(&info))?,
                Format::Json => output::json(&info)?,
            }
        }
        Verb::Hash { disk } => {
            let progress = Progress::new();
            let hash = hvm_engine::disk_hash(&disk.file, &disk.options(), &progress);
            progress.end();
            output::data(&format!("{}  {}\n", hash?, disk.file.display()))?;
        }
        Verb::Convert { disk, output: target, to, chain } => {
            let format = chain.format((*to).into())?;
            if chain.keep_chain {
                return chain::run(disk, target, format, None);
            }
            convert(disk, target, format)?;
        }
        Verb::Extents(args) => return extents::run(args),
        Verb::Check(args) => return check::run(args),
        Verb::Compare(args) => return compare::run(args),
        Verb::Manifest(args) => return manifest::make(args),
        Verb::Verify(args) => return manifest::verify(args),
        Verb::Serve(args) => return serve::run(args),
    }
    Ok(Exit::Done)
}

fn convert(disk: &DiskArgs, target: &Path, to: DiskFormat) -> Result<(), Failure> {
    if target.exists() {
        let message = format!("'{}' exists already; it is left alone.", target.display());
        return Err(Failure::failed(message).hint("give another name, or move the file away"));
    }
    let progress = Progress::new();
    let hash = hvm_engine::disk_convert(&disk.file, target, to, &disk.options(), &progress);
    progress.end();
    output::data(&format!("{}  {}\n", hash?, target.display()))
}

fn info_text(info: &DiskInfo) -> String {
    let mut out = format!("virtual size   {}\n", exact(info.virtual_size));
    let _ = writeln!(out, "sector size    {} B", info.sector_size);
    for (index, layer) in info.layers.iter().enumerate() {
        let place = if index == 0 { "disk" } else { "its parent" };
        let _ = writeln!(out, "\n{place}: {}", layer.name);
        layer_lines(&mut out, layer);
    }
    out
}

fn exact(size: ByteSize) -> String {
    format!("{size} ({} B)", size.0)
}

fn layer_lines(out: &mut String, layer: &DiskLayer) {
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "  {name:<13}{value}");
        }
    };
    line("format", &layer.format);
    line("virtual size", &exact(layer.virtual_size));
    line("file size", &exact(layer.file_size));
    line("allocated", &exact(layer.allocated));
    if layer.block_size > 0 {
        line("block size", &ByteSize(layer.block_size.into()).to_string());
    }
    line("unique id", &layer.unique_id);
    line("written by", &layer.creator);
    if let Some(size) = layer.geometry_size {
        line("geometry", &format!("{}, differs from the size", exact(size)));
    }
    line("parent", layer.parent.as_deref().unwrap_or_default());
    line("parent id", layer.parent_id.as_deref().unwrap_or_default());
    for (platform, path) in &layer.parent_paths {
        line("recorded at", &format!("{path} ({platform})"));
    }
    for remark in &layer.remarks {
        line("remark", remark);
    }
}
