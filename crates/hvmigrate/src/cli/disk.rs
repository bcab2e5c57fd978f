//! `hvmigrate disk`: a single disk file or chain, without a host around it.

mod chain;
mod check;
mod compare;
mod convert;
mod extents;
mod info;
mod manifest;
mod serve;

use std::path::PathBuf;

use clap::Subcommand;
use hvm_engine::{ChainOptions, Checksums, HashKind, ParentTime};
use hvm_model::names::WindowsPath;

use crate::messages::{Exit, Failure};
use crate::output;
use crate::progress::Progress;

const EXAMPLES: &str = "\
Examples:
  hvmigrate disk info Web_1A2B.avhd
  hvmigrate disk hash Web_1A2B.avhd --parent-dir /mnt/disks
  hvmigrate disk hash --from image:/dev/sdb,/dev/sdc 'D:\\VMs\\Web.vhd'
  hvmigrate disk convert Web.vhd Web.qcow2 --to qcow2
  hvmigrate disk convert Web_1A2B.avhd new/Web_1A2B.avhdx --to vhdx --keep-chain
  hvmigrate disk convert Web.vhd Web.vhdx --to vhdx --skip-free-space --limit 50M
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
    /// Prints what the headers say, the chain, the partitions, their file systems and the guest system
    Info(info::Args),
    /// Prints the BLAKE3 of the virtual content, the same for every format
    Hash {
        #[command(flatten)]
        disk: DiskArgs,
        /// Prints the value that manifests and reports give instead: a BLAKE3 tree in which zeros cost nothing
        #[arg(long)]
        tree: bool,
        /// Takes FILE for the path of a disk on the old host, and reads it from this source: folder:, image: or export:
        #[arg(long, value_name = "URI", conflicts_with_all = ["parent_dir", "accept_checksums", "accept_parent_time"])]
        from: Option<String>,
    },
    /// Writes the disk as a new file, its chain flattened or kept
    Convert(convert::Args),
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
            recorded_paths: true,
        }
    }
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::Info(args) => return info::run(args),
        Verb::Hash { disk, tree, from } => {
            let progress = Progress::new();
            let kind = if *tree { HashKind::Tree } else { HashKind::Plain };
            let hash = match from {
                Some(uri) => {
                    let path = WindowsPath::new(&disk.file.to_string_lossy());
                    hvm_engine::source_disk_hash(uri, &path, kind, &progress)
                }
                None => hvm_engine::disk_hash(&disk.file, kind, &disk.options(), &progress),
            };
            progress.end();
            output::data(&format!("{}  {}\n", hash?, disk.file.display()))?;
        }
        Verb::Convert(args) => return convert::run(args),
        Verb::Extents(args) => return extents::run(args),
        Verb::Check(args) => return check::run(args),
        Verb::Compare(args) => return compare::run(args),
        Verb::Manifest(args) => return manifest::make(args),
        Verb::Verify(args) => return manifest::verify(args),
        Verb::Serve(args) => return serve::run(args),
    }
    Ok(Exit::Done)
}
