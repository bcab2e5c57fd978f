//! The disks of a dead server: NTFS volumes that mkntfs makes and ntfs-3g fills from the drives of the sample host, on disks with
//! partition tables. Links are those of Windows. What is missing is said aloud.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hvm_testkit::mount::unmount;
use hvm_testkit::ntfs::{JUNCTION, SYMLINK, reparse_data};
use rustix::fs::{XattrFlags, setxattr};

const MIB: u64 = 1 << 20;

/// What can make and fill NTFS volumes, or nothing after saying what is missing.
pub fn can_make() -> bool {
    let fuse = fs::metadata("/dev/fuse").is_ok_and(|metadata| metadata.file_type().is_char_device());
    let root = is_root();
    for (there, what) in [(fuse, "/dev/fuse"), (root, "the rights of root to mount")] {
        if !there {
            println!("SKIPPED: NTFS volumes want {what}");
            return false;
        }
    }
    for program in ["mkntfs", "ntfs-3g", "umount"] {
        if Command::new(program).arg("--version").output().is_err() {
            println!("SKIPPED: {program} is not installed (apt-get install ntfs-3g mount)");
            return false;
        }
    }
    true
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Makes a volume in a file, as it will lie `start` bytes behind the beginning of a disk, and fills it.
pub fn volume(path: &Path, (start, len): (u64, u64), fill: impl FnOnce(&Path)) {
    File::create(path).unwrap().set_len(len).unwrap();
    let sectors = (start / 512).to_string();
    let made = Command::new("mkntfs")
        .args(["-F", "-q", "-Q", "-s", "512", "-p", &sectors, "-H", "255", "-S", "63", "-c", "4096"])
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "mkntfs");
    let mounted = Mounted::new(path, "noatime,compression,streams_interface=xattr");
    fill(&mounted.at);
    mounted.take_off();
}

/// A volume that ntfs-3g has mounted; it is taken off whatever becomes of the test.
pub struct Mounted {
    /// Where it is mounted.
    pub at: PathBuf,
    server: Child,
}

impl Mounted {
    /// Mounts the volume in a file with these options of ntfs-3g.
    pub fn new(path: &Path, options: &str) -> Mounted {
        let at = path.with_extension("mount");
        fs::create_dir_all(&at).unwrap();
        let server = Command::new("ntfs-3g")
            .args(["-o", &format!("no_detach,{options}")])
            .args([path, &at])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut mounted = Mounted { at, server };
        wait(&mut mounted.server, &mounted.at);
        mounted
    }

    /// Takes it off in order.
    pub fn take_off(mut self) {
        unmount(&self.at).unwrap();
        assert!(self.server.wait().unwrap().success(), "ntfs-3g");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if matches!(self.server.try_wait(), Ok(None)) {
            let _ = unmount(&self.at);
            let _ = self.server.wait();
        }
    }
}

fn wait(server: &mut Child, mount: &Path) {
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    for _ in 0..300 {
        if device(mount).zip(device(&mount.join(".."))).is_some_and(|(inside, outside)| inside != outside) {
            return;
        }
        assert!(server.try_wait().unwrap().is_none(), "ntfs-3g ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{} is not mounted", mount.display());
}

/// A symbolic link of Windows.
pub fn symlink(path: &Path, target: &str, shown: &str) {
    reparse(path, SYMLINK, (target, shown));
}

/// A junction.
pub fn junction(path: &Path, target: &str) {
    fs::create_dir(path).unwrap();
    reparse(path, JUNCTION, (target, ""));
}

/// A file with a reparse point of another kind, whose data are of no use here.
pub fn reparse_point(path: &Path, tag: u32) {
    File::create(path).unwrap();
    let data = [&tag.to_le_bytes()[..], &8u16.to_le_bytes(), &[0; 2], &[1; 8]].concat();
    setxattr(path, "system.ntfs_reparse_data", &data, XattrFlags::empty()).unwrap();
}

fn reparse(path: &Path, tag: u32, (target, shown): (&str, &str)) {
    if !path.exists() {
        File::create(path).unwrap();
    }
    setxattr(path, "system.ntfs_reparse_data", &reparse_data(tag, target, shown), XattrFlags::empty()).unwrap();
}

/// Copies a drive of the sample host; its links become links of Windows.
pub fn copy_drive(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (here, there) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            let target = fs::read_link(&here).unwrap().to_string_lossy().into_owned();
            let absolute = target.get(1..2) == Some(":");
            let raw = if absolute { format!(r"\??\{target}") } else { target.clone() };
            symlink(&there, &raw, &target);
        } else if kind.is_dir() {
            fs::create_dir(&there).unwrap();
            copy_drive(&here, &there);
        } else {
            fs::copy(&here, &there).unwrap();
        }
    }
}

