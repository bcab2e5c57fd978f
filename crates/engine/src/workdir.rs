//! The work folder of one migration: documents as JSON, the journal, the manifests. Each document is there whole or not
//! at all; a lock keeps two runs apart.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use hvm_model::capabilities::Capabilities;
use hvm_model::choices::Choices;
use hvm_model::finding::Finding;
use hvm_model::inventory::Inventory;
use hvm_model::plan::Plan;
use hvm_model::report::Verification;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::EngineError;
use crate::journal::Journal;
use crate::state::State;

const INVENTORY: &str = "inventory.json";
const FINDINGS: &str = "findings.json";
const CHOICES: &str = "choices.json";
const PLAN: &str = "plan.json";
const DESTINATION: &str = "destination.json";
const VERIFICATION: &str = "verification.json";
const JOURNAL: &str = "journal.sqlite";
const LOCK: &str = ".lock";
const MANIFESTS: &str = "manifests";

/// What was known of the destination when the plan was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedDestination {
    /// The folder that its URI meant, absolute.
    pub(crate) root: PathBuf,
    /// Capabilities.
    pub(crate) capabilities: Capabilities,
}

/// A work folder. While it lives, no other run can take the lock.
pub(crate) struct WorkDir {
    root: PathBuf,
    _lock: Option<File>,
}

impl WorkDir {
    /// Opens or makes a work folder for writing.
    pub(crate) fn create(root: &Path) -> Result<Self, EngineError> {
        let manifests = root.join(MANIFESTS);
        fs::create_dir_all(&manifests).map_err(EngineError::io("made", &manifests))?;
        Self::locked(root)
    }

    /// Opens a work folder that has a plan, for writing.
    pub(crate) fn open(root: &Path) -> Result<Self, EngineError> {
        if !root.join(PLAN).is_file() {
            return Err(EngineError::NoPlan { path: root.to_owned() });
        }
        Self::create(root)
    }

    /// Opens a work folder only to look at it, also while another run uses it.
    pub(crate) fn look(root: &Path) -> Result<Self, EngineError> {
        if !root.join(INVENTORY).is_file() {
            return Err(EngineError::NoPlan { path: root.to_owned() });
        }
        Ok(WorkDir { root: root.to_owned(), _lock: None })
    }

    fn locked(root: &Path) -> Result<Self, EngineError> {
        let path = root.join(LOCK);
        let mut options = File::options();
        let lock =
            options.create(true).truncate(false).write(true).open(&path).map_err(EngineError::io("opened", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(WorkDir { root: root.to_owned(), _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(EngineError::Locked { path: root.to_owned() }),
            Err(TryLockError::Error(source)) => Err(EngineError::Io { action: "locked", path, source }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    pub(crate) fn plan_path(&self) -> PathBuf {
        self.root.join(PLAN)
    }

    pub(crate) fn journal(&self) -> Result<Journal, EngineError> {
        Journal::open(&self.root.join(JOURNAL))
    }

    /// The journal when there is one; looking must not make it.
    pub(crate) fn journal_if_there(&self) -> Result<Option<Journal>, EngineError> {
        let path = self.root.join(JOURNAL);
        if path.is_file() { Journal::open(&path).map(Some) } else { Ok(None) }
    }

    /// Manifest of the disk that a step copies.
    pub(crate) fn manifest_path(&self, step: &str) -> PathBuf {
        self.root.join(manifest_name(step))
    }

    pub(crate) fn save_plan(&self, plan: &Plan) -> Result<String, EngineError> {
        let bytes = to_json(&self.plan_path(), plan)?;
        hvm_transfer::io::write_atomic(&self.plan_path(), &bytes)?;
        Ok(blake3::hash(&bytes).to_hex().to_string())
    }

    /// The plan, checked to be the one that the journal recorded.
    pub(crate) fn plan(&self, state: &State) -> Result<Plan, EngineError> {
        let path = self.plan_path();
        let bytes = fs::read(&path).map_err(EngineError::io("read", &path))?;
        if state.plan.as_deref() != Some(blake3::hash(&bytes).to_hex().as_str()) {
            return Err(EngineError::PlanChanged { path });
        }
        serde_json::from_slice(&bytes).map_err(|source| EngineError::Document { path, source })
    }

    pub(crate) fn save_assessment(
        &self,
        inventory: &Inventory,
        findings: &[Finding],
        choices: &Choices,
    ) -> Result<(), EngineError> {
        self.save(INVENTORY, inventory)?;
        self.save(FINDINGS, findings)?;
        self.save(CHOICES, choices)
    }

    pub(crate) fn inventory(&self) -> Result<Inventory, EngineError> {
        self.load(INVENTORY)
    }

    pub(crate) fn findings(&self) -> Result<Vec<Finding>, EngineError> {
        self.load(FINDINGS)
    }

    pub(crate) fn save_destination(&self, destination: &PlannedDestination) -> Result<(), EngineError> {
        self.save(DESTINATION, destination)
    }

    pub(crate) fn destination(&self) -> Result<PlannedDestination, EngineError> {
        self.load(DESTINATION)
    }

    pub(crate) fn save_verification(&self, verification: &Verification) -> Result<(), EngineError> {
        self.save(VERIFICATION, verification)
    }

    pub(crate) fn verification(&self) -> Result<Option<Verification>, EngineError> {
        if self.root.join(VERIFICATION).is_file() { self.load(VERIFICATION).map(Some) } else { Ok(None) }
    }

    pub(crate) fn drop_verification(&self) -> Result<(), EngineError> {
        hvm_transfer::io::remove_if_there(&self.root.join(VERIFICATION))?;
        Ok(())
    }

    fn save<T: Serialize + ?Sized>(&self, name: &str, document: &T) -> Result<(), EngineError> {
        let path = self.root.join(name);
        Ok(hvm_transfer::io::write_atomic(&path, &to_json(&path, document)?)?)
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> Result<T, EngineError> {
        let path = self.root.join(name);
        let bytes = fs::read(&path).map_err(EngineError::io("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|source| EngineError::Document { path, source })
    }
}

/// Name of a manifest below the work folder.
pub(crate) fn manifest_name(step: &str) -> String {
    format!("{MANIFESTS}/{step}.json")
}

fn to_json<T: Serialize + ?Sized>(path: &Path, document: &T) -> Result<Vec<u8>, EngineError> {
    let mut bytes = serde_json::to_vec_pretty(document)
        .map_err(|source| EngineError::Document { path: path.to_owned(), source })?;
    bytes.push(b'\n');
    Ok(bytes)
}
