//! Where the time of a run goes, by samples of `perf`: in the program, or in the kernel for moving bytes and giving memory.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::at;
use super::machine::Machine;

/// How the samples of a run are spread, in percent.
#[derive(Debug, Default, PartialEq)]
pub struct Profile {
    /// In the program, making BLAKE3 values.
    pub hashing: f64,
    /// In the program and its libraries otherwise.
    pub program: f64,
    /// In the kernel, copying bytes to or from the program.
    pub copying: f64,
    /// In the kernel, giving room that is not written: zeros in a file that must not have holes.
    pub room: f64,
    /// In the kernel otherwise: memory, locks, files.
    pub kernel: f64,
    /// The functions with the most samples.
    pub most: Vec<(f64, String)>,
}

/// Shown functions.
const SHOWN: usize = 10;

/// The page: a line for each row; `measured` is the text of the page of figures.
pub fn page(profiles: &[(String, Profile)], measured: &str, machine: &Machine) -> Result<String, String> {
    let mut text = format!(
        "# Where hvmigrate's time goes\n\nMade by `cargo xtask bench --profile`: samples of `perf record -e cpu-clock` of one run \
         of each row of [performance.md](performance.md),\nits disk in the page cache. The kernel copies each byte twice, out of the \
         page cache and into it, and gives the memory for it.\n\nThe **limit** is the CPU time of hvmigrate through that of the \
         other program, as performance.md has it, without the share of the program's\nown code other than BLAKE3: what is left is \
         hashing and the kernel's work for the bytes that are read and written. A goal below it is not\n\
         reached by making that code faster, only by giving the kernel less to do. **Room** is `fallocate`: VHD and VHDX files for Windows must\n\
         not have holes, so zeros between data are given their room; qemu-img leaves holes and does not have this work. The limit **with\n\
         holes** is that without it. The shares are of one run, the ratio is a median.\n\n{}\n\
         | row | hashing | the program otherwise | kernel, copying bytes | kernel, room | kernel, the rest | CPU, ours / peer | limit | with holes | goal | functions with the most samples |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        machine.describe()
    );
    for (name, profile) in profiles {
        let most: Vec<String> = profile.most.iter().map(|(share, name)| format!("`{name}` {share:.0} %")).collect();
        let most = most.join(", ");
        let Profile { hashing, program, copying, room, kernel, .. } = profile;
        let ratio = cpu_ratio(measured, name).map_or(" | | | ".to_owned(), |(ratio, goal)| {
            let goal = goal.map_or(String::new(), |goal| goal.to_string());
            let without = |share: f64| ratio * (1.0 - share / 100.0);
            format!("{ratio:.2} | {:.2} | {:.2} | {goal}", without(*program), without(program + room))
        });
        text.push_str(&format!(
            "| `{name}` | {hashing:.0} % | {program:.0} % | {copying:.0} % | {room:.0} % | {kernel:.0} % | {ratio} | {most} |\n"
        ));
    }
    if profiles.is_empty() { Err("no row is profiled".to_owned()) } else { Ok(text) }
}

/// Our CPU time through theirs in a row of the page of figures, and the goal for it where there is one.
fn cpu_ratio(measured: &str, row: &str) -> Option<(f64, Option<f64>)> {
    let start = format!("| `{row}` | ");
    let line = measured.lines().find(|line| line.starts_with(&start))?;
    let [.., ratio, goals, ""] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else { return None };
    let goal = goals.split_once("CPU ").and_then(|(_, goal)| goal.split_once("goal "));
    let goal = goal.and_then(|(_, goal)| goal.split(' ').next()?.parse().ok());
    Some((ratio.split(' ').next()?.parse().ok()?, goal))
}

