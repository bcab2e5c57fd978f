//! Where the server is, and what can be chosen for the way to it.

use std::fmt;
use std::time::Duration;

use crate::error::{Error, Result};

/// TCP port of SMB without NetBIOS.
const PORT: u16 = 445;

/// A server: its name or address, and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// A host; without a port the usual one.
    ///
    /// # Errors
    /// When the host is neither a name nor an address.
    pub fn new(host: &str, port: Option<u16>) -> Result<Self> {
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        let is_ip6 = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
        let is_address = !host.contains([':', '%']) || host.split('%').next().is_some_and(is_ip6);
        if host.is_empty() || host.len() > 255 || !host.chars().all(good) || !is_address {
            return Err(Error::Input {
                what: "host",
                found: host.to_owned(),
                expected: "a name such as hv1.example.org or an address such as 192.0.2.10 or 2001:db8::10",
            });
        }
        Ok(Self { host: host.to_owned(), port: port.unwrap_or(PORT) })
    }

    /// The name or the address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host in a path `\\HOST\SHARE`, where an address of IPv6 has a form without colons.
    pub(crate) fn in_paths(&self) -> String {
        match self.host.contains(':') {
            true => format!("{}.ipv6-literal.net", self.host.replace(':', "-").replace('%', "s")),
            false => self.host.clone(),
        }
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whether messages are encrypted; those that are not are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Where the server or the share demands it, and where both sides have AES-GCM (SMB 3.1.1), which is faster than signing.
    #[default]
    WhereFast,
    /// Only where the server or the share demands it.
    WhereDemanded,
    /// Always; a server that cannot is an error.
    Always,
}

/// Times of a connection and its encryption. The default suits a host in the same house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long one TCP connection may take to be made.
    pub connect: Duration,
    /// How long an answer may take before the server counts as silent.
    pub answer: Duration,
    /// How long a server may be away, once it was reached, before that is an error.
    pub patience: Duration,
    /// Whether messages are encrypted.
    pub encryption: Encryption,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            patience: Duration::from_secs(120),
            encryption: Encryption::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_ports_and_nothing_else() {
        assert_eq!(Endpoint::new("hv1", None).unwrap().to_string(), "hv1:445");
        assert_eq!(Endpoint::new("[2001:db8::1]", Some(99)).unwrap().to_string(), "[2001:db8::1]:99");
        assert_eq!(Endpoint::new("fe80::1%3", None).unwrap().in_paths(), "fe80--1s3.ipv6-literal.net");
        for host in ["", "a b", r"a\b", "a/b", "a:445", "ü", "a@b"] {
            assert!(Endpoint::new(host, None).is_err(), "{host:?}");
        }
    }
}
