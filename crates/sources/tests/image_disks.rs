//! Disks of a dead server that do not fit together or cannot be read: clones, damaged tables, other file systems and formats. Nothing is
//! chosen silently, and what is left out is told.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod dead_host;

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use dead_host::{C, D, Table, can_make, disk, disks, junction, room, symlink, volume};
use hvm_formats::io::read_whole;
use hvm_model::found::Problem;
use hvm_model::names::WindowsPath;
use hvm_sources::Source;
use hvm_testkit::sample::{self, Variant};

struct Dead {
    folder: tempfile::TempDir,
    c: PathBuf,
    d: PathBuf,
}

fn dead(more: impl FnOnce(&Path)) -> Option<Dead> {
    if !can_make() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    sample::write(&folder.path().join("source"), Variant::Default).unwrap();
    let [c, d] = disks(folder.path(), &folder.path().join("source"), more);
    Some(Dead { folder, c, d })
}

impl Dead {
    /// A file beside the disks.
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A copy of a disk.
    fn copy(&self, disk: &Path, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::copy(disk, &path).unwrap();
        path
    }
}

fn uri(disks: &[&Path], map: &str) -> String {
    let disks: Vec<String> = disks.iter().map(|disk| disk.display().to_string()).collect();
    format!("image:{}{map}", disks.join(","))
}

fn refused(disks: &[&Path], map: &str) -> String {
    hvm_sources::open(&uri(disks, map)).err().map(|error| error.to_string()).unwrap_or_default()
}

fn opened(disks: &[&Path], map: &str) -> Box<dyn Source> {
    hvm_sources::open(&uri(disks, map)).unwrap()
}

fn problems(disks: &[&Path]) -> Vec<Problem> {
    opened(disks, "").inventory().unwrap().problems
}

fn only<'p>(problems: &'p [Problem], kind: &str) -> &'p Problem {
    let found: Vec<&Problem> = problems.iter().filter(|problem| problem.kind == kind).collect();
    assert_eq!(found.len(), 1, "{kind}: {problems:#?}");
    found[0]
}

fn content(source: &dyn Source, path: &str) -> Result<String, String> {
    let file = source.open_file(&WindowsPath::new(path)).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(read_whole(&*file, 1 << 20).unwrap()).unwrap())
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn of_a_disk_and_its_clone_none_is_taken_unasked() {
    let Some(dead) = dead(|_| {}) else { return };
    let (c, d) = (dead.c.as_path(), dead.d.as_path());
    let clone = dead.copy(d, "clone.img");
    for (first, second) in [(d, clone.as_path()), (clone.as_path(), d)] {
        let told = refused(&[c, first, second], "");
        assert!(told.contains("drive D: of this Windows"), "{told}");
        assert!(told.contains("data.img, partition 1") && told.contains("clone.img, partition 1"), "{told}");
        assert!(told.contains("'?d=2:1' or '?d=3:1'"), "{told}");
    }
    let wanted = opened(&[c, d], "").describe().drives;
    assert_eq!(opened(&[c, &clone, d], "?d=3:1").describe().drives, wanted);
    assert_eq!(opened(&[c, d, &clone], "?d=2:1").describe().drives, wanted);
    // One disk that was named twice, once by a link.
    let link = dead.folder.path().join("link.img");
    std::os::unix::fs::symlink(d, &link).unwrap();
    for disks in [[c, d, d], [c, d, &link]] {
        let source = opened(&disks, "");
        assert_eq!(source.describe().drives, wanted);
        assert_eq!(source.inventory().unwrap().problems, []);
    }
    // Two disks with a Windows, whatever their ids.
    let system = dead.copy(c, "old system.img");
    overwrite(&system, 440, &7_u32.to_le_bytes());
    for disks in [[c, &system, d], [&system, c, d]] {
        let told = refused(&disks, "");
        assert!(
            told.contains("the volume that Windows was started from") && told.contains("'?c=1:2' or '?c=2:2'"),
            "{told}"
        );
    }
    assert_eq!(opened(&[&system, c, d], "?c=2:2").describe().drives, wanted);
}

