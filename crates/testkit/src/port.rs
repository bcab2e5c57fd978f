//! Ports for servers that have to be told theirs.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// A free port on 127.0.0.1 that nobody else is given for a minute. A connection to it was ended from its side, after which the
/// system keeps it for that time; a server that asks for it by its number gets it nevertheless, as all servers want it that are
/// started again.
pub fn free() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    // This side ends first, and the other after it.
    drop(listener.accept()?);
    drop(client);
    Ok(port)
}
