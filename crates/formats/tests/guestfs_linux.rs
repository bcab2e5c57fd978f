//! Linux on ext volumes: what its files say of it, and volumes that are not as they should be.
#![allow(clippy::unwrap_used, missing_docs)]

mod guestfs_support;

use std::fs;
use std::path::{Path, PathBuf};

use guestfs_support::{image, local, memory, text, tool};
use hvm_formats::guestfs::inspect_bytes;

const MIB: u64 = 1 << 20;

/// An ext4 volume in blocks of 4 KiB with files, or with links where a text begins with `->`.
fn volume(folder: &Path, options: &[&str], files: &[(&str, &str)]) -> Option<PathBuf> {
    let (tree, path) = (folder.join("tree"), image(folder, "ext.img", 16 * MIB));
    let _ = fs::remove_dir_all(&tree);
    fs::create_dir_all(&tree).unwrap();
    for (name, content) in files {
        let file = tree.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        match content.strip_prefix("->") {
            Some(target) => std::os::unix::fs::symlink(target, file).unwrap(),
            None => fs::write(file, content).unwrap(),
        }
    }
    tool("mkfs.ext4", &[&["-q", "-F", "-b", "4096", "-d", text(&tree)], options, &[text(&path)]].concat())?;
    Some(path)
}

const RELEASE: (&str, &str) = ("etc/os-release", "NAME=One\nID=one\n");

/// Where the inode of the root folder lies: the first descriptor, in block 1, has the place of the table at 8.
fn root_inode(bytes: &[u8], inode_size: usize) -> usize {
    let table = u32::from_le_bytes(bytes[4096 + 8..4096 + 12].try_into().unwrap());
    table as usize * 4096 + inode_size
}

#[test]
fn a_root_folder_that_is_damaged_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = volume(folder.path(), &[], &[RELEASE]) else { return };
    let mut bytes = fs::read(&path).unwrap();
    // The time of its last change, which the checksum is over.
    let at = root_inode(&bytes, 256) + 16;
    bytes[at] ^= 0x55;
    let contents = inspect_bytes(memory(bytes), 512);
    let remarks = &contents.partitions[0].remarks;
    assert!(contents.guest().is_none(), "{contents:?}");
    assert!(
        matches!(&remarks[..], [one] if one.contains("could not be read") && one.contains("checksum")),
        "{remarks:?}"
    );
    let contents = inspect_bytes(local(&path), 512);
    assert_eq!((contents.guests.len(), contents.partitions[0].remarks.len()), (1, 0));
}

#[test]
fn inodes_of_128_bytes_are_read_although_they_have_half_a_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let journal = |path: &Path| {
        let (data, requests) = (folder.path().join("data"), folder.path().join("requests"));
        let block = String::from_utf8(tool("debugfs", &["-R", "blocks /etc/os-release", text(path)]).unwrap()).unwrap();
        fs::write(&data, format!("{:\0<4096}", "NAME=Two\nID=one\n")).unwrap();
        let open = format!("jo -c -v 3\njw -b {} {}\njc\n", block.trim(), text(&data));
        fs::write(&requests, open).unwrap();
        tool("debugfs", &["-w", "-f", text(&requests), text(path)]).unwrap();
    };
    for (options, with_journal, name, is_checked) in [
        (&["-I", "128", "-O", "metadata_csum"][..], false, "One", false),
        (&["-I", "128", "-O", "metadata_csum"], true, "Two", false),
        (&["-I", "128", "-O", "^metadata_csum"], false, "One", true),
        (&["-I", "256", "-O", "metadata_csum"], false, "One", true),
    ] {
        let Some(path) = volume(folder.path(), options, &[RELEASE]) else { return };
        if with_journal {
            journal(&path);
        }
        let contents = inspect_bytes(local(&path), 512);
        let guest = contents.guest().unwrap();
        assert_eq!((guest.name.as_str(), guest.edition.as_str()), (name, "one"), "{options:?}");
        let remarks = guest.remarks.join(" ");
        assert_eq!(remarks.contains("without a look at the checksums"), !is_checked, "{remarks}");
    }
}
