//! The section of docs/performance.md about what no program can do without: the system's part, and how near ours is to it.

use std::fmt::Write as _;

use super::Outcome;
use super::least::Least;
use super::measure::Cost;
use super::page::{median, theirs};

type Of = fn(&Cost) -> f64;
const WALL: Of = |cost| cost.wall;
const CPU: Of = |cost| cost.cpu;
/// Figures of a row.
const COLUMNS: usize = 19;

/// The section; empty when nothing was worked out.
pub fn section(outcomes: &[Outcome]) -> String {
    let bounded: Vec<(&Outcome, &Least)> =
        outcomes.iter().filter_map(|outcome| Some((outcome, outcome.least.as_ref()?))).collect();
    if bounded.is_empty() {
        return String::new();
    }
    let mut text = "\n## The limit\n\n\
        What the system alone needs for a row, measured in the same run, medians: **reading** as many bytes as the source has on\n\
        the disk, from the page cache (`dd` to /dev/null); **hashing** the content with BLAKE3 in the cache of one processor;\n\
        **writing** as many bytes as the result has, to tmpfs (always the same piece, for VHDX after `fallocate`). A file takes one\n\
        write at a time, and all the rest can go on meanwhile as far as there are processors: the **least** wall time is that of\n\
        writing or the least CPU through the number of processors, whichever is more. In `sync-raw` sixteen threads read as many\n\
        bytes of the source and write them at once, past the page cache, into a file that has its room already, and flush it.\n\n\
        **Bare** is all of it together in the simplest program that there can be (xtask/src/bench/bare.rs): on as many\n\
        threads as there are processors it reads the source as a plain file, looks for zeros, hashes where the row does, and\n\
        writes the rest to the same place of the result. It knows no format, keeps no order, and checks and tells nothing.\n\
        **Alone** is the same by one thread in pieces so small that what was read is still in the cache when it is hashed and\n\
        written: nobody waits for anybody, and one processor has the memory for itself. It takes more time on the clock and should\n\
        take less CPU. The parts of a row are measured minutes apart, and how fast the memory of a virtual machine is changes\n\
        meanwhile; where alone took more CPU than bare, it was slower then.\n\n\
        A goal below the least of a row cannot be reached by reading and writing files; how far bare is above the least is what\n\
        looking for zeros costs, and that bytes which were just read are no longer in the cache of the processor that writes them.\n\n\
        | row | reading: CPU s | hashing: CPU s | writing: wall s | CPU s | least: wall s | CPU s | least / peer: wall | CPU | ours / least: wall | CPU | bare: wall s | CPU s | bare / peer: wall | CPU | ours / bare: wall | CPU | alone: CPU s | alone / peer: CPU | ours / alone: CPU |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (outcome, least) in bounded {
        let of = |cost: Of| theirs(outcome, cost).unwrap_or(f64::NAN);
        let mut figures = vec![
            least.read.cpu,
            least.hash,
            least.write.wall,
            least.write.cpu,
            least.wall(),
            least.cpu(),
            least.wall() / of(WALL),
            least.cpu() / of(CPU),
            median(outcome, WALL) / least.wall(),
            median(outcome, CPU) / least.cpu(),
        ];
        if let Some(bare) = least.bare {
            let ours = |cost: Of| median(outcome, cost) / cost(&bare);
            figures.extend([bare.wall, bare.cpu, bare.wall / of(WALL), bare.cpu / of(CPU), ours(WALL), ours(CPU)]);
        }
        if let Some(alone) = least.alone {
            figures.extend([alone.cpu, alone.cpu / of(CPU), median(outcome, CPU) / alone.cpu]);
        }
        let mut cells: Vec<String> = figures.iter().map(|figure| format!("{figure:.2}")).collect();
        cells.resize(COLUMNS, String::new());
        let _ = writeln!(text, "| `{}` | {} |", outcome.row.name, cells.join(" | "));
    }
    text.push_str(
        "\nReading by memory mapping would save one of the two copies, but a bad sector of the source would end the program instead\n\
         of being named, so it is not done.\n",
    );
    if let Some(vhdx) = outcomes.iter().find(|outcome| outcome.row.name == "vhd-vhdx") {
        let gb = |cost: &Cost| cost.written as f64 / 1e9;
        let _ = write!(
            text,
            "\nVHD and VHDX files for Windows must not have holes, and qemu-img writes them with holes: in the row `vhd-vhdx`\n\
             hvmigrate's file takes {:.2} GB and qemu-img's {:.2} GB, and the room for the difference is the system's work too.\n",
            median(vhdx, gb),
            theirs(vhdx, gb).unwrap_or(f64::NAN),
        );
    }
    text.push_str("\nWhere hvmigrate's time goes by samples of `perf` is in [profile.md](profile.md).\n");
    text
}
