//! Where Hyper-V's things are on a source.

mod hives;
pub(crate) mod letters;
pub(crate) use hives::NoHive;
pub(crate) mod role;
