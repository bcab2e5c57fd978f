//! CRC-32C (Castagnoli), the checksum of every VHDX structure that has one: reflected polynomial 0x82F63B78, first and
//! last value inverted.

/// A checksum over bytes that come in pieces.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Crc(u32);

impl Crc {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, bytes);
    }

    pub(super) fn value(self) -> u32 {
        self.0
    }
}

/// The checksum of a structure: over all its bytes, its own four at offset 4 taken as zero.
pub(super) fn of_structure(bytes: &[u8]) -> u32 {
    let mut crc = Crc::default();
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
        let mut crc = Crc::default();
        crc.add(b"12345");
        crc.add(b"6789");
        assert_eq!(crc.value(), 0xE306_9283);
        // RFC 3720, B.4: 32 bytes of zeros.
        let mut crc = Crc::default();
        crc.add(&[0; 32]);
        assert_eq!(crc.value(), 0x8A91_36AA);
        // The same, 32 bytes of ones and the numbers from 0 up.
        for (bytes, expected) in [([0xFF; 32], 0x62A8_AB43), (std::array::from_fn(|n| n as u8), 0x46DD_794E)] {
            let mut crc = Crc::default();
            crc.add(&bytes);
            assert_eq!(crc.value(), expected);
        }
    }
}
