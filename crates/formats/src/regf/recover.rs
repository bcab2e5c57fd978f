//! Which transaction log finishes the last write of a dirty hive, and what happened. The files stay as they are: the pages
//! go into memory only.

use super::base::{BaseBlock, first_bin_time};
use super::{log_new, log_old};

/// What came out of the logs.
pub(super) enum Recovery {
    /// Pages were replayed.
    Replayed { logs: Vec<String>, pages: usize, page_size: usize },
    /// No log fits, for these reasons.
    Nothing { reasons: Vec<String> },
}

impl Recovery {
    pub(super) fn sentence(&self, file: &str, why: &str) -> String {
        match self {
            Recovery::Replayed { logs, pages, page_size } => format!(
                "'{file}' was being written when it was copied ({why}); {pages} pages of {page_size} bytes were replayed \
                 in memory from '{}'.",
                logs.join("' and '")
            ),
            Recovery::Nothing { reasons } if reasons.is_empty() => format!(
                "'{file}' was being written when it was copied ({why}) and no transaction log was found: values may be stale."
            ),
            Recovery::Nothing { reasons } => format!(
                "'{file}' was being written when it was copied ({why}) and no transaction log fits ({}): values may be stale.",
                reasons.join("; ")
            ),
        }
    }
}

/// A log whose base block is right.
pub(super) struct Log<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) base: BaseBlock,
}

/// Finishes the last write of the hive in `data` from the logs, or leaves it as it is.
pub(super) fn recover(data: &mut Vec<u8>, base: &BaseBlock, logs: &[(&str, &[u8])]) -> Recovery {
    let mut reasons = Vec::new();
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for (name, bytes) in logs {
        match classify(name, bytes) {
            Ok(log) if log.base.file_type == 6 => new.push(log),
            Ok(log) => old.push(log),
            Err(reason) => reasons.push(format!("'{name}' {reason}")),
        }
    }
    // The newest old-format log that fits: a second one is left over from before a write error.
    old.sort_by_key(|log| std::cmp::Reverse(log.base.primary_sequence));
    let time = if base.is_valid() { Some(base.last_written) } else { first_bin_time(data) };
    for log in &old {
        match log_old::replay(data, log, time) {
            Ok(pages) => {
                return Recovery::Replayed { logs: vec![log.name.to_owned()], pages, page_size: log_old::PAGE };
            }
            Err(reason) => reasons.push(format!("'{}' {reason}", log.name)),
        }
    }
    if !new.is_empty() {
        match log_new::replay(data, base, &new) {
            Ok((logs, pages)) => return Recovery::Replayed { logs, pages, page_size: super::base::PAGE },
            Err(reason) => reasons.push(reason),
        }
    }
    Recovery::Nothing { reasons }
}

fn classify<'a>(name: &'a str, bytes: &'a [u8]) -> Result<Log<'a>, String> {
    let Some(base) = BaseBlock::parse(bytes) else {
        return Err(format!("has only {} bytes", bytes.len()));
    };
    if !base.is_valid() {
        return Err("has no valid base block".to_owned());
    }
    if !matches!(base.file_type, 1 | 6) {
        return Err(format!("has file type {}; 1 or 6 was expected", base.file_type));
    }
    // Entries of the new format carry hashes of their own, so only the old one depends on this.
    if base.file_type == 1 && !base.is_settled() {
        return Err(format!(
            "was itself being written (sequence numbers {} and {})",
            base.primary_sequence, base.secondary_sequence
        ));
    }
    Ok(Log { name, bytes, base })
}

/// Copies a log's base block over that of the hive: the log's is the newer one. Only the part that logs hold is replaced.
pub(super) fn take_base(data: &mut [u8], log: &[u8], sequence: u32) {
    let (Some(to), Some(from)) = (data.get_mut(..BaseBlock::HEAD), log.get(..BaseBlock::HEAD)) else { return };
    to.copy_from_slice(from);
    settle_base(data, sequence, 0);
}

/// Writes sequence numbers and file type into the hive's base block and makes its checksum right; `bins_len` 0 keeps the length.
pub(super) fn settle_base(data: &mut [u8], sequence: u32, bins_len: u32) {
    let Some(head) = data.get_mut(..BaseBlock::HEAD) else { return };
    let mut put = |at: usize, number: u32| {
        if let Some(field) = head.get_mut(at..at + 4) {
            field.copy_from_slice(&number.to_le_bytes());
        }
    };
    put(4, sequence);
    put(8, sequence);
    put(28, 0);
    if bins_len != 0 {
        put(40, bins_len);
    }
    let sum = super::base::checksum(head);
    if let Some(field) = head.get_mut(508..512) {
        field.copy_from_slice(&sum.to_le_bytes());
    }
}
