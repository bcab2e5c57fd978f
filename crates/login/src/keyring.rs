//! A password out of the system's keyring: of Linux its kernel's key retention service (keyrings(7)), which a login has
//! without any service of a desktop, and of Windows its Credential Manager.

use crate::credentials::Secret;
use crate::password::{PasswordError, PasswordWanted};

/// The password of a user of a host, which is called `hvmigrate:USER@HOST` there, with both as the URI names them.
///
/// # Errors
/// When the keyring has none of that name, or does not give it.
pub fn password_keyring(wanted: &PasswordWanted) -> Result<Secret, PasswordError> {
    let entry = format!("hvmigrate:{}@{}", wanted.user, wanted.host);
    system::read(&entry).map_err(|reason| PasswordError::Keyring {
        put: system::put(&entry, &wanted.user),
        entry,
        reason,
    })
}

#[cfg(target_os = "linux")]
mod system {
    use linux_keyutils::{KeyError, KeyRing, KeyRingIdentifier};
    use zeroize::Zeroizing;

    use crate::credentials::Secret;
    use crate::password::{LONGEST, first_line_of};

    /// How the password gets there. Its description is data to the shell.
    pub fn put(entry: &str, _: &str) -> String {
        format!("keyctl padd user '{}' @u < FILE", entry.replace('\'', r"'\''"))
    }

    pub fn read(entry: &str) -> Result<Secret, String> {
        let mut bytes = Zeroizing::new([0u8; LONGEST + 1]);
        let length = found(entry, &mut bytes).map_err(told)?;
        // The kernel tells how long the key is, of which it wrote what there was room for.
        let text = bytes.get(..length).ok_or("it is longer than any password")?;
        first_line_of(text).map_err(ToOwned::to_owned)
    }

    /// A key can be read only from a keyring that the process possesses. That of the session is; that of the user often
    /// hangs on none, so it is linked to the keyring of this process, which ends with it.
    fn found(entry: &str, bytes: &mut [u8; LONGEST + 1]) -> Result<usize, KeyError> {
        let session = KeyRing::from_special_id(KeyRingIdentifier::Session, false).and_then(|ring| ring.search(entry));
        let key = session.or_else(|_| {
            let own = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
            own.link_keyring_id(KeyRingIdentifier::User)?;
            own.search(entry)
        })?;
        key.read(bytes)
    }

    fn told(error: KeyError) -> String {
        match error {
            KeyError::KeyDoesNotExist | KeyError::MissingFileOrDirectory => "there is none of that name".to_owned(),
            KeyError::AccessDenied | KeyError::PermissionDenied => {
                "the kernel does not let this process read it".to_owned()
            }
            KeyError::KeyExpired => "it has expired".to_owned(),
            KeyError::KeyRevoked => "it was revoked".to_owned(),
            other => format!("the kernel says {other}"),
        }
    }
}

#[cfg(windows)]
mod system {
    use keyring_core::Error;
    use keyring_core::api::CredentialStoreApi;

    use crate::credentials::Secret;
    use crate::password::first_line_of;

    /// How the password gets there; cmdkey asks for it.
    pub fn put(entry: &str, user: &str) -> String {
        format!("cmdkey \"/generic:{entry}\" \"/user:{user}\" /pass")
    }

    pub fn read(entry: &str) -> Result<Secret, String> {
        let store = windows_native_keyring_store::Store::new().map_err(|error| told(&error))?;
        let target = [("target", entry)].into_iter().collect();
        let found = store.build("hvmigrate", entry, Some(&target)).map_err(|error| told(&error))?;
        let text = zeroize::Zeroizing::new(found.get_password().map_err(|error| told(&error))?);
        first_line_of(text.as_bytes()).map_err(ToOwned::to_owned)
    }

    fn told(error: &Error) -> String {
        match error {
            Error::NoEntry => "there is none of that name".to_owned(),
            other => format!("Windows says: {other}"),
        }
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    use crate::credentials::Secret;

    pub fn put(_: &str, _: &str) -> String {
        "none on this system: give the password in a file".to_owned()
    }

    pub fn read(_: &str) -> Result<Secret, String> {
        Err("hvmigrate knows no keyring of this system".to_owned())
    }
}
