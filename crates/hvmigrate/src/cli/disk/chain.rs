//! What becomes of the layers of a chain in `hvmigrate disk convert`, and how qcow2 is stored.

use std::path::Path;

use hvm_engine::KeptDisk;
use hvm_model::capabilities::DiskFormat;

use super::DiskArgs;
use crate::messages::Failure;
use crate::progress::Progress;

#[derive(clap::Args)]
pub(super) struct ChainArgs {
    /// Keeps each layer of the chain: for VHD and VHDX as files beside the output, which is the leaf; in qcow2 as internal snapshots
    #[arg(long, conflicts_with = "flatten")]
    pub keep_chain: bool,
    /// Writes the chain as one disk without a parent, which is the default
    #[arg(long)]
    pub flatten: bool,
    /// Packs the clusters of a qcow2 file with zstd
    #[arg(long)]
    pub compress: bool,
}

impl ChainArgs {
    /// The format with its packing.
    pub(super) fn format(&self, format: DiskFormat) -> Result<DiskFormat, Failure> {
        match (self.compress, format) {
            (false, _) => Ok(format),
            (true, DiskFormat::Qcow2) => Ok(DiskFormat::Qcow2Zstd),
            (true, _) => {
                let message = format!("A {format} cannot be compressed; only qcow2 can.");
                Err(Failure::failed(message).hint("leave --compress away, or convert with --to qcow2"))
            }
        }
    }
}

/// Converts a chain and keeps its layers.
pub(super) fn run(disk: &DiskArgs, target: &Path, format: DiskFormat, rate: Option<u64>) -> Result<KeptDisk, Failure> {
    let progress = Progress::new();
    let kept = hvm_engine::disk_keep_chain((&disk.file, target), format, &disk.options(), rate, &progress);
    progress.end();
    Ok(kept?)
}

/// The hash of the leaf as for every conversion, then the parents.
pub(super) fn text(kept: &KeptDisk) -> String {
    let mut out = String::new();
    for (number, layer) in kept.layers.iter().enumerate() {
        out.push_str(&match (number, &layer.snapshot) {
            (0, _) => format!("{}  {}\n", kept.content, layer.file.display()),
            (_, Some(name)) => format!("  over the snapshot '{name}', {} bytes of its own\n", layer.bytes),
            (_, None) => format!("  over {}, {} bytes of its own\n", layer.file.display(), layer.bytes),
        });
    }
    out
}
