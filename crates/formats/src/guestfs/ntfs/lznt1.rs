//! LZNT1, the compression of NTFS files ([MS-XCA] 2.5): chunks of at most 4096 bytes, each by itself.

/// Bytes of a chunk when unpacked.
pub(super) const CHUNK: usize = 4096;

/// Unpacks `packed` into `out`, a chunk each 4096 bytes; what is not covered stays zero. The error is the place in `packed`.
pub(super) fn unpack(packed: &[u8], out: &mut [u8]) -> Result<(), usize> {
    out.fill(0);
    let mut at = 0;
    for target in out.chunks_mut(CHUNK) {
        let Some([low, high]) = packed.get(at..at + 2) else { return Ok(()) };
        let head = u16::from_le_bytes([*low, *high]);
        if head == 0 {
            return Ok(());
        }
        let start = at + 2;
        let end = start + usize::from(head & 0xFFF) + 1;
        let body = packed.get(start..end).ok_or(at)?;
        if head & 0x8000 == 0 {
            target.get_mut(..body.len()).ok_or(at)?.copy_from_slice(body);
        } else {
            chunk(body, target).map_err(|place| start + place)?;
        }
        at = end;
    }
    Ok(())
}

fn chunk(body: &[u8], out: &mut [u8]) -> Result<(), usize> {
    let (mut at, mut done) = (0, 0);
    while let Some(flags) = body.get(at) {
        at += 1;
        for bit in 0..8 {
            let Some(byte) = body.get(at) else { return Ok(()) };
            if flags >> bit & 1 == 0 {
                *out.get_mut(done).ok_or(at)? = *byte;
                at += 1;
                done += 1;
                continue;
            }
            let token = u16::from_le_bytes([*byte, *body.get(at + 1).ok_or(at)?]);
            done = copy(token, done, out).ok_or(at)?;
            at += 2;
        }
    }
    Ok(())
}

/// Copies what was unpacked before; the further on in the chunk, the more bits of the token are distance.
fn copy(token: u16, done: usize, out: &mut [u8]) -> Option<usize> {
    let last = done.checked_sub(1)?;
    let distance_bits = (usize::BITS - (last >> 4).leading_zeros()) + 4;
    let len_bits = 16_u32.checked_sub(distance_bits)?;
    let len = usize::from(token & ((1_u16 << len_bits) - 1)) + 3;
    let distance = usize::from(token >> len_bits) + 1;
    let from = done.checked_sub(distance)?;
    if done + len > out.len() {
        return None;
    }
    for index in 0..len {
        out[done + index] = out[from + index];
    }
    Some(done + len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        // [MS-XCA] 3.1: "F# F# G A A G F# E D F# E F# F# ..." unpacked from 88 bytes.
        let packed: [u8; 0x3A] = [
            0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xa2, 0x47, 0x01, 0xa0, 0x45,
            0x20, 0x44, 0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xc0, 0x45, 0x20, 0x05, 0x24, 0x13, 0x88, 0x05, 0xb4,
            0x02, 0x4a, 0x44, 0xef, 0x03, 0x58, 0x02, 0x8c, 0x09, 0x16, 0x01, 0x48, 0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00,
            0x04, 0x01, 0x18, 0x90,
        ];
        let mut out = [0; CHUNK];
        unpack(&packed, &mut out).unwrap();
        let text = "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# G F# E D E A \
                    F# F# G A A G F# E D D E F# E D D";
        assert_eq!(&out[..text.len()], text.as_bytes());
    }

    #[test]
    fn distances_before_the_chunk_and_lengths_past_it_are_errors() {
        let mut out = [0; CHUNK];
        assert_eq!(unpack(&[0x02, 0xB0, 0x01, 0x00, 0x00], &mut out), Err(3));
        assert_eq!(unpack(&[0x03, 0xB0, 0x02, b'a', 0x00, 0x10], &mut out), Err(4));
        assert_eq!(unpack(&[0xFF, 0xBF, 0x00], &mut out), Err(0));
        assert_eq!(unpack(&[0x03, 0xB0, 0x02, b'a', 0xFF, 0x0F], &mut out), Err(4));
    }
}
