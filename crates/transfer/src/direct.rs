//! Writing past the page cache: as every file is flushed before it gets its name, that saves the copy into it, several writes
//! can be under way at once, and nothing is left to be flushed at the end.

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
    /// Opens a file that is there; `None` where there is no direct I/O, or no medium that could be written to directly.
    pub(crate) fn open(path: &'a Path) -> Option<Self> {
        let plain = File::options().write(true).open(path).ok()?;
        if is_in_memory(&plain) {
            return None;
        }
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

/// True for a file of tmpfs or ramfs: their page cache is all that there is. Newer kernels open such a file for direct I/O
/// nevertheless, and one writer is quicker there than several that wait for each other.
#[cfg(target_os = "linux")]
fn is_in_memory(file: &File) -> bool {
    const RAMFS: u64 = 0x8584_58F6;
    rustix::fs::fstatfs(file).is_ok_and(|system| matches!(crate::io::kind(&system), crate::io::TMPFS | RAMFS))
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_: &File) -> bool {
    false
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

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_not_written_past_its_page_cache() {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        if !mounts.lines().any(|line| line.split(' ').skip(1).take(2).eq(["/dev/shm", "tmpfs"])) {
            println!("skipped: /dev/shm is no tmpfs here");
            return;
        }
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = folder.path().join("f");
        assert!(is_in_memory(&File::create(&path).unwrap()) && Direct::open(&path).is_none());
        assert!(!is_in_memory(&File::open("/proc/mounts").unwrap()));
    }
}
