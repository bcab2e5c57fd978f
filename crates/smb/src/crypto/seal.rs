//! Sealing of messages (MS-SMB2 3.1.4.3): AES in GCM or CCM, with a number as nonce that is never used twice.

use std::sync::atomic::{AtomicU64, Ordering};

use aes::{Aes128, Aes256};
use ccm::Ccm;
use ccm::aead::{AeadInOut, KeyInit};
use ccm::consts::{U11, U16};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

use crate::wire::field::Malformed;
use crate::wire::header::{PROVED, TRANSFORM, Transform, transform};

/// How messages are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cipher {
    Aes128Ccm,
    Aes128Gcm,
    Aes256Ccm,
    Aes256Gcm,
}

impl Cipher {
    /// All, in the order in which they are wanted.
    pub(crate) const ALL: [Cipher; 4] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::Aes128Ccm, Self::Aes256Ccm];

    /// Its number (2.2.3.1.2).
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Aes128Ccm => 1,
            Self::Aes128Gcm => 2,
            Self::Aes256Ccm => 3,
            Self::Aes256Gcm => 4,
        }
    }

    /// 0 says that there is none in common.
    pub(crate) fn of(number: u16) -> Result<Option<Cipher>, Malformed> {
        if number == 0 {
            return Ok(None);
        }
        let found = Self::ALL.into_iter().find(|known| known.number() == number);
        found.map(Some).ok_or_else(|| format!("it chose the cipher {number}, which was not offered"))
    }

    /// Whether it is faster than signing.
    pub(crate) const fn is_fast(self) -> bool {
        matches!(self, Self::Aes128Gcm | Self::Aes256Gcm)
    }

    /// Bytes of its key.
    pub(crate) const fn key_len(self) -> usize {
        if matches!(self, Self::Aes256Ccm | Self::Aes256Gcm) { 32 } else { 16 }
    }
}

impl std::fmt::Display for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Aes128Ccm => "AES-128-CCM",
            Self::Aes128Gcm => "AES-128-GCM",
            Self::Aes256Ccm => "AES-256-CCM",
            Self::Aes256Gcm => "AES-256-GCM",
        })
    }
}

type Ccm128 = Ccm<Aes128, U16, U11>;
type Ccm256 = Ccm<Aes256, U16, U11>;

enum Key {
    Gcm(Box<LessSafeKey>),
    Ccm128(Box<Ccm128>),
    Ccm256(Box<Ccm256>),
}

impl Key {
    fn new(cipher: Cipher, key: &[u8]) -> Key {
        const LENGTH: &str = "the key was derived for this cipher";
        let gcm = |algorithm| Key::Gcm(Box::new(LessSafeKey::new(UnboundKey::new(algorithm, key).expect(LENGTH))));
        match cipher {
            Cipher::Aes128Gcm => gcm(&AES_128_GCM),
            Cipher::Aes256Gcm => gcm(&AES_256_GCM),
            Cipher::Aes128Ccm => Key::Ccm128(Box::new(Ccm128::new_from_slice(key).expect(LENGTH))),
            Cipher::Aes256Ccm => Key::Ccm256(Box::new(Ccm256::new_from_slice(key).expect(LENGTH))),
        }
    }
}

/// Seals what is sent and opens what comes.
pub(crate) struct Sealing {
    out: Key,
    into: Key,
    next: AtomicU64,
}

fn first<const N: usize>(nonce: &[u8; 16]) -> [u8; N] {
    let mut part = [0; N];
    part.iter_mut().zip(nonce).for_each(|(slot, byte)| *slot = *byte);
    part
}

impl Sealing {
    /// With the key for what the client sends and the one for what the server sends.
    pub(crate) fn new(cipher: Cipher, (out, into): (&[u8], &[u8])) -> Sealing {
        Sealing { out: Key::new(cipher, out), into: Key::new(cipher, into), next: AtomicU64::new(1) }
    }

    /// The sealed form of a message.
    pub(crate) fn seal(&self, session: u64, message: &[u8]) -> Vec<u8> {
        const BOUNDED: &str = "requests are short";
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let header = transform(nonce, u32::try_from(message.len()).expect(BOUNDED), session);
        let mut frame = [&header[..], message].concat();
        let (header, data) = frame.split_at_mut(TRANSFORM);
        let proved = &header[PROVED];
        let mut tag = [0; 16];
        match &self.out {
            Key::Gcm(key) => {
                let nonce = Nonce::assume_unique_for_key(first(&nonce));
                tag.copy_from_slice(
                    key.seal_in_place_separate_tag(nonce, Aad::from(proved), data).expect(BOUNDED).as_ref(),
                );
            }
            Key::Ccm128(key) => {
                tag.copy_from_slice(
                    &key.encrypt_inout_detached(&first(&nonce).into(), proved, data.into()).expect(BOUNDED),
                );
            }
            Key::Ccm256(key) => {
                tag.copy_from_slice(
                    &key.encrypt_inout_detached(&first(&nonce).into(), proved, data.into()).expect(BOUNDED),
                );
            }
        }
        header[4..20].copy_from_slice(&tag);
        frame
    }

    /// Opens a sealed message where it lies; the message begins behind the header of the seal then.
    pub(crate) fn open(&self, transform: &Transform, frame: &mut [u8]) -> bool {
        let Some((header, data)) = frame.split_at_mut_checked(TRANSFORM) else { return false };
        let proved = &header[PROVED];
        let (nonce, tag) = (&transform.nonce, transform.signature);
        match &self.into {
            Key::Gcm(key) => {
                let nonce = Nonce::assume_unique_for_key(first(nonce));
                key.open_in_place_separate_tag(nonce, Aad::from(proved), Tag::from(tag), data, 0..).is_ok()
            }
            Key::Ccm128(key) => {
                key.decrypt_inout_detached(&first(nonce).into(), proved, data.into(), &tag.into()).is_ok()
            }
            Key::Ccm256(key) => {
                key.decrypt_inout_detached(&first(nonce).into(), proved, data.into(), &tag.into()).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_and_any_change_is_noticed() {
        for cipher in Cipher::ALL {
            let key = vec![9; cipher.key_len()];
            let sealing = Sealing::new(cipher, (&key, &key));
            let message = vec![5; 80];
            let frame = sealing.seal(77, &message);
            let transform = Transform::read(&frame).unwrap().unwrap();
            assert_eq!(transform.session, 77);
            let mut open = frame.clone();
            assert!(sealing.open(&transform, &mut open), "{cipher}");
            assert_eq!(open[TRANSFORM..], message);
            assert_ne!(frame[TRANSFORM..], message);
            assert_ne!(sealing.seal(77, &message)[20..36], frame[20..36], "a number is used once");
            for at in 4..frame.len() {
                let mut changed = frame.clone();
                changed[at] ^= 1;
                let is_open =
                    Transform::read(&changed).ok().flatten().is_some_and(|read| sealing.open(&read, &mut changed));
                assert!(!is_open, "{cipher} at {at}");
            }
        }
    }
}
