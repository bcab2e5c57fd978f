//! A security identifier: [MS-DTYP] 2.4.2.

use std::fmt;
use std::str::FromStr;

use super::{SecurityError, names};

/// Most sub-authorities of a SID.
const MAX_SUB_AUTHORITIES: usize = 15;

/// A security identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    /// Below 2^48.
    authority: u64,
    /// At most 15.
    sub_authorities: Vec<u32>,
}

impl Sid {
    /// A SID of an authority (its low 48 bits) and at most 15 sub-authorities (the rest is dropped).
    pub fn new(authority: u64, sub_authorities: &[u32]) -> Sid {
        let count = sub_authorities.len().min(MAX_SUB_AUTHORITIES);
        Sid { authority: authority & 0xFFFF_FFFF_FFFF, sub_authorities: sub_authorities[..count].to_vec() }
    }

    /// A group of the domain BUILTIN: `S-1-5-32-rid`.
    pub fn builtin(rid: u32) -> Sid {
        Sid::new(5, &[32, rid])
    }

    /// Reads the SID that starts at `offset` of `bytes`; what follows it is left alone.
    /// Offset 0 revision, 1 number of sub-authorities, 2 authority (big endian), 8 sub-authorities (little endian).
    pub fn read(bytes: &[u8], offset: usize) -> Result<Sid, SecurityError> {
        let past_end = |expected| SecurityError::PastEnd { what: "A SID", offset, expected, found: bytes.len() };
        let rest = bytes.get(offset..).ok_or_else(|| past_end(8))?;
        let (head, rest) = rest.split_first_chunk::<8>().ok_or_else(|| past_end(8))?;
        let [revision, count, authority @ ..] = *head;
        if revision != 1 {
            return Err(SecurityError::Revision { what: "The SID", offset, expected: "1", found: revision });
        }
        let len = usize::from(count);
        if len > MAX_SUB_AUTHORITIES {
            return Err(SecurityError::SubAuthorities { offset, found: count });
        }
        let words = rest.get(..len * 4).ok_or_else(|| past_end(8 + len * 4))?;
        let sub_authorities = words.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let authority = authority.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Ok(Sid { authority, sub_authorities })
    }

    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = u8::try_from(self.sub_authorities.len()).expect("a SID has at most 15 sub-authorities");
        let mut bytes = vec![1, count];
        bytes.extend(&self.authority.to_be_bytes()[2..]);
        bytes.extend(self.sub_authorities.iter().flat_map(|word| word.to_le_bytes()));
        bytes
    }

    /// Length of the binary form.
    pub fn len(&self) -> usize {
        8 + self.sub_authorities.len() * 4
    }

    /// Never: a SID has at least its head.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The identifier authority.
    pub fn authority(&self) -> u64 {
        self.authority
    }

    /// The sub-authorities.
    pub fn sub_authorities(&self) -> &[u32] {
        &self.sub_authorities
    }

    /// The last sub-authority: which account of its domain it is.
    pub fn rid(&self) -> Option<u32> {
        self.sub_authorities.last().copied()
    }

    /// The English name when the SID means the same on every Windows computer.
    pub fn well_known_name(&self) -> Option<&'static str> {
        names::find(self).map(|known| known.name)
    }

    /// The two letters of SDDL when it has some for this SID.
    pub fn sddl_alias(&self) -> Option<&'static str> {
        names::find(self).map(|known| known.alias).filter(|alias| !alias.is_empty())
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // [MS-DTYP] 2.4.2.1: authorities from 2^32 on are hexadecimal.
        match u32::try_from(self.authority) {
            Ok(authority) => write!(f, "S-1-{authority}")?,
            Err(_) => write!(f, "S-1-0x{:012X}", self.authority)?,
        }
        self.sub_authorities.iter().try_for_each(|word| write!(f, "-{word}"))
    }
}

impl FromStr for Sid {
    type Err = SecurityError;

    fn from_str(text: &str) -> Result<Sid, SecurityError> {
        let wrong = |reason| SecurityError::SidText { text: text.chars().take(200).collect(), reason };
        let rest = text.strip_prefix("S-1-").or_else(|| text.strip_prefix("s-1-"));
        let mut parts = rest.ok_or_else(|| wrong("it does not start with 'S-1-'"))?.split('-');
        let authority = parts.next().unwrap_or_default();
        let authority = match authority.strip_prefix("0x").or_else(|| authority.strip_prefix("0X")) {
            Some(hex) => digits(hex, 16),
            None => digits(authority, 10),
        };
        let authority =
            authority.filter(|a| *a < 1 << 48).ok_or_else(|| wrong("its authority is no number below 2^48"))?;
        let mut sub_authorities = Vec::new();
        for part in parts {
            let word = digits(part, 10).and_then(|number| u32::try_from(number).ok());
            sub_authorities.push(word.ok_or_else(|| wrong("a sub-authority is no number below 2^32"))?);
            if sub_authorities.len() > MAX_SUB_AUTHORITIES {
                return Err(wrong("it has more than 15 sub-authorities"));
            }
        }
        Ok(Sid { authority, sub_authorities })
    }
}

/// Digits only: `from_str_radix` would take a sign too.
fn digits(text: &str, radix: u32) -> Option<u64> {
    text.chars().all(|c| c.is_digit(radix)).then(|| u64::from_str_radix(text, radix).ok()).flatten()
}
