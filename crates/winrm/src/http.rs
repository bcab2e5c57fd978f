//! The little of HTTP/1.1 (RFC 9110, RFC 9112) that WS-Management needs: one POST after the other on one connection, and a
//! strict reader of answers that takes no memory that a server only announced.

use std::io::{self, Read};

use crate::limits;

/// One answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The system said so; also a time-out.
    Io(io::Error),
    /// The connection ended after this many bytes of the answer.
    Closed { received: usize },
    /// It is not HTTP as it should be.
    Bad(String),
    /// It is larger than allowed: what, how large, and the limit.
    TooLarge { what: &'static str, found: String, limit: usize },
}

impl Response {
    /// The values of a header, in their order.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first value of a header, or nothing.
    pub fn first(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Whether the server will close the connection after this answer.
    pub fn closes(&self) -> bool {
        self.all("Connection").flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("close"))
    }
}

/// The head of a POST to `/wsman` with a body of this type and length.
pub(crate) fn post(authority: &str, authorization: Option<&str>, content_type: &str, length: usize) -> String {
    let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    format!(
        "POST /wsman HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: hvmigrate\r\nConnection: Keep-Alive\r\n{authorization}\
         Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Reads one answer; interim answers (1xx) are skipped.
pub(crate) fn read(stream: &mut impl Read) -> Result<Response, Failure> {
    let mut input = Input { stream, bytes: Vec::new(), total: 0 };
    for _ in 0..8 {
        let (status, headers) = input.head()?;
        if (100..200).contains(&status) {
            continue;
        }
        let body = input.body(status, &headers)?;
        if !input.bytes.is_empty() {
            return Err(Failure::Bad("bytes that nobody asked for follow it".to_owned()));
        }
        return Ok(Response { status, headers, body });
    }
    Err(Failure::Bad("it has more than eight interim answers".to_owned()))
}

/// The stream with what was read from it and not used yet.
struct Input<'a, S> {
    stream: &'a mut S,
    bytes: Vec<u8>,
    total: usize,
}

type Head = (u16, Vec<(String, String)>);

impl<S: Read> Input<'_, S> {
    /// Reads some more.
    fn more(&mut self) -> Result<(), Failure> {
        let mut block = [0; 16 * 1024];
        match self.stream.read(&mut block) {
            Ok(0) => Err(Failure::Closed { received: self.total }),
            Ok(count) => {
                self.total += count;
                self.bytes.extend_from_slice(&block[..count.min(block.len())]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            // TLS that ends without its closing alert: no answer was cut, as lengths are checked, so it counts as closed.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Failure::Closed { received: self.total }),
            Err(error) => Err(Failure::Io(error)),
        }
    }

    fn head(&mut self) -> Result<Head, Failure> {
        loop {
            if let Some((length, head)) = parse_head(&self.bytes)? {
                self.bytes.drain(..length);
                return Ok(head);
            }
            if self.bytes.len() >= limits::HEAD {
                let found = format!("more than {} bytes", limits::HEAD);
                return Err(Failure::TooLarge { what: "headers", found, limit: limits::HEAD });
            }
            self.more()?;
        }
    }

    fn body(&mut self, status: u16, headers: &[(String, String)]) -> Result<Vec<u8>, Failure> {
        match framing(headers)? {
            _ if matches!(status, 204 | 304) => Ok(Vec::new()),
            Framing::Length(length) => self.take(length),
            Framing::Chunked => self.chunks(),
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        if length > limits::BODY {
            return Err(Failure::TooLarge { what: "a body", found: format!("{length} bytes"), limit: limits::BODY });
        }
        while self.bytes.len() < length {
            self.more()?;
        }
        let rest = self.bytes.split_off(length);
        Ok(std::mem::replace(&mut self.bytes, rest))
    }

    /// A body in chunks (RFC 9112 7.1); what follows the last chunk is read and dropped.
    fn chunks(&mut self) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'));
            let size = size.ok_or_else(|| Failure::Bad(format!("'{digits}' is not the length of a chunk")))?;
            if size == 0 {
                break;
            }
            // Checked on the sum, so that many small chunks are no way around the limit.
            if size > limits::BODY - body.len() {
                let found = format!("{} bytes and {size} more", body.len());
                return Err(Failure::TooLarge { what: "a body", found, limit: limits::BODY });
            }
            body.extend(self.take(size)?);
            if !self.line()?.is_empty() {
                return Err(Failure::Bad("a chunk is longer than it says".to_owned()));
            }
        }
        for _ in 0..limits::HEADERS {
            if self.line()?.is_empty() {
                return Ok(body);
            }
        }
        Err(Failure::Bad("too many lines follow the last chunk".to_owned()))
    }

    fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.bytes.windows(2).take(1024).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
                self.bytes.drain(..end + 2);
                return Ok(line);
            }
            if self.bytes.len() > 1024 {
                return Err(Failure::Bad("the length of a chunk has more than 1,024 characters".to_owned()));
            }
            self.more()?;
        }
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Head)>, Failure> {
    let mut places = [httparse::EMPTY_HEADER; limits::HEADERS];
    let mut parsed = httparse::Response::new(&mut places);
    let bytes = &bytes[..bytes.len().min(limits::HEAD)];
    match parsed.parse(bytes) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(length)) => {
            let text = |header: &httparse::Header<'_>| {
                (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned())
            };
            let headers = parsed.headers.iter().map(text).collect();
            Ok(Some((length, (parsed.code.unwrap_or_default(), headers))))
        }
        Err(httparse::Error::TooManyHeaders) => {
            Err(Failure::TooLarge { what: "headers", found: "too many".to_owned(), limit: limits::HEADERS })
        }
        Err(error) => Err(Failure::Bad(format!("it is not HTTP ({error})"))),
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

