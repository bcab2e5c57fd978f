//! One byte of a volume or table changed, or its end missing: never a panic, a circle or a read past the end.
#![allow(clippy::unwrap_used, missing_docs)]

mod guestfs_support;

use std::fs;
use std::sync::Arc;

use guestfs_support::{Mounted, Patched, image, memory, noise, text, tool};
use hvm_formats::guestfs::ntfs::FileReference;
use hvm_formats::guestfs::{Ext, FreeSpace, Ntfs, Slice, inspect_bytes};
use hvm_formats::io::SharedFile;
use hvm_testkit::busy::busy;

/// Reads all that there is; returns how many names were seen, so that the walk is known to have done something.
fn walk(file: SharedFile) -> usize {
    let Ok(ntfs) = Ntfs::open(file) else { return 0 };
    let _ = ntfs.doubts();
    let _ = ntfs.bitmap().map(|bitmap| bitmap.free());
    let mut folders = vec![(FileReference::ROOT, 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop() {
        let Ok(names) = ntfs.read_dir(folder) else { continue };
        for entry in names.map_while(Result::ok) {
            seen += 1;
            let _ = ntfs.reparse(entry.reference);
            for stream in ntfs.streams(entry.reference).unwrap_or_default() {
                let Ok(content) = ntfs.open_file(entry.reference, &stream.name) else { continue };
                let mut buffer = vec![0; content.len().min(1 << 16) as usize];
                let start = content.len() - buffer.len() as u64;
                let _ = content.read_exact_at(&mut buffer, start);
            }
            if entry.is_directory() && entry.name != "." && depth < 4 && folders.len() < 100 {
                folders.push((entry.reference, depth + 1));
            }
        }
    }
    let _ = ntfs.find(r"ordner\datei 17");
    seen
}

fn ntfs_bytes(folder: &std::path::Path) -> Option<Vec<u8>> {
    let path = image(folder, "volume.img", 4 << 20);
    tool("mkntfs", &["-F", "-q", "-c", "4096", text(&path)])?;
    if let Some(mount) = Mounted::new(&path, "compression,streams_interface=xattr") {
        fs::create_dir(mount.path.join("ordner")).unwrap();
        for number in 0..60 {
            fs::write(mount.path.join(format!("ordner/datei {number}")), noise(number, 50)).unwrap();
        }
        rustix::fs::setxattr(
            mount.path.join("ordner"),
            "system.ntfs_attrib_be",
            &0x800_u32.to_be_bytes(),
            rustix::fs::XattrFlags::empty(),
        )
        .unwrap();
        fs::write(mount.path.join("ordner/packed"), "abcabc ".repeat(20_000)).unwrap();
    }
    Some(fs::read(&path).unwrap())
}

#[test]
fn changed_bytes_of_ntfs_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bytes) = ntfs_bytes(folder.path()) else { return };
    let file = memory(bytes.clone());
    assert!(walk(file.clone()) > 10);
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0 && bytes[*at] != 0xFF).collect();
    let mut changed = 0;
    for round in noise(1, 8 * 3000).as_chunks::<8>().0 {
        let number = u64::from_le_bytes(*round);
        // The boot sector and the first records are met more often than the rest.
        let at = if number % 4 == 0 { (number >> 8) as usize % 84 } else { used[(number >> 8) as usize % used.len()] };
        let byte = match number >> 4 & 3 {
            0 => 0xFF,
            1 => 0,
            2 => bytes[at] ^ 1 << (number >> 6 & 7),
            _ => (number >> 48) as u8,
        };
        walk(Arc::new(Patched { inner: file.clone(), offset: at as u64, byte }));
        changed += usize::from(bytes[at] != byte);
    }
    assert!(changed > 2000);
}

#[test]
fn cut_volumes_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bytes) = ntfs_bytes(folder.path()) else { return };
    let file = memory(bytes);
    for part in 0..256 {
        let cut = Slice::new(file.clone(), 0, file.len() * part / 256 + part % 7, "cut");
        walk(Arc::new(cut));
    }
}

