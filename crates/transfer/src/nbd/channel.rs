//! One connection as a stream of bytes: unix or loopback, with a deadline while the client has not yet shown what it is.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A socket of either kind.
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    pub(super) fn try_clone(&self) -> io::Result<Socket> {
        Ok(match self {
            Socket::Tcp(stream) => Socket::Tcp(stream.try_clone()?),
            #[cfg(unix)]
            Socket::Unix(stream) => Socket::Unix(stream.try_clone()?),
        })
    }

    /// Ends the connection for all who hold it.
    pub(super) fn shut_down(&self) {
        // A peer that has gone already is as good.
        let _ = match self {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    /// Makes the socket wait for its peer: an accepted one may have inherited that it does not.
    pub(super) fn wait(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.set_nonblocking(false).and_then(|()| stream.set_nodelay(true)),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.set_nonblocking(false),
        }
    }

    fn set_timeouts(&self, time: Option<Duration>) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.set_read_timeout(time).and_then(|()| stream.set_write_timeout(time)),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.set_read_timeout(time).and_then(|()| stream.set_write_timeout(time)),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.write_all(bytes),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.write_all(bytes),
        }
    }
}

/// What is sent is collected up to so many bytes.
const COLLECTED: usize = 64 << 10;

/// A connection.
pub(super) struct Channel {
    socket: Socket,
    out: Vec<u8>,
    deadline: Option<Instant>,
}

impl Channel {
    /// A new connection, on which all reads and writes must be done by `deadline`.
    pub(super) fn new(socket: Socket, deadline: Instant) -> Self {
        Channel { socket, out: Vec::new(), deadline: Some(deadline) }
    }

    /// From now on the peer may take its time.
    pub(super) fn without_deadline(&mut self) -> io::Result<()> {
        self.deadline = None;
        self.socket.set_timeouts(None)
    }

    fn arm(&mut self) -> io::Result<()> {
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_timeouts(Some(left))?;
        }
        Ok(())
    }

    /// Fills `buffer`. A peer that sends a byte now and then does not win time by it.
    pub(super) fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut rest = buffer;
        while !rest.is_empty() {
            self.arm()?;
            match self.socket.read(rest) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => rest = rest.get_mut(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn read_array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn read_u32(&mut self) -> io::Result<u32> {
        Ok(u32::from_be_bytes(self.read_array()?))
    }

    pub(super) fn read_u64(&mut self) -> io::Result<u64> {
        Ok(u64::from_be_bytes(self.read_array()?))
    }

    /// Reads bytes that nobody wants.
    pub(super) fn skip(&mut self, mut len: u64) -> io::Result<()> {
        let mut waste = [0; 4096];
        while len > 0 {
            let part = len.min(waste.len() as u64) as usize;
            self.read_exact(waste.get_mut(..part).unwrap_or_default())?;
            len -= part as u64;
        }
        Ok(())
    }

    /// Sends bytes; they go out at the latest with [`Channel::flush`].
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() >= COLLECTED {
            self.flush()?;
            self.arm()?;
            return self.socket.write_all(bytes);
        }
        self.out.extend_from_slice(bytes);
        if self.out.len() >= COLLECTED { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.arm()?;
        self.socket.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }
}
