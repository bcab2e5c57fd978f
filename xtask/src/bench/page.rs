//! The pages: docs/performance.md, and the section with other programs in docs/peers.md.

use std::fmt::Write as _;
use std::path::Path;

use super::limit;
use super::machine::Machine;
use super::measure::{Cost, Spread, spread};
use super::rows::{Goal, Measure, Places, Side};
use super::{Outcome, at};

/// Most memory that a run of ours may take.
const PEAK: u64 = 64 << 20;
/// Percent of the processors' time that others may take.
const NOISE: f64 = 10.0;
/// Where the section of docs/peers.md begins; it goes up to the end.
const SECTION: &str = "## Speed beside other programs";

/// What there is to tell.
pub struct Page<'a> {
    pub outcomes: Vec<Outcome>,
    pub machine: Machine,
    pub places: Places<'a>,
}

/// The section of figures of an older page, which `cargo xtask peers` keeps.
pub fn kept_figures(page: &str) -> &str {
    page.find(SECTION).map_or("", |start| &page[start..])
}

/// Puts a section into docs/performance.md, in the place of the one with the same heading or at the end.
pub fn put(root: &Path, section: &str) -> Result<(), String> {
    let path = root.join("docs").join("performance.md");
    let page = std::fs::read_to_string(&path).map_err(at(&path))?;
    std::fs::write(&path, with_section(&page, section)).map_err(at(&path))?;
    println!("written: {}", path.display());
    Ok(())
}

fn with_section(page: &str, section: &str) -> String {
    let section = section.trim();
    let heading = section.lines().next().unwrap_or_default();
    let (before, old) = page.split_once(&format!("\n{heading}\n")).unwrap_or((page, ""));
    let after = old.split_once("\n## ").map_or(String::new(), |(_, after)| format!("\n## {after}"));
    format!("{}\n\n{section}\n{after}", before.trim_end())
}

/// One line while it runs.
pub fn short(outcome: &Outcome) -> String {
    let figures: Vec<String> = outcome.row.goals.iter().map(|goal| verdict(outcome, goal)).collect();
    let (name, wall) = (&outcome.row.name, median(outcome, |cost| cost.wall));
    format!("{name}: {wall:.2} s, peak {} MiB; {}", outcome.peak() >> 20, figures.join("; "))
}

/// Goal, figure, and whether it is met.
fn verdict(outcome: &Outcome, goal: &Goal) -> String {
    let (Some(figure), Some(met)) = (outcome.figure(goal.measure), outcome.met(goal)) else { return String::new() };
    let (what, unit) = match goal.measure {
        Measure::Wall => ("wall", " ×"),
        Measure::Cpu => ("CPU", " ×"),
        Measure::Written => ("written", " × used"),
        Measure::Seconds => ("wall", " s"),
        Measure::Memory => ("memory", " MiB"),
    };
    let mark = if met { "met" } else { "**not met**" };
    format!("{what} {}{unit}, goal {}{unit}: {mark}", range(&figure), goal.most)
}

/// The median, and the least and the greatest in brackets.
pub fn range(figure: &Spread) -> String {
    format!("{:.2} ({:.2}–{:.2})", figure.median, figure.least, figure.most)
}

/// Of our side.
pub fn median(outcome: &Outcome, of: fn(&Cost) -> f64) -> f64 {
    spread(outcome.pairs.iter().map(|(ours, _)| of(ours))).median
}

/// Of the other side; none where there is none.
pub fn theirs(outcome: &Outcome, of: fn(&Cost) -> f64) -> Option<f64> {
    let all: Option<Vec<f64>> = outcome.pairs.iter().map(|(_, peer)| peer.as_ref().map(of)).collect();
    all.map(|all| spread(all.into_iter()).median)
}