#[test]
fn changed_bytes_of_ext_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::write(tree.join("etc/os-release"), "ID=test\n").unwrap();
    let path = image(folder.path(), "ext.img", 2 << 20);
    if tool("mkfs.ext4", &["-q", "-d", text(&tree), text(&path)]).is_none() {
        return;
    }
    let bytes = fs::read(&path).unwrap();
    let file = memory(bytes.clone());
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    for round in noise(2, 8 * 2000).as_chunks::<8>().0 {
        let number = u64::from_le_bytes(*round);
        let at = if number % 2 == 0 {
            1024 + (number >> 8) as usize % 400
        } else {
            used[(number >> 8) as usize % used.len()]
        };
        let patched: SharedFile =
            Arc::new(Patched { inner: file.clone(), offset: at as u64, byte: (number >> 48) as u8 });
        if let Ok(ext) = Ext::open(patched.clone()) {
            let _ = ext.read_file("/etc/os-release", 1 << 16);
        }
        if let Ok(free) = FreeSpace::open(patched) {
            assert!(free.take(100_000).count() < 100_000);
        }
    }
}

#[test]
fn changed_bytes_of_tables_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    for (tool_name, args) in
        [("sgdisk", &["-n", "1:2048:4095", "-n", "2:4096:8000"][..]), ("sgdisk", &["-n", "1:2048:4095", "-m", "1"])]
    {
        let path = image(folder.path(), "disk.img", 8 << 20);
        let mut all = args.to_vec();
        all.push(text(&path));
        if tool(tool_name, &all).is_none() {
            return;
        }
        let bytes = fs::read(&path).unwrap();
        let file = memory(bytes.clone());
        for at in (0..bytes.len()).filter(|at| bytes[*at] != 0) {
            for byte in [0, 0xFF, bytes[at] ^ 0x10] {
                let patched = Arc::new(Patched { inner: file.clone(), offset: at as u64, byte });
                assert!(inspect_bytes(patched, 512).partitions.len() <= 128);
            }
        }
    }
}

/// A chain of extended boot records whose partitions all begin where one small volume lies, or each a sector further.
fn crowded(apart: u32) -> Vec<u8> {
    let mut bytes = hvm_testkit::small::mbr().bytes;
    bytes[446..494].fill(0);
    bytes.resize(2 << 20, 0);
    let volume: Vec<u8> = hvm_testkit::small::ext(hvm_testkit::small::ExtLayout::Extents).bytes;
    for number in 0..255_u32 {
        let record = (1 + number) as usize * 512;
        let mut entry = |at: usize, kind: u8, start: u32, count: u32| {
            bytes[record + at + 4] = kind;
            bytes[record + at + 8..record + at + 12].copy_from_slice(&start.to_le_bytes());
            bytes[record + at + 12..record + at + 16].copy_from_slice(&count.to_le_bytes());
        };
        entry(446, 0x83, 1024 - 1 - number + apart * number, 192);
        entry(462, 0x05, number + 1, 1);
        bytes[record + 510..record + 512].copy_from_slice(&[0x55, 0xAA]);
    }
    let extended = [0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 8, 0, 0];
    bytes[478..494].copy_from_slice(&extended);
    bytes[1024 * 512..1024 * 512 + volume.len()].copy_from_slice(&volume);
    bytes
}

#[test]
fn one_volume_in_many_partitions_is_looked_into_once() {
    let found = inspect_bytes(memory(crowded(0)), 512);
    assert_eq!((found.partitions.len(), found.guests.len()), (255, 1));
    assert!(found.partitions[1].remarks[0].contains("not looked into"));
    let found = inspect_bytes(memory(crowded(1)), 512);
    let unseen = found.partitions.iter().filter(|part| part.remarks.iter().any(|remark| remark.contains("not looked")));
    assert_eq!((found.partitions.len(), unseen.count()), (255, 255 - 128));
}

/// The inode of `/etc/os-release` of the testkit's volume: the first file of the first folder.
fn os_release(volume: &hvm_testkit::small::ExtVolume) -> usize {
    let mark = b"os-release";
    let at = volume.bytes.windows(mark.len()).position(|part| part == mark).unwrap();
    let inode = u32::from_le_bytes(volume.bytes[at - 8..at - 4].try_into().unwrap());
    5 * 1024 + (inode as usize - 1) * 128
}

#[test]
fn a_link_that_says_to_have_a_tebibyte_takes_no_memory() {
    let mut volume = hvm_testkit::small::ext(hvm_testkit::small::ExtLayout::Extents);
    let at = os_release(&volume);
    volume.bytes[at..at + 2].copy_from_slice(&0xA1FF_u16.to_le_bytes());
    volume.bytes[at + 4..at + 8].copy_from_slice(&0_u32.to_le_bytes());
    volume.bytes[at + 108..at + 112].copy_from_slice(&256_u32.to_le_bytes());
    let ext = Ext::open(memory(volume.bytes)).unwrap();
    let error = ext.read_file("/etc/os-release", 1 << 16).unwrap_err().to_string();
    assert!(error.contains("a target of 1099511627776 bytes, at most 4096"), "{error}");
}

