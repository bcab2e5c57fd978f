//! The bodies of requests behind the first one (MS-SMB2 2.2.5 to 2.2.37). A file is only ever opened where it is, for reading,
//! and shared with all others; nothing here can create, change or delete.

use super::header::HEADER;
use super::utf16;
use crate::limits;

/// A file or folder that is open on the server (2.2.14.1).
pub(crate) type FileId = [u8; 16];

/// The id for a question that is about no file.
pub(crate) const NO_FILE: FileId = [0xFF; 16];

/// `FSCTL_VALIDATE_NEGOTIATE_INFO` (2.2.31.4).
pub(crate) const VALIDATE: u32 = 0x0014_0204;
/// `FSCTL_SRV_ENUMERATE_SNAPSHOTS` (2.2.31).
pub(crate) const SNAPSHOTS: u32 = 0x0014_4064;
/// `FSCTL_GET_REPARSE_POINT` (MS-FSCC 2.3.29).
pub(crate) const GET_REPARSE_POINT: u32 = 0x0009_00A8;

/// `FILE_READ_DATA`, which is `FILE_LIST_DIRECTORY` of a folder (2.2.13.1).
const READ_DATA: u32 = 0x01;
/// `FILE_READ_ATTRIBUTES`.
const READ_ATTRIBUTES: u32 = 0x80;
/// `SYNCHRONIZE`.
const SYNCHRONIZE: u32 = 0x0010_0000;
/// `FILE_SHARE_READ`, `FILE_SHARE_WRITE` and `FILE_SHARE_DELETE`: nobody there is disturbed.
const SHARE_ALL: u32 = 7;
/// `FILE_OPEN`: what is not there is not made.
const OPEN: u32 = 1;
/// `Impersonation`.
const IMPERSONATION: u32 = 2;
/// `FILE_DIRECTORY_FILE`, `FILE_NON_DIRECTORY_FILE`, `FILE_OPEN_FOR_BACKUP_INTENT` (who has the right to make backups may read
/// everything), `FILE_OPEN_REPARSE_POINT`.
const DIRECTORY: u32 = 0x01;
const NOT_DIRECTORY: u32 = 0x40;
const BACKUP: u32 = 0x4000;
const REPARSE_POINT: u32 = 0x0020_0000;

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read a file.
    Read,
    /// To list a folder.
    List,
    /// To ask about it.
    Ask,
    /// To ask about a link itself and not about where it leads.
    AskLink,
}

/// The next step of the authentication (2.2.5).
pub(crate) fn session_setup(security_mode: u8, token: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24 + token.len());
    bytes.extend(25u16.to_le_bytes());
    bytes.extend([0, security_mode]);
    bytes.extend([0; 8]);
    place(&mut bytes, 24, token.len());
    bytes.extend([0; 8]);
    bytes.extend(token);
    bytes
}

/// The place of what follows the fixed part of so many bytes, and its length, as two short numbers.
fn place(bytes: &mut Vec<u8>, fixed: usize, len: usize) {
    let short = |number: usize| u16::try_from(number).expect("texts and tokens are bounded before");
    bytes.extend(short(HEADER + fixed).to_le_bytes());
    bytes.extend(short(len).to_le_bytes());
}

/// An ECHO or a LOGOFF (2.2.7, 2.2.28).
pub(crate) fn nothing() -> Vec<u8> {
    vec![4, 0, 0, 0]
}

/// Opens a share `\\HOST\SHARE` (2.2.9).
pub(crate) fn tree_connect(path: &str) -> Vec<u8> {
    let path = utf16(path);
    let mut bytes = 9u16.to_le_bytes().to_vec();
    bytes.extend([0; 2]);
    place(&mut bytes, 8, path.len());
    bytes.extend(path);
    bytes
}

/// Opens what is at a path below a share (2.2.13), as it is or as it was in the shadow copy of this time.
pub(crate) fn create(path: &str, purpose: Purpose, time: Option<u64>) -> Vec<u8> {
    let (access, options) = match purpose {
        Purpose::Read => (READ_DATA | READ_ATTRIBUTES | SYNCHRONIZE, NOT_DIRECTORY | BACKUP),
        Purpose::List => (READ_DATA | READ_ATTRIBUTES | SYNCHRONIZE, DIRECTORY | BACKUP),
        Purpose::Ask => (READ_ATTRIBUTES | SYNCHRONIZE, BACKUP),
        Purpose::AskLink => (READ_ATTRIBUTES | SYNCHRONIZE, BACKUP | REPARSE_POINT),
    };
    let name = utf16(path);
    let mut bytes = Vec::with_capacity(57 + name.len());
    bytes.extend(57u16.to_le_bytes());
    // No oplock: nobody has to wait for this client.
    bytes.extend([0; 2]);
    bytes.extend(IMPERSONATION.to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend([access, 0, SHARE_ALL, OPEN, options].into_iter().flat_map(u32::to_le_bytes));
    place(&mut bytes, 56, name.len());
    let contexts = time.map(|_| (HEADER + 56 + name.len()).next_multiple_of(8));
    let contexts = contexts.map_or(0, |at| u32::try_from(at).expect("paths are bounded before"));
    bytes.extend(contexts.to_le_bytes());
    bytes.extend(if time.is_some() { TIMEWARP_LEN } else { 0 }.to_le_bytes());
    bytes.extend(&name);
    match time {
        Some(time) => {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes.extend(timewarp(time));
        }
        None if name.is_empty() => bytes.push(0),
        None => {}
    }
    bytes
}

/// Bytes of the context that names a shadow copy.
const TIMEWARP_LEN: u32 = 32;

/// `SMB2_CREATE_TIMEWARP_TOKEN` (2.2.13.2.7): the only context of a request.
fn timewarp(time: u64) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend([16u16, 4, 0, 24].into_iter().flat_map(u16::to_le_bytes));
    bytes.extend(8u32.to_le_bytes());
    bytes.extend(b"TWrp\0\0\0\0");
    bytes.extend(time.to_le_bytes());
    bytes
}

