//! Partition tables made by sfdisk and sgdisk, and tables with damage of every kind.
#![allow(clippy::unwrap_used, missing_docs)]

mod guestfs_support;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use guestfs_support::{image, local, memory, text, tool};
use hvm_formats::guestfs::{Finding, FsKind, PartitionTable, TableKind, inspect_bytes, read_table};

const MIB: u64 = 1 << 20;

fn sfdisk(path: &std::path::Path, script: &str) -> bool {
    let child = Command::new("sfdisk").args(["-q", text(path)]).stdin(Stdio::piped()).spawn();
    let Ok(mut child) = child.inspect_err(|error| eprintln!("SKIPPED: sfdisk: {error}")) else { return false };
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    true
}

fn ranges(table: &PartitionTable) -> Vec<(u32, u64, u64, &str)> {
    table.partitions.iter().map(|part| (part.index, part.start, part.size, part.kind.as_str())).collect()
}

#[test]
fn primary_and_logical_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "disk.img", 64 * MIB);
    let script = "label: dos\nlabel-id: 0x1a2b3c4d\nstart=2048,size=20480,type=7,bootable\nstart=22528,size=2048,type=c\n\
                  start=30720,size=80000,type=f\nstart=32768,size=2048,type=83\nstart=40960,size=4096,type=82\nstart=49152,size=8192,type=42\n";
    if !sfdisk(&path, script) {
        return;
    }
    let table = read_table(&*local(&path), 512);
    assert_eq!(table.table, TableKind::Mbr { signature: 0x1A2B_3C4D });
    assert_eq!(table.findings, []);
    let expected = [
        (1, MIB, 10 * MIB, "0x07"),
        (2, 11 * MIB, MIB, "0x0c"),
        (5, 16 * MIB, MIB, "0x83"),
        (6, 20 * MIB, 2 * MIB, "0x82"),
        (7, 24 * MIB, 4 * MIB, "0x42"),
    ];
    assert_eq!(ranges(&table), expected);
    assert_eq!(table.partitions[0].attributes, 0x80);
    let contents = inspect_bytes(local(&path), 512);
    assert_eq!(contents.partitions[4].file_system.kind, FsKind::DynamicDisk);
    // The second record of the chain leads back to the first one, or out of the extended partition, or has no mark.
    let bytes = fs::read(&path).unwrap();
    let second =
        (0..bytes.len() - 512).step_by(512).filter(|at| bytes[at + 510..at + 512] == [0x55, 0xAA]).nth(2).unwrap();
    let damaged = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[second + at..second + at + value.len()].copy_from_slice(value);
        read_table(&*memory(bytes), 512)
    };
    let circle = damaged(462 + 8, &0_u32.to_le_bytes());
    assert!(matches!(circle.findings[..], [Finding::Chain { reason: "a second time", .. }]), "{:?}", circle.findings);
    assert_eq!(circle.partitions.len(), 4);
    let outside = damaged(462 + 8, &0x7FFF_FFFF_u32.to_le_bytes());
    assert!(matches!(outside.findings[..], [Finding::Chain { reason: "outside of the extended partition", .. }]));
    assert!(matches!(damaged(510, &[0]).findings[..], [Finding::NoExtendedMark { .. }]));
    let status = damaged(446, &[0]).findings;
    assert_eq!(status, []);
}

#[test]
fn boot_code_before_a_file_system_is_no_table() {
    let marks: [(usize, &[u8], FsKind); 3] = [
        (65600, b"_BHRfS_M", FsKind::Btrfs),
        (512, b"LABELONE\0\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0LVM2 001", FsKind::Lvm2),
        (4086, b"SWAPSPACE2", FsKind::Swap),
    ];
    for (at, mark, kind) in marks {
        let mut bytes = vec![0; MIB as usize];
        (bytes[0], bytes[510], bytes[511]) = (0xEB, 0x55, 0xAA);
        assert_eq!(inspect_bytes(memory(bytes.clone()), 512).table, TableKind::Mbr { signature: 0 });
        bytes[at..at + mark.len()].copy_from_slice(mark);
        let contents = inspect_bytes(memory(bytes.clone()), 512);
        assert_eq!((contents.table, contents.partitions.len()), (TableKind::None, 1), "{kind:?}");
        let whole = &contents.partitions[0];
        assert_eq!((whole.partition.index, whole.file_system.kind), (0, kind));
        // With one partition it is a table, whatever else stands there.
        bytes[446 + 4..446 + 16].copy_from_slice(&[0x83, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]);
        assert_eq!(inspect_bytes(memory(bytes), 512).table, TableKind::Mbr { signature: 0 });
    }
}

