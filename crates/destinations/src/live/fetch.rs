//! Has the host fetch a file from this computer: the parts that are not zeros, in order, so that the length of what is there says
//! where to go on. What arrives is that which left, by TLS; the whole is compared afterwards, like a file that came in pieces.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hvm_winrm::clixml::Value;
use hvm_winrm::psrp::Script;
use ring::digest::{Context, SHA256};

use crate::error::DestinationError;
use crate::live::carry::{self, Meter, Parcel, hex};
use crate::live::depot::{Depot, Spot, way_to};
use crate::live::session::{Talk, text};
use crate::uri::{Uri, bad};

const FETCH: &str = include_str!("scripts/Fetch.ps1");

/// A smaller file is sent along at once: its way is not worth another connection.
const LEAST: u64 = 1 << 20;
/// Bytes that are looked at for zeros at once.
const GRAIN: usize = 256 << 10;
/// Most bytes of a part: after each the host says how far it is.
const PART: u64 = 16 << 20;
/// Most bytes, and parts, that one script fetches: what is asked of the host stays small, and a stop is heard soon.
const AT_ONCE: (u64, usize) = (256 << 20, 512);
/// Waits after tries without any bytes more, in seconds, until it is sent another way. Longer than the 30 seconds for which a
/// script on the host may still hold the file and wait for a connection that is lost.
const WAITS: [u64; 3] = [1, 10, 30];

/// Whether and where a host shall fetch, by the parameter `fetch` of the URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetching {
    Never,
    At(Spot),
}

impl Fetching {
    /// `no`, `ADDRESS`, `ADDRESS:PORT` or `:PORT`; by itself it finds the address of this computer on the way to the host.
    pub fn of(uri: &Uri) -> Result<Fetching, DestinationError> {
        let Some(value) = uri.text("fetch")? else { return Ok(Fetching::At(Spot { address: None, port: 0 })) };
        let wrong = || {
            let wanted = "'no' is wanted, or where the host finds this computer: ADDRESS, ADDRESS:PORT or :PORT, \
                          such as 192.0.2.7:8443 or [2001:db8::7]:8443";
            bad("fetch", &value, wanted)
        };
        if value == "no" {
            return Ok(Fetching::Never);
        }
        if let Ok(address) = value.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Fetching::At(Spot { address: Some(address), port: 0 }));
        }
        let (address, port) = value.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let address = match address {
            "" => None,
            address => Some(address.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| wrong())?),
        };
        Ok(Fetching::At(Spot { address, port }))
    }
}

/// Whether files are fetched, and what is done when that fails.
#[derive(Debug)]
pub(crate) struct Fetcher<'f> {
    depot: Option<Depot>,
    is_reached: bool,
    /// What is known for the next time.
    failed: &'f AtomicBool,
}

impl<'f> Fetcher<'f> {
    /// Opens a depot for the parcels if one of them is worth it, and it did not fail before. Why there is none is noted.
    pub fn open(
        (fetching, host): (Fetching, &str),
        parcels: &[Parcel],
        limit: Option<u64>,
        (failed, note): (&'f AtomicBool, &dyn Fn(&str)),
    ) -> Fetcher<'f> {
        let mut fetcher = Fetcher { depot: None, is_reached: false, failed };
        let Fetching::At(spot) = fetching else { return fetcher };
        if failed.load(Ordering::Relaxed) || parcels.iter().all(|parcel| parcel.length < LEAST) {
            return fetcher;
        }
        let files: Vec<PathBuf> = parcels.iter().map(|parcel| parcel.from.clone()).collect();
        match way_to(host).and_then(|way| Depot::open(way, spot, files, limit)) {
            Ok(depot) => fetcher.depot = Some(depot),
            Err(error) => {
                let at = if spot.port == 0 { String::new() } else { format!(" at TCP port {}", spot.port) };
                fetcher.give_up(note, &format!("nothing can be offered on this computer{at} ({error})"));
            }
        }
        fetcher
    }

    fn give_up(&mut self, note: &dyn Fn(&str), why: &str) {
        self.depot = None;
        self.failed.store(true, Ordering::Relaxed);
        note(&format!("{why}: files go through PowerShell remoting, which is slow."));
    }

