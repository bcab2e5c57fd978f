//! PowerShell remoting (MS-PSRP), as far as running scripts needs it: a pool of one runspace, one pipeline after the other,
//! all of its streams as they come, and stopping. There is no host for the script to talk to: a script that asks somebody
//! for something gets an error. Secure strings are not exchanged, because their key never is.

pub(crate) mod answers;
mod fragment;
mod host;
mod message;
mod pool;
mod record;
mod run;
mod script;

pub use pool::Pool;
pub use record::{ErrorRecord, ProgressRecord, Record};
pub use run::Outcome;
pub use script::Script;
