//! What the system alone needs for a row: reading the source, hashing it, writing the result.

use std::path::Path;
use std::time::Instant;

use super::at;
use super::measure::{Cost, Job};
use super::rows::{Bytes, Places, Row, quote};

const MIB: u64 = 1 << 20;
/// The unit in which the formats with blocks leave zeros out; raw files leave out pages.
const CLUSTER: u64 = 64 << 10;
const PAGE: u64 = 4 << 10;

/// What the system alone needs for a row, in one round.
#[derive(Debug, Clone, Copy, Default)]
pub struct Least {
    /// Reading from the page cache; to a disk, what [`Least::write`] has not read already.
    pub read: Cost,
    /// Seconds of one processor that hashing takes.
    pub hash: f64,
    /// Writing.
    pub write: Cost,
    /// All of that together, by the simplest program that does it: by all threads and by one.
    pub simplest: [Cost; 2],
}

impl Least {
    /// Seconds of all processors.
    pub fn cpu(&self) -> f64 {
        self.read.cpu + self.hash + self.write.cpu
    }

    /// Seconds on the clock: a file takes one write at a time; all the rest can go on meanwhile, as far as there are processors.
    pub fn wall(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.write.wall.max(self.cpu() / cores as f64)
    }
}

/// The simplest program that does what a conversion has to, see [`super::bare`]: what it is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bare {
    /// Bytes of the units that are looked at for zeros.
    pub granule: u64,
    /// Bytes that the result gets as room before.
    pub room: u64,
    /// Which bytes come there.
    pub way: Way,
    /// Past the page cache, by many threads at once, and flushed.
    pub past_cache: bool,
    /// By one thread, in small pieces, instead of one for each processor.
    pub alone: bool,
}

/// Which bytes come from the one file to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Those that are no zeros are written.
    Plain,
    /// And hashed before.
    Hashed,
    /// All, as far as there is room for them.
    All,
}

const WAYS: [(&str, Way); 3] = [("plain", Way::Plain), ("hashed", Way::Hashed), ("all", Way::All)];

const PLACES: [(&str, bool); 2] = [("cache", false), ("medium", true)];
const THREADS: [(&str, bool); 2] = [("many", false), ("one", true)];

fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], wanted: T) -> &'static str {
    words.iter().find(|(_, what)| *what == wanted).map_or("", |(name, _)| name)
}

fn meant<T: Copy>(words: &[(&'static str, T)], word: Option<String>) -> Option<T> {
    let word = word?;
    words.iter().find(|(name, _)| *name == word).map(|(_, what)| *what)
}

impl Bare {
    /// The words after `xtask bare`, without the files.
    pub fn words(&self) -> String {
        let (way, place) = (word(&WAYS, self.way), word(&PLACES, self.past_cache));
        format!("{} {} {way} {place} {}", self.granule, self.room, word(&THREADS, self.alone))
    }

    /// From the words after `xtask bare`, and the two files.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Option<(Bare, String, String)> {
        let granule = words.next()?.parse().ok().filter(|granule| (512..=MIB).contains(granule))?;
        let room = words.next()?.parse().ok()?;
        let way = meant(&WAYS, words.next())?;
        let past_cache = meant(&PLACES, words.next())?;
        let alone = meant(&THREADS, words.next())?;
        Some((Bare { granule, room, way, past_cache, alone }, words.next()?, words.next()?))
    }
}

/// What is run to find the least of a row.
pub struct Parts<'a> {
    hashed: u64,
    read: Job,
    write: Job,
    simplest: [Job; 2],
    measure: &'a dyn Fn(&Job) -> Result<Cost, String>,
}

impl<'a> Parts<'a> {
    /// Of `row`, of which ours wrote `written` bytes; nothing where it is not worked out.
    pub fn of(
        row: &Row,
        written: u64,
        places: &Places,
        measure: &'a dyn Fn(&Job) -> Result<Cost, String>,
    ) -> Result<Option<Self>, String> {
        let Some(bytes) = &row.bytes else { return Ok(None) };
        let content = match bytes.content {
            Some(disk) => allocated(&places.disks.path(disk))?,
            None => written,
        };
        let out = &row.ours.job.out;
        let past_cache = *out == places.disk;
        let all = |alone| all_together(bytes, written, places, (out, past_cache, alone));
        let (read, write) = match past_cache {
            true => (content, Job::passing(writing_at_once(content, places)?, out)),
            false => (0, Job::new(writing(content, written, places), out)),
        };
        Ok(Some(Parts {
            hashed: if bytes.hashed { content } else { 0 },
            read: reading(bytes, read, places)?,
            write,
            simplest: [all(false)?, all(true)?],
            measure,
        }))
    }