#[test]
fn links_and_paths_lead_to_volumes_by_their_guid_and_to_no_other_server() {
    let Some(dead) = dead(|mount| {
        junction(&mount.join("volume"), dead_host::VOLUME_OF_D);
        symlink(
            &mount.join("below"),
            r"\??\Volume{0A11AA12-5f5c-11e0-8c26-806e6f6e6963}\ISO\Diskette 100%.vfd",
            "below",
        );
        junction(&mount.join("discs"), r"\??\Volume{0a11aa12-5f5c-11e0-8c26-806e6f6e6963}\ISO");
        junction(&mount.join("nowhere"), r"\??\Volume{ffffffff-0000-0000-0000-000000000000}\VMs");
        symlink(&mount.join("away.xml"), r"\??\UNC\fs01\vms\x.xml", r"\\fs01\vms\x.xml");
    }) else {
        return;
    };
    let source = opened(&[&dead.c, &dead.d], "");
    let plain = source.open_file(&WindowsPath::new(r"D:\ISO\Diskette 100%.vfd")).unwrap();
    for path in [
        r"C:\below",
        r"C:\discs\Diskette 100%.vfd",
        r"\\?\Volume{0a11aa12-5f5c-11e0-8c26-806e6f6e6963}\ISO\Diskette 100%.vfd",
        r"\\?\Volume{0A11AA12-5F5C-11E0-8C26-806E6F6E6963}\x\..\iso\diskette 100%.VFD",
    ] {
        let file = source.open_file(&WindowsPath::new(path)).unwrap();
        assert_eq!((file.name(), file.len()), (plain.name(), plain.len()), "{path}");
    }
    // A volume that has no letter is reached by its GUID alone, and what is found there again by its name.
    let (map, path) = ("?c=1:2&d=1:2", r"\\?\Volume{0a11aa12-5f5c-11e0-8c26-806e6f6e6963}\ISO\Diskette 100%.vfd");
    let bare = opened(&[&dead.c, &dead.d], map);
    assert!(bare.open_file(&WindowsPath::new(r"D:\ISO\Diskette 100%.vfd")).is_err(), "D: is another volume now");
    assert!(bare.open_file(&WindowsPath::new(r"C:\volume\ISO\Diskette 100%.vfd")).is_ok());
    for path in [path, r"C:\below", r"C:\discs\Diskette 100%.vfd"] {
        let file = bare.open_file(&WindowsPath::new(path)).unwrap();
        assert!(file.name().starts_with("Volume{0a11aa12"), "{}", file.name());
        assert_eq!(bare.open_file(&WindowsPath::new(file.name())).unwrap().name(), file.name());
    }
    // With a clone nobody knows which of them it is, until one has a letter.
    let clone = dead.copy(&dead.d, "clone.img");
    let disks = [dead.c.as_path(), &dead.d, &clone];
    let unknown = opened(&disks, map);
    assert!(unknown.open_file(&WindowsPath::new(path)).is_err());
    let found = unknown.inventory().unwrap().problems;
    let twins = only(&found, "volume.twins");
    assert!(twins.message.contains("data.img") && twins.message.contains("clone.img"), "{twins:?}");
    assert!(twins.hint.contains("'?e=2:1'"), "{twins:?}");
    let known = opened(&disks, "?c=1:2&d=1:2&f=3:1");
    assert!(known.open_file(&WindowsPath::new(path)).unwrap().name().starts_with(r"F:\ISO"));
    let both = opened(&disks, "?c=1:2&d=3:1&e=2:1");
    assert!(both.open_file(&WindowsPath::new(path)).unwrap().name().starts_with(r"D:\ISO"));
    let told = content(&*source, r"C:\nowhere\a.vhd").unwrap_err();
    assert!(told.contains("no volume with the GUID ffffffff-0000") && told.contains("Add the disk"), "{told}");
    for path in [r"C:\away.xml", r"\\fs01\vms\x.xml", r"\\?\UNC\fs01\vms\x.xml"] {
        let told = content(&*source, path).unwrap_err();
        assert!(told.contains(r"on another server, under '\\fs01\vms\x.xml'"), "{told}");
    }
}

#[test]
fn a_volume_whose_root_is_damaged_is_not_said_to_hold_no_windows() {
    let Some(dead) = dead(|_| {}) else { return };
    // The record of the root, in the master file table at the cluster that the boot sector names.
    let image = fs::read(&dead.c).unwrap();
    let start = C.1 as usize;
    let table = u64::from_le_bytes(image[start + 48..start + 56].try_into().unwrap());
    overwrite(&dead.c, C.1 + table * 4096 + 5 * 1024, b"BAAD");
    let told = refused(&[&dead.c, &dead.d], "");
    assert!(told.contains("system.img, partition 2") && told.contains("record 5"), "{told}");
    assert!(told.contains("Copy the disk again"), "{told}");
    let told = refused(&[&dead.c, &dead.d], "?c=1:2&d=2:1");
    assert!(told.contains("cannot be told") && told.contains("record 5") && told.contains("chkdsk"), "{told}");
}

