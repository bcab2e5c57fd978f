//! How a live destination is reached: transport, trust and login, from the parameters of its URI.

use hvm_winrm::{Credentials, Endpoint, Kdc, Login, Mechanism, Secret, Thumbprint, Transport, Trust};

use crate::error::DestinationError;
use crate::files;
use crate::live::place::Place;
use crate::uri::{Uri, bad};

/// Names of the parameters.
pub(crate) const NAMES: [&str; 5] = ["user", "transport", "ca", "pin", "kerberos"];

/// The user that the URI names.
pub(crate) fn user(uri: &Uri) -> Result<String, DestinationError> {
    let expected =
        "the user is wanted who works on the host, such as user=HV2%5CAdministrator or user=admin@example.org";
    uri.text("user")?.filter(|user| !user.is_empty()).ok_or_else(|| bad("user", "", expected))
}

/// The service of the host.
pub(crate) fn endpoint(uri: &Uri, place: &Place) -> Result<Endpoint, DestinationError> {
    let word = uri.word("transport", &["https", "http"])?;
    let transport = match (word.as_deref(), uri.text("ca")?, uri.text("pin")?) {
        (Some("http"), None, None) => Transport::SealedHttp,
        (Some("http"), ..) => {
            return Err(bad("transport", "http", "'ca' and 'pin' are about certificates, which only https has"));
        }
        (_, None, None) => Transport::Https(Trust::System),
        (_, Some(file), None) => Transport::Https(Trust::Authorities(files::read_text(file.as_ref())?.into_bytes())),
        (_, None, Some(pin)) => Transport::Https(Trust::Pin(Thumbprint::parse(&pin).map_err(winrm)?)),
        (_, Some(_), Some(pin)) => return Err(bad("pin", &pin, "one of 'ca' and 'pin' is wanted, not both")),
    };
    Endpoint::new(&place.host, place.port, transport).map_err(winrm)
}

/// The user with a password, and how it is proved.
pub(crate) fn login(uri: &Uri, password: Secret) -> Result<Login, DestinationError> {
    let mechanism = match uri.text("kerberos")?.as_deref() {
        None => Mechanism::Ntlm,
        Some("system") => Mechanism::Kerberos(Kdc::FromSystem),
        Some("") => return Err(bad("kerberos", "", "'system' or the key distribution centre is wanted")),
        Some(centre) => Mechanism::Kerberos(Kdc::At(centre.to_owned())),
    };
    Ok(Login { credentials: Credentials { user: user(uri)?, password }, mechanism })
}

fn winrm(error: hvm_winrm::Error) -> DestinationError {
    DestinationError::Winrm(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(query: &str) -> Result<String, String> {
        let uri = Uri::parse(&format!("winrm://hv2/D:/x?{query}")).unwrap().unwrap();
        let place = Place::of(&uri).unwrap();
        endpoint(&uri, &place).map(|endpoint| endpoint.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn https_unless_it_is_said() {
        assert_eq!(shown("").unwrap(), "https://hv2:5986/wsman");
        assert_eq!(shown("transport=http").unwrap(), "http://hv2:5985/wsman");
        assert!(shown("pin=DA39A3EE5E6B4B0D3255BFEF95601890AFD80709").is_ok());
        assert!(shown("pin=xy").unwrap_err().contains("thumbprint"));
        assert!(shown("transport=http&pin=xy").unwrap_err().contains("certificates"));
        assert!(shown("transport=plain").unwrap_err().contains("https, http"));
        assert!(shown("ca=/nowhere/ca.pem").unwrap_err().contains("/nowhere/ca.pem"));
    }

    #[test]
    fn kerberos_never_falls_back() {
        let login = |query: &str| {
            let uri = Uri::parse(&format!("winrm://hv2/D:/x?{query}")).unwrap().unwrap();
            login(&uri, Secret::new("secret".to_owned())).map_err(|error| error.to_string())
        };
        assert_eq!(login("user=HV2%5CAdmin").unwrap().credentials.user, r"HV2\Admin");
        assert_eq!(login("user=a&kerberos=system").unwrap().mechanism, Mechanism::Kerberos(Kdc::FromSystem));
        let at = Mechanism::Kerberos(Kdc::At("dc1:88".to_owned()));
        assert_eq!(login("user=a&kerberos=dc1%3A88").unwrap().mechanism, at);
        assert!(login("").unwrap_err().contains("user=HV2"));
        assert!(login("user=a&kerberos=").is_err());
    }
}