/// Closes (2.2.15).
pub(crate) fn close(file: FileId) -> Vec<u8> {
    let mut bytes = vec![24, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(file);
    bytes
}

/// Reads (2.2.19).
pub(crate) fn read(file: FileId, offset: u64, len: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(49);
    bytes.extend(49u16.to_le_bytes());
    // Where the data should lie in the answer.
    bytes.extend([80, 0]);
    bytes.extend(len.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend(file);
    bytes.extend([0; 17]);
    bytes
}

/// The next part of a listing (2.2.33), as `FileIdBothDirectoryInformation`.
pub(crate) fn query_directory(file: FileId) -> Vec<u8> {
    let mut bytes = 33u16.to_le_bytes().to_vec();
    bytes.extend([37, 0, 0, 0, 0, 0]);
    bytes.extend(file);
    place(&mut bytes, 32, 2);
    bytes.extend(limits::ANSWER.to_le_bytes());
    bytes.extend(utf16("*"));
    bytes
}

/// What is asked about a file or its volume (2.2.37, MS-FSCC 2.4 and 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// `FileStreamInformation`.
    Streams,
    /// `FileFsVolumeInformation`.
    Volume,
}

/// A question about a file.
pub(crate) fn query_info(file: FileId, about: About) -> Vec<u8> {
    let (kind, class) = match about {
        About::Streams => (1, 22),
        About::Volume => (2, 1),
    };
    let mut bytes = 41u16.to_le_bytes().to_vec();
    bytes.extend([kind, class]);
    bytes.extend(limits::ANSWER.to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend(file);
    bytes
}

/// A question to the file system (2.2.31).
pub(crate) fn ioctl(code: u32, file: FileId, input: &[u8]) -> Vec<u8> {
    let mut bytes = 57u16.to_le_bytes().to_vec();
    bytes.extend([0; 2]);
    bytes.extend(code.to_le_bytes());
    bytes.extend(file);
    let len = u32::try_from(input.len()).expect("some dozens of bytes");
    let place = if input.is_empty() { 0 } else { 120u32 };
    bytes.extend([place, len, 0, 0, 0, limits::ANSWER, 1, 0].into_iter().flat_map(u32::to_le_bytes));
    bytes.extend(input);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fixed sizes of the specification, less the byte that stands for what follows.
    #[test]
    fn the_bodies_have_the_sizes_that_they_name() {
        let file = [1; 16];
        for (bytes, fixed) in [
            (session_setup(1, b""), 24),
            (create("", Purpose::Read, None), 57),
            (close(file), 24),
            (read(file, 1, 2), 49),
            (query_directory(file), 34),
            (query_info(file, About::Volume), 40),
            (ioctl(VALIDATE, NO_FILE, &[]), 56),
            (tree_connect(""), 8),
            (nothing(), 4),
        ] {
            assert_eq!(bytes.len(), fixed, "{bytes:?}");
            let said = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
            assert!(said == fixed || said == fixed + 1 || fixed == 34, "{said} {fixed}");
        }
    }

    #[test]
    fn a_shadow_copy_is_named_behind_the_path() {
        let bytes = create(r"a\b", Purpose::Read, Some(7));
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        // Places count from the header, and each is a multiple of eight.
        assert_eq!((number(48), number(52), bytes.len()), (128, TIMEWARP_LEN, 128 - 64 + 32));
        assert_eq!((&bytes[64 + 16..64 + 20], bytes[64 + 24]), (&b"TWrp"[..], 7));
        assert_eq!(create("", Purpose::List, Some(7)).len(), 56 + 32);
    }

    #[test]
    fn a_file_is_only_ever_opened_where_it_is_and_for_reading() {
        for purpose in [Purpose::Read, Purpose::List, Purpose::Ask, Purpose::AskLink] {
            let bytes = create(r"a\ü", purpose, None);
            let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            // Of the access that writes, appends, deletes or changes rights nothing; FILE_OPEN; no FILE_DELETE_ON_CLOSE.
            assert_eq!(number(24) & !(READ_DATA | READ_ATTRIBUTES | SYNCHRONIZE), 0);
            assert_eq!((number(32), number(36), number(40) & 0x1000), (7, 1, 0));
            assert_eq!(bytes[56..], utf16(r"a\ü"));
        }
    }
}