#[test]
fn what_is_not_read_of_the_disks_is_told() {
    let Some(dead) = dead(|_| {}) else { return };
    let c = dead.c.as_path();
    // The place of D: holds another file system.
    let swap = dead.folder.path().join("swap");
    let mut bytes = vec![0; 4 << 20];
    bytes[4086..4096].copy_from_slice(b"SWAPSPACE2");
    fs::write(&swap, &bytes).unwrap();
    let other = dead.folder.path().join("other.img");
    disk(&other, &Table::Mbr(D.0), &[(D.1, &swap)]);
    let source = opened(&[c, &other], "");
    let told = content(&*source, r"D:\x").unwrap_err();
    assert!(
        told.contains("drive D: is '") && told.contains("other.img, partition 1', which holds Linux swap"),
        "{told}"
    );
    assert!(!told.contains("DISK:PARTITION"), "{told}");
    let inventory = source.inventory().unwrap();
    assert!(only(&inventory.problems, "disk.not-read").message.contains("other.img"));
    let files = inventory.unknowns.iter().find(|unknown| unknown.item.contains("other.img")).unwrap();
    assert!(files.reason.contains("Linux swap"), "{files:?}");
    // A volume of Windows with nothing in it that is known.
    fs::write(&swap, [7; 1 << 20]).unwrap();
    fs::remove_file(&other).unwrap();
    disk(&other, &Table::Mbr(9), &[(D.1, &swap)]);
    let found = problems(&[c, &other]);
    assert!(only(&found, "volume.unreadable").message.contains("nothing that is known is in it"));
    // Logical partitions behind a damaged record: `disk info` tells it in the same words.
    let mut table = fs::read(&dead.d).unwrap()[..512].to_vec();
    let logical = 63_u32;
    table[446 + 16 + 4] = 0x0F;
    table[446 + 16 + 8..446 + 16 + 12].copy_from_slice(&logical.to_le_bytes());
    table[446 + 16 + 12..446 + 16 + 16].copy_from_slice(&64_u32.to_le_bytes());
    overwrite(&dead.d, 0, &table);
    let found = problems(&[c, &dead.d]);
    let damaged = only(&found, "disk.table-damaged");
    assert!(damaged.message.contains("data.img") && damaged.message.contains("has no mark 55 AA"), "{damaged:?}");
    // An image that is none of plain sectors.
    let vmdk = dead.file("disk.vmdk", &[b"KDMV".as_slice(), &[1; 4096]].concat());
    let found = problems(&[c, &vmdk]);
    let told = only(&found, "disk.not-read");
    assert!(told.message.contains("VMDK") && told.hint.contains("qemu-img convert -f vmdk -O raw"), "{told:?}");
    let told = refused(&[&vmdk], "");
    assert!(told.contains("VMDK") && told.contains("which is not read. Make one that is: qemu-img convert"), "{told}");
    let packed = dead.file("disk.img.gz", b"\x1f\x8b\x08 and so on");
    let told = refused(&[&packed], "");
    assert!(told.contains("It is compressed (gzip), which is not read. Unpack it"), "{told}");
}

#[test]
fn a_volume_that_was_cut_is_to_be_copied_again() {
    if !can_make() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("part");
    volume(&part, (0, room(0)), |mount| fs::write(mount.join("x.txt"), "x").unwrap());
    let bare = folder.path().join("bare.img");
    disk(&bare, &Table::None, &[(0, &part)]);
    let len = fs::metadata(&bare).unwrap().len();
    File::options().write(true).open(&bare).unwrap().set_len(len - (8 << 20)).unwrap();
    // No Windows is on it: the folder of the role is enough.
    let told = refused(&[&bare], "?c=1:0");
    assert!(told.contains("None of the drives C: holds") && told.contains("add c=DISK:PARTITION"), "{told}");
    let role = folder.path().join("role");
    volume(&role, (0, room(0)), |mount| {
        fs::create_dir_all(mount.join("ProgramData/Microsoft/Windows/Hyper-V")).unwrap();
    });
    let found = opened(&[&role, &bare], "?c=1:0&d=2:0").inventory().unwrap().problems;
    let cut = only(&found, "volume.cut");
    assert!(cut.message.contains("by its boot sector") && cut.hint.contains("copy the disk again"), "{cut:?}");
    assert!(!cut.hint.contains("shut that Windows down"), "{cut:?}");
}
