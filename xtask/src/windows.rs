//! hvmigrate.exe: built for Windows x64, run under Wine beside the program of this system, and compared with it.

mod build;
mod pair;

use std::path::{Path, PathBuf};
use std::thread;

use crate::run::{Task, release_program};
use pair::{Pair, Program};

/// The checkpoint chain of three files in the sample host.
const CHAIN: &str = "source/D/Hyper-V/Baum 日本語/Baum 日本語_C1C10000-0000-4000-8000-0000000000C1.avhd";

/// What lets every machine of the sample host migrate.
const PLAN: [&str; 12] = [
    "--exclude",
    "Gespeichert",
    "--answer",
    "machine.processors-exceed@Viele Prozessoren=reduce:2",
    "--answer",
    "machine.memory-exceeds@Großer Speicher=reduce:8GiB",
    "--answer",
    "machine.vlan-unknown@Datei & \"Druck\" Server=access:12",
    "--from",
    "folder:source",
    "--work",
    "work",
];

/// Builds hvmigrate.exe for use, and says where it is.
pub fn exe() -> Result<(), String> {
    if let Some(missing) = build::missing() {
        return Err(format!("{missing} is not there; 'cargo xtask test --only install' installs what it takes"));
    }
    let exe = build::program("release", &[])?;
    println!("{}", exe.display());
    Ok(())
}

/// Builds what is compared.
pub fn ahead() -> Result<(), String> {
    if build::missing().is_some() { Ok(()) } else { compared_exe().map(drop) }
}

/// The program that is compared.
fn compared_exe() -> Result<PathBuf, String> {
    build::program("quick", &["--no-default-features"])
}

/// Builds both programs and has them do the same in one folder.
pub fn compared(task: &mut Task) -> Result<(), String> {
    if let Some(missing) = build::missing() {
        task.skip(format!("hvmigrate.exe: {missing} is not there"));
        return Ok(());
    }
    // Wine makes its Windows while the program is built.
    let (exe, wine) = thread::scope(|scope| {
        let wine = scope.spawn(build::wine);
        let exe = compared_exe();
        (exe, wine.join().expect("starting Wine does not panic"))
    });
    let (exe, wine) = (exe?, wine?);
    // The program of the demo.
    let here = release_program()?;
    // In memory where the system has a folder for that: everything is flushed.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = place.join(format!("hvmigrate windows {}", std::process::id()));
    let mut pair = Pair::new(&folder, (here, exe, wine))?;
    let result = all(&mut pair);
    let score = pair.close()?;
    println!("hvmigrate.exe and hvmigrate were compared {} times", score.compared);
    for line in &score.lines {
        println!("{line}");
    }
    match score.lines.len() {
        0 => result,
        differences => result.and(Err(format!("hvmigrate.exe differs {differences} times"))),
    }
}

fn all(pair: &mut Pair) -> Result<(), String> {
    pair.run(Program::Here, &["demo", ".", "--source-only"])?.done()?;
    pair.without_links("source")?;
    answers(pair)?;
    disks(pair)?;
    kit(pair)?;
    cut_off(pair)?;
    collected(pair)
}

/// What is asked and answered, and leaves no files.
fn answers(pair: &mut Pair) -> Result<(), String> {
    let to = "kit:to?os=2019&processors=8&memory=64GiB&free=1TiB";
    pair.alike(&[
        (0, &["--version"]),
        (0, &["rules", "--format", "json"]),
        (0, &["schema"]),
        (3, &["assess", "--from", "folder:source", "--format", "json"]),
        (3, &["assess", "--from", "folder:source", "--to", to, "--policy", "guide", "--format", "json"]),
        (3, &["assess", "--from", "folder:source", "--to", to]),
        (1, &["assess", "--from", "folder:nowhere"]),
        (1, &["assess", "--from", "floppy:a"]),
        (1, &["disk", "info", "nowhere/none.vhd"]),
        (2, &["disk", "info"]),
    ])
}

