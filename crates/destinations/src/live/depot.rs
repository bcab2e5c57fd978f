//! Gives files to the host that fetches them: HTTPS on this computer, for one host and as long as it is wanted. Its certificate is
//! made for it, and the host is told which one to believe over the session that is there already; so is the name of the
//! files, which nobody can guess. It only reads, only these files, and only what of them is asked for.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::live::carry::hex;
use crate::live::pace::Pace;

/// How long a client may say nothing, or take nothing.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks whether somebody has come, or whether it shall end.
const PAUSE: Duration = Duration::from_millis(20);
/// Clients at a time: the host, and those of its connections that were lost and are not known to be.
const MOST_CLIENTS: usize = 8;
/// Most bytes of the head of a request.
const MOST_HEAD: usize = 4096;
/// Most fields of the head of a request.
const MOST_FIELDS: usize = 32;
/// Bytes that are read and sent at once: few enough that a low rate leaves no long silence.
const PIECE: usize = 64 << 10;

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// What is given away, and how.
#[derive(Debug)]
struct Offer {
    files: Vec<PathBuf>,
    secret: String,
    pace: Mutex<Pace>,
    is_over: AtomicBool,
    clients: AtomicUsize,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Depot {
    /// Where the host finds it.
    pub address: IpAddr,
    /// Its TCP port.
    pub port: u16,
    /// The SHA-256 of its certificate, as [`hex`] writes it.
    pub certificate: String,
    offer: Arc<Offer>,
    server: Option<JoinHandle<()>>,
}

/// Where a depot is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The address at which the host shall find it, when that is not the one of this computer on the way to the host.
    pub address: Option<IpAddr>,
    /// The TCP port; 0 for any that is free.
    pub port: u16,
}

