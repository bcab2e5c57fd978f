//! Where a password comes from: a file, a descriptor that is open, or the system's keyring. It is in no URI, no argument, no plan and no journal.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::credentials::Secret;

/// Most bytes of a password.
pub(crate) const LONGEST: usize = 4096;

/// A password cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// What was read is none, or others could have read it.
    #[error("The password in '{}' cannot be used: {reason}.", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system's keyring does not have it or does not give it.
    #[error("The password '{entry}' cannot be had from the keyring: {reason}. Put it there with: {put}")]
    Keyring {
        /// What it is called there.
        entry: String,
        /// Why.
        reason: String,
        /// The command that puts it there.
        put: String,
    },
    /// The file, the descriptor or the terminal cannot be read.
    #[error("'{}' could not be {action}: {source}.", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

/// Which of two hosts is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that is read.
    Source,
    /// The one that is written.
    Destination,
}

/// Whose password is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordWanted {
    /// The user, as the URI names it.
    pub user: String,
    /// The host.
    pub host: String,
    /// Which of two hosts that is.
    pub side: Side,
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> PasswordError {
    let path = path.to_owned();
    move |source| PasswordError::Io { path, action, source }
}

/// The first line of a file that nobody else can read.
///
/// # Errors
/// When it cannot be read, others can read it, or its first line is none.
pub fn password_file(path: &Path) -> Result<Secret, PasswordError> {
    let file = File::open(path).map_err(failed(path, "opened"))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(failed(path, "looked at"))?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            let reason = format!("others can read or change it (mode {mode:04o}); take that away with chmod 600");
            return Err(PasswordError::Unusable { path: path.to_owned(), reason });
        }
    }
    first_line(file, path)
}

/// The first line of a file that is open already, by the number of its descriptor.
///
/// # Errors
/// When it cannot be read or its first line is none.
#[cfg(unix)]
pub fn password_descriptor(number: u32) -> Result<Secret, PasswordError> {
    let path = PathBuf::from(format!("/dev/fd/{number}"));
    let file = File::open(&path).map_err(failed(&path, "opened"))?;
    first_line(file, &path)
}

/// The first line of a file that is open already: only where the system has such numbers.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn password_descriptor(number: u32) -> Result<Secret, PasswordError> {
    let reason = "this system has no descriptors; give the password in a file".to_owned();
    Err(PasswordError::Unusable { path: PathBuf::from(number.to_string()), reason })
}

fn first_line(file: File, path: &Path) -> Result<Secret, PasswordError> {
    let wrong = |reason: &str| PasswordError::Unusable { path: path.to_owned(), reason: reason.to_owned() };
    // With room for all of it from the start, so that no part is left behind in memory when it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes).map_err(failed(path, "read"))?;
    if bytes.len() > LONGEST {
        return Err(wrong("it is longer than any password"));
    }
    first_line_of(&bytes).map_err(wrong)
}

/// The first line of a text, or why it is none. The mark that editors of Windows put before UTF-8 is no part of a password.
pub(crate) fn first_line_of(bytes: &[u8]) -> Result<Secret, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.find(['\r', '\n']).map_or(text, |end| &text[..end]);
    if line.is_empty() { Err("its first line is empty") } else { Ok(Secret::new(line.to_owned())) }
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    #[test]
    fn a_password_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let told = |mode: u32, text: &str| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            super::password_file(&path).err().map(|error| error.to_string())
        };
        assert_eq!(told(0o600, "Passw0rd!\nand more"), None);
        assert!(told(0o640, "Passw0rd!").unwrap().contains("chmod 600"));
        assert!(told(0o600, "\n").unwrap().contains("empty"));
        assert!(told(0o600, &"x".repeat(5000)).unwrap().contains("longer"));
        assert_eq!(super::first_line_of("\u{feff}Passw0rd!\r\n".as_bytes()).unwrap().reveal(), "Passw0rd!");
        assert!(!told(0o644, "Passw0rd!").unwrap().contains("Passw0rd"));
    }
}
