//! What partition types mean. The type says what a partition is meant for, not what is in it.

/// Meaning of an MBR type; empty when it is not known.
pub(super) fn mbr_type(kind: u8) -> &'static str {
    match kind {
        0x01 => "FAT12",
        0x04 | 0x06 | 0x0E => "FAT16",
        0x07 => "NTFS, exFAT or ReFS",
        0x0B | 0x0C => "FAT32",
        0x11 | 0x14 | 0x16 | 0x1B | 0x1C | 0x1E => "hidden FAT",
        0x17 => "hidden NTFS",
        0x12 => "vendor diagnostics",
        0x27 => "Windows recovery",
        0x42 => "Windows dynamic disk (LDM)",
        0x82 => "Linux swap",
        0x83 => "Linux",
        0x8E => "Linux LVM",
        0xA5 => "FreeBSD",
        0xA6 => "OpenBSD",
        0xBF => "Solaris",
        0xEE => "GPT protection",
        0xEF => "EFI system",
        0xFD => "Linux RAID",
        _ => "",
    }
}

/// Meaning of a GPT type; empty when it is not known.
pub(super) fn gpt_type(kind: &str) -> &'static str {
    match kind {
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" => "EFI system",
        "e3c9e316-0b5c-4db8-817d-f92df00215ae" => "Microsoft reserved",
        "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7" => "Windows basic data",
        "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3" => "Windows dynamic disk metadata (LDM)",
        "af9b60a0-1431-4f62-bc68-3311714a69ad" => "Windows dynamic disk data (LDM)",
        "de94bba4-06d1-4d40-a16a-bfd50179d6ac" => "Windows recovery",
        "e75caf8f-f680-4cee-afa3-b001e56efc2d" => "Windows storage spaces",
        "21686148-6449-6e6f-744e-656564454649" => "BIOS boot",
        "0fc63daf-8483-4772-8e79-3d69d8477de4" => "Linux",
        "4f68bce3-e8cd-4db1-96e7-fbcaf984b709" => "Linux root (x86-64)",
        "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f" => "Linux swap",
        "e6d6d379-f507-44c2-a23c-238f2a3df928" => "Linux LVM",
        "a19d880f-05fc-4d3b-a006-743f0f84911e" => "Linux RAID",
        "933ac7e1-2eb4-4f13-b844-0e14e2aef915" => "Linux home",
        "bc13c2ff-59e6-4262-a352-b275fd6f7172" => "Linux boot",
        _ => "",
    }
}