#[test]
fn a_volume_that_cannot_be_opened_for_files_is_tried_once() {
    struct Counted(hvm_formats::io::SharedFile, std::sync::atomic::AtomicU64);
    impl hvm_formats::io::ReadAt for Counted {
        fn name(&self) -> &str {
            self.0.name()
        }
        fn len(&self) -> u64 {
            self.0.len()
        }
        fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
            self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.0.read_exact_at(buf, offset)
        }
    }
    let mut bytes = hvm_testkit::small::ext(hvm_testkit::small::ExtLayout::Blocks).bytes;
    // A million blocks, one for each group: the descriptors end with the file, after some thousand reads.
    bytes[1024 + 4..1024 + 8].copy_from_slice(&1_000_000_u32.to_le_bytes());
    bytes[1024 + 32..1024 + 36].copy_from_slice(&1_u32.to_le_bytes());
    let file = Arc::new(Counted(memory(bytes), Default::default()));
    let ext = Ext::open(file.clone()).unwrap();
    for path in ["/etc/os-release", "/etc/hostname", "/etc/fstab"] {
        let error = ext.read_file(path, 1 << 16).unwrap_err().to_string();
        assert!(error.contains(path), "{error}");
    }
    assert!((3000..4000).contains(&file.1.load(std::sync::atomic::Ordering::Relaxed)));
}

#[test]
fn a_high_half_of_the_blocks_without_its_feature_takes_no_memory() {
    let mut bytes = hvm_testkit::small::ext(hvm_testkit::small::ExtLayout::Blocks).bytes;
    // 268 million groups, of which 4 GiB of descriptors would be kept.
    bytes[1024 + 32..1024 + 36].copy_from_slice(&16_u32.to_le_bytes());
    bytes[1024 + 336..1024 + 340].copy_from_slice(&1_u32.to_le_bytes());
    let ext = Ext::open(memory(bytes)).unwrap();
    let error = ext.read_file("/etc/os-release", 1 << 16).unwrap_err().to_string();
    assert!(error.contains("the volume has 268435462 groups of blocks"), "{error}");
}

#[test]
fn a_folder_that_says_to_have_a_tebibyte_is_not_searched() {
    let mut volume = hvm_testkit::small::ext(hvm_testkit::small::ExtLayout::Extents);
    // The root folder is inode 2.
    let at = 5 * 1024 + 128;
    volume.bytes[at + 108..at + 112].copy_from_slice(&256_u32.to_le_bytes());
    let ext = Ext::open(memory(volume.bytes)).unwrap();
    let error = ext.read_file("/etc/os-release", 1 << 16).unwrap_err().to_string();
    assert!(error.contains("at most 16777216 are searched"), "{error}");
}

#[test]
fn links_are_followed_and_those_in_a_circle_end() {
    let link = |target: &[u8]| {
        let mut volume = hvm_testkit::small::ext(hvm_testkit::small::ExtLayout::Blocks);
        let at = os_release(&volume);
        volume.bytes[at..at + 2].copy_from_slice(&0xA1FF_u16.to_le_bytes());
        volume.bytes[at + 4..at + 8].copy_from_slice(&(target.len() as u32).to_le_bytes());
        volume.bytes[at + 40..at + 100].fill(0);
        volume.bytes[at + 40..at + 40 + target.len()].copy_from_slice(target);
        Ext::open(memory(volume.bytes)).unwrap().read_file("/etc/os-release", 1 << 16)
    };
    for target in [&b"hostname"[..], b"../etc/./hostname", b"/etc//hostname", b"../../../etc/network/../hostname"] {
        assert_eq!(link(target).unwrap().unwrap(), b"web-01\n", "{}", target.escape_ascii());
    }
    for target in [&b"nothing"[..], b"/etc/hostname/x"] {
        assert_eq!(link(target).unwrap(), None);
    }
    let error = link(b"../etc/os-release").unwrap_err().to_string();
    assert!(error.contains("more than 256 names and links"), "{error}");
}

#[test]
fn a_small_volume_tells_its_system() {
    for disk in [hvm_testkit::small::mbr(), hvm_testkit::small::gpt()] {
        let found = inspect_bytes(memory(disk.bytes), 512);
        let guest = &found.guests[0];
        assert_eq!((found.findings.len(), guest.name.as_str(), guest.host_name.as_str()), (0, "Debian 12", "web-01"));
        // The list of modules names each of its two some hundred times.
        assert_eq!((guest.adapters.len(), guest.drivers.as_ref().unwrap().len(), guest.remarks.len()), (3, 2, 0));
        let clean = found.partitions.iter().filter(|part| part.clean == Some(true)).count();
        assert_eq!(clean, 2);
    }
}

