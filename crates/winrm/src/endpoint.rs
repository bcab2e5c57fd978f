//! Where the service is, and what makes it believed.

use std::fmt;

use crate::error::{Error, Result};

/// The service of one host: `http` with sealed messages at port 5985, or `https` at port 5986 (MS-WSMV 2.1), path `/wsman`.
#[derive(Debug, Clone)]
pub struct Endpoint {
    host: String,
    port: u16,
    transport: Transport,
}

/// How messages are protected on their way.
#[derive(Debug, Clone)]
pub enum Transport {
    /// HTTP; each message is sealed with the key of the authentication (MS-WSMV 2.2.9.1). There is no HTTP without it.
    SealedHttp,
    /// HTTPS; the certificate is always verified.
    Https(Trust),
}

/// What makes a certificate believed. There is no value that believes everything.
#[derive(Debug, Clone)]
pub enum Trust {
    /// A chain to an authority that this system trusts, for this host's name.
    System,
    /// A chain to one of these authorities (PEM), for this host's name.
    Authorities(Vec<u8>),
    /// Exactly the certificate with this thumbprint, whatever its name and its issuer are. The handshake still proves that
    /// the server has its key.
    Pin(Thumbprint),
}

/// The thumbprint of a certificate: a hash over its whole DER form, as Windows shows it (SHA-1) or as newer tools do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thumbprint {
    /// 40 hexadecimal digits; what `certlm.msc` and `Get-ChildItem Cert:` show.
    Sha1([u8; 20]),
    /// 64 hexadecimal digits.
    Sha256([u8; 32]),
}

impl Thumbprint {
    /// Reads 40 or 64 hexadecimal digits, with spaces or colons between them, or with the invisible mark in front that the
    /// certificate dialogue of Windows copies along (U+200E).
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | ':' | '\u{200E}')).collect();
        let bytes = hex(&digits).unwrap_or_default();
        if let Ok(sha1) = <[u8; 20]>::try_from(bytes.as_slice()) {
            return Ok(Self::Sha1(sha1));
        }
        <[u8; 32]>::try_from(bytes.as_slice()).map(Self::Sha256).map_err(|_| Error::Input {
            what: "thumbprint of a certificate",
            found: text.to_owned(),
            expected: "40 hexadecimal digits (SHA-1, as Windows shows it) or 64 (SHA-256)",
        })
    }

    /// Whether a certificate (DER) has this thumbprint.
    #[must_use]
    pub fn is_of(&self, certificate: &[u8]) -> bool {
        match self {
            Self::Sha1(expected) => {
                ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref() == expected
            }
            Self::Sha256(expected) => ring::digest::digest(&ring::digest::SHA256, certificate).as_ref() == expected,
        }
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: &[u8] = match self {
            Self::Sha1(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
        };
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let bytes = digits.as_bytes();
    if !bytes.len().is_multiple_of(2) || !bytes.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    bytes.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

impl Endpoint {
    /// A host with its transport; without a port the usual one of the transport.
    ///
    /// # Errors
    /// When the host is neither a name nor an address.
    pub fn new(host: &str, port: Option<u16>, transport: Transport) -> Result<Self> {
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        let is_address = !host.contains([':', '%']) || host.split('%').next().is_some_and(is_ip6);
        if host.is_empty() || host.len() > 255 || !host.chars().all(good) || !is_address {
            return Err(Error::Input {
                what: "host",
                found: host.to_owned(),
                expected: "a name such as hv1.example.org or an address such as 192.0.2.10 or 2001:db8::10",
            });
        }
        let usual = if matches!(transport, Transport::SealedHttp) { 5985 } else { 5986 };
        Ok(Self { host: host.to_owned(), port: port.unwrap_or(usual), transport })
    }

    /// The name or the address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How messages are protected.
    #[must_use]
    pub const fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Host and port as HTTP's `Host` has them.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn is_ip6(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

impl fmt::Display for Endpoint {
    /// The address of the service; also the `To` of each request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if matches!(self.transport, Transport::SealedHttp) { "http" } else { "https" };
        write!(f, "{scheme}://{}/wsman", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ports_and_brackets() {
        let shown = |host, port, transport| Endpoint::new(host, port, transport).unwrap().to_string();
        assert_eq!(shown("hv1", None, Transport::SealedHttp), "http://hv1:5985/wsman");
        assert_eq!(shown("hv1", None, Transport::Https(Trust::System)), "https://hv1:5986/wsman");
        assert_eq!(shown("[2001:db8::1]", Some(99), Transport::SealedHttp), "http://[2001:db8::1]:99/wsman");
    }

    #[test]
    fn a_host_cannot_carry_headers_or_paths() {
        for host in ["", "a b", "a\r\nX: y", "a/b", "a:5985", "ü", "a@b", &"a".repeat(256)] {
            assert!(Endpoint::new(host, None, Transport::SealedHttp).is_err(), "{host:?}");
        }
    }

    #[test]
    fn thumbprints_are_taken_as_windows_shows_them() {
        // The hashes of the empty input, from FIPS 180-4's test values.
        let sha1 = Thumbprint::parse("\u{200E}da 39 a3 ee 5e 6b 4b 0d 32 55 bf ef 95 60 18 90 af d8 07 09").unwrap();
        assert!(sha1.is_of(b"") && !sha1.is_of(b"x"));
        let text = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
        let sha256 = Thumbprint::parse(text).unwrap();
        assert!(sha256.is_of(b"") && sha256.to_string() == text.replace(':', ""));
        for wrong in ["", "da39", "zz", "da39a3ee5e6b4b0d3255bfef95601890afd8070"] {
            assert!(Thumbprint::parse(wrong).is_err(), "{wrong}");
        }
    }
}
