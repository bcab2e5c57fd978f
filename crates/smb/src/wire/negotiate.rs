//! The first message and its answer (MS-SMB2 2.2.3, 2.2.4): which version, which ciphers, which signatures.

use super::field::{Fields, Malformed};
use crate::crypto::seal::Cipher;
use crate::crypto::sign::Algorithm;
use crate::limits;

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// SMB 2.0.2: Windows Server 2008.
    Smb202,
    /// SMB 2.1: Windows Server 2008 R2.
    Smb210,
    /// SMB 3.0: Windows Server 2012.
    Smb300,
    /// SMB 3.0.2: Windows Server 2012 R2.
    Smb302,
    /// SMB 3.1.1: Windows Server 2016 and later.
    Smb311,
}

impl Dialect {
    /// All, the oldest first.
    pub(crate) const ALL: [Dialect; 5] = [Self::Smb202, Self::Smb210, Self::Smb300, Self::Smb302, Self::Smb311];

    /// Its number.
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Smb202 => 0x0202,
            Self::Smb210 => 0x0210,
            Self::Smb300 => 0x0300,
            Self::Smb302 => 0x0302,
            Self::Smb311 => 0x0311,
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Smb202 => "SMB 2.0.2",
            Self::Smb210 => "SMB 2.1",
            Self::Smb300 => "SMB 3.0",
            Self::Smb302 => "SMB 3.0.2",
            Self::Smb311 => "SMB 3.1.1",
        })
    }
}

/// `SMB2_NEGOTIATE_SIGNING_ENABLED` and `SMB2_NEGOTIATE_SIGNING_REQUIRED`.
pub(crate) const SECURITY_MODE: u16 = 3;
/// `SMB2_GLOBAL_CAP_LARGE_MTU` and `SMB2_GLOBAL_CAP_ENCRYPTION`: of what the client can do, what is used.
pub(crate) const CAPABILITIES: u32 = LARGE_MTU | ENCRYPTION;
const LARGE_MTU: u32 = 0x04;
const ENCRYPTION: u32 = 0x40;

const PREAUTH: u16 = 1;
const CIPHERS: u16 = 2;
const SIGNATURES: u16 = 8;
const SHA_512: u16 = 1;

