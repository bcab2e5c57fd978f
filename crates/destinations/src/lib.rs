//! Writes a new host: a kit of PowerShell for Hyper-V, or files for KVM under libvirt.
//!
//! [`select::open`] turns a URI into a [`destination::Destination`]. Nothing here reads a source or judges it; what shall be
//! there comes as a plan of `hvm-model`, and everything that is made are files below one folder. [`live`] carries a kit to the
//! host that it is for and runs it there.
#![forbid(unsafe_code)]

pub mod access;
pub mod destination;
pub mod error;
mod files;
pub mod hyperv;
pub mod libvirt;
pub mod live;
mod names;
pub mod select;
mod uri;
