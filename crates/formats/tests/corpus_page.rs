//! `docs/bad-input.md` is made from the corpus; `HVM_BLESS=1` writes it anew.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fmt::Write;
use std::path::Path;

use hvm_testkit::corpus::{self, Answer, Case, Checked, NtfsAnswer};

const HEAD: &str = "\
# Odd and broken input

Files that are odd or broken on purpose, made by code from the specifications alone (`crates/testkit/src/corpus`), and how hvmigrate
answers each of them. The tests `corpus_disks` and `corpus_ntfs` open every one, read all of it and check it: never a panic, never a read
outside the file, never other content than the specification demands.

* **reads** - the content, without a word;
* **reads, says** - the content, and a remark that holds these words;
* **refuses** - an error that holds these words when the file is opened;
* **misses** - an error that holds these words for the part that is wrong; everything else is read.

\"Check\" is what `hvmigrate disk check` finds of the first file: nothing, a fault that holds these words, or any fault.

This page is generated; `HVM_BLESS=1 cargo test -p hvm-formats --test corpus_page` writes it anew.
";

fn disks(page: &mut String, title: &str, cases: &[Case]) {
    let table = "| name | what | answer | check | where from |\n|---|---|---|---|---|\n";
    write!(page, "\n## {title}\n{} files.\n\n{table}", cases.len()).unwrap();
    for case in cases {
        let answer = match &case.answer {
            Answer::Reads(_) => "reads".to_owned(),
            Answer::Says(_, word) => format!("reads, says \"{word}\""),
            Answer::Refuses(reason) => format!("refuses: \"{reason}\""),
            Answer::Misses(_, reason) => format!("misses: \"{reason}\""),
        };
        let check = match case.checked {
            Checked::Clean => "nothing".to_owned(),
            Checked::Finds(text) => format!("\"{text}\""),
            Checked::Somehow => "any fault".to_owned(),
        };
        writeln!(page, "| {} | {} | {answer} | {check} | {} |", case.name, case.what, case.from).unwrap();
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    disks(&mut page, "VHD", &corpus::vhd());
    disks(&mut page, "VHDX", &corpus::vhdx());
    let cases = corpus::ntfs();
    write!(page, "\n## NTFS\n{} volumes.\n\n| name | what | answer | where from |\n|---|---|---|---|\n", cases.len())
        .unwrap();
    for case in cases {
        let answer = match case.answer {
            NtfsAnswer::Reads => "reads".to_owned(),
            NtfsAnswer::Says(word) => format!("reads, says \"{word}\""),
            NtfsAnswer::Refuses(reason) => format!("refuses: \"{reason}\""),
            NtfsAnswer::Misses(path, reason) => format!("misses `{path}`: \"{reason}\""),
            NtfsAnswer::NoNames(path, reason) => format!("misses the names of `{path}`: \"{reason}\""),
            NtfsAnswer::NoBitmap(reason) => format!("misses the bitmap: \"{reason}\""),
            NtfsAnswer::Doubts(reason) => format!("reads, is not taken for clean: \"{reason}\""),
        };
        writeln!(page, "| {} | {} | {answer} | {} |", case.name, case.what, case.from).unwrap();
    }
    page
}

#[test]
fn the_page_about_bad_input_is_what_the_corpus_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bad-input.md");
    let page = page();
    if std::env::var_os("HVM_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let command = "HVM_BLESS=1 cargo test -p hvm-formats --test corpus_page";
    assert!(written == page, "docs/bad-input.md is behind; run: {command}");
}
