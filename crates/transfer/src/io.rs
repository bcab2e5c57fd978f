//! Writing files so that a reader sees the old or the new content and never a part, also after a loss of power.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::TransferError;

/// Most bytes of a file name on the usual file systems.
const MAX_NAME: usize = 255;
/// Length of `.partial.written`, so that all hidden names of a file are formed alike.
const LONGEST_SUFFIX: usize = 16;

/// Writes `bytes` beside `path`, flushes them to the medium, and renames them over `path`.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), TransferError> {
    let partial = beside(path, ".partial");
    let mut file = File::create(&partial).map_err(TransferError::io("created", &partial))?;
    file.write_all(bytes).map_err(TransferError::io("written", &partial))?;
    file.sync_all().map_err(TransferError::io("flushed", &partial))?;
    drop(file);
    fs::rename(&partial, path).map_err(TransferError::io("renamed into place", path))?;
    sync_folder(path)
}

/// Flushes the folder that holds `path`, so that a rename or a removal in it survives a loss of power.
pub fn sync_folder(path: &Path) -> Result<(), TransferError> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let open = File::open(folder).map_err(TransferError::io("opened", folder))?;
        open.sync_all().map_err(TransferError::io("flushed", folder))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// The number of tmpfs.
#[cfg(target_os = "linux")]
pub(crate) const TMPFS: u64 = 0x0102_1994;

/// The number of a kind of file system (`statfs(2)`).
#[cfg(target_os = "linux")]
pub(crate) fn kind(system: &rustix::fs::StatFs) -> u64 {
    // It has 32 bits; what is above them is the sign.
    system.f_type as u64 & u64::from(u32::MAX)
}

/// Removes a file; one that is not there is as good.
pub fn remove_if_there(path: &Path) -> Result<bool, TransferError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(TransferError::Io { action: "removed", path: path.to_owned(), source }),
    }
}

/// The hidden name `.NAME<suffix>` in the same folder; of a name that leaves no room for that, its hash takes the place.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let mut hidden = OsString::from(".");
    if name.len() + LONGEST_SUFFIX < MAX_NAME {
        hidden.push(name);
    } else {
        hidden.push(blake3::hash(name.as_encoded_bytes()).to_hex().as_str());
    }
    hidden.push(suffix);
    path.with_file_name(hidden)
}
