//! Writing a disk anew, in another format.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hvm_formats::disk::{Layer, SharedDisk};
use hvm_formats::guestfs::{UsedDisk, UsedVolume};
use hvm_model::capabilities::DiskFormat;
use hvm_sources::single::{ChainOptions, open_disk_file};
use hvm_transfer::{CopyJob, Durability, Manifest, Reflink, TransferError, Watch};
use serde::Serialize;

use crate::advice;
use crate::disks::{apart, described};
use crate::error::EngineError;
use crate::events::{Observer, Relay};

/// What becomes of the clusters that the guest's file systems mark as free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SpareRoom {
    /// They are copied like everything else: the copy is bit-exact.
    #[default]
    Copy,
    /// They read as zeros in the copy; refused when a volume is in doubt.
    LeaveOut,
}

/// How a disk is converted.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// Format of the new file.
    pub format: DiskFormat,
    /// What becomes of free space inside the volumes.
    pub spare_room: SpareRoom,
    /// Most bytes a second; none for no limit.
    pub rate: Option<u64>,
    /// What an unfinished conversion survives.
    pub durability: Durability,
    /// Whether the new file may share extents with the files of the disk.
    pub reflink: Reflink,
    /// Where a manifest of the new file goes; none makes none, and nothing is hashed.
    pub manifest: Option<PathBuf>,
}

/// What came of a conversion.
#[derive(Debug, Clone, Serialize)]
pub struct DiskConversion {
    /// The new file.
    pub output: PathBuf,
    /// Its format.
    pub format: DiskFormat,
    /// Virtual size, bytes.
    pub virtual_size: u64,
    /// The value of the virtual content in its manifest, 64 hex digits; none when no manifest was made.
    pub content: Option<String>,
    /// How the content came into the new file: `shared` when extents of the source were shared, else `copied`.
    pub way: &'static str,
    /// Bytes of content that this run shared with the source.
    pub bytes_shared: u64,
    /// The file system that shares them.
    pub shared_by: Option<&'static str>,
    /// Why nothing was shared, or a part of the chain was not; none when sharing was not wanted or all went well.
    pub not_shared: Option<String>,
    /// Bytes read from the source by this run.
    pub bytes_read: u64,
    /// Bytes of content written by this run.
    pub bytes_written: u64,
    /// Virtual offset from which this run went on; 0 when it did everything.
    pub resumed_from: u64,
    /// Seconds that this run took.
    pub seconds: f64,
    /// The free space that was left out; none when everything was copied.
    pub left_out: Option<LeftOut>,
    /// The way as a sentence; none when copying was all that was asked for.
    #[serde(skip)]
    pub told: Option<String>,
}

/// Free space that was not copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Bytes that the volumes mark as free.
    pub free: u64,
    /// Those of them that the source stores and that were not copied.
    pub bytes: u64,
    /// Each volume.
    pub volumes: Vec<UsedVolume>,
}

/// Copies a disk, its chain flattened, to a new file. A conversion that was cut off goes on when it is run again.
pub fn disk_convert(
    (input, output): (&Path, &Path),
    how: &Conversion,
    options: &ChainOptions,
    observer: &dyn Observer,
) -> Result<DiskConversion, EngineError> {
    let disk = open_disk_file(input, options)?;
    let mut source = described(&disk, modified);
    let (disk, left_out) = match how.spare_room {
        SpareRoom::Copy => (disk, None),
        SpareRoom::LeaveOut => {
            let used = UsedDisk::new(disk)?;
            let left_out = LeftOut {
                free: used.free_bytes(),
                bytes: used.volumes().iter().map(|volume| volume.left_out).sum(),
                volumes: used.volumes().to_vec(),
            };
            // An unfinished copy of the whole disk is no beginning of one without free space, nor the other way round.
            source.push_str(&format!(
                "without {} bytes of free space in {} ranges\n",
                left_out.free,
                used.free().len()
            ));
            (Arc::new(used) as SharedDisk, Some(left_out))
        }
    };
    let id = blake3::hash(source.as_bytes());
    let id = *id.as_bytes().first_chunk::<16>().expect("a BLAKE3 value has 32 bytes");
    let relay = Relay::new(observer, input.display().to_string());
    let watch = Watch { rate: how.rate, ..relay.watch() };
    let virtual_size = disk.size();
    let manifest = how.manifest.as_deref();
    if let Some(path) = manifest {
        free_for_manifest(path, output, &source)?;
    }
    let job = CopyJob { disk, source: &source, target: output, format: how.format, id, manifest, reflink: how.reflink };
    let done = hvm_transfer::stream(&job, how.durability, &watch);
    let done = done.map_err(|error| advice::of_copy(error, (output, how.format), &*job.disk))?;
    let (told, way) = (done.way.told(done.bytes_written), done.way);
    Ok(DiskConversion {
        output: output.to_owned(),
        format: how.format,
        virtual_size,
        content: done.content.map(|content| content.to_string()),
        way: if way.shared > 0 { "shared" } else { "copied" },
        bytes_shared: way.shared,
        shared_by: way.file_system,
        not_shared: way.reason,
        bytes_read: done.bytes_read,
        bytes_written: done.bytes_written,
        resumed_from: done.resumed_from,
        seconds: done.seconds,
        left_out,
        told,
    })
}

/// Whether the manifest of a conversion may be written at `path`: it is no part of the conversion itself, and what is there
/// already is the manifest that an unfinished run of this very conversion left.
fn free_for_manifest(path: &Path, output: &Path, source: &str) -> Result<(), EngineError> {
    for (what, file) in [
        ("new disk", output.to_owned()),
        ("unfinished new disk", hvm_transfer::partial_path(output)),
        ("list of what was written", hvm_transfer::stream_log_path(output)),
    ] {
        apart(("manifest", path), (what, &file))?;
    }
    let there = path.symlink_metadata().is_ok();
    let own = || Manifest::load(path).is_ok_and(|manifest| manifest.source == source);
    if there && !(hvm_transfer::partial_path(output).exists() && own()) {
        let reason = "a manifest never replaces a file".to_owned();
        return Err(TransferError::Exists { path: path.to_owned(), reason }.into());
    }
    Ok(())
}

/// Time since 1970 at which the file of a layer was last written. A device tells none, so that a cut conversion of one is always
/// begun anew.
fn modified(layer: &Layer) -> Duration {
    let time = match std::fs::metadata(&layer.name) {
        Ok(metadata) if metadata.is_file() => metadata.modified().ok(),
        _ => Some(SystemTime::now()),
    };
    time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default()
}
