//! NTFS volumes made by mkntfs and ntfs-3g, read by this crate and by the tools of ntfs-3g.
#![allow(clippy::unwrap_used, missing_docs)]

mod config_samples;
mod guestfs_support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use guestfs_support::{Mounted, content, found, image, local, memory, noise, text, tool, whole};
use hvm_formats::disk::{NoParents, open};
use hvm_formats::guestfs::ntfs::{FileReference, ReparseKind};
use hvm_formats::guestfs::{FreeSpace, FreeSpaceError, FsKind, Ntfs, TableKind, inspect, recognise};
use hvm_testkit::ntfs::reparse_data;
use rustix::fs::{XattrFlags, setxattr};

const MKNTFS: [&str; 8] = ["-F", "-q", "-L", "DATEN ä", "-p", "2048", "-H", "255"];

fn volume(folder: &Path, size: u64, more: &[&str]) -> Option<PathBuf> {
    let path = image(folder, "volume.img", size);
    let mut args = MKNTFS.to_vec();
    args.extend(["-S", "63"]);
    args.extend(more);
    args.push(text(&path));
    tool("mkntfs", &args)?;
    Some(path)
}

fn mounted(image: &Path) -> Option<Mounted> {
    Mounted::new(image, "compression,streams_interface=xattr")
}

/// Compares free space with what `ntfsinfo -m` counts, and the runs with the bits that `ntfscat` reads.
fn compare_bitmap(path: &Path, ntfs: &Ntfs) {
    let info = String::from_utf8(tool("ntfsinfo", &["-m", "-f", text(path)]).unwrap()).unwrap();
    let line = info.lines().find(|line| line.contains("Free Clusters:")).unwrap();
    let free: u64 = line.split(':').nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    let bitmap = ntfs.bitmap().unwrap();
    assert_eq!(bitmap.free().unwrap(), free);
    let bits = tool("ntfscat", &["-f", "-i", "6", text(path)]).unwrap();
    let mut expected = vec![true; bitmap.clusters as usize];
    for run in bitmap.free_runs() {
        for cluster in run.unwrap() {
            expected[cluster as usize] = false;
        }
    }
    for (cluster, used) in expected.iter().enumerate() {
        assert_eq!(bits[cluster / 8] >> (cluster % 8) & 1 == 1, *used, "cluster {cluster}");
    }
}

#[test]
fn an_empty_volume_says_what_mkntfs_made() {
    let folder = tempfile::tempdir().unwrap();
    for options in
        [&["-c", "512"][..], &["-c", "4096"], &["-c", "65536"], &["-c", "2097152"], &["-s", "4096", "-c", "4096"]]
    {
        let Some(path) = volume(folder.path(), 48 << 20, options) else { return };
        let file = local(&path);
        assert_eq!(recognise(&*file).kind, FsKind::Ntfs);
        let ntfs = Ntfs::open(file.clone()).unwrap();
        assert_eq!(ntfs.remarks(), &[] as &[String]);
        let volume = ntfs.volume().unwrap();
        assert_eq!((volume.label.as_str(), volume.version), ("DATEN ä", (3, 1)), "{options:?}");
        assert!(ntfs.is_clean().unwrap());
        let names: Vec<String> = ntfs.read_dir(FileReference::ROOT).unwrap().map(|entry| entry.unwrap().name).collect();
        assert!(names.contains(&"$MFT".to_owned()) && names.contains(&"$UpCase".to_owned()), "{names:?}");
        assert_eq!(content(&ntfs, r"\$upcase", "").len(), 1 << 17);
        compare_bitmap(&path, &ntfs);
        let sum: u64 = FreeSpace::open(file).unwrap().map(|run| run.map(|run| run.end - run.start).unwrap()).sum();
        assert_eq!(sum, ntfs.bitmap().unwrap().free().unwrap() * ntfs.cluster_size());
    }
}

/// What the mounted volume was given: path and content.
type Written = BTreeMap<String, Vec<u8>>;

fn put(root: &Path, written: &mut Written, path: &str, bytes: Vec<u8>) {
    let full = root.join(path);
    fs::create_dir_all(full.parent().unwrap()).unwrap();
    fs::write(&full, &bytes).unwrap();
    written.insert(path.to_owned(), bytes);
}

