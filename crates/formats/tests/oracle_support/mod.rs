//! What the differential oracles share: how many files are made, from which seed on, and what is printed at the end. A line
//! `ORACLE format|what|count` for each count is read by `cargo xtask oracle`.

#![allow(dead_code)]

use std::collections::BTreeMap;

/// How many files there were of each kind.
#[derive(Default)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub fn add(&mut self, what: &str) {
        *self.0.entry(what.to_owned()).or_default() += 1;
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Makes chains with one seed after the other until there are enough files; fails when one of them reads differently.
pub fn run(format: &str, default: u64, one: impl Fn(u64, &mut Counts) -> (u64, Option<String>)) {
    let wanted = from_environment("HVM_ORACLE_FILES").unwrap_or(default);
    let first = from_environment("HVM_ORACLE_SEED").unwrap_or(0);
    let (mut counts, mut files, mut chains, mut wrong) = (Counts::default(), 0, 0, Vec::new());
    for seed in first.. {
        let (made, found) = one(seed, &mut counts);
        files += made;
        chains += 1;
        wrong.extend(found.map(|what| format!("seed {seed}: {what}")));
        if files >= wanted || wrong.len() > 20 {
            break;
        }
    }
    for (what, count) in
        [("files", files), ("chains", chains), ("first seed", first), ("differences", wrong.len() as u64)]
    {
        println!("ORACLE {format}|{what}|{count}");
    }
    for (what, count) in counts.0 {
        println!("ORACLE {format}|kind: {what}|{count}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
