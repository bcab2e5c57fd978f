//! What keeps a migration from going on, each with what to do next.

use std::path::{Path, PathBuf};

use hvm_destinations::error::DestinationError;
use hvm_formats::disk::DiskError;
use hvm_formats::guestfs::UnusedError;
use hvm_model::names::ByteSize;
use hvm_sources::error::SourceError;
use hvm_transfer::TransferError;

use crate::advice;

/// The engine could not do it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The source, a host or a single disk, could not be opened or read.
    #[error("{}", match .0 { SourceError::Disk(_) => "The disk could not be read.", _ => "The source could not be read." })]
    Source(#[from] SourceError),
    /// The destination could not be opened, written or read back.
    #[error("The destination could not be used.")]
    Destination(#[from] DestinationError),
    /// Data could not be moved, compared, proved or served.
    #[error("{}", work(.0))]
    Transfer(#[from] TransferError),
    /// A disk could not be read.
    #[error("A virtual disk could not be read.")]
    Disk(#[from] DiskError),
    /// The disk that is written to is full.
    #[error("The disk that holds '{path}' is full; for this file at most {needed} more are needed there.")]
    DiskFull {
        /// The new file.
        path: PathBuf,
        /// What the file may still need.
        needed: ByteSize,
        /// Where it was noticed.
        source: Box<TransferError>,
    },
    /// Two new files would have one name, and the second would replace the first.
    #[error("The {one} and the {other} would both be '{path}'; nothing was written.")]
    SameFile {
        /// What the first one is.
        one: &'static str,
        /// What the second one is.
        other: &'static str,
        /// The name.
        path: PathBuf,
    },
    /// A new file is complete, but what comes after it failed.
    #[error("'{path}' is complete and has its final name, but the last step after that failed.")]
    AfterRename {
        /// The new file.
        path: PathBuf,
        /// What failed.
        source: Box<TransferError>,
    },
    /// The free space of a disk cannot be left out.
    #[error("The free space cannot be left out, and nothing was written.")]
    FreeSpace(#[from] UnusedError),
    /// A file of this computer.
    #[error("'{path}' could not be {action}.")]
    Io {
        /// What was tried, as a participle.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A running host is collected on itself only.
    #[error("This computer is no Windows, so there is nothing of it to collect.")]
    NotOnHost,
    /// A document of the work folder cannot be understood.
    #[error("'{path}' is not the document that was expected.")]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The journal's database.
    #[error("The journal '{path}' cannot be used.")]
    Journal {
        /// The file.
        path: PathBuf,
        /// What the database says.
        source: rusqlite::Error,
    },
    /// A journal of another form.
    #[error("The journal '{path}' has the form {found}; this program knows form {expected}.")]
    JournalVersion {
        /// The file.
        path: PathBuf,
        /// Form as written.
        found: i64,
        /// Form that is known.
        expected: i64,
    },
    /// Records are missing.
    #[error("The journal '{path}' has {found} records, but the last has the number {last}: records are missing.")]
    JournalGap {
        /// The file.
        path: PathBuf,
        /// Records.
        found: u64,
        /// Number of the last one.
        last: u64,
    },
    /// Two runs at once.
    #[error("Another run is using the work folder '{path}'.")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// There is no plan.
    #[error("There is no plan in the work folder '{path}'.")]
    NoPlan {
        /// The folder.
        path: PathBuf,
    },
    /// The plan is not the one that the journal knows.
    #[error("The plan '{path}' is not the one that was recorded when it was made: it was changed or replaced since.")]
    PlanChanged {
        /// The file.
        path: PathBuf,
    },
    /// The destination's folder is another one than when the plan was made.
    #[error("The plan was made for the folder '{planned}', but '{uri}' now means '{found}'.")]
    RootChanged {
        /// URI as given.
        uri: String,
        /// Folder when the plan was made.
        planned: PathBuf,
        /// Folder now.
        found: PathBuf,
    },
    /// A new plan would lose track of a begun migration.
    #[error("A migration is under way in the work folder '{path}': step '{step}' was begun.")]
    UnderWay {
        /// The folder.
        path: PathBuf,
        /// A step that was begun.
        step: String,
    },
    /// Something is in the way on the destination.
    #[error("'{path}' exists already and was not made by this migration; nothing was touched.")]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// The source was used after the plan was made.
    #[error(
        "The source is not what the plan was made for: its files were changed since (fingerprint {found}, planned \
         {planned})."
    )]
    SourceChanged {
        /// Fingerprint of the plan.
        planned: String,
        /// Fingerprint now.
        found: String,
    },
    /// Not enough room.
    #[error("The destination has {free} free, {needed} are still needed.")]
    NoRoom {
        /// Bytes needed at most.
        needed: ByteSize,
        /// Bytes free.
        free: ByteSize,
    },
    /// A confirmation for something that is not to be confirmed.
    #[error("There is no step '{step}' to confirm in the plan.")]
    NothingToConfirm {
        /// As given.
        step: String,
        /// Steps that wait.
        known: Vec<String>,
    },
    /// What would be written lies in the source, to which nothing is ever written.
    #[error(
        "The {what} '{path}' lies in '{folder}', which is drive {drive}: of the source, and nothing is ever written there."
    )]
    InsideSource {
        /// What it is for.
        what: &'static str,
        /// As given.
        path: PathBuf,
        /// The folder of the source.
        folder: PathBuf,
        /// Its letter.
        drive: String,
    },
    /// The plan is blocked: nothing was migrated that could be verified or finished.
    #[error("Nothing was migrated, since the plan is blocked: {}", .reasons.join("; "))]
    Blocked {
        /// The findings that block it.
        reasons: Vec<String>,
    },
    /// The migration is not complete.
    #[error("The migration is not complete: step '{step}' ({title}) is not done.")]
    NotMigrated {
        /// First step that is not done.
        step: String,
        /// Its title.
        title: String,
    },
    /// What was seen on the destination cannot be used.
    #[error("The settings that were seen on the destination cannot be taken from '{}': {reason}.", path.display())]
    Observed {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        reason: String,
    },
    /// A step names something that the inventory or the plan lacks.
    #[error("Step '{step}' cannot be performed: {reason}.")]
    Step {
        /// Step.
        step: String,
        /// Why.
        reason: String,
    },
    /// The observer asked to stop.
    #[error("The run was stopped on request; what was done is in the journal.")]
    Cancelled,
}

/// Which work could not be done, by what was in the way.
fn work(error: &TransferError) -> &'static str {
    match error {
        TransferError::Disk(_) | TransferError::Read { .. } => "The disk could not be read.",
        TransferError::Manifest { .. } => "The manifest could not be used.",
        TransferError::Signing(_) => "The signature could not be made or checked.",
        TransferError::Nbd(_) => "The disk could not be served.",
        _ => "Data could not be moved.",
    }
}

