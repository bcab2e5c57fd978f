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
    // What is copied may begin in what it makes: what lies behind `from` grows with each step.
    let mut copied = 0;
    while copied < len {
        let step = (distance + copied).min(len - copied);
        out.copy_within(from..from + step, done + copied);
        copied += step;
    }
    Some(done + len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_copied_unpacked_and_padded() {
        // Packed: "abc" and 6 bytes from 3 back. Stored: "xy". Then the end.
        let packed = [0x05, 0xB0, 0x08, b'a', b'b', b'c', 0x03, 0x20, 0x01, 0x30, b'x', b'y', 0, 0];
        let mut out = [0xA5; 2 * CHUNK + 10];
        unpack(&packed, &mut out).unwrap();
        assert_eq!(&out[..10], b"abcabcabc\0");
        assert_eq!(&out[CHUNK..CHUNK + 3], b"xy\0");
        assert!(out[CHUNK + 3..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_length_of_a_distance_grows_with_the_place() {
        // 17 letters; from the 17th byte on a distance has 5 bits: 17 back, 3 long.
        let mut packed = vec![0x15, 0xB0, 0x00];
        packed.extend(b"abcdefgh\0ijklmnop\x02q");
        packed.extend(((16_u16) << 11).to_le_bytes());
        let mut out = [0; CHUNK];
        unpack(&packed, &mut out).unwrap();
        assert_eq!(&out[..21], b"abcdefghijklmnopqabc\0");
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
