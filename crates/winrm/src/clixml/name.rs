//! Texts of CLIXML (MS-PSRP 2.2.5.3.2): what XML does not have, and what would look like an escape, is written as `_xHHHH_`,
//! one for each UTF-16 unit.

use std::fmt::Write;

/// Escapes a text; the result has only characters of XML.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let looks_like_escape = c == '_' && matches!(chars.peek(), Some('x' | 'X'));
        let is_plain = matches!(c, ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}');
        if is_plain && !looks_like_escape {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(out, "_x{unit:04X}_").expect("a string takes everything");
        }
    }
    out
}

/// The opposite. Half of a surrogate pair becomes the replacement character.
pub(super) fn unescape(text: &str) -> String {
    if !text.contains("_x") && !text.contains("_X") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut units = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(unit) = unit(rest) {
            units.push(unit);
            rest = &rest[7..];
            continue;
        }
        flush(&mut units, &mut out);
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    flush(&mut units, &mut out);
    out
}

fn flush(units: &mut Vec<u16>, out: &mut String) {
    out.push_str(&String::from_utf16_lossy(units));
    units.clear();
}

/// The unit of an escape at the beginning of a text.
fn unit(text: &str) -> Option<u16> {
    let bytes = text.as_bytes().get(..7)?;
    let digits = bytes.get(2..6)?;
    let is_escape = bytes[0] == b'_' && matches!(bytes[1], b'x' | b'X') && bytes[6] == b'_';
    if !is_escape || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
