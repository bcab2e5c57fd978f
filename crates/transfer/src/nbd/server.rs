//! Accepts connections and gives each a thread of its own, up to a bound.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hvm_formats::disk::SharedDisk;

use super::channel::{Channel, Socket};
use super::handshake::{self, Offer};
use super::transmission::Transmission;
use crate::progress::Cancel;

/// Connections at a time; further ones are closed at once.
const MAX_CONNECTIONS: usize = 16;
/// Time that a client has for its handshake: half a handshake must not hold a connection for ever.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often it is looked whether the server shall stop.
const PAUSE: Duration = Duration::from_millis(20);

/// Where a server can be reached; only from this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A unix socket at this path, for its owner alone.
    Unix(PathBuf),
    /// A TCP port of 127.0.0.1, for everybody on this computer; 0 takes any that is free.
    Loopback(u16),
}

/// The server could not be started or went down.
#[derive(Debug, thiserror::Error)]
pub enum NbdError {
    /// A file is where the socket should be.
    #[error("'{path}' exists already and is not a socket that was left behind; give another path.")]
    InTheWay {
        /// The path.
        path: PathBuf,
    },
    /// The socket or port could not be opened.
    #[error("The address {address} could not be opened for NBD clients: {source}.")]
    Bind {
        /// Path or address and port.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// No more connections can be taken.
    #[error("Connections at {address} can no longer be accepted: {source}.")]
    Accept {
        /// Path or address and port.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
}

enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, PathBuf),
}

/// A server that has its socket; the file of a unix socket goes when the server is dropped.
pub struct NbdServer {
    disk: SharedDisk,
    listener: Listener,
    description: String,
}

/// Serves `disk` until `stop` is set.
pub fn serve(disk: SharedDisk, listen: &Listen, stop: &Cancel) -> Result<(), NbdError> {
    NbdServer::bind(disk, listen)?.run(stop)
}

impl NbdServer {
    /// Opens the socket; from then on clients can connect, and are answered by [`NbdServer::run`].
    pub fn bind(disk: SharedDisk, listen: &Listen) -> Result<Self, NbdError> {
        let listener = match listen {
            Listen::Unix(path) => bind_unix(path)?,
            Listen::Loopback(port) => {
                let address = (Ipv4Addr::LOCALHOST, *port);
                let failed = |source| NbdError::Bind { address: format!("127.0.0.1:{port}"), source };
                let listener = TcpListener::bind(address).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                Listener::Tcp(listener)
            }
        };
        let description = disk.layers().first().map(|leaf| leaf.name.clone()).unwrap_or_default();
        Ok(NbdServer { disk, listener, description })
    }

    /// The address as clients take it: `nbd+unix:///?socket=PATH` or `nbd://127.0.0.1:PORT`.
    pub fn uri(&self) -> String {
        match &self.listener {
            #[cfg(unix)]
            Listener::Unix(_, path) => format!("nbd+unix:///?socket={}", percent_encoded(path)),
            Listener::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("nbd://{address}"),
                Err(_) => "nbd://127.0.0.1".to_owned(),
            },
        }
    }

    /// Answers clients until `stop` is set, then ends the connections that are left.
    pub fn run(&self, stop: &Cancel) -> Result<(), NbdError> {
        let open = Mutex::new(HashMap::new());
        std::thread::scope(|scope| {
            let mut number = 0u64;
            let end = loop {
                if stop.is_cancelled() {
                    break Ok(());
                }
                match self.accept() {
                    Ok(socket) => {
                        number += 1;
                        let Some(socket) = entered(&open, number, socket) else { continue };
                        let open = &open;
                        scope.spawn(move || {
                            let _leave = Entry { open, number };
                            // What a client does wrong ends its own connection and nothing else.
                            let _ = self.answer(socket);
                        });
                    }
                    Err(error) if is_passing(&error) => std::thread::sleep(PAUSE),
                    Err(source) => break Err(NbdError::Accept { address: self.uri(), source }),
                }
            };
            locked(&open).values().for_each(Socket::shut_down);
            end
        })
    }

    fn accept(&self) -> io::Result<Socket> {
        match &self.listener {
            Listener::Tcp(listener) => listener.accept().map(|(stream, _)| {
                // The bytes behind a head would wait up to 40 ms until the head is acknowledged; an answer is complete anyway.
                let _ = stream.set_nodelay(true);
                Socket::Tcp(stream)
            }),
            #[cfg(unix)]
            Listener::Unix(listener, _) => listener.accept().map(|(stream, _)| Socket::Unix(stream)),
        }
    }

    fn answer(&self, socket: Socket) -> io::Result<()> {
        socket.wait()?;
        let mut channel = Channel::new(socket, Instant::now() + HANDSHAKE);
        let offer = Offer {
            size: self.disk.size(),
            sector_size: self.disk.sector_size(),
            description: self.description.get(..self.description.floor_char_boundary(4096)).unwrap_or_default(),
        };
        if let Some(agreed) = handshake::shake(&mut channel, &offer)? {
            channel.without_deadline()?;
            Transmission::new(&mut channel, &self.disk, agreed).run()?;
        }
        Ok(())
    }
}

impl Drop for NbdServer {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Listener::Unix(_, path) = &self.listener {
            // One that somebody removed is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}

type Open = Mutex<HashMap<u64, Socket>>;

fn locked(open: &Open) -> std::sync::MutexGuard<'_, HashMap<u64, Socket>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enters a connection into the list; one too many is closed.
fn entered(open: &Open, number: u64, socket: Socket) -> Option<Socket> {
    let mut open = locked(open);
    if open.len() >= MAX_CONNECTIONS {
        return None;
    }
    let other = socket.try_clone().ok()?;
    open.insert(number, other);
    Some(socket)
}

/// Takes a connection out of the list when its thread ends, however that ends.
struct Entry<'a> {
    open: &'a Open,
    number: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if let Some(socket) = locked(self.open).remove(&self.number) {
            socket.shut_down();
        }
    }
}

/// Errors of one connection, or of a moment: nobody waits, the peer is gone again, too many files are open.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    const EMFILE_ENFILE: [i32; 2] = [24, 23];
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted | ConnectionReset)
        || (cfg!(unix) && error.raw_os_error().is_some_and(|code| EMFILE_ENFILE.contains(&code)))
}

#[cfg(unix)]
fn bind_unix(path: &Path) -> Result<Listener, NbdError> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let failed = |source| NbdError::Bind { address: path.display().to_string(), source };
    if let Ok(found) = path.symlink_metadata() {
        // A socket on which nobody answers was left behind by a run that was killed.
        let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if !found.file_type().is_socket() || !UnixStream::connect(path).is_err_and(refused) {
            return Err(NbdError::InTheWay { path: path.to_owned() });
        }
        std::fs::remove_file(path).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    let place = Listener::Unix(listener, path.to_owned());
    if let Listener::Unix(listener, _) = &place {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
    }
    Ok(place)
}

#[cfg(not(unix))]
fn bind_unix(path: &Path) -> Result<Listener, NbdError> {
    let source = io::Error::new(io::ErrorKind::Unsupported, "this system has no unix sockets here; use a port");
    Err(NbdError::Bind { address: path.display().to_string(), source })
}

/// A path as a part of a URI.
#[cfg(unix)]
fn percent_encoded(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut text = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
