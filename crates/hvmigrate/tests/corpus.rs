//! Every odd and broken VHD and VHDX of the corpus through `disk info`, `check` and `convert`: the exit code, the reason with its
//! file and place, the warning, the content; nothing written to the source and nothing half-done under a final name.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use common::{Ran, Scene};
use hvm_testkit::corpus::{self, Answer, Case, Checked, Content};

/// Larger disks are not written as raw: not every file system has files of that size.
const LARGE: u64 = 1 << 40;

/// Length, times and room of each file of a case.
fn seen(folder: &Path) -> Vec<(String, [i64; 6])> {
    let look = |entry: fs::DirEntry| {
        let meta = entry.metadata().unwrap();
        let (len, blocks) = (meta.len() as i64, meta.blocks() as i64);
        let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
        (entry.file_name().into_string().unwrap(), [len, blocks, times[0], times[1], times[2], times[3]])
    };
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| look(entry.unwrap())).collect();
    all.sort();
    all
}

/// What was said of one case and how it ended.
struct Told<'a> {
    case: &'a Case,
    verb: &'static str,
    text: String,
    code: i32,
}

impl<'a> Told<'a> {
    fn new(case: &'a Case, verb: &'static str, ran: &Ran) -> Self {
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!text.contains("panicked"), "{} {verb}: {text}", case.name);
        Told { case, verb, text, code: ran.code }
    }

    fn ends(&self, codes: &[i32]) {
        let (name, verb) = (&self.case.name, self.verb);
        assert!(codes.contains(&self.code), "{name}: {verb} ends with {}: {}", self.code, self.text);
    }

    fn says(&self, word: &str) {
        assert!(self.text.contains(word), "{}: {} does not say '{word}': {}", self.case.name, self.verb, self.text);
    }

    /// A refusal names a file of the case.
    fn names_a_file(&self) {
        let named = self.case.files.iter().any(|(file, _)| self.text.contains(file.as_str()));
        assert!(named, "{}: {} names no file: {}", self.case.name, self.verb, self.text);
    }
}

/// Runs a case. Of one that is refused: whether the place of the fault was told.
fn judge(scene: &Scene, case: &Case) -> Option<bool> {
    let folder = scene.dir.join(&case.name);
    fs::create_dir(&folder).unwrap();
    for (name, image) in &case.files {
        image.write_to(&folder.join(name)).unwrap();
    }
    let before = seen(&folder);
    let leaf = format!("{}/{}", case.name, case.files[0].0);
    judge_info(&Told::new(case, "info", &scene.run(&["disk", "info", &leaf])));
    judge_check(&Told::new(case, "check", &scene.run(&["disk", "check", &leaf])));
    let placed = judge_convert(scene, case, &leaf);
    assert_eq!(seen(&folder), before, "{}: the source was changed", case.name);
    fs::remove_dir_all(&folder).unwrap();
    placed
}

fn judge_info(told: &Told<'_>) {
    match &told.case.answer {
        Answer::Reads(_) => told.ends(&[0]),
        Answer::Says(_, word) => {
            told.ends(&[0]);
            told.says(word);
        }
        // The headers may be good although nothing behind them can be read.
        Answer::Refuses(reason) => {
            told.ends(&[0, 1]);
            if told.code == 1 {
                told.says(reason);
                told.names_a_file();
            }
        }
        Answer::Misses(..) => told.ends(&[0, 1]),
    }
}

fn judge_check(told: &Told<'_>) {
    let readable = matches!(told.case.answer, Answer::Reads(_) | Answer::Says(..));
    match told.case.checked {
        // Of a chain the parents are checked, too; and what cannot be opened is not clean.
        Checked::Clean if readable && told.case.files.len() == 1 => told.ends(&[0]),
        Checked::Clean => told.ends(&[0, 1, 4]),
        Checked::Finds(text) => {
            told.ends(&[1, 4]);
            told.says(text);
            told.says(", offset ");
        }
        Checked::Somehow => told.ends(&[1, 4]),
    }
    if told.code != 0 {
        told.names_a_file();
    }
}

fn judge_convert(scene: &Scene, case: &Case, leaf: &str) -> Option<bool> {
    let (content, reason) = match &case.answer {
        Answer::Reads(content) | Answer::Says(content, _) => (Some(content), ""),
        Answer::Refuses(reason) | Answer::Misses(_, reason) => (None, *reason),
    };
    let size = match content {
        Some(Content::Whole(bytes)) => bytes.len() as u64,
        Some(Content::Sparse(size, _)) => *size,
        None => 0,
    };
    let to = if size > LARGE { "qcow2" } else { "raw" };
    let told = Told::new(case, "convert", &scene.run(&["disk", "convert", leaf, "copy", "--to", to]));
    let copy = scene.dir.join("copy");
    let Some(content) = content else {
        told.ends(&[1]);
        told.says(reason);
        told.names_a_file();
        assert!(!copy.exists(), "{}: there is a copy", case.name);
        for hidden in [".copy.partial", ".copy.partial.written"] {
            let _ = fs::remove_file(scene.dir.join(hidden));
        }
        return Some(told.text.contains("offset ") || told.text.contains(" at "));
    };
    told.ends(&[0]);
    if to == "raw" {
        let file = fs::File::open(&copy).unwrap();
        assert_eq!(file.metadata().unwrap().len(), size, "{}", case.name);
        compare(case, content, &file);
    }
    fs::remove_file(copy).unwrap();
    assert_eq!(fs::read_dir(&scene.dir).unwrap().count(), 1, "{}: something is left over", case.name);
    None
}

fn compare(case: &Case, content: &Content, file: &fs::File) {
    let same = |at: u64, bytes: &[u8]| {
        let mut found = vec![0; bytes.len()];
        file.read_exact_at(&mut found, at).unwrap();
        found == bytes
    };
    let right = match content {
        Content::Whole(bytes) => same(0, bytes),
        Content::Sparse(size, pieces) => pieces.iter().all(|(at, bytes)| {
            let len = bytes.len().min((size - at) as usize);
            same(*at, &bytes[..len])
        }),
    };
    assert!(right, "{}: other content", case.name);
}

/// All of them on two threads, and what went wrong with any.
fn judge_all(cases: &[Case]) {
    let wrong = std::sync::Mutex::new(Vec::new());
    let counts = std::sync::Mutex::new((0, 0));
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (wrong, counts) = (&wrong, &counts);
            scope.spawn(move || {
                let mut scene = Scene::in_memory();
                for case in cases.iter().skip(half).step_by(2) {
                    match std::panic::catch_unwind(|| judge(&scene, case)) {
                        Ok(None) => {}
                        Ok(Some(placed)) => {
                            let mut counts = counts.lock().unwrap();
                            *counts = (counts.0 + 1, counts.1 + i32::from(placed));
                        }
                        Err(panic) => {
                            wrong.lock().unwrap().push(panic.downcast_ref::<String>().cloned().unwrap_or_default());
                            scene = Scene::in_memory();
                        }
                    }
                }
            });
        }
    });
    let (wrong, (refused, placed)) = (wrong.into_inner().unwrap(), counts.into_inner().unwrap());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    println!("{} cases, {refused} refused, {placed} of them with the place of the fault", cases.len());
    // A missing or wrong parent and a circle have no place in a file.
    assert!(cases.len() >= 100 && refused > 40 && placed * 10 >= refused * 8, "{refused} {placed}");
}

#[test]
fn each_vhd_through_the_commands() {
    judge_all(&corpus::vhd());
}

#[test]
fn each_vhdx_through_the_commands() {
    judge_all(&corpus::vhdx());
}
