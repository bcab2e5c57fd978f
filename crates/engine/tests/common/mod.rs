#![allow(clippy::unwrap_used, missing_docs, dead_code)]
//! A sample host, a destination folder and a work folder, and what tests ask of them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hvm_engine::{
    DataChoice, EngineError, MigrateOptions, MigrateOutcome, MigrateState, Observer, PlanRequest, Quiet,
    RollbackOutcome, VerifyOptions,
};
use hvm_model::choices::{Answer, Choices};
use hvm_model::plan::Plan;
use hvm_model::report::Verification;
use hvm_testkit::sample::{SampleHost, Variant};

/// The two kinds of destinations; `DIR` stands for the folder.
pub const KINDS: [&str; 2] =
    ["kit:DIR?os=2012&processors=2&memory=16GiB&free=500GiB&language=0407&edition=standard", "libvirt-files:DIR"];

/// The answers that let every machine of the sample host migrate.
pub const ANSWERS: [&str; 3] =
    ["machine.saved-state=discard", "machine.processors-exceed=reduce:2", "machine.memory-exceeds=reduce:8GiB"];

pub struct Case {
    pub folder: tempfile::TempDir,
    pub host: SampleHost,
    pub kind: &'static str,
}

impl Case {
    pub fn new(kind: &'static str, variant: Variant) -> Case {
        Case::within(&std::env::temp_dir(), kind, variant)
    }

    /// With everything below a folder.
    pub fn within(folder: &Path, kind: &'static str, variant: Variant) -> Case {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let source = folder.path().join("source 源");
        let host = hvm_testkit::sample::write(&source, variant).unwrap();
        Case { folder, host, kind }
    }

    pub fn from(&self) -> String {
        format!("folder:{}", self.host.folder.display())
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("new/destination")
    }

    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn to(&self) -> String {
        self.kind.replace("DIR", &self.root().display().to_string())
    }

    pub fn plan(&self, answers: &[&str]) -> Result<Plan, EngineError> {
        let answers = answers.iter().map(|text| Answer::parse(text).unwrap()).collect();
        let choices = Choices { answers, ..Choices::default() };
        let request = PlanRequest { from: self.from(), to: self.to(), choices, work: self.work() };
        hvm_engine::plan(request, &Quiet).map(|(plan, _)| plan)
    }

    pub fn migrate(&self, observer: &dyn Observer) -> Result<MigrateOutcome, EngineError> {
        self.migrate_with(&["all"], observer)
    }

    pub fn migrate_with(&self, confirm: &[&str], observer: &dyn Observer) -> Result<MigrateOutcome, EngineError> {
        let confirm = confirm.iter().map(|name| (*name).to_owned()).collect();
        hvm_engine::migrate(&self.work(), MigrateOptions { confirm, confirmed_by: "tester".to_owned() }, observer)
    }

    pub fn migrate_all(&self) {
        let outcome = self.migrate(&Quiet).unwrap();
        assert_eq!(outcome.state, MigrateState::Done);
    }

    pub fn verify(&self) -> Verification {
        hvm_engine::verify(&self.work(), VerifyOptions::default(), &Quiet).unwrap()
    }

    pub fn rollback(&self, data: DataChoice) -> RollbackOutcome {
        hvm_engine::rollback(&self.work(), data, &Quiet).unwrap()
    }

    /// Everything below a folder: names and BLAKE3 of files.
    pub fn tree(&self) -> BTreeMap<String, String> {
        tree(&self.root())
    }
}

/// Names below a folder with the hash of each file; folders end in `/`, the folder itself is `/`.
pub fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if metadata.is_dir() {
            found.insert(format!("{name}/"), String::new());
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if metadata.is_symlink() {
            found.insert(name, std::fs::read_link(&path).unwrap().display().to_string());
        } else {
            found.insert(name, blake3::hash(&std::fs::read(&path).unwrap()).to_hex().to_string());
        }
    }
    found
}

/// Names, hashes and times of a source.
pub fn tree_with_times(root: &Path) -> BTreeMap<String, (String, Option<std::time::SystemTime>)> {
    let time = |name: &str| root.join(name).symlink_metadata().unwrap().modified().ok();
    tree(root).into_iter().map(|(name, hash)| (name.clone(), (hash, time(name.trim_matches('/'))))).collect()
}

/// Asks to stop at the n-th question.
pub struct StopAt {
    pub left: Cell<u64>,
    pub asked: Cell<u64>,
}

impl StopAt {
    pub fn question(number: u64) -> Self {
        StopAt { left: Cell::new(number), asked: Cell::new(0) }
    }
}

impl Observer for StopAt {
    fn is_cancelled(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.left.set(self.left.get().saturating_sub(1));
        self.left.get() == 0
    }
}