/// The address of this computer on the way to a host. Nothing is sent, so that any port will do.
pub(crate) fn way_to(host: &str) -> io::Result<IpAddr> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for there in std::net::ToSocketAddrs::to_socket_addrs(&(host, 9))? {
        let any: SocketAddr = match there {
            SocketAddr::V4(_) => ([0u8; 4], 0).into(),
            SocketAddr::V6(_) => ([0u16; 8], 0).into(),
        };
        match UdpSocket::bind(any).and_then(|socket| socket.connect(there).and_then(|()| socket.local_addr())) {
            Ok(here) => return Ok(here.ip()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Depot {
    /// Opens one for these files on the way to a host; with a limit in bytes a second.
    pub fn open(way: IpAddr, spot: Spot, files: Vec<PathBuf>, limit: Option<u64>) -> io::Result<Depot> {
        // An address that the host was told of is not always one of this computer.
        let listen = match spot.address {
            None => way,
            Some(IpAddr::V4(_)) => IpAddr::from([0u8; 4]),
            Some(IpAddr::V6(_)) => IpAddr::from([0u16; 8]),
        };
        let (config, certificate) = identity()?;
        let listener = TcpListener::bind((listen, spot.port))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let mut secret = [0; 32];
        SystemRandom::new().fill(&mut secret).map_err(|_| io::Error::other("the system has no random numbers"))?;
        let offer = Arc::new(Offer {
            files,
            secret: hex(&secret),
            pace: Mutex::new(Pace::new(limit)),
            is_over: AtomicBool::new(false),
            clients: AtomicUsize::new(0),
        });
        let theirs = Arc::clone(&offer);
        let server = std::thread::spawn(move || attend(&listener, &config, &theirs));
        Ok(Depot { address: spot.address.unwrap_or(way), port, certificate, offer, server: Some(server) })
    }

    /// What the host asks for when it wants the file with this number.
    pub fn name(&self, number: usize) -> String {
        format!("/{}/{number}", self.offer.secret)
    }
}

impl Drop for Depot {
    fn drop(&mut self) {
        self.offer.is_over.store(true, Ordering::Relaxed);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// A key and a certificate of its own: ECDSA on P-256, which Windows Server 2012 and later take with TLS 1.2.
fn identity() -> io::Result<(Arc<ServerConfig>, String)> {
    let made = rcgen::generate_simple_self_signed(vec!["hvmigrate".to_owned()]).map_err(io::Error::other)?;
    let certificate = made.cert.der().clone();
    let thumbprint = hex(digest(&SHA256, &certificate).as_ref());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(io::Error::other)?;
    Ok((Arc::new(config), thumbprint))
}

fn attend(listener: &TcpListener, config: &Arc<ServerConfig>, offer: &Arc<Offer>) {
    while !offer.is_over.load(Ordering::Relaxed) {
        let Ok((client, _)) = listener.accept() else {
            // Nobody is there; or this one has gone again, which is his affair.
            std::thread::sleep(PAUSE);
            continue;
        };
        if offer.clients.fetch_add(1, Ordering::Relaxed) >= MOST_CLIENTS {
            offer.clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (config, offer) = (Arc::clone(config), Arc::clone(offer));
        std::thread::spawn(move || {
            // A client that goes away is no error here: the host tells of it.
            let _ = serve(client, config, &offer);
            offer.clients.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn serve(client: TcpStream, config: Arc<ServerConfig>, offer: &Offer) -> io::Result<()> {
    // On some systems it takes after the one that listens.
    client.set_nonblocking(false)?;
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, client);
    while let Some(request) = Request::read(&mut stream)? {
        match request.path.strip_prefix('/').and_then(|path| offer.find(path)) {
            _ if !request.is_get => refuse(&mut stream, "405 Method Not Allowed")?,
            None => refuse(&mut stream, "404 Not Found")?,
            Some(path) => give(&mut stream, (offer, path), request.range)?,
        }
        stream.flush()?;
    }
    Ok(())
}

impl Offer {
    fn find(&self, path: &str) -> Option<&Path> {
        let (secret, number) = path.split_once('/')?;
        // These are compared in a time that says nothing.
        if blake3::hash(secret.as_bytes()) != blake3::hash(self.secret.as_bytes()) {
            return None;
        }
        self.files.get(number.parse::<usize>().ok()?).map(PathBuf::as_path)
    }
}

fn refuse(stream: &mut Stream, status: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
}

/// Gives the part of a file that is wanted, or all of it.
fn give(stream: &mut Stream, (offer, path): (&Offer, &Path), wanted: Wanted) -> io::Result<()> {
    let Ok(mut file) = File::open(path) else { return refuse(stream, "404 Not Found") };
    let length = file.metadata()?.len();
    let range = match wanted {
        Wanted::All => 0..length,
        Wanted::From(start) => start..length,
        Wanted::Range(start, last) => start..last.saturating_add(1).min(length),
        Wanted::Nonsense => return refuse(stream, "400 Bad Request"),
    };
    if wanted != Wanted::All && (range.start >= length || range.is_empty()) {
        return refuse(stream, "416 Range Not Satisfiable");
    }
    let head = head(wanted, &range, length);
    stream.write_all(head.as_bytes())?;
    file.seek(SeekFrom::Start(range.start))?;
    let mut piece = vec![0; PIECE];
    let mut left = range.end - range.start;
    while left > 0 {
        if offer.is_over.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let part = piece.get_mut(..left.min(PIECE as u64) as usize).unwrap_or_default();
        file.read_exact(part)?;
        stream.write_all(part)?;
        left -= part.len() as u64;
        // All clients together keep to the rate.
        let mut pace = offer.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.sent(part.len() as u64, &|| offer.is_over.load(Ordering::Relaxed));
    }
    Ok(())
}

fn head(wanted: Wanted, range: &Range<u64>, length: u64) -> String {
    let count = range.end - range.start;
    let kind = "Content-Type: application/octet-stream\r\nCache-Control: no-store\r\n";
    if wanted == Wanted::All {
        return format!("HTTP/1.1 200 OK\r\nContent-Length: {count}\r\n{kind}\r\n");
    }
    let (start, last) = (range.start, range.end - 1);
    format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {count}\r\nContent-Range: bytes {start}-{last}/{length}\r\n{kind}\r\n"
    )
}

/// Which bytes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    From(u64),
    /// The last one is among them.
    Range(u64, u64),
    Nonsense,
}

/// One request, without a body.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    is_get: bool,
    path: String,
    range: Wanted,
}

impl Request {
    /// The next request; none when the client has ended.
    fn read(stream: &mut impl Read) -> io::Result<Option<Request>> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) if head.len() < MOST_HEAD => head.push(byte[0]),
                Ok(1) => return Err(io::ErrorKind::InvalidData.into()),
                Ok(_) if head.is_empty() => return Ok(None),
                Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        request.parse(&head).map_err(io::Error::other)?;
        let range = request.headers.iter().find(|field| field.name.eq_ignore_ascii_case("Range"));
        Ok(Some(Request {
            is_get: request.method == Some("GET"),
            path: request.path.unwrap_or_default().to_owned(),
            range: range.map_or(Wanted::All, |field| range_of(field.value)),
        }))
    }
}

fn range_of(value: &[u8]) -> Wanted {
    let parts = std::str::from_utf8(value).ok().and_then(|text| text.trim().strip_prefix("bytes=")?.split_once('-'));
    let number = |text: &str| text.parse::<u64>().ok();
    match parts {
        Some((start, "")) => number(start).map_or(Wanted::Nonsense, Wanted::From),
        Some((start, last)) => match (number(start), number(last)) {
            (Some(start), Some(last)) if start <= last => Wanted::Range(start, last),
            _ => Wanted::Nonsense,
        },
        None => Wanted::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<Option<Request>> {
        Request::read(&mut text.as_bytes())
    }

    #[test]
    fn requests_are_read_and_nonsense_is_refused() {
        let request = |path: &str, range| Some(Request { is_get: true, path: path.to_owned(), range });
        assert_eq!(read("GET /a/1 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap(), request("/a/1", Wanted::All));
        for (text, wanted) in [
            ("bytes=5-9", Wanted::Range(5, 9)),
            ("bytes=5-", Wanted::From(5)),
            ("bytes=9-5", Wanted::Nonsense),
            ("bytes=-5", Wanted::Nonsense),
            ("bytes=1-2,4-5", Wanted::Nonsense),
            ("lines=1-2", Wanted::Nonsense),
            ("bytes=99999999999999999999-", Wanted::Nonsense),
        ] {
            let head = format!("GET /a/1 HTTP/1.1\r\nrange: {text}\r\n\r\n");
            assert_eq!(read(&head).unwrap(), request("/a/1", wanted), "{text}");
        }
        assert!(!read("POST /a/1 HTTP/1.1\r\n\r\n").unwrap().unwrap().is_get);
        assert_eq!(read("").unwrap(), None);
        for bad in ["GET /a", "\0\0\0\0\r\n\r\n", "GET\r\n\r\n"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert!(read(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(MOST_HEAD))).is_err());
        let many = "a: b\r\n".repeat(MOST_FIELDS + 1);
        assert!(read(&format!("GET / HTTP/1.1\r\n{many}\r\n")).is_err());
    }

    #[test]
    fn only_who_knows_the_name_finds_a_file() {
        let spot = Spot { address: None, port: 0 };
        let depot = Depot::open(IpAddr::from([127, 0, 0, 1]), spot, vec![PathBuf::from("x")], None).unwrap();
        let found = |name: &str| depot.offer.find(name.trim_start_matches('/')).is_some();
        assert!(found(&depot.name(0)));
        assert!(!found(&depot.name(1)) && !found("0") && !found("/0") && !found(""));
        let mut other = depot.name(0);
        other.replace_range(1..2, if other.starts_with("/0") { "1" } else { "0" });
        assert!(!found(&other));
        let again = Depot::open(IpAddr::from([127, 0, 0, 1]), spot, Vec::new(), None).unwrap();
        assert!(again.name(0) != depot.name(0) && again.certificate != depot.certificate);
    }
}
