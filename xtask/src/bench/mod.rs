//! `cargo xtask bench`: makes the disks, runs hvmigrate and other programs in turns, checks what they made, and writes the
//! figures to docs/performance.md and docs/peers.md.

#[cfg(unix)]
mod bare;
mod disks;
mod least;
mod limit;
mod machine;
mod measure;
mod ntfs;
mod page;
mod profile;
mod quiet;
mod rows;
#[cfg(unix)]
mod shares;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use disks::{Disks, PARTITION, Scale};
use least::{Least, Parts};
use measure::Spread;
use rows::{Check, Goal, Measure, Places, Row, Side};

use crate::run::{Task, at, cargo, is_there, release_program, run};

#[cfg(unix)]
pub use bare::run as run_bare;
pub use least::Bare;
pub use machine::Machine;
pub use measure::{Cost, Job, spread};
pub use page::{kept_figures, range};

/// Programs without which nothing can be measured, and the packages that bring them.
const NEEDED: &[(&str, &str)] = &[
    ("mkntfs", "ntfs-3g"),
    ("ntfs-3g", "ntfs-3g"),
    ("ntfscat", "ntfs-3g"),
    ("perl", "perl-base"),
    ("qemu-img", "qemu-utils"),
    ("time", "time"),
    ("umount", "mount"),
];

/// What the command line asks for.
pub struct Options {
    disks: Option<PathBuf>,
    rounds: Option<usize>,
    only: Vec<String>,
    scale: Scale,
    what: What,
}

/// How far it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    MakeDisks,
    Measure,
    Profile,
    Section,
}

impl Options {
    fn new(scale: Scale) -> Self {
        Options { disks: None, rounds: None, only: Vec::new(), scale, what: What::Measure }
    }

    /// Reads the words behind `bench`.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Options::new(Scale::Full);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--disks" => options.disks = Some(args.next()?.into()),
                "--rounds" => options.rounds = Some(args.next()?.parse().ok().filter(|rounds| *rounds > 0)?),
                "--only" => options.only.push(args.next()?),
                "--make-disks" => options.what = What::MakeDisks,
                "--profile" => options.what = What::Profile,
                "--section" => options.what = What::Section,
                "--small" => options.scale = Scale::Small,
                _ => return None,
            }
        }
        Some(options)
    }
}

/// The figures of a row.
struct Outcome {
    row: Row,
    /// Ours and theirs, in pairs.
    pairs: Vec<(Cost, Option<Cost>)>,
    /// Bytes that the guest uses, where that matters.
    used: u64,
    /// What the system alone needs, measured after each pair; nothing where that is not worked out.
    least: Vec<Least>,
}

impl Outcome {
    /// The figure that a goal is about.
    fn figure(&self, measure: Measure) -> Option<Spread> {
        let ratio = |of: fn(&Cost) -> f64| {
            let pairs: Option<Vec<(f64, f64)>> =
                self.pairs.iter().map(|(ours, peer)| Some((of(ours), of(peer.as_ref()?)))).collect();
            Some(spread(pairs?.iter().map(|(ours, peer)| ours / peer.max(1e-3))))
        };
        match measure {
            Measure::Wall => ratio(|cost| cost.wall),
            Measure::Cpu => ratio(|cost| cost.cpu),
            Measure::Seconds => Some(spread(self.pairs.iter().map(|(ours, _)| ours.wall))),
            Measure::Memory => Some(spread(self.pairs.iter().map(|(ours, _)| ours.peak as f64 / f64::from(1 << 20)))),
            Measure::Written => Some(spread(self.pairs.iter().map(|(ours, _)| ours.written as f64 / self.used as f64))),
        }
    }

    fn met(&self, goal: &Goal) -> Option<bool> {
        self.figure(goal.measure).map(|figure| figure.median <= goal.most)
    }

    /// Whether it has the goal of memory that all jobs on disks have.
    fn is_of_disks(&self) -> bool {
        self.row.goals.iter().all(|goal| goal.measure != Measure::Memory)
    }

    fn peak(&self) -> u64 {
        self.pairs.iter().map(|(ours, _)| ours.peak).max().unwrap_or(0)
    }
}

/// Small disks, each row once, to see that all of this goes; skipped aloud where the programs or rights are missing.
pub fn smoke(task: &mut Task) -> Result<(), String> {
    let missing = missing();
    if !missing.is_empty() {
        task.skip(format!("the bench: {}", missing.join(", ")));
        return Ok(());
    }
    measured(task, &Options::new(Scale::Small))
}

