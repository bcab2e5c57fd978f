//! CRC-32 as zlib computes it (polynomial 0xEDB88320, reflected), which every structure of this format carries.

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
}

/// The checksum of `parts`, one after the other.
pub fn crc32(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(u32::MAX, |sum, byte| sum >> 8 ^ TABLE[usize::from(sum as u8 ^ byte)])
}

/// The checksum of `bytes` with four zeros where its own field is, at `field`.
pub(super) fn without(bytes: &[u8], field: usize) -> u32 {
    let before = bytes.get(..field).unwrap_or_default();
    let behind = bytes.get(field + 4..).unwrap_or_default();
    crc32(&[before, &[0; 4], behind])
}
