//! The section of docs/performance.md about what no program can do without: the system's part, and how near ours is to it.

use std::fmt::Write as _;

use super::Outcome;
use super::least::Least;
use super::measure::{Cost, Spread, spread};
use super::page::{median, range, theirs};
use super::rows::{Goal, Measure};

/// What ran one after the other.
struct Round<'a> {
    ours: &'a Cost,
    peer: &'a Cost,
    least: &'a Least,
}

impl<'a> Round<'a> {
    fn all(outcome: &'a Outcome) -> Vec<Self> {
        let pairs = outcome.pairs.iter().filter_map(|(ours, peer)| Some((ours, peer.as_ref()?)));
        pairs.zip(&outcome.least).map(|((ours, peer), least)| Round { ours, peer, least }).collect()
    }
}

/// Of all rounds; none when one of them has none.
fn over(rounds: &[Round<'_>], of: impl Fn(&Round<'_>) -> Option<f64>) -> Option<Spread> {
    let all: Option<Vec<f64>> = rounds.iter().map(of).collect();
    all.filter(|all| !all.is_empty()).map(|all| spread(all.into_iter()))
}

/// What the parts of a row take.
fn parts(outcome: &Outcome) -> String {
    let rounds = Round::all(outcome);
    let cell = |of: &dyn Fn(&Least) -> Option<f64>| {
        over(&rounds, |round| of(round.least)).map_or(String::new(), |time| format!("{:.2}", time.median))
    };
    let simplest = |number: usize, of: fn(&Cost) -> f64| cell(&|least| least.simplest.get(number).map(of));
    let cells = [
        cell(&|least| Some(least.read.cpu)),
        cell(&|least| Some(least.hash)),
        cell(&|least| Some(least.write.wall)),
        cell(&|least| Some(least.write.cpu)),
        cell(&|least| Some(least.wall())),
        cell(&|least| Some(least.cpu())),
        simplest(0, |bare| bare.wall),
        simplest(0, |bare| bare.cpu),
        simplest(1, |alone| alone.wall),
        simplest(1, |alone| alone.cpu),
    ];
    format!("| `{}` | {} |\n", outcome.row.name, cells.join(" | "))
}

/// How near a figure with a goal is to what bounds it, and whether the goal is beyond that.
fn bounds(outcome: &Outcome, goal: &Goal) -> Option<String> {
    let of: fn(&Cost) -> f64 = match goal.measure {
        Measure::Wall => |cost| cost.wall,
        Measure::Cpu => |cost| cost.cpu,
        Measure::Written | Measure::Seconds | Measure::Memory => return None,
    };
    let (name, least): (_, fn(&Least) -> f64) =
        if goal.measure == Measure::Wall { ("wall", Least::wall) } else { ("CPU", Least::cpu) };
    let rounds = Round::all(outcome);
    let simplest = |number: usize| move |round: &Round<'_>| round.least.simplest.get(number).map(of);
    let (bare, alone) = (simplest(0), simplest(1));
    let beside =
        |bound: &dyn Fn(&Round<'_>) -> Option<f64>| over(&rounds, |round| Some(bound(round)? / of(round.peer)));
    let near = |bound: &dyn Fn(&Round<'_>) -> Option<f64>| over(&rounds, |round| Some(of(round.ours) / bound(round)?));
    let floor = |round: &Round<'_>| Some(least(round.least));
    let limit = beside(&floor)?;
    let simple = [beside(&bare), beside(&alone)];
    let best = simple.iter().flatten().map(|figure| figure.median).fold(f64::INFINITY, f64::min);
    let verdict = match outcome.met(goal)? {
        true => "met",
        false if goal.most < limit.least => "not met: the goal is below the least in every round",
        false if goal.most < limit.median => "not met: the goal is below the least",
        false if goal.most < best => "not met: the goal is between the least and the simplest program",
        false => "**not met**",
    };
    let ours = outcome.figure(goal.measure)?;
    let [bare_beside, alone_beside] = simple;
    let shown = [Some(ours), Some(limit), bare_beside, alone_beside, near(&floor), near(&bare), near(&alone)]
        .map(|figure| figure.map_or(String::new(), |figure| range(&figure)));
    let [ours, rest @ ..] = shown;
    Some(format!("| `{}` | {name} | {ours} | {} | {verdict} | {} |\n", outcome.row.name, goal.most, rest.join(" | ")))
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
        whichever is more. In `disk-…` and `sync-raw` sixteen threads read as many bytes of the source and write them at once, past\n\
        the page cache, into a file that has its room already, and flush it: what is on the medium at the end cannot be there sooner.\n\
        Reading is there what the source has beyond that: zeros that it stores.\n\
        qemu-img flushes in `sync-raw` only.\n\n\
        **Bare** is all of it together in the simplest program that there can be (xtask/src/bench/bare.rs): on as many\n\
        threads as there are processors it reads the source as a plain file, looks for zeros, hashes where the row does, and\n\
        writes the rest to the same place of the result. It knows no format, keeps no order, and checks and tells nothing.\n\
        **Alone** is the same by one thread in pieces so small that what was read is still in the cache when it is hashed and\n\
        written: nobody waits for anybody, and one processor has the memory for itself. It takes more time on the clock and should\n\
        take less CPU. In `disk-…` and `sync-raw` bare is sixteen threads that write past the page cache into a file that has its\n\
        room already, which zeros keep, and flush it; alone is one such thread.\n\n\
        Where bare takes more CPU than alone, two processors that are busy at once make each other slower.\n\n\
        | row | reading: CPU s | hashing: CPU s | writing: wall s | CPU s | least: wall s | CPU s | bare: wall s | CPU s | alone: wall s | CPU s |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    let outcomes = || outcomes.iter().filter(|outcome| !outcome.least.is_empty());
    text.extend(outcomes().map(parts));
    text.push_str(
        "\nHow near the figures with goals are to that. A goal below the least of a row cannot be reached by reading and writing\n\
        files. One above it but below what the simplest program takes, bare or alone, would need what the least takes for\n\
        granted: zeros found for nothing, nobody waiting, and every byte still in the cache of the processor that writes it.\n\n\
        | row | of | ours / peer | goal | verdict | least / peer | bare / peer | alone / peer | ours / least | ours / bare | ours / alone |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    text.extend(outcomes().flat_map(|outcome| outcome.row.goals.iter().filter_map(move |goal| bounds(outcome, goal))));
    text.push_str(
        "\nReading by memory mapping saves one of the two copies, but making and taking down the mapping of each block costs about\n\
         as much: tried in this program, it was no faster, and a bad sector of the source would end it instead of being named.\n",
    );
    if let Some(vhdx) = outcomes().find(|outcome| outcome.row.name == "vhd-vhdx") {
        let gb = |cost: &Cost| cost.written as f64 / 1e9;
        let _ = write!(
            text,
            "\nVHD and VHDX files for Windows must not have holes, and qemu-img writes them with holes: in the row `vhd-vhdx`\n\
             hvmigrate's file takes {:.2} GB and qemu-img's {:.2} GB, and the room for the difference is the system's work too.\n",
            median(vhdx, gb),
            theirs(vhdx, gb).unwrap_or(f64::NAN),
        );
    }
    text.push_str("\nWhere hvmigrate's time goes by samples of `perf`, and which figure is left without its own code, is in\n[profile.md](profile.md).\n");
    text
}
