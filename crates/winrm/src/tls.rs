//! TLS with a server whose certificate is always verified: by a chain and a name, or by a thumbprint. Also the channel
//! binding of such a connection (RFC 5929 4.1).

use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};

use crate::endpoint::{Endpoint, Thumbprint, Trust};
use crate::error::{Error, Result};

/// A connection whose handshake is done.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Shakes hands over a connection. The second value is the channel binding.
pub(crate) fn connect(tcp: TcpStream, endpoint: &Endpoint, trust: &Trust) -> Result<(Stream, Vec<u8>)> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Verifier::new(trust, Arc::clone(&provider))?);
    let failed =
        |error: &dyn std::fmt::Display| Error::Tls { endpoint: endpoint.to_string(), reason: error.to_string() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(endpoint.host().to_owned()).map_err(|error| failed(&error))?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| failed(&error))?;
    let mut stream = StreamOwned::new(connection, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| verifier.explain(endpoint, &error))?;
    }
    let certificate = stream.conn.peer_certificates().and_then(<[_]>::first);
    let binding = certificate.map(|certificate| binding(certificate));
    let binding = binding.ok_or_else(|| failed(&"the server has no certificate"))?;
    Ok((stream, binding))
}

/// Checks the certificate, and remembers it for the error.
#[derive(Debug)]
struct Verifier {
    check: Check,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<Vec<u8>>>,
}

#[derive(Debug)]
enum Check {
    Chain(Arc<WebPkiServerVerifier>),
    Pin(Thumbprint),
}

impl Verifier {
    fn new(trust: &Trust, provider: Arc<CryptoProvider>) -> Result<Self> {
        let check = match trust {
            Trust::Pin(pin) => Check::Pin(*pin),
            Trust::System => Check::Chain(chain(system()?, &provider)?),
            Trust::Authorities(pem) => Check::Chain(chain(authorities(pem)?, &provider)?),
        };
        Ok(Self { check, provider, seen: Mutex::new(None) })
    }

    fn explain(&self, endpoint: &Endpoint, error: &std::io::Error) -> Error {
        let endpoint = endpoint.to_string();
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (inner, seen) {
            (Some(rustls::Error::InvalidCertificate(why)), Some(certificate)) => {
                Error::Certificate { endpoint, reason: self.reason(why), found: sha256(&certificate).to_string() }
            }
            _ => Error::Tls { endpoint, reason: error.to_string() },
        }
    }

    fn reason(&self, why: &CertificateError) -> String {
        match (&self.check, why) {
            (Check::Pin(pin), CertificateError::ApplicationVerificationFailure) => {
                format!("it is not the pinned one with the thumbprint {pin}")
            }
            (_, CertificateError::UnknownIssuer) => "no trusted authority issued it".to_owned(),
            _ => rustls::Error::InvalidCertificate(why.clone()).to_string(),
        }
    }
}

fn chain(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| Error::Authorities { reason: error.to_string() })
}

/// The authorities of this system. One that cannot be read among many is left out; none at all is an error.
fn system() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Err(Error::Authorities { reason: format!("this system trusts no authority ({why})") });
    }
    Ok(roots)
}

fn authorities(pem: &[u8]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| Error::Authorities { reason: error.to_string() })?;
        roots.add(certificate).map_err(|error| Error::Authorities { reason: error.to_string() })?;
    }
    if roots.is_empty() {
        return Err(Error::Authorities { reason: "there is no certificate in the file".to_owned() });
    }
    Ok(roots)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        match &self.check {
            Check::Chain(chain) => chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            Check::Pin(pin) if pin.is_of(end_entity) => Ok(ServerCertVerified::assertion()),
            Check::Pin(_) => Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn sha256(bytes: &[u8]) -> Thumbprint {
    let mut out = [0; 32];
    out.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    Thumbprint::Sha256(out)
}

/// `tls-server-end-point`: the certificate hashed with the hash of its own signature, SHA-256 in place of MD5 and SHA-1.
fn binding(certificate: &[u8]) -> Vec<u8> {
    let algorithm = match signature_hash(certificate) {
        Some(Hash::Sha384) => &ring::digest::SHA384,
        Some(Hash::Sha512) => &ring::digest::SHA512,
        None => &ring::digest::SHA256,
    };
    let mut binding = b"tls-server-end-point:".to_vec();
    binding.extend(ring::digest::digest(algorithm, certificate).as_ref());
    binding
}

#[derive(Debug, PartialEq, Eq)]
enum Hash {
    Sha384,
    Sha512,
}

/// Object identifiers of signatures and hashes, as DER holds them (RFC 4055, RFC 5758).
const SHA384: [&[u8]; 3] = [
    &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0C],
    &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03],
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
];
const SHA512: [&[u8]; 3] = [
    &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0D],
    &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x04],
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
];

/// The larger hashes that the signature of a certificate may use; a signature with parameters (RSASSA-PSS) names its hash
/// inside of them.
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (inside, _) = der(certificate)?;
    let (_, after) = der(inside)?;
    let (algorithm, _) = der(after)?;
    let has = |ids: &[&[u8]]| ids.iter().any(|id| algorithm.windows(id.len()).any(|part| part == *id));
    if has(&SHA384) { Some(Hash::Sha384) } else { has(&SHA512).then_some(Hash::Sha512) }
}

/// One DER value: its content, and what follows it.
fn der(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x0F))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        rcgen::CertificateParams::new(vec!["hv1".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_binding_uses_the_hash_of_the_signature() {
        let p256 = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        let p384 = certificate(&rcgen::PKCS_ECDSA_P384_SHA384);
        assert_eq!((signature_hash(&p256), signature_hash(&p384)), (None, Some(Hash::Sha384)));
        assert_eq!((binding(&p256).len(), binding(&p384).len()), (21 + 32, 21 + 48));
    }

    #[test]
    fn what_is_no_authority_is_said() {
        for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(authorities(pem.as_bytes()), Err(Error::Authorities { .. })));
        }
    }

    proptest! {
        #[test]
        fn any_certificate_has_a_binding(at in 0usize..2000, byte in any::<u8>(), cut in 0usize..2000) {
            let mut bytes = vec![0x30, 0x82, 0x01, 0x00, 0x30, 0x03, 1, 2, 3, 0x30, 0x0A, 6, 8, 0x2A, 0x86, 0x48];
            bytes.resize(300, 7);
            let end = bytes.len();
            bytes[at % end] = byte;
            let _ = (binding(&bytes), binding(&bytes[..cut % end]));
        }
    }
}
