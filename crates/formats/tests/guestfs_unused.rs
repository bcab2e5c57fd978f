//! Disks without the free space of their volumes: every file stays, free clusters read as zeros, everything else stays bit by
//! bit, and a volume in doubt refuses the disk. Volumes are made and read by ntfs-3g, e2fsprogs and dosfstools.
#![allow(clippy::unwrap_used, missing_docs)]

mod guestfs_support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use guestfs_support::{Mounted, image, local, memory, noise, text, tool};
use hvm_formats::disk::{Extent, ExtentKind, NoParents, SharedDisk, VirtualDisk, open};
use hvm_formats::guestfs::{FsKind, UnusedError, UsedDisk};
use hvm_formats::io::SharedFile;

const MIB: u64 = 1 << 20;

/// A file that held something else before.
fn littered(folder: &Path, name: &str, size: u64) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, noise(size, size as usize)).unwrap();
    path
}

fn disk(file: SharedFile) -> SharedDisk {
    open(file, &NoParents).unwrap()
}

fn refused(bytes: &[u8]) -> UnusedError {
    UsedDisk::new(disk(memory(bytes.to_vec()))).err().unwrap()
}

fn content(disk: &dyn VirtualDisk) -> Vec<u8> {
    let mut bytes = vec![0; disk.size() as usize];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Free bytes of a bitmap as other tools tell it.
type FreeMap = Vec<bool>;

/// Checks a disk against its whole content and what must be free: reads of every kind and the runs agree.
fn compare(used: &UsedDisk, before: &[u8], free: &dyn Fn(usize) -> bool) -> Vec<u8> {
    let after = content(used);
    for (sector, (old, new)) in before.chunks(512).zip(after.chunks(512)).enumerate() {
        match free(sector * 512) {
            true => assert!(new.iter().all(|byte| *byte == 0), "sector {sector} is free"),
            false => assert!(old == new, "sector {sector} is in use"),
        }
    }
    let (mut at, mut zeros) = (0, 0);
    while at < used.size() {
        let Extent { kind, start, len } = used.extent(at).unwrap();
        assert!(start == at && len > 0);
        let range = at as usize..(at + len) as usize;
        let listed = used.free().iter().any(|free| free.start <= at && at < free.end);
        if kind == ExtentKind::Zero {
            assert!(after[range].iter().all(|byte| *byte == 0), "zeros at {at}");
            zeros += len;
        } else {
            assert!(!listed, "{at} is free and data");
        }
        at += len;
    }
    assert!(zeros >= used.free_bytes());
    check_places(used, &after);
    for number in noise(9, 4000).as_chunks::<8>().0 {
        let number = u64::from_le_bytes(*number);
        let start = number % used.size();
        let len = ((number >> 40) % 200_000).min(used.size() - start);
        let mut bytes = vec![1; len as usize];
        used.read_at(start, &mut bytes).unwrap();
        assert!(bytes == after[start as usize..(start + len) as usize], "{len} bytes at {start}");
    }
    assert!(used.layers()[0].remarks.iter().any(|remark| remark.starts_with("Free space is left out: ")));
    after
}

/// What is in use lies in the file where the disk says, and nothing else has a place; the file is raw.
fn check_places(used: &UsedDisk, after: &[u8]) {
    let (file, mut at, mut placed) = (used.file(0).unwrap(), 0, 0);
    while at < used.size() {
        let run = used.stored(at, used.size() - at).unwrap();
        if let Some(place) = run.place {
            let mut bytes = vec![0; run.len as usize];
            file.read_exact_at(&mut bytes, place.at).unwrap();
            assert!(bytes == after[at as usize..(at + run.len) as usize], "{run:?} at {at}");
            placed += run.len;
        }
        at += run.len;
    }
    assert_eq!(placed + used.free_bytes(), used.size());
}

/// Puts a volume on a disk of its own with a GPT, between sectors that hold something.
fn gpt_disk(folder: &Path, volume: &Path, kind: &str) -> Option<PathBuf> {
    let size = fs::metadata(volume).unwrap().len();
    let path = littered(folder, "disk.raw", size + 4 * MIB);
    fs::File::options().write(true).open(&path).unwrap().write_all_at(&vec![0; MIB as usize], 0).unwrap();
    let end = 2048 + size / 512 - 1;
    let (range, kind) = (format!("1:2048:{end}"), format!("1:{kind}"));
    tool("sgdisk", &["-o", "-n", &range, "-t", &kind, text(&path)])?;
    fs::File::options().write(true).open(&path).unwrap().write_all_at(&fs::read(volume).unwrap(), MIB).unwrap();
    Some(path)
}

fn fill(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for number in 0..600_u64 {
        let name = format!("datei {number}");
        let bytes = noise(number, 1000 + (number as usize * 37) % 30_000);
        fs::write(root.join(&name), &bytes).unwrap();
        files.insert(name, bytes);
    }
    for number in (0..600).step_by(3) {
        let name = format!("datei {number}");
        fs::remove_file(root.join(&name)).unwrap();
        files.remove(&name);
    }
    // Goes into the gaps.
    let bytes = noise(77, 3_000_000);
    fs::write(root.join("groß"), &bytes).unwrap();
    files.insert("groß".to_owned(), bytes);
    files
}

/// The bits of `$Bitmap` as `ntfscat` reads them.
fn ntfs_free(volume: &Path, clusters: usize) -> FreeMap {
    let bits = tool("ntfscat", &["-f", "-i", "6", text(volume)]).unwrap();
    (0..clusters).map(|cluster| bits[cluster / 8] >> (cluster % 8) & 1 == 0).collect()
}

#[test]
fn ntfs_keeps_every_file() {
    for cluster in ["512", "4096", "65536"] {
        let folder = tempfile::tempdir().unwrap();
        let volume = littered(folder.path(), "volume.img", 48 * MIB);
        let args =
            ["-F", "-q", "-Q", "-p", "2048", "-H", "255", "-S", "63", "-c", cluster, "-L", "System", text(&volume)];
        if tool("mkntfs", &args).is_none() {
            return;
        }
        let Some(mount) = Mounted::new(&volume, "windows_names") else { return };
        let files = fill(&mount.path);
        drop(mount);
        let Some(path) = gpt_disk(folder.path(), &volume, "0700") else { return };
        let before = fs::read(&path).unwrap();
        let used = UsedDisk::new(disk(local(&path))).unwrap();
        let size = cluster.parse::<usize>().unwrap();
        let free = ntfs_free(&volume, (48 << 20) / size);
        let start = MIB as usize;
        let is_free = |at: usize| at.checked_sub(start).is_some_and(|at| free.get(at / size) == Some(&true));
        let after = compare(&used, &before, &is_free);
        let [part] = used.volumes() else { panic!("{:?}", used.volumes()) };
        assert_eq!((part.kind, part.label.as_str(), part.cluster), (FsKind::Ntfs, "System", size as u64));
        let expected = free.iter().filter(|free| **free).count() as u64 * size as u64;
        // The last cluster of a volume is not whole: the copy of the boot sector lies in it.
        assert!(part.free <= expected && part.free + size as u64 > expected, "{} {expected}", part.free);
        assert_eq!((part.left_out, used.free_bytes(), part.copied_whole), (part.free, part.free, None));
        let copy = folder.path().join("copy.img");
        fs::write(&copy, &after[start..start + (48 << 20)]).unwrap();
        for (name, bytes) in files.iter().step_by(if cluster == "4096" { 1 } else { 40 }) {
            assert!(tool("ntfscat", &["-f", text(&copy), name]).unwrap() == *bytes, "{name}");
        }
        tool("ntfsfix", &["-n", text(&copy)]).unwrap();
        let Some(mount) = Mounted::new(&copy, "ro") else { return };
        for (name, bytes) in &files {
            assert!(fs::read(mount.path.join(name)).unwrap() == *bytes, "{name}");
        }
        assert_eq!(fs::read_dir(&mount.path).unwrap().count(), files.len());
    }
}

#[test]
fn ext_keeps_every_file() {
    let kinds = [("ext2", "1024", FsKind::Ext2), ("ext3", "2048", FsKind::Ext3), ("ext4", "4096", FsKind::Ext4)];
    for (name, block, kind) in kinds {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let files = fill(&tree);
        let volume = littered(folder.path(), "volume.img", 48 * MIB);
        let args =
            ["-q", "-F", "-t", name, "-b", block, "-L", "daten", "-E", "nodiscard", "-d", text(&tree), text(&volume)];
        if tool("mkfs.ext4", &args).is_none() {
            return;
        }
        // Free what lies between others, as years of use do.
        let gone: Vec<&String> = files.keys().filter(|name| name.ends_with('7')).collect();
        let script: String = gone.iter().map(|name| format!("rm \"{name}\"\n")).collect();
        fs::write(folder.path().join("script"), script).unwrap();
        tool("debugfs", &["-w", "-f", text(&folder.path().join("script")), text(&volume)]).unwrap();
        let before = fs::read(&volume).unwrap();
        let used = UsedDisk::new(disk(local(&volume))).unwrap();
        let [part] = used.volumes() else { panic!("{:?}", used.volumes()) };
        assert_eq!((part.partition, part.kind, part.label.as_str()), (0, kind, "daten"));
        assert!(part.free > 25 * MIB && part.left_out == part.free);
        let free = used.free().to_vec();
        let after = compare(&used, &before, &|at| free.iter().any(|range| range.contains(&(at as u64))));
        let copy = folder.path().join("copy.img");
        fs::write(&copy, after).unwrap();
        tool("e2fsck", &["-f", "-n", text(&copy)]).unwrap();
        let out = folder.path().join("out");
        fs::create_dir(&out).unwrap();
        tool("debugfs", &["-R", &format!("rdump / \"{}\"", text(&out)), text(&copy)]).unwrap();
        for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with('7')) {
            assert!(fs::read(out.join(name)).unwrap() == *bytes, "{name} of {kind:?}");
        }
    }
}

