//! The section of docs/performance.md about what no program can do without: the system's part, and where our time goes.

use std::fmt::Write as _;

use super::Outcome;
use super::measure::Cost;
use super::page::{median, theirs};
use super::rows::{FLUSHING, READING, WRITING};

type Of = fn(&Cost) -> f64;
const WALL: Of = |cost| cost.wall;
const CPU: Of = |cost| cost.cpu;

/// The section; empty when the rows for it were not measured.
pub fn section(outcomes: &[Outcome]) -> String {
    let row = |name: &str| outcomes.iter().find(|outcome| outcome.row.name == name);
    let (Some(raw), Some(reading), Some(writing)) = (row("vhd-raw"), row(READING), row(WRITING)) else {
        return String::new();
    };
    let mut text = "\n## The limit\n\n".to_owned();
    text.push_str(&parts(raw, reading, writing));
    if let (Some(vhdx), Some(sync), Some(disk)) = (row("vhd-vhdx"), row("sync-raw"), row(FLUSHING)) {
        text.push_str(&others(vhdx, (sync, disk)));
    }
    text.push_str("\nWhere hvmigrate's time goes by samples of `perf` is in [profile.md](profile.md).\n");
    text
}

/// Reading and writing alone, and what follows for a program that does both.
fn parts(raw: &Outcome, reading: &Outcome, writing: &Outcome) -> String {
    let of = |outcome: &Outcome, cost: Of| theirs(outcome, cost).unwrap_or(f64::NAN);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpu = of(reading, CPU) + of(writing, CPU);
    // Written is one piece after the other; reading can go on meanwhile, as far as there are processors.
    let wall = of(writing, WALL).max(cpu / cores as f64);
    let line = |what: &str, wall: f64, cpu: f64| format!("| {what} | {wall:.2} | {cpu:.2} |\n");
    let ours = (median(raw, WALL), median(raw, CPU));
    let qemu = (of(raw, WALL), of(raw, CPU));
    let mut text = "What the system alone needs for the row `vhd-raw`, measured in the same run:\n\n\
                    | | wall s | CPU s |\n| --- | --- | --- |\n"
        .to_owned();
    text.push_str(&line(
        "reading `aged.vhd` from the page cache (`dd` to /dev/null)",
        of(reading, WALL),
        of(reading, CPU),
    ));
    text.push_str(&line("writing as many bytes to tmpfs (`dd` from /dev/zero)", of(writing, WALL), of(writing, CPU)));
    text.push_str(&line("**the least for both**: one write to a file at a time, reading meanwhile", wall, cpu));
    text.push_str(&line("hvmigrate", ours.0, ours.1));
    text.push_str(&line("qemu-img", qemu.0, qemu.1));
    let _ = write!(
        text,
        "\nThe least is {:.2} × the wall time and {:.2} × the CPU of qemu-img: a goal below that cannot be reached by reading and\n\
         writing files. hvmigrate needs {:.2} × the least wall time and {:.2} × the least CPU. Reading by memory mapping would save\n\
         one of the two copies, but a bad sector of the source would end the program instead of being named, so it is not done.\n\n",
        wall / qemu.0,
        cpu / qemu.1,
        ours.0 / wall,
        ours.1 / cpu,
    );
    text
}

fn others(vhdx: &Outcome, (sync, disk): (&Outcome, &Outcome)) -> String {
    let gb = |cost: &Cost| cost.written as f64 / 1e9;
    let of = |outcome: &Outcome, cost: Of| theirs(outcome, cost).unwrap_or(f64::NAN);
    format!(
        "VHD and VHDX files for Windows must not have holes, and qemu-img writes them with holes: in the row `vhd-vhdx`\n\
         hvmigrate's file takes {:.2} GB and qemu-img's {:.2} GB, and the room for the difference is the system's work too.\n\n\
         To the disk, past the page cache, writing as many bytes takes `dd` {:.2} s; qemu-img takes {:.2} s for everything, and\n\
         hvmigrate with `--sync` {:.2} s, {:.2} × of `dd`.\n",
        median(vhdx, gb),
        of(vhdx, gb),
        of(disk, WALL),
        of(sync, WALL),
        median(sync, WALL),
        median(sync, WALL) / of(disk, WALL),
    )
}
