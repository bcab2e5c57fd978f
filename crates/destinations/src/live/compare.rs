//! Compares what was carried to a host with what is here: each whole file by its SHA-256, and of one that differs the pieces, so
//! that the place is named.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use hvm_winrm::clixml::Value;
use hvm_winrm::psrp::Script;
use ring::digest::{SHA256, digest};

use crate::destination::FileDifference;
use crate::error::DestinationError;
use crate::live::carry::{self, Meter, Parcel, hex};
use crate::live::session::{Talk, text};

const PIECES: &str = include_str!("scripts/Pieces.ps1");

/// Bytes of the pieces that are looked at first, and of those in the ones that differ.
const COARSE: u64 = 1 << 20;
const FINE: u64 = 4 << 10;
/// Pieces that are asked for at once.
const AT_ONCE: u64 = 64;
/// Most places of a file that are named.
const MOST_PLACES: usize = 100;

/// Compares one file, called `name`.
pub(crate) fn compare(
    talk: &mut Talk<'_>,
    (name, parcel): (&str, &Parcel),
    meter: &mut Meter<'_>,
) -> Result<Vec<FileDifference>, DestinationError> {
    let differs = |place: String, expected: String, found: String| {
        vec![FileDifference { file: name.to_owned(), place, expected, found }]
    };
    let found = match carry::look(talk, parcel) {
        Ok(found) => found,
        // Not the connection, but this file: a machine that runs may hold it.
        Err(DestinationError::Script { message, .. }) => {
            meter.next(parcel.length);
            return Ok(differs("bytes".to_owned(), "a file that can be read".to_owned(), message));
        }
        Err(error) => return Err(error),
    };
    let wanted = format!("{} bytes", parcel.length);
    let differences = match found.whole {
        None => differs("length".to_owned(), wanted, "nothing".to_owned()),
        Some(length) if length != parcel.length => differs("length".to_owned(), wanted, format!("{length} bytes")),
        Some(_) if found.hash == carry::hash_of(talk, parcel)? => Vec::new(),
        Some(_) => {
            let place = |range: &Range<u64>| format!("file offset {} to {}", range.start, range.end - 1);
            let wrong = places(talk, parcel)?;
            let mut all: Vec<FileDifference> = Vec::new();
            for range in wrong.iter().take(MOST_PLACES) {
                all.extend(differs(place(range), "the bytes that were carried".to_owned(), "others".to_owned()));
            }
            if wrong.len() > MOST_PLACES {
                let more = format!("others, at {} more places", wrong.len() - MOST_PLACES);
                all.extend(differs("bytes".to_owned(), "the bytes that were carried".to_owned(), more));
            }
            all
        }
    };
    meter.next(parcel.length);
    Ok(differences)
}

/// The ranges that differ, to a page.
fn places(talk: &mut Talk<'_>, parcel: &Parcel) -> Result<Vec<Range<u64>>, DestinationError> {
    let mut file = File::open(&parcel.from).map_err(DestinationError::io(&parcel.from, "open"))?;
    let mut wrong: Vec<Range<u64>> = Vec::new();
    let whole = 0..parcel.length;
    for coarse in unlike(talk, (parcel, &mut file), (whole, COARSE))? {
        for fine in unlike(talk, (parcel, &mut file), (coarse, FINE))? {
            match wrong.last_mut() {
                Some(last) if last.end == fine.start => last.end = fine.end,
                _ => wrong.push(fine),
            }
        }
        if wrong.len() > MOST_PLACES {
            break;
        }
    }
    Ok(wrong)
}

/// The pieces of a range that differ.
fn unlike(
    talk: &mut Talk<'_>,
    (parcel, file): (&Parcel, &mut File),
    (range, piece): (Range<u64>, u64),
) -> Result<Vec<Range<u64>>, DestinationError> {
    let mut wrong = Vec::new();
    let mut bytes = vec![0; piece as usize];
    let mut at = range.start;
    file.seek(SeekFrom::Start(at)).map_err(DestinationError::io(&parcel.from, "read"))?;
    while at < range.end {
        talk.stop_if_asked()?;
        let count = (range.end - at).div_ceil(piece).min(AT_ONCE);
        let script = Script::new(PIECES)
            .with("Path", text(&parcel.to))
            .with("Offset", carry::number(at))
            .with("Piece", Value::I32(piece as i32))
            .with("Count", Value::I32(count as i32));
        let there = talk.run("hash pieces of a file", &script)?;
        for number in 0..count {
            let end = (at + piece).min(parcel.length);
            let here = bytes.get_mut(..(end - at) as usize).unwrap_or_default();
            file.read_exact(here).map_err(DestinationError::io(&parcel.from, "read"))?;
            if there.get(number as usize) != Some(&hex(digest(&SHA256, here).as_ref())) {
                wrong.push(at..end);
            }
            at = end;
        }
    }
    Ok(wrong)
}
