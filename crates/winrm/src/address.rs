//! What a URI `winrm://HOST[:PORT]…?user=…` says of the way to a host, for all who take such a URI: the old host as well as the
//! new one.

use hvm_login::{Credentials, Kdc, Login, Mechanism, Secret};

use crate::endpoint::{Endpoint, Thumbprint, Transport, Trust};
use crate::error::Error;

/// Names of the parameters that say how a host is reached and who asks.
pub const PARAMETERS: [&str; 5] = ["user", "transport", "ca", "pin", "kerberos"];

/// A URI does not say how a host is reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// A parameter is missing or wrong.
    #[error("The parameter '{parameter}' is '{value}': {expected}.")]
    Parameter {
        /// Its name.
        parameter: &'static str,
        /// Its value; empty when it is missing.
        value: String,
        /// What is wanted.
        expected: &'static str,
    },
    /// A host, a port or a thumbprint cannot be used.
    #[error(transparent)]
    Winrm(#[from] Box<Error>),
}

/// The parameters as they were given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// `user`.
    pub user: Option<String>,
    /// `transport`.
    pub transport: Option<String>,
    /// What is in the file that `ca` names.
    pub authorities: Option<Vec<u8>>,
    /// `pin`.
    pub pin: Option<String>,
    /// `kerberos`.
    pub kerberos: Option<String>,
}

fn wrong(parameter: &'static str, value: &str, expected: &'static str) -> AddressError {
    AddressError::Parameter { parameter, value: value.to_owned(), expected }
}

impl Address {
    /// The user.
    ///
    /// # Errors
    /// When none is given.
    pub fn user(&self) -> Result<&str, AddressError> {
        let expected =
            "the user is wanted who works on the host, such as user=HV2%5CAdministrator or user=admin@example.org";
        self.user.as_deref().filter(|user| !user.is_empty()).ok_or_else(|| wrong("user", "", expected))
    }

    /// The service of a host.
    ///
    /// # Errors
    /// When the parameters contradict each other, or one of them cannot be used.
    pub fn endpoint(&self, host: &str, port: Option<u16>) -> Result<Endpoint, AddressError> {
        let transport = match (self.transport.as_deref(), &self.authorities, &self.pin) {
            (Some("http"), None, None) => Transport::SealedHttp,
            (Some("http"), ..) => {
                let expected = "'ca' and 'pin' are about certificates, which only https has";
                return Err(wrong("transport", "http", expected));
            }
            (Some(other), ..) if other != "https" => {
                return Err(wrong("transport", other, "one of https, http is wanted"));
            }
            (_, None, None) => Transport::Https(Trust::System),
            (_, Some(authorities), None) => Transport::Https(Trust::Authorities(authorities.clone())),
            (_, None, Some(pin)) => Transport::Https(Trust::Pin(Thumbprint::parse(pin).map_err(Box::new)?)),
            (_, Some(_), Some(pin)) => return Err(wrong("pin", pin, "one of 'ca' and 'pin' is wanted, not both")),
        };
        Ok(Endpoint::new(host, port, transport).map_err(Box::new)?)
    }

    /// The user with a password, and how it is proved.
    ///
    /// # Errors
    /// When there is no user, or it is not said who vouches for them.
    pub fn login(&self, password: Secret) -> Result<Login, AddressError> {
        let mechanism = match self.kerberos.as_deref() {
            None => Mechanism::Ntlm,
            Some("system") => Mechanism::Kerberos(Kdc::FromSystem),
            Some("") => return Err(wrong("kerberos", "", "'system' or the key distribution centre is wanted")),
            Some(centre) => Mechanism::Kerberos(Kdc::At(centre.to_owned())),
        };
        Ok(Login { credentials: Credentials { user: self.user()?.to_owned(), password }, mechanism })
    }
}

/// Takes `HOST[:PORT]` apart; an address of IPv6 is in brackets. `None` when it is neither.
#[must_use]
pub fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map(str::parse).transpose().ok()?;
    if host.is_empty() || port == Some(0) { None } else { Some((host.to_owned(), port)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let some = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(host_and_port("hv1.example.org"), some("hv1.example.org", None));
        assert_eq!(host_and_port("[2001:db8::1]:99"), some("2001:db8::1", Some(99)));
        for wrong in ["", ":1", "hv1:0", "hv1:70000", "hv1:x", "[::1", "[::1]x"] {
            assert_eq!(host_and_port(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn who_asks_for_kerberos_gets_kerberos() {
        let login = |kerberos: Option<&str>| {
            let kerberos = kerberos.map(str::to_owned);
            Address { user: Some("a".to_owned()), kerberos, ..Address::default() }.login(Secret::new("x".to_owned()))
        };
        assert_eq!(login(None).unwrap().mechanism, Mechanism::Ntlm);
        assert_eq!(login(Some("system")).unwrap().mechanism, Mechanism::Kerberos(Kdc::FromSystem));
        assert!(login(Some("")).is_err());
        assert!(Address::default().user().unwrap_err().to_string().contains("user=HV2"));
    }
}