    /// One round.
    pub fn run(&self) -> Result<Least, String> {
        let of = |job: &Job| (self.measure)(job);
        let [all, one] = &self.simplest;
        let simplest = [of(all)?, of(one)?];
        Ok(Least { read: of(&self.read)?, hash: hashing(self.hashed), write: of(&self.write)?, simplest })
    }
}

/// Reads as many bytes as the disks have without the first `read` of each; of one with holes as many as its data are, from one
/// that has none.
fn reading(bytes: &Bytes, read: u64, places: &Places) -> Result<Job, String> {
    let mut lines = Vec::new();
    for disk in &bytes.read {
        let dense = if matches!(disk.as_str(), "ordered.vhd" | "main.vhdx") { "aged.vhd" } else { disk };
        let count = allocated(&places.disks.path(disk))?.saturating_sub(read) / MIB;
        let dense = quote(&places.disks.path(dense));
        lines.push(format!("dd if={dense} of=/dev/null bs=1M count={count} status=none"));
    }
    Ok(Job::passing(lines.join("; "), &places.memory))
}

/// The simplest program, on each disk that is read.
fn all_together(
    bytes: &Bytes,
    written: u64,
    places: &Places,
    (out, past_cache, alone): (&Path, bool, bool),
) -> Result<Job, String> {
    let granule = if bytes.raw { PAGE } else { CLUSTER };
    let way = if bytes.hashed { Way::Hashed } else { Way::Plain };
    let bare = Bare { granule, room: bytes.content.map_or(0, |_| written), way, past_cache, alone };
    let line = |(number, disk): (usize, &String)| bare_line(&bare, disk, &out.join(format!("bare{number}")), places);
    let lines: Result<Vec<String>, String> = bytes.read.iter().enumerate().map(line).collect();
    let lines = lines?.join(" && ");
    Ok(if past_cache { Job::passing(lines, out) } else { Job::new(lines, out) })
}

fn bare_line(bare: &Bare, disk: &str, out: &Path, places: &Places) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program does not know its name: {error}"))?;
    let (program, from, out) = (quote(&program), quote(&places.disks.path(disk)), quote(out));
    Ok(format!("{program} bare {} {from} {out}", bare.words()))
}

/// Writes `content` bytes into memory, always the same piece, after asking for the room of a file that is larger.
fn writing(content: u64, written: u64, places: &Places) -> String {
    let file = format!("{}/least", quote(&places.memory));
    let room = if written > content + content / 8 { format!("fallocate -l {written} {file}; ") } else { String::new() };
    let write = r#"$piece = "x" x 1048576; for (1..shift) { syswrite(STDOUT, $piece) == 1048576 or die $!; }"#;
    format!("{room}perl -e '{write}' {} 1<> {file}", content / MIB)
}

/// Writes `content` bytes of a disk past the page cache.
fn writing_at_once(content: u64, places: &Places) -> Result<String, String> {
    let room = content / MIB * MIB;
    let bare = Bare { granule: PAGE, room, way: Way::All, past_cache: true, alone: false };
    bare_line(&bare, "aged.vhd", &places.disk.join("least"), places)
}

/// Seconds that hashing `bytes` bytes takes which are in the cache of the processor.
fn hashing(bytes: u64) -> f64 {
    let piece: Vec<u8> = (0..MIB).map(|at| (at * 7 / 3) as u8).collect();
    let start = Instant::now();
    for _ in 0..bytes / MIB {
        std::hint::black_box(blake3::hash(std::hint::black_box(&piece)));
    }
    start.elapsed().as_secs_f64()
}

#[cfg(unix)]
fn allocated(path: &Path) -> Result<u64, String> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().map(|metadata| metadata.blocks() * 512).map_err(at(path))
}

#[cfg(not(unix))]
fn allocated(path: &Path) -> Result<u64, String> {
    path.metadata().map(|metadata| metadata.len()).map_err(at(path))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn writing_goes_on_while_the_rest_does_not_need_more() {
        let cost = |wall, cpu| Cost { wall, cpu, ..Cost::default() };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
        let slow = Least { read: cost(0.1, 0.1), hash: 0.1, write: cost(9.0, 1.0), ..Least::default() };
        assert_eq!(slow.wall(), 9.0);
        let busy = Least { read: cost(9.0, 9.0), hash: 9.0 * cores, write: cost(1.0, 1.0), ..Least::default() };
        assert_eq!(busy.wall(), (10.0 + 9.0 * cores) / cores);
        assert!((slow.cpu() - 1.2).abs() < 1e-9);
    }
}