/// The request; `random` is the salt of the hash over the first messages.
pub(crate) fn request(guid: &[u8; 16], random: &[u8; 32]) -> Vec<u8> {
    let count = u16::try_from(Dialect::ALL.len()).expect("a handful");
    let mut bytes = Vec::with_capacity(160);
    bytes.extend(36u16.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(SECURITY_MODE.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(CAPABILITIES.to_le_bytes());
    bytes.extend(guid);
    // The fixed part and the versions, up to the next multiple of eight.
    let begin = 36 + 2 * u32::from(count);
    let contexts = (64 + begin).next_multiple_of(8);
    bytes.extend(contexts.to_le_bytes());
    bytes.extend(3u16.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(Dialect::ALL.iter().flat_map(|dialect| dialect.number().to_le_bytes()));
    let hash = [&1u16.to_le_bytes()[..], &32u16.to_le_bytes(), &SHA_512.to_le_bytes(), random].concat();
    context(&mut bytes, PREAUTH, &hash);
    context(&mut bytes, CIPHERS, &list(&Cipher::ALL.map(Cipher::number)));
    context(&mut bytes, SIGNATURES, &list(&Algorithm::ALL.map(Algorithm::number)));
    bytes
}

fn list(numbers: &[u16]) -> Vec<u8> {
    let count = u16::try_from(numbers.len()).expect("a handful");
    std::iter::once(&count).chain(numbers).flat_map(|number| number.to_le_bytes()).collect()
}

fn context(bytes: &mut Vec<u8>, kind: u16, data: &[u8]) {
    // Places count from the header, whose length is a multiple of eight.
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(kind.to_le_bytes());
    bytes.extend(u16::try_from(data.len()).expect("some dozens of bytes").to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(data);
}

/// What the server chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) dialect: Dialect,
    pub(crate) security_mode: u16,
    pub(crate) capabilities: u32,
    pub(crate) guid: [u8; 16],
    /// Bytes of one read at most.
    pub(crate) max_read: u32,
    /// `None` when nothing can be encrypted.
    pub(crate) cipher: Option<Cipher>,
    pub(crate) signing: Algorithm,
}

impl Chosen {
    /// Whether a request may cost more than one credit.
    pub(crate) fn has_large_requests(&self) -> bool {
        self.dialect > Dialect::Smb202 && self.capabilities & LARGE_MTU != 0
    }

    /// Reads an answer, which begins with its header.
    pub(crate) fn read(message: &[u8]) -> Result<Chosen, Malformed> {
        let fields = Fields(message);
        fields.structure(64, 65)?;
        let number = fields.u16(68)?;
        let dialect = Dialect::ALL.into_iter().find(|dialect| dialect.number() == number);
        let dialect = dialect.ok_or_else(|| format!("it chose the version 0x{number:04X}, which was not offered"))?;
        let capabilities = fields.u32(88)?;
        let max_read = fields.u32(96)?;
        if max_read < 4096 {
            return Err(format!("it reads {max_read} bytes at once at most"));
        }
        let old = if dialect < Dialect::Smb300 { Algorithm::HmacSha256 } else { Algorithm::AesCmac };
        let encrypts = capabilities & ENCRYPTION != 0;
        let cipher = matches!(dialect, Dialect::Smb300 | Dialect::Smb302) && encrypts;
        let mut chosen = Chosen {
            dialect,
            security_mode: fields.u16(66)?,
            capabilities,
            guid: fields.id(72)?,
            max_read,
            cipher: cipher.then_some(Cipher::Aes128Ccm),
            signing: old,
        };
        if dialect == Dialect::Smb311 {
            chosen.contexts(fields)?;
        }
        Ok(chosen)
    }

    fn contexts(&mut self, fields: Fields<'_>) -> Result<(), Malformed> {
        let count = usize::from(fields.u16(70)?);
        if count > limits::CONTEXTS {
            return Err(format!("it has {count} contexts"));
        }
        let (mut at, mut is_hashed) = (fields.size(124)?, false);
        for _ in 0..count {
            let (kind, len) = (fields.u16(at)?, usize::from(fields.u16(at + 2)?));
            let data = Fields(fields.bytes(at + 8, len)?);
            match kind {
                PREAUTH => is_hashed = data.u16(0)? == 1 && data.u16(4)? == SHA_512,
                CIPHERS if data.u16(0)? == 1 => self.cipher = Cipher::of(data.u16(2)?)?,
                SIGNATURES if data.u16(0)? == 1 => self.signing = Algorithm::of(data.u16(2)?)?,
                CIPHERS | SIGNATURES => return Err("it chose several ciphers or signatures".to_owned()),
                _ => {}
            }
            at = (at + 8 + len).next_multiple_of(8);
        }
        if is_hashed { Ok(()) } else { Err("it does not name SHA-512 for the hash over the first messages".to_owned()) }
    }

    /// Compares with what the server says of it in a signed message (3.2.5.14.12).
    pub(crate) fn is_confirmed_by(&self, said: &[u8]) -> Result<bool, Malformed> {
        let fields = Fields(said);
        let same = fields.u32(0)? == self.capabilities
            && fields.id(4)? == self.guid
            && fields.u16(20)? == self.security_mode
            && fields.u16(22)? == self.dialect.number();
        Ok(same)
    }
}

/// What a server is asked to confirm: what the first message said.
pub(crate) fn validation(guid: &[u8; 16]) -> Vec<u8> {
    let mut bytes = CAPABILITIES.to_le_bytes().to_vec();
    bytes.extend(guid);
    bytes.extend(SECURITY_MODE.to_le_bytes());
    bytes.extend(list(&Dialect::ALL.map(Dialect::number)));
    bytes
}
