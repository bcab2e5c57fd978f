//! Whole conversations with the command line: standard output, standard error and exit code, compared with
//! `conversations/*.txt`. `HVM_BLESS=1` writes what the program says into the files.
//!
//! A line `$ hvmigrate ...` is run in a folder of its own; `% ...` prepares that folder; `# ...` is a comment. Quotes are
//! those of a shell. `[DIR]` stands for the folder; what is different each time is replaced by `[TIME]` and the like.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod normal;

use std::fmt::Write;
use std::path::Path;

use common::Scene;
use hvm_testkit::sample::Variant;

macro_rules! conversations {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_file_is_run() {
            let known = [$(concat!(stringify!($name), ".txt")),*];
            for entry in std::fs::read_dir(folder()).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(known.contains(&name.as_str()), "conversations/{name} is run by no test");
            }
        }
    };
}

conversations! {
    help,
    usage_errors,
    collect,
    rules,
    assess_text,
    assess_json,
    assess_guide,
    assess_headers,
    plan_blocked,
    put_back,
    migration,
    rollback,
    flipped_byte,
    disk,
    disk_proof,
    keep_chain,
    malformed,
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conversations")
}

fn check(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let written = std::fs::read_to_string(&path).unwrap();
    let said = talk(&written);
    if std::env::var_os("HVM_BLESS").is_some() {
        std::fs::write(&path, said).unwrap();
        return;
    }
    if written != said {
        let at = written.lines().zip(said.lines()).position(|(one, two)| one != two);
        let at = at.unwrap_or_else(|| written.lines().count().min(said.lines().count()));
        let context = |text: &str| text.lines().skip(at.saturating_sub(3)).take(12).collect::<Vec<_>>().join("\n");
        panic!(
            "{name}.txt differs from line {} on.\n--- written\n{}\n--- said\n{}\n(HVM_BLESS=1 accepts it)",
            at + 1,
            context(&written),
            context(&said)
        );
    }
}

/// Runs the commands of a conversation and writes it anew.
fn talk(written: &str) -> String {
    let scene = Scene::new();
    let mut out = String::new();
    for line in written.lines() {
        if line.starts_with("# ") {
            writeln!(out, "{line}").unwrap();
        } else if let Some(setup) = line.strip_prefix("% ") {
            prepare(&scene, setup);
            writeln!(out, "{line}").unwrap();
        } else if let Some(command) = line.strip_prefix("$ hvmigrate ") {
            writeln!(out, "{line}").unwrap();
            run(&scene, command, &mut out);
        }
    }
    out
}

/// Runs one command; `| section NAME` behind it keeps only the paragraph of standard output that begins so.
fn run(scene: &Scene, line: &str, out: &mut String) {
    let (command, section) = line.split_once(" | section ").unwrap_or((line, ""));
    let words = words(&command.replace("[DIR]", scene.dir.to_str().unwrap()));
    let args: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut ran = scene.run(&args);
    if !section.is_empty() {
        let paragraphs = ran.stdout.split("\n\n").filter(|paragraph| paragraph.trim_start().starts_with(section));
        ran.stdout = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
    for (title, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        if !text.is_empty() {
            writeln!(out, "--- {title}").unwrap();
            for line in normal::normal(text, &scene.dir).lines() {
                // A line that looks like one of ours is set off, so that reading the file again stays simple.
                let set_off = line.starts_with(['$', '%', '#']) || line.starts_with("---");
                writeln!(out, "{}{line}", if set_off { " " } else { "" }).unwrap();
            }
        }
    }
    writeln!(out, "--- exit {}\n", ran.code).unwrap();
}

/// Splits a line into words as a shell does: quotes of both kinds, no expansion.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn prepare(scene: &Scene, setup: &str) {
    let words = words(setup);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let path = |name: &str| scene.dir.join(name);
    match words[..] {
        ["sample", variant] => {
            let variant = Variant::ALL.into_iter().find(|known| format!("{known:?}") == variant);
            scene.sample(variant.unwrap());
        }
        ["write", file, text] => std::fs::write(path(file), text).unwrap(),
        ["copy", from, to] => {
            std::fs::copy(path(from), path(to)).unwrap();
        }
        ["cut", file, length] => {
            let file = std::fs::OpenOptions::new().write(true).open(path(file)).unwrap();
            file.set_len(length.parse().unwrap()).unwrap();
        }
        ["flip", file, offset] => {
            let mut bytes = std::fs::read(path(file)).unwrap();
            bytes[offset.parse::<usize>().unwrap()] ^= 1;
            std::fs::write(path(file), bytes).unwrap();
        }
        _ => panic!("'% {setup}' is not known"),
    }
}
