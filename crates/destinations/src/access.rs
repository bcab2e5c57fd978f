//! What a destination needs beside its URI: a folder of the migration's own, and a password, which is in no URI, no argument,
//! no plan and no journal.

use std::path::PathBuf;

pub use hvm_winrm::{Error as Unreached, PasswordError, PasswordWanted, Secret, Side};

/// What is given beside a URI.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// A folder for what is made here and carried to a host; made when it is needed.
    pub folder: Option<PathBuf>,
    /// The password of the user that the URI names.
    pub password: Option<Secret>,
}