fn fill(root: &Path) -> Written {
    let mut written = Written::new();
    for number in 0..3000 {
        put(root, &mut written, &format!("Viele Dateien/Datei Nummer {number} größer.txt"), noise(number, 7));
    }
    // Holes between small files make the large ones fragmented, beyond what one file record can map.
    for number in 0..1200_u64 {
        put(root, &mut written, &format!("lücken/{number}"), noise(number, 4096));
    }
    for number in (0..1200).step_by(2) {
        fs::remove_file(root.join(format!("lücken/{number}"))).unwrap();
        written.remove(&format!("lücken/{number}"));
    }
    let stuffing = root.join("stuffing");
    let mut file = fs::File::create(&stuffing).unwrap();
    let step = vec![1; 1 << 16];
    while std::io::Write::write_all(&mut file, &step).is_ok() {}
    for number in (1..1200_u64).step_by(2) {
        if number % 4 == 1 {
            fs::remove_file(root.join(format!("lücken/{number}"))).unwrap();
            written.remove(&format!("lücken/{number}"));
        }
    }
    put(root, &mut written, "zerstückelt.bin", noise(99, 250 * 4096));
    fs::remove_file(stuffing).unwrap();
    put(root, &mut written, "leer", Vec::new());
    put(root, &mut written, "a/b/c/d/tief.bin", noise(5, 100_001));
    let sparse = fs::File::create(root.join("sparse.bin")).unwrap();
    sparse.write_all_at(b"begin", 0).unwrap();
    sparse.write_all_at(b"middle", 3_000_000).unwrap();
    sparse.set_len(5_000_001).unwrap();
    let mut bytes = vec![0; 5_000_001];
    bytes[..5].copy_from_slice(b"begin");
    bytes[3_000_000..3_000_006].copy_from_slice(b"middle");
    written.insert("sparse.bin".to_owned(), bytes);
    written
}

fn fill_compressed(root: &Path, written: &mut Written) {
    let folder = root.join("packed");
    fs::create_dir(&folder).unwrap();
    setxattr(&folder, "system.ntfs_attrib_be", &0x0000_0800_u32.to_be_bytes(), XattrFlags::empty()).unwrap();
    let line = |number: usize| format!("line {number} of a file that can be packed well, {}\n", number * number % 97);
    put(root, written, "packed/text.txt", (0..20_000).map(line).collect::<String>().into_bytes());
    put(root, written, "packed/noise.bin", noise(7, 300_000));
    let mut mixed = noise(8, 70_000);
    mixed.resize(300_000, 0);
    mixed.extend((0..5_000).map(line).collect::<String>().into_bytes());
    mixed.extend(noise(9, 66_000));
    put(root, written, "packed/mixed.bin", mixed);
}

#[test]
fn every_file_of_a_mounted_volume_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = volume(folder.path(), 64 << 20, &["-c", "4096"]) else { return };
    let Some(mount) = mounted(&path) else { return };
    let mut written = fill(&mount.path);
    fill_compressed(&mount.path, &mut written);
    drop(mount);
    let ntfs = Ntfs::open(local(&path)).unwrap();
    assert_eq!(ntfs.doubts().unwrap(), [] as [String; 0]);
    for (name, bytes) in &written {
        // Windows leaves 'ß' as it is: no character becomes two.
        assert!(content(&ntfs, &name.to_uppercase().replace("SSER", "ßer"), "") == *bytes, "{name}");
    }
    for name in ["zerstückelt.bin", "packed/text.txt", "packed/mixed.bin", "sparse.bin"] {
        assert!(tool("ntfscat", &["-f", text(&path), name]).unwrap() == written[name], "{name}");
    }
    let info = tool("ntfsinfo", &["-v", "-f", "-F", "zerstückelt.bin", text(&path)]).unwrap();
    assert!(String::from_utf8_lossy(&info).contains("$ATTRIBUTE_LIST"), "the file should need an attribute list");
    let info = tool("ntfsinfo", &["-v", "-f", "-F", "packed/text.txt", text(&path)]).unwrap();
    assert!(String::from_utf8_lossy(&info).contains("Compressed size"), "the file should be compressed");
    let many = ntfs.read_dir(found(&ntfs, "viele dateien")).unwrap();
    let many: Vec<_> = many.map(Result::unwrap).filter(|entry| !entry.short).collect();
    assert_eq!(many.len(), 3000);
    assert_eq!(ntfs.find("viele dateien/datei nummer 3000 größer.txt").unwrap(), None);
    assert_eq!(ntfs.find("nichts/da").unwrap(), None);
    assert!(ntfs.find("leer/da").is_err());
    compare_bitmap(&path, &ntfs);
    random_reads(&ntfs, &written);
}