/// The program that is measured.
fn program(options: &Options) -> Result<PathBuf, String> {
    if options.what != What::Profile {
        return release_program();
    }
    let lines = "profile.release.debug='line-tables-only'";
    cargo(&["build", "--release", "--quiet", "--package", "hvmigrate", "--config", lines])?;
    Ok(crate::target().join("release").join("hvmigrate"))
}

/// Measures what was asked for.
pub fn measured(task: &mut Task, options: &Options) -> Result<(), String> {
    if options.only == ["smb"] {
        let section = shares(options)?;
        println!("{section}");
        return if options.what == What::Section { page::put(&crate::root(), &section) } else { Ok(()) };
    }
    let missing = missing();
    if !missing.is_empty() {
        return Err(missing.join(", "));
    }
    let usual = crate::target().join(if options.scale == Scale::Small { "bench-small" } else { "bench" });
    let folder = options.disks.clone().unwrap_or(usual);
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    let folder = folder.canonicalize().map_err(at(&folder))?;
    let disks = Disks::open(&folder, options.scale)?;
    if options.what == What::MakeDisks {
        return Ok(());
    }
    let program = program(options)?;
    let memory = Path::new("/dev/shm");
    let memory = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let places = Places {
        program: &program,
        disks: &disks,
        memory: memory.join(format!("hvmigrate-bench-{}", std::process::id())),
        disk: folder.join("out"),
    };
    let machine = machine::Machine::look();
    if options.what == What::Profile {
        let measured = crate::root().join("docs").join("performance.md");
        let measured = fs::read_to_string(&measured).map_err(at(&measured))?;
        let page = profiles(&places).and_then(|profiles| profile::page(&profiles, &measured, &machine));
        remove(&places)?;
        let path = crate::root().join("docs").join("profile.md");
        return fs::write(&path, page?).map_err(at(&path));
    }
    let result = all_rows(task, options, &places);
    remove(&places)?;
    let page = page::Page { outcomes: result?, machine, places };
    println!("{}", page.table());
    if options.scale == Scale::Small {
        println!("These disks are too small for figures: this run only shows that all goes.");
        return Ok(());
    }
    for miss in page.misses() {
        println!("NOT MET: {miss}");
    }
    if options.only.is_empty() {
        page.write(&crate::root(), &shares(options)?)?;
    } else if options.what == What::Section {
        page::put(&crate::root(), &page.alone(&options.only))?;
    } else {
        println!("{}", limit::section(&page.outcomes));
    }
    Ok(())
}

/// The section of files that are read over the network.
#[cfg(unix)]
fn shares(options: &Options) -> Result<String, String> {
    shares::section(options.rounds.unwrap_or(5))
}

/// There is no server of shares.
#[cfg(not(unix))]
fn shares(_: &Options) -> Result<String, String> {
    Err("shares are measured on Linux only".to_owned())
}

fn remove(places: &Places) -> Result<(), String> {
    for folder in [&places.memory, &places.disk].into_iter().filter(|folder| folder.exists()) {
        fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    Ok(())
}

/// Samples of one run of each row that asks for it, after one that brings its disk into the page cache.
fn profiles(places: &Places) -> Result<Vec<(String, profile::Profile)>, String> {
    let mut all = Vec::new();
    for row in places.rows().into_iter().filter(|row| row.bytes.is_some()) {
        let cost = row.ours.job.run()?;
        prepare(&row.ours.job, cost.written, places)?;
        let found = profile::sample(&row.ours.job.script, &places.disk)?;
        row.ours.job.clean()?;
        all.push((row.name, found));
    }
    Ok(all)
}

fn missing() -> Vec<String> {
    let programs =
        NEEDED.iter().filter(|(program, _)| !is_there(program) && !Path::new("/sbin").join(program).exists());
    let mut missing: Vec<String> =
        programs.map(|(program, package)| format!("{program} is not installed (apt-get install {package})")).collect();
    if fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").is_err() {
        missing.push("/dev/fuse cannot be opened (NTFS is mounted through it, as root)".to_owned());
    }
    missing
}