/// Samples a line for the shell.
pub fn sample(script: &str, folder: &Path) -> Result<Profile, String> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    let data = folder.join("perf.data");
    let quiet =
        |program: &mut Command| program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let mut record = Command::new("perf");
    record.args(["record", "-q", "-g", "-e", "cpu-clock", "-F", "2000", "-o"]).arg(&data);
    match quiet(record.args(["--", "sh", "-e", "-c"]).arg(script)) {
        Ok(status) if status.success() => {}
        _ => return Err("perf could not record (package linux-perf, as root)".to_owned()),
    }
    let report = |arguments: &[&str]| {
        let mut report = Command::new("perf");
        report.args(["report", "--stdio", "-q", "-g", "none", "-i"]).arg(&data).args(arguments);
        let output = report.output().map_err(|error| format!("'perf' could not be started: {error}"))?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let own = report(&["--no-children", "--sort", "dso,symbol"])?;
    let called = report(&["--children", "--sort", "symbol"])?;
    fs::remove_file(&data).map_err(at(&data))?;
    let mut profile = parse(&own);
    if profile.most.is_empty() {
        return Err("perf recorded nothing".to_owned());
    }
    profile.room = share_below(&called, "vfs_fallocate");
    profile.kernel -= profile.room;
    Ok(profile)
}

/// The share of a function and all that it called, from lines like `4.61%  0.00%  [k] vfs_fallocate`.
fn share_below(report: &str, function: &str) -> f64 {
    let line = report.lines().find(|line| line.split_whitespace().any(|word| word == function));
    let share = line.and_then(|line| line.trim_start().split_once('%')?.0.parse().ok());
    share.unwrap_or_default()
}

/// Lines like `24.52%  [kernel.kallsyms]  [k] _copy_to_iter`, to which some releases of perf add columns of `-`.
fn parse(report: &str) -> Profile {
    let mut profile = Profile::default();
    for line in report.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(mark) = words.iter().position(|word| matches!(*word, "[k]" | "[.]")) else { continue };
        let [share, object, ..] = words[..] else { continue };
        let symbol: Vec<&str> = words[mark + 1..].iter().copied().take_while(|word| *word != "-").collect();
        let symbol = symbol.join(" ");
        let Some(share) = share.strip_suffix('%').and_then(|share| share.parse::<f64>().ok()) else { continue };
        let place = if symbol.contains("blake3") {
            &mut profile.hashing
        } else if !object.starts_with("[kernel") {
            &mut profile.program
        } else if symbol.contains("copy") && symbol.contains("iter") {
            &mut profile.copying
        } else {
            &mut profile.kernel
        };
        *place += share;
        if profile.most.len() < SHOWN {
            profile.most.push((share, symbol));
        }
    }
    profile
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn samples_are_sorted_by_where_they_fell() {
        let report = "\n    24.50%  [kernel.kallsyms]  [k] _copy_to_iter\n     7.25%  [kernel.kallsyms]  [k] shmem_write_end   -      -\n\
                      2.00%  libc.so.6          [.] __memcmp_evex_movbe\n    1.00%  hvmigrate   [.] core::fmt::write\n\
                      5.00%  hvmigrate          [.] _blake3_hash_many_avx512\n";
        let profile = parse(report);
        assert_eq!((profile.hashing, profile.program, profile.copying, profile.kernel), (5.0, 3.0, 24.5, 7.25));
        assert_eq!(profile.most[1], (7.25, "shmem_write_end".to_owned()));
        assert_eq!(parse("nothing"), Profile::default());
        let called = "    14.69%     0.00%  [k] __x64_sys_pread64\n     4.61%     0.00%  [k] vfs_fallocate  -  -\n";
        assert_eq!((share_below(called, "vfs_fallocate"), share_below(called, "fallocate")), (4.61, 0.0));
    }

    #[test]
    fn figures_are_found_in_their_page() {
        let page = "| row | CPU |\n| `vhd-raw` | 1.98 | 0.77 (0.74–1.22) | 0.73 (0.68–1.00) | wall 0.77 ×, goal 0.4 ×: met; CPU 0.73 ×, goal 0.5 ×: met |\n\
                    | `chain-raw` | 1.98 | 0.77 (0.74–1.22) | 1.06 (1.00–1.10) | wall 0.92 ×, goal 1.15 ×: met |\n| `vhd-raw` | least | 9 | |\n";
        assert_eq!(cpu_ratio(page, "vhd-raw"), Some((0.73, Some(0.5))));
        assert_eq!(cpu_ratio(page, "chain-raw"), Some((1.06, None)));
        assert_eq!(cpu_ratio(page, "raw"), None);
    }
}