fn random_reads(ntfs: &Ntfs, written: &Written) {
    for name in ["zerstückelt.bin", "packed/mixed.bin", "packed/text.txt", "sparse.bin"] {
        let bytes = &written[name];
        let file = ntfs.open_file(found(ntfs, name), "").unwrap();
        for round in noise(3, 800).as_chunks::<8>().0 {
            let number = u64::from_le_bytes(*round);
            let start = (number >> 20) as usize % bytes.len();
            let len = (number % 9000) as usize % (bytes.len() - start);
            let mut buffer = vec![0xA5; len];
            file.read_exact_at(&mut buffer, start as u64).unwrap();
            assert!(buffer == bytes[start..start + len], "{name} from {start}, {len} bytes");
        }
        assert!(file.read_exact_at(&mut [0; 2], bytes.len() as u64 - 1).is_err());
    }
}

#[test]
fn a_fragmented_file_table_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = volume(folder.path(), 12 << 20, &["-c", "512"]) else { return };
    let Some(mount) = mounted(&path) else { return };
    // No room in one piece: the table has to grow into the holes.
    let mut written = Written::new();
    for number in 0..20_000 {
        if fs::write(mount.path.join(format!("f{number}")), noise(number, 900)).is_err() {
            break;
        }
        written.insert(format!("f{number}"), noise(number, 900));
    }
    let mut file = fs::File::create(mount.path.join("stuffing")).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    drop(file);
    for number in (0..written.len()).step_by(2) {
        fs::remove_file(mount.path.join(format!("f{number}"))).unwrap();
        written.remove(&format!("f{number}"));
    }
    for number in 0..40_000 {
        if fs::write(mount.path.join(format!("g{number}")), b"small").is_err() {
            break;
        }
        written.insert(format!("g{number}"), b"small".to_vec());
    }
    drop(mount);
    let info = String::from_utf8_lossy(&tool("ntfsinfo", &["-v", "-f", "-i", "0", text(&path)]).unwrap()).into_owned();
    assert!(info.contains("$ATTRIBUTE_LIST"), "the file table should need an attribute list");
    let ntfs = Ntfs::open(local(&path)).unwrap();
    let mut compared = 0;
    for (name, bytes) in &written {
        // What was written after the volume was full may be there without its content.
        if let Some(entry) = ntfs.find(name).unwrap()
            && entry.size == bytes.len() as u64
        {
            assert!(whole(&*ntfs.open_file(entry.reference, "").unwrap()).unwrap() == *bytes, "{name}");
            compared += 1;
        }
    }
    assert!(compared > written.len() * 9 / 10, "{compared} of {}", written.len());
    compare_bitmap(&path, &ntfs);
}

