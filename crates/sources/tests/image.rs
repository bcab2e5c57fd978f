//! A dead server's disks give the same inventory as its files: with links and junctions of Windows, drive letters out of its
//! registry, and disks inside of files inside of disks.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod dead_host;

use std::fs;
use std::path::{Path, PathBuf};

use dead_host::{
    C, Mounted, Table, can_make, disk, disks, disks_of, junction, reparse_point, room, symlink, volume, volumes,
};
use hvm_formats::io::read_whole;
use hvm_model::names::WindowsPath;
use hvm_sources::Source;
use hvm_testkit::sample::{self, SampleHost, Variant};

struct Dead {
    _folder: tempfile::TempDir,
    source: PathBuf,
    host: SampleHost,
    disks: [PathBuf; 2],
}

fn dead(more: impl FnOnce(&Path)) -> Option<Dead> {
    if !can_make() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let host = sample::write(&source, Variant::Default).unwrap();
    let disks = disks(folder.path(), &source, more);
    Some(Dead { source, host, disks, _folder: folder })
}

impl Dead {
    fn uri(&self) -> String {
        format!("image:{},{}", self.disks[0].display(), self.disks[1].display())
    }
}

/// The inventory without how it was reached.
fn inventory(source: &dyn Source) -> serde_json::Value {
    let mut json = serde_json::to_value(source.inventory().unwrap()).unwrap();
    json.as_object_mut().unwrap().remove("source");
    json
}

fn content(source: &dyn Source, path: &str) -> Result<String, String> {
    let file = source.open_file(&WindowsPath::new(path)).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(read_whole(&*file, 1 << 20).unwrap()).unwrap())
}

fn bytes(path: &Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut fs::File::open(path).unwrap(), &mut hasher).unwrap();
    hasher.finalize()
}

#[test]
fn the_disks_give_the_inventory_of_the_folder() {
    let Some(dead) = dead(|_| {}) else { return };
    let before = dead.disks.each_ref().map(|path| bytes(path));
    let from_folder = hvm_sources::open(&format!("folder:{}", dead.source.display())).unwrap();
    let from_disks = hvm_sources::open(&dead.uri()).unwrap();
    let described = from_disks.describe();
    assert_eq!(described.reach, "image");
    let letters: Vec<&str> = described.drives.iter().map(|(letter, _)| letter.as_str()).collect();
    assert_eq!(letters, ["C:", "D:"]);
    let (folder, image) = (inventory(&*from_folder), inventory(&*from_disks));
    for key in folder.as_object().unwrap().keys() {
        assert_eq!(image[key], folder[key], "{key}");
    }
    assert_eq!(image, folder);
    assert!(image["machines"].as_array().unwrap().iter().any(|machine| !machine["registered_by"].is_null()));
    // A disk in a file on a disk, through its chain.
    for disk in &dead.host.disks {
        let opened = from_disks.open_disk(&WindowsPath::new(&disk.windows_path)).unwrap();
        let mut hasher = blake3::Hasher::new();
        let mut piece = vec![0; 1 << 20];
        for at in (0..opened.size()).step_by(piece.len()) {
            let wanted = (opened.size() - at).min(piece.len() as u64) as usize;
            opened.read_at(at, &mut piece[..wanted]).unwrap();
            hasher.update(&piece[..wanted]);
        }
        assert_eq!(hasher.finalize().to_hex().as_str(), disk.blake3, "{}", disk.windows_path);
    }
    let fingerprint = from_disks.fingerprint(&from_disks.inventory().unwrap()).unwrap();
    let again = hvm_sources::open(&dead.uri()).unwrap();
    assert_eq!(again.fingerprint(&again.inventory().unwrap()).unwrap(), fingerprint);
    assert_eq!(dead.disks.each_ref().map(|path| bytes(path)), before, "the disks were touched");
}

