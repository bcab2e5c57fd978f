//! Signatures of messages (MS-SMB2 3.1.4.1): HMAC-SHA256 in the old versions, AES-CMAC from 3.0 on, AES-GMAC where 3.1.1 has it.

use aes::Aes128;
use cmac::{Cmac, KeyInit, Mac};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::wire::field::{Fields, Malformed};
use crate::wire::header::{HEADER, SIGNATURE};

/// How messages are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    HmacSha256,
    AesCmac,
    AesGmac,
}

impl Algorithm {
    /// All, the fastest first.
    pub(crate) const ALL: [Algorithm; 3] = [Self::AesGmac, Self::AesCmac, Self::HmacSha256];

    /// Its number (2.2.3.1.7).
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::HmacSha256 => 0,
            Self::AesCmac => 1,
            Self::AesGmac => 2,
        }
    }

    pub(crate) fn of(number: u16) -> Result<Algorithm, Malformed> {
        let found = Self::ALL.into_iter().find(|known| known.number() == number);
        found.ok_or_else(|| format!("it chose the signature {number}, which was not offered"))
    }
}

/// Signs and verifies with the key of a session.
pub(crate) enum Signer {
    Hmac(hmac::Key),
    Cmac(Box<Cmac<Aes128>>),
    Gmac(Box<LessSafeKey>),
}

impl Signer {
    pub(crate) fn new(algorithm: Algorithm, key: &[u8]) -> Signer {
        const SIXTEEN: &str = "a key for signatures has 16 bytes";
        match algorithm {
            Algorithm::HmacSha256 => Signer::Hmac(hmac::Key::new(hmac::HMAC_SHA256, key)),
            Algorithm::AesCmac => Signer::Cmac(Box::new(Cmac::new_from_slice(key).expect(SIXTEEN))),
            Algorithm::AesGmac => {
                let key = UnboundKey::new(&AES_128_GCM, key).expect(SIXTEEN);
                Signer::Gmac(Box::new(LessSafeKey::new(key)))
            }
        }
    }

    /// Writes the signature into a message.
    pub(crate) fn sign(&self, message: &mut [u8]) {
        let signature = self.signature(message);
        if let Some(place) = message.get_mut(SIGNATURE) {
            place.copy_from_slice(&signature);
        }
    }

    /// Whether a message has the signature that it should have. Both are compared in a time that tells nothing.
    pub(crate) fn is_right(&self, message: &mut [u8]) -> bool {
        let Some(place) = message.get_mut(SIGNATURE) else { return false };
        let mut found = [0; 16];
        found.copy_from_slice(place);
        self.signature(message).ct_eq(&found).into()
    }

    /// The signature of a message, whose own is set to zeros.
    fn signature(&self, message: &mut [u8]) -> [u8; 16] {
        if let Some(place) = message.get_mut(SIGNATURE) {
            place.fill(0);
        }
        let mut signature = [0; 16];
        match self {
            Signer::Hmac(key) => {
                let tag = hmac::sign(key, message);
                signature.copy_from_slice(tag.as_ref().get(..16).unwrap_or_default());
            }
            Signer::Cmac(mac) => {
                let mut mac = (**mac).clone();
                mac.update(message);
                signature.copy_from_slice(&mac.finalize().into_bytes());
            }
            Signer::Gmac(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce(message));
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*message), &mut []);
                signature.copy_from_slice(tag.expect("nothing is sealed").as_ref());
            }
        }
        signature
    }
}

/// The number of the message, and a bit for what comes from the server.
fn nonce(message: &[u8]) -> [u8; 12] {
    let fields = Fields(message.get(..HEADER).unwrap_or_default());
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&fields.u64(24).unwrap_or_default().to_le_bytes());
    nonce[8] = u8::try_from(fields.u32(16).unwrap_or_default() & 1).unwrap_or_default();
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bit_that_was_changed_is_noticed() {
        for algorithm in Algorithm::ALL {
            let signer = Signer::new(algorithm, &[3; 16]);
            let mut message = vec![5; 100];
            signer.sign(&mut message);
            assert!(signer.is_right(&mut message.clone()), "{algorithm:?}");
            for at in 0..message.len() {
                let mut changed = message.clone();
                changed[at] ^= 1;
                assert!(!signer.is_right(&mut changed), "{algorithm:?} at {at}");
            }
            assert!(!Signer::new(algorithm, &[4; 16]).is_right(&mut message.clone()));
            assert!(!signer.is_right(&mut message[..50].to_vec()));
        }
    }

    #[test]
    fn a_message_cannot_be_sent_back_as_its_answer() {
        let signer = Signer::new(Algorithm::AesGmac, &[3; 16]);
        let mut message = vec![0; 64];
        signer.sign(&mut message);
        let first = message.clone();
        message[16] = 1;
        signer.sign(&mut message);
        assert_ne!(first[48..], message[48..]);
    }
}
