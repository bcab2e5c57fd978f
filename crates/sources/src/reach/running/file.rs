//! A file of a host that runs, in pieces: each is read when it is wanted, more at once while they follow each other.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hvm_formats::io::ReadAt;
use hvm_winrm::clixml::Value;
use hvm_winrm::psrp::Script;

use super::Link;

const READ: &str = include_str!("scripts/Read.ps1");
/// Smallest and largest piece, bytes.
const SMALL: u64 = 64 << 10;
const LARGE: u64 = 1 << 20;
/// Pieces that are remembered.
const MOST_PIECES: usize = 8;

/// Errors of Windows (WinError.h as HRESULT): not found, no such path, access denied, in use, locked.
const FILE_NOT_FOUND: i64 = 0x8007_0002;
const PATH_NOT_FOUND: i64 = 0x8007_0003;
const ACCESS_DENIED: i64 = 0x8007_0005;
const SHARING_VIOLATION: i64 = 0x8007_0020;
const LOCK_VIOLATION: i64 = 0x8007_0021;

/// A file.
pub(super) struct LiveFile {
    link: Arc<Link>,
    /// Where it lies, and the name for messages.
    path: String,
    name: String,
    len: u64,
    pieces: Mutex<Pieces>,
}

/// Pieces that were read lately, the newest last.
#[derive(Default)]
struct Pieces {
    known: Vec<(u64, Vec<u8>)>,
    /// Length of the last one that was asked for.
    last: u64,
}

impl LiveFile {
    /// Opens a file and reads its begin: one that cannot be read is known then.
    pub(super) fn open(link: Arc<Link>, path: &str, name: &str) -> io::Result<LiveFile> {
        let (len, begin) = read(&link, path, 0, SMALL)?;
        let pieces = Mutex::new(Pieces { known: vec![(0, begin)], last: SMALL });
        Ok(LiveFile { link, path: path.to_owned(), name: name.to_owned(), len, pieces })
    }

    /// A copy of what is known from an offset on into a buffer; how much that was.
    fn known(pieces: &Pieces, buf: &mut [u8], offset: u64) -> usize {
        for (start, bytes) in pieces.known.iter().rev() {
            let Some(from) = offset.checked_sub(*start).and_then(|from| usize::try_from(from).ok()) else { continue };
            let Some(rest) = bytes.get(from..).filter(|rest| !rest.is_empty()) else { continue };
            let count = rest.len().min(buf.len());
            if let (Some(to), Some(rest)) = (buf.get_mut(..count), rest.get(..count)) {
                to.copy_from_slice(rest);
                return count;
            }
        }
        0
    }

    fn fetch(&self, pieces: &mut Pieces, offset: u64) -> io::Result<()> {
        let follows = pieces.known.last().is_some_and(|(start, bytes)| start + bytes.len() as u64 == offset);
        pieces.last = if follows { (pieces.last * 2).min(LARGE) } else { SMALL };
        let (len, bytes) = read(&self.link, &self.path, offset, pieces.last)?;
        if len != self.len {
            return Err(io::Error::other(format!(
                "it was {} bytes long when it was opened and is {len} now: it is being changed on the host",
                self.len
            )));
        }
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if pieces.known.len() >= MOST_PIECES {
            pieces.known.remove(0);
        }
        pieces.known.push((offset, bytes));
        Ok(())
    }
}

impl ReadAt for LiveFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rest, mut at) = (buf, offset);
        while !rest.is_empty() {
            let count = LiveFile::known(&pieces, rest, at);
            if count == 0 {
                self.fetch(&mut pieces, at)?;
                continue;
            }
            rest = rest.get_mut(count..).unwrap_or_default();
            at += count as u64;
        }
        Ok(())
    }
}

/// Reads a part of a file; its whole length and the bytes.
fn read(link: &Link, path: &str, offset: u64, count: u64) -> io::Result<(u64, Vec<u8>)> {
    let number = |number: u64| i64::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof));
    let script = Script::new(READ)
        .with("Path", Value::Text(path.to_owned()))
        .with("Offset", Value::I64(number(offset)?))
        .with("Count", Value::I32(i32::try_from(count).unwrap_or(i32::MAX)));
    let said = link.run(script).map_err(|error| io::Error::other(without_end(&error.to_string())))?;
    if let Some(failed) = &said.failed {
        return Err(io::Error::other(without_end(failed)));
    }
    let strange = || io::Error::new(io::ErrorKind::InvalidData, "what the host says of it cannot be understood");
    let mut lines = said.output.iter();
    let head = lines.next().ok_or_else(strange)?;
    if let Some(error) = refused(head) {
        return Err(error);
    }
    let len = head.strip_prefix("f|").and_then(|len| len.parse().ok()).ok_or_else(strange)?;
    let bytes = BASE64_STANDARD.decode(lines.next().map_or("", String::as_str)).map_err(|_| strange())?;
    if bytes.len() as u64 > count { Err(strange()) } else { Ok((len, bytes)) }
}

/// The error that a line `e|NUMBER|MESSAGE` of a script tells.
pub(super) fn refused(line: &str) -> Option<io::Error> {
    let (number, message) = line.strip_prefix("e|")?.split_once('|')?;
    // As an unsigned number of 32 bits, however it was written.
    let kind = match number.parse::<i64>().map(|number| number & 0xFFFF_FFFF) {
        Ok(FILE_NOT_FOUND | PATH_NOT_FOUND) => io::ErrorKind::NotFound,
        Ok(ACCESS_DENIED) => io::ErrorKind::PermissionDenied,
        Ok(SHARING_VIOLATION | LOCK_VIOLATION) => io::ErrorKind::ResourceBusy,
        _ => io::ErrorKind::Other,
    };
    Some(io::Error::new(kind, without_end(message)))
}

/// A sentence as a part of another one.
pub(super) fn without_end(text: &str) -> String {
    text.trim().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_windows_are_told_apart_by_their_numbers() {
        let kind = |line: &str| refused(line).map(|error| error.kind());
        assert_eq!(kind("e|-2147024894|Weg."), Some(io::ErrorKind::NotFound));
        assert_eq!(kind("e|-2147024864|Der Prozess kann nicht zugreifen | x."), Some(io::ErrorKind::ResourceBusy));
        assert_eq!(kind("e|2147942405|Verweigert."), Some(io::ErrorKind::PermissionDenied));
        assert_eq!(kind("e|x|?"), Some(io::ErrorKind::Other));
        assert_eq!(kind("f|12"), None);
        assert_eq!(refused("e|5|Ü | ü.").map(|error| error.to_string()).as_deref(), Some("Ü | ü"));
    }

    #[test]
    fn bytes_are_taken_from_the_newest_piece_that_has_them() {
        let pieces = Pieces { known: vec![(0, b"old old".to_vec()), (4, b"new".to_vec())], last: 4 };
        let mut buf = [0; 5];
        assert_eq!(LiveFile::known(&pieces, &mut buf, 4), 3);
        assert_eq!(&buf[..3], b"new");
        assert_eq!(LiveFile::known(&pieces, &mut buf, 0), 5);
        assert_eq!(LiveFile::known(&pieces, &mut buf, 7), 0);
    }
}
