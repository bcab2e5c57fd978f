//! What the kernel is asked: what a folder lies on, whether a file can share its extents with one in that folder, and to do
//! so. On Linux only; elsewhere nothing can be shared.

use std::path::Path;

/// A file system that can share extents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileSystem {
    pub name: &'static str,
    /// Extents begin and end at multiples of this, in bytes.
    pub block: u64,
}

/// The folder that `path` lies in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::OpenOptionsExt;

    use hvm_formats::io::ReadAt;
    use rustix::fs::{FallocateFlags, OFlags, SeekFrom, copy_file_range, fallocate, fstatfs, ioctl_ficlone, seek};
    use rustix::io::Errno;

    use super::{FileSystem, Path, folder};
    use crate::io::{TMPFS, kind};

    /// File systems by the number that statfs gives. In the first two `copy_file_range` shares what is aligned; in others it
    /// may copy, or leave the copying to a server.
    const XFS: u64 = 0x5846_5342;
    const BTRFS: u64 = 0x9123_683E;
    const OTHERS: [(u64, &str); 10] = [
        (0xEF53, "ext4"),
        (TMPFS, "tmpfs"),
        (0x6969, "NFS"),
        (0xFF53_4D42, "SMB"),
        (0xFE53_4D42, "SMB"),
        (0x2011_BAB0, "exFAT"),
        (0x7366_746E, "NTFS"),
        (0x794C_7630, "overlayfs"),
        (0x2FC1_2FC1, "ZFS"),
        (0xCA45_1A4E, "bcachefs"),
    ];

    /// The file system in which `path` lies, or why it cannot share.
    pub(in crate::share) fn file_system(path: &Path) -> Result<FileSystem, String> {
        let failed = |error: io::Error| format!("the folder of the new file could not be looked at ({error})");
        let open = File::open(folder(path)).map_err(failed)?;
        let found = fstatfs(&open).map_err(|error| failed(error.into()))?;
        let number = kind(&found);
        let name = match number {
            XFS => "XFS",
            BTRFS => "btrfs",
            _ => {
                let known = OTHERS.iter().find(|(other, _)| *other == number);
                let name =
                    known.map_or_else(|| format!("a file system of type {number:#x}"), |(_, name)| (*name).to_owned());
                return Err(format!("{name} cannot share what files hold, only XFS and btrfs can"));
            }
        };
        Ok(FileSystem { name, block: u64::try_from(found.f_bsize).unwrap_or(0).max(4096) })
    }

    /// Whether `source` can share its extents with a file beside `path`: tried with a file that has no name and is gone when
    /// it is closed. The reason when not.
    pub(in crate::share) fn try_sharing(source: &dyn ReadAt, path: &Path, name: &str) -> Result<(), String> {
        let Some(handle) = source.handle() else {
            return Err("it is not a file of this computer".to_owned());
        };
        let mut options = File::options();
        // The bits of open(2) fit into its flags argument.
        options.read(true).write(true).custom_flags(OFlags::TMPFILE.bits() as i32);
        let nameless = options.open(folder(path)).map_err(|error| format!("it could not be tried ({error})"))?;
        ioctl_ficlone(&nameless, handle).map_err(|error| match error {
            Errno::XDEV => "it lies on another file system than the new file".to_owned(),
            Errno::OPNOTSUPP => format!("this {name} was made without shared extents (mkfs option reflink)"),
            Errno::INVAL => format!("{name} does not share between files with and without checksums (chattr +C)"),
            error => format!("{name} refused it ({error})"),
        })
    }

    /// Lets `target` share up to `len` bytes of `source`; how many it was, at least one.
    pub(in crate::share) fn share(
        (source, from): (&dyn ReadAt, u64),
        (target, to): (&File, u64),
        len: u64,
    ) -> io::Result<u64> {
        let handle = source.handle().ok_or(io::ErrorKind::Unsupported)?;
        let (mut from, mut to) = (from, to);
        loop {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            match copy_file_range(handle, Some(&mut from), target, Some(&mut to), len) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(done) => return Ok(done as u64),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The first hole of `file` in `start .. end`.
    pub(in crate::share) fn hole(file: &File, start: u64, end: u64) -> Option<(u64, u64)> {
        let from = seek(file, SeekFrom::Hole(start)).ok().filter(|from| *from < end)?;
        let until = seek(file, SeekFrom::Data(from)).unwrap_or(end);
        Some((from, until.min(end)))
    }

    /// Gives room to a hole of `file`: it stays zero.
    pub(in crate::share) fn give_room(file: &File, start: u64, end: u64) -> io::Result<()> {
        Ok(fallocate(file, FallocateFlags::empty(), start, end - start)?)
    }

    /// True when the kernel does not want to share here, rather than being unable to read or write.
    pub(in crate::share) fn is_refusal(error: &io::Error) -> bool {
        let refusals = [Errno::XDEV, Errno::INVAL, Errno::OPNOTSUPP, Errno::NOSYS, Errno::PERM, Errno::TXTBSY];
        refusals.iter().any(|refusal| error.raw_os_error() == Some(refusal.raw_os_error()))
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::fs::File;
    use std::io;

    use hvm_formats::io::ReadAt;

    use super::{FileSystem, Path, folder};

    pub(in crate::share) fn file_system(path: &Path) -> Result<FileSystem, String> {
        Err(format!("the files in '{}' can share what they hold only on Linux", folder(path).display()))
    }

    pub(in crate::share) fn try_sharing(_source: &dyn ReadAt, _path: &Path, _name: &str) -> Result<(), String> {
        Err("files can share what they hold only on Linux".to_owned())
    }

    pub(in crate::share) fn share(_: (&dyn ReadAt, u64), _: (&File, u64), _len: u64) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::share) fn hole(_file: &File, _start: u64, _end: u64) -> Option<(u64, u64)> {
        None
    }

    pub(in crate::share) fn give_room(_file: &File, _start: u64, _end: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::share) fn is_refusal(_error: &io::Error) -> bool {
        true
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{file_system, give_room, hole, is_refusal, share, try_sharing};
#[cfg(target_os = "linux")]
pub(super) use linux::{file_system, give_room, hole, is_refusal, share, try_sharing};
