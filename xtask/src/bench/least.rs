//! What the system alone needs for a row: reading the source, hashing it, writing the result.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use super::measure::{Cost, Job, spread};
use super::rows::{Parts, Places, Row, quote};
use super::{at, prepare};

const MIB: u64 = 1 << 20;
/// The unit in which the formats with blocks leave zeros out; raw files leave out pages.
const CLUSTER: u64 = 64 << 10;
const PAGE: u64 = 4 << 10;

/// The parts of a row, each measured alone; medians.
#[derive(Debug, Clone, Copy, Default)]
pub struct Least {
    /// Reading from the page cache; nothing where the disk is what takes the time.
    pub read: Cost,
    /// Seconds of one processor that hashing takes.
    pub hash: f64,
    /// Writing.
    pub write: Cost,
    /// All of that together, by the simplest program that does it.
    pub bare: Option<Cost>,
    /// The same by one thread.
    pub alone: Option<Cost>,
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
    /// How the bytes come there.
    pub way: Way,
    /// By one thread, in small pieces, instead of one for each processor.
    pub alone: bool,
}

/// How bytes come from the one file to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Those that are no zeros are written.
    Plain,
    /// And hashed before.
    Hashed,
    /// As many as there is room for are written past the page cache, zeros too.
    Direct,
}

const WAYS: [(&str, Way); 3] = [("plain", Way::Plain), ("hashed", Way::Hashed), ("direct", Way::Direct)];

const ONE: &str = "one";
const ALL: &str = "all";

impl Bare {
    /// The words after `xtask bare`, without the files.
    pub fn words(&self) -> String {
        let name = WAYS.iter().find(|(_, way)| *way == self.way).map_or("", |(name, _)| name);
        format!("{} {} {name} {}", self.granule, self.room, if self.alone { ONE } else { ALL })
    }

    /// From the words after `xtask bare`, and the two files.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Option<(Bare, String, String)> {
        let granule = words.next()?.parse().ok().filter(|granule| (512..=MIB).contains(granule))?;
        let room = words.next()?.parse().ok()?;
        let wanted = words.next()?;
        let (_, way) = *WAYS.iter().find(|(name, _)| *name == wanted)?;
        let alone = words.next().filter(|word| [ONE, ALL].contains(&word.as_str()))? == ONE;
        Some((Bare { granule, room, way, alone }, words.next()?, words.next()?))
    }
}

/// What was measured before, by what was run: rows have parts in common.
#[derive(Default)]
pub struct Known(HashMap<String, Cost>);

impl Known {
    /// The least that `row` needs, of which ours wrote `written` bytes.
    pub fn of(&mut self, row: &Row, written: u64, (rounds, places): (usize, &Places)) -> Result<Option<Least>, String> {
        let Some(parts) = &row.parts else { return Ok(None) };
        let content = match parts.content {
            Some(disk) => allocated(&places.disks.path(disk))?,
            None => written,
        };
        let mut least = Least::default();
        if parts.hashed {
            least.hash = hashing(content);
        }
        let out = &row.ours.job.out;
        let write = if *out == places.disk {
            writing_at_once(content, places)?
        } else {
            least.read = self.cost(&reading(parts, places)?, (0, rounds), places)?;
            let mut all = |alone| self.cost(&all_together(parts, written, places, alone)?, (written, rounds), places);
            (least.bare, least.alone) = (Some(all(false)?), Some(all(true)?));
            writing(content, written, places)
        };
        least.write = self.cost(&Job::new(write, out), (written, rounds), places)?;
        Ok(Some(least))
    }

    /// Writes up to `most` bytes.
    fn cost(&mut self, job: &Job, (most, rounds): (u64, usize), places: &Places) -> Result<Cost, String> {
        if let Some(known) = self.0.get(&job.script) {
            return Ok(*known);
        }
        let mut costs = Vec::new();
        for _ in 0..rounds.max(1) {
            prepare(job, most, places)?;
            costs.push(job.run()?);
            job.clean()?;
        }
        let of = |figure: fn(&Cost) -> f64| spread(costs.iter().map(figure)).median;
        let cost = Cost { wall: of(|cost| cost.wall), cpu: of(|cost| cost.cpu), ..Cost::default() };
        self.0.insert(job.script.clone(), cost);
        Ok(cost)
    }
}

/// Reads as many bytes as the disks have; of one with holes as many as its data are, from one that has none.
fn reading(parts: &Parts, places: &Places) -> Result<Job, String> {
    let mut lines = Vec::new();
    for disk in &parts.read {
        let dense = if matches!(disk.as_str(), "ordered.vhd" | "main.vhdx") { "aged.vhd" } else { disk };
        let count = allocated(&places.disks.path(disk))? / MIB;
        let dense = quote(&places.disks.path(dense));
        lines.push(format!("dd if={dense} of=/dev/null bs=1M count={count} status=none"));
    }
    Ok(Job::new(lines.join("; "), &places.memory))
}

/// The simplest program, on each disk that is read.
fn all_together(parts: &Parts, written: u64, places: &Places, alone: bool) -> Result<Job, String> {
    let granule = if parts.raw { PAGE } else { CLUSTER };
    let way = if parts.hashed { Way::Hashed } else { Way::Plain };
    let bare = Bare { granule, room: parts.content.map_or(0, |_| written), way, alone };
    let line =
        |(number, disk): (usize, &String)| bare_line(&bare, disk, &places.memory.join(format!("bare{number}")), places);
    let lines: Result<Vec<String>, String> = parts.read.iter().enumerate().map(line).collect();
    Ok(Job::new(lines?.join(" && "), &places.memory))
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
    let bare = Bare { granule: PAGE, room: content / MIB * MIB, way: Way::Direct, alone: false };
    bare_line(&bare, "aged.vhd", &places.disk.join("least"), places)
}

/// Seconds that hashing `bytes` bytes takes which are in the cache of the processor.
fn hashing(bytes: u64) -> f64 {
    let piece: Vec<u8> = (0..MIB).map(|at| (at * 7 / 3) as u8).collect();
    let round = || {
        let start = Instant::now();
        for _ in 0..bytes / MIB {
            std::hint::black_box(blake3::hash(std::hint::black_box(&piece)));
        }
        start.elapsed().as_secs_f64()
    };
    spread((0..3).map(|_| round())).median
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
