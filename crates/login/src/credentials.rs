//! Who asks: a name, a password that is never shown, and how it is proved.

use std::fmt;

use zeroize::Zeroizing;

/// A text that is not printed and is overwritten when it is dropped. Inside of the library that computes the tokens it is
/// copied; that library overwrites its own copies.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A name with its password.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `DOMAIN\user`, `user@domain` or `user`, as Windows takes it. For Kerberos `user@domain` is asked for as an enterprise
    /// name (RFC 6806), which Active Directory knows and MIT's centre does not; there `REALM\user` is the way.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// Where the key distribution centre of a Kerberos realm is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kdc {
    /// At this host and port, over TCP: `dc1.example.org` or `dc1.example.org:88`.
    At(String),
    /// Where the system's `krb5.conf` (or `KRB5_CONFIG`) says; on Windows, where its registry says.
    FromSystem,
}

/// How the name is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mechanism {
    /// NTLM version 2 inside of SPNEGO (MS-NLMP, MS-SPNG).
    Ntlm,
    /// Kerberos version 5 inside of SPNEGO (RFC 4120, MS-KILE); the ticket is asked for the service of the host, such as `cifs/<host>`. There is no way back
    /// to NTLM: who asks for Kerberos gets Kerberos or an error. The centre must ask for pre-authentication, as Active
    /// Directory does by default.
    Kerberos(Kdc),
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ntlm => "NTLM",
            Self::Kerberos(_) => "Kerberos",
        })
    }
}

/// Who asks, and how that is proved.
#[derive(Debug, Clone)]
pub struct Login {
    /// The name and the password.
    pub credentials: Credentials,
    /// The proof.
    pub mechanism: Mechanism,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let credentials =
            Credentials { user: "HVSRC\\Administrator".to_owned(), password: Secret::new("Passw0rd!".to_owned()) };
        let login = Login { credentials, mechanism: Mechanism::Ntlm };
        let shown = format!("{login:?} {login:#?}");
        assert!(shown.contains("Administrator") && shown.contains("(hidden)") && !shown.contains("Passw0rd"));
    }
}
