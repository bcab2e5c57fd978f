//! Text of GUIDs to bytes: disk identifiers are stored in the order of the text (VHD).

/// The sixteen bytes of a GUID in the order in which its digits are written, which is how a VHD stores identifiers.
///
/// Panics when `text` does not hold 32 hexadecimal digits: identifiers here are constants of the code.
#[must_use]
pub fn plain_bytes(text: &str) -> [u8; 16] {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).expect("a hexadecimal digit")).collect();
    assert_eq!(digits.len(), 32, "{text} is not a GUID");
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    bytes
}
