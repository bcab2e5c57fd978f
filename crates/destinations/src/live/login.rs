//! How a live destination is reached: transport, trust and login, from the parameters of its URI.

use hvm_winrm::{Address, AddressError, Endpoint, Login, PARAMETERS, Secret};

use crate::error::DestinationError;
use crate::files;
use crate::live::place::Place;
use crate::uri::{Uri, bad};

/// Names of the parameters.
pub(crate) const NAMES: [&str; 5] = PARAMETERS;

fn address(uri: &Uri) -> Result<Address, DestinationError> {
    let authorities =
        uri.text("ca")?.map(|file| files::read_text(file.as_ref()).map(String::into_bytes)).transpose()?;
    Ok(Address {
        user: uri.text("user")?,
        transport: uri.text("transport")?,
        authorities,
        pin: uri.text("pin")?,
        kerberos: uri.text("kerberos")?,
    })
}

/// The user that the URI names.
pub(crate) fn user(uri: &Uri) -> Result<String, DestinationError> {
    Ok(address(uri)?.user().map_err(wrong)?.to_owned())
}

/// The service of the host.
pub(crate) fn endpoint(uri: &Uri, place: &Place) -> Result<Endpoint, DestinationError> {
    address(uri)?.endpoint(&place.host, place.port).map_err(wrong)
}

/// The user with a password, and how it is proved.
pub(crate) fn login(uri: &Uri, password: Secret) -> Result<Login, DestinationError> {
    address(uri)?.login(password).map_err(wrong)
}

fn wrong(error: AddressError) -> DestinationError {
    match error {
        AddressError::Parameter { parameter, value, expected } => bad(parameter, &value, expected),
        AddressError::Winrm(error) => DestinationError::Winrm(error),
        other => bad("address", "", &other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use hvm_winrm::{Kdc, Mechanism};

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
