//! Writing past the page cache: when everything is flushed anyway, that saves the copy into it, and several writes can be
//! under way at once.

use std::fs::File;
use std::path::Path;

use crate::error::TransferError;
use crate::file::write_at;
use crate::pipeline::ALIGNED;

/// A file that is open for direct I/O.
pub(crate) struct Direct<'a> {
    direct: File,
    /// For what is not aligned.
    plain: File,
    path: &'a Path,
}

impl<'a> Direct<'a> {
    /// Opens a file that is there; `None` where there is no direct I/O.
    pub(crate) fn open(path: &'a Path) -> Option<Self> {
        let plain = File::options().write(true).open(path).ok()?;
        Some(Direct { direct: open(path)?, plain, path })
    }

    /// Writes `bytes` at `offset`.
    pub(crate) fn put(&self, bytes: &[u8], offset: u64) -> Result<(), TransferError> {
        let failed = TransferError::io("written", self.path);
        if (offset | bytes.len() as u64 | bytes.as_ptr().addr() as u64).is_multiple_of(ALIGNED as u64) {
            match write_at(&self.direct, bytes, offset) {
                // Some file systems want more than 4 KiB.
                Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {}
                written => return written.map_err(failed),
            }
        }
        write_at(&self.plain, bytes, offset).map_err(failed)
    }
}

#[cfg(target_os = "linux")]
fn open(path: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::DIRECT.bits() as i32;
    File::options().write(true).custom_flags(flags).open(path).ok()
}

#[cfg(not(target_os = "linux"))]
fn open(_path: &Path) -> Option<File> {
    None
}
