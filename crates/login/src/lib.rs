//! Who asks a Windows host, and how that is proved: a name with a password that is never shown, SPNEGO with NTLM or Kerberos,
//! and the keys that come out of it. It knows none of the protocols that are spoken afterwards.
//!
//! Specifications: MS-SPNG and RFC 4178 (SPNEGO), MS-NLMP (NTLM), MS-KILE and RFC 4120 (Kerberos), RFC 5929 (channel binding).

mod credentials;
mod kdc;
mod keyring;
mod negotiation;
mod password;

pub use credentials::{Credentials, Kdc, Login, Mechanism, Secret};
pub use keyring::password_keyring;
pub use negotiation::{Negotiation, Sealed, Service};
pub use password::{PasswordError, PasswordWanted, Side, password_descriptor, password_file};
