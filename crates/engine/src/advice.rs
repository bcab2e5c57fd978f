//! What to do about an error of the system, whichever crate met it, and how much room a new disk may need.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::Path;

use hvm_formats::disk::VirtualDisk;
use hvm_model::capabilities::DiskFormat;
use hvm_model::names::ByteSize;
use hvm_transfer::{TransferError, partial_path};
use rusqlite::ErrorCode;

use crate::error::EngineError;
use crate::hints;

const FULL: &str = "the disk that it lies on is full: make room there, then run the same command again; an unfinished copy \
                    goes on where it stopped";
const BROKEN: &str = "look for the cause in the system's log, such as 'dmesg' shows it, then run the same command again; an \
                      unfinished copy goes on where it stopped";
const MALFORMED: &str = "SQLite says this also of a medium that fails: look in the system's log, such as 'dmesg' shows it, then run \
                         the same command again; if the file itself is damaged, bring back a copy of the work folder";
const READ_ONLY: &str = "see that the file and its folder may be written; SQLite says this also where the medium fails: look in the \
                         system's log, such as 'dmesg' shows it; then run the same command again";
const CUT: &str = "the file ended before the length that it had when it was opened; see that nothing changes it, then run \
                   the same command again";

/// The hint for an error that the system, a medium or a network is the cause of.
pub(crate) fn of(error: &EngineError) -> Option<&'static str> {
    if let EngineError::Journal { source, .. } = error {
        return match source.sqlite_error_code()? {
            ErrorCode::DiskFull => Some(FULL),
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Some(BROKEN),
            ErrorCode::ReadOnly => Some(READ_ONLY),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(MALFORMED),
            _ => None,
        };
    }
    if let Some(hint) = hints::of(error) {
        return Some(hint);
    }
    let cause = io_cause(error)?;
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(FULL),
        ErrorKind::UnexpectedEof => Some(CUT),
        ErrorKind::WriteZero => Some(BROKEN),
        // Waiting or repeating does not change wrong names and rights.
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::AlreadyExists
        | ErrorKind::IsADirectory
        | ErrorKind::NotADirectory => None,
        _ => cause.raw_os_error().map(|_| BROKEN),
    }
}

/// The same error; where the new file that was to be written has its final name already, with that.
pub(crate) fn of_new_file(error: TransferError, path: &Path) -> EngineError {
    if matches!(error, TransferError::Io { .. }) && path.symlink_metadata().is_ok() {
        return EngineError::AfterRename { path: path.to_owned(), source: Box::new(error) };
    }
    error.into()
}

/// The same error; where a full disk is the cause, with what the copy at `target` may still need, and where the copy has its
/// final name already, with that.
pub(crate) fn of_copy(
    error: TransferError,
    (target, format): (&Path, DiskFormat),
    disk: &dyn VirtualDisk,
) -> EngineError {
    let full = |cause: &io::Error| matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    if !io_cause(&error).is_some_and(full) || target.symlink_metadata().is_ok() {
        return of_new_file(error, target);
    }
    let stored = disk.layers().iter().fold(0u64, |sum, layer| sum.saturating_add(layer.allocated)).min(disk.size());
    let whole = if matches!(format, DiskFormat::VhdFixed | DiskFormat::VhdxFixed) { disk.size() } else { stored };
    let needed = ByteSize(whole.saturating_sub(occupied(&partial_path(target))));
    EngineError::DiskFull { path: target.to_owned(), needed, source: Box::new(error) }
}

/// Bytes of the medium that a file takes; 0 where that is not known.
fn occupied(path: &Path) -> u64 {
    #[cfg(unix)]
    return std::fs::metadata(path).map_or(0, |metadata| std::os::unix::fs::MetadataExt::blocks(&metadata) * 512);
    #[cfg(not(unix))]
    return std::fs::metadata(path).map_or(0, |metadata| metadata.len());
}

fn io_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(cause) = error.downcast_ref() {
            return Some(cause);
        }
        next = error.source();
    }
    None
}
