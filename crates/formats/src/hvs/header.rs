//! The header, which is there twice, so that one is whole when the other was just being written.

use super::bytes::{read, u16_at, u32_at, u64_at};
use super::{HvsError, crc};
use crate::io::ReadAt;

const SIGNATURE: u32 = 0x0128_2014;
const VERSION: u32 = 0x0400;
/// Where the two copies are.
const PLACES: [u64; 2] = [0, 4096];
const LEN: usize = 46;

/// What the newer header says.
pub(super) struct Header {
    /// Where the replay log starts.
    pub(super) log: u64,
    /// Length of the replay log.
    pub(super) log_len: u64,
    /// Bytes of the replay log before what is to be written.
    pub(super) log_head: u32,
}

/// The header with the higher sequence of those that are whole; a remark when one is not.
pub(super) fn choose(file: &dyn ReadAt, remarks: &mut Vec<String>) -> Result<Header, HvsError> {
    let mut best: Option<(u16, u64, Vec<u8>)> = None;
    let mut wrong = Vec::new();
    for place in PLACES {
        let bytes = read(file, place, LEN, "the header")?;
        match check(file, place, &bytes) {
            Ok(()) => {
                let sequence = u16_at(&bytes, 8);
                if best.as_ref().is_none_or(|(newest, ..)| sequence > *newest) {
                    best = Some((sequence, place, bytes));
                }
            }
            Err(error) => wrong.push((u32_at(&bytes, 0), error)),
        }
    }
    let Some((_, place, bytes)) = best else {
        let found = wrong.first().map_or(0, |(found, _)| *found);
        // A file of another kind is told so; one of this kind with what is wrong with it.
        let of_this_kind = wrong.into_iter().find(|(found, _)| *found == SIGNATURE);
        return Err(of_this_kind.map_or(HvsError::NotHvs { file: file.name().to_owned(), found }, |(_, error)| error));
    };
    remarks.extend(wrong.into_iter().map(|(_, error)| format!("One of the two headers is not used: {error}")));
    let found = u32_at(&bytes, 10);
    if found != VERSION {
        return Err(HvsError::Version { file: file.name().to_owned(), offset: place + 10, found });
    }
    Ok(Header { log: u64_at(&bytes, 26), log_len: u64_at(&bytes, 34), log_head: u32_at(&bytes, 42) })
}

fn check(file: &dyn ReadAt, offset: u64, bytes: &[u8]) -> Result<(), HvsError> {
    let found = u32_at(bytes, 0);
    let name = || file.name().to_owned();
    if found != SIGNATURE {
        return Err(HvsError::Signature { file: name(), offset, what: "a header", expected: SIGNATURE, found });
    }
    let (expected, found) = (crc::without(bytes, 4), u32_at(bytes, 4));
    if expected != found {
        return Err(HvsError::Checksum { file: name(), offset, what: "the header", expected, found });
    }
    Ok(())
}
