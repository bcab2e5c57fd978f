//! The guest of the machine that boots: a boot sector that prints the sizes and checksums of its disks on the first
//! serial port, and the text that it must print. The source is `boot.asm`, the assembled bytes are `boot.bin`.

use crate::vhd::ContentModel;
use std::fmt::Write;

/// The boot sector.
pub const BOOT_SECTOR: &[u8; 512] = include_bytes!("boot.bin");

/// Number of sectors at the beginning of each disk over which the guest computes its checksum.
pub const SUMMED_SECTORS: u64 = 2048;

/// What the guest prints when these disks are the BIOS disks 80h, 81h and so on.
///
/// Panics when a disk is shorter than [`SUMMED_SECTORS`].
#[must_use]
pub fn expected_serial(disks: &[&ContentModel]) -> String {
    let mut text = "HVM-GUEST BEGIN\r\n".to_owned();
    for (number, disk) in (0x80..).zip(disks) {
        assert!(disk.sector_count() >= SUMMED_SECTORS, "the guest reads {SUMMED_SECTORS} sectors of each disk");
        let line = format!("DISK {number:02X} SECTORS {:08X} SUM {:08X}\r\n", disk.sector_count(), checksum(disk));
        text.write_str(&line).expect("writing to a text cannot fail");
    }
    text + "HVM-GUEST END\r\n"
}

/// The guest's checksum: for each dword rotate left by one, then add.
#[must_use]
pub fn checksum(disk: &ContentModel) -> u32 {
    (0..SUMMED_SECTORS)
        .flat_map(|sector| disk.sector(sector))
        .collect::<Vec<u8>>()
        .chunks_exact(4)
        .fold(0u32, |sum, dword| {
            sum.rotate_left(1).wrapping_add(u32::from_le_bytes(dword.try_into().expect("four bytes")))
        })
}