fn all_rows(task: &mut Task, options: &Options, places: &Places) -> Result<Vec<Outcome>, String> {
    let rounds = options.rounds.unwrap_or(if options.scale == Scale::Small { 0 } else { 5 });
    let rows: Vec<Row> = places.rows();
    if let Some(unknown) = options.only.iter().find(|name| rows.iter().all(|row| row.name != **name)) {
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        return Err(format!("there is no row '{unknown}'; the rows are {}", names.join(" ")));
    }
    let mut outcomes = Vec::new();
    for row in rows {
        if !options.only.is_empty() && !options.only.contains(&row.name) {
            continue;
        }
        if let Some(program) = row.needs.iter().find(|program| !is_there(program)) {
            task.skip(format!("row {}: {program} is not installed", row.name));
            continue;
        }
        let rounds = if row.slow { rounds.min(2) } else { rounds };
        let name = row.name.clone();
        let outcome = one_row(row, (rounds, places)).map_err(|error| format!("row {name}: {error}"))?;
        println!("{}", page::short(&outcome));
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// One round that is not measured but checked, then pairs whose order alternates. Without those the first round must do.
fn one_row(row: Row, (rounds, places): (usize, &Places)) -> Result<Outcome, String> {
    let mut rounds = rounds;
    let mut checked: Vec<Cost> = Vec::new();
    if rounds > 0 {
        quiet::forget_files();
    }
    for side in std::iter::once(&row.ours).chain(&row.peer) {
        let cost = side.job.run()?;
        if side.job.limit.is_some_and(|limit| cost.wall >= limit as f64) {
            rounds = 1;
        }
        check(side, places)?;
        side.job.clean()?;
        checked.push(cost);
    }
    let most = checked.iter().map(|cost| cost.written).max().unwrap_or(0);
    let measure = |job: &Job| {
        prepare(job, most, places)?;
        let cost = job.run();
        job.clean()?;
        cost
    };
    let parts = Parts::of(&row, checked[0].written, places, &measure)?;
    let (mut pairs, mut least) = (Vec::new(), Vec::new());
    if rounds == 0 {
        pairs.push((checked[0], checked.get(1).copied()));
    }
    for round in 0..rounds.max(1) {
        match &row.peer {
            _ if rounds == 0 => {}
            None => pairs.push((measure(&row.ours.job)?, None)),
            Some(peer) if round % 2 == 0 => {
                let ours = measure(&row.ours.job)?;
                pairs.push((ours, Some(measure(&peer.job)?)));
            }
            Some(peer) => {
                let theirs = measure(&peer.job)?;
                pairs.push((measure(&row.ours.job)?, Some(theirs)));
            }
        }
        if let Some(parts) = &parts {
            least.push(parts.run()?);
        }
    }
    // The partition, and what lies before it.
    let used = places.disks.facts["main"]["used_bytes"].as_u64().unwrap_or(0) + PARTITION;
    Ok(Outcome { row, pairs, used, least })
}

/// Before each run that is measured: both sides of a row, which write at most `most` bytes, find the machine alike.
fn prepare(job: &Job, most: u64, places: &Places) -> Result<(), String> {
    job.clean()?;
    fs::create_dir_all(&places.disk).map_err(at(&places.disk))?;
    // What is written to a disk may lie in the page cache first.
    if job.fills_memory {
        quiet::touch_memory(most + most / 8)?;
    }
    if job.out == places.disk { run("sync", &[]) } else { Ok(()) }
}

/// A wrong result ends everything.
fn check(side: &Side, places: &Places) -> Result<(), String> {
    match &side.check {
        Check::Nothing => Ok(()),
        Check::Says(file, expected) => {
            let path = side.job.out.join(file);
            let found = fs::read_to_string(&path).map_err(at(&path))?;
            if found.starts_with(expected) {
                Ok(())
            } else {
                Err(format!("'{expected}' was expected, found '{}'", found.trim()))
            }
        }
        Check::Same(files) => files.iter().try_for_each(|(file, format, other, other_format)| {
            let (file, other) = (side.job.out.join(file).display().to_string(), other.display().to_string());
            run("qemu-img", &["compare", "-q", "-f", format, "-F", other_format, &file, &other])
        }),
        Check::Used(file) => {
            let wrong = wrong_clusters(&side.job.out.join(file), places)?;
            if wrong == 0 { Ok(()) } else { Err(format!("{wrong} clusters that the guest uses are wrong")) }
        }
    }
}

/// Clusters in use in which a raw disk differs from the main volume.
fn wrong_clusters(disk: &Path, places: &Places) -> Result<u64, String> {
    let (part, bits) = (places.disks.path("main.part"), places.disks.path("main.bitmap"));
    let bitmap = fs::read(&bits).map_err(at(&bits))?;
    let (mut right, mut ours) = (File::open(&part).map_err(at(&part))?, File::open(disk).map_err(at(disk))?);
    let len = right.metadata().map_err(at(&part))?.len();
    let read = |file: &mut File, at: u64| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(ntfs::CLUSTER).expect("a cluster is small")];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    let mut wrong = 0;
    for cluster in (0..ntfs::clusters(len)).filter(|cluster| ntfs::is_used(&bitmap, *cluster)) {
        let place = cluster * ntfs::CLUSTER;
        let expected = read(&mut right, place).map_err(at(&part))?;
        let found = read(&mut ours, place + PARTITION).map_err(at(disk))?;
        wrong += u64::from(expected != found);
    }
    Ok(wrong)
}