/// Bytes of all files below a folder.
pub fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() { size_of(&entry.path()) } else { metadata.len() }
        })
        .sum()
}

/// Room for so many bytes of files, in whole MiB.
pub fn room(bytes: u64) -> u64 {
    (bytes / MIB + bytes / MIB / 8 + 48) * MIB
}

/// The table of a disk.
pub enum Table {
    /// A master boot record with this signature.
    Mbr(u32),
    /// None: one volume over all of the disk.
    None,
}

/// Puts volumes onto a disk, each behind so many bytes.
pub fn disk(path: &Path, table: &Table, volumes: &[(u64, &Path)]) {
    let mut disk = File::options().write(true).create_new(true).open(path).unwrap();
    let len = |path: &Path| fs::metadata(path).unwrap().len();
    let end = volumes.iter().map(|(start, path)| start + len(path)).max().unwrap_or(0);
    disk.set_len(end + if matches!(table, Table::None) { 0 } else { MIB }).unwrap();
    for (start, path) in volumes {
        let mut volume = File::open(path).unwrap();
        let mut piece = vec![0; MIB as usize];
        let mut at = *start;
        loop {
            let count = volume.read(&mut piece).unwrap();
            if count == 0 {
                break;
            }
            if piece[..count].iter().any(|byte| *byte != 0) {
                disk.seek(SeekFrom::Start(at)).unwrap();
                disk.write_all(&piece[..count]).unwrap();
            }
            at += count as u64;
        }
    }
    if let Table::Mbr(signature) = table {
        let mut sector = [0u8; 512];
        sector[440..444].copy_from_slice(&signature.to_le_bytes());
        for (entry, (start, path)) in sector[446..510].chunks_mut(16).zip(volumes) {
            entry[4] = 7;
            entry[8..12].copy_from_slice(&((start / 512) as u32).to_le_bytes());
            entry[12..16].copy_from_slice(&((len(path) / 512) as u32).to_le_bytes());
        }
        sector[510..].copy_from_slice(&[0x55, 0xAA]);
        disk.seek(SeekFrom::Start(0)).unwrap();
        disk.write_all(&sector).unwrap();
    }
}

/// Signature of the disk and place of the volume that the sample host's registry names for `C:` and `D:`.
pub const C: (u32, u64) = (0x4F2A_91C3, 105_906_176);
/// The same for `D:`.
pub const D: (u32, u64) = (0x77D0_13E5, 1_048_576);
/// Under this name the volume of `D:` is mounted in folders.
pub const VOLUME_OF_D: &str = r"\??\Volume{0a11aa12-5f5c-11e0-8c26-806e6f6e6963}\";

/// The two disks of the sample host whose drives lie below `source`; `more` changes the volume of `C:`.
pub fn disks(folder: &Path, source: &Path, more: impl FnOnce(&Path)) -> [PathBuf; 2] {
    let volumes = volumes(folder, source, more);
    let disks = disks_of(folder, &volumes);
    volumes.iter().for_each(|volume| fs::remove_file(volume).unwrap());
    disks
}

/// The volumes of these disks, each in a file.
pub fn volumes(folder: &Path, source: &Path, more: impl FnOnce(&Path)) -> [PathBuf; 2] {
    let [c, d] = ["c", "d"].map(|name| folder.join(name));
    let drive = |letter: &str| source.join(letter);
    volume(&c, (C.1, room(size_of(&drive("C")))), |mount| {
        copy_drive(&drive("C"), mount);
        more(mount);
    });
    volume(&d, (D.1, room(size_of(&drive("D")))), |mount| copy_drive(&drive("D"), mount));
    [c, d]
}

/// The disks with these volumes.
pub fn disks_of(folder: &Path, [c, d]: &[PathBuf; 2]) -> [PathBuf; 2] {
    let reserved = folder.join("reserved");
    File::create(&reserved).unwrap().set_len(100 * MIB).unwrap();
    let paths = ["system.img", "data.img"].map(|name| folder.join(name));
    disk(&paths[0], &Table::Mbr(C.0), &[(MIB, &reserved), (C.1, c)]);
    disk(&paths[1], &Table::Mbr(D.0), &[(D.1, d)]);
    fs::remove_file(reserved).unwrap();
    paths
}
