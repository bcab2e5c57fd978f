//! SPNEGO with NTLM or Kerberos (RFC 4178, MS-SPNG, MS-NLMP, MS-KILE), and the sealing of messages with the key that comes
//! out of it (MS-NLMP 3.4.3, RFC 4121 4.2.4). The protocols are those of the crate `sspi`; this module is its only user.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sspi::ntlm::NtlmConfig;
use sspi::{
    AuthIdentity, BufferType, ClientRequestFlags, Credentials as SspiCredentials, CredentialsBuffers,
    DataRepresentation, EncryptionFlags, KdcResolution, KerberosConfig, Negotiate, NegotiateConfig, SecurityBuffer,
    SecurityBufferRef, SecurityStatus, Sspi, SspiImpl, Username,
};
use zeroize::Zeroizing;

use crate::credentials::{Kdc, Login, Mechanism};
use crate::kdc::Centre;

/// A sealed message: what proves it, and what is hidden.
#[derive(Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What proves it.
    pub signature: Vec<u8>,
    /// What is hidden.
    pub data: Vec<u8>,
    /// Length of the message in clear, bytes.
    pub length: usize,
}

/// What is asked for at a host: the class of the name of a service (RFC 2743 4.1, MS-KILE 3.1.5.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `HTTP/host`: Windows Remote Management.
    Http,
    /// `cifs/host`: shares.
    Cifs,
}

impl Service {
    const fn class(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Cifs => "cifs",
        }
    }
}

/// One authentication, and afterwards its keys. It belongs to one connection.
pub struct Negotiation {
    context: Negotiate,
    handle: Option<CredentialsBuffers>,
    target: String,
    binding: Option<Vec<u8>>,
    is_done: bool,
}

impl Negotiation {
    /// Begins one with a service of a host; `binding` is the channel binding of the TLS connection (RFC 5929), if there is one.
    ///
    /// # Errors
    /// When the name is that of no user, or the key distribution centre is none; the reason is a part of a sentence.
    pub fn new(login: &Login, (service, host): (Service, &str), binding: Option<&[u8]>) -> Result<Self, String> {
        let mut context = Negotiate::new_client(config(&login.mechanism)?).map_err(|error| error.to_string())?;
        let username = Username::parse(&login.credentials.user)
            .map_err(|error| format!("'{}' is not a name of a user ({error})", login.credentials.user))?;
        let password = login.credentials.password.reveal().to_owned().into();
        let identity: SspiCredentials = AuthIdentity { username, password }.into();
        let handle = context
            .acquire_credentials_handle()
            .with_credential_use(sspi::CredentialUse::Outbound)
            .with_auth_data(&identity)
            .execute(&mut context)
            .map_err(|error| error.to_string())?
            .credentials_handle;
        let target = format!("{}/{host}", service.class());
        Ok(Self { context, handle, target, binding: binding.map(bindings), is_done: false })
    }

    /// Takes the server's token, or an empty one to begin; gives the one to send, which may be empty at the end.
    ///
    /// # Errors
    /// When the token cannot be used or the name is not accepted; the reason is a part of a sentence.
    pub fn step(&mut self, token: &[u8]) -> Result<Vec<u8>, String> {
        let mut input = vec![SecurityBuffer::new(token.to_vec(), BufferType::Token)];
        if let Some(binding) = &self.binding {
            input.push(SecurityBuffer::new(binding.clone(), BufferType::ChannelBindings));
        }
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let status = guarded(|| self.run(&mut input, &mut output))?;
        self.is_done = status == SecurityStatus::Ok;
        Ok(output.swap_remove(0).buffer)
    }

