//! Connections that scripts of the host open: `System.Net.Sockets.TcpClient` and `System.Net.Security.SslStream`. They are real
//! ones, over the network of the computer that the model runs on, with an implementation of TLS in the place of Schannel that
//! is kept to what Windows Server 2012 has: TLS 1.2.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use super::Host;
use crate::powershell::{ListKind, Object, Run, Value, fault, thrown};

const CLIENT: &str = "System.Net.Sockets.TcpClient";
const PLAIN: &str = "System.Net.Sockets.NetworkStream";
const SEALED: &str = "System.Net.Security.SslStream";
const CALLBACK: &str = "System.Net.Security.RemoteCertificateValidationCallback";
const ADDRESS: &str = "System.Net.IPAddress";
const CERTIFICATE: &str = "System.Security.Cryptography.X509Certificates.X509Certificate";
const CERTIFICATES: &str = "System.Security.Cryptography.X509Certificates.X509CertificateCollection";

/// How long the host waits for the other side.
const PATIENCE: Duration = Duration::from_secs(120);

/// The suites of Windows Server 2012 that are left without RSA key exchange and CBC.
const SUITES: [CipherSuite; 2] =
    [CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384];

/// What is open.
#[derive(Default)]
pub(super) struct Sockets {
    plain: BTreeMap<String, TcpStream>,
    sealed: BTreeMap<String, StreamOwned<ClientConnection, TcpStream>>,
    /// After this many more bytes each connection breaks, once.
    breaks: Option<u64>,
    is_forbidden: bool,
}

const fn family_of(is_ipv4: bool) -> &'static str {
    if is_ipv4 { "InterNetwork" } else { "InterNetworkV6" }
}

impl Host {
    /// The connection that has read so many bytes from now on breaks.
    pub fn break_after(&mut self, bytes: u64) {
        self.sockets.breaks = Some(bytes);
    }

    /// A firewall lets no connections out of the host, or does again.
    pub fn forbid_connections(&mut self, forbids: bool) {
        self.sockets.is_forbidden = forbids;
    }

    /// Objects of this kind; `None` for others.
    pub(super) fn make_socket(&mut self, kind: &str, arguments: &[Value]) -> Option<Run<Value>> {
        Some(match (kind, arguments) {
            // Without a family it is one for IPv4 only.
            ("net.sockets.tcpclient", [] | [Value::Word(_)]) => {
                let family = match arguments {
                    [Value::Word(family)] => family.name.clone(),
                    _ => family_of(true).to_owned(),
                };
                let object = Object::new(CLIENT, &self.new_id()).with("Family", family);
                Ok(object.with("ReceiveTimeout", Value::Int(0)).with("SendTimeout", Value::Int(0)).value())
            }
            ("net.security.remotecertificatevalidationcallback", [Value::Block(_)]) => {
                Ok(Object::new(CALLBACK, "").value())
            }
            ("net.security.sslstream", [Value::Object(stream), Value::Bool(false), Value::Object(callback)])
                if stream.borrow().class == PLAIN && callback.borrow().class == CALLBACK =>
            {
                Ok(Object::new(SEALED, &stream.borrow().id).with("RemoteCertificate", Value::Null).value())
            }
            ("security.cryptography.x509certificates.x509certificatecollection", []) => {
                Ok(Object::new(CERTIFICATES, "").value())
            }
            _ => return None,
        })
    }

    /// `[System.Net.IPAddress]::Parse`; `None` for other methods.
    pub(super) fn parse_address(kind: &str, method: &str, arguments: &[Value]) -> Option<Run<Value>> {
        let ("net.ipaddress", "parse", [Value::Text(text)]) = (kind, method, arguments) else { return None };
        let Ok(address) = text.parse::<IpAddr>() else {
            return Some(thrown("An invalid IP address was specified."));
        };
        let (name, number) = if address.is_ipv4() { (family_of(true), 2) } else { (family_of(false), 23) };
        let family = Value::word("System.Net.Sockets.AddressFamily", name, number);
        Some(Ok(Object::new(ADDRESS, &address.to_string()).with("AddressFamily", family).value()))
    }