/// How the end of the body is found. An answer that says two things is refused (RFC 9112 6.3).
fn framing(headers: &[(String, String)]) -> Result<Framing, Failure> {
    let all = |name: &str| -> Vec<&str> {
        headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    };
    let lengths = all("Content-Length");
    match (all("Transfer-Encoding").as_slice(), lengths.as_slice()) {
        ([one], []) if one.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        ([], [one]) => length(one).map(Framing::Length),
        ([], []) => Err(Failure::Bad("it does not say how long it is".to_owned())),
        _ => Err(Failure::Bad("it says in more than one way how long it is".to_owned())),
    }
}

fn length(text: &str) -> Result<usize, Failure> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(Failure::Bad(format!("'{text}' is not a length")));
    }
    // Digits that do not fit are a number beyond every limit.
    text.parse().map_err(|_| Failure::TooLarge { what: "a body", found: format!("{text} bytes"), limit: limits::BODY })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(text: &str) -> Result<Response, Failure> {
        read(&mut text.as_bytes())
    }

    #[test]
    fn bodies_with_a_length_and_in_chunks() {
        let plain = answer("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nA: b\r\n\r\nhello").unwrap();
        assert_eq!((plain.status, plain.body.as_slice(), plain.first("a")), (200, b"hello".as_slice(), "b"));
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n\
                    3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n";
        let chunked = answer(text).unwrap();
        assert_eq!((chunked.status, chunked.body.as_slice()), (500, b"hello".as_slice()));
        assert!(answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: a, Close\r\n\r\n").unwrap().closes());
    }

    #[test]
    fn what_is_no_good_answer_is_refused() {
        let head = "HTTP/1.1 200 OK\r\n";
        for rest in [
            "\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
            "Content-Length: +1\r\n\r\nx",
            "Content-Length: 1\r\n\r\nxy",
            "Transfer-Encoding: gzip\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
        ] {
            assert!(matches!(answer(&format!("{head}{rest}")), Err(Failure::Bad(_))), "{rest}");
        }
        assert!(matches!(answer("SSH-2.0-x\r\n\r\n"), Err(Failure::Bad(_))));
        assert!(matches!(answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), Err(Failure::Closed { .. })));
        assert!(matches!(answer(""), Err(Failure::Closed { received: 0 })));
    }

    #[test]
    fn huge_lengths_take_no_memory() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n".to_owned(),
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", "9".repeat(100)),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n".to_owned(),
            format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(limits::HEAD)),
            format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(limits::HEADERS + 1)),
        ] {
            assert!(matches!(answer(&text), Err(Failure::TooLarge { .. })), "{}", &text[..40]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&mut bytes.as_slice());
        }

        #[test]
        fn a_changed_answer_is_an_answer_or_an_error(at in 0usize..90, byte in any::<u8>()) {
            let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n".to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = read(&mut bytes.as_slice());
        }
    }
}