#[test]
fn more_clusters_than_fat32_can_have_are_not_counted() {
    let mut bytes = hvm_testkit::small::fat(hvm_testkit::small::FatBits::ThirtyTwo);
    assert_eq!(hvm_formats::guestfs::fat_usage(&*memory(bytes.clone())).unwrap().unwrap().free, 497);
    // Sectors of the volume, and sectors of a table that has an entry for each: 16 GiB would be read.
    bytes[19..21].fill(0);
    bytes[32..36].fill(0xFF);
    bytes[36..40].copy_from_slice(&0x0200_0000_u32.to_le_bytes());
    assert_eq!(hvm_formats::guestfs::fat_usage(&*memory(bytes)).unwrap(), None);
}

/// The root folder as a tree of extents of this depth, in which each node has the next one 84 times and the last one is empty.
fn bushy(depth: u16) -> Vec<u8> {
    let mut bytes = hvm_testkit::small::ext(hvm_testkit::small::ExtLayout::Extents).bytes;
    let mut node = |at: usize, (entries, most, depth): (u16, u16, u16), child: u32| {
        let head = [0xF30A, entries, most, depth].map(u16::to_le_bytes).concat();
        bytes[at..at + 8].copy_from_slice(&head);
        for number in 0..usize::from(entries) {
            let entry = at + 12 + number * 12;
            bytes[entry..entry + 12].fill(0);
            bytes[entry + 4..entry + 8].copy_from_slice(&child.to_le_bytes());
        }
    };
    // Inode 2, and blocks that nothing uses.
    let (root, free) = (5 * 1024 + 128 + 40, 80);
    node(root, (4, 4, depth), free);
    for level in 0..depth {
        let (block, rest) = (free + u32::from(level), depth - 1 - level);
        node(block as usize * 1024, (if rest == 0 { 0 } else { 84 }, 84, rest), block + 1);
    }
    bytes
}

#[test]
fn nodes_that_have_one_child_many_times_do_not_keep_the_reader_busy() {
    // At depth 5 the empty leaf would be visited 200 million times, for each of some dozen files.
    for depth in [2, 5] {
        let begun = busy();
        let error = Ext::open(memory(bushy(depth))).unwrap().read_file("/etc/os-release", 1 << 16).unwrap_err();
        assert!(error.to_string().contains("is a child of the nodes in the blocks"), "{error}");
        let needed = busy() - begun;
        assert!(needed.as_secs() < 1, "{needed:?}");
    }
}

#[test]
fn a_journal_that_begins_behind_its_end_is_refused() {
    let mut volume = hvm_testkit::small::ext(hvm_testkit::small::ExtLayout::Blocks);
    // `/etc/os-release` becomes the journal, which is asked for by a feature and a number of an inode.
    let inode = (os_release(&volume) - 5 * 1024) / 128 + 1;
    let at = os_release(&volume);
    let block = u32::from_le_bytes(volume.bytes[at + 40..at + 44].try_into().unwrap()) as usize * 1024;
    volume.bytes[1024 + 92] |= 4;
    volume.bytes[1024 + 224] = u8::try_from(inode).unwrap();
    for (field, value) in [(0, 0xC03B_3998_u32), (4, 4), (12, 1024), (16, 8), (28, u32::MAX)] {
        volume.bytes[block + field..block + field + 4].copy_from_slice(&value.to_be_bytes());
    }
    let error = Ext::open(memory(volume.bytes)).unwrap().read_file("/etc/fstab", 1 << 16).unwrap_err().to_string();
    assert!(error.contains("begins at its block 4294967295 of 8"), "{error}");
}

/// The small volumes and tables of the testkit are good ones by the tools of each format.
#[test]
fn small_volumes_are_good_ones() {
    use hvm_testkit::small::{ExtLayout, FatBits, ext, fat, gpt, mbr};
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        text(&path).to_owned()
    };
    for layout in [ExtLayout::Blocks, ExtLayout::Extents] {
        tool("e2fsck", &["-f", "-n", &put("ext.img", &ext(layout).bytes)]);
    }
    for bits in [FatBits::Twelve, FatBits::Sixteen] {
        tool("fsck.fat", &["-n", &put("fat.img", &fat(bits))]);
    }
    for table in [mbr(), gpt()] {
        tool("sfdisk", &["--verify", &put("disk.img", &table.bytes)]);
    }
}
