//! Sector bitmaps: one bit for each logical sector of a chunk, the first sector in **bit 0** of byte 0 (in VHD it is
//! bit 7). A set bit: the sector lies in this file; a clear bit: it is the parent's.

/// Whether the bit of `sector` is set, and how many sectors from there on, at most `limit`, have the same bit.
pub(super) fn run(bitmap: &[u8], sector: u64, limit: u64) -> (bool, u64) {
    let bit = |sector: u64| {
        let byte = usize::try_from(sector / 8).ok().and_then(|at| bitmap.get(at)).copied().unwrap_or(0);
        byte >> (sector % 8) & 1 == 1
    };
    let value = bit(sector);
    let whole = if value { 0xFF } else { 0 };
    let mut len = 1;
    while len < limit {
        let next = sector + len;
        if next.is_multiple_of(8) && bitmap.get((next / 8) as usize) == Some(&whole) {
            len += 8;
        } else if bit(next) == value {
            len += 1;
        } else {
            break;
        }
    }
    (value, len.min(limit.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sector_is_the_lowest_bit() {
        // 1000_0001 1111_1111 0000_0000 0000_0010
        let bitmap = [0x81, 0xFF, 0x00, 0x02];
        assert_eq!(run(&bitmap, 0, 32), (true, 1));
        assert_eq!(run(&bitmap, 1, 31), (false, 6));
        assert_eq!(run(&bitmap, 7, 25), (true, 9));
        assert_eq!(run(&bitmap, 16, 16), (false, 9));
        assert_eq!(run(&bitmap, 25, 7), (true, 1));
        assert_eq!(run(&bitmap, 8, 3), (true, 3));
    }

    #[test]
    fn runs_agree_with_single_bits() {
        let bitmap: Vec<u8> = (0u32..64).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let bit = |n: u64| bitmap[(n / 8) as usize] >> (n % 8) & 1 == 1;
        let mut at = 0;
        while at < 512 {
            let (value, len) = run(&bitmap, at, 512 - at);
            assert!((at..at + len).all(|n| bit(n) == value));
            assert!(at + len == 512 || bit(at + len) != value);
            at += len;
        }
    }
}
