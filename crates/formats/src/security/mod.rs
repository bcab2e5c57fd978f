//! Security identifiers and self-relative security descriptors, [MS-DTYP] 2.4.2 to 2.4.6: from bytes, to bytes, and as text
//! for people (SDDL, [MS-DTYP] 2.5.1). See `FORMAT.md` beside this file.

mod acl;
mod descriptor;
mod error;
mod names;
mod sddl;
mod sid;

pub use acl::{Ace, AceKind, Acl, AclEntry};
pub use descriptor::{AclPart, SecurityDescriptor};
pub use error::SecurityError;
pub use sid::Sid;

#[cfg(test)]
mod tests;
