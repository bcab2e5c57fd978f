//! What a destination needs beside its URI: a folder of the migration's own, and a password, which is in no URI, no argument,
//! no plan and no journal.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use hvm_winrm::{Error as Unreached, Secret};

use crate::error::DestinationError;

/// Most bytes of a password.
const LONGEST: usize = 4096;

/// What is given beside a URI.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// A folder for what is made here and carried to a host; made when it is needed.
    pub folder: Option<PathBuf>,
    /// The password of the user that the URI names.
    pub password: Option<Secret>,
}

/// Whose password is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordWanted {
    /// The user, as the URI names it.
    pub user: String,
    /// The host.
    pub host: String,
}

/// The first line of a file that nobody else can read.
pub fn password_file(path: &Path) -> Result<Secret, DestinationError> {
    let file = File::open(path).map_err(DestinationError::io(path, "open"))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(DestinationError::io(path, "look at"))?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            let reason = format!("others can read or change it (mode {mode:04o}); take that away with chmod 600");
            return Err(DestinationError::Password { path: path.to_owned(), reason });
        }
    }
    first_line(file, path)
}

/// The first line of a file that is open already, by the number of its descriptor.
#[cfg(unix)]
pub fn password_descriptor(number: u32) -> Result<Secret, DestinationError> {
    let path = PathBuf::from(format!("/dev/fd/{number}"));
    let file = File::open(&path).map_err(DestinationError::io(&path, "open"))?;
    first_line(file, &path)
}

/// The first line of a file that is open already: only where the system has such numbers.
#[cfg(not(unix))]
pub fn password_descriptor(number: u32) -> Result<Secret, DestinationError> {
    let reason = "this system has no descriptors; give the password in a file".to_owned();
    Err(DestinationError::Password { path: PathBuf::from(number.to_string()), reason })
}

fn first_line(file: File, path: &Path) -> Result<Secret, DestinationError> {
    let wrong = |reason: &str| DestinationError::Password { path: path.to_owned(), reason: reason.to_owned() };
    // With room for all of it from the start, so that no part is left behind in memory when it grows.
    let mut bytes = Vec::with_capacity(LONGEST + 1);
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes).map_err(DestinationError::io(path, "read"))?;
    if bytes.len() > LONGEST {
        return Err(wrong("it is longer than any password"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
    let end = text.find(['\r', '\n']).unwrap_or(text.len());
    text.truncate(end);
    if text.is_empty() { Err(wrong("its first line is empty")) } else { Ok(Secret::new(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_password_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let told = |mode: u32, text: &str| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            password_file(&path).err().map(|error| error.to_string())
        };
        assert_eq!(told(0o600, "Passw0rd!\nand more"), None);
        assert!(told(0o640, "Passw0rd!").unwrap().contains("chmod 600"));
        assert!(told(0o600, "\n").unwrap().contains("empty"));
        assert!(told(0o600, &"x".repeat(5000)).unwrap().contains("longer"));
        assert!(!told(0o644, "Passw0rd!").unwrap().contains("Passw0rd"));
    }
}
