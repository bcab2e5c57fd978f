//! Sample hosts, disks and hives made by code.
//!
//! Everything here is written from the specifications alone and shares no code with the readers and writers of the
//! product: it is the independent side of each comparison. The code is naive on purpose; where a quick way and an
//! obvious way exist, it takes the obvious one. One thing is taken from the product: the model of a Hyper-V host reads the configurations
//! that it registers with `hvm-formats`.
#![forbid(unsafe_code)]

pub mod bulk;
pub mod busy;
pub mod bytes;
pub mod corpus;
pub mod guest;
pub mod guid;
pub mod hive;
pub mod hvs;
#[cfg(feature = "hyper-v")]
pub mod hyperv_host;
pub mod mount;
pub mod ntfs;
pub mod port;
#[cfg(feature = "hyper-v")]
pub mod powershell;
pub mod qcow2;
pub mod realm;
#[cfg(feature = "hyper-v")]
pub mod running_host;
#[cfg(unix)]
pub mod samba;
pub mod sample;
pub mod sample_2016;
pub mod security;
pub mod small;
pub mod tree;
pub mod vhd;
pub mod vhdx;
pub mod vmxml;
