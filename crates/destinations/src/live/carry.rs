//! Carries files to a host, which fetches them ([`fetch`]) or gets them in pieces. Each piece is checked by its SHA-256 before it
//! is written there, and the whole file by reading it back there before it gets its name. What is unfinished has another name,
//! and its length says where to go on.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use hvm_winrm::clixml::Value;
use hvm_winrm::psrp::Script;
use ring::digest::{Context, SHA256, digest};

use crate::destination::HostWatch;
use crate::error::DestinationError;
use crate::live::fetch::{self, Fetcher, Tries};
use crate::live::pace::{Pace, nap};
use crate::live::session::{Talk, text};

/// Bytes of a piece. As an argument of a script and with it, it fits into one envelope of 512,000 bytes after being written
/// as base64 twice.
const PIECE: usize = 256 << 10;

const LOOK: &str = include_str!("scripts/Look.ps1");
const WRITE: &str = include_str!("scripts/Write.ps1");

/// A file with its place on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    /// The file here.
    pub from: PathBuf,
    /// Its path there.
    pub to: String,
    /// Its length.
    pub length: u64,
}

/// How a file came there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// It was sent, from this offset on; all zeros are not sent.
    Sent {
        /// Where an earlier run had stopped.
        from: u64,
        /// Bytes that were sent.
        bytes: u64,
        /// Whether the host fetched them.
        is_fetched: bool,
    },
    /// It was there already.
    WasThere,
}

/// What is at the host's end.
pub(crate) struct Found {
    /// Length of the file.
    pub whole: Option<u64>,
    partial: Option<u64>,
    /// Its SHA-256, when it has the wanted length.
    pub hash: String,
}

/// Tells how far the files are; never backwards, also when some of it is done again.
pub(crate) struct Meter<'w> {
    watch: &'w dyn HostWatch,
    told: u64,
    before: u64,
}