    fn run(&mut self, input: &mut [SecurityBuffer], output: &mut [SecurityBuffer]) -> sspi::Result<SecurityStatus> {
        let wanted = ClientRequestFlags::MUTUAL_AUTH
            | ClientRequestFlags::INTEGRITY
            | ClientRequestFlags::CONFIDENTIALITY
            | ClientRequestFlags::REPLAY_DETECT
            | ClientRequestFlags::SEQUENCE_DETECT;
        let mut builder = self
            .context
            .initialize_security_context()
            .with_credentials_handle(&mut self.handle)
            .with_context_requirements(wanted)
            .with_target_data_representation(DataRepresentation::Native)
            .with_target_name(&self.target)
            .with_input(input)
            .with_output(output);
        let result = self.context.initialize_security_context_impl(&mut builder)?.resolve_with_client(&Centre)?;
        Ok(result.status)
    }

    /// Whether nothing is missing any more.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.is_done
    }

    /// The key that both sides know afterwards, for protocols that protect their messages themselves: 16 bytes of NTLM, 16 or 32
    /// of Kerberos.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn session_key(&mut self) -> Result<Zeroizing<Vec<u8>>, String> {
        let keys = guarded(|| self.context.query_context_session_key())?;
        Ok(Zeroizing::new(keys.session_key.as_ref().clone()))
    }

    /// Seals a message.
    ///
    /// # Errors
    /// When the authentication is not done.
    pub fn seal(&mut self, message: &[u8]) -> Result<Sealed, String> {
        guarded(|| {
            let size = self.context.query_context_sizes()?.security_trailer;
            let mut signature = vec![0; usize::try_from(size).unwrap_or(0)];
            let mut data = message.to_vec();
            let mut buffers = [SecurityBufferRef::token_buf(&mut signature), SecurityBufferRef::data_buf(&mut data)];
            self.context.encrypt_message(EncryptionFlags::empty(), &mut buffers)?;
            Ok(Sealed { signature, data, length: message.len() })
        })
    }

    /// Opens a sealed message; one that was changed, repeated or left out is an error.
    ///
    /// # Errors
    /// That.
    pub fn open(&mut self, sealed: Sealed) -> Result<Vec<u8>, String> {
        let Sealed { mut signature, mut data, length } = sealed;
        let message = guarded(|| {
            let mut buffers = [SecurityBufferRef::token_buf(&mut signature), SecurityBufferRef::data_buf(&mut data)];
            self.context.decrypt_message(&mut buffers)?;
            Ok(buffers[1].data().to_vec())
        })?;
        if message.len() == length { Ok(message) } else { Err(format!("it has {} bytes, not {length}", message.len())) }
    }
}

/// Tokens come from outside, and the library that reads them holds invariants with assertions; a panic of it is an error
/// here, so that no server can end the program.
fn guarded<T>(call: impl FnOnce() -> sspi::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(readable(&error)),
        Err(_) => Err("the token made the reader of tokens fail".to_owned()),
    }
}

/// The library's text without its own numbers where there is one, and without the bytes of a Kerberos error.
fn readable(error: &sspi::Error) -> String {
    let text = if error.description.is_empty() { format!("{:?}", error.error_type) } else { error.description.clone() };
    let text = text.split(". Additional error").next().unwrap_or_default().trim_end_matches('.');
    if text.starts_with("pre-authentication information was invalid") {
        return format!("the key distribution centre does not accept this password for Kerberos ({text})");
    }
    text.to_owned()
}

fn config(mechanism: &Mechanism) -> Result<NegotiateConfig, String> {
    let here = "HVMIGRATE".to_owned();
    Ok(match mechanism {
        Mechanism::Ntlm => {
            let protocol = Box::new(NtlmConfig::new(here.clone()));
            NegotiateConfig::new(protocol, Some("ntlm".to_owned()), here)
        }
        Mechanism::Kerberos(kdc) => {
            let kdc_resolution = match kdc {
                Kdc::FromSystem => KdcResolution::KdcUrl(None),
                Kdc::At(place) => {
                    let url = sspi::kerberos::config::parse_kdc_url(place);
                    KdcResolution::KdcUrl(Some(url.ok_or_else(|| format!("'{place}' is not a host with a port"))?))
                }
            };
            let protocol = Box::new(KerberosConfig { kdc_resolution, client_computer_name: here.clone() });
            NegotiateConfig::new(protocol, Some("kerberos".to_owned()), here)
        }
    })
}