/// A small volume and its bytes.
fn small_ntfs(folder: &Path) -> Option<(PathBuf, Vec<u8>)> {
    let volume = littered(folder, "volume.img", 8 * MIB);
    tool("mkntfs", &["-F", "-q", "-Q", "-c", "4096", text(&volume)])?;
    let bytes = fs::read(&volume).unwrap();
    Some((volume, bytes))
}

#[test]
fn volumes_in_doubt_refuse_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let Some((volume, good)) = small_ntfs(folder.path()) else { return };
    assert!(UsedDisk::new(disk(memory(good.clone()))).unwrap().free_bytes() > 4 * MIB);
    let table = u64::from_le_bytes(good[48..56].try_into().unwrap()) as usize * 4096;
    // The dirty flag.
    let mut bytes = good.clone();
    let record = table + 3 * 1024;
    let attribute = (record..record + 1024).step_by(8).find(|at| bytes[*at..at + 4] == [0x70, 0, 0, 0]).unwrap();
    let value = attribute + usize::from(bytes[attribute + 20]);
    bytes[value + 10] |= 1;
    let error = refused(&bytes);
    assert!(error.to_string().contains("cannot be trusted. The volume is marked as dirty."), "{error}");
    assert!(error.hint().contains("chkdsk"));
    // A bitmap that marks the file table as free.
    let mut bytes = good.clone();
    let bits = tool("ntfscat", &["-f", "-i", "6", text(&volume)]).unwrap();
    let bitmap = (0..bytes.len()).step_by(4096).find(|at| bytes[*at..at + bits.len()] == bits[..]).unwrap();
    bytes[bitmap + table / 4096 / 8] &= !(1 << (table / 4096 % 8));
    let error = refused(&bytes).to_string();
    assert!(error.contains("$Bitmap marks cluster 4 as free, which holds a part of $MFT."), "{error}");
    // A longer volume than its partition.
    let error = refused(&good[..good.len() - 8192]).to_string();
    assert!(error.contains("bytes by its boot sector"), "{error}");
    // A first sector that only its copy can replace: what else happened to the volume?
    let mut bytes = good;
    bytes[3] = b'X';
    assert!(matches!(refused(&bytes), UnusedError::Nothing { .. }));
}

