//! Moves blocks: reads a virtual disk once, hashes and zero-tests it on all cores, writes it in order, and can prove
//! later that the copy is still what was read. A copy that was cut off goes on where its last flush was.
#![forbid(unsafe_code)]

mod blocks;
mod chain;
mod compare;
mod content;
mod copy;
mod describe;
mod digest;
mod direct;
mod error;
mod file;
mod hash;
pub mod io;
mod manifest;
mod mask;
pub mod nbd;
mod pipeline;
mod progress;
mod records;
mod share;
mod signing;
mod stamps;
mod stream;
mod streamlog;
mod target;
mod throttle;
mod tree;
mod verify;

pub use blocks::Blocks;
pub use chain::{ChainJob, ChildJob, KeptChain, KeptLayer, copy_child, keep_chain};
pub use compare::{Comparison, Until, compare};
pub use copy::{CopyJob, CopyOutcome, Watch, copy, leftovers, partial_path};
pub use describe::{Checked, FileCheck, check_against, describe};
pub use digest::Digest;
pub use error::TransferError;
pub use file::{FileOutcome, copy_file, hash_file, write_file};
pub use hash::{hash, tree_hash};
pub use manifest::{FileManifest, LayerNote, MANIFEST_VERSION, Manifest};
pub use pipeline::BLOCK;
pub use progress::{Cancel, Progress, Silent, Stage};
pub use share::{Reflink, Way};
pub use signing::{OperatorKey, PublicKey, SigningError};
pub use stream::{Durability, StreamOutcome, stream, stream_log_path};
pub use verify::{Check, Mismatch, MismatchKind, verify};
