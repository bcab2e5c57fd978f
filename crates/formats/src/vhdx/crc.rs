//! CRC-32C (Castagnoli), the checksum of every VHDX structure that has one: reflected polynomial 0x82F63B78, first and
//! last value inverted.

/// Eight tables, so that eight bytes go at once: every file begins with 136 KiB of structures under a checksum.
const TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
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
    while table < 8 {
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

/// A checksum over bytes that come in pieces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crc(u32);

impl Crc {
    pub(super) fn new() -> Self {
        Crc(u32::MAX)
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let (groups, rest) = bytes.as_chunks::<8>();
        for group in groups {
            let mixed = u64::from_le_bytes(*group) ^ u64::from(self.0);
            let of = |table: usize| TABLES[7 - table][usize::from((mixed >> (8 * table)) as u8)];
            self.0 = of(0) ^ of(1) ^ of(2) ^ of(3) ^ of(4) ^ of(5) ^ of(6) ^ of(7);
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