#[test]
fn hibernated_and_shadowed_volumes_refuse_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let Some((volume, _)) = small_ntfs(folder.path()) else { return };
    let mark = "{3808876b-c176-4e48-b7ae-04046e6cc752}";
    let Some(mount) = Mounted::new(&volume, "windows_names") else { return };
    fs::create_dir(mount.path.join("System Volume Information")).unwrap();
    fs::write(mount.path.join(format!("System Volume Information/{mark}")), b"catalog").unwrap();
    drop(mount);
    assert!(UsedDisk::new(disk(local(&volume))).is_ok());
    let Some(mount) = Mounted::new(&volume, "windows_names") else { return };
    let name = format!("System Volume Information/{{e0000000-0000-11e1-9c9c-00155d0a0b0c}}{}", mark.to_uppercase());
    fs::write(mount.path.join(&name), b"store").unwrap();
    drop(mount);
    let error = refused(&fs::read(&volume).unwrap()).to_string();
    assert!(error.contains("It holds 1 shadow copies"), "{error}");
    let Some(mount) = Mounted::new(&volume, "windows_names") else { return };
    fs::remove_file(mount.path.join(&name)).unwrap();
    fs::write(mount.path.join("hiberfil.sys"), noise(1, 70_000)).unwrap();
    drop(mount);
    assert!(UsedDisk::new(disk(local(&volume))).is_ok());
    let Some(mount) = Mounted::new(&volume, "windows_names") else { return };
    fs::write(mount.path.join("hiberfil.sys"), b"HIBR".repeat(20_000)).unwrap();
    drop(mount);
    let error = refused(&fs::read(&volume).unwrap()).to_string();
    assert!(error.contains("hibernated"), "{error}");
}

