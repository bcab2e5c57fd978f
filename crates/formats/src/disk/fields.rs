//! Numbers out of header bytes. A place outside the bytes gives zero: each caller reads a header of fixed length, so
//! that this never happens, and no place can panic.

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let end = at.saturating_add(N);
    bytes.get(at..end).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}

/// Big-endian 16 bits at `at`.
pub(crate) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(array(bytes, at))
}

/// Big-endian 32 bits at `at`.
pub(crate) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(array(bytes, at))
}

/// Big-endian 64 bits at `at`.
pub(crate) fn be64(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(array(bytes, at))
}

/// Little-endian 16 bits at `at`.
pub(crate) fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

/// Little-endian 32 bits at `at`.
pub(crate) fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

/// Little-endian 64 bits at `at`.
pub(crate) fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

/// `N` bytes at `at`.
pub(crate) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    array(bytes, at)
}

/// Writes `value` at `at`; a place outside the buffer is a mistake of this crate, as the buffers are of fixed length.
pub(crate) fn put(buffer: &mut [u8], at: usize, value: &[u8]) {
    buffer[at..at + value.len()].copy_from_slice(value);
}

/// Sixteen bytes as a lower-case GUID in the order in which they lie.
pub(crate) fn guid(id: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in id.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The first three fields of a GUID turned between the byte order of Windows files (little-endian) and that of its text.
pub(crate) fn swap_guid(id: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = id;
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

/// Sixteen bytes of a Windows structure as a lower-case GUID: the first three fields are little-endian.
pub(crate) fn guid_le(id: &[u8; 16]) -> String {
    guid(&swap_guid(*id))
}
