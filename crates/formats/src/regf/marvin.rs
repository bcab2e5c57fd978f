//! Marvin32, the hash of new-format log entries, with the fixed seed that Windows uses there.

/// 14219357686671994754, little endian.
const SEED: u64 = 0xC555_4E7A_884D_EF82;

/// The hash of `bytes` as log entries carry it.
pub(super) fn marvin32(bytes: &[u8]) -> u64 {
    hash(SEED, bytes)
}

fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let (mut low, mut high) = (seed as u32, (seed >> 32) as u32);
    let mut mix = |word: u32| {
        low = low.wrapping_add(word);
        high ^= low;
        low = low.rotate_left(20).wrapping_add(high);
        high = high.rotate_left(9) ^ low;
        low = low.rotate_left(27).wrapping_add(high);
        high = high.rotate_left(19);
    };
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        mix(u32::from_le_bytes(*word));
    }
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(rest.iter().chain(&[0x80])) {
        *to = *from;
    }
    mix(u32::from_le_bytes(last));
    mix(0);
    u64::from(high) << 32 | u64::from(low)
}

#[cfg(test)]
mod tests {
    /// The published test vectors of the .NET runtime for the seed 0x004FB61A001BDBCC.
    #[test]
    fn published_vectors() {
        let hash = |bytes: &[u8]| super::hash(0x004F_B61A_001B_DBCC, bytes);
        assert_eq!(hash(&[]), 0x30ED_35C1_00CD_3C7D);
        assert_eq!(hash(&[0xAF]), 0x48E7_3FC7_7D75_DDC1);
        assert_eq!(hash(&[0xE7, 0x0F]), 0xB5F6_E1FC_485D_BFF8);
        assert_eq!(hash(&[0x37, 0xF4, 0x95]), 0xF0B0_7C78_9B8C_F7E8);
        assert_eq!(hash(&[0x86, 0x42, 0xDC, 0x59]), 0x7008_F2E8_7E9C_F556);
    }
}