#[test]
fn ext_in_doubt_refuses_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "ext.img", 16 * MIB);
    if tool("mkfs.ext4", &["-q", "-F", "-O", "^metadata_csum", text(&path)]).is_none() {
        return;
    }
    let good = fs::read(&path).unwrap();
    assert!(UsedDisk::new(disk(memory(good.clone()))).is_ok());
    let mut bytes = good.clone();
    bytes[1024 + 58] = 0;
    assert!(refused(&bytes).to_string().contains("not unmounted"));
    let mut bytes = good.clone();
    bytes[1024 + 96] |= 4;
    assert!(refused(&bytes).to_string().contains("journal"));
    // The bitmap of the first group, by its descriptor: one bit more is free than the descriptor counts.
    let block = 1024 << good[1048];
    let first = usize::from(good[1044]);
    let descriptor = (first + 1) * block;
    let bitmap = u32::from_le_bytes(good[descriptor..descriptor + 4].try_into().unwrap()) as usize * block;
    let mut bytes = good.clone();
    bytes[bitmap] &= !1;
    let error = refused(&bytes).to_string();
    assert!(error.contains("'free blocks of a group' should be what its bitmap has"), "{error}");
}

/// Bytes at a place of a partition.
type Mark = (usize, &'static [u8]);

/// A disk of one MBR partition of a type with some bytes in it.
fn mbr(kind: u8, content: &[Mark]) -> Vec<u8> {
    let mut bytes = vec![0; 4 << 20];
    bytes[446..462].copy_from_slice(&[0, 0, 0, 0, kind, 0, 0, 0, 0, 8, 0, 0, 0, 0x10, 0, 0]);
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    for (at, part) in content {
        bytes[(1 << 20) + at..(1 << 20) + at + part.len()].copy_from_slice(part);
    }
    bytes
}

#[test]
fn what_is_not_understood_refuses_the_disk() {
    let cases: [(u8, &[Mark], &str); 7] = [
        (0x07, &[(3, b"-FVE-FS-")], "is encrypted (BitLocker)"),
        (0x83, &[(0, b"LUKS\xba\xbe")], "is encrypted (LUKS)"),
        (0x8E, &[(512, b"LABELONE"), (532, &[32]), (536, b"LVM2 001")], "is a physical volume of LVM2"),
        (0x83, &[(0, b"XFSB")], "holds XFS"),
        (0x07, &[(3, b"ReFS\0\0\0\0")], "holds ReFS"),
        (0x42, &[(3, b"NTFS    ")], "is a part of a Windows dynamic disk"),
        (0x83, &[(5000, b"something")], "holds no file system that is known"),
    ];
    for (kind, content, expected) in cases {
        let error = refused(&mbr(kind, content));
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains("what is free in it is not known"), "{text}");
        assert!(error.hint().contains("without --skip-free-space"));
    }
    assert!(matches!(refused(&noise(3, 1 << 20)), UnusedError::Nothing { .. }));
    // Two partitions share sectors.
    let mut bytes = mbr(0x07, &[]);
    bytes.copy_within(446..462, 462);
    assert!(matches!(&refused(&bytes), UnusedError::Table { findings, .. } if findings[0].contains("overlap")));
}

