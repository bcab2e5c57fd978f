//! CRC-32C (Castagnoli), the checksum of every VHDX structure that has one: reflected polynomial 0x82F63B78, first and
//! last value inverted.

/// Sixteen tables, so that sixteen bytes go at once: every file begins with 136 KiB of structures under a checksum.
const TABLES: [[u32; 256]; 16] = {
    let mut tables = [[0; 256]; 16];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0x82F6_3B78 } else { value >> 1 };
            bit += 1;
        }
        tables[0][index] = value;
        index += 1;
    }
    let mut table = 1;
    while table < 16 {
        let mut index = 0;
        while index < 256 {
            let before = tables[table - 1][index];
            tables[table][index] = before >> 8 ^ tables[0][(before & 0xFF) as usize];
            index += 1;
        }
        table += 1;
    }
    tables
};

/// Bytes of a run of zeros that is passed at once: region tables, headers and tables are nearly all zeros.
const RUN: usize = 512;

/// What [`RUN`] zeros make of a checksum, by each of its four bytes: the step is linear.
const ZEROS: [[u32; 256]; 4] = {
    let mut of_bit = [0; 32];
    let mut bit = 0;
    while bit < 32 {
        let mut value = 1u32 << bit;
        let mut count = 0;
        while count < RUN {
            value = TABLES[0][(value & 0xFF) as usize] ^ value >> 8;
            count += 1;
        }
        of_bit[bit] = value;
        bit += 1;
    }
    let mut tables = [[0; 256]; 4];
    let mut at = 0;
    while at < 4 * 256 * 8 {
        let (table, byte, bit) = (at / 2048, at / 8 % 256, at % 8);
        if byte >> bit & 1 == 1 {
            tables[table][byte] ^= of_bit[table * 8 + bit];
        }
        at += 1;
    }
    tables
};

/// A checksum over bytes that come in pieces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crc(u32);

impl Crc {
    pub(super) fn new() -> Self {
        Crc(u32::MAX)
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let (runs, rest) = bytes.as_chunks::<RUN>();
        for run in runs {
            if *run == [0; RUN] {
                let of = |table: usize| ZEROS[table][usize::from((self.0 >> (8 * table)) as u8)];
                self.0 = of(0) ^ of(1) ^ of(2) ^ of(3);
            } else {
                self.add_groups(run);
            }
        }
        self.add_groups(rest);
    }

    fn add_groups(&mut self, bytes: &[u8]) {
        let (groups, rest) = bytes.as_chunks::<16>();
        for group in groups {
            let mixed = u128::from_le_bytes(*group) ^ u128::from(self.0);
            let (low, high) = (mixed as u64, (mixed >> 64) as u64);
            let of = |word: u64, byte: usize, table: usize| TABLES[table][usize::from((word >> (8 * byte)) as u8)];
            let half = |word: u64, table: usize| {
                let first =
                    of(word, 0, table) ^ of(word, 1, table - 1) ^ of(word, 2, table - 2) ^ of(word, 3, table - 3);
                let table = table - 4;
                first ^ of(word, 4, table) ^ of(word, 5, table - 1) ^ of(word, 6, table - 2) ^ of(word, 7, table - 3)
            };
            // The second half waits for nothing.
            self.0 = half(low, 15) ^ half(high, 7);
        }
        self.0 = rest.iter().fold(self.0, |sum, byte| TABLES[0][usize::from(sum as u8 ^ byte)] ^ sum >> 8);
    }

    pub(super) fn value(self) -> u32 {
        !self.0
    }
}

/// The checksum of a structure: over all its bytes, its own four at offset 4 taken as zero.
pub(super) fn of_structure(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.add(bytes.get(..4).unwrap_or_default());
    crc.add(&[0; 4]);
    crc.add(bytes.get(8..).unwrap_or_default());
    crc.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_zeros_count_like_any_bytes() {
        for place in [0, 1, 511, 512, 3000, 5119] {
            let mut bytes = vec![0; 5120];
            bytes[place] = 0x5A;
            let by_one = bytes.iter().fold(u32::MAX, |sum, byte| TABLES[0][usize::from(sum as u8 ^ byte)] ^ sum >> 8);
            let mut crc = Crc::new();
            crc.add(&bytes);
            assert_eq!(crc.value(), !by_one, "{place}");
        }
    }

    #[test]
    fn the_check_value_of_the_polynomial() {
        let mut crc = Crc::new();
        crc.add(b"12345");
        crc.add(b"6789");
        assert_eq!(crc.value(), 0xE306_9283);
        // RFC 3720, B.4: 32 bytes of zeros.
        let mut crc = Crc::new();
        crc.add(&[0; 32]);
        assert_eq!(crc.value(), 0x8A91_36AA);
        // The same, 32 bytes of ones and the numbers from 0 up.
        for (bytes, expected) in [([0xFF; 32], 0x62A8_AB43), (std::array::from_fn(|n| n as u8), 0x46DD_794E)] {
            let mut crc = Crc::new();
            crc.add(&bytes);
            assert_eq!(crc.value(), expected);
        }
    }
}
