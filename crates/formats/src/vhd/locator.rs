//! Parent locators: eight entries of 24 bytes in the dynamic header (offset 576), each pointing to a path somewhere in
//! the file. The specification counts the space in sectors, files of Windows give bytes; only the length (bytes, offset
//! 8 of the entry) is used for reading.

use crate::disk::fields::{be32, be64, bytes_at};
use crate::disk::{DiskError, ParentLocator, read};
use crate::io::ReadAt;

/// Paths of Windows end at 32767 UTF-16 units; more is no path.
const MAX_PATH_BYTES: u32 = 65536;
/// Newest and most specific first: relative, absolute, then the deprecated ones.
const ORDER: [&[u8; 4]; 6] = [b"W2ru", b"W2ku", b"Wi2r", b"Wi2k", b"MacX", b"Mac "];

/// The locators of one header.
#[derive(Debug, Default)]
pub(super) struct Locators {
    /// In the order in which they should be tried.
    pub paths: Vec<ParentLocator>,
    /// The ranges of the file that they take: start and end.
    pub taken: Vec<(u64, u64)>,
}

/// Reads the locators of a header.
pub(super) fn parse(file: &dyn ReadAt, header: &[u8; 1024], remarks: &mut Vec<String>) -> Result<Locators, DiskError> {
    let (mut found, mut taken) = (Vec::new(), Vec::new());
    for index in 0..8 {
        let at = 576 + index * 24;
        let code: [u8; 4] = bytes_at(header, at);
        let (space, len, offset) = (be32(header, at + 4), be32(header, at + 8), be64(header, at + 16));
        if code == [0; 4] {
            continue;
        }
        let Some(rank) = ORDER.iter().position(|known| **known == code) else {
            remarks.push(format!("Parent locator {index} has the unknown platform code '{}'.", code.escape_ascii()));
            continue;
        };
        let inside = offset.checked_add(u64::from(len)).is_some_and(|end| end <= file.len());
        if len == 0 || len > MAX_PATH_BYTES || !inside {
            remarks.push(format!(
                "Parent locator {index} was left out: {len} bytes at offset {offset} are no path in this file."
            ));
            continue;
        }
        if len > space && u64::from(len) > u64::from(space) * 512 {
            remarks.push(format!("Parent locator {index} is {len} bytes long in a space of {space}."));
        }
        let mut bytes = vec![0; len as usize];
        read(file, offset, &mut bytes)?;
        taken.push((offset, offset + u64::from(len)));
        if let Some(path) = decode(&code, &bytes) {
            found.push((rank, ParentLocator { platform: String::from_utf8_lossy(&code).into_owned(), path }));
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    Ok(Locators { paths: found.into_iter().map(|(_, locator)| locator).collect(), taken })
}

/// The path in a locator; `None` for the Mac alias, which is not text.
fn decode(code: &[u8; 4], bytes: &[u8]) -> Option<String> {
    let text = match code {
        b"W2ru" | b"W2ku" => utf16(bytes, u16::from_le_bytes),
        b"Mac " => return None,
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            // The deprecated codes hold the code page of the host, which is not recorded; Latin-1 keeps every byte.
            Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
        },
    };
    Some(text.trim_end_matches('\0').to_owned())
}

/// UTF-16 text; what is not valid becomes the replacement character.
pub(super) fn utf16(bytes: &[u8], order: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| order(*pair)).collect();
    String::from_utf16_lossy(&units)
}