/// Every kind of link, beside what they lead to.
fn links(mount: &Path) {
    fs::create_dir_all(mount.join("Ordner/tief")).unwrap();
    fs::write(mount.join("Ordner/tief/a.txt"), "a").unwrap();
    symlink(&mount.join("absolute"), r"\??\C:\Ordner\tief\a.txt", r"C:\Ordner\tief\a.txt");
    symlink(&mount.join("Ordner/relative"), r"tief\a.txt", r"tief\a.txt");
    symlink(&mount.join("Ordner/beside"), "relative", "relative");
    symlink(&mount.join("Ordner/up"), r"..\absolute", r"..\absolute");
    symlink(&mount.join("from-root"), r"\Ordner\tief\a.txt", r"\Ordner\tief\a.txt");
    junction(&mount.join("junction"), r"\??\C:\Ordner");
    junction(&mount.join("volume"), dead_host::VOLUME_OF_D);
    symlink(&mount.join("below-volume"), &below_volume().replace(r"\\?\", r"\??\"), "below-volume");
    junction(&mount.join("foreign"), r"\??\Volume{ffffffff-0000-0000-0000-000000000000}\");
    symlink(&mount.join("loop"), r"\??\C:\loop", r"C:\loop");
}

/// A path without a letter, as configurations may have it.
fn below_volume() -> String {
    dead_host::VOLUME_OF_D.replace(r"\??\", r"\\?\") + r"ISO\Diskette 100%.vfd"
}

/// What they mean to Windows, however the volume is reached.
fn links_lead_where_they_should(source: &dyn Source, disk: &str) {
    for path in [
        r"C:\absolute",
        r"C:\ORDNER\Relative",
        r"C:\Ordner\beside",
        r"C:\Ordner\up",
        r"C:\from-root",
        r"C:\junction\tief\a.txt",
        r"C:\junction\..\Ordner\tief\..\tief\a.txt",
    ] {
        assert_eq!(content(source, path), Ok("a".to_owned()), "{path}");
    }
    // The volume of D: without its letter.
    let through = disk.replacen("D:", r"C:\volume", 1);
    assert!(source.open_disk(&WindowsPath::new(&through)).is_ok(), "{through}");
    assert_eq!(source.open_file(&WindowsPath::new(&through)).unwrap().name(), through);
    for path in [r"C:\below-volume", &below_volume()] {
        let file = source.open_file(&WindowsPath::new(path)).unwrap();
        assert_eq!(file.name(), r"D:\ISO\Diskette 100%.vfd");
    }
    assert!(content(source, r"C:\foreign\x").is_err());
    assert!(content(source, r"C:\loop").unwrap_err().contains("more than 40 symbolic links"));
}

#[test]
fn links_and_junctions_mean_what_they_mean_to_windows() {
    let Some(dead) = dead(links) else { return };
    let source = hvm_sources::open(&dead.uri()).unwrap();
    links_lead_where_they_should(&*source, &dead.host.disks[0].windows_path);
    let error = content(&*source, r"E:\x").unwrap_err();
    assert!(error.contains("drive E: is not mapped: add e=DISK:PARTITION"), "{error}");
}

/// ntfs-3g shows reparse points as links in its own spelling, or as text that leads nowhere; their data say what they are.
#[test]
fn volumes_that_are_mounted_give_the_inventory_of_their_disks() {
    if !can_make() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let host = sample::write(&source, Variant::Default).unwrap();
    let parts = volumes(folder.path(), &source, |mount| {
        links(mount);
        reparse_point(&mount.join("packed.txt"), 0x8000_0013);
    });
    let images = disks_of(folder.path(), &parts);
    let [c, d] = parts.each_ref().map(|part| Mounted::new(part, "ro,noatime"));
    // What the mount itself makes of them.
    let shown = |name: &str| fs::read_link(c.at.join(name)).unwrap().to_string_lossy().into_owned();
    assert!(
        shown("volume").contains("Volume{") && shown("packed.txt").contains("unsupported"),
        "{}",
        shown("packed.txt")
    );
    let mounted = hvm_sources::open(&format!("folder:?c={}&d={}", c.at.display(), d.at.display())).unwrap();
    let image = hvm_sources::open(&format!("image:{},{}", images[0].display(), images[1].display())).unwrap();
    assert!(inventory(&*mounted) == inventory(&*image), "the mount differs from the disks");
    let described = mounted.describe();
    assert_eq!((described.reach.as_str(), described.drives.len()), ("folder", 2));
    links_lead_where_they_should(&*mounted, &host.disks[0].windows_path);
    let told = content(&*mounted, r"C:\packed.txt").unwrap_err();
    assert!(told.contains("0x80000013") && told.contains("image:"), "{told}");
    // Without the hive nobody knows which drive the volume is.
    let only = hvm_sources::open(&format!("folder:?c={}", c.at.display())).unwrap();
    assert!(content(&*only, r"C:\volume\x").is_err());
    drop((mounted, only));
    c.take_off();
    d.take_off();
}

#[test]
fn letters_can_be_named_and_are_wanted_where_nothing_tells_them() {
    if !can_make() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("part");
    volume(&part, (C.1, room(0)), |mount| fs::write(mount.join("x.txt"), "x").unwrap());
    let (bare, tabled) = (folder.path().join("bare disk"), folder.path().join("tabled"));
    disk(&bare, &Table::None, &[(0, &part)]);
    disk(&tabled, &Table::Mbr(7), &[(C.1, &part)]);
    let open = |uri: &str| hvm_sources::open(uri).err().map(|error| error.to_string()).unwrap_or_default();
    let told = open(&format!("image:{},{}", bare.display(), tabled.display()));
    assert!(told.contains("'?c=1:2'") && told.contains("1:0 (") && told.contains("2:1 ("), "{told}");
    let told = open(&format!("image:{}?c=1:5", bare.display()));
    assert!(told.contains("disk 1, partition 5"), "{told}");
    // No Windows on it, so no role; but the letter is taken.
    let told = open(&format!("image:{}?f=1:0", bare.display()));
    assert!(told.contains("None of the drives F: holds"), "{told}");
    let told = open("image:/nowhere/disk.img");
    assert!(told.contains("/nowhere/disk.img"), "{told}");
    let empty = folder.path().join("empty.img");
    fs::File::create(&empty).unwrap().set_len(4 << 20).unwrap();
    let told = open(&format!("image:{}", empty.display()));
    assert!(told.contains("can be read as a source"), "{told}");
}

#[test]
fn a_volume_that_was_not_closed_is_told() {
    let Some(dead) = dead(|_| {}) else { return };
    // The flag "dirty" in the volume's own record.
    let image = fs::read(&dead.disks[1]).unwrap();
    let (head, volume) = image.split_at(dead_host::D.1 as usize);
    let mut volume = volume.to_vec();
    let record = u64::from_le_bytes(volume[48..56].try_into().unwrap()) as usize * 4096 + 3 * 1024;
    // $VOLUME_INFORMATION: the attribute 0x70, whose value holds the flags at byte 10.
    let mut at = record + usize::from(u16::from_le_bytes(volume[record + 20..record + 22].try_into().unwrap()));
    while volume[at] != 0x70 {
        at += u32::from_le_bytes(volume[at + 4..at + 8].try_into().unwrap()) as usize;
    }
    let value = at + usize::from(u16::from_le_bytes(volume[at + 20..at + 22].try_into().unwrap()));
    volume[value + 10] |= 1;
    fs::write(&dead.disks[1], [head, &volume].concat()).unwrap();
    let source = hvm_sources::open(&dead.uri()).unwrap();
    let problems = source.inventory().unwrap().problems;
    let unclean: Vec<_> = problems.iter().filter(|problem| problem.kind == "volume.unclean").collect();
    assert_eq!(unclean.len(), 1, "{problems:#?}");
    assert!(
        unclean[0].message.contains("partition 1") && unclean[0].message.contains("dirty"),
        "{}",
        unclean[0].message
    );
}
