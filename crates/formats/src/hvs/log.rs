//! The replay log: what a commit is about to write. A log with entries means that the writer stopped in the middle; then the
//! entries are laid over the file in memory, and the file stays as it is.

use std::io;

use super::bytes::{read, u32_at, u64_at};
use super::header::Header;
use super::{HvsError, MAX_LOG, MAX_LOG_ENTRIES, crc};
use crate::io::ReadAt;

const SIGNATURE: u32 = 0x0111_0003;
const HEAD: usize = 34;
const ENTRY: usize = 28;

/// A file with what its replay log says laid over it.
pub(super) struct Replayed<'a> {
    base: &'a dyn ReadAt,
    /// In the order of the log; later ones count.
    patches: Vec<(u64, Vec<u8>)>,
    len: u64,
}

impl Replayed<'_> {
    /// Entries of the log that were replayed.
    pub(super) fn entries(&self) -> usize {
        self.patches.len()
    }
}

impl ReadAt for Replayed<'_> {
    fn name(&self) -> &str {
        self.base.name()
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.len);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let place = |at: u64| usize::try_from(at - offset).unwrap_or(usize::MAX);
        // What a commit appends is behind the end of the file.
        let stored = self.base.len().clamp(offset, end);
        let (old, new) = buf.split_at_mut(place(stored));
        if !old.is_empty() {
            self.base.read_exact_at(old, offset)?;
        }
        new.fill(0);
        for (at, bytes) in &self.patches {
            let (from, to) = ((*at).max(offset), (at + bytes.len() as u64).min(end));
            if from < to
                && let Some(target) = buf.get_mut(place(from)..place(to))
                && let Some(source) = bytes.get((from - at) as usize..(to - at) as usize)
            {
                target.copy_from_slice(source);
            }
        }
        Ok(())
    }
}

/// Reads the log and lays it over the file.
pub(super) fn replay<'a>(file: &'a dyn ReadAt, header: &Header) -> Result<Replayed<'a>, HvsError> {
    let name = || file.name().to_owned();
    let offset = header.log;
    let field = |what, found, expected: String| HvsError::Field { file: name(), offset, what, expected, found };
    let head = read(file, offset, HEAD, "the replay log")?;
    let found = u32_at(&head, 0);
    if found != SIGNATURE {
        return Err(HvsError::Signature { file: name(), offset, what: "a replay log", expected: SIGNATURE, found });
    }
    let (expected, found) = (crc::without(&head, 4), u32_at(&head, 4));
    if expected != found {
        return Err(HvsError::Checksum { file: name(), offset, what: "the replay log's header", expected, found });
    }
    let count = u32_at(&head, 8);
    let mut replayed = Replayed { base: file, patches: Vec::new(), len: file.len() };
    if count == 0 {
        return Ok(replayed);
    }
    let (log_len, log_head) = (header.log_len, u64::from(header.log_head));
    if log_len > MAX_LOG {
        return Err(field("the length of the replay log", log_len, format!("at most {MAX_LOG}")));
    }
    let most = (log_head.min(log_len).saturating_sub(HEAD as u64) / ENTRY as u64).min(MAX_LOG_ENTRIES);
    if u64::from(count) > most {
        return Err(field("the number of entries of the replay log", count.into(), format!("at most {most}")));
    }
    let entries = read(file, offset + HEAD as u64, count as usize * ENTRY, "the entries of the replay log")?;
    let mut total = 0;
    for (number, entry) in (0u64..).zip(entries.as_chunks::<ENTRY>().0) {
        let at = offset + HEAD as u64 + number * ENTRY as u64;
        let (place, bytes) = written(file, header, at, entry)?;
        total += bytes.len() as u64;
        if total > MAX_LOG {
            return Err(HvsError::TooMany {
                file: name(),
                offset: at,
                what: "bytes in its replay log",
                limit: MAX_LOG,
            });
        }
        replayed.len = replayed.len.max(place + bytes.len() as u64);
        replayed.patches.push((place, bytes));
    }
    Ok(replayed)
}

/// One entry: where its bytes belong, and the bytes.
fn written(file: &dyn ReadAt, header: &Header, at: u64, entry: &[u8]) -> Result<(u64, Vec<u8>), HvsError> {
    let name = || file.name().to_owned();
    let checked = |offset, what, expected, found| match expected == found {
        true => Ok(()),
        false => Err(HvsError::Checksum { file: name(), offset, what, expected, found }),
    };
    // Both checksums of an entry count as zero.
    let own = crc::crc32(&[entry.get(..20).unwrap_or_default(), &[0; 8]]);
    checked(at, "an entry of the replay log", own, u32_at(entry, 20))?;
    let (place, len, from) = (u64_at(entry, 0), u32_at(entry, 8), u64_at(entry, 12));
    let inside = from.checked_add(len.into()).is_some_and(|end| end <= header.log_len);
    if !inside || from < u64::from(header.log_head) {
        let (what, expected) = ("the place of an entry's bytes in the replay log", "a place inside the log".to_owned());
        return Err(HvsError::Field { file: name(), offset: at, what, expected, found: from });
    }
    let limit = file.len().saturating_add(MAX_LOG);
    if place.checked_add(len.into()).is_none_or(|end| end > limit) {
        let (what, expected) = ("the place that an entry of the replay log writes to", format!("at most {limit}"));
        return Err(HvsError::Field { file: name(), offset: at, what, expected, found: place });
    }
    let start = header.log.saturating_add(from);
    let bytes = read(file, start, len as usize, "what the replay log writes")?;
    checked(start, "what the replay log writes", crc::crc32(&[&bytes]), u32_at(entry, 24))?;
    Ok((place, bytes))
}
