//! Reads an old host; cannot write.
//!
//! Two axes: `reach` is how bytes come (a folder now), [`layout`] is where Hyper-V's things are (a system volume with the
//! role now). `understand` turns what the formats say into the model. A source is opened by [`select::open`] from a URI.
#![forbid(unsafe_code)]

pub mod collect;
pub mod error;
mod fingerprint;
mod gate;
pub mod layout;
pub mod reach;
pub mod select;
pub mod single;
pub mod source;
mod understand;
mod uri;

pub use error::{ReachError, SourceError};
pub use select::open;
pub use single::{ChainOptions, open_disk_file};
pub use source::Source;