    /// The depot, when the host has found it and the file is worth it.
    pub fn ready(&mut self, talk: &mut Talk<'_>, parcel: &Parcel) -> Result<Option<&Depot>, DestinationError> {
        if parcel.length < LEAST {
            return Ok(None);
        }
        if let (Some(depot), false) = (&self.depot, self.is_reached) {
            let (address, port) = (depot.address, depot.port);
            match talk.ask("reach this computer", &script(depot, &parcel.to, 0, "")) {
                Ok(answer) if answer == "reached" => self.is_reached = true,
                Ok(answer) => return Err(talk.not_understood("reach this computer", &answer)),
                Err(DestinationError::Script { host, message, .. }) => {
                    let message = message.trim_end_matches('.');
                    let why = format!(
                        "{host} cannot fetch from {address} TCP port {port} ({message}; a firewall may forbid it, \
                         and 'fetch=ADDRESS:PORT' names another address)"
                    );
                    self.give_up(&|text| talk.watch().note(text), &why);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.depot.as_ref())
    }

    /// Fetching failed several times, although the host had found this computer.
    pub fn broken(&mut self, talk: &Talk<'_>, why: &str) {
        let why = format!("{} does not fetch any more ({})", talk.host(), why.trim_end_matches('.'));
        self.give_up(&|text| talk.watch().note(text), &why);
    }
}

fn script(depot: &Depot, path: &str, number: usize, parts: &str) -> Script {
    Script::new(FETCH)
        .with("Path", text(path))
        .with("Address", text(&depot.address.to_string()))
        .with("Port", Value::I32(i32::from(depot.port)))
        .with("Certificate", text(&depot.certificate))
        .with("Name", text(&depot.name(number)))
        .with("Parts", text(parts))
}

/// Counts tries that brought nothing.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    count: usize,
    reached: u64,
}

impl Tries {
    /// One more failed with this much of the file there: how long to wait until the next one, if there shall be one.
    pub fn failed(&mut self, there: u64) -> Option<Duration> {
        if there > self.reached {
            (self.count, self.reached) = (0, there);
        }
        self.count += 1;
        WAITS.get(self.count - 1).copied().map(Duration::from_secs)
    }
}

/// Has the parts from an offset on fetched, counts their bytes, and gives the SHA-256 of the whole file here.
pub(crate) fn fetch(
    talk: &mut Talk<'_>,
    (parcel, number): (&Parcel, usize),
    (depot, start): (&Depot, u64),
    (meter, fetched): (&mut Meter<'_>, &mut u64),
) -> Result<String, DestinationError> {
    let mut file = File::open(&parcel.from).map_err(DestinationError::io(&parcel.from, "open"))?;
    let mut whole = Context::new(&SHA256);
    let mut parts = Parts::default();
    let mut offset = 0u64;
    let mut grain = vec![0; GRAIN];
    while offset < parcel.length {
        talk.stop_if_asked()?;
        let count = (parcel.length - offset).min(GRAIN as u64);
        let bytes = grain.get_mut(..count as usize).unwrap_or_default();
        file.read_exact(bytes).map_err(DestinationError::io(&parcel.from, "read"))?;
        whole.update(bytes);
        if offset >= start && bytes.iter().any(|byte| *byte != 0) {
            parts.add(offset, count);
        }
        offset += count;
        if parts.bytes > 0 && (parts.are_enough() || offset == parcel.length) {
            let mut lengths = parts.list.iter().map(|(_, length)| length);
            let script = script(depot, &parcel.to, number, &parts.text());
            talk.hear("fetch a file", &script, &mut |said| {
                // Another line is no reason to lose what is under way: the whole is compared at the end.
                if let Some(at) = said.strip_prefix("at ").and_then(|at| at.parse().ok()) {
                    meter.at(at);
                    *fetched += lengths.next().copied().unwrap_or(0);
                }
            })?;
            parts = Parts::default();
        }
        if parts.bytes == 0 {
            meter.at(offset);
        }
    }
    Ok(hex(whole.finish().as_ref()))
}

/// Parts of a file: offset and length.
#[derive(Debug, Default)]
struct Parts {
    list: Vec<(u64, u64)>,
    bytes: u64,
}

impl Parts {
    fn add(&mut self, offset: u64, count: u64) {
        self.bytes += count;
        match self.list.last_mut() {
            Some((start, length)) if *start + *length == offset && *length + count <= PART => *length += count,
            _ => self.list.push((offset, count)),
        }
    }

    fn are_enough(&self) -> bool {
        self.bytes >= AT_ONCE.0 || self.list.len() >= AT_ONCE.1
    }

    /// As the script takes them: first and last byte of each.
    fn text(&self) -> String {
        let one = |(start, length): &(u64, u64)| format!("{start}-{}", start + length - 1);
        self.list.iter().map(one).collect::<Vec<_>>().join(",")
    }
}

/// Compares the file that was fetched with this SHA-256 and gives it its name; false when it is another one, and gone now.
pub(crate) fn finish(talk: &mut Talk<'_>, parcel: &Parcel, whole: &str) -> Result<bool, DestinationError> {
    match carry::write(talk, parcel, (parcel.length, &[]), whole)?.as_str() {
        "equal" => Ok(true),
        "different" => Ok(false),
        answer => Err(talk.not_understood("compare a file", answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Fetching, String> {
        let uri = Uri::parse(&format!("winrm://hv2/D:/x?{query}")).unwrap().unwrap();
        Fetching::of(&uri).map_err(|error| error.to_string())
    }

    #[test]
    fn where_to_fetch_is_read() {
        let at = |address: Option<&str>, port| {
            Fetching::At(Spot { address: address.map(|text| text.parse().unwrap()), port })
        };
        assert_eq!(of(""), Ok(at(None, 0)));
        assert_eq!(of("fetch=no"), Ok(Fetching::Never));
        assert_eq!(of("fetch=:8443"), Ok(at(None, 8443)));
        assert_eq!(of("fetch=192.0.2.7"), Ok(at(Some("192.0.2.7"), 0)));
        assert_eq!(of("fetch=192.0.2.7:8443"), Ok(at(Some("192.0.2.7"), 8443)));
        assert_eq!(of("fetch=2001:db8::7"), Ok(at(Some("2001:db8::7"), 0)));
        assert_eq!(of("fetch=[2001:db8::7]:8443"), Ok(at(Some("2001:db8::7"), 8443)));
        for bad in ["", "yes", "192.0.2.7:", "192.0.2.7:0", "192.0.2.7:99999", "hv1.example.org:8443"] {
            assert!(of(&format!("fetch={bad}")).unwrap_err().contains("ADDRESS:PORT"), "{bad}");
        }
    }

    #[test]
    fn parts_are_joined_and_never_too_long() {
        let mut parts = Parts::default();
        for offset in [0, 10, 20, 40] {
            parts.add(offset, 10);
        }
        assert_eq!((parts.text().as_str(), parts.bytes), ("0-29,40-49", 40));
        let grain = GRAIN as u64;
        let mut parts = Parts::default();
        (0..2 * PART / grain + 1).for_each(|number| parts.add(number * grain, grain));
        let ends = [0, PART, 2 * PART, 2 * PART + grain];
        let wanted: Vec<String> = ends.windows(2).map(|pair| format!("{}-{}", pair[0], pair[1] - 1)).collect();
        assert_eq!(parts.text(), wanted.join(","));
        let mut parts = Parts::default();
        (0..AT_ONCE.1 as u64).for_each(|number| parts.add(number * 20, 10));
        assert!(parts.are_enough());
    }

    #[test]
    fn tries_that_bring_something_are_not_counted() {
        let mut tries = Tries::default();
        let mut waits = |there| tries.failed(there).map(|wait| wait.as_secs());
        assert_eq!([0, 0, 0, 0].map(&mut waits), [Some(1), Some(10), Some(30), None]);
        assert_eq!([5, 6, 6, 6, 6].map(&mut waits), [Some(1), Some(1), Some(10), Some(30), None]);
    }
}
