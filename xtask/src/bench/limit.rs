//! The section of docs/performance.md about what no program can do without: the system's part, and how near ours is to it.

use std::fmt::Write as _;

use super::Outcome;
use super::least::Least;
use super::measure::{Cost, spread};
use super::page::{median, theirs};

/// Figures of a row.
const COLUMNS: usize = 19;

/// What ran one after the other.
struct Round<'a> {
    ours: &'a Cost,
    peer: &'a Cost,
    least: &'a Least,
}

/// Medians of the rounds.
fn figures(rounds: &[Round<'_>]) -> Vec<f64> {
    let middle = |figure: &dyn Fn(&Round<'_>) -> f64| spread(rounds.iter().map(figure)).median;
    let mut figures = vec![
        middle(&|round| round.least.read.cpu),
        middle(&|round| round.least.hash),
        middle(&|round| round.least.write.wall),
        middle(&|round| round.least.write.cpu),
        middle(&|round| round.least.wall()),
        middle(&|round| round.least.cpu()),
        middle(&|round| round.least.wall() / round.peer.wall),
        middle(&|round| round.least.cpu() / round.peer.cpu),
        middle(&|round| round.ours.wall / round.least.wall()),
        middle(&|round| round.ours.cpu / round.least.cpu()),
    ];
    if rounds.iter().all(|round| round.least.simplest.is_some()) {
        let bare = |round: &Round<'_>| round.least.simplest.map_or(Cost::default(), |[bare, _]| bare);
        let alone = |round: &Round<'_>| round.least.simplest.map_or(Cost::default(), |[_, alone]| alone);
        figures.extend([
            middle(&|round| bare(round).wall),
            middle(&|round| bare(round).cpu),
            middle(&|round| bare(round).wall / round.peer.wall),
            middle(&|round| bare(round).cpu / round.peer.cpu),
            middle(&|round| round.ours.wall / bare(round).wall),
            middle(&|round| round.ours.cpu / bare(round).cpu),
            middle(&|round| alone(round).cpu),
            middle(&|round| alone(round).cpu / round.peer.cpu),
            middle(&|round| round.ours.cpu / alone(round).cpu),
        ]);
    }
    figures
}

/// The section; empty when nothing was worked out.
pub fn section(outcomes: &[Outcome]) -> String {
    if outcomes.iter().all(|outcome| outcome.least.is_empty()) {
        return String::new();
    }
    let mut text = "\n## The limit\n\n\
        What the system alone needs for a row, measured after each of its pairs; times are medians, ratios medians of the rounds'\n\
        ratios. **Reading** is as many bytes as the source has on the disk, from the page cache (`dd` to /dev/null); **hashing** is\n\
        the content with BLAKE3 in the cache of one processor; **writing** is as many bytes as the result has, to tmpfs (always the\n\
        same piece, for VHDX after `fallocate`). A file takes one write at a time, and all the rest can go on meanwhile as far as\n\
        there are processors: the **least** wall time is that of writing or the least CPU through the number of processors,\n\
        whichever is more. In `sync-raw` sixteen threads read as many bytes of the source and write them at once, past the page\n\
        cache, into a file that has its room already, and flush it.\n\n\
        **Bare** is all of it together in the simplest program that there can be (xtask/src/bench/bare.rs): on as many\n\
        threads as there are processors it reads the source as a plain file, looks for zeros, hashes where the row does, and\n\
        writes the rest to the same place of the result. It knows no format, keeps no order, and checks and tells nothing.\n\
        **Alone** is the same by one thread in pieces so small that what was read is still in the cache when it is hashed and\n\
        written: nobody waits for anybody, and one processor has the memory for itself. It takes more time on the clock and should\n\
        take less CPU.\n\n\
        A goal below the least of a row cannot be reached by reading and writing files; how far bare is above the least is what\n\
        looking for zeros costs, and that bytes which were just read are no longer in the cache of the processor that writes them.\n\
        Where bare takes more CPU than alone, two processors that are busy at once make each other slower.\n\n\
        | row | reading: CPU s | hashing: CPU s | writing: wall s | CPU s | least: wall s | CPU s | least / peer: wall | CPU | ours / least: wall | CPU | bare: wall s | CPU s | bare / peer: wall | CPU | ours / bare: wall | CPU | alone: CPU s | alone / peer: CPU | ours / alone: CPU |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for outcome in outcomes.iter().filter(|outcome| !outcome.least.is_empty()) {
        let pairs = outcome.pairs.iter().filter_map(|(ours, peer)| Some((ours, peer.as_ref()?)));
        let rounds = pairs.zip(&outcome.least).map(|((ours, peer), least)| Round { ours, peer, least });
        let figures = figures(&rounds.collect::<Vec<_>>());
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
