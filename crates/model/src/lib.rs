//! The nouns of a Hyper-V migration: plain data with serde and a JSON schema, no I/O.
//!
//! Reading, judging and writing never see each other; they meet here. Start with [`inventory`] (what was read), then
//! [`finding`] (what the guide says of it), [`plan`] (what shall be done) and [`record`] (what was done).
#![forbid(unsafe_code)]

pub mod capabilities;
pub mod choices;
pub mod disk;
pub mod finding;
pub mod firewall;
pub mod found;
pub mod guest;
pub mod host;
pub mod inventory;
pub mod names;
pub mod network;
pub mod owner;
pub mod plan;
pub mod record;
pub mod report;
pub mod role;
pub mod schema;
pub mod setting;
pub mod vm;
