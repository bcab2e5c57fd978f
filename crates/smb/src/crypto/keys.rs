//! The keys of a session out of the key of its authentication (MS-SMB2 3.1.4.2: SP 800-108 in counter mode with HMAC-SHA256),
//! and the hash over the first messages that goes into them (3.2.5.2).

use ring::{digest, hmac};
use zeroize::Zeroizing;

use super::seal::Cipher;
use crate::wire::negotiate::Dialect;

/// A hash over messages, one after the other (SHA-512).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preauth([u8; 64]);

impl Preauth {
    pub(crate) fn new() -> Preauth {
        Preauth([0; 64])
    }

    pub(crate) fn add(&mut self, message: &[u8]) {
        let mut context = digest::Context::new(&digest::SHA512);
        context.update(&self.0);
        context.update(message);
        self.0 = context.finish().as_ref().try_into().expect("SHA-512 has 64 bytes");
    }
}

/// A key, overwritten when it goes.
pub(crate) type Key = Zeroizing<Vec<u8>>;

/// The keys of a session.
pub(crate) struct Keys {
    /// Signs in both directions.
    pub(crate) signing: Key,
    /// Seals what the client sends, and what the server sends.
    pub(crate) sealing: Option<(Key, Key)>,
}

impl Keys {
    /// Derives them; `None` when the key of the authentication is too short.
    pub(crate) fn new(session: &[u8], dialect: Dialect, cipher: Option<Cipher>, preauth: &Preauth) -> Option<Keys> {
        let short = session.get(..16)?;
        if dialect < Dialect::Smb300 {
            return Some(Keys { signing: Zeroizing::new(short.to_vec()), sealing: None });
        }
        let is_new = dialect == Dialect::Smb311;
        let context = |old: &'static [u8]| if is_new { preauth.0.to_vec() } else { old.to_vec() };
        let label = |new: &'static [u8], old: &'static [u8]| if is_new { new } else { old };
        let signing = derive(short, label(b"SMBSigningKey\0", b"SMB2AESCMAC\0"), &context(b"SmbSign\0"), 16);
        let sealing = cipher.map(|cipher| {
            let len = cipher.key_len();
            // Ciphers with long keys are given all of the key that the authentication has.
            let from = if len > 16 { session } else { short };
            let to_server = label(b"SMBC2SCipherKey\0", b"SMB2AESCCM\0");
            let to_client = label(b"SMBS2CCipherKey\0", b"SMB2AESCCM\0");
            (
                derive(from, to_server, &context(b"ServerIn \0"), len),
                derive(from, to_client, &context(b"ServerOut\0"), len),
            )
        });
        Some(Keys { signing, sealing })
    }
}

fn derive(key: &[u8], label: &[u8], context: &[u8], len: usize) -> Key {
    let bits = u32::try_from(len * 8).expect("keys are short");
    let mut state = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    state.update(&1u32.to_be_bytes());
    state.update(label);
    state.update(&[0]);
    state.update(context);
    state.update(&bits.to_be_bytes());
    let tag = state.sign();
    Zeroizing::new(tag.as_ref().get(..len).unwrap_or_default().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// The examples of Microsoft's article on the keys of SMB 3.0 and 3.1.1 (openspecification, "SMB 2 and SMB 3 security").
    #[test]
    fn the_published_examples_come_out() {
        let session = bytes("7CD451825D0450D235424E44BA6E78CC");
        let keys = Keys::new(&session, Dialect::Smb300, Some(Cipher::Aes128Ccm), &Preauth::new()).unwrap();
        assert_eq!(*keys.signing, bytes("0B7E9C5CAC36C0F6EA9AB275298CEDCE"));
        assert!(Keys::new(&session[..15], Dialect::Smb300, None, &Preauth::new()).is_none());
    }

    #[test]
    fn long_ciphers_have_long_keys_and_the_old_versions_none() {
        let session = [7; 32];
        let keys = |dialect, cipher| Keys::new(&session, dialect, cipher, &Preauth::new()).unwrap();
        let sealing = keys(Dialect::Smb311, Some(Cipher::Aes256Gcm)).sealing.unwrap();
        assert_eq!((sealing.0.len(), sealing.1.len()), (32, 32));
        assert_ne!(sealing.0, sealing.1);
        assert_eq!(*keys(Dialect::Smb210, None).signing, [7; 16]);
    }

    #[test]
    fn the_hash_depends_on_the_order() {
        let hash = |parts: [&[u8]; 2]| {
            let mut hash = Preauth::new();
            parts.iter().for_each(|part| hash.add(part));
            hash
        };
        assert_ne!(hash([b"a", b"b"]), hash([b"b", b"a"]));
    }
}
