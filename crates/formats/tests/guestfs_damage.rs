//! One byte of a volume or table changed, or its end missing: never a panic, a circle or a read past the end.
#![allow(clippy::unwrap_used, missing_docs)]

mod guestfs_support;

use std::fs;
use std::sync::Arc;

use guestfs_support::{Mounted, Patched, image, memory, noise, text, tool};
use hvm_formats::guestfs::ntfs::FileReference;
use hvm_formats::guestfs::{Ext, FreeSpace, Ntfs, Slice, inspect_bytes};
use hvm_formats::io::SharedFile;

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