impl Page<'_> {
    /// The rows with goals.
    pub fn table(&self) -> String {
        let mut table = "| row | ours: wall s | CPU s | peak MiB | peer: wall s | CPU s | wall, ours / peer | CPU, ours / peer | goals |\n\
                         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
        for outcome in &self.outcomes {
            let number = |number: Option<f64>| number.map_or(String::new(), |number| format!("{number:.2}"));
            let ratio = |measure| {
                let shown = outcome.row.peer.is_some();
                outcome.figure(measure).filter(|_| shown).map_or(String::new(), |figure| range(&figure))
            };
            let goals: Vec<String> = outcome.row.goals.iter().map(|goal| verdict(outcome, goal)).collect();
            let _ = writeln!(
                table,
                "| `{}` | {:.2} | {:.2} | {} | {} | {} | {} | {} | {} |",
                outcome.row.name,
                median(outcome, |cost| cost.wall),
                median(outcome, |cost| cost.cpu),
                outcome.peak() >> 20,
                number(theirs(outcome, |cost| cost.wall)),
                number(theirs(outcome, |cost| cost.cpu)),
                ratio(Measure::Wall),
                ratio(Measure::Cpu),
                goals.join("; "),
            );
        }
        table
    }

    /// Goals that are not met.
    pub fn misses(&self) -> Vec<String> {
        let mut misses = Vec::new();
        for outcome in &self.outcomes {
            let missed = outcome.row.goals.iter().filter(|goal| outcome.met(goal) == Some(false));
            misses.extend(
                missed.map(|goal| format!("{}: {}", outcome.row.name, verdict(outcome, goal).replace("**", ""))),
            );
            if outcome.is_of_disks() && outcome.peak() > PEAK {
                misses.push(format!(
                    "{}: peak {} MiB, goal {} MiB",
                    outcome.row.name,
                    outcome.peak() >> 20,
                    PEAK >> 20
                ));
            }
        }
        misses
    }

    /// The rows that were asked for as a section of the page.
    pub fn alone(&self, only: &[String]) -> String {
        let asked: String = only.iter().map(|row| format!(" --only {row}")).collect();
        let rounds = self.outcomes.iter().map(|outcome| outcome.pairs.len()).max().unwrap_or(0);
        format!(
            "## Rows that were measured alone\n\nMade by `cargo xtask bench --section{asked}` in {rounds} pairs, as the rows above.\n\n\
             {}\n{}\n\n{}",
            self.machine.describe(),
            self.others(),
            self.table()
        )
    }

    /// Writes both pages; `shares` is a section of the first.
    pub fn write(&self, root: &Path, shares: &str) -> Result<(), String> {
        let peers = root.join("docs").join("peers.md");
        let old = std::fs::read_to_string(&peers).map_err(at(&peers))?;
        let kept = old.strip_suffix(kept_figures(&old)).unwrap_or(&old).trim_end();
        let pages = [
            (root.join("docs").join("performance.md"), self.performance(shares)),
            (peers, format!("{kept}\n\n{}", self.beside())),
        ];
        for (path, text) in pages {
            std::fs::write(&path, text).map_err(at(&path))?;
            println!("written: {}", path.display());
        }
        Ok(())
    }

    fn performance(&self, shares: &str) -> String {
        let rounds = self.outcomes.iter().map(|outcome| outcome.pairs.len()).max().unwrap_or(0);
        let mut page = format!(
            "# Performance\n\nMade by `cargo xtask bench`.\n\n{}\n\
             {}\n\
             Each row begins with an empty page cache and is run once without being measured, which brings its disks into the\n\
             cache and is checked: the content of each result is compared with its source by qemu-img. Then {rounds} pairs are run\n\
             whose order alternates (restic: at most 2). Before each run the memory that it will need is used once and given back,\n\
             because the host of a virtual machine takes free memory away and giving it again would be measured too. Times are\n\
             medians, ratios are medians of the pairs' ratios with the least and the greatest in brackets. CPU is that of the\n\
             program and of the kernel for it; peak is the resident memory. Results go to tmpfs, in the rows\n\
             `disk-…` and `sync-raw` to a disk.\n\
             Between two whole runs a ratio can move by more than its brackets say; one near its goal, that of `sync-raw` too,\n\
             has been on either side of it.\n\n\
             {}\n",
            self.machine.describe(),
            self.others(),
            self.table()
        );
        let of_disks = self.outcomes.iter().filter(|outcome| outcome.is_of_disks());
        let peak = of_disks.map(Outcome::peak).max().unwrap_or(0);
        let met = if peak <= PEAK { "met" } else { "**not met**" };
        let _ = writeln!(
            page,
            "Peak memory of all runs of hvmigrate on disks: {} MiB, goal {} MiB: {met}.\n",
            peak >> 20,
            PEAK >> 20
        );
        let misses = self.misses();
        match misses.as_slice() {
            [] => page.push_str("All goals are met.\n"),
            _ => {
                page.push_str("Goals that are not met:\n\n");
                misses.iter().for_each(|miss| page.push_str(&format!("- {miss}\n")));
            }
        }
        page.push_str(shares);
        page.push_str(&limit::section(&self.outcomes));
        page.push_str(&self.commands());
        page.push_str(&self.disks());
        page
    }

    /// How quiet the machine was.
    fn others(&self) -> String {
        let costs = self.outcomes.iter().flat_map(|outcome| &outcome.pairs);
        let shares: Vec<f64> =
            costs.flat_map(|(ours, peer)| std::iter::once(ours).chain(peer)).map(|cost| cost.others * 100.0).collect();
        if shares.is_empty() {
            return String::new();
        }
        let Spread { median, most, .. } = spread(shares.into_iter());
        let verdict = if median > NOISE { "**too much for figures to be trusted**" } else { "a quiet machine" };
        format!(
            "While the runs went, other programs, the kernel for nobody in particular and the host took {median:.0} % of the\n\
             processors' time ({verdict}), {most:.0} % in the worst run.\n"
        )
    }

    fn commands(&self) -> String {
        let mut text = "\n## Rows\n\n| row | what | ours | peer |\n| --- | --- | --- | --- |\n".to_owned();
        for outcome in &self.outcomes {
            let row = &outcome.row;
            let line = |side: &Side| format!("`{}`", self.shown(side).replace('|', "\\|"));
            let peer = row.peer.as_ref().map_or(String::new(), line);
            let _ = writeln!(text, "| `{}` | {} | {} | {peer} |", row.name, row.about, line(&row.ours));
        }
        text
    }

    /// A command without the folders of this machine.
    fn shown(&self, side: &Side) -> String {
        let mut text = side.job.script.replace(&self.places.program.display().to_string(), "hvmigrate");
        let disks = self.places.disks.path("");
        for folder in [self.places.memory.as_path(), self.places.disk.as_path(), disks.as_path()] {
            let name = folder.display().to_string();
            let name = name.trim_end_matches('/');
            let short = if folder == disks { "" } else { "OUT/" };
            text = text.replace(&format!("{name}/"), short).replace(name, "OUT");
        }
        text
    }

    fn disks(&self) -> String {
        let disks = self.places.disks;
        let main = |name: &str| disks.facts["main"][name].as_u64().unwrap_or(0);
        let gb = |bytes: u64| bytes as f64 / 1e9;
        let changed = |name: &str| disks.facts[name]["changed_bytes"].as_u64().unwrap_or(0) / 1_000_000;
        format!(
            "\n## Disks\n\n\
             Made by the testkit, the same each time but for time stamps: NTFS of mkntfs and ntfs-3g, the disk files around it by\n\
             an independent writer.\n\n\
             - `aged.vhd`: {:.0} GiB, dynamic, blocks of 2 MiB. {} files with {:.2} GB (half text, half random bytes) were copied\n\
             \x20 into NTFS, {} of them with {:.2} GB deleted again; the guest uses {:.2} GB. {} blocks are in the file, dense, in\n\
             \x20 shuffled runs of 1 to 64 blocks.\n\
             - `ordered.vhd`: the same, blocks in order, zeros as holes. `main.part`: its partition alone, raw.\n\
             - `main.vhdx`: the same, blocks of 32 MiB as Hyper-V makes them ({} of them), shuffled, zeros as holes.\n\
             - `chain/snap2.avhd`: over `snap1.avhd` over `base.vhd`, which is `aged.vhd`; {} MB and {} MB of sectors changed.\n\
             \x20 `flat.vhd`: the same content in one dynamic VHD, shuffled, dense.\n\
             - `fixed.vhd`: 4 GiB, fixed, dense; {:.2} GB of files copied in, half of them deleted again. `dense.vhdx`: the same as\n\
             \x20 dynamic VHDX, blocks of 32 MiB, dense.\n\
             - `clone1.vhd` to `clone5.vhd`: 3 GiB, dynamic, from one golden volume: 3 % new files, 2 % written anew in pieces of\n\
             \x20 4 KiB, an order of blocks of its own each.\n\
             - `huge.vhdx`: 64 TB, dynamic, empty.\n",
            main("virtual_bytes") as f64 / f64::from(1 << 30),
            main("files_copied"),
            gb(main("bytes_copied")),
            main("files_deleted"),
            gb(main("bytes_deleted")),
            gb(main("used_bytes")),
            main("vhd_blocks"),
            main("vhdx_blocks"),
            changed("snap1"),
            changed("snap2"),
            gb(disks.facts["fixed"]["bytes_copied"].as_u64().unwrap_or(0)),
        )
    }

    /// The section of docs/peers.md: each program that was run on the same disk.
    fn beside(&self) -> String {
        let mut text = format!(
            "{SECTION}\n\nMade by `cargo xtask bench`; how it is measured, and the disks, are in [performance.md](performance.md).\n\n{}\n\
             | what | other program | its wall s | CPU s | GB written | ours: wall s | CPU s | GB written | wall, ours / theirs |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            self.machine.describe()
        );
        for outcome in
            self.outcomes.iter().filter(|outcome| outcome.row.peer.is_some() && outcome.row.name != "chain-raw")
        {
            let peer = outcome.row.peer.as_ref().map_or(String::new(), |side| self.shown(side));
            let written = |cost: &Cost| cost.written as f64 / 1e9;
            let _ = writeln!(
                text,
                "| {} | `{}` | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {} |",
                outcome.row.about,
                program_of(&peer),
                theirs(outcome, |cost| cost.wall).unwrap_or(0.0),
                theirs(outcome, |cost| cost.cpu).unwrap_or(0.0),
                theirs(outcome, written).unwrap_or(0.0),
                median(outcome, |cost| cost.wall),
                median(outcome, |cost| cost.cpu),
                median(outcome, written),
                outcome.figure(Measure::Wall).map_or(String::new(), |figure| range(&figure)),
            );
        }
        text
    }
}

