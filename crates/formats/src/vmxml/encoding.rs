//! Bytes to text and back: byte-order mark, UTF-16 in both orders, UTF-8. The XML declaration is not asked, because files
//! that were edited by hand are ASCII and still declare UTF-16.

use super::VmXmlError;

/// How the characters of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-16, little endian: what Hyper-V writes.
    Utf16Le,
    /// UTF-16, big endian.
    Utf16Be,
    /// UTF-8 or ASCII.
    Utf8,
}

/// How lines of new text end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// Carriage return and line feed: what Hyper-V writes.
    CrLf,
    /// Line feed only.
    Lf,
}

impl LineEnd {
    /// The characters.
    pub fn text(self) -> &'static str {
        match self {
            LineEnd::CrLf => "\r\n",
            LineEnd::Lf => "\n",
        }
    }
}

/// Everything about the bytes that is not the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextForm {
    /// How characters are stored.
    pub encoding: Encoding,
    /// Whether a byte-order mark comes first.
    pub mark: bool,
    /// How new lines end; lines that were read keep their own end.
    pub line_end: LineEnd,
}

impl TextForm {
    /// The form of every file that Hyper-V itself wrote.
    pub const HYPER_V: TextForm = TextForm { encoding: Encoding::Utf16Le, mark: true, line_end: LineEnd::CrLf };
}

/// Takes the bytes of a file apart into form and text.
pub(super) fn decode(bytes: &[u8], file: &str) -> Result<(TextForm, String), VmXmlError> {
    let (encoding, mark, body) = recognise(bytes);
    let offset = bytes.len() - body.len();
    let text = match encoding {
        Encoding::Utf8 => utf8(body, offset, file)?,
        Encoding::Utf16Le => utf16(body, offset, file, (u16::from_le_bytes, "UTF-16LE"))?,
        Encoding::Utf16Be => utf16(body, offset, file, (u16::from_be_bytes, "UTF-16BE"))?,
    };
    let line_end = match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => LineEnd::CrLf,
        Some(_) => LineEnd::Lf,
        None => LineEnd::CrLf,
    };
    Ok((TextForm { encoding, mark, line_end }, text))
}

/// Puts text back into bytes.
pub(super) fn encode(form: TextForm, text: &str) -> Vec<u8> {
    let marked = if form.mark { "\u{FEFF}" } else { "" };
    match form.encoding {
        Encoding::Utf8 => [marked.as_bytes(), text.as_bytes()].concat(),
        Encoding::Utf16Le => marked.encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16Be => marked.encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect(),
    }
}

fn recognise(bytes: &[u8]) -> (Encoding, bool, &[u8]) {
    match bytes {
        [0xFF, 0xFE, body @ ..] => (Encoding::Utf16Le, true, body),
        [0xFE, 0xFF, body @ ..] => (Encoding::Utf16Be, true, body),
        [0xEF, 0xBB, 0xBF, body @ ..] => (Encoding::Utf8, true, body),
        // Without a mark: the first character of XML is ASCII, so one of its two bytes is zero.
        [first, 0, ..] if *first != 0 => (Encoding::Utf16Le, false, bytes),
        [0, second, ..] if *second != 0 => (Encoding::Utf16Be, false, bytes),
        _ => (Encoding::Utf8, false, bytes),
    }
}

fn utf8(body: &[u8], start: usize, file: &str) -> Result<String, VmXmlError> {
    String::from_utf8(body.to_vec()).map_err(|e| VmXmlError::NotText {
        file: file.to_owned(),
        encoding: "UTF-8",
        offset: start + e.utf8_error().valid_up_to(),
        found: "a byte sequence that UTF-8 does not have".to_owned(),
    })
}

fn utf16(
    body: &[u8],
    start: usize,
    file: &str,
    (read, encoding): (fn([u8; 2]) -> u16, &'static str),
) -> Result<String, VmXmlError> {
    let (pairs, rest) = body.as_chunks::<2>();
    if !rest.is_empty() {
        let found = "a single byte at the end of the file".to_owned();
        return Err(VmXmlError::NotText { file: file.to_owned(), encoding, offset: start + pairs.len() * 2, found });
    }
    let mut text = String::with_capacity(body.len() / 2);
    let mut offset = start;
    for unit in char::decode_utf16(pairs.iter().map(|pair| read(*pair))) {
        match unit {
            Ok(c) => {
                offset += c.len_utf16() * 2;
                text.push(c);
            }
            Err(e) => {
                let found = format!("a surrogate without its other half (0x{:04X})", e.unpaired_surrogate());
                return Err(VmXmlError::NotText { file: file.to_owned(), encoding, offset, found });
            }
        }
    }
    Ok(text)
}
