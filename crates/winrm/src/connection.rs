//! One authenticated connection: TCP, TLS where that is asked for, the rounds of the authentication, and then one request
//! after the other. NTLM proves a connection, not a request (MS-NLMP 3.4), so its life is the life of the proof.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hvm_login::{Login, Negotiation, Service};

use crate::endpoint::{Endpoint, Transport};
use crate::error::{Error, Progress, Result};
use crate::http::{self, Failure, Response};
use crate::limits;
use crate::options::Options;
use crate::seal;
use crate::tls;

const SOAP: &str = "application/soap+xml;charset=UTF-8";

/// A stream with a time by which the whole answer must be there, so that a server that sends one byte a minute does not
/// hold anybody up.
struct Timed {
    stream: Wire,
    until: Instant,
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<tls::Stream>),
}

impl Wire {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.left()?;
        self.stream.tcp().set_read_timeout(Some(left))?;
        match &mut self.stream {
            Wire::Plain(stream) => stream.read(into),
            Wire::Tls(stream) => stream.read(into),
        }
    }
}

impl Timed {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let left = self.left()?;
        self.stream.tcp().set_write_timeout(Some(left))?;
        match &mut self.stream {
            Wire::Plain(stream) => stream.write_all(bytes),
            Wire::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }
}

/// What a request is called in errors, and how long it may take.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub action: &'a str,
    pub time: Duration,
}

/// An answer of the service, opened.
pub(crate) struct Answer {
    pub status: u16,
    pub text: String,
}

/// One authenticated connection.
pub(crate) struct Connection {
    wire: Timed,
    endpoint: Endpoint,
    negotiation: Negotiation,
    is_closing: bool,
}

impl Connection {
    /// Connects and authenticates.
    pub fn open(endpoint: &Endpoint, login: &Login, options: &Options) -> Result<Self> {
        let tcp = dial(endpoint, options)?;
        let time = options.connect + options.patience;
        // The handshake of TLS reads without going through `Timed`.
        let _ = tcp.set_read_timeout(Some(time));
        let _ = tcp.set_write_timeout(Some(time));
        let (stream, binding) = match endpoint.transport() {
            Transport::SealedHttp => (Wire::Plain(tcp), None),
            Transport::Https(trust) => {
                let (stream, binding) = tls::connect(tcp, endpoint, trust)?;
                (Wire::Tls(Box::new(stream)), Some(binding))
            }
        };
        let negotiation = Negotiation::new(login, (Service::Http, endpoint.host()), binding.as_deref())
            .map_err(|reason| authentication(endpoint, login, reason))?;
        let wire = Timed { stream, until: Instant::now() + time };
        let mut connection = Self { wire, endpoint: endpoint.clone(), negotiation, is_closing: false };
        connection.authenticate(login, Asking { action: "the authentication", time })?;
        Ok(connection)
    }

    /// The rounds of RFC 4559, on requests without a body, so that nothing is sent before both sides are known.
    fn authenticate(&mut self, login: &Login, asking: Asking<'_>) -> Result<()> {
        let failed = |reason| authentication(&self.endpoint, login, reason);
        let mut token = self.negotiation.step(&[]).map_err(failed)?;
        for round in 0..limits::ROUNDS {
            let authorization = format!("Negotiate {}", BASE64_STANDARD.encode(&token));
            let response = self.exchange(Some(&authorization), SOAP, &[], asking)?;
            let failed = |reason| authentication(&self.endpoint, login, reason);
            let answered = offered(&response).map_err(failed)?;
            match (response.status, answered) {
                (200..=299, answered) => return self.finish(login, answered.as_deref()),
                (401, Some(answered)) if !answered.is_empty() => {
                    token = self.negotiation.step(&answered).map_err(failed)?;
                }
                (401, None) if round == 0 => return Err(self.not_offered(&response)),
                (401, _) => return Err(refused(&self.endpoint, login)),
                (status, _) => return Err(failed(format!("it answered with HTTP status {status}"))),
            }
            if response.closes() {
                let failed = |reason| authentication(&self.endpoint, login, reason);
                return Err(failed("it closes the connection after each answer".to_owned()));
            }
        }
        Err(authentication(&self.endpoint, login, format!("it has more than {} rounds", limits::ROUNDS)))
    }

    /// The last token proves the server to us. NTLM servers may leave it out: their proof is that they can seal, or on
    /// HTTPS their certificate.
    fn finish(&mut self, login: &Login, token: Option<&[u8]>) -> Result<()> {
        let failed = |reason| authentication(&self.endpoint, login, reason);
        let is_kerberos = matches!(login.mechanism, crate::Mechanism::Kerberos(_));
        match token {
            Some(token) if !token.is_empty() && !self.negotiation.is_done() => {
                self.negotiation.step(token).map_err(failed)?;
            }
            _ => {}
        }
        if is_kerberos && !self.negotiation.is_done() {
            return Err(failed("the server did not prove itself".to_owned()));
        }
        Ok(())
    }

    fn not_offered(&self, response: &Response) -> Error {
        let schemes = response.all("WWW-Authenticate").filter_map(|value| value.split_whitespace().next());
        let offered: Vec<&str> = schemes.take(8).collect();
        if offered.iter().any(|scheme| scheme.eq_ignore_ascii_case("Negotiate")) {
            let reason = "it answered the first token with none".to_owned();
            return Error::Authentication { endpoint: self.endpoint.to_string(), user: String::new(), reason };
        }
        let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
        Error::NotOffered { endpoint: self.endpoint.to_string(), offered }
    }

