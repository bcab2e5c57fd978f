//! Sealed messages inside of HTTP: `multipart/encrypted` with one part that says what is sealed and one that is it
//! (MS-WSMV 2.2.9.1). The sealing itself is the matter of the authentication.

use hvm_login::Sealed;

use crate::limits;

/// `Content-Type` of a sealed request. The protocol is that of `Negotiate`, whichever mechanism was negotiated.
pub(crate) const CONTENT_TYPE: &str =
    "multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted Boundary\"";

/// The body of a request. The tabs belong to the form; Windows wants them.
pub(crate) fn write(sealed: &Sealed) -> Vec<u8> {
    let mut body = format!(
        "--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\
         \tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={}\r\n\
         --Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n",
        sealed.length
    )
    .into_bytes();
    let signature = u32::try_from(sealed.signature.len()).expect("a signature has some dozens of bytes");
    body.extend(signature.to_le_bytes());
    body.extend(&sealed.signature);
    body.extend(&sealed.data);
    body.extend(b"--Encrypted Boundary--\r\n");
    body
}

/// Whether an answer says that it is sealed.
pub(crate) fn is_sealed(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("multipart/encrypted")
}

/// Reads the body of an answer. The sealed bytes may hold anything, the boundary too; so they are found by their place and
/// checked against the length, never searched for.
pub(crate) fn read(body: &[u8], content_type: &str) -> Result<Sealed, String> {
    let boundary = boundary(content_type).ok_or("its type names no boundary")?;
    let mut rest = Part { bytes: body };
    rest.delimiter(boundary)?;
    let length = rest.original_length()?;
    rest.delimiter(boundary)?;
    let line = rest.line()?;
    if header(line, "Content-Type").is_none_or(|value| !value.eq_ignore_ascii_case("application/octet-stream")) {
        return Err("its second part is not sealed data".to_owned());
    }
    let bytes = rest.before_the_end(boundary)?;
    let (head, bytes) = bytes.split_first_chunk::<4>().ok_or("it has no signature")?;
    let size = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
    if size > limits::SIGNATURE || size > bytes.len() {
        return Err(format!("its signature should have {size} bytes"));
    }
    let (signature, data) = bytes.split_at(size);
    // NTLM and AES need no filling; old ciphers of Kerberos add some bytes, counted in the length or not.
    if data.len() < length || data.len() - length > 16 {
        return Err(format!("it should have {length} sealed bytes and has {}", data.len()));
    }
    Ok(Sealed { signature: signature.to_vec(), data: data.to_vec(), length })
}

fn boundary(content_type: &str) -> Option<&str> {
    let value = content_type.split(';').map(str::trim).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    })?;
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    (!value.is_empty() && value.len() <= 70).then_some(value)
}

fn header<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.split_once(':')?;
    key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
}

struct Part<'a> {
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    fn line(&mut self) -> Result<&'a str, String> {
        let end = self.bytes.windows(2).take(512).position(|pair| pair == b"\r\n").ok_or("a line does not end")?;
        let (line, rest) = self.bytes.split_at(end);
        self.bytes = rest.get(2..).unwrap_or_default();
        std::str::from_utf8(line).map_err(|_| "a line is not text".to_owned())
    }

    /// `--` and the boundary; some servers put a space between them.
    fn delimiter(&mut self, boundary: &str) -> Result<(), String> {
        let line = self.line()?;
        let found = line.strip_prefix("--").map(str::trim);
        if found == Some(boundary) { Ok(()) } else { Err(format!("'{line}' stands where a part should begin")) }
    }

    /// The headers of the first part, which say how long the message is.
    fn original_length(&mut self) -> Result<usize, String> {
        for _ in 0..4 {
            let line = self.line()?;
            let Some(value) = header(line, "OriginalContent") else { continue };
            let length = value.split(';').find_map(|part| part.trim().strip_prefix("Length="));
            return length.and_then(|text| text.parse().ok()).ok_or_else(|| format!("'{line}' names no length"));
        }
        Err("it does not say what is sealed".to_owned())
    }

    /// Everything up to the closing delimiter, which must be the last thing.
    fn before_the_end(&self, boundary: &str) -> Result<&'a [u8], String> {
        let bytes = self.bytes.strip_suffix(b"\r\n").unwrap_or(self.bytes);
        let closing = |space: &str| format!("--{space}{boundary}--").into_bytes();
        let found = bytes.strip_suffix(closing("").as_slice()).or_else(|| bytes.strip_suffix(closing(" ").as_slice()));
        found.ok_or_else(|| "its end is missing".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Sealed {
        Sealed { signature: vec![7; 16], data: b"--Encrypted Boundary--\r\nx".to_vec(), length: 25 }
    }

    #[test]
    fn what_is_written_can_be_read() {
        assert_eq!(read(&write(&sample()), CONTENT_TYPE), Ok(sample()));
        assert!(is_sealed(CONTENT_TYPE) && !is_sealed("application/soap+xml"));
    }

    #[test]
    fn a_space_in_the_boundary_is_taken() {
        let text =
            String::from_utf8_lossy(&write(&Sealed { data: b"abc".to_vec(), length: 3, ..sample() })).into_owned();
        assert!(read(text.replace("--Encrypted", "-- Encrypted").as_bytes(), CONTENT_TYPE).is_ok());
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        for (length, change) in [(24, "Length=25"), (99, "Length=25")] {
            let mut sealed = sample();
            sealed.length = length;
            let read = read(&write(&sealed), CONTENT_TYPE);
            assert_eq!(read.is_err(), length > 25, "{change}");
        }
        let mut body = write(&sample());
        let at = body.windows(4).position(|four| four == 16u32.to_le_bytes()).unwrap();
        body[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read(&body, CONTENT_TYPE).unwrap_err().contains("4294967295"));
        assert!(read(&write(&sample()), "multipart/encrypted").is_err());
    }

    proptest! {
        #[test]
        fn changed_and_random_bytes_are_read_or_refused(at in 0usize..400, byte in any::<u8>(), cut in 0usize..400) {
            let mut body = write(&sample());
            let end = body.len();
            body[at % end] = byte;
            let _ = read(&body, CONTENT_TYPE);
            let _ = read(&body[..cut % end], CONTENT_TYPE);
        }
    }
}
