//! Puts a migration in order: reads and judges a source, plans, performs the plan step by step with a journal, verifies,
//! finishes, or takes back. The phases of the guide are the modules; nothing happens on a destination that is not a step
//! of a plan in the journal.
#![forbid(unsafe_code)]

mod advice;
mod assess;
mod clock;
mod collect;
mod disk;
mod disks;
mod error;
mod estimate;
mod events;
mod finish;
mod hints;
mod host;
mod images;
mod journal;
mod migrate;
mod observed;
mod origin;
mod owned;
mod perform;
mod placing;
mod plan;
mod put_back;
mod report;
mod role;
mod rollback;
mod state;
mod steps;
mod verify;
mod workdir;

pub use assess::{Assessment, assess};
pub use collect::{Collected, collect, write_collector};
pub use disk::{Depth, DiskInfo, DiskLayer, HashKind, disk_hash, disk_info, source_disk_hash};
pub use disks::{
    Conversion, DiskCheck, DiskComparison, DiskConversion, DiskDifference, DiskExtent, DiskExtents, DiskFinding,
    DiskProof, DiskRange, DiskServer, Durability, LeftOut, Listen, ManifestInfo, NewKey, Reflink, SpareRoom, Until,
    disk_check, disk_compare, disk_convert, disk_extents, disk_manifest, disk_serve, disk_verify,
};
pub use disks::{KeptDisk, KeptFile, disk_keep_chain};
pub use error::EngineError;
pub use events::{Observer, Quiet};
pub use finish::finish;
pub use hvm_destinations::error::DestinationError;
pub use hvm_formats::disk::{Checksums, ParentTime};
pub use hvm_formats::guestfs::{
    DiskContents, FileSystem, FsKind, GuestAdapter, GuestSystem, PartitionContents, TableKind, UsedVolume,
};
pub use hvm_rules as rules;
pub use hvm_sources::ChainOptions;
pub use hvm_transfer::Stage;
pub use hvm_winrm::{
    PasswordError, PasswordWanted, Secret, Side, password_descriptor, password_file, password_keyring,
};
pub use journal::Journal;
pub use migrate::{MigrateOptions, MigrateOutcome, MigrateState, migrate};
pub use plan::{PlanRequest, plan};
pub use report::report;
pub use rollback::{DataChoice, RollbackOutcome, rollback};
pub use verify::{VerifyOptions, verify};