#[test]
fn streams_links_and_junctions() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = volume(folder.path(), 32 << 20, &[]) else { return };
    let Some(mount) = mounted(&path) else { return };
    let name = mount.path.join("file.txt");
    fs::write(&name, b"content").unwrap();
    setxattr(&name, "user.Zone.Identifier", b"[ZoneTransfer]\r\nZoneId=3\r\n", XattrFlags::empty()).unwrap();
    setxattr(&name, "user.big", &noise(4, 60_000), XattrFlags::empty()).unwrap();
    fs::create_dir(mount.path.join("real")).unwrap();
    fs::write(mount.path.join("real/x.xml"), b"<x/>").unwrap();
    reparse(&mount.path.join("absolute"), 0xA000_000C, r"\??\D:\VMs\ä.xml", r"D:\VMs\ä.xml");
    reparse(&mount.path.join("relative"), 0xA000_000C, r"..\x.xml", r"..\x.xml");
    fs::create_dir(mount.path.join("junction")).unwrap();
    reparse(&mount.path.join("junction"), 0xA000_0003, r"\??\C:\real", r"C:\real");
    reparse(&mount.path.join("wof"), 0x8000_0017, "", "");
    drop(mount);
    let ntfs = Ntfs::open(local(&path)).unwrap();
    let mut streams = ntfs.streams(found(&ntfs, "FILE.TXT")).unwrap();
    streams.sort_by(|left, right| left.name.cmp(&right.name));
    let streams: Vec<_> = streams.iter().map(|stream| (stream.name.as_str(), stream.size)).collect();
    assert_eq!(streams, [("", 7), ("Zone.Identifier", 26), ("big", 60_000)]);
    assert_eq!(content(&ntfs, "file.txt", "Zone.Identifier"), b"[ZoneTransfer]\r\nZoneId=3\r\n");
    assert!(content(&ntfs, "file.txt", "big") == noise(4, 60_000));
    let link = |name| ntfs.reparse(found(&ntfs, name)).unwrap().unwrap();
    let (absolute, relative, junction) = (link("absolute"), link("relative"), link("junction"));
    assert_eq!((absolute.kind, absolute.shown.as_str()), (ReparseKind::Symlink, r"D:\VMs\ä.xml"));
    assert_eq!(absolute.target.unwrap(), r"\??\D:\VMs\ä.xml");
    assert_eq!((relative.kind, relative.target.unwrap()), (ReparseKind::RelativeSymlink, r"..\x.xml".to_owned()));
    assert_eq!((junction.kind, junction.target.unwrap()), (ReparseKind::Junction, r"\??\C:\real".to_owned()));
    let error = ntfs.find(r"junction\x.xml").unwrap_err().to_string();
    assert!(error.contains(r"'\junction' is a link to '\??\C:\real'"), "{error}");
    let error = ntfs.open_file(found(&ntfs, "wof"), "").err().unwrap().to_string();
    assert!(error.contains("compressed by the system (WOF)"), "{error}");
}

fn reparse(path: &Path, tag: u32, target: &str, shown: &str) {
    let data = reparse_data(tag, target, shown);
    if !path.exists() {
        fs::write(path, b"").unwrap();
    }
    setxattr(path, "system.ntfs_reparse_data", &data, XattrFlags::empty()).unwrap();
}

#[test]
fn copies_stand_in_and_unclean_volumes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = volume(folder.path(), 4 << 20, &["-c", "4096"]) else { return };
    let good = fs::read(&path).unwrap();
    let mut bytes = good.clone();
    bytes[3] = b'X';
    let last = bytes.len() - 512;
    bytes[last..].copy_from_slice(&good[..512]);
    let ntfs = Ntfs::open(memory(bytes.clone())).unwrap();
    assert!(ntfs.remarks()[0].contains("The copy of the boot sector"), "{:?}", ntfs.remarks());
    assert!(matches!(FreeSpace::open(memory(bytes)), Err(FreeSpaceError::Unknown { .. })));
    // First record of the file table.
    let table = u64::from_le_bytes(good[48..56].try_into().unwrap()) as usize * 4096;
    let mut bytes = good.clone();
    bytes[table] = 0;
    let ntfs = Ntfs::open(memory(bytes.clone())).unwrap();
    assert!(ntfs.remarks()[0].contains("should start with 'FILE'"), "{:?}", ntfs.remarks());
    assert!(matches!(FreeSpace::open(memory(bytes)), Err(FreeSpaceError::NotClean { .. })));
    // The dirty flag: the value of attribute 0x70 in record 3.
    let mut bytes = good.clone();
    let record = table + 3 * 1024;
    let attribute = (record..record + 1024).step_by(8).find(|at| bytes[*at..at + 4] == [0x70, 0, 0, 0]).unwrap();
    let value = attribute + usize::from(bytes[attribute + 20]);
    bytes[value + 10] |= 1;
    let ntfs = Ntfs::open(memory(bytes.clone())).unwrap();
    assert_eq!(ntfs.doubts().unwrap(), ["The volume is marked as dirty."]);
    let error = FreeSpace::open(memory(bytes)).err().unwrap().to_string();
    assert!(error.contains("cannot be trusted. The volume is marked as dirty."), "{error}");
    assert!(Ntfs::open(memory(good[..1000].to_vec())).is_err());
}