#[test]
fn odd_entries_of_an_mbr_are_told() {
    let mut bytes = vec![0; 1 << 20];
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    let mut entry = |number: usize, status: u8, kind: u8, range: (u32, u32)| {
        let at = 446 + 16 * number;
        bytes[at] = status;
        bytes[at + 4] = kind;
        bytes[at + 8..at + 12].copy_from_slice(&range.0.to_le_bytes());
        bytes[at + 12..at + 16].copy_from_slice(&range.1.to_le_bytes());
    };
    entry(0, 0x81, 7, (64, 200));
    entry(1, 0, 7, (100, 100));
    entry(2, 0, 0x83, (2000, 4000));
    entry(3, 0, 7, (0, 0));
    let table = read_table(&*memory(bytes), 512);
    let told: Vec<String> = table.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "Partition 1 has the status byte 0x81; 0x00 or 0x80 was expected.",
            "Entry 4 has the type 0x07 but starts at sector 0 with 0 sectors.",
            "Partition 3 ends at byte 3072000, the disk at 1048576.",
            "Partitions 1 and 2 overlap from byte 51200.",
        ]
    );
    assert_eq!(table.partitions.len(), 3);
}

fn gpt_disk(folder: &std::path::Path) -> Option<Vec<u8>> {
    let path = image(folder, "disk.img", 16 * MIB);
    let args = ["-U", "11111111-2222-3333-4444-555555555555", "-n", "1:2048:4095", "-t", "1:ef00", "-c", "1:EFI äöü"];
    let more = ["-n", "3:4096:20479", "-t", "3:0700", "-u", "3:AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE", text(&path)];
    tool("sgdisk", &[&args[..], &more[..]].concat())?;
    Some(fs::read(&path).unwrap())
}

#[test]
fn gpt_with_both_headers_or_one() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bytes) = gpt_disk(folder.path()) else { return };
    let good = read_table(&*memory(bytes.clone()), 512);
    assert_eq!(good.table, TableKind::Gpt { disk: "11111111-2222-3333-4444-555555555555".into() });
    assert_eq!(good.findings, []);
    let efi = (1, MIB, MIB, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    let data = (3, 2 * MIB, 8 * MIB, "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
    assert_eq!(ranges(&good), [efi, data]);
    assert_eq!(good.partitions[0].name, "EFI äöü");
    assert_eq!(good.partitions[0].type_name, "EFI system");
    assert_eq!(good.partitions[1].id, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
    let changed = |places: &[usize]| {
        let mut bytes = bytes.clone();
        for place in places {
            bytes[*place] ^= 1;
        }
        read_table(&*memory(bytes), 512)
    };
    let last = bytes.len() - 512;
    // Each is one change: field of the header, entries, mark.
    for place in [512 + 56, 1024 + 40, 512] {
        let table = changed(&[place]);
        assert_eq!(ranges(&table), [efi, data], "{place}");
        assert!(matches!(table.findings[..], [Finding::BadGpt { which: "primary", offset: 512, .. }]), "{place}");
    }
    for place in [last + 56, last - 32 * 512 + 40, last] {
        let table = changed(&[place]);
        assert_eq!(ranges(&table), [efi, data], "{place}");
        assert!(matches!(table.findings[..], [Finding::BadGpt { which: "backup", .. }]), "{place}");
    }
    let none = changed(&[512 + 56, last + 56]);
    assert!(none.findings.contains(&Finding::NoGpt), "{:?}", none.findings);
    let open = changed(&[450]);
    assert!(open.findings.contains(&Finding::NotProtected), "{:?}", open.findings);
    assert_eq!(ranges(&open), [efi, data]);
    let mut larger = bytes.clone();
    larger.resize(bytes.len() + (1 << 20), 0);
    let table = read_table(&*memory(larger), 512);
    assert!(matches!(table.findings[..], [Finding::BackupPlace { .. }]), "{:?}", table.findings);
    assert_eq!(ranges(&table), [efi, data]);
}

/// A disk that had a GPT once, and was given partitions in its MBR since: as the kernel and Windows read it.
#[test]
fn a_gpt_that_is_left_over_behind_an_mbr_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "disk.img", 64 << 20);
    if tool("sgdisk", &["-o", "-n", "1:2048:100000", "-t", "1:0700", text(&path)]).is_none() {
        return;
    }
    let mut bytes = fs::read(&path).unwrap();
    bytes[446..510].fill(0);
    bytes[446..462].copy_from_slice(&[0, 0, 0, 0, 0x83, 0, 0, 0, 0, 0, 1, 0, 0, 0x80, 0, 0]);
    let table = read_table(&*memory(bytes.clone()), 512);
    assert_eq!(ranges(&table), [(1, 65_536 * 512, 32_768 * 512, "0x83")]);
    assert_eq!(table.findings, [Finding::LeftOver]);
    assert!(matches!(table.table, TableKind::Mbr { .. }));
    // Where the MBR names nothing, the GPT is what there is.
    bytes[446..462].fill(0);
    let table = read_table(&*memory(bytes), 512);
    assert_eq!(ranges(&table), [(1, MIB, 97_953 * 512, "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")]);
    assert_eq!(table.findings, [Finding::NotProtected]);
}

