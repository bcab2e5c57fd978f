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
