//! Identifiers of 128 bits: in text as WS-Management has them, in bytes as .NET has them.

use std::fmt;

/// A globally unique identifier (RFC 4122), kept in the order of its text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid([u8; 16]);

impl Guid {
    /// The identifier of nothing: all zeros. In a PowerShell remoting message it says that no pipeline is meant (MS-PSRP 2.2.1).
    pub const NONE: Self = Self([0; 16]);

    /// A new random identifier (RFC 4122, version 4).
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the system gives random numbers");
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        Self(bytes)
    }

    /// From the order in which .NET writes it: the first three fields little-endian (MS-DTYP 2.3.4.2).
    #[must_use]
    pub const fn from_net(b: [u8; 16]) -> Self {
        Self([b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]])
    }

    /// In the order in which .NET writes it.
    #[must_use]
    pub const fn to_net(self) -> [u8; 16] {
        // Swapping twice is the identity, so the same function turns both ways.
        Self::from_net(self.0).0
    }

    /// From its text, with or without braces, in either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
        let bytes = text.as_bytes();
        if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|at| bytes[*at] != b'-') {
            return None;
        }
        let digits: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'-').collect();
        let mut out = [0; 16];
        for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
            let text = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(text, 16).ok().filter(|_| !text.contains('+'))?;
        }
        (digits.len() == 32).then_some(Self(out))
    }
}

impl fmt::Display for Guid {
    /// In capitals, as Windows writes identifiers of shells and commands.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&index) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_net_bytes_are_those_of_the_documentation() {
        let guid = Guid::parse("{00112233-4455-6677-8899-aabbccddeeff}").unwrap();
        assert_eq!(guid.to_string(), "00112233-4455-6677-8899-AABBCCDDEEFF");
        assert_eq!(guid.to_net()[..8], [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66]);
        assert_eq!(Guid::from_net(guid.to_net()), guid);
        assert_ne!(Guid::random(), Guid::random());
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for text in ["", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddee+f", "é", "{}"] {
            assert_eq!(Guid::parse(text), None, "{text}");
        }
        assert_eq!(Guid::parse("00112233-4455-6677-8899-aabbccddeeé"), None);
    }
}
