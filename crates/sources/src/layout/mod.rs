//! Where Hyper-V's things are on a source.

pub(crate) mod export;
mod hives;
pub(crate) mod host;
pub(crate) mod letters;
pub(crate) use hives::{Absence, NoHive};
pub(crate) mod role;
pub(crate) mod running;