    /// Sends a message of WS-Management and waits for its answer.
    pub fn ask(&mut self, message: &str, asking: Asking<'_>) -> Result<Answer> {
        let is_sealed = matches!(self.endpoint.transport(), Transport::SealedHttp);
        if !is_sealed {
            let response = self.exchange(None, SOAP, message.as_bytes(), asking)?;
            return self.answer(response.status, response.body, asking);
        }
        let sealed = self.negotiation.seal(message.as_bytes()).map_err(|why| self.not_sealed(asking, why))?;
        let response = self.exchange(None, seal::CONTENT_TYPE, &seal::write(&sealed), asking)?;
        if response.status == 401 {
            return Ok(Answer { status: 401, text: String::new() });
        }
        let kind = response.first("Content-Type").to_owned();
        if !seal::is_sealed(&kind) {
            let why = format!("it came in clear, with HTTP status {}", response.status);
            return Err(self.not_sealed(asking, why));
        }
        let opened = seal::read(&response.body, &kind).and_then(|sealed| self.negotiation.open(sealed));
        let body = opened.map_err(|why| self.not_sealed(asking, why))?;
        self.answer(response.status, body, asking)
    }

    fn answer(&self, status: u16, body: Vec<u8>, asking: Asking<'_>) -> Result<Answer> {
        let text = String::from_utf8(body).map_err(|_| Error::Answer {
            endpoint: self.endpoint.to_string(),
            action: asking.action.to_owned(),
            reason: "it is not UTF-8".to_owned(),
        })?;
        Ok(Answer { status, text })
    }

    fn not_sealed(&self, asking: Asking<'_>, reason: String) -> Error {
        Error::NotSealed { endpoint: self.endpoint.to_string(), action: asking.action.to_owned(), reason }
    }

    fn exchange(&mut self, auth: Option<&str>, kind: &str, body: &[u8], asking: Asking<'_>) -> Result<Response> {
        self.wire.until = Instant::now() + asking.time;
        let mut bytes = http::post(&self.endpoint.authority(), auth, kind, body.len()).into_bytes();
        bytes.extend(body);
        self.wire.send(&bytes).map_err(|error| self.broken(Failure::Io(error), asking))?;
        let response = http::read(&mut self.wire).map_err(|failure| self.broken(failure, asking))?;
        self.is_closing = response.closes();
        Ok(response)
    }

    fn broken(&self, failure: Failure, asking: Asking<'_>) -> Error {
        let (endpoint, action) = (self.endpoint.to_string(), asking.action.to_owned());
        let known = Progress::Unknown;
        match failure {
            Failure::Io(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                Error::Silent { endpoint, action, seconds: asking.time.as_secs(), known }
            }
            Failure::Io(error) => Error::Dropped { endpoint, action, reason: error.to_string(), known },
            Failure::Closed { received } => {
                let reason = format!("it was closed after {received} bytes of the answer");
                Error::Dropped { endpoint, action, reason, known }
            }
            Failure::Bad(reason) => Error::Answer { endpoint, action, reason },
            Failure::TooLarge { what, found, limit } => Error::TooLarge { endpoint, action, what, found, limit },
        }
    }

    /// Whether it can take another request. A server may close an idle connection at any time; that is seen here, before a
    /// request is lost with it.
    pub fn is_usable(&mut self) -> bool {
        let stream = &mut self.wire.stream;
        if self.is_closing || stream.tcp().set_nonblocking(true).is_err() {
            return false;
        }
        let is_quiet = match stream {
            // In clear nobody speaks before they are asked.
            Wire::Plain(tcp) => tcp.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            Wire::Tls(stream) => is_quiet(stream),
        };
        self.wire.stream.tcp().set_nonblocking(false).is_ok() && is_quiet
    }
}

/// TLS may have something of its own to say, such as tickets or its end; data of an answer there are none to wait for.
fn is_quiet(stream: &mut tls::Stream) -> bool {
    match stream.conn.read_tls(&mut stream.sock) {
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        Ok(0) => false,
        Ok(_) => stream
            .conn
            .process_new_packets()
            .is_ok_and(|state| !state.peer_has_closed() && state.plaintext_bytes_to_read() == 0),
    }
}

fn dial(endpoint: &Endpoint, options: &Options) -> Result<TcpStream> {
    let failed = |source: io::Error| Error::Connect { endpoint: endpoint.to_string(), source };
    let mut last = io::Error::other("the name has no address");
    for address in (endpoint.host(), endpoint.port()).to_socket_addrs().map_err(failed)? {
        match TcpStream::connect_timeout(&address, options.connect) {
            Ok(stream) => {
                // Requests are written at once; waiting to fill packets would only add delay.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

/// The token after `Negotiate`, if that scheme is in the answer; an empty one if it is named alone.
fn offered(response: &Response) -> std::result::Result<Option<Vec<u8>>, String> {
    for value in response.all("WWW-Authenticate").chain(response.all("Authorization")) {
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("Negotiate") {
            continue;
        }
        if token.len() > limits::TOKEN / 3 * 4 {
            return Err(format!("its token has {} characters", token.len()));
        }
        return BASE64_STANDARD.decode(token.trim()).map(Some).map_err(|_| "its token is not base64".to_owned());
    }
    Ok(None)
}

fn authentication(endpoint: &Endpoint, login: &Login, reason: String) -> Error {
    Error::Authentication { endpoint: endpoint.to_string(), user: login.credentials.user.clone(), reason }
}

fn refused(endpoint: &Endpoint, login: &Login) -> Error {
    Error::Refused {
        endpoint: endpoint.to_string(),
        user: login.credentials.user.clone(),
        mechanism: login.mechanism.to_string(),
    }
}
