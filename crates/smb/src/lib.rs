//! A client for shares over SMB 2 and 3 (MS-SMB2), for reading: dialects 2.0.2 to 3.1.1, every message signed or encrypted, NTLM
//! and Kerberos, several requests under way at once, and connections that are made anew when they are lost. It blocks, it has no
//! runtime, and there is no call in it that creates, changes or deletes anything on a server.
//!
//! Everything that a server sends is bounded by [`limits`] before memory is taken for it. SMB 1 is not spoken, sessions as guest
//! or anonymous are refused, and there is no way to have messages neither signed nor encrypted.

mod ahead;
#[doc(hidden)]
pub mod answers;
mod client;
mod connection;
mod crypto;
mod endpoint;
mod error;
mod file;
mod frame;
pub mod limits;
mod live;
mod mending;
mod share;
mod snapshot;
mod status;
mod wire;

pub use client::Client;
pub use endpoint::{Encryption, Endpoint, Options};
pub use error::{Error, Result};
pub use file::File;
pub use hvm_login::{Credentials, Kdc, Login, Mechanism, Secret};
pub use share::{Attributes, Entry, Share, Stream, Volume};
pub use snapshot::Snapshot;
pub use status::Status;
pub use wire::negotiate::Dialect;