/// An MBR does not say how large its sectors are: those of a USB enclosure for a disk of more than 2 TiB have 4096 bytes.
#[test]
fn an_mbr_counts_in_the_sectors_in_which_something_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "disk.img", 8 << 20);
    if tool("mkntfs", &["-F", "-q", "-Q", "-s", "4096", text(&path)]).is_none() {
        return;
    }
    let mut bytes = vec![0; 1 << 20];
    bytes[446..462].copy_from_slice(&[0, 0, 0, 0, 7, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0]);
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    let empty = bytes.clone();
    bytes.extend(fs::read(&path).unwrap());
    let expected = [(1, MIB, 8 * MIB, "0x07")];
    let own = read_table(&*memory(bytes.clone()), 4096);
    assert_eq!((ranges(&own), &own.findings), (expected.to_vec(), &Vec::new()));
    let other = read_table(&*memory(bytes), 512);
    assert_eq!((ranges(&other), other.sector_size), (expected.to_vec(), 4096));
    assert_eq!(other.findings, [Finding::SectorSize { expected: 512, found: 4096 }]);
    // Where nothing begins anywhere, the sectors of the disk count.
    assert_eq!(ranges(&read_table(&*memory(empty), 512)), [(1, 256 * 512, 2048 * 512, "0x07")]);
}

/// Sector 0 of a disk is what an earlier life left there.
#[test]
fn a_first_sector_that_is_not_the_only_owner_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "disk.img", 16 << 20);
    if tool("mkntfs", &["-F", "-q", "-Q", text(&path)]).is_none() {
        return;
    }
    let ntfs = fs::read(&path).unwrap();
    assert_eq!(read_table(&*memory(ntfs.clone()), 512).findings, []);
    // A table beside the boot sector, as sfdisk writes it: boot code stays.
    let mut bytes = ntfs.clone();
    bytes[446..510].fill(0);
    bytes[446..462].copy_from_slice(&[0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0x10, 0, 0]);
    let table = read_table(&*memory(bytes.clone()), 512);
    assert_eq!((table.table, table.findings), (TableKind::None, vec![Finding::VolumeAndTable]));
    // What is no table there is boot code.
    bytes[446] = 0x33;
    assert_eq!(read_table(&*memory(bytes.clone()), 512).findings, []);
    // A RAID over the whole disk leaves its first sectors alone.
    let mut bytes = vec![0; 16 << 20];
    bytes[446..462].copy_from_slice(&[0, 0, 0, 0, 7, 0, 0, 0, 0, 8, 0, 0, 0, 0x10, 0, 0]);
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    assert_eq!(read_table(&*memory(bytes.clone()), 512).partitions.len(), 1);
    bytes[4096..4104].copy_from_slice(b"\xfc\x4e\x2b\xa9\x01\0\0\0");
    let found = inspect_bytes(memory(bytes), 512);
    assert_eq!((found.table, found.findings), (TableKind::None, vec![Finding::RaidMember]));
    assert_eq!(found.partitions.iter().map(|part| part.file_system.kind).collect::<Vec<_>>(), [FsKind::LinuxRaid]);
}

/// The same table for sectors of 4096 bytes, written here: nothing at hand writes one into a file.
fn four_k(bytes: &[u8]) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(u32::MAX, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 })
        })
    };
    let mut disk = vec![0; 32 << 20];
    let last = disk.len() as u64 / 4096 - 1;
    disk[..512].copy_from_slice(&bytes[..512]);
    let mut header = bytes[512..512 + 92].to_vec();
    for (own, other, entries) in [(1, last, 2), (last, 1, last - 4)] {
        for (at, value) in [(24, own), (32, other), (40, 6), (48, last - 5), (72, entries)] {
            header[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
        }
        header[16..20].fill(0);
        let sum = crc(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        let at = own as usize * 4096;
        disk[at..at + 92].copy_from_slice(&header);
        let at = entries as usize * 4096;
        disk[at..at + 16384].copy_from_slice(&bytes[1024..1024 + 16384]);
    }
    disk
}

#[test]
fn gpt_of_large_sectors() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "disk.img", 16 * MIB);
    if tool("sgdisk", &["-a", "1", "-n", "1:512:1023", "-n", "2:1024:2047", text(&path)]).is_none() {
        return;
    }
    let disk = four_k(&fs::read(&path).unwrap());
    let table = read_table(&*memory(disk.clone()), 4096);
    assert_eq!((table.sector_size, table.findings.len()), (4096, 0), "{:?}", table.findings);
    let starts: Vec<_> = table.partitions.iter().map(|part| (part.start, part.size)).collect();
    assert_eq!(starts, [(2 * MIB, 2 * MIB), (4 * MIB, 4 * MIB)]);
    let table = read_table(&*memory(disk), 512);
    assert_eq!(table.findings, [Finding::SectorSize { expected: 512, found: 4096 }]);
    assert_eq!(table.partitions.len(), 2);
}
