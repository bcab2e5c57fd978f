//! Bytes to values and back.

#![forbid(unsafe_code)]

pub mod azman;
pub mod check;
pub mod cim;
pub mod disk;
pub mod firewall;
pub mod guestfs;
pub mod hvs;
pub mod io;
pub mod qcow2;
pub mod raw;
pub mod regf;
pub mod security;
pub mod vhd;
pub mod vhdx;
pub mod vmxml;