impl<'w> Meter<'w> {
    /// For files of so many bytes together.
    pub fn new(watch: &'w dyn HostWatch, total: u64) -> Meter<'w> {
        watch.bytes_started(total);
        Meter { watch, told: 0, before: 0 }
    }

    /// So much of the present file is there.
    pub fn at(&mut self, offset: u64) {
        let now = self.before.saturating_add(offset);
        self.watch.bytes_advanced(now.saturating_sub(self.told));
        self.told = self.told.max(now);
    }

    /// A whole file is there.
    pub fn next(&mut self, length: u64) {
        self.at(length);
        self.before = self.before.saturating_add(length);
    }
}

/// How files come to the host.
pub(crate) struct Ways<'w, 'f> {
    /// It fetches them, as long as it can.
    pub fetcher: Fetcher<'f>,
    /// How fast they are sent else.
    pub pace: Pace,
    /// Who hears how far they are.
    pub meter: Meter<'w>,
}

/// Carries one file, the one with this number.
pub(crate) fn carry(
    talk: &mut Talk<'_>,
    (parcel, number): (&Parcel, usize),
    ways: &mut Ways<'_, '_>,
) -> Result<Came, DestinationError> {
    let found = look(talk, parcel)?;
    if found.whole == Some(parcel.length) && found.hash == hash_of(talk, parcel)? {
        ways.meter.next(parcel.length);
        return Ok(Came::WasThere);
    }
    let mut start = start_of(found.partial.unwrap_or(0).min(parcel.length));
    let mut is_first = true;
    loop {
        let (bytes, is_fetched) = match fetched(talk, (parcel, number), start, ways)? {
            Some(fetched) => (fetched, true),
            None => (send(talk, parcel, start, (&mut ways.meter, &mut ways.pace))?, false),
        };
        match bytes {
            Some(bytes) => {
                ways.meter.next(parcel.length);
                return Ok(Came::Sent { from: start, bytes, is_fetched });
            }
            // What an earlier run had sent is not of this file: it is gone there now.
            None if is_first && found.partial.is_some() => (start, is_first) = (0, false),
            None => return Err(DestinationError::NotEqual { host: talk.host(), path: parcel.to.clone() }),
        }
    }
}

/// Has the host fetch a file from an offset on; `None` when it has to be sent, and `Some(None)` when its file then is another one.
fn fetched(
    talk: &mut Talk<'_>,
    (parcel, number): (&Parcel, usize),
    start: u64,
    ways: &mut Ways<'_, '_>,
) -> Result<Option<Option<u64>>, DestinationError> {
    let (mut at, mut bytes, mut tries) = (start, 0, Tries::default());
    while let Some(depot) = ways.fetcher.ready(talk, parcel)? {
        let message = match fetch::fetch(talk, (parcel, number), (depot, at), (&mut ways.meter, &mut bytes)) {
            Ok(whole) => return Ok(Some(fetch::finish(talk, parcel, &whole)?.then_some(bytes))),
            Err(DestinationError::Script { message, .. }) => message,
            Err(error) => return Err(error),
        };
        let there = look(talk, parcel)?.partial.unwrap_or(0).min(parcel.length);
        let Some(wait) = tries.failed(there) else {
            ways.fetcher.broken(talk, &message);
            break;
        };
        let lost = format!("{} could not go on fetching '{}' and tries again: {message}", talk.host(), parcel.to);
        talk.watch().note(&lost);
        nap(wait, talk.watch());
        talk.stop_if_asked()?;
        at = start_of(there);
    }
    Ok(None)
}

/// Where the piece begins with which a file goes on, of which so much is there.
fn start_of(there: u64) -> u64 {
    there / PIECE as u64 * PIECE as u64
}

/// What there is of a file.
pub(crate) fn look(talk: &mut Talk<'_>, parcel: &Parcel) -> Result<Found, DestinationError> {
    let doing = "look at a file";
    let script = Script::new(LOOK).with("Path", text(&parcel.to)).with("Length", number(parcel.length));
    let answer = talk.ask(doing, &script)?;
    let parts: Vec<&str> = answer.split(' ').collect();
    let [whole, partial, hash] = parts.as_slice() else { return Err(talk.not_understood(doing, &answer)) };
    let length = |text: &str| text.parse::<i64>().map(|number| u64::try_from(number).ok());
    match (length(whole), length(partial)) {
        (Ok(whole), Ok(partial)) => Ok(Found { whole, partial, hash: (*hash).to_owned() }),
        _ => Err(talk.not_understood(doing, &answer)),
    }
}

/// Sends the pieces from an offset on; `None` when the host's file then is another one.
fn send(
    talk: &mut Talk<'_>,
    parcel: &Parcel,
    start: u64,
    (meter, pace): (&mut Meter<'_>, &mut Pace),
) -> Result<Option<u64>, DestinationError> {
    let mut file = File::open(&parcel.from).map_err(DestinationError::io(&parcel.from, "open"))?;
    let mut whole = Context::new(&SHA256);
    let (mut offset, mut sent) = (0u64, 0u64);
    let mut piece = vec![0; PIECE];
    loop {
        talk.stop_if_asked()?;
        let wanted = parcel.length.saturating_sub(offset).min(PIECE as u64) as usize;
        let bytes = piece.get_mut(..wanted).unwrap_or_default();
        file.read_exact(bytes).map_err(DestinationError::io(&parcel.from, "read"))?;
        let bytes: &[u8] = bytes;
        whole.update(bytes);
        let is_last = offset + wanted as u64 >= parcel.length;
        if is_last || (offset >= start && bytes.iter().any(|byte| *byte != 0)) {
            let total = if is_last { hex(whole.clone().finish().as_ref()) } else { String::new() };
            let answer = write(talk, parcel, (offset, bytes), &total)?;
            sent += wanted as u64;
            pace.sent(wanted as u64, &|| talk.watch().is_cancelled());
            match (answer.as_str(), is_last) {
                ("written", false) => {}
                ("equal", true) => return Ok(Some(sent)),
                ("different", true) => return Ok(None),
                _ => return Err(talk.not_understood("write a file", &answer)),
            }
        }
        offset += wanted as u64;
        meter.at(offset);
    }
}

/// Writes a piece, and with the SHA-256 of the whole file compares that and gives it its name.
pub(crate) fn write(
    talk: &mut Talk<'_>,
    parcel: &Parcel,
    (offset, bytes): (u64, &[u8]),
    whole: &str,
) -> Result<String, DestinationError> {
    let script = Script::new(WRITE)
        .with("Path", text(&parcel.to))
        .with("Offset", number(offset))
        .with("Bytes", Value::Bytes(bytes.to_vec()))
        .with("Hash", text(&hex(digest(&SHA256, bytes).as_ref())))
        .with("Length", number(parcel.length))
        .with("Whole", text(whole));
    talk.ask("write a file", &script)
}

/// A number as the value of a parameter.
pub(crate) fn number(number: u64) -> Value {
    Value::I64(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The SHA-256 of the file here.
pub(crate) fn hash_of(talk: &Talk<'_>, parcel: &Parcel) -> Result<String, DestinationError> {
    let mut file = File::open(&parcel.from).map_err(DestinationError::io(&parcel.from, "open"))?;
    let mut whole = Context::new(&SHA256);
    let mut buffer = vec![0; PIECE];
    loop {
        talk.stop_if_asked()?;
        match file.read(&mut buffer).map_err(DestinationError::io(&parcel.from, "read"))? {
            0 => return Ok(hex(whole.finish().as_ref())),
            count => whole.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// As `System.BitConverter` writes it, without the hyphens.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A file below the root as it is carried.
pub(crate) fn parcel(root: &Path, relative: &str, to: String) -> Result<Parcel, DestinationError> {
    let from = crate::files::below(root, relative)?;
    Ok(Parcel { length: crate::files::length(root, relative)?, from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_is_not_whole_is_sent_again() {
        let piece = PIECE as u64;
        assert_eq!([0, 1, piece - 1, piece, piece + 1, 2 * piece].map(start_of), [0, 0, 0, piece, piece, 2 * piece]);
    }

    #[test]
    fn a_piece_fits_into_one_envelope() {
        // Base64 twice, 4096 bytes of the envelope as the client reckons, 4096 of CREATE_PIPELINE, and the script.
        let message = PIECE.div_ceil(3) * 4 + WRITE.len() + 4096;
        assert!(message.div_ceil(3) * 4 + 4096 < 512_000);
    }
}
