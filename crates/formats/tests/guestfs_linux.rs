//! Linux on ext volumes: what its files say of it, and volumes that are not as they should be.
#![allow(clippy::unwrap_used, missing_docs)]

mod guestfs_support;

use std::fs;
use std::path::{Path, PathBuf};

use guestfs_support::{image, local, memory, text, tool};
use hvm_formats::guestfs::{FreeSpace, FreeSpaceError, FsKind, inspect_bytes, recognise};

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

/// Name, version, edition, host name, language, time zone.
fn told(folder: &Path, files: &[(&str, &str)]) -> Option<([String; 6], Vec<String>)> {
    let contents = inspect_bytes(local(&volume(folder, &[], files)?), 512);
    let guest = contents.guest().unwrap_or_else(|| panic!("{files:?}: {contents:?}")).clone();
    let facts = [guest.name, guest.version, guest.edition, guest.host_name, guest.language, guest.time_zone];
    Some((facts, guest.remarks))
}

#[test]
fn systems_without_os_release_tell_the_same_of_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let red_hat = [
        ("etc/redhat-release", "CentOS release 6.10 (Final)\n"),
        ("etc/sysconfig/network", "NETWORKING=yes\nHOSTNAME=six.example\n"),
        ("etc/sysconfig/i18n", "LANG=\"en_US.UTF-8\"\n"),
        ("etc/sysconfig/clock", "ZONE=\"Europe/Berlin\"\n"),
    ];
    let suse = [
        ("etc/SuSE-release", "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n"),
        ("etc/HOSTNAME", "eleven.example\n"),
        ("etc/sysconfig/network/config", ""),
        ("etc/sysconfig/language", "RC_LANG=\"de_DE.UTF-8\"\n"),
        ("etc/sysconfig/clock", "TIMEZONE=\"Europe/Berlin\"\n"),
    ];
    let ubuntu = [
        ("etc/debian_version", "squeeze/sid\n"),
        ("etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=10.04\nDISTRIB_DESCRIPTION=\"Ubuntu 10.04.4 LTS\"\n"),
        ("etc/default/locale", "# made\nLANG=\"de_DE.UTF-8\"\n"),
        ("etc/localtime", "->/usr/share/zoneinfo/Europe/Berlin"),
    ];
    let sles = "SUSE Linux Enterprise Server 11 (x86_64)";
    let all: [(&[_], _); 3] = [
        (&red_hat, ["CentOS release 6.10 (Final)", "6.10", "centos", "six.example", "en_US.UTF-8", "Europe/Berlin"]),
        (&suse, [sles, "11.4", "sles", "eleven.example", "de_DE.UTF-8", "Europe/Berlin"]),
        (&ubuntu, ["Ubuntu 10.04.4 LTS", "10.04", "ubuntu", "", "de_DE.UTF-8", "Europe/Berlin"]),
    ];
    for (files, expected) in all {
        let Some((facts, remarks)) = told(folder.path(), files) else { return };
        assert_eq!((facts, remarks), (expected.map(str::to_owned), Vec::new()));
    }
}

#[test]
fn a_root_without_its_usr_is_linux() {
    let folder = tempfile::tempdir().unwrap();
    let release = ("etc/os-release", "->../usr/lib/os-release");
    let table = "UUID=a / ext4 rw 0 1\nUUID=b /usr ext4 rw 0 2\n";
    let all: [(&[_], _, _); 4] = [
        (
            &[release],
            "Linux",
            "leads to '../usr/lib/os-release', which is not on this volume: /usr is a volume of its own",
        ),
        (&[release, ("etc/debian_version", "12.5\n")], "Debian 12.5", "/usr is a volume of its own"),
        (&[("etc/fstab", table)], "Linux", "By /etc/fstab /usr is a volume of its own"),
        (&[("etc/fstab", "/dev/sda1 / ext4\n")], "Linux", "No file names the system"),
    ];
    for (files, name, remark) in all {
        let Some((facts, remarks)) = told(folder.path(), files) else { return };
        assert_eq!(facts[0], name);
        assert!(matches!(&remarks[..], [one] if one.contains(remark)), "{remarks:?}");
    }
    let Some(path) = volume(folder.path(), &[], &[("etc/fstab", "/dev/sda2 /home ext4\n"), ("home/x", "")]) else {
        return;
    };
    assert!(inspect_bytes(local(&path), 512).guests.is_empty());
}

#[test]
fn a_volume_that_is_longer_than_its_partition_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = volume(folder.path(), &[], &[RELEASE]) else { return };
    fs::File::options().write(true).open(&path).unwrap().set_len(15 * MIB).unwrap();
    let contents = inspect_bytes(local(&path), 512);
    let remarks = &contents.partitions[0].remarks;
    let sentence = "The volume has 16777216 bytes by its superblock, but there are 15728640: its end is missing";
    assert!(matches!(&remarks[..], [one] if one.starts_with(sentence)), "{remarks:?}");
    let error = FreeSpace::open(local(&path)).err().unwrap();
    assert!(matches!(&error, FreeSpaceError::NotClean { .. }) && error.to_string().contains(sentence), "{error}");
}

#[test]
fn swap_with_the_memory_of_a_hibernated_system() {
    let space = |mark: &[u8]| {
        let mut bytes = vec![0; MIB as usize];
        bytes[1028..1032].copy_from_slice(&255_u32.to_le_bytes());
        bytes[4086..4096].copy_from_slice(mark);
        inspect_bytes(memory(bytes), 512).partitions.remove(0)
    };
    for mark in [b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0"] {
        let found = space(mark);
        assert_eq!((found.file_system.kind, found.file_system.size), (FsKind::Swap, Some(MIB)));
        assert!(found.clean == Some(false) && found.remarks[0].contains("hibernated"), "{found:?}");
    }
    let found = space(b"SWAPSPACE2");
    assert_eq!((found.file_system.kind, found.clean, found.remarks.len()), (FsKind::Swap, None, 0));
}

#[test]
fn labels_and_ids_are_those_that_their_own_tools_show() {
    let space = |marks: &[(usize, &[u8])]| {
        let mut bytes = vec![0; 8192];
        marks.iter().for_each(|(at, mark)| bytes[*at..at + mark.len()].copy_from_slice(mark));
        recognise(&*memory(bytes))
    };
    let luks = |version| [(0, &b"LUKS\xba\xbe"[..]), (6, version), (24, b"secret"), (168, b"01234567-89ab")];
    let (one, two) = (space(&luks(&[0, 1])), space(&luks(&[0, 2])));
    assert_eq!((one.label.as_str(), two.label.as_str(), two.id.as_str()), ("", "secret", "01234567-89ab"));
    let lvm = |id| space(&[(512, b"LABELONE"), (532, &[32]), (536, b"LVM2 001"), (544, id)]).id;
    assert_eq!(lvm(b"FthbCAK2HTAa4Rp8OyOfGcnhTbSdvOwX"), "FthbCA-K2HT-Aa4R-p8Oy-OfGc-nhTb-SdvOwX");
    assert_eq!(lvm(b"short"), "short");
}
