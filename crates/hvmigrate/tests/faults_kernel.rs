//! The same as `faults.rs` by another way than its shim, which sees only what goes through the C library: strace changes the
//! kernel's answers to the n-th call of a thread, for every n and every call that a program can use on a file.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod faults_support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use common::Scene;
use faults_support::Shim;
use faults_support::job::{Job, Tried, shown_name};
use hvm_testkit::vhd::ContentModel;

/// System calls, whichever library they are called through, and whether the program can do without what they do.
const CALLS: [(&str, bool); 18] = [
    ("openat", true),
    ("read", true),
    ("pread64", false),
    ("preadv", false),
    ("write", false),
    ("pwrite64", false),
    ("pwritev", false),
    ("fsync", false),
    ("fdatasync", false),
    ("sync_file_range", true),
    ("ftruncate", false),
    ("fallocate", true),
    ("copy_file_range", true),
    ("ioctl", true),
    ("rename", false),
    ("renameat", false),
    ("renameat2", false),
    ("unlink", true),
];

/// A disk of four blocks, and the program under strace.
struct Traced {
    scene: Scene,
    /// The files that the program may fail with.
    paths: Vec<PathBuf>,
}

/// What a run under strace left.
struct Seen {
    code: i32,
    text: String,
    /// The call whose answer was changed, as the trace shows it.
    injected: Option<String>,
}

impl Traced {
    /// `None` after saying so where strace is missing or may not trace.
    fn new() -> Option<Traced> {
        let scene = Scene::in_memory();
        let names = ["source/disk.raw", "out/copy", "out/.copy.partial", "out/.copy.partial.written", "out"];
        let traced = Traced { paths: names.map(|name| scene.dir.join(name)).to_vec(), scene };
        let source = traced.scene.dir.join("source");
        fs::create_dir(&source).unwrap();
        let mut model = ContentModel::new((3 << 20) + 65536);
        (0..3u64).for_each(|run| model.fill(run * 2048 + 100, 900, run + 1));
        fs::write(source.join("disk.raw"), model.to_vec()).unwrap();
        match traced.run(&["--version"], "openat", "error=EIO:when=1") {
            Ok(seen) if seen.code == 0 => return Some(traced),
            Ok(seen) => eprintln!("SKIPPED: faults of the kernel: strace: {}", seen.text),
            Err(error) => eprintln!("SKIPPED: faults of the kernel: strace: {error}"),
        }
        None
    }

    fn run(&self, args: &[&str], call: &str, answer: &str) -> std::io::Result<Seen> {
        let list = self.scene.dir.join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-qq", "-o"]).arg(&list);
        command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{answer}")]);
        self.paths.iter().for_each(|path| {
            command.arg("-P").arg(path);
        });
        let program = self.scene.command(args);
        let output =
            command.arg(program.get_program()).args(program.get_args()).current_dir(&self.scene.dir).output()?;
        let trace = fs::read_to_string(&list).unwrap_or_default();
        let injected = injected(&trace);
        let (code, text) = (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned());
        Ok(Seen { code, text, injected })
    }

    /// The error names the file of the call that failed.
    fn judge_message(&self, what: &str, seen: &Seen, line: &str) {
        assert!(seen.text.starts_with("Error: ") && seen.text.contains("\nHint: "), "{what}: {}", seen.text);
        let of = |path: &&PathBuf| {
            line.contains(&format!("{}>", path.display())) || line.contains(&format!("{}\"", path.display()))
        };
        let path = self.paths.iter().find(of).unwrap_or_else(|| panic!("{what}: {line}"));
        assert!(seen.text.contains(&shown_name(path, &self.scene.dir)), "{what}: {line}: {}", seen.text);
    }

    /// One kind of answer to the first call, the second, and so on, until there is no such call.
    fn each(&self, job: &Job<'_>, (call, optional): (&str, bool), (error, on): (&str, &str), tried: &mut Tried) {
        for number in 1.. {
            job.prepare();
            let seen = self.run(job.args(), call, &format!("error={error}:when={number}{on}")).unwrap();
            let Some(line) = &seen.injected else { return };
            let what = format!("{:?} {call} {number} {error}", job.args());
            if seen.code != 0 {
                self.judge_message(&what, &seen, line);
            }
            // The length that a file is given ahead of the writes may be too much for the disk.
            let ahead = (call, error) == ("ftruncate", "ENOSPC");
            job.judge(&what, seen.code, optional || ahead, tried);
        }
    }
}

/// The first call whose answer was changed. Its line is in two where another thread came between.
fn injected(trace: &str) -> Option<String> {
    let lines: Vec<&str> = trace.lines().collect();
    let end = lines.iter().position(|line| line.contains("(INJECTED)"))?;
    let thread = lines[end].split(' ').next()?;
    let begun = |line: &&&str| line.split(' ').next() == Some(thread) && line.contains("<unfinished");
    let begin = lines[end].contains(" resumed>").then(|| lines[..end].iter().rev().find(begun)).flatten();
    Some([begin.copied().unwrap_or_default(), lines[end]].concat())
}

fn survives(formats: &[&[&str]]) {
    let (Some(shim), Some(traced)) = (Shim::compile(), Traced::new()) else { return };
    let path = |name: &str| traced.scene.dir.join(name).display().to_string();
    let (input, output) = (path("source/disk.raw"), path("out/copy"));
    for format in formats {
        let args = ["disk", "convert", &input, &output, "--format", "json", "--to"];
        let job = Job::new(&shim, &traced.scene, &[&args, *format].concat(), "copy");
        let mut tried = Tried::default();
        for call in CALLS {
            traced.each(&job, call, ("EIO", ""), &mut tried);
            if call.0.contains("write") || matches!(call.0, "ftruncate" | "fallocate" | "copy_file_range") {
                traced.each(&job, call, ("ENOSPC", "+"), &mut tried);
            }
        }
        println!("{format:?}: {tried:?}");
        job.source_is_untouched();
        assert!(tried.failed > 8, "{tried:?}");
    }
}

#[test]
fn a_conversion_to_raw_and_vhd_survives_what_the_kernel_refuses() {
    survives(&[&["raw"], &["vhd"], &["vhd-fixed"], &["raw", "--sync"]]);
}

#[test]
fn a_conversion_to_vhdx_survives_what_the_kernel_refuses() {
    survives(&[&["vhdx"], &["vhdx-fixed"], &["vhdx-fixed", "--sync"]]);
}

#[test]
fn a_conversion_to_qcow2_survives_what_the_kernel_refuses() {
    survives(&[&["qcow2"], &["qcow2", "--compress"], &["qcow2", "--sync"]]);
}
