//! Writes a new host: a kit of PowerShell for Hyper-V, or files for KVM under libvirt.
//!
//! [`select::open`] turns a URI into a [`destination::Destination`]. Nothing here reads a source or judges it; what shall be
//! there comes as a plan of `hvm-model`, and everything that is made are files below one folder.
#![forbid(unsafe_code)]

pub mod destination;
pub mod error;
mod files;
pub mod hyperv;
pub mod libvirt;
mod names;
pub mod select;
mod uri;