/// Every file of a volume, system files included, against what `ntfscat` reads of the same record.
fn compare_files(path: &Path, ntfs: &Ntfs) -> usize {
    let mut folders = vec![FileReference::ROOT];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in ntfs.read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| !entry.short) {
            if entry.is_directory() {
                if entry.name != "." {
                    folders.push(entry.reference);
                }
                continue;
            }
            // Of the file table and its mirror ntfscat puts the update sequences right.
            if matches!(entry.reference.number(), 0 | 1) {
                continue;
            }
            let number = entry.reference.number().to_string();
            for stream in ntfs.streams(entry.reference).unwrap() {
                let ours = whole(&*ntfs.open_file(entry.reference, &stream.name).unwrap()).unwrap();
                let theirs = tool("ntfscat", &["-f", "-i", &number, "-n", &stream.name, text(path)]).unwrap();
                assert!(ours == theirs, "{}:{}: {} and {} bytes", entry.name, stream.name, ours.len(), theirs.len());
                count += 1;
            }
        }
    }
    count
}

#[test]
fn volumes_that_windows_formatted() {
    for (name, signature, serial) in
        [("dynamic.vhd", 0x8CAD_3DE1, "0896723096721E7E"), ("fixed.vhd", 0x8CAD_3DEB, "A08877EB8877BE7A")]
    {
        let folder = tempfile::tempdir().unwrap();
        let Some(packed) = config_samples::read(&format!("disks/{name}.gz")) else { return };
        fs::write(folder.path().join("packed.gz"), packed).unwrap();
        let Some(unpacked) = tool("gzip", &["-dc", text(&folder.path().join("packed.gz"))]) else { return };
        let path = folder.path().join(name);
        fs::write(&path, unpacked).unwrap();
        let disk = open(local(&path), &NoParents).unwrap();
        let contents = inspect(disk.clone());
        assert_eq!(contents.table, TableKind::Mbr { signature });
        let part = &contents.partitions[0];
        assert_eq!((part.file_system.label.as_str(), part.file_system.id.as_str()), ("New Volume", serial));
        assert_eq!((part.used, part.free, part.clean), (Some(3_903_488), Some(3_432_448), Some(true)));
        let mut bytes = vec![0; part.partition.size as usize];
        disk.read_at(part.partition.start, &mut bytes).unwrap();
        let volume = folder.path().join("volume.img");
        fs::write(&volume, bytes).unwrap();
        log_in_use(fs::read(&volume).unwrap());
        let ntfs = Ntfs::open(local(&volume)).unwrap();
        if tool("ntfsls", &[text(&volume)]).is_some() {
            compare_bitmap(&volume, &ntfs);
            assert!(compare_files(&volume, &ntfs) > 6);
        }
    }
}

/// The same volume as its system would have left it when it was turned off: both restart pages of the log have a client.
fn log_in_use(good: Vec<u8>) {
    let pages: Vec<usize> = (0..good.len()).step_by(4096).filter(|at| good[*at..].starts_with(b"RSTR")).collect();
    assert_eq!(pages.len(), 2);
    let doubts = |clients: u16, flags: u16| {
        let mut bytes = good.clone();
        for page in &pages {
            let area = page + usize::from(u16::from_le_bytes([good[page + 24], good[page + 25]]));
            bytes[area + 12..area + 14].copy_from_slice(&clients.to_le_bytes());
            bytes[area + 14..area + 16].copy_from_slice(&flags.to_le_bytes());
        }
        Ntfs::open(memory(bytes)).unwrap().doubts().unwrap()
    };
    assert_eq!(doubts(0, 0), ["The log was not closed: the volume was in use, and changes may wait in the log."]);
    assert_eq!(doubts(0, 2), [] as [String; 0]);
    assert_eq!(doubts(0xFFFF, 0), [] as [String; 0]);
    let mut bytes = good.clone();
    pages.iter().for_each(|page| bytes[*page] = b'X');
    let doubts = Ntfs::open(memory(bytes)).unwrap().doubts().unwrap();
    assert_eq!(doubts, ["The log has no restart area that can be read."]);
}