impl EngineError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> EngineError {
        let path = path.to_owned();
        move |source| EngineError::Io { action, path, source }
    }

    /// True when the run was stopped on request.
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            EngineError::Cancelled
                | EngineError::Transfer(TransferError::Cancelled)
                | EngineError::Destination(DestinationError::Cancelled)
        )
    }

    /// What to do next, a command where there is one.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            EngineError::FreeSpace(error) => error.hint().to_owned(),
            EngineError::NotOnHost => {
                "write the script with 'hvmigrate collect --script DIR', and run 'collect.cmd FOLDER' on the host"
                    .to_owned()
            }
            EngineError::SameFile { .. } => "give each new file a name of its own".to_owned(),
            EngineError::Locked { .. } => "wait until the other run has ended, or end it".to_owned(),
            EngineError::AfterRename { .. } => {
                "look for the cause in the system's log, such as 'dmesg' shows it, and flush the \
                                                folder with 'sync' before the source is given up"
                    .to_owned()
            }
            EngineError::NoPlan { path } => {
                format!("hvmigrate plan --from SOURCE --to DESTINATION --work '{}'", path.display())
            }
            EngineError::PlanChanged { .. } => "make the plan again with 'hvmigrate plan'".to_owned(),
            EngineError::RootChanged { .. } => {
                "run the command from the folder in which the plan was made, or plan with an absolute path".to_owned()
            }
            EngineError::UnderWay { path, .. } => format!(
                "go on with: hvmigrate migrate --work '{0}', or take it back first with: hvmigrate rollback --work '{0}'",
                path.display()
            ),
            EngineError::InTheWay { .. } => "move it away, or plan with another destination folder".to_owned(),
            EngineError::SourceChanged { .. } => {
                "the source must stay off; take the migration back with 'hvmigrate rollback' and plan again".to_owned()
            }
            EngineError::NoRoom { .. } => "make room there, or plan with another destination folder".to_owned(),
            EngineError::NothingToConfirm { known, .. } if known.is_empty() => {
                "nothing waits for a confirmation".to_owned()
            }
            EngineError::NothingToConfirm { known, .. } => {
                format!("these wait for a confirmation: {}", known.join(", "))
            }
            EngineError::Observed { .. } => {
                "copy the file state\\observed.json that Test-HyperVRole.ps1 wrote in the kit on the destination"
                    .to_owned()
            }
            EngineError::Destination(DestinationError::Unsafe { mend, .. }) => mend.clone(),
            EngineError::Blocked { .. } => "answer what blocks it, and plan again".to_owned(),
            EngineError::InsideSource { .. } => "choose a folder that is not in the source".to_owned(),
            EngineError::NotMigrated { .. } => "go on with 'hvmigrate migrate' first".to_owned(),
            error if error.is_cancelled() => "run the same command again to go on".to_owned(),
            _ => return advice::of(self).map(str::to_owned),
        };
        Some(text)
    }
}