/// The program and its options, without file names: the words up to the first that names a file of the disks.
fn program_of(script: &str) -> String {
    let script = script.rsplit("; ").next().unwrap_or(script);
    let script = script.split(" && ").next().unwrap_or(script);
    let words = script
        .split(' ')
        .filter(|word| !word.contains("OUT") && ![".vhd", ".vhdx", ".part"].iter().any(|end| word.ends_with(end)));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_the_one_before() {
        let page = "# Page\n\ntext\n\n## One\n\nold\n\n## Two\n\nkept\n";
        assert_eq!(with_section(page, "\n## One\n\nnew\n"), "# Page\n\ntext\n\n## One\n\nnew\n\n## Two\n\nkept\n");
        let more = with_section(page, "## Three\n\nnew");
        assert_eq!(more, format!("{page}\n## Three\n\nnew\n"));
        assert_eq!(with_section(&more, "## Three\n\nnew"), more);
    }

    #[test]
    fn the_section_is_found_again() {
        let page = format!("# Other\n\ntext\n\n{SECTION}\n\nfigures\n");
        assert_eq!(kept_figures(&page), format!("{SECTION}\n\nfigures\n"));
        assert_eq!(kept_figures("# Other\n"), "");
    }

    #[test]
    fn programs_are_shown_without_files() {
        assert_eq!(
            program_of("qemu-img convert -W -m 8 -f vpc -O raw aged.vhd OUT/peer"),
            "qemu-img convert -W -m 8 -f vpc -O raw"
        );
        assert_eq!(program_of("export X=y; restic backup -q -r OUT/repository aged.vhd"), "restic backup -q -r");
    }
}
