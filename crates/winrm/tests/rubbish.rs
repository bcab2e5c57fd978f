//! Servers that are none: rubbish, huge lengths, silence, answers in clear. Each is an error that says so, and soon.

#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use hvm_winrm::{Client, Endpoint, Error, Options, Transport, Trust};

/// What the client says about a server that answers each request with these bytes.
fn told(answer: &'static [u8], transport: Transport) -> Error {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut block = [0; 4096];
        while let Ok(count) = stream.read(&mut block) {
            if count == 0 || stream.write_all(answer).is_err() {
                break;
            }
        }
    });
    let options = Options {
        connect: Duration::from_secs(1),
        operation: Duration::from_secs(1),
        patience: Duration::from_millis(500),
        ..Options::default()
    };
    let endpoint = Endpoint::new("127.0.0.1", Some(port), transport).unwrap();
    let begun = Instant::now();
    let error = Client::new(endpoint, support::login("secret"), options).identify().unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10));
    server.join().unwrap();
    assert!(!error.to_string().contains("secret"));
    error
}

#[test]
fn rubbish_over_http() {
    let told = |answer| told(answer, Transport::SealedHttp);
    assert!(matches!(told(b"SSH-2.0-OpenSSH_9\r\n"), Error::Answer { .. }));
    assert!(matches!(told(b"\0\xFF\xFE\x01\x02\x03\x04\r\n\r\n"), Error::Answer { .. }));
    assert!(matches!(told(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n"), Error::TooLarge { .. }));
    assert!(matches!(told(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"), Error::Silent { .. }));
    assert!(matches!(told(b""), Error::Silent { .. }));
    let offered = told(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(&offered, Error::NotOffered { offered, .. } if offered == "Basic"), "{offered}");
    let token = told(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate AAAA\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(token, Error::Authentication { .. }), "{token}");
    let token = told(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate !\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(token, Error::Authentication { .. }), "{token}");
    assert!(matches!(told(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), Error::Authentication { .. }));
}

#[test]
fn a_server_that_takes_everybody_in_clear_is_not_believed() {
    let soap = b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: 5\r\n\r\n<a/>\n";
    let error = told(soap, Transport::SealedHttp);
    assert!(matches!(error, Error::NotSealed { .. } | Error::Authentication { .. }), "{error}");
}

#[test]
fn rubbish_over_https() {
    let error = told(b"HTTP/1.1 400 Bad\r\n\r\n", Transport::Https(Trust::Pin(hvm_winrm::Thumbprint::Sha256([0; 32]))));
    assert!(matches!(error, Error::Tls { .. }), "{error}");
}
