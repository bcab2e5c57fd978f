//! Small files that are not disks of a chain: an ISO image, a floppy image, the files of a saved state.

use crate::vhd::ContentModel;

/// An ISO 9660 image without files: primary volume descriptor and terminator.
pub(super) fn iso() -> Vec<u8> {
    let mut image = vec![0u8; 24 * 2048];
    let descriptor = &mut image[16 * 2048..];
    descriptor[0] = 1;
    descriptor[1..6].copy_from_slice(b"CD001");
    descriptor[6] = 1;
    descriptor[8..40].fill(b' ');
    descriptor[40..72].fill(b' ');
    descriptor[40..50].copy_from_slice(b"SAMPLE_ISO");
    descriptor[80..84].copy_from_slice(&24u32.to_le_bytes());
    descriptor[84..88].copy_from_slice(&24u32.to_be_bytes());
    descriptor[2048] = 255;
    descriptor[2049..2054].copy_from_slice(b"CD001");
    descriptor[2054] = 1;
    image
}

/// A floppy image of 1.44 MB with an empty FAT12.
pub(super) fn floppy() -> Vec<u8> {
    let mut image = vec![0u8; 1_474_560];
    image[0..11].copy_from_slice(b"\xEB\x3C\x90MSDOS5.0");
    image[11..36].copy_from_slice(&[0, 2, 1, 1, 0, 2, 224, 0, 64, 11, 240, 9, 0, 18, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    image[510..512].copy_from_slice(&[0x55, 0xAA]);
    for fat in [512, 512 + 9 * 512] {
        image[fat..fat + 3].copy_from_slice(&[0xF0, 0xFF, 0xFF]);
    }
    image
}

/// Pseudo-random bytes, as nobody outside Microsoft can tell from memory or device state.
pub(super) fn rubbish(sectors: u64, seed: u64) -> Vec<u8> {
    let mut content = ContentModel::new(sectors * 512);
    content.fill(0, sectors, seed);
    content.to_vec()
}
