//! The way to a Kerberos key distribution centre: one TCP connection a request, a length of four bytes in front of each
//! message (RFC 4120 7.2.2).

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use sspi::generator::NetworkRequest;
use sspi::network_client::{NetworkClient, NetworkProtocol};
use sspi::{Error, ErrorKind};

/// How long a centre may take to be connected to, and to answer.
const TIME: Duration = Duration::from_secs(10);

/// Bytes of one answer of a centre.
const ANSWER: usize = 1024 * 1024;

/// Asks a centre over TCP. Other ways (UDP, a proxy over HTTP) are refused by name.
pub(crate) struct Centre;

impl NetworkClient for Centre {
    fn send(&self, request: &NetworkRequest) -> sspi::Result<Vec<u8>> {
        let host = request.url.host_str().unwrap_or_default();
        let port = request.url.port().unwrap_or(88);
        let failed = |why: String| {
            let text = format!("the key distribution centre {host}:{port} {why}");
            Error::new(ErrorKind::NoAuthenticatingAuthority, text)
        };
        if !matches!(request.protocol, NetworkProtocol::Tcp) {
            return Err(failed("is to be asked in another way than TCP, which this program does not do".to_owned()));
        }
        ask(host, port, &request.data).map_err(failed)
    }
}

fn ask(host: &str, port: u16, message: &[u8]) -> Result<Vec<u8>, String> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| format!("has no address: {error}"))?;
    let mut reason = "has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, TIME) {
            Ok(stream) => return talk(stream, message).map_err(|error| format!("did not answer: {error}")),
            Err(error) => reason = format!("cannot be reached: {error}"),
        }
    }
    Err(reason)
}

fn talk(mut stream: TcpStream, message: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(TIME))?;
    stream.set_write_timeout(Some(TIME))?;
    stream.write_all(message)?;
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if length > ANSWER {
        return Err(std::io::Error::other(format!("it announces {length} bytes")));
    }
    let mut answer = head.to_vec();
    answer.resize(4 + length, 0);
    stream.read_exact(&mut answer[4..])?;
    Ok(answer)
}