/// What came after an NTFS and left its first sectors standing.
#[test]
fn volumes_with_the_marks_of_several_owners_refuse_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_, good)) = small_ntfs(folder.path()) else { return };
    let marks: [(usize, &[u8], &str); 8] = [
        (4096, b"\xfc\x4e\x2b\xa9\x01\0\0\0", "is a member of a Linux RAID"),
        (65_536 + 1372, b"\x19\x01\x54\x19", "the marks of NTFS, and those of UFS2"),
        (8192 + 1372, b"\0\x01\x19\x54", "UFS"),
        ((128 << 10) + 3072, b"\x0c\xb1\xba\0\0\0\0\0", "ZFS"),
        (4096 + 24, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81", "bcache"),
        (32_768, b"JFS1", "JFS"),
        (0x1_0040, b"_BHRfS_M", "Btrfs"),
        (4086, b"SWAPSPACE2", "Linux swap"),
    ];
    for (at, mark, words) in marks {
        // As a partition: a mark over the whole disk is another matter.
        let mut bytes = mbr(0x07, &[]);
        bytes.resize((1 << 20) + good.len(), 0);
        bytes[(1 << 20)..].copy_from_slice(&good);
        bytes[458..462].copy_from_slice(&u32::to_le_bytes(good.len() as u32 / 512));
        assert!(UsedDisk::new(disk(memory(bytes.clone()))).is_ok());
        bytes[(1 << 20) + at..(1 << 20) + at + mark.len()].copy_from_slice(mark);
        let error = refused(&bytes);
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.hint().contains("without --skip-free-space"));
    }
}

#[test]
fn partitions_without_free_space_are_copied_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = littered(folder.path(), "disk.raw", 40 * MIB);
    fs::File::options().write(true).open(&path).unwrap().write_all_at(&vec![0; MIB as usize], 0).unwrap();
    let Some((volume, _)) = small_ntfs(folder.path()) else { return };
    let fat = littered(folder.path(), "fat.img", 8 * MIB);
    let swap = littered(folder.path(), "swap.img", 2 * MIB);
    if tool("mkfs.vfat", &["-F", "16", "-s", "1", text(&fat)]).is_none()
        || tool("mkswap", &["-q", text(&swap)]).is_none()
    {
        return;
    }
    let parts = ["-n1:2048:+8M", "-t1:ef00", "-n2:0:+1M", "-t2:0c01", "-n3:0:+8M", "-t3:0700", "-n4:0:+2M", "-t4:8200"];
    if tool("sgdisk", &[&["-o"], &parts[..], &[text(&path)]].concat()).is_none() {
        return;
    }
    let file = fs::File::options().write(true).open(&path).unwrap();
    for (start, part) in [(MIB, &fat), (10 * MIB, &volume), (18 * MIB, &swap)] {
        file.write_all_at(&fs::read(part).unwrap(), start).unwrap();
    }
    let used = UsedDisk::new(disk(local(&path))).unwrap();
    let whole: Vec<_> = used.volumes().iter().map(|volume| (volume.partition, volume.copied_whole.is_some())).collect();
    assert_eq!(whole, [(1, true), (2, true), (3, false), (4, true)]);
    let free = used.free().to_vec();
    assert!(free.iter().all(|range| range.start >= 10 * MIB && range.end <= 18 * MIB));
    compare(&used, &fs::read(&path).unwrap(), &|at| free.iter().any(|range| range.contains(&(at as u64))));
    // A disk that was enlarged has its backup table elsewhere; that is no reason to refuse it.
    file.set_len(50 * MIB).unwrap();
    assert_eq!(UsedDisk::new(disk(local(&path))).unwrap().free(), free);
    // A primary table with a wrong checksum is one.
    let mut bytes = fs::read(&path).unwrap();
    bytes[512 + 60] ^= 1;
    let error = refused(&bytes).to_string();
    assert!(error.contains("the partition table cannot be trusted"), "{error}");
}
