//! Signatures under manifests: Ed25519 (RFC 8032) with a key of the operator. Keys lie in the files that OpenSSL reads
//! and writes too (RFC 8410, PEM): `openssl genpkey -algorithm ed25519` makes one, `openssl pkey -pubout` shows its
//! public half.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::error::TransferError;

/// What comes before the 32 bytes of a private key: PrivateKeyInfo, version 0, id-Ed25519, two octet strings.
const PRIVATE_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
/// What comes before the 32 bytes of a public key: SubjectPublicKeyInfo, id-Ed25519, bit string.
const PUBLIC_PREFIX: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// A key file has about 120 bytes; more is no key.
const MAX_FILE: u64 = 4096;

/// A key or a signature cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// A file that is no key.
    #[error("'{path}' does not hold an Ed25519 {wanted} key in PEM form.")]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// `private` or `public`.
        wanted: &'static str,
    },
    /// A private key that others can read.
    #[error("The private key '{path}' can be read by others (mode {mode:04o}); take that away with chmod 600.")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The system gives no random numbers.
    #[error("The system gave no random numbers for a new key: {reason}.")]
    NoRandom {
        /// What it says.
        reason: String,
    },
    /// A manifest without a signature where one is needed.
    #[error("The manifest is not signed, a signature with the key {expected} was expected.")]
    Unsigned {
        /// The key that was given.
        expected: PublicKey,
    },
    /// A signature of somebody else.
    #[error("The manifest is signed with the key {found}, expected {expected}.")]
    OtherKey {
        /// The key that was given.
        expected: PublicKey,
        /// The key in the manifest.
        found: String,
    },
    /// A signature that does not fit.
    #[error("The signature of the manifest with the key {key} does not fit its content: the manifest was changed.")]
    Wrong {
        /// The key in the manifest.
        key: String,
    },
}

/// The public half of a key, 64 lower-case hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl PublicKey {
    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<PublicKey> {
        PublicKey::from_bytes(unhex(text)?)
    }

    /// Takes 32 bytes that are a point of the curve.
    fn from_bytes(bytes: [u8; 32]) -> Option<PublicKey> {
        VerifyingKey::from_bytes(&bytes).ok().map(|_| PublicKey(bytes))
    }

    /// What the operator gives: 64 hex digits, or else a PEM file.
    pub fn read(given: &str) -> Result<PublicKey, TransferError> {
        if let Some(key) = PublicKey::from_hex(given) {
            return Ok(key);
        }
        let path = Path::new(given);
        let text = read_small(File::open(path).map_err(TransferError::io("opened", path))?, path)?;
        let key = from_pem(&text, "PUBLIC KEY", &PUBLIC_PREFIX).and_then(PublicKey::from_bytes);
        Ok(key.ok_or_else(|| SigningError::NotAKey { path: path.to_owned(), wanted: "public" })?)
    }

    /// Whether `signature`, 128 lower-case hex digits, fits `bytes`.
    pub(crate) fn fits(&self, bytes: &[u8], signature: &str) -> bool {
        // One spelling only, so that no changed byte goes unnoticed.
        if signature.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return false;
        }
        let (Ok(key), Some(signature)) = (VerifyingKey::from_bytes(&self.0), unhex(signature)) else { return false };
        key.verify_strict(bytes, &Signature::from_bytes(&signature)).is_ok()
    }
}

/// A private key. It cannot be printed.
pub struct OperatorKey(SigningKey);

impl OperatorKey {
    /// Makes a new key and writes it to a new file that only its owner can read.
    pub fn create(path: &Path) -> Result<OperatorKey, TransferError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| SigningError::NoRandom { reason: error.to_string() })?;
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(TransferError::io("created", path))?;
        let text = to_pem("PRIVATE KEY", &PRIVATE_PREFIX, &secret);
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(TransferError::io("written", path))?;
        crate::io::sync_folder(path)?;
        Ok(OperatorKey(SigningKey::from_bytes(&secret)))
    }

    /// Reads a key from its file; one that others can read is refused.
    pub fn load(path: &Path) -> Result<OperatorKey, TransferError> {
        let file = File::open(path).map_err(TransferError::io("opened", path))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata().map_err(TransferError::io("read", path))?.permissions().mode() & 0o7777;
            if mode & 0o077 != 0 {
                return Err(SigningError::Exposed { path: path.to_owned(), mode }.into());
            }
        }
        let text = read_small(file, path)?;
        let secret = from_pem(&text, "PRIVATE KEY", &PRIVATE_PREFIX);
        let secret = secret.ok_or_else(|| SigningError::NotAKey { path: path.to_owned(), wanted: "private" })?;
        Ok(OperatorKey(SigningKey::from_bytes(&secret)))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The signature over `bytes`, 128 hex digits.
    pub(crate) fn sign(&self, bytes: &[u8]) -> String {
        hex(&self.0.sign(bytes).to_bytes())
    }
}

fn read_small(file: File, path: &Path) -> Result<String, TransferError> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(TransferError::io("read", path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn to_pem(label: &str, prefix: &[u8], key: &[u8; 32]) -> String {
    let body = STANDARD.encode([prefix, key].concat());
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn from_pem(text: &str, label: &str, prefix: &[u8]) -> Option<[u8; 32]> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(body).ok()?;
    bytes.strip_prefix(prefix)?.try_into().ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        // Two digits of four bits.
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(bytes)
}
