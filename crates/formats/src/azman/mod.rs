//! The authorization store `InitialStore.xml` of Hyper-V, [MS-AZMP] in its XML form: applications, scopes, roles, members.
//! What is not known is listed and stays in the file as it was read. See `FORMAT.md` beside this file.

mod error;
mod read;
mod store;

pub use error::AzManError;
pub use store::{Application, Assignment, Group, Operation, Role, Scope, Store, Task};

#[cfg(test)]
mod tests;