/// `SEC_CHANNEL_BINDINGS` of the Windows interface: eight numbers, then the application data.
fn bindings(data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 24];
    bytes.extend(u32::try_from(data.len()).expect("a hash with its prefix is short").to_le_bytes());
    bytes.extend(32u32.to_le_bytes());
    bytes.extend(data);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{Credentials, Secret};
    use proptest::prelude::*;

    fn login() -> Login {
        let credentials = Credentials { user: "HVSRC\\admin".to_owned(), password: Secret::new("secret".to_owned()) };
        Login { credentials, mechanism: Mechanism::Ntlm }
    }

    #[test]
    fn bindings_have_the_form_of_windows() {
        let bytes = bindings(b"tls-server-end-point:xy");
        assert_eq!((bytes.len(), bytes[24], bytes[28]), (55, 23, 32));
    }

    #[test]
    fn a_first_token_is_spnego() {
        let token = Negotiation::new(&login(), (Service::Http, "hv1"), None).unwrap().step(&[]).unwrap();
        // [APPLICATION 0] with the object identifier 1.3.6.1.5.5.2 (RFC 4178 4.2.1).
        assert_eq!(token[0], 0x60);
        assert!(token.windows(8).any(|part| part == [6, 6, 0x2B, 6, 1, 5, 5, 2]));
        assert!(token.windows(8).any(|part| part == b"NTLMSSP\0"));
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let mut login = login();
        login.credentials.user = "a@b\\c@d\\e".to_owned();
        let refused = Negotiation::new(&login, (Service::Http, "hv1"), None).is_err();
        login.mechanism = Mechanism::Kerberos(Kdc::At("not a host".to_owned()));
        assert!(refused && Negotiation::new(&login, (Service::Http, "hv1"), None).is_err());
    }

    /// A challenge inside of SPNEGO as a server sends it (MS-NLMP 2.2.1.2), with a target information block.
    fn challenge() -> Vec<u8> {
        let mut ntlm = b"NTLMSSP\0\x02\0\0\0".to_vec();
        ntlm.extend([10, 0, 10, 0, 56, 0, 0, 0]);
        ntlm.extend(0xE289_8235_u32.to_le_bytes());
        ntlm.extend([1, 2, 3, 4, 5, 6, 7, 8]);
        ntlm.extend([0; 8]);
        ntlm.extend([22, 0, 22, 0, 66, 0, 0, 0]);
        ntlm.extend([10, 0, 0x63, 0x45, 0, 0, 0, 15]);
        ntlm.extend(b"H\0V\0S\0R\0C\0");
        ntlm.extend([2, 0, 10, 0]);
        ntlm.extend(b"H\0V\0S\0R\0C\0");
        ntlm.extend([7, 0, 0, 0, 0, 0, 0, 0]);
        let wrap = |tag: u8, inner: &[u8]| {
            let mut out = vec![tag, u8::try_from(inner.len()).unwrap()];
            out.extend(inner);
            out
        };
        let state = wrap(0xA0, &wrap(0x0A, &[1]));
        let mech = wrap(0xA1, &wrap(6, &[0x2B, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10]));
        let token = wrap(0xA2, &wrap(4, &ntlm));
        wrap(0xA1, &wrap(0x30, &[state, mech, token].concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_token_of_a_server_is_taken_or_refused(at in 0usize..200, byte in any::<u8>(), cut in 0usize..200) {
            let mut token = challenge();
            let end = token.len();
            token[at % end] = byte;
            for token in [token.as_slice(), &token[..cut % end]] {
                let mut negotiation = Negotiation::new(&login(), (Service::Http, "hv1"), None).unwrap();
                negotiation.step(&[]).unwrap();
                let _ = negotiation.step(token);
            }
        }
    }
}