    /// Methods of connections; `None` for objects of other classes.
    pub(super) fn socket_method(
        &mut self,
        target: &Rc<RefCell<Object>>,
        method: &str,
        arguments: &[Value],
    ) -> Option<Run<Value>> {
        let (class, id) = (target.borrow().class.clone(), target.borrow().id.clone());
        Some(match (class.as_str(), method, arguments) {
            (CLIENT, "connect", [Value::Object(address), Value::Int(port)]) if address.borrow().class == ADDRESS => {
                let address = address.borrow().id.clone();
                let family = target.borrow().get("Family").and_then(|family| family.text().ok()).unwrap_or_default();
                if address.parse().map(|found: IpAddr| family_of(found.is_ipv4())) != Ok(family.as_str()) {
                    return Some(thrown("This protocol version is not supported."));
                }
                self.connect(&id, &address, *port)
            }
            (CLIENT, "getstream", []) if self.sockets.plain.contains_key(&id) => Ok(Object::new(PLAIN, &id).value()),
            (CLIENT, "getstream", []) => thrown("The operation is not allowed on non-connected sockets."),
            (CLIENT, "close", []) => {
                self.sockets.plain.remove(&id);
                self.sockets.sealed.remove(&id);
                Ok(Value::Type("void".into()))
            }
            (
                SEALED,
                "authenticateasclient",
                [Value::Text(name), Value::Object(none), Value::Word(version), Value::Bool(false)],
            ) if none.borrow().class == CERTIFICATES && version.name == "Tls12" => self.shake(target, name),
            (SEALED, "write", [bytes, Value::Int(0), count]) => self.say(&id, bytes, count),
            (SEALED, "read", [Value::List(list), Value::Int(0), count]) if list.kind == ListKind::Bytes => {
                let wanted = count.integer().ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
                let bytes = match self.listen(&id, wanted.min(list.items.borrow().len())) {
                    Ok(bytes) => bytes,
                    Err(error) => return Some(Err(error)),
                };
                for (item, byte) in list.items.borrow_mut().iter_mut().zip(&bytes) {
                    *item = Value::Int(i32::from(*byte));
                }
                Ok(Value::Int(i32::try_from(bytes.len()).unwrap_or(i32::MAX)))
            }
            (CERTIFICATE, "getrawcertdata", []) => {
                let sealed = self.sockets.sealed.get(&id);
                let certificate = sealed.and_then(|sealed| sealed.conn.peer_certificates()?.first());
                certificate.map_or_else(|| fault("a certificate of nobody"), |found| Ok(Value::bytes(found)))
            }
            (CLIENT | PLAIN | SEALED | CERTIFICATE, ..) => {
                fault(format!("the method {method} of {class} with these arguments"))
            }
            _ => return None,
        })
    }

    fn connect(&mut self, id: &str, address: &str, port: i32) -> Run<Value> {
        if self.sockets.is_forbidden {
            return thrown(
                "Exception calling \"Connect\" with \"2\" argument(s): \"A connection attempt failed because the \
                           connected party did not properly respond after a period of time.\"",
            );
        }
        let connected = u16::try_from(port).map_err(std::io::Error::other).and_then(|port| {
            let stream = TcpStream::connect((address, port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => {
                self.sockets.plain.insert(id.to_owned(), stream);
                Ok(Value::Type("void".into()))
            }
            Err(error) => thrown(format!("Exception calling \"Connect\" with \"2\" argument(s): \"{error}\"")),
        }
    }

    fn shake(&mut self, target: &Rc<RefCell<Object>>, name: &str) -> Run<Value> {
        let id = target.borrow().id.clone();
        let Some(stream) = self.sockets.plain.remove(&id) else { return fault("a connection is sealed twice") };
        match sealed(stream, name) {
            Ok(stream) => {
                self.sockets.sealed.insert(id.clone(), stream);
                if let Some(place) = target.borrow_mut().get_mut("RemoteCertificate") {
                    *place = Object::new(CERTIFICATE, &id).value();
                }
                Ok(Value::Type("void".into()))
            }
            Err(error) => thrown(format!("Exception calling \"AuthenticateAsClient\": \"{error}\"")),
        }
    }

    fn say(&mut self, id: &str, bytes: &Value, count: &Value) -> Run<Value> {
        let bytes = bytes.as_bytes().filter(|bytes| count.integer().ok() == i64::try_from(bytes.len()).ok());
        let Some(bytes) = bytes else {
            return fault("SslStream.Write of something else than all of an array of bytes");
        };
        let Some(stream) = self.sockets.sealed.get_mut(id) else { return thrown("Cannot access a disposed object.") };
        match stream.write_all(&bytes).and_then(|()| stream.flush()) {
            Ok(()) => Ok(Value::Type("void".into())),
            Err(error) => thrown(format!("Exception calling \"Write\" with \"3\" argument(s): \"{error}\"")),
        }
    }

    fn listen(&mut self, id: &str, most: usize) -> Run<Vec<u8>> {
        let Some(stream) = self.sockets.sealed.get_mut(id) else { return thrown("Cannot access a disposed object.") };
        // A record at a time, like an SslStream.
        let mut bytes = vec![0; most.min(16 << 10)];
        match stream.read(&mut bytes) {
            Ok(count) => bytes.truncate(count),
            Err(error) => {
                return thrown(format!("Exception calling \"Read\" with \"3\" argument(s): \"{error}\""));
            }
        }
        if let Some(left) = self.sockets.breaks {
            self.sockets.breaks = left.checked_sub(bytes.len() as u64);
            if self.sockets.breaks.is_none() {
                let _ = stream.sock.shutdown(std::net::Shutdown::Both);
            }
        }
        Ok(bytes)
    }
}

fn sealed(
    stream: TcpStream,
    name: &str,
) -> Result<StreamOwned<ClientConnection, TcpStream>, Box<dyn std::error::Error>> {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.retain(|suite| SUITES.contains(&suite.suite()));
    let provider = Arc::new(provider);
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned())?)?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// The callback of the script says yes to every certificate; the signature of the handshake is still one of its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let schemes = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