/// Single disks: read, judged, proved and written in each format.
fn disks(pair: &mut Pair) -> Result<(), String> {
    let disks = pair.disks("source")?;
    let mut asked: Vec<(i32, Vec<&str>)> = Vec::new();
    for disk in &disks {
        asked.push((0, vec!["disk", "info", disk, "--format", "json"]));
        asked.push((0, vec!["disk", "check", disk, "--format", "json"]));
        asked.push((0, vec!["disk", "hash", disk]));
    }
    let asked: Vec<(i32, &[&str])> = asked.iter().map(|(code, args)| (*code, args.as_slice())).collect();
    pair.alike(&asked)?;
    for format in ["raw", "vhd", "vhd-fixed", "vhdx", "vhdx-fixed", "qcow2"] {
        pair.makes(&["disk", "convert", CHAIN, "new/disk", "--to", format, "--manifest", "new/disk.manifest"], "new")?;
    }
    pair.makes(&["disk", "convert", CHAIN, "new/disk.vhdx", "--to", "vhdx", "--keep-chain"], "new")?;
    pair.makes(&["disk", "manifest", CHAIN, "--output", "new/of-chain"], "new")?;
    // What the one wrote the other checks.
    for (writer, reader) in [(Program::Here, Program::Windows), (Program::Windows, Program::Here)] {
        pair.folder("new")?;
        pair.run(writer, &["disk", "convert", CHAIN, "new/a.vhdx", "--to", "vhdx", "--manifest", "new/a.manifest"])?
            .done()?;
        pair.run(reader, &["disk", "verify", "new/a.vhdx", "new/a.manifest"])?.done()?;
        pair.run(reader, &["disk", "compare", "new/a.vhdx", CHAIN])?.done()?;
        pair.remove("new")?;
    }
    Ok(())
}

/// A whole migration to a kit.
fn kit(pair: &mut Pair) -> Result<(), String> {
    let to = "kit:to?os=2022&processors=2&memory=32GiB&free=100GiB";
    let plan = [&["plan", "--to", to, "--format", "json"], PLAN.as_slice()].concat();
    let migrate = ["migrate", "--work", "work", "--confirm", "all"];
    let mut told = Vec::new();
    for program in Program::BOTH {
        let planned = pair.run(program, &plan)?.done()?;
        pair.run(program, &migrate)?.done()?;
        let verified = pair.run(program, &["verify", "--work", "work", "--format", "json"])?.done()?;
        pair.run(program, &["report", "--work", "work", "--output", "report"])?.done()?;
        told.push(vec![planned, verified]);
        pair.keep(program, &["to", "work", "report"])?;
    }
    pair.told_alike("a migration to a kit", &told)?;
    pair.kept_alike("to")?;
    pair.kept_alike("report")?;
    pair.take(Program::Windows, &["to", "work"])?;
    pair.run(Program::Windows, &["rollback", "--work", "work", "--discard-data"])?.done()?;
    pair.gone("to")?;
    pair.remove("work")
}

/// The script for a running host, in the script host of Wine, which has no Hyper-V: it takes what is there and tells the rest.
fn collected(pair: &mut Pair) -> Result<(), String> {
    pair.give("ProgramData/Microsoft/Windows/Hyper-V")?;
    let told = pair.run(Program::Windows, &["collect", "collected"])?.ended(1)?;
    let assess = ["assess", "--from", "folder:collected", "--format", "json"];
    let judged = pair.run(Program::Here, &assess)?.ended(3)?;
    let said = [
        (&told, ["hive SYSTEM: 'reg save' ended with 1", "Win32_OperatingSystem", "Checksums"]),
        (&judged, ["Bootfähig", "Baum 日本語", "hive.missing"]),
    ];
    for (text, parts) in said {
        if let Some(part) = parts.iter().find(|part| !text.contains(**part)) {
            return Err(format!("'{part}' was expected in: {text}"));
        }
    }
    pair.remove("collected")
}

/// A migration that is killed while it copies, and goes on.
fn cut_off(pair: &mut Pair) -> Result<(), String> {
    let to = "kit:to?os=2012&processors=2&memory=32GiB&free=100GiB";
    let plan = [&["plan", "--to", to], PLAN.as_slice()].concat();
    let migrate = ["migrate", "--work", "work", "--confirm", "all"];
    pair.run(Program::Here, &plan)?.done()?;
    pair.run(Program::Here, &migrate)?.done()?;
    pair.keep(Program::Here, &["to", "work"])?;
    pair.run(Program::Windows, &plan)?.done()?;
    pair.killed(&migrate, Path::new("to/disks"))?;
    pair.run(Program::Windows, &migrate)?.done()?;
    pair.keep(Program::Windows, &["to", "work"])?;
    pair.kept_alike("to")
}

/// Where the Windows program and all that belongs to it is built.
fn target() -> PathBuf {
    crate::target().join("windows")
}
