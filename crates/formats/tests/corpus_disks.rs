//! The corpus of odd and broken VHD and VHDX files: each is opened, read whole and checked, and must be answered as the
//! specification demands.
#![allow(clippy::unwrap_used, missing_docs)]

mod oracles;

use std::collections::HashSet;

use hvm_formats::check::{Weight, check};
use hvm_formats::io::SharedFile;
use hvm_testkit::corpus::{self, Answer, Case, Checked, Content};
use oracles::{Files, Read, Watched, disk, image_file};

/// Reads of one case: a log of 64 MiB is looked at in sectors of 4 KiB, twice.
const BOUND: u64 = 200_000;

struct Opened {
    leaf: SharedFile,
    gate: Files,
}

fn open(case: &Case) -> Opened {
    let mut files = case.files.iter().map(|(name, image)| {
        let file: SharedFile = Watched::new(name, image_file(name, image.clone()), Vec::new(), BOUND);
        (name.clone(), file)
    });
    let (name, leaf) = files.next().unwrap();
    let mut gate = Files::default();
    gate.0.insert(name, leaf.clone());
    gate.0.extend(files);
    Opened { leaf, gate }
}

/// What must be read at every place that could be read.
fn compare(name: &str, content: &Content, read: &Read, opened: &Opened) {
    let (size, mut pieces) = match content {
        Content::Whole(bytes) => (bytes.len() as u64, vec![(0, bytes.clone())]),
        Content::Sparse(size, pieces) => (*size, pieces.clone()),
    };
    assert_eq!(read.size, size, "{name}");
    if let Some(found) = &read.content {
        let mut expected = vec![0; size as usize];
        for (at, bytes) in &pieces {
            let len = bytes.len().min((size - at) as usize);
            expected[*at as usize..*at as usize + len].copy_from_slice(&bytes[..len]);
        }
        for (start, end) in &read.missed {
            expected[*start as usize..*end as usize].fill(0);
        }
        assert!(*found == expected, "{name}: other content");
    } else {
        let disk = hvm_formats::disk::open(opened.leaf.clone(), &opened.gate).unwrap();
        pieces.push((size / 2, vec![0; 512]));
        for (at, bytes) in pieces {
            let mut found = vec![0xEE; bytes.len()];
            disk.read_at(at, &mut found).unwrap();
            assert!(found == bytes, "{name}: other content at {at}");
        }
    }
}

fn judge(case: &Case) {
    let name = &case.name;
    let opened = open(case);
    let read = disk(&opened.leaf, &opened.gate, None);
    match (&case.answer, read) {
        (Answer::Refuses(reason), Err(error)) => {
            assert!(error.to_string().contains(reason), "{name}: refused, but not by '{reason}': {error}");
        }
        (Answer::Refuses(reason), Ok(read)) => match &read.error {
            Some(error) if read.missed.iter().map(|(start, end)| end - start).sum::<u64>() == read.size => {
                assert!(error.to_string().contains(reason), "{name}: not by '{reason}': {error}");
            }
            error => panic!("{name}: read, expected '{reason}'; {error:?}"),
        },
        (Answer::Reads(content), Ok(read)) => {
            assert!(read.error.is_none(), "{name}: {:?}", read.error);
            let told: Vec<&String> =
                read.remarks.iter().filter(|remark| !remark.starts_with("The disk has ")).collect();
            assert!(told.is_empty(), "{name}: {told:?}");
            compare(name, content, &read, &opened);
        }
        (Answer::Says(content, word), Ok(read)) => {
            assert!(read.error.is_none(), "{name}: {:?}", read.error);
            assert!(read.remarks.iter().any(|remark| remark.contains(word)), "{name}: '{word}': {:?}", read.remarks);
            compare(name, content, &read, &opened);
        }
        (Answer::Misses(content, reason), Ok(read)) => {
            let error = read.error.as_ref().unwrap_or_else(|| panic!("{name}: no error"));
            assert!(error.to_string().contains(reason), "{name}: not by '{reason}': {error}");
            compare(name, content, &read, &opened);
        }
        (_, Err(error)) => panic!("{name}: refused: {error}"),
    }
    judge_check(case, &opened.leaf);
}

fn judge_check(case: &Case, leaf: &SharedFile) {
    let name = &case.name;
    let report = match check(leaf, None) {
        Ok(report) => report,
        Err(error) => {
            assert_eq!(case.checked, Checked::Somehow, "{name}: {error}");
            return;
        }
    };
    let faults = report.findings.list.iter().filter(|finding| finding.weight == Weight::Fault);
    let clean = report.findings.is_clean() && report.unreadable.is_none();
    match case.checked {
        Checked::Clean => assert!(clean, "{name}: {report:#?}"),
        Checked::Somehow => assert!(!clean, "{name}: nothing was found"),
        Checked::Finds(text) => {
            assert!(faults.into_iter().any(|finding| finding.text.contains(text)), "{name}: '{text}': {report:#?}");
        }
    }
}

/// All of them, and what went wrong with any.
fn judge_all(cases: &[Case], least: usize) {
    let mut names = HashSet::new();
    let mut wrong = Vec::new();
    for case in cases {
        assert!(names.insert(&case.name), "{} is there twice", case.name);
        let judged = std::panic::catch_unwind(|| judge(case));
        if let Err(panic) = judged {
            let text = panic.downcast_ref::<String>().cloned();
            wrong.push(text.unwrap_or_else(|| format!("{}: panic", case.name)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= least, "{}", cases.len());
    println!("{} cases", cases.len());
}

#[test]
fn each_vhd_is_answered_as_the_specification_demands() {
    judge_all(&corpus::vhd(), 100);
}

#[test]
fn each_vhdx_is_answered_as_the_specification_demands() {
    judge_all(&corpus::vhdx(), 100);
}
